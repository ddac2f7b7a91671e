"""The story of a payment as one table. Pure: a payment and an event in, a plan out.

No I/O, no clock, no ids of its own: time, attempt ids and intent ids are passed in.
"""

from collections.abc import Callable
from enum import IntEnum, StrEnum
from functools import cache
from typing import NamedTuple

import msgspec

from engine.errors import Impossible
from engine.ledger import postings
from engine.ledger.chart import Route
from engine.ledger.postings import Transfers
from engine.ports import Direction


class State(IntEnum):
    """Where a payment stands. Numbers are stored: never renumber."""

    NEW = 0  # not stored: before the first commit
    QUOTED = 1
    RESERVED = 2
    COLLECTING = 3
    COLLECT_UNKNOWN = 4
    COLLECTED = 5
    PAYOUT_QUEUED = 6
    ON_HOLD = 7
    PAYING = 8
    PAYOUT_UNKNOWN = 9
    PAYOUT_FAILED = 10
    PAID = 11
    REFUND_DUE = 12
    REFUNDING = 13
    REFUND_UNKNOWN = 14
    REFUNDED = 15
    COLLECT_FAILED = 16
    EXPIRED = 17
    CANCELLED = 18
    LATE_FUNDS = 19
    RETURNED = 20


TERMINAL = {
    State.PAID, State.REFUNDED, State.COLLECT_FAILED, State.EXPIRED, State.CANCELLED,
}  # fmt: skip


class Event(StrEnum):
    """What can happen to a payment; the past tense of what was proven or decided."""

    CONFIRMED = "confirmed"
    COLLECTION_ORDERED = "collection ordered"
    COLLECTION_NEVER_SENT = "collection never sent in time"
    COLLECTION_WITHDRAWN = "collection withdrawn before it was sent"
    COLLECTION_SUCCEEDED = "collection succeeded"
    COLLECTION_FAILED = "collection failed"
    COLLECTION_UNCLEAR = "collection unclear"
    LATE_MONEY_PROVEN = "late money proven"
    HELD = "held for a person"
    RELEASED = "released by two people"
    PAYOUT_QUEUED = "payout queued"
    PAYOUT_ORDERED = "payout ordered"
    PAYOUT_SUCCEEDED = "payout succeeded"
    PAYOUT_FAILED = "payout failed"
    PAYOUT_UNCLEAR = "payout unclear"
    PAYOUT_RETURNED = "payout returned by the operator"
    REPAY_DECIDED = "repay decided by two people"
    REFUND_DECIDED = "refund decided"
    REFUND_ORDERED = "refund ordered"
    REFUND_SUCCEEDED = "refund succeeded"
    REFUND_FAILED = "refund failed"
    REFUND_UNCLEAR = "refund unclear"
    GIVEN_BACK = "given back by hand, as two people saw"
    PAID_BEFORE = "paid out before, as two people saw"


Posting = Callable[[postings.Price, Route], Transfers]


class Transition(NamedTuple):
    """One line of the table: what it posts, which attempt it begins, whether the live one ends."""

    source: State
    event: Event
    target: State
    posts: Posting | None = None
    begins: Direction | None = None
    ends: bool = False


S, E, T, D = State, Event, Transition, Direction
TABLE: tuple[Transition, ...] = (
    T(S.NEW, E.CONFIRMED, S.RESERVED, postings.hold),
    T(S.RESERVED, E.COLLECTION_ORDERED, S.COLLECTING, begins=D.COLLECT),
    T(S.COLLECTING, E.COLLECTION_NEVER_SENT, S.EXPIRED, postings.release, ends=True),
    T(S.COLLECTING, E.COLLECTION_WITHDRAWN, S.CANCELLED, postings.release, ends=True),
    T(S.COLLECTING, E.COLLECTION_FAILED, S.COLLECT_FAILED, postings.release, ends=True),
    T(S.COLLECTING, E.COLLECTION_UNCLEAR, S.COLLECT_UNKNOWN),
    T(S.COLLECTING, E.COLLECTION_SUCCEEDED, S.COLLECTED, postings.receive, ends=True),
    T(S.COLLECT_UNKNOWN, E.COLLECTION_FAILED, S.COLLECT_FAILED, postings.release, ends=True),
    T(S.COLLECT_UNKNOWN, E.COLLECTION_SUCCEEDED, S.COLLECTED, postings.receive, ends=True),
    T(S.COLLECTED, E.PAYOUT_ORDERED, S.PAYING, postings.send, begins=D.DISBURSE),
    T(S.COLLECTED, E.PAYOUT_QUEUED, S.PAYOUT_QUEUED),
    T(S.COLLECTED, E.HELD, S.ON_HOLD),
    T(S.COLLECTED, E.REFUND_DECIDED, S.REFUND_DUE, postings.give_up),
    T(S.ON_HOLD, E.RELEASED, S.COLLECTED),
    T(S.ON_HOLD, E.REFUND_DECIDED, S.REFUND_DUE, postings.give_up),
    T(S.ON_HOLD, E.PAID_BEFORE, S.PAID, postings.settle_held),
    T(S.PAYOUT_QUEUED, E.PAYOUT_ORDERED, S.PAYING, postings.send, begins=D.DISBURSE),
    T(S.PAYOUT_QUEUED, E.HELD, S.ON_HOLD),
    T(S.PAYOUT_QUEUED, E.REFUND_DECIDED, S.REFUND_DUE, postings.give_up),
    T(S.PAYING, E.PAYOUT_UNCLEAR, S.PAYOUT_UNKNOWN),
    T(S.PAYING, E.PAYOUT_SUCCEEDED, S.PAID, postings.settle, ends=True),
    T(S.PAYING, E.PAYOUT_FAILED, S.PAYOUT_FAILED, postings.take_back, ends=True),
    T(S.PAYOUT_UNKNOWN, E.PAYOUT_SUCCEEDED, S.PAID, postings.settle, ends=True),
    T(S.PAYOUT_UNKNOWN, E.PAYOUT_FAILED, S.PAYOUT_FAILED, postings.take_back, ends=True),
    T(S.PAYOUT_FAILED, E.PAYOUT_ORDERED, S.PAYING, postings.send, begins=D.DISBURSE),
    T(S.PAYOUT_FAILED, E.PAYOUT_QUEUED, S.PAYOUT_QUEUED),
    T(S.PAYOUT_FAILED, E.HELD, S.ON_HOLD),
    T(S.PAYOUT_FAILED, E.REFUND_DECIDED, S.REFUND_DUE, postings.give_up),
    T(S.PAID, E.PAYOUT_RETURNED, S.RETURNED, postings.take_returned),
    T(S.RETURNED, E.REPAY_DECIDED, S.COLLECTED, postings.restore),
    T(S.RETURNED, E.PAID_BEFORE, S.PAID, postings.settle_returned),
    T(S.RETURNED, E.REFUND_DECIDED, S.REFUND_DUE, postings.undo),
    T(S.COLLECT_FAILED, E.LATE_MONEY_PROVEN, S.LATE_FUNDS, postings.receive),
    T(S.EXPIRED, E.LATE_MONEY_PROVEN, S.LATE_FUNDS, postings.receive),
    T(S.CANCELLED, E.LATE_MONEY_PROVEN, S.LATE_FUNDS, postings.receive),
    T(S.LATE_FUNDS, E.REFUND_DECIDED, S.REFUND_DUE, postings.owe_refund),
    T(S.REFUND_DUE, E.REFUND_ORDERED, S.REFUNDING, postings.send_refund, begins=D.REFUND),
    T(S.REFUND_DUE, E.GIVEN_BACK, S.REFUNDED, postings.give_back_by_hand),
    T(S.REFUNDING, E.REFUND_UNCLEAR, S.REFUND_UNKNOWN),
    T(S.REFUNDING, E.REFUND_SUCCEEDED, S.REFUNDED, postings.settle_refund, ends=True),
    T(S.REFUNDING, E.REFUND_FAILED, S.REFUND_DUE, postings.take_refund_back, ends=True),
    T(S.REFUND_UNKNOWN, E.REFUND_SUCCEEDED, S.REFUNDED, postings.settle_refund, ends=True),
    T(S.REFUND_UNKNOWN, E.REFUND_FAILED, S.REFUND_DUE, postings.take_refund_back, ends=True),
)

_NEXT = {(t.source, t.event): t for t in TABLE}
assert len(_NEXT) == len(TABLE), "two transitions for one state and event"

LIVE_DIRECTION = {
    S.COLLECTING: D.COLLECT,
    S.COLLECT_UNKNOWN: D.COLLECT,
    S.PAYING: D.DISBURSE,
    S.PAYOUT_UNKNOWN: D.DISBURSE,
    S.REFUNDING: D.REFUND,
    S.REFUND_UNKNOWN: D.REFUND,
}
"""Which attempt is live in which state; in every other state none is."""

SUCCEEDED = {
    D.COLLECT: E.COLLECTION_SUCCEEDED,
    D.DISBURSE: E.PAYOUT_SUCCEEDED,
    D.REFUND: E.REFUND_SUCCEEDED,
}
FAILED = {
    D.COLLECT: E.COLLECTION_FAILED,
    D.DISBURSE: E.PAYOUT_FAILED,
    D.REFUND: E.REFUND_FAILED,
}
UNCLEAR = {
    D.COLLECT: E.COLLECTION_UNCLEAR,
    D.DISBURSE: E.PAYOUT_UNCLEAR,
    D.REFUND: E.REFUND_UNCLEAR,
}

FOLLOWS: dict[State, Event] = {
    S.RESERVED: E.COLLECTION_ORDERED,
    S.COLLECTED: E.PAYOUT_ORDERED,
    S.PAYOUT_FAILED: E.REFUND_DECIDED,
    S.LATE_FUNDS: E.REFUND_DECIDED,
    S.REFUND_DUE: E.REFUND_ORDERED,
}
"""What is decided at once, in the same commit, because nothing has to be waited for in between.

A caller may name another event for a state on the way (`then`): hold, queue, or the next payout.
"""


_INSTEAD = (E.HELD, E.PAYOUT_QUEUED, E.PAYOUT_ORDERED, E.REFUND_DECIDED)
"""What callers name as `then`."""

_LEAVES = {E.PAYOUT_ORDERED, E.REFUND_ORDERED, E.GIVEN_BACK, E.PAID_BEFORE}
"""Money leaves by these: at the operator that pays from now on, if it is another one."""


class Step(msgspec.Struct, frozen=True):
    """One or more transitions merged into one commit: where it leads and what it posts."""

    path: tuple[State, ...]
    transfers: Transfers
    ends: bool
    begins: Direction | None

    @property
    def state(self) -> State:
        return self.path[-1]


def may(state: State, event: Event) -> bool:
    """Whether the table lists the event for the state."""
    return (state, event) in _NEXT


@cache
def moves() -> frozenset[tuple[State, State]]:
    """From which state to which one step may lead, whatever follows its event without waiting.

    Postgres holds payments to the same (`known_moves`; `known_beginnings` for those from NEW): one
    more is a migration first.
    """
    return frozenset(
        (t.source, _way(t.source, t.event, then, refunds_itself).path[-1])
        for t in TABLE
        for then in (None, *_INSTEAD)
        for refunds_itself in (True, False)
    )


def advance(
    state: State,
    event: Event,
    quote: postings.Price,
    route: Route,
    *,
    then: Event | None = None,
    onward: Route | None = None,
    refunds_itself: bool = True,
) -> Step:
    """The event's transition and all that follows from it without waiting.

    `then` replaces what would follow by itself, where the table allows it; `onward` holds the
    accounts of the operator that is to pay, or to give back, when it is not the one of `route`. A
    refund that definitely failed is not ordered again in the same breath: `REFUND_DUE` then waits
    for its deadline. Unless `refunds_itself` it waits there for people from the beginning. Raises
    Impossible when the table does not list the event here.
    """
    path, posted, ends, begins = _way(state, event, then, refunds_itself)
    transfers: Transfers = ()
    for posting, is_onward in posted:
        transfers += posting(quote, onward or route if is_onward else route)
    return Step(path, transfers, ends, begins)


def orders_refund(state: State, event: Event, then: Event | None = None) -> bool:
    """Whether a refund is what follows the event by itself. Raises Impossible as `advance` does."""
    if event is Event.REFUND_ORDERED:  # somebody decided
        return False
    refunds_itself = True
    return _way(state, event, then, refunds_itself).begins is Direction.REFUND


class _Way(NamedTuple):
    """A step before it has amounts."""

    path: tuple[State, ...]
    postings: tuple[tuple[Posting, bool], ...]  # with whether money leaves by it
    ends: bool
    begins: Direction | None


@cache
def _way(state: State, event: Event, then: Event | None, refunds_itself: bool) -> _Way:
    path: list[State] = []
    posted: list[tuple[Posting, bool]] = []
    ends, begins = False, None
    here: Event | None = event
    while here is not None:
        transition = _NEXT.get((state, here))
        if transition is None:
            raise Impossible(f"{here} in {state.name}")
        state = transition.target
        path.append(state)
        if transition.posts:
            posted.append((transition.posts, here in _LEAVES))
        ends = ends or transition.ends
        begins = transition.begins or begins
        here = _following(state, here, then)
        if here is Event.REFUND_ORDERED and not refunds_itself:
            here = None
    return _Way(tuple(path), tuple(posted), ends, begins)


def _following(state: State, event: Event, then: Event | None) -> Event | None:
    if event is Event.REFUND_FAILED or state not in FOLLOWS:
        return None
    return then if then is not None and (state, then) in _NEXT else FOLLOWS[state]


def diagram() -> str:
    """The table as a Mermaid state diagram, for the README of the room."""
    lines = ["stateDiagram-v2"]
    for t in TABLE:
        source = "[*]" if t.source is State.NEW else t.source.name
        lines.append(f"    {source} --> {t.target.name}: {t.event}")
    reached = {t.target for t in TABLE}
    lines += [f"    {state.name} --> [*]" for state in sorted(TERMINAL & reached)]
    return "\n".join(lines)

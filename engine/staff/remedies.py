"""What staff may do about a payment as it stands: look again, order again, propose to give back.

Pure. Everything here stands in the lifecycle's table already; a remedy only has it done now. None
of them takes anything back that was sent, and none decides how an attempt ended.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple

from engine.desk.proposals import Kind
from engine.payments.lifecycle import LIVE_DIRECTION, TERMINAL, State
from engine.staff.members import Role


class Remedy(StrEnum):
    """What a retry does."""

    ASK = "ask"  # the operator is asked how an attempt went
    SEND = "send"  # an order of which no byte has left goes out now instead of later
    LEAVE_QUEUE = "leave_queue"  # a payout that waits for an operator is tried
    ORDER_REFUND = "order_refund"  # a refund that definitely failed is ordered anew


ROLES: Final[Mapping[Remedy, frozenset[Role]]] = {
    Remedy.ASK: frozenset({Role.SUPPORT, Role.FINANCE}),
    Remedy.SEND: frozenset({Role.FINANCE}),
    Remedy.LEAVE_QUEUE: frozenset({Role.FINANCE}),
    Remedy.ORDER_REFUND: frozenset({Role.FINANCE}),
}
"""Who may: a question moves nothing by itself, everything else does."""


class Sending(StrEnum):
    """How far the order of an attempt has come on its way out."""

    WAITS = "waits"  # not one byte has left
    UNDER_WAY = "under way"  # somebody holds it this moment, or died while holding it
    GONE = "gone"  # taken, or its fate is unknown: only the operator can say


class Legal(NamedTuple):
    """What may be done; None: nothing, and `why` says what to do instead."""

    remedy: Remedy | None
    why: str


class Reversal(NamedTuple):
    """What two people may agree on to give a payment back; None: nothing, and why."""

    kind: Kind | None
    why: str


_BETWEEN: Final = "it is between two steps: look again in a moment"
_TWO_PEOPLE: Final = "it waits for two people: propose what is to become of it"
_PEOPLE_PAY: Final = (
    "it is not given back by itself: two people say who does (REFUND_ELSEWHERE), or that it was"
    " done by hand (REFUND_SEEN)"
)
_CANNOT_BE_ASKED: Final = (
    "its operator cannot be asked: its statement decides, or two people who saw it there"
    " (ATTEMPT_SEEN)"
)


def remedy_of(
    state: State,
    *,
    sending: Sending = Sending.GONE,
    has_attempt: bool = True,
    can_be_asked: bool = True,
    can_refund: bool = True,
) -> Legal:
    """What a retry of a payment does.

    `sending` is of the live attempt; `has_attempt`, `can_be_asked`: whether there is an attempt
    to ask about, the live one or else the last, and whether its operator answers such questions;
    `can_refund`: whether what is due back is ordered without asking people.
    """
    if state in LIVE_DIRECTION:
        return _of_live(sending, can_be_asked=can_be_asked)
    if state in TERMINAL:
        return question(has_attempt=has_attempt, can_be_asked=can_be_asked)
    if state is State.PAYOUT_QUEUED:
        return Legal(Remedy.LEAVE_QUEUE, "")
    if state is State.REFUND_DUE:
        if can_refund:
            return Legal(Remedy.ORDER_REFUND, "")
        return Legal(None, _PEOPLE_PAY)
    if state in (State.ON_HOLD, State.RETURNED):
        return Legal(None, _TWO_PEOPLE)
    return Legal(None, _BETWEEN)


def question(*, has_attempt: bool, can_be_asked: bool) -> Legal:
    """Asking about an attempt that is not live: late news is evidence like any other."""
    if not has_attempt:
        return Legal(None, "nothing was ever ordered for it")
    return Legal(Remedy.ASK, "") if can_be_asked else Legal(None, _CANNOT_BE_ASKED)


def _of_live(sending: Sending, *, can_be_asked: bool) -> Legal:
    if sending is Sending.WAITS:
        return Legal(Remedy.SEND, "")
    if sending is Sending.UNDER_WAY:
        return Legal(None, "its order is being sent this moment: ask again in a minute")
    return question(has_attempt=True, can_be_asked=can_be_asked)


_REVERSALS: Final[Mapping[State, Kind]] = {
    State.ON_HOLD: Kind.REFUSE_HOLD,
    State.RETURNED: Kind.REFUND_RETURNED,
    State.PAYOUT_QUEUED: Kind.REFUND_QUEUED,
}
REVERSALS: Final = frozenset(_REVERSALS.values())
"""The kinds of proposals that give a payment back."""

_UNKNOWN: Final = (
    "the payee may have been paid, or may be any moment: find out first how the attempt went"
)
_NOTHING_TAKEN: Final = "nothing was taken from the payer, as far as anybody has proven"
_OWED: Final = "it is owed to the payer already, and ordered by itself"
_WHY_NOT: Final[Mapping[State, str]] = {
    State.COLLECTING: "the payer is being asked this moment: wait for the end",
    State.COLLECT_UNKNOWN: "nobody knows whether the payer has paid: find out first",
    State.PAYING: _UNKNOWN,
    State.PAYOUT_UNKNOWN: _UNKNOWN,
    State.PAID: "the payee has the money: only the operator can take it back, and has to prove it",
    State.REFUND_DUE: _OWED,
    State.REFUNDING: _OWED,
    State.REFUND_UNKNOWN: "it may have been given back: find out first",
    State.REFUNDED: "it has been given back",
    State.COLLECT_FAILED: _NOTHING_TAKEN,
    State.EXPIRED: _NOTHING_TAKEN,
    State.CANCELLED: _NOTHING_TAKEN,
}


def reversal_of(state: State) -> Reversal:
    """What may be proposed to give a payment back, or why nothing may."""
    kind = _REVERSALS.get(state)
    return Reversal(kind, "" if kind is not None else _WHY_NOT.get(state, _BETWEEN))

"""What follows a step by itself: which way is taken, who waits, and what is given up."""

from typing import Any, cast

import msgspec
import pytest

from engine.clock import Clock
from engine.decisions import Decision, Kind
from engine.msisdn import Prefixes
from engine.payments.lifecycle import Event, State
from engine.payments.payment import Payment
from engine.payments.policy import HOLD, WAIT, Policy
from engine.payments.replays import differing
from engine.payments.routing import Directory
from engine.payments.sequel import Following, Sequel
from engine.payments.store import PaymentStore
from engine.ports import Reason
from tests.unit.payments.examples import MPESA, MTN, payment

AIRTEL = msgspec.structs.replace(MTN, code=3, name="airtel_ug")
DIRECTORY = Directory({f.name: f for f in (MPESA, MTN, AIRTEL)}, Prefixes({}), {})
STORE = PaymentStore(cast(Any, None), DIRECTORY)  # its accounts alone are asked for
WAITS = Decision(Kind.COMPLIANCE, WAIT, "no list", {})
LATER = Decision(Kind.COMPLIANCE, HOLD, "a list has changed", {})


class Doors:
    """A policy: whose payouts are open, and what compliance says by then."""

    def __init__(self, *open_: str, changed: Decision | None = None) -> None:
        self._open = open_
        self._changed = changed

    def may_pay(self, operator: str) -> bool:
        return operator in self._open

    async def clear_again(self, payment: Payment) -> Decision | None:
        return self._changed


class At(Clock):
    def __init__(self, epoch: float) -> None:
        self._epoch = epoch

    def epoch(self) -> float:
        return self._epoch


def sequel(*open_: str, changed: Decision | None = None) -> Sequel:
    return Sequel(cast(Policy, Doors(*open_, changed=changed)), STORE, Clock())


def two_ways(state: State, *, way: int = 0, pay_until: int = 0) -> Payment:
    one = payment(state)
    quote = msgspec.structs.replace(one.quote, ways=("mtn_ug", "airtel_ug"), pay_until=pay_until)
    facts = msgspec.structs.replace(one.facts, quote=quote)
    return msgspec.structs.replace(one, facts=facts, way=way)


def by(following: Following) -> tuple[Event | None, int | None]:
    """What follows, and by which other way if by another."""
    return following.event, following.onward.way if following.onward else None


@pytest.mark.parametrize(
    ("open_", "follows"),
    [
        (("mtn_ug", "airtel_ug"), (Event.PAYOUT_ORDERED, None)),
        (("mtn_ug",), (Event.PAYOUT_ORDERED, None)),
        (("airtel_ug",), (Event.PAYOUT_ORDERED, 1)),
        ((), (Event.PAYOUT_QUEUED, 0)),
    ],
)
async def test_money_that_came_leaves_by_the_first_open_way(
    open_: tuple[str, ...], follows: tuple[Event, int | None]
) -> None:
    assert by(await sequel(*open_).after_collected(two_ways(State.COLLECTING))) == follows


async def test_any_way_but_the_ordinary_one_says_why() -> None:
    usual = await sequel("mtn_ug").after_collected(two_ways(State.COLLECTING))
    other = await sequel("airtel_ug").after_collected(two_ways(State.COLLECTING))
    assert usual.decisions == ()
    (why,) = other.decisions
    assert why.outcome == "payout ordered: airtel_ug"
    assert (why.kind, differing([why])) == (Kind.ROUTE, [])
    assert why.inputs["open"] == {"mtn_ug": False, "airtel_ug": True}
    assert other.onward is not None
    assert other.onward.route == STORE.route(two_ways(State.PAYING).facts, 1)


@pytest.mark.parametrize(
    ("open_", "follows"),
    [
        (("mtn_ug", "airtel_ug"), (Event.PAYOUT_ORDERED, 1)),
        (("mtn_ug",), (Event.PAYOUT_QUEUED, 0)),
        ((), (Event.PAYOUT_QUEUED, 0)),
    ],
)
async def test_who_could_not_be_reached_is_not_tried_again_in_the_same_breath(
    open_: tuple[str, ...], follows: tuple[Event, int | None]
) -> None:
    assert by(await sequel(*open_).after_payout_never_sent(two_ways(State.PAYING))) == follows


@pytest.mark.parametrize(
    ("open_", "follows"),
    [
        (("mtn_ug", "airtel_ug"), (Event.PAYOUT_ORDERED, 1)),
        (("mtn_ug",), (Event.PAYOUT_QUEUED, 1)),
    ],
)
async def test_after_a_no_the_next_operator_is_tried_and_never_the_same(
    open_: tuple[str, ...], follows: tuple[Event, int | None]
) -> None:
    failed = two_ways(State.PAYING)
    following = await sequel(*open_).after_failed_payout(failed, Reason.OPERATOR_FAULT)
    assert by(following) == follows


@pytest.mark.parametrize("reason", [Reason.CANNOT_RECEIVE, Reason.NOT_REGISTERED, Reason.LIMIT])
async def test_a_wallet_that_refuses_is_not_tried_by_another_operator(reason: Reason) -> None:
    doors = sequel("mtn_ug", "airtel_ug", changed=LATER)
    assert by(await doors.after_failed_payout(two_ways(State.PAYING), reason)) == (None, None)


async def test_after_the_last_way_nothing_else_is_tried() -> None:
    last = two_ways(State.PAYING, way=1)
    assert by(await sequel("mtn_ug").after_failed_payout(last, Reason.OTHER)) == (None, None)


async def test_a_rate_that_no_longer_holds_pays_nobody() -> None:
    late = two_ways(State.COLLECTING, pay_until=1_000_000_000)
    doors = sequel("mtn_ug", "airtel_ug")
    given_back = await doors.after_collected(late)
    assert by(given_back) == (Event.REFUND_DECIDED, None)
    assert [(why.outcome, why.inputs["pay_until"]) for why in given_back.decisions] == [
        ("refund", 1_000_000_000)
    ]
    (why,) = given_back.decisions
    assert (why.kind, differing([why])) == (Kind.RATE, [])
    assert by(await doors.after_payout_never_sent(late)) == (None, None)
    assert by(await doors.after_failed_payout(late, Reason.OTHER)) == (None, None)


@pytest.mark.parametrize(
    ("second", "event"), [(1_000, Event.PAYOUT_ORDERED), (1_001, Event.REFUND_DECIDED)]
)
async def test_a_rate_holds_through_its_last_second(second: int, event: Event) -> None:
    """As whoever decides it again says (`replays.py`)."""
    doors = Sequel(cast(Policy, Doors("mtn_ug")), STORE, At(second))
    assert doors.payout_of(two_ways(State.COLLECTED, pay_until=1_000)).event is event


async def test_what_compliance_says_by_then_is_heard_before_any_way_is_looked_at() -> None:
    doors = sequel("mtn_ug", changed=LATER)
    following = await doors.after_collected(two_ways(State.COLLECTING))
    assert (following.event, following.decisions) == (Event.HELD, (LATER,))


@pytest.mark.parametrize(
    ("outcome", "event"), [(HOLD, Event.HELD), ("allow", Event.PAYOUT_ORDERED)]
)
async def test_what_compliance_let_pass_at_the_confirm_is_not_held(
    outcome: str, event: Event
) -> None:
    """What people have released keeps what was said of it as well."""
    said = Decision(Kind.COMPLIANCE, outcome, "a name", {})
    one = two_ways(State.COLLECTING)
    facts = msgspec.structs.replace(one.facts, clearance=said)
    cleared = msgspec.structs.replace(one, facts=facts)
    assert by(await sequel("mtn_ug").after_collected(cleared)) == (event, None)


async def test_another_way_is_held_where_compliance_says_so_and_is_the_one_to_be_released() -> None:
    """Never the operator again that has just said no."""
    doors, failed = sequel("mtn_ug", "airtel_ug", changed=LATER), two_ways(State.PAYING)
    for following in (
        await doors.after_failed_payout(failed, Reason.OPERATOR_FAULT),
        await doors.after_payout_never_sent(failed),
    ):
        assert by(following) == (Event.HELD, 1)
        why, way = following.decisions
        assert (why, way.outcome) == (LATER, "payout ordered: airtel_ug")


async def test_what_only_waits_in_the_queue_is_looked_at_when_it_is_to_leave() -> None:
    doors, failed = sequel(changed=LATER), two_ways(State.PAYING)
    assert by(await doors.after_payout_never_sent(failed)) == (Event.PAYOUT_QUEUED, 0)
    assert by(await sequel(changed=LATER).cleared(failed, Following())) == (None, None)
    leaving = Following(Event.PAYOUT_ORDERED)
    assert by(await sequel("mtn_ug", changed=LATER).cleared(failed, leaving)) == (Event.HELD, None)
    assert await sequel("mtn_ug").cleared(failed, leaving) is leaving


async def test_money_that_nobody_can_be_compared_for_waits_and_its_way_stays() -> None:
    doors = sequel("airtel_ug", changed=WAITS)
    following = await doors.after_collected(two_ways(State.COLLECTING))
    assert by(following) == (Event.PAYOUT_QUEUED, 1)
    assert WAITS in following.decisions
    failed = two_ways(State.PAYING)
    assert by(await doors.after_failed_payout(failed, Reason.OPERATOR_FAULT)) == (
        Event.PAYOUT_QUEUED, 1,
    )  # fmt: skip
    assert by(await doors.after_payout_never_sent(failed)) == (Event.PAYOUT_QUEUED, 1)


async def test_to_wait_keeps_nothing_from_being_given_back_or_held() -> None:
    doors = sequel("mtn_ug", changed=WAITS)
    late = two_ways(State.COLLECTING, pay_until=1_000_000_000)
    assert (await doors.after_collected(late)).event is Event.REFUND_DECIDED
    held = two_ways(State.COLLECTING)
    facts = msgspec.structs.replace(held.facts, clearance=LATER)
    following = await doors.after_collected(msgspec.structs.replace(held, facts=facts))
    assert (following.event, following.decisions) == (Event.HELD, (LATER,))

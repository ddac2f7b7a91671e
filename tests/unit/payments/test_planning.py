"""What a step counts, and when a queue is looked at."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.clock import Clock, Ids
from engine.ledger.plans import UNLIMITED, Spend
from engine.msisdn import Prefixes
from engine.payments.lifecycle import TABLE, TERMINAL, Event, State, Transition, advance
from engine.payments.planning import (
    REFUND_DOUBLINGS_MAX,
    REFUND_STEPS_SOON,
    Planner,
    Timing,
    queue_due,
)
from engine.payments.routing import Directory
from engine.payments.spending import Left, Spent, left_of
from engine.ports import Direction
from tests.unit.payments.examples import MPESA, MTN, payment


class SetClock(Clock):
    def __init__(self, epoch: float) -> None:
        self._epoch = epoch

    def epoch(self) -> float:
        return self._epoch


def due_when_queued(now: int) -> int:
    clock = SetClock(now)
    directory = Directory({"mpesa_ke": MPESA, "mtn_ug": MTN}, Prefixes({}), {})
    planner = Planner(directory, clock, Ids(clock), Timing())
    collected = payment(State.PAYOUT_FAILED, version=2)
    step = advance(State.PAYOUT_FAILED, Event.PAYOUT_QUEUED, collected.quote, collected.route)
    return planner.plan(collected, step, facts=None)[0].due


@given(st.integers(1, 2**31), st.integers(0, 100))
def test_who_joins_a_queue_is_never_due_before_those_who_wait(now: int, later: int) -> None:
    """Somebody who could not leave at `now`, and somebody who joins then or later."""
    assert now < queue_due(now) <= queue_due(now + later)
    assert queue_due(now) <= due_when_queued(now + later)


@given(st.integers(1, 2**31), st.integers(0, 9), st.integers(0, 9))
def test_those_looked_at_in_one_slot_come_due_together(slot: int, first: int, then: int) -> None:
    """So the oldest is not last for having been looked at last."""
    assert queue_due(slot * 10 + first) == queue_due(slot * 10 + then)


@pytest.mark.parametrize(
    ("spent", "left"),
    [
        (None, Left(100, 1_000)),
        (Spent(20, 30, 202_611, 400), Left(70, 600)),
        (Spent(19, 30, 202_611, 400), Left(100, 600)),  # yesterday's
        (Spent(19, 30, 202_610, 400), Left(100, 1_000)),  # and last month's
        (Spent(21, 30, 202_611, 400), Left(70, 600)),  # another process is ahead of midnight
        (Spent(20, 30, 202_611, 950), Left(50, 50)),  # no more today than this month
        (Spent(20, 130, 202_611, 1_130), Left(0, 0)),  # limits were lowered
    ],
)
def test_what_is_left_is_told_within_day_and_month(spent: Spent | None, left: Left) -> None:
    limits = {"day_minor_max": 100, "month_minor_max": 1_000}
    assert left_of(spent, day=20, month=202_611, **limits) == left


@given(st.integers(10**6, 2**31))
def test_a_payout_may_be_looked_at_sooner_than_a_push(now: int) -> None:
    directory = Directory({"mpesa_ke": MPESA, "mtn_ug": MTN}, Prefixes({}), {})
    clock = SetClock(now)
    planner = Planner(directory, clock, Ids(clock), Timing(first_look=60, first_payout_look=10))

    def due(state: State, event: Event) -> int:
        before = payment(state, version=2, live="a" * 32)
        step = advance(state, event, before.quote, before.route)
        return planner.plan(before, step, facts=None)[0].due

    assert now < due(State.COLLECTING, Event.COLLECTION_SUCCEEDED) <= now + 20
    assert now + 60 <= due(State.RESERVED, Event.COLLECTION_ORDERED) <= now + 120


@pytest.mark.parametrize("transition", TABLE, ids=lambda t: f"{t.source.name} {t.event}")
def test_somebody_looks_again_unless_it_is_over(transition: Transition) -> None:
    directory = Directory({"mpesa_ke": MPESA, "mtn_ug": MTN}, Prefixes({}), {})
    clock = SetClock(1_000_000)
    planner = Planner(directory, clock, Ids(clock), Timing())
    before = payment(transition.source, version=2, live="a" * 32)
    step = advance(transition.source, transition.event, before.quote, before.route)
    plan, after = planner.plan(before, step, facts=None)
    assert (plan.due == 0) is (after.state in TERMINAL)
    assert plan.due == 0 or plan.due > clock.epoch()


@pytest.mark.parametrize("refunds", [True, False])
def test_a_refund_nobody_can_order_waits_for_people_with_all_that_is_owed(refunds: bool) -> None:
    payer = msgspec.structs.replace(MPESA, can_refund=refunds)
    directory = Directory({"mpesa_ke": payer, "mtn_ug": MTN}, Prefixes({}), {})
    clock = SetClock(1_000_000)
    planner = Planner(directory, clock, Ids(clock), Timing())
    held = payment(State.ON_HOLD, version=2)
    assert planner.gives_back(held, has_receipt=True) is refunds
    step = advance(
        State.ON_HOLD, Event.REFUND_DECIDED, held.quote, held.route, refunds_itself=refunds
    )
    plan, after = planner.plan(held, step, facts=None)
    assert (after.state, plan.begins is None) == (
        (State.REFUNDING, False) if refunds else (State.REFUND_DUE, True)
    )
    assert plan.due > 0  # somebody looks again, whatever became of the case
    sent = msgspec.structs.replace(
        after, facts=msgspec.structs.replace(after.facts, refund_operator="other_ke")
    )
    assert [sent.operator_of(d) for d in Direction] == ["mpesa_ke", "mtn_ug", "other_ke"]


@pytest.mark.parametrize(
    ("changes", "gives_back"),
    [
        ({}, True),
        # The collection itself is given back: what limits payouts has no say.
        ({"disburse_minor_max": 0}, True),
        ({"disburse_minor_max": 101_999}, True),
        ({"collect_minor_max": 0}, True),  # nor has what was collected no more since
        ({"refund_is_payout": True}, True),
        ({"refund_is_payout": True, "disburse_minor_max": 102_000}, True),
        ({"refund_is_payout": True, "disburse_minor_max": 101_999}, False),
        ({"refund_is_payout": True, "disburse_minor_max": 0}, False),
        ({"refund_is_payout": True, "disburse_minor_min": 102_001}, False),
        ({"refund_is_payout": True, "unit_minor": 2_500}, False),
        ({"refund_is_payout": True, "can_refund": False}, False),
        ({"refund_by_receipt": True, "disburse_minor_max": 0}, True),
        ({"currency": "USD"}, False),  # its wallets hold another since
    ],
)
def test_a_refund_that_is_a_payout_is_within_the_limits_of_payouts_or_waits_for_people(
    changes: dict[str, Any], gives_back: bool
) -> None:
    payer = msgspec.structs.replace(MPESA, **changes)
    directory = Directory({"mpesa_ke": payer, "mtn_ug": MTN}, Prefixes({}), {})
    clock = SetClock(1_000_000)
    planner = Planner(directory, clock, Ids(clock), Timing())
    owed = payment(State.REFUND_DUE, version=2)
    assert planner.gives_back(owed, has_receipt=True) is gives_back


@pytest.mark.parametrize(
    ("has_receipt", "fee_is_refunded", "gives_back"),
    [(True, True, True), (False, True, False), (True, False, False)],
)
def test_what_goes_back_by_its_receipt_is_a_payout_without_one_or_in_part(
    has_receipt: bool, fee_is_refunded: bool, gives_back: bool
) -> None:
    payer = msgspec.structs.replace(MPESA, refund_by_receipt=True, disburse_minor_max=50_000)
    directory = Directory({"mpesa_ke": payer, "mtn_ug": MTN}, Prefixes({}), {})
    clock = SetClock(1_000_000)
    planner = Planner(directory, clock, Ids(clock), Timing())
    owed = payment(State.REFUND_DUE, version=2)
    quote = msgspec.structs.replace(owed.quote, fee_is_refunded=fee_is_refunded)
    owed = msgspec.structs.replace(owed, facts=msgspec.structs.replace(owed.facts, quote=quote))
    assert planner.gives_back(owed, has_receipt=has_receipt) is gives_back


SPENT = Spend("c" * 32, 404, 20_000, 202_611, 100_000, 500_000, 2_000_000)


@pytest.mark.parametrize("transition", TABLE, ids=lambda t: f"{t.source.name}-{t.event}")
def test_a_limit_counts_what_the_payer_parts_with_and_no_more(transition: Transition) -> None:
    """Once when it is promised, back again where the money stays with them, never a second time."""
    clock = SetClock(2_000_000)
    directory = Directory({"mpesa_ke": MPESA, "mtn_ug": MTN}, Prefixes({}), {})
    before = payment(transition.source, version=2, live="a" * 32)
    facts = msgspec.structs.replace(before.facts, spend=SPENT)
    before = msgspec.structs.replace(before, facts=facts)
    step = advance(transition.source, transition.event, before.quote, before.route)
    plan, _ = Planner(directory, clock, Ids(clock), Timing()).plan(before, step, facts=None)
    path = step.path
    if State.RESERVED in path:
        assert plan.spend == (SPENT,)
    elif path[-1] in (State.COLLECT_FAILED, State.EXPIRED, State.CANCELLED, State.REFUNDED):
        assert plan.spend == (SPENT._replace(minor=-SPENT.minor),)
    elif State.LATE_FUNDS in path:
        late = SPENT._replace(day_minor_max=UNLIMITED, month_minor_max=UNLIMITED)
        assert plan.spend == (late,)
    else:
        assert plan.spend == ()


@pytest.mark.parametrize(
    ("state", "event", "waits"),
    [
        (State.RESERVED, Event.COLLECTION_ORDERED, 3),
        (State.COLLECTING, Event.COLLECTION_SUCCEEDED, 0),
    ],
)
def test_only_the_payer_is_asked_a_little_later(state: State, event: Event, waits: int) -> None:
    """While they can still take it back; the payee has nothing to wait for."""
    clock = SetClock(2_000_000)
    directory = Directory({"mpesa_ke": MPESA, "mtn_ug": MTN}, Prefixes({}), {})
    before = payment(state, version=2, live=None if state is State.RESERVED else "a" * 32)
    step = advance(state, event, before.quote, before.route)
    planner = Planner(directory, clock, Ids(clock), Timing(collect_delay=3, lease=60))
    plan, _ = planner.plan(before, step, facts=None)
    (order,) = (intent for intent in plan.intents if intent.id == plan.begins)
    assert (order.not_before, order.lease_until) == (2_000_000 + waits, 2_000_060 + waits)


def refund_wait(version: int, now: int = 1_000_000_000) -> int:
    """How long after a refund has failed it is ordered again, where the payment had `version`."""
    clock = SetClock(now)
    directory = Directory({"mpesa_ke": MPESA, "mtn_ug": MTN}, Prefixes({}), {})
    planner = Planner(directory, clock, Ids(clock), Timing())
    failed = payment(State.REFUNDING, version=version, live="a" * 32)
    step = advance(State.REFUNDING, Event.REFUND_FAILED, failed.quote, failed.route)
    plan, after = planner.plan(failed, step, facts=None)
    assert (after.state, after.version) == (State.REFUND_DUE, version + 1)
    return plan.due - now


def test_a_refund_that_fails_again_and_again_is_ordered_ever_more_rarely() -> None:
    retry = Timing().refund_retry
    tries = range(3, REFUND_STEPS_SOON + 20, 2)
    waits = [refund_wait(version) for version in tries]
    soon = [wait for version, wait in zip(tries, waits, strict=True) if version < REFUND_STEPS_SOON]
    assert len(soon) == 5
    assert all(retry < wait <= 2 * retry for wait in soon)
    pauses = [retry << n for n in (1, 2, 3, *[REFUND_DOUBLINGS_MAX] * 7)]
    for wait, pause in zip(waits[len(soon) :], pauses, strict=True):
        assert pause < wait <= 2 * pause
    assert pauses[-1] == 2 * 3600

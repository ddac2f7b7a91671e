"""What staff may do in every state: a table, and the lifecycle's own table beside it."""

import pytest

from engine.desk.proposals import Kind
from engine.payments.lifecycle import LIVE_DIRECTION, TERMINAL, Event, State, may
from engine.staff.members import Role
from engine.staff.remedies import (
    REVERSALS,
    ROLES,
    Remedy,
    Sending,
    remedy_of,
    reversal_of,
)

S = State
REMEDIES = {
    S.COLLECTING: Remedy.ASK, S.COLLECT_UNKNOWN: Remedy.ASK, S.PAYING: Remedy.ASK,
    S.PAYOUT_UNKNOWN: Remedy.ASK, S.REFUNDING: Remedy.ASK, S.REFUND_UNKNOWN: Remedy.ASK,
    S.PAYOUT_QUEUED: Remedy.LEAVE_QUEUE, S.REFUND_DUE: Remedy.ORDER_REFUND,
    S.PAID: Remedy.ASK, S.REFUNDED: Remedy.ASK, S.COLLECT_FAILED: Remedy.ASK,
    S.EXPIRED: Remedy.ASK, S.CANCELLED: Remedy.ASK,
}  # fmt: skip


@pytest.mark.parametrize("state", State)
def test_a_retry_does_what_the_table_says_and_else_says_why_not(state: State) -> None:
    legal = remedy_of(state)
    assert legal.remedy is REMEDIES.get(state)
    assert (legal.remedy is None) == bool(legal.why)


@pytest.mark.parametrize("state", LIVE_DIRECTION)
def test_a_live_attempt_is_sent_only_when_no_byte_of_it_has_left(state: State) -> None:
    assert remedy_of(state, sending=Sending.WAITS).remedy is Remedy.SEND
    assert remedy_of(state, sending=Sending.UNDER_WAY).remedy is None
    assert remedy_of(state, sending=Sending.GONE).remedy is Remedy.ASK
    mute = remedy_of(state, sending=Sending.GONE, can_be_asked=False)
    assert mute.remedy is None
    assert "ATTEMPT_SEEN" in mute.why


@pytest.mark.parametrize("state", TERMINAL)
def test_what_is_over_is_asked_about_if_anything_was_ever_ordered(state: State) -> None:
    assert remedy_of(state, has_attempt=False).remedy is None
    assert remedy_of(state, can_be_asked=False).remedy is None


def test_a_refund_that_nobody_takes_an_order_for_is_for_people() -> None:
    legal = remedy_of(S.REFUND_DUE, can_refund=False)
    assert legal.remedy is None
    assert "people" in legal.why


@pytest.mark.parametrize("state", State)
def test_a_reversal_is_proposed_only_where_the_lifecycle_lets_people_refund(state: State) -> None:
    kind, why = reversal_of(state)
    waits = state in (S.ON_HOLD, S.RETURNED, S.PAYOUT_QUEUED)
    assert (kind is not None) is waits
    assert bool(why) is not waits
    if kind is not None:
        assert may(state, Event.REFUND_DECIDED)


def test_money_whose_fate_is_unknown_is_never_given_back() -> None:
    for state in (S.COLLECT_UNKNOWN, S.PAYOUT_UNKNOWN, S.REFUND_UNKNOWN):
        assert reversal_of(state).kind is None
        assert "find out first" in reversal_of(state).why


def test_every_kind_of_reversal_is_reached_from_one_state() -> None:
    reached = [kind for state in State if (kind := reversal_of(state).kind)]
    assert sorted(reached) == sorted(REVERSALS)
    assert {Kind.REFUSE_HOLD, Kind.REFUND_RETURNED, Kind.REFUND_QUEUED} == REVERSALS


def test_only_a_question_is_for_support() -> None:
    for remedy, roles in ROLES.items():
        assert Role.FINANCE in roles
        assert (Role.SUPPORT in roles) is (remedy is Remedy.ASK)
        assert Role.ADMIN not in roles

"""What is told of each step a payment can take, and in which order."""

import pytest

from engine.hooks.events import KINDS_OF_A_STEP_MAX, EventKind, kinds_of, sequence_of
from engine.payments.lifecycle import TABLE, TERMINAL, Event, State, advance
from tests.unit.payments.examples import ROUTE, quote

S, K = State, EventKind
TOLD = [
    (S.NEW, S.COLLECTING, (K.CREATED,)),
    (S.COLLECTING, S.COLLECT_UNKNOWN, ()),
    (S.COLLECTING, S.PAYING, (K.COLLECTED,)),
    (S.COLLECT_UNKNOWN, S.PAYING, (K.COLLECTED,)),
    (S.COLLECTING, S.ON_HOLD, (K.COLLECTED, K.HELD)),
    (S.COLLECTING, S.PAYOUT_QUEUED, (K.COLLECTED, K.DELAYED)),
    (S.COLLECTING, S.REFUNDING, (K.COLLECTED, K.REFUNDING)),
    (S.COLLECTING, S.COLLECT_FAILED, (K.FAILED,)),
    (S.COLLECT_UNKNOWN, S.COLLECT_FAILED, (K.FAILED,)),
    (S.COLLECTING, S.EXPIRED, (K.FAILED,)),
    (S.COLLECTING, S.CANCELLED, (K.CANCELLED,)),
    (S.ON_HOLD, S.PAYING, ()),
    (S.ON_HOLD, S.REFUNDING, (K.REFUNDING,)),
    (S.PAYOUT_QUEUED, S.PAYING, ()),
    (S.PAYOUT_QUEUED, S.ON_HOLD, (K.HELD,)),
    (S.PAYING, S.PAYOUT_UNKNOWN, ()),
    (S.PAYOUT_UNKNOWN, S.PAID, (K.PAID,)),
    (S.PAYING, S.PAID, (K.PAID,)),
    (S.PAYING, S.PAYING, ()),
    (S.PAYING, S.PAYOUT_QUEUED, (K.DELAYED,)),
    (S.PAYING, S.ON_HOLD, (K.HELD,)),
    (S.PAYING, S.REFUNDING, (K.REFUNDING,)),
    (S.PAID, S.RETURNED, (K.RETURNED,)),
    (S.RETURNED, S.PAYING, ()),
    (S.RETURNED, S.REFUNDING, (K.REFUNDING,)),
    (S.EXPIRED, S.REFUNDING, (K.COLLECTED, K.REFUNDING)),
    (S.REFUNDING, S.REFUND_UNKNOWN, ()),
    (S.REFUNDING, S.REFUND_DUE, ()),
    (S.REFUND_DUE, S.REFUNDING, ()),
    (S.REFUND_UNKNOWN, S.REFUNDING, ()),  # it was told already
    (S.REFUND_UNKNOWN, S.REFUND_DUE, ()),
    (S.PAYING, S.REFUND_UNKNOWN, (K.REFUNDING,)),
    (S.REFUND_UNKNOWN, S.REFUNDED, (K.REFUNDED,)),
    (S.REFUND_DUE, S.REFUNDED, (K.REFUNDED,)),
]


@pytest.mark.parametrize(("before", "after", "kinds"), TOLD)
def test_a_step_is_told_as_what_people_care_about(
    before: State, after: State, kinds: tuple[EventKind, ...]
) -> None:
    assert kinds_of(before, after) == kinds


def test_what_a_commit_merges_is_told_as_if_each_transition_had_its_own() -> None:
    """Unless it ends where it began: held again at once is held on."""
    for transition in TABLE:
        for then in (None, Event.HELD, Event.PAYOUT_QUEUED, Event.REFUND_DECIDED):
            path = advance(transition.source, transition.event, quote(), ROUTE, then=then).path
            if path[-1] is transition.source:
                assert kinds_of(transition.source, path[-1]) == ()
                continue
            whole = kinds_of(transition.source, path[-1])
            steps = zip((transition.source, *path), path, strict=False)
            single = [kind for before, after in steps for kind in kinds_of(before, after)]
            assert list(whole) == single, (transition, then, path)


def test_every_end_of_a_payment_is_told() -> None:
    for transition in TABLE:
        if transition.target in TERMINAL:
            assert kinds_of(transition.source, transition.target), transition


def test_later_events_of_a_payment_have_higher_numbers() -> None:
    numbers = [sequence_of(version, place) for version in (1, 2, 3) for place in range(3)]
    assert numbers == sorted(set(numbers))
    with pytest.raises(AssertionError):
        sequence_of(1, KINDS_OF_A_STEP_MAX)

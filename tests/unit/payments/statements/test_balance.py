import pytest

from engine.payments.statements.balance import Band, Look, band_at, is_alarming
from engine.payments.statements.judged import Ours, Standing
from engine.ports import Direction
from tests.unit.payments.statements.examples import NOON, ours

BAND = Band(float_minor=1_000, leaving_minor=200, arriving_minor=50)


@pytest.mark.parametrize(
    ("theirs", "drift"),
    [(800, 0), (1_000, 0), (1_050, 0), (799, -1), (1_051, 1), (0, -800), (2_000, 950)],
)
def test_the_band_is_closed_and_what_lies_outside_is_measured_from_its_edge(
    theirs: int, drift: int
) -> None:
    assert BAND.drift_minor(theirs) == drift


def test_what_is_not_in_our_books_moves_the_whole_band() -> None:
    moved = Band(1_000, 200, 50, unbooked_minor=5_000)
    assert (moved.low_minor, moved.high_minor) == (5_800, 6_050)


S, D = Standing, Direction
PAYOUT = ours(1, S.OPEN, direction=D.DISBURSE, begun_ms=NOON - 1, minor=7, booked_fee_minor=2)


@pytest.mark.parametrize(
    ("attempt", "leaving", "arriving"),
    [
        (ours(1, S.OPEN, begun_ms=NOON - 1, minor=7), 0, 7),
        (ours(1, S.OPEN, begun_ms=NOON, minor=7), 0, 7),
        (ours(1, S.OPEN, begun_ms=NOON + 1, minor=7), 0, 0),
        (ours(1, S.SUCCEEDED, begun_ms=NOON - 1, ended_ms=NOON + 1, minor=7), 0, 7),
        (ours(1, S.SUCCEEDED, begun_ms=NOON - 2, ended_ms=NOON, minor=7), 0, 0),
        (ours(1, S.FAILED, begun_ms=NOON - 1, ended_ms=NOON + 1, minor=7), 0, 0),
        (PAYOUT, 9, 0),
        (ours(1, S.UNSENT, direction=D.REFUND, begun_ms=NOON - 1, minor=7), 7, 0),
    ],
)  # fmt: skip
def test_the_band_of_a_past_moment_holds_what_was_open_then(
    attempt: Ours, leaving: int, arriving: int
) -> None:
    assert band_at(NOON, 100, [attempt], 3) == Band(100, leaving, arriving, 3)


@pytest.mark.parametrize(
    ("looks", "alarming"),
    [
        ([], False),
        ([Look(0, False)], False),
        ([Look(5, False)], False),  # something may have begun and ended in between
        ([Look(5, False), Look(6, False)], True),
        ([Look(5, False), Look(-6, False)], False),
        ([Look(5, False), Look(0, False)], False),
        ([Look(-5, False), Look(-1, False)], True),
        ([Look(5, True)], True),
        ([Look(0, True)], False),
    ],
)
def test_two_looks_the_same_way_are_alarming_and_one_where_nothing_can_intervene(
    looks: list[Look], alarming: bool
) -> None:
    assert is_alarming(looks) is alarming

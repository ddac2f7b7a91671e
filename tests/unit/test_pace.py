"""A token bucket: how fast a company may be called."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.pace import Pace


def taken(pace: Pace, *, calls: int, now: float) -> list[float]:
    """What each of the calls has to wait that all come at once."""
    waits = []
    for _ in range(calls):
        asked = pace.wait(now)
        assert pace.take(now) == asked, "who takes a place waits as long as was told"
        waits.append(round(asked, 6))
    return waits


@pytest.mark.parametrize(
    ("per_second", "waits"),
    [
        (2, [0, 0, 0.5, 1.0, 1.5]),
        (0.5, [0, 2, 4]),
        (100, [0] * 100 + [0.01, 0.02]),
    ],
)
def test_one_second_goes_at_once_and_the_rest_in_step(
    per_second: float, waits: list[float]
) -> None:
    assert taken(Pace(per_second), calls=len(waits), now=1_000.0) == waits


def test_a_bucket_fills_with_time_and_never_holds_more_than_a_second() -> None:
    pace = Pace(2)
    taken(pace, calls=4, now=0.0)
    assert taken(pace, calls=1, now=1.0) == [0.5]
    assert taken(pace, calls=3, now=1_000.0) == [0, 0, 0.5]


def test_asking_takes_nothing() -> None:
    pace = Pace(1)
    assert [pace.wait(0.0) for _ in range(3)] == [0, 0, 0]


@pytest.mark.parametrize("per_second", [0, -1])
def test_pace_at_which_nothing_is_ever_called_is_refused(per_second: float) -> None:
    with pytest.raises(ValueError, match="above zero"):
        Pace(per_second)


@given(st.floats(0.1, 50), st.lists(st.floats(0, 3), max_size=60))
def test_no_second_sees_more_than_the_burst_and_its_pace(
    per_second: float, gaps: list[float]
) -> None:
    pace, now, left = Pace(per_second), 0.0, []
    for gap in gaps:
        now += gap
        assert pace.wait(now) == pace.wait(now)
        left.append(now + pace.take(now))
    for start in left:
        in_window = sum(start <= at < start + 1 - 1e-6 for at in left)
        assert in_window <= max(1.0, per_second) + per_second + 1

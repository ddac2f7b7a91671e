"""When a window is closed, and how long a refused corridor rests."""

import msgspec
import pytest

from engine.payments.settlement.rules import Window
from engine.payments.settlement.windows import (
    REST_SECONDS_MAX,
    Cause,
    Waiting,
    rest_seconds,
    why_close,
)

WINDOW = Window(seconds=60, payments=10, exposure_minor=1000, single_above_minor=500)


@pytest.mark.parametrize(
    ("waiting", "now_ms", "cause"),
    [
        (Waiting(0, 0, 0), 10**9, None),
        (Waiting(1, 0, 0), 59_999, None),
        (Waiting(1, 0, 0), 60_000, Cause.TIME),
        (Waiting(9, 0, 999), 0, None),
        (Waiting(10, 0, 0), 0, Cause.COUNT),
        (Waiting(9, 0, 1000), 0, Cause.EXPOSURE),
        (Waiting(1, 90_000, 0), 0, None),  # a clock that was set back
    ],
)
def test_a_window_is_closed_by_whatever_comes_first(
    waiting: Waiting, now_ms: int, cause: Cause | None
) -> None:
    assert why_close(WINDOW, waiting, now_ms) is cause


def test_a_corridor_rests_longer_each_time_and_never_for_ever() -> None:
    rests = [rest_seconds(WINDOW, refusals) for refusals in range(1, 40)]
    assert rests[:4] == [60, 120, 240, 480]
    assert rests[-1] == REST_SECONDS_MAX == max(rests) == 6 * 3600


def test_it_rests_for_a_minute_at_least_however_short_its_window_is() -> None:
    short, long = (msgspec.structs.replace(WINDOW, seconds=s) for s in (5, 7 * 86_400))
    assert [rest_seconds(short, refusals) for refusals in (1, 4, 5)] == [60, 60, 80]
    assert rest_seconds(long, 1) == REST_SECONDS_MAX

"""What the simulation has found and the engine does not survive yet; each mends one of these.

A test here fails as soon as its fault is mended: then its mark goes, and the odds join the weather
of `sheltered()`.
"""

from dataclasses import replace

import pytest

from tests.simulation.weather import Weather, calm_weather
from tests.simulation.world import DAY, Options, World

WRONG_CLOCKS = replace(
    calm_weather(), refused_at_the_door=0.4, clock_jump_per_hour=20.0, clock_off_seconds_max=600.0
)
NEWS_ONCE = replace(
    calm_weather(),
    turns_around=0.5, fails=0.5, index_lags=0.5, query_fails=0.8, news_told_days_max=1.0,
)  # fmt: skip


def live_through(weather: Weather, *, seeds: int, span_seconds: float) -> None:
    for seed in range(1, seeds + 1):
        options = Options(weather=weather, stirred=False, span_seconds=span_seconds)
        World(seed, options).run()


def test_a_clock_that_is_ten_minutes_ahead_takes_nothing_from_anybody() -> None:
    live_through(WRONG_CLOCKS, seeds=60, span_seconds=600.0)


def test_late_money_and_reversals_that_are_told_once_are_proven_in_the_end() -> None:
    live_through(NEWS_ONCE, seeds=10, span_seconds=2 * DAY)

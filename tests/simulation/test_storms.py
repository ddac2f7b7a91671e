"""Weathers that bring out what the simulation once found in the engine, so that it stays mended."""

from collections import Counter
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

RESTORES = replace(
    Weather(), restored=1.0, lost_seconds_max=100.0, index_lags=0.6, clock_jump_per_hour=0.0
)

FROZEN = replace(calm_weather(), freeze_per_minute=10.0, freeze_seconds_max=900.0)


def live_through(
    weather: Weather, *, seeds: int, span_seconds: float, redelivers: bool | None = None
) -> None:
    for seed in range(1, seeds + 1):
        world = World(seed, Options(weather=weather, stirred=False, span_seconds=span_seconds))
        for operator in world.operators.values():
            if redelivers is not None:
                operator.habits = operator.habits._replace(redelivers=redelivers)
        world.run()


@pytest.mark.long("fifteen worlds; clocks go wrong in every world of test_simulation.py")
def test_a_clock_that_is_ten_minutes_ahead_takes_nothing_from_anybody() -> None:
    live_through(WRONG_CLOCKS, seeds=15, span_seconds=600.0)


@pytest.mark.long("the next one has deaths as well")
def test_late_money_and_reversals_that_are_told_once_are_proven_in_the_end() -> None:
    live_through(NEWS_ONCE, seeds=6, span_seconds=2 * DAY)


def test_news_that_was_acknowledged_once_survives_the_death_of_every_process() -> None:
    """Operators tell it again only until somebody has taken it."""
    mortal = replace(NEWS_ONCE, death_per_step=0.01)
    live_through(mortal, seeds=6, span_seconds=2 * DAY, redelivers=True)


def test_what_a_restore_forgot_is_paid_no_second_time() -> None:
    """Everything comes close together: orders, what refuses them, and people who look at once."""
    live_through(RESTORES, seeds=6, span_seconds=200.0)


def test_a_withdrawal_that_nobody_seemed_to_hear_of_is_not_held_for_ever() -> None:
    """Asked for anew, it waits twice once the first process wakes: one of the two is cancelled."""
    options = Options(
        payments=1, weather=FROZEN, stirred=False, span_seconds=3600.0, liquidity=True
    )
    happened: Counter[str] = Counter()
    for seed in range(1, 13):
        happened.update(World(seed, options).run().happened)
    assert happened["asked twice"]


def test_a_request_that_a_restore_forgot_is_paid_by_who_was_shown_its_price_before() -> None:
    """Few worlds come to it: this seed does. Who asked gets the money, and nobody else does."""
    everything = Options(
        statements=True, requests=True, pay_ins=True, strays=True, liquidity=True, portals=True
    )
    assert World(412_089, everything).run().happened["paid what a restore forgot"]

"""How likely everything is to go wrong: one set of odds a world, and none once it grows quiet."""

import random
from dataclasses import dataclass, fields


@dataclass
class Weather:
    """Odds are chances per occasion, between 0 and 1, unless the name says otherwise."""

    # Processes and their clocks.
    death_per_step: float = 0.0025
    freeze_per_minute: float = 0.1
    freeze_seconds_max: float = 1900.0
    clock_jump_per_hour: float = 0.5
    clock_off_seconds_max: float = 600.0
    restart_per_hour: float = 0.3
    # The database.
    request_lost: float = 0.008
    reply_lost: float = 0.011
    database_down_per_hour: float = 0.2
    database_down_seconds_max: float = 120.0
    # Operators: what becomes of an order.
    refused_at_the_door: float = 0.04
    refused_as_taken: float = 0.3  # of those: taken, and failed by the same answer
    throttled: float = 0.04
    unreachable: float = 0.04
    request_vanishes: float = 0.02
    answer_lost: float = 0.05
    server_error_after: float = 0.02
    answer_late: float = 0.03
    never_acts: float = 0.01
    acts_late: float = 0.08
    fails: float = 0.15
    outage_per_hour: float = 0.3
    # Operators: what they say afterwards.
    silent: float = 0.12
    callback_late: float = 0.08
    callback_twice: float = 0.12
    callback_storm: float = 0.01
    callback_before_answer: float = 0.1
    callback_forged: float = 0.03
    callback_replayed: float = 0.05
    turns_around: float = 0.01
    news_told_days_max: float = 8.0  # how long an operator insists on having turned around
    query_fails: float = 0.12
    index_lags: float = 0.1
    odd_word: float = 0.05
    # The SMS gateway.
    sms_unclear: float = 0.04
    sms_refused: float = 0.02
    sms_unreachable: float = 0.05
    # Customers.
    double_press: float = 0.15
    other_body: float = 0.05
    hesitates: float = 0.05
    cancels: float = 0.05
    # People, lists and what is lost.
    listed_per_hour: float = 0.1  # somebody's number comes onto a list
    restored: float = 0.25  # once in the world's life, to a moment ago
    lost_seconds_max: float = 3600.0

    def calm(self) -> None:
        """From now on nothing goes wrong any more."""
        for odds in fields(self):
            if not odds.name.endswith("_max"):
                setattr(self, odds.name, 0.0)

    def stir(self, chance: random.Random) -> None:
        """Make this world's own weather: some faults absent, some many times as likely."""
        for odds in fields(self):
            scale = chance.choice((0.0, 0.3, 1.0, 1.0, 3.0, 5.0))
            if not odds.name.endswith("_max"):
                setattr(self, odds.name, min(getattr(self, odds.name) * scale, 0.9))


def calm_weather() -> Weather:
    """A world in which nothing goes wrong."""
    weather = Weather()
    weather.calm()
    return weather

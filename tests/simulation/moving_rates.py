"""Rates that move between a price and its payment, and that are stale for a while."""

import math
import random
from decimal import Decimal
from typing import TYPE_CHECKING

from engine.errors import NoWayNow
from engine.fx.rates import Rate
from tests.simulation.machine import MIDS, FixedRates
from tests.simulation.model import START

if TYPE_CHECKING:
    from tests.simulation.world import World

MOVES_EVERY = 600.0


class Market:
    """What a currency is worth, at any time of one world; the same for all its processes."""

    def __init__(self, world: "World", chance: random.Random) -> None:
        self._now = world.loop.time
        self._weather = world.client_weather
        self._seed = chance.random()

    def mid(self, base: str, quote: str) -> Decimal | None:
        """None while nobody says it."""
        moment = math.floor(self._now() / MOVES_EVERY)
        drawn = random.Random(f"{self._seed}:{moment}")
        if drawn.random() < self._weather.stale:
            return None
        most = self._weather.moves_most
        moved = 1 + drawn.uniform(-most, most)
        factor = moved if base == "KES" else 1 / moved
        return (MIDS[base, quote] * Decimal(factor)).quantize(Decimal("0.000001"))


class MovingRates(FixedRates):
    """What one process knows of the market."""

    def __init__(self, market: Market) -> None:
        super().__init__()
        self._market = market

    def rate(self, base: str, quote: str) -> Rate:
        mid = self._market.mid(base, quote)
        if mid is None:
            raise NoWayNow("no_way.busy")
        at_ms = START * 1000
        return Rate(base, quote, mid, at_ms, at_ms)

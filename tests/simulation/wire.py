"""A process's way to the database: it takes time, it loses replies, and what was sent is carried
out even when the process that sent it is dead.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from tests.simulation.loop import SimulatedLoop, fail, give
from tests.simulation.weather import Weather

T = TypeVar("T")

SECONDS_EACH_WAY_MAX = 0.004


class Wire:
    """One process's way to the database."""

    def __init__(
        self, loop: SimulatedLoop, chance: random.Random, weather: Weather, happened: Counter[str]
    ) -> None:
        """`happened` is told of everything that goes wrong, by its name in the weather."""
        self._loop = loop
        self._random = chance.random
        self._weather = weather
        self._happened = happened
        self.is_cut = False

    def ask(self, work: Callable[[], T]) -> asyncio.Future[T]:
        """Have `work` done at the database. Fails, done or not, when the wire does."""
        answer: asyncio.Future[T] = self._loop.create_future()
        self.send(work, partial(give, answer), partial(fail, answer))
        return answer

    def send(
        self, work: Callable[[], T], tell: Callable[[T], None], lose: Callable[[Exception], None]
    ) -> None:
        """The same, for whoever has many to tell of it."""
        there = self._random() * SECONDS_EACH_WAY_MAX
        # Half of the replies are there at once: others come between only now and then.
        back = max(self._random() - 0.5, 0.0) * 2 * SECONDS_EACH_WAY_MAX
        fate = self._random()

        def carried() -> T:
            if self.is_cut or fate < self._weather.request_lost:
                self._happened["request_lost"] += 1
                raise ConnectionResetError("the request was lost")
            result = work()
            if fate > 1 - self._weather.reply_lost:
                self._happened["reply_lost"] += 1
                raise ConnectionResetError("the reply was lost")
            return result

        self._loop.carry(there, carried, back, tell, lose)

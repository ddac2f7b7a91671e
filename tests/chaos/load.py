"""Everybody who wants something at the same time, until the blows are over."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from random import Random
from typing import Protocol

from tests.chaos.draws import FAULTS, Fault, Order, draw_orders
from tests.chaos.killer import Patience
from tests.chaos.laws import Placed
from tests.chaos.people import PAUSE_SECONDS, STEMS, Interrupted
from tests.e2e.city import City


class Door(Protocol):
    """A way to ask for a payment, and all that was asked by it."""

    placed: list[Placed]

    async def take(self, random: Random, pin: str, order: Order) -> None:
        """One order. Raises Interrupted when it broke off before anything was asked."""


class Load:
    """Orders on their way through doors. `acknowledged` only grows."""

    def __init__(
        self,
        city: City,
        seed: str,
        doors: Sequence[Door],
        *,
        fault_odds: float,
        faults_of: Sequence[Fault] = FAULTS,
    ) -> None:
        """One order after the other goes through each of the doors, which may be named twice."""
        self._city = city
        self._seed = seed
        self._doors = doors
        self._fault_odds = fault_odds
        self._faults_of = faults_of
        self._stopping = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self.interrupted = 0

    @property
    def placed(self) -> list[Placed]:
        """Through all doors."""
        each = {id(door): door for door in self._doors}.values()
        return [placed for door in each for placed in door.placed]

    @property
    def acknowledged(self) -> int:
        return sum(bool(placed.codes) for placed in self.placed)

    async def until_both_ways(self, patience: Patience) -> None:
        """One more from each country: few pay on a slow machine, and those might all be from one.
        What is missing is told by whoever looks at what moved."""
        before = self._ways
        codes = [stem[1:4] for stem in STEMS.values()]
        while True:
            if patience.is_over or all(self._ways[code] > before[code] for code in codes):
                return
            await asyncio.sleep(PAUSE_SECONDS)

    @property
    def _ways(self) -> Counter[str]:
        """How many were acknowledged from each country, by its dialling code."""
        return Counter(placed.payer[:3] for placed in self.placed if placed.codes)

    @asynccontextmanager
    async def under_way(self) -> AsyncIterator[None]:
        """Orders keep coming until the block ends; each that was begun comes to its end."""
        self._tasks = [
            asyncio.create_task(self._order(number, door))
            for number, door in enumerate(self._doors)
        ]
        try:
            yield
        finally:
            self._stopping.set()
            await asyncio.gather(*self._tasks)

    def check(self) -> None:
        """Raises what somebody met that nobody expects."""
        for task in self._tasks:
            if task.done():
                task.result()

    async def _order(self, number: int, door: Door) -> None:
        random = Random(f"{self._seed}:caller:{number}")
        pin = self._city.new_pin()
        for order in draw_orders(random, self._fault_odds, self._faults_of):
            try:
                await door.take(random, pin, order)
            except Interrupted:
                self.interrupted += 1
            await asyncio.sleep(random.uniform(0, PAUSE_SECONDS))
            if self._stopping.is_set():
                return

"""Many walks at once: who begins when, how many walk together, and the look at the books after.

Journeys begin by the clock, whether or not the server keeps up: a slow server meets a longer
queue, as it would meet it outside.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

import httpx
import msgspec

from simulator.inspect import Inspector
from simulator.load.journey import Journey
from simulator.load.report import Money
from simulator.load.tally import Tally
from simulator.load.walker import Phones, Walk, Walked
from simulator.load.wire import Wires
from simulator.mishaps import CALM, Weather
from simulator.operators.world import World
from simulator.places import Places

ENDED = frozenset({"paid", "refunded", "collect_failed", "expired", "cancelled"})
CHECKED_MAX = 2_000
"""The payments of so many phones are looked at one by one; the books are looked at whole."""
ASKED_AT_ONCE = 16
POLL_SECONDS = 0.5


@dataclass(frozen=True)
class Plan:
    """What a run does. Rates are journeys a second, times seconds."""

    journeys: Sequence[Journey]
    rate: float
    seconds: float
    phones_max: int
    think: tuple[float, float]
    seed: int
    weather: Weather = CALM

    def begins(self) -> Sequence[float]:
        """When each walk begins: as independent people do, the same for the same seed."""
        random, at, found = Random(f"{self.seed} begins"), 0.0, list[float]()
        while (at := at + random.expovariate(self.rate)) < self.seconds:
            found.append(at)
        return found


class Crowd:
    """One run."""

    def __init__(self, plan: Plan, places: Places, client: httpx.AsyncClient, wires: Wires) -> None:
        """`wires` bring the turns, `client` whatever else there is to do."""
        self.tally = Tally()
        self.walked: list[Walked] = []
        self._plan = plan
        self._places = places
        self._client = client
        self._wires = wires
        self._began = time.perf_counter()

    def now(self) -> float:
        """Seconds since the run began."""
        return time.perf_counter() - self._began

    async def run(self) -> None:
        """Let all walks begin when they are due and wait for the last to end."""
        room = asyncio.Semaphore(self._plan.phones_max)
        self._began = time.perf_counter()
        async with asyncio.TaskGroup() as walks:
            for number, due in enumerate(self._plan.begins()):
                if (early := due - self.now()) > 0:
                    await asyncio.sleep(early)
                await room.acquire()
                walks.create_task(self._walk(number, due, room.release))

    async def _walk(self, number: int, due: float, leave: Callable[[], None]) -> None:
        plan = self._plan
        random = Random(f"{plan.seed} {number}")
        journey = plan.journeys[number % len(plan.journeys)]
        stage = Phones(
            self._client, self._places, World(random=random), f"{journey.name} {number}",
            plan.weather, wires=self._wires,
        )  # fmt: skip
        walk = Walk(
            number, journey, stage, self.tally, lambda: random.uniform(*plan.think), self.now
        )
        self.tally.begin(journey.name, self.now(), self.now() - due)
        finished = False
        try:
            await walk.begin(plan.seed)
            finished = await walk.go()
        finally:
            self.tally.end(journey.name, finished=finished)
            leave()
        self.walked += walk.walked()


async def look_at_books(
    inspector: Inspector, walked: Sequence[Walked], *, patience_seconds: float
) -> Money:
    """Every payment that was promised is there once and has ended, and the books balance.

    Waits so long for payments under way. Raises httpx.HTTPError when nobody answers.
    """
    checked = walked[:CHECKED_MAX]
    deadline = time.monotonic() + patience_seconds
    room = asyncio.Semaphore(ASKED_AT_ONCE)

    async def look(one: Walked) -> tuple[str, int]:
        async with room:
            return await _look(inspector, one, deadline)

    found = await asyncio.gather(*map(look, checked))
    return Money(
        balanced=(await inspector.books()).balanced,
        checked=len(checked),
        mistakes=[mistake for mistake, _ in found if mistake],
        unfinished=sum(unfinished for _, unfinished in found),
    )


async def _look(inspector: Inspector, one: Walked, deadline: float) -> tuple[str, int]:
    most = len(one.codes) + one.unsure
    while True:
        payments = await inspector.payments(one.msisdn, limit=most + 2)
        unfinished = sum(payment.state.lower() not in ENDED for payment in payments)
        if not unfinished or time.monotonic() > deadline:
            break
        await asyncio.sleep(POLL_SECONDS)
    codes = [payment.code for payment in payments]
    missing = one.codes - set(codes)
    who = f"{one.msisdn[:5]}*****{one.msisdn[-3:]}"
    if missing:
        return f"{who}: {', '.join(sorted(missing))} was promised and is not there", unfinished
    if len(codes) > most:
        return f"{who}: {len(codes)} payments, {most} at most were ordered", unfinished
    return "", unfinished


NOBODY_TO_ASK = (httpx.HTTPError, msgspec.DecodeError)

"""The story of one run: start everything, load and kill, make peace, wait, judge, stop everything.

What was drawn comes from the seed; what it met does not.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any, NamedTuple, TypeVar

import asyncpg
import yaml

from simulator.child import ChildDied
from simulator.embedded import StartFailed
from simulator.stack import PROJECT, Stack
from tests.chaos.callers import Load
from tests.chaos.draws import FAULT_ODDS, draw_blows
from tests.chaos.killer import Killer, NeverBack, wait_for
from tests.chaos.laws import Reading, breaches
from tests.chaos.leftovers import left_behind
from tests.chaos.readings import OPERATORS, broken_books, read, unended
from tests.e2e.city import City, open_city
from tests.e2e.secrecy import Typed
from tests.e2e.servers import running, start_stack

LEASE_SECONDS = 3
ENVIRONMENT = {
    "CAPP_COLLECT_DELAY_SECONDS": "1",
    "CAPP_FIRST_LOOK_SECONDS": "2",
    "CAPP_LEASE_SECONDS": str(LEASE_SECONDS),
}
# What takes a day in life takes under a minute here: then people are called.
POLLING = {
    "looks": [4, 8, 16, 30, 60, 120],
    "unclear_after": 10,
    "escalate_after": 30,
    "jitter": 0.1,
}
# Slow enough that a blow finds payments at every stage, and callbacks nobody takes.
SANDBOX = {"processing_seconds": 0.5, "callback_delay_seconds": 0.3}

HEARD_SECONDS_MAX = 40.0
ENDED_SECONDS_MAX = 150.0
# Whoever took over a lease too early would have moved the money a second time by now.
QUIET_SECONDS = LEASE_SECONDS + 2.0

POLL_SECONDS = 1.0

T = TypeVar("T")
Say = Callable[[str], None]


class Result(NamedTuple):
    """How a run went. `reading` is None when it did not come to the end."""

    breaches: list[str]
    kills: Counter[str]
    cycles: int
    interrupted: int
    reading: Reading | None


class Plan(NamedTuple):
    """What one run is to do."""

    cycles: int
    seed: str
    callers: int = 6
    fault_odds: float = FAULT_ODDS  # of one payment meeting a fault of an operator


Falsify = Callable[[City], Awaitable[None]]


async def _leave(city: City) -> None:
    del city


def run(folder: Path, plan: Plan, say: Say, *, before_judging: Falsify = _leave) -> Result:
    """Everything from the start of the servers to their end; afterwards nothing runs any more.

    `before_judging` is called when everything is quiet: a test falsifies something there. What
    cannot be started at all is raised (StartFailed, ChildDied); what dies later is a breach.
    """
    folder.mkdir(parents=True, exist_ok=True)
    environment = {**ENVIRONMENT, "CAPP_RECONCILIATION_FILE": str(_write_schedule(folder))}
    with (
        running(folder / "databases") as databases,
        start_stack(
            folder / "stack",
            databases,
            database="chaos",
            redis_number=0,
            environment=environment,
            operators=OPERATORS,
        ) as stack,
    ):
        killer = Killer(stack, databases)
        story = _Story(stack, killer, plan, say, before_judging)
        result = asyncio.run(story.tell())
    alive = [f"left behind: {process}" for process in left_behind(killer.pids, folder)]
    return result._replace(breaches=[*result.breaches, *alive])


def _write_schedule(folder: Path) -> Path:
    """What the server is told of the sandboxes anyway, with `POLLING` for its hours and days."""
    told = yaml.safe_load((PROJECT / "simulator" / "reconciliation.yaml").read_text())
    told["polling"]["usual"] = POLLING
    file = folder.resolve() / "reconciliation.yaml"
    file.write_text(yaml.safe_dump(told))
    return file


class _Story:
    def __init__(
        self, stack: Stack, killer: Killer, plan: Plan, say: Say, before_judging: Falsify
    ) -> None:
        self._stack = stack
        self._killer = killer
        self._plan = plan
        self._say = say
        self._before_judging = before_judging
        self._found: list[str] = []
        self._kills: Counter[str] = Counter()
        self._cycles = 0
        self._began = time.monotonic()

    async def tell(self) -> Result:
        async with open_city(self._stack, Typed(), Random(f"{self._plan.seed}:city")) as city:
            load = Load(city, self._plan.seed, fault_odds=self._plan.fault_odds)
            await self._set_sandboxes(city)
            reading: Reading | None = None
            try:
                async with load.of(self._plan.callers):
                    await self._kill(load)
                await self._make_peace(city)
                await self._before_judging(city)
                reading = await read(city, load.placed)
                self._found += breaches(reading) + await self._books()
            except (NeverBack, ChildDied, StartFailed) as error:
                self._found.append(f"{type(error).__name__}: {error}")
            return Result(self._found, self._kills, self._cycles, load.interrupted, reading)

    async def _kill(self, load: Load) -> None:
        await wait_for(lambda: load.acknowledged > 0, "nobody can pay at all", HEARD_SECONDS_MAX)
        blows = draw_blows(Random(f"{self._plan.seed}:killer"))
        for number, blow in enumerate(islice(blows, self._plan.cycles), start=1):
            await asyncio.sleep(blow.after_seconds)
            at = time.monotonic() - self._began
            self._found += await self._killer.strike(blow)
            load.check()
            self._cycles = number
            self._kills.update(blow.victims)
            victims, back = ", ".join(blow.victims), time.monotonic() - self._began - at
            self._say(
                f"cycle {number:3} at {at:6.1f} s: kill -9 {victims};"
                f" down {blow.down_seconds:.1f} s, healthy after {back:.1f} s;"
                f" acknowledged {load.acknowledged}"
            )
            await self._pays_again(load, victims)

    async def _pays_again(self, load: Load, victims: str) -> None:
        """Healthy is a claim; the proof is the next payment."""
        before = load.acknowledged
        excuse = f"nobody could pay after {victims} had been killed"
        await wait_for(lambda: load.acknowledged > before, excuse, HEARD_SECONDS_MAX)

    async def _make_peace(self, city: City) -> None:
        """Faults off; then until nothing is under way that nobody was called for."""
        for url in city.places.operators.values():
            (await city.client.delete(f"{url}/_sandbox/faults")).raise_for_status()
        deadline = time.monotonic() + ENDED_SECONDS_MAX
        said: Counter[str] = Counter()
        # Whoever is late is named by the laws.
        while (waiting := await self._ask(unended)) and time.monotonic() < deadline:
            if waiting != said:
                self._say(f"waiting for {sum(waiting.values())} payments to end: {dict(waiting)}")
            said = waiting
            await asyncio.sleep(POLL_SECONDS)
        await asyncio.sleep(QUIET_SECONDS)

    async def _books(self) -> list[str]:
        """What the books say of themselves, by our SQL and by the commands that staff use."""
        found = await self._ask(broken_books)
        for arguments in (("books",), ("audit", "--all")):
            told = await asyncio.to_thread(self._stack.command, *arguments)
            if told.returncode:
                found.append(
                    f"capp {' '.join(arguments)}: {told.stdout[-600:]}{told.stderr[-600:]}"
                )
        return found

    async def _set_sandboxes(self, city: City) -> None:
        for url in city.places.operators.values():
            (await city.client.put(f"{url}/_sandbox/settings", json=SANDBOX)).raise_for_status()

    async def _ask(self, question: Callable[[Any], Awaitable[T]]) -> T:
        connection = await asyncpg.connect(self._stack.database_url)
        try:
            return await question(connection)
        finally:
            await connection.close()

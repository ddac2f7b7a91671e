"""The story of one run: start everything, load and kill, make peace, wait, judge, stop everything.

What was drawn comes from the seed; what it met does not.
"""

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any, NamedTuple, TypeVar

import asyncpg
import yaml

from engine.payments.late_news import NEWS_SETTLES_SECONDS
from simulator.child import ChildDied
from simulator.embedded import StartFailed, free_port
from simulator.markets import MARKETS
from simulator.stack import PROJECT, Ports, Stack
from tests.chaos.businesses import open_businesses
from tests.chaos.callers import Callers
from tests.chaos.clerk import Clerk
from tests.chaos.clocks import Clocked
from tests.chaos.depositors import Depositors
from tests.chaos.disks import small_disk
from tests.chaos.draws import FAULT_ODDS, FAULTS, LATE_FAULTS, SERVED, Blow, Fault, draw_blows
from tests.chaos.killer import Killer, NeverBack, Patience, wait_for
from tests.chaos.latecomer import Latecomer
from tests.chaos.laws import (
    HEARD_SECONDS_MAX,
    Reading,
    breaches,
    is_over_patience,
    unsettled,
)
from tests.chaos.leftovers import left_behind
from tests.chaos.load import Door, Load
from tests.chaos.people import People
from tests.chaos.readings import (
    OPERATORS,
    STARTS,
    at_work_for,
    broken_books,
    called_for,
    doubted,
    entries,
    paused_until,
    read,
    unended,
    unended_or_asked,
    unsent,
    untold,
)
from tests.chaos.relay import HOST, Network
from tests.chaos.troubles import CALLBACKS, GATEWAY, POSTGRES, REDIS, Troubles
from tests.crowding import crowding
from tests.e2e.city import City, open_city
from tests.e2e.secrecy import Typed
from tests.e2e.servers import Databases, running, start_stack
from tests.providers.sandbox_clients import MpesaClient, open_client

DATABASE = "chaos"
LEASE_SECONDS = 3
"""A twentieth of what it is in life; `Plan.lease_seconds` may say otherwise."""
ENVIRONMENT = {
    "CAPP_COLLECT_DELAY_SECONDS": "1",
    "CAPP_FIRST_LOOK_SECONDS": "2",
    "CAPP_WEBHOOK_LOCAL": "1",
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

BUSINESSES = ("shop", "school")
# Who dies while telling a business holds that message for a minute.
TOLD_SECONDS_MAX = 150.0
ENDED_SECONDS_MAX = 150.0
LISTED_SECONDS_MAX = 40.0
NEWS_SECONDS_MAX = ENDED_SECONDS_MAX + NEWS_SETTLES_SECONDS
# Whoever took over a lease too early would have moved the money a second time so long after it.
QUIET_SECONDS = 2.0
COMPARISONS_MAX = 5

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
    callers: int = 6  # with phones; besides them each of the businesses asks for payments
    fault_odds: float = FAULT_ODDS  # of one payment meeting a fault of an operator
    faults: Sequence[Fault] = FAULTS
    has_strangers: bool = True  # who pay in by hand; each of them costs commands at the terminal
    draw: Callable[[Random], Iterator[Blow]] = draw_blows
    # With a network between that can go wrong, clocks apart, and callbacks that come minutes late.
    is_troubled: bool = False
    lease_seconds: int = LEASE_SECONDS
    has_small_disk: bool = False  # which can be filled; where it cannot be had nothing begins

    @property
    def quiet_seconds(self) -> float:
        """How long nothing may happen before it counts as over."""
        return self.lease_seconds + QUIET_SECONDS


Falsify = Callable[[City], Awaitable[None]]
Look = Callable[[], Awaitable[Reading]]


async def _leave(city: City) -> None:
    del city


def run(folder: Path, plan: Plan, say: Say, *, before_judging: Falsify = _leave) -> Result:
    """Everything from the start of the servers to their end; afterwards nothing runs any more.

    `before_judging` is called when everything is quiet: a test falsifies something there. What
    cannot be started at all is raised (StartFailed, ChildDied, NoSmallDisk); what dies later is a
    breach.
    """
    environment = prepare(folder, plan.lease_seconds)
    operators = {name: free_port() for name in OPERATORS}
    ports = Ports(web=free_port(), gateway=free_port(), operators=operators)
    with (
        small_disk(folder / "databases" / "postgres")
        if plan.has_small_disk
        else nullcontext() as disk,
        running(folder / "databases") as databases,
        Network(_ways(databases, ports)) as network,
        start_stack(
            folder / "stack",
            databases,
            database=DATABASE,
            redis_number=0,
            environment={**environment, **(_detours(network) if plan.is_troubled else {})},
            operators=OPERATORS,
            kind=Clocked if plan.is_troubled else Stack,
            ports=ports,
        ) as stack,
    ):
        killer = Killer(stack, databases, Troubles(stack, databases, network, disk))
        story = Story(stack, killer, plan, say, before_judging)
        try:
            result = asyncio.run(story.tell())
        finally:  # who stands still cannot be told to end
            killer.troubles.release()
    alive = [f"left behind: {process}" for process in left_behind(killer.pids, folder)]
    return result._replace(breaches=[*result.breaches, *alive])


def prepare(folder: Path, lease_seconds: int = LEASE_SECONDS) -> dict[str, str]:
    """Make the folder of a run; what its server is told beyond what it is told anyway."""
    folder.mkdir(parents=True, exist_ok=True)
    return {
        **ENVIRONMENT,
        "CAPP_LEASE_SECONDS": str(lease_seconds),
        "CAPP_RECONCILIATION_FILE": str(_write_schedule(folder)),
        "CAPP_WEBHOOK_KEYS": f"1:{secrets.token_hex(32)}",
    }


def _ways(databases: Databases, ports: Ports) -> dict[str, int]:
    """The port at the far end of every way between programs that can go wrong."""
    servers = {POSTGRES: databases.postgres.port, REDIS: databases.redis.port}
    return {**servers, GATEWAY: ports.gateway, CALLBACKS: ports.web, **ports.operators}


def _detours(network: Network) -> Mapping[str, str]:
    """What the server is told, so that it and its operators reach each other by the network."""
    at = {name: f"{HOST}:{relay.port}" for name, relay in network.relays.items()}
    told = {
        "DATABASE_URL": f"postgresql://postgres@{at[POSTGRES]}/{DATABASE}",
        "REDIS_URL": f"redis://{at[REDIS]}/0",
        "CAPP_AFRICASTALKING_BASE_URL": f"http://{at[GATEWAY]}",
        "CAPP_PUBLIC_URL": f"http://{at[CALLBACKS]}",
    }
    for name in OPERATORS:
        told |= MARKETS[name].environment(f"http://{at[name]}")
    return told


def _write_schedule(folder: Path) -> Path:
    """What the server is told of the sandboxes anyway, with `POLLING` for its hours and days."""
    told = yaml.safe_load((PROJECT / "simulator" / "reconciliation.yaml").read_text())
    told["polling"]["usual"] = POLLING
    # What the sandboxes begin with beyond our books; and what is not listed is a case at once.
    told["statements"] = {
        "usual": {"utc_offset_minutes": 180, "ageing_days": 0},
        "operators": {
            name: {"unbooked_minor": start.theirs - start.ours} for name, start in STARTS.items()
        },
    }
    file = folder.resolve() / "reconciliation.yaml"
    file.write_text(yaml.safe_dump(told))
    return file


class Story:
    """One run on a stack that is up. What happens under load is `meanwhile`: blows."""

    def __init__(
        self, stack: Stack, killer: Killer, plan: Plan, say: Say, before_judging: Falsify
    ) -> None:
        self.stack = stack
        self._killer = killer
        self._plan = plan
        self.say = say
        self._before_judging = before_judging
        self.found: list[str] = []
        self._kills: Counter[str] = Counter()
        self._cycles = 0
        self._began = time.monotonic()

    async def tell(self) -> Result:
        seed = self._plan.seed
        async with (
            open_city(self.stack, Typed(), Random(f"{seed}:city")) as city,
            open_client(city.places.operators["mpesa_ke"]) as client,
        ):
            clerk, people = Clerk(city), People(city)
            callers = Callers(people)
            depositors = Depositors(people, MpesaClient(client, ""))
            await self._set_sandboxes(city)
            strangers = [depositors] if self._plan.has_strangers else []
            if strangers:
                await depositors.register()
            async with open_businesses(city, people, BUSINESSES) as businesses:
                doors: list[Door] = [*[callers] * self._plan.callers, *businesses, *strangers]
                late = LATE_FAULTS if self._plan.is_troubled else ()
                load = Load(
                    city, seed, doors,
                    fault_odds=self._plan.fault_odds, faults_of=(*self._plan.faults, *late),
                )  # fmt: skip
                reading: Reading | None = None
                try:
                    async with load.under_way():
                        await self.meanwhile(load)
                    await self._make_peace(city, people)
                    latecomer = await self._meet_latecomer(city, callers)
                    await self._before_judging(city)

                    async def look() -> Reading:
                        return (await read(city, load.placed))._replace(
                            paid_in=depositors.paid_in,
                            told=[told for one in businesses for told in one.told],
                            unbelieved=[why for one in businesses for why in one.receiver.refused],
                            may_pay_afterwards=people.may_pay_afterwards,
                        )

                    reading = await look()
                    self.found += breaches(reading) + await self._books()
                    self.found += await self._close_the_day(clerk, latecomer, look)
                except (NeverBack, ChildDied, StartFailed) as error:
                    self.found.append(f"{type(error).__name__}: {error}")
                return Result(self.found, self._kills, self._cycles, load.interrupted, reading)

    async def _close_the_day(self, clerk: Clerk, late: Latecomer | None, look: Look) -> list[str]:
        """What the operators list, taken in: whatever was open ends by it."""
        found = await clerk.take_all()
        if late is not None:
            found += await late.is_heard()
        await self._until_none(unended_or_asked, "payments, some listed now", LISTED_SECONDS_MAX)
        await asyncio.sleep(self._plan.quiet_seconds)
        await self._until_none(unsent, "notices, some of them of late money", TOLD_SECONDS_MAX)
        await self._until_none(untold, "messages to businesses", TOLD_SECONDS_MAX)
        said, reading = await self._compare(clerk, look)
        found += [*said, *unsettled(reading), *(late.untrue(reading) if late is not None else ())]
        return found + await self._books()

    async def _compare(self, clerk: Clerk, look: Look) -> tuple[list[str], Reading]:
        """What the commands could not do, and all there is once a comparison changes nothing more.

        What is proven after its statement was taken in lies in SUSPENSE too, until the next one.
        """
        found: list[str] = []
        for _ in range(COMPARISONS_MAX):
            before = await self._ask(entries)
            found += await clerk.compare_again()
            await self._until_none(called_for, "cases of what is over", LISTED_SECONDS_MAX)
            reading = await look()
            if await self._ask(entries) == before:
                break
        return found, reading

    async def _meet_latecomer(self, city: City, callers: Callers) -> Latecomer | None:
        if not self._plan.is_troubled:  # without a network nothing can hang in it
            return None
        late = Latecomer(city, callers, self._killer.troubles)
        random = Random(f"{self._plan.seed}:late")
        await late.pay_before(random)
        await self._until_none(unended, "payments of the last", ENDED_SECONDS_MAX)
        await late.pay(random)
        await self._until_none(unended, "payments of who comes late", ENDED_SECONDS_MAX)
        return late

    async def meanwhile(self, load: Load) -> None:
        """Everything that the seed has drawn, one blow after the other."""
        await wait_for(lambda: load.acknowledged > 0, "nobody can pay at all", HEARD_SECONDS_MAX)
        blows = self._plan.draw(Random(f"{self._plan.seed}:killer"))
        for number, blow in enumerate(islice(blows, self._plan.cycles), start=1):
            await asyncio.sleep(blow.after_seconds)
            at, before = time.monotonic() - self._began, load.acknowledged
            self.found += await self._killer.strike(blow)
            load.check()
            if load.acknowledged == before and {*blow.victims} & SERVED:
                self.found.append(f"nobody could pay during {', '.join(blow.victims)}")
            self._cycles = number
            self._kills.update(blow.victims)
            victims, back = ", ".join(blow.victims), time.monotonic() - self._began - at
            self.say(
                f"cycle {number:3} at {at:6.1f} s: {victims};"
                f" down {blow.down_seconds:.1f} s, healthy after {back:.1f} s;"
                f" acknowledged {load.acknowledged}, meanwhile {load.acknowledged - before}"
            )
            await self.pays_again(load, victims)
        await load.until_both_ways(Patience(HEARD_SECONDS_MAX))

    async def pays_again(self, load: Load, victims: str) -> None:
        """Healthy is a claim; the proof is the next payment."""
        before, began, crowded = load.acknowledged, time.time(), 1.0
        while load.acknowledged == before:
            until, crowded = await self._ask(paused_until), max(crowded, crowding())
            if is_over_patience(time.time(), began, until, crowded):
                waited = time.time() - began
                raise NeverBack(f"nobody could pay after {victims} (waited {waited:.0f} s)")
            await asyncio.sleep(POLL_SECONDS)

    async def _make_peace(self, city: City, people: People) -> None:
        """Faults off; then until nothing is under way that nobody was called for, nor money of a
        collection that was told failed."""
        for url in city.places.operators.values():
            (await city.client.delete(f"{url}/_sandbox/faults")).raise_for_status()
        clocks = self._killer.troubles.clocks
        seconds = ENDED_SECONDS_MAX + self._plan.lease_seconds + clocks.seconds_left
        await self._until_none(unended, "payments to end", seconds)

        async def unpaid(_: object) -> Counter[str]:
            return await at_work_for(city, people.may_pay_afterwards)

        await self._until_none(unpaid, "operators to get late money", seconds)
        await self._until_none(doubted, "answers about late news", NEWS_SECONDS_MAX)
        await self._until_none(unended, "payments with late money to end", seconds)
        await self._until_none(unsent, "notices to leave", TOLD_SECONDS_MAX)
        await asyncio.sleep(max(self._plan.quiet_seconds, clocks.seconds_left))
        await self._until_none(untold, "messages to businesses", TOLD_SECONDS_MAX)

    async def _until_none(
        self, question: Callable[[Any], Awaitable[Counter[str]]], whom: str, seconds: float
    ) -> None:
        """As long as anything changes, and so many seconds more. Whoever is late is named by the
        laws."""
        deadline = time.monotonic() + seconds
        said: Counter[str] = Counter()
        while (waiting := await self._ask(question)) and time.monotonic() < deadline:
            if waiting != said:
                self.say(f"waiting for {sum(waiting.values())} {whom}: {dict(waiting)}")
                deadline = time.monotonic() + seconds
            said = waiting
            await asyncio.sleep(POLL_SECONDS)

    async def _books(self) -> list[str]:
        """What the books say of themselves, by our SQL and by the commands that staff use."""
        found = await self._ask(broken_books)
        for arguments in (("books",), ("audit", "--all")):
            told = await asyncio.to_thread(self.stack.command, *arguments)
            if told.returncode:
                found.append(
                    f"capp {' '.join(arguments)}: {told.stdout[-600:]}{told.stderr[-600:]}"
                )
        return found

    async def _set_sandboxes(self, city: City) -> None:
        for url in city.places.operators.values():
            (await city.client.put(f"{url}/_sandbox/settings", json=SANDBOX)).raise_for_status()

    async def _ask(self, question: Callable[[Any], Awaitable[T]]) -> T:
        connection = await asyncpg.connect(self.stack.database_url)
        try:
            return await question(connection)
        finally:
            await connection.close()

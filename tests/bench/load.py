"""CPU of `capp load` per turn, beside that of the server it drives.

    python -m tests.bench.load [--walks N]

A crowd on one core must be able to saturate a server on the other, so its turn may cost no more
than the server's. Twice: against the plain app that answers a constant, and against the product's
own short way (`turns` of `ussd_servers.py`), with every screen compared. CPU is user and system
time of each program, all threads, over the turns answered. The run is void if one screen is wrong.
"""

import asyncio
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import httpx
import uvloop

from engine.schema import migrate
from simulator import embedded, transcript
from simulator.load.crowd import Crowd, Plan
from simulator.load.journey import Journey, read_journey
from simulator.load.wire import Wires
from simulator.places import Places
from tests.bench.command import Bench, main
from tests.bench.table import Section, Void, cpu_seconds
from tests.bench.ussd_servers import PATH, PAYEE, PIN, register, running

PHONES_AT_ONCE = 64
WALKS_A_SECOND = 5_000.0
"""More than any server takes: who may walk is decided by `PHONES_AT_ONCE`."""
WARM_UP = 100

PEOPLE = "phone payer +254712000???\n"
CONSTANT = f"{PEOPLE}dial *384*96#\n| ok\n" + "type 1\n| ok\n" * 5 + "hang up\n"
PAYING = f"""{PEOPLE}
dial *384*96#
| CAPP*
...
| 1. Send money
| 2. Request money
| 3. My payments
| 4. Check a price
| 5. Account, help
type 1
| Number to pay
...
type {PAYEE}
| To +{PAYEE}
...
type 1000
| To +{PAYEE} MTN MoMo
...
| Gets UGX *
...
type 1
| Pay KES * to +{PAYEE}
...
type {PIN}
| {{code}} started: *
...
ended
"""
"""As `ussd_servers.PAYING`, whose phones are known and whose PIN this is."""
JOURNEYS = {"bare": CONSTANT, "turns": PAYING}


class Row(NamedTuple):
    """One crowd and one server. Times are microseconds of CPU per turn."""

    name: str
    turns: int
    ours_us: float
    servers_us: float
    turns_per_second: float

    @property
    def ratio(self) -> float:
        """Ours over the server's."""
        return self.ours_us / self.servers_us


async def run(walks: int) -> list[Row]:
    """Start everything, walk against each server, stop everything. Raises Void."""
    with tempfile.TemporaryDirectory() as folder:
        postgres = embedded.start_postgres(Path(folder) / "postgres")
        store = embedded.start_redis(Path(folder) / "redis")
        try:
            await asyncio.to_thread(migrate, postgres.url)
            await register(postgres.url)
            return [await measure(name, walks, store.url, postgres.url) for name in JOURNEYS]
        finally:
            store.stop()
            postgres.stop()


async def measure(name: str, walks: int, redis_url: str, database_url: str) -> Row:
    """One server, warmed up, under a crowd. Raises Void."""
    journey = read_journey(transcript.parse(JOURNEYS[name], name=name))
    with running(name, redis_url, database_url) as (server_pid, port):
        where = Places(
            server="", ussd_url=f"http://127.0.0.1:{port}{PATH}", gateway="",
            ussd_end_url=f"http://127.0.0.1:{port}{PATH}/end",
        )  # fmt: skip
        async with httpx.AsyncClient() as client:
            wires = Wires(connections_max=PHONES_AT_ONCE)
            await walk(journey, WARM_UP, 1, where, client, wires)
            theirs, ours, began = cpu_seconds(server_pid), own_cpu_seconds(), time.perf_counter()
            turns = await walk(journey, walks, 2, where, client, wires)
            seconds = time.perf_counter() - began
            spent = own_cpu_seconds() - ours, cpu_seconds(server_pid) - theirs
            await wires.aclose()
    ours_us, servers_us = (part / turns * 1e6 for part in spent)
    return Row(name, turns, ours_us, servers_us, turns / seconds)


async def walk(
    journey: Journey, walks: int, seed: int, where: Places, client: httpx.AsyncClient, wires: Wires
) -> int:
    """Let so many walks come to their end; the turns that were answered. Raises Void."""
    plan = Plan([journey], WALKS_A_SECOND, walks / WALKS_A_SECOND, PHONES_AT_ONCE, (0.0, 0.0), seed)
    crowd = Crowd(plan, where, client, wires)
    await crowd.run()
    tally = crowd.tally
    if not tally.is_right:
        wrong = [f"{one.where}: {one.what}\n{one.transcript}" for one in tally.wrong[:1]]
        raise Void("\n".join([*map(str, tally.faults), *wrong]))
    return tally.latencies.count


def own_cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def table(rows: list[Row]) -> str:
    return Section(
        ("(i) one turn of a crowd", "capp load", "server", "ratio", "turns/s", "goal"),
        tuple(
            (
                row.name, f"{row.ours_us:.0f} us", f"{row.servers_us:.0f} us", f"{row.ratio:.2f}",
                f"{row.turns_per_second:,.0f}", "at most 1" if row.name == "turns" else "",
            )
            for row in rows
        ),
    ).written()  # fmt: skip


class Options(NamedTuple):
    """How much is run."""

    walks: int = 1_000


BENCH = Bench(
    module="tests.bench.load",
    about=__doc__,
    options=Options,
    run=lambda options: table(uvloop.run(run(options.walks))),
)


if __name__ == "__main__":
    sys.exit(main(BENCH, sys.argv[1:]))

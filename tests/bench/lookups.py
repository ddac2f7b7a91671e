"""How long the API takes to say that an id is not found: of nobody, another client, another tenant.

    python -m tests.bench.lookups [--rounds N] [--side clients staff]

One process asks its own application about each kind in turn, in an order that is drawn anew for
every round, and the medians are compared. Ids of nobody are asked about twice, by two ids: what
those two differ by is what the machine does to any two. Void unless all are answered with the same
bytes. That they cost the same statements is shown by `tests/integration/test_ids_of_others.py`.
"""

import asyncio
import logging
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from engine.payments.payment import code_of
from engine.schema import migrate
from simulator import embedded
from tests.bench.command import Bench, main
from tests.bench.table import Pace, Section, Void
from tests.integration.client_room import open_client_room
from tests.integration.staff_room import open_staff_room
from tests.integration.strangers_room import (
    HOOKS,
    NOBODYS,
    PLENTY,
    Asker,
    Look,
    Words,
    looks_of_clients,
    looks_of_staff,
    of_clients,
    of_staff,
    told,
)

ROUNDS = 60
SIDES = ("clients", "staff")
NOBODYS_TOO = NOBODYS[:-1] + "9"
KINDS = ("nobody's", "nobody's too", "another client's", "another tenant's")


class Options(NamedTuple):
    """How often each endpoint is asked about an id of each kind."""

    rounds: int = ROUNDS
    side: tuple[str, ...] = SIDES


class Taken(NamedTuple):
    """The median of one way to ask, in microseconds, by whose the id is."""

    look: str
    us: dict[str, float]

    def to_nobodys(self, kind: str) -> float:
        return self.us[kind] / self.us["nobody's"]


def run(options: Options) -> str:
    """One table. Raises Void."""
    logging.getLogger("channels.web.limits").setLevel(logging.ERROR)  # no Redis counts here
    with tempfile.TemporaryDirectory() as folder:
        postgres = embedded.start_postgres(Path(folder))
        try:
            with Pace() as pace:
                taken = asyncio.run(_measure(postgres.url, options))
            return _section(taken, pace.loop_ms, options).written()
        finally:
            postgres.stop()


async def _measure(url: str, options: Options) -> list[Taken]:
    taken: list[Taken] = []
    if "clients" in options.side:
        async with open_client_room(
            await _database(url, "clients"), limits=None, **HOOKS, **PLENTY
        ) as room:
            ids = await of_clients(room)
            asker = Asker(room.client, room.headers("shop"))
            taken += await _compare(asker, looks_of_clients(room.app.routes), ids, options)
    if "staff" in options.side:
        async with open_staff_room(await _database(url, "staff")) as staff:
            ids = await of_staff(staff)
            asker = Asker(staff.client, staff.headers("fay"))
            taken += await _compare(asker, looks_of_staff(staff), ids, options)
    return taken


async def _database(url: str, name: str) -> str:
    """A fresh one on that server."""
    connection = await asyncpg.connect(url)
    await connection.execute(f"create database {name}")
    await connection.close()
    own = urlunsplit(urlsplit(url)._replace(path=f"/{name}"))
    await asyncio.to_thread(migrate, own)
    return own


async def _compare(
    asker: Asker, looks: Iterable[Look], ids: dict[str, Words], options: Options
) -> list[Taken]:
    nobodys = dict.fromkeys(ids["nobody's"], NOBODYS_TOO)
    ids = {**ids, "nobody's too": nobodys | {"code": code_of(NOBODYS_TOO)}}
    taken = []
    for look in looks:
        seconds: dict[str, list[float]] = {kind: [] for kind in ids}
        expected = told(await asker.ask(look, ids["nobody's"]))
        for number in range(options.rounds):
            order = random.Random(f"{look.name} {number}").sample(sorted(ids), len(ids))
            for kind in order:
                began = time.perf_counter()
                answer = await asker.ask(look, ids[kind])
                seconds[kind].append(time.perf_counter() - began)
                if told(answer) != expected:
                    raise Void(f"{look.name}: {kind} is answered otherwise: {answer.text}")
        medians = {kind: statistics.median(found) * 1e6 for kind, found in seconds.items()}
        taken.append(Taken(look.name, medians))
    return taken


def _section(taken: list[Taken], loop_ms: float, options: Options) -> Section:
    rows = [
        (
            one.look, f"{one.us[KINDS[0]]:.0f}",
            *(f"{one.to_nobodys(kind):.2f}" if kind in one.us else "" for kind in KINDS[1:]), "",
        )
        for one in taken
    ]  # fmt: skip
    middle = {kind: [one.to_nobodys(kind) for one in taken if kind in one.us] for kind in KINDS[1:]}
    medians = (f"{statistics.median(found):.2f}" if found else "" for found in middle.values())
    rows.append(("the middle of all", "", *medians, f"{loop_ms:.1f}"))
    return Section(
        ("(n) ids that are not found", "µs", *(f"to {kind}" for kind in KINDS[1:]), "loop ms"),
        tuple(rows),
        (
            f"Medians of {options.rounds} each, in turns, HTTP within the process. Goal: as far"
            " from one as the first column, of two ids that are both nobody's.",
        ),
    )


BENCH = Bench(
    "tests.bench.lookups",
    __doc__.split("\n")[0],
    Options,
    run,
)

if __name__ == "__main__":
    sys.exit(main(BENCH, sys.argv[1:]))

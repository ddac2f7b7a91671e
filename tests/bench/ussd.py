"""CPU per USSD callback of whole dialogues, beside the bare limit in the same run.

    python -m tests.bench.ussd [--sessions N] [--repeats N]

The bare limit is a Starlette app that answers a constant after one plain Redis round trip, under
plain uvicorn (uvloop, httptools). Turns are taken twice: under that same uvicorn, through all of
Starlette (`routed`), and as the product serves them, by its short way to the doors (`turns`). Each
server is a process of its own, driven over raw sockets by this one. CPU is the figure: user and
system time of the server, all threads, over the callbacks. The run is void if one reply is wrong.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple
from urllib.parse import quote_plus

import uvloop

from engine.msisdn import Msisdn
from engine.schema import migrate
from simulator import embedded
from tests.bench.command import Bench, main
from tests.bench.table import Void, cpu_seconds, family_cpu_seconds
from tests.bench.ussd_servers import (
    CONSTANT,
    DIALOGUES,
    SERVERS,
    Asked,
    register,
    request,
    running,
    whole_body,
)

CONNECTIONS = 64
SESSIONS_LOOKING = 4
"""One session in so many turns pages and is dropped; the others pay."""


class Row(NamedTuple):
    """One measured run. Times are microseconds of CPU per callback."""

    name: str
    server_us: float
    redis_us: float
    postgres_us: float
    callbacks_per_second: float


# The load.


class Phone(asyncio.Protocol):
    """One connection that plays session after session, one request at a time."""

    def __init__(self, load: "Load") -> None:
        self._load = load
        self._received = b""
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._next_session()

    def data_received(self, data: bytes) -> None:
        self._received += data
        try:
            body = whole_body(self._received)
            if body is None:
                return
            self._load.check(self._dialogue[self._turn], body)
        except Void as error:
            self._fail(f"turn {self._turn} of {self._session}: {error}")
            return
        self._received = b""
        self._turn += 1
        if self._turn < len(self._dialogue):
            self._transport.write(request(self._dialogue[self._turn], *self._session))
        else:
            self._next_session()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(Void(f"connection lost: {error}"))

    def _next_session(self) -> None:
        session = self._load.next_session()
        if session is None:
            self.done.set_result(None)
            self._transport.close()
            return
        self._dialogue, self._session = session
        self._turn = 0
        self._transport.write(request(self._dialogue[0], *self._session))

    def _fail(self, why: str) -> None:
        self.done.set_exception(Void(why))
        self._transport.close()


class Load:
    """Hands out sessions, counts callbacks, and knows what each must be answered with."""

    def __init__(self, name: str, phones: list[Msisdn], sessions: int, first: int) -> None:
        self._is_bare = name == "bare"
        self._numbers = [quote_plus(phone) for phone in phones]
        self._sessions = iter(range(first, first + sessions))
        self.callbacks = 0

    def next_session(self) -> tuple[tuple[Asked, ...], tuple[str, str]] | None:
        """A dialogue with its session id and phone number, or None when all were played."""
        number = next(self._sessions, None)
        if number is None:
            return None
        dialogue = DIALOGUES[number % SESSIONS_LOOKING == 0]
        self.callbacks += len(dialogue)
        return dialogue, (f"ATUid_{number:032x}", self._numbers[number % len(self._numbers)])

    def check(self, asked: Asked, body: bytes) -> None:
        """Raises Void for a reply that is not the one expected."""
        if not body.startswith(CONSTANT if self._is_bare else asked.reply):
            raise Void(repr(body[:200]))


async def play(load: Load, port: int) -> None:
    """All sessions of a load over all connections. Raises Void."""
    loop = asyncio.get_running_loop()
    phones = []
    for _ in range(CONNECTIONS):
        _, phone = await loop.create_connection(lambda: Phone(load), "127.0.0.1", port)
        phones.append(phone)
    await asyncio.gather(*(phone.done for phone in phones))


# The run.


async def run(sessions: int = 1_500, repeats: int = 3) -> list[Row]:
    """Start everything, measure the servers in turn, stop everything. Raises Void."""
    with tempfile.TemporaryDirectory() as folder:
        postgres = embedded.start_postgres(Path(folder) / "postgres")
        store = embedded.start_redis(Path(folder) / "redis")
        try:
            await asyncio.to_thread(migrate, postgres.url)
            phones = await register(postgres.url)
            rows: list[Row] = []
            for repeat in range(repeats):
                for name in SERVERS:
                    first = (repeat + 1) * 1_000_000 + len(rows) * 100_000
                    rows.append(await measure(name, phones, sessions, first, postgres, store))
            return rows
        finally:
            store.stop()
            postgres.stop()


async def measure(
    name: str,
    phones: list[Msisdn],
    sessions: int,
    first: int,
    postgres: embedded.Server,
    store: embedded.Server,
) -> Row:
    """One server, warmed up, under load. Raises Void."""
    with running(name, store.url, postgres.url) as (server_pid, port):
        await play(Load(name, phones, CONNECTIONS * 3, first), port)
        load = Load(name, phones, sessions, first + 50_000)

        def used() -> list[float]:
            return [
                cpu_seconds(server_pid),
                cpu_seconds(store.pid),
                family_cpu_seconds(postgres.pid),
            ]

        before, began = used(), time.perf_counter()
        await play(load, port)
        wall = time.perf_counter() - began
        spent = [after - b for after, b in zip(used(), before, strict=True)]
    server_us, redis_us, postgres_us = (seconds / load.callbacks * 1e6 for seconds in spent)
    return Row(name, server_us, redis_us, postgres_us, load.callbacks / wall)


async def measure_bare(redis_url: str, database_url: str, sessions: int = 1_500) -> float:
    """CPU of one request of the bare app, in microseconds, on servers that run. Raises Void."""
    phones = [Msisdn(f"+2547120{number:05d}") for number in range(CONNECTIONS)]
    with running("bare", redis_url, database_url) as (server_pid, port):
        await play(Load("bare", phones, CONNECTIONS * 3, 0), port)
        load, before = Load("bare", phones, sessions, 1_000_000), cpu_seconds(server_pid)
        await play(load, port)
        return (cpu_seconds(server_pid) - before) / load.callbacks * 1e6


def ratio(rows: list[Row], name: str = "turns", of: Callable[[list[float]], float] = min) -> float:
    """A server's CPU over that of the bare app, the best run of each or what `of` makes of them."""
    chosen = {name: of([row.server_us for row in rows if row.name == name]) for name in SERVERS}
    return chosen[name] / chosen["bare"]


def table(rows: list[Row]) -> str:
    lines = [
        "| (a) one USSD callback | server CPU | Redis | Postgres | callbacks/s |",
        "| --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {row.name} | {row.server_us:.0f} us | {row.redis_us:.0f} us "
        f"| {row.postgres_us:.0f} us | {row.callbacks_per_second:,.0f} |"
        for row in rows
    ]
    told = f"turns / bare: best of each {ratio(rows):.2f}, medians {ratio(rows, of=median):.2f}"
    routed = ratio(rows, "routed")
    return "\n".join([*lines, f"{told} (goal: at most 1); routed / bare, best: {routed:.2f}"])


class Options(NamedTuple):
    """How much is run."""

    sessions: int = 1_500
    repeats: int = 3


BENCH = Bench(
    module="tests.bench.ussd",
    about=__doc__,
    options=Options,
    run=lambda options: table(uvloop.run(run(options.sessions, options.repeats))),
)


if __name__ == "__main__":
    sys.exit(main(BENCH, sys.argv[1:]))

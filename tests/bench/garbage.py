"""What callers notice while strangers send ten thousand requests a second that are none of ours.

    python -m tests.bench.garbage [--garbage-per-second N] [--turns-per-second N] [--seconds N]

One server, as the product puts it together: guards before the routes, the short way to the doors,
real sessions and customers, payments in memory. Whole dialogues come at a steady rate, first alone
and then under a flood of guessed tokens, unknown addresses, tricks in them, packed bodies and what
is no HTTP. Every screen is compared. Void when one is wrong or missing, or when half the flood was
not answered. `garbage/s` is what was really answered: where the cores are taken it is less.
"""

import asyncio
import random
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import uvloop

from engine.schema import migrate
from simulator import embedded
from tests.bench.command import Bench, main
from tests.bench.table import (
    Driver,
    Section,
    Void,
    cpu_seconds,
    hear_from_parent,
    percentile_ms,
    say_to_parent,
)
from tests.bench.ussd_servers import PATH, register, running

DEADLINE_SECONDS = 8.0
"""Of most networks (`menus/networks.yaml`)."""
CONNECTIONS = 64
TICK_SECONDS = 0.002
LEAST_ANSWERED = 0.5


class Options(NamedTuple):
    garbage_per_second: int = 10_000
    turns_per_second: int = 40
    seconds: float = 5.0


def _post(path: str, *lines: str, body: str = "x") -> bytes:
    head = [f"POST {path} HTTP/1.1", "Host: capp", f"Content-Length: {len(body)}", *lines]
    return ("\r\n".join(head) + f"\r\n\r\n{body}").encode()


def _get(path: str, method: str = "GET") -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: capp\r\n\r\n".encode()


GARBAGE: tuple[bytes, ...] = (
    *[_post(PATH[:-1] + "0")] * 20,
    *[_post(PATH, "Content-Type: application/json", body="{}")] * 5,
    *[_get("/wp-login.php"), _get("/.env"), _get("/api/v1/payments")] * 5,
    _get("/api/%2e%2e/metrics"),
    _get("/", "TRACE"),
    _post(PATH, "Content-Encoding: gzip", body="\x1f"),
    _get("/" + "x" * 4000),
    b"\x16\x03\x01\x02\x00 no HTTP at all\r\n\r\n",
)
"""A mix; the last makes the server close the connection, and another is opened."""


class Stranger(asyncio.Protocol):
    """One connection: sends, waits for an answer, counts it."""

    def __init__(self, flood: "Flood") -> None:
        self._flood = flood
        self._transport: asyncio.Transport | None = None
        self._waits = False  # for an answer, which may come in pieces

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._flood.idle.append(self)

    def send(self, garbage: bytes) -> None:
        assert self._transport is not None
        self._waits = True
        if not self._transport.is_closing():  # else another is opened in its place
            self._transport.write(garbage)

    def data_received(self, data: bytes) -> None:
        if not self._waits:
            return
        self._waits = False
        self._flood.answered += 1
        if b"connection: close" not in data.lower():
            self._flood.idle.append(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._flood.lost(self)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()


class Flood:
    """Sends so much a second as long as connections are free."""

    def __init__(self, port: int, per_second: float) -> None:
        self._port = port
        self._per_second = per_second
        self._chance = random.Random(7)
        self._opening: set[asyncio.Task[None]] = set()
        self.idle: list[Stranger] = []
        self.sent = 0
        self.answered = 0
        self._is_over = False

    async def run(self, seconds: float) -> None:
        for _ in range(CONNECTIONS):
            await self._open()
        began = time.perf_counter()
        while (passed := time.perf_counter() - began) < seconds:
            due = int(passed * self._per_second) - self.sent
            for _ in range(min(due, len(self.idle))):
                self.idle.pop().send(self._chance.choice(GARBAGE))
                self.sent += 1
            await asyncio.sleep(TICK_SECONDS)
        self._is_over = True
        for stranger in self.idle:
            stranger.close()

    def lost(self, stranger: Stranger) -> None:
        if stranger in self.idle:
            self.idle.remove(stranger)
        if not self._is_over:
            task = asyncio.get_running_loop().create_task(self._open())
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    async def _open(self) -> None:
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: Stranger(self), "127.0.0.1", self._port)


async def flood() -> None:
    """The driver's life: told a port, a rate and a time, it says how much was sent and answered."""
    while (told := hear_from_parent()) is not None:
        port, per_second, seconds = told
        garbage = Flood(port, per_second)
        await garbage.run(seconds)
        say_to_parent([garbage.sent, garbage.answered])


class Row(NamedTuple):
    """One run. Times are milliseconds."""

    name: str
    turns: int
    median: float
    p99: float
    longest: float
    busy: float
    garbage_per_second: float


def run(options: Options) -> str:
    """Raises Void."""
    with TemporaryDirectory() as folder:
        postgres = embedded.start_postgres(Path(folder) / "postgres")
        store = embedded.start_redis(Path(folder) / "redis")
        try:
            migrate(postgres.url)
            uvloop.run(register(postgres.url))
            rows = _rows(options, store.url, postgres.url)
        finally:
            store.stop()
            postgres.stop()
    return section(rows).written()


def _rows(options: Options, redis_url: str, database_url: str) -> list[Row]:
    with (
        running("guarded", redis_url, database_url) as (pid, port),
        Driver("tests.bench.ussd_latency", "drive") as callers,
        Driver("tests.bench.garbage", "flood") as strangers,
    ):
        alone = _measure(options, callers, pid, port)
        # It begins before the callers are measured and ends after them.
        seconds = options.seconds + 4.0
        strangers.tell([port, options.garbage_per_second, seconds])
        under = _measure(options, callers, pid, port)
        sent, answered = strangers.listen()
    if answered < LEAST_ANSWERED * sent or not sent:
        raise Void(f"of {sent} requests that are none {answered} were answered")
    return [
        Row("alone", *alone, 0.0),
        Row("under garbage", *under, answered / seconds),
    ]


def _measure(
    options: Options, callers: Driver, pid: int, port: int
) -> tuple[int, float, float, float, float]:
    callers.tell([port, options.turns_per_second, options.seconds])
    callers.listen()
    before, began = cpu_seconds(pid), time.perf_counter()
    took, _ = callers.listen()
    busy = (cpu_seconds(pid) - before) / (time.perf_counter() - began)
    if not took:
        raise Void("no turn was taken")
    times = [percentile_ms(took, share) for share in (0.5, 0.99, 1.0)]
    return len(took), times[0], times[1], times[2], busy


def section(rows: list[Row]) -> Section:
    """Raises Void when a turn missed its deadline."""
    alone, under = rows
    if under.longest > DEADLINE_SECONDS * 1000:
        raise Void(f"a turn took {under.longest:.0f} ms: its caller had gone")
    return Section(
        header=(
            "(m) turns under garbage", "turns", "median ms", "p99 ms", "longest", "server busy",
            "garbage/s",
        ),
        rows=tuple(
            (
                row.name, str(row.turns), f"{row.median:.2f}", f"{row.p99:.2f}",
                f"{row.longest:.1f}", f"{row.busy:.0%}", f"{row.garbage_per_second:,.0f}",
            )
            for row in rows
        ),
        remarks=(
            f"longest under garbage: {under.longest / DEADLINE_SECONDS / 10:.1f} % of the deadline"
            f" (goal: less than all of it, no turn lost); p99 under / alone:"
            f" {under.p99 / alone.p99:.1f}",
        ),
    )  # fmt: skip


BENCH = Bench(
    module="tests.bench.garbage", about=__doc__, options=Options, run=run, children={"flood": flood}
)


if __name__ == "__main__":
    sys.exit(main(BENCH, sys.argv[1:]))

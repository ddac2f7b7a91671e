"""What callers notice while strangers send ten thousand requests a second that are none of ours.

    python -m tests.bench.garbage [--garbage-per-second N] [--turns-per-second N] [--seconds N]

One server, as the product puts it together: guards before the routes, the short way to the doors,
real sessions and customers, payments in memory. Whole dialogues come at a steady rate, first alone
and then under a flood of guessed tokens, unknown addresses, tricks in them, packed bodies and what
is no HTTP, offered whether it is answered or not: one request in a packet, then several. Every
screen is compared. Void when one is wrong or missing. `offered` is what the strangers' program had
time for, `taken in` what the kernel took off its hands, `refused` what was answered.
"""

import asyncio
import random
import sys
import time
from contextlib import suppress
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
PIPELINED = 8
PACKETS = 500


class Options(NamedTuple):
    garbage_per_second: int = 10_000
    turns_per_second: int = 40
    seconds: float = 5.0


def _post(path: str, *lines: str, body: str = "x") -> bytes:
    head = [f"POST {path} HTTP/1.1", "Host: capp", f"Content-Length: {len(body)}", *lines]
    return ("\r\n".join(head) + f"\r\n\r\n{body}").encode()


def _get(path: str, method: str = "GET") -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: capp\r\n\r\n".encode()


class Flooded(NamedTuple):
    """What became of a flood, in requests; `closed` counts connections.

    `taken_in`: by the kernel. `refused`: with an answer of their own; of the rest nobody read more
    than the packet in which an earlier one was refused.
    """

    offered: int
    taken_in: int
    refused: int
    closed: int


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


class Flood:
    """Offers so much a second, whether anything is answered or not.

    Packets are written beforehand, so that offering costs next to nothing. A stranger whose packet
    is not taken off their hands yet sends no other: what was due then is never taken in.
    """

    def __init__(self, port: int, per_second: float, pipelined: int) -> None:
        self._port = port
        self._per_second = per_second
        self._each = pipelined
        chance = random.Random(7)
        self._packets = [
            b"".join(chance.choice(GARBAGE) for _ in range(pipelined)) for _ in range(PACKETS)
        ]
        self._opening: set[asyncio.Task[None]] = set()
        self.open: list[Stranger] = []
        self.flooded = Flooded(0, 0, 0, 0)
        self.is_over = False

    async def run(self, seconds: float) -> Flooded:
        for _ in range(CONNECTIONS):
            await self._open()
        began, due, turn = time.perf_counter(), 0, 0
        offered = taken = 0
        while (passed := time.perf_counter() - began) < seconds:
            until = int(passed * self._per_second)
            while due + self._each <= until:
                due += self._each
                turn += 1
                offered += self._each
                stranger = self.open[turn % len(self.open)] if self.open else None
                if stranger is not None and stranger.send(self._packets[turn % PACKETS]):
                    taken += self._each
            await asyncio.sleep(TICK_SECONDS)
        self.is_over = True
        for stranger in list(self.open):
            stranger.close()
        return self.flooded._replace(offered=offered, taken_in=taken)

    def lost(self, stranger: "Stranger") -> None:
        self.open.remove(stranger)
        if self.is_over:
            return
        self.flooded = self.flooded._replace(closed=self.flooded.closed + 1)
        task = asyncio.get_running_loop().create_task(self._open())
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    def heard(self, answers: int) -> None:
        self.flooded = self.flooded._replace(refused=self.flooded.refused + answers)

    async def _open(self) -> None:
        loop = asyncio.get_running_loop()
        with suppress(ConnectionError):
            await loop.create_connection(lambda: Stranger(self), "127.0.0.1", self._port)


class Stranger(asyncio.Protocol):
    """One connection: sends without waiting, counts what is said to it."""

    def __init__(self, flood: Flood) -> None:
        self._flood = flood
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._flood.open.append(self)

    def send(self, packet: bytes) -> bool:
        """False when it is closing, or the kernel has not taken the packet before."""
        transport = self._transport
        assert transport is not None
        if transport.is_closing() or transport.get_write_buffer_size():
            return False
        transport.write(packet)
        return True

    def data_received(self, data: bytes) -> None:
        self._flood.heard(data.count(b"HTTP/1.1 4"))

    def connection_lost(self, exc: Exception | None) -> None:
        self._flood.lost(self)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()


async def flood() -> None:
    """The driver's life: told a port, a rate, a time and how many in a packet, it says what came
    of them.
    """
    while (told := hear_from_parent()) is not None:
        port, per_second, seconds, pipelined = told
        say_to_parent(await Flood(port, per_second, pipelined).run(seconds))


class Row(NamedTuple):
    """One run. Times are milliseconds."""

    name: str
    turns: int
    median: float
    p99: float
    longest: float
    busy: float
    seconds: float = 1.0
    flooded: Flooded = Flooded(0, 0, 0, 0)


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
        rows = [Row("alone", *_measure(options, callers, pid, port))]
        # Each begins before the callers are measured and ends after them.
        seconds = options.seconds + 4.0
        for name, pipelined in (("one in a packet", 1), (f"{PIPELINED} in a packet", PIPELINED)):
            strangers.tell([port, options.garbage_per_second, seconds, pipelined])
            measured = _measure(options, callers, pid, port)
            flooded = Flooded(*strangers.listen())
            if not flooded.refused:
                raise Void("no garbage was answered")
            rows.append(Row(name, *measured, seconds, flooded))
    return rows


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
    alone, *under = rows
    longest = max(row.longest for row in under)
    if longest > DEADLINE_SECONDS * 1000:
        raise Void(f"a turn took {longest:.0f} ms: its caller had gone")
    return Section(
        header=(
            "(k) turns under garbage", "turns", "median ms", "p99 ms", "longest", "server busy",
            "offered/s", "taken in/s", "refused/s", "closed/s",
        ),
        rows=tuple(
            (
                row.name, str(row.turns), f"{row.median:.2f}", f"{row.p99:.2f}",
                f"{row.longest:.1f}", f"{row.busy:.0%}",
                *(f"{counted / row.seconds:,.0f}" for counted in row.flooded),
            )
            for row in rows
        ),
        remarks=(
            f"longest under garbage: {longest / DEADLINE_SECONDS / 10:.1f} % of the deadline"
            f" (goal: less than all of it, no turn lost); p99 under / alone:"
            f" {', '.join(f'{row.p99 / alone.p99:.1f}' for row in under)}",
        ),
    )  # fmt: skip


BENCH = Bench(
    module="tests.bench.garbage", about=__doc__, options=Options, run=run, children={"flood": flood}
)


if __name__ == "__main__":
    sys.exit(main(BENCH, sys.argv[1:]))

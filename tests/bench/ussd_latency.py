"""How long a turn takes when the server is half busy, callers coming when they please.

    python -m tests.bench.ussd_latency [--sessions N] [--seconds N] [--repeats N]

The server is kept to one core and the driver to another; Redis and Postgres go where there is
room. What the server can bear is measured first: CPU per callback of whole dialogues. Then
callbacks come at random moments at half that rate, whether earlier ones were answered or not, and
each one's time counts from the moment it was due. `driver late` tells how long after that it was
sent: the driver shares its core with everything else on the machine. Read the best of the repeats.
"""

import asyncio
import os
import random
import select
import socket
import sys
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import uvloop

from engine.msisdn import Msisdn
from engine.schema import migrate
from simulator import embedded
from tests.bench.command import Bench, main
from tests.bench.table import (
    Driver,
    Section,
    Void,
    cpu_seconds,
    hear_from_parent,
    machine_busy_seconds,
    percentile_ms,
    say_to_parent,
)
from tests.bench.ussd import Load, play
from tests.bench.ussd_servers import PHONES, Asked, register, request, running, whole_body

SERVER_CORE, DRIVER_CORE = 0, 1
LOAD = 0.5
CONNECTIONS = 200
SESSIONS_OPEN = 50
FIRST_SESSION = 10_000_000
RATIO_MAX = 5.0
WARM_SECONDS = 1.0


class Options(NamedTuple):
    sessions: int = 600
    """To find out what a callback costs."""
    seconds: float = 5.0
    repeats: int = 3


class Row(NamedTuple):
    """One run. Times are milliseconds."""

    per_second: float
    busy: float
    median: float
    p99: float
    longest: float
    late_median: float
    late_p99: float
    others_cores: float

    @property
    def ratio(self) -> float:
        return self.p99 / self.median


# The driver.


class Dialogues:
    """Sessions under way, each waiting for its next callback to be due."""

    def __init__(self, first: int) -> None:
        numbers = [Msisdn(f"+2547120{number:05d}") for number in range(PHONES)]
        self._load = Load("turns", numbers, sys.maxsize - first, first)
        self._waiting: deque[tuple[Iterator[Asked], tuple[str, str]]] = deque()

    def next(self) -> tuple[Asked, tuple[Iterator[Asked], tuple[str, str]]]:
        """The callback of whoever waits longest, or the dial of somebody new."""
        while len(self._waiting) > SESSIONS_OPEN:
            rest, session = self._waiting.popleft()
            if (asked := next(rest, None)) is not None:
                return asked, (rest, session)
        fresh = self._load.next_session()
        assert fresh is not None
        dialogue, session = fresh
        rest = iter(dialogue)
        return next(rest), (rest, session)

    def answered(
        self, asked: Asked, dialogue: tuple[Iterator[Asked], tuple[str, str]], body: bytes
    ) -> None:
        """Raises Void for a wrong reply."""
        self._load.check(asked, body)
        self._waiting.append(dialogue)


class Callback(NamedTuple):
    """One that was sent and is not answered yet."""

    due: float
    asked: Asked
    dialogue: tuple[Iterator[Asked], tuple[str, str]]


class OpenLoop:
    """Sends when it is due and not when there is room. `select` wakes to the microsecond."""

    def __init__(self, port: int, per_second: float, dialogues: Dialogues) -> None:
        self._idle = [_connected(port) for _ in range(CONNECTIONS)]
        self._sent: dict[socket.socket, Callback] = {}
        self._received: dict[socket.socket, bytes] = {}
        self._dialogues = dialogues
        self._per_second = per_second
        self._chance = random.Random(7)
        self.seconds: list[float] = []
        self.late: list[float] = []

    def run(self, seconds: float) -> None:
        """Callbacks for so long, then the answers to the last. Raises Void."""
        now = time.perf_counter()
        due, ends = now, now + seconds
        while due < ends or self._sent:
            if time.perf_counter() >= due and due < ends:
                self._send(due)
                due += self._chance.expovariate(self._per_second)
            wait = due - time.perf_counter() if due < ends else 1.0
            readable, _, _ = select.select(list(self._sent), [], [], max(0.0, wait))
            for connection in readable:
                self._receive(connection)

    def close(self) -> None:
        for connection in self._idle:
            connection.close()

    def _send(self, due: float) -> None:
        if not self._idle:
            raise Void(f"{CONNECTIONS} callbacks wait for an answer: that is no half load")
        connection = self._idle.pop()
        asked, dialogue = self._dialogues.next()
        self.late.append(time.perf_counter() - due)
        connection.sendall(request(asked, *dialogue[1]))
        self._sent[connection] = Callback(due, asked, dialogue)
        self._received[connection] = b""

    def _receive(self, connection: socket.socket) -> None:
        received = self._received[connection] + connection.recv(65_536)
        self._received[connection] = received
        if (body := whole_body(received)) is None:
            return
        callback = self._sent.pop(connection)
        self.seconds.append(time.perf_counter() - callback.due)
        self._dialogues.answered(callback.asked, callback.dialogue, body)
        self._idle.append(connection)


def _connected(port: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


async def drive_callbacks() -> None:
    """The driver's life: told a port, a rate and a time, it says how long callbacks took."""
    os.sched_setaffinity(0, {DRIVER_CORE})
    dialogues = Dialogues(FIRST_SESSION)
    while (told := hear_from_parent()) is not None:
        port, per_second, seconds = told
        loop = OpenLoop(port, per_second, dialogues)
        await asyncio.sleep(WARM_SECONDS)  # every connection is accepted before anything is due
        loop.run(WARM_SECONDS)
        loop.seconds.clear()
        loop.late.clear()
        say_to_parent("warm")
        loop.run(seconds)
        say_to_parent([loop.seconds, loop.late])
        loop.close()


# The run.


def run(options: Options) -> str:
    """Raises Void."""
    with TemporaryDirectory() as folder:
        postgres = embedded.start_postgres(Path(folder) / "postgres")
        store = embedded.start_redis(Path(folder) / "redis")
        try:
            migrate(postgres.url)
            phones = uvloop.run(register(postgres.url))
            rows = _rows(options, postgres, store, phones)
        finally:
            store.stop()
            postgres.stop()
    return section(rows).written()


def _rows(
    options: Options, postgres: embedded.Server, store: embedded.Server, phones: list[Msisdn]
) -> list[Row]:
    names = ("turns", store.url, postgres.url)
    with (
        running(*names, core=SERVER_CORE) as (pid, port),
        Driver("tests.bench.ussd_latency", "drive") as driver,
    ):
        load = Load("turns", phones, options.sessions, 0)
        before = cpu_seconds(pid)
        uvloop.run(play(load, port))
        per_second = LOAD * load.callbacks / (cpu_seconds(pid) - before)
        rows = []
        for _ in range(options.repeats):
            driver.tell([port, per_second, options.seconds])
            rows.append(_row(driver, pid, options.seconds))
    return rows


def _row(driver: Driver, pid: int, seconds: float) -> Row:
    driver.listen()
    before, machine, began = cpu_seconds(pid), machine_busy_seconds(), time.perf_counter()
    took, late = driver.listen()
    wall = time.perf_counter() - began
    busy = (cpu_seconds(pid) - before) / wall
    machine_busy = (machine_busy_seconds() - machine) / wall
    return Row(
        len(took) / seconds,
        busy,
        percentile_ms(took, 0.5),
        percentile_ms(took, 0.99),
        percentile_ms(took, 1.0),
        percentile_ms(late, 0.5),
        percentile_ms(late, 0.99),
        machine_busy - busy,
    )


def section(rows: list[Row]) -> Section:
    best = min(rows, key=lambda row: row.ratio)
    return Section(
        header=(
            "(e) a turn at half load", "turns/s", "server busy", "median ms", "p99 ms", "longest",
            "p99 / median", "driver late ms, p99", "other cores",
        ),
        rows=tuple(
            (
                f"run {number}", f"{row.per_second:,.0f}", f"{row.busy:.0%}", f"{row.median:.2f}",
                f"{row.p99:.2f}", f"{row.longest:.1f}", f"{row.ratio:.1f}",
                f"{row.late_median:.2f}, {row.late_p99:.2f}", f"{row.others_cores:.1f}",
            )
            for number, row in enumerate(rows, 1)
        ),
        remarks=(f"p99 / median, best: {best.ratio:.1f} (goal: at most {RATIO_MAX:.0f})",),
    )  # fmt: skip


BENCH = Bench(
    module="tests.bench.ussd_latency",
    about=__doc__,
    options=Options,
    run=run,
    children={"drive": drive_callbacks},
)


if __name__ == "__main__":
    sys.exit(main(BENCH, sys.argv[1:]))

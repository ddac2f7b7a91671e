"""A backlog of a million intents worked off by several processes, each once.

    python -m tests.bench.backlog [--rows N] [--processes N] [--payments N] [--kept-seconds F]

Notices of failed payments that dead processes left behind, all of them due. Workers in processes of
their own sweep as the product's do (`channels/worker.py`), to a gateway that takes its time.
Meanwhile people confirm payments at another process, and some of those die before they are sent.
Figures stand by the tenth of the backlog in which they were read. Void unless every notice left
once, was written down once, nothing is left, and the books are right.
"""

import asyncio
import os
import sys
import tempfile
import time
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import asyncpg

from channels.worker import BATCH, SWEEP_SECONDS, _every
from engine.clock import Clock, PaymentId, epoch_of
from engine.outbox import LEASE_OLDEST, LEFT_BEHIND, RETRY_SECONDS_MIN
from engine.ports import Sms, SmsAccepted
from engine.schema import migrate
from simulator import embedded
from tests.bench.command import Bench, main
from tests.bench.table import (
    Driver,
    Pace,
    Section,
    Void,
    cpu_seconds,
    family_cpu_seconds,
    hear_from_parent,
    progress,
    say_to_parent,
)
from tests.integration.books import assert_books
from tests.integration.world import FAILED, ScriptedSms, TestClock, open_world

ROWS = 20_000
PROCESSES = 2
PAYMENTS = 500
KEPT_SECONDS = 0.05
TENTHS = 10
LOOK_SECONDS = 0.2
STUCK_SECONDS = 300.0
FRESH_SECONDS = 0.5
DIES_EVERY = 4
"""Of the payments that people confirm meanwhile, so many live for one whose process dies."""
SETTINGS = {"shared_buffers": "512MB", "max_wal_size": "4GB"}
_ID_BYTES = 16
_OF_THE_BACKLOG = "700080000000"
"""In the middle of its ids; by chance such a one is made nowhere else."""
_FILLED = (
    "insert into outbox (id, payment, tenant, kind, payload, not_before, lease_until)"
    " select (lpad(to_hex($1::bigint + n::bigint * 60000 / $2), 12, '0') || '70008'"
    "  || lpad(to_hex(n), 15, '0'))::uuid, ($3::uuid[])[n % $4 + 1], 1, 10,"
    " 'collect_failed:payer:declined', 0, 1 from generate_series(1, $2) n"
)
_POSTMASTER = "select split_part(pg_read_file('postmaster.pid'), chr(10), 1)"
_LOOK = f"explain (analyze, buffers, timing off) {LEASE_OLDEST}"


class Options(NamedTuple):
    """How many notices wait, of how many payments, and for how many processes.

    `kept_seconds`: so long the gateway keeps each message before it answers.
    """

    rows: int = ROWS
    processes: int = PROCESSES
    payments: int = PAYMENTS
    kept_seconds: float = KEPT_SECONDS


class Moment(NamedTuple):
    """What had been done until then. CPU in seconds; `pages` is what one look for work reads."""

    at: float
    sent: int
    python: float
    postgres: float
    resident: int
    pages: int


class RunningClock(TestClock):
    """The machine's."""

    def epoch(self) -> float:
        return Clock().epoch()


def run(options: Options) -> Section:
    """On a server of its own. Raises Void."""
    with tempfile.TemporaryDirectory() as folder:
        server = embedded.start_postgres(Path(folder) / "postgres", settings=SETTINGS)
        try:
            migrate(server.url)
            return work_off(server.url, Path(folder), options)
        finally:
            server.stop()


def work_off(url: str, folder: Path, options: Options) -> Section:
    """Fill it, have it worked off, look whether each was carried out once. Raises Void."""
    postgres = asyncio.run(_fill(url, options))
    progress(f"{options.rows:,} notices wait")
    files = [folder / f"sent-{number}" for number in range(options.processes)]
    with ExitStack() as closing:
        workers = [_start(closing, "work", url, str(file), options) for file in files]
        pids = [int(worker.listen()) for worker in workers]
        door = _start(closing, "confirm", url, str(folder / "sent-fresh"), options)
        door.listen()
        for worker in workers:
            worker.tell("go")
        with Pace() as pace:
            door.tell("go")
            moments = _watch(url, postgres, pids, files, options.rows)
            door.tell("stop")
            fresh, left_behind = door.listen()
        for worker in workers:
            worker.tell("stop")
            worker.listen()
    asyncio.run(assert_once(url, files, options.rows))
    return _section(moments, fresh, left_behind, options, pace.loop_ms)


def _start(closing: ExitStack, what: str, url: str, file: str, options: Options) -> Driver:
    return closing.enter_context(
        Driver("tests.bench.backlog", what, url, file, str(options.kept_seconds))
    )


async def _fill(url: str, options: Options) -> int:
    """The process id of the server, too."""
    async with open_world(url, clock=RunningClock()) as world:
        payments = []
        for _ in range(options.payments):
            payment_id = await world.confirm()
            await world.dispatched()
            await world.tell(await world.live(payment_id), FAILED)  # what the notices tell is so
            payments.append(payment_id)
        await world.dispatched()
        begins_ms = int(world.clock.epoch() - 120) * 1000
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(_FILLED, begins_ms, options.rows, payments, len(payments))
        await connection.execute("vacuum analyze outbox")
        return int(await connection.fetchval(_POSTMASTER))
    finally:
        await connection.close()


def _watch(url: str, postgres: int, pids: list[int], files: list[Path], rows: int) -> list[Moment]:
    """A moment at the beginning and after every tenth."""

    def sent() -> int:
        return sum(file.stat().st_size for file in files if file.exists()) // _ID_BYTES

    def now() -> Moment:
        return Moment(
            time.monotonic(), sent(), sum(map(cpu_seconds, pids)), family_cpu_seconds(postgres),
            max(map(_resident, pids)), asyncio.run(_pages(url)),
        )  # fmt: skip

    moments, moved_at, before = [now()], time.monotonic(), 0
    while moments[-1].sent < rows:
        time.sleep(LOOK_SECONDS)
        if (done := sent()) > before:
            before, moved_at = done, time.monotonic()
        if time.monotonic() - moved_at > STUCK_SECONDS:
            raise Void(f"nothing moves any more after {done:,} of {rows:,}")
        if done * TENTHS // rows > moments[-1].sent * TENTHS // rows:
            moments.append(now())
            progress(f"{moments[-1]}")
    return moments


def _resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


async def _pages(url: str) -> int:
    """What one look for a hundred intents reads and writes, of all that wait. It takes none."""
    connection = await asyncpg.connect(url)
    transaction = connection.transaction()
    await transaction.start()
    try:
        now = int(Clock().epoch())
        lines = await connection.fetch(
            _LOOK, now, BATCH, now, f"{(now - RETRY_SECONDS_MIN) * 1000:012x}" + "0" * 20,
            list(LEFT_BEHIND), "0" * 32,
        )  # fmt: skip
        found = [word for row in lines for word in row[0].split() if word.startswith("hit=")]
        return int(found[0].removeprefix("hit=")) if found else 0
    finally:
        await transaction.rollback()
        await connection.close()


async def assert_once(url: str, files: list[Path], rows: int) -> None:
    ids = [data[at : at + _ID_BYTES] for data in _read(files) for at in range(0, len(data), 16)]
    if len(ids) != rows or len(set(ids)) != rows:
        raise Void(f"{len(ids):,} of {rows:,} left, {len(ids) - len(set(ids)):,} of them again")
    connection = await asyncpg.connect(url)
    try:
        kept = await connection.fetchval(
            "select count(*) from sms_message where template = 'collect_failed'"
            " and status = 'sent' and substr(id::text, 15, 14) = '7000-8000-0000'"
        )
        waits = await connection.fetchval(
            "select count(*) from outbox where substr(id::text, 15, 14) = '7000-8000-0000'"
        )
        if (kept, waits) != (rows, 0):
            raise Void(f"{kept:,} are written down as sent, and {waits:,} wait still")
        await assert_books(connection)
    finally:
        await connection.close()


def _read(files: list[Path]) -> list[bytes]:
    return [file.read_bytes() for file in files if file.exists()]


def _section(
    moments: list[Moment], fresh: list[float], left_behind: list[float], options: Options,
    loop_ms: float,
) -> Section:  # fmt: skip
    rows = []
    for before, after in pairwise(moments):
        done = max(after.sent - before.sent, 1)
        rows.append(
            (
                f"to {after.sent:,}", f"{done / (after.at - before.at):,.0f}",
                f"{(after.python - before.python) / done * 1e6:.0f}",
                f"{(after.postgres - before.postgres) / done * 1e6:.0f}",
                f"{after.resident / 1e6:.0f}", f"{before.pages:,}",
            )
        )  # fmt: skip
    died = f"{median(left_behind):.1f} s, {max(left_behind):.1f} s at most" if left_behind else "-"
    asked = f"{median(fresh) * 1000:.0f} ms, {max(fresh) * 1000:.0f} ms at most" if fresh else "-"
    return Section(
        ("(q) backlog", "rows/s", "Python us", "Postgres us", "resident MB", "pages of a look"),
        tuple(rows),
        (
            f"{options.rows:,} notices, {options.processes} processes, loop {loop_ms:.2f} ms",
            f"from a confirm beside it to the operator: {asked} ({len(fresh)})",
            f"the same where its process had died: {died} ({len(left_behind)})",
        ),
    )


# A worker.


class KeepingSms(ScriptedSms):
    """A gateway that writes down what it was given, and keeps nothing in memory."""

    def __init__(self, file: Path, kept_seconds: float) -> None:
        super().__init__()
        self.file = file.open("ab", buffering=0)
        self._kept_seconds = kept_seconds

    async def send(self, message: Sms) -> SmsAccepted:
        if message.intent_id[12:24] == _OF_THE_BACKLOG:
            self.file.write(bytes.fromhex(message.intent_id))
        await asyncio.sleep(self._kept_seconds)
        return SmsAccepted(f"m-{message.intent_id}")


async def _work(url: str, file: str, kept_seconds: str) -> None:
    sms = KeepingSms(Path(file), float(kept_seconds))
    async with open_world(url, clock=RunningClock(), seeded=False, gateway=sms) as world:
        say_to_parent(os.getpid())
        await asyncio.to_thread(hear_from_parent)
        sweep = world.dispatcher.sweep
        task = asyncio.create_task(_every(SWEEP_SECONDS, lambda: sweep(BATCH), "outbox"))
        await asyncio.to_thread(hear_from_parent)
        task.cancel()
        await world.dispatched()
        say_to_parent("done")
    sms.file.close()


# People who confirm meanwhile.


async def _confirm(url: str, _: str, __: str) -> None:
    async with open_world(url, clock=RunningClock(), seeded=False) as world:
        say_to_parent("ready")
        await asyncio.to_thread(hear_from_parent)
        stop = asyncio.ensure_future(asyncio.to_thread(hear_from_parent))
        fresh, waits, ordered = [], [], asyncio.Event()
        world.mpesa.takes = ordered.set
        number = 0
        while not stop.done():
            number += 1
            world.dispatching = number % DIES_EVERY != 0
            ordered.clear()
            began = time.monotonic()
            payment_id = await world.confirm()
            if world.dispatching:
                await ordered.wait()
                fresh.append(time.monotonic() - began)
            else:
                await world.pool.execute(
                    "update outbox set lease_until = 1 where payment = $1", payment_id
                )
                waits.append(asyncio.create_task(_until_sent(world.pool, payment_id)))
            world.mpesa.orders.clear()
            await asyncio.sleep(FRESH_SECONDS)
        say_to_parent([fresh, await asyncio.gather(*waits)])


async def _until_sent(pool: Any, payment_id: PaymentId) -> float:
    """Seconds from when it may be taken over until somebody has taken it."""
    began = epoch_of(payment_id) + RETRY_SECONDS_MIN
    waits = "select true from outbox where payment = $1 and sent_at is null"
    while await pool.fetchval(waits, payment_id):  # noqa: ASYNC110 - nothing tells of it
        await asyncio.sleep(LOOK_SECONDS)
    return max(Clock().epoch() - began, 0.0)


BENCH = Bench(
    "python -m tests.bench.backlog", str(__doc__), Options, lambda options: run(options).written(),
    {"work": _work, "confirm": _confirm},
)  # fmt: skip

if __name__ == "__main__":
    sys.exit(main(BENCH, sys.argv[1:]))

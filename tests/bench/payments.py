"""Whole payments over HTTP: CPU of our own processes for one payment, from dial to both receipts.

    python -m tests.bench.payments [--seconds N] [--phones N] [--in-flight N] [--profiles FOLDER]

The whole product runs as the demo runs it: web process, worker, Postgres, Redis, and the sandboxes
in a process of their own. Callers dial real USSD sessions over raw sockets. CPU is read when
nothing is in flight, before and after, so it is all the CPU of exactly those payments. Beside it,
on the same servers: as many requests as tell of a payment, answered by the bare app of `ussd.py`.
Void unless our books, both operators' books and the phones' inboxes tell the same story.
"""

import asyncio
import json
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote_plus, urlsplit

import asyncpg
import httpx
import uvloop

from engine.payments.facts import open_terms, read_terms
from engine.payments.lifecycle import State
from simulator.places import SHORTCODE
from simulator.stack import Stack
from tests.bench.command import Bench, main
from tests.bench.table import (
    CORES,
    Driver,
    Pace,
    Section,
    Void,
    cpu_seconds,
    family_cpu_seconds,
    hear_from_parent,
    machine_busy_seconds,
    say_to_parent,
)
from tests.bench.ussd import measure_bare
from tests.e2e.city import read_ring
from tests.integration.books import assert_books

SECONDS = 15.0
PHONES = 400
IN_FLIGHT = 100
LINES = 24
WARM_PAYMENTS = 150
SETTLE_SECONDS_MAX = 60.0
LOOK_SECONDS = 0.1
GOAL_MS = 1.5
REQUESTS = 11
"""What tells of a payment: six turns and their end, two callbacks, two delivery reports."""

PIN = "4826"
NETWORK = "63902"
SHILLINGS = range(100, 200)
"""Amounts differ from payment to payment, so that two swapped ones would be seen."""
ENVIRONMENT = {
    "CAPP_COLLECT_DELAY_SECONDS": "0",
    "CAPP_HTTP_KEEP_ALIVE_SECONDS": "120",
    "CAPP_MPESA_KE_SIM_SWAP": "0",
}
"""No phone here is busy with its session when the operator asks. With few payments in flight the
gateway's connections rest longer than they may. SIMs are asked about where a contract is."""


class Turn(NamedTuple):
    """What is typed so far, how the reply begins, and what else stands in it."""

    typed: str
    begins: str
    holds: str = ""


FIRST_DIAL = (
    Turn("", "CON Welcome"),
    Turn("1", "CON Choose a PIN"),
    Turn(f"1*{PIN}", "CON Type the same"),
    Turn(f"1*{PIN}*{PIN}", "CON CAPP"),
)


def send_money(payee: str, shillings: int) -> tuple[Turn, ...]:
    """The six turns of a payment by a caller we know."""
    to = f"1*{payee}"
    return (
        Turn("", "CON ", "1. Send money"),  # below how the last payment stands, if there was one
        Turn("1", "CON Number to pay"),
        Turn(to, f"CON To +{payee}"),
        # Between stands the holder's name, unless the operator is late with it.
        Turn(f"{to}*{shillings}", "CON To ", f"+{payee} MTN MoMo"),
        Turn(f"{to}*{shillings}*1", "CON Pay KES"),
        Turn(f"{to}*{shillings}*1*{PIN}", "END "),
    )


# The callers, in a process of their own.


class Task(NamedTuple):
    """What the callers' process is to do."""

    ussd_url: str
    database_url: str
    seconds: float
    phones: int
    in_flight: int


class Line(asyncio.Protocol):
    """One keep-alive connection of the gateway; one request at a time."""

    def __init__(self) -> None:
        self._transport: Any = None
        self._received = b""
        self._answer: asyncio.Future[bytes] | None = None

    async def post(self, head: bytes, body: bytes) -> bytes:
        """The body of the answer. Raises Void unless it is a 200."""
        self._received, self._answer = b"", asyncio.get_running_loop().create_future()
        self._transport.write(b"%sContent-Length: %d\r\n\r\n%s" % (head, len(body), body))
        return await self._answer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, complete, body = self._received.partition(b"\r\n\r\n")
        if not complete or len(body) < _content_length(head) or self._answer is None:
            return
        if head.startswith(b"HTTP/1.1 200"):
            self._answer.set_result(body)
        else:
            self._answer.set_exception(Void(f"{head.splitlines()[0]!r} {body!r}"))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(Void(f"the server hung up: {exc}"))

    def close(self) -> None:
        self._transport.close()


def _content_length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0


class Callers:
    """Phones that dial, and the count of what they were promised."""

    def __init__(self, task: Task, database: Any) -> None:
        self._database = database
        self._in_flight_max = task.in_flight
        self._phones = [f"+2547120{number:05d}" for number in range(task.phones)]
        address = urlsplit(task.ussd_url)
        self._host, self._port = address.hostname or "", address.port or 80
        self._turn_head = _head(address.path)
        self._end_head = _head(f"{address.path}/end")
        self._lines: list[Line] = []
        self._sessions = 0
        self._in_flight = 0  # as last seen in the database, and what was confirmed since
        self.confirmed = 0

    async def connect(self) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(LINES):
            _, line = await loop.create_connection(Line, self._host, self._port)
            self._lines.append(line)

    def close(self) -> None:
        for line in self._lines:
            line.close()

    async def register(self) -> None:
        """Every phone's first dial."""
        waiting = iter(self._phones)

        async def on(line: Line) -> None:
            for phone in waiting:
                await self._dial(line, phone, FIRST_DIAL, "Incomplete")

        await self._on_all_lines(on)

    async def pay(self, *, until: float = float("inf"), most: int | None = None) -> None:
        """Payments on all lines until the moment, or the number, then until none is in flight."""
        looking = asyncio.create_task(self._look())
        goal = None if most is None else self.confirmed + most

        async def on(line: Line) -> None:
            while time.perf_counter() < until and (goal is None or self.confirmed < goal):
                if self._in_flight >= self._in_flight_max:
                    await asyncio.sleep(LOOK_SECONDS / 5)
                    continue
                self._in_flight += 1
                number = self.confirmed
                self.confirmed += 1
                phone = self._phones[number % len(self._phones)]
                shillings = SHILLINGS[number % len(SHILLINGS)]
                turns = send_money(f"2567720{number % len(self._phones):05d}", shillings)
                await self._dial(line, phone, turns, "Success")

        try:
            await self._on_all_lines(on)
        finally:
            looking.cancel()
            await asyncio.wait([looking])  # it may be in the middle of its question
        await self._settled()

    async def _on_all_lines(self, work: Callable[[Line], Awaitable[None]]) -> None:
        """Every line to its end; then the first failure, if there was one, is raised."""
        ends = await asyncio.gather(*map(work, self._lines), return_exceptions=True)
        for failure in filter(None, ends):
            raise failure

    async def _look(self) -> None:
        """A payment that is not over has a deadline, and an index of those is small."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self._in_flight = await self._database.fetchval(
                "select count(*) from payment where due is not null"
            )

    async def _settled(self) -> None:
        """All paid, all receipts sent, all delivery reports in."""
        give_up_at = time.perf_counter() + SETTLE_SECONDS_MAX
        while time.perf_counter() < give_up_at:
            left = await self._database.fetchval(
                "select (select count(*) from payment where due is not null)"
                " + (select count(*) from outbox)"
                " + abs($1 - (select count(*) from sms_report))", 2 * self.confirmed,
            )  # fmt: skip
            if left == 0:
                return
            await asyncio.sleep(LOOK_SECONDS)
        raise Void(f"{left} payments, receipts or reports were still on their way after a minute")

    async def _dial(self, line: Line, phone: str, turns: Sequence[Turn], status: str) -> None:
        """One session, turn by turn, then the gateway's notice of its end."""
        self._sessions += 1
        session_id = f"ATUid_{self._sessions:032x}"
        who = f"sessionId={session_id}&serviceCode={quote_plus(SHORTCODE)}"
        who += f"&phoneNumber={quote_plus(phone)}&networkCode={NETWORK}"
        for turn in turns:
            asked = f"{who}&text={quote_plus(turn.typed)}".encode()
            reply = (await line.post(self._turn_head, asked)).decode()
            if not reply.startswith(turn.begins) or turn.holds not in reply:
                raise Void(f"a turn was answered {reply!r}, not {turn.begins!r}...{turn.holds!r}")
        end = f"{who}&date=2026-11-21+09%3A00%3A00&status={status}&cost=KES+1.0000"
        end += f"&durationInMillis=9000&hopsCount={len(turns)}&input={quote_plus(turns[-1].typed)}"
        await line.post(self._end_head, f"{end}&lastAppResponse=END".encode())


def _head(path: str) -> bytes:
    return (
        f"POST {path} HTTP/1.1\r\nHost: capp\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    ).encode()


async def call(task: Task) -> None:
    """Register and warm up, say so, wait for the word, pay, tell how many and how long."""
    database = await asyncpg.connect(task.database_url)
    callers = Callers(task, database)
    await callers.connect()
    await callers.register()
    await callers.pay(most=WARM_PAYMENTS)
    say_to_parent("warm")
    hear_from_parent()
    before, began = callers.confirmed, time.perf_counter()
    await callers.pay(until=began + task.seconds)
    say_to_parent((callers.confirmed - before, callers.confirmed, time.perf_counter() - began))
    hear_from_parent()
    callers.close()
    await database.close()


# The run.


class Options(NamedTuple):
    """How much is run."""

    seconds: float = SECONDS
    phones: int = PHONES
    in_flight: int = IN_FLIGHT
    profiles: str = ""  # a folder for `web.prof` and `worker.prof`; the figures are void then


class Row(NamedTuple):
    """One measured run: CPU in milliseconds a payment, of each program."""

    payments: int
    per_second: float
    web_ms: float
    worker_ms: float
    postgres_ms: float
    redis_ms: float
    sandboxes_ms: float
    bare_ms: float
    others_cores: float
    loop_ms: float

    @property
    def ours_ms(self) -> float:
        return self.web_ms + self.worker_ms


PROGRAMS = ("web", "worker", "postgres", "redis", "sandboxes")
PROFILED = ("web", "worker")
PROFILING = Path(__file__).parent / "profiling"


def run(options: Options) -> Section:
    """Start everything, pay, compare all books, stop everything. Raises Void."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Stack.start(
            Path(folder),
            operators=("mpesa_ke", "mtn_ug"),
            approval="approve",
            environment={**ENVIRONMENT, **_profiling(options.profiles)},
        ) as stack,
        Driver("tests.bench.payments", "call") as callers,
    ):
        pids = json.loads((stack.folder / "demo.json").read_text())["pids"]
        how_much = (options.seconds, options.phones, options.in_flight)
        callers.tell(Task(stack.places.ussd_url, stack.database_url, *how_much))
        callers.listen()
        before, busy = _cpu(pids), machine_busy_seconds()
        with Pace() as pace, _profiled(options.profiles, pids):
            callers.tell("go")
            payments, confirmed, seconds = callers.listen()
        after, busy = _cpu(pids), machine_busy_seconds() - busy
        callers.tell("end")
        stack.check()
        asyncio.run(check(stack, confirmed))
        bare_us = uvloop.run(measure_bare(stack.redis_url, stack.database_url))
    used = {name: after[name] - before[name] for name in PROGRAMS}
    each = {f"{name}_ms": used[name] / payments * 1000 for name in PROGRAMS}
    others = max(busy - sum(used.values()), 0) / seconds
    each["bare_ms"] = REQUESTS * bare_us / 1000
    return section(
        Row(payments, payments / seconds, others_cores=others, loop_ms=pace.loop_ms, **each)
    )


def _profiling(folder: str) -> dict[str, str]:
    """What has a program load `profiling/sitecustomize.py`."""
    if not folder:
        return {}
    Path(folder).mkdir(parents=True, exist_ok=True)
    paths = [str(PROFILING), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {"BENCH_PROFILES": folder, "PYTHONPATH": os.pathsep.join(paths)}


@contextmanager
def _profiled(folder: str, pids: Mapping[str, int]) -> Iterator[None]:
    if not folder:
        yield
        return
    for name in PROFILED:
        os.kill(pids[name], signal.SIGUSR1)
    yield
    for name in PROFILED:
        os.kill(pids[name], signal.SIGUSR1)
        written = Path(folder) / f"{pids[name]}.prof"
        while not written.exists():
            time.sleep(LOOK_SECONDS)
        written.rename(written.with_name(f"{name}.prof"))


def _cpu(pids: Mapping[str, int]) -> dict[str, float]:
    return {
        name: family_cpu_seconds(pids[name]) if name == "postgres" else cpu_seconds(pids[name])
        for name in PROGRAMS
    }


async def check(stack: Stack, confirmed: int) -> None:
    """The same story everywhere: who paid, who was paid, how much, and who was told.

    Raises Void.
    """
    connection, places = await asyncpg.connect(stack.database_url), stack.places
    try:
        await assert_books(connection)
        seals = await read_ring(stack, connection)
        rows = await connection.fetch(
            "select p.id, p.state, j.facts from payment p join journal j on j.payment = p.id"
            " and j.version = 1 where j.facts is not null"
        )
        cases = await connection.fetchval("select count(*) from case_file")
    except AssertionError as error:
        raise Void(str(error)) from error
    finally:
        await connection.close()
    _same("payments by state", Counter(r["state"] for r in rows), {State.PAID: confirmed})
    _same("cases", cases, 0)
    quotes = [read_terms(open_terms(r["facts"], seals, r["id"].hex)).quote for r in rows]
    collected = Counter((q.payer.removeprefix("+"), q.total.minor) for q in quotes)
    paid_out = Counter((q.payee.removeprefix("+"), q.receives.minor) for q in quotes)
    told = Counter(number for q in quotes for number in (q.payer, q.payee))
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        mpesa = await _movements(client, places.operators["mpesa_ke"], "collection")
        mtn = await _movements(client, places.operators["mtn_ug"], "disbursement")
        inboxes = await client.get(f"{places.gateway}/_sandbox/sms")
    _same("collections in M-PESA", mpesa, collected)
    _same("disbursements in MTN", mtn, paid_out)
    _same("receipts", Counter(sms["to"] for sms in inboxes.json()["messages"]), told)


async def _movements(client: httpx.AsyncClient, url: str, kind: str) -> Counter[tuple[str, int]]:
    """Who and how much, as the operator booked it. Raises Void when it booked anything else."""
    movements = (await client.get(f"{url}/_sandbox/ledger")).json()["movements"]
    if any(movement["kind"] != kind for movement in movements):
        raise Void(f"{url} booked something else than a {kind}")
    return Counter((m["msisdn"], m["amount_minor"]) for m in movements)


def _same(what: str, found: Mapping[Any, int] | int, expected: Mapping[Any, int] | int) -> None:
    if found == expected:
        return
    if isinstance(found, Counter) and isinstance(expected, Counter):
        more, fewer = found - expected, expected - found
        raise Void(f"{what}: {more.total()} nobody knows of, {fewer.total()} missing")
    raise Void(f"{what}: found {found}, expected {expected}")


# The table.


def section(row: Row) -> Section:
    header = (
        "(c) one payment over HTTP", "CPU ms web + worker", "to bare", "web", "worker", "Postgres",
        "Redis", "sandboxes", "payments/s", "payments", "others' cores", "loop ms",
    )  # fmt: skip
    cells = (
        "dial to receipts",
        f"{row.ours_ms:.2f}",
        f"{row.ours_ms / row.bare_ms:.2f}",
        f"{row.web_ms:.2f}",
        f"{row.worker_ms:.2f}",
        f"{row.postgres_ms:.2f}",
        f"{row.redis_ms:.2f}",
        f"{row.sandboxes_ms:.2f}",
        f"{row.per_second:,.0f}",
        f"{row.payments:,}",
        f"{row.others_cores:.2f}",
        f"{row.loop_ms:.1f}",
    )
    everything = row.ours_ms + row.postgres_ms + row.redis_ms
    return Section(
        header,
        (cells,),
        (
            "six USSD turns, the end notice, the payee's name, the operator calls with their"
            " callbacks and proofs, two SMS and their reports",
            f"ceiling of web, worker, Postgres and Redis on {CORES} cores:"
            f" {CORES * 1000 / everything:,.0f} payments/s",
            f"bare: {row.bare_ms:.2f} ms, {REQUESTS} requests to an app that answers a constant"
            " after one Redis round trip, and nothing else",
            f"goal: at most {GOAL_MS} ms of web + worker; all books and inboxes compared",
        ),
    )


async def _call() -> None:
    await call(Task(*hear_from_parent()))


BENCH = Bench(
    module="tests.bench.payments",
    about=__doc__,
    options=Options,
    run=lambda options: run(options).written(),
    children={"call": _call},
)


if __name__ == "__main__":
    sys.exit(main(BENCH, sys.argv[1:]))

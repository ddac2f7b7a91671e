"""What an authenticated, idempotent POST /payments/send costs beyond the payment's own commit.

    python -m tests.bench.api [--payments N] [--rounds N] [--seconds N]

One process serves the API over real sockets; the same process, in turns, prices and confirms
payments without any of it. What is left between the two is the key, the limits, reading, hashing,
HTTP and the answer. CPU is the serving process's own. Void unless every payment is made once, a
repeat is answered byte for byte, and the books balance.

Full load is what the process sustains: as many payments as it answers while it asks the operators
for those of three seconds ago. At half of that payments come at random moments, whether earlier
ones were answered or not; each one's time counts from the moment it was due.
"""

import asyncio
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
import uvicorn
from starlette.applications import Starlette

from channels.api.serving import short_routes
from channels.api.v1 import PREFIX
from channels.app import Shared
from channels.commands.serving import SERVED
from channels.guards import Edges, Guards
from channels.processes import tune_collector
from channels.web.doors import Doors
from channels.web.limits import Limits
from channels.web.server import Bounds
from engine.clock import Clock, Ids
from engine.money import Money
from engine.msisdn import Msisdn
from engine.schema import migrate
from engine.session.pipeline import open_pipeline
from simulator import embedded
from tests.bench.command import Bench, main
from tests.bench.table import (
    Driver,
    Pace,
    Section,
    Void,
    hear_from_parent,
    percentile_ms,
    say_to_parent,
)
from tests.integration.books import assert_books
from tests.integration.client_room import ClientRoom, open_client_room

PAYMENTS = 1_000
ROUNDS = 3
IN_FLIGHT = 24
MINOR = 10_000
GOAL_US = 1_000
GOAL_P99_MS = 50
LOAD = 0.5
SECONDS = 6.0
STEADY_SECONDS = 5.0
"""After so long a load is what it will stay: a payment's operator is asked after three seconds."""
PER_SECOND_MAX = 2_000
"""So many customers there are for each second."""
PLENTY: dict[str, Any] = {
    f"CAPP_API_CLIENT_{name}": "100000000"
    for name in (
        "ADDRESS_PER_MINUTE",
        "KEY_PER_MINUTE",
        "TENANT_PER_MINUTE",
        "PAYER_PER_10_MINUTES",
    )
}


class Options(NamedTuple):
    """How much is run."""

    payments: int = PAYMENTS  # of each round
    rounds: int = ROUNDS
    seconds: float = SECONDS  # at full load, and at half, once it is steady


class Cost(NamedTuple):
    """CPU of the serving process, in microseconds a payment; times in milliseconds."""

    commit_us: float
    api_us: float
    p50_ms: float
    p99_ms: float

    @property
    def beyond_us(self) -> float:
        return self.api_us - self.commit_us


class HalfLoad(NamedTuple):
    """Payments that wait for nobody. Times from when each was due; `late`: to when it left."""

    full: float  # a second, sustained
    per_second: float
    p50_ms: float
    p99_ms: float
    longest_ms: float
    late_p99_ms: float


def number(country: int, serial: int) -> str:
    """A number of a customer's own: `+254712000017`, `+256772000017`."""
    return f"+{country}{'71' if country == 254 else '77'}{serial:07d}"


# The serving process.


async def serve(database_url: str, redis_url: str) -> None:
    """Serve the API, confirm without it when told to, until the parent is gone."""
    pipeline = open_pipeline(redis_url)
    limits = Limits(pipeline, key=b"k" * 16)
    async with open_client_room(database_url, limits=limits, **PLENTY) as room:
        tune_collector()
        config = uvicorn.Config(as_served(room.app), port=0, timeout_keep_alive=600, **SERVED)
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve())
        while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        say_to_parent({"port": port, "key": room.texts["shop"]})
        while (told := await asyncio.to_thread(hear_from_parent)) is not None:
            if told["do"] == "confirm":
                await _all(told["from"], told["to"], lambda n: _confirm(room, n))
            await room.engine.dispatcher.idle()
            say_to_parent(time.process_time())
        server.should_exit = True
        await serving
    await pipeline.aclose()


def as_served(app: Starlette) -> Guards:
    """As the product puts it together: guards before the routes, and the short way past both."""
    edges = Edges()
    guards = Guards(app, edges, Ids(Clock()).hex)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[Shared]:
        doors = Doors()
        doors.open(short_routes(app.routes), guards.lets_through)
        yield {"doors": doors, "bounds": Bounds(headers=edges.lines)}

    app.router.lifespan_context = lifespan
    return guards


async def _confirm(room: ClientRoom, serial: int) -> None:
    payments = room.engine.payments
    payer = await room.engine.customers.find(Msisdn(number(254, serial)))
    assert payer is not None
    quote = await payments.selling.quote(
        payer=payer, network="", payee=Msisdn(number(256, serial)), amount=Money(MINOR, "KES")
    )
    confirmed = await payments.confirming.confirm(payer=payer, quote=quote, key=f"bench:{serial}")
    if not confirmed.fresh:
        raise Void("a payment was made twice")


async def _all(first: int, behind: int, work: Callable[[int], Awaitable[None]]) -> None:
    """So many at once, each begun when one is done."""
    serials = iter(range(first, behind))

    async def one_after_another() -> None:
        for serial in serials:
            await work(serial)

    await asyncio.gather(*(one_after_another() for _ in range(IN_FLIGHT)))


# The side that asks.


class Line:
    """One keep-alive connection of a client's server; one request at a time."""

    def __init__(self, port: int, key: str) -> None:
        self._port = port
        self._head = (
            f"POST {PREFIX}/payments/send HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"Authorization: Bearer {key}\r\nContent-Type: application/json\r\n"
        )
        self._streams: Any = None

    async def send(self, serial: int) -> bytes:
        """The body of the answer. Raises Void unless it is a 201."""
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        body = json.dumps(
            {
                "payer": number(254, serial), "payee": number(256, serial),
                "amount": {"minor": MINOR, "currency": "KES"},
            }
        )  # fmt: skip
        own = f"Idempotency-Key: order-{serial:08d}\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write((self._head + own + body).encode())
        head: bytes = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        answer: bytes = await reader.readexactly(length)
        if not head.startswith(b"HTTP/1.1 201"):
            raise Void(f"{head.splitlines()[0]!r} {answer!r}")
        return answer

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()


async def _sustained(lines: list[Line], first: int, seconds: float) -> tuple[float, int]:
    """How many a second, with as many at once as there are lines; and the next serial number."""
    loop, serials, answered = asyncio.get_running_loop(), count(first), 0
    steady = loop.time() + STEADY_SECONDS
    ends = steady + seconds

    async def one_after_another(line: Line) -> None:
        nonlocal answered
        while loop.time() < ends:
            await line.send(next(serials))
            answered += steady <= loop.time() < ends

    await asyncio.gather(*(one_after_another(line) for line in lines))
    return answered / seconds, next(serials)


async def _ask(lines: list[Line], first: int, behind: int) -> list[float]:
    loop, times = asyncio.get_running_loop(), []
    serials = iter(range(first, behind))

    async def one_after_another(line: Line) -> None:
        for serial in serials:
            began = loop.time()
            await line.send(serial)
            times.append(loop.time() - began)

    await asyncio.gather(*(one_after_another(line) for line in lines))
    return times


class Open:
    """Sends each payment when it is due, on a line that is free or a new one."""

    def __init__(self, port: int, key: str, lines: list[Line]) -> None:
        self._port = port
        self._key = key
        self._idle = lines
        self._chance = random.Random(7)
        self._took: list[float] = []
        self._late: list[float] = []

    async def run(self, first: int, full: float, seconds: float) -> tuple[HalfLoad, int]:
        """What came of it, of those due once the load was steady; and the next serial number."""
        loop, serials, per_second = asyncio.get_running_loop(), count(first), LOAD * full
        due = loop.time()
        self._steady = due + STEADY_SECONDS
        ends = self._steady + seconds
        async with asyncio.TaskGroup() as sending:
            while (due := due + self._chance.expovariate(per_second)) < ends:
                await asyncio.sleep(max(0.0, due - loop.time()))
                sending.create_task(self._send(next(serials), due))
        half = HalfLoad(
            full, per_second, percentile_ms(self._took, 0.5), percentile_ms(self._took, 0.99),
            percentile_ms(self._took, 1.0), percentile_ms(self._late, 0.99),
        )  # fmt: skip
        return half, next(serials)

    async def _send(self, serial: int, due: float) -> None:
        loop = asyncio.get_running_loop()
        line = self._idle.pop() if self._idle else Line(self._port, self._key)
        left = loop.time()
        await line.send(serial)
        if due >= self._steady:
            self._late.append(left - due)
            self._took.append(loop.time() - due)
        self._idle.append(line)


def run(options: Options) -> Section:
    """Both ways in turns, the median of the rounds. Raises Void."""
    with tempfile.TemporaryDirectory() as folder:
        postgres = embedded.start_postgres(
            Path(folder) / "postgres", settings={"max_wal_size": "4GB"}
        )
        redis = embedded.start_redis(Path(folder) / "redis")
        try:
            migrate(postgres.url)
            with Pace() as pace:
                measured = asyncio.run(_measure(postgres.url, redis.url, options))
            return _section(*measured, pace.loop_ms, options)
        finally:
            redis.stop()
            postgres.stop()


async def _measure(
    database_url: str, redis_url: str, options: Options
) -> tuple[list[Cost], HalfLoad]:
    with Driver("tests.bench.api", "serve", database_url, redis_url) as server:
        told = server.listen()
        connection = await asyncpg.connect(database_url)
        in_rounds = 2 * (options.rounds + 1) * options.payments  # the first round warms up
        at_load = 2 * PER_SECOND_MAX * (STEADY_SECONDS + options.seconds)
        await connection.execute(
            "insert into customer (id, tenant, msisdn, country, language, tier, created_at)"
            " select gen_random_uuid(), 1, '+25471' || lpad(n::text, 7, '0'), 'KE', 'en', 0, now()"
            " from generate_series(1, $1) n on conflict do nothing",
            in_rounds + int(at_load),
        )
        lines = [Line(told["port"], told["key"]) for _ in range(IN_FLIGHT)]
        costs, serial = [], 1
        for _ in range(options.rounds + 1):
            costs.append(await _one_round(server, lines, serial, options.payments))
            serial += 2 * options.payments
        full, serial = await _sustained(lines, serial, options.seconds)
        _cpu_after(server, {"do": "rest"})
        half, serial = await Open(told["port"], told["key"], lines).run(
            serial, full, options.seconds
        )
        _cpu_after(server, {"do": "rest"})
        await _check(lines[0], connection, serial - 1)
        for line in lines:
            line.close()
        await connection.close()
    return costs[1:], half


async def _one_round(server: Driver, lines: list[Line], serial: int, payments: int) -> Cost:
    began = _cpu_after(server, {"do": "rest"})
    between = _cpu_after(server, {"do": "confirm", "from": serial, "to": serial + payments})
    times = await _ask(lines, serial + payments, serial + 2 * payments)
    ended = _cpu_after(server, {"do": "rest"})
    return Cost(
        (between - began) * 1e6 / payments, (ended - between) * 1e6 / payments,
        percentile_ms(times, 0.5), percentile_ms(times, 0.99),
    )  # fmt: skip


def _cpu_after(server: Driver, word: dict[str, Any]) -> float:
    """Seconds of the serving process once it has done that and nothing is in flight."""
    server.tell(word)
    told: float = server.listen()
    return told


async def _check(line: Line, connection: Any, last: int) -> None:
    """Serial numbers are payments, from one to the last."""
    made = "select count(*) from payment where customer is not null"
    if await connection.fetchval(made) != last:
        raise Void("not as many payments as were asked for")
    if await line.send(last) != await line.send(last) or await connection.fetchval(made) != last:
        raise Void("a repeat was not the same")
    await assert_books(connection)


def _section(costs: list[Cost], half: HalfLoad, loop_ms: float, options: Options) -> Section:
    commit_us, api_us = (
        statistics.median(getattr(cost, name) for cost in costs) for name in ("commit_us", "api_us")
    )
    beyond = statistics.median(cost.beyond_us for cost in costs)
    p50, p99 = (
        statistics.median(getattr(cost, name) for cost in costs) for name in ("p50_ms", "p99_ms")
    )
    return Section(
        ("(m) POST /payments/send", "CPU us", "to commit", "p50 ms", "p99 ms", "loop ms"),
        (
            ("price and commit alone", f"{commit_us:.0f}", "1.00", "", "", f"{loop_ms:.1f}"),
            ("over the API", f"{api_us:.0f}", f"{api_us / commit_us:.2f}", f"{p50:.1f}",
             f"{p99:.1f}", ""),
            ("beyond the commit", f"{beyond:.0f}", f"{beyond / commit_us:.2f}", "", "", ""),
            (f"at half of {half.full:.0f}/s", "", "", f"{half.p50_ms:.1f}", f"{half.p99_ms:.1f}",
             ""),
        ),
        (
            f"Goal: {GOAL_US} us beyond the commit. {options.payments} payments a round,"
            f" {IN_FLIGHT} at once; times of the first rows at full load.",
            f"Half load: goal p99 {GOAL_P99_MS} ms; longest {half.longest_ms:.1f}, driver late"
            f" {half.late_p99_ms:.1f} (p99).",
        ),
    )  # fmt: skip


BENCH = Bench(
    "tests.bench.api",
    __doc__.split("\n")[0],
    Options,
    lambda options: run(options).written(),
    {"serve": serve},
)

if __name__ == "__main__":
    sys.exit(main(BENCH, sys.argv[1:]))

"""CPU per USSD turn of whole sessions, beside the bare limit in the same run.

    python -m tests.bench.ussd [--sessions N] [--repeats N]

The bare limit is a Starlette app that answers a constant after one plain Redis round trip, under
plain uvicorn (uvloop, httptools). Turns are taken twice: under that same uvicorn, through all of
Starlette (`routed`), and as the product serves them, by its short way to the doors (`turns`). Each
server is a process of its own, driven over raw sockets by this one. CPU is the figure: user and
system time of the server, all threads, over the turns. The run is void if one reply is wrong.
"""

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote_plus

import redis.asyncio
import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from channels.doors import Doors
from channels.server import Connection
from channels.ussd import ussd_routes
from engine.clock import Clock, Ids
from engine.customers.pins import PinKeys
from engine.customers.store import Customers
from engine.database import open_pool
from engine.msisdn import Msisdn
from engine.schema import migrate
from engine.session.actions import Actions
from engine.session.pipeline import open_pipeline
from engine.session.session import Seal
from engine.session.store import SessionStore
from engine.session.turn import TurnTaker
from providers.africastalking import AfricasTalkingUssd
from simulator import embedded
from tests.unit.session.rooms import MENU, NETWORKS, SHORTCODE, TEXTS, MemoryPayments

CONNECTIONS = 64
PHONES = 1_000
TOKEN = "b" * 32
PIN = "4826"
PATH = f"/ussd/africastalking/{TOKEN}"
PIN_KEYS = PinKeys({1: b"p" * 32})
CONSTANT = "CON ok"
TURNS = (
    ("", "CON CAPP - send money"),
    ("1", "CON Number to pay"),
    ("1*256772000002", "CON To +256772000002"),
    ("1*256772000002*1000", "CON To +256772000002 MTN MoMo"),
    ("1*256772000002*1000*1", "CON Pay KES 1,010"),
    (f"1*256772000002*1000*1*{PIN}", "END CAPP"),
)
"""A whole session of a known caller: what is typed so far, and how the reply begins."""


class Row(NamedTuple):
    """One measured run. Times are microseconds of CPU per turn."""

    name: str
    server_us: float
    redis_us: float
    postgres_us: float
    turns_per_second: float


class Void(RuntimeError):
    """A reply was wrong: the figures mean nothing."""


# The servers.


def turns_app(redis_url: str, database_url: str) -> Starlette:
    """The real door, sessions and customers; payments in memory."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[dict[str, Doors]]:
        clock, seal = Clock(), Seal(b"s" * 32)
        ids = Ids(clock)
        pool, pipeline = await open_pool(database_url), open_pipeline(redis_url)
        customers = Customers(pool, 1, PIN_KEYS, ids, clock)
        turns = TurnTaker(
            menu=MENU,
            texts=TEXTS,
            networks=NETWORKS,
            store=SessionStore(pipeline),
            actions=Actions(customers=customers, payments=MemoryPayments(ids, clock), seal=seal),
            seal=seal,
            ids=ids,
            shortcodes=[SHORTCODE],
        )
        doors = ussd_routes(AfricasTalkingUssd(), turns, TOKEN)
        app.router.routes.extend(doors)
        yield {"doors": Doors(doors)}
        await pipeline.aclose()
        await pool.close()

    return Starlette(lifespan=lifespan)


def bare_app(redis_url: str, _: str) -> Starlette:
    """One plain Redis round trip and a constant."""
    client = redis.asyncio.Redis.from_url(redis_url)

    async def answer(request: Request) -> PlainTextResponse:
        await request.body()
        await client.get("constant")
        return PlainTextResponse(CONSTANT)

    return Starlette(routes=[Route(PATH, answer, methods=["POST"])])


class Served(NamedTuple):
    """An application, and what reads its sockets: `httptools` is uvicorn's own."""

    app: Callable[[str, str], Starlette]
    http: Any = "httptools"


SERVERS = {
    "bare": Served(bare_app),
    "routed": Served(turns_app),
    "turns": Served(turns_app, Connection),
}


def serve(name: str, port: int, redis_url: str, database_url: str) -> None:
    """Run one of the servers until it is told to stop."""
    served = SERVERS[name]
    uvicorn.run(
        served.app(redis_url, database_url),
        host="127.0.0.1",
        port=port,
        loop="uvloop",
        http=served.http,
        log_level="error",
        access_log=False,
    )


# The load.


class Phone(asyncio.Protocol):
    """One connection that plays session after session, one request at a time."""

    def __init__(self, load: "Load") -> None:
        self._load = load
        self._reply = b""
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._next_session()

    def data_received(self, data: bytes) -> None:
        self._reply += data
        head, found, body = self._reply.partition(b"\r\n\r\n")
        if not found or len(body) < _length(head):
            return
        self._reply = b""
        if not self._load.accept(self._turn, head, body):
            self._fail(f"turn {self._turn} of {self._session}: {head[:40]!r} {body!r}")
        elif self._turn + 1 < len(TURNS):
            self._turn += 1
            self._transport.write(self._load.request(self._turn, *self._session))
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
        self._session, self._turn = session, 0
        self._transport.write(self._load.request(0, *session))

    def _fail(self, why: str) -> None:
        self.done.set_exception(Void(why))
        self._transport.close()


class Load:
    """Hands out sessions and knows what each turn must be answered with."""

    def __init__(self, name: str, phones: list[Msisdn], sessions: int, first: int) -> None:
        expected = [CONSTANT] * len(TURNS) if name == "bare" else [reply for _, reply in TURNS]
        self._expected = [reply.encode() for reply in expected]
        self._texts = [quote_plus(text) for text, _ in TURNS]
        self._numbers = [quote_plus(phone) for phone in phones]
        self._sessions = iter(range(first, first + sessions))

    def next_session(self) -> tuple[str, str] | None:
        """Session id and phone number, or None when all were played."""
        number = next(self._sessions, None)
        if number is None:
            return None
        return f"ATUid_{number:032x}", self._numbers[number % len(self._numbers)]

    def request(self, turn: int, session_id: str, number: str) -> bytes:
        body = (
            f"sessionId={session_id}&serviceCode={quote_plus(SHORTCODE)}&phoneNumber={number}"
            f"&networkCode=63902&text={self._texts[turn]}"
        )
        return (
            f"POST {PATH} HTTP/1.1\r\nHost: capp\r\n"
            "Content-Type: application/x-www-form-urlencoded\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}"
        ).encode()

    def accept(self, turn: int, head: bytes, body: bytes) -> bool:
        return head.startswith(b"HTTP/1.1 200") and body.startswith(self._expected[turn])


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line[15:])
    return 0


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


async def register(database_url: str) -> list[Msisdn]:
    """Known callers, so that a session goes straight to the menu."""
    clock = Clock()
    pool = await open_pool(database_url)
    customers = Customers(pool, 1, PIN_KEYS, Ids(clock), clock)
    phones = [Msisdn(f"+2547120{number:05d}") for number in range(PHONES)]
    await asyncio.gather(*(customers.register(phone, "KE", "en", PIN) for phone in phones))
    await pool.close()
    return phones


async def measure(
    name: str,
    phones: list[Msisdn],
    sessions: int,
    first: int,
    postgres: embedded.Server,
    store: embedded.Server,
) -> Row:
    """One server, warmed up, under load. Raises Void."""
    with server(name, store.url, postgres.url) as (process, port):
        await _until_open(port)
        await play(Load(name, phones, CONNECTIONS * 3, first), port)
        pids = [[process.pid], [store.pid], [postgres.pid, *_children(postgres.pid)]]
        before, began = [_cpu_seconds(group) for group in pids], time.perf_counter()
        await play(Load(name, phones, sessions, first + 50_000), port)
        wall = time.perf_counter() - began
        used = [_cpu_seconds(group) - b for group, b in zip(pids, before, strict=True)]
    count = sessions * len(TURNS)
    server_us, redis_us, postgres_us = (seconds / count * 1e6 for seconds in used)
    return Row(name, server_us, redis_us, postgres_us, count / wall)


@contextmanager
def server(
    name: str, redis_url: str, database_url: str
) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    port = embedded.free_port()
    command = [sys.executable, "-m", "tests.bench.ussd", "serve", name, str(port)]
    process = subprocess.Popen([*command, redis_url, database_url])
    try:
        yield process, port
    finally:
        process.terminate()
        process.wait(10)


async def _until_open(port: int) -> None:
    for _ in range(200):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.1)
        else:
            writer.close()
            return
    raise Void("the server did not start")


def _cpu_seconds(pids: list[int]) -> float:
    """User and system time of processes, from the fields 14 and 15 of proc(5) stat."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _children(pid: int) -> list[int]:
    return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def ratio(rows: list[Row], name: str = "turns") -> float:
    """The best run of a server over the best run of the bare app; the goal is at most 1."""
    best = {name: min(row.server_us for row in rows if row.name == name) for name in SERVERS}
    return best[name] / best["bare"]


def table(rows: list[Row]) -> str:
    lines = [
        "| (a) one USSD turn | server CPU | Redis | Postgres | turns/s |",
        "| --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {row.name} | {row.server_us:.0f} us | {row.redis_us:.0f} us "
        f"| {row.postgres_us:.0f} us | {row.turns_per_second:,.0f} |"
        for row in rows
    ]
    told = f"turns / bare, best of each: {ratio(rows):.2f} (goal: at most 1)"
    return "\n".join([*lines, f"{told}; routed / bare: {ratio(rows, 'routed'):.2f}"])


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["serve"]:
        name, port, redis_url, database_url = arguments[1:]
        serve(name, int(port), redis_url, database_url)
        return 0
    parser = argparse.ArgumentParser(prog="tests.bench.ussd")
    parser.add_argument("--sessions", type=int, default=1_500)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args(arguments)
    rows = uvloop.run(run(options.sessions, options.repeats))
    sys.stdout.write(table(rows) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

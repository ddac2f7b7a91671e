"""The servers that the benches of turns drive, each its own process, and how they are spoken to.

    python -m tests.bench.ussd_servers NAME PORT REDIS_URL DATABASE_URL

`bare` answers a constant after one plain Redis round trip; `turns` and `routed` take turns with the
real door, sessions, editions, statistics and customers, and payments in memory.
"""

import asyncio
import gc
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import quote_plus

import redis.asyncio
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from channels.guards import Edges, Guards
from channels.turns import WATCH_SECONDS
from channels.ussd import ussd_routes
from channels.web.dials import Dials
from channels.web.doors import Doors
from channels.web.limits import Limits
from channels.web.server import Bounds, Connection
from engine.clock import Clock, CustomerId, Ids
from engine.customers.pins import PinKeys
from engine.customers.store import Customers
from engine.database import open_pool
from engine.menu.bundle import read_bundle
from engine.money import Money
from engine.msisdn import Msisdn
from engine.payments.views import PaymentSummary
from engine.session.actions import build_verbs
from engine.session.drops import Drops
from engine.session.editions import Binder, Editions, RedisShelf
from engine.session.names import OperatorNames
from engine.session.pipeline import open_pipeline
from engine.session.press import Verb
from engine.session.rooms import Words
from engine.session.session import Seal
from engine.session.steps import LateWork
from engine.session.store import SessionStore
from engine.session.turn import TurnTaker
from providers.africastalking import AfricasTalkingUssd
from simulator import embedded
from tests.bench.table import Void
from tests.unit.session.rooms import MENUS, RECORD_SEAL, SHORTCODE, MemoryPayments

PHONES = 1_000
TOKEN = "b" * 32
PIN = "4826"
PATH = f"/ussd/africastalking/{TOKEN}"
PIN_KEYS = PinKeys({1: b"p" * 32})
CONSTANT = b"CON ok"
DIALS_MAX = 1_000_000_000
"""Counted as in the product; nobody here is sent away."""
PAYEE = "256772000002"


class Asked(NamedTuple):
    """One callback of a dialogue: what is typed so far, or "end", and how the reply begins."""

    text: str
    reply: bytes


END = "end"
PAYING = (
    Asked("", b"CON CAPP"),
    Asked("1", b"CON Number to pay"),
    Asked(f"1*{PAYEE}", b"CON To +256772000002"),
    Asked(f"1*{PAYEE}*1000", b"CON To +256772000002 MTN MoMo"),
    Asked(f"1*{PAYEE}*1000*1", b"CON Pay KES 1,010"),
    Asked(f"1*{PAYEE}*1000*1*{PIN}", b"END CAPP"),
    Asked(END, b""),
)
"""A known caller pays; then the gateway says that the session is over."""
LOOKING = (
    Asked("", b"CON CAPP"),
    Asked("3", b"CON My payments"),
    Asked("3*98", b"CON "),  # the second page
    Asked("3*98*0", b"CON My payments"),
    Asked("3*98*0*0", b"CON CAPP"),
    Asked(END, b""),
)
"""A caller turns the pages of a list and hangs up: a drop."""
DIALOGUES = (PAYING, LOOKING)


class PagedPayments(MemoryPayments):
    """Everybody has paid ten times before, so that there are pages to turn."""

    _earlier = tuple(
        PaymentSummary(
            f"OLD{number:07d}", "paid", Money(50_000 + number, "KES"), Money(13_600, "UGX"),
            Msisdn(f"+{PAYEE}"), datetime(2026, 11, 1, 9, number, tzinfo=UTC), incoming=False,
        )
        for number in range(10)
    )  # fmt: skip

    async def recent_payments(
        self, customer_id: CustomerId, msisdn: Msisdn, most: int = 10
    ) -> list[PaymentSummary]:
        recent = await super().recent_payments(customer_id, msisdn, most)
        return [*recent, *self._earlier][:most]


# The servers.


def turns_app(redis_url: str, database_url: str) -> Starlette:
    """The real door, sessions and customers; payments in memory."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[dict[str, Doors]]:
        clock, seal, late = Clock(), Seal(b"s" * 32), LateWork()
        ids = Ids(clock)
        pool, pipeline = await open_pool(database_url), open_pipeline(redis_url)
        customers = Customers(pool, 1, PIN_KEYS, ids, clock)
        payments = PagedPayments(ids, clock)

        def bind_verbs(words: Words) -> Mapping[str, Verb]:
            return build_verbs(
                customers=customers,
                payments=payments,
                names=OperatorNames({}),
                seal=seal,
                words=words,
            )

        editions = Editions(read_bundle(MENUS), Binder(bind_verbs, late), RedisShelf(pipeline))
        turns = TurnTaker(
            editions=editions,
            late=late,
            store=SessionStore(pipeline, 1, RECORD_SEAL),
            drops=Drops(pipeline, 1),
            seal=seal,
            ids=ids,
            clock=clock,
            shortcodes=[SHORTCODE],
            may_begin=Dials(Limits(pipeline, key=b"l" * 32), DIALS_MAX, lambda _: None).may_begin,
        )
        watch = asyncio.create_task(editions.watch(MENUS, WATCH_SECONDS))
        doors = ussd_routes(AfricasTalkingUssd(), turns, TOKEN)
        app.router.routes.extend(doors)
        gc.collect()
        gc.freeze()
        yield {"doors": Doors(doors)}
        watch.cancel()
        await turns.aclose()
        await pipeline.aclose()
        await pool.close()

    return Starlette(lifespan=lifespan)


def guarded_app(redis_url: str, database_url: str) -> Guards:
    """The same behind the guards, as the product has it."""
    app = turns_app(redis_url, database_url)
    guards, inner = Guards(app, Edges(), Ids(Clock()).hex), app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[Any]:
        async with inner(app) as shared:
            assert shared is not None
            shared["doors"].know_all(app.routes, guards.lets_through)
            yield {**shared, "bounds": Bounds(headers=Edges().lines)}

    app.router.lifespan_context = lifespan
    return guards


def bare_app(redis_url: str, _: str) -> Starlette:
    """One plain Redis round trip and a constant."""
    client = redis.asyncio.Redis.from_url(redis_url)

    async def answer(request: Request) -> PlainTextResponse:
        await request.body()
        await client.get("constant")
        return PlainTextResponse(CONSTANT)

    paths = (PATH, PATH + "/end")
    return Starlette(routes=[Route(path, answer, methods=["POST"]) for path in paths])


class Served(NamedTuple):
    """An application, and what reads its sockets: `httptools` is uvicorn's own."""

    app: Callable[[str, str], ASGIApp]
    http: Any = "httptools"


SERVERS = {
    "bare": Served(bare_app),
    "routed": Served(turns_app),
    "turns": Served(turns_app, Connection),
    "guarded": Served(guarded_app, Connection),
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


@contextmanager
def running(
    name: str, redis_url: str, database_url: str, core: int | None = None
) -> Iterator[tuple[int, int]]:
    """Process id and port of a server that answers; with `core`, it runs on that one alone."""
    port = embedded.free_port()
    command = [sys.executable, "-m", "tests.bench.ussd_servers", name, str(port)]
    process = subprocess.Popen([*command, redis_url, database_url])
    try:
        if core is not None:
            os.sched_setaffinity(process.pid, {core})
        _wait_until_open(port)
        yield process.pid, port
    finally:
        process.terminate()
        process.wait(10)


def _wait_until_open(port: int) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)
    raise Void("the server did not start")


async def register(database_url: str) -> list[Msisdn]:
    """Known callers, so that a session goes straight to the menu."""
    clock = Clock()
    pool = await open_pool(database_url)
    customers = Customers(pool, 1, PIN_KEYS, Ids(clock), clock)
    phones = [Msisdn(f"+2547120{number:05d}") for number in range(PHONES)]
    await asyncio.gather(*(customers.register(phone, "KE", "en", PIN) for phone in phones))
    await pool.close()
    return phones


# How they are spoken to.


def request(asked: Asked, session_id: str, number: str) -> bytes:
    """A callback as the gateway posts it. `number` is quoted already."""
    path, ending = PATH, ""
    text = quote_plus(asked.text)
    if asked.text == END:
        path += "/end"
        ending = "&status=Incomplete&hopsCount=5&durationInMillis=25000&input=&date=2026-11-21"
    body = (
        f"sessionId={session_id}&serviceCode={quote_plus(SHORTCODE)}&phoneNumber={number}"
        f"&networkCode=63902&text={text}{ending}"
    )
    return (
        f"POST {path} HTTP/1.1\r\nHost: capp\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


def whole_body(received: bytes) -> bytes | None:
    """The body of a reply, None while some of it is missing. Raises Void unless it is a 200."""
    head, found, body = received.partition(b"\r\n\r\n")
    if not found or len(body) < _length(head):
        return None
    if not head.startswith(b"HTTP/1.1 200"):
        raise Void(f"{head[:40]!r} {body[:200]!r}")
    return body


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line[15:])
    return 0


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]), *sys.argv[3:])

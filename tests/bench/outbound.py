"""CPU per outbound call: `providers.http.Client` beside plain httpx and the bare transport.

    python -m tests.bench.outbound [--seconds N] [--in-flight N]

Every way to call has a program of its own, all against one company in another program; they take
turns of half a second, so that a neighbour's load falls on all alike. CPU is user and system time
of the calling program, all threads. Void unless every answer names the order it answers, and the
company saw each call exactly once.
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import ExitStack, asynccontextmanager
from typing import Any, NamedTuple

import httpx
import msgspec

from engine.clock import Clock, Ids
from engine.money import Money
from engine.msisdn import Msisdn
from engine.ports import Direction, Order
from providers.http import Client
from providers.mtn_momo import UGANDA, MtnMomo, MtnMomoSettings
from providers.transport import Transport
from providers.wire import json_object
from tests.bench.command import Bench, main
from tests.bench.table import (
    Driver,
    Pace,
    Section,
    Void,
    hear_from_parent,
    say_to_parent,
)

SECONDS = 6.0
SLICE_SECONDS = 0.5
IN_FLIGHT = 16
GOAL_US = 350

HEADERS = [(b"Authorization", b"Bearer " + b"t" * 200), (b"Content-Type", b"application/json")]
RING = 512
"""Requests the bare transport sends again and again, built before anything is measured."""

Call = Callable[[int], Awaitable[Any]]
"""Order number such and such; the order's name in the answer, when there is one."""


# The company.


class Company(asyncio.Protocol):
    """Answers every order at once and by its name, and counts what it was asked."""

    asked = 0

    def __init__(self) -> None:
        self._transport: Any = None
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, complete, body = self._received.partition(b"\r\n\r\n")
        if not complete or len(body) < _content_length(head):
            return
        self._received = b""
        path = head.split(b" ", 2)[1]
        if path == b"/asked":
            self._answer(b"200 OK", msgspec.json.encode(Company.asked))
        elif path.endswith(b"/token/"):
            self._answer(b"200 OK", b'{"access_token": "t", "expires_in": 3600}')
        else:
            Company.asked += 1
            self._answer(b"202 Accepted", b"" if b"/v1_0/" in path else _answer_to(body))

    def _answer(self, status: bytes, body: bytes) -> None:
        head = (
            b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nServer: x\r\nX-Request-Id: 8c1f\r\n"
        )
        self._transport.write((head + b"Content-Length: %d\r\n\r\n%s") % (status, len(body), body))


def _content_length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0


def _answer_to(body: bytes) -> bytes:
    return body[:-1] + b',"status":"PENDING","transactionId":"363440463"}'


async def answer_calls() -> None:
    """The company's program: say where, and answer until nobody listens any more."""
    server = await asyncio.get_running_loop().create_server(Company, "127.0.0.1", 0)
    say_to_parent(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    await asyncio.to_thread(hear_from_parent)
    server.close()


# The ways to call it.


def order(number: int) -> bytes:
    """What an operator is told of a payment."""
    party = {"partyIdType": "MSISDN", "partyId": "256772000002"}
    return msgspec.json.encode(
        {"amount": "1500", "currency": "UGX", "externalId": str(number), "payee": party}
    )


@asynccontextmanager
async def by_client(url: str) -> AsyncIterator[Call]:
    """As every adapter calls."""
    client = Client("acme", url)
    pay = client.url("/pay")

    async def call(number: int) -> Any:
        response = await client.send("pay", "POST", pay, headers=HEADERS, body=order(number))
        return (json_object(response.content) or {}).get("externalId")

    yield call
    await client.aclose()


@asynccontextmanager
async def by_httpx(url: str) -> AsyncIterator[Call]:
    """As anybody would write it."""
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        headers = {name.decode(): value.decode() for name, value in HEADERS}

        async def call(number: int) -> Any:
            response = await client.post(f"{url}/pay", headers=headers, content=order(number))
            return response.json()["externalId"]

        yield call


@asynccontextmanager
async def by_transport(url: str) -> AsyncIterator[Call]:
    """The limit: requests are there already, and of the answer only the bytes are taken."""
    transport, timeout = Transport(), httpx.Timeout(30).as_dict()
    ring = [
        httpx.Request(
            "POST",
            f"{url}/pay",
            headers=HEADERS,
            content=order(number),
            extensions={"timeout": timeout},
        )
        for number in range(RING)
    ]

    async def call(number: int) -> Any:
        response = await transport.handle_async_request(ring[number % RING])
        expected = b'"externalId":"%d"' % (number % RING)
        return str(number) if expected in response.content else None

    yield call
    await transport.aclose()


@asynccontextmanager
async def by_adapter(url: str) -> AsyncIterator[Call]:
    """A payout from `Order` to `Accepted`. The answer is empty: only the company can count it."""
    settings = MtnMomoSettings(
        base_url=url,
        target_environment="mtnuganda",
        api_user="user",
        api_key="key",
        collection_key="key",
        disbursement_key="key",
    )
    clock = Clock()
    ids, adapter = Ids(clock), MtnMomo(UGANDA, settings, clock=clock)

    async def call(number: int) -> Any:
        await adapter.disburse(
            Order(
                ids.attempt(),
                Direction.DISBURSE,
                Money(1500, "UGX"),
                Msisdn("+256772000002"),
                "AB12CD34EF",
                "https://capp.example/api/v1/webhooks/mtn-momo/2." + "a" * 46,
            )
        )
        return str(number)

    yield call
    await adapter.aclose()


WAYS: Mapping[str, Callable[[str], Any]] = {
    "bare transport": by_transport,
    "providers.http": by_client,
    "a whole payout order": by_adapter,
    "plain httpx.AsyncClient": by_httpx,
}
LIMIT = "bare transport"


async def call_in_turns(way: str, url: str, in_flight: int) -> None:
    """A caller's program: call for as long as it is told to, again and again."""
    async with WAYS[way](url) as call:
        first = 0
        while (seconds := hear_from_parent()) is not None:
            began = time.process_time()
            count = await _call(call, in_flight, first=first, seconds=seconds)
            say_to_parent((count, time.process_time() - began))
            first += count


async def _call(call: Call, in_flight: int, *, first: int, seconds: float) -> int:
    """How many calls were made. Raises Void when one answer was another order's."""
    until, numbers = time.perf_counter() + seconds, iter(range(first, sys.maxsize))

    async def caller() -> int:
        made = 0
        while time.perf_counter() < until:
            number = next(numbers)
            if (told := await call(number)) != str(number):
                raise Void(f"order {number} was answered {told!r}")
            made += 1
        return made

    return sum(await asyncio.gather(*[caller() for _ in range(in_flight)]))


# The run.


class Options(NamedTuple):
    """How much is run."""

    seconds: float = SECONDS
    in_flight: int = IN_FLIGHT


class Turn(NamedTuple):
    """What a caller's program tells of one turn, or of all its turns."""

    calls: int
    cpu_seconds: float

    @property
    def cpu_us(self) -> float:
        return self.cpu_seconds / self.calls * 1_000_000


def run(options: Options) -> Section:
    """Start everything, let the ways take turns, compare the counts. Raises Void."""
    turns = max(round(options.seconds / SLICE_SECONDS / len(WAYS)), 1)
    with ExitStack() as running, Pace() as pace:
        company = running.enter_context(Driver("tests.bench.outbound", "company"))
        url = company.listen()
        callers = {
            way: running.enter_context(
                Driver("tests.bench.outbound", "call", way, url, str(options.in_flight))
            )
            for way in WAYS
        }
        told = _take_turns(callers, 1 + turns)
        asked = httpx.get(f"{url}/asked", trust_env=False).json()
    calls = sum(turn.calls for each in told.values() for turn in each)
    if asked != calls:
        raise Void(f"{calls} calls were made, the company was asked {asked} times")
    # The first turn opens connections and fetches a token.
    rows = {way: Turn(*map(sum, zip(*each[1:], strict=True))) for way, each in told.items()}
    return section(rows, options.in_flight, pace.loop_ms)


def _take_turns(callers: Mapping[str, Driver], turns: int) -> dict[str, list[Turn]]:
    told: dict[str, list[Turn]] = {way: [] for way in callers}
    for _ in range(turns):
        for way, caller in callers.items():
            caller.tell(SLICE_SECONDS)
            told[way].append(Turn(*caller.listen()))
    return told


# The table.


def section(rows: Mapping[str, Turn], in_flight: int, loop_ms: float) -> Section:
    header = ("(d) one outbound call", "CPU µs", "to bare", "calls", "loop ms")
    limit = rows[LIMIT].cpu_us
    return Section(
        header,
        tuple(
            (
                way,
                f"{row.cpu_us:.0f}",
                f"{row.cpu_us / limit:.2f}",
                f"{row.calls:,}",
                f"{loop_ms:.1f}",
            )
            for way, row in rows.items()
        ),
        (
            f"JSON out and in, keep-alive, {in_flight} in flight; every answer named its order, and"
            " the company was asked once for each call",
            f"goal: providers.http at most {GOAL_US} µs",
        ),
    )


async def _call_in_turns(way: str, url: str, in_flight: str) -> None:
    await call_in_turns(way, url, int(in_flight))


BENCH = Bench(
    module="tests.bench.outbound",
    about=__doc__,
    options=Options,
    run=lambda options: run(options).written(),
    children={"company": answer_calls, "call": _call_in_turns},
)


if __name__ == "__main__":
    sys.exit(main(BENCH, sys.argv[1:]))

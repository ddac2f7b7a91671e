"""A tiny USSD server with an inspection door, beside the real sandboxes, all without sockets."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from simulator.gateway import GatewaySandbox, GatewaySettings, gateway_app
from simulator.operators.mtn_momo import MtnSandbox, MtnSettings, mtn_momo_app
from simulator.operators.world import World
from simulator.places import Places

PAYER, PAYEE = "+256772000001", "+256772000002"
START = datetime(2026, 1, 1, 10, 0, tzinfo=UTC)


@dataclass
class Sandboxes:
    """One operator and the gateway: the others would only take time."""

    mtn: MtnSandbox
    gateway: GatewaySandbox


@dataclass
class Server:
    """Asks for a PIN and sends an SMS to the payee; every request is kept."""

    sandboxes: Sandboxes
    state: str = "paid"
    balanced: bool = True
    float_minor: int = 5
    turns: list[dict[str, str]] = field(default_factory=list)
    states: list[str | None] = field(default_factory=list)  # what was given back to us
    ends: list[dict[str, str]] = field(default_factory=list)
    answers: list[Response] = field(default_factory=list)  # said instead, first come first served
    sessions: list[dict[str, Any]] = field(default_factory=list)  # as the server keeps them
    looked: list[dict[str, list[str]]] = field(default_factory=list)  # who asked for them
    slow_seconds: float = 0.0

    @property
    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/ussd", self.turn, methods=["POST"]),
                Route("/end", self.end, methods=["POST"]),
                Route("/inspect/payments", self.payments),
                Route("/inspect/books", self.books),
                Route("/inspect/sessions", self.list_sessions),
            ]
        )

    async def turn(self, request: Request) -> Response:
        form = await _form(request)
        self.turns.append(form)
        self.states.append(request.headers.get("at-ussd-hop-metadata"))
        await asyncio.sleep(self.slow_seconds)
        if self.answers:
            return self.answers.pop(0)
        match form["text"].split("*"):
            case [""]:
                return PlainTextResponse("CON Welcome\n1. Send money\n2. Quit")
            case ["1"]:
                return PlainTextResponse("CON Your PIN")
            case ["1", pin]:
                self.sandboxes.gateway.take(PAYEE, text="X7 Confirmed. UGX 900", sender="CAPP")
                self._ask(form["phoneNumber"])
                return PlainTextResponse(f"END Thank you, {form['phoneNumber']}. PIN {len(pin)}")
        return PlainTextResponse("END Bye")

    async def end(self, request: Request) -> Response:
        self.ends.append(await _form(request))
        return Response()

    async def payments(self, request: Request) -> Response:
        if request.headers.get("authorization") != "Bearer open":
            return Response(status_code=401)
        if request.query_params["msisdn"] != PAYER:
            return JSONResponse({"payments": []})
        return JSONResponse({"payments": [self.payment()]})

    async def list_sessions(self, request: Request) -> Response:
        named = request.query_params.getlist("session")
        number = request.query_params["msisdn"]
        self.looked.append({"msisdn": [number], "session": named})
        return JSONResponse({"sessions": self.sessions if number == PAYER else []})

    async def books(self, request: Request) -> Response:
        account = {"account": "FLOAT mtn_ug", "currency": "UGX", "side": "debit"}
        accounts = [{**account, "minor": self.float_minor}]
        return JSONResponse({"balanced": self.balanced, "accounts": accounts})

    def payment(self) -> dict[str, Any]:
        at = START.isoformat()
        posting = {"debit": "POOL_AVAIL", "credit": "POOL_HELD", "minor": 13600, "currency": "UGX"}
        return {
            "payment_id": "01", "code": "7K2M9QX4TB", "state": self.state,
            "amount": {"minor": 50000, "currency": "KES"},
            "fee": {"minor": 1250, "currency": "KES"},
            "receives": {"minor": 13600, "currency": "UGX"},
            "payer": "+2547***01", "payee": "+2567***02",
            "steps": [{"version": 1, "state": "RESERVED", "at": at, "postings": [posting]}],
            "attempts": [
                {"attempt_id": "a", "direction": "COLLECT", "operator": "mpesa_ke", "at": at}
            ],
        }  # fmt: skip

    def _ask(self, msisdn: str) -> None:
        mtn = self.sandboxes.mtn
        wallet = mtn.wallets.open(msisdn.removeprefix("+"))
        mtn.spawn(_ask(self, wallet))


async def _ask(server: Server, wallet: Any) -> None:
    mtn = server.sandboxes.mtn
    server.state = await mtn.ask_approval(wallet, amount_minor=900, text="Pay UGX 900 to CAPP?")


async def _form(request: Request) -> dict[str, str]:
    return dict(parse_qsl((await request.body()).decode(), keep_blank_values=True))


@pytest.fixture
def world() -> World:
    ticks: Iterator[datetime] = (START + timedelta(seconds=n) for n in range(10**6))
    return World(clock=lambda: next(ticks), random=Random(7))


@pytest.fixture
def sandboxes() -> Sandboxes:
    world = World(random=Random(11))
    settings = MtnSettings(approval="ask", processing_seconds=0)
    return Sandboxes(
        MtnSandbox(world, settings, collection_minor=0, disbursement_minor=1_000_000),
        GatewaySandbox(world, GatewaySettings()),
    )


@pytest.fixture
def server(sandboxes: Sandboxes) -> Server:
    return Server(sandboxes)


@pytest.fixture
def places() -> Places:
    return Places(
        server="http://server", ussd_url="http://server/ussd", ussd_end_url="http://server/end",
        gateway="http://gateway", operators={"mtn_ug": "http://mtn"}, inspect_token="open",
    )  # fmt: skip


@pytest.fixture
async def client(server: Server, sandboxes: Sandboxes) -> AsyncIterator[httpx.AsyncClient]:
    mounts = {
        "http://server": httpx.ASGITransport(server.app),
        "http://gateway": httpx.ASGITransport(gateway_app(sandboxes.gateway)),
        "http://mtn": httpx.ASGITransport(mtn_momo_app(sandboxes.mtn)),
    }
    async with httpx.AsyncClient(mounts=mounts, verify=False) as found:
        yield found

"""The API for clients as it is served, over a whole engine whose operators do as a test tells."""

import hashlib
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import msgspec
from starlette.applications import Starlette

from channels.api.v1 import PREFIX, client_routes
from channels.core import Outside
from channels.settings import read_settings
from channels.watching.metrics import Metrics
from channels.watching.watch import Watch
from channels.web.limits import Limits
from channels.wiring import Engine, _assemble, read_words
from engine.clients.clients import KeyId, Scope
from engine.clients.keys import KeyMacs, read_key
from engine.clients.proving import Keys
from engine.clients.store import ClientStore
from engine.clock import AttemptId, Ids, PaymentId, SystemRandom
from engine.customers.customers import Customer
from engine.payments.evidence import Source
from engine.payments.lifecycle import State
from engine.payments.payment import Payment
from engine.ports import Finding
from tests.integration.staff_room import RedisAway
from tests.integration.world import ENVIRONMENT, FAILED, SUCCEEDED, World, open_world
from tests.unit.payments.examples import PAYEE, PAYER

MAC_KEY = hashlib.sha256(b"what keys are kept under").digest()
PRICE = {
    "payer": str(PAYER), "payee": str(PAYEE), "amount": {"minor": 100_000, "currency": "KES"},
}  # fmt: skip


@dataclass
class ClientRoom:
    """The world, its API, and the keys of two clients: `shop` has all scopes, `other` too."""

    world: World
    engine: Engine
    client: httpx.AsyncClient
    store: ClientStore
    keys: Keys
    payer: Customer
    texts: dict[str, str]
    app: Starlette
    asked: int = 0

    def key(self) -> str:
        self.asked += 1
        return f"key-{self.asked:08d}"

    def headers(self, who: str) -> dict[str, str]:
        return {"authorization": f"Bearer {self.texts[who]}"}

    async def get(self, path: str, who: str = "shop") -> httpx.Response:
        self.world.clock.pass_(0.01)  # ids are times
        return await self.client.get(PREFIX + path, headers=self.headers(who))

    async def post(
        self, path: str, body: Any = None, *, who: str = "shop", key: str | None = None
    ) -> httpx.Response:
        self.world.clock.pass_(0.01)
        headers = {**self.headers(who), "idempotency-key": key or self.key()}
        content = b"" if body is None else msgspec.json.encode(body)
        if content:
            headers["content-type"] = "application/json"
        return await self.client.post(PREFIX + path, content=content, headers=headers)

    async def send(self, *, key: str | None = None, who: str = "shop") -> PaymentId:
        """A payment that was taken on, its collection ordered."""
        answer = await self.post("/payments/send", PRICE, key=key, who=who)
        assert answer.status_code == 201, answer.text
        await self.engine.dispatcher.idle()
        return PaymentId(answer.json()["id"])

    async def given_back(self) -> tuple[Any, Any]:
        """A quote, and the status of what was sent by it once its payout had failed for good."""
        quote = (await self.post("/quotes", PRICE)).json()
        sent = (await self.post("/payments/send", {"quote": quote["id"]})).json()
        await self.engine.dispatcher.idle()
        for finding in (SUCCEEDED, FAILED, SUCCEEDED):
            await self.tell(sent["id"], finding)
        return quote, (await self.get(f"/payments/{sent['id']}/status")).json()

    async def payment(self, payment_id: str) -> Payment:
        found = await self.engine.store.payment(PaymentId(payment_id))
        assert found is not None
        return found

    async def state(self, payment_id: str) -> State:
        return (await self.payment(payment_id)).state

    async def tell(self, payment_id: str, finding: Finding = SUCCEEDED) -> None:
        """The operator of the live attempt says how it went."""
        live = (await self.payment(payment_id)).live
        body = msgspec.json.encode(finding, enc_hook=str).decode()
        attempt_id = AttemptId(live or "")
        await self.engine.payments.apply_finding(attempt_id, finding, Source.CALLBACK, body)
        await self.engine.dispatcher.idle()

    async def made(self) -> int:
        """How much has been made by clients: payments, quotes, answers that are kept."""
        counted: int = await self.world.pool.fetchval(
            "select (select count(*) from payment where customer is not null)"
            " + (select count(*) from client_quote)"
            " + (select count(*) from client_request where status < 300)"
        )
        return counted

    async def key_of(self, name: str, scopes: Iterable[Scope], days: int | None = None) -> KeyId:
        """One more key, under its name."""
        key, self.texts[name] = await self.keys.create(name, scopes, days=days)
        return key.id

    def id_of(self, who: str) -> KeyId:
        return read_key(self.texts[who])[0]


def counted_here() -> Limits:
    """Counted by this room alone, in one window that never ends."""
    return Limits(RedisAway(), key=b"k" * 16, monotonic=lambda: 0.0)


@asynccontextmanager
async def open_client_room(
    database_url: str, *, limits: Limits | None = None, **environment: str
) -> AsyncIterator[ClientRoom]:
    """`limits` count in Redis; by default the room counts by itself."""
    async with (
        open_world(database_url) as world,
        client_room_of(world, database_url, environment, limits=limits) as room,
    ):
        yield room


@asynccontextmanager
async def client_room_of(
    world: World,
    database_url: str,
    environment: Mapping[str, str],
    *,
    limits: Limits | None = None,
) -> AsyncIterator[ClientRoom]:
    """As `open_client_room`, over a world that is open."""
    engine = await _engine(database_url, world, environment)
    store = ClientStore(world.pool, 1)
    keys = Keys(
        store=store, macs=KeyMacs({1: MAC_KEY}, 1), clock=world.clock, ids=engine.ids,
        random=SystemRandom(),
    )  # fmt: skip
    texts = {name: (await keys.create(name, Scope))[1] for name in ("shop", "other")}
    payer = await engine.customers.register(PAYER, "KE", "en", "4826")
    app = Starlette(routes=client_routes(engine, limits or counted_here()))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://capp") as client:
        yield ClientRoom(world, engine, client, store, keys, payer, texts, app)
    await engine.dispatcher.stop()


async def _engine(database_url: str, world: World, environment: Mapping[str, str]) -> Engine:
    """As a process puts it together, over operators that the test plays."""
    settings = read_settings(
        {
            **ENVIRONMENT,
            "DATABASE_URL": database_url,
            "CAPP_CLIENT_KEYS": f"1:{MAC_KEY.hex()}",
            "CAPP_API_UNPROVEN_PER_5_MINUTES": "100000",
            "CAPP_API_CLIENT_ADDRESS_PER_MINUTE": "100000",
            "CAPP_API_CLIENT_PAYER_PER_10_MINUTES": "100000",
            **environment,
        }
    )
    operators = {"mpesa_ke": world.mpesa, "mtn_ug": world.mtn, "other_ug": world.other}
    ids = Ids(world.clock)
    outside = Outside(dict(operators), {"scripted": world.sms}, world.clock, ids, lambda: 0.0)
    engine = _assemble(
        settings, outside, Watch(Metrics()), read_words(settings), pool=world.pool,
        committer=world.committer,
    )  # fmt: skip
    await engine.rates.refresh(world.pool)
    await engine.screener.refresh()
    await engine.health.tend()
    await engine.pools.refresh()
    return engine

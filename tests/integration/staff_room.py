"""The API for staff as it is served, over an engine whose operators do as a test tells them."""

import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import httpx
import msgspec
from redis.exceptions import ConnectionError as RedisConnectionError
from starlette.applications import Starlette

from channels.api.mmo import PREFIX, staff_routes
from channels.core import Outside
from channels.office import build_office
from channels.settings import read_settings
from channels.watching.metrics import Metrics
from channels.watching.watch import Watch
from channels.web.limits import Limits
from channels.wiring import Engine, _assemble, read_words
from engine.clock import Ids
from engine.desk.proposals import Person
from engine.money import Money
from engine.msisdn import Msisdn
from engine.payments.approvals import Approvals
from engine.ports import OperatorFacts
from engine.staff.actions import Actions
from engine.staff.members import Member, MemberId, Role
from engine.staff.sessions import Sessions
from engine.staff.store import StaffStore
from engine.staff.tokens import TokenKeys
from tests.integration.offices import agrees
from tests.integration.world import ENVIRONMENT, ScriptedOperator, World, open_world


def drawn(name: str) -> bytes:
    """A key as good as a random one, the same in every run."""
    return hashlib.sha256(name.encode()).digest()


KEYS = {1: drawn("first"), 2: drawn("second")}
WHO = {
    "sam": frozenset({Role.SUPPORT}),
    "fay": frozenset({Role.FINANCE}),
    "fin": frozenset({Role.FINANCE}),
    "cleo": frozenset({Role.COMPLIANCE}),
    "ada": frozenset({Role.ADMIN}),
    "nemo": frozenset[Role](),
}


@dataclass
class TellingOperator(ScriptedOperator):
    """One that also tells what it holds for us and whose wallet a number is."""

    error: Exception | None = None
    later: bool = False
    names: dict[str, str] | None = None

    balance_accounts = ("wallet",)

    async def ask_balance(self, account: str, callback_url: str) -> Money | None:
        if self.error is not None:
            raise self.error
        return None if self.later else Money(1_000, self.facts.currency)

    def read_balance(self, body: bytes) -> Money | None:
        return Money(int(body), self.facts.currency)

    async def name_of(self, msisdn: Msisdn) -> str | None:
        return (self.names or {}).get(msisdn)


@dataclass
class StaffRoom:
    """The world, its API, and a token for each of the staff."""

    world: World
    engine: Engine
    client: httpx.AsyncClient
    store: StaffStore
    sessions: Sessions
    actions: Actions
    telling: TellingOperator
    tokens: dict[str, str]
    asked: int = 0

    def key(self) -> str:
        self.asked += 1
        return f"key-{self.asked:08d}"

    async def get(self, who: str, path: str) -> httpx.Response:
        self.world.clock.pass_(0.01)  # ids are times
        return await self.client.get(PREFIX + path, headers=self.headers(who))

    async def post(
        self, who: str, path: str, body: Any = None, *, key: str | None = None
    ) -> httpx.Response:
        self.world.clock.pass_(0.01)
        headers = {**self.headers(who), "idempotency-key": key or self.key()}
        content = b"" if body is None else msgspec.json.encode(body)
        if content:
            headers["content-type"] = "application/json"
        answer = await self.client.post(PREFIX + path, content=content, headers=headers)
        await self.world.dispatched()
        return answer

    def headers(self, who: str) -> Mapping[str, str]:
        return {"authorization": f"Bearer {self.tokens[who]}"}

    async def log(self) -> list[tuple[str, str, str, str | None]]:
        """Who did what to which subject, and how it ended, in that order."""
        rows = await self.world.pool.fetch(
            "select who, what, subject, outcome from staff_action order by id"
        )
        return [tuple(row) for row in rows]


class RedisAway:
    """Limits are then counted by the process alone; `test_api_pace.py` is about them."""

    def execute(self, *command: bytes | str | float) -> Any:
        raise RedisConnectionError("away")


COUNTED_HERE = Limits(RedisAway(), key=b"k" * 16)


@asynccontextmanager
async def open_staff_room(
    database_url: str, *, operators: Mapping[str, OperatorFacts] = {}, role: str = ""
) -> AsyncIterator[StaffRoom]:
    """`operators` replaces facts of the world's operators; `role` is CAPP_DATABASE_ROLE."""
    async with open_world(database_url, CAPP_DATABASE_ROLE=role) as world:
        for name, facts in operators.items():
            port = {"mpesa_ke": world.mpesa, "mtn_ug": world.mtn, "other_ug": world.other}[name]
            port.facts = facts
            world.directory.by_name[name] = world.directory.by_code[facts.code] = facts
        engine, telling = _engine(database_url, world)
        store = StaffStore(world.pool, 1)
        sessions = Sessions(store=store, keys=TokenKeys(KEYS, 1), clock=world.clock, ids=engine.ids)
        tokens = await _take_on(store, sessions, engine)
        transport = httpx.ASGITransport(Starlette(routes=staff_routes(engine, COUNTED_HERE)))
        async with httpx.AsyncClient(transport=transport, base_url="http://capp") as client:
            actions = Actions(world.pool, 1, world.clock, engine.ids)
            yield StaffRoom(world, engine, client, store, sessions, actions, telling, tokens)


def _engine(database_url: str, world: World) -> tuple[Engine, TellingOperator]:
    """As a process puts it together, but for what the test plays itself."""
    staff_keys = ",".join(f"{version}:{key.hex()}" for version, key in KEYS.items())
    settings = read_settings(
        {
            **ENVIRONMENT,
            "DATABASE_URL": database_url,
            "CAPP_STAFF_KEYS": staff_keys,
            "CAPP_API_MEMBER_PER_MINUTE": "100000",
            "CAPP_API_ADDRESS_PER_MINUTE": "100000",
        }
    )
    telling = TellingOperator(world.mtn.facts)
    ids = Ids(world.clock)
    operators = {"mpesa_ke": world.mpesa, "mtn_ug": telling, "other_ug": world.other}
    outside = Outside(dict(operators), {"scripted": world.sms}, world.clock, ids, lambda: 0.0)
    engine = _assemble(
        settings, outside, Watch(Metrics()), read_words(settings), pool=world.pool,
        committer=world.committer,
    )  # fmt: skip
    approvals = Approvals(
        rulings=world.rulings, store=world.store, directory=world.directory,
        wallet_of=world.payments.selling.wallet_of,
    )  # fmt: skip
    office = build_office(
        tenant=1, pool=world.pool, committer=world.committer, operators=world.directory.by_name,
        clock=world.clock, ids=ids, ahead=agrees, executors=approvals.executors(),
    )  # fmt: skip
    engine = replace(
        engine, directory=world.directory, store=world.store, payments=world.payments,
        rulings=world.rulings, dispatcher=world.dispatcher, reconciler=world.reconciler.begun_by,
        office=office,
    )  # fmt: skip
    return engine, telling


async def _take_on(store: StaffStore, sessions: Sessions, engine: Engine) -> dict[str, str]:
    tokens = {}
    for name, roles in WHO.items():
        member = Member(MemberId(engine.ids.hex()), Person(name), roles or WHO["ada"])
        await store.add(member, 0)
        tokens[name] = await sessions.open(name)
        if not roles:  # somebody who had a role when the token was made
            await store.revoke(Person(name), member.roles)
    return tokens

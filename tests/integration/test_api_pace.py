"""How often staff's API may be asked, through its own doors on real Redis and Postgres."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import msgspec
import pytest
from starlette.applications import Starlette

from channels.api.endpoints import EVERYBODY, Call, Endpoint, Nothing
from channels.api.pace import MINUTE, pace_of_staff
from channels.api.serving import Serving
from channels.api.staff_callers import StaffCallers
from channels.settings import ApiPaces
from channels.web.limits import Limit, Limits
from engine.clock import Clock, Ids
from engine.database import open_pool
from engine.desk.proposals import Person
from engine.once import OF_STAFF, Once
from engine.session.pipeline import open_pipeline
from engine.staff.actions import Actions
from engine.staff.members import Member, MemberId, Role
from engine.staff.sessions import Sessions
from engine.staff.store import StaffStore
from engine.staff.tokens import TokenKeys

PACES = ApiPaces(address_per_minute=30, member_per_minute=10, unproven_per_5_minutes=4)


class Word(msgspec.Struct):
    word: str


async def answer(call: Call[Any, Any, Any, Any]) -> Word:
    return Word("well")


TABLE = (Endpoint("GET", "/x", "look", "Look", EVERYBODY, Nothing, Nothing, Nothing, Word, answer),)


@dataclass
class Room:
    client: httpx.AsyncClient
    tokens: dict[str, str]
    address: str = "192.0.2.1"

    async def ask(self, who: str = "") -> httpx.Response:
        headers = {"authorization": f"Bearer {self.tokens.get(who, who)}"} if who else {}
        return await self.client.get("/api/x", headers={**headers, "x-from": self.address})


@pytest.fixture
async def room(database_url: str, redis_url: str) -> AsyncIterator[Room]:
    pool = await open_pool(database_url, size=2)
    pipeline = open_pipeline(redis_url, timeout_seconds=30)
    clock = Clock()
    ids = Ids(clock)
    store = StaffStore(pool, 1)
    keys = TokenKeys({1: b"k" * 16 + bytes(range(16))}, 1)
    sessions = Sessions(store=store, keys=keys, clock=clock, ids=ids)
    tokens = {}
    for name in ("ada", "bob"):
        member = Member(MemberId(ids.hex()), Person(name), frozenset({Role.SUPPORT}))
        await store.add(member, int(clock.epoch() * 1000))
        tokens[name] = await sessions.open(name)
    serving = Serving(
        callers=StaffCallers(
            sessions=sessions, actions=Actions(pool, 1, clock, ids),
            member=Limit("member", PACES.member_per_minute, MINUTE),
        ),
        once=Once(pool, 1, clock, ids, OF_STAFF), ids=ids,
        pace=pace_of_staff(Limits(pipeline, key=b"k" * 16), PACES),
        address_of=lambda scope: dict(scope["headers"])[b"x-from"].decode(), answer_seconds=30,
    )  # fmt: skip
    app = Starlette(routes=serving.routes("/api", TABLE))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://capp.test") as client:
        yield Room(client, tokens)
    await pipeline.aclose()
    await pool.close()


async def test_an_answer_tells_what_is_left_and_the_one_too_many_when_to_come_again(
    room: Room,
) -> None:
    first = await room.ask("ada")
    assert first.status_code == 200
    assert first.headers["ratelimit-policy"] == '"member";q=10;w=60'
    assert first.headers["ratelimit"].startswith('"member";r=9;t=')
    answers = [await room.ask("ada") for _ in range(PACES.member_per_minute)]
    assert [a.status_code for a in answers] == [200] * 9 + [429]
    refused = answers[-1]
    assert refused.json()["code"] == "too_many"
    assert 1 <= int(refused.headers["retry-after"]) <= 61
    assert (await room.ask("bob")).status_code == 200  # another member, from the same address


async def test_who_tries_tokens_is_not_listened_to_even_with_a_good_one(room: Room) -> None:
    tries = [await room.ask("guess") for _ in range(PACES.unproven_per_5_minutes + 2)]
    assert [t.status_code for t in tries] == [401] * 4 + [429] * 2
    assert (await room.ask("ada")).status_code == 429
    room.address = "192.0.2.2"
    assert (await room.ask("ada")).status_code == 200


async def test_good_requests_never_count_as_tries(room: Room) -> None:
    for _ in range(PACES.unproven_per_5_minutes + 2):
        assert (await room.ask("ada")).status_code == 200


async def test_one_address_has_a_limit_of_its_own_whoever_asks(room: Room) -> None:
    for _ in range(3):
        for who in ("ada", "bob"):
            for _ in range(5):
                await room.ask(who)
    answer = await room.ask("ada")
    assert answer.status_code == 429
    assert answer.headers["ratelimit"].startswith('"address";r=0;t=')

"""A handler that hangs is answered for in time, and never as if its effect had not come."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import httpx
import msgspec
import pytest
from starlette.applications import Starlette

from channels.api.endpoints import EVERYBODY, Call, Endpoint, Nothing
from channels.api.pace import MINUTE, pace_of_staff
from channels.api.serving import Serving
from channels.api.staff_callers import StaffCallers
from channels.settings import ApiPaces
from channels.web.limits import Limit
from engine.clock import Ids
from engine.once import OF_STAFF, UNDER_WAY_SECONDS, Once
from engine.staff.actions import Actions
from tests.integration.client_room import open_client_room
from tests.integration.locks import outwaited
from tests.integration.staff_room import COUNTED_HERE, StaffRoom, open_staff_room
from tests.leap import leap

SECONDS = 20.0  # which go by at once where something hangs
PACES = ApiPaces(10_000, 10_000, 10_000)
SET_ASIDE = {"amount": {"minor": 100, "currency": "UGX"}}


class Done(msgspec.Struct):
    by: str


@dataclass
class Hanging:
    """Does what it is asked at once, for its operation, and then hangs until it may go on: as long
    as an answer may take goes by."""

    may_go_on: asyncio.Event = field(default_factory=asyncio.Event)
    done: set[str] = field(default_factory=set)

    async def do(self, call: Call[Any, Any, Any, Any]) -> Done:
        self.done.add(call.operation)
        if not self.may_go_on.is_set():
            await asyncio.sleep(0.02)
            leap(SECONDS)
        await self.may_go_on.wait()
        return Done(call.operation)

    def table(self) -> tuple[Endpoint[Any, Any, Any, Any, Any], ...]:
        ends = Nothing, Nothing, Nothing, Done, self.do
        return (
            Endpoint("GET", "/x", "look", "Look", EVERYBODY, *ends),
            Endpoint("POST", "/x", "do", "Do", EVERYBODY, *ends),
        )


@dataclass
class Room:
    staff: StaffRoom
    hanging: Hanging
    client: httpx.AsyncClient

    async def ask(self, method: str) -> httpx.Response:
        headers = {**self.staff.headers("fay"), "idempotency-key": "the-same-key"}
        return await self.client.request(method, "/api/x", headers=headers)


@pytest.fixture
async def room(seeded_url: str) -> AsyncIterator[Room]:
    hanging = Hanging()
    async with open_staff_room(seeded_url) as staff:
        clock, pool = staff.world.clock, staff.world.pool
        ids = Ids(clock)
        serving = Serving(
            callers=StaffCallers(
                sessions=staff.sessions, actions=Actions(pool, 1, clock, ids),
                member=Limit("member", 1_000, MINUTE),
            ),
            once=Once(pool, 1, clock, ids, OF_STAFF), ids=ids,
            pace=pace_of_staff(COUNTED_HERE, PACES), address_of=lambda _: "192.0.2.1",
            answer_seconds=SECONDS,
        )  # fmt: skip
        app = Starlette(routes=serving.routes("/api", hanging.table()))
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://capp"
        ) as client:
            yield Room(staff, hanging, client)


async def test_what_hangs_while_it_reads_is_away(room: Room) -> None:
    answer = await room.ask("GET")
    assert (answer.status_code, answer.json()["code"]) == (503, "away")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["correlation_id"] == answer.headers["x-correlation-id"]
    assert int(answer.headers["retry-after"]) > 0


async def test_what_hangs_while_it_changes_is_unknown_and_its_repeat_does_the_same_thing(
    room: Room,
) -> None:
    late = await room.ask("POST")
    assert (late.status_code, late.json()["code"]) == (504, "outcome_unknown")
    assert "same key" in late.json()["what_to_do"]
    assert len(room.hanging.done) == 1, "the effect is there"
    assert (await room.staff.log())[-1] == ("fay", "do", "", None), "nobody knows how it ended"

    room.hanging.may_go_on.set()
    soon = await room.ask("POST")
    assert (soon.status_code, soon.json()["code"]) == (409, "under_way")
    room.staff.world.clock.pass_(UNDER_WAY_SECONDS + 1)
    known, again = [await room.ask("POST") for _ in range(2)]
    assert known.status_code == 200
    assert room.hanging.done == {known.json()["by"]}, "done under the same id, not once more"
    assert (again.content, again.headers["idempotency-replayed"]) == (known.content, "true")


@asynccontextmanager
async def locked(database_url: str, table: str) -> AsyncIterator[Any]:
    """A table that nobody reads or writes meanwhile, as during a change of it; who holds it."""
    connection = await asyncpg.connect(database_url)
    try:
        async with asyncio.timeout(100), connection.transaction():
            await connection.execute(f"lock table {table} in access exclusive mode")
            yield connection
    finally:
        await connection.close()


async def test_a_table_that_is_locked_keeps_no_client_waiting_and_loses_nothing(
    database_url: str,
) -> None:
    async with open_client_room(database_url, CAPP_API_ANSWER_SECONDS_MAX="20") as room:
        async with locked(database_url, "client_request") as holder:
            asked = room.post("/liquidity/reserve", SET_ASIDE, key="set-aside-1")
            late = await outwaited(holder, asked, SECONDS)
            assert (late.status_code, late.json()["code"]) == (504, "outcome_unknown")
        made = await room.post("/liquidity/reserve", SET_ASIDE, key="set-aside-1")
        again = await room.post("/liquidity/reserve", SET_ASIDE, key="set-aside-1")
        assert (made.status_code, made.content) == (201, again.content)
        async with locked(database_url, "payment") as holder:
            listed = await outwaited(holder, room.get("/payments"), SECONDS)
            assert (listed.status_code, listed.json()["code"]) == (503, "away")
        assert (await room.get("/payments")).status_code == 200

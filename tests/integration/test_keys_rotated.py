"""A key and its successor: what the new one is good for, and how long either is."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import pytest

from engine.clients.clients import KeyHolder, Scope
from engine.clients.keys import KeyMacs
from engine.clients.proving import Keys
from engine.clients.store import ClientStore
from engine.clock import DAY_MS, Ids, SystemRandom
from engine.database import open_pool
from engine.errors import NotProven, StaffMistake
from tests.integration.client_room import MAC_KEY
from tests.integration.locks import somebody_waits
from tests.integration.world import TestClock

HOUR = 3600
DAY = 24 * HOUR


class Desk(NamedTuple):
    """The keys of a tenant, and a clock that is moved by hand."""

    keys: Keys
    clock: TestClock
    pool: Any

    async def holder(self, text: str) -> KeyHolder | None:
        """Who has shown this key, as the database has it now."""
        try:
            return await self.keys.prove(text, fresh=True)
        except NotProven:
            return None


@pytest.fixture
async def desk(database_url: str) -> AsyncIterator[Desk]:
    clock, pool = TestClock(), await open_pool(database_url, size=3)
    keys = Keys(
        store=ClientStore(pool, 1), macs=KeyMacs({1: MAC_KEY}, 1), clock=clock, ids=Ids(clock),
        random=SystemRandom(),
    )  # fmt: skip
    try:
        yield Desk(keys, clock, pool)
    finally:
        await pool.close()


async def test_a_successor_is_good_for_the_same_and_lasts_as_long_from_its_own_beginning(
    desk: Desk,
) -> None:
    scopes = frozenset({Scope.RATES_READ, Scope.QUOTES_READ})
    old, old_text = await desk.keys.create("shop", scopes, days=10)
    desk.clock.pass_(9 * DAY)
    new, text = await desk.keys.rotate(old.id, overlap_hours=2)
    holder = await desk.holder(text)
    assert holder is not None
    assert (holder.scopes, holder.client_id, holder.key_id) == (scopes, old.client.id, new.id)
    assert new.expires_ms == new.made_ms + 10 * DAY_MS
    desk.clock.pass_(2 * HOUR - 1)
    assert await desk.holder(old_text) is not None
    desk.clock.pass_(1)
    assert await desk.holder(old_text) is None
    desk.clock.pass_(10 * DAY - 2 * HOUR - 1)
    assert await desk.holder(text) is not None
    desk.clock.pass_(1)
    assert await desk.holder(text) is None


async def test_no_overlap_makes_the_old_key_last_longer(desk: Desk) -> None:
    old, old_text = await desk.keys.create("shop", Scope, days=1)
    desk.clock.pass_(DAY - HOUR)
    await desk.keys.rotate(old.id, overlap_hours=24)
    desk.clock.pass_(HOUR - 1)
    assert await desk.holder(old_text) is not None
    desk.clock.pass_(1)
    assert await desk.holder(old_text) is None


async def test_a_scope_that_newer_code_gave_opens_nothing_here_and_closes_nothing(
    desk: Desk,
) -> None:
    _, text = await desk.keys.create("shop", {Scope.RATES_READ})
    await desk.pool.execute("update api_key set scopes = scopes || '{moons:read}'::text[]")
    holder = await desk.holder(text)
    assert holder is not None and holder.scopes == {Scope.RATES_READ}


@pytest.mark.parametrize("change", ["ended_ms = 1, ended_by = 'test'", "replaced_by = id"])
async def test_a_key_that_is_ended_while_it_is_rotated_gets_no_successor(
    desk: Desk, change: str
) -> None:
    old, _ = await desk.keys.create("shop", Scope)
    async with desk.pool.acquire() as connection, connection.transaction():
        await connection.execute(f"update api_key set {change} where id = $1", old.id)
        rotating = asyncio.create_task(desk.keys.rotate(old.id))
        await somebody_waits(connection)
    with pytest.raises(StaffMistake, match="rotated or revoked before"):
        await rotating
    assert await desk.pool.fetchval("select count(*) from api_key") == 1

"""A subscription that goes while the journal is read: nothing is left waiting for it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from engine.hooks.journal import KEPT_MS
from tests.integration.hooks_room import HookHall, open_hook_hall
from tests.integration.locks import somebody_waits

pytestmark = pytest.mark.long("two who wait for each other; test_hooks.py shows one after another")


@pytest.fixture
async def hall(shared_database_url: str) -> AsyncIterator[HookHall]:
    async with open_hook_hall(shared_database_url) as opened:
        yield opened


async def over_or_waiting(connection: Any, task: "asyncio.Task[Any]", *, waiting: int) -> None:
    """Come back once it is done, or so many wait for a lock and it is the last of them."""
    watch = asyncio.create_task(somebody_waits(connection, at_least=waiting))
    await asyncio.wait({task, watch}, return_when=asyncio.FIRST_COMPLETED)
    watch.cancel()
    await asyncio.gather(watch, return_exceptions=True)


async def test_one_removed_once_its_deliveries_are_kept_drops_them(hall: HookHall) -> None:
    """They are kept and not committed yet: who removes it waits for them."""
    id_ = await hall.subscribe()
    await hall.subscribe(path="/other")
    await hall.told()
    await hall.begun()
    async with hall.owner.acquire() as connection:
        async with connection.transaction():
            await connection.execute("select from hook_look for update")
            reading = asyncio.create_task(hall.journal.sweep())
            await somebody_waits(connection)
            removal = asyncio.create_task(hall.hooks.remove(id_))
            await over_or_waiting(connection, removal, waiting=2)
        assert await reading == 1
        await removal
    rows = await hall.owner.fetch("select state from hook_delivery where subscription = $1", id_)
    assert [row["state"] for row in rows] == [4]


async def test_one_removed_just_before_they_are_kept_gets_none(hall: HookHall) -> None:
    id_ = await hall.subscribe()
    other = await hall.subscribe(path="/other")
    await hall.begun()
    async with hall.owner.acquire() as connection:
        async with connection.transaction():
            await connection.execute(
                "update hook_subscription set state = 'removed' where id = $1", id_
            )
            reading = asyncio.create_task(hall.journal.sweep())
            await over_or_waiting(connection, reading, waiting=1)
        assert await reading == 1
    rows = await hall.owner.fetch("select subscription from hook_delivery")
    assert [row["subscription"].hex for row in rows] == [other]


async def test_what_waits_for_a_removed_one_alone_is_forgotten_in_its_time(hall: HookHall) -> None:
    """Left so by an older version, or sent again by hand in the moment of its removal."""
    id_ = await hall.subscribe()
    await hall.begun()
    await hall.journal.sweep()
    await hall.owner.execute("update hook_subscription set state = 'removed' where id = $1", id_)
    hall.world.clock.pass_(KEPT_MS / 1000 + 10)
    assert await hall.journal.forget() == 1
    assert await hall.owner.fetchval("select count(*) from hook_delivery") == 0

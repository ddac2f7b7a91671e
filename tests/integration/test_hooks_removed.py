"""A subscription that goes while the journal is read: nothing is left waiting for it."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from engine.hooks.events import EventKind
from engine.hooks.journal import KEPT_MS
from engine.hooks.subscription import HookId
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


async def resent(hall: HookHall, id_: HookId, *, parked: bool) -> None:
    """Everything of a subscription once more, one by one or all that was parked."""
    if parked:
        await hall.hooks.resend_parked(id_, hall.world.clock.now() - timedelta(days=1))
        return
    (delivery,) = await hall.deliveries(id_)
    await hall.hooks.resend(id_, delivery.event)


@pytest.mark.parametrize("parked", [False, True])
async def test_what_is_sent_again_just_after_the_removal_waits_for_nobody(
    hall: HookHall, parked: bool
) -> None:
    """Whoever sends it again has seen the subscription; then it is removed."""
    id_ = await hall.subscribe()
    await hall.begun()
    await hall.journal.sweep()
    if parked:
        await hall.owner.execute("update hook_delivery set state = 3, due_ms = null")
    async with hall.owner.acquire() as connection:
        async with connection.transaction():
            await connection.execute(
                "update hook_subscription set state = 'removed' where id = $1", id_
            )
            await connection.execute(
                "update hook_delivery set state = 4, due_ms = null where state = 1"
            )
            sending = asyncio.create_task(resent(hall, id_, parked=parked))
            await over_or_waiting(connection, sending, waiting=1)
        await sending
    assert await hall.owner.fetchval("select state from hook_delivery") == (3 if parked else 4)


async def test_what_is_sent_again_just_before_the_removal_is_dropped(hall: HookHall) -> None:
    id_ = await hall.subscribe(EventKind.CREATED)
    await hall.told()
    await hall.begun()
    await hall.told()
    (delivery,) = await hall.deliveries(id_)
    async with hall.owner.acquire() as connection:
        async with connection.transaction():
            await connection.execute("select from hook_delivery for update")
            sending = asyncio.create_task(hall.hooks.resend(id_, delivery.event))
            await somebody_waits(connection)
            removal = asyncio.create_task(hall.hooks.remove(id_))
            await over_or_waiting(connection, removal, waiting=2)
        await asyncio.gather(sending, removal)
    assert await hall.owner.fetchval("select state from hook_delivery") == 4


async def test_whoever_writes_down_what_was_heard_holds_up_no_removal(hall: HookHall) -> None:
    """Both hold the subscription before its deliveries: else each could wait for the other."""
    id_ = await hall.subscribe(EventKind.CREATED)
    hall.receiver.faults.append("error_500")
    await hall.begun()
    await hall.told()
    async with hall.owner.acquire() as connection:
        async with connection.transaction():
            await connection.execute("select from hook_subscription for update")
            hall.world.clock.pass_(10)
            await hall.courier.sweep()
            await somebody_waits(connection)
            assert (
                await connection.fetchval(
                    "select count(*) from (select from hook_delivery for update skip locked) d"
                )
                == 1
            )
        await hall.courier.idle()
    assert [d.state for d in await hall.deliveries(id_)] == ["delivered"]


async def test_what_waits_for_a_removed_one_alone_is_forgotten_in_its_time(hall: HookHall) -> None:
    """Left so by an older version."""
    id_ = await hall.subscribe()
    await hall.begun()
    await hall.journal.sweep()
    await hall.owner.execute("update hook_subscription set state = 'removed' where id = $1", id_)
    hall.world.clock.pass_(KEPT_MS / 1000 + 10)
    assert await hall.journal.forget() == 1
    assert await hall.owner.fetchval("select count(*) from hook_delivery") == 0

"""A call that takes longer than a lease keeps its intent: nobody else calls meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import StrEnum

import pytest

from engine.clock import PaymentId
from engine.outbox import RETRY_SECONDS_MIN
from engine.payments.lifecycle import State
from engine.ports import Direction, Finding, Outcome
from tests.integration.books import assert_books
from tests.integration.world import SUCCEEDED, World, open_world

LEASE_SECONDS = 1


@pytest.fixture
async def world(seeded_url: str) -> AsyncIterator[World]:
    async with open_world(seeded_url, CAPP_LEASE_SECONDS=str(LEASE_SECONDS)) as opened:
        yield opened
        await opened.dispatched()
        await assert_books(opened.pool)


async def lease_until(world: World) -> float:
    return float(await world.pool.fetchval("select max(lease_until) from outbox where kind < 10"))


async def comes(world: World, moment: float) -> bool:
    """Whether the lease is held beyond a moment of the world's clock, after a while."""
    try:
        async with asyncio.timeout(30 * LEASE_SECONDS):
            while await lease_until(world) <= moment:  # noqa: ASYNC110 - another task writes it
                await asyncio.sleep(0.02)
    except TimeoutError:
        return False
    return True


class Begun(StrEnum):
    """Who makes the call."""

    FRESH = "fresh from its commit"
    TAKEN_OVER = "left behind by a process that died"
    SENT_AGAIN = "sent again, for its operator never had it"


@asynccontextmanager
async def calling_for_long(world: World, begun: Begun = Begun.FRESH) -> AsyncIterator[PaymentId]:
    """A payout whose operator is still answering; a repeat of it would be sent at once."""
    payment_id = await world.confirm()
    await world.dispatched()
    if begun is not Begun.SENT_AGAIN:
        world.mtn.may_answer = asyncio.Event()
    world.dispatching = begun is not Begun.TAKEN_OVER
    await world.tell(await world.live(payment_id), SUCCEEDED)
    world.dispatching = True
    asking = None
    if begun is Begun.TAKEN_OVER:
        world.clock.pass_(RETRY_SECONDS_MIN + 2 * LEASE_SECONDS)
        assert await world.dispatcher.sweep() == 1
    elif begun is Begun.SENT_AGAIN:
        await world.dispatched()
        world.clock.pass_(200)
        world.mtn.orders.clear()
        world.mtn.may_answer = asyncio.Event()
        world.mtn.findings = [Finding(Outcome.NOT_FOUND, "no such reference")]
        payment = await world.payment(payment_id)
        attempt_id = await world.live(payment_id)
        asking = asyncio.create_task(world.dispatcher.ask(payment, attempt_id, Direction.DISBURSE))
    try:
        async with asyncio.timeout(120):
            while not world.mtn.orders:  # noqa: ASYNC110 - the call is under way
                await asyncio.sleep(0.01)
        yield payment_id
    finally:
        assert world.mtn.may_answer is not None
        world.mtn.may_answer.set()
        await world.dispatched()
        if asking is not None:
            await asking


@pytest.mark.parametrize("begun", Begun)
async def test_a_slow_call_is_not_sent_twice(world: World, database_url: str, begun: Begun) -> None:
    async with (
        open_world(database_url, clock=world.clock, seeded=False) as other,
        calling_for_long(world, begun) as payment_id,
    ):
        for _ in range(3):  # each time far beyond the lease that it had
            world.clock.pass_(RETRY_SECONDS_MIN + 10 * LEASE_SECONDS)
            assert await comes(world, world.clock.epoch() - 1)
            assert await other.dispatcher.sweep() == 0
        await other.dispatched()
        assert other.mtn.orders == []
    assert len(world.mtn.orders) == 1
    assert await world.state(payment_id) is State.PAYING
    assert await world.pool.fetchval("select count(*) from outbox where kind < 10") == 0


async def test_what_nobody_holds_any_more_is_taken_over(world: World, database_url: str) -> None:
    """A process that died renews nothing: its claim runs out as ever."""
    async with (
        open_world(
            database_url, clock=world.clock, seeded=False, CAPP_LEASE_SECONDS="3600"
        ) as dead,
        calling_for_long(dead),
    ):
        await world.pool.execute(
            "update outbox set lease_until = $1 where kind < 10", int(world.clock.epoch())
        )
        world.clock.pass_(RETRY_SECONDS_MIN + 2)
        assert await world.dispatcher.sweep() == 1
        await world.dispatched()
        assert len(world.mtn.orders) == 1  # this operator refuses a repeat as one


async def test_a_lease_that_was_given_back_is_not_renewed(world: World) -> None:
    outbox, attempt = world.dispatcher._outbox, await _waiting(world)
    claim = await outbox.claim(attempt)
    assert await outbox.renew(attempt, claim)
    await outbox.release(attempt, claim, world.clock.epoch() + 40)
    held = await lease_until(world)
    assert not await outbox.renew(attempt, claim)
    assert await lease_until(world) == held
    again = await outbox.claim(attempt)
    assert not await outbox.renew(attempt, claim)
    assert await outbox.renew(attempt, again)


async def _waiting(world: World) -> str:
    world.dispatching = False
    return await world.live(await world.confirm())

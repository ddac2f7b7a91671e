"""An operator goes down with payments on their way to it: what is sent waits, what waits is sent.

Health and its breaker are the real ones, on the same Postgres; the test plays the operator.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import NamedTuple

import pytest

from engine.clock import Ids, PaymentId
from engine.payments.breaker import BreakerRules
from engine.payments.health import Told
from engine.payments.health_store import HealthStore
from engine.payments.lifecycle import State
from engine.payments.watch import Health
from engine.ports import Direction
from tests.integration.books import assert_books
from tests.integration.world import SUCCEEDED, World, open_world
from tests.unit.payments.examples import MPESA, MTN

S = State
QUEUED = 500
UNDER_WAY = 10
PAYS_OUT_MINOR = 28_023


class Watched(NamedTuple):
    """A world whose ways to pay out are open or closed as its operators' health says."""

    world: World
    health: Health

    async def tell_health(self, told: Told, times: int) -> None:
        """What the operator's answers tell; flushed and read again, as the worker does."""
        for _ in range(times):
            self.health.record("mtn_ug", Direction.DISBURSE, told, PAYS_OUT_MINOR)
        await self.health.tend()

    async def sweep(self) -> None:
        """One round of the worker, ten seconds after the last."""
        self.world.clock.pass_(11)
        await self.health.tend()
        await self.world.reconciler.sweep()
        await self.world.dispatched()

    async def in_state(self, state: State) -> int:
        sql = "select count(*) from payment where state = $1"
        found: int = await self.world.pool.fetchval(sql, int(state))
        return found


@pytest.fixture
async def watched(seeded_url: str) -> AsyncIterator[Watched]:
    async with open_world(seeded_url) as world:
        operators = {"mpesa_ke": MPESA, "mtn_ug": MTN}
        store = HealthStore(world.pool, 1)
        health = Health(store=store, operators=operators, clock=world.clock, ids=Ids(world.clock))

        async def take_turn(operator: str, minor: int) -> bool:
            return await health.take_probe(operator, Direction.DISBURSE, minor)

        # What `Gate` does with them; compliance has nothing to say here.
        world.policy.may_pay = health.may_disburse  # type: ignore[method-assign]
        world.policy.take_turn = take_turn  # type: ignore[method-assign]
        yield Watched(world, health)
        await assert_books(world.pool)


async def collected(world: World, many: int) -> list[PaymentId]:
    """So many payments whose money is here, the one after the other."""
    confirmed = await asyncio.gather(*[world.confirm() for _ in range(many)])
    await world.dispatched()
    attempts = await asyncio.gather(*[world.live(payment_id) for payment_id in confirmed])
    await asyncio.gather(*[world.tell(attempt, SUCCEEDED) for attempt in attempts])
    await world.dispatched()
    return confirmed


async def first_to_leave(watched: Watched) -> int:
    """Sweep until some leave: how many did at once."""
    before = len(watched.world.mtn.orders)
    for _ in range(20):
        await watched.sweep()
        if left := len(watched.world.mtn.orders) - before:
            return left
    pytest.fail("the breaker lets nobody try")


async def test_five_hundred_queued_payouts_drain_once_each_when_the_breaker_closes(
    watched: Watched,
) -> None:
    world = watched.world
    under_way = await collected(world, UNDER_WAY)
    await watched.tell_health(Told.UNCLEAR, 5)
    assert not watched.health.may_disburse("mtn_ug")
    await collected(world, QUEUED)
    assert await watched.in_state(S.PAYOUT_QUEUED) == QUEUED
    await watched.sweep()  # within the breaker's pause
    assert len(world.mtn.orders) == UNDER_WAY  # an open breaker lets nothing through

    probes = await first_to_leave(watched)
    assert probes == BreakerRules().probes_at_once  # half open: a few, whoever waits
    await watched.tell_health(Told.SUCCEEDED, probes)
    assert watched.health.may_disburse("mtn_ug")
    for _ in range(10):
        await watched.sweep()

    assert await watched.in_state(S.PAYOUT_QUEUED) == 0
    assert len(world.mtn.orders) == UNDER_WAY + QUEUED
    assert len({order.code for order in world.mtn.orders}) == UNDER_WAY + QUEUED
    in_flight = (UNDER_WAY + QUEUED) * PAYS_OUT_MINOR
    assert await world.balance("PAYOUT_IN_FLIGHT mtn_ug", "UGX") == in_flight
    for payment_id in under_way:  # and those that were on their way end as ever
        await world.tell(await world.live(payment_id), SUCCEEDED)
        assert await world.state(payment_id) is S.PAID


async def test_who_has_waited_longest_is_paid_out_first(watched: Watched) -> None:
    world = watched.world
    await watched.tell_health(Told.UNCLEAR, 5)
    waiting: list[PaymentId] = []
    for _ in range(12):
        world.clock.pass_(0.002)  # ids of one millisecond have no order
        waiting += await collected(world, 1)
        await watched.sweep()
    world.clock.pass_(BreakerRules().pause_seconds_first)
    await watched.health.tend()
    await watched.tell_health(Told.SUCCEEDED, 3)
    world.clock.pass_(11)
    while await world.reconciler.sweep(1):  # of two that leave at once either is called first
        await world.dispatched()
    codes = [(await world.payment(payment_id)).code for payment_id in waiting]
    assert [order.code for order in world.mtn.orders] == codes

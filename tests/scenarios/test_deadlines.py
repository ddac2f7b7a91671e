"""Time: quotes that end between any two steps, clocks that jump, workers that were merely slow."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable

import pytest

from engine.customers.customers import Customer
from engine.errors import CustomerMistake, OutcomeUnknown, Rejected
from engine.fx.quotes import Quote
from engine.payments.lifecycle import State
from engine.payments.payment import Payment
from engine.payments.policy import Clearance
from engine.ports import Accepted, Direction, Order
from tests.integration.books import assert_books
from tests.integration.world import CUSTOMER, SUCCEEDED, World, open_world

S = State
QUOTE_SECONDS = 120
PAY_WITHIN_SECONDS = 2 * 3600
LEASE_SECONDS = 60


@pytest.fixture
async def world(seeded_url: str) -> AsyncIterator[World]:
    async with open_world(seeded_url) as opened:
        yield opened
        await opened.dispatched()
        await assert_books(opened.pool)


async def sweep(world: World) -> None:
    """What the worker does every second."""
    await world.dispatcher.sweep()
    await world.dispatched()
    await world.reconciler.sweep()
    await world.dispatched()


async def lived_through(world: World, at: Callable[[str], None]) -> Payment:
    """One payment whose operators answer at once; `at` is told of every moment of its life."""
    at("confirmed")
    payment_id = await world.confirm()
    for moment in ("collecting", "paying"):
        await world.dispatched()
        at(moment)
        await sweep(world)
        await world.tell(await world.live(payment_id), SUCCEEDED)
    await world.dispatched()
    at("paid")
    await sweep(world)
    return await world.payment(payment_id)


# Quotes that end.


async def test_a_quote_that_ends_while_it_is_being_confirmed_collects_nothing(
    world: World,
) -> None:
    """It was in time at the door and too late when its reservation was stored."""

    async def clear(
        payer: Customer, quote: Quote, told: str = "", *, expected: str = ""
    ) -> Clearance:
        world.clock.pass_(QUOTE_SECONDS + 1)
        return Clearance()

    world.policy.clear = clear  # type: ignore[method-assign]
    payment_id = await world.confirm()
    await world.dispatched()
    assert await world.state(payment_id) is S.EXPIRED
    assert world.mpesa.orders == []
    assert await world.balance("POOL_HELD", "UGX") == 0


async def test_a_quote_that_ends_before_its_collection_is_sent_collects_nothing(
    world: World,
) -> None:
    world.dispatching = False
    payment_id = await world.confirm()
    world.clock.pass_(QUOTE_SECONDS + 1)
    await sweep(world)
    assert await world.state(payment_id) is S.EXPIRED
    assert world.mpesa.orders == []
    assert await world.balance("POOL_HELD", "UGX") == 0


async def test_a_payer_who_approves_after_the_quote_has_ended_is_paid_for_at_its_price(
    world: World,
) -> None:
    """The hold stays as long as the prompt may be answered: what was promised is still there."""
    payment_id = await world.confirm()
    await world.dispatched()
    world.clock.pass_(QUOTE_SECONDS + 1)
    await sweep(world)
    assert await world.balance("POOL_HELD", "UGX") == 28_023
    await world.tell(await world.live(payment_id), SUCCEEDED)
    await world.dispatched()
    (payout,) = world.mtn.orders
    assert payout.amount.minor == 28_023
    await world.tell(payout.attempt_id, SUCCEEDED)
    assert await world.state(payment_id) is S.PAID


async def test_a_payer_who_approves_when_the_rate_is_over_gets_all_back(world: World) -> None:
    payment_id = await world.confirm()
    await world.dispatched()
    world.clock.pass_(QUOTE_SECONDS + PAY_WITHIN_SECONDS + 1)
    await world.tell(await world.live(payment_id), SUCCEEDED)
    await world.dispatched()
    assert await world.state(payment_id) is S.REFUNDING
    assert world.mtn.orders == []
    refund = world.mpesa.orders[-1]
    assert (refund.direction, refund.amount.minor) == (Direction.REFUND, 102_000)
    assert await world.balance("POOL_HELD", "UGX") == 0


async def test_a_rate_that_ends_between_the_collection_and_its_late_payout_pays_nothing(
    world: World,
) -> None:
    world.policy.closed = {"mtn_ug"}
    payment_id = await world.confirm()
    await world.dispatched()
    await world.tell(await world.live(payment_id), SUCCEEDED)
    assert await world.state(payment_id) is S.PAYOUT_QUEUED
    world.clock.pass_(QUOTE_SECONDS + PAY_WITHIN_SECONDS + 1)
    world.policy.closed = set()
    await sweep(world)
    assert await world.state(payment_id) is S.REFUNDING
    assert world.mtn.orders == []


# Clocks that jump.


@pytest.mark.parametrize("seconds", [-600, 600])
async def test_a_clock_that_jumps_ten_minutes_loses_and_doubles_nothing(
    world: World, seconds: int
) -> None:
    for moment in ("confirmed", "collecting", "paying", "paid"):

        def at(now: str, moment: str = moment) -> None:
            if now == moment:
                world.clock.pass_(seconds)

        payment = await lived_through(world, at)
        assert payment.state is S.PAID, moment
    for operator in (world.mpesa, world.mtn):
        assert len({order.code for order in operator.orders}) == len(operator.orders) == 4
    world.clock.pass_(1200)
    await sweep(world)
    rows = await world.pool.fetch("select template from sms_message where template like 'receipt%'")
    assert Counter(row["template"] for row in rows) == {"receipt_payer": 4, "receipt_payee": 4}
    assert await world.pool.fetchval("select count(*) from outbox") == 0
    assert await world.cases() == []


async def test_a_quote_confirmed_by_a_clock_that_jumped_ahead_is_refused_not_reserved(
    world: World,
) -> None:
    quote = await world.quote()
    world.clock.pass_(600)
    with pytest.raises(CustomerMistake, match="quote_expired"):
        await world.payments.confirming.confirm(payer=CUSTOMER, quote=quote, key="k")
    assert await world.balance("POOL_HELD", "UGX") == 0


# Workers that were merely slow.


class Held:
    """An operator's call that takes until somebody lets it end, and then ends as it is told."""

    def __init__(self, answer: Exception | Accepted) -> None:
        self.begun, self.may_end = asyncio.Event(), asyncio.Event()
        self.orders: list[Order] = []
        self._answer = answer

    async def __call__(self, order: Order) -> Accepted:
        self.orders.append(order)
        self.begun.set()
        await self.may_end.wait()
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


REJECTED = Rejected("any", "no", code="NOT_ALLOWED", reason="other")
SILENCE = OutcomeUnknown("any", "silence")


@pytest.mark.parametrize(
    "hears", [Accepted("late"), REJECTED, SILENCE], ids=lambda heard: type(heard).__name__
)
async def test_a_zombie_whose_payout_was_taken_over_changes_nothing_when_it_goes_on(
    world: World, database_url: str, hears: Exception | Accepted
) -> None:
    payment_id = await world.confirm()
    await world.dispatched()
    slow = Held(hears)
    world.mtn.disburse = slow  # type: ignore[method-assign]
    await world.tell(await world.live(payment_id), SUCCEEDED)
    await slow.begun.wait()
    world.clock.pass_(LEASE_SECONDS + 1)
    async with open_world(database_url, clock=world.clock, seeded=False) as other:
        await other.dispatcher.sweep()
        await other.dispatched()
        slow.may_end.set()
        await world.dispatched()
        (again,) = other.mtn.orders
        assert again.attempt_id == slow.orders[0].attempt_id  # one reference: one payout
        assert await other.state(payment_id) in (S.PAYING, S.PAYOUT_UNKNOWN)
        assert await other.balance("PAYOUT_IN_FLIGHT mtn_ug", "UGX") == 28_023
        await other.tell(again.attempt_id, SUCCEEDED)
        assert await other.state(payment_id) is S.PAID
    assert world.mpesa.orders[-1].direction is Direction.COLLECT  # nobody gave it back


@pytest.mark.parametrize(
    "hears", [Accepted("late"), REJECTED], ids=lambda heard: type(heard).__name__
)
async def test_a_zombie_whose_push_was_given_up_as_unclear_leads_to_no_second_prompt(
    world: World, database_url: str, hears: Exception | Accepted
) -> None:
    """M-PESA takes no repeated push: who takes it over asks, and never sends."""
    slow = Held(hears)
    world.mpesa.collect = slow  # type: ignore[method-assign]
    payment_id = await world.confirm()
    await slow.begun.wait()
    world.clock.pass_(LEASE_SECONDS + 1)
    async with open_world(database_url, clock=world.clock, seeded=False) as other:
        await other.dispatcher.sweep()
        await other.dispatched()
        assert await other.state(payment_id) is S.COLLECT_UNKNOWN
        slow.may_end.set()
        await world.dispatched()
        await other.dispatcher.sweep()
        await other.dispatched()
        assert (len(slow.orders), other.mpesa.orders) == (1, [])
        assert await other.state(payment_id) is S.COLLECT_UNKNOWN
        assert await other.balance("POOL_HELD", "UGX") == 28_023

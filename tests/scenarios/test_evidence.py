"""What operators say late, twice, too much, or at the wrong time; the money it moves."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from engine.clock import AttemptId, PaymentId
from engine.errors import OutcomeUnknown, Rejected
from engine.money import Money
from engine.payments.evidence import Source
from engine.payments.lifecycle import State
from engine.payments.stepping import Heard
from engine.ports import Direction, Finding, Outcome, Reason
from tests.integration.books import assert_books
from tests.integration.world import FAILED, SUCCEEDED, World, open_world

S = State
SILENCE = OutcomeUnknown("any", "silence")
NOT_FOUND = Finding(Outcome.NOT_FOUND, "RESOURCE_NOT_FOUND")
HOUR = 3600


@pytest.fixture
async def world(seeded_url: str) -> AsyncIterator[World]:
    async with open_world(seeded_url) as opened:
        yield opened
        await opened.dispatched()
        await assert_books(opened.pool)


async def paying(world: World) -> tuple[PaymentId, AttemptId]:
    payment_id = await world.confirm()
    await world.dispatched()
    await world.tell(await world.live(payment_id), SUCCEEDED)
    await world.dispatched()
    return payment_id, await world.live(payment_id)


async def balances(world: World) -> list[Any]:
    found: list[Any] = await world.pool.fetch("select id, amount from balance order by id")
    return found


# A timeout, and then a failure.


async def test_a_collection_that_timed_out_and_then_failed_charges_nobody(world: World) -> None:
    world.mpesa.answers = [SILENCE]
    payment_id = await world.confirm()
    await world.dispatched()
    assert await world.state(payment_id) is S.COLLECT_UNKNOWN
    assert await world.balance("POOL_HELD", "UGX") == 28_023  # kept while nobody knows
    assert await world.tell(await world.live(payment_id), FAILED) is Heard.ADVANCED
    assert await world.state(payment_id) is S.COLLECT_FAILED
    assert await world.balance("POOL_HELD", "UGX") == 0
    assert (len(world.mpesa.orders), world.mtn.orders) == (1, [])


async def test_a_payout_that_timed_out_and_then_failed_is_given_back(world: World) -> None:
    payment_id = await world.confirm()
    await world.dispatched()
    world.mtn.answers = [SILENCE]
    await world.tell(await world.live(payment_id), SUCCEEDED)
    await world.dispatched()
    assert await world.state(payment_id) is S.PAYOUT_UNKNOWN
    assert len(world.mpesa.orders) == 1  # nothing is given back while nobody knows
    await world.tell(await world.live(payment_id), FAILED)
    await world.dispatched()
    assert await world.state(payment_id) is S.REFUNDING
    assert world.mpesa.orders[-1].direction is Direction.REFUND
    assert await world.balance("PAYOUT_IN_FLIGHT mtn_ug", "UGX") == 0


# The same again and again.


@pytest.mark.parametrize("direction", [Direction.COLLECT, Direction.DISBURSE])
async def test_a_callback_a_hundred_times_at_once_on_two_nodes_is_one_step(
    world: World, database_url: str, direction: Direction
) -> None:
    if direction is Direction.COLLECT:
        payment_id = await world.confirm()
        await world.dispatched()
        attempt = await world.live(payment_id)
    else:
        payment_id, attempt = await paying(world)
    before = (await world.payment(payment_id)).version
    async with open_world(database_url, clock=world.clock, seeded=False) as other:
        heard = await asyncio.gather(
            *[(world, other)[n % 2].tell(attempt, SUCCEEDED) for n in range(100)]
        )
        await other.dispatched()
        await world.dispatched()
        assert sorted(set(heard)) == [Heard.ADVANCED, Heard.KEPT]
        assert heard.count(Heard.ADVANCED) == 1
        assert len(world.mtn.orders) + len(other.mtn.orders) == 1
    assert (await world.payment(payment_id)).version == before + 1
    told = "select count(*) from evidence where attempt = $1 and source = 2"
    assert await world.pool.fetchval(told, attempt) == 1


async def test_yesterdays_callbacks_replayed_change_nothing(world: World) -> None:
    paid, payout = await paying(world)
    refunded, failed_payout = await paying(world)
    collections = [order.attempt_id for order in world.mpesa.orders]
    await world.tell(payout, SUCCEEDED)
    await world.tell(failed_payout, FAILED)
    await world.dispatched()
    refund = await world.live(refunded)
    await world.tell(refund, SUCCEEDED)
    await world.dispatched()
    before = await balances(world)
    said = [(a, SUCCEEDED) for a in (*collections, payout, refund)] + [(failed_payout, FAILED)]
    world.clock.pass_(24 * HOUR)
    heard = await asyncio.gather(*[world.tell(attempt, finding) for attempt, finding in said * 3])
    assert set(heard) == {Heard.KEPT}
    assert [await world.state(p) for p in (paid, refunded)] == [S.PAID, S.REFUNDED]
    assert await balances(world) == before
    assert await world.cases() == []


# What the operator did not know at first.


@pytest.mark.parametrize("direction", [Direction.COLLECT, Direction.DISBURSE])
async def test_not_found_and_ten_minutes_later_success_is_one_success(
    world: World, direction: Direction
) -> None:
    if direction is Direction.COLLECT:
        payment_id = await world.confirm()
        await world.dispatched()
        operator = world.mpesa
    else:
        payment_id, _ = await paying(world)
        operator = world.mtn
    operator.findings = [NOT_FOUND] * 50
    for _ in range(10):
        world.clock.pass_(61)
        await world.reconciler.sweep()
        await world.dispatched()
    assert operator.questions
    assert (await world.payment(payment_id)).live_direction is direction  # neither failed nor paid
    operator.findings = [SUCCEEDED]
    world.clock.pass_(HOUR)
    await world.reconciler.sweep()
    await world.dispatched()
    ends = {Direction.COLLECT: S.PAYING, Direction.DISBURSE: S.PAID}
    assert await world.state(payment_id) is ends[direction]
    assert len({order.attempt_id for order in operator.orders}) == 1  # never under a new reference


async def test_a_query_that_denies_what_a_callback_said_moves_nothing(world: World) -> None:
    payment_id = await world.confirm()
    await world.dispatched()
    attempt = await world.live(payment_id)
    await world.tell(attempt, SUCCEEDED)
    before = await balances(world)
    assert await world.tell(attempt, NOT_FOUND, Source.QUERY) is Heard.KEPT
    assert await world.tell(attempt, FAILED, Source.QUERY) is Heard.CONFLICT
    assert await world.state(payment_id) is S.PAYING
    assert await balances(world) == before


# Too much, too little, twice.


async def test_a_part_or_more_than_was_asked_for_moves_nothing_and_is_a_case(
    world: World,
) -> None:
    payment_id = await world.confirm()
    await world.dispatched()
    before = await balances(world)
    attempt = await world.live(payment_id)
    for paid_minor in (1, 101_999, 102_001, 204_000):
        said = msgspec.structs.replace(SUCCEEDED, amount=Money(paid_minor, "KES"))
        for source in (Source.CALLBACK, Source.QUERY):
            assert await world.tell(attempt, said, source) is Heard.CONFLICT
    assert await world.state(payment_id) is S.COLLECTING
    assert await balances(world) == before
    assert set(await world.cases()) == {"CONFLICT"}


async def test_a_second_approval_of_one_push_is_kept_and_pays_nobody_twice(world: World) -> None:
    payment_id, _ = await paying(world)
    before = await balances(world)
    again = msgspec.structs.replace(SUCCEEDED, receipt="R2")
    assert await world.tell(world.mpesa.orders[0].attempt_id, again) is Heard.KEPT
    kept = await world.pool.fetch("select body from evidence where source = 2 order by body")
    assert ["R1" in kept[0]["body"], "R2" in kept[1]["body"]] == [True, True]
    assert await balances(world) == before
    assert (await world.state(payment_id), len(world.mtn.orders)) == (S.PAYING, 1)


# The operator's side of our money.


async def test_a_float_emptier_than_our_book_says_pays_another_way_or_gives_all_back(
    world: World,
) -> None:
    """The book says 150 million; the operator says that there is not enough."""
    world.mtn.answers = [
        Rejected("mtn", "no", code="NOT_ENOUGH_FUNDS", reason=Reason.CONFIGURATION)
    ]
    payment_id, _ = await paying(world)
    assert await world.state(payment_id) is S.REFUNDING
    assert await world.balance("FLOAT mtn_ug", "UGX") == 150_000_000
    assert await world.balance("PAYOUT_IN_FLIGHT mtn_ug", "UGX") == 0
    assert world.mpesa.orders[-1].amount == Money(102_000, "KES")

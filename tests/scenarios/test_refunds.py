"""Giving back: never while a payout may have happened, once, and whatever the rate does."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

from engine.clock import PaymentId
from engine.decisions import Decision, Kind
from engine.errors import OutcomeUnknown
from engine.fx.rates import RateBook
from engine.money import Money
from engine.payments.facts import Ruling
from engine.payments.lifecycle import TABLE, Event, State
from engine.payments.policy import Clearance
from engine.ports import Direction
from tests.integration.books import assert_books
from tests.integration.world import FAILED, SUCCEEDED, World, open_world

S = State
HELD = Decision(Kind.COMPLIANCE, "hold", "a name on a list", {"score": 91})
BY_TWO = Ruling("looked into", by=("amina", "brian"), proposal="p1")
BY_TWO_OTHERS = Ruling("looked into", by=("chep", "dalmas"), proposal="p2")


@pytest.fixture
async def world(seeded_url: str) -> AsyncIterator[World]:
    async with open_world(seeded_url) as opened:
        yield opened
        await opened.dispatched()
        await assert_books(opened.pool)


async def collected(world: World) -> PaymentId:
    payment_id = await world.confirm()
    await world.dispatched()
    await world.tell(await world.live(payment_id), SUCCEEDED)
    await world.dispatched()
    return payment_id


async def balances(world: World) -> list[Any]:
    found: list[Any] = await world.pool.fetch("select id, amount from balance order by id")
    return found


@pytest.mark.parametrize("answers", [[], [OutcomeUnknown("mtn", "silence")]])
async def test_a_refund_asked_for_while_the_payout_is_under_way_or_unknown_is_refused(
    world: World, answers: list[Exception]
) -> None:
    world.mtn.answers = [*answers]
    payment_id = await collected(world)
    state = S.PAYOUT_UNKNOWN if answers else S.PAYING
    assert await world.state(payment_id) is state
    before = await balances(world)
    assert not await world.rulings.refund(payment_id, BY_TWO)
    assert not await world.rulings.release(payment_id, BY_TWO)
    assert not await world.rulings.repay(payment_id, BY_TWO)
    await world.dispatched()
    assert await world.state(payment_id) is state
    assert await balances(world) == before
    assert [order.direction for order in world.mpesa.orders] == [Direction.COLLECT]


def test_no_line_of_the_table_leads_from_an_unknown_payout_to_a_refund_without_proof() -> None:
    unknown = {S.PAYING, S.PAYOUT_UNKNOWN}
    proofs = {Event.PAYOUT_SUCCEEDED, Event.PAYOUT_FAILED}
    ways_out = {t.event for t in TABLE if t.source in unknown and t.target not in unknown}
    assert ways_out == proofs


async def test_two_pairs_of_people_who_refund_and_release_at_once_do_one_of_the_two(
    world: World, database_url: str
) -> None:
    world.policy.clearance = Clearance(HELD)
    for _ in range(4):
        payment_id = await collected(world)
        assert await world.state(payment_id) is S.ON_HOLD
        before = len(world.mpesa.orders), len(world.mtn.orders)
        async with open_world(database_url, clock=world.clock, seeded=False) as other:
            went = await asyncio.gather(
                world.rulings.refund(payment_id, BY_TWO),
                other.rulings.release(payment_id, BY_TWO_OTHERS),
                world.rulings.refund(payment_id, BY_TWO),
                return_exceptions=True,
            )
            await world.dispatched()
            await other.dispatched()
            assert sorted(map(str, went)) == ["False", "False", "True"]
            refunds = len(world.mpesa.orders) - before[0]
            payouts = len(world.mtn.orders) - before[1] + len(other.mtn.orders)
            assert refunds + payouts == 1


async def test_a_refund_tried_again_keeps_all_that_was_sent_and_heard_before(
    world: World,
) -> None:
    payment_id = await collected(world)
    await world.tell(await world.live(payment_id), FAILED)
    await world.dispatched()
    await world.tell(await world.live(payment_id), FAILED)
    assert await world.state(payment_id) is S.REFUND_DUE
    kept = [f"select * from {table}" for table in ("attempt", "evidence", "journal")]
    before = [set(await world.pool.fetch(sql)) for sql in kept]
    payment = await world.payment(payment_id)
    await asyncio.gather(*[world.payments.order_refund(payment) for _ in range(5)])
    await world.dispatched()
    after = [set(await world.pool.fetch(sql)) for sql in kept]
    assert all(was < now for was, now in zip(before, after, strict=True))
    assert len(after[0]) == len(before[0]) + 1  # one new attempt, however many ask
    assert len({order.attempt_id for order in world.mpesa.orders}) == 3


@pytest.mark.parametrize("percent", [-10, 10])
async def test_a_refund_after_the_rate_moved_gives_back_what_was_paid(
    world: World, percent: int
) -> None:
    payment_id = await collected(world)
    mid = await world.pool.fetchval(
        "select mid from fx_rate where base = 'KES' and quote = 'UGX' order by at_ms desc limit 1"
    )
    moved = Decimal(mid) * (100 + percent) / 100
    await world.pool.execute(
        "insert into fx_rate (tenant, base, quote, at_ms, mid, source)"
        " values (1, 'KES', 'UGX', $1, $2, 'test')",
        int(world.clock.epoch() * 1000) + 1, moved,
    )  # fmt: skip
    rates = RateBook(1, world.clock, stale_after_seconds=86_400)
    await rates.refresh(world.pool)
    assert rates.rate("KES", "UGX").mid == moved  # it counts from now on
    await world.tell(await world.live(payment_id), FAILED)
    await world.dispatched()
    assert world.mpesa.orders[-1].amount == Money(102_000, "KES")
    await world.tell(await world.live(payment_id), SUCCEEDED)
    assert await world.state(payment_id) is S.REFUNDED
    assert await world.balance("FLOAT mpesa_ke", "KES") == 500_000_000
    assert await world.balance("POOL_AVAIL", "UGX") == 150_000_000
    assert await world.balance("FX_SPREAD", "KES") == 0

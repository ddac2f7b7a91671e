"""Money to somebody at home: one currency, one operator on both sides, the same books."""

from collections.abc import AsyncIterator

import msgspec
import pytest

from channels.commands.seed import read_seeds, seed
from engine.clock import PaymentId
from engine.fx.quotes import Corridor
from engine.money import Money
from engine.msisdn import Msisdn
from engine.payments.lifecycle import State
from engine.ports import Direction
from tests.integration.books import assert_books
from tests.integration.world import (
    CUSTOMER,
    FAILED,
    SEEDS,
    SUCCEEDED,
    TestClock,
    World,
    open_world,
    settings_for,
)
from tests.unit.payments.examples import MPESA, MTN

NEIGHBOUR = Msisdn("+254712000077")
HOME = Corridor(
    payer_operator="mpesa_ke",
    payee_operator="mpesa_ke",
    spread_bp=0,
    fee_minor=500,
    fee_bp=0,
    amount_minor_min=10_000,
    amount_minor_max=7_000_000,
    collection_cost_bp=0,
    payout_cost_minor=0,
)


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    clock, facts = TestClock(), {"mpesa_ke": MPESA, "mtn_ug": MTN}
    seeds = msgspec.structs.replace(read_seeds(SEEDS), corridors=[HOME])
    await seed(settings_for(database_url), seeds, facts, clock)
    async with open_world(database_url, clock=clock) as opened:
        yield opened
        await opened.dispatched()
        await assert_books(opened.pool)


async def confirmed(world: World) -> PaymentId:
    quote = await world.payments.selling.quote(
        payer=CUSTOMER, network="63902", payee=NEIGHBOUR, amount=Money(50_000, "KES")
    )
    assert (quote.receives, quote.fee) == (Money(50_000, "KES"), Money(500, "KES"))
    assert quote.spread_minor == 0
    done = await world.payments.confirming.confirm(payer=CUSTOMER, quote=quote, key=quote.quote_id)
    await world.dispatched()
    return done.payment_id


async def test_a_payment_at_home_is_collected_and_paid_out_in_one_currency(world: World) -> None:
    payment_id = await confirmed(world)
    await world.tell(await world.live(payment_id), SUCCEEDED)
    await world.dispatched()
    collect, payout = world.mpesa.orders
    assert (collect.direction, collect.amount) == (Direction.COLLECT, Money(50_500, "KES"))
    assert (payout.direction, payout.amount, payout.msisdn) == (
        Direction.DISBURSE, Money(50_000, "KES"), NEIGHBOUR,
    )  # fmt: skip
    await world.tell(await world.live(payment_id), SUCCEEDED)
    assert await world.state(payment_id) is State.PAID
    assert await world.balance("FLOAT mpesa_ke", "KES") == 500_000_000 + 500
    assert await world.balance("FEE_INCOME", "KES") == 500


async def test_a_payout_at_home_that_fails_is_given_back_whole(world: World) -> None:
    payment_id = await confirmed(world)
    await world.tell(await world.live(payment_id), SUCCEEDED)
    await world.dispatched()
    await world.tell(await world.live(payment_id), FAILED)
    await world.dispatched()
    refund = world.mpesa.orders[-1]
    assert (refund.direction, refund.amount) == (Direction.REFUND, Money(50_500, "KES"))
    await world.tell(await world.live(payment_id), SUCCEEDED)
    assert await world.state(payment_id) is State.REFUNDED
    assert await world.balance("FLOAT mpesa_ke", "KES") == 500_000_000

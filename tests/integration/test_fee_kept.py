"""Corridors that keep the fee of a payment that is given back: told before, and followed after."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from channels.commands.seed import read_seeds, seed
from engine.clock import Clock, PaymentId
from engine.database import connect
from engine.money import Money
from engine.payments.evidence import Source
from engine.payments.lifecycle import State
from engine.ports import Direction, Finding, Outcome
from tests.integration.books import assert_books
from tests.integration.clearing_room import BY_TWO
from tests.integration.client_room import client_room_of
from tests.integration.world import FACTS, FAILED, SEEDS, SUCCEEDED, World, open_world, settings_for

FEE = Money(2_000, "KES")
KEPT = "update corridor set fee_is_refunded = $1 where payer_operator = 'mpesa_ke'"


@pytest.fixture
async def world(seeded_url: str) -> AsyncIterator[World]:
    """Where the fee is kept from KES to UGX."""
    connection = await connect(seeded_url)
    await connection.execute(KEPT, False)
    await connection.close()
    async with open_world(seeded_url) as opened:
        yield opened


async def fees_earned(world: World) -> int:
    return await world.balance("FEE_INCOME", "KES")


async def given_back(world: World) -> PaymentId:
    """A payment whose payout has failed for good, back in the payer's wallet."""
    payment_id = await world.confirm()
    await world.dispatched()
    for finding in (SUCCEEDED, FAILED, SUCCEEDED):
        await world.tell(await world.live(payment_id), finding)
        await world.dispatched()
    return payment_id


async def test_what_is_given_back_lacks_the_fee_which_is_earned(world: World) -> None:
    before = await fees_earned(world)
    payment_id = await given_back(world)
    payment = await world.payment(payment_id)
    assert payment.state is State.REFUNDED
    assert payment.quote.fee == FEE and payment.quote.keeps_fee
    refund = world.mpesa.orders[-1].amount
    assert refund == payment.quote.amount == payment.amount_of(Direction.REFUND)
    assert await fees_earned(world) - before == FEE.minor
    assert await world.balance("REFUND_DUE", "KES") == 0
    assert await world.balance("CUSTOMER_FUNDS", "KES") == 0
    assert any("KES 1,000" in sms.text for sms in world.sms.sent[-2:])
    await assert_books(world.pool)


@pytest.mark.parametrize("is_refunded", [True, False])
async def test_the_policy_of_the_price_holds_whatever_the_corridor_says_since(
    seeded_url: str, is_refunded: bool
) -> None:
    connection = await connect(seeded_url)
    await connection.execute(KEPT, is_refunded)
    async with open_world(seeded_url) as world:
        quote = await world.quote()
        assert quote.fee_is_refunded is is_refunded
        await connection.execute(KEPT, not is_refunded)
        async with open_world(seeded_url) as later:
            assert (await later.quote()).fee_is_refunded is not is_refunded
        payment_id = await world.confirm(quote=quote)
        await world.dispatched()
        for finding in (SUCCEEDED, FAILED, SUCCEEDED):
            await world.tell(await world.live(payment_id), finding)
            await world.dispatched()
        assert world.mpesa.orders[-1].amount == (quote.total if is_refunded else quote.amount)
        await assert_books(world.pool)
    await connection.close()


async def test_what_came_back_from_the_payee_is_given_back_without_the_fee(world: World) -> None:
    payment_id = await world.confirm()
    await world.dispatched()
    await world.tell(await world.live(payment_id), SUCCEEDED)
    await world.dispatched()
    payout = await world.live(payment_id)
    await world.tell(payout, SUCCEEDED)
    before = await fees_earned(world)
    await world.tell(payout, Finding(Outcome.REVERSED, "reversed"), Source.QUERY)
    assert await world.rulings.refund(payment_id, BY_TWO)
    await world.dispatched()
    await world.tell(await world.live(payment_id), SUCCEEDED)
    payment = await world.payment(payment_id)
    assert payment.state is State.REFUNDED
    assert world.mpesa.orders[-1].amount == payment.quote.amount
    assert await fees_earned(world) == before  # it was earned when it was paid
    await assert_books(world.pool)


async def test_what_came_late_goes_back_whole(world: World) -> None:
    """Nothing was done for it, and the payer was told that nothing was charged."""
    before = await fees_earned(world)
    payment_id = await world.confirm()
    await world.dispatched()
    attempt = await world.live(payment_id)
    await world.tell(attempt, FAILED)
    await world.tell(attempt, SUCCEEDED, Source.QUERY)
    await world.dispatched()
    payment = await world.payment(payment_id)
    assert payment.state is State.REFUNDING
    assert (payment.terms, payment.quote.fee_is_refunded) == (payment.version, True)
    assert world.mpesa.orders[-1].amount == payment.quote.total
    await world.tell(await world.live(payment_id), SUCCEEDED)
    await world.dispatched()
    assert await world.state(payment_id) is State.REFUNDED
    assert await fees_earned(world) == before
    assert any("1,020" in sms.text for sms in world.sms.sent)
    ending = await world.store.ending_of(payment_id, attempt)
    assert ending is not None and ending.succeeded
    await assert_books(world.pool)


async def test_a_client_is_told_with_the_price_and_by_the_status(
    world: World, seeded_url: str
) -> None:
    async with client_room_of(world, seeded_url, {}) as room:
        quote, status = await room.given_back()
        assert quote["refund"] == quote["amount"] != quote["total"]
        assert (status["outcome"], status["given_back"]) == ("refunded", quote["refund"])


async def test_a_seed_says_so_and_one_that_says_nothing_gives_the_fee_back(
    database_url: str, pool: Any, tmp_path: Any
) -> None:
    seeds = read_seeds(SEEDS)
    assert [corridor.fee_is_refunded for corridor in seeds.corridors] == [True, True]
    kept = [msgspec.structs.replace(c, fee_is_refunded=False) for c in seeds.corridors[:1]]
    for corridors in (seeds.corridors, kept + seeds.corridors[1:]):
        await seed(
            settings_for(database_url),
            msgspec.structs.replace(seeds, corridors=corridors),
            FACTS,
            Clock(),
        )
    rows = await pool.fetch("select payer_operator, fee_is_refunded from corridor order by 1")
    assert [tuple(row) for row in rows] == [("mpesa_ke", False), ("mtn_ug", True)]

"""What a newer version wrote beside us is left to it: not misread, and nobody else waits for it.

So it is while a version is rolled out, and after it was taken back.
"""

from collections.abc import AsyncIterator

import pytest

from engine.clock import Ids, PaymentId
from engine.payments.lifecycle import State
from tests.integration.owner import Owner
from tests.integration.world import World, open_world

NEWER_KIND, NEWER_STATE = 14, 99
LONG_SECONDS = 600


@pytest.fixture
async def world(seeded_url: str) -> AsyncIterator[World]:
    async with open_world(seeded_url) as opened:
        yield opened


async def owe(world: World, payment_id: PaymentId, kind: int, payload: str) -> str:
    intent = Ids(world.clock).intent()
    await world.pool.execute(
        "insert into outbox (id, payment, tenant, kind, payload, not_before, lease_until)"
        " values ($1, $2, 1, $3, $4, 0, 0)",
        intent, payment_id, kind, payload,
    )  # fmt: skip
    return intent


async def never_left(world: World, intent: str) -> bool:
    found = await world.pool.fetchval("select sent_at is null from outbox where id = $1", intent)
    return found is True


async def take_over(world: World) -> int:
    world.clock.pass_(LONG_SECONDS)
    found = await world.dispatcher.sweep()
    await world.dispatched()
    return found


async def test_an_intent_of_a_kind_that_is_none_of_ours_is_not_struck_off(world: World) -> None:
    """It was taken for an order that is over: what it owed was never done."""
    payment_id = await world.confirm()
    await world.dispatched()
    intent = await owe(world, payment_id, NEWER_KIND, "new")
    assert await take_over(world) == 0
    assert await never_left(world, intent)


async def test_a_notice_without_a_sentence_here_is_said_by_who_has_one(world: World) -> None:
    """It was leased in vain, counted as sent, and never said."""
    payment_id = await world.confirm()
    await world.dispatched()
    intent = await owe(world, payment_id, 10, "something_new:payer:")
    other = await owe(world, payment_id, 10, "cancelled:payer:")
    assert await take_over(world) == 2
    assert await never_left(world, intent)
    gone = await world.pool.fetchval("select count(*) = 0 from outbox where id = $1", other)
    assert gone is True
    await world.pool.execute("update outbox set payload = 'delayed:payer:' where id = $1", intent)
    assert await take_over(world) == 1  # that newer version's turn
    said = await world.pool.fetchval("select status from sms_message where id = $1", intent)
    assert said == "sent"  # and not "unknown", as what may have left


async def test_an_order_of_a_payment_in_a_newer_state_counts_as_not_sent(world: World) -> None:
    world.dispatching = False
    payment_id = await world.confirm()
    owner = Owner(world.pool)
    live = await world.live(payment_id)
    await owner.force("update payment set state = $2 where id = $1", payment_id, NEWER_STATE)
    assert await take_over(world) == 1
    assert await never_left(world, live)
    assert not world.mpesa.orders
    await owner.force(
        "update payment set state = $2 where id = $1", payment_id, int(State.COLLECTING)
    )
    assert await take_over(world) == 1

"""Nobody is charged for what cannot be paid out: breakers are asked once more at the confirm."""

from collections.abc import AsyncIterator
from typing import NamedTuple

import msgspec
import pytest

from engine.clock import Ids
from engine.customers.customers import Customer
from engine.errors import NoWayNow
from engine.fx.quotes import Quote
from engine.payments.breaker import BreakerRules
from engine.payments.clearing import Clearing
from engine.payments.gate import Gate
from engine.payments.health import Told
from engine.payments.health_store import HealthStore
from engine.payments.policy import Clearance
from engine.payments.watch import Health
from engine.ports import Direction
from tests.integration.world import CUSTOMER, FACTS, World, open_world

LARGE = 10_000  # shillings: more than a probe may move


class Passing(Clearing):
    """Compliance has nothing to say here."""

    def __init__(self) -> None:
        """Needs nothing."""

    async def clear(
        self, payer: Customer, quote: Quote, told: str = "", *, expected: str = ""
    ) -> Clearance:
        return Clearance()


class Gated(NamedTuple):
    """A world that asks the real gate before it takes anything on."""

    world: World
    health: Health

    async def confirm(self, quote: Quote) -> str:
        confirming = self.world.payments.confirming
        confirmed = await confirming.confirm(payer=CUSTOMER, quote=quote, key=quote.quote_id)
        return confirmed.payment_id

    async def refuses(self, quote: Quote) -> bool:
        """Whether it is, and then nothing of it is stored."""
        try:
            await self.confirm(quote)
        except NoWayNow as refused:
            assert refused.text_key == "no_way.busy"
            assert await self.world.store.keys.payment(1, quote.quote_id) is None
            return True
        return False

    async def tell(self, operator: str, direction: Direction, told: Told, times: int = 5) -> None:
        for _ in range(times):
            self.health.record(operator, direction, told, 1_000)
        await self.health.tend()

    async def pass_pause(self) -> None:
        self.world.clock.pass_(BreakerRules().pause_seconds_first)
        await self.health.tend()


@pytest.fixture
async def gated(seeded_url: str) -> AsyncIterator[Gated]:
    async with open_world(seeded_url) as world:
        store = HealthStore(world.pool, 1)
        health = Health(store=store, operators=FACTS, clock=world.clock, ids=Ids(world.clock))
        world.policy.clear = Gate(Passing(), health).clear  # type: ignore[method-assign]
        yield Gated(world, health)


async def test_whose_payees_operator_went_down_after_the_price_is_not_charged(gated: Gated) -> None:
    quote, known = await gated.world.quote(), await gated.world.quote()
    payment_id = await gated.confirm(known)
    await gated.world.dispatched()
    await gated.tell("mtn_ug", Direction.DISBURSE, Told.UNCLEAR)
    assert await gated.refuses(quote)
    assert await gated.confirm(known) == payment_id  # what was taken on is told as ever
    assert len(gated.world.mpesa.orders) == 1


async def test_another_way_that_is_open_is_enough(gated: Gated) -> None:
    quotes = [
        msgspec.structs.replace(await gated.world.quote(), ways=("mtn_ug", "other_ug"))
        for _ in range(2)
    ]
    await gated.tell("mtn_ug", Direction.DISBURSE, Told.UNCLEAR)
    assert await gated.confirm(quotes[0])
    await gated.tell("other_ug", Direction.DISBURSE, Told.UNCLEAR)
    assert await gated.refuses(quotes[1])


async def test_while_an_operator_is_tried_again_small_payments_for_it_are_taken(
    gated: Gated,
) -> None:
    small, large = await gated.world.quote(), await gated.world.quote(LARGE)
    await gated.tell("mtn_ug", Direction.DISBURSE, Told.UNCLEAR)
    await gated.pass_pause()
    assert await gated.refuses(large)
    assert await gated.confirm(small)


async def test_whose_own_operator_is_down_is_not_asked_for_money(gated: Gated) -> None:
    quote = await gated.world.quote()
    await gated.tell("mpesa_ke", Direction.COLLECT, Told.UNCLEAR)
    assert await gated.refuses(quote)
    await gated.pass_pause()
    probes = [await gated.world.quote() for _ in range(BreakerRules().probes_at_once + 1)]
    assert [await gated.refuses(probe) for probe in probes] == [False] * 3 + [True]

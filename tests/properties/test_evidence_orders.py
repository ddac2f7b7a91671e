"""Doubled, late and reordered evidence ends in the same books, whatever the order."""

import asyncio
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.clock import PaymentId
from engine.payments.evidence import Source
from engine.payments.lifecycle import State
from tests.integration.books import assert_books
from tests.integration.world import FAILED, PENDING, SUCCEEDED, World, open_world

pytestmark = pytest.mark.long(
    "forty orders on a real Postgres; tests/scenarios/test_evidence.py has some by name"
)

# What a run of callbacks and queries may bring about one attempt that really succeeded or failed.
NOISE = st.lists(st.sampled_from(["same", "pending", "same by query"]), max_size=4)


async def tell_all(
    world: World, payment_id: PaymentId, *, paid: bool, noise: list[str], seed: int
) -> None:
    """Evidence about the live attempt, doubled and shuffled, several at once."""
    attempt = await world.live(payment_id)
    truth = SUCCEEDED if paid else FAILED
    said = {
        "same": (truth, Source.CALLBACK),
        "pending": (PENDING, Source.CALLBACK),
        "same by query": (truth, Source.QUERY),
    }
    told = [said["same"], *[said[word] for word in noise]]
    random.Random(seed).shuffle(told)
    await asyncio.gather(*[world.tell(attempt, finding, source) for finding, source in told])


@given(
    collected=st.booleans(),
    paid=st.booleans(),
    noises=st.tuples(NOISE, NOISE, NOISE),
    seed=st.integers(0, 2**32),
)
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_the_order_of_evidence_does_not_change_the_end(
    database_url: str, collected: bool, paid: bool, noises: tuple[list[str], ...], seed: int
) -> None:
    async def run() -> None:
        async with open_world(database_url) as world:
            before = await balances(world)
            payment_id = await world.confirm()
            await world.dispatched()
            await tell_all(world, payment_id, paid=collected, noise=noises[0], seed=seed)
            await world.dispatched()
            if collected:
                await tell_all(world, payment_id, paid=paid, noise=noises[1], seed=seed)
                await world.dispatched()
                if not paid:
                    await tell_all(world, payment_id, paid=True, noise=noises[2], seed=seed)
                    await world.dispatched()
            expected = (
                (State.PAID if paid else State.REFUNDED) if collected else State.COLLECT_FAILED
            )
            assert await world.state(payment_id) is expected
            after = await balances(world)
            moved = {name: after[name] - was for name, was in before.items() if after[name] != was}
            assert moved == (PAID_MOVES if expected is State.PAID else {})
            assert await world.cases() == []
            assert len({order.attempt_id for order in world.mtn.orders}) == int(collected)
            await assert_books(world.pool)

    asyncio.run(run())


async def balances(world: World) -> dict[str, int]:
    lines = await world.books.trial_balance()
    return {f"{line.name} {line.currency}": line.minor for line in lines}


PAID_MOVES = {
    "FLOAT mpesa_ke KES": 102_000,
    "FEE_INCOME KES": 2_000,
    "FX_SPREAD KES": 1_500,
    "ROUNDING KES": 1,
    "INTERPOOL UGX KES": 98_499,
    "POOL_AVAIL UGX": -28_023,
    "FLOAT mtn_ug UGX": -28_023,
}

"""Money by hand and by prompt, told in any order, doubled and at once: each is booked once."""

import asyncio
import random
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.payments.lifecycle import State
from engine.ports import Finding, Outcome
from tests.integration.payins_room import CAME, TOTAL, Till, code, open_till
from tests.integration.world import FAILED

pytestmark = pytest.mark.long("orders drawn at random, each on a real Postgres")

ENDS = {State.PAYING, State.REFUNDING, State.COLLECT_FAILED}


@given(
    prompted=st.booleans(),
    by_hand=st.integers(0, 2),
    is_announced=st.booleans(),
    times=st.integers(1, 3),
    at_once=st.integers(1, 4),
    seed=st.integers(0, 2**32),
)
@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_every_money_is_booked_once_and_one_of_them_alone_is_the_collection(
    database_url: str,
    prompted: bool,
    by_hand: int,
    is_announced: bool,
    times: int,
    at_once: int,
    seed: int,
) -> None:
    """`is_announced`: what the prompt brought is told of as a pay-in as well."""

    async def run() -> None:
        async with open_till(database_url) as till:
            floated, suspended = await till.float_(), await till.suspense()
            payment_id = await till.waiting()
            attempt = await till.world.live(payment_id)
            prefix = f"{seed % 10**6:06d}{payment_id[-2:].upper()}"
            prompt = Finding(Outcome.SUCCEEDED, "0", amount=TOTAL, receipt=f"{prefix}PR")
            hands = [f"{prefix}H{n}" for n in range(by_hand)]
            announced = [*hands, *([f"{prefix}PR"] if prompted and is_announced else [])]

            def notice(receipt: str) -> Callable[[], Awaitable[object]]:
                return lambda: till.announce(code(payment_id), receipt=receipt)

            told: list[Callable[[], Awaitable[object]]] = [notice(r) for r in announced] * times
            told += [lambda: till.world.tell(attempt, prompt if prompted else FAILED)] * times
            random.Random(seed).shuffle(told)
            for n in range(0, len(told), at_once):
                await asyncio.gather(*[tell() for tell in told[n : n + at_once]])
                await till.world.dispatched()
            await prove_all(till)

            monies = len(hands) + prompted
            assert await till.float_() - floated == monies * TOTAL.minor
            assert await till.suspense() - suspended == max(monies - 1, 0) * TOTAL.minor
            state = await till.world.state(payment_id)
            assert state in ENDS
            assert (state is State.COLLECT_FAILED) == (monies == 0)

    asyncio.run(run())


async def prove_all(till: Till) -> None:
    """The operator answers every question, and nothing is left to look at."""
    for _ in range(3):
        await till.sweep()
        rows = await till.world.pool.fetch("select id from pay_in where stage = 1")
        for row in rows:
            await till.room.pay_ins.hear_answer(row["id"].hex, CAME)
        await till.world.dispatched()
    assert await till.world.pool.fetchval("select count(*) from pay_in where stage = 1") == 0

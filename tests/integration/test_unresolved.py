"""People are called for an attempt that nobody knows the end of, and no longer when it has one."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from engine.clock import PaymentId
from engine.outbox import Outbox
from engine.payments.lifecycle import State
from engine.payments.reconciliation import Reconciler
from engine.payments.schedule import Schedule
from engine.payments.unresolved import Unresolved
from engine.ports import Finding
from tests.integration.world import FAILED, PENDING, SUCCEEDED, EndedSweeps, World, open_world

HOUR = 3600


@pytest.fixture
async def world(seeded_url: str) -> AsyncIterator[World]:
    async with open_world(seeded_url) as opened:
        yield opened


def closer(world: World) -> Unresolved:
    return Unresolved(world.pool, 1, world.store, world.clock)


async def called_for(world: World, times: int) -> PaymentId:
    """A payment whose collection is silent for so long that people were called so many times."""
    payment_id = await world.confirm(key=uuid4().hex)
    await world.dispatched()
    world.mpesa.findings = [PENDING] * 10
    schedule = Schedule(escalate_after=2 * HOUR, escalate_again=(3, 6))
    sweeps = EndedSweeps(
        Reconciler(
            store=world.store,
            outbox=Outbox(world.pool, world.clock, lease_seconds=60),
            payments=world.payments,
            ask=world.dispatcher.ask,
            clock=world.clock,
            schedule=schedule,
        )
    )
    for _ in range(times):
        world.clock.pass_(2.1 * HOUR if not await cases(world, payment_id) else 4 * HOUR)
        await sweeps.sweep()
    assert await cases(world, payment_id) == [None] * times
    return payment_id


async def cases(world: World, payment_id: PaymentId) -> list[str | None]:
    """What became of each, in the order they were opened."""
    rows = await world.pool.fetch(
        "select note, closed_by, opened_ms, closed_ms from case_file where payment = $1"
        " order by opened_ms",
        payment_id,
    )
    assert all(row["closed_by"] in (None, "reconciliation") for row in rows)
    now_ms = int(world.clock.epoch() * 1000)
    assert all(row["opened_ms"] <= (row["closed_ms"] or now_ms) <= now_ms for row in rows)
    return [row["note"] for row in rows]


@pytest.mark.parametrize(
    ("finding", "state", "note"),
    [
        (SUCCEEDED, State.REFUNDING, "its attempt succeeded after all"),
        (FAILED, State.COLLECT_FAILED, "its attempt failed after all"),
    ],
)
async def test_an_end_closes_every_case_about_its_attempt(
    world: World, finding: Finding, state: State, note: str
) -> None:
    payment_id, other = await called_for(world, 2), await called_for(world, 1)
    hashes = await world.pool.fetch(
        "select hash from case_file where payment = $1 order by opened_ms", payment_id
    )
    is_attempt = [row["hash"].hex == await world.live(payment_id) for row in hashes]
    assert is_attempt == [True, False]  # the first is found by it, also if an older version wrote
    assert await closer(world).sweep(10) == 0
    world.clock.pass_(1)
    await world.tell(await world.live(payment_id), finding)
    await world.dispatched()
    assert await world.state(payment_id) is state
    assert [await closer(world).sweep(2) for _ in range(2)] == [2, 0]
    assert await cases(world, payment_id) == [note, note]
    assert await cases(world, other) == [None]


async def test_a_case_that_was_opened_while_the_end_came_is_closed_too(world: World) -> None:
    """The operator was asked, its callback came first, and then people were called."""
    payment_id = await called_for(world, 1)
    attempt = await world.live(payment_id)
    await world.tell(attempt, FAILED)
    payment = await world.store.payment(payment_id)
    assert payment is not None
    now_ms = int(world.clock.epoch() * 1000)
    await world.store.cases.open_case(payment, "STUCK", attempt, "of another kind", now_ms)
    assert await closer(world).sweep(10) == 1
    assert sorted(map(str, await cases(world, payment_id))) == [
        "None", "its attempt failed after all",
    ]  # fmt: skip


@pytest.mark.parametrize("apart", [1, 0])
async def test_cases_that_stay_for_people_hide_no_older_one(world: World, apart: int) -> None:
    """Late news of an attempt that is over is people's: such a case stays in every sweep, also
    where many were opened at one moment.
    """
    payment_id = await called_for(world, 1)
    await world.tell(await world.live(payment_id), FAILED)
    payment = await world.store.payment(payment_id)
    assert payment is not None
    world.clock.pass_(1)
    for newer in "bca":
        world.clock.pass_(apart)
        now_ms = int(world.clock.epoch() * 1000)
        await world.store.cases.open_case(payment, "UNRESOLVED", newer * 32, "late news", now_ms)
    one_by_one = closer(world)
    assert [await one_by_one.sweep(1) for _ in range(5)] == [0, 0, 0, 1, 0]
    # And from the newest on again.
    payment_id = await called_for(world, 1)
    await world.tell(await world.live(payment_id), FAILED)
    assert await one_by_one.sweep(1) == 1


async def test_a_case_about_the_next_attempt_stays(world: World) -> None:
    """One about late news of an attempt that is over is named after its question."""
    payment_id = await called_for(world, 1)
    await world.tell(await world.live(payment_id), SUCCEEDED)
    world.clock.pass_(1)
    await world.dispatched()
    payment = await world.store.payment(payment_id)
    assert payment is not None and payment.live is not None
    now_ms = int(world.clock.epoch() * 1000)
    for hash_, detail in (("c" * 32, "late news"), (payment.live, "the refund")):
        await world.store.cases.open_case(payment, "UNRESOLVED", hash_, detail, now_ms)
    assert await closer(world).sweep(10) == 1
    rows = await world.pool.fetch("select detail from case_file where closed_ms is null")
    assert sorted(row["detail"] for row in rows) == ["late news", "the refund"]

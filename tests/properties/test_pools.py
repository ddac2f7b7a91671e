"""Whatever owners, staff and payments do in whatever order: the pools are never promised twice."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.desk.proposals import Kind, Proposal, State
from engine.ledger.auditor import Pace
from engine.ledger.chart import Kind as A
from engine.ledger.plans import Plan
from tests.integration.books import assert_books
from tests.integration.desk_room import CHEP, HELD, POOL_UGX, Room, open_room

pytestmark = pytest.mark.long("orders drawn at random, each on a real Postgres")

AMOUNTS = st.sampled_from([1, HELD, HELD - 1, POOL_UGX // 3, POOL_UGX, POOL_UGX * 2])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["top up", "withdraw"]), AMOUNTS),
        st.tuples(
            st.sampled_from(["seen", "cancel", "reserve", "collect", "pay", "fail", "again"]),
            st.integers(0, 9),
        ),
    ),
    max_size=14,
)


@dataclass
class Model:
    """What a bookkeeper with a pencil would write down."""

    free: int = POOL_UGX
    float_: int = POOL_UGX
    waiting: list[tuple[Proposal, int]] = field(default_factory=list)
    leaving: list[tuple[Proposal, int]] = field(default_factory=list)
    reserved: list[Plan] = field(default_factory=list)
    paying: list[Plan] = field(default_factory=list)


async def do(room: Room, model: Model, step: str, number: int) -> None:
    desk = room.office.desk
    match step:
        case "top up":
            asked = await room.agreed(Kind.TOP_UP, operator="mtn_ug", minor=number)
            model.waiting.append((asked, number))
        case "withdraw":
            asked = await room.agreed(Kind.WITHDRAWAL, operator="mtn_ug", minor=number)
            leaving = sum(minor for _, minor in model.leaving)
            fits = number <= model.free and number <= model.float_ - leaving
            assert asked.state is (State.WAITING if fits else State.FAILED)
            if fits:
                model.free -= number
                model.leaving.append((asked, number))
        case "reserve":
            plan = await room.reserve()
            assert (plan.key is not None) == (model.free >= HELD)
            if plan.key is not None:
                model.free -= HELD
                model.reserved.append(plan)
        case "again":
            await desk.carry_out_approved()
        case _ if taken := _taken(model, step, number):
            await _end(room, model, step, taken)


def _taken(model: Model, step: str, number: int) -> Any:
    choice: dict[str, list[Any]] = {
        "seen": [*model.waiting, *model.leaving],
        "cancel": model.leaving,
        "collect": model.reserved,
        "fail": model.reserved,
        "pay": model.paying,
    }
    found = choice[step]
    return found[number % len(found)] if found else None


async def _end(room: Room, model: Model, step: str, taken: Any) -> None:
    match step:
        case "seen":
            proposal, minor = taken
            await room.office.desk.see(proposal.id, f"R-{proposal.id}", by=CHEP)
            if taken in model.waiting:
                model.waiting.remove(taken)
                model.free, model.float_ = model.free + minor, model.float_ + minor
            else:
                model.leaving.remove(taken)
                model.float_ -= minor
        case "cancel":
            proposal, minor = taken
            await room.agreed(Kind.CANCEL_WITHDRAWAL, withdrawal=proposal.id)
            model.leaving.remove(taken)
            model.free += minor
        case "collect":
            model.reserved.remove(taken)
            model.paying.append(await room.collect(taken))
        case "fail":
            model.reserved.remove(taken)
            await room.fail(taken)
            model.free += HELD
        case "pay":
            model.paying.remove(taken)
            await room.pay(taken)
            model.float_ -= HELD


async def _forget(database_url: str) -> None:
    """Every example begins with an empty installation."""
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(
            "truncate payment, payment_key, journal, balance, attempt, proposal, case_file,"
            " audit_block, audit_fence, audit_late, audit_sum, audit_position"
        )
    finally:
        await connection.close()


async def agrees(room: Room, model: Model) -> None:
    assert await room.minor(A.POOL_AVAIL, "UGX") == model.free
    assert await room.minor(A.FLOAT, "UGX", 2) == model.float_
    assert await room.minor(A.POOL_HELD, "UGX") == HELD * len(model.reserved)
    assert await room.minor(A.PAYOUT_IN_FLIGHT, "UGX", 2) == HELD * len(model.paying)
    held = sum(minor for _, minor in model.leaving)
    assert await room.minor(A.WITHDRAWAL_HELD, "UGX", 2) == held
    # What the pool owes and what lies at the operator are the same money: nothing is promised
    # that has left, and nothing leaves that is promised.
    promised = HELD * (len(model.reserved) + len(model.paying))
    assert model.free + promised + held == model.float_


@given(steps=STEPS)
@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_any_order_of_what_people_and_payments_do_keeps_the_pools(
    database_url: str, steps: list[tuple[str, int]]
) -> None:
    async def run() -> None:
        await _forget(database_url)
        pace = Pace(lag_seconds=0, block_seconds=1)
        async with open_room(database_url, pace=pace) as room:
            model = Model()
            for step, number in steps:
                await do(room, model, step, number)
                room.clock.pass_(1)
            await agrees(room, model)
            assert (await room.office.auditor.audit()).findings == ()
            await assert_books(room.pool)

    asyncio.run(run())

"""The ground gives way: batches too large for the pool, poison, broken SQL, code of another age."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import asyncpg
import pytest

from engine.clock import Clock, Ids, PaymentId
from engine.database import connect
from engine.errors import CappError, NoWayNow, OurFault
from engine.ledger.chart import Account, Kind
from engine.ledger.commit import commit
from engine.ledger.committer import Committer
from engine.ledger.plans import Plan, Verdict
from engine.payments.lifecycle import State
from tests.integration.books import assert_books
from tests.integration.locks import somebody_waits
from tests.integration.owner import Owner
from tests.integration.world import FAILED, SUCCEEDED, World, open_world

S, V = State, Verdict
IDS = Ids(Clock())
FREE = Account(1, "UGX", Kind.FLOAT, 2).number
A = Account(1, "UGX", Kind.POOL_AVAIL).number
B = Account(1, "UGX", Kind.POOL_HELD).number
UNHEARD_OF = 99
"""A state, or a kind of intent, that only newer code knows."""


def new(minor: int) -> Plan:
    payment = IDS.payment()
    return Plan(payment, 0, 1, S.COLLECTING, key=payment, transfers=((A, B, minor),))


@pytest.fixture
async def world(seeded_url: str) -> AsyncIterator[World]:
    async with open_world(seeded_url) as opened:
        yield opened
        await opened.dispatched()
        await assert_books(opened.pool)


@pytest.fixture
async def books(database_url: str) -> AsyncIterator[Any]:
    """A connection to books whose pool has 1,000."""
    connection = await connect(database_url)
    await connection.executemany(
        "insert into balance (id, guarded) values ($1, $2)", [(FREE, False), (A, True), (B, True)]
    )
    endowed = new(1)._replace(transfers=((FREE, A, 1000),))
    assert [a.verdict for a in await commit(connection, [endowed], 1)] == [V.APPLIED]
    yield connection
    await assert_books(connection)
    await connection.close()


async def test_one_item_over_the_limit_fails_alone_among_two_hundred(books: Any) -> None:
    plans = [new(1) for _ in range(200)]
    plans[77] = new(2_000)
    answers = [a.verdict for a in await commit(books, plans, 1)]
    assert answers == [V.INSUFFICIENT if n == 77 else V.APPLIED for n in range(200)]
    assert await books.fetchval("select amount from balance where id = $1", B) == 199


async def test_a_deadlock_is_tried_again_and_applied_once(books: Any, database_url: str) -> None:
    door = Committer(partial(connect, database_url), Clock(), writers=1)
    await door.start()
    tries = 0
    is_ended = False  # the door's try, by the deadlock
    while not is_ended and tries < 20:
        tries += 1
        await books.execute("begin")
        await books.execute("update balance set amount = amount where id = $1", max(A, B))
        answer = door.submit(new(1))
        await somebody_waits(books)  # it holds the one balance by now and waits for the other
        try:
            await books.execute("update balance set amount = amount where id = $1", min(A, B))
            await books.execute("commit")
            is_ended = True
        except asyncpg.DeadlockDetectedError:  # it began to wait long ago, so we were looked at
            await books.execute("rollback")
        assert (await answer).verdict is V.APPLIED
    assert is_ended
    assert await books.fetchval("select amount from balance where id = $1", B) == tries
    await door.stop()


# A commit that was deployed with a mistake.


@asynccontextmanager
async def broken(pool: Any, body: str) -> AsyncIterator[None]:
    """The commit's function with another body, for a while."""
    kept, arguments = await pool.fetchrow(
        "select pg_get_functiondef(oid), pg_get_function_arguments(oid) from pg_proc"
        " where proname = 'commit_plans'"
    )
    await pool.execute(
        f"create or replace function commit_plans({arguments}) language plpgsql"
        f" as $broken$ begin {body} end $broken$"
    )
    try:
        yield
    finally:
        await pool.execute(kept)


BROKEN = (
    "raise exception 'a mistake';",
    "perform 1 / 0;",
    "perform 1 from no_such_table;",
    "return;",  # without an answer
    "verdict := array[77]; known := array[null]::uuid[];",  # a word nobody knows
)


async def test_a_broken_batch_function_acknowledges_nothing(world: World) -> None:
    for body in BROKEN:
        await assert_fails_closed(world, body)


async def test_verdicts_that_are_not_one_for_each_plan_acknowledge_nothing(
    world: World,
) -> None:
    for verdicts in ("array[]::smallint[]", "array[0, 0, 0]"):
        await assert_fails_closed(world, f"verdict := {verdicts}; known := null;")


async def assert_fails_closed(world: World, body: str) -> None:
    paying = await world.confirm()
    await world.dispatched()
    attempt = await world.live(paying)
    orders = [len(world.mpesa.orders), len(world.mtn.orders)]
    stored = await payments(world)
    async with broken(Owner(world.pool), body):
        with pytest.raises((OurFault, NoWayNow)) as refused:
            await world.confirm()
        if isinstance(refused.value, NoWayNow):  # it is known that nothing was taken on
            assert str(refused.value) == "no_way.fault"
        with pytest.raises(OurFault):
            await world.tell(attempt, SUCCEEDED)
        await world.dispatched()
    assert [len(world.mpesa.orders), len(world.mtn.orders)] == orders, body
    assert await payments(world) == stored, body
    assert await world.state(paying) is S.COLLECTING
    await world.tell(attempt, SUCCEEDED)  # the function is mended, and all goes on
    assert await world.state(paying) is S.PAYING
    await world.dispatched()


async def payments(world: World) -> int:
    found: int = await world.pool.fetchval("select count(*) from payment")
    return found


# Old code beside new code.


async def due(world: World) -> PaymentId:
    payment_id = await world.confirm()
    await world.dispatched()
    return payment_id


async def test_a_state_unknown_to_this_code_is_left_alone_and_stops_nobody_else(
    world: World,
) -> None:
    newer, ours = await due(world), await due(world)
    await Owner(world.pool).force("update payment set state = $2 where id = $1", newer, UNHEARD_OF)
    before = await world.pool.fetch("select * from journal where payment = $1", newer)
    world.clock.pass_(61)
    world.mpesa.findings = [SUCCEEDED]
    await world.reconciler.sweep()
    assert await world.state(ours) is S.PAYING
    row = await world.pool.fetchrow("select state, version, live from payment where id = $1", newer)
    assert (row["state"], row["version"]) == (UNHEARD_OF, 1)
    assert await world.pool.fetch("select * from journal where payment = $1", newer) == before


async def test_evidence_about_others_is_heard_beside_a_state_unknown_to_this_code(
    world: World,
) -> None:
    newer, ours = await due(world), await due(world)
    attempts = [await world.live(newer), await world.live(ours)]
    await Owner(world.pool).force("update payment set state = $2 where id = $1", newer, UNHEARD_OF)
    await asyncio.gather(*[world.tell(a, SUCCEEDED) for a in attempts], return_exceptions=True)
    assert await world.state(ours) is S.PAYING


async def test_evidence_about_a_state_unknown_to_this_code_is_not_acknowledged(
    world: World,
) -> None:
    """It must come again, to somebody who knows what it means."""
    newer = await due(world)
    attempt = await world.live(newer)
    await Owner(world.pool).force("update payment set state = $2 where id = $1", newer, UNHEARD_OF)
    with pytest.raises((ValueError, CappError)):
        await world.tell(attempt, SUCCEEDED)
    state = await world.pool.fetchval("select state from payment where id = $1", newer)
    assert state == UNHEARD_OF


# Poison in the outbox.


async def put(world: World, payment_id: PaymentId, kind: int, payload: str | None) -> None:
    await world.pool.execute(
        "insert into outbox (id, payment, tenant, kind, payload, not_before, lease_until)"
        " values ($1, $2, 1, $3, $4, 0, 1)",
        IDS.intent(), payment_id, kind, payload,
    )  # fmt: skip


POISON = [(UNHEARD_OF, None), (10, "no such words"), (10, None), (10, "receipt_payer:nobody:")]


async def test_a_poisoned_row_of_the_outbox_keeps_no_other_back(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.dispatching = False
    good = [await world.confirm() for _ in range(3)]
    for kind, payload in POISON:
        await put(world, good[0], kind, payload)
    await put(world, PaymentId("f" * 32), 1, None)
    world.clock.pass_(61)
    with caplog.at_level(logging.ERROR):
        for _ in range(2):
            await world.dispatcher.sweep()
            await world.dispatched()
            world.clock.pass_(61)
    assert {order.code for order in world.mpesa.orders} == {
        (await world.payment(payment_id)).code for payment_id in good
    }
    assert len(world.mpesa.orders) == 3
    assert caplog.text.count("an intent was not carried out") >= len(POISON)  # and it is told
    assert await world.pool.fetchval("select count(*) from outbox") >= 2  # and it is not lost


async def test_a_backlog_is_worked_off_by_several_processes_without_a_double(
    world: World, database_url: str
) -> None:
    """Notices of 3,000 payments whose process died; two others sweep, a hundred at a time."""
    payment_id = await due(world)
    await world.tell(await world.live(payment_id), FAILED)  # what they tell is so
    await world.dispatched()
    world.sms.sent.clear()
    await world.pool.execute(
        "insert into outbox (id, payment, tenant, kind, payload, not_before, lease_until)"
        " select (substr($1, 1, 20) || lpad(to_hex(n), 12, '0'))::uuid, $2, 1, 10,"
        " 'collect_failed:payer:declined', 0, 1 from generate_series(1, 3000) n",
        IDS.intent(), payment_id,
    )  # fmt: skip
    world.clock.pass_(61)
    async with open_world(database_url, clock=world.clock, seeded=False) as other:
        while any(await asyncio.gather(*[w.dispatcher.sweep() for w in (world, other)])):
            await asyncio.gather(world.dispatched(), other.dispatched())
        sent = [sms.intent_id for w in (world, other) for sms in w.sms.sent]
    assert len(sent) == len(set(sent)) == 3000
    assert await world.pool.fetchval("select count(*) from outbox") == 0

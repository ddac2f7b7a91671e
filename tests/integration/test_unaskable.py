"""Operators that answer when all is over and cannot be asked afterwards, on a real Postgres.

What they say ends the attempt at once; what got lost is a person's and the statement's, and is
never sent again.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import yaml

from channels.reconciliation import RECONCILIATION
from engine.clock import PaymentId
from engine.errors import OutcomeUnknown
from engine.money import Money
from engine.outbox import Outbox
from engine.payments.lifecycle import State
from engine.payments.reconciliation import Reconciler
from engine.payments.schedule import read_timetables
from engine.ports import Accepted, Direction, Finding, Outcome, Reason
from tests.integration.books import assert_books
from tests.integration.test_statements import bureau_of
from tests.integration.world import EndedSweeps, World, open_world

pytestmark = pytest.mark.long("each ending where nobody can be asked")

LOST = OutcomeUnknown("mpesa_ke", "no answer to rely on", code="ReadTimeout")
MUTE = OutcomeUnknown("mpesa_ke", "it cannot be asked about an attempt", code="no_enquiry")
HOUR = 3600


def ended(outcome: Outcome, code: str, reason: Reason | None = None, **more: Any) -> Accepted:
    return Accepted("R7", Finding(outcome, code, reason=reason, receipt="R7", **more))


PAID = ended(Outcome.SUCCEEDED, "0")
REFUSED = ended(Outcome.FAILED, "E8003", Reason.WRONG_PIN)


@pytest.fixture
async def world(seeded_url: str) -> AsyncIterator[World]:
    async with open_world(seeded_url) as opened:
        opened.mpesa.findings = [MUTE] * 1000
        opened.mtn.findings = [MUTE] * 1000
        yield opened
        await opened.dispatched()
        await assert_books(opened.pool)
        assert await opened.books.is_balanced()


def reconciler(world: World) -> EndedSweeps:
    """With Zamtel's own timetable, as it is shipped, for everybody."""
    shipped = yaml.safe_load(RECONCILIATION.read_text())["polling"]
    return EndedSweeps(
        Reconciler(
            store=world.store,
            outbox=Outbox(world.pool, world.clock, lease_seconds=60),
            payments=world.payments,
            ask=world.dispatcher.ask,
            clock=world.clock,
            schedule=read_timetables(shipped).of("zamtel_zm", Direction.COLLECT),
        )
    )


async def confirmed(world: World) -> PaymentId:
    payment_id = await world.confirm()
    await world.dispatched()
    return payment_id


async def orders_left(world: World) -> int:
    return int(await world.pool.fetchval("select count(*) from outbox where kind < 10"))


async def test_answer_that_tells_the_end_needs_no_callback_and_no_question(world: World) -> None:
    world.mpesa.answers = [PAID]
    world.mtn.answers = [PAID]
    payment_id = await confirmed(world)
    assert await world.state(payment_id) is State.PAID
    assert (len(world.mpesa.orders), len(world.mtn.orders)) == (1, 1)
    assert world.mpesa.questions == world.mtn.questions == []
    receipts = await world.pool.fetch(
        "select facts from journal where payment = $1 and facts like '%R7%'", payment_id
    )
    assert len(receipts) == 2
    assert await orders_left(world) == 0


@pytest.mark.parametrize(
    ("collected", "paid", "state"),
    [(REFUSED, None, State.COLLECT_FAILED), (PAID, REFUSED, State.REFUNDED)],
)
async def test_failure_that_is_told_at_once_ends_the_attempt(
    world: World, collected: Accepted, paid: Accepted | None, state: State
) -> None:
    world.mpesa.answers = [collected, PAID]  # the second gives back what was collected
    world.mtn.answers = [paid] if paid else []
    payment_id = await confirmed(world)
    assert await world.state(payment_id) is state
    assert await orders_left(world) == 0
    assert await world.cases() == []


async def test_end_of_another_amount_is_a_conflict_and_stays_unknown(world: World) -> None:
    world.mpesa.answers = [ended(Outcome.SUCCEEDED, "0", amount=Money(1, "KES"))]
    payment_id = await confirmed(world)
    assert await world.state(payment_id) is State.COLLECT_UNKNOWN
    assert await world.cases() == ["CONFLICT"]
    assert await orders_left(world) == 0


@pytest.mark.parametrize(
    ("answer", "state"), [(PAID, State.PAYING), (REFUSED, State.COLLECT_FAILED)]
)
async def test_end_that_comes_after_its_call_was_taken_over_still_counts(
    world: World, answer: Accepted, state: State
) -> None:
    world.mpesa.may_answer = asyncio.Event()
    world.mpesa.answers = [answer]
    payment_id = await world.confirm()
    try:
        async with asyncio.timeout(120):
            while not world.mpesa.orders:  # noqa: ASYNC110 - the call is under way
                await asyncio.sleep(0.01)
            world.clock.pass_(70)  # its lease is over, the customer still looks for the PIN
            assert await world.dispatcher.sweep() == 1
            while await world.state(payment_id) is not State.COLLECT_UNKNOWN:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    finally:
        world.mpesa.may_answer.set()
    await world.dispatched()
    assert await world.state(payment_id) is state
    assert len(world.mpesa.orders) == 1


@pytest.mark.parametrize("leg", ["collection", "payout"])
async def test_lost_answer_is_a_case_within_ten_minutes_and_is_never_sent_again(
    world: World, leg: str
) -> None:
    loser = world.mpesa if leg == "collection" else world.mtn
    world.mpesa.answers = [LOST if leg == "collection" else PAID]
    world.mtn.answers = [LOST]
    payment_id = await confirmed(world)
    unknown = State.COLLECT_UNKNOWN if leg == "collection" else State.PAYOUT_UNKNOWN
    sweeps = reconciler(world)
    for _ in range(3 * 24 * 12):  # three days, looked at every five minutes
        if await world.pool.fetchval("select due from payment where id = $1", payment_id) <= int(
            world.clock.epoch()
        ):
            await sweeps.sweep()
        world.clock.pass_(300)
    await world.dispatcher.sweep()
    await world.dispatched()
    assert await world.state(payment_id) is unknown
    assert len(loser.orders) == 1
    assert len(loser.questions) <= 10
    rows = await world.pool.fetch("select kind, detail, opened_ms from case_file order by 3")
    assert [row["kind"] for row in rows] == ["UNRESOLVED"] * 3
    assert "promised was 10 min; asked now: no answer" in rows[0]["detail"]
    assert "cannot be asked" in rows[0]["detail"]


async def test_first_case_comes_within_the_promise(world: World) -> None:
    world.mpesa.answers = [LOST]
    await confirmed(world)
    sweeps = reconciler(world)
    for minutes, cases in ((3, 0), (6, 0), (1.1, 1), (1, 1)):
        world.clock.pass_(minutes * 60)
        await sweeps.sweep()
        assert len(await world.cases()) == cases


async def lost(world: World) -> tuple[PaymentId, str]:
    world.mpesa.answers = [LOST]
    payment_id = await confirmed(world)
    assert await world.state(payment_id) is State.COLLECT_UNKNOWN
    return payment_id, await world.live(payment_id)


async def test_line_that_staff_bring_settles_a_lost_answer(world: World) -> None:
    payment_id, attempt = await lost(world)
    bureau = bureau_of(world)
    world.mtn.answers = [PAID]
    await bureau.take(bureau.line("R1", reference=attempt))
    await world.dispatched()
    assert await world.state(payment_id) is State.PAID
    assert len(world.mpesa.orders) == 1


async def test_complete_statement_without_it_settles_it_the_other_way(world: World) -> None:
    payment_id, _ = await lost(world)
    incomplete, complete = bureau_of(world), bureau_of(world, absence_proves_after_days=1)
    for _ in range(3):
        await incomplete.take_whole()
    await incomplete.age()
    assert await world.state(payment_id) is State.COLLECT_UNKNOWN
    await complete.age()
    assert await world.state(payment_id) is State.COLLECT_FAILED
    assert len(world.mpesa.orders) == 1

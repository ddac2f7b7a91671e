"""News of attempts that are over: asked about until the operator answers, whoever dies."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from engine.clock import AttemptId, PaymentId
from engine.errors import OutcomeUnknown, Throttled, Unreachable
from engine.outbox import Outbox
from engine.payments.evidence import Source
from engine.payments.lifecycle import State
from engine.payments.reconciliation import Reconciler
from engine.payments.schedule import Schedule
from engine.payments.stepping import Heard
from engine.payments.store import question_id
from engine.ports import Finding, Outcome
from tests.integration.books import assert_books
from tests.integration.world import FAILED, PENDING, SUCCEEDED, EndedSweeps, World, open_world

pytestmark = pytest.mark.long("deaths at each step; test_payments.py keeps late money")

HOUR = 3600
DAY = 24 * HOUR
REVERSED = Finding(Outcome.REVERSED, "reversed")
NOT_FOUND = Finding(Outcome.NOT_FOUND, "no such reference")
NO_ANSWERS: list[Exception | Finding] = [
    Unreachable("mpesa_ke", "refused"),
    OutcomeUnknown("mpesa_ke", "silence"),
    Throttled("mpesa_ke", "busy"),
    PENDING,
    NOT_FOUND,
]


@pytest.fixture
async def world(seeded_url: str) -> AsyncIterator[World]:
    async with open_world(seeded_url) as opened:
        yield opened
        await opened.dispatched()
        await assert_books(opened.pool)


async def failed(world: World) -> tuple[PaymentId, AttemptId]:
    """A payment that ended because its collection failed: (payment id, that attempt)."""
    payment_id = await world.confirm()
    await world.dispatched()
    attempt = await world.live(payment_id)
    await world.tell(attempt, FAILED)
    await world.dispatched()
    return payment_id, attempt


async def paid(world: World) -> tuple[PaymentId, AttemptId, AttemptId]:
    """A payment that went well: (payment id, collection, payout)."""
    payment_id = await world.confirm()
    await world.dispatched()
    collection = await world.live(payment_id)
    await world.tell(collection, SUCCEEDED)
    await world.dispatched()
    payout = await world.live(payment_id)
    await world.tell(payout, SUCCEEDED)
    await world.dispatched()
    return payment_id, collection, payout


async def questions(world: World) -> int:
    return int(await world.pool.fetchval("select count(*) from outbox where kind = 11"))


async def sweep_after(world: World, *seconds: float) -> None:
    for pause in seconds:
        world.clock.pass_(pause)
        await world.reconciler.sweep()
        await world.dispatched()


async def test_late_money_told_once_is_proven_although_the_process_died_at_once(
    world: World,
) -> None:
    payment_id, attempt = await failed(world)
    assert await world.tell(attempt, SUCCEEDED) is Heard.NEEDS_PROOF  # and nobody proves it
    world.mpesa.findings = [SUCCEEDED]
    await sweep_after(world, 31)
    assert await world.state(payment_id) is State.REFUNDING
    kept = await world.pool.fetch(
        "select source from evidence where attempt = $1 and source = any($2) order by source",
        attempt, [Source.CALLBACK, Source.QUERY],
    )  # fmt: skip
    assert [row["source"] for row in kept] == [Source.CALLBACK, Source.CALLBACK, Source.QUERY]
    await world.tell(await world.live(payment_id), SUCCEEDED)
    world.mpesa.findings = [SUCCEEDED] * 9
    await sweep_after(world, 120, 300, DAY, DAY)
    assert await questions(world) == 0
    assert await world.state(payment_id) is State.REFUNDED
    assert await world.cases() == []


async def test_it_is_asked_on_through_every_kind_of_no_answer(world: World) -> None:
    payment_id, attempt = await failed(world)
    await world.tell(attempt, SUCCEEDED)
    world.mpesa.findings = [*NO_ANSWERS, SUCCEEDED]
    await sweep_after(world, 31, 31, 61, 181, 301)
    assert await world.state(payment_id) is State.COLLECT_FAILED
    assert len(world.mpesa.questions) == len(NO_ANSWERS)
    await sweep_after(world, 1201)
    assert await world.state(payment_id) is State.REFUNDING


async def test_a_returned_payout_told_once_is_proven_by_the_schedule(world: World) -> None:
    payment_id, _, payout = await paid(world)
    assert await world.tell(payout, REVERSED) is Heard.NEEDS_PROOF
    world.mtn.findings = [Unreachable("mtn_ug", "refused"), REVERSED]
    await sweep_after(world, 31, 31)
    assert await world.state(payment_id) is State.RETURNED


@pytest.mark.parametrize("first", [None, FAILED])
async def test_what_is_undone_before_it_was_done_moves_nothing_and_calls_people(
    world: World, first: Finding | None
) -> None:
    """A payout that is still open, or failed: nobody may take it for one that came back."""
    payment_id = await world.confirm()
    await world.dispatched()
    await world.tell(await world.live(payment_id), SUCCEEDED)
    await world.dispatched()
    payout = await world.live(payment_id)
    if first is not None:
        await world.tell(payout, first)
        await world.dispatched()
    before = await world.payment(payment_id)
    assert await world.tell(payout, REVERSED, Source.QUERY) is Heard.CONFLICT
    assert await world.payment(payment_id) == before
    assert await world.cases() == ["CONFLICT"]


async def test_news_of_a_collection_is_asked_about_although_the_payment_went_on_and_ended(
    world: World,
) -> None:
    payment_id = await world.confirm()
    await world.dispatched()
    collection = await world.live(payment_id)
    await world.tell(collection, SUCCEEDED)
    await world.dispatched()
    assert await world.tell(collection, REVERSED) is Heard.NEEDS_PROOF
    await world.tell(await world.live(payment_id), SUCCEEDED)
    assert await world.state(payment_id) is State.PAID
    world.mpesa.findings = [REVERSED] * 9
    await sweep_after(world, 31, 121)
    assert await world.cases() == ["CONFLICT"]  # the payout cannot be taken back: a person looks
    assert await questions(world) == 0


async def test_a_forged_hint_ends_with_the_operators_own_word(world: World) -> None:
    payment_id, attempt = await failed(world)
    await world.tell(attempt, SUCCEEDED)
    world.mpesa.findings = [FAILED] * 9
    await sweep_after(world, 31)
    assert await questions(world) == 1  # its status may be older than its callback
    await sweep_after(world, 100, DAY, DAY)
    assert await questions(world) == 0
    assert len(world.mpesa.questions) == 2
    assert await world.state(payment_id) is State.COLLECT_FAILED
    assert await world.cases() == []


async def test_news_that_comes_after_the_question_was_asked_is_asked_about_itself(
    world: World,
) -> None:
    payment_id, attempt = await failed(world)
    await world.tell(attempt, SUCCEEDED)
    world.clock.pass_(200)
    await world.tell(attempt, Finding(Outcome.SUCCEEDED, "once more"))
    world.mpesa.findings = [FAILED, SUCCEEDED]
    await sweep_after(world, 1)
    assert await questions(world) == 1  # that answer was about what was told before
    await sweep_after(world, 200)
    assert await world.state(payment_id) is State.REFUNDING


async def test_an_operator_that_answers_later_is_asked_no_more_once_it_has(world: World) -> None:
    _, attempt = await failed(world)
    await world.tell(attempt, SUCCEEDED)
    world.mpesa.findings = [Finding(Outcome.ASKED, "asked")] * 9
    await sweep_after(world, 121)
    assert await questions(world) == 1
    assert await world.tell(attempt, FAILED, Source.QUERY) is Heard.KEPT  # by its callback
    assert await questions(world) == 0


async def test_when_the_promised_time_is_over_people_are_called_and_no_more_is_asked(
    world: World,
) -> None:
    payment_id, attempt = await failed(world)
    await world.tell(attempt, SUCCEEDED)
    await sweep_after(world, *[HOUR] * 25)
    assert await questions(world) == 0
    asked = len(world.mpesa.questions)
    rows = await world.pool.fetch("select payment, kind, detail from case_file")
    assert [(row["payment"].hex, row["kind"]) for row in rows] == [(payment_id, "UNRESOLVED")]
    assert "late news of collect at mpesa_ke" in rows[0]["detail"]
    await sweep_after(world, DAY)
    assert len(world.mpesa.questions) == asked <= 12
    await world.tell(attempt, SUCCEEDED)  # said again, it is asked about again
    assert await questions(world) == 1


@pytest.mark.parametrize("answer", [SUCCEEDED, FAILED])
async def test_an_operator_that_answers_when_the_promised_time_is_over_calls_nobody(
    world: World, answer: Finding
) -> None:
    _, attempt = await failed(world)
    await world.tell(attempt, SUCCEEDED)
    world.mpesa.findings = [answer]
    await sweep_after(world, 25 * HOUR)
    assert len(world.mpesa.questions) == 1
    assert (await questions(world), await world.cases()) == (0, [])


async def test_nobody_is_called_before_an_answer_could_have_counted(world: World) -> None:
    """Where little time is promised: it was proven, and people were called for want of proof."""
    payment_id, attempt = await failed(world)
    await world.tell(attempt, SUCCEEDED)
    world.mpesa.findings = [SUCCEEDED] * 9
    hasty = EndedSweeps(
        Reconciler(
            store=world.store,
            outbox=Outbox(world.pool, world.clock, lease_seconds=60),
            payments=world.payments,
            clock=world.clock,
            ask=world.dispatcher.ask,
            schedule=Schedule(looks=(30, 60), escalate_after=40, jitter=0),
        )
    )
    for _ in range(2):
        world.clock.pass_(45)
        await hasty.sweep()
        await world.dispatched()
    assert await world.state(payment_id) is not State.COLLECT_FAILED
    assert await questions(world) == 1
    world.clock.pass_(45)
    await hasty.sweep()
    assert (await questions(world), await world.cases()) == (0, [])


async def test_however_often_it_is_told_it_is_one_question_of_one_process(
    world: World, database_url: str
) -> None:
    _, attempt = await failed(world)
    words = [Finding(Outcome.SUCCEEDED, f"ok {n}") for n in range(20)]
    heard = await asyncio.gather(*[world.tell(attempt, word) for word in words])
    assert set(heard) == {Heard.NEEDS_PROOF}
    assert await questions(world) == 1
    world.clock.pass_(31)
    async with open_world(database_url, clock=world.clock, seeded=False) as other:
        swept = await asyncio.gather(*[w.reconciler.sweep() for w in (world, other) * 3])
        assert sum(swept) == 1
        assert len(world.mpesa.questions) + len(other.mpesa.questions) == 1


async def test_payments_that_end_well_are_asked_nothing_more(world: World) -> None:
    _, collection, payout = await paid(world)
    for attempt in (collection, payout):
        assert await world.tell(attempt, SUCCEEDED) is Heard.KEPT
    assert await world.pool.fetchval("select count(*) from outbox") == 0
    assert await world.pool.fetchval("select count(*) from payment where due is not null") == 0


def test_a_question_and_its_attempt_are_found_from_each_other() -> None:
    attempt = "0190a000000070008000000000000001"
    assert question_id(attempt) != attempt
    assert question_id(question_id(attempt)) == attempt

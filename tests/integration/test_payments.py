"""The story of a payment on a real Postgres: every way out, with the books right after each."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest

from engine.clock import AttemptId, PaymentId
from engine.errors import (
    CustomerMistake,
    KeyNotAtHand,
    NoWayNow,
    OurFault,
    OutcomeUnknown,
    Rejected,
    Throttled,
    Unreachable,
)
from engine.fx.quotes import Quote
from engine.ledger.plans import Spend
from engine.money import Money
from engine.payments.evidence import Source
from engine.payments.health import Told, told_by_error
from engine.payments.lifecycle import State
from engine.payments.policy import Clearance
from engine.payments.stepping import Heard
from engine.ports import Accepted, Direction, Finding, Outcome, Reason, Sender
from tests.collector import left_to_collector
from tests.integration.books import assert_books
from tests.integration.world import CUSTOMER, FAILED, PENDING, SUCCEEDED, World, open_world
from tests.unit.payments.examples import PAYEE, PAYER

S = State
REJECTED = Rejected("mtn", "no", code="PAYEE_NOT_FOUND", reason="not_registered")
NO_WITH_THE_ANSWER = Accepted(finding=Finding(Outcome.FAILED, "TF", reason=Reason.CONFIGURATION))


@pytest.fixture
async def world(seeded_url: str) -> AsyncIterator[World]:
    async with open_world(seeded_url) as opened:
        yield opened
        await opened.dispatched()
        await assert_books(opened.pool)
        assert await opened.books.is_balanced()


async def nothing_promised(world: World) -> bool:
    names = ("POOL_HELD", "PAYOUT_IN_FLIGHT mtn_ug")
    return not any([await world.balance(name, "UGX") for name in names]) and not any(
        [
            await world.balance(name, "KES")
            for name in ("CUSTOMER_FUNDS", "REFUND_DUE", "REFUND_IN_FLIGHT mpesa_ke")
        ]
    )


async def collected(world: World) -> tuple[PaymentId, AttemptId]:
    """A payment whose payout was accepted: (payment id, live attempt)."""
    payment_id = await world.confirm()
    await world.dispatched()
    await world.tell(await world.live(payment_id), SUCCEEDED)
    await world.dispatched()
    return payment_id, await world.live(payment_id)


async def test_from_confirm_to_receipt(world: World) -> None:
    payment_id = await world.confirm()
    assert await world.state(payment_id) is S.COLLECTING
    assert await world.balance("POOL_HELD", "UGX") == 28_023
    await world.dispatched()
    (order,) = world.mpesa.orders
    assert (order.direction, order.amount, order.msisdn) == (
        Direction.COLLECT, Money(102_000, "KES"), PAYER,
    )  # fmt: skip
    assert await world.tell(await world.live(payment_id), SUCCEEDED) is Heard.ADVANCED
    assert await world.state(payment_id) is S.PAYING
    await world.dispatched()
    (payout,) = world.mtn.orders
    assert (payout.direction, payout.amount, payout.msisdn) == (
        Direction.DISBURSE, Money(28_023, "UGX"), PAYEE,
    )  # fmt: skip
    assert await world.tell(await world.live(payment_id), SUCCEEDED) is Heard.ADVANCED
    assert await world.state(payment_id) is S.PAID
    await world.dispatched()
    assert {sms.to for sms in world.sms.sent} == {PAYER, PAYEE}
    assert await world.pool.fetchval("select count(*) from outbox") == 0
    assert await world.pool.fetchval("select array_agg(status) from sms_message") == [
        "sent",
        "sent",
    ]
    assert await nothing_promised(world)
    assert await world.balance("FLOAT mpesa_ke", "KES") == 500_000_000 + 102_000
    assert await world.balance("FLOAT mtn_ug", "UGX") == 150_000_000 - 28_023
    assert await world.balance("FEE_INCOME", "KES") == 2_000
    assert await world.cases() == []


async def test_confirming_twice_is_one_payment_and_another_quote_under_the_key_is_refused(
    world: World,
) -> None:
    quote = await world.quote()
    confirm = world.payments.confirming.confirm
    answers = await asyncio.gather(
        *[confirm(payer=CUSTOMER, quote=quote, key="k") for _ in range(20)]
    )
    assert len({a.payment_id for a in answers}) == 1
    assert sum(a.fresh for a in answers) == 1
    with pytest.raises(OurFault, match="CONFLICT"):
        await confirm(payer=CUSTOMER, quote=await world.quote(2000), key="k")
    await world.dispatched()
    assert len(world.mpesa.orders) == 1


async def test_an_expired_quote_confirms_nothing_but_still_answers_what_it_confirmed(
    world: World,
) -> None:
    quote, other = await world.quote(), await world.quote()
    first = await world.payments.confirming.confirm(payer=CUSTOMER, quote=quote, key="k")
    world.clock.pass_(other.expires_at - world.clock.epoch())  # to the second, and no further
    again = await world.payments.confirming.confirm(payer=CUSTOMER, quote=quote, key="k")
    assert (again.payment_id, again.fresh) == (first.payment_id, False)
    with pytest.raises(CustomerMistake, match="quote_expired"):
        await world.payments.confirming.confirm(payer=CUSTOMER, quote=other, key="other")
    assert await world.pool.fetchval("select count(*) from payment where customer is not null") == 1


async def test_a_pool_that_does_not_cover_it_refuses_and_moves_nothing(world: World) -> None:
    quotes = [await world.quote(70_000) for _ in range(80)]  # 1.96 million UGX each, 150 in all
    results = await asyncio.gather(
        *[
            world.payments.confirming.confirm(payer=CUSTOMER, quote=q, key=q.quote_id)
            for q in quotes
        ],
        return_exceptions=True,
    )
    refused = [r for r in results if isinstance(r, NoWayNow)]
    covered = 150_000_000 // quotes[0].receives.minor
    assert len(results) - len(refused) == covered
    assert {r.text_key for r in refused} == {"no_way.float"}


async def test_what_the_books_refuse_by_our_own_fault_is_told_as_nothing_charged(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """The payer was promised an SMS, and there was nothing that one could be of."""
    quote = await world.quote()
    with pytest.raises(NoWayNow, match=r"no_way\.fault"):
        await world.payments.confirming.confirm(
            payer=CUSTOMER, quote=quote, key="k", request_hash="none"
        )
    assert "nothing was taken on, by a fault of our own: confirm was refused: POISON" in caplog.text
    assert await world.pool.fetchval("select count(*) from payment where customer is not null") == 0
    taken = await world.payments.confirming.confirm(payer=CUSTOMER, quote=quote, key="k")
    with pytest.raises(OurFault, match="POISON"):  # the key has a payment, maybe not this one
        await world.payments.confirming.confirm(
            payer=CUSTOMER, quote=quote, key="k", request_hash="none"
        )
    assert (await world.payments.confirming.confirm(payer=CUSTOMER, quote=quote, key="k")) == (
        msgspec.structs.replace(taken, fresh=False)
    )


async def test_our_own_fault_before_the_commit_is_told_likewise(world: World) -> None:
    quote, other = await world.quote(), await world.quote()
    taken = await world.payments.confirming.confirm(payer=CUSTOMER, quote=quote, key="k")
    world.policy.refusal = KeyNotAtHand("a list is sealed under data key 9")
    with pytest.raises(NoWayNow, match=r"no_way\.fault"):
        await world.payments.confirming.confirm(payer=CUSTOMER, quote=other, key="other")
    again = await world.payments.confirming.confirm(payer=CUSTOMER, quote=quote, key="k")
    assert (again.payment_id, again.fresh) == (taken.payment_id, False)


async def test_stale_rates_price_nothing(world: World) -> None:
    world.clock.pass_(86_401)
    with pytest.raises(NoWayNow):
        await world.quote()


@pytest.mark.parametrize("source", [Source.CALLBACK, Source.QUERY])
async def test_a_failed_collection_frees_the_promise_and_says_why(
    world: World, source: Source
) -> None:
    payment_id = await world.confirm()
    await world.dispatched()
    assert await world.tell(await world.live(payment_id), FAILED, source) is Heard.ADVANCED
    await world.dispatched()
    assert await world.state(payment_id) is S.COLLECT_FAILED
    (sms,) = world.sms.sent
    assert sms.to == PAYER
    assert await nothing_promised(world)
    assert world.mtn.orders == []


async def test_a_collection_refused_at_the_door_fails_at_once(world: World) -> None:
    world.mpesa.answers = [Rejected("mpesa", "no", code="400.002.02", reason="configuration")]
    payment_id = await world.confirm()
    await world.dispatched()
    assert await world.state(payment_id) is S.COLLECT_FAILED
    assert await nothing_promised(world)


async def test_a_payout_that_definitely_fails_is_refunded_in_full(world: World) -> None:
    payment_id, _ = await collected(world)
    assert await world.tell(await world.live(payment_id), FAILED) is Heard.ADVANCED
    await world.dispatched()
    assert await world.state(payment_id) is S.REFUNDING
    refund = world.mpesa.orders[-1]
    assert (refund.direction, refund.amount, refund.msisdn) == (
        Direction.REFUND, Money(102_000, "KES"), PAYER,
    )  # fmt: skip
    assert refund.collected_attempt_id == world.mpesa.orders[0].attempt_id
    assert await world.tell(await world.live(payment_id), SUCCEEDED) is Heard.ADVANCED
    await world.dispatched()
    assert await world.state(payment_id) is S.REFUNDED
    assert await nothing_promised(world)
    assert await world.balance("FLOAT mpesa_ke", "KES") == 500_000_000
    assert await world.balance("FEE_INCOME", "KES") == 0
    assert len(world.sms.sent) == 2  # the refund began; the refund is there


async def test_a_payout_says_whose_money_it_is_and_what_they_send(world: World) -> None:
    """Some operators ask for that. What is collected, or given back, is the payer's own."""
    payment_id = await world.confirm()
    await world.dispatched()
    await world.tell(await world.live(payment_id), SUCCEEDED)
    await world.dispatched()
    quote = (await world.payment(payment_id)).quote
    assert [order.sender for order in world.mtn.orders] == [
        Sender(country="KE", amount=quote.amount, msisdn=PAYER, language=quote.payer_language)
    ]
    await world.tell(await world.live(payment_id), FAILED)
    await world.dispatched()
    assert [order.sender for order in world.mpesa.orders] == [None, None]


async def test_a_refund_that_fails_is_tried_again_later_and_somebody_is_told(world: World) -> None:
    payment_id, attempt = await collected(world)
    await world.tell(attempt, FAILED)
    await world.dispatched()
    await world.tell(await world.live(payment_id), FAILED)
    assert await world.state(payment_id) is S.REFUND_DUE
    assert await world.cases() == ["REFUND_FAILED"]
    assert await world.reconciler.sweep() == 0
    world.clock.pass_(901)
    assert await world.reconciler.sweep() == 1
    await world.dispatched()
    assert await world.state(payment_id) is S.REFUNDING
    attempts = {order.attempt_id for order in world.mpesa.orders}
    assert len(attempts) == len(world.mpesa.orders) == 3
    await world.tell(await world.live(payment_id), FAILED)
    assert await world.cases() == ["REFUND_FAILED"]  # one, however often it fails
    await world.pool.execute("update case_file set closed_ms = 1, closed_by = 'two'")
    await world.payments.order_refund(await world.payment(payment_id))
    await world.dispatched()
    await world.tell(await world.live(payment_id), FAILED)
    assert await world.cases() == ["REFUND_FAILED"] * 2  # and another once that is closed
    await world.payments.order_refund(await world.payment(payment_id))
    await world.dispatched()
    await world.tell(await world.live(payment_id), SUCCEEDED)
    assert await world.state(payment_id) is S.REFUNDED


async def test_an_unclear_payout_stays_unknown_until_somebody_knows(world: World) -> None:
    payment_id = await world.confirm()
    await world.dispatched()
    world.mtn.answers = [OutcomeUnknown("mtn", "silence")]
    await world.tell(await world.live(payment_id), SUCCEEDED)
    await world.dispatched()
    assert await world.state(payment_id) is S.PAYOUT_UNKNOWN
    assert await world.balance("PAYOUT_IN_FLIGHT mtn_ug", "UGX") == 28_023
    for _ in range(50):  # two days of silence: never failed, never paid again
        world.clock.pass_(3600)
        await world.reconciler.sweep()
    assert await world.state(payment_id) is S.PAYOUT_UNKNOWN
    assert len(world.mtn.orders) == 1
    assert 5 <= len(world.mtn.questions) <= 50
    assert "UNRESOLVED" in await world.cases()
    world.mtn.findings = [SUCCEEDED]
    world.clock.pass_(25 * 3600)
    await world.reconciler.sweep()
    assert await world.state(payment_id) is S.PAID


async def test_a_lost_callback_is_found_by_asking(world: World) -> None:
    payment_id, _ = await collected(world)
    world.mtn.findings = [PENDING, SUCCEEDED]
    world.clock.pass_(61)
    await world.reconciler.sweep()
    assert await world.state(payment_id) is S.PAYING
    world.clock.pass_(61)
    await world.reconciler.sweep()
    assert await world.state(payment_id) is S.PAID
    assert {q.provider_reference for q in world.mtn.questions} == {
        f"ref-{world.mtn.orders[0].attempt_id}"
    }


async def test_long_silence_says_unknown_and_tells_the_payer_once(world: World) -> None:
    payment_id, _ = await collected(world)
    for _ in range(6):
        world.clock.pass_(125)
        await world.reconciler.sweep()
        await world.dispatched()
    assert await world.state(payment_id) is S.PAYOUT_UNKNOWN
    assert [sms.to for sms in world.sms.sent] == [PAYER]


@pytest.mark.parametrize(
    "error", [Unreachable("mtn", "refused"), Throttled("mtn", "busy", retry_after_seconds=8)]
)
async def test_what_was_never_sent_is_sent_again_with_the_same_reference(
    world: World, error: Exception
) -> None:
    payment_id = await world.confirm()
    await world.dispatched()
    world.mtn.answers = [error]
    await world.tell(await world.live(payment_id), SUCCEEDED)
    await world.dispatched()
    world.clock.pass_(7)
    assert await world.dispatcher.sweep() == 0  # not before its time
    world.clock.pass_(5)
    assert await world.dispatcher.sweep() == 1
    await world.dispatched()
    first, second = world.mtn.orders
    assert first == second
    assert await world.state(payment_id) is S.PAYING


async def test_a_payout_that_never_leaves_waits_and_is_refunded_when_its_rate_is_over(
    world: World,
) -> None:
    payment_id = await world.confirm()
    await world.dispatched()
    world.mtn.answers = [Unreachable("mtn", "refused") for _ in range(500)]
    await world.tell(await world.live(payment_id), SUCCEEDED)
    await world.dispatched()
    for _ in range(100):
        world.clock.pass_(11)
        await world.dispatcher.sweep()
        await world.dispatched()
    assert await world.state(payment_id) is S.PAYOUT_QUEUED
    world.policy.closed = {"mtn_ug"}
    assert not await world.rulings.order_payout(await world.payment(payment_id))
    world.clock.pass_(3 * 3600)
    assert await world.rulings.order_payout(await world.payment(payment_id))
    await world.dispatched()
    assert await world.state(payment_id) is S.REFUNDING
    assert world.mpesa.orders[-1].direction is Direction.REFUND


async def test_a_collection_that_cannot_be_sent_before_the_quote_ends_expires(
    world: World,
) -> None:
    world.mpesa.answers = [Unreachable("mpesa", "refused")]
    payment_id = await world.confirm()
    await world.dispatched()
    world.clock.pass_(121)
    await world.dispatcher.sweep()
    await world.dispatched()
    assert await world.state(payment_id) is S.EXPIRED
    assert len(world.mpesa.orders) == 1
    assert await nothing_promised(world)
    (sms,) = world.sms.sent
    assert sms.to == PAYER


async def test_late_money_is_given_back_when_it_is_proven(world: World) -> None:
    payment_id = await world.confirm()
    await world.dispatched()
    attempt = await world.live(payment_id)
    await world.tell(attempt, FAILED)
    assert await world.tell(attempt, SUCCEEDED, Source.CALLBACK) is Heard.NEEDS_PROOF
    assert await world.state(payment_id) is S.COLLECT_FAILED
    assert await world.tell(attempt, SUCCEEDED, Source.QUERY) is Heard.ADVANCED
    assert await world.state(payment_id) is S.REFUNDING
    await world.dispatched()
    for source in (Source.CALLBACK, Source.QUERY):  # said again, it is nothing new
        assert await world.tell(attempt, SUCCEEDED, source) is Heard.KEPT
    assert world.mpesa.orders[-1].collected_attempt_id == attempt
    await world.tell(await world.live(payment_id), SUCCEEDED)
    assert await world.state(payment_id) is S.REFUNDED
    assert await nothing_promised(world)
    assert await world.cases() == []


async def test_late_money_of_last_month_takes_nothing_of_this_ones_limit(world: World) -> None:
    def on(day: int, month: int) -> Clearance:
        spend = Spend(CUSTOMER.customer_id, 404, day, month, 100, 1_000, 1_000)
        return Clearance(spend=spend)

    world.policy.clearance = on(20_000, 202_610)  # the 31st
    first = await world.confirm()
    await world.dispatched()
    await world.tell(await world.live(first), FAILED)
    world.policy.clearance = on(20_001, 202_611)  # the 1st
    await world.confirm()
    await world.dispatched()
    # The statement of the 31st lists the first after all.
    await world.tell(world.mpesa.orders[0].attempt_id, SUCCEEDED, Source.STATEMENT)
    await world.dispatched()
    await world.tell(await world.live(first), SUCCEEDED)
    assert await world.state(first) is S.REFUNDED
    row = await world.pool.fetchrow("select day_minor, month_minor from spending")
    assert tuple(row) == (100, 100)


async def test_a_contradiction_opens_a_case_and_moves_nothing(world: World) -> None:
    payment_id, attempt = await collected(world)
    await world.tell(attempt, SUCCEEDED)
    before = await world.pool.fetch("select * from balance order by id")
    assert await world.tell(attempt, FAILED, Source.QUERY) is Heard.CONFLICT
    assert await world.tell(attempt, FAILED, Source.QUERY) is Heard.CONFLICT
    told = await world.pool.fetch("select kind, detail from case_file")
    assert [tuple(case) for case in told] == [
        ("CONFLICT", "DISBURSE failed after it had succeeded")
    ]
    assert await world.state(payment_id) is S.PAID
    assert await world.pool.fetch("select * from balance order by id") == before


@pytest.mark.parametrize(
    "finding",
    [
        Finding(Outcome.SUCCEEDED, "ok", amount=Money(100, "KES")),
        Finding(Outcome.SUCCEEDED, "ok", msisdn="+254799999999"),
    ],
)
async def test_another_amount_or_number_than_ordered_is_a_conflict(
    world: World, finding: Finding
) -> None:
    payment_id = await world.confirm()
    await world.dispatched()
    assert await world.tell(await world.live(payment_id), finding) is Heard.CONFLICT
    assert await world.state(payment_id) is S.COLLECTING
    assert await world.pool.fetchval("select count(*) from evidence where source = 2") == 1


async def test_a_large_success_by_callback_counts_only_after_the_operator_confirms(
    world: World,
) -> None:
    payment_id = await world.confirm(shillings=20_000)  # above the threshold of 10,000
    await world.dispatched()
    attempt = await world.live(payment_id)
    assert await world.tell(attempt, SUCCEEDED) is Heard.NEEDS_PROOF
    assert await world.state(payment_id) is S.COLLECTING
    world.mpesa.findings = [SUCCEEDED]
    payment = await world.payment(payment_id)
    world.dispatcher.prove(payment, attempt, Direction.COLLECT)
    await world.dispatched()
    assert await world.state(payment_id) is S.PAYING


async def test_what_needs_proof_is_asked_about_soon_though_its_process_died_and_all_is_old(
    world: World,
) -> None:
    """Unknown for five hours: nobody would look for hours more."""
    payment_id = await world.confirm(shillings=20_000)
    await world.dispatched()
    attempt = await world.live(payment_id)
    for _ in range(60):
        world.clock.pass_(300)
        await world.reconciler.sweep()
    assert await world.state(payment_id) is S.COLLECT_UNKNOWN
    assert await world.tell(attempt, SUCCEEDED) is Heard.NEEDS_PROOF  # and nobody proves it
    world.mpesa.findings = [SUCCEEDED]
    world.clock.pass_(61)
    await world.reconciler.sweep()
    await world.dispatched()
    assert await world.state(payment_id) is S.REFUNDING  # proven, and its rate holds no more


async def test_evidence_for_an_attempt_nobody_made_is_unknown(world: World) -> None:
    assert await world.tell(AttemptId("0190a0" + "0" * 26), SUCCEEDED) is Heard.UNKNOWN


async def test_a_pending_word_moves_nothing_and_is_kept(world: World) -> None:
    payment_id = await world.confirm()
    await world.dispatched()
    attempt = await world.live(payment_id)
    assert await world.tell(attempt, PENDING) is Heard.KEPT
    assert await world.tell(attempt, PENDING) is Heard.KEPT
    assert await world.state(payment_id) is S.COLLECTING
    assert await world.pool.fetchval("select count(*) from evidence where source = 2") == 1


async def test_a_process_that_dies_before_the_call_is_taken_over(world: World) -> None:
    world.dispatching = False  # the process died right after the commit
    payment_id = await world.confirm()
    assert await world.dispatcher.sweep() == 0  # its lease still runs
    world.clock.pass_(61)
    assert await world.dispatcher.sweep() == 1
    await world.dispatched()
    assert len(world.mpesa.orders) == 1
    assert await world.state(payment_id) is S.COLLECTING


async def test_a_call_that_may_have_left_is_repeated_only_where_that_is_safe(
    world: World,
) -> None:
    async def die_in_the_call(payment_id: PaymentId) -> None:
        """Claimed and then killed: nobody knows whether the bytes left."""
        attempt = await world.live(payment_id)
        await world.pool.execute("update outbox set sent_at = 1 where id = $1", attempt)
        world.clock.pass_(61)
        await world.dispatcher.sweep()
        await world.dispatched()

    world.dispatching = False
    payment_id = await world.confirm()
    await die_in_the_call(payment_id)
    assert world.mpesa.orders == []  # an STK push has no idempotency: never twice
    assert await world.state(payment_id) is S.COLLECT_UNKNOWN
    await world.tell(await world.live(payment_id), SUCCEEDED)
    await die_in_the_call(payment_id)
    assert len(world.mtn.orders) == 1  # a transfer may be repeated under its reference
    assert await world.state(payment_id) is S.PAYING


async def left_in_the_middle_of_a_payout(
    world: World, quote: Quote | None = None
) -> tuple[PaymentId, AttemptId]:
    """Collected; the payout was claimed, and the process died: it may have been carried out."""
    quote = quote or await world.quote()
    confirmed = await world.payments.confirming.confirm(
        payer=CUSTOMER, quote=quote, key=quote.quote_id
    )
    payment_id = confirmed.payment_id
    await world.dispatched()
    world.dispatching = False
    await world.tell(await world.live(payment_id), SUCCEEDED)
    attempt = await world.live(payment_id)
    await world.pool.execute("update outbox set sent_at = 1 where id = $1", attempt)
    return payment_id, attempt


async def test_a_payout_that_may_have_left_is_never_given_up_however_late(world: World) -> None:
    payment_id, attempt = await left_in_the_middle_of_a_payout(world)
    world.clock.pass_(7 * 24 * 3600)
    await world.dispatcher.sweep()
    await world.dispatched()
    assert [order.attempt_id for order in world.mtn.orders] == [attempt]
    assert await world.state(payment_id) is S.PAYING
    assert len(world.mpesa.orders) == 1  # no refund


@pytest.mark.parametrize(
    ("reason", "asked"), [(Reason.OTHER, "other_ug"), (Reason.CANNOT_RECEIVE, "mpesa_ke")]
)
async def test_a_call_that_was_taken_over_is_not_sent_once_its_attempt_has_ended(
    world: World, reason: Reason, asked: str
) -> None:
    """Its failure is told between the takeover and the look at the payment: it goes on, or back."""
    quote = msgspec.structs.replace(await world.quote(), ways=("mtn_ug", "other_ug"))
    payment_id, attempt = await left_in_the_middle_of_a_payout(world, quote)
    world.dispatching = True
    world.clock.pass_(61)
    (left,) = await world.dispatcher._outbox.lease_left_behind(1)
    failed = Finding(Outcome.FAILED, "no", reason=reason)
    assert await world.tell(attempt, failed) is Heard.ADVANCED
    await world.dispatcher._take_over(left)
    await world.dispatched()
    orders = [*world.mtn.orders, *world.other.orders, *world.mpesa.orders[1:]]
    assert [order.attempt_id for order in orders] == [await world.live(payment_id)]
    by_operator = {"other_ug": world.other.orders, "mpesa_ke": world.mpesa.orders[1:]}
    assert orders == by_operator[asked]
    assert await world.pool.fetchval("select count(*) from outbox where kind < 10") == 0


@pytest.mark.parametrize(
    "answer",
    [
        REJECTED,
        NO_WITH_THE_ANSWER,
        Unreachable("mtn", "refused"),
        Throttled("mtn", "busy"),
        OutcomeUnknown("mtn", ""),
    ],
)
async def test_a_refused_repeat_says_nothing_about_the_call_before_it(
    world: World, answer: Exception | Accepted
) -> None:
    payment_id, attempt = await left_in_the_middle_of_a_payout(world)
    world.mtn.answers = [answer]
    world.clock.pass_(61)
    await world.dispatcher.sweep()
    await world.dispatched()
    assert await world.state(payment_id) is S.PAYOUT_UNKNOWN
    assert await world.balance("PAYOUT_IN_FLIGHT mtn_ug", "UGX") == 28_023
    assert len(world.mpesa.orders) == 1
    await world.tell(attempt, SUCCEEDED)
    assert (await world.state(payment_id), await world.cases()) == (S.PAID, [])


@pytest.mark.parametrize(
    ("answer", "cases"), [(None, []), ('{"code":"NO","reason":"other"}', ["CONFLICT"])]
)
async def test_an_order_that_was_taken_again_as_its_attempt_ended_is_struck_off(
    world: World, answer: str | None, cases: list[str]
) -> None:
    """Whoever took it died: it would be taken over for ever. What it heard before is heard."""
    payment_id, attempt = await collected(world)
    await world.tell(attempt, SUCCEEDED)
    await world.dispatched()
    outbox = world.dispatcher._outbox
    claim = await outbox.take_again(attempt, payment_id, 1, Direction.DISBURSE, None)
    assert claim and (answer is None or await outbox.end(attempt, claim, answer))
    world.clock.pass_(61)
    assert await world.dispatcher.sweep() == 1
    await world.dispatched()
    assert not await outbox.still_there(attempt)
    assert (len(world.mtn.orders), await world.state(payment_id)) == (1, S.PAID)
    assert await world.cases() == cases


async def test_a_repeat_that_was_done_by_the_word_of_its_answer_ends_it(world: World) -> None:
    payment_id, _ = await left_in_the_middle_of_a_payout(world)
    world.mtn.answers = [Accepted(finding=SUCCEEDED)]
    world.clock.pass_(61)
    await world.dispatcher.sweep()
    await world.dispatched()
    assert (await world.state(payment_id), await world.cases()) == (S.PAID, [])


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Throttled("mtn", "busy"), [Told.THROTTLED]),
        (Unreachable("mtn", "refused"), [Told.UNREACHABLE]),
        (OutcomeUnknown("mtn", ""), [Told.UNCLEAR]),
        (REJECTED, [told_by_error(REJECTED, Direction.DISBURSE)]),
        (ValueError("no key to sign it with"), []),
    ],
)
async def test_what_a_call_says_of_its_operator_is_told_once(
    world: World, answer: Exception, said: list[Told]
) -> None:
    """What it refuses is told with the attempt's end, and a fault of our own says nothing of it."""
    heard: list[tuple[str, Direction, Told | None]] = []

    def record(
        operator: str, direction: Direction, told: Told | None, minor: int,
        *, began_at: float | None = None,
    ) -> None:  # fmt: skip
        heard.append((operator, direction, told))

    world.dispatcher._record = world.payments._record = record
    payment_id = await world.confirm()
    await world.dispatched()
    world.mtn.answers = [answer]
    await world.tell(await world.live(payment_id), SUCCEEDED)
    await world.dispatched()
    of_payout = [what for _, direction, what in heard if direction is Direction.DISBURSE]
    assert of_payout == said
    assert {operator for operator, direction, _ in heard} <= {"mpesa_ke", "mtn_ug"}


async def test_a_call_that_fails_by_our_own_fault_may_have_been_carried_out_and_calls_people(
    world: World,
) -> None:
    """An error no adapter should raise, at every try: the payer's money lies with us meanwhile."""
    payment_id = await world.confirm()
    await world.dispatched()
    fault: list[Exception | Accepted] = [ValueError("no key to seal it with")] * 50
    world.mtn.answers = fault
    await world.tell(await world.live(payment_id), SUCCEEDED)
    await world.dispatched()
    attempt = await world.live(payment_id)
    assert await world.state(payment_id) is S.PAYOUT_UNKNOWN
    world.mtn.findings = [Finding(Outcome.NOT_FOUND, "RESOURCE_NOT_FOUND")] * 50
    for _ in range(27):
        world.clock.pass_(3600)
        await world.dispatcher.sweep()
        await world.reconciler.sweep()
        await world.dispatched()
    assert {order.attempt_id for order in world.mtn.orders} == {attempt}
    assert (await world.state(payment_id), await world.cases()) == (
        S.PAYOUT_UNKNOWN, ["UNRESOLVED"],
    )  # fmt: skip
    world.mtn.answers = []
    world.clock.pass_(24 * 3600)
    await world.reconciler.sweep()
    await world.tell(attempt, SUCCEEDED)
    assert await world.state(payment_id) is S.PAID


@pytest.mark.parametrize(("seconds", "is_repeated"), [(61, True), (3600, False)])
async def test_a_collection_that_may_have_left_does_not_expire_and_is_not_prompted_for_hours_later(
    world: World, seconds: int, is_repeated: bool
) -> None:
    payment_id = await world.confirm()
    await world.dispatched()
    attempt = await world.live(payment_id)
    # As if the operator took repeats, and the process had died in the call.
    world.mpesa.facts = msgspec.structs.replace(world.mpesa.facts, collect_repeat_is_safe=True)
    await world.pool.execute(
        "insert into outbox (id, payment, tenant, kind, not_before, lease_until, sent_at)"
        " values ($1, $2, 1, 1, 0, 0, 1)",
        attempt, payment_id,
    )  # fmt: skip
    world.clock.pass_(seconds)
    await world.dispatcher.sweep()
    await world.dispatched()
    state = S.COLLECTING if is_repeated else S.COLLECT_UNKNOWN
    assert await world.state(payment_id) is state
    assert [order.attempt_id for order in world.mpesa.orders] == [attempt] * (1 + is_repeated)


async def test_a_reference_is_adopted_from_a_callback_only_if_nobody_else_holds_it(
    world: World,
) -> None:
    world.mpesa.answers = [OutcomeUnknown("mpesa", "lost"), Accepted("ws_CO_other")]
    payment_id = await world.confirm()
    await world.dispatched()
    other = await world.confirm()
    await world.dispatched()
    attempt = await world.live(payment_id)
    found = await world.store.attempt(attempt)
    assert found is not None
    assert not await world.payments.adopt_reference(found, "ws_CO_other")
    assert await world.cases() == ["FOREIGN_REFERENCE"]
    assert await world.store.provider_reference(attempt) is None
    assert await world.payments.adopt_reference(found, "ws_CO_mine")
    assert await world.store.provider_reference(attempt) == "ws_CO_mine"
    assert not await world.payments.adopt_reference(found, "ws_CO_later")
    assert await world.store.provider_reference(await world.live(other)) == "ws_CO_other"


async def test_a_prompt_waits_for_the_end_of_the_dialogue_and_who_ends_before_leaves_it_to_others(
    database_url: str,
) -> None:
    """The phone is busy until then: it would never be seen."""
    async with open_world(database_url, CAPP_COLLECT_DELAY_SECONDS="3600") as world:
        attempt = await world.live(await world.confirm())
        await asyncio.sleep(0.2)
        await world.dispatcher.stop()
        row = await world.pool.fetchrow("select sent_at, claims from outbox where id = $1", attempt)
        assert (world.mpesa.orders, *row) == ([], None, 0)


async def test_two_processes_sweep_and_nobody_gets_an_intent_twice(
    world: World, database_url: str
) -> None:
    world.dispatching = False
    for _ in range(30):
        await world.confirm()
    world.clock.pass_(61)
    async with open_world(database_url, clock=world.clock, seeded=False) as other:
        await asyncio.gather(*[w.dispatcher.sweep(10) for w in (world, other) for _ in range(4)])
        await world.dispatched()
        await other.dispatched()
        orders = [o.attempt_id for o in world.mpesa.orders + other.mpesa.orders]
    assert len(orders) == len(set(orders)) == 30


async def test_an_sms_that_may_have_been_sent_is_not_sent_again(world: World) -> None:
    _, attempt = await collected(world)
    world.sms.answers = [OutcomeUnknown("sms", "silence"), Unreachable("sms", "refused")]
    await world.tell(attempt, SUCCEEDED)
    await world.dispatched()
    assert world.sms.sent == []
    assert await world.pool.fetchval("select array_agg(status) from sms_message") == ["unknown"]
    world.clock.pass_(61)
    await world.dispatcher.sweep()
    await world.dispatched()
    assert len(world.sms.sent) == 1  # the one that never left
    statuses = await world.pool.fetchval(
        "select array_agg(status order by status) from sms_message"
    )
    assert statuses == ["sent", "unknown"]


async def test_an_accepted_order_keeps_the_reference_a_query_needs(world: World) -> None:
    world.mpesa.answers = [Accepted("ws_CO_1")]
    payment_id = await world.confirm()
    await world.dispatched()
    assert await world.store.provider_reference(await world.live(payment_id)) == "ws_CO_1"


async def test_an_order_the_operator_never_got_is_sent_again_under_its_reference(
    world: World,
) -> None:
    payment_id, attempt = await collected(world)
    not_found = Finding(Outcome.NOT_FOUND, "RESOURCE_NOT_FOUND")
    world.mtn.findings = [not_found] * 10
    world.clock.pass_(61)
    await world.reconciler.sweep()
    assert len(world.mtn.orders) == 1  # inside the horizon it proves nothing
    world.clock.pass_(100)
    await world.reconciler.sweep()
    assert [order.attempt_id for order in world.mtn.orders] == [attempt, attempt]
    assert await world.state(payment_id) in (S.PAYING, S.PAYOUT_UNKNOWN)


async def test_the_time_in_which_not_found_proves_nothing_begins_when_the_order_left(
    world: World,
) -> None:
    """A refund could not be sent for ten minutes; then its answer was lost."""
    payment_id = await world.confirm()
    await world.dispatched()
    await world.tell(await world.live(payment_id), SUCCEEDED)
    await world.dispatched()
    away: list[Exception | Accepted] = [Unreachable("mpesa", "refused")]
    world.mpesa.answers = [*away * 10, OutcomeUnknown("mpesa", "silence")]
    world.mpesa.orders.clear()
    await world.tell(await world.live(payment_id), FAILED)
    await world.dispatched()
    for _ in range(10):
        world.clock.pass_(61)
        await world.dispatcher.sweep()
        await world.dispatched()
    assert (len(world.mpesa.orders), await world.state(payment_id)) == (11, S.REFUND_UNKNOWN)
    world.mpesa.findings = [Finding(Outcome.NOT_FOUND, "unknown here")] * 3
    world.mpesa.questions.clear()
    world.clock.pass_(61)
    await world.reconciler.sweep()
    assert (len(world.mpesa.questions), len(world.mpesa.orders)) == (1, 11)
    world.clock.pass_(1800)
    await world.reconciler.sweep()
    await world.dispatched()
    assert (len(world.mpesa.questions), len(world.mpesa.orders)) == (2, 12)


async def test_an_order_whose_repeat_got_lost_is_not_repeated_in_the_same_breath(
    world: World,
) -> None:
    payment_id, attempt = await collected(world)
    world.mtn.findings = [Finding(Outcome.NOT_FOUND, "RESOURCE_NOT_FOUND")] * 3
    world.mtn.answers = [OutcomeUnknown("mtn", "silence")]
    for seconds, orders in ((1800, 2), (119, 2), (2, 3)):
        world.clock.pass_(seconds)
        payment = await world.payment(payment_id)
        await world.dispatcher.ask(payment, attempt, Direction.DISBURSE)
        assert len(world.mtn.orders) == orders


async def test_a_push_the_operator_does_not_know_is_never_sent_again(world: World) -> None:
    payment_id = await world.confirm()
    await world.dispatched()
    world.mpesa.findings = [Finding(Outcome.NOT_FOUND, "does not Exist")] * 10
    for _ in range(5):
        world.clock.pass_(200)
        await world.reconciler.sweep()
    assert len(world.mpesa.orders) == 1
    assert await world.state(payment_id) is S.COLLECT_UNKNOWN


@pytest.mark.parametrize(
    ("told", "sent"),
    [(Outcome.ASKED, 2), (Outcome.PENDING, 1)],  # who says that it is pending has it
)
async def test_a_payout_nobody_ever_took_is_repeated_where_the_operator_answers_late(
    world: World, told: Outcome, sent: int
) -> None:
    payment_id = await world.confirm()
    await world.dispatched()
    world.mtn.answers = [OutcomeUnknown("mtn", "lost"), Accepted("AG_1")]
    await world.tell(await world.live(payment_id), SUCCEEDED)
    await world.dispatched()
    world.mtn.findings = [Finding(told, "odd")] * 10
    world.clock.pass_(61)
    await world.reconciler.sweep()
    assert len(world.mtn.orders) == 1  # it may be on its way yet
    for _ in range(3):
        world.clock.pass_(400)
        await world.reconciler.sweep()
    # Accepted the second time, it is not sent a third.
    live = await world.live(payment_id)
    assert [order.attempt_id for order in world.mtn.orders] == [live] * sent
    assert await world.state(payment_id) is S.PAYOUT_UNKNOWN
    await world.tell(await world.live(payment_id), SUCCEEDED, Source.QUERY)
    assert await world.state(payment_id) is S.PAID


async def test_nobody_asks_about_an_order_that_has_not_left_yet(world: World) -> None:
    payment_id = await world.confirm()
    await world.dispatched()
    world.mtn.answers = [Unreachable("mtn", "refused")] * 20
    await world.tell(await world.live(payment_id), SUCCEEDED)
    await world.dispatched()
    world.clock.pass_(61)
    assert await world.reconciler.sweep() == 1
    assert world.mtn.questions == []
    assert await world.state(payment_id) is S.PAYING  # not unknown: it is known not to have left
    world.clock.pass_(200)
    assert await world.reconciler.sweep() == 1  # and it is looked at again
    assert world.mtn.questions == []


async def test_two_processes_ask_about_each_silent_payment_once(
    world: World, database_url: str
) -> None:
    for _ in range(12):
        await world.confirm()
    await world.dispatched()
    world.clock.pass_(61)
    async with open_world(database_url, clock=world.clock, seeded=False) as other:
        swept = await asyncio.gather(
            *[w.reconciler.sweep(5) for w in (world, other) for _ in range(3)]
        )
        asked = [q.attempt_id for q in world.mpesa.questions + other.mpesa.questions]
    assert sum(swept) == len(asked) == len(set(asked)) == 12


async def paying_slowly(
    world: World, answer: Exception | Accepted
) -> tuple[PaymentId, asyncio.Event]:
    """A payout under way: its operator answers once the event is set."""
    payment_id = await world.confirm()
    await world.dispatched()
    asked, may_answer = asyncio.Event(), asyncio.Event()
    world.mtn.answers = [answer]
    world.mtn.takes, world.mtn.may_answer = asked.set, may_answer
    await world.tell(await world.live(payment_id), SUCCEEDED)
    await asked.wait()
    return payment_id, may_answer


@pytest.mark.parametrize(
    "answer",
    [REJECTED, NO_WITH_THE_ANSWER, Unreachable("mtn", "refused"), Throttled("mtn", "busy")],
)
async def test_a_refusal_proves_nothing_once_another_process_has_taken_the_call_over(
    world: World, database_url: str, answer: Exception | Accepted
) -> None:
    """The first call stands still for longer than its lease; the second is under way."""
    payment_id, may_answer = await paying_slowly(world, answer)
    attempt = await world.live(payment_id)
    world.clock.pass_(61)
    async with open_world(database_url, clock=world.clock, seeded=False) as other:
        asked, other.mtn.may_answer = asyncio.Event(), asyncio.Event()
        other.mtn.takes = asked.set
        assert await other.dispatcher.sweep() == 1
        await asked.wait()
        may_answer.set()
        await world.dispatched()
        meanwhile = await world.payment(payment_id)
        world.clock.pass_(45)
        swept = await world.dispatcher.sweep()
        other.mtn.may_answer.set()  # before anything is asserted: the process waits for it
        await other.dispatched()
        assert meanwhile.live == attempt  # it may be carried out yet
        assert swept == 0  # nor is it sent a third time
        assert [order.attempt_id for order in other.mtn.orders] == [attempt]
    assert await world.state(payment_id) is S.PAYING
    assert len(world.mpesa.orders) == 1  # no refund
    await world.tell(attempt, SUCCEEDED)
    assert await world.state(payment_id) is S.PAID


async def test_an_order_that_somebody_else_has_by_now_is_not_given_up_as_never_sent(
    world: World,
) -> None:
    """Too late for a first call, and its lease has run out: whoever has it may be sending it."""
    payment_id = await world.confirm()
    await world.dispatched()
    world.dispatching = False
    await world.tell(await world.live(payment_id), SUCCEEDED)
    attempt = await world.live(payment_id)
    world.clock.pass_(61)
    (late,) = await world.dispatcher._outbox.lease_left_behind(1)
    world.clock.pass_(61)
    (next_,) = await world.dispatcher._outbox.lease_left_behind(1)
    assert (late.was_sent, next_.was_sent) == (False, True)
    world.dispatching = True
    await world.dispatcher._take_over(late)
    await world.dispatcher._take_over(next_)
    await world.dispatched()
    assert (await world.state(payment_id), await world.live(payment_id)) == (S.PAYING, attempt)
    assert [order.attempt_id for order in world.mtn.orders] == [attempt]


@pytest.mark.parametrize("answer", [REJECTED, NO_WITH_THE_ANSWER])
async def test_a_refusal_counts_however_late_while_nobody_has_taken_over(
    world: World, answer: Exception | Accepted
) -> None:
    payment_id = await world.confirm()
    await world.dispatched()
    world.mtn.answers = [answer]
    world.mtn.takes = lambda: world.clock.pass_(59)
    await world.tell(await world.live(payment_id), SUCCEEDED)
    await world.dispatched()
    assert await world.state(payment_id) is S.REFUNDING


@pytest.mark.parametrize(
    ("answer", "is_paid_by_another"),
    [
        (REJECTED, False),  # it is the payee's wallet that refuses
        (Accepted(finding=Finding(Outcome.FAILED, "TW", reason=Reason.CANNOT_RECEIVE)), False),
        (NO_WITH_THE_ANSWER, True),
        (Accepted(finding=Finding(Outcome.FAILED, "T?")), True),
    ],
)
async def test_a_refusal_that_was_written_down_is_carried_out_by_whoever_comes_next(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    answer: Exception | Accepted,
    is_paid_by_another: bool,
) -> None:
    """The process dies between writing the end down and committing what follows from it."""
    quote = msgspec.structs.replace(await world.quote(), ways=("mtn_ug", "other_ug"))
    payment_id = (
        await world.payments.confirming.confirm(payer=CUSTOMER, quote=quote, key=quote.quote_id)
    ).payment_id
    await world.dispatched()
    world.dispatching = False
    await world.tell(await world.live(payment_id), SUCCEEDED)
    world.dispatching = True

    async def die(*_: object) -> Heard:
        raise OurFault("the process dies here")

    world.mtn.answers = [answer]
    with monkeypatch.context() as dying:
        dying.setattr(world.payments, "apply_finding", die)
        world.dispatcher.hear(*world.heard[-1])
        await world.dispatched()
    assert await world.state(payment_id) is S.PAYING
    world.clock.pass_(61)
    await world.dispatcher.sweep()
    await world.dispatched()
    assert (len(world.mtn.orders), len(world.other.orders)) == (1, int(is_paid_by_another))
    assert await world.state(payment_id) is (S.PAYING if is_paid_by_another else S.REFUNDING)


async def test_nobody_repeats_an_order_beside_the_one_who_holds_it(world: World) -> None:
    payment_id, attempt = await left_in_the_middle_of_a_payout(world)
    world.clock.pass_(200)
    world.mtn.findings = [Finding(Outcome.NOT_FOUND, "RESOURCE_NOT_FOUND")]
    payment = await world.payment(payment_id)
    assert await world.dispatcher.ask(payment, attempt, Direction.DISBURSE) is Heard.KEPT
    assert len(world.mtn.questions) == 1
    assert world.mtn.orders == []


@pytest.mark.parametrize("answer", [REJECTED, NO_WITH_THE_ANSWER])
async def test_a_refusal_that_contradicts_an_end_is_a_case(
    world: World, answer: Exception | Accepted
) -> None:
    """Somebody forged a success before the operator said no."""
    payment_id, may_answer = await paying_slowly(world, answer)
    await world.tell(await world.live(payment_id), SUCCEEDED)
    may_answer.set()
    await world.dispatched()
    assert await world.state(payment_id) is S.PAID
    assert await world.cases() == ["CONFLICT"]


@pytest.mark.parametrize("answer", [REJECTED, NO_WITH_THE_ANSWER])
async def test_a_repeat_that_is_refused_after_not_found_stays_unknown(
    world: World, answer: Exception | Accepted
) -> None:
    payment_id, _ = await collected(world)
    world.mtn.findings = [Finding(Outcome.NOT_FOUND, "RESOURCE_NOT_FOUND")]
    world.mtn.answers = [answer]
    world.clock.pass_(161)
    await world.reconciler.sweep()
    assert len(world.mtn.orders) == 2
    assert await world.state(payment_id) is S.PAYOUT_UNKNOWN


async def test_a_payment_leaves_nothing_to_the_collector(world: World) -> None:
    """What refers to itself waits for the collector, which stops all callers while it looks."""

    async def paid() -> None:
        _, payout = await collected(world)
        await world.tell(payout, SUCCEEDED)
        await world.dispatched()

    assert await left_to_collector(paid) == 0

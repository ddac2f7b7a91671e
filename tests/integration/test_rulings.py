"""What people decide, queues, other ways and returned payouts, on a real Postgres."""

from collections.abc import AsyncIterator
from functools import partial

import asyncpg
import msgspec
import pytest

from engine.clock import PaymentId
from engine.decisions import Decision, Kind
from engine.errors import CustomerMistake, NoWayNow, OurFault
from engine.ledger.plans import Spend
from engine.msisdn import Msisdn
from engine.outbox import Outbox
from engine.payments.evidence import Source
from engine.payments.facts import Ruling
from engine.payments.lifecycle import Event, State
from engine.payments.planning import queue_due
from engine.payments.policy import Clearance
from engine.payments.stepping import Heard
from engine.ports import Direction, Finding, Outcome, Reason
from tests.integration.books import assert_books
from tests.integration.owner import Owner
from tests.integration.world import CUSTOMER, FAILED, SUCCEEDED, World, open_world

pytestmark = pytest.mark.long(
    "each ruling by itself, on a real Postgres; tests/unit/payments has the plans"
)

S = State
BY_TWO = Ruling("looked into", by=("amina", "brian"), proposal="p1")
HELD = Decision(Kind.COMPLIANCE, "hold", "a name on a list", {"score": 91})
REVERSED = Finding(Outcome.REVERSED, "reversed")


@pytest.fixture
async def world(seeded_url: str) -> AsyncIterator[World]:
    async with open_world(seeded_url) as opened:
        yield opened
        await assert_books(opened.pool)


async def collected(world: World) -> PaymentId:
    payment_id = await world.confirm()
    await world.dispatched()
    await world.tell(await world.live(payment_id), SUCCEEDED)
    await world.dispatched()
    return payment_id


async def end(world: World, payment_id: PaymentId) -> State:
    """Let the live attempt succeed."""
    await world.tell(await world.live(payment_id), SUCCEEDED)
    await world.dispatched()
    return await world.state(payment_id)


# Held for people.


async def test_what_must_be_held_is_collected_and_waits_with_a_case(world: World) -> None:
    world.policy.clearance = Clearance(HELD)
    payment_id = await collected(world)
    assert await world.state(payment_id) is S.ON_HOLD
    assert await world.cases() == ["ON_HOLD"]
    assert world.mtn.orders == []
    assert "delayed" in str([intents for _, intents in world.heard])


async def test_whoever_closes_the_case_of_what_still_waits_has_it_again_the_next_day(
    world: World,
) -> None:
    world.policy.clearance = Clearance(HELD)
    payment_id = await collected(world)
    for day in range(3):
        opened = await world.pool.fetchval("select count(*) from case_file where closed_ms is null")
        assert (opened, await world.state(payment_id)) == (1, S.ON_HOLD), day
        await world.pool.execute("update case_file set closed_ms = 1, closed_by = 'two'")
        world.clock.pass_(2 * 86_400 + 1)
        await world.reconciler.sweep()
    assert await world.cases() == ["ON_HOLD"] * 4


async def test_no_case_of_a_hold_comes_back_behind_a_ruling_of_this_moment(world: World) -> None:
    """The sweep had read it before: whoever reads its case would rule on what is paid out."""
    world.policy.clearance = Clearance(HELD)
    payment_id = await collected(world)
    seen_before = await world.payment(payment_id)
    assert await world.rulings.release(payment_id, BY_TWO)
    await world.pool.execute("update case_file set closed_ms = 1, closed_by = 'two'")
    await world.rulings.looks_after(1)[S.ON_HOLD](seen_before)
    assert await world.cases() == ["ON_HOLD"]
    await world.dispatched()


async def test_a_list_that_changed_after_the_confirm_holds_before_the_payout(world: World) -> None:
    payment_id = await world.confirm()
    await world.dispatched()
    world.policy.changed = HELD
    await world.tell(await world.live(payment_id), SUCCEEDED)
    assert await world.state(payment_id) is S.ON_HOLD


async def test_a_released_payment_is_paid_once_however_often_it_is_released(world: World) -> None:
    world.policy.clearance = Clearance(HELD)
    payment_id = await collected(world)
    assert await world.rulings.release(payment_id, BY_TWO)
    assert not await world.rulings.release(payment_id, BY_TWO)
    await world.dispatched()
    assert len(world.mtn.orders) == 1
    assert await end(world, payment_id) is S.PAID


async def test_a_refused_hold_gives_all_back(world: World) -> None:
    world.policy.clearance = Clearance(HELD)
    payment_id = await collected(world)
    assert await world.rulings.refund(payment_id, BY_TWO)
    await world.dispatched()
    assert world.mpesa.orders[-1].direction is Direction.REFUND
    assert await end(world, payment_id) is S.REFUNDED
    assert not await world.rulings.release(payment_id, BY_TWO)


async def test_a_list_that_changes_while_a_payout_waits_holds_it_when_it_is_to_leave(
    world: World,
) -> None:
    world.policy.closed = {"mtn_ug"}
    payment_id = await collected(world)
    world.policy.changed = HELD
    assert not await world.rulings.order_payout(await world.payment(payment_id))
    assert await world.state(payment_id) is S.PAYOUT_QUEUED
    world.policy.closed = set()
    world.clock.pass_(60)
    await world.reconciler.sweep()
    await world.dispatched()
    assert await world.state(payment_id) is S.ON_HOLD
    assert (await world.cases(), world.mtn.orders) == (["ON_HOLD"], [])
    assert await world.rulings.release(payment_id, BY_TWO)
    await world.dispatched()
    assert await end(world, payment_id) is S.PAID


async def test_whoever_may_try_an_operator_first_is_looked_at_before_that_too(
    world: World,
) -> None:
    world.policy.closed = {"mtn_ug"}
    payment_id = await collected(world)
    world.policy.changed, world.policy.permits = HELD, 1
    assert await world.rulings.order_payout(await world.payment(payment_id))
    await world.dispatched()
    assert (await world.state(payment_id), world.mtn.orders) == (S.ON_HOLD, [])


async def test_a_list_that_changed_holds_before_another_operator_is_tried(world: World) -> None:
    payment_id = await through_two(world)
    world.policy.changed = HELD
    refusal = msgspec.structs.replace(FAILED, reason=Reason.CONFIGURATION)
    for _ in range(2):
        await world.tell(world.mtn.orders[0].attempt_id, refusal)
    await world.dispatched()
    assert (await world.state(payment_id), world.other.orders) == (S.ON_HOLD, [])
    assert await world.cases() == ["ON_HOLD"]
    assert await world.balance("PAYOUT_IN_FLIGHT mtn_ug", "UGX") == 0
    assert await world.rulings.release(payment_id, BY_TWO)
    await world.dispatched()
    assert (len(world.mtn.orders), len(world.other.orders)) == (1, 1)
    assert await end(world, payment_id) is S.PAID


async def test_what_is_to_be_paid_out_is_not_kept_from_leaving_by_who_wants_to_cancel(
    world: World,
) -> None:
    """Its order has not left yet either, and it is no collection."""
    payment_id = await world.confirm()
    await world.dispatched()
    world.dispatching = False
    await world.tell(await world.live(payment_id), SUCCEEDED)
    with pytest.raises(NoWayNow):
        await world.rulings.cancel(payment_id, Ruling("customer"))
    world.clock.pass_(61)
    await world.dispatcher.sweep()
    await world.dispatched()
    assert len(world.mtn.orders) == 1
    world.dispatching = True
    assert await end(world, payment_id) is S.PAID


async def test_what_waits_for_no_ruling_is_left_where_it_is(world: World) -> None:
    """Two people may agree on something that was overtaken: that is told, and no fault of ours."""
    payment_id = await collected(world)
    rulings = world.rulings
    for state in (S.PAYING, S.PAID):
        assert await world.state(payment_id) is state
        version = (await world.payment(payment_id)).version
        ruled = [
            await rulings.release(payment_id, BY_TWO),
            await rulings.pay_seen(payment_id, BY_TWO, operator="mtn_ug"),
            await rulings.refund(payment_id, BY_TWO),
            await rulings.repay(payment_id, BY_TWO),
            await rulings.refund_elsewhere(payment_id, BY_TWO, operator="mpesa_ke"),
            await rulings.give_back(payment_id, BY_TWO),
            await rulings.order_payout(await world.payment(payment_id)),
        ]
        assert ruled == [False] * 7
        assert (await world.payment(payment_id)).version == version
        if state is S.PAYING:
            await end(world, payment_id)


async def test_a_step_that_was_not_stored_is_told_to_nobody(world: World) -> None:
    """Somebody else was faster, or the books refused it: no order leaves for it."""
    world.policy.closed = {"mtn_ug"}
    payment_id = await collected(world)
    before, heard = await world.payment(payment_id), len(world.heard)
    step = partial(world.payments.stepper.take, before, Event.REFUND_DECIDED, facts=BY_TWO)
    owner = Owner(world.pool)
    rows = await owner.fetch("select id, amount from balance where guarded and amount > 0")
    await owner.execute("update balance set amount = 0 where guarded")
    with pytest.raises(OurFault, match="refund decided of"):
        await step()
    await owner.executemany(
        "update balance set amount = $2 where id = $1", [tuple(row) for row in rows]
    )
    assert len(world.heard) == heard
    assert await world.state(payment_id) is S.PAYOUT_QUEUED
    taken = await step()
    assert taken is not None and taken.state is S.REFUNDING
    assert await step() is None
    assert len(world.heard) == heard + 1
    await world.dispatched()
    assert [order.direction for order in world.mpesa.orders[1:]] == [Direction.REFUND]


# Queues and other ways.


async def test_a_payout_waits_while_its_operator_is_down_and_leaves_when_it_is_back(
    world: World,
) -> None:
    world.policy.closed = {"mtn_ug"}
    payment_id = await collected(world)
    assert (await world.state(payment_id), world.mtn.orders) == (S.PAYOUT_QUEUED, [])
    assert not await world.rulings.order_payout(await world.payment(payment_id))
    world.policy.closed = set()
    assert await world.rulings.order_payout(await world.payment(payment_id))
    assert not await world.rulings.order_payout(await world.payment(payment_id))
    await world.dispatched()
    assert await end(world, payment_id) is S.PAID
    assert len(world.mtn.orders) == 1


async def test_who_waits_is_looked_at_at_the_next_slot_and_who_is_held_the_next_day(
    world: World,
) -> None:
    """Who was looked at in vain keeps the place in the queue; people are reminded once a day, also
    of what came back.
    """
    sent_back = await returned(world)
    world.policy.closed = {"mtn_ug"}
    queued = await collected(world)
    world.policy.clearance = Clearance(HELD)
    held = await collected(world)
    for payment_id, seconds in ((queued, 30), (held, 2 * 86_400), (sent_back, 2 * 86_400)):
        world.clock.pass_(seconds)
        await world.reconciler.sweep()
        now = int(world.clock.epoch())
        due = await world.pool.fetchval("select due from payment where id = $1", payment_id)
        assert due == (queue_due(now) if payment_id == queued else now + 86_400)


async def test_people_who_could_not_be_reminded_are_reminded_at_the_next_look(world: World) -> None:
    world.policy.clearance = Clearance(HELD)
    payment_id = await collected(world)
    owner, due = Owner(world.pool), "select due from payment where id = $1"
    before = await world.pool.fetchval(due, payment_id)
    await owner.execute("alter table case_file rename to gone")
    with pytest.raises(asyncpg.UndefinedTableError):
        await world.rulings.looks_after(86_400)[S.ON_HOLD](await world.payment(payment_id))
    await owner.execute("alter table gone rename to case_file")
    assert await world.pool.fetchval(due, payment_id) == before


async def test_while_an_operator_is_being_tried_again_only_those_with_a_permit_leave(
    world: World,
) -> None:
    world.policy.closed = {"mtn_ug"}
    waiting = [await collected(world) for _ in range(3)]
    world.policy.permits = 2
    went = [await world.rulings.order_payout(await world.payment(p)) for p in waiting]
    assert went == [True, True, False]
    await world.dispatched()
    assert len(world.mtn.orders) == 2


async def test_another_operator_pays_after_the_first_definitely_failed(world: World) -> None:
    payment_id = await through_two(world)
    first = world.mtn.orders[0].attempt_id
    await world.tell(first, msgspec.structs.replace(FAILED, reason=Reason.CONFIGURATION))
    await world.dispatched()
    payment = await world.payment(payment_id)
    assert (payment.state, payment.payout_operator) == (S.PAYING, "other_ug")
    (order,) = world.other.orders
    assert order.attempt_id != first
    assert await world.balance("PAYOUT_IN_FLIGHT other_ug", "UGX") == 28_023
    assert await world.balance("PAYOUT_IN_FLIGHT mtn_ug", "UGX") == 0
    assert await end(world, payment_id) is S.PAID
    assert await world.balance("FLOAT other_ug", "UGX") == -28_023


async def test_an_unknown_outcome_never_goes_another_way(world: World) -> None:
    payment_id = await through_two(world)
    await world.payments.record_unclear(
        await world.payment(payment_id), await world.live(payment_id)
    )
    assert await world.state(payment_id) is S.PAYOUT_UNKNOWN
    assert world.other.orders == []


async def test_a_wallet_that_refuses_is_not_tried_another_way(world: World) -> None:
    payment_id = await through_two(world)
    refused = msgspec.structs.replace(FAILED, reason=Reason.CANNOT_RECEIVE)
    await world.tell(await world.live(payment_id), refused)
    assert await world.state(payment_id) is S.REFUNDING


async def test_a_late_success_of_the_first_way_is_a_conflict_and_moves_nothing(
    world: World,
) -> None:
    payment_id = await through_two(world)
    first = world.mtn.orders[0].attempt_id
    await world.tell(first, msgspec.structs.replace(FAILED, reason=Reason.OTHER))
    await world.dispatched()
    assert await world.tell(first, SUCCEEDED, Source.QUERY) is Heard.CONFLICT
    assert await world.state(payment_id) is S.PAYING
    assert await world.cases() == ["CONFLICT"]


async def test_a_closed_first_way_is_passed_over_before_anything_was_sent(world: World) -> None:
    world.policy.closed = {"mtn_ug"}
    payment_id = await through_two(world)
    assert (world.mtn.orders, len(world.other.orders)) == ([], 1)
    assert await end(world, payment_id) is S.PAID


async def test_who_has_waited_for_all_ways_leaves_by_the_one_that_is_back(world: World) -> None:
    """Not by the first, which is still closed; why is kept with the step."""
    world.policy.closed = {"mtn_ug", "other_ug"}
    payment_id = await through_two(world)
    assert await world.state(payment_id) is S.PAYOUT_QUEUED
    world.policy.closed = {"mtn_ug"}
    assert await world.rulings.order_payout(await world.payment(payment_id))
    await world.dispatched()
    assert (world.mtn.orders, len(world.other.orders)) == ([], 1)
    why = await world.pool.fetchval(
        "select facts from journal where payment = $1 order by version desc limit 1", payment_id
    )
    assert "the first open way" in why
    assert await end(world, payment_id) is S.PAID


async def through_two(world: World) -> PaymentId:
    """A collected payment whose payee can be paid by two operators."""
    quote = msgspec.structs.replace(await world.quote(), ways=("mtn_ug", "other_ug"))
    confirmed = await world.payments.confirming.confirm(
        payer=CUSTOMER, quote=quote, key=quote.quote_id
    )
    await world.dispatched()
    await world.tell(await world.live(confirmed.payment_id), SUCCEEDED)
    await world.dispatched()
    return confirmed.payment_id


# Returned.


async def returned(world: World) -> PaymentId:
    payment_id = await collected(world)
    attempt_id = await world.live(payment_id)
    assert await end(world, payment_id) is S.PAID
    assert await world.tell(attempt_id, REVERSED) is Heard.NEEDS_PROOF
    assert await world.state(payment_id) is S.PAID
    for _ in range(2):  # said twice, it is returned once
        await world.tell(attempt_id, REVERSED, Source.QUERY)
    assert await world.state(payment_id) is S.RETURNED
    assert await world.cases() == ["RETURNED"]
    return payment_id


async def test_a_returned_payment_is_paid_again_to_the_right_number(world: World) -> None:
    payment_id = await returned(world)
    other = Msisdn("+256772000099")
    assert await world.rulings.repay(payment_id, BY_TWO, payee=other)
    assert not await world.rulings.repay(payment_id, BY_TWO, payee=other)
    await world.dispatched()
    assert [order.msisdn for order in world.mtn.orders] == ["+256772000002", other]
    assert (await world.payment(payment_id)).quote.payee == other
    assert await end(world, payment_id) is S.PAID


async def test_a_returned_payment_is_paid_again_also_long_after_its_price_was_over(
    world: World,
) -> None:
    """People agree on that in their own time; its rate stays as it was promised."""
    payment_id = await returned(world)
    receives = (await world.payment(payment_id)).quote.receives
    world.clock.pass_(30 * 86_400)
    assert await world.rulings.repay(payment_id, BY_TWO)
    await world.dispatched()
    assert await world.state(payment_id) is S.PAYING
    assert [order.amount for order in world.mtn.orders] == [receives] * 2
    assert await end(world, payment_id) is S.PAID


async def test_a_returned_payment_is_paid_again_by_a_way_that_is_open(world: World) -> None:
    payment_id = await through_two(world)
    first = await world.live(payment_id)
    assert await end(world, payment_id) is S.PAID
    await world.tell(first, REVERSED, Source.QUERY)
    assert await world.state(payment_id) is S.RETURNED
    world.policy.closed = {"mtn_ug"}
    assert await world.rulings.repay(payment_id, BY_TWO)
    await world.dispatched()
    assert (len(world.mtn.orders), len(world.other.orders)) == (1, 1)
    assert await end(world, payment_id) is S.PAID


async def test_what_is_said_again_of_the_number_before_contradicts_nothing(world: World) -> None:
    payment_id = await returned(world)
    first = world.mtn.orders[0]
    assert await world.rulings.repay(payment_id, BY_TWO, payee=Msisdn("+256772000099"))
    await world.dispatched()
    for finding in (SUCCEEDED, REVERSED):
        told = msgspec.structs.replace(finding, msisdn=str(first.msisdn))
        assert await world.tell(first.attempt_id, told, Source.QUERY) is Heard.KEPT
    assert await world.cases() == ["RETURNED"]
    stranger = msgspec.structs.replace(SUCCEEDED, msisdn="+256772000077")
    assert await world.tell(first.attempt_id, stranger, Source.QUERY) is Heard.CONFLICT
    now = msgspec.structs.replace(SUCCEEDED, msisdn=str(first.msisdn))
    assert await world.tell(await world.live(payment_id), now, Source.QUERY) is Heard.CONFLICT


async def test_whoever_is_to_be_paid_again_is_looked_at_first(world: World) -> None:
    payment_id = await returned(world)
    world.policy.changed = HELD
    assert await world.rulings.repay(payment_id, BY_TWO, payee=Msisdn("+256772000099"))
    await world.dispatched()
    assert await world.state(payment_id) is S.ON_HOLD
    assert (await world.cases(), len(world.mtn.orders)) == (["ON_HOLD", "RETURNED"], 1)
    assert await world.rulings.release(payment_id, BY_TWO)
    await world.dispatched()
    assert world.mtn.orders[-1].msisdn == "+256772000099"
    assert await end(world, payment_id) is S.PAID


async def test_a_returned_payment_is_given_back_at_the_promised_rate(world: World) -> None:
    payment_id = await returned(world)
    assert await world.rulings.refund(payment_id, BY_TWO)
    await world.dispatched()
    assert await end(world, payment_id) is S.REFUNDED
    assert await world.balance("INTERPOOL UGX", "KES") == 0
    assert await world.balance("POOL_AVAIL", "UGX") == 150_000_000


async def test_what_returned_a_payout_returns_no_later_one(world: World) -> None:
    """The operator may say it again at any time: while it is paid once more, and after that."""
    payment_id = await returned(world)
    first = world.mtn.orders[0].attempt_id
    assert await world.rulings.repay(payment_id, BY_TWO)
    await world.dispatched()
    second = await world.live(payment_id)
    assert await world.tell(first, REVERSED, Source.STATEMENT) is Heard.KEPT
    assert await end(world, payment_id) is S.PAID
    assert await world.tell(first, REVERSED, Source.QUERY) is Heard.KEPT
    assert await world.state(payment_id) is S.PAID
    assert await world.tell(second, REVERSED, Source.STATEMENT) is Heard.ADVANCED
    assert await world.state(payment_id) is S.RETURNED
    assert await world.rulings.refund(payment_id, BY_TWO)
    await world.dispatched()
    assert await end(world, payment_id) is S.REFUNDED
    for attempt_id in (first, second):
        assert await world.tell(attempt_id, REVERSED, Source.QUERY) is Heard.KEPT
    assert await world.cases() == ["RETURNED", "RETURNED"]
    assert await world.balance("FLOAT mtn_ug", "UGX") == 150_000_000


async def test_a_collection_that_its_operator_undid_is_a_case_and_moves_nothing(
    world: World,
) -> None:
    payment_id = await world.confirm()
    await world.dispatched()
    attempt_id = await world.live(payment_id)
    await world.tell(attempt_id, SUCCEEDED)
    await world.dispatched()
    assert await world.tell(attempt_id, REVERSED, Source.QUERY) is Heard.CONFLICT
    assert (await world.state(payment_id), await world.cases()) == (S.PAYING, ["CONFLICT"])


# Cancelled.


async def test_a_payment_is_cancelled_before_its_collection_leaves_and_never_after(
    world: World,
) -> None:
    world.dispatching = False
    payment_id = await world.confirm()
    for _ in range(2):
        assert await world.rulings.cancel(payment_id, Ruling("the payer asked"))
    assert await world.state(payment_id) is S.CANCELLED
    assert await world.balance("POOL_HELD", "UGX") == 0
    assert await world.pool.fetchval("select count(*) from outbox where kind = 1") == 0
    world.dispatching = True
    sent = await world.confirm()
    await world.dispatched()
    with pytest.raises(NoWayNow, match="no_way\\.sent"):
        await world.rulings.cancel(sent, Ruling("the payer asked"))
    assert await world.state(sent) is S.COLLECTING


async def test_what_an_operator_says_of_a_cancelled_payment_is_heard(world: World) -> None:
    world.dispatching = False
    payment_id = await world.confirm()
    attempt_id = await world.live(payment_id)
    assert await world.rulings.cancel(payment_id, Ruling("the payer asked"))
    assert await world.tell(attempt_id, FAILED) is Heard.KEPT
    assert await world.tell(attempt_id, SUCCEEDED) is Heard.NEEDS_PROOF
    assert (await world.state(payment_id), await world.cases()) == (S.CANCELLED, [])
    assert await world.tell(attempt_id, SUCCEEDED, Source.QUERY) is Heard.ADVANCED
    assert await world.state(payment_id) in (S.LATE_FUNDS, S.REFUND_DUE, S.REFUNDING)
    assert await world.store.ended_how(payment_id, attempt_id) is True


async def test_what_was_withheld_by_a_process_that_died_expires_and_is_sent_by_nobody(
    world: World,
) -> None:
    world.dispatching = False
    payment_id = await world.confirm()
    outbox = Outbox(world.pool, world.clock, lease_seconds=60)
    assert await outbox.withhold(await world.live(payment_id))
    world.dispatching = True
    world.clock.pass_(61)
    await world.dispatcher.sweep()
    await world.dispatched()
    assert await world.state(payment_id) is S.EXPIRED
    assert world.mpesa.orders == []
    with pytest.raises(NoWayNow, match="no_way\\.sent"):
        await world.rulings.cancel(payment_id, Ruling("the payer asked"))


async def test_a_withdrawal_that_dies_halfway_is_finished_by_its_repeat(world: World) -> None:
    """Nobody was asked and nobody will be: who asks again is not told the contrary."""
    world.dispatching = False
    payment_id = await world.confirm()
    outbox = Outbox(world.pool, world.clock, lease_seconds=60)
    assert await outbox.withhold(await world.live(payment_id))  # and died
    assert await world.rulings.cancel(payment_id, Ruling("the payer asked"))
    world.dispatching = True
    world.clock.pass_(61)
    await world.dispatcher.sweep()
    await world.dispatched()
    assert await world.state(payment_id) is S.CANCELLED
    assert world.mpesa.orders == []


# Limits, counted in the commit.


def counted(minor: int, *, day_max: int = 10**9, month_max: int = 10**9) -> Clearance:
    spend = Spend(CUSTOMER.customer_id, 404, 20_000, 202_611, minor, day_max, month_max)
    return Clearance(spend=spend)


@pytest.mark.parametrize(
    ("bounds", "sentence"),
    [({"day_max": 150}, "mistake.limit_day"), ({"month_max": 150}, "mistake.limit_month")],
)
async def test_what_would_pass_a_limit_is_refused_and_a_repeat_is_not(
    world: World, bounds: dict[str, int], sentence: str
) -> None:
    world.policy.clearance = counted(100, **bounds)
    first = await world.confirm("k1")
    with pytest.raises(CustomerMistake, match=sentence):
        await world.confirm("k2")
    quote = (await world.payment(first)).quote
    again = await world.payments.confirming.confirm(payer=CUSTOMER, quote=quote, key="k1")
    assert (again.payment_id, again.fresh) == (first, False)


async def test_a_payment_that_did_not_happen_does_not_count(world: World) -> None:
    world.policy.clearance = counted(100, day_max=150)
    payment_id = await world.confirm()
    await world.dispatched()
    await world.tell(await world.live(payment_id), FAILED)
    assert await world.state(payment_id) is S.COLLECT_FAILED
    again = await world.confirm()
    await world.dispatched()
    # Late money of the first one counts again, though nobody can refuse it any more.
    await world.tell(world.mpesa.orders[0].attempt_id, SUCCEEDED, Source.QUERY)
    assert await world.pool.fetchval("select day_minor from spending") == 200
    await world.dispatched()
    assert await end(world, payment_id) is S.REFUNDED
    assert await world.pool.fetchval("select day_minor from spending") == 100
    assert await world.state(again) is S.COLLECTING


async def test_a_refusal_reserves_nothing(world: World) -> None:
    world.policy.refusal = NoWayNow("no_way.busy")
    with pytest.raises(NoWayNow):
        await world.confirm()
    assert await world.balance("POOL_HELD", "UGX") == 0
    assert await world.pool.fetchval("select count(*) from payment where state < 100") == 0

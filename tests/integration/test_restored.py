"""The database is restored to an older state: what may have been paid since is not paid again."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec
import pytest

from channels.office import Office
from engine.clock import AttemptId, PaymentId
from engine.decisions import Decision
from engine.decisions import Kind as About
from engine.desk.proposals import Kind, Person, Proposal
from engine.desk.proposals import State as Stands
from engine.errors import NoWayNow
from engine.outbox import NEVER_SENT
from engine.payments.approvals import Approvals
from engine.payments.attested import Attested
from engine.payments.debts import Debts
from engine.payments.evidence import Source
from engine.payments.facts import Ruling
from engine.payments.lifecycle import State
from engine.payments.paid_before import PaidOut
from engine.payments.patience import ORDER_OVER_SECONDS
from engine.payments.policy import Clearance
from engine.payments.unresolved import Unresolved
from engine.ports import Direction, Finding, Outcome
from tests.integration.books import assert_books
from tests.integration.offices import office_of
from tests.integration.world import (
    CUSTOMER,
    FAILED,
    SUCCEEDED,
    TestClock,
    World,
    open_world,
)
from tests.unit.payments.examples import PAYEE, PAYER

AMINA, BRIAN = Person("amina"), Person("brian")
LOST_SECONDS = 300
PAID_OUT = Finding(Outcome.SUCCEEDED, "ok", receipt="MP1")
REVERSED = Finding(Outcome.REVERSED, "reversed")
ALLOWED = Decision(About.COMPLIANCE, "allow", "no name", {})


class Staffed(NamedTuple):
    """A world and the office of the people who look after it."""

    world: World
    office: Office

    async def agree(self, kind: Kind, payment_id: str, **fields: str) -> Proposal:
        body = {"payment": payment_id, **fields}
        asked = await self.office.desk.propose(kind, body, by=AMINA, note="looked there")
        decided = await self.office.desk.approve(asked.id, by=BRIAN)
        await self.world.dispatched()
        return decided


def staff(world: World) -> Staffed:
    approvals = Approvals(
        rulings=world.rulings, store=world.store, directory=world.directory,
        wallet_of=world.payments.selling.wallet_of,
    )  # fmt: skip
    debts = Debts(rulings=world.rulings, store=world.store, directory=world.directory)
    paid_out = PaidOut(
        rulings=world.rulings, store=world.store, directory=world.directory,
        wallet_of=world.payments.selling.wallet_of,
    )  # fmt: skip
    attested = Attested(payments=world.payments, store=world.store, outbox=world.dispatcher._outbox)
    executors = {
        **approvals.executors(), **debts.executors(), **paid_out.executors(),
        **attested.executors(),
    }  # fmt: skip
    return Staffed(world, office_of(world, executors))


@asynccontextmanager
async def restored(database_url: str, clock: TestClock) -> AsyncIterator[Staffed]:
    """The processes of after a restore to this moment, once what left before it is listed: what
    went on since then is lost."""
    clock.pass_(LOST_SECONDS)
    at = datetime.fromtimestamp(clock.epoch(), UTC).isoformat()
    clock.pass_(ORDER_OVER_SECONDS + 1)
    async with open_world(database_url, clock=clock, seeded=False, CAPP_RESTORED_AT=at) as world:
        yield staff(world)
        await world.dispatched()
        await assert_books(world.pool)
        assert await world.books.is_balanced()


async def collecting(world: World, *ways: str) -> PaymentId:
    """Its payer is asked; it is paid out by the first of `ways` that is open, if any are named."""
    quote = msgspec.structs.replace(await world.quote(), ways=ways)
    confirmed = await world.payments.confirming.confirm(
        payer=CUSTOMER, quote=quote, key=quote.quote_id
    )
    await world.dispatched()
    return confirmed.payment_id


async def paying(world: World, *ways: str) -> PaymentId:
    payment_id = await collecting(world, *ways)
    await world.tell(await world.live(payment_id), SUCCEEDED)
    await world.dispatched()
    assert await world.state(payment_id) is State.PAYING
    return payment_id


async def held(staffed: Staffed, payment_id: PaymentId) -> None:
    """Its collection was proven after the restore: nobody was paid, people know."""
    world = staffed.world
    await world.tell(await world.live(payment_id), SUCCEEDED, Source.QUERY)
    await world.dispatched()
    assert await world.state(payment_id) is State.ON_HOLD
    assert world.mtn.orders == []
    (case,) = await staffed.office.cases.open_cases()
    assert (case.key.kind, "the database was restored" in case.detail) == ("ON_HOLD", True)


async def test_a_payout_that_may_have_been_made_in_what_is_lost_waits_for_two_people(
    database_url: str,
) -> None:
    clock = TestClock()
    async with open_world(database_url, clock=clock) as before:
        payment_id = await collecting(before)
    async with restored(database_url, clock) as staffed:
        await held(staffed, payment_id)
        assert (await staffed.agree(Kind.RELEASE_HOLD, payment_id)).state is Stands.DONE
        assert [order.direction for order in staffed.world.mtn.orders] == [Direction.DISBURSE]
        await staffed.world.tell(await staffed.world.live(payment_id), SUCCEEDED)
        assert await staffed.world.state(payment_id) is State.PAID


async def test_what_two_people_saw_paid_is_booked_and_paid_no_second_time(
    database_url: str,
) -> None:
    clock = TestClock()
    async with open_world(database_url, clock=clock) as before:
        payment_id = await collecting(before)
    async with restored(database_url, clock) as staffed:
        await held(staffed, payment_id)
        for fields, why in (
            ({"reference": "MP1", "operator": "mpesa_ke"}, "mtn_ug"),
            ({"reference": " "}, "reference"),
        ):
            refused = await staffed.agree(Kind.PAYOUT_SEEN, payment_id, **fields)
            assert (refused.state, why in refused.outcome) == (Stands.FAILED, True)
        seen = await staffed.agree(Kind.PAYOUT_SEEN, payment_id, reference="MP1")
        assert (seen.state, staffed.world.mtn.orders) == (Stands.DONE, [])
        assert await staffed.world.state(payment_id) is State.PAID
        assert await staffed.office.cases.open_cases() == []
        again = await staffed.agree(Kind.PAYOUT_SEEN, payment_id, reference="MP1")
        assert (again.state, "is PAID" in again.outcome) == (Stands.FAILED, True)


async def test_what_was_held_for_a_list_says_both(database_url: str) -> None:
    clock = TestClock()
    async with open_world(database_url, clock=clock) as before:
        before.policy.clearance = Clearance(Decision(About.COMPLIANCE, "hold", "a name", {}))
        payment_id = await collecting(before)
    async with restored(database_url, clock) as staffed:
        await held(staffed, payment_id)
        facts = await staffed.world.pool.fetchval(
            "select facts from journal where payment = $1 order by version desc limit 1", payment_id
        )
        assert "a name" in facts


@pytest.mark.parametrize("ways", [(), ("mtn_ug", "other_ug")])
async def test_a_payout_that_failed_tries_no_other_way_and_is_not_given_back_by_itself(
    database_url: str, ways: tuple[str, ...]
) -> None:
    """In what is lost the other way may have been taken already."""
    clock = TestClock()
    async with open_world(database_url, clock=clock) as before:
        payment_id = await paying(before, *ways)
    async with restored(database_url, clock) as staffed:
        world = staffed.world
        await world.tell(await world.live(payment_id), FAILED, Source.QUERY)
        await world.dispatched()
        assert await world.state(payment_id) is State.ON_HOLD
        assert (world.other.orders, world.mpesa.orders) == ([], [])


async def test_what_had_never_left_and_was_given_up_may_have_gone_another_way(
    database_url: str,
) -> None:
    clock = TestClock()
    async with open_world(database_url, clock=clock) as before:
        payment_id = await collecting(before, "mtn_ug", "other_ug")
        before.dispatching = False
        await before.tell(await before.live(payment_id), SUCCEEDED)
        attempt_id = await before.live(payment_id)
        assert await before.dispatcher._outbox.end(attempt_id, 0, NEVER_SENT)
    async with restored(database_url, clock) as staffed:
        world = staffed.world
        assert await world.dispatcher.sweep() == 1
        await world.dispatched()
        assert await world.state(payment_id) is State.ON_HOLD
        assert (world.mtn.orders, world.other.orders, world.mpesa.orders) == ([], [], [])


async def test_what_is_due_back_was_maybe_given_back_and_waits_for_two_people(
    database_url: str,
) -> None:
    clock = TestClock()
    async with open_world(database_url, clock=clock) as before:
        payment_id = await collecting(before)
    async with restored(database_url, clock) as staffed:
        world = staffed.world
        await held(staffed, payment_id)
        await staffed.agree(Kind.REFUSE_HOLD, payment_id)
        assert await world.state(payment_id) is State.REFUND_DUE
        clock.pass_(86_400)
        await world.reconciler.sweep()
        await world.dispatched()
        assert world.mpesa.orders == []
        (case,) = await staffed.office.cases.open_cases()
        assert (case.key.kind, "restored" in case.detail) == ("REFUND_BY_HAND", True)
        sent = await staffed.agree(Kind.REFUND_ELSEWHERE, payment_id, operator="mpesa_ke")
        assert sent.state is Stands.DONE
        assert [order.direction for order in world.mpesa.orders] == [Direction.REFUND]
        await world.tell(await world.live(payment_id), SUCCEEDED)
        assert await world.state(payment_id) is State.REFUNDED


async def test_the_queue_of_before_is_held_when_its_operator_is_back(database_url: str) -> None:
    clock = TestClock()
    async with open_world(database_url, clock=clock) as before:
        payment_id = await collecting(before)
        before.policy.closed = {"mtn_ug", "other_ug"}
        await before.tell(await before.live(payment_id), SUCCEEDED)
        assert await before.state(payment_id) is State.PAYOUT_QUEUED
    async with restored(database_url, clock) as staffed:
        await staffed.world.reconciler.sweep()
        await staffed.world.dispatched()
        assert await staffed.world.state(payment_id) is State.ON_HOLD
        assert staffed.world.mtn.orders == []


async def test_what_two_people_released_since_is_not_held_for_the_restore_again(
    database_url: str,
) -> None:
    """Their operator was away at that moment: it waits for that alone."""
    clock = TestClock()
    async with open_world(database_url, clock=clock) as before:
        payment_id = await collecting(before)
    async with restored(database_url, clock) as staffed:
        world = staffed.world
        await held(staffed, payment_id)
        world.policy.closed = {"mtn_ug", "other_ug"}
        await staffed.agree(Kind.RELEASE_HOLD, payment_id)
        assert await world.state(payment_id) is State.PAYOUT_QUEUED
        world.policy.closed = set()
        clock.pass_(60)
        await world.reconciler.sweep()
        await world.dispatched()
        assert await world.state(payment_id) is State.PAYING
        assert len(world.mtn.orders) == 1


async def test_an_order_whose_row_says_that_it_never_left_may_have_left(database_url: str) -> None:
    """Another prompt could be paid as well: M-PESA knows no repeat."""
    clock = TestClock()
    async with open_world(database_url, clock=clock) as before:
        before.dispatching = False
        payment_id = await before.confirm()
    async with restored(database_url, clock) as staffed:
        world = staffed.world
        with pytest.raises(NoWayNow):
            await world.rulings.cancel(payment_id, Ruling("customer"))
        assert await world.dispatcher.sweep() == 1
        await world.dispatched()
        assert world.mpesa.orders == []
        assert await world.state(payment_id) is State.COLLECT_UNKNOWN


async def test_an_order_of_before_is_not_repeated_though_its_operator_knows_repeats(
    database_url: str,
) -> None:
    """It may have been refused in what is lost, and another way have paid: a refused one is done
    when it comes again."""
    clock = TestClock()
    async with open_world(database_url, clock=clock) as before:
        payment_id = await collecting(before)
        before.dispatching = False
        await before.tell(await before.live(payment_id), SUCCEEDED)
        attempt_id = await before.live(payment_id)
    async with restored(database_url, clock) as staffed:
        world = staffed.world
        assert await world.dispatcher.sweep() == 1
        await world.dispatched()
        assert await world.state(payment_id) is State.PAYOUT_UNKNOWN
        clock.pass_(3600)
        world.mtn.findings = [Finding(Outcome.NOT_FOUND, "no such reference")]
        payment = await world.payment(payment_id)
        await world.dispatcher.ask(payment, AttemptId(attempt_id), Direction.DISBURSE)
        assert (world.mtn.orders, await world.live(payment_id)) == ([], attempt_id)
        assert await world.state(payment_id) is State.PAYOUT_UNKNOWN


async def test_people_are_called_about_an_order_of_before_once_what_they_see_counts(
    database_url: str,
) -> None:
    """Nobody sends it again, and its operator may never have had it."""
    clock = TestClock()
    async with open_world(database_url, clock=clock) as before:
        before.dispatching = False
        payment_id = await before.confirm()
    async with restored(database_url, clock) as staffed:
        world, cases = staffed.world, staffed.office.cases
        clock.pass_(60 - ORDER_OVER_SECONDS)
        await world.dispatcher.sweep()
        await world.dispatched()
        assert await world.state(payment_id) is State.COLLECT_UNKNOWN
        assert [sms.text for sms in world.sms.sent if "longer than usual" in sms.text]
        for seconds, called in ((120, []), (240, []), (239, []), (2, ["UNRESOLVED"])):
            clock.pass_(seconds)
            await world.reconciler.sweep()
            assert [case.key.kind for case in await cases.open_cases()] == called
        (case,) = await cases.open_cases()
        assert "it is not sent again" in case.detail
        seen = await staffed.office.desk.propose(
            Kind.ATTEMPT_SEEN, {"attempt": await world.live(payment_id), "outcome": "failed"},
            by=AMINA, note="nothing there",
        )  # fmt: skip
        assert (await staffed.office.desk.approve(seen.id, by=BRIAN)).state is Stands.DONE
        assert await world.state(payment_id) is State.COLLECT_FAILED
        closer = Unresolved(world.pool, 1, world.store, clock)
        assert (await closer.sweep(10), await cases.open_cases()) == (1, [])


async def test_about_an_order_of_since_people_are_called_when_its_promise_is_over(
    database_url: str,
) -> None:
    clock = TestClock()
    async with open_world(database_url, clock=clock):
        pass
    async with restored(database_url, clock) as staffed:
        payment_id = await collecting(staffed.world)
        for seconds in (600, 600, 602):
            clock.pass_(seconds)
            await staffed.world.reconciler.sweep()
        assert await staffed.office.cases.open_cases() == []
        due = "select due from payment where id = $1"
        asked_again = await staffed.world.pool.fetchval(due, payment_id)
        assert asked_again > clock.epoch() + 1200  # by its schedule, after an hour


async def test_what_people_saw_right_after_a_restore_rules_nothing(database_url: str) -> None:
    """What left just before may not be listed yet."""
    clock = TestClock()
    async with open_world(database_url, clock=clock) as before:
        payment_id = await collecting(before)
        await before.tell(await before.live(payment_id), SUCCEEDED)
        await before.dispatched()
        attempt_id = await before.live(payment_id)
        other_id = await collecting(before)
    async with restored(database_url, clock) as staffed:
        world = staffed.world
        clock.pass_(-ORDER_OVER_SECONDS)
        await held(staffed, other_id)
        await world.payments.record_unclear(await world.payment(payment_id), AttemptId(attempt_id))
        for _ in range(2):
            asked = await staffed.office.desk.propose(
                Kind.ATTEMPT_SEEN, {"attempt": attempt_id, "outcome": "failed"}, by=AMINA,
                note="nothing there",
            )  # fmt: skip
            ruled = [
                await staffed.office.desk.approve(asked.id, by=BRIAN),
                *[
                    await staffed.agree(kind, other_id)
                    for kind in (Kind.RELEASE_HOLD, Kind.REFUSE_HOLD)
                ],
            ]
            assert all(one.state is Stands.FAILED for one in ruled)
            assert all("once more after" in one.outcome for one in ruled)
            clock.pass_(ORDER_OVER_SECONDS - 60)


async def returned(world: World, *refusals: Finding) -> PaymentId:
    """Paid, and given back by the operator that paid; another one could have paid as well, or did
    after a refusal.
    """
    payment_id = await collecting(world, "mtn_ug", "other_ug")
    for told in (SUCCEEDED, *refusals):
        await world.tell(await world.live(payment_id), told)
        await world.dispatched()
    attempt_id = await world.live(payment_id)
    await world.tell(attempt_id, PAID_OUT)
    await world.tell(attempt_id, REVERSED, Source.QUERY)
    await world.dispatched()
    assert await world.state(payment_id) is State.RETURNED
    return payment_id


@pytest.mark.parametrize("payee", ["", "0772000099"])
async def test_a_return_that_was_paid_again_in_what_is_lost_is_booked_and_paid_no_third_time(
    database_url: str, payee: str
) -> None:
    clock = TestClock()
    async with open_world(database_url, clock=clock) as before:
        before.policy.clearance = Clearance(ALLOWED)
        payment_id = await returned(before)
        first = before.mtn.orders[0].attempt_id
    async with restored(database_url, clock) as staffed:
        world = staffed.world
        for fields, why in (
            ({"reference": "mp 1", "payee": payee}, "is in these books"),
            ({"reference": f"ref-{first}", "payee": payee}, "is in these books"),
            ({"reference": "MP2", "payee": "0702000099"}, "not a number"),
        ):
            refused = await staffed.agree(Kind.PAYOUT_SEEN, payment_id, **fields)
            assert (refused.state, why in refused.outcome) == (Stands.FAILED, True)
        seen = await staffed.agree(
            Kind.PAYOUT_SEEN, payment_id, reference="MP2", operator="other_ug", payee=payee
        )
        assert (seen.state, world.mtn.orders, world.other.orders) == (Stands.DONE, [], [])
        assert await world.state(payment_id) is State.PAID
        assert await staffed.office.cases.open_cases() == []
        told = {str(sms.to) for sms in world.sms.sent if sms.to != PAYER}
        assert told == {"+256772000099" if payee else str(PAYEE)}
        # What was said of the payee before is said of nobody else: another is looked at anew.
        said = (await world.payment(payment_id)).facts.clearance
        assert said == (None if payee else ALLOWED)
        # The operator says once more what it said of the first.
        await world.tell(first, Finding(Outcome.REVERSED, "again"), Source.QUERY)
        assert await world.state(payment_id) is State.PAID


async def test_what_another_operator_paid_after_a_refusal_is_known_by_its_reference(
    database_url: str,
) -> None:
    """Of the order that was refused nothing is booked: it may be the one that paid after all."""
    clock = TestClock()
    async with open_world(database_url, clock=clock) as before:
        payment_id = await returned(before, FAILED)
        refused, paid = before.mtn.orders[0].attempt_id, before.other.orders[0].attempt_id
    async with restored(database_url, clock) as staffed:
        for operator, reference, stands in (
            ("other_ug", "MP1", Stands.FAILED),
            ("other_ug", f"ref-{paid}", Stands.FAILED),
            ("mtn_ug", f"ref-{refused}", Stands.DONE),
        ):
            fields = {"operator": operator, "reference": reference}
            seen = await staffed.agree(Kind.PAYOUT_SEEN, payment_id, **fields)
            assert seen.state is stands, reference
        assert await staffed.world.state(payment_id) is State.PAID


async def test_a_return_that_was_paid_again_is_in_the_float_of_who_paid(database_url: str) -> None:
    clock = TestClock()
    async with open_world(database_url, clock=clock) as before:
        payment_id = await returned(before)
        names = ("FLOAT mtn_ug", "FLOAT other_ug", "POOL_AVAIL")
        stood = [await before.balance(name, "UGX") for name in names]
    async with restored(database_url, clock) as staffed:
        # By the very reference that the first operator gave: another's numbers are its own.
        await staffed.agree(Kind.PAYOUT_SEEN, payment_id, reference="MP1", operator="other_ug")
        stands = [await staffed.world.balance(name, "UGX") for name in names]
        quote = (await staffed.world.payment(payment_id)).quote
        cost = quote.payout_cost_minor_max
        moved = [now - then for now, then in zip(stands, stood, strict=True)]
        assert moved == [0, -quote.receives.minor - cost, -cost]


async def test_a_return_that_was_given_back_in_what_is_lost_is_booked_and_not_given_again(
    database_url: str,
) -> None:
    clock = TestClock()
    async with open_world(database_url, clock=clock) as before:
        payment_id = await returned(before)
    async with restored(database_url, clock) as staffed:
        await staffed.agree(Kind.REFUND_RETURNED, payment_id)
        seen = await staffed.agree(Kind.REFUND_SEEN, payment_id, reference="RB1")
        assert (seen.state, staffed.world.mpesa.orders) == (Stands.DONE, [])
        assert await staffed.world.state(payment_id) is State.REFUNDED
        assert await staffed.office.cases.open_cases() == []


async def test_what_is_held_was_paid_to_no_other_number(database_url: str) -> None:
    clock = TestClock()
    async with open_world(database_url, clock=clock) as before:
        payment_id = await collecting(before)
    async with restored(database_url, clock) as staffed:
        await held(staffed, payment_id)
        refused = await staffed.agree(
            Kind.PAYOUT_SEEN, payment_id, reference="MP1", payee="0772000099"
        )
        assert (refused.state, "its payee" in refused.outcome) == (Stands.FAILED, True)


async def test_what_was_agreed_on_before_pays_nobody_any_more(database_url: str) -> None:
    """It may have been carried out in what is lost."""
    clock = TestClock()
    async with open_world(database_url, clock=clock) as before:
        before.policy.clearance = Clearance(Decision(About.COMPLIANCE, "hold", "a name", {}))
        payment_id = await collecting(before)
        await before.tell(await before.live(payment_id), SUCCEEDED)
        assert await before.state(payment_id) is State.ON_HOLD
        asked = await staff(before).office.desk.propose(
            Kind.RELEASE_HOLD, {"payment": payment_id}, by=AMINA, note="looked into"
        )
    async with restored(database_url, clock) as staffed:
        decided = await staffed.office.desk.approve(asked.id, by=BRIAN)
        assert (decided.state, "restored" in decided.outcome) == (Stands.FAILED, True)
        assert await staffed.world.state(payment_id) is State.ON_HOLD
        await staffed.agree(Kind.RELEASE_HOLD, payment_id)
        assert len(staffed.world.mtn.orders) == 1


async def test_what_begins_after_the_restore_goes_its_usual_way(database_url: str) -> None:
    clock = TestClock()
    async with open_world(database_url, clock=clock):
        pass
    async with restored(database_url, clock) as staffed:
        world = staffed.world
        payment_id = await paying(world)
        assert len(world.mtn.orders) == 1
        await world.tell(await world.live(payment_id), FAILED)
        await world.dispatched()
        assert [order.direction for order in world.mpesa.orders][-1] is Direction.REFUND

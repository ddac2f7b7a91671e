"""An order is repeated, and asked about, by the way it began, whatever is set by then."""

from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from engine.clock import PaymentId
from engine.errors import OutcomeUnknown, Unreachable
from engine.payments.lifecycle import State
from engine.payments.statements.lines import Side
from engine.ports import Direction, Finding, OperatorFacts, Order, Outcome
from providers.mpesa import Mpesa
from tests.integration.books import assert_books
from tests.integration.test_statements import TellingOperator, bureau_of, refund_unknown
from tests.integration.world import (
    FAILED,
    SUCCEEDED,
    ScriptedOperator,
    TestClock,
    World,
    open_world,
)
from tests.providers.company import EMPTY_500
from tests.providers.company import opened as opened_company
from tests.providers.subjects import (
    KENYAN_TOKEN_PATH,
    PAYOUT_PATH,
    PUSH_PATH,
    PUSHED,
    STATUS_PATH,
    TAKEN,
)
from tests.providers.subjects import MPESA as MPESA_SUBJECT
from tests.providers.test_mpesa_pay_ins import settings_with
from tests.unit.payments.examples import MPESA, MTN

NOT_FOUND = Finding(Outcome.NOT_FOUND, "no_such_reference")
LOST = OutcomeUnknown("mtn_ug", "silence")


@dataclass
class TwoWays(ScriptedOperator):
    """One that refuses a repeat by its new way, and not by its old one."""

    def may_repeat(self, direction: Direction, by: str) -> bool:
        return direction is not Direction.COLLECT and by == "new"

    def refunds_by_payout(self, by: str) -> bool:
        return by == "new"


def ordered_by(facts: OperatorFacts, way: str) -> TwoWays:
    is_safe = way == "new"
    changed = msgspec.structs.replace(
        facts, orders_by=way, disburse_repeat_is_safe=is_safe, refund_repeat_is_safe=is_safe
    )
    return TwoWays(changed)


def payouts(operator: ScriptedOperator) -> list[Order]:
    return [o for o in operator.orders if o.direction is Direction.DISBURSE]


async def paying(world: World) -> PaymentId:
    """Collected; the payout is on its way."""
    payment_id = await world.confirm()
    await world.dispatched()
    await world.tell(await world.live(payment_id), SUCCEEDED)
    await world.dispatched()
    return payment_id


@pytest.mark.parametrize(("before", "after", "sent"), [("old", "new", 1), ("new", "old", 2)])
async def test_a_lost_payout_is_repeated_only_by_the_way_it_went(
    database_url: str, before: str, after: str, sent: int
) -> None:
    clock, first, second = TestClock(), ordered_by(MTN, before), ordered_by(MTN, after)
    async with open_world(database_url, clock=clock, also={"mtn_ug": first}) as world:
        first.answers = [LOST]
        payment_id = await paying(world)
        assert await world.state(payment_id) is State.PAYOUT_UNKNOWN
    clock.pass_(500)  # the settings were changed, and the processes started again
    also = {"mtn_ug": second}
    async with open_world(database_url, clock=clock, seeded=False, also=also) as world:
        second.findings = [NOT_FOUND] * 3
        await world.reconciler.sweep()
        await world.dispatched()
        assert {asked.by for asked in second.questions} == {before}
        assert await world.state(payment_id) is State.PAYOUT_UNKNOWN
    orders = payouts(first) + payouts(second)
    assert [order.by for order in orders] == [before] * sent
    assert len({order.attempt_id for order in orders}) == 1


async def test_a_payout_that_never_left_leaves_by_the_way_it_began(database_url: str) -> None:
    clock, first, second = TestClock(), ordered_by(MTN, "old"), ordered_by(MTN, "new")
    async with open_world(database_url, clock=clock, also={"mtn_ug": first}) as world:
        first.answers = [Unreachable("mtn_ug", "no route to host")]
        payment_id = await paying(world)
        clock.pass_(60)
        also = {"mtn_ug": second}
        async with open_world(database_url, clock=clock, seeded=False, also=also) as other:
            await other.dispatcher.sweep()
            await other.dispatched()
            (order,) = payouts(second)
            assert order.by == "old"
            await other.tell(order.attempt_id, SUCCEEDED)
            assert await other.state(payment_id) is State.PAID
            await assert_books(other.pool)


async def test_a_lost_refund_of_the_old_way_is_not_ordered_again_by_the_new_one(
    database_url: str,
) -> None:
    clock, first, second = TestClock(), ordered_by(MPESA, "old"), ordered_by(MPESA, "new")
    async with open_world(database_url, clock=clock, also={"mpesa_ke": first}) as world:
        payment_id = await paying(world)
        first.answers = [OutcomeUnknown("mpesa_ke", "silence")]
        await world.tell(await world.live(payment_id), Finding(Outcome.FAILED, "no", reason=None))
        await world.dispatched()
        assert await world.state(payment_id) is State.REFUND_UNKNOWN
    clock.pass_(500)
    also = {"mpesa_ke": second}
    async with open_world(database_url, clock=clock, seeded=False, also=also) as world:
        second.findings = [NOT_FOUND] * 3
        await world.reconciler.sweep()
        await world.dispatched()
        assert [asked.by for asked in second.questions] == ["old"]
        assert second.orders == []
        assert await world.state(payment_id) is State.REFUND_UNKNOWN


async def test_what_began_before_a_way_was_kept_goes_as_it_is_set(database_url: str) -> None:
    clock, second = TestClock(), ordered_by(MTN, "new")
    first = ScriptedOperator(MTN, answers=[LOST])  # an older program: it keeps no way
    async with open_world(database_url, clock=clock, also={"mtn_ug": first}) as world:
        await paying(world)
    clock.pass_(500)
    also = {"mtn_ug": second}
    async with open_world(database_url, clock=clock, seeded=False, also=also) as world:
        second.findings = [NOT_FOUND] * 3
        await world.reconciler.sweep()
        await world.dispatched()
        assert [order.by for order in payouts(second)] == [""]


@dataclass
class GivesBackBothWays(TellingOperator):
    """One whose refunds are payouts now, and were reversals under the old setting."""

    def may_repeat(self, direction: Direction, by: str) -> bool:
        return False

    def refunds_by_payout(self, by: str) -> bool:
        return by == "new"


@pytest.mark.parametrize(("began", "is_its_refund"), [("old", True), ("new", False)])
async def test_a_statement_lists_a_refund_as_it_began(
    database_url: str, began: str, is_its_refund: bool
) -> None:
    payer = msgspec.structs.replace(MPESA, orders_by=began)
    async with open_world(database_url, payer=payer) as world:
        payment_id, _ = await refund_unknown(world)
        now = msgspec.structs.replace(MPESA, refund_is_payout=True, orders_by="new")
        bureau = bureau_of(world, mpesa=GivesBackBothWays(now, {}))
        back = bureau.line("REV1", side=Side.OUT, reference="R1")
        await bureau.take_whole(bureau.line("R1"), back)
        await world.dispatched()
        is_done = await world.state(payment_id) is State.REFUNDED
        assert is_done is is_its_refund
        assert (await world.cases() == []) is is_its_refund


@pytest.mark.parametrize("may_prompt_again", [True, False])
async def test_a_prompt_keeps_its_way_where_it_may_be_sent_again(
    database_url: str, may_prompt_again: bool
) -> None:
    payer = msgspec.structs.replace(MPESA, orders_by="old", collect_repeat_is_safe=may_prompt_again)
    async with open_world(database_url, payer=payer) as world:
        await world.confirm()
        await world.dispatched()
        (order,) = world.mpesa.orders
        assert order.by == ("old" if may_prompt_again else "")


async def test_a_refund_of_b2c_v1_whose_answer_was_lost_is_not_paid_again_by_v3(
    database_url: str,
) -> None:
    """The whole way with the real adapter: v3 knows no order of v1's, and would pay it anew."""
    clock = TestClock()
    async with opened_company() as company:
        company.on(KENYAN_TOKEN_PATH, MPESA_SUBJECT.token)
        company.on(PUSH_PATH, PUSHED)
        company.on(STATUS_PATH, TAKEN)
        company.on(PAYOUT_PATH, TAKEN)
        company.on("/mpesa/b2c/v1/paymentrequest", EMPTY_500)
        before = Mpesa(settings_with(company.url, payout_version="v1"), clock=clock)
        after = Mpesa(settings_with(company.url), clock=clock)
        also: dict[str, Any] = {"mpesa_ke": before}
        async with open_world(database_url, clock=clock, also=also) as world:
            payment_id = await paying(world)
            await world.tell(await world.live(payment_id), FAILED)
            await world.dispatched()
            assert await world.state(payment_id) is State.REFUND_UNKNOWN
        clock.pass_(500)
        also = {"mpesa_ke": after}
        async with open_world(database_url, clock=clock, seeded=False, also=also) as world:
            for _ in range(3):
                await world.reconciler.sweep()
                await world.dispatched()
                clock.pass_(3_600)
            assert await world.state(payment_id) is State.REFUND_UNKNOWN
        assert len(company.received("/mpesa/b2c/v1/paymentrequest")) == 1
        assert company.received(PAYOUT_PATH) == []
        await before.aclose()
        await after.aclose()

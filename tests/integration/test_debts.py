"""Money that the payer's operator cannot give back: people know at once, and two see to it."""

from collections.abc import AsyncIterator
from typing import NamedTuple

import msgspec
import pytest

from channels.office import Office
from engine.clock import PaymentId
from engine.decisions import Decision
from engine.decisions import Kind as About
from engine.desk.proposals import Kind, Person, Proposal
from engine.desk.proposals import State as Stands
from engine.ledger.books import open_accounts
from engine.ledger.chart import Account
from engine.ledger.chart import Kind as Purpose
from engine.money import Money
from engine.payments.debts import Debts
from engine.payments.evidence import Source
from engine.payments.lifecycle import State
from engine.payments.policy import Clearance
from engine.payments.stepping import REFUND_BY_HAND
from engine.ports import Direction
from tests.integration.books import assert_books
from tests.integration.offices import office_of
from tests.integration.owner import Owner
from tests.integration.world import FAILED, SUCCEEDED, ScriptedOperator, World, open_world
from tests.unit.payments.examples import MPESA, PAYER

pytestmark = pytest.mark.long("each way of a debt; test_payments.py keeps the refund that succeeds")

AMINA, BRIAN = Person("amina"), Person("brian")
MUTE = msgspec.structs.replace(MPESA, can_refund=False)
AIRTEL = msgspec.structs.replace(MPESA, code=4, name="airtel_ke", reaches=("mpesa_ke",))
OWED = 102_000
FLOAT = 500_000_000  # at mpesa_ke, before
DAY = 86_400


class Staffed(NamedTuple):
    """A world in which M-PESA gives nothing back, and the people who look after it."""

    world: World
    office: Office
    airtel: ScriptedOperator

    async def owed(self) -> PaymentId:
        """A payment that was collected and cannot be paid out."""
        payment_id = await self.world.confirm()
        await self.world.dispatched()
        await self.world.tell(await self.world.live(payment_id), SUCCEEDED)
        await self.world.dispatched()
        await self.world.tell(await self.world.live(payment_id), FAILED)
        await self.world.dispatched()
        return payment_id

    async def agree(self, kind: Kind, payment_id: str, **fields: str) -> Proposal:
        """Amina proposes, Brian approves."""
        body = {"payment": payment_id, **fields}
        asked = await self.office.desk.propose(kind, body, by=AMINA, note="looked into")
        decided = await self.office.desk.approve(asked.id, by=BRIAN)
        await self.world.dispatched()
        return decided

    async def told(self) -> list[str]:
        rows = await self.world.pool.fetch("select template from sms_message order by at_ms")
        return [row["template"] for row in rows]

    async def debts(self) -> list[str]:
        rows = await self.world.pool.fetch(
            "select detail from case_file where kind = $1 order by opened_ms", REFUND_BY_HAND
        )
        return [row["detail"] for row in rows]


async def _staff(world: World, airtel: ScriptedOperator) -> Staffed:
    async with world.pool.acquire() as connection:
        purposes = (Purpose.FLOAT, Purpose.REFUND_IN_FLIGHT)
        await open_accounts(connection, [Account(1, "KES", kind, 4) for kind in purposes])
    debts = Debts(rulings=world.rulings, store=world.store, directory=world.directory)
    return Staffed(world, office_of(world, debts.executors()), airtel)


@pytest.fixture
async def staffed(seeded_url: str) -> AsyncIterator[Staffed]:
    airtel = ScriptedOperator(AIRTEL)
    async with open_world(seeded_url, payer=MUTE, also={"airtel_ke": airtel}) as world:
        yield await _staff(world, airtel)
        await world.dispatched()
        await assert_books(world.pool)
        assert await world.books.is_balanced()


async def test_what_is_held_is_owed_to_nobody_yet(staffed: Staffed) -> None:
    """Who reads that it is owed would pay it back at the operator, and it is paid out as well."""
    world = staffed.world
    reason = Decision(About.COMPLIANCE, "hold", "a name", {})
    world.policy.clearance = Clearance(reason)
    payment_id = await world.confirm()
    await world.dispatched()
    await world.tell(await world.live(payment_id), SUCCEEDED)
    await world.dispatched()
    assert await world.state(payment_id) is State.ON_HOLD
    assert (await world.cases(), await staffed.debts()) == (["ON_HOLD"], [])


async def test_what_cannot_be_given_back_is_never_asked_for_and_people_know_at_once(
    staffed: Staffed,
) -> None:
    world = staffed.world
    payment_id = await staffed.owed()
    assert await world.state(payment_id) is State.REFUND_DUE
    assert [order.direction for order in world.mpesa.orders] == [Direction.COLLECT]
    assert await world.balance("REFUND_DUE", "KES") == OWED
    (detail,) = await staffed.debts()
    assert detail.startswith(f"KES 1,020 is owed to {PAYER.masked}: mpesa_ke")
    assert PAYER not in detail
    assert await staffed.told() == ["refund_started"]
    for _ in range(4):  # and nothing happens by itself, however long it takes
        world.clock.pass_(DAY + 1)
        await world.reconciler.sweep()
        await world.dispatched()
    assert len(world.mpesa.orders) == 1
    assert await world.cases() == [REFUND_BY_HAND]
    assert await staffed.told() == ["refund_started"]


async def test_what_is_more_than_may_be_paid_out_is_not_ordered_as_a_payout(
    database_url: str,
) -> None:
    narrow = msgspec.structs.replace(MPESA, refund_is_payout=True, disburse_minor_max=OWED - 100)
    airtel = ScriptedOperator(AIRTEL)
    async with open_world(database_url, payer=narrow, also={"airtel_ke": airtel}) as world:
        staffed = await _staff(world, airtel)
        payment_id = await staffed.owed()
        assert [order.direction for order in world.mpesa.orders] == [Direction.COLLECT]
        assert await world.cases() == [REFUND_BY_HAND]
        refused = await staffed.agree(Kind.REFUND_ELSEWHERE, payment_id, operator="mpesa_ke")
        assert (refused.state, "airtel_ke can" in refused.outcome) == (Stands.FAILED, True)
        await staffed.agree(Kind.REFUND_ELSEWHERE, payment_id, operator="airtel_ke")
        assert [order.direction for order in airtel.orders] == [Direction.DISBURSE]


@pytest.mark.parametrize(
    ("receipt", "late", "goes_back"),
    [("R1", False, True), ("R1", True, True), (None, False, False), (None, True, False)],
)
async def test_what_can_be_undone_by_its_receipt_alone_is_not_ordered_without_one(
    database_url: str, receipt: str | None, late: bool, goes_back: bool
) -> None:
    """Without one it would be a payout, which is refused: every few minutes, for ever."""
    narrow = msgspec.structs.replace(MPESA, refund_by_receipt=True, disburse_minor_min=OWED + 100)
    came = msgspec.structs.replace(SUCCEEDED, receipt=receipt)
    airtel = ScriptedOperator(AIRTEL)
    async with open_world(database_url, payer=narrow, also={"airtel_ke": airtel}) as world:
        staffed = await _staff(world, airtel)
        payment_id = await world.confirm()
        await world.dispatched()
        attempt = await world.live(payment_id)
        for finding in (FAILED, came) if late else (came,):
            await world.tell(attempt, finding, Source.QUERY)
        await world.dispatched()
        if not late:  # the number of a payout that failed is none of the collection's
            failed = msgspec.structs.replace(FAILED, receipt="P1")
            await world.tell(await world.live(payment_id), failed)
            await world.dispatched()
        refunds = [o.collected_receipt for o in world.mpesa.orders[1:]]
        state = State.REFUNDING if goes_back else State.REFUND_DUE
        assert (refunds, await world.state(payment_id)) == (["R1"] if goes_back else [], state)
        assert await world.cases() == ([] if goes_back else [REFUND_BY_HAND])
        if not goes_back:
            refused = await staffed.agree(Kind.REFUND_ELSEWHERE, payment_id, operator="mpesa_ke")
            assert refused.state is Stands.FAILED
            seen = await staffed.agree(Kind.REFUND_SEEN, payment_id, reference="QK1")
            assert seen.state is Stands.DONE
        await assert_books(world.pool)


async def test_a_case_that_a_crash_kept_untold_is_told_by_the_sweep(staffed: Staffed) -> None:
    await staffed.owed()
    await Owner(staffed.world.pool).execute("delete from case_file")
    staffed.world.clock.pass_(1000)
    await staffed.world.reconciler.sweep()
    assert await staffed.world.cases() == [REFUND_BY_HAND]


async def test_a_case_that_was_closed_over_an_open_debt_is_there_again_the_next_day(
    staffed: Staffed,
) -> None:
    await staffed.owed()
    await staffed.world.pool.execute("update case_file set closed_ms = 1, closed_by = 'two'")
    for _ in range(3):
        staffed.world.clock.pass_(DAY + 1)
        await staffed.world.reconciler.sweep()
    assert await staffed.world.cases() == [REFUND_BY_HAND] * 2


@pytest.mark.parametrize("kind", [Kind.REFUND_SEEN, Kind.REFUND_ELSEWHERE])
async def test_what_two_people_saw_to_lies_on_no_desk_any_more(
    staffed: Staffed, kind: Kind
) -> None:
    payment_id = await staffed.owed()
    fields = {"reference": "TKK6"} if kind is Kind.REFUND_SEEN else {"operator": "airtel_ke"}
    made = await staffed.agree(kind, payment_id, **fields)
    assert made.state is Stands.DONE
    assert await staffed.office.cases.open_cases() == []
    row = await staffed.world.pool.fetchrow("select * from case_file")
    assert (row["closed_by"], row["note"], row["proposal"].hex) == (AMINA, "looked into", made.id)


async def test_no_case_comes_back_behind_a_ruling_of_this_moment(staffed: Staffed) -> None:
    """The sweep had read the payment before: whoever reads its case would pay once more."""
    payment_id = await staffed.owed()
    seen_before = await staffed.world.payment(payment_id)
    assert (
        await staffed.agree(Kind.REFUND_SEEN, payment_id, reference="TKK6")
    ).state is Stands.DONE
    await staffed.world.payments.order_refund(seen_before)
    assert await staffed.office.cases.open_cases() == []


async def test_a_refund_elsewhere_that_fails_is_a_case_of_its_own(staffed: Staffed) -> None:
    payment_id = await staffed.owed()
    made = await staffed.agree(Kind.REFUND_ELSEWHERE, payment_id, operator="airtel_ke")
    staffed.world.clock.pass_(1)
    await staffed.world.tell(await staffed.world.live(payment_id), FAILED)
    await staffed.world.dispatched()
    (case,) = await staffed.office.cases.open_cases()
    assert case.key.kind == REFUND_BY_HAND
    await staffed.world.pool.execute(  # as after a crash before its outcome was kept
        "update proposal set state = 'approved' where id = $1", made.id
    )
    assert await staffed.office.desk.carry_out_approved() == 1
    assert await staffed.office.cases.open_cases() == [case]


async def test_two_people_put_down_that_it_was_given_back_by_hand(staffed: Staffed) -> None:
    world = staffed.world
    payment_id = await staffed.owed()
    decided = await staffed.agree(Kind.REFUND_SEEN, payment_id, reference="QK1")
    assert decided.state is Stands.DONE
    assert await world.state(payment_id) is State.REFUNDED
    assert await world.balance("REFUND_DUE", "KES") == 0
    assert await world.balance("FLOAT mpesa_ke", "KES") == FLOAT
    assert await staffed.told() == ["refund_started", "refunded"]
    again = await staffed.agree(Kind.REFUND_SEEN, payment_id, reference="QK2")
    assert again.state is Stands.FAILED
    assert len(world.mpesa.orders) == 1


async def test_money_given_back_by_hand_leaves_the_wallet_it_was_taken_from(
    staffed: Staffed,
) -> None:
    payment_id = await staffed.owed()
    await staffed.agree(Kind.REFUND_SEEN, payment_id, reference="QK1", operator="airtel_ke")
    assert await staffed.world.state(payment_id) is State.REFUNDED
    assert await staffed.world.balance("FLOAT airtel_ke", "KES") == -OWED
    assert await staffed.world.balance("FLOAT mpesa_ke", "KES") == FLOAT + OWED


async def test_another_operator_pays_it_into_the_payers_wallet(staffed: Staffed) -> None:
    world = staffed.world
    payment_id = await staffed.owed()
    decided = await staffed.agree(Kind.REFUND_ELSEWHERE, payment_id, operator="airtel_ke")
    assert decided.state is Stands.DONE
    (order,) = staffed.airtel.orders
    # For that operator it is a payout like any other: it never collected anything.
    assert (order.direction, order.amount, order.msisdn, order.collected_attempt_id) == (
        Direction.DISBURSE, Money(OWED, "KES"), PAYER, None,
    )  # fmt: skip
    assert await world.state(payment_id) is State.REFUNDING
    assert await world.balance("REFUND_IN_FLIGHT airtel_ke", "KES") == OWED
    world.clock.pass_(100)
    staffed.airtel.findings = [SUCCEEDED]
    await world.reconciler.sweep()
    assert [q.direction for q in staffed.airtel.questions] == [Direction.DISBURSE]
    assert await world.state(payment_id) is State.REFUNDED
    assert await world.balance("FLOAT airtel_ke", "KES") == -OWED
    assert await world.balance("FLOAT mpesa_ke", "KES") == FLOAT + OWED
    assert len(world.mpesa.orders) == 1


async def test_a_way_back_that_fails_is_peoples_again(staffed: Staffed) -> None:
    world = staffed.world
    payment_id = await staffed.owed()
    await staffed.agree(Kind.REFUND_ELSEWHERE, payment_id, operator="airtel_ke")
    await world.tell(await world.live(payment_id), FAILED)
    await world.dispatched()
    assert await world.state(payment_id) is State.REFUND_DUE
    world.clock.pass_(DAY)
    await world.reconciler.sweep()
    await world.dispatched()
    assert len(staffed.airtel.orders) == 1
    assert await world.cases() == [REFUND_BY_HAND] * 2
    assert "airtel_ke did not give it back" in (await staffed.debts())[-1]
    await staffed.agree(Kind.REFUND_SEEN, payment_id, reference="QK1")
    assert await world.state(payment_id) is State.REFUNDED
    assert await world.balance("FLOAT mpesa_ke", "KES") == FLOAT  # where people took it from
    assert await staffed.told() == ["refund_started", "refunded"]


async def test_late_word_of_a_way_back_is_asked_about_where_it_was_sent(staffed: Staffed) -> None:
    world = staffed.world
    payment_id = await staffed.owed()
    await staffed.agree(Kind.REFUND_ELSEWHERE, payment_id, operator="airtel_ke")
    attempt = await world.live(payment_id)
    await world.tell(attempt, FAILED)
    await staffed.agree(Kind.REFUND_SEEN, payment_id, reference="QK1")
    payment = await world.payment(payment_id)
    staffed.airtel.findings = [SUCCEEDED]
    await world.dispatcher.ask(payment, attempt, Direction.REFUND)
    assert [q.direction for q in staffed.airtel.questions] == [Direction.DISBURSE]
    assert "CONFLICT" in await world.cases()  # given back twice: people must know
    assert await world.state(payment_id) is State.REFUNDED


@pytest.mark.parametrize(
    ("kind", "fields", "why"),
    [
        (Kind.REFUND_SEEN, {"reference": " "}, "reference"),
        (Kind.REFUND_SEEN, {"reference": "QK1", "operator": "orange_sn"}, "no wallet"),
        (Kind.REFUND_SEEN, {"reference": "QK1", "operator": "mtn_ug"}, "no KES at mtn_ug"),
        (Kind.REFUND_ELSEWHERE, {"operator": "mtn_ug"}, "airtel_ke can"),
    ],
)
async def test_a_senseless_way_back_is_refused_and_moves_nothing(
    staffed: Staffed, kind: Kind, fields: dict[str, str], why: str
) -> None:
    payment_id = await staffed.owed()
    decided = await staffed.agree(kind, payment_id, **fields)
    assert decided.state is Stands.FAILED
    assert why in decided.outcome
    assert await staffed.world.state(payment_id) is State.REFUND_DUE
    assert await staffed.world.balance("REFUND_DUE", "KES") == OWED


async def test_nothing_is_given_back_that_is_not_owed(staffed: Staffed) -> None:
    payment_id = await staffed.world.confirm()
    await staffed.world.dispatched()
    for kind, fields in (
        (Kind.REFUND_SEEN, {"reference": "QK1"}),
        (Kind.REFUND_ELSEWHERE, {"operator": "airtel_ke"}),
    ):
        decided = await staffed.agree(kind, payment_id, **fields)
        assert (decided.state, "COLLECTING" in decided.outcome) == (Stands.FAILED, True)
    assert (await staffed.agree(Kind.REFUND_SEEN, "0" * 32, reference="x")).state is Stands.FAILED


async def test_what_is_tried_again_by_itself_is_taken_over_before_it_is_given_by_hand(
    database_url: str,
) -> None:
    airtel = ScriptedOperator(AIRTEL)
    async with open_world(database_url, also={"airtel_ke": airtel}) as world:
        staffed = await _staff(world, airtel)
        payment_id = await staffed.owed()
        await world.tell(await world.live(payment_id), FAILED)
        assert await world.state(payment_id) is State.REFUND_DUE
        assert await world.cases() == ["REFUND_FAILED"]
        refused = await staffed.agree(Kind.REFUND_SEEN, payment_id, reference="QK1")
        assert (refused.state, "by itself" in refused.outcome) == (Stands.FAILED, True)
        await staffed.agree(Kind.REFUND_ELSEWHERE, payment_id, operator="mpesa_ke")
        assert world.mpesa.orders[-1].direction is Direction.REFUND  # it is its own collection
        await world.tell(await world.live(payment_id), FAILED)
        world.clock.pass_(1000)
        await world.reconciler.sweep()
        await world.dispatched()
        assert len(world.mpesa.orders) == 3  # nothing by itself any more
        assert (await staffed.agree(Kind.REFUND_SEEN, payment_id, reference="QK1")).state is (
            Stands.DONE
        )
        await world.dispatched()
        await assert_books(world.pool)

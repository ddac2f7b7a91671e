"""What two people agree on about a payment happens, once, and both names stay in its journal."""

from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import pytest

from channels.office import Office
from engine.clock import PaymentId
from engine.decisions import Decision
from engine.decisions import Kind as About
from engine.desk.proposals import Kind, Person, Proposal
from engine.desk.proposals import State as Stands
from engine.errors import OurFault, SamePerson
from engine.payments.approvals import Approvals
from engine.payments.evidence import Source
from engine.payments.facts import Ruling
from engine.payments.lifecycle import State
from engine.payments.payment import code_of
from engine.payments.policy import Clearance
from engine.payments.rulings import Rulings
from engine.ports import Direction, Finding, Outcome
from tests.integration.books import assert_books
from tests.integration.offices import office_of
from tests.integration.world import SUCCEEDED, World, open_world

pytestmark = pytest.mark.long("each way of two people; test_desk.py keeps what they agree on")

AMINA, BRIAN = Person("amina"), Person("brian")
HOLD = Clearance(Decision(About.COMPLIANCE, "hold", "a name on a list", {}))


class Staffed(NamedTuple):
    """A world and the office of the people who look after it."""

    world: World
    office: Office

    async def held(self) -> PaymentId:
        self.world.policy.clearance = HOLD
        payment_id = await self.collected()
        assert await self.world.state(payment_id) is State.ON_HOLD
        return payment_id

    async def returned(self) -> PaymentId:
        payment_id = await self.collected()
        attempt_id = await self.world.live(payment_id)
        await self.world.tell(attempt_id, SUCCEEDED)
        await self.world.tell(attempt_id, Finding(Outcome.REVERSED, "undone"), Source.QUERY)
        assert await self.world.state(payment_id) is State.RETURNED
        return payment_id

    async def collected(self) -> PaymentId:
        payment_id = await self.world.confirm()
        await self.world.dispatched()
        await self.world.tell(await self.world.live(payment_id), SUCCEEDED)
        await self.world.dispatched()
        return payment_id

    async def agree(self, kind: Kind, payment_id: str, payee: str = "") -> Proposal:
        """Amina proposes, Brian approves."""
        fields = {"payment": payment_id, "payee": payee}
        asked = await self.office.desk.propose(kind, fields, by=AMINA, note="looked into")
        decided = await self.office.desk.approve(asked.id, by=BRIAN)
        await self.world.dispatched()
        return decided


@pytest.fixture
async def staffed(seeded_url: str) -> AsyncIterator[Staffed]:
    async with open_world(seeded_url) as world:
        approvals = Approvals(
            rulings=world.rulings, store=world.store, directory=world.directory,
            wallet_of=world.payments.selling.wallet_of,
        )  # fmt: skip
        yield Staffed(world, office_of(world, approvals.executors()))
        await assert_books(world.pool)


@pytest.mark.parametrize("kind", [Kind.RELEASE_HOLD, Kind.REFUSE_HOLD])
async def test_a_hold_that_two_people_ruled_on_lies_on_no_desk_any_more(
    staffed: Staffed, kind: Kind
) -> None:
    payment_id = await staffed.held()
    assert [case.key.kind for case in await staffed.office.cases.open_cases()] == ["ON_HOLD"]
    made = await staffed.agree(kind, payment_id)
    assert made.state is Stands.DONE
    assert await staffed.office.cases.open_cases() == []


@pytest.mark.parametrize("kind", [Kind.REPAY_RETURNED, Kind.REFUND_RETURNED])
async def test_a_return_that_two_people_ruled_on_lies_on_no_desk_any_more(
    staffed: Staffed, kind: Kind
) -> None:
    payment_id = await staffed.returned()
    before = [case.key.kind for case in await staffed.office.cases.open_cases()]
    assert "RETURNED" in before
    await staffed.agree(kind, payment_id)
    after = [case.key.kind for case in await staffed.office.cases.open_cases()]
    assert after == [kind_ for kind_ in before if kind_ != "RETURNED"]


async def test_a_hold_that_was_agreed_to_go_to_another_number_goes_to_nobody(
    staffed: Staffed,
) -> None:
    payment_id = await staffed.held()
    asked = await staffed.office.desk.propose(
        Kind.RELEASE_HOLD, {"payment": payment_id}, by=AMINA, note="looked into"
    )
    # As it could be asked for before; the approver saw that number.
    await staffed.world.pool.execute(
        "update proposal set body = $2 where id = $1", asked.id,
        f'{{"payment":"{payment_id}","payee":"+256772000009"}}',
    )  # fmt: skip
    decided = await staffed.office.desk.approve(asked.id, by=BRIAN)
    assert decided.state is Stands.FAILED
    assert await staffed.world.state(payment_id) is State.ON_HOLD


async def test_two_people_release_a_held_payment(staffed: Staffed) -> None:
    payment_id = await staffed.held()
    decided = await staffed.agree(Kind.RELEASE_HOLD, payment_id)
    assert decided.state is Stands.DONE
    assert await staffed.world.state(payment_id) is State.PAYING
    facts = await staffed.world.pool.fetchval(
        "select facts from journal where payment = $1 order by version desc limit 1", payment_id
    )
    assert '"by":["amina","brian"]' in facts
    assert decided.id in facts


async def test_one_person_alone_releases_nothing(staffed: Staffed) -> None:
    payment_id = await staffed.held()
    asked = await staffed.office.desk.propose(
        Kind.RELEASE_HOLD, {"payment": payment_id}, by=AMINA, note="please"
    )
    with pytest.raises(SamePerson):
        await staffed.office.desk.approve(asked.id, by=AMINA)
    assert await staffed.world.state(payment_id) is State.ON_HOLD


async def test_a_refused_hold_is_given_back(staffed: Staffed) -> None:
    payment_id = await staffed.held()
    assert (await staffed.agree(Kind.REFUSE_HOLD, payment_id)).state is Stands.DONE
    assert staffed.world.mpesa.orders[-1].direction is Direction.REFUND
    # Whoever still had a release in mind comes too late.
    late = await staffed.agree(Kind.RELEASE_HOLD, payment_id)
    assert (late.state, await staffed.world.state(payment_id)) == (Stands.FAILED, State.REFUNDING)


async def test_a_crash_after_the_ruling_carries_it_out_no_second_time(staffed: Staffed) -> None:
    payment_id = await staffed.held()
    decided = await staffed.agree(Kind.RELEASE_HOLD, payment_id)
    # As if the process had died before it could close the case and note the proposal as done.
    await staffed.world.pool.execute(
        "update case_file set closed_ms = null, closed_by = '', note = '', proposal = null"
    )
    await staffed.world.pool.execute(
        "update proposal set state = 'approved', outcome = '' where id = $1", decided.id
    )
    await staffed.office.desk.carry_out_approved()
    await staffed.world.dispatched()
    assert len(staffed.world.mtn.orders) == 1
    state = await staffed.world.pool.fetchval(
        "select state from proposal where id = $1", decided.id
    )
    assert state == "done"
    assert await staffed.office.cases.open_cases() == []


async def test_a_ruling_that_came_too_late_by_a_moment_is_not_called_done(
    staffed: Staffed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another came between its look and its step: the next try says what became of it."""
    world = staffed.world
    payment_id = await staffed.held()
    release = Rulings.release

    async def after_another(*given: Any) -> bool:
        monkeypatch.undo()
        assert await world.rulings.refund(payment_id, Ruling("the other two"))
        return await release(*given)

    monkeypatch.setattr(Rulings, "release", after_another)
    with pytest.raises(OurFault, match="moved this moment"):
        await staffed.agree(Kind.RELEASE_HOLD, payment_id)
    await staffed.office.desk.carry_out_approved()
    await world.dispatched()
    row = await world.pool.fetchrow("select state, outcome from proposal")
    assert tuple(row) == (Stands.FAILED, f"{code_of(payment_id)} is REFUNDING")
    assert world.mtn.orders == []


async def test_a_ruling_that_another_process_carried_out_by_a_moment_is_done(
    staffed: Staffed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker finds what was approved, while whoever approved still asks for somebody's name."""
    world = staffed.world
    payment_id = await staffed.held()
    release = Rulings.release

    async def after_the_worker(*given: Any) -> bool:
        monkeypatch.undo()
        await staffed.office.desk.carry_out_approved()
        return await release(*given)

    monkeypatch.setattr(Rulings, "release", after_the_worker)
    decided = await staffed.agree(Kind.RELEASE_HOLD, payment_id)
    assert (decided.state, decided.outcome) == (
        Stands.DONE, f"{code_of(payment_id)} is PAYING",
    )  # fmt: skip
    await world.dispatched()
    assert len(world.mtn.orders) == 1


@pytest.mark.parametrize(
    ("payee", "stands"),
    [
        ("", Stands.DONE),
        ("0772000099", Stands.DONE),
        ("0702000099", Stands.FAILED),  # another operator's number
        ("nobody", Stands.FAILED),
    ],
)
async def test_a_returned_payment_is_paid_again_where_its_price_holds(
    staffed: Staffed, payee: str, stands: Stands
) -> None:
    payment_id = await staffed.returned()
    decided = await staffed.agree(Kind.REPAY_RETURNED, payment_id, payee)
    assert decided.state is stands
    numbers = [order.msisdn for order in staffed.world.mtn.orders]
    again = {"": "+256772000002", "0772000099": "+256772000099"}
    assert numbers[1:] == ([again[payee]] if stands is Stands.DONE else [])


async def test_a_returned_payment_is_given_back(staffed: Staffed) -> None:
    payment_id = await staffed.returned()
    assert (await staffed.agree(Kind.REFUND_RETURNED, payment_id)).state is Stands.DONE
    assert await staffed.world.state(payment_id) is State.REFUNDING


async def test_a_payment_that_waits_in_the_queue_is_given_back(staffed: Staffed) -> None:
    staffed.world.policy.closed = {"mtn_ug"}
    payment_id = await staffed.collected()
    assert await staffed.world.state(payment_id) is State.PAYOUT_QUEUED
    assert (await staffed.agree(Kind.REFUND_QUEUED, payment_id)).state is Stands.DONE
    assert await staffed.world.state(payment_id) is State.REFUNDING
    assert staffed.world.mtn.orders == []


async def test_a_payment_that_is_none_fails_plainly(staffed: Staffed) -> None:
    decided = await staffed.agree(Kind.RELEASE_HOLD, "0" * 32)
    assert (decided.state, decided.outcome) == (Stands.FAILED, "there is no such payment")

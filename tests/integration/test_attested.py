"""Two people who looked at the operator's own books end an attempt that cannot be asked about."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import msgspec
import pytest

from channels.office import Office
from engine.clock import AttemptId, PaymentId
from engine.desk.proposals import Kind, Person, Proposal
from engine.desk.proposals import State as Stands
from engine.errors import OurFault, OutcomeUnknown, SamePerson, StaffMistake, Unreachable
from engine.outbox import Outbox
from engine.payments.attested import Attested
from engine.payments.evidence import Source
from engine.payments.lifecycle import State
from engine.payments.patience import ORDER_OVER_SECONDS
from engine.payments.payment import code_of
from engine.payments.service import Payments
from engine.ports import Accepted, Direction, Finding, Outcome
from tests.integration.books import assert_books
from tests.integration.offices import office_of
from tests.integration.world import FAILED, SUCCEEDED, World, open_world

AMINA, BRIAN = Person("amina"), Person("brian")
LOST = OutcomeUnknown("mpesa_ke", "no answer to rely on")
PAID = Accepted(finding=Finding(Outcome.SUCCEEDED, "0", receipt="R7"))


NOT_THERE = Finding(Outcome.NOT_FOUND, "no such reference")
HOUR = 3600


class Staffed(NamedTuple):
    world: World
    office: Office

    async def lost(self, *before: Accepted) -> tuple[PaymentId, str]:
        """A payment whose next answer got lost an hour ago: its collection, or its payout behind
        `before`."""
        self.world.mpesa.answers = [*before] or [LOST]
        self.world.mtn.answers = [LOST]
        payment_id = await self.world.confirm()
        await self.world.dispatched()
        self.world.clock.pass_(HOUR)
        return payment_id, await self.world.live(payment_id)

    async def propose(self, attempt: str, outcome: str, reference: str = "") -> Proposal:
        fields = {"attempt": attempt, "outcome": outcome, "reference": reference}
        return await self.office.desk.propose(Kind.ATTEMPT_SEEN, fields, by=AMINA, note="called")

    async def ask(self, payment_id: PaymentId) -> None:
        payment = await self.world.payment(payment_id)
        assert payment.live is not None and payment.live_direction is not None
        await self.world.dispatcher.ask(payment, payment.live, payment.live_direction)

    async def agree(self, attempt: str, outcome: str, reference: str = "") -> Proposal:
        asked = await self.propose(attempt, outcome, reference)
        decided = await self.office.desk.approve(asked.id, by=BRIAN)
        await self.world.dispatched()
        return decided


@pytest.fixture
async def staffed(seeded_url: str) -> AsyncIterator[Staffed]:
    async with open_world(seeded_url) as world:
        attested = Attested(
            payments=world.payments, store=world.store, outbox=world.dispatcher._outbox
        )
        yield Staffed(world, office_of(world, attested.executors()))
        await assert_books(world.pool)
        assert await world.books.is_balanced()


async def test_what_two_people_saw_moves_the_payment_on_and_is_kept_with_their_names(
    staffed: Staffed,
) -> None:
    """Its receipt stays too: a refund may name it, and the same money is not taken in again."""
    payment_id, attempt = await staffed.lost()
    agreed = await staffed.agree(attempt, "succeeded", " 260101000001 ")
    assert (agreed.state, agreed.outcome) == (
        Stands.DONE, f"collect of {code_of(payment_id)} has succeeded",
    )  # fmt: skip
    assert await staffed.world.state(payment_id) is State.PAYOUT_UNKNOWN
    kept = await staffed.world.pool.fetchval(
        "select body from evidence where attempt = $1 and source = $2", attempt, Source.PEOPLE
    )
    assert msgspec.json.decode(kept) == {
        "proposal": agreed.id,
        "by": ["amina", "brian"],
        "outcome": "succeeded",
        "reference": "260101000001",
    }
    assert await staffed.world.store.collected_receipt(payment_id) == "260101000001"
    assert len(staffed.world.mpesa.orders) == 1


async def test_a_collection_that_did_not_happen_ends_the_payment(staffed: Staffed) -> None:
    payment_id, attempt = await staffed.lost()
    agreed = await staffed.agree(attempt, "failed")
    assert (agreed.state, agreed.outcome) == (
        Stands.DONE, f"collect of {code_of(payment_id)} has failed",
    )  # fmt: skip
    assert await staffed.world.state(payment_id) is State.COLLECT_FAILED


async def test_a_payout_that_did_not_happen_is_given_back(staffed: Staffed) -> None:
    """Its payer hears that it did not arrive, as of any other refusal."""
    payment_id, attempt = await staffed.lost(PAID, PAID)
    assert await staffed.world.state(payment_id) is State.PAYOUT_UNKNOWN
    assert (await staffed.agree(attempt, "failed")).state is Stands.DONE
    assert await staffed.world.state(payment_id) is State.REFUNDED
    notices = [one.payload for _, told in staffed.world.heard for one in told]
    assert "refund_started:payer:other" in notices


async def test_one_person_alone_settles_nothing(staffed: Staffed) -> None:
    payment_id, attempt = await staffed.lost()
    asked = await staffed.propose(attempt, "failed")
    with pytest.raises(SamePerson):
        await staffed.office.desk.approve(asked.id, by=AMINA)
    assert await staffed.world.state(payment_id) is State.COLLECT_UNKNOWN


async def test_carried_out_twice_is_once_and_the_contrary_is_refused(staffed: Staffed) -> None:
    payment_id, attempt = await staffed.lost()
    for outcome, reference, stands in (
        ("failed", "", Stands.DONE),
        ("failed", "", Stands.DONE),
        ("succeeded", "R9", Stands.FAILED),
    ):
        assert (await staffed.agree(attempt, outcome, reference)).state is stands
    assert await staffed.world.state(payment_id) is State.COLLECT_FAILED
    assert await staffed.world.cases() == []


async def test_while_the_operator_may_still_answer_nobody_speaks_for_it(staffed: Staffed) -> None:
    payment_id = await staffed.world.confirm()
    await staffed.world.dispatched()
    attempt = await staffed.world.live(payment_id)
    decided = await staffed.agree(attempt, "failed")
    assert (decided.state, decided.outcome.endswith("still to answer")) == (Stands.FAILED, True)
    assert await staffed.world.state(payment_id) is State.COLLECTING


async def test_the_operators_own_word_afterwards_is_a_conflict_for_people(
    staffed: Staffed,
) -> None:
    payment_id, attempt = await staffed.lost(PAID, PAID)
    await staffed.agree(attempt, "failed")
    await staffed.world.tell(attempt, SUCCEEDED, Source.STATEMENT)  # type: ignore[arg-type]
    assert "CONFLICT" in await staffed.world.cases()
    assert await staffed.world.state(payment_id) is State.REFUNDED


async def test_what_moved_without_a_reference_and_what_never_was_are_refused(
    staffed: Staffed,
) -> None:
    payment_id, attempt = await staffed.lost()
    assert (await staffed.agree(attempt, "succeeded", " ")).state is Stands.FAILED
    assert (await staffed.agree("0" * 32, "failed")).state is Stands.FAILED
    for fields in ({"outcome": "lost"}, {"attempt": "x"}):
        with pytest.raises(StaffMistake):
            await staffed.office.desk.propose(
                Kind.ATTEMPT_SEEN,
                {"attempt": attempt, "outcome": "failed", **fields},
                by=AMINA,
                note="x",
            )
    assert await staffed.world.state(payment_id) is State.COLLECT_UNKNOWN


async def test_no_payout_is_given_back_while_its_order_is_under_way_once_more(
    staffed: Staffed,
) -> None:
    """The operator knew nothing of it, so it was sent again: people saw what was before that."""
    world = staffed.world
    payment_id, attempt = await staffed.lost(PAID, PAID)
    world.clock.pass_(HOUR)
    proposed = await staffed.propose(attempt, "failed")
    world.mtn.findings, world.mtn.may_answer = [NOT_THERE], asyncio.Event()
    sent = asyncio.Event()
    world.mtn.takes = sent.set
    asking = asyncio.create_task(staffed.ask(payment_id))
    await sent.wait()
    ruled = await staffed.office.desk.approve(proposed.id, by=BRIAN)
    assert (ruled.state, await world.state(payment_id)) == (Stands.FAILED, State.PAYOUT_UNKNOWN)
    world.mtn.may_answer.set()
    await asking
    assert await world.live(payment_id) == attempt
    await world.tell(AttemptId(attempt), SUCCEEDED)
    assert await world.state(payment_id) is State.PAID
    assert await world.cases() == []


async def test_what_has_moved_counts_at_once_though_its_order_is_under_way_once_more(
    staffed: Staffed,
) -> None:
    """Only of what has not moved may more be to come: who was paid is not kept waiting."""
    world = staffed.world
    payment_id, attempt = await staffed.lost(PAID, PAID)
    world.mtn.findings, world.mtn.may_answer = [NOT_THERE], asyncio.Event()
    sent = asyncio.Event()
    world.mtn.takes = sent.set
    asking = asyncio.create_task(staffed.ask(payment_id))
    await sent.wait()
    ruled = await staffed.agree(attempt, "succeeded", "R7")
    assert (ruled.state, await world.state(payment_id)) == (Stands.DONE, State.PAID)
    world.mtn.may_answer.set()
    await asking
    assert (await world.state(payment_id), await world.cases()) == (State.PAID, [])
    assert not await world.dispatcher._outbox.still_there(attempt)


async def test_what_people_saw_before_an_order_was_repeated_is_no_proof(staffed: Staffed) -> None:
    """Also when the operator's word about the repeat was lost: nothing else tells of it."""
    world = staffed.world
    payment_id, attempt = await staffed.lost(PAID, PAID)
    world.clock.pass_(HOUR)
    proposed = await staffed.propose(attempt, "failed")
    world.clock.pass_(HOUR)
    world.mtn.findings, world.mtn.answers = [NOT_THERE], [LOST]
    await staffed.ask(payment_id)
    assert len(world.mtn.orders) == 2
    ruled = await staffed.office.desk.approve(proposed.id, by=BRIAN)
    assert ruled.state is Stands.FAILED and "once more" in (ruled.outcome or "")
    world.clock.pass_(HOUR)
    await world.dispatcher.sweep()  # nothing of the ruling was left behind
    await world.dispatched()
    assert await world.state(payment_id) is State.PAYOUT_UNKNOWN
    assert (await staffed.agree(attempt, "failed")).state is Stands.DONE
    assert await world.state(payment_id) is State.REFUNDED


async def test_what_people_saw_before_the_order_left_at_all_is_no_proof(staffed: Staffed) -> None:
    """An operator that was out of reach gets the order later: they had looked before that."""
    world = staffed.world
    world.mpesa.answers, world.mtn.answers = [PAID, PAID], [Unreachable("mtn_ug", "no route")]
    payment_id = await world.confirm()
    await world.dispatched()
    attempt = await world.live(payment_id)
    assert (len(world.mtn.orders), await world.state(payment_id)) == (1, State.PAYING)
    proposed = await staffed.propose(attempt, "failed")
    world.clock.pass_(60)
    world.mtn.answers = [LOST]
    await world.dispatcher.sweep()
    await world.dispatched()
    assert (len(world.mtn.orders), await world.state(payment_id)) == (2, State.PAYOUT_UNKNOWN)
    ruled = await staffed.office.desk.approve(proposed.id, by=BRIAN)
    assert ruled.state is Stands.FAILED and "once more" in (ruled.outcome or "")
    assert await world.state(payment_id) is State.PAYOUT_UNKNOWN
    world.clock.pass_(HOUR)
    assert (await staffed.agree(attempt, "failed")).state is Stands.DONE


async def test_what_people_saw_right_after_the_order_left_is_no_proof(staffed: Staffed) -> None:
    """Its answer was lost and the operator lists it late: it may be carried out all the same."""
    world = staffed.world
    payment_id, attempt = await staffed.lost(PAID, PAID)
    world.clock.pass_(-HOUR + 60)
    ruled = await staffed.agree(attempt, "failed")
    assert ruled.state is Stands.FAILED and "once more" in (ruled.outcome or "")
    assert await world.state(payment_id) is State.PAYOUT_UNKNOWN
    world.clock.pass_(ORDER_OVER_SECONDS)
    assert (await staffed.agree(attempt, "failed")).state is Stands.DONE
    assert await world.state(payment_id) is State.REFUNDED


async def repeated_at_its_hold(
    staffed: Staffed, monkeypatch: pytest.MonkeyPatch, *, dies: bool = False
) -> tuple[PaymentId, str, Proposal]:
    """A payout proposed as failed, whose order leaves once more just before the ruling holds it;
    who carries the ruling out may die behind that hold.
    """
    world = staffed.world
    payment_id, attempt = await staffed.lost(PAID, PAID)
    world.clock.pass_(HOUR)
    proposed = await staffed.propose(attempt, "failed")
    world.mtn.findings, world.mtn.answers = [NOT_THERE], [LOST]
    take = Outbox.take_again

    async def after_a_repeat(*given: Any) -> int:
        monkeypatch.undo()
        await staffed.ask(payment_id)
        claim: int = await take(*given)
        if dies:
            raise OurFault("killed")
        return claim

    monkeypatch.setattr(Outbox, "take_again", after_a_repeat)
    return payment_id, attempt, proposed


async def test_a_ruling_that_comes_to_nothing_ends_nothing_though_its_process_died(
    staffed: Staffed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order left once more while the ruling was under way: nobody has looked since."""
    world = staffed.world
    payment_id, attempt, proposed = await repeated_at_its_hold(staffed, monkeypatch, dies=True)
    with pytest.raises(OurFault):
        await staffed.office.desk.approve(proposed.id, by=BRIAN)
    assert len(world.mtn.orders) == 2
    world.clock.pass_(300)
    world.mtn.answers = [LOST]
    await world.dispatcher.sweep()
    await world.dispatched()
    assert not await world.dispatcher._outbox.still_there(attempt)  # else nobody asked about it
    await staffed.office.desk.carry_out_approved()
    assert await world.state(payment_id) is State.PAYOUT_UNKNOWN
    assert await world.pool.fetchval("select state from proposal") == Stands.FAILED


async def test_an_order_that_leaves_after_the_last_look_is_seen_before_its_attempt_is_ended(
    staffed: Staffed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody repeats it between the ruling's first look and its hold on the intent."""
    world = staffed.world
    payment_id, attempt, proposed = await repeated_at_its_hold(staffed, monkeypatch)
    ruled = await staffed.office.desk.approve(proposed.id, by=BRIAN)
    assert len(world.mtn.orders) == 2
    assert (ruled.state, await world.state(payment_id)) == (Stands.FAILED, State.PAYOUT_UNKNOWN)
    assert not await world.dispatcher._outbox.still_there(attempt)


@pytest.mark.parametrize("when", ["beside it", "behind it"])
async def test_no_order_is_repeated_once_people_have_ruled(
    staffed: Staffed, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """By whoever asked the operator before that, and was told that it knows nothing."""
    world = staffed.world
    payment_id, attempt = await staffed.lost(PAID, PAID)
    payment = await world.payment(payment_id)
    world.clock.pass_(HOUR)
    world.mtn.findings = [NOT_THERE, NOT_THERE]
    ask = world.dispatcher.ask
    if when == "beside it":
        apply = Payments.apply_finding

        async def beside(*given: Any, **named: Any) -> Any:
            monkeypatch.undo()
            await ask(payment, AttemptId(attempt), Direction.DISBURSE)
            return await apply(*given, **named)

        monkeypatch.setattr(Payments, "apply_finding", beside)
        assert (await staffed.agree(attempt, "failed")).state is Stands.DONE
    else:
        take = Outbox.take_again

        async def behind(*given: Any) -> int:
            monkeypatch.undo()
            assert (await staffed.agree(attempt, "failed")).state is Stands.DONE
            return await take(*given)

        monkeypatch.setattr(Outbox, "take_again", behind)
        await ask(payment, AttemptId(attempt), Direction.DISBURSE)
    assert (len(world.mtn.orders), await world.state(payment_id)) == (1, State.REFUNDED)
    assert not await world.pool.fetchval("select count(*) from outbox where id = $1", attempt)


@pytest.mark.parametrize("dies_at", [(Outbox, "end"), (Payments, "apply_finding")])
@pytest.mark.parametrize("carried_out_by", ["the desk", "the sweep"])
async def test_a_ruling_whose_process_died_is_carried_out_and_its_order_never_sent(
    staffed: Staffed,
    monkeypatch: pytest.MonkeyPatch,
    carried_out_by: str,
    dies_at: tuple[type, str],
) -> None:
    world = staffed.world
    payment_id, attempt = await staffed.lost(PAID, PAID)

    async def dies(*_: object, **__: object) -> Any:
        raise OurFault("killed")

    with monkeypatch.context() as patch:
        patch.setattr(*dies_at, dies)
        with pytest.raises(OurFault):
            await staffed.agree(attempt, "failed")
    world.clock.pass_(HOUR)
    if carried_out_by == "the desk":
        await staffed.office.desk.carry_out_approved()
    await world.dispatcher.sweep()
    await world.dispatched()
    await staffed.office.desk.carry_out_approved()
    await world.dispatched()
    assert (len(world.mtn.orders), await world.state(payment_id)) == (1, State.REFUNDED)
    assert await world.pool.fetchval("select state from proposal") == Stands.DONE
    assert await world.cases() == []


async def test_a_ruling_that_two_processes_carry_out_at_once_is_refused_by_neither(
    staffed: Staffed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second goes on from where the first stands, as from one that is dead."""
    world = staffed.world
    payment_id, attempt = await staffed.lost(PAID, PAID)
    end = Outbox.end

    async def after_another(*given: Any) -> bool:
        monkeypatch.undo()
        await staffed.office.desk.carry_out_approved()
        return await end(*given)

    monkeypatch.setattr(Outbox, "end", after_another)
    with pytest.raises(OurFault, match="moved this moment"):
        await staffed.agree(attempt, "failed")
    await world.dispatched()
    assert (len(world.mtn.orders), await world.state(payment_id)) == (1, State.REFUNDED)
    assert await world.pool.fetchval("select state from proposal") == Stands.DONE


async def test_a_ruling_carried_out_while_another_process_does_it_leaves_nothing_behind(
    staffed: Staffed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It had found the attempt unknown, and takes its order only once that has ended."""
    world = staffed.world
    payment_id, attempt = await staffed.lost(PAID, PAID)
    world.clock.pass_(HOUR)
    take = Outbox.take_again

    async def after_another(*given: Any) -> int:
        monkeypatch.undo()
        await staffed.office.desk.carry_out_approved()
        return await take(*given)

    monkeypatch.setattr(Outbox, "take_again", after_another)
    with pytest.raises(OurFault, match="moved this moment"):
        await staffed.agree(attempt, "failed")
    await world.dispatched()
    assert (len(world.mtn.orders), await world.state(payment_id)) == (1, State.REFUNDED)
    assert await world.pool.fetchval("select state from proposal") == Stands.DONE
    assert not await world.pool.fetchval("select count(*) from outbox where id = $1", attempt)


@pytest.mark.parametrize(
    ("outcome", "reference", "theirs", "so"),
    [("succeeded", "R7", FAILED, "failed"), ("failed", "", SUCCEEDED, "succeeded")],
)
async def test_what_people_saw_is_not_called_done_where_the_operator_ended_it_otherwise_first(
    staffed: Staffed,
    monkeypatch: pytest.MonkeyPatch,
    outcome: str,
    reference: str,
    theirs: Finding,
    so: str,
) -> None:
    """Its word came between the ruling's last look and its evidence: people hear of both."""
    world = staffed.world
    payment_id, attempt = await staffed.lost(PAID, PAID)
    apply = Payments.apply_finding

    async def after_the_operator(*given: Any, **named: Any) -> Any:
        monkeypatch.undo()
        await world.tell(AttemptId(attempt), theirs)
        return await apply(*given, **named)

    monkeypatch.setattr(Payments, "apply_finding", after_the_operator)
    ruled = await staffed.agree(attempt, outcome, reference)
    assert (ruled.state, ruled.outcome) == (
        Stands.FAILED, f"disburse of {code_of(payment_id)} has {so}",
    )  # fmt: skip
    assert await world.cases() == ["CONFLICT"]
    world.clock.pass_(HOUR)
    await world.dispatcher.sweep()
    await world.dispatched()
    assert not await world.dispatcher._outbox.still_there(attempt)


async def test_an_end_that_was_left_behind_of_an_attempt_that_is_over_is_struck_off(
    staffed: Staffed,
) -> None:
    """Else it is taken over every minute, for ever."""
    world = staffed.world
    payment_id, attempt = await staffed.lost(PAID, PAID)
    world.clock.pass_(HOUR)
    assert (await staffed.agree(attempt, "failed")).state is Stands.DONE
    ended = '{"code":"seen","reason":"other"}'
    outbox = world.dispatcher._outbox
    claim = await outbox.take_again(attempt, payment_id, 1, Direction.DISBURSE, ended)
    assert await outbox.end(attempt, claim, ended)
    world.clock.pass_(HOUR)
    await world.dispatcher.sweep()
    await world.dispatched()
    assert not await world.pool.fetchval("select count(*) from outbox where id = $1", attempt)
    assert await world.state(payment_id) is State.REFUNDED
    assert await world.cases() == []

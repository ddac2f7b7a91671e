"""Pay-ins where two things meet that seldom do: one code, calls that crossed, late statements."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from engine.clock import PaymentId, first_id_at
from engine.desk.proposals import Kind
from engine.desk.proposals import State as Stands
from engine.errors import OurFault, Rejected, Unreachable
from engine.money import Money
from engine.payments.lifecycle import State
from engine.payments.payins.judging import PayIn, Stage
from engine.payments.payins.returns import CALL_AGAIN_SECONDS
from engine.ports import Accepted, Finding, Outcome, PaidIn, PayInRefusal, Reason
from tests.integration.owner import Owner
from tests.integration.payins_room import TOTAL, Till, bureau_at, code, open_till
from tests.integration.test_statements import Bureau
from tests.integration.world import FAILED, SUCCEEDED

LARGE = 11_000
"""Shillings: above what an unsigned word is believed about."""
RECEIPT = "RKL51ZDR4F"
NO = Finding(Outcome.FAILED, "Declined", reason=Reason.OTHER)


@pytest.fixture
async def till(seeded_url: str) -> AsyncIterator[Till]:
    async with open_till(seeded_url) as opened:
        yield opened


@pytest.fixture
def bureau(till: Till) -> Bureau:
    return bureau_at(till)


async def two_of_one_code(till: Till, monkeypatch: pytest.MonkeyPatch) -> list[PaymentId]:
    """Two payments that wait, of different moments, whose random ends came out alike."""
    ids = till.world.payments.confirming._ids
    ending = ids.payment()[-20:]

    def alike() -> PaymentId:
        return PaymentId(first_id_at(till.world.clock.now())[:12] + ending)

    made = []
    for _ in range(2):
        till.world.clock.pass_(1)
        with monkeypatch.context() as patch:
            patch.setattr(ids, "payment", alike)
            made.append(await till.waiting())
    return made


async def test_a_code_that_two_payments_have_names_neither(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whose it is would be a guess, and the other one's payee would get it."""
    first, second = await two_of_one_code(till, monkeypatch)
    assert first != second and code(first) == code(second)
    asked = PaidIn(RECEIPT, TOTAL, code(first), "")
    assert await till.room.pay_ins.refusal("mpesa_ke", asked) is PayInRefusal.REFERENCE
    pay_in = await till.announce(code(first))
    assert (pay_in.stage, pay_in.payment, await till.suspense()) == (
        Stage.SUSPENDED, None, TOTAL.minor,
    )  # fmt: skip
    states = [await till.world.state(payment_id) for payment_id in (first, second)]
    assert states == [State.COLLECTING, State.COLLECTING]
    assert await till.open_cases() == ["PAY_IN"]


async def test_a_code_that_is_anothers_but_for_two_bits_names_nobody(till: Till) -> None:
    """What is looked up is the ending of an id, which lacks them."""
    payment_id = await till.waiting()
    beside = PaymentId(f"{payment_id[:-13]}{int(payment_id[-13], 16) ^ 1:x}{payment_id[-12:]}")
    assert code(beside) != code(payment_id)
    assert (await till.announce(code(beside))).stage is Stage.SUSPENDED
    assert await till.world.state(payment_id) is State.COLLECTING


@pytest.mark.parametrize(("days", "stage"), [(6, Stage.HEARD), (8, Stage.SUSPENDED)])
async def test_late_money_finds_its_payment_by_its_code_for_a_week(
    till: Till, days: int, stage: Stage
) -> None:
    """Of what is found its operator is asked, for it goes back; all else is for people."""
    payment_id = await till.waiting()
    await till.world.tell(await till.world.live(payment_id), FAILED)
    till.world.clock.pass_(days * 24 * 3600)
    assert (await till.announce(code(payment_id))).stage is stage


async def test_what_is_being_collected_by_its_notice_is_not_put_aside_in_another_amount(
    till: Till, bureau: Bureau, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One movement would be counted twice: with the payment, and in SUSPENSE."""
    payment_id = await till.waiting()
    await bureau.take_whole(bureau.line(RECEIPT, minor=TOTAL.minor + 100))
    bureau.pass_days(2)
    take = till.room.pay_ins.take

    async def beside_a_comparison(*given: Any) -> bool:
        assert await bureau.age() == 0
        return await take(*given)

    monkeypatch.setattr(till.room.pay_ins, "take", beside_a_comparison)
    held = await till.float_()
    pay_in = await till.announce(code(payment_id))
    assert (pay_in.stage, await till.suspense()) == (Stage.TAKEN, 0)
    assert await till.float_() == held + TOTAL.minor


# Asked about and proven.


async def test_one_alone_asks_the_operator_and_the_question_counts_once(till: Till) -> None:
    """So many questions there are before people are told: none is used up for nothing."""
    heard = await till.room.pay_ins.hear("mpesa_ke", PaidIn(RECEIPT, TOTAL, "nobody", ""))
    again_ms = heard.heard_ms + 1
    assert [await till.room.store.is_turn_to_ask(heard, again_ms) for _ in range(2)] == [
        True,
        False,
    ]
    assert (await till.again(heard)).asked == 1


@pytest.mark.parametrize(("more", "stage"), [(0, Stage.SUSPENDED), (1, Stage.HEARD)])
async def test_an_unsigned_word_is_believed_up_to_its_amount(
    till: Till, more: int, stage: Stage
) -> None:
    amount = Money(till.mpesa.facts.confirm_callback_above_minor + more, "KES")
    assert (await till.announce("nobody", amount=amount)).stage is stage


async def test_what_is_proven_stays_so_when_it_is_told_once_more(till: Till) -> None:
    """An operator that then says nothing more would have it denied."""
    paid = PaidIn(RECEIPT, TOTAL, "nobody", "")
    told = [await till.room.pay_ins.hear("mpesa_ke", paid, proven=p) for p in (False, True, False)]
    assert [each.proven for each in told] == [False, True, True]


# What nobody could prove.


async def denied(till: Till) -> tuple[PaymentId, PayIn]:
    payment_id = await till.waiting(LARGE)
    total = (await till.world.payment(payment_id)).quote.total
    pay_in = await till.announce(code(payment_id), amount=total)
    await till.sweep()
    await till.room.pay_ins.hear_answer(pay_in.id, NO)
    pay_in = await till.again(pay_in)
    assert (pay_in.stage, await till.open_cases()) == (Stage.DENIED, ["PAY_IN"])
    return payment_id, pay_in


async def lost(till: Till, payment_id: PaymentId) -> None:
    """The operator calls the collection by another name than we had thought."""
    attempt = await till.world.live(payment_id)
    await Owner(till.world.pool).execute("delete from evidence where attempt = $1", attempt)
    payment = await till.world.payment(payment_id)
    await till.world.payments.record_accepted(payment, attempt, "ws_CO_LOST")


@pytest.mark.parametrize("is_put_aside", [True, False])
async def test_denied_money_that_a_statement_shows_the_owner_of_is_its_own(
    till: Till, bureau: Bureau, is_put_aside: bool
) -> None:
    """Else it would lie aside for ever, and its payment would never hear of it."""
    payment_id, pay_in = await denied(till)
    line = bureau.line(RECEIPT, minor=pay_in.paid.amount.minor, reference="ws_CO_LOST")
    if not is_put_aside:
        await lost(till, payment_id)
    await bureau.take_whole(line)
    if is_put_aside:
        bureau.pass_days(2)
        assert await bureau.age() == 1
        assert await till.suspense() == pay_in.paid.amount.minor
        await lost(till, payment_id)
        await bureau.age()
    await till.world.dispatched()
    now = await till.again(pay_in)
    assert (now.stage, now.payment, await till.suspense()) == (Stage.FOUND, payment_id, 0)
    assert await till.world.state(payment_id) is State.REFUNDING  # it is late
    assert await till.open_cases() == []


# Returns whose calls crossed.


@pytest.mark.parametrize("meanwhile", ["ordered again", "gone"])
async def test_a_call_that_did_not_leave_takes_back_no_other_ones(
    till: Till, monkeypatch: pytest.MonkeyPatch, meanwhile: str
) -> None:
    """It stood still for longer than the next one waits. Were that forgotten, the word that it went
    back would be that of no order, and it might go a second time."""
    pay_in = await till.announce("nobody")
    calls: list[str] = []

    async def stands_still(paid: PaidIn, url: str) -> Accepted:
        calls.append(url)
        if len(calls) > 1:
            return Accepted("conversation")
        till.world.clock.pass_(CALL_AGAIN_SECONDS)
        if meanwhile == "gone":
            await till.room.returns.hear_return(pay_in.id, SUCCEEDED)
        else:
            await till.sweep()
        raise Unreachable("mpesa_ke", "refused")

    monkeypatch.setattr(till.mpesa, "return_pay_in", stands_still)
    with pytest.raises(OurFault):
        await till.agree(Kind.RETURN_PAY_IN, pay_in=pay_in.id)
    now = await till.again(pay_in)
    assert len(calls) == now.calls == (1 if meanwhile == "gone" else 2)
    assert now.called_ms is not None
    assert await till.room.returns.hear_return(pay_in.id, SUCCEEDED)
    assert (await till.again(pay_in)).stage is Stage.RETURNED
    assert (await till.suspense(), await till.held()) == (0, 0)


async def test_a_return_that_was_refused_while_another_took_it_up_waits_for_nobody(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is held for it any more. Kept as one that waits, it would wait for ever."""
    pay_in = await till.announce("nobody")
    begin, give_up = till.room.store.begin, till.room.store.give_up
    begun, ended = asyncio.Event(), asyncio.Event()
    others: list[asyncio.Task[int]] = []

    async def stands_still(*given: Any) -> bool:
        is_begun = await begin(*given)
        if others:
            begun.set()
            await ended.wait()
        return is_begun

    async def refuses(_paid: PaidIn, _url: str) -> Accepted:
        others.append(asyncio.create_task(till.office.desk.carry_out_approved()))
        await begun.wait()
        raise Rejected("mpesa_ke", "no", code="R000002", reason=Reason.OTHER)

    async def gives_up(given: PayIn) -> None:
        monkeypatch.undo()
        await give_up(given)
        ended.set()
        await others[0]

    monkeypatch.setattr(till.room.store, "begin", stands_still)
    monkeypatch.setattr(till.room.store, "give_up", gives_up)
    monkeypatch.setattr(till.mpesa, "return_pay_in", refuses)
    asked = await till.agree(Kind.RETURN_PAY_IN, pay_in=pay_in.id)
    assert (await till.office.proposals.get(asked.id)).state is Stands.FAILED
    assert (await till.again(pay_in)).stage is Stage.SUSPENDED
    assert (await till.suspense(), await till.held()) == (TOTAL.minor, 0)


async def test_what_went_back_is_said_to_be_done_by_the_two_who_sent_it_alone(till: Till) -> None:
    pay_in = await till.announce("nobody")
    await till.agree(Kind.RETURN_PAY_IN, pay_in=pay_in.id)
    await till.room.returns.hear_return(pay_in.id, SUCCEEDED)
    again = await till.agree(Kind.RETURN_PAY_IN, pay_in=pay_in.id)
    assert (again.state, again.outcome) == (Stands.FAILED, "it is RETURNED")
    assert till.mpesa.returned == [RECEIPT]

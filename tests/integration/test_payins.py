"""Money that customers send of their own accord, on a real Postgres: booked once, and whose."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec
import pytest

from engine.clock import Ids
from engine.desk.booking import Booker
from engine.desk.proposals import Kind, Proposal, ProposalId, failed
from engine.desk.proposals import Outcome as Ended
from engine.desk.proposals import State as Stands
from engine.desk.store import ProposalStore
from engine.errors import OurFault, OutcomeUnknown, Rejected, SamePerson, StaffMistake, Unreachable
from engine.money import Money
from engine.payments.evidence import Source
from engine.payments.late_news import PAID_TWICE
from engine.payments.lifecycle import State
from engine.payments.patience import ORDER_OVER_SECONDS
from engine.payments.payins.judging import PayIn, Stage
from engine.payments.payins.returns import CALL_AGAIN_SECONDS
from engine.payments.payins.store import PayInStore
from engine.payments.statements.lines import Line, Side
from engine.payments.statements.suspense import Suspense
from engine.payments.stepping import Heard
from engine.ports import Finding, Outcome, PaidIn, PayInRefusal, Reason
from tests.integration.payins_room import AMINA, BRIAN, CAME, TOTAL, Till, code, open_till, till_of
from tests.integration.world import FAILED, SUCCEEDED, open_world
from tests.unit.payments.examples import MPESA, MTN, PAYER

pytestmark = pytest.mark.long("pay-ins at each turn; test_payin_doors.py walks the main ones")

LARGE = 11_000
"""Shillings: above what an unsigned word is believed about."""
LARGE_TOTAL = Money(1_100_000, "KES")
NOTICE = "RKL51ZDR4F"
PROMPT = Finding(Outcome.SUCCEEDED, "0", amount=TOTAL, receipt="TKK7RT61SV")


@pytest.fixture
async def till(seeded_url: str) -> AsyncIterator[Till]:
    async with open_till(seeded_url) as opened:
        yield opened


# It is the collection of a payment.


async def test_money_with_a_waiting_payments_code_is_its_collection_and_pays_it_out(
    till: Till,
) -> None:
    payment_id = await till.waiting()
    attempt = await till.world.live(payment_id)
    before = await till.float_()
    pay_in = await till.announce(code(payment_id).lower(), payer=str(PAYER))
    assert (pay_in.stage, pay_in.payment) == (Stage.TAKEN, payment_id)
    assert await till.world.state(payment_id) is State.PAYING
    assert await till.float_() - before == TOTAL.minor
    ending = await till.world.store.ending_of(payment_id, attempt)
    assert ending is not None
    assert (ending.receipt, ending.source) == (NOTICE, Source.PAY_IN)
    assert await till.open_cases() == []


@pytest.mark.parametrize("times", [2, 20])
async def test_a_notice_that_comes_often_and_at_once_is_booked_once(till: Till, times: int) -> None:
    payment_id = await till.waiting()
    await asyncio.gather(*[till.announce(code(payment_id)) for _ in range(times)])
    assert len(till.world.mtn.orders) == 1
    assert await till.suspense() == 0
    rows = await till.world.pool.fetchval("select count(*) from pay_in")
    assert rows == 1


async def test_a_prompt_that_nobody_has_sent_yet_is_not_sent_any_more(till: Till) -> None:
    till.world.dispatching = False
    payment_id = await till.world.confirm()
    till.world.dispatching = True
    await till.announce(code(payment_id))
    await till.world.dispatcher.sweep(100)
    await till.world.dispatched()
    assert till.world.mpesa.orders == []
    assert await till.world.state(payment_id) is State.PAYING


async def test_the_prompts_failure_afterwards_contradicts_nothing(till: Till) -> None:
    payment_id = await till.waiting()
    attempt = await till.world.live(payment_id)
    await till.announce(code(payment_id))
    assert await till.world.tell(attempt, FAILED) is Heard.KEPT
    assert await till.open_cases() == []
    assert await till.world.state(payment_id) is State.PAYING


async def test_the_same_receipt_by_prompt_and_by_notice_is_one_money_in_both_orders(
    till: Till,
) -> None:
    same = Finding(Outcome.SUCCEEDED, "0", amount=TOTAL, receipt=NOTICE)
    first = await till.waiting()
    attempt = await till.world.live(first)
    await till.announce(code(first), receipt=NOTICE)
    assert await till.world.tell(attempt, same) is Heard.KEPT

    other = Finding(Outcome.SUCCEEDED, "0", amount=TOTAL, receipt="TKK7RT61SV")
    second = await till.waiting()
    await till.world.tell(await till.world.live(second), other)
    pay_in = await till.announce(code(second), receipt="TKK7RT61SV")
    assert (pay_in.stage, pay_in.payment) == (Stage.TAKEN, second)
    await till.sweep()
    assert await till.suspense() == 0
    assert await till.open_cases() == []


async def test_a_prompt_paid_after_the_payer_had_paid_by_hand_is_other_money_for_people(
    till: Till,
) -> None:
    payment_id = await till.waiting()
    attempt = await till.world.live(payment_id)
    await till.announce(code(payment_id))
    for _ in range(2):
        assert await till.world.tell(attempt, PROMPT) is Heard.KEPT
        await till.sweep()
    assert await till.suspense() == TOTAL.minor
    assert await till.open_cases() == ["PAY_IN"]
    assert len(till.world.mtn.orders) == 1


async def test_a_second_approval_of_one_prompt_is_other_money_for_people(till: Till) -> None:
    payment_id = await till.waiting()
    attempt = await till.world.live(payment_id)
    assert await till.world.tell(attempt, PROMPT) is Heard.ADVANCED
    second = msgspec.structs.replace(PROMPT, receipt="TKK9SECOND")
    for _ in range(2):
        assert await till.world.tell(attempt, PROMPT) is Heard.KEPT
        assert await till.world.tell(attempt, second) is Heard.KEPT
        await till.sweep()
    assert await till.suspense() == TOTAL.minor
    assert await till.open_cases() == ["PAY_IN"]
    assert len(till.world.mtn.orders) == 1


@pytest.mark.parametrize(
    ("source", "is_proof"),
    [(Source.CALLBACK, False), (Source.QUERY, True), (Source.STATEMENT, True)],
)
async def test_a_large_second_payment_is_booked_only_once_its_operator_was_asked(
    till: Till, source: Source, is_proof: bool
) -> None:
    """A callback alone may be forged; what answers us, or is listed, is proof."""
    payment_id = await till.waiting(LARGE)
    attempt = await till.world.live(payment_id)
    total = (await till.world.payment(payment_id)).quote.total
    await till.announce(code(payment_id), amount=total, proven=True)
    assert await till.world.state(payment_id) is State.PAYING
    paid_twice = Finding(Outcome.SUCCEEDED, "0", receipt=PROMPT.receipt)
    assert await till.world.tell(attempt, paid_twice, source) is Heard.KEPT
    await till.sweep()
    assert till.mpesa.asked == ([] if is_proof else [PROMPT.receipt])
    assert await till.suspense() == (total.minor if is_proof else 0)


@pytest.mark.parametrize(
    ("receipt", "source"),
    [
        (" tkk7rt61sv", Source.CALLBACK),  # the same one, spelled otherwise
        (None, Source.CALLBACK),
        ("TKK9SECOND", Source.QUERY),
        ("TKK9SECOND", Source.STATEMENT),
    ],
)
async def test_what_may_be_the_same_money_is_no_second_approval(
    till: Till, receipt: str | None, source: Source
) -> None:
    payment_id = await till.waiting()
    attempt = await till.world.live(payment_id)
    await till.world.tell(attempt, PROMPT)
    again = msgspec.structs.replace(PROMPT, receipt=receipt)
    assert await till.world.tell(attempt, again, source) is Heard.KEPT
    await till.sweep()
    assert (await till.suspense(), await till.open_cases()) == (0, [])


async def test_an_operator_whose_receipts_nobody_vouches_for_has_no_second_approval(
    seeded_url: str,
) -> None:
    """MTN's own number may be told otherwise in two callbacks: nobody says that it may not."""
    assert MPESA.callback_tells_receipt
    assert not MTN.callback_tells_receipt
    silent = msgspec.structs.replace(MPESA, callback_tells_receipt=False)
    async with open_till(seeded_url, payer=silent) as till:
        attempt = await till.world.live(await till.waiting())
        for receipt in ("TKK7RT61SV", "TKK9SECOND"):
            await till.world.tell(attempt, msgspec.structs.replace(PROMPT, receipt=receipt))
            await till.sweep()
        assert (await till.suspense(), await till.open_cases()) == (0, [])


async def test_a_refund_that_is_told_under_two_receipts_brought_no_money(till: Till) -> None:
    """What nobody paid would be given back by people who believe our books."""
    payment_id = await till.waiting()
    till.world.mtn.answers = [Rejected("mtn_ug", "no", code="X", reason=Reason.CANNOT_RECEIVE)]
    await till.world.tell(await till.world.live(payment_id), PROMPT)
    await till.world.dispatched()
    refund = await till.world.live(payment_id)
    for receipt in ("TKK8REFUND", "TKK9REFUND"):
        await till.world.tell(refund, msgspec.structs.replace(PROMPT, receipt=receipt))
        await till.sweep()
    assert await till.world.state(payment_id) is State.REFUNDED
    assert (await till.suspense(), await till.open_cases()) == (0, [])


async def test_a_prompt_paid_afterwards_without_a_receipt_is_for_people_to_look_at(
    till: Till,
) -> None:
    payment_id = await till.waiting()
    attempt = await till.world.live(payment_id)
    await till.announce(code(payment_id))
    silent = Finding(Outcome.SUCCEEDED, "0")
    await till.world.tell(attempt, silent, Source.QUERY)
    assert await till.open_cases() == []  # a query tells no receipt: it may be this very money
    await till.world.tell(attempt, silent)
    assert await till.open_cases() == [PAID_TWICE]
    assert await till.suspense() == 0


async def test_a_second_pay_in_of_a_paid_payment_is_kept_for_people(till: Till) -> None:
    payment_id = await till.waiting()
    await till.announce(code(payment_id))
    second = await till.announce(code(payment_id), receipt="SG632NMUAB")
    assert second.stage is Stage.SUSPENDED
    assert await till.suspense() == TOTAL.minor
    assert len(till.world.mtn.orders) == 1


async def test_a_collection_proven_without_a_receipt_is_taken_to_be_the_first_notice(
    till: Till,
) -> None:
    payment_id = await till.waiting()
    attempt = await till.world.live(payment_id)
    await till.world.tell(attempt, Finding(Outcome.SUCCEEDED, "0"), Source.QUERY)
    first = await till.announce(code(payment_id))
    second = await till.announce(code(payment_id), receipt="SG632NMUAB")
    assert (first.stage, second.stage) == (Stage.TAKEN, Stage.SUSPENDED)
    assert await till.suspense() == TOTAL.minor


# It is late, and believed only once the operator was asked.


async def test_late_money_is_asked_about_before_it_is_given_back(till: Till) -> None:
    payment_id = await till.waiting()
    await till.world.tell(await till.world.live(payment_id), FAILED)
    pay_in = await till.announce(code(payment_id))
    assert pay_in.stage is Stage.HEARD
    assert till.mpesa.asked == []  # whoever announces it waits for our answer
    await till.sweep()
    assert till.mpesa.asked == [NOTICE]
    assert await till.world.state(payment_id) is State.COLLECT_FAILED

    assert await till.room.pay_ins.hear_answer(pay_in.id, CAME)
    await till.world.dispatched()
    assert await till.world.state(payment_id) is State.REFUNDING
    assert (await till.again(pay_in)).stage is Stage.TAKEN
    await till.world.tell(await till.world.live(payment_id), SUCCEEDED)
    assert await till.world.state(payment_id) is State.REFUNDED


async def test_a_large_pay_in_moves_nothing_before_the_operator_was_asked(till: Till) -> None:
    payment_id = await till.waiting(LARGE)
    total = (await till.world.payment(payment_id)).quote.total
    pay_in = await till.announce(code(payment_id), amount=total)
    assert await till.world.state(payment_id) is State.COLLECTING
    await till.sweep()
    assert till.mpesa.asked == [NOTICE]
    told = Finding(Outcome.SUCCEEDED, "Completed", amount=total, receipt=NOTICE, msisdn=str(PAYER))
    await till.room.pay_ins.hear_answer(pay_in.id, told)
    await till.world.dispatched()
    assert await till.world.state(payment_id) is State.PAYING


async def test_what_proves_one_pay_in_proves_no_other(till: Till) -> None:
    mine, other = await till.waiting(LARGE), await till.waiting(LARGE)
    total = (await till.world.payment(mine)).quote.total
    pay_in = await till.announce(code(mine), amount=total)
    untold = await till.announce(code(other), "SG632NMUAB", amount=total)
    await till.room.pay_ins.hear_answer(pay_in.id, CAME)
    await till.world.dispatched()
    await till.sweep()
    assert (await till.again(untold)).stage is Stage.HEARD
    states = [await till.world.state(payment_id) for payment_id in (mine, other)]
    assert states == [State.PAYING, State.COLLECTING]


@pytest.mark.parametrize(
    "answer",
    [
        Finding(Outcome.FAILED, "Declined", reason=Reason.OTHER),
        Finding(Outcome.REVERSED, "Reversed"),
        Finding(Outcome.SUCCEEDED, "Completed", amount=Money(100, "KES")),
        Finding(Outcome.SUCCEEDED, "Completed", receipt="SG632NMUAB"),
    ],
)
async def test_what_the_operator_denies_is_never_booked(till: Till, answer: Finding) -> None:
    payment_id = await till.waiting(LARGE)
    total = (await till.world.payment(payment_id)).quote.total
    pay_in = await till.announce(code(payment_id), amount=total)
    await till.sweep()
    await till.room.pay_ins.hear_answer(pay_in.id, answer)
    await till.room.pay_ins.hear_answer(pay_in.id, CAME)  # and stays so
    assert (await till.again(pay_in)).stage is Stage.DENIED
    assert await till.world.state(payment_id) is State.COLLECTING
    assert await till.suspense() == 0
    assert await till.open_cases() == ["PAY_IN"]


ANOTHERS = Finding(Outcome.SUCCEEDED, "Completed", receipt=NOTICE, msisdn="+254799999999")


async def test_what_the_operator_proves_of_another_payer_is_suspended_and_goes_back(
    till: Till,
) -> None:
    payment_id, before = await till.waiting(LARGE), await till.float_()
    total = (await till.world.payment(payment_id)).quote.total
    pay_in = await till.announce(code(payment_id), amount=total)
    await till.sweep()
    told = msgspec.structs.replace(ANOTHERS, amount=total)
    for _ in range(2):
        await till.room.pay_ins.hear_answer(pay_in.id, told)
        await till.sweep()
    assert (await till.again(pay_in)).stage is Stage.SUSPENDED
    assert await till.world.state(payment_id) is State.COLLECTING
    assert await till.suspense() == await till.float_() - before == total.minor
    assert await till.open_cases() == ["PAY_IN"]
    detail = await till.world.pool.fetchval("select detail from case_file")
    assert "tells another payer than that of" in detail and "799999999" not in detail
    await till.agree(Kind.RETURN_PAY_IN, pay_in=pay_in.id)
    assert till.mpesa.returned == [NOTICE]


async def test_another_payer_of_what_is_booked_with_its_payment_is_a_case_and_booked_once(
    till: Till,
) -> None:
    payment_id, before = await till.waiting(LARGE), await till.float_()
    total = (await till.world.payment(payment_id)).quote.total
    pay_in = await till.announce(code(payment_id), amount=total)
    ended = Finding(Outcome.SUCCEEDED, "0", amount=total, receipt=NOTICE)
    await till.world.tell(await till.world.live(payment_id), ended, Source.QUERY)
    await till.room.pay_ins.hear_answer(pay_in.id, msgspec.structs.replace(ANOTHERS, amount=total))
    assert await till.float_() - before == total.minor
    assert (await till.suspense(), await till.open_cases()) == (0, ["PAY_IN"])


async def test_an_unlisted_answer_proves_nothing_and_silence_ends_with_people(till: Till) -> None:
    payment_id = await till.waiting(LARGE)
    total = (await till.world.payment(payment_id)).quote.total
    till.mpesa.replies = [Unreachable("mpesa_ke", "refused"), OutcomeUnknown("mpesa_ke", "silent")]
    pay_in = await till.announce(code(payment_id), amount=total)
    await till.room.pay_ins.hear_answer(pay_in.id, Finding(Outcome.PENDING, "Parked"))
    for _ in range(12):
        await till.sweep()
        till.world.clock.pass_(43_300)
    assert till.mpesa.asked == [NOTICE] * 6
    assert (await till.again(pay_in)).stage is Stage.DENIED
    assert await till.open_cases() == ["PAY_IN"]


# Nobody knows whose it is.


@pytest.mark.parametrize(
    ("reference", "amount", "payer"),
    [
        ("school fees", TOTAL, ""),
        ("", TOTAL, ""),
        ("7KQ2M4XW9D", TOTAL, ""),
        (None, Money(102_100, "KES"), ""),
        (None, TOTAL, "+254799999999"),
    ],
)
async def test_strange_money_is_suspended_with_a_case_and_the_payment_waits_on(
    till: Till, reference: str | None, amount: Money, payer: str
) -> None:
    payment_id = await till.waiting()
    before = await till.float_()
    wanted = code(payment_id) if reference is None else reference
    for _ in range(2):
        pay_in = await till.announce(wanted, amount=amount, payer=payer)
        assert pay_in.stage is Stage.SUSPENDED
    assert await till.suspense() == amount.minor
    assert await till.float_() - before == amount.minor
    assert await till.open_cases() == ["PAY_IN"]
    assert await till.world.state(payment_id) is State.COLLECTING


async def test_a_number_typed_as_a_reference_is_shown_to_nobody(till: Till) -> None:
    await till.announce("0712345678")
    detail = await till.world.pool.fetchval("select detail from case_file")
    assert "'0712*****678'" in detail
    assert "0712345678" not in detail


async def test_a_process_that_dies_after_booking_leaves_nothing_twice(till: Till) -> None:
    """Whatever was done before the row was marked is found done by whoever comes next."""
    payment_id = await till.waiting()
    for reference, receipt in ((code(payment_id), "RKL51ZDR4F"), ("nobody", "SG632NMUAB")):
        pay_in = await till.announce(reference, receipt=receipt)
        stage = pay_in.stage
        await till.world.pool.execute(
            "update pay_in set stage = 1, payment = null, due_ms = 0 where id = $1", pay_in.id
        )
        await till.sweep()
        assert (await till.again(pay_in)).stage is stage
    assert await till.suspense() == TOTAL.minor
    assert len(till.world.mtn.orders) == 1


async def test_what_a_statement_suspended_before_it_was_told_of_is_not_booked_again(
    till: Till,
) -> None:
    payment_id = await till.waiting()
    suspense, line = suspended_by_statement(till)
    await suspense.put(MPESA, line)
    pay_in = await till.announce(code(payment_id))
    assert pay_in.stage is Stage.SUSPENDED
    assert await till.suspense() == TOTAL.minor
    assert await till.world.state(payment_id) is State.COLLECTING
    await till.agree(Kind.ASSIGN_PAY_IN, pay_in=pay_in.id, payment=str(payment_id))
    await suspense.take_back(line)  # the next statement finds whose it is
    assert await till.suspense() == 0


async def test_what_a_statement_found_the_owner_of_is_neither_booked_nor_returned(
    till: Till,
) -> None:
    suspense, line = suspended_by_statement(till)
    await suspense.put(MPESA, line)
    await suspense.take_back(line)
    late = await till.announce("nobody")
    assert late.stage is Stage.DENIED
    assert (await till.agree(Kind.RETURN_PAY_IN, pay_in=late.id)).state is Stands.FAILED
    assert (await till.again(late)).stage is Stage.DENIED
    assert await till.suspense() == 0
    assert till.mpesa.returned == []


async def test_what_nobody_could_prove_and_a_statement_lists_may_be_returned(till: Till) -> None:
    pay_in = await till.announce("nobody", amount=LARGE_TOTAL)
    denied = Finding(Outcome.FAILED, "Declined", reason=Reason.OTHER)
    await till.room.pay_ins.hear_answer(pay_in.id, denied)
    assert (await till.agree(Kind.RETURN_PAY_IN, pay_in=pay_in.id)).state is Stands.FAILED
    suspense, line = suspended_by_statement(till)
    await suspense.put(MPESA, msgspec.structs.replace(line, amount=LARGE_TOTAL))
    assert (await till.agree(Kind.RETURN_PAY_IN, pay_in=pay_in.id)).state is Stands.WAITING
    assert await till.held() == LARGE_TOTAL.minor
    await till.room.returns.hear_return(pay_in.id, SUCCEEDED)
    assert (await till.held(), await till.suspense()) == (0, 0)


def suspended_by_statement(till: Till) -> tuple[Suspense, Line]:
    world = till.world
    line = Line(
        operator="mpesa_ke", day=world.clock.now().date(), receipt=NOTICE, reference=None,
        side=Side.IN, amount=TOTAL, fee_minor=0, counterparty=None, completed_ms=0,
        balance_minor=None, raw_hash="e" * 32,
    )  # fmt: skip
    return Suspense(world.pool, 1, world.committer, Ids(world.clock)), line


@pytest.mark.parametrize("when", ["while it is suspended", "once it went back"])
async def test_an_amount_told_otherwise_the_second_time_is_a_case(till: Till, when: str) -> None:
    """A case of its own: that of whose it is tells of the first amount, or is closed."""
    pay_in, open_cases = await till.announce("nobody"), ["PAY_IN"]
    if when == "once it went back":
        await till.agree(Kind.RETURN_PAY_IN, pay_in=pay_in.id)
        await till.room.returns.hear_return(pay_in.id, SUCCEEDED)
        open_cases = []
    assert await till.open_cases() == open_cases
    for _ in range(2):
        await till.announce("nobody", amount=Money(200, "KES"))
    assert await till.suspense() == (TOTAL.minor if open_cases else 0)
    assert await till.open_cases() == ["CONFLICT", *open_cases]


async def test_two_processes_hear_the_same_money_and_book_it_once(
    till: Till, database_url: str
) -> None:
    payment_id = await till.waiting()
    async with open_world(database_url, clock=till.world.clock, seeded=False) as other:
        beside = till_of(other, till.mpesa)
        both = [till, beside] * 5
        await asyncio.gather(
            *[one.announce(code(payment_id)) for one in both], *[one.sweep() for one in both]
        )
        await asyncio.gather(*[one.announce("nobody", receipt="SG632NMUAB") for one in both])
    assert await till.suspense() == TOTAL.minor
    assert len(till.world.mtn.orders) + len(other.mtn.orders) == 1
    assert await till.world.state(payment_id) is State.PAYING


async def test_money_of_an_operator_we_have_no_more_stops_nobody_elses(till: Till) -> None:
    payment_id = await till.waiting()
    gone = PaidIn("SG632NMUAB", TOTAL, "nobody", "")
    await till.room.pay_ins.hear("gone_ke", gone)
    await till.room.pay_ins.hear("mpesa_ke", PaidIn(NOTICE, TOTAL, code(payment_id), ""))
    await till.sweep()
    assert await till.world.state(payment_id) is State.PAYING
    assert [p.operator for p in await till.room.store.listed([Stage.HEARD], 9)] == ["gone_ke"]


# What is asked before it comes.


async def test_only_what_would_be_a_collection_is_wanted(till: Till) -> None:
    waits, paid, over = [await till.waiting() for _ in range(3)]
    await till.world.tell(await till.world.live(paid), SUCCEEDED)
    await till.world.tell(await till.world.live(over), FAILED)

    async def answer(reference: str, amount: Money = TOTAL, payer: str = "") -> PayInRefusal | None:
        paid_in = PaidIn(NOTICE, amount, reference, payer)
        return await till.room.pay_ins.refusal("mpesa_ke", paid_in)

    assert await answer(code(waits)) is None
    assert await answer(f" {code(waits).lower()} ") is None
    assert await answer(code(waits), Money(100, "KES")) is PayInRefusal.AMOUNT
    assert await answer(code(waits), payer="+254799999999") is PayInRefusal.PAYER
    for reference in (code(paid), code(over), "school fees", "7KQ2M4XW9D"):
        assert await answer(reference) is PayInRefusal.REFERENCE
    assert await till.world.pool.fetchval("select count(*) from pay_in") == 0


# Back to whoever sent it, by two people.


async def test_a_return_is_held_then_ordered_and_over_when_the_operator_says_so(
    till: Till,
) -> None:
    before = await till.float_()
    pay_in = await till.announce("nobody")
    asked = await till.agree(Kind.RETURN_PAY_IN, pay_in=pay_in.id)
    assert asked.state is Stands.WAITING
    assert till.mpesa.returned == [NOTICE]
    assert (await till.suspense(), await till.held()) == (0, TOTAL.minor)
    for _ in range(2):
        await till.room.returns.hear_return(pay_in.id, SUCCEEDED)
    assert (await till.again(pay_in)).stage is Stage.RETURNED
    assert (await till.suspense(), await till.held()) == (0, 0)
    assert await till.float_() == before
    assert await till.open_cases() == []
    done = await till.office.proposals.get(asked.id)
    assert done.state is Stands.DONE


async def test_one_person_returns_nothing_and_what_is_no_pay_in_is_refused(till: Till) -> None:
    pay_in = await till.announce("nobody")
    asked = await till.office.desk.propose(
        Kind.RETURN_PAY_IN, {"pay_in": pay_in.id}, by=AMINA, note="they called"
    )
    with pytest.raises(SamePerson):
        await till.office.desk.approve(asked.id, by=AMINA)
    with pytest.raises(StaffMistake):
        await till.office.desk.propose(Kind.RETURN_PAY_IN, {"pay_in": "x"}, by=AMINA, note="x")
    unknown = await till.agree(Kind.RETURN_PAY_IN, pay_in="0" * 32)
    assert unknown.state is Stands.FAILED
    assert till.mpesa.returned == []


@pytest.mark.parametrize("when", ["refused at once", "failed later"])
async def test_a_return_that_definitely_failed_is_suspended_again_and_may_be_tried_again(
    till: Till, when: str
) -> None:
    pay_in = await till.announce("nobody")
    if when == "refused at once":
        till.mpesa.replies = [Rejected("mpesa_ke", "no", code="400.002.02", reason="other")]
    asked = await till.agree(Kind.RETURN_PAY_IN, pay_in=pay_in.id)
    if when == "failed later":
        failed = Finding(Outcome.FAILED, "R000002", reason=Reason.OTHER)
        await till.room.returns.hear_return(pay_in.id, failed)
    assert (await till.office.proposals.get(asked.id)).state is Stands.FAILED
    assert (await till.suspense(), await till.held()) == (TOTAL.minor, 0)
    again = await till.agree(Kind.RETURN_PAY_IN, pay_in=pay_in.id)
    assert again.state is Stands.WAITING
    assert len(till.mpesa.returned) == 2


async def test_a_return_that_the_books_refuse_may_be_proposed_again(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    pay_in = await till.announce("nobody")

    async def refuse(*_: object, **__: object) -> Any:
        return failed("the books refused it")

    with monkeypatch.context() as patch:
        patch.setattr(Booker, "book", refuse)
        refused = await till.agree(Kind.RETURN_PAY_IN, pay_in=pay_in.id)
    assert (refused.state, till.mpesa.returned) == (Stands.FAILED, [])
    assert (await till.again(pay_in)).stage is Stage.SUSPENDED
    assert (await till.agree(Kind.RETURN_PAY_IN, pay_in=pay_in.id)).state is Stands.WAITING


@pytest.mark.parametrize("died", ["give_up", "keep_outcome"])
async def test_a_return_that_failed_is_not_ordered_again_though_the_process_died_over_it(
    till: Till, monkeypatch: pytest.MonkeyPatch, died: str
) -> None:
    """The books say that it failed; what follows from that was lost, and the hour passes."""
    pay_in = await till.announce("nobody")

    async def dies(*_: object) -> None:
        raise OurFault("killed")

    till.mpesa.replies = [Rejected("mpesa_ke", "no", code="401", reason=Reason.CONFIGURATION)]
    with monkeypatch.context() as patch:
        patch.setattr(till.room.store if died == "give_up" else ProposalStore, died, dies)
        with pytest.raises(OurFault):
            await till.agree(Kind.RETURN_PAY_IN, pay_in=pay_in.id)
    till.world.clock.pass_(CALL_AGAIN_SECONDS + 61)
    await till.sweep()
    await till.office.desk.carry_out_approved()
    assert till.mpesa.returned == [NOTICE]
    assert (await till.again(pay_in)).stage is Stage.SUSPENDED
    assert (await till.suspense(), await till.held()) == (TOTAL.minor, 0)
    asked = await till.agree(Kind.RETURN_PAY_IN, pay_in=pay_in.id)  # anew, it goes
    assert (asked.state, till.mpesa.returned) == (Stands.WAITING, [NOTICE, NOTICE])


async def test_a_return_nobody_answers_is_ordered_again_an_hour_later_and_not_before(
    till: Till,
) -> None:
    pay_in = await till.announce("nobody")
    till.mpesa.replies = [OutcomeUnknown("mpesa_ke", "silence")]
    await till.agree(Kind.RETURN_PAY_IN, pay_in=pay_in.id)
    await till.sweep()
    await till.office.desk.carry_out_approved()
    assert len(till.mpesa.returned) == 1
    till.world.clock.pass_(3700)
    # Of the repeat a refusal means nothing: the first may have been carried out.
    till.mpesa.replies = [Rejected("mpesa_ke", "no", code="400.002.02", reason="other")]
    await till.sweep()
    assert len(till.mpesa.returned) == 2
    assert await till.held() == TOTAL.minor
    await till.room.returns.hear_return(
        pay_in.id, Finding(Outcome.FAILED, "2001", reason=Reason.CONFIGURATION)
    )
    assert await till.held() == TOTAL.minor
    await till.room.returns.hear_return(pay_in.id, SUCCEEDED)
    assert await till.held() == 0


async def test_a_return_that_could_not_be_sent_is_tried_again_by_the_desk(till: Till) -> None:
    pay_in = await till.announce("nobody")
    till.mpesa.replies = [Unreachable("mpesa_ke", "refused")]
    with pytest.raises(Exception, match="could not be asked"):
        await till.agree(Kind.RETURN_PAY_IN, pay_in=pay_in.id)
    assert await till.held() == TOTAL.minor
    await till.office.desk.carry_out_approved()
    assert len(till.mpesa.returned) == 2
    await till.room.returns.hear_return(pay_in.id, SUCCEEDED)
    assert (await till.again(pay_in)).stage is Stage.RETURNED


async def test_people_who_saw_it_arrive_end_a_return(till: Till) -> None:
    pay_in = await till.announce("nobody")
    asked = await till.agree(Kind.RETURN_PAY_IN, pay_in=pay_in.id)
    seen = await till.office.desk.see(asked.id, "TKK632NMUA", by=AMINA)
    assert seen.state is Stands.DONE
    assert await till.held() == 0
    assert (await till.again(pay_in)).stage is Stage.RETURNED


async def test_what_is_on_its_way_back_cannot_be_returned_or_assigned_as_well(till: Till) -> None:
    payment_id = await till.waiting()
    pay_in = await till.announce("nobody")
    await till.agree(Kind.RETURN_PAY_IN, pay_in=pay_in.id)
    for kind, fields in (
        (Kind.RETURN_PAY_IN, {}),
        (Kind.ASSIGN_PAY_IN, {"payment": str(payment_id)}),
    ):
        refused = await till.agree(kind, pay_in=pay_in.id, **fields)
        assert refused.state is Stands.FAILED
    assert len(till.mpesa.returned) == 1
    assert await till.world.state(payment_id) is State.COLLECTING


async def did_not_go(till: Till, asked: Proposal) -> Proposal:
    return await till.agree(Kind.RETURN_FAILED, proposal=asked.id)


async def test_people_who_saw_that_it_did_not_go_end_a_return(till: Till) -> None:
    """Nobody answers, and a refusal of a repeat proves nothing: else it is ordered for ever."""
    payment_id = await till.waiting()
    pay_in = await till.announce("nobody")
    asked = await till.agree(Kind.RETURN_PAY_IN, pay_in=pay_in.id)
    till.world.clock.pass_(ORDER_OVER_SECONDS)
    assert (await did_not_go(till, asked)).state is Stands.DONE
    assert (await till.suspense(), await till.held()) == (TOTAL.minor, 0)
    assert (await till.again(pay_in)).stage is Stage.SUSPENDED
    assert (await till.office.proposals.get(asked.id)).state is Stands.FAILED
    assert await till.open_cases() == ["PAY_IN"]
    till.world.clock.pass_(CALL_AGAIN_SECONDS * 2)
    await till.sweep()
    assert till.mpesa.returned == [NOTICE]
    done = await till.agree(Kind.ASSIGN_PAY_IN, pay_in=pay_in.id, payment=str(payment_id))
    assert done.state is Stands.DONE


async def test_what_people_saw_of_a_return_counts_of_orders_that_were_over_by_then(
    till: Till,
) -> None:
    pay_in = await till.announce("nobody")
    asked = await till.agree(Kind.RETURN_PAY_IN, pay_in=pay_in.id)
    till.world.clock.pass_(ORDER_OVER_SECONDS - 1)
    early = await did_not_go(till, asked)
    assert early.state is Stands.FAILED and "look once more" in (early.outcome or "")
    till.world.clock.pass_(CALL_AGAIN_SECONDS)
    proposed = await till.office.desk.propose(
        Kind.RETURN_FAILED, {"proposal": asked.id}, by=AMINA, note="not there"
    )
    await till.sweep()  # it is ordered once more before the other person agrees
    late = await till.office.desk.approve(proposed.id, by=BRIAN)
    assert (late.state, till.mpesa.returned) == (Stands.FAILED, [NOTICE, NOTICE])
    assert await till.held() == TOTAL.minor


async def test_no_return_is_ordered_beside_people_who_end_it(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sweep that took it up a moment before finds its turn taken."""
    pay_in = await till.announce("nobody")
    asked = await till.agree(Kind.RETURN_PAY_IN, pay_in=pay_in.id)
    till.world.clock.pass_(CALL_AGAIN_SECONDS + 1)
    before = await till.again(pay_in)
    books = Booker.follow

    async def swept(*given: Any) -> Any:
        await till.room.returns.call_again(before)
        return await books(*given)

    monkeypatch.setattr(Booker, "follow", swept)
    assert (await did_not_go(till, asked)).state is Stands.DONE
    assert till.mpesa.returned == [NOTICE]


@pytest.mark.parametrize("died", ["end_waiting", "give_up", "keep_outcome"])
async def test_a_return_that_people_ended_is_ended_though_the_process_died_over_it(
    till: Till, monkeypatch: pytest.MonkeyPatch, died: str
) -> None:
    pay_in = await till.announce("nobody")
    asked = await till.agree(Kind.RETURN_PAY_IN, pay_in=pay_in.id)
    till.world.clock.pass_(ORDER_OVER_SECONDS)

    async def dies(*_: object) -> None:
        raise OurFault("killed")

    with monkeypatch.context() as patch:
        patch.setattr(till.room.store if died == "give_up" else ProposalStore, died, dies)
        with pytest.raises(OurFault):
            await did_not_go(till, asked)
    await till.office.desk.carry_out_approved()
    kind = "select state from proposal where kind = 'RETURN_FAILED'"
    assert await till.world.pool.fetchval(kind) == "done"
    assert (await till.office.proposals.get(asked.id)).state is Stands.FAILED
    assert (await till.again(pay_in)).stage is Stage.SUSPENDED
    assert (await till.suspense(), await till.held()) == (TOTAL.minor, 0)


async def test_only_a_return_under_way_is_ended_as_one_that_did_not_go(till: Till) -> None:
    pay_in = await till.announce("nobody")
    asked = await till.agree(Kind.RETURN_PAY_IN, pay_in=pay_in.id)
    till.world.clock.pass_(ORDER_OVER_SECONDS)
    ruled = await did_not_go(till, asked)
    assert (await did_not_go(till, ruled)).state is Stands.FAILED  # that one returns nothing
    again = await till.agree(Kind.RETURN_PAY_IN, pay_in=pay_in.id)
    assert (await did_not_go(till, asked)).state is Stands.DONE  # said before; the new one stays
    assert await till.held() == TOTAL.minor
    await till.room.returns.hear_return(pay_in.id, SUCCEEDED)
    till.world.clock.pass_(ORDER_OVER_SECONDS)
    assert (await did_not_go(till, again)).state is Stands.FAILED
    assert (await till.again(pay_in)).stage is Stage.RETURNED


async def test_a_return_that_people_saw_arrive_did_not_fail(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Said by one of them, and its process died before it was booked."""
    pay_in = await till.announce("nobody")
    asked = await till.agree(Kind.RETURN_PAY_IN, pay_in=pay_in.id)
    till.world.clock.pass_(ORDER_OVER_SECONDS)

    async def dies(*_: object, **__: object) -> None:
        raise OurFault("killed")

    with monkeypatch.context() as patch:
        patch.setattr(Booker, "follow", dies)
        with pytest.raises(OurFault):
            await till.office.desk.see(asked.id, "TKK632NMUA", by=AMINA)
    assert (await did_not_go(till, asked)).state is Stands.FAILED
    await till.office.desk.carry_out_approved()
    assert (await till.again(pay_in)).stage is Stage.RETURNED
    assert (await till.suspense(), await till.held()) == (0, 0)


async def test_a_return_that_went_after_all_is_for_people(till: Till) -> None:
    """Its money was taken for ours again: a word that contradicts that is never lost."""
    pay_in = await till.announce("nobody")
    assert not await till.room.returns.hear_return(pay_in.id, SUCCEEDED)  # nobody ordered it
    asked = await till.agree(Kind.RETURN_PAY_IN, pay_in=pay_in.id)
    till.world.clock.pass_(ORDER_OVER_SECONDS)
    await did_not_go(till, asked)
    for _ in range(2):
        assert await till.room.returns.hear_return(pay_in.id, SUCCEEDED)
    assert await till.open_cases() == ["CONFLICT", "PAY_IN"]


async def test_a_success_told_while_people_end_the_return_is_a_case(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The books have it as one that did not go, and its row does not say so yet."""
    pay_in = await till.announce("nobody")
    asked = await till.agree(Kind.RETURN_PAY_IN, pay_in=pay_in.id)
    till.world.clock.pass_(ORDER_OVER_SECONDS)
    give_up = till.room.store.give_up

    async def after_the_news(given: PayIn) -> None:
        assert await till.room.returns.hear_return(pay_in.id, SUCCEEDED)
        await give_up(given)

    monkeypatch.setattr(till.room.store, "give_up", after_the_news)
    assert (await did_not_go(till, asked)).state is Stands.DONE
    assert await till.open_cases() == ["CONFLICT", "PAY_IN"]


async def test_a_success_of_before_told_while_a_return_begins_anew_is_found_by_that_one(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is held for it yet, so nothing can be booked as gone; its order is answered so."""
    pay_in = await till.announce("nobody")
    asked = await till.agree(Kind.RETURN_PAY_IN, pay_in=pay_in.id)
    till.world.clock.pass_(ORDER_OVER_SECONDS)
    assert (await did_not_go(till, asked)).state is Stands.DONE
    book = Booker.book

    async def told_before(*given: Any, **named: Any) -> Any:
        monkeypatch.undo()
        await till.room.returns.hear_return(pay_in.id, CAME)
        return await book(*given, **named)

    monkeypatch.setattr(Booker, "book", told_before)
    again = await till.agree(Kind.RETURN_PAY_IN, pay_in=pay_in.id)
    assert (again.state, await till.held()) == (Stands.WAITING, TOTAL.minor)
    await till.room.returns.hear_return(pay_in.id, CAME)
    assert (await till.office.proposals.get(again.id)).state is Stands.DONE
    assert (await till.held(), (await till.again(pay_in)).stage) == (0, Stage.RETURNED)


async def test_a_failure_told_twice_is_no_failure_of_the_next_return(till: Till) -> None:
    """Both are told at one address; what is suspended again would be returned once more."""
    pay_in = await till.announce("nobody")
    no = Finding(Outcome.FAILED, "R000002", reason=Reason.OTHER)
    await till.agree(Kind.RETURN_PAY_IN, pay_in=pay_in.id)
    await till.room.returns.hear_return(pay_in.id, no)
    assert await till.suspense() == TOTAL.minor
    till.mpesa.replies = [Unreachable("mpesa_ke", "refused")]
    with pytest.raises(OurFault):
        await till.agree(Kind.RETURN_PAY_IN, pay_in=pay_in.id)
    await till.office.desk.carry_out_approved()
    await till.room.returns.hear_return(pay_in.id, no)
    assert (await till.suspense(), await till.held()) == (0, TOTAL.minor)
    await till.room.returns.hear_return(pay_in.id, SUCCEEDED)
    assert (await till.again(pay_in)).stage is Stage.RETURNED
    assert len(till.mpesa.returned) == 3


async def test_a_failure_is_believed_of_the_first_return_that_left(till: Till) -> None:
    """Not sent at first: no byte of that call left, so nothing was ever said of it."""
    pay_in = await till.announce("nobody")
    till.mpesa.replies = [Unreachable("mpesa_ke", "refused")]
    with pytest.raises(OurFault):
        await till.agree(Kind.RETURN_PAY_IN, pay_in=pay_in.id)
    await till.office.desk.carry_out_approved()
    no = Finding(Outcome.FAILED, "R000002", reason=Reason.OTHER)
    await till.room.returns.hear_return(pay_in.id, no)
    assert (await till.suspense(), await till.held()) == (TOTAL.minor, 0)


async def test_a_return_that_people_ended_is_not_begun_anew_by_who_was_late(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process died before the first call, another took it up, and stood still for long."""
    pay_in = await till.announce("nobody")

    async def dies(*_: object) -> None:
        raise OurFault("killed")

    with monkeypatch.context() as patch:
        patch.setattr(till.room.store, "claim_call", dies)
        with pytest.raises(OurFault):
            await till.agree(Kind.RETURN_PAY_IN, pay_in=pay_in.id)
    asked = await till.office.proposals.get(
        ProposalId((await till.world.pool.fetchval("select id from proposal")).hex)
    )
    begin = till.room.store.begin

    async def late(*given: Any) -> bool:
        monkeypatch.undo()
        assert (await did_not_go(till, asked)).state is Stands.DONE
        return await begin(*given)

    monkeypatch.setattr(till.room.store, "begin", late)
    await till.office.desk.carry_out_approved()
    assert till.mpesa.returned == []
    assert (await till.suspense(), await till.held()) == (TOTAL.minor, 0)
    assert (await till.again(pay_in)).stage is Stage.SUSPENDED


async def test_a_return_nobody_answers_is_ordered_ever_more_seldom(till: Till) -> None:
    pay_in = await till.announce("nobody")
    await till.agree(Kind.RETURN_PAY_IN, pay_in=pay_in.id)
    for hours, calls in ((1, 2), (1, 2), (1, 3), (3, 3), (1, 4), (24, 5), (17, 6), (17, 7)):
        till.world.clock.pass_(hours * 3600 + 61)
        await till.sweep()
        assert len(till.mpesa.returned) == calls


# To the payment it was meant for, by two people.


async def test_money_with_a_mistyped_reference_is_assigned_and_pays_the_payment(till: Till) -> None:
    payment_id = await till.waiting()
    pay_in = await till.announce("mistyped")
    before = await till.float_()
    agreed = await till.agree(Kind.ASSIGN_PAY_IN, pay_in=pay_in.id, payment=str(payment_id))
    assert agreed.state is Stands.DONE
    assert await till.world.state(payment_id) is State.PAYING
    assert await till.suspense() == 0
    assert await till.float_() == before
    assert (await till.again(pay_in)).payment == payment_id
    assert await till.open_cases() == []


async def test_an_assignment_left_half_done_by_a_crash_is_finished_once(till: Till) -> None:
    payment_id = await till.waiting()
    pay_in = await till.announce("mistyped")
    agreed = await till.agree(Kind.ASSIGN_PAY_IN, pay_in=pay_in.id, payment=str(payment_id))
    pool = till.world.pool
    await pool.execute("update pay_in set stage = 7 where id = $1", pay_in.id)
    await pool.execute("update proposal set state = 'approved' where id = $1", agreed.id)
    await till.office.desk.carry_out_approved()
    assert (await till.again(pay_in)).stage is Stage.TAKEN
    assert await till.suspense() == 0
    assert len(till.world.mtn.orders) == 1


@pytest.mark.parametrize("when", ["before it is kept", "long after"])
async def test_an_assignment_that_came_to_nothing_is_not_begun_anew_by_who_was_late(
    till: Till, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """Approved twice at once. The other one dies over it; the money is not held by it for ever."""
    payment_id = await till.waiting()
    await till.announce(code(payment_id))
    pay_in = await till.announce("nobody", "ANOTHER")
    keep, begun = ProposalStore.keep_outcome, []

    async def kept(self: ProposalStore, proposal: Proposal, outcome: Ended) -> None:
        begun.append(await till.room.store.begin(pay_in, Stage.ASSIGNING, proposal.id))
        await keep(self, proposal, outcome)

    if when == "before it is kept":
        monkeypatch.setattr(ProposalStore, "keep_outcome", kept)
    asked = await till.agree(Kind.ASSIGN_PAY_IN, pay_in=pay_in.id, payment=str(payment_id))
    assert asked.state is Stands.FAILED and "waits for no money" in asked.outcome
    monkeypatch.undo()
    if when == "long after":
        await till.agree(Kind.ASSIGN_PAY_IN, pay_in=pay_in.id, payment=str(payment_id))
        begun.append(await till.room.store.begin(pay_in, Stage.ASSIGNING, asked.id))
    assert (begun, (await till.again(pay_in)).stage) == ([False], Stage.SUSPENDED)
    back = await till.agree(Kind.RETURN_PAY_IN, pay_in=pay_in.id)
    assert back.state is Stands.WAITING


async def test_late_money_that_is_assigned_goes_back_as_a_refund(till: Till) -> None:
    payment_id = await till.waiting()
    await till.world.tell(await till.world.live(payment_id), FAILED)
    pay_in = await till.announce("mistyped")
    await till.agree(Kind.ASSIGN_PAY_IN, pay_in=pay_in.id, payment=str(payment_id))
    assert await till.world.state(payment_id) is State.REFUNDING
    assert await till.suspense() == 0


async def test_another_amount_or_a_payment_that_waits_for_nothing_gets_no_money(till: Till) -> None:
    waits, paid = await till.waiting(), await till.waiting()
    await till.world.tell(await till.world.live(paid), SUCCEEDED)
    less = await till.announce("mistyped", amount=Money(100, "KES"))
    same = await till.announce("mistyped", receipt="SG632NMUAB")
    for pay_in, payment in ((less, waits), (same, paid)):
        refused = await till.agree(Kind.ASSIGN_PAY_IN, pay_in=pay_in.id, payment=str(payment))
        assert refused.state is Stands.FAILED
        assert (await till.again(pay_in)).stage is Stage.SUSPENDED
    assert await till.suspense() == TOTAL.minor + 100


async def test_a_refund_by_the_operators_own_receipt_knows_the_one_that_came(till: Till) -> None:
    payment_id = await till.waiting()
    await till.world.tell(await till.world.live(payment_id), FAILED)
    pay_in = await till.announce(code(payment_id))
    await till.sweep()
    await till.room.pay_ins.hear_answer(pay_in.id, CAME)
    await till.world.dispatched()
    refund = till.world.mpesa.orders[-1]
    assert (refund.collected_receipt, refund.amount) == (NOTICE, TOTAL)


async def begin_as_agreed(store: PayInStore, mine: PayIn) -> None:
    """Two people have agreed on it."""
    agreed = Proposal(
        ProposalId("2" * 32), Kind.RETURN_PAY_IN, "{}", "they called", Stands.PROPOSED, AMINA, 1, 9
    )
    proposals = ProposalStore(store._pool, 1)
    await proposals.add(agreed)
    await proposals.decide(agreed.id, Stands.APPROVED, BRIAN, 2)
    await store.begin(mine, HELD, agreed.id)


HELD = Stage.RETURNING
ONE_BY_ONE: dict[str, tuple[Stage, Callable[[PayInStore, PayIn], Awaitable[Any]]]] = {
    "is asked about": (Stage.HEARD, lambda store, mine: store.is_turn_to_ask(mine, 1)),
    "is proven": (Stage.HEARD, lambda store, mine: store.prove(mine.id)),
    "is settled": (Stage.HEARD, lambda store, mine: store.settle(mine, Stage.SUSPENDED)),
    "is begun": (Stage.SUSPENDED, begin_as_agreed),
    "is ordered": (HELD, lambda store, mine: store.claim_call(mine, 1)),
    "is kept from leaving": (HELD, lambda store, mine: store.take_turn(mine, 1)),
    "has not left": (HELD, lambda store, mine: store.release_call(mine._replace(calls=-1))),
    "comes to nothing": (HELD, lambda store, mine: store.give_up(mine)),
    "is closed": (HELD, lambda store, mine: store.close_case(mine, "done")),
}


@pytest.mark.parametrize("what", ONE_BY_ONE)
async def test_what_becomes_of_one_pay_in_becomes_of_no_other(till: Till, what: str) -> None:
    """Two that stand alike in everything but their ids."""
    stage, do = ONE_BY_ONE[what]
    pool, store = till.world.pool, till.room.store
    kept = [await till.announce("nobody", f"R{n}") for n in range(2)]
    await pool.execute("update pay_in set stage = $1, proposal = $2", int(stage), "1" * 32)
    mine, other = [await till.again(pay_in) for pay_in in kept]
    rows = (
        "select p.*, c.closed_ms from pay_in p join case_file c on c.payment = p.id where p.id = $1"
    )
    before = [await pool.fetchrow(rows, pay_in.id) for pay_in in (mine, other)]
    await do(store, mine)
    after = [await pool.fetchrow(rows, pay_in.id) for pay_in in (mine, other)]
    assert (after[0] == before[0], after[1] == before[1]) == (False, True)


@pytest.mark.parametrize("error", [OurFault("the commit refuses it"), ValueError("a mistake")])
async def test_a_pay_in_that_cannot_be_looked_after_keeps_up_no_other(
    till: Till, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """It came first, and comes first with every sweep."""
    hear, look = till.room.pay_ins.hear, till.room.pay_ins.look
    bad, good = [
        await hear("mpesa_ke", PaidIn(receipt, TOTAL, "whose?", ""), proven=True)
        for receipt in ("R1", "R2")
    ]

    async def look_but(pay_in_id: str, **more: bool) -> None:
        if pay_in_id == bad.id:
            raise error
        await look(pay_in_id, **more)

    monkeypatch.setattr(till.room.pay_ins, "look", look_but)
    till.world.clock.pass_(60)
    await till.sweep()
    assert (await till.again(bad)).stage is Stage.HEARD
    assert (await till.again(good)).stage is Stage.SUSPENDED

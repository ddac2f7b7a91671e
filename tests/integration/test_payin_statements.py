"""Lines of pay-ins in an operator's statement: they have a case of their own, and no second one."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec
import pytest

from engine.clock import PaymentId
from engine.desk.proposals import Kind, Person
from engine.desk.proposals import State as Stands
from engine.errors import OurFault, Rejected
from engine.payments.evidence import Source
from engine.payments.lifecycle import State
from engine.payments.payins.judging import PayIn, Stage
from engine.payments.statements.judged import Class
from engine.payments.statements.lines import Side
from engine.ports import Finding, Outcome
from tests.integration.owner import Owner
from tests.integration.payins_room import AMINA, TOTAL, Till, bureau_at, code, open_till
from tests.integration.test_statements import Bureau, paid
from tests.integration.world import FAILED, SUCCEEDED
from tests.unit.payments.examples import MPESA

pytestmark = pytest.mark.long("each kind of line; test_payin_doors.py keeps what is told at once")

RECEIPT, BACK = "RKL51ZDR4F", "RKL99BACK1"
WENT_BACK = Finding(Outcome.SUCCEEDED, "0", receipt=BACK)


@pytest.fixture
async def till(seeded_url: str) -> AsyncIterator[Till]:
    async with open_till(seeded_url) as opened:
        yield opened


@pytest.fixture
def bureau(till: Till) -> Bureau:
    return bureau_at(till)


async def classes(bureau: Bureau) -> dict[str, Class]:
    rows = await bureau.world.pool.fetch("select receipt, class from statement_line")
    return {row["receipt"]: Class(row["class"]) for row in rows}


async def returned(till: Till, finding: Finding = WENT_BACK) -> None:
    pay_in = await till.announce("nobody")
    await till.agree(Kind.RETURN_PAY_IN, pay_in=pay_in.id)
    await till.room.returns.hear_return(pay_in.id, finding)
    assert (await till.again(pay_in)).stage is Stage.RETURNED


async def test_a_suspended_pay_ins_line_opens_no_case_of_its_own_however_old(
    till: Till, bureau: Bureau
) -> None:
    await till.announce("nobody")
    report = await bureau.take_whole(bureau.line(RECEIPT))
    assert (report.open, await bureau.cases()) == ((), ["PAY_IN"])
    bureau.pass_days(2)
    await bureau.age()
    assert await bureau.cases() == ["PAY_IN"]
    assert await till.suspense() == TOTAL.minor


@pytest.mark.parametrize("more", [100, 200, 300, 400])
async def test_a_pay_in_that_is_listed_in_another_amount_too_is_known_by_the_one_it_was_told_in(
    till: Till, bureau: Bureau, more: int
) -> None:
    """Its own line was nobody's where the other one came behind it."""
    await till.announce("nobody")
    other = bureau.line(RECEIPT, minor=TOTAL.minor + more)
    await bureau.take_whole(bureau.line(RECEIPT), other)
    rows = await till.world.pool.fetch("select minor, class from statement_line")
    assert {row["minor"]: row["class"] for row in rows} == {
        TOTAL.minor: Class.PAID_IN, TOTAL.minor + more: Class.MISSING_HERE,
    }  # fmt: skip
    bureau.pass_days(3)
    await bureau.age()
    assert await till.suspense() == TOTAL.minor  # what moved lies there once


async def test_a_pay_in_that_is_listed_in_another_amount_alone_is_not_put_aside_in_both(
    till: Till, bureau: Bureau
) -> None:
    """One movement lay there twice: as it was told, and as it was listed."""
    await till.announce("nobody")
    await bureau.take_whole(bureau.line(RECEIPT, minor=TOTAL.minor + 100))
    bureau.pass_days(3)
    assert await bureau.age() == 0
    assert await till.suspense() == TOTAL.minor
    assert "MISSING_HERE" in await bureau.cases()  # that is for people


@pytest.mark.parametrize("named", ["by its own receipt", "by the first one as reference"])
async def test_the_line_of_a_return_is_known_and_opens_no_case(
    till: Till, bureau: Bureau, named: str
) -> None:
    is_own = named == "by its own receipt"
    await returned(till, WENT_BACK if is_own else Finding(Outcome.SUCCEEDED, "0"))
    back = bureau.line(BACK, side=Side.OUT, reference=None if is_own else RECEIPT)
    report = await bureau.take_whole(bureau.line(RECEIPT), back)
    assert (report.open, await bureau.cases()) == ((), [])
    assert await classes(bureau) == {RECEIPT: Class.PAID_IN, BACK: Class.PAID_IN}
    bureau.pass_days(2)
    await bureau.age()
    assert (await till.suspense(), await bureau.cases()) == (0, [])


async def test_what_was_told_only_after_the_days_last_line_is_no_drift(
    till: Till, bureau: Bureau
) -> None:
    held = await till.float_()
    came = bureau.line(RECEIPT, balance_minor=held + TOTAL.minor)
    back = bureau.line(BACK, side=Side.OUT, balance_minor=held, at_ms=bureau.now_ms + 1)
    day = bureau.today
    bureau.pass_days(1)
    pay_in = await till.announce("nobody")
    assert (await bureau.take(came, day=day)).drift_minor == 0
    await till.agree(Kind.RETURN_PAY_IN, pay_in=pay_in.id)
    await till.room.returns.hear_return(pay_in.id, WENT_BACK)
    assert (await bureau.take(came, back, day=day)).drift_minor == 0
    assert await bureau.cases() == []


@pytest.mark.parametrize("receipt", [BACK, None])
async def test_what_was_on_its_way_back_at_the_days_last_line_is_no_drift(
    till: Till, bureau: Bureau, receipt: str | None
) -> None:
    held = await till.float_()
    pay_in = await till.announce("nobody")
    came = bureau.line(RECEIPT, balance_minor=held + TOTAL.minor)
    await till.agree(Kind.RETURN_PAY_IN, pay_in=pay_in.id)
    back = bureau.line(
        BACK, side=Side.OUT, reference=RECEIPT, balance_minor=held, at_ms=bureau.now_ms + 1
    )
    day = bureau.today
    bureau.pass_days(1)
    await till.room.returns.hear_return(pay_in.id, Finding(Outcome.SUCCEEDED, "0", receipt=receipt))
    assert (await bureau.take(came, back, day=day)).drift_minor == 0
    short = msgspec.structs.replace(back, balance_minor=held - 1)  # and what is missing is told
    assert (await bureau.take(came, short, day=day)).drift_minor == -1


async def test_the_number_that_people_saw_a_return_under_is_kept(
    till: Till, bureau: Bureau
) -> None:
    pay_in = await till.announce("nobody")
    asked = await till.agree(Kind.RETURN_PAY_IN, pay_in=pay_in.id)
    await till.office.desk.see(asked.id, BACK, by=AMINA)
    assert (await till.again(pay_in)).stage is Stage.RETURNED
    await bureau.take(bureau.line(RECEIPT), bureau.line(BACK, side=Side.OUT))
    assert await bureau.cases() == []


@pytest.mark.parametrize("in_the_first_file", [True, False])
async def test_a_return_that_nobody_answers_is_over_when_its_line_is_listed(
    till: Till, bureau: Bureau, in_the_first_file: bool
) -> None:
    pay_in = await till.announce("nobody")
    held = await till.float_()
    lines = (
        bureau.line(RECEIPT, balance_minor=held),
        bureau.line(
            BACK,
            side=Side.OUT,
            reference=RECEIPT,
            balance_minor=held - TOTAL.minor,
            at_ms=bureau.now_ms + 1,
        ),
    )
    asked = await till.agree(Kind.RETURN_PAY_IN, pay_in=pay_in.id)
    day = bureau.today
    till.mpesa.replies = [Rejected("mpesa_ke", "no", code="400.002.02", reason="other")]
    till.world.clock.pass_(3700)
    await till.sweep()  # of a repeat a refusal means nothing: it would be ordered for ever
    assert (await till.again(pay_in)).stage is Stage.RETURNING
    first = lines if in_the_first_file else lines[:1]
    for listed in (first, lines, lines):
        assert (await bureau.take(*listed, day=day)).open == ()
    assert (await till.again(pay_in)).stage is Stage.RETURNED
    assert (await till.held(), await till.float_()) == (0, held - TOTAL.minor)
    ended = await till.office.proposals.get(asked.id)
    assert (ended.state, await bureau.cases()) == (Stands.DONE, [])
    orders = len(till.mpesa.returned)
    till.world.clock.pass_(24 * 3600)
    await till.sweep()
    assert len(till.mpesa.returned) == orders
    refused = await till.agree(Kind.RETURN_FAILED, proposal=asked.id)
    assert refused.state is Stands.FAILED
    assert await till.suspense() == 0


@pytest.mark.parametrize(
    "wrong",
    [{"minor": 101_000}, {"reference": "RKL00OTHER"}, {"side": Side.IN}],
    ids=["another amount", "another receipt", "the other way"],
)
async def test_what_is_not_quite_its_line_ends_no_return(
    till: Till, bureau: Bureau, wrong: dict[str, Any]
) -> None:
    pay_in = await till.announce("nobody")
    await till.agree(Kind.RETURN_PAY_IN, pay_in=pay_in.id)
    back = bureau.line(BACK, **{"side": Side.OUT, "reference": RECEIPT} | wrong)
    await bureau.take(bureau.line(RECEIPT), back)
    assert (await till.again(pay_in)).stage is Stage.RETURNING
    assert await bureau.cases() == ["MISSING_HERE", "PAY_IN"]
    assert await till.held() == TOTAL.minor


@pytest.mark.parametrize(
    "wrong", [{"minor": 101_000}, {"receipt": "RKL00OTHER"}, {"side": Side.OUT}]
)
async def test_what_is_not_the_pay_in_to_the_unit_is_still_a_case(
    till: Till, bureau: Bureau, wrong: dict[str, Any]
) -> None:
    await till.announce("nobody")
    await bureau.take(bureau.line(**{"receipt": RECEIPT, **wrong}))
    assert await bureau.cases() == ["MISSING_HERE", "PAY_IN"]


async def test_money_going_out_for_a_pay_in_that_nobody_returns_is_a_case(
    till: Till, bureau: Bureau
) -> None:
    await till.announce("nobody")
    await bureau.take(bureau.line(RECEIPT), bureau.line(BACK, side=Side.OUT, reference=RECEIPT))
    assert await bureau.cases() == ["MISSING_HERE", "PAY_IN"]


async def test_a_case_of_before_is_closed_when_the_notice_comes(till: Till, bureau: Bureau) -> None:
    await bureau.take(bureau.line(RECEIPT))
    assert await bureau.cases() == ["MISSING_HERE"]
    await till.announce("nobody")
    await bureau.age()
    assert await bureau.cases() == ["PAY_IN"]


async def test_an_owner_that_is_found_later_takes_the_money_out_of_suspense(
    till: Till, bureau: Bureau
) -> None:
    payment_id = await till.waiting()
    attempt = await till.world.live(payment_id)
    await till.announce("nobody")
    await bureau.take(bureau.line(RECEIPT, reference="ws_CO_LOST"))
    assert await till.suspense() == TOTAL.minor
    payment = await till.world.payment(payment_id)
    await Owner(till.world.pool).execute("delete from evidence where attempt = $1", attempt)
    await till.world.payments.record_accepted(payment, attempt, "ws_CO_LOST")
    await bureau.age()
    await till.world.dispatched()
    assert await till.suspense() == 0
    assert await classes(bureau) == {RECEIPT: Class.UNKNOWN_RESOLVED}


async def test_money_that_people_sent_back_is_not_taken_out_of_suspense_again(
    till: Till, bureau: Bureau
) -> None:
    pay_in = await till.announce("nobody")
    await bureau.take(bureau.line(RECEIPT))
    held = "select suspended_ms is not null from statement_line"
    assert await till.world.pool.fetchval(held)
    await till.agree(Kind.RETURN_PAY_IN, pay_in=pay_in.id)
    await bureau.age()
    assert not await till.world.pool.fetchval(held)
    assert await till.held() == TOTAL.minor


# Paid with the payment's code, but from another number: people have that money.


FRIEND = "+254799999999"
OWN = "TKK7RT61SV"
"""The receipt of the prompt itself."""


async def paid_by_a_friend(till: Till, payment_id: PaymentId) -> PayIn:
    pay_in = await till.announce(code(payment_id), payer=FRIEND)
    assert pay_in.stage is Stage.SUSPENDED
    return pay_in


@pytest.mark.parametrize("over", [False, True])
async def test_the_code_on_a_suspended_pay_ins_line_makes_it_nobodys_collection(
    till: Till, bureau: Bureau, over: bool
) -> None:
    payment_id, before = await till.waiting(), await till.float_()
    if over:
        await till.world.tell(await till.world.live(payment_id), FAILED)
    pay_in = await paid_by_a_friend(till, payment_id)
    state = await till.world.state(payment_id)
    report = await bureau.take(bureau.line(RECEIPT, reference=code(payment_id)))
    await till.world.dispatched()
    assert report.counts[Class.PAID_IN] == 1
    assert await till.world.state(payment_id) is state
    assert await till.suspense() == await till.float_() - before == TOTAL.minor
    await till.agree(Kind.RETURN_PAY_IN, pay_in=pay_in.id)
    assert till.mpesa.returned == [RECEIPT]
    assert len(till.world.mpesa.orders) == 1 and till.world.mtn.orders == []


@pytest.mark.parametrize("gone", [False, True])
async def test_what_people_send_back_proves_nothing_about_the_payment_it_names(
    till: Till, bureau: Bureau, gone: bool
) -> None:
    payment_id, before = await till.waiting(), await till.float_()
    await till.world.tell(await till.world.live(payment_id), FAILED)
    pay_in = await paid_by_a_friend(till, payment_id)
    await till.agree(Kind.RETURN_PAY_IN, pay_in=pay_in.id)
    if gone:
        await till.room.returns.hear_return(pay_in.id, WENT_BACK)
    await bureau.take(
        bureau.line(RECEIPT, reference=code(payment_id)),
        *([bureau.line(BACK, side=Side.OUT, reference=RECEIPT)] if gone else []),
    )
    await till.world.dispatched()
    assert await till.world.state(payment_id) is State.COLLECT_FAILED
    assert len(till.world.mpesa.orders) == 1
    left = 0 if gone else TOTAL.minor
    assert (await till.float_() - before, await till.held()) == (left, left)
    assert set((await classes(bureau)).values()) == {Class.PAID_IN}


@pytest.mark.parametrize("counterparty", [None, FRIEND])
async def test_the_prompts_own_line_is_not_displaced_by_a_friends(
    till: Till, bureau: Bureau, counterparty: str | None
) -> None:
    payment_id, before = await till.waiting(), await till.float_()
    early = bureau.now_ms
    await paid_by_a_friend(till, payment_id)
    till.world.clock.pass_(60)
    attempt = await till.world.live(payment_id)
    await till.world.tell(attempt, Finding(Outcome.SUCCEEDED, "0"), Source.QUERY)
    named = code(payment_id)
    await bureau.take_whole(
        bureau.line(RECEIPT, reference=named, at_ms=early, counterparty=counterparty),
        bureau.line(OWN, reference=named),
    )
    assert await classes(bureau) == {RECEIPT: Class.PAID_IN, OWN: Class.MATCHED}
    bureau.pass_days(2)
    await bureau.age()
    assert await till.float_() - before == 2 * TOTAL.minor
    assert (await till.suspense(), await bureau.cases()) == (TOTAL.minor, ["PAY_IN"])


async def test_a_prompt_that_was_paid_beside_a_pay_in_is_put_aside_though_nobody_told_of_it(
    till: Till, bureau: Bureau
) -> None:
    """While the pay-in's own line is not listed yet, its line was called the collection that the
    pay-in had become: the money was in no book, and nobody was called."""
    payment_id = await till.waiting()
    attempt = await till.world.live(payment_id)
    await till.announce(code(payment_id), proven=True)
    assert await till.world.state(payment_id) is not State.COLLECTING
    await bureau.take_whole(bureau.line(OWN, reference=attempt))
    assert await classes(bureau) == {OWN: Class.MISSING_HERE}
    bureau.pass_days(2)
    await bureau.age()
    assert await till.suspense() == TOTAL.minor
    assert "MISSING_HERE" in await bureau.cases()


async def test_a_pay_in_that_is_listed_without_its_fee_is_the_same_and_nobodys_collection(
    till: Till, bureau: Bureau
) -> None:
    payment_id, before = await till.waiting(), await till.float_()
    await paid_by_a_friend(till, payment_id)
    net = bureau.line(RECEIPT, minor=101_490, fee_minor=510, reference=code(payment_id))
    await bureau.take_whole(net)
    assert await classes(bureau) == {RECEIPT: Class.PAID_IN}
    bureau.pass_days(2)
    await bureau.age()
    assert await till.world.state(payment_id) is State.COLLECTING
    assert await till.suspense() == await till.float_() - before == TOTAL.minor
    assert await bureau.cases() == ["FEES_DIFFER", "PAY_IN"]  # what was kept of it is in no book


async def test_a_pair_by_the_code_ends_once_the_line_is_known_as_a_pay_ins(
    till: Till, bureau: Bureau
) -> None:
    payment_id, before = await till.waiting(), await till.float_()
    attempt = await till.world.live(payment_id)
    await till.world.tell(attempt, Finding(Outcome.SUCCEEDED, "0"), Source.QUERY)
    await bureau.take(bureau.line(RECEIPT, reference=code(payment_id)))
    assert await classes(bureau) == {RECEIPT: Class.MATCHED}
    await paid_by_a_friend(till, payment_id)  # its notice comes after the statement
    await bureau.take(bureau.line(OWN, reference=code(payment_id)))
    assert await classes(bureau) == {RECEIPT: Class.PAID_IN, OWN: Class.MATCHED}
    assert await till.float_() - before == 2 * TOTAL.minor
    assert await till.suspense() == TOTAL.minor


async def test_a_pay_in_that_no_statement_listed_yet_leaves_suspense_when_its_payment_is_found(
    till: Till, bureau: Bureau
) -> None:
    payment_id, before = await till.waiting(), await till.float_()
    await till.announce("nobody")
    await bureau.take(bureau.line(RECEIPT, reference=await till.world.live(payment_id)))
    await till.world.dispatched()
    assert await till.world.state(payment_id) is State.PAYING
    assert (await till.float_() - before, await till.suspense()) == (TOTAL.minor, 0)


async def test_a_case_that_people_closed_before_its_owner_was_found_keeps_their_word(
    till: Till, bureau: Bureau
) -> None:
    payment_id = await till.waiting()
    pay_in = await till.announce("nobody")
    await till.agree(Kind.CLOSE_CASE, case=f"{pay_in.id}:PAY_IN:{pay_in.id}")
    await bureau.take(bureau.line(RECEIPT, reference=await till.world.live(payment_id)))
    assert (await till.again(pay_in)).stage is Stage.FOUND
    told = await till.world.pool.fetchrow("select closed_by, note from case_file")
    assert (told["closed_by"], told["note"]) == ("amina", "they called")


async def test_a_second_receipt_of_a_payment_stays_in_suspense_whichever_day_comes_first(
    till: Till, bureau: Bureau
) -> None:
    before = await till.float_()
    payment_id, attempt, _ = await paid(till.world, "R1")
    day, first = bureau.today, bureau.line("R1", reference=attempt)
    bureau.pass_days(1)
    await till.announce(code(payment_id), receipt="R2")
    await bureau.take(bureau.line("R2", reference=attempt))
    await bureau.take(first, day=day)
    bureau.pass_days(2)
    await bureau.age()
    assert await classes(bureau) == {"R1": Class.MATCHED, "R2": Class.PAID_IN}
    assert await till.float_() - before == 2 * TOTAL.minor
    assert await till.suspense() == TOTAL.minor


async def test_money_given_back_by_hand_is_a_pay_in_and_undoes_no_payout(
    till: Till, bureau: Bureau
) -> None:
    payment_id = await till.waiting()
    await till.world.tell(await till.world.live(payment_id), FAILED)
    refunded = Finding(Outcome.SUCCEEDED, "0", receipt="R1")
    await till.world.tell(till.world.mpesa.orders[0].attempt_id, refunded, Source.QUERY)
    await till.world.dispatched()
    refund = Finding(Outcome.SUCCEEDED, "0", receipt="P1")
    await till.world.tell(await till.world.live(payment_id), refund)
    state, before = await till.world.state(payment_id), await till.float_()
    await till.announce("P1")  # typed: the receipt they got their money under
    await bureau.take(
        bureau.line("P1", side=Side.OUT, reference=till.world.mpesa.orders[-1].attempt_id),
        bureau.line(RECEIPT, reference="P1"),
    )
    assert await till.world.state(payment_id) is state
    assert (await till.float_() - before, await till.suspense()) == (TOTAL.minor, TOTAL.minor)
    assert (await classes(bureau))[RECEIPT] is Class.PAID_IN


async def topped_up(till: Till, seen: str) -> None:
    """Two people say that they saw a top-up of TOTAL under that word."""
    desk = till.office.desk
    fields = {"operator": MPESA.name, "minor": TOTAL.minor}
    asked = await desk.propose(Kind.TOP_UP, fields, by=Person("asha"), note="ours")
    await desk.approve(asked.id, by=Person("babu"))
    await desk.see(asked.id, seen, by=Person("asha"))


async def test_what_the_owner_paid_in_to_top_up_is_booked_once(till: Till, bureau: Bureau) -> None:
    """It was announced as money of nobody we know, and then two people said what it is."""
    before = await till.float_()
    pay_in = await till.announce("nobody")
    await topped_up(till, RECEIPT)
    for _ in range(2):
        await bureau.take(bureau.line(RECEIPT))
        assert await till.suspense() == 0
        assert await till.float_() - before == TOTAL.minor
    assert await classes(bureau) == {RECEIPT: Class.MOVED}
    refused = await till.agree(Kind.RETURN_PAY_IN, pay_in=pay_in.id)
    assert "suspended no more" in refused.outcome


# A statement finds the owner of what people have on their desk.


async def stage(till: Till, pay_in: PayIn) -> Stage:
    return (await till.again(pay_in)).stage


def between(bureau: Bureau, what: Callable[[], Awaitable[Any]]) -> None:
    """Do something once, after the statement has read what people have and before it acts."""
    statements = bureau.comparison.statements
    pay_ins = statements._pay_ins
    among = pay_ins.among

    async def then(operator: str, lines: Any) -> Any:
        found = await among(operator, lines)
        pay_ins.among = among  # type: ignore[method-assign]
        await what()
        return found

    pay_ins.among = then  # type: ignore[method-assign]


async def test_what_a_statement_finds_the_payment_of_is_nobodys_case_any_more(
    till: Till, bureau: Bureau
) -> None:
    payment_id = await till.waiting()
    pay_in = await till.announce("nobody")
    await bureau.take(bureau.line(RECEIPT, reference=await till.world.live(payment_id)))
    await till.world.dispatched()
    assert (await stage(till, pay_in), await bureau.cases()) == (Stage.FOUND, [])
    assert (await till.again(pay_in)).payment == payment_id
    back = await till.agree(Kind.RETURN_PAY_IN, pay_in=pay_in.id)
    assert (back.state, till.mpesa.returned) == (Stands.FAILED, [])
    await bureau.age()
    assert await till.suspense() == 0


@pytest.mark.parametrize("kind", [Kind.RETURN_PAY_IN, Kind.ASSIGN_PAY_IN])
async def test_what_people_begin_to_send_on_meanwhile_no_payment_hears_of(
    till: Till, bureau: Bureau, kind: Kind
) -> None:
    payment_id, other, before = await till.waiting(), await till.waiting(), await till.float_()
    attempt, pay_in = await till.world.live(payment_id), await till.announce("nobody")
    of = {} if kind is Kind.RETURN_PAY_IN else {"payment": str(other)}
    between(bureau, lambda: till.agree(kind, pay_in=pay_in.id, **of))
    await bureau.take(bureau.line(RECEIPT, reference=attempt))
    await bureau.age()
    await till.world.dispatched()
    assert await till.world.state(payment_id) is State.COLLECTING
    assert (await till.suspense(), await till.float_() - before) == (0, TOTAL.minor)
    assert await till.held() == (TOTAL.minor if kind is Kind.RETURN_PAY_IN else 0)


async def test_a_crash_after_the_claim_leaves_nothing_in_suspense(
    till: Till, bureau: Bureau
) -> None:
    payment_id, before = await till.waiting(), await till.float_()
    await till.announce("nobody")
    suspense = bureau.comparison.statements._consequences._suspense
    take_back = suspense.take_back

    async def dies(*_: object) -> None:
        suspense.take_back = take_back  # type: ignore[method-assign]
        raise OurFault("killed")

    suspense.take_back = dies  # type: ignore[assignment, method-assign]
    line = bureau.line(RECEIPT, reference=await till.world.live(payment_id))
    with pytest.raises(OurFault):
        await bureau.take(line)
    await bureau.age()
    await till.world.dispatched()
    assert await till.world.state(payment_id) is State.PAYING
    assert (await till.suspense(), await till.float_() - before) == (0, TOTAL.minor)


async def test_a_notice_that_comes_after_its_line_was_paired_is_not_booked_twice(
    till: Till, bureau: Bureau
) -> None:
    payment_id, before = await till.waiting(), await till.float_()
    attempt = await till.world.live(payment_id)
    await till.world.tell(attempt, Finding(Outcome.SUCCEEDED, "0"), Source.QUERY)
    await bureau.take(bureau.line(RECEIPT, reference=attempt))
    pay_in = await till.announce("nobody")
    await bureau.age()
    assert (await till.suspense(), await till.float_() - before) == (0, TOTAL.minor)
    assert (await stage(till, pay_in), await bureau.cases()) == (Stage.FOUND, [])


async def test_what_nobody_could_prove_is_no_case_once_a_statement_shows_whose_it_is(
    till: Till, bureau: Bureau
) -> None:
    payment_id = await till.waiting()
    attempt = await till.world.live(payment_id)
    pay_in = await till.announce(code(payment_id))
    await Owner(till.world.pool).execute("update pay_in set stage = 2 where id = $1", pay_in.id)
    await till.room.store.open_case(pay_in, "nobody could prove it")
    await bureau.take(bureau.line(RECEIPT, reference=attempt))
    assert (await stage(till, pay_in), await bureau.cases()) == (Stage.FOUND, [])


async def test_late_money_is_known_in_the_statement_however_old_its_payment_is(
    till: Till, bureau: Bureau
) -> None:
    payment_id, before = await till.waiting(), await till.float_()
    await till.world.tell(await till.world.live(payment_id), FAILED)
    bureau.pass_days(5)
    pay_in = await till.announce(code(payment_id), proven=True)
    assert pay_in.stage is Stage.TAKEN
    await till.world.tell(await till.world.live(payment_id), SUCCEEDED)
    assert await till.world.state(payment_id) is State.REFUNDED
    await bureau.take(bureau.line(RECEIPT, reference=code(payment_id)))
    bureau.pass_days(3)
    await bureau.age()
    assert (await till.suspense(), await till.float_() - before) == (0, 0)
    assert await classes(bureau) == {RECEIPT: Class.MATCHED}


@pytest.mark.parametrize("left", [False, True])
async def test_a_top_up_that_people_begin_to_send_back_meanwhile_goes_one_way_and_is_a_case(
    till: Till, bureau: Bureau, left: bool
) -> None:
    before = await till.float_()
    pay_in = await till.announce("nobody")
    await topped_up(till, RECEIPT)
    between(bureau, lambda: till.agree(Kind.RETURN_PAY_IN, pay_in=pay_in.id))
    line = bureau.line(RECEIPT)
    await bureau.take(line)
    if left:
        await till.room.returns.hear_return(pay_in.id, WENT_BACK)
    await bureau.take(line)
    await bureau.age()
    assert till.mpesa.returned == [RECEIPT]
    held = 0 if left else TOTAL.minor
    assert (await till.suspense(), await till.held()) == (0, held)
    # The top-up stands, though what came by it went back: two people correct that.
    assert await till.float_() - before == TOTAL.minor + held
    assert "MISSING_HERE" in await bureau.cases()
    assert not await till.world.pool.fetchval("select suspended_ms from statement_line")


async def test_a_word_of_one_top_up_explains_one_line(till: Till, bureau: Bureau) -> None:
    before = await till.float_()
    await topped_up(till, "STANDING-7")
    first = bureau.line("R1", reference="STANDING-7")
    await bureau.take(first, bureau.line("R2", reference="STANDING-7"))
    await bureau.age()
    assert sorted((await classes(bureau)).values()) == [Class.MISSING_HERE, Class.MOVED]
    assert await bureau.cases() == ["MISSING_HERE"]
    assert await till.float_() - before == TOTAL.minor
    bureau.pass_days(7)
    await bureau.take(bureau.line("R3", reference="STANDING-7"))
    await bureau.age()
    found = await classes(bureau)
    assert (list(found.values()).count(Class.MOVED), found["R3"]) == (1, Class.MISSING_HERE)
    assert (await bureau.cases()).count("MISSING_HERE") == 2


async def test_what_somebody_types_makes_their_money_no_top_up_of_ours(
    till: Till, bureau: Bureau
) -> None:
    await topped_up(till, "STANDING-7")
    await till.announce("STANDING-7")
    await bureau.take(bureau.line(RECEIPT, reference="STANDING-7"))
    assert await classes(bureau) == {RECEIPT: Class.PAID_IN}
    assert (await till.suspense(), await bureau.cases()) == (TOTAL.minor, ["PAY_IN"])


@pytest.mark.parametrize("whose", ["a payment's", "ours"])
async def test_what_a_pay_in_suspended_leaves_suspense_as_it_came_whatever_fee_is_listed(
    till: Till, bureau: Bureau, whose: str
) -> None:
    pay_in = await till.announce("nobody")
    before = await till.float_() - TOTAL.minor
    attempt = None
    if whose == "ours":
        await topped_up(till, RECEIPT)
    else:
        attempt = await till.world.live(await till.waiting())
    await bureau.take(bureau.line(RECEIPT, fee_minor=510, reference=attempt))
    await till.world.dispatched()
    assert (await till.again(pay_in)).stage is Stage.FOUND
    assert await till.suspense() == 0
    assert await till.float_() - before == TOTAL.minor

"""Lines of pay-ins in an operator's statement: they have a case of their own, and no second one."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from engine.desk.proposals import Kind
from engine.payments.payins.judging import Stage
from engine.payments.statements.lines import Side
from engine.payments.statements.matching import Class
from engine.ports import Finding, Outcome
from tests.integration.owner import Owner
from tests.integration.payins_room import AMINA, TOTAL, Till, open_till
from tests.integration.test_statements import Bureau, bureau_of

pytestmark = pytest.mark.long("each kind of line; test_payin_doors.py keeps what is told at once")

RECEIPT, BACK = "RKL51ZDR4F", "RKL99BACK1"
WENT_BACK = Finding(Outcome.SUCCEEDED, "0", receipt=BACK)


@pytest.fixture
async def till(database_url: str) -> AsyncIterator[Till]:
    async with open_till(database_url) as opened:
        yield opened


@pytest.fixture
def bureau(till: Till) -> Bureau:
    return bureau_of(till.world)


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
    report = await bureau.take(bureau.line(RECEIPT))
    assert (report.open, await bureau.cases()) == ((), ["PAY_IN"])
    bureau.pass_days(3)
    await bureau.age()
    assert await bureau.cases() == ["PAY_IN"]
    assert await till.suspense() == TOTAL.minor


@pytest.mark.parametrize("named", ["by its own receipt", "by the first one as reference"])
async def test_the_line_of_a_return_is_known_and_opens_no_case(
    till: Till, bureau: Bureau, named: str
) -> None:
    is_own = named == "by its own receipt"
    await returned(till, WENT_BACK if is_own else Finding(Outcome.SUCCEEDED, "0"))
    back = bureau.line(BACK, side=Side.OUT, reference=None if is_own else RECEIPT)
    report = await bureau.take(bureau.line(RECEIPT), back)
    assert (report.open, await bureau.cases()) == ((), [])
    assert await classes(bureau) == {RECEIPT: Class.PAID_IN, BACK: Class.PAID_IN}
    bureau.pass_days(3)
    await bureau.age()
    assert (await till.suspense(), await bureau.cases()) == (0, [])


async def test_the_number_that_people_saw_a_return_under_is_kept(
    till: Till, bureau: Bureau
) -> None:
    pay_in = await till.announce("nobody")
    asked = await till.agree(Kind.RETURN_PAY_IN, pay_in=pay_in.id)
    await till.office.desk.see(asked.id, BACK, by=AMINA)
    assert (await till.again(pay_in)).stage is Stage.RETURNED
    await bureau.take(bureau.line(RECEIPT), bureau.line(BACK, side=Side.OUT))
    assert await bureau.cases() == []


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

"""One receipt that an operator tells in one amount and lists in another: booked once, whoever is
first. Which amount holds is for people.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace

import pytest

from engine.desk.proposals import Kind
from engine.desk.proposals import State as Stands
from engine.errors import OurFault
from engine.ledger.commit import Committer
from engine.ledger.entries import Manual
from engine.ledger.plans import Plan, Verdicted
from engine.money import Money
from engine.payments.lifecycle import State
from engine.payments.payins.judging import Stage
from engine.payments.statements.lines import Side
from engine.ports import Finding, Outcome
from tests.integration.owner import Owner
from tests.integration.payins_room import TOTAL, Till, code, open_till, till_of
from tests.integration.test_statements import DAY, Bureau, bureau_of
from tests.integration.world import open_world

pytestmark = pytest.mark.long("both orders; test_payin_doors.py keeps what is told at once")

RECEIPT = "RKL51ZDR4F"
LISTED = TOTAL.minor + 100


@pytest.fixture
async def till(seeded_url: str) -> AsyncIterator[Till]:
    async with open_till(seeded_url) as opened:
        yield opened


@pytest.fixture
def bureau(till: Till) -> Bureau:
    return bureau_of(till.world, hear_return=till.room.returns.hear_return)


async def put_aside(bureau: Bureau, minor: int = LISTED) -> None:
    """A statement lists money of nobody we know, and it has aged."""
    await bureau.take_whole(bureau.line(RECEIPT, minor=minor))
    bureau.pass_days(2)
    assert await bureau.age() == 1


async def test_what_a_statement_put_aside_is_not_put_aside_again_as_it_is_told(
    till: Till, bureau: Bureau
) -> None:
    await put_aside(bureau)
    pay_in = await till.announce("nobody")
    assert await till.suspense() == LISTED
    assert pay_in.stage is Stage.DENIED
    assert await bureau.cases() == ["CONFLICT", "MISSING_HERE"]


async def test_what_a_statement_put_aside_is_no_payments_in_another_amount(
    till: Till, bureau: Bureau
) -> None:
    """It would be counted twice: in SUSPENSE, and with the payment."""
    payment_id = await till.waiting()
    await put_aside(bureau)
    before = await till.float_()
    pay_in = await till.announce(code(payment_id))
    assert await till.float_() == before
    assert await till.world.state(payment_id) is State.COLLECTING
    assert (pay_in.stage, await till.suspense()) == (Stage.DENIED, LISTED)
    assert "CONFLICT" in await bureau.cases()


async def test_what_was_told_is_not_put_aside_again_as_it_is_listed(
    till: Till, bureau: Bureau
) -> None:
    pay_in = await till.announce("nobody")
    await bureau.take_whole(bureau.line(RECEIPT, minor=LISTED))
    bureau.pass_days(2)
    assert await bureau.age() == 0
    assert await till.suspense() == TOTAL.minor
    assert (await till.again(pay_in)).stage is Stage.SUSPENDED
    assert await bureau.cases() == ["MISSING_HERE", "PAY_IN"]


async def test_money_that_left_suspense_does_not_come_there_again_in_another_amount(
    till: Till, bureau: Bureau
) -> None:
    payment_id = await till.waiting()
    attempt = await till.world.live(payment_id)
    await till.announce("nobody")
    await bureau.take(bureau.line(RECEIPT, reference="ws_CO_LOST"))
    await Owner(till.world.pool).execute("delete from evidence where attempt = $1", attempt)
    payment = await till.world.payment(payment_id)
    await till.world.payments.record_accepted(payment, attempt, "ws_CO_LOST")
    await bureau.age()
    assert await till.suspense() == 0  # a statement found its owner
    await bureau.take(bureau.line(RECEIPT, minor=LISTED))
    bureau.pass_days(2)
    await bureau.age()
    assert await till.suspense() == 0


async def test_the_collections_own_receipt_told_in_another_amount_is_a_case(till: Till) -> None:
    payment_id = await till.waiting()
    won = Finding(Outcome.SUCCEEDED, "0", receipt=RECEIPT)
    await till.world.tell(await till.world.live(payment_id), won)
    before = await till.float_()
    for _ in range(2):
        pay_in = await till.announce(code(payment_id), amount=Money(LISTED, "KES"))
    assert (pay_in.stage, await till.float_(), await till.suspense()) == (Stage.TAKEN, before, 0)
    assert await till.open_cases() == ["CONFLICT"]


@pytest.mark.parametrize("again", ["the notice", "the file", "a file of the next day", "a sweep"])
@pytest.mark.parametrize("first", ["told", "listed"])
async def test_whatever_comes_again_books_nothing_more(
    till: Till, bureau: Bureau, first: str, again: str
) -> None:
    line, day = bureau.line(RECEIPT, minor=LISTED), bureau.today
    next_days = bureau.line("R2", side=Side.OUT, at_ms=bureau.now_ms + 24 * 3600 * 1000)
    if first == "told":
        await till.announce("nobody")
    await bureau.take_whole(line)
    bureau.pass_days(2)
    await bureau.age()
    await till.announce("nobody")
    booked, cases = await till.suspense(), await bureau.cases()
    assert booked == (TOTAL.minor if first == "told" else LISTED)
    for _ in range(2):
        if again == "the notice":
            await till.announce("nobody")
        elif again == "the file":
            await bureau.take(line, day=day)
        elif again == "a sweep":
            till.world.clock.pass_(3600)
            await till.sweep()
        else:
            await bureau.take(line, next_days, day=day + DAY)
        await bureau.age()
    assert await till.suspense() == booked
    assert [case for case in await bureau.cases() if case != "MISSING_HERE"] == [
        case for case in cases if case != "MISSING_HERE"
    ]


# Two processes at once, and one that dies in between.


class Interrupted(Committer):
    """Something happens before the first entry of SUSPENSE is committed, or nothing after it."""

    def __init__(self, inner: Committer, meanwhile: Callable[[], Awaitable[object]]) -> None:
        """Everything else is `inner`'s."""
        self._inner = inner
        self._meanwhile: list[Callable[[], Awaitable[object]]] = [meanwhile]

    async def submit_until_known(
        self, plan: Plan, *, is_urgent: bool = True, until: float | None = None
    ) -> Verdicted:
        while plan.state == Manual.SUSPENDED and self._meanwhile:
            await self._meanwhile.pop()()
        return await self._inner.submit_until_known(plan, is_urgent=is_urgent, until=until)


async def dies() -> None:
    raise OurFault("the process died")


def telling(till: Till, meanwhile: Callable[[], Awaitable[object]]) -> Till:
    """Another process's pay-ins."""
    world = till.world
    beside = replace(world, committer=Interrupted(world.committer, meanwhile))
    return till_of(beside, till.mpesa)


def listing(till: Till, meanwhile: Callable[[], Awaitable[object]]) -> Bureau:
    """Another process's statements."""
    return bureau_of(till.world, Interrupted(till.world.committer, meanwhile))


async def test_what_is_told_while_a_statement_puts_it_aside_is_there_once(
    till: Till, bureau: Bureau
) -> None:
    await bureau.take_whole(bureau.line(RECEIPT, minor=LISTED))
    bureau.pass_days(2)
    await listing(till, lambda: till.announce("nobody")).age()
    assert await till.suspense() == LISTED
    await bureau.age()
    await till.sweep()
    assert await till.suspense() == LISTED
    assert await bureau.cases() == ["CONFLICT", "MISSING_HERE"]


async def test_what_a_statement_ages_while_it_is_told_is_there_once(
    till: Till, bureau: Bureau
) -> None:
    await bureau.take_whole(bureau.line(RECEIPT, minor=LISTED))
    bureau.pass_days(2)
    pay_in = await telling(till, bureau.age).announce("nobody")
    assert (pay_in.stage, await till.suspense()) == (Stage.SUSPENDED, TOTAL.minor)
    assert await bureau.age() == 0
    assert await bureau.cases() == ["MISSING_HERE", "PAY_IN"]


async def test_what_a_payment_takes_while_a_statement_puts_it_aside_is_there_once(
    till: Till, bureau: Bureau
) -> None:
    payment_id, before = await till.waiting(), await till.float_()
    await bureau.take_whole(bureau.line(RECEIPT, minor=LISTED))
    bureau.pass_days(2)
    await listing(till, lambda: till.announce(code(payment_id))).age()
    assert await till.float_() - before == LISTED
    assert await till.world.state(payment_id) is State.COLLECTING


async def test_a_process_that_dies_before_it_put_money_aside_does_so_when_it_comes_back(
    till: Till, bureau: Bureau
) -> None:
    await bureau.take_whole(bureau.line(RECEIPT, minor=LISTED))
    bureau.pass_days(2)
    with pytest.raises(OurFault):
        await listing(till, dies).age()
    assert (await till.announce("nobody")).stage is Stage.DENIED
    assert await till.suspense() == 0
    assert await bureau.age() == 1
    assert await till.suspense() == LISTED


async def test_a_process_that_dies_before_it_booked_what_was_told_does_so_when_it_comes_back(
    till: Till, bureau: Bureau
) -> None:
    await bureau.take_whole(bureau.line(RECEIPT, minor=LISTED))
    bureau.pass_days(2)
    with pytest.raises(OurFault):
        await telling(till, dies).announce("nobody")
    assert (await bureau.age(), await till.suspense()) == (0, 0)
    till.world.clock.pass_(61)
    await till.sweep()
    assert await till.suspense() == TOTAL.minor


async def test_any_number_of_processes_book_a_receipt_in_one_amount(
    till: Till, bureau: Bureau, database_url: str
) -> None:
    receipts = [f"RKL{n}" for n in range(10, 30)]
    await bureau.take_whole(*[bureau.line(receipt, minor=LISTED) for receipt in receipts])
    bureau.pass_days(2)
    async with open_world(database_url, clock=till.world.clock, seeded=False) as other:
        beside = till_of(other, till.mpesa)

        async def tell(one: Till, told: Sequence[str]) -> None:
            for receipt in told:
                await one.announce("nobody", receipt)

        await asyncio.gather(
            bureau.age(), bureau_of(other).age(), tell(till, receipts), tell(beside, receipts[::-1])
        )
    rows = await till.world.pool.fetch("select key from payment_key where key like 'statement:%'")
    assert sorted(row["key"].split(":")[2] for row in rows) == receipts


async def test_what_was_put_aside_before_receipts_were_claimed_is_known(
    till: Till, bureau: Bureau
) -> None:
    await put_aside(bureau)
    await Owner(till.world.pool).execute("delete from receipt_amount")
    assert (await till.announce("nobody")).stage is Stage.DENIED
    assert await till.suspense() == LISTED


async def test_people_rule_by_an_adjustment(till: Till, bureau: Bureau) -> None:
    """Of what stands there and is not so: nothing here moves it by itself."""
    await put_aside(bureau)
    pay_in = await till.announce("nobody")
    refused = await till.agree(Kind.RETURN_PAY_IN, pay_in=pay_in.id)
    assert (refused.state, till.mpesa.returned) == (Stands.FAILED, [])
    await till.agree(
        Kind.ADJUSTMENT, debit="SUSPENSE:mpesa_ke:KES", credit="FLOAT:mpesa_ke:KES", minor="100"
    )
    assert await till.suspense() == TOTAL.minor
    await till.sweep()
    await bureau.age()
    assert await till.suspense() == TOTAL.minor

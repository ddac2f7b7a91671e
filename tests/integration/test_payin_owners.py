"""A payment's own collection that is announced as a pay-in, under a reference nobody can read.

It is booked with the payment: nothing of it lies in SUSPENSE, goes back to the payer, or to another
payment, whichever word comes first.
"""

from collections.abc import AsyncIterator

import pytest

from engine.clock import PaymentId
from engine.desk.proposals import Kind
from engine.desk.proposals import State as Stands
from engine.errors import OurFault, OutcomeUnknown, Unreachable
from engine.ledger.entries import Manual
from engine.money import Money
from engine.payments.lifecycle import State
from engine.payments.payins.judging import PayIn, Stage
from engine.ports import Finding, Outcome, PaidIn
from tests.integration.owner import Owner
from tests.integration.payins_room import (
    AMINA,
    BRIAN,
    TOTAL,
    Till,
    beside,
    bureau_at,
    code,
    open_till,
)
from tests.integration.test_statements import Bureau

RECEIPT = "RKL51ZDR4F"
LESS = Money(TOTAL.minor - 100, "KES")
IN_ANOTHER = pytest.param(LESS, id="less", marks=pytest.mark.long("what it costs is tried always"))
AMOUNTS = pytest.mark.parametrize("amount", [pytest.param(TOTAL, id="agreed"), IN_ANOTHER])
AGAIN, DAY_SECONDS = 601, 24 * 3600


@pytest.fixture
async def till(seeded_url: str) -> AsyncIterator[Till]:
    async with open_till(seeded_url) as opened:
        yield opened


@pytest.fixture
def bureau(till: Till) -> Bureau:
    return bureau_at(till)


async def collected(till: Till, payment_id: PaymentId, receipt: str = RECEIPT) -> int:
    """The payer's prompt was answered; what the operator holds for us then."""
    won = Finding(Outcome.SUCCEEDED, "0", receipt=receipt)
    await till.world.tell(await till.world.live(payment_id), won)
    return await till.float_()


async def stands(till: Till, pay_in: PayIn) -> tuple[Stage, PaymentId | None, int]:
    """Where it is, whose, and what is put aside."""
    now = await till.again(pay_in)
    return now.stage, now.payment, await till.suspense()


def conflict(amount: Money) -> list[str]:
    return [] if amount == TOTAL else ["CONFLICT"]


@AMOUNTS
async def test_what_has_been_collected_is_not_put_aside(till: Till, amount: Money) -> None:
    payment_id = await till.waiting()
    held = await collected(till, payment_id)
    pay_in = await till.announce("nobody", amount=amount)
    assert await stands(till, pay_in) == (Stage.TAKEN, payment_id, 0)
    assert (await till.float_(), await till.open_cases()) == (held, conflict(amount))


@AMOUNTS
async def test_what_is_collected_after_its_notice_leaves_suspense_by_itself(
    till: Till, amount: Money
) -> None:
    payment_id = await till.waiting()
    pay_in = await till.announce("nobody", amount=amount)
    assert await stands(till, pay_in) == (Stage.SUSPENDED, None, amount.minor)
    held = await collected(till, payment_id)
    till.world.clock.pass_(AGAIN)
    await till.sweep()
    assert await stands(till, pay_in) == (Stage.FOUND, payment_id, 0)
    assert await till.float_() == held - amount.minor
    assert await till.open_cases() == conflict(amount)


async def test_what_nobody_collected_stays_where_it_is_and_is_looked_at_once_more_only(
    till: Till,
) -> None:
    pay_in = await till.announce("nobody")
    till.world.clock.pass_(AGAIN)
    assert await till.room.watch.sweep(100) == 1
    assert await stands(till, pay_in) == (Stage.SUSPENDED, None, TOTAL.minor)
    till.world.clock.pass_(DAY_SECONDS)
    assert await till.room.watch.sweep(100) == 0


@AMOUNTS
async def test_two_people_send_no_payments_collection_back(till: Till, amount: Money) -> None:
    payment_id = await till.waiting()
    pay_in = await till.announce("nobody", amount=amount)
    await collected(till, payment_id)
    asked = await till.agree(Kind.RETURN_PAY_IN, pay_in=pay_in.id)
    assert (asked.state, till.mpesa.returned) == (Stands.FAILED, [])
    assert code(payment_id) in asked.outcome
    assert await stands(till, pay_in) == (Stage.FOUND, payment_id, 0)
    assert await till.open_cases() == conflict(amount)


async def test_two_people_give_no_payments_collection_to_another_payment(till: Till) -> None:
    payment_id, other = await till.waiting(), await till.waiting()
    pay_in = await till.announce("nobody")
    await collected(till, payment_id)
    asked = await till.agree(Kind.ASSIGN_PAY_IN, pay_in=pay_in.id, payment=other)
    assert (asked.state, await till.world.state(other)) == (Stands.FAILED, State.COLLECTING)
    assert await stands(till, pay_in) == (Stage.FOUND, payment_id, 0)


async def test_two_people_may_say_whose_collection_it_is(till: Till) -> None:
    payment_id = await till.waiting()
    pay_in = await till.announce("nobody")
    held = await collected(till, payment_id)
    asked = await till.agree(Kind.ASSIGN_PAY_IN, pay_in=pay_in.id, payment=payment_id)
    assert asked.state is Stands.DONE
    assert (await till.suspense(), await till.float_()) == (0, held - TOTAL.minor)


@AMOUNTS
async def test_a_notice_that_is_late_by_days_is_known_before_people_act(
    till: Till, amount: Money
) -> None:
    payment_id = await till.waiting()
    await collected(till, payment_id)
    till.world.clock.pass_(2 * DAY_SECONDS)
    pay_in = await till.announce("nobody", amount=amount)
    assert (await till.again(pay_in)).stage is Stage.SUSPENDED
    asked = await till.agree(Kind.RETURN_PAY_IN, pay_in=pay_in.id)
    assert (asked.state, till.mpesa.returned) == (Stands.FAILED, [])
    assert await stands(till, pay_in) == (Stage.FOUND, payment_id, 0)


async def test_what_was_collected_two_hours_before_its_notice_is_known_when_that_comes(
    till: Till,
) -> None:
    payment_id = await till.waiting()
    await collected(till, payment_id)
    till.world.clock.pass_(2 * 3600 - 1)
    pay_in = await till.announce("nobody")
    assert await stands(till, pay_in) == (Stage.TAKEN, payment_id, 0)


async def test_what_lies_further_back_is_looked_for_when_people_act_for_three_days(
    till: Till,
) -> None:
    payment_id = await till.waiting()
    await collected(till, payment_id)
    till.world.clock.pass_(2 * 3600 + 60)
    pay_in = await till.announce("nobody")
    assert (await till.again(pay_in)).stage is Stage.SUSPENDED
    late = await till.waiting()
    await collected(till, late, "TKK7RT61SV")
    till.world.clock.pass_(3 * DAY_SECONDS - 60)
    other = await till.announce("nobody", receipt="TKK7RT61SV")
    asked = await till.agree(Kind.RETURN_PAY_IN, pay_in=other.id)
    assert (asked.state, till.mpesa.returned) == (Stands.FAILED, [])
    assert (await till.again(other)).payment == late


async def test_a_collection_that_ended_with_another_receipt_owns_no_pay_in(
    till: Till, bureau: Bureau
) -> None:
    """Whatever a line says that was matched to it."""
    await collected(till, await till.waiting(), "TKK7RT61SV")
    await bureau.take_whole(bureau.line("TKK7RT61SV"))
    await Owner(till.world.pool).force("update statement_line set receipt = $1", RECEIPT)
    assert (await till.announce("nobody")).stage is Stage.SUSPENDED


@AMOUNTS
async def test_what_a_statement_has_listed_is_known_however_late_the_notice(
    till: Till, bureau: Bureau, amount: Money
) -> None:
    payment_id = await till.waiting()
    await collected(till, payment_id)
    await bureau.take_whole(bureau.line(RECEIPT))
    bureau.pass_days(30)
    pay_in = await till.announce("nobody", amount=amount)
    assert await stands(till, pay_in) == (Stage.TAKEN, payment_id, 0)


@AMOUNTS
@pytest.mark.parametrize("listed", [True, False])
async def test_a_comparison_finds_what_was_collected_long_after_its_notice(
    till: Till, bureau: Bureau, amount: Money, listed: bool
) -> None:
    """Also where its day lists another movement alone."""
    payment_id = await till.waiting()
    pay_in = await till.announce("nobody", amount=amount)
    till.world.clock.pass_(AGAIN)
    await till.sweep()
    held = await collected(till, payment_id)
    line = bureau.line(RECEIPT) if listed else bureau.line("R2", minor=5)
    await bureau.take_whole(line)
    assert await stands(till, pay_in) == (Stage.FOUND, payment_id, 0)
    assert await till.float_() == held - amount.minor
    assert "PAY_IN" not in await till.open_cases()
    till.world.clock.pass_(AGAIN)
    await till.sweep()
    assert await till.float_() == held - amount.minor


async def test_what_people_have_begun_to_send_back_is_a_case_once_it_is_collected(
    till: Till, bureau: Bureau
) -> None:
    payment_id = await till.waiting()
    pay_in = await till.announce("nobody")
    await till.agree(Kind.RETURN_PAY_IN, pay_in=pay_in.id)
    assert till.mpesa.returned == [RECEIPT]
    await collected(till, payment_id)
    await bureau.take_whole(bureau.line(RECEIPT))
    assert (await till.again(pay_in)).stage is Stage.RETURNING
    assert "CONFLICT" in await till.open_cases()


async def test_a_return_that_may_have_left_is_not_ordered_again_once_it_is_collected(
    till: Till,
) -> None:
    """It stays until somebody knows what became of it, and people hear of both."""
    payment_id = await till.waiting()
    pay_in = await till.announce("nobody")
    till.mpesa.replies = [OutcomeUnknown("mpesa_ke", "silent")]
    asked = await till.agree(Kind.RETURN_PAY_IN, pay_in=pay_in.id)
    await collected(till, payment_id)
    for _ in range(3):
        till.world.clock.pass_(5 * 3600)
        await till.sweep()
    assert (asked.state, till.mpesa.returned) == (Stands.WAITING, [RECEIPT])
    assert ((await till.again(pay_in)).stage, await till.held()) == (Stage.RETURNING, TOTAL.minor)
    assert "CONFLICT" in await till.open_cases()
    seen = await till.agree(Kind.RETURN_FAILED, proposal=asked.id)
    assert seen.state is Stands.DONE
    again = await till.agree(Kind.RETURN_PAY_IN, pay_in=pay_in.id)
    assert (again.state, till.mpesa.returned) == (Stands.FAILED, [RECEIPT])
    assert await stands(till, pay_in) == (Stage.FOUND, payment_id, 0)


@pytest.mark.parametrize("by", ["the desk", "a sweep"])
async def test_a_return_that_never_left_ends_once_it_is_collected(till: Till, by: str) -> None:
    """A process died between holding it and ordering it, or the operator could not be reached."""
    payment_id = await till.waiting()
    pay_in = await till.announce("nobody")
    teller = till
    if by == "the desk":
        teller = beside(till, after=dies, kind=Manual.RETURN_RESERVED)
    else:
        till.mpesa.replies = [Unreachable("mpesa_ke", "refused")]
    asked = await teller.office.desk.propose(
        Kind.RETURN_PAY_IN, {"pay_in": pay_in.id}, by=AMINA, note="they called"
    )
    with pytest.raises(OurFault):
        await teller.office.desk.approve(asked.id, by=BRIAN)
    tried = list(till.mpesa.returned)
    assert await till.held() == TOTAL.minor
    await collected(till, payment_id)
    till.world.clock.pass_(2 * 3600)
    await (till.office.desk.carry_out_approved() if by == "the desk" else till.sweep())
    ended = await till.office.proposals.get(asked.id)
    assert (ended.state, till.mpesa.returned) == (Stands.FAILED, tried)
    assert await till.held() == 0
    assert await stands(till, pay_in) == (Stage.FOUND, payment_id, 0)


async def test_what_a_statement_put_aside_is_of_who_collected_it_not_of_who_is_named(
    till: Till, bureau: Bureau
) -> None:
    named, owner = await till.waiting(), await till.waiting()
    await bureau.take_whole(bureau.line(RECEIPT))
    bureau.pass_days(2)
    assert (await bureau.age(), await till.suspense()) == (1, TOTAL.minor)
    held = await collected(till, owner)
    pay_in = await till.announce(code(named))
    assert await stands(till, pay_in) == (Stage.TAKEN, owner, 0)
    assert await till.float_() == held - TOTAL.minor
    assert await till.world.state(named) is State.COLLECTING


async def test_a_receipt_that_two_payments_have_is_a_case(till: Till, bureau: Bureau) -> None:
    first, second = await till.waiting(), await till.waiting()
    pay_in = await till.announce(code(first))
    await collected(till, second)
    await bureau.take_whole(bureau.line(RECEIPT))
    assert await stands(till, pay_in) == (Stage.TAKEN, first, 0)
    assert "CONFLICT" in await till.open_cases()


async def dies() -> None:
    raise OurFault("killed")


async def test_what_is_looked_at_again_is_not_sent_back_before_people_have_held_it(
    till: Till,
) -> None:
    """A sweep would order the return of what two people have only begun with."""
    pay_in = await till.announce("nobody")
    dying = beside(till, before=dies, kind=Manual.RETURN_RESERVED)
    with pytest.raises(OurFault):
        await dying.agree(Kind.RETURN_PAY_IN, pay_in=pay_in.id)
    assert (await till.again(pay_in)).stage is Stage.RETURNING
    till.world.clock.pass_(AGAIN)
    await till.sweep()
    assert (await till.held(), till.mpesa.returned) == (0, [])


# Two processes at once, and one that dies in between.


@AMOUNTS
async def test_who_puts_it_aside_after_its_owner_was_found_takes_it_out_again(
    till: Till, amount: Money
) -> None:
    payment_id = await till.waiting()

    async def is_found() -> None:
        await collected(till, payment_id)
        found = await till.announce("nobody", amount=amount)
        assert found.stage is Stage.TAKEN

    pay_in = await beside(till, before=is_found).announce("nobody", amount=amount)
    assert await stands(till, pay_in) == (Stage.TAKEN, payment_id, 0)
    assert await till.open_cases() == conflict(amount)


async def test_a_process_that_dies_having_put_it_aside_leaves_it_to_the_next_look(
    till: Till,
) -> None:
    """The collection ends before anybody looks again."""
    payment_id = await till.waiting()
    with pytest.raises(OurFault):
        await beside(till, after=dies).announce(code(payment_id), payer="254700000009")
    assert await till.suspense() == TOTAL.minor
    held = await collected(till, payment_id)
    till.world.clock.pass_(61)
    await till.sweep()
    assert await till.suspense() == 0
    assert await till.float_() == held - TOTAL.minor
    rows = await till.world.pool.fetch("select stage from pay_in")
    assert [Stage(row["stage"]) for row in rows] == [Stage.TAKEN]


async def test_a_process_that_dies_having_put_aside_what_another_found_is_mended_by_a_sweep(
    till: Till,
) -> None:
    payment_id = await till.waiting()
    found: list[PayIn] = []

    async def is_found() -> None:
        await collected(till, payment_id)
        found.append(await till.announce("nobody"))

    with pytest.raises(OurFault):
        await beside(till, before=is_found, after=dies).announce("nobody")
    assert await stands(till, found[0]) == (Stage.TAKEN, payment_id, TOTAL.minor)
    till.world.clock.pass_(AGAIN)
    await till.sweep()
    assert await stands(till, found[0]) == (Stage.TAKEN, payment_id, 0)


async def test_a_process_that_dies_having_found_its_owner_is_mended_by_a_sweep(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment_id = await till.waiting()
    pay_in = await till.announce("nobody")
    await collected(till, payment_id)
    till.world.clock.pass_(AGAIN)
    with monkeypatch.context() as patch:
        patch.setattr(till.room.owners._strays, "take_back", lambda _: dies())
        await till.sweep()
    assert await stands(till, pay_in) == (Stage.FOUND, payment_id, TOTAL.minor)
    till.world.clock.pass_(AGAIN)
    await till.sweep()
    assert await stands(till, pay_in) == (Stage.FOUND, payment_id, 0)


# What is no collection of this operator's.


async def announced_in_uganda(till: Till) -> PayIn:
    """At the operator that pays out, and proven."""
    paid = PaidIn(RECEIPT, Money(500_000, "UGX"), "nobody", "")
    heard = await till.room.pay_ins.hear("mtn_ug", paid, proven=True)
    await till.room.pay_ins.look(heard.id, may_call=False)
    return await till.again(heard)


async def test_another_operators_collection_owns_no_pay_in(till: Till) -> None:
    """Two operators may give one number to two movements."""
    await collected(till, await till.waiting())
    assert (await announced_in_uganda(till)).stage is Stage.SUSPENDED


async def test_a_payouts_receipt_owns_no_pay_in(till: Till) -> None:
    """An operator may number what comes and what goes each by itself."""
    payment_id = await till.waiting()
    await collected(till, payment_id, "TKK7RT61SV")
    await till.world.dispatched()
    paid = Finding(Outcome.SUCCEEDED, "0", receipt=RECEIPT)
    await till.world.tell(await till.world.live(payment_id), paid)
    assert await till.world.state(payment_id) is State.PAID
    assert (await announced_in_uganda(till)).stage is Stage.SUSPENDED


async def test_a_collection_that_failed_owns_no_pay_in(till: Till) -> None:
    payment_id = await till.waiting()
    lost = Finding(Outcome.FAILED, "1032", receipt=RECEIPT)
    await till.world.tell(await till.world.live(payment_id), lost)
    assert (await till.announce("nobody")).stage is Stage.SUSPENDED

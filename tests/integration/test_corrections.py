"""Corrections are new rows, by two people, each once, and never under a payment's feet."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from engine.desk.proposals import Kind, Proposal, State
from engine.errors import SamePerson
from engine.ledger.chart import Kind as A
from engine.ledger.entries import Manual
from engine.ledger.findings import Law
from engine.payments.statements.suspense import Suspense
from tests.integration.books import assert_books
from tests.integration.desk_room import ASHA, CHEP, POOL_UGX, Room, open_room
from tests.integration.owner import Owner
from tests.unit.payments.examples import MPESA
from tests.unit.payments.statements.examples import line as example_line


@pytest.fixture
async def room(database_url: str) -> AsyncIterator[Room]:
    async with open_room(database_url) as opened:
        yield opened
        await assert_books(opened.pool)


async def topped_up(room: Room, minor: int = 500) -> Proposal:
    proposal = await room.agreed(Kind.TOP_UP, operator="mtn_ug", minor=minor)
    return await room.office.desk.see(proposal.id, f"R-{proposal.id}", by=CHEP)


async def test_a_reversal_is_a_new_row_that_names_the_old_one(room: Room) -> None:
    wrong = await topped_up(room)
    before = await room.pool.fetchrow("select * from journal where payment = $1", wrong.id)
    mended = await room.agreed(Kind.CORRECTION, payment=wrong.id, version=1)
    assert mended.state is State.DONE
    assert await room.minor(A.POOL_AVAIL, "UGX") == POOL_UGX
    row = await room.pool.fetchrow("select * from journal where payment = $1", mended.id)
    assert row["state"] == Manual.REVERSED
    assert (row["debits"], row["credits"]) == (before["credits"], before["debits"])
    assert row["facts"].startswith(f'{{"about":"{wrong.id}","version":1,')
    assert await room.pool.fetchrow("select * from journal where payment = $1", wrong.id) == before


async def test_a_row_is_reversed_once_whoever_asks(room: Room) -> None:
    wrong = await topped_up(room)
    first = await room.agreed(Kind.CORRECTION, payment=wrong.id, version=1)
    second = await room.agreed(Kind.CORRECTION, payment=wrong.id, version=1)
    assert second.state is State.FAILED
    assert first.id in second.outcome
    assert await room.minor(A.POOL_AVAIL, "UGX") == POOL_UGX
    undone = await room.agreed(Kind.CORRECTION, payment=first.id, version=1)
    assert undone.state is State.DONE
    assert await room.minor(A.POOL_AVAIL, "UGX") == POOL_UGX + 500


async def test_a_correction_of_a_correction_speaks_of_the_payment(room: Room) -> None:
    """However often people change their minds, no money is left standing for anybody else."""
    paid = await room.pay_whole()
    before = await _amounts(room)
    last = await room.agreed(Kind.CORRECTION, payment=paid.payment, version=paid.version + 1)
    for _ in range(3):
        last = await room.agreed(Kind.CORRECTION, payment=last.id, version=1)
        assert last.state is State.DONE, last.outcome
        facts = await room.pool.fetchval("select facts from journal where payment = $1", last.id)
        assert facts.startswith(f'{{"about":"{paid.payment}","version":1,')
    assert await _amounts(room) == before
    assert (await room.office.auditor.audit()).findings == ()


async def test_an_adjustment_taken_back_leaves_nothing_to_ask(room: Room) -> None:
    over = await room.fail(await room.reserve())
    half = {"debit": "FLOAT:mpesa_ke:KES", "credit": "CUSTOMER_FUNDS:KES", "minor": 7}
    wrong = await room.agreed(Kind.ADJUSTMENT, **half, payment=over.payment)
    back = await room.agreed(Kind.CORRECTION, payment=wrong.id, version=1)
    assert back.state is State.DONE, back.outcome
    assert await room.minor(A.CUSTOMER_FUNDS, "KES") == 0
    assert (await room.office.auditor.audit()).findings == ()


@pytest.mark.parametrize("how", ["due = 1", "live = id"])
async def test_a_correction_is_not_taken_back_while_its_payment_is_under_way(
    room: Room, how: str
) -> None:
    """Also one that waits for people, with an attempt that may be moving money."""
    over = await room.fail(await room.reserve())
    adjusted = await room.agreed(
        Kind.ADJUSTMENT, debit="POOL_AVAIL:UGX", credit="POOL_HELD:UGX", minor=5,
        payment=over.payment,
    )  # fmt: skip
    await Owner(room.pool).execute(f"update payment set {how} where id = $1", over.payment)
    refused = await room.agreed(Kind.CORRECTION, payment=adjusted.id, version=1)
    assert refused.state is State.FAILED
    assert f"{over.payment} is still under way" in refused.outcome


async def test_what_nobody_claimed_is_assigned_or_returned_and_not_corrected(room: Room) -> None:
    """Else it would come out of SUSPENSE once more when its owner is found."""
    suspense = Suspense(room.pool, 1, room.committer, room.ids)
    line = example_line(minor=700)
    await suspense.put(MPESA, line)
    entry = (await room.pool.fetchval("select payment from journal where state = 110")).hex
    refused = await room.agreed(Kind.CORRECTION, payment=entry, version=1)
    assert (refused.state, "assigned or returned" in refused.outcome) == (State.FAILED, True)
    await suspense.take_back(line)
    assert await room.minor(A.SUSPENSE, "KES", MPESA.code) == 0
    entry = (await room.pool.fetchval("select payment from journal where state = 111")).hex
    refused = await room.agreed(Kind.CORRECTION, payment=entry, version=1)
    assert (refused.state, "assigned or returned" in refused.outcome) == (State.FAILED, True)
    assert await room.minor(A.SUSPENSE, "KES", MPESA.code) == 0


async def test_a_live_payment_keeps_the_ground_it_stands_on(room: Room) -> None:
    live = await room.reserve()
    refused = await room.agreed(Kind.CORRECTION, payment=live.payment, version=1)
    adjusted = await room.agreed(
        Kind.ADJUSTMENT, debit="POOL_HELD:UGX", credit="POOL_AVAIL:UGX", minor=1,
        payment=live.payment,
    )  # fmt: skip
    assert {refused.state, adjusted.state} == {State.FAILED}
    assert "still under way" in refused.outcome
    await room.pay(await room.collect(live))


async def test_a_withdrawal_is_not_corrected_away_from_another(room: Room) -> None:
    withdrawal = await room.agreed(Kind.WITHDRAWAL, operator="mtn_ug", minor=5)
    refused = await room.agreed(Kind.CORRECTION, payment=withdrawal.id, version=1)
    assert (refused.state, "cancelled" in refused.outcome) == (State.FAILED, True)


async def test_a_correction_that_would_take_promised_money_is_refused(room: Room) -> None:
    wrong = await topped_up(room, 500)
    await room.agreed(Kind.WITHDRAWAL, operator="mtn_ug", minor=POOL_UGX)
    refused = await room.agreed(Kind.CORRECTION, payment=wrong.id, version=1)
    assert refused.state is State.DONE  # 500 were still free
    again = await topped_up(room, 500)
    await room.agreed(Kind.WITHDRAWAL, operator="mtn_ug", minor=500)
    refused = await room.agreed(Kind.CORRECTION, payment=again.id, version=1)
    assert (refused.state, "below zero" in refused.outcome) == (State.FAILED, True)


async def test_an_adjustment_repeated_after_a_crash_is_the_same_though_the_payment_moved_on(
    room: Room,
) -> None:
    over = await room.fail(await room.reserve())
    adjusted = await room.agreed(
        Kind.ADJUSTMENT, debit="FLOAT:mpesa_ke:KES", credit="CUSTOMER_FUNDS:KES", minor=7,
        payment=over.payment,
    )  # fmt: skip
    assert adjusted.state is State.DONE
    await room.pool.execute("update payment set due = 1 where id = $1", over.payment)
    await room.pool.execute("update proposal set state = 'approved', outcome = ''")
    await room.office.desk.carry_out_approved()
    assert (await room.office.proposals.get(adjusted.id)).state is State.DONE
    assert await room.minor(A.CUSTOMER_FUNDS, "KES") == 7


async def test_the_auditor_asks_for_the_second_half_of_a_half_done_correction(room: Room) -> None:
    """What a correction leaves standing for a payment that is over is somebody's to finish."""
    over = await room.fail(await room.reserve())
    half = {"debit": "FLOAT:mpesa_ke:KES", "credit": "CUSTOMER_FUNDS:KES", "minor": 7}
    await room.agreed(Kind.ADJUSTMENT, **half, payment=over.payment)
    findings = (await room.office.auditor.audit()).findings
    assert [(f.law, f.payment) for f in findings] == [(Law.REST, over.payment)]
    other = {"debit": "CUSTOMER_FUNDS:KES", "credit": "SUSPENSE:mpesa_ke:KES", "minor": 7}
    await room.agreed(Kind.ADJUSTMENT, **other, payment=over.payment)
    assert (await room.office.auditor.audit()).findings == ()


async def test_a_write_off_turns_hope_into_loss(room: Room) -> None:
    await room.agreed(Kind.ADJUSTMENT, debit="RECOVERABLE:UGX", credit="FLOAT:mtn_ug:UGX", minor=90)
    ended = await room.agreed(Kind.WRITE_OFF, currency="UGX", minor=90)
    assert ended.state is State.DONE
    assert (await room.minor(A.LOSS, "UGX"), await room.minor(A.RECOVERABLE, "UGX")) == (90, 0)


async def test_no_correction_without_a_second_person(room: Room) -> None:
    wrong = await topped_up(room)
    asked: list[tuple[Kind, dict[str, Any]]] = [
        (Kind.CORRECTION, {"payment": wrong.id, "version": 1}),
        (Kind.ADJUSTMENT, {"debit": "LOSS:UGX", "credit": "FLOAT:mtn_ug:UGX", "minor": 1}),
        (Kind.WRITE_OFF, {"currency": "UGX", "minor": 1}),
    ]
    for kind, fields in asked:
        proposal = await room.propose(kind, **fields)
        await room.office.desk.carry_out_approved()
        with pytest.raises(SamePerson):
            await room.office.desk.approve(proposal.id, by=ASHA)
        assert (await room.office.proposals.get(proposal.id)).state is State.PROPOSED
        assert (
            await room.pool.fetchval("select count(*) from journal where payment = $1", proposal.id)
            == 0
        )


async def _amounts(room: Room) -> list[tuple[int, int]]:
    lines = await room.office.books.trial_balance()
    return [(line.number, line.minor) for line in lines if line.minor]

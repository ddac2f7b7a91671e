"""The auditor finds what was broken, names it, tells once, and changes nothing."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from engine.clock import PaymentId
from engine.decisions import Decision
from engine.decisions import Kind as About
from engine.desk.proposals import Kind
from engine.ledger import pool_postings
from engine.ledger.auditor import Pace, Report
from engine.ledger.chart import Account
from engine.ledger.chart import Kind as AccountKind
from engine.ledger.entries import Manual
from engine.ledger.findings import Law
from engine.ledger.plans import CREATE, Plan, Verdict
from engine.payments.evidence import Source
from engine.payments.facts import Ruling
from engine.payments.lifecycle import State
from engine.payments.policy import Clearance
from engine.payments.stepping import Heard
from engine.ports import Direction, Finding, Outcome
from tests.integration.books import assert_books
from tests.integration.desk_room import BABU, CHEP, HELD, Room, open_room
from tests.integration.owner import Owner
from tests.integration.world import FAILED, SUCCEEDED, TestClock, World, open_world
from tests.unit.payments.examples import ROUTE

PACE = Pace(lag_seconds=5, block_seconds=10, block_entries=50)
SEALED_AFTER = 20
FAR_BEHIND = 700
"""A clock that no commit follows any more (`migrations/sql/0046_fence.sql`)."""


@pytest.fixture
async def room(database_url: str) -> AsyncIterator[Room]:
    clock = TestClock()
    clock.begin_a_month()
    async with open_room(database_url, clock=clock, pace=PACE) as opened:
        yield opened


async def audit(room: Room) -> Report:
    return await room.office.auditor.audit()


async def found(room: Room) -> set[tuple[Law, str]]:
    return {(finding.law, finding.payment) for finding in (await audit(room)).findings}


async def sealed(room: Room) -> Report:
    """All that there is now lies in blocks."""
    room.clock.pass_(SEALED_AFTER)
    report = await room.office.auditor.audit_all()
    assert not report.behind
    return report


async def blocks(room: Room) -> int:
    return int(await room.pool.fetchval("select count(*) from audit_block"))


async def busy(room: Room) -> list[Plan]:
    """Payments in every position, and some that are over; the last four are live."""
    over = [await room.pay_whole() for _ in range(3)]
    over.append(await room.fail(await room.reserve()))
    reserved = [await room.reserve(), await room.reserve()]
    paying = [await room.collect(await room.reserve()) for _ in range(2)]
    return [*over, *reserved, *paying]


async def test_right_books_are_right_sealed_or_not_and_while_they_go_on(room: Room) -> None:
    plans = await busy(room)
    assert await audit(room) == Report(0, 0, (), behind=False)
    assert (await sealed(room)).findings == ()
    assert await blocks(room) >= 1
    for plan in plans[-2:]:  # begun in sealed history, ended after it
        await room.pay(plan)
    await room.fail(plans[4])
    withdrawal = await room.agreed(Kind.WITHDRAWAL, operator="mtn_ug", minor=10)
    await room.office.desk.see(withdrawal.id, "OUT-1", by=CHEP)
    assert (await audit(room)).findings == ()
    assert (await sealed(room)).findings == ()
    left = await room.pool.fetch("select payment, minor from audit_position")
    assert [(r["payment"].hex, r["minor"]) for r in left] == [(plans[5].payment, HELD)]
    await assert_books(room.pool)


async def test_what_is_sealed_is_not_added_up_again(room: Room) -> None:
    """Turn a sealed row into another: the sums stand, only comparing the block finds it."""
    await busy(room)
    await sealed(room)
    await Owner(room.pool).execute("update journal set amounts = array[999999] where state = 3")
    report = await audit(room)
    assert {f.law for f in report.findings} == {Law.CHANGED}
    assert report.sealed == 0


async def test_payments_of_the_real_engine_break_no_law_at_any_step(database_url: str) -> None:
    """The laws are about rows; this holds them against the lifecycle that makes the rows."""
    async with open_world(database_url) as world, open_room(database_url, pace=PACE) as room:
        for collected, paid in ((True, True), (True, False), (False, False)):
            payment_id = await world.confirm()
            for truth in (collected, paid, True):
                await world.dispatched()
                assert (await audit(room)).findings == ()
                live = (await world.payment(payment_id)).live
                if live is not None:
                    await world.tell(live, SUCCEEDED if truth else FAILED)
            await world.dispatched()
            assert (await audit(room)).findings == ()
        room.clock.pass_(SEALED_AFTER)
        assert (await room.office.auditor.audit_all()).findings == ()


async def test_payments_that_wait_for_people_or_operators_break_no_law(database_url: str) -> None:
    held = Clearance(Decision(About.COMPLIANCE, "hold", "a name on a list", {}))
    async with open_world(database_url) as world, open_room(database_url, pace=PACE) as room:

        async def whole() -> None:
            await world.dispatched()
            assert (await audit(room)).findings == ()

        async def collected() -> PaymentId:
            payment_id = await world.confirm()
            await whole()
            await world.tell(await world.live(payment_id), SUCCEEDED)
            await whole()
            return payment_id

        world.policy.clearance = held
        for rule in (world.rulings.release, world.rulings.refund):
            payment_id = await collected()
            assert await rule(payment_id, Ruling("looked into"))
            await whole()
            await world.tell(await world.live(payment_id), SUCCEEDED)
            await whole()
        world.policy.clearance = Clearance()
        world.policy.closed = {"mtn_ug"}
        queued = await collected()
        world.policy.closed = set()
        assert await world.rulings.order_payout(await world.payment(queued))
        await whole()
        for rule in (world.rulings.repay, world.rulings.refund):
            attempt_id = await world.live(queued)
            await world.tell(attempt_id, SUCCEEDED)
            await world.tell(attempt_id, Finding(Outcome.REVERSED, "undone"), Source.QUERY)
            await whole()
            assert await rule(queued, Ruling("looked into"))
            await whole()
        cancelled = await _unsent(world)
        assert await world.rulings.cancel(cancelled, Ruling("the payer asked"))
        await whole()


async def test_late_money_unknown_ends_and_refunds_tried_again_break_no_law(
    database_url: str,
) -> None:
    async with open_world(database_url) as world, open_room(database_url, pace=PACE) as room:

        async def told(payment_id: PaymentId, finding: Finding, *, unclear: bool = True) -> None:
            live = await world.live(payment_id)
            if unclear:
                await world.payments.record_unclear(await world.payment(payment_id), live)
            assert (await audit(room)).findings == ()
            await world.tell(live, finding)
            await world.dispatched()
            assert (await audit(room)).findings == ()

        cancelled = await _unsent(world)
        prompt = await world.live(cancelled)
        assert await world.rulings.cancel(cancelled, Ruling("the payer asked"))
        assert await world.tell(prompt, SUCCEEDED, Source.QUERY) is Heard.ADVANCED
        await told(cancelled, SUCCEEDED)
        assert await world.state(cancelled) is State.REFUNDED
        failing = await world.confirm()
        await world.dispatched()
        for finding in (SUCCEEDED, FAILED, FAILED):  # collected, not paid out, not given back
            await told(failing, finding)
        assert await world.state(failing) is State.REFUND_DUE
        await world.payments.order_refund(await world.payment(failing))
        await world.dispatched()
        await told(failing, SUCCEEDED)
        assert await world.state(failing) is State.REFUNDED
        declined = await world.confirm()
        await world.dispatched()
        await told(declined, FAILED)
        assert await world.state(declined) is State.COLLECT_FAILED


async def _unsent(world: World) -> PaymentId:
    world.dispatching = False
    try:
        return await world.confirm()
    finally:
        world.dispatching = True


async def test_a_balance_changed_by_hand_is_named_with_what_is_too_much(room: Room) -> None:
    await busy(room)
    for delta in (7, -7):
        account = ROUTE.destination_float
        change = "update balance set amount = amount + $2 where id = $1"
        await Owner(room.pool).execute(change, account, delta)
        (finding,) = (await audit(room)).findings
        assert finding.law is Law.BALANCE
        assert f"FLOAT mtn_ug UGX holds {delta} more" in finding.detail
        await Owner(room.pool).execute(change, account, -delta)
        assert await found(room) == set()
        await sealed(room)  # and again with everything in blocks


async def test_a_balance_of_an_account_that_the_journal_does_not_know_is_named(room: Room) -> None:
    loss = Account(1, "KES", AccountKind.LOSS).number
    await Owner(room.pool).execute("insert into balance values ($1, false, 5)", loss)
    (finding,) = (await audit(room)).findings
    assert (finding.law, finding.payment) == (Law.BALANCE, f"{loss:032x}")


async def test_a_breach_is_told_once_while_the_payments_go_on(
    room: Room, caplog: pytest.LogCaptureFixture
) -> None:
    await Owner(room.pool).execute(
        "update balance set amount = amount - 7 where id = $1", ROUTE.destination_float
    )
    for _ in range(3):
        await room.pay_whole()
        assert {law for law, _ in await found(room)} == {Law.BALANCE}
    cases = await room.office.cases.open_cases(kind="AUDIT")
    assert len(cases) == 1
    assert [r.levelname for r in caplog.records].count("ERROR") == 1
    stored = await room.pool.fetchval(
        "select amount from balance where id = $1", ROUTE.destination_float
    )
    assert stored == -(1_000_000 - 3 * HELD) - 7  # it corrects nothing


async def test_what_was_closed_and_is_still_wrong_is_told_again_the_next_day(room: Room) -> None:
    """Also what was corrected and came back to the unit."""

    async def change(minor: int) -> None:
        await Owner(room.pool).execute(
            "update balance set amount = amount + $1 where id = $2", minor, ROUTE.destination_float
        )

    async def open_cases() -> int:
        await audit(room)
        return len(await room.office.cases.open_cases(kind="AUDIT"))

    async def close() -> None:
        await room.pool.execute(
            "update case_file set closed_ms = $1, closed_by = 'asha', note = 'known'"
            " where closed_ms is null",
            int(room.clock.epoch() * 1000),
        )

    await change(7)
    for _ in range(2):
        assert await open_cases() == 1
        room.clock.pass_(2 * 86_400)  # an open one is not told of again
    await close()
    room.clock.pass_(86_000)
    assert await open_cases() == 0
    room.clock.pass_(800)
    assert await open_cases() == 1
    await close()
    await change(-7)
    room.clock.pass_(2 * 86_400)
    assert await open_cases() == 0
    await change(7)
    assert await open_cases() == 1
    await change(-7)
    notes = await room.pool.fetch("select note from case_file where kind = 'AUDIT' order by note")
    assert [row["note"] for row in notes] == ["known", "known", None]


async def test_what_has_happened_is_told_once(room: Room) -> None:
    paid = await room.pay_whole()
    await sealed(room)
    await Owner(room.pool).execute(
        "update journal set at_ms = at_ms + 1 where payment = $1 and version = 1", paid.payment
    )
    assert {law for law, _ in await found(room)} == {Law.CHANGED}
    await room.pool.execute("update case_file set closed_ms = 1, closed_by = 'asha', note = 'seen'")
    room.clock.pass_(2 * 86_400)
    assert {law for law, _ in await found(room)} == {Law.CHANGED}
    assert await room.office.cases.open_cases(kind="AUDIT") == []


async def test_an_old_row_that_was_changed_is_named_exactly(room: Room) -> None:
    plans = await busy(room)
    await sealed(room)
    victim = plans[1]
    for change in ("amounts[1] = amounts[1] + 1", "facts = '{}'", "state = 12"):
        await Owner(room.pool).execute(
            f"update journal set {change} where payment = $1 and version = 2", victim.payment
        )
        assert (Law.CHANGED, victim.payment) in await found(room)
    findings = (await audit(room)).findings
    assert [f.payment for f in findings] == [victim.payment]
    assert findings[0].detail.startswith("version 2 was written after block")


async def test_a_row_that_is_gone_is_named_exactly(room: Room) -> None:
    plans = await busy(room)
    await sealed(room)
    await Owner(room.pool).execute(
        "delete from journal where payment = $1 and version = 2", plans[1].payment
    )
    await Owner(room.pool).execute(
        "delete from journal where payment = $1 and version = 3", plans[2].payment
    )
    assert await found(room) == {
        (Law.MISSING, plans[1].payment),
        (Law.MISSING, plans[2].payment),
    }


async def test_a_row_that_is_gone_hides_behind_no_row_that_was_changed(room: Room) -> None:
    plans = await busy(room)
    await sealed(room)
    await Owner(room.pool).execute(
        "delete from journal where payment = $1 and version = 2", plans[1].payment
    )
    await Owner(room.pool).execute(
        "update journal set facts = '{}' where payment = $1 and version = 2", plans[2].payment
    )
    assert await found(room) == {
        (Law.MISSING, plans[1].payment),
        (Law.CHANGED, plans[2].payment),
    }


async def test_a_payment_that_is_gone_with_all_its_rows_leaves_a_block_that_is_too_small(
    room: Room,
) -> None:
    plans = await busy(room)
    await sealed(room)
    for table, column in (("journal", "payment"), ("payment", "id"), ("attempt", "payment")):
        await Owner(room.pool).execute(f"delete from {table} where {column} = $1", plans[0].payment)
    (finding,) = (await audit(room)).findings
    assert finding.law is Law.CHANGED
    assert "sealed with" in finding.detail


async def test_a_row_put_into_sealed_history_is_named_and_then_counted(room: Room) -> None:
    """A clock that was wrong or a forger: a person judges; the sums go on being right."""
    await busy(room)
    await sealed(room)
    moment = room.clock.epoch()
    room.clock.pass_(-FAR_BEHIND)
    late = await room.pay_whole()
    room.clock.pass_(moment - room.clock.epoch())
    assert await found(room) == {(Law.LATE, late.payment)}
    assert len(await room.office.cases.open_cases(kind="AUDIT")) == 3  # one a row
    assert await found(room) == set()
    await Owner(room.pool).execute(
        "update journal set amounts[1] = 1 where payment = $1 and version = 1", late.payment
    )
    assert await found(room) == {(Law.CHANGED, late.payment)}


async def test_what_becomes_visible_late_explains_a_balance_before_it_is_called_wrong(
    database_url: str,
) -> None:
    """In a block that this sweep would not have compared."""
    pace = msgspec.structs.replace(PACE, blocks_checked_most=1)
    async with open_room(database_url, pace=pace) as room:
        for _ in range(2):
            await room.pay_whole()
            await sealed(room)
        late = await room.pay_whole()
        await Owner(room.pool).execute(
            "update journal set at_ms = at_ms - 20000 where payment = $1", late.payment
        )
        assert await found(room) == {(Law.LATE, late.payment)}
        assert await found(room) == set()


async def test_very_many_late_rows_are_one_case_and_all_counted(room: Room) -> None:
    await busy(room)
    await sealed(room)
    moment = room.clock.epoch()
    room.clock.pass_(-FAR_BEHIND)
    for _ in range(20):
        await room.pay_whole()
    room.clock.pass_(moment - room.clock.epoch())
    (finding,) = (await audit(room)).findings
    assert (finding.law, finding.detail.split(":")[0].split()[-2:]) == (Law.LATE, ["60", "rows"])
    assert await found(room) == set()


async def test_a_chain_that_was_altered_to_fit_is_found(room: Room) -> None:
    await busy(room)
    await sealed(room)
    await room.pay_whole()
    await sealed(room)
    assert await blocks(room) >= 2
    await Owner(room.pool).execute(
        "update audit_block set digest = sha256('x'), hash = sha256('y') where number = 1"
    )
    laws = {law for law, _ in await found(room)}
    assert laws == {Law.CHAIN, Law.CHANGED}


async def test_a_chain_whose_first_block_is_gone_is_found_though_the_rest_was_altered_to_fit(
    room: Room,
) -> None:
    for _ in range(2):
        await room.pay_whole()
        await sealed(room)
    await Owner(room.pool).execute("delete from audit_block where number = 1")
    await Owner(room.pool).execute("update audit_block set hash = sha256(digest)")
    assert Law.CHAIN in {law for law, _ in await found(room)}


async def test_the_last_hash_stands_for_all_that_was_sealed(room: Room) -> None:
    await busy(room)
    await sealed(room)
    before = await room.office.auditor.heads()
    assert len(before) == 1
    await room.pay_whole()
    assert await room.office.auditor.heads() == before
    await sealed(room)
    after = await room.office.auditor.heads()
    assert after.keys() == before.keys()
    assert after != before


async def test_an_entry_that_leaves_its_book_or_its_tenant_is_named(room: Room) -> None:
    forged = {
        "foreign": (Account(2, "UGX", AccountKind.POOL_AVAIL).number,) * 2,
        "crossing": (ROUTE.pool_avail, ROUTE.customer_funds),
    }
    for debit, credit in forged.values():
        payment = room.ids.payment()
        await Owner(room.pool).execute(
            "insert into payment (id, tenant, state, version, way, terms)"
            " values ($1, 1, 3, 1, 0, 1)",
            payment,
        )
        await Owner(room.pool).execute(
            "insert into journal (payment, version, tenant, state, at_ms, debits, credits, amounts)"
            " values ($1, 1, 1, 3, $2, array[$3::bigint], array[$4::bigint], array[5])",
            payment, int(room.clock.epoch() * 1000), debit, credit,
        )  # fmt: skip
        assert (Law.ENTRY, payment) in await found(room)


async def test_a_row_of_two_people_without_a_proposal_is_named(room: Room) -> None:
    for state in (Manual.TOPPED_UP, 150):  # one of a kind nobody knows, too
        forged = Plan(
            room.ids.payment(), CREATE, 1, state, key=f"by hand {state}",
            transfers=((ROUTE.destination_float, ROUTE.pool_avail, 5),),
        )  # fmt: skip
        assert await room.committed(forged) is Verdict.APPLIED
        assert (Law.TWO_PEOPLE, forged.payment) in await found(room)
    before = await found(room)
    assert len(before) == 2
    rightful = await room.agreed(Kind.TOP_UP, operator="mtn_ug", minor=5)
    await room.office.desk.see(rightful.id, "R", by=CHEP)
    assert await found(room) == before
    await Owner(room.pool).execute(
        "update proposal set state = 'rejected' where id = $1", rightful.id
    )
    assert (Law.TWO_PEOPLE, rightful.id) in await found(room)


async def agreed_on_everything(room: Room) -> dict[str, str]:
    """One of each that people book, carried out; by the state of its last row, its id."""
    booked: dict[str, Any] = {}
    seen = {
        Kind.TOP_UP: {"operator": "mtn_ug", "minor": 50},
        Kind.WITHDRAWAL: {"operator": "mtn_ug", "minor": 10},
        Kind.REBALANCE: {"source": "mtn_ug", "target": "airtel_ug", "minor": 7},
    }
    for kind, fields in seen.items():
        booked[kind] = await room.agreed(kind, **fields)
        await room.office.desk.see(booked[kind].id, f"R {kind}", by=CHEP)
    back = await room.agreed(Kind.WITHDRAWAL, operator="mtn_ug", minor=9)
    await room.agreed(Kind.CANCEL_WITHDRAWAL, withdrawal=back.id)
    booked[Kind.CANCEL_WITHDRAWAL] = back
    of_top_up = {"payment": booked[Kind.TOP_UP].id, "version": 1}
    booked[Kind.CORRECTION] = await room.agreed(Kind.CORRECTION, **of_top_up)
    for debit in ("LOSS:UGX", "RECOVERABLE:UGX"):
        fields = {"debit": debit, "credit": "OPERATOR_COST:mtn_ug:UGX", "minor": 3}
        booked[Kind.ADJUSTMENT] = await room.agreed(Kind.ADJUSTMENT, **fields)
    booked[Kind.WRITE_OFF] = await room.agreed(Kind.WRITE_OFF, currency="UGX", minor=2)
    return {kind: proposal.id for kind, proposal in booked.items()}


async def test_what_two_people_agreed_on_is_what_is_booked(room: Room) -> None:
    booked = await agreed_on_everything(room)
    rows = await room.pool.fetch("select distinct state from journal where state >= 101")
    assert len(rows) == 8 and len(booked) == 7
    assert (await audit(room)).findings == ()
    assert (await sealed(room)).findings == ()


BODIES = {
    Kind.TOP_UP: ({"operator": "mtn_ug", "minor": 51}, {"operator": "airtel_ug", "minor": 50}),
    Kind.WITHDRAWAL: ({"operator": "mtn_ug", "minor": 11},),
    Kind.REBALANCE: ({"source": "airtel_ug", "target": "mtn_ug", "minor": 7},),
    Kind.CANCEL_WITHDRAWAL: ({"operator": "mtn_ug", "minor": 8},),
    Kind.CORRECTION: ({"payment": "0" * 32, "version": 1},),
    Kind.ADJUSTMENT: (
        {"debit": "RECOVERABLE:UGX", "credit": "OPERATOR_COST:mtn_ug:UGX", "minor": 4},
        {"debit": "LOSS:UGX", "credit": "OPERATOR_COST:mtn_ug:UGX", "minor": 3},
        {
            "debit": "RECOVERABLE:UGX", "credit": "OPERATOR_COST:mtn_ug:UGX", "minor": 3,
            "payment": "0" * 32,
        },
    ),
    Kind.WRITE_OFF: ({"currency": "UGX", "minor": 1}, {"currency": "???", "minor": 2}, "no JSON"),
}  # fmt: skip


async def test_a_row_that_is_not_what_two_people_agreed_on_is_named(room: Room) -> None:
    """The other way round: they agreed on something else. It is the same to the auditor."""
    booked = await agreed_on_everything(room)
    for kind, bodies in BODIES.items():
        for body in bodies:
            text = body if isinstance(body, str) else json.dumps(body)
            change = "update proposal set body = $2 where id = $1 returning body"
            kept = "select body from proposal where id = $1"
            before = await room.pool.fetchval(kept, booked[kind])
            await Owner(room.pool).execute(change, booked[kind], text)
            found_now = await found(room)
            assert (Law.AGREED, booked[kind]) in found_now, (kind, body)
            assert {law for law, _ in found_now} == {Law.AGREED}
            await Owner(room.pool).execute(change, booked[kind], before)
    assert await found(room) == set()
    cases = await room.office.cases.open_cases(kind="AUDIT")
    assert all("not what two people agreed on" in case.detail for case in cases)


async def test_another_amount_under_a_proposal_and_one_that_nobody_saw_are_named(
    room: Room,
) -> None:
    agreed = [await room.agreed(Kind.TOP_UP, operator="mtn_ug", minor=50) for _ in range(2)]
    for proposal, minor in zip(agreed, (5000, 50), strict=True):
        forged = Plan(
            proposal.id, CREATE, 1, Manual.TOPPED_UP, key=f"proposal:{proposal.id}",
            transfers=((ROUTE.destination_float, ROUTE.pool_avail, minor),),
        )  # fmt: skip
        assert await room.committed(forged) is Verdict.APPLIED
    first, second = (p.id for p in agreed)
    assert await found(room) == {(Law.AGREED, first), (Law.AGREED, second)}
    await Owner(room.pool).execute(
        "update proposal set reference = id::text, reference_by = 'chep'"
        " where id = any($1::uuid[])",
        [first, second],
    )
    assert await found(room) == {(Law.AGREED, first)}
    told = {case.detail for case in await room.office.cases.open_cases(kind="AUDIT")}
    because = "agreed: version 1 is not what two people agreed on"
    assert told == {f"{because}: nobody has seen it move", f"{because}: it moves something else"}


async def test_a_withdrawal_that_nobody_agreed_to_cancel_is_named(room: Room) -> None:
    kept, other = [await room.agreed(Kind.WITHDRAWAL, operator="mtn_ug", minor=9) for _ in range(2)]
    by = await room.propose(Kind.CANCEL_WITHDRAWAL, withdrawal=other.id)
    back = pool_postings.cancel_withdrawal(1, "UGX", 2, 9)
    facts = json.dumps({"proposal": by.id, "reference": None})
    forged = Plan(kept.id, 1, 1, Manual.WITHDRAWAL_CANCELLED, facts=facts, transfers=back)
    assert await room.committed(forged) is Verdict.APPLIED
    assert await found(room) == {(Law.AGREED, kept.id)}
    await room.office.desk.approve(by.id, by=BABU)
    assert await found(room) == {(Law.AGREED, kept.id)}  # it was about the other one


async def test_a_withdrawal_that_was_cancelled_though_the_second_person_said_no_is_named(
    room: Room,
) -> None:
    kept = await room.agreed(Kind.WITHDRAWAL, operator="mtn_ug", minor=9)
    by = await room.propose(Kind.CANCEL_WITHDRAWAL, withdrawal=kept.id)
    await room.office.desk.reject(by.id, by=BABU)
    back = pool_postings.cancel_withdrawal(1, "UGX", 2, 9)
    facts = json.dumps({"proposal": by.id, "reference": None})
    forged = Plan(kept.id, 1, 1, Manual.WITHDRAWAL_CANCELLED, facts=facts, transfers=back)
    assert await room.committed(forged) is Verdict.APPLIED
    assert await found(room) == {(Law.AGREED, kept.id)}


async def test_a_gap_and_a_payment_beside_its_journal_are_named(room: Room) -> None:
    gap, moved = await room.pay_whole(), await room.pay_whole()
    await Owner(room.pool).execute(
        "delete from journal where payment = $1 and version = 2", gap.payment
    )
    await Owner(room.pool).force("update payment set state = 12 where id = $1", moved.payment)
    assert {(law, p) for law, p in await found(room) if law is Law.PATH} == {
        (Law.PATH, gap.payment),
        (Law.PATH, moved.payment),
    }


async def test_a_move_that_no_step_makes_is_named_sealed_before_or_not(room: Room) -> None:
    """Balanced and in order, and yet: whoever was paid is not given the money back as well."""
    twice, again, fresh, unknown = [await room.pay_whole() for _ in range(4)]
    assert await found(room) == set()
    # Postgres refuses it of itself, unless somebody has switched that off.
    for rule in ("known_moves", "known_beginnings"):
        await Owner(room.pool).execute(f"alter table payment disable trigger {rule}")
    await room.follow(twice, State.PAID, ())
    assert await found(room) == {(Law.MOVE, twice.payment)}
    (told,) = (await audit(room)).findings
    assert told.detail == f"version 4 led from state {int(State.PAID)} to {int(State.PAID)}"
    await sealed(room)  # the forerunner is looked up where it is sealed
    assert await found(room) == set()  # of what has happened people are told once
    await room.follow(again, State.REFUNDING, ())
    begun = Plan(room.ids.payment(), CREATE, 1, State.PAID, key="at once paid")
    assert await room.committed(begun) is Verdict.APPLIED
    await room.follow(unknown, 77, ())  # type: ignore[arg-type]  # a state of newer code
    assert await found(room) == {(Law.MOVE, again.payment), (Law.MOVE, begun.payment)}
    assert fresh.payment not in {payment for _, payment in await found(room)}


async def test_a_step_whose_forerunner_is_gone_from_sealed_history_is_named(room: Room) -> None:
    plan = await room.reserve()
    await sealed(room)
    await Owner(room.pool).execute("delete from journal where payment = $1", plan.payment)
    await room.collect(plan)
    assert (Law.PATH, plan.payment) in await found(room)


async def test_money_left_behind_by_a_payment_that_is_over_is_named(room: Room) -> None:
    plan = await room.collect(await room.reserve())
    attempt, live = plan.begins, plan.payment
    await room.follow(plan, State.PAID, ())  # a posting was forgotten
    assert await found(room) == {(Law.REST, live)}
    left = {r.detail.split(" is left in ")[1] for r in (await audit(room)).findings}
    assert left == {"CUSTOMER_FUNDS KES", "PAYOUT_IN_FLIGHT mtn_ug UGX"}
    assert attempt is not None


async def test_money_in_flight_without_its_attempt_and_an_attempt_without_money_are_named(
    room: Room,
) -> None:
    paying = await room.collect(await room.reserve())
    empty = Plan(
        room.ids.payment(), CREATE, 1, State.COLLECTING, key="empty", begins=room.ids.attempt(),
        due=1, direction=Direction.COLLECT, operator=1,
    )  # fmt: skip
    assert await room.committed(empty) is Verdict.APPLIED
    assert await found(room) == {(Law.NOTHING_HELD, empty.payment)}
    await Owner(room.pool).execute("update attempt set operator = 4 where id = $1", paying.begins)
    assert (Law.STANDING, paying.payment) in await found(room)


async def test_an_auditor_that_was_away_catches_up_in_steps_and_misses_nothing(
    database_url: str,
) -> None:
    pace = Pace(
        lag_seconds=5, block_seconds=10, block_entries=3, blocks_sealed_most=2,
        entries_checked_most=1,
    )  # fmt: skip
    async with open_room(database_url, pace=pace) as room:
        forged = Plan(
            room.ids.payment(), CREATE, 1, Manual.ADJUSTED, key="by hand",
            transfers=((ROUTE.destination_float, ROUTE.pool_avail, 5),),
        )  # fmt: skip
        assert await room.committed(forged) is Verdict.APPLIED
        for _ in range(6):
            await room.pay_whole()
            room.clock.pass_(3)
        room.clock.pass_(SEALED_AFTER)
        first = await room.office.auditor.audit()
        assert first[:2] == (2, 1)
        assert first.behind
        assert await room.office.auditor.sweep() == 2
        rest = await room.office.auditor.audit_all()
        assert not rest.behind
        held = await room.pool.fetch("select entries from audit_block order by number")
        assert [row["entries"] for row in held] == [5, 3, 3, 3, 3, 3]  # no second is cut
        assert [c.key.payment for c in await room.office.cases.open_cases(kind="AUDIT")] == [
            forged.payment
        ]
        assert await room.office.auditor.sweep() == 0


async def test_two_auditors_at_once_seal_once(room: Room, database_url: str) -> None:
    await busy(room)
    room.clock.pass_(SEALED_AFTER)
    async with open_room(database_url, clock=room.clock, pace=PACE) as other:
        await asyncio.gather(*[audit(r) for r in (room, other)])
        assert await blocks(room) == 1
        assert await found(other) == set()
    sums = await room.pool.fetchval(
        "select count(*) from audit_sum s join balance b on b.id = s.account"
        " where s.minor <> b.amount"
    )
    assert sums == 0


async def test_the_auditor_of_one_tenant_is_not_disturbed_by_another(room: Room) -> None:
    await Owner(room.pool).execute(
        "insert into balance (id, guarded, amount) values ($1, false, 99)",
        Account(2, "UGX", AccountKind.FLOAT, 2).number,
    )
    await busy(room)
    assert (await sealed(room)).findings == ()

"""Money of the owner comes and goes in two phases; what is promised cannot leave."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from engine.desk.booking import Booker
from engine.desk.liquidity import Liquidity
from engine.desk.movements import Movements
from engine.desk.proposals import Kind, Proposal, State
from engine.errors import StaffMistake
from engine.ledger import postings
from engine.ledger.books import open_accounts
from engine.ledger.chart import Account
from engine.ledger.chart import Kind as AccountKind
from engine.ledger.entries import Manual
from engine.ledger.plans import CREATE, Plan, Verdict
from engine.ledger.pool_postings import complete_withdrawal, reserve_return, reserve_withdrawal
from engine.payments.lifecycle import State as PaymentState
from engine.ports import Direction
from tests.integration.books import assert_books
from tests.integration.desk_room import (
    ASHA,
    BABU,
    CHEP,
    HELD,
    OPERATORS,
    POOL_UGX,
    QUOTE,
    Room,
    open_room,
)
from tests.integration.locks import somebody_waits
from tests.integration.owner import Owner
from tests.unit.payments.examples import ROUTE

A = AccountKind


@pytest.fixture
async def room(database_url: str) -> AsyncIterator[Room]:
    async with open_room(database_url) as opened:
        yield opened
        await assert_books(opened.pool)


async def pools(room: Room) -> tuple[int, int, int, int]:
    """Free, promised, leaving, float."""
    return (
        await room.minor(A.POOL_AVAIL, "UGX"),
        await room.minor(A.POOL_HELD, "UGX"),
        await room.minor(A.WITHDRAWAL_HELD, "UGX", 2),
        await room.minor(A.FLOAT, "UGX", 2),
    )


async def test_a_top_up_counts_when_it_is_seen_not_when_it_is_agreed(room: Room) -> None:
    proposal = await room.agreed(Kind.TOP_UP, operator="mtn_ug", minor=700)
    assert proposal.state is State.WAITING
    assert await pools(room) == (POOL_UGX, 0, 0, POOL_UGX)
    proposal = await room.office.desk.see(proposal.id, "BANK-1", by=CHEP)
    assert (proposal.state, proposal.reference_by) == (State.DONE, CHEP)
    assert await pools(room) == (POOL_UGX + 700, 0, 0, POOL_UGX + 700)
    row = await room.pool.fetchrow("select * from journal where payment = $1", proposal.id)
    assert (row["state"], row["facts"]) == (
        Manual.TOPPED_UP, f'{{"proposal":"{proposal.id}","reference":"BANK-1"}}',
    )  # fmt: skip


async def test_one_reference_is_seen_once(room: Room) -> None:
    first = await room.agreed(Kind.TOP_UP, operator="mtn_ug", minor=700)
    second = await room.agreed(Kind.TOP_UP, operator="mtn_ug", minor=700)
    await room.office.desk.see(first.id, "BANK-1", by=CHEP)
    await room.office.desk.see(first.id, " BANK-1 ", by=CHEP)
    for proposal, reference in ((second, "BANK-1"), (first, "BANK-2")):
        with pytest.raises(StaffMistake):
            await room.office.desk.see(proposal.id, reference, by=CHEP)
    assert (await pools(room))[0] == POOL_UGX + 700


async def test_a_reference_is_the_same_in_small_letters_and_with_blanks(room: Room) -> None:
    first = await room.agreed(Kind.TOP_UP, operator="mtn_ug", minor=700)
    second = await room.agreed(Kind.TOP_UP, operator="mtn_ug", minor=700)
    desk = room.office.desk
    ends = await asyncio.gather(
        desk.see(first.id, "TKK6 32NMUA", by=CHEP),
        desk.see(second.id, "tkk632nmua", by=CHEP),
        return_exceptions=True,
    )
    assert sorted(type(end).__name__ for end in ends) == ["Proposal", "StaffMistake"]
    kept = next(end for end in ends if isinstance(end, Proposal))
    assert (await desk.see(kept.id, "Tkk632nmuA", by=CHEP)) == kept
    assert (await pools(room))[0] == POOL_UGX + 700


async def test_one_movement_seen_by_two_at_once_in_other_letters_is_booked_once(
    room: Room,
) -> None:
    """Both have looked for the reference before either has written it."""
    made = [await room.agreed(Kind.TOP_UP, operator="mtn_ug", minor=700) for _ in range(2)]
    references = ("TKK6 32NMUA", "tkk632nmua")
    async with Owner(room.pool).acquire() as connection, connection.transaction():
        await connection.execute("lock table proposal in share mode")  # all read, and none writes
        seen = [
            asyncio.create_task(room.office.desk.see(proposal.id, reference, by=CHEP))
            for proposal, reference in zip(made, references, strict=True)
        ]
        await somebody_waits(connection, at_least=2)
    ends = await asyncio.gather(*seen, return_exceptions=True)
    assert sorted(type(end).__name__ for end in ends) == ["Proposal", "StaffMistake"]
    assert (await pools(room))[0] == POOL_UGX + 700


async def test_nothing_is_seen_of_what_nobody_agreed_to(room: Room) -> None:
    proposal = await room.propose(Kind.TOP_UP, operator="mtn_ug", minor=700)
    with pytest.raises(StaffMistake):
        await room.office.desk.see(proposal.id, "BANK-1", by=CHEP)
    assert (await pools(room))[0] == POOL_UGX


async def test_a_withdrawal_is_reserved_at_once_and_leaves_when_confirmed(room: Room) -> None:
    proposal = await room.agreed(Kind.WITHDRAWAL, operator="mtn_ug", minor=400_000)
    assert await pools(room) == (POOL_UGX - 400_000, 0, 400_000, POOL_UGX)
    await room.office.desk.see(proposal.id, "OUT-1", by=CHEP)
    assert await pools(room) == (POOL_UGX - 400_000, 0, 0, POOL_UGX - 400_000)


async def test_a_withdrawal_that_somebody_else_carries_out_meanwhile_is_not_called_failed(
    room: Room,
) -> None:
    """What is missing for it is what the other has just reserved for it."""
    proposal = await room.propose(Kind.WITHDRAWAL, operator="mtn_ug", minor=POOL_UGX * 6 // 10)

    class Late(Booker):
        """Between its look and its work another process does it all."""

        async def state_of(self, proposal_id: str) -> Manual | None:
            found = await super().state_of(proposal_id)
            if found is None:
                await room.office.desk.approve(proposal.id, by=BABU)
            return found

    late = Movements(
        Late(room.pool, room.committer, 1), room.office.proposals, OPERATORS
    )  # fmt: skip
    assert (await late.withdraw(proposal)).state is State.WAITING
    other = await room.propose(Kind.WITHDRAWAL, operator="mtn_ug", minor=POOL_UGX * 6 // 10)
    with pytest.raises(StaffMistake, match="can leave"):
        await Movements(
            Booker(room.pool, room.committer, 1), room.office.proposals, OPERATORS
        ).withdraw(other)
    assert (await room.office.proposals.get(proposal.id)).state is State.WAITING
    assert (await pools(room))[2] == POOL_UGX * 6 // 10


async def test_a_cancelled_withdrawal_gives_back_once_and_by_two_people(room: Room) -> None:
    withdrawal = await room.agreed(Kind.WITHDRAWAL, operator="mtn_ug", minor=400_000)
    first = await room.propose(Kind.CANCEL_WITHDRAWAL, by=BABU, withdrawal=withdrawal.id)
    second = await room.propose(Kind.CANCEL_WITHDRAWAL, by=CHEP, withdrawal=withdrawal.id)
    assert (await room.office.desk.approve(first.id, by=ASHA)).state is State.DONE
    await room.office.desk.approve(second.id, by=ASHA)
    assert await pools(room) == (POOL_UGX, 0, 0, POOL_UGX)
    ended = await room.office.proposals.get(withdrawal.id)
    assert (ended.state, first.id in ended.outcome) == (State.FAILED, True)
    with pytest.raises(StaffMistake):
        await room.office.desk.see(withdrawal.id, "OUT-1", by=CHEP)


async def test_what_has_left_is_not_cancelled(room: Room) -> None:
    withdrawal = await room.agreed(Kind.WITHDRAWAL, operator="mtn_ug", minor=400_000)
    await room.office.desk.see(withdrawal.id, "OUT-1", by=CHEP)
    cancelled = await room.agreed(Kind.CANCEL_WITHDRAWAL, withdrawal=withdrawal.id)
    assert cancelled.state is State.FAILED
    assert await pools(room) == (POOL_UGX - 400_000, 0, 0, POOL_UGX - 400_000)


async def test_what_was_seen_to_leave_and_is_not_booked_yet_is_not_cancelled(room: Room) -> None:
    """Whoever saw it died before it was booked: the pool would have what is gone."""
    withdrawal = await room.agreed(Kind.WITHDRAWAL, operator="mtn_ug", minor=400_000)
    assert await room.office.proposals.see(withdrawal.id, "OUT-1", CHEP)
    cancelled = await room.agreed(Kind.CANCEL_WITHDRAWAL, withdrawal=withdrawal.id)
    assert (cancelled.state, "OUT-1" in cancelled.outcome) == (State.FAILED, True)
    await room.office.desk.carry_out_approved()
    assert (await room.office.proposals.get(withdrawal.id)).state is State.DONE
    assert await pools(room) == (POOL_UGX - 400_000, 0, 0, POOL_UGX - 400_000)


async def test_who_began_a_withdrawal_that_others_cancelled_meanwhile_has_it_end(
    room: Room,
) -> None:
    withdrawal = await room.agreed(Kind.WITHDRAWAL, operator="mtn_ug", minor=400_000)
    await room.agreed(Kind.CANCEL_WITHDRAWAL, withdrawal=withdrawal.id)
    slower = Movements(Booker(room.pool, room.committer, 1), room.office.proposals, OPERATORS)
    assert (await slower.withdraw(withdrawal)).state is State.FAILED
    gone = complete_withdrawal(1, "UGX", 2, 400_000)
    ended = await Booker(room.pool, room.committer, 1).follow(
        withdrawal, withdrawal.id, Manual.WITHDRAWN, gone
    )
    assert ended is not None
    assert (ended.state, "WITHDRAWAL_CANCELLED" in ended.text) == (State.FAILED, True)
    assert await pools(room) == (POOL_UGX, 0, 0, POOL_UGX)


async def test_all_that_is_free_may_leave_and_not_a_unit_more(room: Room) -> None:
    more = await room.agreed(Kind.WITHDRAWAL, operator="mtn_ug", minor=POOL_UGX + 1)
    assert more.state is State.FAILED
    assert (
        await room.agreed(Kind.WITHDRAWAL, operator="mtn_ug", minor=POOL_UGX)
    ).state is State.WAITING
    assert await pools(room) == (0, 0, POOL_UGX, POOL_UGX)


async def test_what_is_no_withdrawal_is_not_cancelled_as_one(room: Room) -> None:
    other = await room.propose(Kind.WRITE_OFF, currency="UGX", minor=5)
    asked = await room.agreed(Kind.CANCEL_WITHDRAWAL, withdrawal=other.id)
    assert (asked.state, "is no withdrawal" in asked.outcome) == (State.FAILED, True)
    assert (await room.office.proposals.get(other.id)).state is State.PROPOSED


async def test_float_is_not_moved_to_where_it_is(room: Room) -> None:
    with pytest.raises(StaffMistake, match="between two operators"):
        await room.propose(Kind.REBALANCE, source="mtn_ug", target="mtn_ug", minor=5)
    with pytest.raises(StaffMistake, match="of one currency"):
        await room.propose(Kind.REBALANCE, source="mtn_ug", target="mpesa_ke", minor=5)


async def test_seen_and_cancelled_at_once_ends_in_one_of_the_two(room: Room) -> None:
    withdrawal = await room.agreed(Kind.WITHDRAWAL, operator="mtn_ug", minor=400_000)
    cancel = await room.propose(Kind.CANCEL_WITHDRAWAL, withdrawal=withdrawal.id)
    assert (await room.office.desk.approve(cancel.id, by=BABU)).state is State.DONE
    # Another process saw it in the very moment in which it was cancelled.
    await room.pool.execute(
        "update proposal set state = 'approved', reference = 'OUT-1', reference_by = 'chep'"
        " where id = $1", withdrawal.id,
    )  # fmt: skip
    await room.office.desk.carry_out_approved()
    assert (await room.office.proposals.get(withdrawal.id)).state is State.FAILED
    assert await pools(room) == (POOL_UGX, 0, 0, POOL_UGX)


async def test_more_than_is_free_cannot_be_withdrawn_though_the_float_has_it(room: Room) -> None:
    for _ in range(3):
        await room.reserve()
    wanted = POOL_UGX - 3 * HELD + 1
    refused = await room.agreed(Kind.WITHDRAWAL, operator="mtn_ug", minor=wanted)
    assert (refused.state, "below zero" in refused.outcome) == (State.FAILED, True)
    assert await pools(room) == (POOL_UGX - 3 * HELD, 3 * HELD, 0, POOL_UGX)
    allowed = await room.agreed(Kind.WITHDRAWAL, operator="mtn_ug", minor=wanted - 1)
    assert allowed.state is State.WAITING
    assert await pools(room) == (0, 3 * HELD, wanted - 1, POOL_UGX)


async def test_the_owner_cannot_take_what_a_live_payment_was_promised(room: Room) -> None:
    """Everything free leaves; the payment that holds its part still pays out."""
    held = await room.reserve()
    left = await room.agreed(Kind.WITHDRAWAL, operator="mtn_ug", minor=POOL_UGX - HELD)
    await room.office.desk.see(left.id, "OUT-1", by=CHEP)
    assert await pools(room) == (0, HELD, 0, HELD)
    refused = await room.reserve()
    assert refused.key is None  # nothing is left to be promised
    await room.pay(await room.collect(held))
    assert await pools(room) == (0, 0, 0, 0)


async def test_the_books_refuse_it_even_without_the_desk(room: Room) -> None:
    await room.reserve()
    await room.agreed(Kind.WITHDRAWAL, operator="mtn_ug", minor=1)  # opens the account
    by_hand = Plan(
        room.ids.payment(), CREATE, 1, Manual.WITHDRAWAL_RESERVED, key="by hand",
        transfers=reserve_withdrawal(1, "UGX", 2, POOL_UGX),
    )  # fmt: skip
    assert await room.committed(by_hand) is Verdict.INSUFFICIENT
    for account in (Account(1, "UGX", A.POOL_HELD), Account(1, "UGX", A.WITHDRAWAL_HELD, 2)):
        with pytest.raises(asyncpg.CheckViolationError):
            await Owner(room.pool).execute(
                "update balance set amount = -1 where id = $1", account.number
            )


async def test_a_float_that_has_not_enough_is_not_withdrawn_from(room: Room) -> None:
    """The pool is a currency's, the float one operator's."""
    refused = await room.agreed(Kind.WITHDRAWAL, operator="airtel_ug", minor=1)
    assert (refused.state, "airtel_ug" in refused.outcome) == (State.FAILED, True)
    first = await room.agreed(Kind.WITHDRAWAL, operator="mtn_ug", minor=600_000)
    again = await room.agreed(Kind.WITHDRAWAL, operator="mtn_ug", minor=600_000)
    assert (first.state, again.state) == (State.WAITING, State.FAILED)


async def test_what_failed_is_over_though_it_is_agreed_to_once_more_when_it_could_be_done(
    room: Room,
) -> None:
    """Whoever hears that it failed proposes another; both would leave."""
    refused = await room.agreed(Kind.WITHDRAWAL, operator="airtel_ug", minor=100)
    filled = await room.agreed(Kind.TOP_UP, operator="airtel_ug", minor=500)
    await room.office.desk.see(filled.id, "BANK-1", by=CHEP)
    assert await room.office.desk.approve(refused.id, by=BABU) == refused
    assert await pools(room) == (POOL_UGX + 500, 0, 0, POOL_UGX)  # the float of `mtn_ug`


async def test_rebalancing_moves_float_when_it_is_seen_and_leaves_the_pool(room: Room) -> None:
    moved = await room.agreed(Kind.REBALANCE, source="mtn_ug", target="airtel_ug", minor=300_000)
    assert moved.state is State.WAITING
    await room.office.desk.see(moved.id, "BANK-9", by=CHEP)
    assert await pools(room) == (POOL_UGX, 0, 0, POOL_UGX - 300_000)
    assert await room.minor(A.FLOAT, "UGX", 4) == 300_000


async def test_the_status_shows_what_is_free_promised_leaving_and_how_long_it_lasts(
    room: Room,
) -> None:
    await room.pay_whole()
    await room.collect(await room.reserve())
    await room.reserve()
    await room.agreed(Kind.WITHDRAWAL, operator="mtn_ug", minor=1_000)
    room.clock.pass_(1)
    (_, ugx) = await room.office.liquidity.status()
    assert (ugx.currency, ugx.held_minor, ugx.in_flight_minor, ugx.leaving_minor) == (
        "UGX", HELD, HELD, 1_000,
    )  # fmt: skip
    assert ugx.available_minor == POOL_UGX - 3 * HELD - 1_000
    (mtn,) = ugx.floats
    assert mtn.operator == "mtn_ug"
    assert mtn.use_per_day_minor == HELD * 3 // 10  # a week of nothing, and today
    assert mtn.days == round((POOL_UGX - HELD) / mtn.use_per_day_minor, 1)
    facts = {f.operator: f.minor for f in await room.office.liquidity.float_facts()}
    assert facts["mtn_ug"] == POOL_UGX - 2 * HELD - 1_000


async def test_what_may_have_left_a_float_is_in_flight_and_no_longer_counts_as_there(
    room: Room,
) -> None:
    """A payout, a refund, and what goes back to whoever sent it by mistake."""
    await room.collect(await room.reserve())
    failed = await room.collect(await room.reserve())
    given_back = (
        *postings.take_back(QUOTE, ROUTE), *postings.give_up(QUOTE, ROUTE),
        *postings.send_refund(QUOTE, ROUTE),
    )  # fmt: skip
    await room.follow(failed, PaymentState.REFUNDING, given_back, begins=Direction.REFUND)
    suspense = Account(1, "UGX", A.SUSPENSE, 2)
    await open_accounts(room.pool, [suspense, suspense._replace(kind=A.RETURN_HELD)])
    stray = (
        (Account(1, "UGX", A.FLOAT, 2).number, suspense.number, 500),
        *reserve_return(1, "UGX", 2, 300),
    )
    by_hand = Plan(
        room.ids.payment(), CREATE, 1, Manual.SUSPENDED, key="stray", transfers=stray
    )  # fmt: skip
    assert await room.committed(by_hand) is Verdict.APPLIED
    refund = postings.refund_minor(QUOTE)
    kes, ugx = await room.office.liquidity.status()
    assert (kes.in_flight_minor, ugx.in_flight_minor) == (refund, HELD + 300)
    there = {f.operator: f.minor for f in await room.office.liquidity.float_facts()}
    assert there["mtn_ug"] == POOL_UGX + 500 - HELD - 300
    assert there["mpesa_ke"] == await room.minor(A.FLOAT, "KES", 1) - refund


async def test_the_use_of_a_float_is_what_payments_took_out_of_it_in_the_last_week(
    room: Room,
) -> None:
    """What people take out, or move elsewhere, would be bought again and again."""
    liquidity, desk = room.office.liquidity, room.office.desk
    await room.pay_whole()
    room.clock.pass_(7 * 86_400 - 1)
    assert len(await liquidity.use_per_day()) == 1
    room.clock.pass_(2)
    assert await liquidity.use_per_day() == {}
    room.clock.pass_(86_400)
    taken = await room.agreed(Kind.WITHDRAWAL, operator="mtn_ug", minor=1_000)
    await desk.see(taken.id, "OUT-1", by=CHEP)
    moved = await room.agreed(Kind.REBALANCE, source="mtn_ug", target="airtel_ug", minor=2_000)
    await desk.see(moved.id, "BANK-9", by=CHEP)
    room.clock.pass_(1)
    assert await liquidity.use_per_day() == {}
    await room.pay_whole()  # at this very moment, or by a clock that is before ours
    assert await liquidity.use_per_day() == {}
    room.clock.pass_(1)
    float_ = Account(1, "UGX", A.FLOAT, 2)
    assert await liquidity.use_per_day() == {float_.number: HELD * 3 // 10}


async def test_a_mark_is_a_pools_or_a_floats_and_its_target_is_not_below_it(room: Room) -> None:
    liquidity, float_ = room.office.liquidity, Account(1, "UGX", A.FLOAT, 2)
    with pytest.raises(StaffMistake, match="POOL_AVAIL and FLOAT"):
        await liquidity.set_mark(Account(1, "UGX", A.POOL_HELD), low_minor=1, target_minor=2)
    for low, target in ((-1, 2), (3, 2)):
        with pytest.raises(StaffMistake, match="low mark"):
            await liquidity.set_mark(float_, low_minor=low, target_minor=target)
    await liquidity.set_mark(float_, low_minor=0, target_minor=0)
    for _ in range(2):  # the second time it is changed
        await liquidity.set_mark(float_, low_minor=7, target_minor=9)
        (facts,) = (f for f in await liquidity.float_facts() if f.operator == "mtn_ug")
        assert (facts.low_minor, facts.target_minor) == (7, 9)
        assert await liquidity.watch() == 0
    await liquidity.set_mark(float_, low_minor=POOL_UGX, target_minor=POOL_UGX)
    assert await liquidity.watch() == 0  # not below it
    taken = await room.agreed(Kind.WITHDRAWAL, operator="mtn_ug", minor=1)
    await room.office.desk.see(taken.id, "OUT-1", by=CHEP)
    assert await liquidity.watch() == 1
    (case,) = await room.office.cases.open_cases()
    assert case.detail == "FLOAT:mtn_ug:UGX has UGX 999,999, its mark is UGX 1,000,000"
    topped = await room.agreed(Kind.TOP_UP, operator="mtn_ug", minor=1)
    await room.office.desk.see(topped.id, "BANK-1", by=CHEP)
    assert (await liquidity.watch(), await liquidity.watch()) == (1, 0)  # it is back at its mark
    assert len(await room.office.cases.open_cases()) == 1
    await liquidity.set_mark(Account(1, "UGX", A.POOL_AVAIL), low_minor=5, target_minor=6)
    assert [pool.low_minor for pool in await liquidity.status()] == [0, 5]


async def test_the_float_of_an_operator_that_is_served_no_more_is_shown_and_left_alone(
    room: Room,
) -> None:
    others = {name: facts for name, facts in OPERATORS.items() if name != "mtn_ug"}
    liquidity = Liquidity(room.pool, 1, others, room.clock)
    (_, ugx) = await liquidity.status()
    assert [(f.operator, f.minor) for f in ugx.floats] == [("2", POOL_UGX)]
    assert [f.operator for f in await liquidity.float_facts()] == ["mpesa_ke"]


async def test_an_alarm_a_crossing_not_an_alarm_a_second(room: Room, database_url: str) -> None:
    liquidity = room.office.liquidity
    await liquidity.set_mark(
        Account(1, "UGX", A.POOL_AVAIL), low_minor=POOL_UGX - 100, target_minor=POOL_UGX
    )
    await liquidity.set_mark(Account(1, "UGX", A.FLOAT, 2), low_minor=10, target_minor=POOL_UGX)
    assert await liquidity.watch() == 0
    withdrawal = await room.agreed(Kind.WITHDRAWAL, operator="mtn_ug", minor=101)
    async with open_room(database_url, clock=room.clock) as other:
        seen = [await r.office.liquidity.watch() for r in (room, other, room)]
    assert seen == [1, 0, 0]
    (case,) = await room.office.cases.open_cases()
    assert case.detail == "POOL_AVAIL:UGX has UGX 999,899, its mark is UGX 999,900"
    await room.agreed(Kind.CANCEL_WITHDRAWAL, withdrawal=withdrawal.id)
    room.clock.pass_(60)
    assert (await liquidity.watch(), await liquidity.watch()) == (1, 0)
    await room.agreed(Kind.WITHDRAWAL, operator="mtn_ug", minor=101)
    assert await liquidity.watch() == 1
    assert len(await room.office.cases.open_cases()) == 2

"""What goes wrong on the way to the rail: it ends settled once or reopened, and the books agree."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from channels.watching.logs import About
from engine.errors import Rejected, StaffMistake
from engine.ledger.chart import Kind
from engine.payments.settlement.batch import Batch
from engine.payments.settlement.batch_store import BatchStore
from engine.payments.settlement.settling import UNSEEN
from engine.payments.settlement.state import BatchState, ErrandState
from engine.payments.settlement.submitting import UNSEEN_SECONDS
from engine.ports import (
    Approval,
    Found,
    Instruction,
    Prepared,
    Reason,
    Recorded,
    Refusal,
    Settlement,
)
from tests.integration.owner import Owner
from tests.integration.settlement_rail import KeptKeys
from tests.integration.settlement_room import HOME, PAIR, Hall, changed, open_hall, rules

pytestmark = pytest.mark.long(
    "each fault of a rail by itself; test_settlement.py has the way without"
)

S = BatchState


@pytest.fixture
async def hall(shared_database_url: str) -> AsyncIterator[Hall]:
    async with open_hall(shared_database_url) as opened:
        yield opened


@pytest.mark.parametrize(
    "faults",
    [
        ["lost"], ["dropped"], ["unreachable"], ["lost", "lost"], ["dropped", "dropped", "lost"],
        ["refused"], ["forgotten", "forgotten"], ["dropped", "refused"],
        ["unreachable", "lost", "refused"],
    ],
    ids=" ".join,
)  # fmt: skip
async def test_a_lost_answer_is_asked_about_by_its_hash_and_settles_once(
    hall: Hall, faults: list[str]
) -> None:
    await hall.pay()
    await hall.close()
    hall.rail.faults = list(faults)
    for _ in range(8):
        await hall.sweep(1)
        hall.rail.pass_(1)  # so that whatever is signed anew is other bytes
    assert await hall.states() == [S.SETTLED]
    assert len(set(hall.rail.sent)) == 1, "the same bytes, however often"
    assert hall.rail.numbers["submitter"] == 1
    await hall.assert_settled()


async def test_what_has_expired_unseen_is_signed_again_for_the_same_place(hall: Hall) -> None:
    await hall.pay()
    await hall.close()
    hall.rail.faults = ["dropped"] * 3
    await hall.sweep(2)
    hall.rail.faults = ["dropped"]
    hall.rail.pass_(61)  # its own expiry, not that of the approvals
    await hall.sweep(6)
    assert await hall.states() == [S.SETTLED]
    rows = await hall.pool.fetch("select number, stage from settlement_transaction")
    assert sorted(tuple(row) for row in rows) == [(0, 3), (0, 5)]
    await hall.assert_settled()


async def test_while_it_may_still_happen_nothing_else_is_signed(hall: Hall) -> None:
    await hall.pay()
    await hall.close()
    hall.rail.decides = False  # it waits, and nobody knows
    await hall.sweep(5)
    assert await hall.states() == [S.SUBMITTED]
    assert await hall.minor(Kind.CHAIN_IN_FLIGHT) == 7_750_000
    assert len(set(hall.rail.sent)) == 1
    hall.rail.decides = True
    await hall.sweep(2)
    await hall.assert_settled()


async def test_a_place_that_stays_empty_is_filled_so_that_others_go_on(hall: Hall) -> None:
    """The first one's approvals end with its bytes; the second stands behind the empty place."""
    await hall.pay()
    first = await hall.close()
    await hall.approve(first)
    hall.rail.pass_(590)  # ten seconds before its approvals end
    hall.rail.faults = ["forgotten"] * 2
    await hall.sweep(1)
    await hall.pay(minor=50_000)
    second = await hall.close()
    hall.rail.faults = ["forgotten", ""]
    await hall.sweep(1)
    assert [place for _, place in hall.rail.waiting] == [1]
    hall.rail.pass_(40)
    await hall.sweep(2)
    assert hall.rail.numbers["submitter"] == 2
    assert (await hall.reopened(second)).state is S.SETTLED
    assert (await hall.reopened(first)).state is S.REOPENED
    hall.clock.pass_(61)
    await hall.sweep(4)
    await hall.assert_settled()


async def test_a_place_for_which_nothing_was_signed_is_given_up_and_taken_again(hall: Hall) -> None:
    await hall.pay()
    await hall.close()
    hall.rail.unsigned = 3
    await hall.sweep(3)
    assert hall.rail.sent == []
    assert await hall.pool.fetchval("select count(*) from settlement_transaction") <= 1
    await hall.sweep(3)
    assert list(hall.rail.by_number) == [("submitter", 0)]
    await hall.assert_settled()


async def test_a_stale_node_settles_nothing_and_undoes_nothing(hall: Hall) -> None:
    await hall.pay()
    await hall.close()
    hall.rail.is_stale = True
    await hall.sweep(4)
    assert await hall.states() == [S.APPROVED]
    assert await hall.minor(Kind.CHAIN_IN_FLIGHT) == 7_750_000
    hall.rail.is_stale = False
    await hall.sweep(1)
    assert await hall.states() == [S.SETTLED]
    await hall.assert_settled()


async def test_what_a_node_called_done_and_no_book_of_the_rail_has_is_somebodys_affair(
    hall: Hall,
) -> None:
    """It may have stood on a fork. Nothing is undone; what is found after all is booked."""
    await hall.pay()
    batch = await hall.close()
    hall.rail.is_stale = True
    await hall.sweep(4)
    assert await hall.cases() == []
    hall.rail.pass_(600 + UNSEEN_SECONDS)
    for _ in range(2):
        await hall.sweep(1)
    (case,) = await hall.cases()
    assert case == f"{batch.corridor}: {UNSEEN}"
    assert await hall.minor(Kind.CHAIN_IN_FLIGHT) == 7_750_000
    hall.rail.is_stale = False
    await hall.sweep(1)
    assert await hall.states() == [S.SETTLED]


async def test_windows_go_on_to_be_closed_while_the_rail_is_away(hall: Hall) -> None:
    hall.rail.is_away = True
    for _ in range(3):
        await hall.pay()
        hall.clock.pass_(61)
        await hall.sweep(1)
    assert await hall.states() == [S.CLOSED] * 3
    hall.rail.is_away = False
    await hall.sweep(3)
    assert await hall.states() == [S.SETTLED] * 3
    await hall.assert_settled()


async def test_keys_that_are_away_delay_and_lose_nothing(hall: Hall) -> None:
    await hall.pay()
    hall.keys.is_away = True
    await hall.close()
    await hall.sweep(3)
    assert await hall.states() == [S.CLOSED]
    hall.keys.is_away = False
    await hall.sweep(2)
    await hall.assert_settled()


# A definitive no.


@pytest.mark.parametrize(
    "refusal", [Refusal.PAUSED, Refusal.SHORT, Refusal.FROZEN, Refusal.BARRED, Refusal.FEE]
)
async def test_what_may_pass_is_tried_again_under_the_same_approvals(
    hall: Hall, refusal: Refusal
) -> None:
    await hall.pay()
    batch = await hall.close()
    hall.rail.refuses = refusal
    await hall.sweep(3)
    assert (await hall.reopened(batch)).reason == refusal.value
    hall.rail.refuses = None
    hall.clock.pass_(700)
    await hall.sweep(2)
    assert await hall.states() == [S.SETTLED]
    assert hall.keys.signed.total() == 3, "nobody had to approve again"
    await hall.assert_settled()


async def test_a_refusal_that_lasts_reopens_the_window_and_the_next_batch_carries_it_on(
    hall: Hall,
) -> None:
    await hall.pay(minor=100_000)
    first = await hall.close()
    hall.rail.refuses = Refusal.PAUSED
    await hall.sweep(3)
    assert await hall.minor(Kind.CHAIN_IN_FLIGHT) == 7_750_000
    hall.rail.pass_(601)
    hall.clock.pass_(700)
    await hall.sweep(3)
    assert (await hall.reopened(first)).state is S.REOPENED
    assert await hall.minor(Kind.CHAIN_IN_FLIGHT) == 0
    assert await hall.minor(Kind.INTERPOOL, "KES", 800) == 100_000
    # Meanwhile so much is owed the other way that the net turns round.
    hall.rail.refuses = None
    await hall.pay("mtn_ug", "mpesa_ke", 270_000)
    await hall.sweep(2)
    assert len(await hall.batches()) == 1, "the corridor rests"
    hall.clock.pass_(61)
    await hall.sweep(4)
    first, second = await hall.batches()
    assert second.state is S.SETTLED
    assert (second.payment_count, second.debits) == (2, (0, 65_222_900))
    assert second.id != first.id
    assert first.id not in {b.hex() for b in hall.rail.corridors[PAIR].batches}
    await hall.assert_settled()


async def test_a_net_of_zero_moves_nothing_and_is_still_on_record(hall: Hall) -> None:
    payment = await hall.pay()
    await hall.return_(payment)
    batch = await hall.close()
    await hall.sweep(3)
    batch = await hall.reopened(batch)
    assert (batch.state, batch.net_minor, batch.payment_count) == (S.SETTLED, 0, 2)
    assert hall.rail.corridors[PAIR].totals == [10**12, 10**12]
    assert bytes.fromhex(batch.id) in hall.rail.corridors[PAIR].batches
    await hall.assert_settled()


async def test_more_came_back_than_was_paid_and_the_other_one_owes(hall: Hall) -> None:
    payment = await hall.pay()
    await hall.close()
    await hall.sweep(3)
    await hall.return_(payment)
    batch = await hall.close()
    await hall.sweep(3)
    assert (await hall.reopened(batch)).debits == (0, 7_750_000)
    assert hall.rail.corridors[PAIR].totals == [10**12, 10**12]
    assert await hall.minor(Kind.FX_POSITION, "KES") == 0
    await hall.assert_settled()


async def test_the_same_refusal_again_and_again_is_somebodys_affair_once(hall: Hall) -> None:
    hall.rail.refuses = Refusal.FROZEN
    await hall.pay()
    for _ in range(4):
        hall.clock.pass_(22_000)
        await hall.sweep(3)
        hall.rail.pass_(601)
        await hall.sweep(2)
    states = await hall.states()
    assert states[:3] == [S.REOPENED] * 3
    told = [case for case in await hall.cases() if "again and again: frozen" in case]
    assert len(told) == 1
    hall.rail.refuses = None
    for _ in range(3):
        hall.clock.pass_(22_000)
        await hall.sweep(4)
    await hall.assert_settled()
    assert (await hall.room.batches.rest_of(PAIR)).refusals == 0


async def test_one_refusal_is_one_also_when_two_reopen_its_batch(hall: Hall) -> None:
    """The corridor rests for as long as after one, and nobody is told of a second."""
    await hall.pay()
    batch = await hall.close()
    hall.rail.refuses = Refusal.SHORT
    await hall.sweep(2)
    hall.rail.pass_(601)
    settling = hall.room.settling
    for _ in range(2):
        await settling._each(lambda each: settling._look(each, hall.rail.seconds))
    reopening = await hall.reopened(batch)
    assert reopening.state is S.REOPENING
    for room in (hall.room, hall.another()):
        await room.settling._turn_round(reopening)
    assert await hall.states() == [S.REOPENED]
    assert (await hall.room.batches.rest_of(PAIR)).refusals == 1
    assert await hall.cases() == []
    hall.rail.refuses = None
    hall.clock.pass_(700)
    await hall.sweep(4)
    await hall.assert_settled()


async def test_approvals_that_the_rail_does_not_take_open_a_case_and_reopen(hall: Hall) -> None:
    hall.rail.corridors[PAIR].approvers = [hashlib.sha256(b"strangers").digest()] * 3
    await hall.pay()
    await hall.close()
    await hall.sweep(3)
    assert any("does not take it: approvals" in case for case in await hall.cases())
    before = len(hall.rail.sent)
    hall.clock.pass_(1000)
    await hall.sweep(3)
    assert len(hall.rail.sent) == before == 0, "it is not tried again"
    hall.rail.pass_(601)
    await hall.sweep(2)
    assert await hall.states() == [S.REOPENED]
    assert await hall.minor(Kind.CHAIN_IN_FLIGHT) == 0


async def test_a_window_is_never_reopened_before_the_rail_itself_can_do_no_more(hall: Hall) -> None:
    await hall.pay()
    await hall.close()
    hall.rail.refuses = Refusal.PAUSED
    await hall.sweep(2)
    hall.clock.pass_(10**6)  # our own clock says nothing
    hall.rail.pass_(598)
    await hall.sweep(3)
    assert await hall.states() == [S.APPROVED]
    hall.rail.pass_(2)
    hall.clock.pass_(700)
    await hall.sweep(3)
    assert S.REOPENED in await hall.states()


async def test_who_read_the_terms_before_others_were_proposed_proposes_none(hall: Hall) -> None:
    hall.rail.is_away = True
    await hall.pay()
    batch = await hall.close()
    await hall.sweep(1)
    batches = BatchStore(hall.pool, 1)
    read = await hall.reopened(batch)
    assert await batches.propose_terms(read, expires_at=100, terms_hash=b"a" * 32)
    assert not await batches.propose_terms(read, expires_at=200, terms_hash=b"b" * 32)
    assert (await hall.reopened(batch)).expires_at == 100
    hall.rail.is_away = False
    await hall.sweep(2)


async def test_nothing_that_is_signed_outlives_its_approvals(hall: Hall) -> None:
    hall.rail.expires_seconds = 10_000
    hall.rail.decides = False
    await hall.pay()
    batch = await hall.close()
    await hall.sweep(2)
    ends = await hall.pool.fetchval("select expires_at from settlement_transaction")
    assert ends == (await hall.reopened(batch)).expires_at
    hall.rail.decides = True
    await hall.sweep(2)


async def test_what_another_process_gave_up_is_reopened_by_the_rails_clock_alone(
    hall: Hall,
) -> None:
    """Its node may be ahead of ours: what we are told is still within the approvals."""
    await hall.pay()
    await hall.close()
    hall.rail.refuses = Refusal.PAUSED
    await hall.sweep(2)
    await hall.pool.execute(f"update settlement_errand set state = {int(ErrandState.LAPSED)}")
    await hall.sweep(2)
    assert await hall.states() == [S.APPROVED]
    hall.rail.pass_(601)
    await hall.sweep(1)
    assert (await hall.states())[0] is S.REOPENED
    hall.rail.refuses = None


async def test_the_same_batch_carried_out_by_other_bytes_is_read_from_the_record(
    hall: Hall,
) -> None:
    """As after a restore of our database: the rail has it, and we do not know."""
    await hall.pay()
    batch = await hall.close()
    await hall.sweep(2)
    assert (await hall.reopened(batch)).state is S.SETTLED
    await hall.pool.execute("update settlement_batch set state = 3, ended_ms = null")
    await hall.pool.execute("update settlement_errand set state = 1, hash = null")
    await hall.pool.execute("delete from settlement_transaction")
    await hall.pool.execute("update settlement_errand set due_ms = 0")
    await hall.sweep(3)
    errand = await hall.pool.fetchrow("select state, refusal from settlement_errand")
    assert tuple(errand) == (int(ErrandState.REFUSED), "done_before")
    assert (await hall.reopened(batch)).state is S.SETTLED
    assert hall.rail.corridors[PAIR].totals == [10**12 - 7_750_000, 10**12 + 7_750_000]
    await hall.assert_settled()


async def test_what_the_rail_has_on_record_is_settled_though_we_had_given_it_up(hall: Hall) -> None:
    """Whoever carried it out: reopened, its payments would be settled a second time."""
    await hall.pay()
    batch = await hall.close()
    hall.rail.decides = False
    await hall.sweep(2)
    hall.rail.decides = True
    hall.rail.carry_out()
    await hall.pool.execute(f"update settlement_errand set state = {int(ErrandState.LAPSED)}")
    await hall.pool.execute("update settlement_transaction set stage = 5")
    hall.rail.pass_(601)
    await hall.sweep(2)
    assert (await hall.reopened(batch)).state is S.SETTLED
    await hall.assert_settled()


async def test_what_the_books_have_as_final_is_never_owed_again(hall: Hall) -> None:
    await hall.pay()
    batch = await hall.close()
    await hall.sweep(2)
    await hall.pool.execute(f"update settlement_batch set state = {int(S.REOPENING)}")
    await hall.sweep(2)
    parked = await hall.reopened(batch)
    assert (parked.state, "the books have it as final" in parked.reason) == (S.PARKED, True)
    waiting = "select count(*) from settlement_obligation where batch is null"
    assert await hall.pool.fetchval(waiting) == 0
    assert any("the books have it as final" in case for case in await hall.cases())
    await hall.pool.execute(f"update settlement_batch set state = {int(S.SETTLED)}")
    await hall.assert_settled()


async def test_what_the_rail_carried_out_and_the_books_have_as_reopened_is_for_people(
    hall: Hall,
) -> None:
    """One process turned the books round while another still held it for under way."""
    await hall.pay()
    batch = await hall.close()
    hall.rail.refuses = Refusal.PAUSED
    await hall.sweep(2)
    await hall.pool.execute(f"update settlement_errand set state = {int(ErrandState.LAPSED)}")
    hall.rail.pass_(601)
    await hall.sweep(1)
    given_up = await hall.reopened(batch)
    assert given_up.state is S.REOPENED and given_up.terms_hash is not None
    hall.rail.corridors[PAIR].batches[bytes.fromhex(batch.id)] = Recorded(
        given_up.terms_hash, batch.merkle_root, batch.payment_count, batch.debits, batch.credits, 1
    )
    await hall.pool.execute(
        f"update settlement_batch set state = {int(S.SUBMITTED)} where id = $1", batch.id
    )
    await hall.pool.execute("update settlement_obligation set batch = $1, leaf = 0", batch.id)
    await hall.pool.execute(f"update settlement_errand set state = {int(ErrandState.DONE)}")
    await hall.sweep(1)
    parked = await hall.reopened(batch)
    assert parked.state is S.PARKED
    assert parked.reason == "the rail has carried out what the books have as reopened"
    assert await hall.minor(Kind.CHAIN_IN_FLIGHT) == 0


async def test_a_record_that_differs_is_for_people_and_books_nothing(hall: Hall) -> None:
    await hall.pay()
    batch = await hall.close()
    hall.rail.decides = False
    await hall.sweep(2)
    hall.rail.decides = True
    hall.rail.carry_out()
    records = hall.rail.corridors[PAIR].batches
    [(batch_id, record)] = records.items()
    for field, value, word in (
        ("merkle_root", b"x" * 32, "root"), ("terms_hash", b"x" * 32, "terms"),
        ("payment_count", 2, "number of payments"), ("debits", (7_749_999, 0), "debits"),
        ("credits", (0, 7_749_999), "credits"),
    ):  # fmt: skip
        records[batch_id] = msgspec.structs.replace(record, **{field: value})
        await hall.sweep(2)
        parked = await hall.reopened(batch)
        assert (parked.state, parked.reason) == (S.PARKED, f"the rail's record differs: {word}")
        assert await hall.minor(Kind.CHAIN_IN_FLIGHT) == 7_750_000
        await hall.room.settling.take_up_again(batch.id)
    await hall.sweep(1)
    assert (await hall.reopened(batch)).state is S.PARKED, "nothing is mended"
    assert any("record differs: root" in case for case in await hall.cases())
    records[batch_id] = record
    hall.rail.pass_(601)  # what was carried out needs no new approvals
    await hall.room.settling.take_up_again(batch.id)
    await hall.sweep(2)
    await hall.assert_settled()
    with pytest.raises(StaffMistake, match="is parked"):
        await hall.room.settling.take_up_again(batch.id)


async def test_what_is_parked_again_is_told_of_again(hall: Hall) -> None:
    """Nothing happens to it by itself: whoever is not told of it leaves the money there."""
    await hall.pay()
    await hall.close()
    hall.rail.decimals = 8
    await hall.sweep(2)
    for told in (1, 2, 3):
        assert await hall.states() == [S.PARKED]
        assert len(await hall.cases()) == told
        await hall.close_cases()  # the issuer says it is mended, and it is not
        [batch] = await hall.batches()
        hall.clock.pass_(60)
        await hall.room.settling.take_up_again(batch.id)
        await hall.sweep(2)
    hall.rail.decimals = 6
    [batch] = await hall.batches()
    await hall.room.settling.take_up_again(batch.id)
    await hall.sweep(3)
    await hall.assert_settled()


# Approvals.


@pytest.mark.parametrize(
    "change",
    [
        "update settlement_batch set debits = '{1, 0}', credits = '{0, 1}'",
        "update settlement_batch set debits = '{1, 0}'",
        "update settlement_batch set credits = '{0, 1}'",
        "update settlement_batch set basis = replace(basis, ':100000}', ':100001}')",
        "update settlement_batch set basis = replace(basis, '100000]]', '100001]]')",
        "update settlement_batch set merkle_root = decode(repeat('ab', 32), 'hex')",
        "update settlement_batch set payment_count = 2",
        "update settlement_batch set basis = replace(basis, '0.00775', '0.00875')",
        "update settlement_obligation set minor = 2 * minor",
        "delete from fx_rate",
    ],
)  # fmt: skip
async def test_no_key_of_ours_signs_what_does_not_follow_from_the_payments(
    hall: Hall, change: str
) -> None:
    await hall.pay()
    hall.rail.is_away = True
    batch = await hall.close()
    await hall.sweep(1)
    before = await hall.pool.fetchrow("select * from settlement_batch")
    owed = await hall.pool.fetchval("select minor from settlement_obligation")
    await Owner(hall.pool).execute(change)
    hall.rail.is_away = False
    await hall.sweep(2)
    assert (await hall.reopened(batch)).state is S.PARKED
    assert hall.keys.signed.total() == 0
    assert any("not what its payments come to" in case for case in await hall.cases())
    assert before is not None
    await hall.pool.execute("update settlement_obligation set minor = $1", owed)
    await _mend(hall, before)
    await hall.room.settling.take_up_again(batch.id)
    await hall.sweep(3)
    await hall.assert_settled()


async def _mend(hall: Hall, before: Any) -> None:
    """Everything is again as it was when the window was closed."""
    await hall.pool.execute(
        "update settlement_batch set debits = $1, credits = $2, merkle_root = $3,"
        " payment_count = $4, basis = $5",
        list(before["debits"]), list(before["credits"]), before["merkle_root"],
        before["payment_count"], before["basis"],
    )  # fmt: skip
    [mid] = json.loads(before["basis"])["mids"]
    await hall.pool.execute(
        "insert into fx_rate (tenant, base, quote, at_ms, mid, source)"
        " values (1, $1, 'USD', $3, $2::text::numeric, 'test') on conflict do nothing",
        *mid,
    )


async def test_an_asset_with_other_decimals_is_never_signed_for(hall: Hall) -> None:
    await hall.pay()
    await hall.close()
    hall.rail.decimals = 8
    await hall.sweep(2)
    assert await hall.states() == [S.PARKED]
    assert hall.keys.signed.total() == 0 and hall.rail.sent == []
    assert any("8 decimals" in case for case in await hall.cases())
    hall.rail.decimals = 6
    [batch] = await hall.batches()
    await hall.room.settling.take_up_again(batch.id)
    await hall.sweep(3)
    await hall.assert_settled()


async def test_an_operator_that_signs_elsewhere_brings_its_approval(
    shared_database_url: str,
) -> None:
    given = rules(approvers=("approver_a", None, None))
    async with open_hall(shared_database_url, given=given) as hall:
        await hall.pay()
        batch = await hall.close()
        await hall.sweep(3)
        waiting = await hall.reopened(batch)
        assert waiting.state is S.CLOSED
        assert waiting.terms_hash is not None
        add = hall.room.approving.add_by_hand
        with pytest.raises(StaffMistake, match="key of ours"):
            await add(batch.id, 0, b"x" * 64, by="amina")
        with pytest.raises(StaffMistake, match="no approver 3"):
            await add(batch.id, 3, b"x" * 64, by="amina")
        with pytest.raises(StaffMistake, match="64 bytes"):
            await add(batch.id, 1, b"x", by="amina")
        with pytest.raises(StaffMistake, match="no batch"):
            await add("0" * 32, 1, b"x" * 64, by="amina")
        sign = KeptKeys().sign
        signature = await sign("approver_b", waiting.terms_hash)
        for forged in (
            b"y" * 64,
            await sign("approver_house", waiting.terms_hash),
            await sign("approver_b", b"t" * 32),
        ):
            with pytest.raises(StaffMistake, match="not the word of approver 1"):
                await add(batch.id, 1, forged, by="amina")
        assert [kept.by_hand for kept in await hall.room.batches.approvals(waiting)] == [""]
        await add(batch.id, 1, signature, by="amina")
        await add(batch.id, 1, signature, by="brian")  # told twice, kept once
        assert [k.by_hand for k in await hall.room.batches.approvals(waiting)] == ["", "amina"]
        await hall.sweep(3)
        await hall.assert_settled()
        with pytest.raises(StaffMistake, match="waits for no approval"):
            await add(batch.id, 1, signature, by="amina")


async def test_approvals_that_came_too_late_are_asked_for_anew(shared_database_url: str) -> None:
    given = rules(approvers=("approver_a", None, "approver_house"))
    given = type(given)(given.asset, given.window, given.approvals_seconds, tuple(
        type(c)(c.name, c.members, c.approvers, 3) for c in given.corridors
    ))  # fmt: skip
    async with open_hall(shared_database_url, given=given) as hall:
        await hall.pay()
        batch = await hall.close()
        await hall.sweep(2)
        first = (await hall.reopened(batch)).terms_hash
        hall.rail.pass_(601)
        await hall.sweep(2)
        renewed = await hall.reopened(batch)
        assert renewed.terms_hash is not None
        assert renewed.terms_hash != first
        signature = await KeptKeys().sign("approver_b", renewed.terms_hash)
        await hall.room.approving.add_by_hand(batch.id, 1, signature, by="amina")
        await hall.sweep(3)
        assert (await hall.reopened(batch)).state is S.SETTLED
        await hall.assert_settled()


async def test_approvals_of_terms_that_were_proposed_anew_meanwhile_settle_nothing(
    hall: Hall,
) -> None:
    """A slow process has gathered enough for terms that another one has replaced since."""
    await hall.pay()
    hall.keys.is_away = True
    await hall.close()
    await hall.sweep(1)
    hall.keys.is_away = False
    slow = hall.keys.sign

    async def sign(name: str, message: bytes) -> bytes:
        hall.keys.sign = slow  # type: ignore[method-assign]
        hall.rail.pass_(601)
        hall.keys.is_away = True  # so that the other one only proposes
        await hall.another().settling.sweep()
        hall.keys.is_away = False
        return await slow(name, message)

    hall.keys.sign = sign  # type: ignore[method-assign]
    await hall.sweep(1)
    assert await hall.states() == [S.CLOSED]
    await hall.sweep(3)
    assert await hall.states() == [S.SETTLED]
    await hall.assert_settled()


async def test_only_the_very_terms_that_are_proposed_can_be_approved(hall: Hall) -> None:
    await hall.pay()
    hall.keys.is_away = True
    batch = await hall.close()
    await hall.sweep(1)
    old = await hall.reopened(batch)
    hall.rail.pass_(601)
    await hall.sweep(1)
    assert old.expires_at is not None
    assert not await hall.room.batches.move_approved(old, old.terms(old.expires_at))
    assert await hall.states() == [S.CLOSED]
    hall.keys.is_away = False
    await hall.sweep(3)
    assert await hall.states() == [S.SETTLED]


async def test_what_is_sent_is_worked_out_again_though_everybody_has_signed(
    shared_database_url: str,
) -> None:
    given = rules(approvers=("approver_a", None, None))
    async with open_hall(shared_database_url, given=given) as hall:
        await hall.pay()
        batch = await hall.close()
        await hall.sweep(1)
        asked = await hall.reopened(batch)
        assert asked.terms_hash is not None
        signature = await hall.keys.sign("approver_b", asked.terms_hash)
        await hall.room.approving.add_by_hand(batch.id, 1, signature, by="amina")
        await hall.pool.execute("update settlement_obligation set at_ms = at_ms + 1")
        await hall.sweep(2)
        assert await hall.states() == [S.PARKED]
        assert hall.rail.sent == []
        await hall.pool.execute("update settlement_obligation set at_ms = at_ms - 1")
        await hall.room.settling.take_up_again(batch.id)
        await hall.sweep(3)
        await hall.assert_settled()


async def test_the_approvals_of_our_own_keys_come_first(shared_database_url: str) -> None:
    """What came by hand is good by what the chain said then; ours are good by what we sign."""
    given = rules(approvers=(None, "approver_b", "approver_house"))
    async with open_hall(shared_database_url, given=given) as hall:
        await hall.pay()
        hall.keys.is_away = True
        batch = await hall.close()
        await hall.sweep(1)
        stale = Approval(0, b"y" * 64)
        asked = await hall.reopened(batch)
        await hall.room.batches.approve(asked, stale, by_hand="amina", now_ms=0)
        hall.keys.is_away = False
        await hall.sweep(3)
        await hall.assert_settled()


# The settlement file is changed while a batch is under way.


async def approved(hall: Hall) -> Batch:
    """A batch that has its approvals, and of which nothing was signed yet."""
    await hall.pay()
    batch = await hall.close()
    hall.rail.refuses = Refusal.PAUSED
    await hall.sweep(1)
    hall.rail.refuses = None
    await Owner(hall.pool).execute("delete from settlement_errand")
    assert await hall.states() == [S.APPROVED]
    return batch


async def test_a_threshold_that_was_raised_is_waited_for_and_met(hall: Hall) -> None:
    await approved(hall)
    await Owner(hall.pool).execute("delete from settlement_approval where place = 2")
    room = hall.another(rules=changed(hall.rules, threshold=3))
    await hall.sweep(3, room)
    assert await hall.states() == [S.SETTLED]
    assert hall.keys.signed["approver_house"] == 2
    await hall.assert_settled()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({}, "not in the settlement file any more"),
        ({"members": ("mtn_ug", "mpesa_ke")}, "other members, or in another order"),
        ({"members": ("airtel_ke", "mtn_ug")}, "other members, or in another order"),
        # Who collected is in it still; who paid out is not.
        ({"members": ("mpesa_ke", "airtel_ke")}, "other members, or in another order"),
    ],
)
async def test_a_corridor_that_was_changed_under_its_batch_books_nothing_until_people_looked(
    hall: Hall, change: dict[str, Any], why: str
) -> None:
    await hall.pay()
    batch = await hall.close()
    hall.rail.decides = False
    await hall.sweep(2)
    hall.rail.decides = True
    await hall.sweep(2, hall.another(rules=changed(hall.rules, **change)))
    assert (await hall.reopened(batch)).state is S.PARKED
    assert any(why in case for case in await hall.cases())
    assert await hall.minor(Kind.CHAIN_IN_FLIGHT) == 7_750_000
    await hall.room.settling.take_up_again(batch.id)
    await hall.sweep(2)
    await hall.assert_settled()


@pytest.mark.parametrize("lost", ["approver_a", "approver_b", "approver_house"])
async def test_one_key_that_is_away_holds_up_nothing_while_the_others_are_enough(
    hall: Hall, lost: str
) -> None:
    hall.keys.lost = {lost}
    await hall.pay()
    await hall.close()
    await hall.sweep(3)
    assert await hall.states() == [S.SETTLED]
    assert lost not in hall.keys.signed
    hall.keys.lost = {"approver_a", "approver_b"}
    hall.clock.pass_(1)  # so that the newer one has the greater id
    await hall.pay()
    await hall.close()
    await hall.sweep(3)
    assert await hall.states() == [S.SETTLED, S.CLOSED]
    hall.keys.lost = {"approver_a"}
    await hall.sweep(3)
    await hall.assert_settled()


async def test_keys_that_are_not_there_are_somebodys_affair_once_the_others_are_too_few(
    hall: Hall,
) -> None:
    hall.keys.refused = {"approver_a"}
    await hall.pay()
    await hall.close()
    await hall.sweep(3)
    assert await hall.states() == [S.SETTLED]
    assert await hall.cases() == []
    hall.keys.refused = {"approver_a", "approver_house"}
    await hall.pay()
    await hall.close()
    await hall.sweep(3)
    assert await hall.cases() == [f"{PAIR}: it cannot go on: keys: no key approver_a [key]"]
    hall.keys.refused = set()
    await hall.sweep(3)
    await hall.assert_settled()


@pytest.mark.parametrize("members", [("mpesa_ke", "airtel_ke"), ("airtel_ke", "mtn_ug")])
async def test_a_corridor_that_was_changed_before_anybody_approved_is_not_approved(
    hall: Hall, members: tuple[str, str]
) -> None:
    hall.rail.is_away = True
    await hall.pay()
    batch = await hall.close()
    await hall.pay("airtel_ke", "mpesa_ke")
    other = await hall.close(HOME)
    hall.rail.is_away = False
    room = hall.another(rules=changed(hall.rules, members=members))
    await hall.sweep(3, room)  # and no other batch waits for it
    assert (await hall.reopened(batch)).state is S.PARKED
    assert (await hall.reopened(other)).state is S.SETTLED
    assert any("of other operators than" in case for case in await hall.cases())
    await hall.room.settling.take_up_again(batch.id)
    await hall.sweep(3)
    await hall.assert_settled()


async def test_what_the_rail_cannot_be_asked_at_all_keeps_no_other_batch_waiting(
    hall: Hall, caplog: pytest.LogCaptureFixture
) -> None:
    """The first one's corridor is in no part of the rail's settings; both have one account."""
    caplog.handler.addFilter(About())
    ask = hall.rail.estimate

    async def estimate(instruction: Instruction) -> int | Refusal:
        assert isinstance(instruction, Settlement)
        if instruction.terms.corridor == PAIR:
            raise Rejected("rail", "no such corridor", code="x", reason=Reason.CONFIGURATION)
        return await ask(instruction)

    hall.rail.estimate = estimate  # type: ignore[method-assign]
    await hall.pay()
    first = await hall.close()
    await hall.pay("airtel_ke", "mpesa_ke")
    second = await hall.close(HOME)
    await hall.sweep(3)
    assert (await hall.reopened(second)).state is S.SETTLED
    assert (await hall.reopened(first)).state is S.APPROVED
    cases = [record for record in caplog.records if "no such corridor" in record.getMessage()]
    assert len(cases) == len(await hall.cases()) == 1
    assert cases[0].__dict__["words"] == {"batch": first.id}
    hall.rail.estimate = ask  # type: ignore[method-assign]
    await hall.sweep(3)
    await hall.assert_settled()


async def test_an_account_that_left_the_settings_with_something_on_its_way_is_told_of(
    hall: Hall,
) -> None:
    """Its key was given another name: what it signed is asked for in vain until that is mended."""
    hall.rail.decides = False
    await hall.pay()
    await hall.close()
    await hall.sweep(2)
    find = hall.rail.find

    async def nobody(prepared: Prepared) -> Found:
        told = f"no account {prepared.slot.account}"
        raise Rejected("rail", told, code="account", reason=Reason.CONFIGURATION)

    hall.rail.find = nobody  # type: ignore[method-assign]
    await hall.sweep(3)
    [case] = await hall.cases()
    assert case == "submitter cannot send: rail: no account submitter [account]"
    hall.rail.find, hall.rail.decides = find, True  # type: ignore[method-assign]
    await hall.sweep(3)
    await hall.assert_settled()


# Many processes.


async def test_two_processes_send_each_batch_once(hall: Hall) -> None:
    others = [hall.another() for _ in range(3)]
    for n in range(4):
        for _ in range(5):
            await hall.pay(minor=10_000 + n)
        hall.clock.pass_(61)
        await asyncio.gather(*[room.settling.sweep() for room in [hall.room, *others]])
    for _ in range(3):
        hall.clock.pass_(130)
        await asyncio.gather(*[room.settling.sweep() for room in [hall.room, *others]])
    await hall.sweep(4)
    hall.clock.pass_(130)
    await hall.sweep(4)
    await hall.assert_settled()
    assert hall.rail.numbers["submitter"] == len(await hall.batches())


async def test_who_finishes_a_step_that_somebody_else_has_finished_counts_nothing_twice(
    hall: Hall,
) -> None:
    await hall.pay()
    closing = await hall.close()
    await hall.sweep(1)
    await hall.room.batches.count_closed(closing)
    await hall.room.batches.set_free(closing, 0)
    await hall.sweep(3)
    await hall.assert_settled()
    assert await hall.cases() == []


async def test_what_another_process_signed_too_late_never_leaves(hall: Hall) -> None:
    """A slow process prepares for a place that has been given up meanwhile."""
    await hall.pay()
    await hall.close()
    slow = hall.rail.prepare
    other = hall.another()

    async def prepare(*arguments: object, **options: object) -> object:
        hall.rail.prepare = slow  # type: ignore[method-assign]
        hall.clock.pass_(130)  # its lease is over
        hall.rail.pass_(1)  # so that the other one signs other bytes
        for _ in range(3):
            await other.settling.sweep()
        return await slow(*arguments, **options)  # type: ignore[arg-type]

    hall.rail.prepare = prepare  # type: ignore[assignment]
    await hall.sweep(4)
    assert len(set(hall.rail.sent)) == 1
    hall.clock.pass_(130)
    await hall.sweep(2)
    await hall.assert_settled()


async def test_somebody_else_who_sends_from_our_account_is_noticed(hall: Hall) -> None:
    await hall.pay()
    await hall.close()
    await hall.sweep(3)
    hall.rail.numbers["submitter"] += 1  # one of theirs is enough
    await hall.pay()
    await hall.close()
    await hall.sweep(3)
    assert any("somebody else sends from submitter" in case for case in await hall.cases())
    await hall.assert_settled()

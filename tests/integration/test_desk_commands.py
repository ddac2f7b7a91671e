"""What staff type and read, from `capp propose` to `capp books`."""

import asyncio
import csv
import io
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from channels.cli import _parser
from channels.commands import books, desk
from channels.commands.journal import say_entry
from channels.commands.proposing import DOES, KINDS_TOLD, read_fields
from channels.environment import BadArgument
from channels.office import Office
from engine.desk.cases import LOW_WATER, CaseKey
from engine.desk.next_steps import NEXT
from engine.desk.proposals import Kind
from engine.desk.store import Listed, ProposalStore
from engine.errors import SamePerson, StaffMistake
from engine.ledger.books import Line, adds_up
from engine.payments.payment import code_of
from tests.integration.desk_room import CHEP, Room, open_room
from tests.integration.owner import Owner

pytestmark = pytest.mark.long("commands at each of their turns; test_desk.py keeps what they do")


@pytest.fixture
async def room(database_url: str) -> AsyncIterator[Room]:
    async with open_room(database_url) as opened:
        yield opened


async def capp(room: Room, *words: str, office: Office | None = None) -> list[str]:
    """The lines that a command of the desk says."""
    _, said = await capp_ends(room, *words, office=office)
    return said


async def capp_ends(
    room: Room, *words: str, office: Office | None = None
) -> tuple[bool, list[str]]:
    """The same, behind whether it came to what was wanted: else the terminal's code is 1."""
    said: list[str] = []
    options = _parser(words).parse_args(words)
    went = await desk.COMMANDS[options.command](office or room.office, options, said.append)
    return went, said


async def test_more_proposals_than_a_screen_holds_are_told_of_and_can_be_seen(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk, "PROPOSALS_MAX", 2)
    made = []
    for _ in range(3):
        made.append(await room.propose(Kind.TOP_UP, operator="mpesa_ke", minor=5))
        room.clock.pass_(1)
    newest, middle, more = await capp(room, "proposals")
    assert (newest[:8], middle[:8]) == (made[2].id[-8:], made[1].id[-8:])
    assert more == f"... and older: `capp proposals --before {middle[:8]}`"
    (oldest,) = await capp(room, "proposals", "--before", middle[:8])
    assert oldest[:8] == made[0].id[-8:]
    await room.pool.execute(
        "update proposal set body = 'v1.77.' || repeat('A', 60) where id = $1", made[0].id
    )
    unread = [f"{oldest[:8]} cannot be read and waits: the log says why"]
    assert await capp_ends(room, "proposals", "--before", middle[:8]) == (False, unread)


async def test_a_part_of_an_id_that_two_proposals_have_decides_on_neither(room: Room) -> None:
    one, other = [
        await room.propose(Kind.TOP_UP, operator="mpesa_ke", minor=minor) for minor in (5, 7)
    ]
    tail = one.id[-8:]
    await room.pool.execute(
        "update proposal set id = $2 where id = $1", other.id, other.id[:-8] + tail
    )
    before = await capp(room, "proposals", "--all")
    with pytest.raises(StaffMistake, match=f"2 proposals end in {tail}"):
        await capp(room, "approve", tail, "--as", "Babu")
    with pytest.raises(StaffMistake, match="no part of an id"):
        await capp(room, "approve", tail[-3:], "--as", "Babu")
    assert await capp(room, "proposals", "--all") == before
    assert len(before) == 2


async def test_a_top_up_from_asking_to_the_statement(room: Room) -> None:
    (asked,) = await capp(
        room, "propose", "TOP_UP", "operator=mpesa_ke", "amount=5000.50", "--as", "Asha",
        "--why", "float is low",
    )  # fmt: skip
    assert "TOP_UP" in asked
    assert "amount=KES 5,000.50 (float is low)" in asked.replace("  ", " ")
    id_ = asked[:8]
    assert await capp(room, "proposals") == [asked]
    with pytest.raises(SamePerson):
        await capp(room, "approve", id_, "--as", "ASHA ")
    (agreed,) = await capp(room, "approve", id_, "--as", "Babu")
    assert "asha+babu" in agreed
    assert agreed.endswith("until KES 5,000.50 is seen at mpesa_ke")
    room.clock.pass_(1)
    (seen,) = await capp(room, "seen", id_, "BANK-77", "--as", "chep")
    assert "(float is low) seen as BANK-77 by chep: " in seen
    assert seen.endswith("KES 5,000.50 at mpesa_ke, BANK-77")
    assert await capp(room, "proposals") == []
    assert len(await capp(room, "proposals", "--all")) == 1
    said: list[str] = []
    options = _parser(["books"]).parse_args(["books", "--account", "FLOAT:mpesa_ke:KES"])
    await books._say_statement(room.office, options, said.append)
    assert said[0].startswith("FLOAT:mpesa_ke:KES from ")
    opening, seeded, topped_up, closing = said[1:]
    assert (opening.split()[-1], closing.split()[-1]) == ("0", "55,000.50")
    assert seeded.split()[3:] == ["1", "SEEDED", "50,000", "50,000", "POOL_AVAIL:KES"]
    code, *why = topped_up.split()[2:]
    assert why == [
        "1", "TOPPED_UP", "5,000.50", "55,000.50", "POOL_AVAIL:KES", "BANK-77", "proposal", id_,
    ]  # fmt: skip
    told: list[str] = []
    await say_entry(room.office, code, told.append)
    assert (told[1], told[2].split()[-3:]) == (seen, ["BANK-77", "proposal", id_])
    assert told[3].strip() == "debit FLOAT:mpesa_ke:KES  credit POOL_AVAIL:KES  KES 5,000.50"
    with pytest.raises(StaffMistake, match="the journal has no ZZZZZZZZZZ"):
        await say_entry(room.office, "ZZZZZZZZZZ", told.append)


async def test_a_statement_for_a_file_is_whole_exact_and_safe_to_open(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    room.clock.pass_(1)
    asked = await room.agreed(Kind.TOP_UP, operator="mpesa_ke", minor=500_050)
    await room.office.desk.see(asked.id, "=1+1", by=CHEP)
    monkeypatch.setattr(books, "ENTRIES_MAX", 1)
    account = ("--account", "FLOAT:mpesa_ke:KES")
    assert "... and more; choose a shorter time, or --csv" in await said_by_books(room, *account)
    (file,) = await said_by_books(room, *account, "--csv")
    first, *entries, last = csv.DictReader(io.StringIO(file))
    assert (first["balance"], last["state"], last["balance"]) == ("0.00", "closing", "55000.50")
    assert [(e["amount"], e["balance"]) for e in entries] == [
        ("50000.00", "50000.00"),
        ("5000.50", "55000.50"),
    ]
    assert entries[1]["why"] == f"'=1+1 proposal {asked.id[-8:]}"
    assert {e["currency"] for e in (first, *entries, last)} == {"KES"}
    monkeypatch.setattr(books, "WHOLE_MAX", 1)
    with pytest.raises(BadArgument, match="more than 1 entries"):
        await said_by_books(room, *account, "--csv")


async def test_what_was_stored_writes_no_line_of_its_own_and_moves_no_cursor(room: Room) -> None:
    proposal = await room.propose(Kind.TOP_UP, operator="mpesa_ke", minor=500)
    forged = "late)\n5f3a9c01  2026-11-22 09:00  CLOSE_CASE  proposed  asha\x1b[2K\x1b[1A"
    await room.pool.execute("update proposal set note = $1 where id = $2", forged, proposal.id)
    (said,) = await capp(room, "proposals")
    assert said.isprintable()
    assert "late)?5f3a9c01" in said
    await room.pool.execute(
        "insert into case_file (payment, kind, hash, tenant, opened_ms, detail)"
        " values ($1, 'REFUND_FAILED', $1, 1, 0, $2)", "0" * 31 + "1", forged,
    )  # fmt: skip
    assert all(line.isprintable() for line in await capp(room, "cases"))


async def test_a_rejected_proposal_says_by_whom(room: Room) -> None:
    (asked,) = await capp(
        room, "propose", "WRITE_OFF", "currency=UGX", "minor=5", "--as", "asha", "--why", "gone"
    )
    (refused,) = await capp(room, "reject", asked[:8], "--as", "babu")
    assert "rejected" in refused
    assert "asha+babu" in refused


async def test_fields_that_mean_nothing_are_told_so(room: Room) -> None:
    for words in (
        "minor", "=5", "minor=1 minor=2", "amount=1", "operator=mtn_ug amount=1.5",
        "operator=mtn_ug amount=much", "operator=mtn_ug amount=nan",
    ):  # fmt: skip
        with pytest.raises(StaffMistake):
            await read_fields(Kind.TOP_UP, words.split(), room.office)


async def test_an_id_is_found_by_its_end_and_only_when_it_is_one(room: Room) -> None:
    (asked,) = await capp(
        room, "propose", "WRITE_OFF", "currency=UGX", "minor=5", "--as", "asha", "--why", "gone"
    )
    for part in ("0" * 8, asked[5:8], "zzzzzzzz"):
        with pytest.raises(StaffMistake):
            await capp(room, "approve", part, "--as", "babu")


async def run_short(room: Room) -> None:
    """Have a wallet that is below its mark."""
    topped = await capp(
        room, "propose", "TOP_UP", "operator=airtel_ug", "minor=10", "--as", "asha", "--why", "x"
    )
    await capp(room, "approve", topped[0][:8], "--as", "babu")
    await capp(room, "seen", topped[0][:8], "B1", "--as", "babu")
    await capp(
        room, "liquidity", "set", "FLOAT:airtel_ug:UGX", "--low", "1000", "--target", "300010"
    )


async def test_pools_marks_and_rebalancing(room: Room) -> None:
    assert await capp(room, "rebalance") == ["every float lasts long enough"]
    await run_short(room)
    (said, *_) = await capp(room, "rebalance", "--as", "asha")
    assert said == "move UGX 300,000 from mtn_ug to airtel_ug"
    assert (await capp(room, "rebalance", "--as", "asha"))[1] == (
        "mtn_ug to airtel_ug is proposed already"
    )
    (line,) = await capp(room, "proposals")
    assert "decision" not in line
    assert await room.pool.fetchval("select count(*) from decision where kind = 'liquidity'") == 2
    pools = await capp(room, "pools")
    assert any("airtel_ug" in line and line.endswith("BELOW ITS MARK") for line in pools)


async def test_of_two_who_propose_the_same_move_at_once_one_hears_of_the_other(room: Room) -> None:
    """Both agreed on, people would move the float twice."""
    await run_short(room)
    proposals: Any = AtOnce(room.office.proposals)
    office = replace(room.office, proposals=proposals)
    words = ("rebalance", "--as")
    said = await asyncio.gather(
        *(capp(room, *words, who, office=office) for who in ("asha", "babu"))
    )
    listed = await room.office.proposals.listed(only_open=True, most=9)
    (made,) = [each for each in listed.proposals if each.kind is Kind.REBALANCE]
    heard = [line for lines in said for line in lines if line.endswith("is proposed already")]
    assert heard == [f"mtn_ug to airtel_ug: {made.id} of {made.made_by} is proposed already"]


async def test_a_move_the_other_way_and_one_that_cannot_be_read_keep_nobody_from_proposing(
    room: Room,
) -> None:
    await run_short(room)
    back: dict[str, Any] = {"source": "airtel_ug", "target": "mtn_ug", "minor": 5}
    await room.propose(Kind.REBALANCE, **back)
    lost = await room.propose(Kind.REBALANCE, **back)
    await room.pool.execute(
        "update proposal set body = 'v1.77.' || repeat('A', 60) where id = $1", lost.id
    )
    said = await capp(room, "rebalance", "--as", "asha")
    assert [line for line in said if "source=mtn_ug target=airtel_ug" in line] == said[1:]
    assert len(said) == 2


class AtOnce:
    """Proposals that nobody has read before both have."""

    def __init__(self, proposals: ProposalStore) -> None:
        self._proposals = proposals
        self._both = asyncio.Barrier(2)

    async def listed(self, **which: Any) -> Listed:
        found = await self._proposals.listed(**which)
        await self._both.wait()
        return found


async def test_cases_are_listed_taken_and_closed(room: Room) -> None:
    key = CaseKey("a" * 32, LOW_WATER, "b" * 32)
    await room.office.cases.open(key, "too little")
    assert await capp(room, "take", str(key), "--as", "chep", "--days", "1") == [
        "chep looks after it"
    ]
    first, second, todo = await capp(room, "cases", "--kind", "low_water")
    assert todo == f"LOW_WATER: {NEXT[LOW_WATER]}"
    with pytest.raises(StaffMistake, match="LOWWATER' is no kind of case; there are AMOUNT"):
        await capp(room, "cases", "--kind", "LOWWATER")
    assert first.startswith("LOW_WATER")
    assert "chep, due " in first
    assert second.strip() == str(key)
    await capp(room, "close", str(key), "--as", "chep", "--why", "done")
    assert await capp(room, "cases") == []


async def test_a_case_says_how_its_payment_stands_by_now(room: Room) -> None:
    paid = await room.pay_whole()
    await room.office.cases.open(CaseKey(paid.payment, "UNRESOLVED", "b" * 32), "nobody knows")
    first, *_ = await capp(room, "cases")
    assert f"{code_of(paid.payment)} (now PAID) " in first


async def test_what_an_operator_that_is_gone_was_asked_for_is_still_listed(room: Room) -> None:
    gone = await room.propose(Kind.TOP_UP, operator="mpesa_ke", minor=500)
    room.clock.pass_(1)
    await room.propose(Kind.TOP_UP, operator="mtn_ug", minor=7)
    body = gone.body.replace("mpesa_ke", "mpesa_tz")  # served when it was proposed
    await room.pool.execute("update proposal set body = $1 where id = $2", body, gone.id)
    newest, oldest = await capp(room, "proposals")
    assert "amount=UGX 7 " in newest
    assert "operator=mpesa_tz minor=500 " in oldest


@pytest.mark.parametrize("amount", ["1e999999999", "1e30", "nan", "0.001", "five"])
async def test_what_is_no_amount_is_told_in_a_sentence(room: Room, amount: str) -> None:
    with pytest.raises(StaffMistake, match="is no amount of KES"):
        await capp(
            room, "propose", "TOP_UP", "operator=mpesa_ke", f"amount={amount}", "--as", "asha",
            "--why", "low",
        )  # fmt: skip


async def test_a_payment_is_named_by_the_code_that_customers_see(room: Room) -> None:
    payment_id = room.office.ids.hex()
    await Owner(room.pool).execute(
        "insert into payment (id, tenant, state, version, way, terms) values ($1, 1, 3, 1, 0, 1)",
        payment_id,
    )  # fmt: skip
    code = code_of(payment_id)
    named = ("--as", "Asha", "--why", "looked")
    for typed in (code, code.lower(), payment_id):
        (asked,) = await capp(
            room, "propose", "CORRECTION", f"payment={typed}", "version=1", *named
        )
        assert f"payment={payment_id} " in asked
    for typed in ("ZZZZZZZZZZ", "7K2M"):
        with pytest.raises(StaffMistake, match=f"no payment {typed}"):
            await capp(room, "propose", "CORRECTION", f"payment={typed}", "version=1", *named)


async def test_a_number_that_is_to_be_paid_is_not_shown_whole(room: Room) -> None:
    words = ("CORRECTION", f"payment={room.office.ids.hex()}", "version=1")
    await capp(room, "propose", *words, "--as", "Asha", "--why", "looked")
    [proposal] = (await room.office.proposals.listed(only_open=True, most=1)).proposals
    repaid = msgspec.structs.replace(
        proposal, kind=Kind.REPAY_RETURNED, body='{"payment":"x","payee":"+254733123456"}'
    )
    line = desk.proposal_line(repaid, room.office)
    assert "payment=x payee=********456" in line
    assert "33123" not in line


async def test_what_was_agreed_to_and_failed_did_not_come_to_what_was_wanted(room: Room) -> None:
    named = ("--as", "Asha", "--why", "looked")
    words = ("CORRECTION", f"payment={room.office.ids.hex()}", "version=1")
    (asked,) = await capp(room, "propose", *words, *named)
    went, (said,) = await capp_ends(room, "approve", asked.split()[0], "--as", "Babu")
    assert (went, "  failed  " in said) == (False, True)


async def test_what_was_seen_to_leave_and_cannot_be_booked_did_not_come_to_what_was_wanted(
    room: Room,
) -> None:
    """A process died between the entry that cancelled a withdrawal and the withdrawal's own end."""
    made = await room.agreed(Kind.WITHDRAWAL, operator="mtn_ug", minor=500)
    await room.agreed(Kind.CANCEL_WITHDRAWAL, withdrawal=made.id)
    await room.pool.execute("update proposal set state = 'waiting' where id = $1", made.id)
    went, (said,) = await capp_ends(room, "seen", made.id[-8:], "BANK-1", "--as", "chep")
    assert (went, "  failed  " in said) == (False, True)
    assert said.endswith(" seen as BANK-1 by chep: it was cancelled; the pool has it again")


async def test_a_withdrawal_is_cancelled_by_the_end_of_its_id(room: Room) -> None:
    made = await room.agreed(Kind.WITHDRAWAL, operator="mtn_ug", minor=500)
    (asked,) = await capp(
        room, "propose", "CANCEL_WITHDRAWAL", f"withdrawal={made.id[-8:]}", "--as", "a",
        "--why", "not needed",
    )  # fmt: skip
    assert f"withdrawal={made.id} " in asked


async def test_a_return_that_did_not_go_is_named_by_the_end_of_its_id(room: Room) -> None:
    """`capp proposals` shows no more of it."""
    made = await room.agreed(Kind.WITHDRAWAL, operator="mtn_ug", minor=500)
    (listed,) = await capp(room, "proposals")
    fields = await read_fields(Kind.RETURN_FAILED, [f"proposal={listed.split()[0]}"], room.office)
    assert fields == {"proposal": made.id}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["operator=mtn_ug", "amount=5", "minor=6"], "give one"),
        (["operator=mtn_xx", "amount=5"], "no operator 'mtn_xx'; known: "),
        ([], "^TOP_UP: operator=, amount= are missing$"),
        (["operator=mtn_ug"], "^TOP_UP: amount= is missing$"),
        (["operator=", "amount=5"], "^TOP_UP: operator= is missing$"),
        (["operator=mtn_ug", "sum=5"], "^TOP_UP: there is no sum=; it has operator= amount=$"),
        (["operator=mtn_ug", "amount=-5"], "amount= is not above zero"),
    ],
)
async def test_a_contradiction_or_a_slip_is_said(room: Room, words: list[str], said: str) -> None:
    with pytest.raises(StaffMistake, match=said):
        await capp(room, "propose", "TOP_UP", *words, "--as", "a", "--why", "x")
    assert await capp(room, "proposals") == []


async def test_whose_pin_it_is_is_asked_for_by_number(room: Room) -> None:
    with pytest.raises(StaffMistake, match=r"^PIN_RESET: msisdn= is missing$"):
        await capp(room, "propose", "PIN_RESET", "--as", "a", "--why", "x")


def test_the_help_of_propose_names_every_kind_with_its_fields() -> None:
    assert set(DOES) == set(Kind)
    assert "  RELEASE_HOLD payment=\n" in KINDS_TOLD
    assert "  REPAY_RETURNED payment= [payee=]\n" in KINDS_TOLD
    assert "  TOP_UP operator= amount=\n" in KINDS_TOLD


async def said_by_books(room: Room, *words: str) -> list[str]:
    said: list[str] = []
    options = _parser(["books"]).parse_args(["books", *words])
    if options.account:
        await books._say_statement(room.office, options, said.append)
    else:
        assert await books._say_balance_at(room.office, options, said.append)
    return said


async def test_the_trial_balance_of_a_day_says_whether_it_adds_up(room: Room) -> None:
    await room.pay_whole()
    room.clock.pass_(60)
    at = room.clock.now().isoformat()
    await room.pay_whole()
    first, *lines, last = await said_by_books(room, "--at", at)
    assert (first.startswith("as of "), last) == (True, "the books balance")
    assert any("POOL_AVAIL" in line for line in lines)
    (file,) = await said_by_books(room, "--at", at, "--csv")
    rows = list(csv.DictReader(io.StringIO(file)))
    assert next(row["account"] for row in rows if row["currency"] == "UGX") == "FLOAT:mtn_ug:UGX"
    assert len(rows) == len(lines)
    with pytest.raises(BadArgument, match="still to come"):
        await said_by_books(room, "--at", (room.clock.now() + timedelta(seconds=1)).isoformat())


def test_books_of_which_one_side_is_more_do_not_add_up() -> None:
    debit, credit = (Line(n, "X", "KES", side, 5) for n, side in enumerate(("debit", "credit")))
    assert adds_up([debit, credit])
    assert not adds_up([debit, credit._replace(minor=4)])
    assert not adds_up([debit, credit._replace(currency="UGX")])


async def test_an_account_that_the_books_do_not_have_is_no_balance_of_zero(room: Room) -> None:
    said = await said_by_books(room, "--account", "FLOAT:mpesa_ke:UGX")
    assert said[1] == "the books have no such account, or none yet: nothing was ever booked on it"
    said = await said_by_books(room, "--account", "FLOAT:mpesa_ke:KES")
    assert not any("no such" in line for line in said)
    with pytest.raises(BadArgument, match="--to"):
        await said_by_books(
            room, "--account", "FLOAT:mpesa_ke:KES", "--from", "1h", "--to", "2026-01-01"
        )

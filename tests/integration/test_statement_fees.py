"""What an operator charges otherwise than was agreed is one case a day, and one entry by two."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date
from typing import Any

import msgspec
import pytest

from channels.cli import _parser
from channels.commands.statements import tell_fees
from channels.office import Office
from engine.desk.proposals import Kind, Person, Proposal, ProposalId, State
from engine.desk.store import Listed
from engine.errors import AlreadyProposed, StaffMistake
from engine.fx.rates import RateBook
from engine.ledger.chart import Account
from engine.ledger.chart import Kind as AccountKind
from engine.payments.payment import code_of
from engine.payments.statements.fees import DayFees, note_of
from engine.payments.statements.importing import AGED_DAYS
from engine.payments.statements.lines import Line
from tests.integration.books import assert_books
from tests.integration.offices import office_of
from tests.integration.owner import Owner
from tests.integration.test_statements import Bureau, bureau_of, paid
from tests.integration.world import World, open_world
from tests.unit.payments.examples import MPESA

pytestmark = pytest.mark.long("days of payments are made for a few fees")

ASHA, BABU = Person("asha"), Person("babu")
COST, FLOAT = "OPERATOR_COST:mpesa_ke:KES", "FLOAT:mpesa_ke:KES"


@pytest.fixture
async def world(seeded_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setattr(RateBook, "is_stale", lambda *_: False)
    async with open_world(seeded_url) as opened:
        yield opened
        await assert_books(opened.pool)
        assert await opened.books.is_balanced()


@pytest.fixture
def bureau(world: World) -> Bureau:
    return bureau_of(world)


@pytest.fixture
def office(world: World) -> Office:
    return office_of(world, {})


async def charged(bureau: Bureau, receipt: str, fee_minor: int) -> tuple[str, Line]:
    """A payment's code, and the line of its collection; nothing was agreed for it."""
    payment_id, collection, _ = await paid(bureau.world, receipt)
    line = bureau.line(receipt, reference=collection, fee_minor=fee_minor)
    return code_of(payment_id), line


async def told(bureau: Bureau, office: Office, day: date, *more: str) -> list[str]:
    """What `capp statements fees` says of our day at M-PESA."""
    said: list[str] = []
    words = ["statements", "fees", "mpesa_ke", str(day), *more]
    options = _parser(["statements"]).parse_args(words)
    await tell_fees(bureau.comparison, office, options, said.append)
    return said


async def listed(office: Office) -> list[Proposal]:
    found: Listed = await office.proposals.listed(only_open=False, most=9)
    return found.proposals


async def newest(office: Office) -> ProposalId:
    return (await listed(office))[0].id


async def details(bureau: Bureau) -> list[str]:
    found = await bureau.comparison.cases.all_open()
    return [case.detail for case in found if case.kind == "FEES_DIFFER"]


async def in_books(world: World) -> tuple[int, int]:
    """Cost and float there, credit positive."""
    numbers = [
        Account(1, "KES", kind, MPESA.code).number
        for kind in (AccountKind.OPERATOR_COST, AccountKind.FLOAT)
    ]
    rows = await Owner(world.pool).fetch(
        "select id, amount from balance where id = any($1)", numbers
    )
    found = {row["id"]: row["amount"] for row in rows}
    return found.get(numbers[0], 0), found[numbers[1]]


async def test_a_day_is_one_case_with_its_sum_and_one_entry_that_another_approves(
    world: World, bureau: Bureau, office: Office
) -> None:
    one, first = await charged(bureau, "R1", 10)
    two, second = await charged(bureau, "R2", 25)
    _, agreed = await charged(bureau, "R3", 0)
    day, before = bureau.today, await in_books(world)
    await bureau.take(first, second, agreed)
    assert await details(bureau) == []  # the day is not over: more may come
    await bureau.take_whole(first, second, agreed)
    (detail,) = await details(bureau)
    assert detail == (
        f"mpesa_ke {day}: fees of KES 0.35 more than was agreed are in no book:"
        f" {one} (R1) cost KES 0.10, agreed were KES 0;"
        f" {two} (R2) cost KES 0.25, agreed were KES 0"
    )
    looked = await told(bureau, office, day)
    assert looked[0].startswith(one) and looked[1].startswith(two)
    assert looked[2] == "beyond what was agreed: KES 0.35; booked 0, proposed 0"
    assert await listed(office) == []  # whoever only looks asks for nothing

    said = await told(bureau, office, day, "--as", "asha")
    (proposal,) = await listed(office)
    assert str(proposal.id)[-4:] in said[-1]
    assert proposal.kind is Kind.ADJUSTMENT
    asked = msgspec.json.decode(proposal.body)
    assert (asked["debit"], asked["credit"], asked["minor"]) == (COST, FLOAT, 35)
    again = await told(bureau, office, day, "--as", "babu")
    assert again[-2:] == [
        "beyond what was agreed: KES 0.35; booked 0, proposed 0.35",
        "nothing is left to propose",
    ]
    with pytest.raises(StaffMistake):
        await office.desk.approve(proposal.id, by=ASHA)
    assert await in_books(world) == before
    assert (await office.desk.approve(proposal.id, by=BABU)).state is State.DONE
    assert await in_books(world) == (before[0] - 35, before[1] + 35)
    await bureau.age()
    assert await bureau.cases() == []


class AtOnce:
    """Statements that nobody has read before both have."""

    def __init__(self, bureau: Bureau) -> None:
        self._statements = bureau.comparison.statements
        self._both = asyncio.Barrier(2)

    async def fees(self, operator: str, day: date) -> DayFees | None:
        read = await self._statements.fees(operator, day)
        await self._both.wait()
        return read


async def test_of_two_who_propose_the_same_days_fees_at_once_one_hears_of_the_other(
    world: World, bureau: Bureau, office: Office
) -> None:
    """Both agreed on, the day's fees would be booked twice."""
    _, line = await charged(bureau, "R1", 10)
    day = bureau.today
    await bureau.take_whole(line)
    statements: Any = AtOnce(bureau)
    both = replace(bureau, comparison=replace(bureau.comparison, statements=statements))
    said = await asyncio.gather(
        told(both, office, day, "--as", "asha"), told(both, office, day, "--as", "babu"),
        return_exceptions=True,
    )  # fmt: skip
    (proposal,) = await listed(office)
    (heard,) = [each for each in said if isinstance(each, AlreadyProposed)]
    assert str(heard) == f"{proposal.id} of {proposal.made_by} is proposed already"
    # Who looks again, once the first was rejected, proposes it.
    other = BABU if proposal.made_by == ASHA else ASHA
    await office.desk.reject(proposal.id, by=other)
    await told(bureau, office, day, "--as", str(other))
    assert [p.made_by for p in await listed(office) if p.state is State.PROPOSED] == [other]


async def test_what_is_listed_later_is_asked_for_without_what_is_booked(
    world: World, bureau: Bureau, office: Office
) -> None:
    _, first = await charged(bureau, "R1", 10)
    late, second = await charged(bureau, "R2", 25)
    day = bureau.today
    await bureau.take_whole(first)
    await told(bureau, office, day, "--as", "asha")
    await office.desk.approve(await newest(office), by=BABU)
    await bureau.take(first, second, day=day)
    (detail,) = await details(bureau)
    assert "fees of KES 0.25 more" in detail and "(KES 0.10 of it is booked)" in detail
    assert late in detail
    world.clock.pass_(1)
    await told(bureau, office, day, "--as", "asha")
    minors = [msgspec.json.decode(proposal.body)["minor"] for proposal in await listed(office)]
    assert minors == [25, 10]
    await office.desk.approve(await newest(office), by=BABU)
    await bureau.age()
    assert await bureau.cases() == []


async def test_what_was_rejected_reversed_or_between_other_accounts_books_nothing(
    world: World, bureau: Bureau, office: Office
) -> None:
    _, line = await charged(bureau, "R1", 10)
    day = bureau.today
    await bureau.take_whole(line)
    await told(bureau, office, day, "--as", "asha")
    refused = await newest(office)
    await office.desk.reject(refused, by=BABU)
    world.clock.pass_(1)
    note = (await listed(office))[0].note
    other = {"debit": "LOSS:KES", "credit": FLOAT, "minor": 10}
    elsewhere = await office.desk.propose(Kind.ADJUSTMENT, other, by=ASHA, note=note)
    await office.desk.approve(elsewhere.id, by=BABU)
    world.clock.pass_(1)
    await told(bureau, office, day, "--as", "asha")
    booked = await newest(office)
    await office.desk.approve(booked, by=BABU)
    await bureau.age()
    assert await bureau.cases() == []
    reversal = {"payment": booked, "version": 1}
    asked = await office.desk.propose(Kind.CORRECTION, reversal, by=ASHA, note="in error")
    await office.desk.approve(asked.id, by=BABU)
    await bureau.age()
    (detail,) = await details(bureau)
    assert "fees of KES 0.10 more" in detail and "booked" not in detail


async def test_an_entry_the_other_way_counts_the_other_way(bureau: Bureau, office: Office) -> None:
    _, line = await charged(bureau, "R1", 10)
    day = bureau.today
    await bureau.take_whole(line)
    back = {"debit": FLOAT, "credit": COST, "minor": 4}
    note = note_of("mpesa_ke", day)
    asked = await office.desk.propose(Kind.ADJUSTMENT, back, by=ASHA, note=note)
    await office.desk.approve(asked.id, by=BABU)
    bureau.world.clock.pass_(1)
    said = await told(bureau, office, day, "--as", "asha")
    assert said[-2] == "beyond what was agreed: KES 0.10; booked -0.04, proposed 0"
    assert msgspec.json.decode((await listed(office))[0].body)["minor"] == 14
    await office.desk.approve(await newest(office), by=BABU)
    await bureau.age()
    assert await details(bureau) == []


async def test_a_case_of_any_age_is_over_once_it_is_booked(bureau: Bureau, office: Office) -> None:
    _, line = await charged(bureau, "R1", 10)
    day = bureau.today
    await bureau.take_whole(line)
    bureau.pass_days(AGED_DAYS + 5)
    await told(bureau, office, day, "--as", "asha")
    await bureau.age()
    assert len(await details(bureau)) == 1
    await office.desk.approve(await newest(office), by=BABU)
    await bureau.age()
    assert await details(bureau) == []


async def test_who_closed_it_is_not_called_again_for_the_same_sum(
    world: World, bureau: Bureau
) -> None:
    _, line = await charged(bureau, "R1", 10)
    await bureau.take_whole(line)
    await Owner(world.pool).execute(
        "update case_file set closed_ms = 1, closed_by = 'asha' where kind = 'FEES_DIFFER'"
    )
    await bureau.age()
    assert await details(bureau) == []


async def test_an_adjustment_that_nobody_can_read_is_told_and_decides_nothing(
    bureau: Bureau, office: Office
) -> None:
    _, line = await charged(bureau, "R1", 10)
    day = bureau.today
    await bureau.take_whole(line)
    await told(bureau, office, day, "--as", "asha")
    await Owner(bureau.world.pool).execute("update proposal set body = 'v1.77.' || repeat('A', 60)")
    with pytest.raises(StaffMistake, match="cannot be read"):
        await told(bureau, office, day, "--as", "babu")
    await bureau.age()
    assert len(await details(bureau)) == 1


async def test_a_day_without_a_whole_statement_has_no_entry(bureau: Bureau, office: Office) -> None:
    _, line = await charged(bureau, "R1", 10)
    day = bureau.today
    await bureau.take(line)
    said = await told(bureau, office, day, "--as", "asha")
    assert said == [f"mpesa_ke {day}: no statement of the whole day is taken in"]
    assert await listed(office) == []


async def test_what_is_a_case_already_waits_for_it(bureau: Bureau, office: Office) -> None:
    """Its fee is as doubtful as its amount."""
    _, line = await charged(bureau, "R1", 10)
    off = bureau.line("R1", reference=line.reference, minor=101_000, fee_minor=10)
    day = bureau.today
    await bureau.take_whole(off)
    assert await bureau.cases() == ["AMOUNT_DIFFERS"]
    assert (await told(bureau, office, day))[-1] == "nothing is left to propose"

"""Payments over HTTP, then the operators' statements of that day against our books."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import date, datetime, time, timedelta
from pathlib import Path
from random import Random

import pytest

from simulator.operators.statement import EAST_AFRICA
from simulator.stack import Stack
from tests.e2e.city import START_MINOR, City, Person, open_city
from tests.e2e.conftest import ENVIRONMENT
from tests.e2e.secrecy import Typed
from tests.e2e.servers import Databases, start_stack

pytestmark = pytest.mark.long("a stack of its own that lives through a day")

# What the sandboxes begin with beyond our books stands in the terms; nothing ages here, so that
# what is not listed is a case at once.
TERMS = """
statements:
  usual: {{utc_offset_minutes: 180, ageing_days: 0}}
  operators:
    mpesa_ke: {{unbooked_minor: {mpesa_ke}}}
    mtn_ug: {{unbooked_minor: {mtn_ug}}}
"""


DAY_LEFT_SECONDS_MIN = 1800.0
"""What one operator's file lists is of one day, and all of this is paid in it."""


@pytest.fixture(scope="module")
def own_stack(e2e_folder: Path, databases: Databases, typed: Typed) -> Iterator[Stack]:
    """One of its own: a day's statement lists what every other test did, too."""
    now = datetime.now(EAST_AFRICA)
    midnight = datetime.combine(now.date() + timedelta(days=1), time(), EAST_AFRICA)
    if (midnight - now).total_seconds() < DAY_LEFT_SECONDS_MIN:
        pytest.skip("the operators' day ends while this runs")
    folder = e2e_folder / "statements"
    folder.mkdir(parents=True)
    terms = folder / "reconciliation.yaml"
    unbooked = {name: start.theirs - start.ours for name, start in START_MINOR.items()}
    terms.write_text(TERMS.format(**unbooked))
    environment = {**ENVIRONMENT, "CAPP_RECONCILIATION_FILE": str(terms)}
    with start_stack(
        folder, databases, database="e2e_statements", redis_number=2, environment=environment
    ) as started:
        typed.watch(started)
        yield started


@pytest.fixture
async def own_city(own_stack: Stack, typed: Typed, random: Random) -> AsyncIterator[City]:
    async with open_city(own_stack, typed, random) as opened:
        yield opened
    own_stack.check()


class Clerk:
    """Fetches statements and takes them in, as staff do."""

    def __init__(self, city: City) -> None:
        self.city = city
        self.day = datetime.now(EAST_AFRICA).date()

    async def take(self, operator: str, day: date | None = None) -> str:
        """What the command says of the operator's file of the day."""
        day = day or self.day
        url = f"{self.city.places.operators[operator]}/_sandbox/statement"
        fetched = await self.city.client.get(url, params={"day": day.isoformat()})
        file = self.city.stack.folder / f"{operator}.csv"
        file.write_bytes(fetched.raise_for_status().content)
        arguments = ("statements", "take", operator, day.isoformat(), str(file))
        done = await asyncio.to_thread(self.city.stack.command, *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    async def let_days_pass(self) -> None:
        """The files so far are of whole days from now on: no test waits for two midnights."""
        await self.city.rows(
            "update statement_file set taken_ms = taken_ms + 3 * 86400000 returning day"
        )

    async def cases(self) -> list[str]:
        rows = await self.city.rows(
            "select kind from case_file where closed_ms is null order by kind"
        )
        return [row["kind"] for row in rows]

    async def paid(self) -> Person:
        """A payer whose payment went through."""
        payer, payee = self.city.newcomer("KE"), self.city.newcomer("UG")
        await self.city.pay(payer, payee, 1000)
        await self.city.ends(payer, "PAID")
        return payer

    async def spoil(self, fault: str) -> str:
        """A payment whose line at M-PESA suffers a fault, and what the command says then."""
        payer = await self.paid()
        await self.city.arm(payer, "statement", fault)
        return await self.take("mpesa_ke")


async def test_a_day_agrees_and_every_fault_of_a_line_gives_exactly_its_case(
    own_city: City,
) -> None:
    city, clerk = own_city, Clerk(own_city)
    tomorrow = clerk.day + timedelta(days=1)
    await clerk.paid()
    back = city.newcomer("UG"), city.newcomer("KE")
    await city.pay(*back, 50_000)
    await city.ends(back[0], "PAID")
    for operator, fresh in (("mpesa_ke", 2), ("mtn_ug", 2), ("mtn_ug", 0)):
        said = await clerk.take(operator)
        assert f"2 lines, {fresh} new, 0 doubled" in said
        assert "2  MATCHED\n" in said and "closing balance: as our books say" in said
    assert await clerk.cases() == []

    said = await clerk.spoil("line_doubled")
    assert "1 doubled" in said and "1  DUPLICATE_LINE" in said
    assert await clerk.cases() == []

    said = await clerk.spoil("line_wrong_amount")
    assert "1  AMOUNT_DIFFERS" in said and "they list 1 more" in said
    assert await clerk.cases() == ["AMOUNT_DIFFERS"]
    assert "its receipt is listed in two amounts" in await clerk.take("mpesa_ke")  # corrected
    assert await clerk.cases() == ["AMOUNT_DIFFERS"]

    said = await clerk.spoil("line_next_day")
    assert "1  WAITING" in said
    await clerk.take("mpesa_ke", tomorrow)
    assert "1  NEXT_DAY" in await clerk.take("mpesa_ke")
    assert await clerk.cases() == ["AMOUNT_DIFFERS"]

    await clerk.let_days_pass()
    said = await clerk.spoil("line_dropped")
    assert "1  MISSING_THERE" in said
    assert await clerk.cases() == ["AMOUNT_DIFFERS", "MISSING_THERE"]
    await clerk.take("mpesa_ke")  # listed after all
    assert await clerk.cases() == ["AMOUNT_DIFFERS"]

    said = await clerk.spoil("line_unknown")
    assert "1  MISSING_HERE" in said and "nobody here made it" in said
    assert await clerk.cases() == ["AMOUNT_DIFFERS", "MISSING_HERE"]
    books = {line.account: line.minor for line in (await city.inspector.books()).accounts}
    assert books["SUSPENSE mpesa_ke"] > 0
    await city.assert_books()

    report = await asyncio.to_thread(city.stack.command, "statements", "report")
    assert report.returncode == 0, report.stderr
    assert "2 open, 0 overdue" in report.stdout
    assert not any(number.removeprefix("+") in report.stdout for number in city.typed.msisdns)


async def test_operators_are_asked_what_they_hold(own_city: City) -> None:
    await Clerk(own_city).paid()
    done = await asyncio.to_thread(own_city.stack.command, "statements", "look")
    assert "mtn_ug" in done.stdout, done.stderr
    told = [line for line in done.stdout.splitlines() if line.startswith("mtn_ug 20")]
    assert told and all(line.endswith("as our books say") for line in told)


async def test_a_refused_file_says_which_lines_and_takes_nothing_in(own_city: City) -> None:
    clerk = Clerk(own_city)
    file = own_city.stack.folder / "broken.csv"
    file.write_text("receipt,amount\nx,1\n")
    arguments = ("statements", "take", "mpesa_ke", clerk.day.isoformat(), str(file))
    done = await asyncio.to_thread(own_city.stack.command, *arguments)
    assert done.returncode == 1
    assert "refused as a whole: line 1: the header" in done.stderr
    done = await asyncio.to_thread(own_city.stack.command, *arguments[:2], "nobody", *arguments[3:])
    assert done.returncode == 2

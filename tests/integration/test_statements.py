"""Statements and balances on a real Postgres, with payments that were really made."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import msgspec
import pytest

from channels.cli import _parser
from channels.commands.statements import run_statements, say_cases, say_report
from channels.environment import BadArgument
from channels.statements import Comparison, assemble
from engine.clock import AttemptId, Clock, Ids, PaymentId
from engine.errors import CustomerMistake, OutcomeUnknown, Unreachable, Unreadable
from engine.fx.rates import RateBook
from engine.ledger.committer import Committer
from engine.money import Money
from engine.msisdn import Msisdn
from engine.payments.evidence import Source
from engine.payments.facts import Ruling
from engine.payments.health import Record, Told, unheard
from engine.payments.lifecycle import State
from engine.payments.statements import importing
from engine.payments.statements.cases import STATEMENT_JUMP
from engine.payments.statements.consequences import Consequences
from engine.payments.statements.judged import Class
from engine.payments.statements.lines import Jump, Line, Side
from engine.payments.statements.neutral import write_statement
from engine.payments.statements.pay_ins import (
    HearOwners,
    HearReturn,
    nobody_paid_in,
    nobody_returns,
)
from engine.payments.statements.terms import Terms, TermsBook
from engine.ports import Direction, Finding, OperatorFacts, Outcome
from engine.restored import Restored
from providers.environment import MissingSettings
from providers.registry import build_operators
from tests.integration.books import assert_books
from tests.integration.owner import Owner
from tests.integration.world import FAILED, World, open_world, settings_for
from tests.providers.capability_table import plausible
from tests.unit.payments.examples import MPESA, MTN

pytestmark = pytest.mark.long(
    "each kind of line; tests/properties/test_statements.py draws some without a database"
)

C, S = Class, State
DAY = timedelta(days=1)
HOURS = 3600


@dataclass
class TellingOperator:
    """An operator that only says what it holds for us: now, later, or not at all."""

    facts: OperatorFacts
    holds: dict[str, int]
    later: bool = False
    asked: list[tuple[str, str]] = field(default_factory=list)
    silent: bool = False
    gone: bool = False

    @property
    def balance_accounts(self) -> tuple[str, ...]:
        return tuple(self.holds)

    async def ask_balance(self, account: str, callback_url: str) -> Money | None:
        if self.gone:
            raise Unreachable(self.facts.name, "nothing was sent")
        if self.silent:
            raise OutcomeUnknown(self.facts.name, "silence")
        self.asked.append((account, callback_url))
        return None if self.later else Money(self.holds[account], self.facts.currency)

    def read_balance(self, body: bytes) -> Money | None:
        return Money(int(body), self.facts.currency)

    def references_of(self, attempt_id: AttemptId) -> tuple[str, ...]:
        return (f"ref:{attempt_id}",)


@dataclass
class Bureau:
    """The comparison over a world's payments, and the operator's side as the test tells it."""

    world: World
    comparison: Comparison
    mpesa: TellingOperator
    mtn: TellingOperator
    airtel: TellingOperator | None

    @property
    def today(self) -> date:
        return self.comparison.terms.of("mpesa_ke").day_of(self.now_ms)

    @property
    def now_ms(self) -> int:
        return int(self.world.clock.epoch() * 1000)

    async def take(self, *lines: Line, operator: str = "mpesa_ke", day: date | None = None) -> Any:
        body = write_statement(lines)
        statements = self.comparison.statements
        return await statements.take_in(operator, day or self.today, body, by="terminal:asha")

    async def take_whole(self, *lines: Line, operator: str = "mpesa_ke") -> Any:
        """The day's file, made once the day is over: it is tomorrow after this."""
        day = self.today
        self.pass_days(1)
        return await self.take(*lines, operator=operator, day=day)

    async def age(self) -> int:
        return await self.comparison.statements.age()

    def pass_days(self, days: int) -> None:
        self.world.clock.pass_(days * 24 * HOURS)

    async def cases(self) -> list[str]:
        rows = await self.world.pool.fetch(
            "select kind from case_file where closed_ms is null order by kind"
        )
        return [row["kind"] for row in rows]

    def line(self, receipt: str = "R1", **more: Any) -> Line:
        plain: dict[str, Any] = {
            "reference": None, "side": Side.IN, "minor": 102_000, "fee_minor": 0,
            "counterparty": None, "balance_minor": None, "currency": "KES",
            "operator": "mpesa_ke", "at_ms": self.now_ms,
        }  # fmt: skip
        given = {**plain, **more}
        return Line(
            operator=given["operator"],
            day=self.today,
            receipt=receipt,
            reference=given["reference"],
            side=given["side"],
            amount=Money(given["minor"], given["currency"]),
            fee_minor=given["fee_minor"],
            counterparty=given["counterparty"],
            completed_ms=given["at_ms"],
            balance_minor=given["balance_minor"],
            raw_hash="0" * 32,
        )


def bureau_of(
    world: World,
    committer: Committer | None = None,
    record: Record = unheard,
    mpesa: TellingOperator | None = None,
    airtel: TellingOperator | None = None,
    hear_return: HearReturn = nobody_returns,
    hear_owners: HearOwners = nobody_paid_in,
    **terms: Any,
) -> Bureau:
    mpesa = mpesa or TellingOperator(MPESA, {"in": 400_000_000, "out": 100_000_000})
    mtn = TellingOperator(MTN, {"all": 150_000_000})
    ports: dict[str, Any] = {"mpesa_ke": mpesa, "mtn_ug": mtn}
    if airtel is not None:
        ports[airtel.facts.name] = airtel
    usual = Terms(utc_offset_minutes=_noon_now(world), **terms)
    comparison = assemble(
        pool=world.pool,
        tenant=1,
        operators=ports,
        terms=TermsBook(usual, {}),
        payments=world.payments,
        store=world.store,
        committer=committer or world.committer,
        address=lambda code, id_: f"http://127.0.0.1/callbacks/{code}/{id_}",
        clock=world.clock,
        ids=Ids(world.clock),
        record=record,
        hear_return=hear_return,
        hear_owners=hear_owners,
    )
    return Bureau(world, comparison, mpesa, mtn, airtel)


def _noon_now(world: World) -> int:
    """The offset with which it is about noon: no test of these may cross a midnight by chance."""
    now = world.clock.now()
    return max(-720, min(720, 12 * 60 - (now.hour * 60 + now.minute)))


@pytest.fixture
async def world(seeded_url: str) -> AsyncIterator[World]:
    async with open_world(seeded_url) as opened:
        yield opened
        await opened.dispatched()
        await assert_books(opened.pool)
        assert await opened.books.is_balanced()


@pytest.fixture
def bureau(world: World) -> Bureau:
    return bureau_of(world)


async def collecting(world: World) -> tuple[PaymentId, AttemptId]:
    payment_id = await world.confirm()
    await world.dispatched()
    return payment_id, await world.live(payment_id)


async def paid(world: World, receipt: str = "R1") -> tuple[PaymentId, AttemptId, AttemptId]:
    """A payment that went through: its id, its collection and its payout."""
    payment_id, collection = await collecting(world)
    await world.tell(collection, Finding(Outcome.SUCCEEDED, "ok", receipt=receipt))
    await world.dispatched()
    payout = await world.live(payment_id)
    await world.tell(payout, Finding(Outcome.SUCCEEDED, "ok", receipt=f"P{receipt}"))
    await world.dispatched()
    assert await world.state(payment_id) is S.PAID
    return payment_id, collection, payout


async def test_a_day_on_which_both_sides_agree_needs_nobody(world: World, bureau: Bureau) -> None:
    _, collection, payout = await paid(world)
    ours = await bureau.take(bureau.line("R1", reference=collection))
    payee = bureau.line(
        "PR1", operator="mtn_ug", currency="UGX", minor=28_023, side=Side.OUT,
        reference=f"ref:{payout}",
    )  # fmt: skip
    theirs = await bureau.take(payee, operator="mtn_ug")
    assert ours.counts == theirs.counts == {C.MATCHED: 1}
    bureau.pass_days(1)
    await bureau.take()
    await bureau.take(operator="mtn_ug")
    bureau.pass_days(1)
    assert await bureau.age() == 0
    assert await bureau.cases() == []


async def test_a_day_is_told_without_the_days_beside_it(
    world: World, bureau: Bureau, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who books the fees that each day's report tells would else book them again and again."""
    monkeypatch.setattr(RateBook, "is_stale", lambda *_: False)
    told: list[str] = []
    for n in range(3):
        _, collection, _ = await paid(world, f"R{n}")
        line = bureau.line(f"R{n}", reference=collection, fee_minor=10)
        say_report(await bureau.take_whole(line), "KES", told.append)
    assert [line for line in told if "MATCHED" in line] == ["        1  MATCHED"] * 3
    assert [line for line in told if "fees" in line] == [
        "  fees listed beyond what is booked: KES 0.10"
    ] * 3


async def test_what_another_day_lists_is_told_with_its_attempts_day_and_costs_once(
    world: World, bureau: Bureau
) -> None:
    _, collection, _ = await paid(world)
    day = bureau.today
    listed = msgspec.structs.replace(
        bureau.line("R1", reference=collection, fee_minor=10), day=day + DAY
    )
    bureau.pass_days(2)
    later = await bureau.take(listed, day=day + DAY)
    assert (later.counts, later.unbooked_fee_minor) == ({C.NEXT_DAY: 1}, 10)
    own = await bureau.take(day=day)
    assert (own.counts, own.unbooked_fee_minor) == ({C.NEXT_DAY: 1}, 0)
    after = await bureau.take(day=day + 2 * DAY)
    assert after.counts == {}


async def test_a_closing_balance_is_compared_with_the_float_of_then_however_old_what_came_after(
    world: World, bureau: Bureau
) -> None:
    payment_id, collection = await collecting(world)
    await world.tell(collection, Finding(Outcome.SUCCEEDED, "ok", receipt="R1"))
    await world.dispatched()
    bureau.pass_days(40)
    float_ = next(
        line.minor for line in await world.books.trial_balance() if line.name == "FLOAT mpesa_ke"
    )
    day, last = bureau.today, bureau.line("X9", minor=100, balance_minor=float_ + 100)
    bureau.pass_days(1)
    await world.tell(await world.live(payment_id), FAILED)  # what was unknown for weeks
    await world.dispatched()
    await world.tell(await world.live(payment_id), Finding(Outcome.SUCCEEDED, "ok", receipt="B1"))
    assert await world.state(payment_id) is S.REFUNDED
    report = await bureau.take(last, day=day)
    assert report.drift_minor == 100  # what nobody here made, and nothing else


async def test_a_repeats_own_reference_names_the_attempt_too(world: World, bureau: Bureau) -> None:
    payment_id = (await paid(world))[0]
    payout = (await world.store.endings(payment_id))[-1].attempt_id
    payment = await world.payment(payment_id)
    for reference in ("TX-FIRST", "TX-REPEAT"):
        await world.payments.record_accepted(payment, payout, reference)
    for n, reference in enumerate(("TX-FIRST", "TX-REPEAT")):
        line = bureau.line(
            f"OF{n}", operator="mtn_ug", currency="UGX", minor=28_023, side=Side.OUT,
            reference=reference, at_ms=bureau.now_ms + n,
        )  # fmt: skip
        report = await bureau.take(line, operator="mtn_ug")
        assert (report.judged[0].hint or report.judged[0].ours) is not None, reference


async def test_a_payout_to_the_number_before_is_no_contradiction(
    world: World, bureau: Bureau
) -> None:
    payment_id, _, payout = await paid(world)
    masked = (await world.payment(payment_id)).msisdn_of(Direction.DISBURSE).masked
    line = bureau.line(
        "PR1", operator="mtn_ug", currency="UGX", minor=28_023, side=Side.OUT,
        reference=f"ref:{payout}", counterparty=masked,
    )  # fmt: skip
    await bureau.take(line, operator="mtn_ug")
    undone = Finding(Outcome.REVERSED, "listed_undone")
    await world.tell(payout, undone, Source.STATEMENT)
    by_two = Ruling("another number", by=("amina", "brian"))
    assert await world.rulings.repay(payment_id, by_two, payee=Msisdn("+256772000099"))
    await world.dispatched()
    await bureau.age()
    assert await bureau.cases() == ["RETURNED"]


async def test_a_file_taken_in_twice_is_one(world: World, bureau: Bureau) -> None:
    _, collection, _ = await paid(world)
    lines = [bureau.line("R1", reference=collection), bureau.line("R9")]
    first = await bureau.take(*lines, lines[1])
    before = await snapshot(world)
    again = await bureau.take(*lines, lines[1])
    assert await snapshot(world) == before
    assert (first.fresh, first.doubled, again.fresh, again.doubled) == (2, 1, 0, 1)
    assert first.counts == again.counts
    assert await bureau.cases() == ["MISSING_HERE"]


async def snapshot(world: World) -> list[Any]:
    tables = ("statement_file", "statement_line", "case_file", "journal", "payment", "evidence")
    return [await world.pool.fetch(f"select * from {table} order by 1, 2, 3") for table in tables]


async def test_two_processes_taking_in_the_same_file_at_once_are_one(
    world: World, database_url: str
) -> None:
    _, attempt = await collecting(world)
    async with open_world(database_url, clock=world.clock, seeded=False) as other:
        one, two = bureau_of(world), bureau_of(other)
        lines = [one.line("R1", reference=attempt), one.line("R9")]
        reports = await asyncio.gather(one.take(*lines), two.take(*lines))
        await other.dispatched()
    await world.dispatched()
    assert sorted(report.fresh for report in reports) == [0, 2]
    assert await world.pool.fetchval("select count(*) from statement_line") == 2
    assert len(world.mtn.orders) + len(other.mtn.orders) == 1
    assert await one.cases() == ["MISSING_HERE"]


@pytest.mark.parametrize("does", ["take", "age"])
async def test_one_operators_statements_are_compared_by_one_process_at_a_time(
    world: World, bureau: Bureau, does: str
) -> None:
    await bureau.take()
    async with bureau.comparison.store.turn("mpesa_ke"):
        await bureau.take(operator="mtn_ug")  # another's are not held up
        waiting = asyncio.create_task(bureau.take() if does == "take" else bureau.age())
        await asyncio.sleep(0.2)
        assert not waiting.done()
    await waiting


async def test_a_listed_collection_that_was_unknown_goes_on(world: World, bureau: Bureau) -> None:
    payment_id, attempt = await collecting(world)
    await world.payments.record_unclear(await world.payment(payment_id), attempt)
    assert await world.state(payment_id) is S.COLLECT_UNKNOWN
    report = await bureau.take(bureau.line("R1", reference=attempt))
    assert report.counts == {C.UNKNOWN_RESOLVED: 1}
    await world.dispatched()
    assert await world.state(payment_id) is S.PAYING
    sources = await world.pool.fetch("select source from evidence where attempt = $1", attempt)
    assert int(Source.STATEMENT) in [row["source"] for row in sources]
    again = await bureau.take(bureau.line("R1", reference=attempt))
    assert again.counts == {C.MATCHED: 1}
    assert len(world.mtn.orders) == 1
    assert await bureau.cases() == []


async def test_a_listed_payout_that_was_unknown_is_paid(world: World, bureau: Bureau) -> None:
    payment_id, collection = await collecting(world)
    await world.tell(collection, Finding(Outcome.SUCCEEDED, "ok", receipt="R1"))
    await world.dispatched()
    payout = await world.live(payment_id)
    line = bureau.line(
        "P1", operator="mtn_ug", currency="UGX", minor=28_023, side=Side.OUT,
        reference=f"ref:{payout}",
    )  # fmt: skip
    await bureau.take(line, operator="mtn_ug")
    assert await world.state(payment_id) is S.PAID


async def refund_unknown(world: World) -> tuple[PaymentId, AttemptId]:
    """A collection of receipt R1 that is given back, and nobody knows whether it was."""
    payment_id, collection = await collecting(world)
    await world.tell(collection, Finding(Outcome.SUCCEEDED, "ok", receipt="R1"))
    await world.dispatched()
    await world.tell(await world.live(payment_id), FAILED)
    await world.dispatched()
    refund = await world.live(payment_id)
    await world.payments.record_unclear(await world.payment(payment_id), refund)
    assert await world.state(payment_id) is S.REFUND_UNKNOWN
    return payment_id, refund


@pytest.mark.parametrize("by", ["receipt", "our id", "our word"])
async def test_a_listed_return_of_the_collection_is_the_refund_that_was_unknown(
    world: World, by: str
) -> None:
    """A reversal is named by what it undoes: M-PESA's has no word of ours for itself."""
    payment_id, refund = await refund_unknown(world)
    collection = await world.store.collected_attempt(payment_id)
    named = {"receipt": "R1", "our id": collection, "our word": f"ref:{collection}"}[by]
    bureau = bureau_of(world, absence_proves_after_days=1)
    back = bureau.line("REV1", side=Side.OUT, reference=named)
    report = await bureau.take_whole(bureau.line("R1"), back)
    assert report.counts == {C.MATCHED: 1, C.UNKNOWN_RESOLVED: 1}
    assert await world.state(payment_id) is S.REFUNDED
    for _ in range(3):
        await bureau.take_whole()
    await bureau.age()
    await world.dispatched()
    assert await world.store.ended_how(payment_id, refund) is True
    assert await bureau.cases() == await world.cases() == []


async def test_a_listed_return_of_a_collection_that_came_late_is_its_refund(
    world: World, bureau: Bureau
) -> None:
    """How it ended first told no receipt; the statement names the one that came in the end."""
    payment_id, collection = await collecting(world)
    await world.tell(collection, FAILED)
    late = Finding(Outcome.SUCCEEDED, "ok", receipt="R1")
    await world.tell(collection, late, Source.QUERY)
    await world.dispatched()
    refund = await world.live(payment_id)
    await world.payments.record_unclear(await world.payment(payment_id), refund)
    back = bureau.line("REV1", side=Side.OUT, reference="R1")
    report = await bureau.take(bureau.line("R1"), back)
    assert report.counts == {C.MATCHED: 1, C.UNKNOWN_RESOLVED: 1}
    assert await world.state(payment_id) is S.REFUNDED


async def test_a_return_that_nobody_here_ordered_is_said_to_people(
    world: World, bureau: Bureau
) -> None:
    await paid(world)
    back = bureau.line("REV1", side=Side.OUT, reference="R1")
    report = await bureau.take(bureau.line("R1"), back)
    assert report.counts == {C.MATCHED: 1, C.CONTRADICTION: 1}
    assert await world.cases() != []


async def test_listed_money_of_a_failed_collection_comes_late_and_is_given_back(
    world: World, bureau: Bureau
) -> None:
    payment_id, attempt = await collecting(world)
    await world.tell(attempt, FAILED)
    assert await world.state(payment_id) is S.COLLECT_FAILED
    report = await bureau.take(bureau.line("R1", reference=attempt))
    assert report.counts == {C.CONTRADICTION: 1}
    await world.dispatched()
    assert await world.state(payment_id) is S.REFUNDING
    await bureau.take(bureau.line("R1", reference=attempt))
    assert (await bureau.take(bureau.line("R1", reference=attempt))).counts[C.CONTRADICTION] == 0


async def test_a_listed_payout_that_we_hold_failed_is_a_conflict_and_moves_nothing(
    world: World, bureau: Bureau
) -> None:
    payment_id, collection = await collecting(world)
    await world.tell(collection, Finding(Outcome.SUCCEEDED, "ok", receipt="R1"))
    await world.dispatched()
    payout = await world.live(payment_id)
    await world.tell(payout, FAILED)
    await world.dispatched()
    before = await world.state(payment_id)
    line = bureau.line(
        "P1", operator="mtn_ug", currency="UGX", minor=28_023, side=Side.OUT,
        reference=f"ref:{payout}",
    )  # fmt: skip
    for _ in range(2):
        await bureau.take(line, operator="mtn_ug")
    assert await world.state(payment_id) is before
    assert (await world.cases()).count("CONFLICT") == 1


async def test_another_amount_is_one_case_and_proves_nothing(world: World, bureau: Bureau) -> None:
    payment_id, attempt = await collecting(world)
    for _ in range(2):
        report = await bureau.take(bureau.line("R1", reference=attempt, minor=102_001))
    assert report.counts == {C.AMOUNT_DIFFERS: 1}
    assert await bureau.cases() == ["AMOUNT_DIFFERS"]
    assert await world.state(payment_id) is S.COLLECTING
    row = await world.pool.fetchrow("select * from case_file")
    assert row["payment"].hex == payment_id
    assert "1,020.01" in row["detail"] and row["due_ms"] > row["opened_ms"]


async def test_what_they_do_not_list_is_a_case_after_it_has_aged(
    world: World, bureau: Bureau
) -> None:
    payment_id, attempt, _ = await paid(world)
    line = bureau.line("R1", reference=attempt)
    day = bureau.today
    assert (await bureau.take()).counts == {C.WAITING: 1}
    bureau.pass_days(1)
    await bureau.take(day=day)
    await bureau.take()
    bureau.pass_days(1)
    for _ in range(2):
        await bureau.age()
    assert await bureau.cases() == []  # the second day was not over when its file came
    await bureau.take(day=day + DAY)
    for _ in range(2):
        await bureau.age()
    assert await bureau.cases() == ["MISSING_THERE"]
    row = await world.pool.fetchrow("select payment, hash from case_file")
    assert (row["payment"].hex, row["hash"].hex) == (payment_id, attempt)

    late = await bureau.take(line, day=day)  # listed after all
    assert late.counts == {C.MATCHED: 1}
    assert await bureau.cases() == []


async def test_a_line_in_the_next_days_file_is_no_case(world: World, bureau: Bureau) -> None:
    _, attempt, _ = await paid(world)
    line = bureau.line("R1", reference=attempt)
    await bureau.take_whole()
    report = await bureau.take_whole(line)
    assert C.MISSING_HERE not in report.counts
    bureau.pass_days(1)
    await bureau.age()
    assert "MISSING_THERE" not in await bureau.cases()
    stored = await world.pool.fetchval("select class from statement_line")
    assert stored == C.NEXT_DAY


async def test_money_for_nobody_goes_to_suspense_once_it_has_aged_and_only_then(
    world: World, bureau: Bureau
) -> None:
    await bureau.take(
        bureau.line("R9", minor=5_000, fee_minor=50), bureau.line("R8", side=Side.OUT)
    )
    assert await bureau.cases() == ["MISSING_HERE", "MISSING_HERE"]
    bureau.pass_days(1)
    assert await bureau.age() == 0
    before = await world.balance("FLOAT mpesa_ke", "KES")
    bureau.pass_days(1)
    assert [await bureau.age() for _ in range(3)] == [1, 0, 0]
    assert await world.balance("SUSPENSE mpesa_ke", "KES") == 5_000
    assert await world.balance("FLOAT mpesa_ke", "KES") == before + 4_950
    assert await world.balance("OPERATOR_COST mpesa_ke", "KES") == 50
    assert await bureau.cases() == ["MISSING_HERE", "MISSING_HERE"]  # still somebody's affair


async def test_a_receipt_in_two_amounts_that_nobody_here_made_is_put_aside_by_people_alone(
    world: World, bureau: Bureau
) -> None:
    """One movement was booked twice, once in each amount."""
    day = bureau.today
    first, corrected = bureau.line("R9", minor=5_000), bureau.line("R9", minor=6_000)
    await bureau.take(first)
    bureau.pass_days(1)
    await bureau.take(corrected, day=day)
    assert await bureau.cases() == ["MISSING_HERE", "MISSING_HERE"]
    bureau.pass_days(1)
    assert [await bureau.age() for _ in range(2)] == [0, 0]
    assert "SUSPENSE mpesa_ke" not in {line.name for line in await world.books.trial_balance()}


async def test_what_was_put_aside_in_one_amount_is_not_put_aside_in_another(
    world: World, bureau: Bureau
) -> None:
    day = bureau.today
    first, corrected = bureau.line("R9", minor=5_000), bureau.line("R9", minor=6_000)
    await bureau.take(first)
    bureau.pass_days(2)
    assert await bureau.age() == 1
    await bureau.take(corrected, day=day)
    bureau.pass_days(1)
    assert await bureau.age() == 0
    assert await world.balance("SUSPENSE mpesa_ke", "KES") == 5_000
    assert await bureau.cases() == ["MISSING_HERE", "MISSING_HERE"]


async def test_a_receipt_that_begins_like_another_is_another(world: World, bureau: Bureau) -> None:
    for receipt, minor in (("R9:1", 5_000), ("R9", 6_000)):
        await bureau.take(bureau.line(receipt, minor=minor, at_ms=bureau.now_ms))
        bureau.pass_days(2)
        assert await bureau.age() == 1
    assert await world.balance("SUSPENSE mpesa_ke", "KES") == 11_000


async def test_suspended_money_goes_back_when_its_owner_is_found(
    world: World, bureau: Bureau
) -> None:
    payment_id, attempt = await collecting(world)
    await world.tell(attempt, FAILED)
    await bureau.take(bureau.line("R1", reference="ws_CO_LOST"))
    assert await bureau.cases() == ["MISSING_HERE"]
    bureau.pass_days(2)
    assert await bureau.age() == 1
    assert await world.balance("SUSPENSE mpesa_ke", "KES") == 102_000
    found = await world.store.attempt(attempt)
    assert found is not None
    payment = await world.payment(payment_id)
    # The answer that held the operator's reference was lost, and is learned from staff now.
    await Owner(world.pool).execute("delete from evidence where attempt = $1", attempt)
    await world.payments.record_accepted(payment, attempt, "ws_CO_LOST")
    await bureau.age()
    await world.dispatched()
    assert await world.balance("SUSPENSE mpesa_ke", "KES") == 0
    assert await world.state(payment_id) is S.REFUNDING  # late money, owed back
    assert await world.balance("FLOAT mpesa_ke", "KES") == 500_000_000 + 102_000
    assert await bureau.cases() == []


async def payout_unknown(world: World) -> tuple[PaymentId, AttemptId]:
    payment_id, collection = await collecting(world)
    await world.tell(collection, Finding(Outcome.SUCCEEDED, "ok", receipt="R1"))
    await world.dispatched()
    payout = await world.live(payment_id)
    await world.payments.record_unclear(await world.payment(payment_id), payout)
    assert await world.state(payment_id) is S.PAYOUT_UNKNOWN
    return payment_id, payout


async def test_absence_fails_an_unknown_payout_only_where_the_operator_is_complete(
    world: World,
) -> None:
    payment_id, payout = await payout_unknown(world)
    usual, complete = bureau_of(world), bureau_of(world, absence_proves_after_days=1)
    for _ in range(3):
        await usual.take_whole(operator="mtn_ug")
    await usual.age()
    assert await world.state(payment_id) is S.PAYOUT_UNKNOWN
    assert await complete.age() == 1
    assert await world.state(payment_id) is not S.PAYOUT_UNKNOWN
    assert await world.store.ended_how(payment_id, payout) is False
    assert await complete.age() == 0


async def test_what_is_asked_and_answered_meanwhile_puts_off_no_proof_by_absence(
    world: World,
) -> None:
    """Only an order that left later may be listed later; else what is asked about never ends."""
    payment_id, payout = await payout_unknown(world)
    usual, complete = bureau_of(world), bureau_of(world, absence_proves_after_days=1)
    for _ in range(3):
        await usual.take_whole(operator="mtn_ug")
    pending = Finding(Outcome.PENDING, "nobody knows yet")
    await world.tell(payout, pending, Source.QUERY)
    asked = "select count(*) from evidence where attempt = $1 and source = $2"
    assert await world.pool.fetchval(asked, payout, int(Source.QUERY)) == 1
    assert await complete.age() == 1
    assert await world.store.ended_how(payment_id, payout) is False


async def test_absence_proves_nothing_of_an_order_that_left_again_since(world: World) -> None:
    """It was carried out then, and is listed with a later day: given back, it were paid twice."""
    payment_id, payout = await payout_unknown(world)
    usual, complete = bureau_of(world), bureau_of(world, absence_proves_after_days=1)
    for _ in range(2):
        await usual.take_whole(operator="mtn_ug")
    await world.payments.stepper.keep_repeat(await world.payment(payment_id), payout)
    assert await complete.age() == 0
    assert await world.state(payment_id) is S.PAYOUT_UNKNOWN
    for _ in range(2):
        await usual.take_whole(operator="mtn_ug")
    assert await complete.age() == 1
    assert await world.store.ended_how(payment_id, payout) is False


async def test_absence_proves_nothing_until_the_day_of_a_restore_is_over(world: World) -> None:
    """The order may have left once more in what that lost."""
    payment_id, payout = await payout_unknown(world)
    usual, complete = bureau_of(world), bureau_of(world, absence_proves_after_days=1)
    for _ in range(2):
        await usual.take_whole(operator="mtn_ug")
    world.store._restored = Restored(world.clock.epoch())
    assert await complete.age() == 0
    assert await world.state(payment_id) is S.PAYOUT_UNKNOWN
    for _ in range(2):
        await usual.take_whole(operator="mtn_ug")
    assert await complete.age() == 1
    assert await world.store.ended_how(payment_id, payout) is False


@pytest.mark.parametrize("repeat", ["has left", "is under way"])
async def test_absence_proves_nothing_of_an_order_that_leaves_again_meanwhile(
    world: World, monkeypatch: pytest.MonkeyPatch, repeat: str
) -> None:
    """It was judged, and before its payment hears of that the order is sent once more."""
    payment_id, payout = await payout_unknown(world)
    bureau = bureau_of(world, absence_proves_after_days=1)
    await bureau.take_whole(operator="mtn_ug")
    bureau.pass_days(1)
    payment, take_back = await world.payment(payment_id), Consequences._take_back

    async def meanwhile(*given: Any) -> Any:
        if repeat == "has left":
            await world.payments.stepper.keep_repeat(payment, payout)
        else:
            outbox = world.dispatcher._outbox
            await outbox.take_again(payout, payment_id, 1, Direction.DISBURSE, None)
        return await take_back(*given)

    monkeypatch.setattr(Consequences, "_take_back", meanwhile)
    await bureau.take(operator="mtn_ug", day=bureau.today - DAY)
    assert await world.state(payment_id) is S.PAYOUT_UNKNOWN
    left = await world.pool.fetchval("select ended is null from outbox where id = $1", payout)
    assert left is (True if repeat == "is under way" else None)


async def test_absence_proves_nothing_of_an_order_that_was_held_back_for_days(
    world: World,
) -> None:
    """A refund is owed for as long as it takes: it left only when the operator was there again."""
    payment_id, collection = await collecting(world)
    await world.tell(collection, Finding(Outcome.SUCCEEDED, "ok", receipt="R1"))
    await world.dispatched()
    world.mpesa.answers = [Unreachable("mpesa_ke", "no route")]
    await world.tell(await world.live(payment_id), FAILED)
    await world.dispatched()
    refund = await world.live(payment_id)
    bureau = bureau_of(world, absence_proves_after_days=1)
    for _ in range(2):
        await bureau.take_whole()
    world.mpesa.answers = [OutcomeUnknown("mpesa_ke", "no answer to rely on")]
    await world.dispatcher.sweep()
    await world.dispatched()
    assert await world.state(payment_id) is S.REFUND_UNKNOWN
    assert await bureau.age() == 0
    assert await world.state(payment_id) is S.REFUND_UNKNOWN
    for _ in range(2):
        await bureau.take_whole()
    assert await bureau.age() == 1
    assert await world.store.ended_how(payment_id, refund) is False


async def test_a_file_of_a_day_that_was_not_over_proves_nothing_by_what_it_lacks(
    world: World,
) -> None:
    bureau = bureau_of(world, absence_proves_after_days=1)
    day = bureau.today
    payment_id, _ = await payout_unknown(world)
    for _ in range(3):
        await bureau.take(operator="mtn_ug")  # at noon
        bureau.pass_days(1)
    assert await bureau.age() == 0
    assert await world.state(payment_id) is S.PAYOUT_UNKNOWN
    await bureau.take(operator="mtn_ug", day=day)  # the same bytes, of whole days now
    await bureau.take(operator="mtn_ug", day=day + DAY)
    await bureau.age()
    assert await world.state(payment_id) is not S.PAYOUT_UNKNOWN


async def test_of_several_files_of_a_whole_day_the_last_says_whether_a_line_is_missing(
    world: World,
) -> None:
    bureau = bureau_of(world, absence_proves_after_days=1)
    day = bureau.today
    payment_id, _ = await payout_unknown(world)
    lines = [
        bureau.line(f"G{n}", operator="mtn_ug", currency="UGX", minor=100, balance_minor=100 * n)
        for n in (1, 2, 3)
    ]
    await bureau.take_whole(operator="mtn_ug")
    world.clock.pass_(60)
    await bureau.take(lines[0], lines[2], operator="mtn_ug", day=day)
    await bureau.take_whole(operator="mtn_ug")
    await bureau.age()
    assert await world.state(payment_id) is S.PAYOUT_UNKNOWN
    await bureau.take(*lines, operator="mtn_ug", day=day)
    assert await world.state(payment_id) is not S.PAYOUT_UNKNOWN


async def test_a_file_of_the_day_before_proves_nothing_of_this_one(world: World) -> None:
    """Taken under the wrong day, by a slip or by a script, it lacks all that this day lists."""
    bureau = bureau_of(world, absence_proves_after_days=1)
    payment_id, payout = await payout_unknown(world)
    other = bureau.line("G1", operator="mtn_ug", currency="UGX", minor=100)
    await bureau.take_whole(other, operator="mtn_ug")
    day = bureau.today
    with pytest.raises(Unreadable, match="of another day"):
        await bureau.take_whole(other, operator="mtn_ug")
    await bureau.age()
    assert await world.state(payment_id) is S.PAYOUT_UNKNOWN
    listed = bureau.line(
        "G2", operator="mtn_ug", currency="UGX", minor=28_023, side=Side.OUT, reference=payout,
        at_ms=bureau.now_ms - 24 * HOURS * 1000,
    )  # fmt: skip
    await bureau.take(other, listed, operator="mtn_ug", day=day)
    assert await world.state(payment_id) is S.PAID


async def test_a_file_that_was_taken_under_the_wrong_day_is_taken_under_its_own(
    bureau: Bureau,
) -> None:
    day, line = bureau.today, bureau.line("G1", operator="mtn_ug", currency="UGX")
    await bureau.take(line, operator="mtn_ug", day=day + DAY)
    report = await bureau.take_whole(line, operator="mtn_ug")
    assert (report.lines, report.fresh) == (1, 0)


def balanced(bureau: Bureau, first: int, *receipts: str, held: int) -> list[Line]:
    """Lines of 100 in, each with the balance after it; before the first one `held` was there."""
    return [
        bureau.line(
            receipt, operator="mtn_ug", currency="UGX", minor=100, balance_minor=held + 100 * n
        )
        for n, receipt in enumerate(receipts, first)
    ]


async def test_a_line_that_lacks_between_two_days_proves_nothing_and_is_somebodys(
    world: World,
) -> None:
    """Neither file shows by itself that its last or first line is not there."""
    bureau = bureau_of(world, absence_proves_after_days=1)
    day = bureau.today
    payment_id, _ = await payout_unknown(world)
    whole = balanced(bureau, 1, "A", "B", held=0)
    await bureau.take_whole(whole[0], operator="mtn_ug")
    next_day = balanced(bureau, 1, "C", "D", held=200)
    report = await bureau.take_whole(*next_day, operator="mtn_ug")
    assert (report.breaks, report.jump) == ((), Jump(day, day + DAY, 100))
    said: list[str] = []
    say_report(report, "UGX", said.append)
    assert f"  since the statement of {day} it moved by 100 that no line lists" in said
    await bureau.age()
    assert await world.state(payment_id) is S.PAYOUT_UNKNOWN
    (case,) = [c for c in await bureau.comparison.cases.all_open() if c.kind == STATEMENT_JUMP]
    assert case.detail == (
        f"mtn_ug's statement of {day + DAY} begins UGX 100 above what that of {day} ended with:"
        " some line of either is missing"
    )
    await bureau.take(*whole, operator="mtn_ug", day=day)
    assert STATEMENT_JUMP not in await bureau.cases()
    assert await world.state(payment_id) is not S.PAYOUT_UNKNOWN


async def test_a_file_that_lists_the_newest_first_is_the_same_file(
    world: World, bureau: Bureau
) -> None:
    """What most portals export: its first balance is what the day ended with."""
    first = balanced(bureau, 1, "A", "B", "C", held=0)
    await bureau.take_whole(*reversed(first), operator="mtn_ug")
    second = balanced(bureau, 1, "D", "E", held=300)
    report = await bureau.take_whole(*reversed([*second, second[0]]), operator="mtn_ug")
    assert (report.lines, report.doubled, report.breaks, report.jump) == (3, 1, (), None)
    rows = await world.pool.fetch(
        "select opening_minor, closing_minor, gaps from statement_file order by day"
    )
    assert [tuple(row) for row in rows] == [(0, 300, 0), (300, 500, 0)]
    assert STATEMENT_JUMP not in await bureau.cases()
    hashes = await world.pool.fetch("select hash from statement_file")
    await bureau.take(*reversed([*second, second[0]]), operator="mtn_ug", day=bureau.today - DAY)
    assert await world.pool.fetch("select hash from statement_file") == hashes


async def test_a_file_that_an_older_program_took_as_it_stood_is_put_right_by_taking_it_again(
    world: World, bureau: Bureau, monkeypatch: pytest.MonkeyPatch
) -> None:
    day, lines = bureau.today, balanced(bureau, 1, "A", "B", held=0)
    moments = [
        msgspec.structs.replace(x, completed_ms=x.completed_ms + n) for n, x in enumerate(lines)
    ]
    with monkeypatch.context() as older:
        older.setattr(importing, "oldest_first", lambda lines: lines)
        await bureau.take_whole(*moments[::-1], operator="mtn_ug")
    await bureau.take_whole(*balanced(bureau, 1, "C", held=200), operator="mtn_ug")
    assert STATEMENT_JUMP in await bureau.cases()
    world.clock.pass_(60)
    await bureau.take(*moments[::-1], operator="mtn_ug", day=day)
    await bureau.age()
    assert STATEMENT_JUMP not in await bureau.cases()


async def test_a_file_whose_order_nobody_can_tell_is_refused_as_a_whole(
    world: World, bureau: Bureau
) -> None:
    to = bureau.line("A", minor=100, balance_minor=1_100)
    fro = bureau.line("B", minor=100, balance_minor=1_000, side=Side.OUT)
    for lines in ((to, fro), (fro, to)):
        with pytest.raises(Unreadable, match="sort the lines by time, the oldest first"):
            await bureau.take(*lines)
    assert await world.pool.fetchval("select count(*) from statement_file") == 0
    later = msgspec.structs.replace(fro, completed_ms=fro.completed_ms + 1_000)
    assert (await bureau.take(later, to)).breaks == ()


async def test_a_jump_of_another_amount_is_another_case_and_one_that_people_closed_stays_closed(
    world: World, bureau: Bureau
) -> None:
    await bureau.take_whole(*balanced(bureau, 1, "A", held=0), operator="mtn_ug")
    day, lines = bureau.today, balanced(bureau, 1, "C", held=200)
    earlier = balanced(bureau, 1, "B", held=50)
    await bureau.take_whole(*lines, operator="mtn_ug")
    await world.pool.execute(
        "update case_file set closed_ms = 1, closed_by = 'asha', note = 'known' where kind = $1",
        STATEMENT_JUMP,
    )
    await bureau.age()
    assert STATEMENT_JUMP not in await bureau.cases()
    world.clock.pass_(60)
    await bureau.take(*earlier, *lines, operator="mtn_ug", day=day)
    for _ in range(2):
        await bureau.age()
        assert (await bureau.cases()).count(STATEMENT_JUMP) == 1


async def test_a_line_that_two_files_list_belongs_to_the_first_and_hides_no_jump(
    bureau: Bureau,
) -> None:
    today = balanced(bureau, 1, "A", "B", held=0)
    report = await bureau.take_whole(*today, operator="mtn_ug")
    late = balanced(bureau, 3, "C", "D", held=0)
    report = await bureau.take_whole(today[1], *late, operator="mtn_ug")
    assert (report.breaks, report.jump, report.fresh) == ((), None, 2)
    await bureau.take_whole(operator="mtn_ug")  # nothing moved
    report = await bureau.take_whole(
        *balanced(bureau, 5, "E", held=0), *balanced(bureau, 5, "E", held=0), operator="mtn_ug"
    )
    assert (report.breaks, report.jump, report.doubled) == ((), None, 1)
    assert STATEMENT_JUMP not in await bureau.cases()


async def test_a_file_that_is_taken_again_after_another_one_is_the_last(world: World) -> None:
    """The way back from a file that was taken by mistake, also when that is done over and over."""
    bureau = bureau_of(world, absence_proves_after_days=1)
    day = bureau.today
    payment_id, _ = await payout_unknown(world)
    good = balanced(bureau, 1, "A", "B", "C", held=149_999_677)
    await bureau.take_whole(*good, operator="mtn_ug")
    spoilt = [good[0], good[2], bureau.line("X", operator="mtn_ug", currency="UGX", minor=7)]
    for _ in range(2):
        for lines, is_complete in ((spoilt, False), (good, True), (good, True)):
            world.clock.pass_(60)
            await bureau.take(*lines, operator="mtn_ug", day=day)
            taken = await bureau.comparison.store.taken("mtn_ug", bureau.comparison.terms.of(""))
            assert (day in taken.complete) is is_complete
    files = await world.pool.fetchval("select count(*) from statement_file")
    assert files == 2 + 3  # each as often as it was the last one anew
    await bureau.take_whole(operator="mtn_ug")
    assert await world.state(payment_id) is S.REFUNDING


@pytest.mark.parametrize("ahead", [2, 365])
async def test_a_file_of_a_day_that_has_not_come_is_refused(bureau: Bureau, ahead: int) -> None:
    """A slip in the year: nobody would look for the day's own statement any more."""
    with pytest.raises(Unreadable, match="is to come, it is"):
        await bureau.take(day=bureau.today + ahead * DAY)
    assert not (await bureau.comparison.store.taken("mpesa_ke", Terms())).days
    await bureau.take(day=bureau.today + DAY)  # it may have turned midnight there


async def test_a_refused_file_leaves_nothing_behind(world: World, bureau: Bureau) -> None:
    good = write_statement([bureau.line("R1")])
    for body in (good + b"broken\r\n", b"", good.replace(b"KES", b"UGX")):
        with pytest.raises(Unreadable):
            await bureau.comparison.statements.take_in("mpesa_ke", bureau.today, body, by="x")
    with pytest.raises(CustomerMistake):
        await bureau.comparison.statements.take_in("nobody", bureau.today, good, by="x")
    assert await world.pool.fetchval("select count(*) from statement_file") == 0
    assert await world.pool.fetchval("select count(*) from statement_line") == 0


async def test_a_day_without_a_statement_is_a_case_until_it_comes(
    world: World, bureau: Bureau
) -> None:
    day = bureau.today
    await bureau.take_whole()
    await bureau.take()  # of half a day
    bureau.pass_days(2)
    await bureau.take(day=day + 2 * DAY)
    await bureau.age()
    assert await bureau.cases() == []
    bureau.pass_days(1)
    await bureau.age()
    assert await bureau.cases() == ["STATEMENT_ABSENT"]
    assert "since it was over" in await world.pool.fetchval("select detail from case_file")
    await bureau.take(day=day + DAY)
    assert await bureau.cases() == []


# A file that is sent again and says more.


async def test_a_reference_that_is_listed_later_is_heard(world: World, bureau: Bureau) -> None:
    payment_id, attempt = await collecting(world)
    await world.payments.record_unclear(await world.payment(payment_id), attempt)
    first = await bureau.take(bureau.line("R1"))
    assert first.counts[C.MISSING_HERE] == 1
    again = await bureau.take(bureau.line("R1", reference=attempt))
    await world.dispatched()
    assert (again.fresh, again.counts) == (0, {C.UNKNOWN_RESOLVED: 1})
    assert await world.state(payment_id) is S.PAYING
    assert await bureau.cases() == []


async def test_a_number_that_is_listed_later_contradicts_an_unpaired_line(
    world: World, bureau: Bureau
) -> None:
    payment_id, attempt = await collecting(world)
    await bureau.take(bureau.line("R1"))
    other = bureau.line("R1", reference=attempt, counterparty="+254799999999")
    assert (await bureau.take(other)).counts == {C.CONTRADICTION: 1}
    assert await world.state(payment_id) is S.COLLECTING


async def test_a_number_alone_that_is_listed_later_is_kept_for_the_day_its_owner_is_found(
    world: World, bureau: Bureau
) -> None:
    _, attempt = await collecting(world)
    first = bureau.line("R1", reference="till 7")
    await bureau.take(first)
    await bureau.take(msgspec.structs.replace(first, counterparty="+254799999999"))
    await world.tell(attempt, Finding(Outcome.SUCCEEDED, "ok", receipt="R1"))
    assert (await bureau.take(first)).counts == {C.CONTRADICTION: 1}


async def test_another_reference_than_before_is_said_and_changes_nothing(
    world: World, bureau: Bureau
) -> None:
    _, attempt, _ = await paid(world)
    first, again = (bureau.line("R1", reference=told) for told in (attempt, "0712345678"))
    await bureau.take(first)
    report = await bureau.take(again)
    assert report.counts == {C.MATCHED: 1}
    assert report.renamed == ("R1",)
    said: list[str] = []
    say_report(report, "KES", said.append)
    assert "  R1 was listed under another reference before, which counts" in said
    assert "0712345678" not in "".join(said)


async def test_what_a_later_file_takes_its_explanation_from_is_somebodys_again(
    world: World, bureau: Bureau
) -> None:
    """A second receipt under our own word: its line is nobody's, the payment's, and nobody's."""
    day, (_, collection, _) = bureau.today, await paid(world, "R1")
    strange = bureau.line("R9")
    await bureau.take(strange)
    assert await bureau.cases() == ["MISSING_HERE"]
    named = bureau.line("R9", reference=collection)
    await bureau.take(named)
    assert await bureau.cases() == []
    own = bureau.line("R1", at_ms=bureau.now_ms)
    for _ in range(2):
        await bureau.take(named, own, day=day)
        assert await bureau.cases() == ["MISSING_HERE"]
    await world.pool.execute("update case_file set closed_ms = 1, closed_by = 'asha', note = 'ok'")
    await bureau.take(own, named, day=day)
    assert await bureau.cases() == []  # what people closed stays closed


async def test_a_second_payment_under_one_code_is_put_aside_though_the_first_is_not_listed(
    world: World, bureau: Bureau
) -> None:
    """It was the payment's until the first one's line came, and for ever where that never did."""
    day, (payment_id, *_) = bureau.today, await paid(world, "R1")
    first = bureau.line("R1")
    second = bureau.line("R9", reference=(await world.payment(payment_id)).code)
    await bureau.take(second)
    assert await bureau.cases() == ["MISSING_HERE"]
    bureau.pass_days(2)
    assert await bureau.age() == 1
    assert await world.balance("SUSPENSE mpesa_ke", "KES") == second.amount.minor
    await bureau.take(first, second, day=day)
    assert await world.balance("SUSPENSE mpesa_ke", "KES") == second.amount.minor
    assert await world.state(payment_id) is S.PAID


async def test_suspended_money_stays_there_when_it_turns_out_to_be_of_another_amount(
    world: World, bureau: Bureau
) -> None:
    payment_id, attempt = await collecting(world)
    day, line = bureau.today, bureau.line("R1", minor=5_000)
    named = bureau.line("R1", minor=5_000, reference=attempt)
    await bureau.take(line)
    bureau.pass_days(2)
    assert await bureau.age() == 1
    await bureau.take(named, day=day)
    assert await bureau.cases() == ["AMOUNT_DIFFERS"]
    assert await world.balance("SUSPENSE mpesa_ke", "KES") == 5_000
    assert await world.state(payment_id) is S.COLLECTING


async def test_suspended_money_goes_back_to_the_payment_that_has_its_receipt_whatever_the_number(
    world: World, bureau: Bureau
) -> None:
    """It was listed under a name that nobody knew, and the payment heard of it otherwise since."""
    _, attempt = await collecting(world)
    line = bureau.line("R1", reference="0", counterparty="+2547*****999")
    await bureau.take(line)
    bureau.pass_days(2)
    assert await bureau.age() == 1
    assert await world.balance("SUSPENSE mpesa_ke", "KES") == 102_000
    await world.tell(attempt, Finding(Outcome.SUCCEEDED, "ok", receipt="R1"))
    await world.dispatched()
    held = await world.balance("FLOAT mpesa_ke", "KES")
    assert [await bureau.age() for _ in range(2)] == [1, 0]
    assert await world.balance("SUSPENSE mpesa_ke", "KES") == 0
    assert await world.balance("FLOAT mpesa_ke", "KES") == held - 102_000
    assert await bureau.cases() == ["CONTRADICTION"]  # the number is people's affair all the same


@pytest.mark.parametrize("days", [9, 40])
async def test_suspended_money_goes_back_however_late_its_payment_heard_of_it(
    world: World, bureau: Bureau, days: int
) -> None:
    """Else the same money stands in the books twice, and somebody may send it back."""
    _, attempt = await collecting(world)
    await bureau.take(bureau.line("R1", reference="0"))
    bureau.pass_days(2)
    assert await bureau.age() == 1
    assert await world.balance("SUSPENSE mpesa_ke", "KES") == 102_000
    bureau.pass_days(days)
    await world.tell(attempt, Finding(Outcome.SUCCEEDED, "ok", receipt="R1"))
    await world.dispatched()
    await bureau.take_whole()  # the operator's statements come as ever
    await bureau.age()
    assert await world.balance("SUSPENSE mpesa_ke", "KES") == 0
    assert await bureau.age() == 0


class Crash(BaseException):
    """The process is gone."""


@pytest.mark.parametrize(
    ("where", "at"),
    [("store", "settle"), ("cases", "open"), ("store", "set_suspended"), ("cases", "close")],
)
async def test_a_crash_in_the_middle_and_a_repeat_are_one(
    world: World, bureau: Bureau, where: str, at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment_id, attempt = await collecting(world)
    lines = [bureau.line("R1", reference=attempt), bureau.line("R9", minor=7)]
    day = bureau.today
    bureau.pass_days(2)  # so that money for nobody is put aside at once
    store = getattr(bureau.comparison, where)
    real = getattr(store, at)

    async def crash(*_: Any, **__: Any) -> None:
        raise Crash

    monkeypatch.setattr(store, at, crash)
    with pytest.raises(Crash):
        await bureau.take(*lines, day=day)
    monkeypatch.setattr(store, at, real)
    for _ in range(2):
        await bureau.take(*lines, day=day)
    await world.dispatched()
    assert await world.state(payment_id) is S.REFUNDING  # proven two days late: the rate is over
    assert await world.balance("SUSPENSE mpesa_ke", "KES") == 7
    assert await bureau.cases() == ["MISSING_HERE"]
    directions = [order.direction for order in world.mpesa.orders + world.mtn.orders]
    assert directions == [Direction.COLLECT, Direction.REFUND]


async def test_money_whose_note_was_lost_in_a_crash_leaves_suspense_once_its_owner_is_known(
    world: World, bureau: Bureau, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was booked, and the payment heard of its money before anybody looked again."""
    _, attempt = await collecting(world)
    line = bureau.line("R1", reference="0")
    await bureau.take(line)
    bureau.pass_days(2)
    store, real = bureau.comparison.store, bureau.comparison.store.set_suspended

    async def crash(*_: Any, **__: Any) -> None:
        raise Crash

    monkeypatch.setattr(store, "set_suspended", crash)
    with pytest.raises(Crash):
        await bureau.age()
    monkeypatch.setattr(store, "set_suspended", real)
    assert await world.balance("SUSPENSE mpesa_ke", "KES") == 102_000
    await world.tell(attempt, Finding(Outcome.SUCCEEDED, "ok", receipt="R1"))
    await world.dispatched()
    assert [await bureau.age() for _ in range(2)] == [1, 0]
    assert await world.balance("SUSPENSE mpesa_ke", "KES") == 0
    assert await bureau.cases() == []


# The third way.


async def test_the_closing_balance_is_compared_with_float_as_of_then(
    world: World, bureau: Bureau
) -> None:
    _, collection, _ = await paid(world, "R1")
    at_ms = bureau.now_ms
    line = bureau.line("R1", reference=collection, balance_minor=500_000_000 + 102_000, at_ms=at_ms)
    world.clock.pass_(60)
    await paid(world, "R2")  # what came since is not in their balance
    good = await bureau.take(line)
    assert good.drift_minor == 0
    bad = bureau.line("R1", reference=collection, balance_minor=500_102_007, at_ms=at_ms)
    for _ in range(2):
        world.clock.pass_(1)  # files of one moment are in no order
        assert (await bureau.take(bad)).drift_minor == 7
    assert await bureau.cases() == ["FLOAT_DRIFT"]
    worse = bureau.line("R1", reference=collection, balance_minor=500_102_009, at_ms=at_ms)
    world.clock.pass_(1)
    assert (await bureau.take(worse)).drift_minor == 9
    (case,) = await bureau.comparison.cases.all_open()
    assert case.detail == "mpesa_ke holds KES 0.09 more than our books can explain"
    world.clock.pass_(1)
    assert (await bureau.take(line)).drift_minor == 0  # the last file of a day is what counts
    assert await bureau.cases() == []


async def test_a_last_line_without_a_balance_moves_the_moment_of_comparison_nowhere(
    world: World, bureau: Bureau
) -> None:
    _, collection, _ = await paid(world, "R1")
    told = bureau.line("R1", reference=collection, balance_minor=500_000_000 + 102_000)
    world.clock.pass_(60)
    _, later, _ = await paid(world, "R2")
    report = await bureau.take(told, bureau.line("R2", reference=later))
    assert (report.counts, report.drift_minor) == ({C.MATCHED: 2}, 0)


async def test_what_an_operator_tells_since_hides_no_drift_of_a_statement(
    world: World, bureau: Bureau
) -> None:
    """Each is an episode of its own: the live balance is right again before the file comes."""
    last = bureau.line("X9", minor=100, balance_minor=500_000_107)
    world.clock.pass_(60)
    assert await bureau.comparison.balances.look() == 0
    assert (await bureau.take(last)).drift_minor == 107
    assert await bureau.cases() == ["FLOAT_DRIFT", "MISSING_HERE"]


async def test_what_a_statement_has_put_aside_is_no_drift_of_its_own_closing_balance(
    bureau: Bureau,
) -> None:
    """Its entry is made days after that moment, and the statement is what it was made by."""
    day, held = bureau.today, 500_000_007
    line = bureau.line("R9", minor=7, balance_minor=held)
    bureau.pass_days(2)
    assert (await bureau.take(line, day=day)).drift_minor == 0
    assert await bureau.cases() == ["MISSING_HERE"]
    more = bureau.line("R9", minor=7, balance_minor=held + 1, at_ms=line.completed_ms)
    assert (await bureau.take(more, day=day)).drift_minor == 1


async def test_late_money_that_a_statement_tells_of_is_no_drift_of_its_own_closing_balance(
    world: World, bureau: Bureau
) -> None:
    """It is booked only now, and was there when the day ended."""
    payment_id, attempt = await collecting(world)
    await world.tell(attempt, FAILED)
    world.clock.pass_(60)
    held = 500_000_000 + 102_000
    line = bureau.line("R1", reference=attempt, balance_minor=held)
    world.clock.pass_(60)
    assert (await bureau.take(line)).drift_minor == 0
    assert await bureau.cases() == []
    await world.dispatched()
    assert await world.state(payment_id) is S.REFUNDING
    more = bureau.line("R1", reference=attempt, balance_minor=held + 1, at_ms=line.completed_ms)
    world.clock.pass_(1)
    assert (await bureau.take(more)).drift_minor == 1


async def test_money_under_way_is_no_drift_and_more_than_that_is_one_case_an_episode(
    world: World, bureau: Bureau
) -> None:
    look = bureau.comparison.balances.look
    payment_id, collection = await collecting(world)
    for held in (100_000_000, 100_102_000):  # the collection may have arrived or not
        bureau.mpesa.holds["out"] = held
        assert await look() == 0
        world.clock.pass_(60)
    await world.tell(collection, Finding(Outcome.SUCCEEDED, "ok", receipt="R1"))
    await world.dispatched()  # two minutes from now it would be too late for the payout's call
    for held in (150_000_000, 150_000_000 - 28_023):  # the payout may have left or not
        bureau.mtn.holds["all"] = held
        assert await look() == 0
        world.clock.pass_(60)
    drifts = await world.pool.fetch("select drift_minor from balance_look")
    assert {row["drift_minor"] for row in drifts} == {0}

    bureau.mtn.holds["all"] -= 100
    await look()
    assert await bureau.cases() == []  # one look may have met something in between
    for _ in range(3):
        world.clock.pass_(60)
        await look()
    assert await bureau.cases() == ["FLOAT_DRIFT"]
    bureau.mtn.holds["all"] += 100
    world.clock.pass_(60)
    await look()
    assert await bureau.cases() == []
    bureau.mtn.holds["all"] = 0
    for _ in range(2):
        world.clock.pass_(60)
        await look()
    assert await bureau.cases() == ["FLOAT_DRIFT"]
    every = "select count(*) from case_file where kind = 'FLOAT_DRIFT'"
    assert await world.pool.fetchval(every) == 2
    assert await world.state(payment_id) is S.PAYING


async def test_a_case_about_a_little_says_so_when_much_is_missing(
    world: World, bureau: Bureau, caplog: pytest.LogCaptureFixture
) -> None:
    async def details() -> list[str]:
        world.clock.pass_(60)
        await bureau.comparison.balances.look()
        rows = await world.pool.fetch("select detail from case_file where closed_ms is null")
        return [row["detail"].removesuffix(" than our books can explain") for row in rows]

    bureau.mtn.holds["all"] -= 5
    assert await details() == []
    assert await details() == ["mtn_ug holds UGX 5 less"]
    bureau.mtn.holds["all"] -= 1_000_000
    assert await details() == ["mtn_ug holds UGX 1,000,005 less"]
    assert await details() == ["mtn_ug holds UGX 1,000,005 less"]
    said = [r.getMessage() for r in caplog.records if "by now" in r.getMessage()]
    assert len(said) == 1
    assert "1,000,005" in said[0]


async def test_a_drift_that_people_closed_and_that_lasts_is_told_again_the_next_day(
    world: World, bureau: Bureau
) -> None:
    """A small one that somebody knows of must not hide all that comes after it."""
    world.clock.pass_(24 * HOURS - int(world.clock.epoch()) % (24 * HOURS))  # UTC's day begins

    async def look_twice() -> list[str]:
        for _ in range(2):
            world.clock.pass_(60)
            await bureau.comparison.balances.look()
        return await bureau.cases()

    bureau.mtn.holds["all"] -= 5
    assert await look_twice() == ["FLOAT_DRIFT"]
    await world.pool.execute(
        "update case_file set closed_ms = 1, closed_by = 'asha', note = 'a fee'"
    )
    assert await look_twice() == []
    bureau.mtn.holds["all"] = 0
    bureau.pass_days(1)
    for _ in range(3):
        assert await look_twice() == ["FLOAT_DRIFT"]
        bureau.pass_days(1)
    details = await world.pool.fetch("select detail from case_file where closed_ms is null")
    assert [row["detail"] for row in details] == [
        "mtn_ug holds UGX 150,000,000 less than our books can explain"
    ]


async def test_a_balance_told_later_counts_once_every_account_has_answered(
    world: World, bureau: Bureau
) -> None:
    bureau.mpesa.later = True
    await bureau.comparison.balances.look()
    questions = [url.rpartition("/")[2] for _, url in bureau.mpesa.asked]
    looks = "select count(*) from balance_look where operator = 'mpesa_ke'"
    hear = bureau.comparison.balances.hear
    assert await hear(questions[0], Money(400_000_000, "KES"))
    assert await world.pool.fetchval(looks) == 0
    for _ in range(2):
        assert await hear(questions[1], Money(100_000_000, "KES"))
    assert await world.pool.fetchval(looks) == 1
    assert await world.pool.fetchval("select sum(drift_minor) from balance_look") == 0
    assert not await hear("0" * 32, Money(1, "KES"))


async def test_an_operator_that_cannot_be_reached_is_told_to_its_health_and_no_other(
    world: World,
) -> None:
    recorded: list[tuple[Any, ...]] = []

    def record(
        operator: str,
        direction: Direction,
        told: Told | None,
        minor: int,
        *,
        began_at: float | None = None,
    ) -> None:
        recorded.append((operator, direction, told, minor, began_at))

    bureau = bureau_of(world, record=record)
    bureau.mpesa.gone = bureau.mtn.silent = True
    assert await bureau.comparison.balances.look() == 2
    assert recorded == [
        ("mpesa_ke", direction, Told.UNREACHABLE, 0, None)
        for direction in (Direction.COLLECT, Direction.DISBURSE)
    ]


async def test_a_silent_operator_does_not_keep_the_others_from_being_asked(
    world: World, bureau: Bureau
) -> None:
    bureau.mpesa.silent = True
    assert await bureau.comparison.balances.look() == 1
    rows = await world.pool.fetch("select operator from balance_look")
    assert [row["operator"] for row in rows] == ["mtn_ug"]


# What people read.


async def test_the_report_names_what_is_open_and_no_number(world: World, bureau: Bureau) -> None:
    _, attempt = await collecting(world)
    report = await bureau.take(
        bureau.line("R1", reference=attempt, minor=102_001, counterparty="+254712000001"),
        bureau.line("R9", fee_minor=100),
    )
    said: list[str] = []
    say_report(report, "KES", said.append)
    text = "\n".join(said)
    assert "2 lines, 2 new, 0 doubled" in text
    assert "1  AMOUNT_DIFFERS" in text and "they list 0.01 more" in text
    assert "MISSING_HERE  R9 in KES 1,020" in text
    assert "712000001" not in text


async def test_an_overdue_case_is_said_so(world: World, bureau: Bureau) -> None:
    await bureau.take(bureau.line("R9"))
    cases = await bureau.comparison.cases.all_open()
    said: list[str] = []
    assert say_cases(cases, bureau.now_ms, said.append)
    bureau.pass_days(4)
    assert not say_cases(cases, bureau.now_ms, said.append)
    assert "OVERDUE" in said[2] and "96 h" in said[2]
    assert said[-1] == "1 open, 1 overdue"


async def test_an_operator_that_is_not_served_is_named_to_who_typed_it(database_url: str) -> None:
    given = {f"CAPP_AFRICASTALKING_{name}": "x" for name in ("USERNAME", "API_KEY")}
    given["CAPP_AFRICASTALKING_BASE_URL"] = "http://127.0.0.1:1"
    try:
        build_operators({}, clock=Clock(), names=["mtn_ug"])
    except MissingSettings as error:
        given |= {name: plausible(name) for name in error.names}
    settings = settings_for(database_url, CAPP_OPERATORS="mtn_ug", **given)
    parser, said = _parser(["statements"]), list[str]()
    for typed in (["take", "nobody", "2026-11-20", "README.md"], ["fees", "nobody", "2026-11-20"]):
        options = parser.parse_args(["statements", *typed])
        with pytest.raises(BadArgument, match="no operator 'nobody' is served; there are mtn_ug"):
            await run_statements(settings, options, print)
    served = parser.parse_args(["statements", "fees", "mtn_ug", "2026-11-20", "--as", "asha"])
    assert not await run_statements(settings, served, said.append)
    assert said == ["mtn_ug 2026-11-20: no statement of the whole day is taken in"]


async def test_what_is_listed_late_in_another_amount_is_one_case_however_often_one_looks(
    world: World, bureau: Bureau
) -> None:
    _, collection, _ = await paid(world)
    for _ in range(3):
        await bureau.take_whole()
    assert await bureau.cases() == ["MISSING_THERE"]
    late = bureau.line("R1", reference=collection, minor=101_000)
    for _ in range(2):
        await bureau.take(late)
        await bureau.age()
        assert await bureau.cases() == ["AMOUNT_DIFFERS"]


async def test_a_line_of_another_amount_keeps_its_attempt_in_sight_however_old(
    world: World,
) -> None:
    """One that was unknown for longer than a statement looks back, and ends: out of sight its line
    would be money for nobody, and be booked beside the collection."""
    bureau = bureau_of(world, lookback_days=1)
    payment_id, collection = await collecting(world)
    code = (await world.payment(payment_id)).code
    bureau.pass_days(4)
    await bureau.take_whole(bureau.line("R1", reference=code, minor=101_000))
    assert "AMOUNT_DIFFERS" in await bureau.cases()
    await world.tell(collection, Finding(Outcome.SUCCEEDED, "ok", receipt="R1"))
    await world.dispatched()
    for _ in range(4):
        bureau.pass_days(1)
        await bureau.age()
        cases = await bureau.cases()
        assert cases.count("AMOUNT_DIFFERS") == 1 and "MISSING_HERE" not in cases
    with pytest.raises(KeyError):  # nothing was ever booked there
        await world.balance("SUSPENSE mpesa_ke", "KES")


@pytest.mark.parametrize("state", ["unknown", "failed"])
async def test_what_moved_long_after_it_began_is_known_by_its_receipt(
    world: World, state: str
) -> None:
    """Not live any more when its line comes, and begun before the statement looks back."""
    bureau = bureau_of(world, lookback_days=1)
    _, collection = await collecting(world)
    if state == "failed":
        await world.tell(collection, FAILED)
    bureau.pass_days(4)
    told = Finding(Outcome.SUCCEEDED, "ok", receipt="R1")
    await world.tell(collection, told, Source.QUERY)
    await world.dispatched()
    report = await bureau.take_whole(bureau.line("R1"))
    assert report.counts[C.MATCHED] + report.counts[C.NEXT_DAY] == 1
    for _ in range(3):
        bureau.pass_days(1)
        await bureau.age()
    assert "MISSING_HERE" not in await bureau.cases()
    with pytest.raises(KeyError):  # nothing was ever booked there
        await world.balance("SUSPENSE mpesa_ke", "KES")


async def test_what_ended_late_at_another_operator_is_no_affair_of_this_ones_statement(
    world: World,
) -> None:
    bureau = bureau_of(world, lookback_days=1)
    payment_id, collection = await collecting(world)
    await world.tell(collection, Finding(Outcome.SUCCEEDED, "ok", receipt="R1"))
    await world.dispatched()
    bureau.pass_days(4)
    told = Finding(Outcome.SUCCEEDED, "ok", receipt="P1")
    await world.tell(await world.live(payment_id), told, Source.QUERY)
    assert await world.state(payment_id) is S.PAID
    day = bureau.today
    assert (await bureau.take_whole()).counts == {}
    assert (await bureau.take(operator="mtn_ug", day=day)).counts == {C.WAITING: 1}

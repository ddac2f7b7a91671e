"""Fees that a day's statement lists otherwise than they were agreed: a case a day, and its entry.

What was agreed is booked with each payment (`ours.py`). It books nothing: it tells what is left for
two people to book, and knows their adjustments by the note that is written here.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import NamedTuple

import msgspec

from engine.desk.proposals import (
    OPEN,
    Adjustment,
    Kind,
    Proposal,
    ProposalId,
    Rivals,
    State,
    read_body,
)
from engine.desk.store import ProposalStore
from engine.errors import StaffMistake
from engine.ledger.account_names import spell
from engine.ledger.chart import Account
from engine.ledger.chart import Kind as AccountKind
from engine.money import Money
from engine.payments.statements.cases import FEES_DIFFER, Case, Over, StatementCases
from engine.payments.statements.judged import AGREES, Judged
from engine.payments.statements.lines import named_id
from engine.payments.statements.store import StatementStore
from engine.payments.statements.terms import Terms
from engine.ports import OperatorFacts

_TOLD_MAX = 5


class Fee(NamedTuple):
    """A line whose fee is another one than was agreed. `code` is its payment's, "" of no payment's.
    Amounts are minor units."""

    receipt: str
    code: str
    agreed_minor: int
    charged_minor: int

    @property
    def beyond_minor(self) -> int:
        return self.charged_minor - self.agreed_minor


class DayFees(msgspec.Struct, frozen=True):
    """The fees of one operator's day that are not as agreed, and what people have done about them.

    Minor units; below zero where less was charged than was agreed.
    """

    facts: OperatorFacts
    day: date
    fees: tuple[Fee, ...]
    booked_minor: int  # by adjustments that stand
    asked_minor: int  # by adjustments that wait for somebody
    made: frozenset[ProposalId] = frozenset()  # all of these, and those that came to nothing

    @property
    def beyond_minor(self) -> int:
        """What all of them are above what was agreed."""
        return sum(fee.beyond_minor for fee in self.fees)

    @property
    def left_minor(self) -> int:
        """What no book has."""
        return self.beyond_minor - self.booked_minor


def read_fees(judged: Sequence[Judged], day: date) -> tuple[Fee, ...]:
    """Those of the day's own lines that agree otherwise; of the others people hear anyway, by cases
    that are to be over first.

    None of a day without a single fee: such a statement tells of none, it is billed elsewhere.
    """
    own = [(j, j.theirs.line) for j in judged if j.theirs is not None and j.theirs.line.day == day]
    if not any(line.fee_minor for _, line in own):
        return ()
    return tuple(
        Fee(line.receipt, j.ours.code if j.ours else "", line.fee_minor - beyond, line.fee_minor)
        for j, line in own
        if j.kind in AGREES and (beyond := j.unbooked_fee_minor)
    )


def note_of(operator: str, day: date) -> str:
    """Why an adjustment is made, by which it is known again."""
    return f"fees of {operator} {day} beyond what was agreed"


def rivals_of(fees: DayFees) -> Rivals:
    """Entries of the same day that somebody has made since its fees were read: with one of them
    the same would be booked twice."""
    note = note_of(fees.facts.name, fees.day)
    return Rivals(
        note, (Kind.ADJUSTMENT,), lambda p: p.note == note, (*OPEN, State.DONE), fees.made
    )


def entry_of(fees: DayFees, tenant: int) -> Mapping[str, str | int] | None:
    """The fields of the ADJUSTMENT that books what is left and nobody has proposed; None when
    nothing is."""
    minor = fees.left_minor - fees.asked_minor
    cost, float_ = _accounts(fees.facts, tenant)
    debit, credit = (cost, float_) if minor > 0 else (float_, cost)
    return {"debit": debit, "credit": credit, "minor": abs(minor)} if minor else None


class FeeBook:
    """The fees of one tenant's operators. Every method may be repeated."""

    def __init__(
        self, proposals: ProposalStore, lines: StatementStore, cases: StatementCases, tenant: int
    ) -> None:
        self._proposals = proposals
        self._lines = lines
        self._cases = cases
        self._tenant = tenant

    async def of(self, facts: OperatorFacts, day: date, judged: Sequence[Judged]) -> DayFees:
        """What the lines of a day say, beside what people did about it.

        Raises StaffMistake where one of their adjustments cannot be read.
        """
        made = await self._proposals.noted(Kind.ADJUSTMENT, note_of(facts.name, day))
        undone = await self._lines.undone([p.id for p in made]) if made else frozenset()
        booked = sum(
            self._minor(p, facts) for p in made if p.state is State.DONE and p.id not in undone
        )
        asked = sum(self._minor(p, facts) for p in made if p.state in OPEN)
        made_ids = frozenset(p.id for p in made)
        return DayFees(facts, day, read_fees(judged, day), booked, asked, made_ids)

    async def call_people(
        self, facts: OperatorFacts, day: date, judged: Sequence[Judged], terms: Terms, at_ms: int
    ) -> None:
        """A case for what no book has of the day's fees; over when it is booked, or comes to
        another sum. One that cannot be told stays as it is."""
        subject = self._subject(facts.name, day)
        over = Over(subject, "all of it is booked")
        try:
            fees = await self.of(facts, day, judged) if read_fees(judged, day) else None
        except StaffMistake:
            return
        if fees is not None and fees.left_minor:
            case = Case(subject, FEES_DIFFER, named_id(subject, fees.left_minor), words_of(fees))
            await self._cases.open([case], terms, at_ms)
            over = Over(subject, "by another amount since", but=case.hash)
        await self._cases.close_over(FEES_DIFFER, [over], at_ms)

    async def open_days(self, operator: str, taken: frozenset[date]) -> list[date]:
        """Those of these days about which people have a case, however old."""
        called = await self._cases.open_subjects(FEES_DIFFER)
        return [day for day in sorted(taken) if called and self._subject(operator, day) in called]

    def _subject(self, operator: str, day: date) -> str:
        return named_id(self._tenant, operator, day, "fees")

    def _minor(self, proposal: Proposal, facts: OperatorFacts) -> int:
        """How much of the operator's cost it books: nothing where it is between other accounts."""
        if not proposal.body:
            raise StaffMistake(f"proposal {proposal.id} cannot be read: the log says why")
        body = read_body(proposal.kind, proposal.body)
        assert isinstance(body, Adjustment)
        cost, float_ = _accounts(facts, self._tenant)
        return {(cost, float_): body.minor, (float_, cost): -body.minor}.get(
            (body.debit, body.credit), 0
        )


def words_of(fees: DayFees) -> str:
    """The sum, and the first of the payments that it is made of."""
    told = [_told(fee, fees.facts.currency) for fee in fees.fees[:_TOLD_MAX]]
    if more := len(fees.fees) - len(told):
        told.append(f"and {more} more")
    booked = Money(abs(fees.booked_minor), fees.facts.currency)
    done = f" ({booked} of it is booked)" if fees.booked_minor else ""
    return f"{fees.facts.name} {fees.day}: {sum_of(fees)}{done}: {'; '.join(told)}"


def sum_of(fees: DayFees) -> str:
    """What is left to book, in words."""
    more = "more" if fees.left_minor > 0 else "less"
    left = Money(abs(fees.left_minor), fees.facts.currency)
    return f"fees of {left} {more} than was agreed are in no book"


def _told(fee: Fee, currency: str) -> str:
    charged, agreed = Money(fee.charged_minor, currency), Money(fee.agreed_minor, currency)
    about = f"{fee.code} ({fee.receipt})" if fee.code else fee.receipt
    return f"{about} cost {charged}, agreed were {agreed}"


def _accounts(facts: OperatorFacts, tenant: int) -> tuple[str, str]:
    names = {facts.code: facts.name}
    kinds = (AccountKind.OPERATOR_COST, AccountKind.FLOAT)
    cost, float_ = (Account(tenant, facts.currency, kind, facts.code) for kind in kinds)
    return spell(cost, names), spell(float_, names)

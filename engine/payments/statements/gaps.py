"""What is missing between statements: days without one, and two that do not follow on each other.

It opens cases and closes them; it judges no line.
"""

from datetime import date, timedelta
from typing import Final

from engine.money import plain
from engine.payments.statements.cases import (
    STATEMENT_ABSENT,
    STATEMENT_JUMP,
    Case,
    Over,
    StatementCases,
)
from engine.payments.statements.lines import ONE_DAY, Jump, named_id
from engine.payments.statements.store import Taken
from engine.payments.statements.terms import TermsBook
from engine.ports import OperatorFacts

ABSENT_DAYS_MAX: Final = 31
FOLLOWED_DAYS: Final = 10
"""So many days from the first on are looked at in one go."""


class Gaps:
    """The gaps of one tenant's operators. Every method may be repeated; `at_ms` is the moment."""

    def __init__(self, tenant: int, cases: StatementCases, terms: TermsBook) -> None:
        self._tenant = tenant
        self._cases = cases
        self._terms = terms

    async def came(self, operator: str, day: date, at_ms: int) -> None:
        """The whole day's statement is here."""
        absence = self._absence(operator, day)
        await self._cases.close(STATEMENT_ABSENT, [absence], "it came", at_ms)

    async def miss(self, facts: OperatorFacts, taken: Taken, today: date, at_ms: int) -> None:
        """A case for every day whose statement is long overdue; from the first one ever taken."""
        if not taken.days:
            return
        terms = self._terms.of(facts.name)
        last = today - timedelta(days=1 + terms.absent_after_days)
        first = max(min(taken.days), last - timedelta(days=ABSENT_DAYS_MAX))
        wanted = {first + n * ONE_DAY for n in range((last - first).days + 1)}
        cases = [
            Case(absence, STATEMENT_ABSENT, absence, f"{facts.name} sent no statement of {told}")
            for day in sorted(wanted - taken.whole)
            for absence in [self._absence(facts.name, day)]
            for told in [f"{day} since it was over" if day in taken.days else f"{day}"]
        ]
        await self._cases.open(cases, terms, at_ms)

    async def follow_on(self, facts: OperatorFacts, taken: Taken, first: date, at_ms: int) -> None:
        """A case for each of the days from `first` on whose statement does not begin with what the
        one before it ended with: some line of either is not listed."""
        last = first + timedelta(days=FOLLOWED_DAYS)
        cases, over = [], []
        for day in sorted(d for d in taken.whole if first <= d <= last):
            subject = named_id(self._tenant, facts.name, day, "jump")
            if (jump := taken.jumps.get(day)) is None:
                over.append(Over(subject, "the two follow on each other"))
                continue
            hash_ = named_id(subject, jump.minor)
            cases.append(Case(subject, STATEMENT_JUMP, hash_, _words_of(facts, jump)))
            over.append(Over(subject, "by another amount since", but=hash_))
        await self._cases.open(cases, self._terms.of(facts.name), at_ms)
        await self._cases.close_over(STATEMENT_JUMP, over, at_ms)

    def _absence(self, operator: str, day: date) -> str:
        return named_id(self._tenant, operator, day, "absent")


def _words_of(facts: OperatorFacts, jump: Jump) -> str:
    off = f"{facts.currency} {plain(abs(jump.minor), facts.currency)}"
    side = "above" if jump.minor > 0 else "below"
    return (
        f"{facts.name}'s statement of {jump.day} begins {off} {side}"
        f" what that of {jump.before} ended with: some line of either is missing"
    )

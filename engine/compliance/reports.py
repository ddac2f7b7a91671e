"""The report on suspicious payments: what was held or refused, and by which reasons.

Holds full numbers, for the regulated file it was asked for, never for a log.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime

import msgspec

from engine.compliance.clearance import Action, seen_in
from engine.compliance.history import Flagged
from engine.money import to_decimal


class SuspiciousPayment(msgspec.Struct, frozen=True):
    """A line of the report; `likeness` of names and `points` of rules as they were decided by."""

    quote_id: str
    at: datetime
    payer: str
    payee: str
    currency: str
    amount: str
    action: str
    likeness: int
    points: int
    reasons: str


def suspicious(flagged: Iterable[Flagged]) -> Iterator[SuspiciousPayment]:
    """One line each, in order. The quote's id leads to the payment, where one was made."""
    for each in flagged:
        question, seen = each.question, seen_in(each.decision)
        yield SuspiciousPayment(
            quote_id=question.quote_id,
            at=question.at,
            payer=str(question.payer),
            payee=str(question.payee),
            currency=question.amount.currency,
            amount=f"{to_decimal(question.amount):f}",
            action=Action(each.action).name.lower(),
            likeness=seen.likeness,
            points=seen.points,
            reasons=each.decision.reason,
        )

"""Whose money it is that a customer sent by themselves. Pure: what was told and a payment in, a
judgement out.

It refuses to guess: a reference must be a payment's code, the amount what that payment costs, and
the payer must not be another. All else is for people.
"""

import re
from collections.abc import Sequence
from enum import IntEnum, StrEnum
from typing import NamedTuple

from engine.clock import PaymentId
from engine.money import Money
from engine.payments.facts import Ending
from engine.payments.lifecycle import LIVE_DIRECTION, Event, may
from engine.payments.payment import Payment
from engine.ports import Direction, PaidIn, PayInRefusal


class Stage(IntEnum):
    """Where money that was paid in stands. Numbers are stored: never renumber."""

    HEARD = 1  # told of; nothing is booked
    DENIED = 2  # the operator, asked, says otherwise: nothing is booked, people look
    SUSPENDED = 3  # booked, and nobody knows whose it is
    TAKEN = 4  # the collection of a payment
    RETURNING = 5  # two people send it back; it may have left
    RETURNED = 6
    ASSIGNING = 7  # two people know whose it is
    FOUND = 8  # a statement showed whose it is: that payment has it, or it was our own


class PayIn(NamedTuple):
    """Money that was paid in, as it is stored. `payer` as in `PaidIn`; times epoch milliseconds."""

    id: str
    operator: str
    paid: PaidIn
    stage: Stage
    heard_ms: int
    asked: int = 0
    proven: bool = False
    payment: PaymentId | None = None
    proposal: str | None = None
    calls: int = 0  # how often its return was ordered
    called_ms: int | None = None  # when that was done last; None: never, also under any other


class Verdict(StrEnum):
    """What money is, as far as can be told."""

    COLLECTS = "collects"  # the payment waits for it
    LATE = "late"  # the payment is over without it; believed only once it is proven
    KNOWN = "known"  # it was booked with the payment already: its receipt says so
    ASSUMED = "assumed"  # the same, of a collection that nobody told the receipt of
    STRANGE = "strange"  # people have to look


class Judgement(NamedTuple):
    """The verdict and, for people, why. Of what is KNOWN: why it would be strange otherwise."""

    verdict: Verdict
    why: str = ""


_NUMBER = re.compile(r"\d{9,}")

EVENTS = {
    Verdict.COLLECTS: Event.COLLECTION_SUCCEEDED,
    Verdict.LATE: Event.LATE_MONEY_PROVEN,
}


def judge(
    pay_in: PayIn, payment: Payment | None, endings: Sequence[Ending], *, payer_agrees: bool
) -> Judgement:
    """Whose money it is. `endings` are those of the payment, `payment` the one its reference names.

    A collection that was proven without a receipt is taken to be this money: booked once too few
    it is found in the statement, booked once too many it would be given away.
    """
    if payment is None:
        return Judgement(Verdict.STRANGE, "its reference names no payment of the last days")
    wrong = mismatch(pay_in.operator, pay_in.paid.amount, payment)
    if not wrong and not payer_agrees:
        wrong = f"another number than the payer's of {payment.code}"
    if any(e.receipt == pay_in.paid.receipt and e.succeeded for e in _collections(endings)):
        return Judgement(Verdict.KNOWN, wrong)
    if wrong:
        return Judgement(Verdict.STRANGE, wrong)
    if LIVE_DIRECTION.get(payment.state) is Direction.COLLECT:
        return Judgement(Verdict.COLLECTS)
    if may(payment.state, Event.LATE_MONEY_PROVEN):
        return Judgement(Verdict.LATE)
    if any(e.succeeded and e.receipt is None for e in _collections(endings)):
        return Judgement(Verdict.ASSUMED)
    return Judgement(Verdict.STRANGE, f"{payment.code} is paid already: {payment.state.name}")


def mismatch(operator: str, amount: Money, payment: Payment) -> str:
    """Why money of this operator and amount is not the payment's; "" when it may be."""
    quote = payment.quote
    if quote.payer_operator != operator:
        return f"{payment.code} is paid by {quote.payer_operator}"
    if amount != quote.total:
        return f"{amount} instead of {quote.total} for {payment.code}"
    return ""


def refusal(
    operator: str, paid: PaidIn, payment: Payment | None, *, payer_agrees: bool
) -> PayInRefusal | None:
    """Why money that is about to be sent is not wanted; None takes it.

    Only what would be a payment's collection is wanted: what would have to be given back again,
    or looked at by people, had better not come.
    """
    if payment is None or LIVE_DIRECTION.get(payment.state) is not Direction.COLLECT:
        return PayInRefusal.REFERENCE
    if payment.quote.payer_operator != operator:
        return PayInRefusal.REFERENCE
    if paid.amount != payment.quote.total:
        return PayInRefusal.AMOUNT
    return None if payer_agrees else PayInRefusal.PAYER


def shown(reference: str) -> str:
    """What a customer typed, fit for people and logs: some type a number where a code belongs."""
    return repr(_NUMBER.sub(lambda run: f"{run[0][:4]}*****{run[0][-3:]}", reference))


def _collections(endings: Sequence[Ending]) -> list[Ending]:
    """The endings of the collection: its attempt is the first that ended."""
    return [e for e in endings if e.attempt_id == endings[0].attempt_id]

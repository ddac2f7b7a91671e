"""One payment as the engine holds it in memory."""

import msgspec

from engine.clock import AttemptId, PaymentId
from engine.fx.quotes import Quote
from engine.ledger.chart import Route
from engine.ledger.postings import refund_minor
from engine.money import Money
from engine.msisdn import Msisdn
from engine.payments.facts import Facts
from engine.payments.lifecycle import LIVE_DIRECTION, State
from engine.ports import Direction

# Crockford's base 32: no I, L, O or U, so a code read aloud is typed back right.
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS = tuple(a + b for a in _ALPHABET for b in _ALPHABET)
CODE_LENGTH = 10
_MISREAD = str.maketrans("ILO", "110", " -")


def code_of(payment_id: str) -> str:
    """The short code both people see: ten characters from the random bits of the id."""
    bits = int(payment_id[-13:], 16)
    return (
        _PAIRS[bits >> 40 & 1023] + _PAIRS[bits >> 30 & 1023] + _PAIRS[bits >> 20 & 1023]
        + _PAIRS[bits >> 10 & 1023] + _PAIRS[bits & 1023]
    )  # fmt: skip


def read_code(text: str) -> str | None:
    """A code as somebody typed it, in the form of `code_of`; None when it is none."""
    code = text.strip().upper().translate(_MISREAD)
    is_code = len(code) == CODE_LENGTH and not set(code) - set(_ALPHABET)
    return code if is_code else None


def id_ending(code: str) -> str:
    """The last twelve hex digits of every id that has this code; two bits more are in the code."""
    bits = 0
    for character in code:
        bits = bits << 5 | _ALPHABET.index(character)
    return f"{bits & (1 << 48) - 1:012x}"


# Asked about at every step (`decisions/0027`); so are such names of the other modules here.
_DISBURSE, _REFUND = Direction.DISBURSE, Direction.REFUND


class Payment(msgspec.Struct, frozen=True):
    """A payment at one version. `live` is the attempt that may be moving money now."""

    payment_id: PaymentId
    facts: Facts
    route: Route
    state: State
    version: int
    live: AttemptId | None
    way: int = 0  # which of the quote's ways pays out, or will
    terms: int = 1  # the journal version that holds the facts

    @property
    def quote(self) -> Quote:
        return self.facts.quote

    @property
    def code(self) -> str:
        return code_of(self.payment_id)

    @property
    def live_direction(self) -> Direction | None:
        """None when no attempt is live."""
        return LIVE_DIRECTION.get(self.state)

    @property
    def payout_operator(self) -> str:
        """Who pays the payee, or will next."""
        return payout_operator(self.facts.quote, self.way)

    @property
    def ways(self) -> tuple[str, ...]:
        """Who may pay the payee, in order; the payee's own operator where no ways were ranked."""
        return self.facts.quote.ways or (self.facts.quote.payee_operator,)

    def operator_of(self, direction: Direction) -> str:
        """Who carries out an attempt: a payout goes its way, all else is the payer's operator."""
        return operator_of(direction, self.facts, self.way)

    def minor_of(self, direction: Direction) -> int:
        """`amount_of` in minor units, for those who only compare or count it."""
        quote = self.facts.quote
        if direction is _DISBURSE:
            return quote.receives.minor
        return refund_minor(quote) if direction is _REFUND else quote.total_minor

    def amount_of(self, direction: Direction) -> Money:
        quote = self.facts.quote
        paid = quote.receives if direction is Direction.DISBURSE else quote.amount
        return Money(self.minor_of(direction), paid.currency)

    def msisdn_of(self, direction: Direction) -> Msisdn:
        return Msisdn(self.quote.payee if direction is Direction.DISBURSE else self.quote.payer)


def operator_of(direction: Direction, facts: Facts, way: int) -> str:
    """As `Payment.operator_of`; a refund goes another way where two people said so."""
    if direction is _DISBURSE:
        return payout_operator(facts.quote, way)
    sent = facts.refund_operator if direction is _REFUND else ""
    return sent or facts.quote.payer_operator


def payout_operator(quote: Quote, way: int) -> str:
    """The operator of a quote's nth way; the payee's own where no ways were ranked."""
    return quote.ways[way] if quote.ways else quote.payee_operator

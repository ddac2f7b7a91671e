"""Corridors, and quotes: prices that are promised until a moment. Terms; nothing moves here."""

import msgspec

from engine.decisions import Decision
from engine.money import MINOR_MAX, Money
from engine.msisdn import Msisdn

WHOLE_BP = 10_000
"""All of an amount, in hundredths of a percent."""


class Corridor(msgspec.Struct, frozen=True):
    """The terms of sending from one operator's wallets to another's. Amounts are minor units."""

    payer_operator: str
    payee_operator: str
    spread_bp: int
    fee_minor: int
    fee_bp: int
    amount_minor_min: int
    amount_minor_max: int
    collection_cost_bp: int
    payout_cost_minor: int
    fee_is_refunded: bool = True  # when no payout comes; a quote says so to whom it is made

    @property
    def senseless(self) -> str:
        """Which of its terms would price a payment that the books refuse, or that loses money by
        itself; "" for terms that make sense.
        """
        makes_sense = {
            "spread_bp": 0 <= self.spread_bp < WHOLE_BP,
            "fee_minor": 0 <= self.fee_minor <= MINOR_MAX,
            "fee_bp": 0 <= self.fee_bp <= WHOLE_BP,
            "collection_cost_bp": 0 <= self.collection_cost_bp <= WHOLE_BP,
            "payout_cost_minor": 0 <= self.payout_cost_minor <= MINOR_MAX,
            "amount_minor_min": 0 < self.amount_minor_min <= self.amount_minor_max,
            "amount_minor_max": self.amount_minor_max <= MINOR_MAX,
        }
        return next((name for name, is_right in makes_sense.items() if not is_right), "")


class Expected(msgspec.Struct, frozen=True):
    """Whom the client that asks for a payment means to pay. Personal: sealed where it is stored
    (`engine/payments/facts.py`), never logged.
    """

    payee_name: str

    def __repr__(self) -> str:
        return "Expected()"


class Quote(msgspec.Struct, frozen=True, array_like=True):
    """What the customer is shown, and what the books will be posted from.

    Amounts are minor units. `rate` is what one major unit of the source buys after the spread,
    as shown to the customer; `mid` is the market rate it was made from. Rounding, always to our
    duty and never twice: the payee's amount down to the operator's unit, the fee up to the
    payer's operator's unit, spread and value at mid down; what is left over is `rounding_minor`.
    """

    quote_id: str
    payer: Msisdn
    payee: Msisdn
    payer_operator: str
    payee_operator: str
    amount: Money  # what is sent, before the fee
    fee: Money
    receives: Money  # what the payee gets
    rate: str
    mid: str
    spread_minor: int
    rounding_minor: int
    value_at_mid_minor: int
    collection_cost_minor: int  # what the payer's operator keeps of the total
    payout_cost_minor_max: int  # the most the payee's operator may charge on top
    payer_language: str
    payee_language: str
    expires_at: int  # epoch seconds: until then it may be confirmed and collected
    pay_until: int = 0  # epoch seconds: until then a payout may begin at this rate; 0 for ever
    ways: tuple[str, ...] = ()  # operators that can pay the payee, the best first
    fee_is_refunded: bool = True  # when no payout comes; of what came late always
    rate_at_ms: int = 0  # which accepted rate `mid` is
    decisions: tuple[Decision, ...] = ()  # why this way and this price
    request: str = ""  # the code of the request for money that it answers
    request_try: int = 0  # how often a payment for that request had come to nothing before
    way_costs: tuple[int, ...] = ()  # what each of the ways charges on top, where they differ
    expected: Expected | None = None  # once it is confirmed, where the client tells a name

    @property
    def total_minor(self) -> int:
        """`total` in minor units of the payer's currency."""
        return self.amount.minor + self.fee.minor

    @property
    def payout_cost_minor(self) -> int:
        """What the way that pays charges on top; of several the first. The most is promised."""
        return self.way_costs[0] if self.way_costs else self.payout_cost_minor_max

    @property
    def keeps_fee(self) -> bool:
        """Whether there is a fee that is not given back: then whoever agrees is told so."""
        return not self.fee_is_refunded and self.fee.minor > 0

    def by_way(self, way: int) -> "Quote":
        """The same price where that one of its ways pays."""
        if not way or not self.way_costs:
            return self
        return msgspec.structs.replace(self, way_costs=self.way_costs[way:])

    @property
    def total(self) -> Money:
        """What is collected from the payer."""
        return self.amount + self.fee

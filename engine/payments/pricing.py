"""What a payment costs and what arrives. Pure; all arithmetic is exact.

Rounding, stated once: the payee's amount goes down to the unit the payee's operator can pay, the
fee goes up to the unit the payer's operator can collect, the spread and the value at mid go down
to a minor unit, and what is left over is posted to ROUNDING. Each part is rounded once.
"""

from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from functools import lru_cache

import msgspec

from engine.errors import CustomerMistake
from engine.fx.quotes import Corridor
from engine.money import CURRENCIES, Money
from engine.ports import OperatorFacts

RATE_DIGITS = 6
"""Significant digits of the rate that the customer is shown."""

TEN_THOUSAND = 10_000


class Price(msgspec.Struct, frozen=True):
    """A priced amount; the fields are those of `Quote` with the same names."""

    fee: Money
    receives: Money
    rate: str
    spread_minor: int
    rounding_minor: int
    value_at_mid_minor: int
    collection_cost_minor: int


def price(
    amount: Money, mid: Decimal, corridor: Corridor, payer: OperatorFacts, payee: OperatorFacts
) -> Price:
    """Price an amount at a mid rate (major units of the payee's currency for one of the payer's).

    Raises CustomerMistake when the amount is outside the corridor's or an operator's limits, or is
    no multiple of the unit that the payer's operator can collect. What it names as the least or the
    greatest amount is one that is taken, where any is.
    """
    if amount.minor % payer.unit_minor:
        raise CustomerMistake("mistake.amount_whole")
    if amount.minor < corridor.amount_minor_min:
        raise _too_little(mid, corridor, payer, payee)
    if amount.minor > corridor.amount_minor_max:
        raise _too_much(mid, corridor, payer, payee)

    fee_minor = corridor.fee_minor + Fraction(amount.minor * corridor.fee_bp, TEN_THOUSAND)
    fee = Money(_up(fee_minor, payer.unit_minor), amount.currency)
    total = amount + fee
    if total.minor > payer.collect_minor_max:
        raise _too_much(mid, corridor, payer, payee)
    if total.minor < payer.collect_minor_min:
        raise _too_little(mid, corridor, payer, payee)

    minor_mid = _minor_rate(mid, amount.currency, payee.currency)
    kept_rate = _kept_rate(mid, corridor, payer, payee)
    receives_minor = _down(amount.minor * kept_rate, payee.unit_minor)
    if receives_minor > payee.disburse_minor_max:
        raise _too_much(mid, corridor, payer, payee)
    if receives_minor < payee.disburse_minor_min:
        raise _too_little(mid, corridor, payer, payee)

    spread_minor = amount.minor * corridor.spread_bp // TEN_THOUSAND
    value_at_mid_minor = _down(receives_minor / minor_mid, 1)
    return Price(
        fee=fee,
        receives=Money(receives_minor, payee.currency),
        rate=_shown(mid * (TEN_THOUSAND - corridor.spread_bp) / TEN_THOUSAND),
        spread_minor=spread_minor,
        # Never negative: receives / mid <= amount less spread, and both parts were rounded down.
        rounding_minor=amount.minor - spread_minor - value_at_mid_minor,
        value_at_mid_minor=value_at_mid_minor,
        collection_cost_minor=total.minor * corridor.collection_cost_bp // TEN_THOUSAND,
    )


def amount_for(
    receives: Money, mid: Decimal, corridor: Corridor, payer: OperatorFacts, payee: OperatorFacts
) -> Money:
    """The smallest amount whose price brings the payee at least `receives`; what `price` is given.

    Rounded twice, each time so that no less arrives: what is to arrive goes up to the unit the
    payee's operator can pay, the amount up to the unit the payer's operator can collect. Never
    below what the corridor takes, so that a little more may arrive. `price` judges the rest.
    """
    arriving = _up(Fraction(receives.minor), payee.unit_minor)
    needed = Fraction(arriving) / _kept_rate(mid, corridor, payer, payee)
    lowest = max(needed, Fraction(corridor.amount_minor_min))
    return Money(_up(lowest, payer.unit_minor), payer.currency)


def arrives(
    amount: Money, mid: Decimal, corridor: Corridor, payer: OperatorFacts, payee: OperatorFacts
) -> Money:
    """What `price` would let arrive of an amount, whether or not the amount is allowed."""
    kept_rate = _kept_rate(mid, corridor, payer, payee)
    return Money(_down(amount.minor * kept_rate, payee.unit_minor), payee.currency)


def _too_much(
    mid: Decimal, corridor: Corridor, payer: OperatorFacts, payee: OperatorFacts
) -> CustomerMistake:
    """Names the greatest amount that the corridor and both operators take, its fee included."""
    unit, out = payer.unit_minor, payee.unit_minor
    # The total is in whole units, so the fee may be rounded up to what the amount leaves.
    collected = _down(Fraction(payer.collect_minor_max), unit) - corridor.fee_minor
    # A little more than the most that may arrive is rounded down to it.
    arriving = _down(Fraction(payee.disburse_minor_max), out) + out
    greatest = min(
        _down(Fraction(corridor.amount_minor_max), unit),
        _down(Fraction(collected * TEN_THOUSAND, TEN_THOUSAND + corridor.fee_bp), unit),
        _up(arriving / _kept_rate(mid, corridor, payer, payee), unit) - unit,
    )
    return CustomerMistake("mistake.amount_max", maximum=Money(greatest, payer.currency))


def _too_little(
    mid: Decimal, corridor: Corridor, payer: OperatorFacts, payee: OperatorFacts
) -> CustomerMistake:
    """Names the least amount that the corridor and both operators take, its fee included."""
    unit = payer.unit_minor
    # The fee is rounded up, so the total gets there once it is more than a unit short of it.
    short = _up(Fraction(payer.collect_minor_min), unit) - unit - corridor.fee_minor
    arriving = _up(Fraction(payee.disburse_minor_min), payee.unit_minor)
    least = max(
        _up(Fraction(corridor.amount_minor_min), unit),
        _down(Fraction(short * TEN_THOUSAND, TEN_THOUSAND + corridor.fee_bp), unit) + unit,
        _up(arriving / _kept_rate(mid, corridor, payer, payee), unit),
    )
    return CustomerMistake("mistake.amount_min", minimum=Money(least, payer.currency))


def _kept_rate(
    mid: Decimal, corridor: Corridor, payer: OperatorFacts, payee: OperatorFacts
) -> Fraction:
    """What is paid for one minor unit of the payer's currency, after the spread."""
    return _less_spread(mid, payer.currency, payee.currency, corridor.spread_bp)


# Fractions cost most of a price, and these stay the same until the rate is another.
@lru_cache(maxsize=1024)
def _less_spread(mid: Decimal, source: str, destination: str, spread_bp: int) -> Fraction:
    kept = Fraction(TEN_THOUSAND - spread_bp, TEN_THOUSAND)
    return _minor_rate(mid, source, destination) * kept


@lru_cache(maxsize=1024)
def _minor_rate(mid: Decimal, source: str, destination: str) -> Fraction:
    """Minor units of the destination for one minor unit of the source, exactly."""
    shift = CURRENCIES[destination].decimals - CURRENCIES[source].decimals
    return Fraction(mid) * Fraction(10) ** shift


def _down(value: Fraction, unit: int) -> int:
    return int(value // unit) * unit


def _up(value: Fraction, unit: int) -> int:
    return -int(-value // unit) * unit


def _shown(rate: Decimal) -> str:
    digits = RATE_DIGITS - 1 - rate.adjusted()
    rounded = rate.quantize(Decimal(1).scaleb(-max(digits, 0)), ROUND_HALF_EVEN)
    text = f"{rounded:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text

"""Amounts as people read them; minor units inside."""

from decimal import Decimal

# ISO 4217, and the asset that operators are squared in; every other one here has two.
_DECIMALS = {"UGX": 0, "RWF": 0, "XOF": 0, "XAF": 0, "USDC": 6}


def to_minor(amount: str, currency: str) -> int:
    """`1,000.50` in minor units. Raises ValueError when the currency has no such fraction."""
    scaled = Decimal(amount.replace(",", "")).scaleb(_DECIMALS.get(currency, 2))
    if scaled != scaled.to_integral_value():
        raise ValueError(f"{currency} has no such fraction: {amount}")
    return int(scaled)


def show(minor: int, currency: str) -> str:
    """`KES 1,000.50`, `UGX 13,600`."""
    decimals = _DECIMALS.get(currency, 2)
    return f"{currency} {Decimal(minor).scaleb(-decimals):,.{decimals}f}"

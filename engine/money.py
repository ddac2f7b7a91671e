"""Money as integer minor units with a currency. It refuses floats and mixing currencies."""

from decimal import Decimal, Overflow
from typing import NamedTuple

import msgspec


class Currency(NamedTuple):
    """ISO 4217: alphabetic code, numeric code, digits after the decimal point.

    A settlement asset has the same three, of ours.
    """

    code: str
    numeric: int
    decimals: int


# ISO 4217 list one. Account numbers carry the numeric code, so a row here is for ever. What is no
# currency of a state has a number of ours above ISO's three digits; an account has room to 1023.
CURRENCIES = {
    c.code: c
    for c in (
        Currency("CDF", 976, 2),
        Currency("ETB", 230, 2),
        Currency("EUR", 978, 2),
        Currency("GHS", 936, 2),
        Currency("GNF", 324, 0),
        Currency("KES", 404, 2),
        Currency("LRD", 430, 2),
        Currency("MGA", 969, 2),
        Currency("MWK", 454, 2),
        Currency("NGN", 566, 2),
        Currency("RWF", 646, 0),
        Currency("SCR", 690, 2),
        Currency("SSP", 728, 2),
        Currency("SZL", 748, 2),
        Currency("TZS", 834, 2),
        Currency("UGX", 800, 0),
        Currency("USD", 840, 2),
        Currency("USDC", 1001, 6),  # a token for dollars: Circle, "USDC on Aptos", 6 decimals
        Currency("XAF", 950, 0),
        Currency("XOF", 952, 0),
        Currency("ZAR", 710, 2),
        Currency("ZMW", 967, 2),
    )
}
CURRENCY_OF_COUNTRY = {
    "BF": "XOF", "BJ": "XOF", "CD": "CDF", "CG": "XAF", "CI": "XOF", "CM": "XAF", "GA": "XAF",
    "GH": "GHS", "GN": "GNF", "KE": "KES", "LR": "LRD", "MG": "MGA", "ML": "XOF", "MW": "MWK",
    "NE": "XOF", "NG": "NGN", "RW": "RWF", "SC": "SCR", "SN": "XOF", "SS": "SSP", "SZ": "SZL",
    "TD": "XAF", "TZ": "TZS", "UG": "UGX", "ZA": "ZAR", "ZM": "ZMW",
}  # fmt: skip
"""ISO 3166 to ISO 4217: wallets hold their country's money, unless their operator's facts say
otherwise (`Directory.payer_currency`). A row here lets a country pay; from whom and to whom, the
installation's operators and corridors decide."""

ASSETS = frozenset({"USDC"})
"""Those that settle and that no wallet holds: nobody is paid, limited or priced in them."""
BY_NUMERIC = {c.numeric: c for c in CURRENCIES.values()}

MINOR_MAX = 2**63 - 1  # what a Postgres bigint holds


class Money(msgspec.Struct, frozen=True):
    """An amount in minor units (cents; whole shillings for UGX) of one currency."""

    minor: int
    currency: str

    def __post_init__(self) -> None:
        if self.currency not in CURRENCIES:
            raise ValueError(f"no such currency: {self.currency!r}")
        if type(self.minor) is not int or not -MINOR_MAX <= self.minor <= MINOR_MAX:
            raise ValueError(f"not an amount of minor units: {self.minor!r}")

    def __add__(self, other: "Money") -> "Money":
        return Money(self.minor + self._same(other), self.currency)

    def __sub__(self, other: "Money") -> "Money":
        return Money(self.minor - self._same(other), self.currency)

    def _same(self, other: "Money") -> int:
        if other.currency != self.currency:
            raise ValueError(f"{self.currency} and {other.currency} do not add")
        return other.minor

    def __str__(self) -> str:
        """`KES 1,030.50`, the digits after the point only where the amount has some."""
        return f"{self.currency} {plain(self.minor, self.currency)}"


def plain(minor: int, currency: str) -> str:
    """Thousands commas; decimals are shown only when they are not all zero."""
    decimals = CURRENCIES[currency].decimals
    whole, rest = divmod(abs(minor), 10**decimals)
    sign = "-" if minor < 0 else ""
    return f"{sign}{whole:,}" + (f".{rest:0{decimals}d}" if rest else "")


def to_decimal(money: Money) -> Decimal:
    """The amount in major units, exactly, with the currency's number of decimals."""
    return Decimal(money.minor).scaleb(-CURRENCIES[money.currency].decimals)


def from_decimal(amount: Decimal, currency: str) -> Money:
    """The inverse of `to_decimal`.

    Raises ValueError when the amount has more decimals than the currency or is no finite number.
    """
    if not amount.is_finite():
        raise ValueError(f"not an amount: {amount}")
    try:
        scaled = amount.scaleb(CURRENCIES[currency].decimals)
    except Overflow:
        raise ValueError(f"not an amount: {amount}") from None
    minor = int(scaled)
    if minor != scaled:
        raise ValueError(f"{currency} has no such fraction: {amount}")
    return Money(minor, currency)

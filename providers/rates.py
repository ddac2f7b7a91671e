"""What all rate sources share: exact numbers from a document, and crossing them. Knows no company.

A document gives what one unit of its base buys; any pair is the quotient of two such numbers,
rounded once, half to even, to `CROSS_DIGITS` significant digits. No number passes through a float.
"""

import re
from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any, NamedTuple

import httpx

from engine.errors import OutcomeUnknown, ProviderError, Rejected, Throttled, Unreadable
from engine.ports import Observation, Pair, Reason
from providers.http import retry_after_seconds

CROSS_DIGITS = 12
MAGNITUDE_MAX = 6
"""A price of 10^7 and more, or below 10^-6, is a mistake for every currency we could pay in."""

THROTTLED_SECONDS = 3600.0  # quotas are by the hour or the month
# Decimal itself would also take blanks, underscores, signs and exponents of any size.
_PRICE = re.compile(r"[0-9]{1,24}(\.[0-9]{1,24})?([eE][+-]?[0-9]{1,2})?", re.ASCII)
_LENGTH_MAX = 26
_EPOCH_SECONDS_MAX = 2**33


class Price(NamedTuple):
    """How much of a currency one unit of the document's base buys, and since when."""

    per_base: Decimal
    at_ms: int


def needed(pairs: Sequence[Pair], base: str) -> frozenset[str]:
    """The currencies that crossing the pairs takes, without the base itself."""
    return frozenset(code for pair in pairs for code in pair) - {base}


def cross(prices: Mapping[str, Price], base: str, pairs: Sequence[Pair]) -> list[Observation]:
    """An observation for each pair whose two currencies have a price; as old as the older one."""
    newest = max((price.at_ms for price in prices.values()), default=0)
    known = {**prices, base: Price(Decimal(1), newest)}
    return [
        _observation(pair, known[pair.base], known[pair.quote])
        for pair in pairs
        if pair.base in known and pair.quote in known
    ]


def read_price(provider: str, value: Any) -> Decimal:
    """A price from a JSON number or a text of decimal digits.

    Raises Unreadable for what is no positive, finite, sensible number.
    """
    text = str(value)
    if len(text) > _LENGTH_MAX or not _PRICE.fullmatch(text):
        raise Unreadable(provider, "a price that is none")
    price = Decimal(text)
    if price <= 0 or abs(price.adjusted()) > MAGNITUDE_MAX:
        raise Unreadable(provider, "a price beyond all sense")
    return price


def read_epoch_ms(provider: str, value: Any) -> int:
    """Epoch milliseconds from whole seconds. Raises Unreadable."""
    if type(value) is not int or not 0 < value < _EPOCH_SECONDS_MAX:
        raise Unreadable(provider, "a time that is none")
    return value * 1000


def http_error(provider: str, response: httpx.Response, code: str = "") -> ProviderError:
    """What an answer other than 200 means; asking again is always safe. `code` is their word."""
    status = response.status_code
    code = code or str(status)
    if status == 429:
        wait = retry_after_seconds(response, THROTTLED_SECONDS)
        return Throttled(provider, "asked too often", code=code, retry_after_seconds=wait)
    if status in (400, 401, 403, 404):
        return Rejected(provider, "the request is refused", code=code, reason=Reason.CONFIGURATION)
    return OutcomeUnknown(provider, "no rates in the answer", code=code)


def _observation(pair: Pair, base: Price, quote: Price) -> Observation:
    rounded = Context(prec=CROSS_DIGITS, rounding=ROUND_HALF_EVEN)
    mid = rounded.divide(quote.per_base, base.per_base)
    return Observation(pair, f"{mid:f}", min(base.at_ms, quote.at_ms))

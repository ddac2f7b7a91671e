"""How languages write money, numbers, days and times. Pure; it knows no text and no country.

Source: Unicode CLDR 46, `numbers/symbols` and short date formats, read November 2026, with two
departures: French separates thousands by a plain space (CLDR has U+202F, outside the GSM 7-bit
alphabet), and Amharic keeps European digits and the Gregorian calendar (`decisions/0002`).
"""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple

from engine.money import CURRENCIES, Money


class Numbers(NamedTuple):
    """The two signs in a number. Money is the ISO 4217 code, a space, the number."""

    thousands: str
    decimal: str


PLAINEST = Numbers(thousands=",", decimal=".")
NUMBERS: Mapping[str, Numbers] = {
    "am": PLAINEST,
    "en": PLAINEST,
    "fr": Numbers(thousands=" ", decimal=","),
    "lg": PLAINEST,
    "sw": PLAINEST,
}
_SCALES = {currency.code: 10**currency.decimals for currency in CURRENCIES.values()}


def write_whole(number: int, numbers: Numbers) -> str:
    """`1,250`, in French `1 250`."""
    written = f"{number:,}"
    return written if numbers is PLAINEST else written.replace(",", numbers.thousands)


def write_decimal(number: Decimal, numbers: Numbers) -> str:
    """`27.50` as many decimals as it has. Raises ValueError for what is not finite."""
    if not number.is_finite():
        raise ValueError(f"not a number to show: {number}")
    return _signed(f"{number:,f}", numbers)


def write_money(money: Money, numbers: Numbers) -> str:
    """`KES 1,250.50`, in French `KES 1 250,50`; decimals only when they are not all zero."""
    scale = _SCALES[money.currency]
    whole, rest = divmod(abs(money.minor), scale)
    # A digit in front keeps the leading zeros of the rest: 100 + 5 is `105`, and `05` without it.
    written = f"{whole:,}.{str(scale + rest)[1:]}" if rest else f"{whole:,}"
    if numbers is not PLAINEST:
        written = _signed(written, numbers)
    return f"{money.currency} {'-' if money.minor < 0 else ''}{written}"


def write_day(day: date) -> str:
    """`02/11/26`: the day first, in every language we serve."""
    iso = day.isoformat()  # Sliced: a fifth of what `strftime` costs.
    return f"{iso[8:10]}/{iso[5:7]}/{iso[2:4]}"


def write_time(local: datetime) -> str:
    """`02/11/26 15:04`, on the clock the time is already on."""
    iso = local.isoformat()
    return f"{iso[8:10]}/{iso[5:7]}/{iso[2:4]} {iso[11:16]}"


def _signed(written: str, numbers: Numbers) -> str:
    """What Python writes the English way, with the signs of a language."""
    return written.translate({ord(","): numbers.thousands, ord("."): numbers.decimal})

"""What a customer typed, read as an amount, a number or a PIN, or refused with a sentence. Pure."""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from engine.customers.pins import has_pin_shape
from engine.errors import CustomerMistake
from engine.money import CURRENCIES, Money, from_decimal
from engine.msisdn import parse_msisdn
from engine.session.session import Session

CURRENCY_OF_COUNTRY = {"KE": "KES", "UG": "UGX"}
"""ISO 3166 to ISO 4217: wallets hold their country's money. A row here lets a country pay."""

AMOUNT_LENGTH_MAX = 15
"""No amount anybody sends is longer, commas and decimals included."""

_AMOUNT = re.compile(r"([0-9]+|[0-9]{1,3}(?:,[0-9]{3})+)(?:\.([0-9]+))?", re.ASCII)


class Reader(NamedTuple):
    """How an input is read and which sentences may refuse it."""

    read: Callable[[str, Session], Any]
    mistakes: tuple[str, ...]


def read_amount(text: str, currency: str) -> Money:
    """Digits, thousands commas and decimals as the currency has them; ASCII only.

    Raises CustomerMistake `mistake.amount` for anything else and for zero, `mistake.amount_whole`
    for a fraction the currency does not have.
    """
    found = _AMOUNT.fullmatch(text) if len(text) <= AMOUNT_LENGTH_MAX else None
    if found is None:
        raise CustomerMistake("mistake.amount")
    whole, fraction = found[1].replace(",", ""), found[2] or ""
    if len(fraction) > CURRENCIES[currency].decimals:
        raise CustomerMistake("mistake.amount_whole")
    amount = from_decimal(Decimal(f"{whole}.{fraction or 0}"), currency)
    if amount.minor == 0:
        raise CustomerMistake("mistake.amount")
    return amount


def read_pin(text: str) -> str:
    """Raises CustomerMistake `mistake.pin_format` unless it is four ASCII digits."""
    if not has_pin_shape(text):
        raise CustomerMistake("mistake.pin_format")
    return text


READERS: Mapping[str, Reader] = {
    "amount": Reader(
        lambda text, session: read_amount(text, CURRENCY_OF_COUNTRY[session.country]),
        ("mistake.amount", "mistake.amount_whole"),
    ),
    "msisdn": Reader(
        lambda text, session: parse_msisdn(text, session.country),
        ("mistake.number", "mistake.not_mobile"),
    ),
    "pin": Reader(lambda text, _: read_pin(text), ("mistake.pin_format",)),
}
"""The closed list a menu's `reads:` chooses from."""

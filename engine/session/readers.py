"""What a customer typed, as a value, or refused with a sentence. Pure."""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from engine.customers.pins import has_pin_shape
from engine.customers.recipients import NAME_SEPTETS_MAX
from engine.errors import CustomerMistake
from engine.money import CURRENCIES, Money, from_decimal
from engine.msisdn import parse_msisdn
from engine.septets import cut, transliterate
from engine.session.session import Session

CURRENCY_OF_COUNTRY = {"KE": "KES", "UG": "UGX"}
"""ISO 3166 to ISO 4217: wallets hold their country's money. A row here lets a country pay."""

AMOUNT_LENGTH_MAX = 15
"""No amount anybody sends is longer, commas and decimals included."""

_CODE = re.compile(r"[0-9A-Z]{10}", re.ASCII)
_AMOUNT = re.compile(r"([0-9]+|[0-9]{1,3}(?:,[0-9]{3})+)(?:\.([0-9]+))?", re.ASCII)


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


def read_code(text: str) -> str:
    """A payment's code, forgiving about case and spaces. Raises CustomerMistake `mistake.code`."""
    code = text.upper().replace(" ", "")
    if _CODE.fullmatch(code) is None:
        raise CustomerMistake("mistake.code")
    return code


def read_name(text: str) -> str:
    """A name for a saved number, as it will be shown. Raises CustomerMistake `mistake.name`.

    Letters in front: a number typed by mistake is not a name.
    """
    name = cut(transliterate(" ".join(text.split())), NAME_SEPTETS_MAX).strip()
    if not name[:1].isalpha() or not name.isprintable():
        raise CustomerMistake("mistake.name")
    return name


READERS: Mapping[str, Callable[[str, Session], Any]] = {
    "amount": lambda text, session: read_amount(text, CURRENCY_OF_COUNTRY[session.country]),
    "msisdn": lambda text, session: parse_msisdn(text, session.country),
    "pin": lambda text, _: read_pin(text),
    "code": lambda text, _: read_code(text),
    "name": lambda text, _: read_name(text),
}
"""What each name in `engine/menu/vocabulary.READERS` does. Each may be asked twice."""

"""Words that several resources of the API for clients are made of: ids, numbers, amounts."""

from datetime import datetime
from typing import Annotated

import msgspec

from channels.api.problems import Code, Refusal
from channels.api.transaction_shown import Amount
from engine.errors import CustomerMistake
from engine.money import ASSETS, CURRENCIES, Money
from engine.msisdn import Msisdn, parse_msisdn

AMOUNT_MINOR_MAX = 10**15
"""Above what anybody sends, below where other languages' numbers lose digits (2^53)."""

# `$` lets a line's end pass behind it, so lengths are bounded too.
Id = Annotated[
    str,
    msgspec.Meta(pattern="^[0-9a-f]{32}$", max_length=32, description="32 hexadecimal digits"),
]
Number = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^\+[1-9][0-9]{7,14}$", description="a mobile number in E.164, with plus"
    ),
]
Moment = Annotated[
    datetime,
    msgspec.Meta(
        tz=True,
        description="RFC 3339 with its zone: `2026-11-21T00:00:00Z`; in a query write `+` as `%2B`",
    ),
]
CurrencyCode = Annotated[
    str, msgspec.Meta(pattern="^[A-Z]{3}$", max_length=3, description="ISO 4217")
]

NAME_LENGTH_MAX = 100
PayeeName = Annotated[
    str,
    msgspec.Meta(
        min_length=1,
        max_length=NAME_LENGTH_MAX,
        description="of a person or a business, as you know them: one line of printable characters",
    ),
]


class AmountAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Minor units of a currency: cents, or whole shillings for UGX."""

    minor: Annotated[int, msgspec.Meta(ge=1, le=AMOUNT_MINOR_MAX)]
    currency: CurrencyCode


def read_amount(asked: AmountAsked) -> Money:
    """Raises Refusal MALFORMED for a currency that nobody has wallets in."""
    if not is_paid(asked.currency):
        raise Refusal(Code.MALFORMED, "`currency`: nobody has a wallet in it")
    return Money(asked.minor, asked.currency)


def check_name(name: str) -> None:
    """Raises ValueError for what nobody is called: no letter at all, or signs that show nothing."""
    if not name.isprintable() or not any(sign.isalpha() for sign in name):
        raise ValueError("`payee_name` is one line of printable characters with letters")


def is_paid(currency: str) -> bool:
    """Whether it is a currency of wallets."""
    return currency in CURRENCIES and currency not in ASSETS


def read_number(text: str, field: str) -> Msisdn:
    """Raises Refusal NOT_POSSIBLE for what is no mobile number of a country we know of."""
    try:
        number = parse_msisdn(text, "")
        if number != text:  # the plan reads more than one spelling; here only E.164 counts
            raise CustomerMistake("mistake.number")
    except CustomerMistake as error:
        reason = error.text_key.rpartition(".")[2]
        raise Refusal(Code.NOT_POSSIBLE, f"`{field}`", reason=reason) from None
    return number


def show(money: Money) -> Amount:
    """An amount as every resource shows it."""
    return Amount(money.minor, money.currency)

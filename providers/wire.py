"""Single values from and for the wire: JSON objects, words, amounts. Exact, bounded, or refused.

It knows no company: what a word or an amount means is the adapter's business.
"""

import re
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from engine.errors import Rejected, Unreadable
from engine.money import MINOR_MAX, Money, from_decimal, to_decimal
from engine.ports import Direction, OperatorFacts, Order, Reason
from providers.redaction import printable

_JSON = msgspec.json.Decoder(float_hook=Decimal)  # an amount never passes through a float
_ESCAPED = re.compile(rb"[^0-9A-Za-z_.~ -]")
_DIGITS_MAX = 24
_WORD_MAX = 100


def json_object(body: bytes) -> dict[str, Any] | None:
    """The JSON object in `body`, fractions as Decimal; None when it is anything else."""
    try:
        found = _JSON.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def json_list(body: bytes) -> list[Any] | None:
    """The JSON list in `body`, fractions as Decimal; None when it is anything else."""
    try:
        found = _JSON.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    return found if isinstance(found, list) else None


def word(value: Any) -> str:
    """A code or an id as text: numbers and strings mean the same to operators. "" if it is none."""
    if type(value) is str and value.isalnum() and len(value) <= _WORD_MAX:
        return value  # nearly always, and by what follows it is the same
    if isinstance(value, str | int | Decimal) and not isinstance(value, bool):
        return printable(str(value).strip(), length_max=_WORD_MAX)
    return ""


def is_http_error(status: str) -> bool:
    """Whether a body's word for how it went is the number of a failed HTTP request."""
    return len(status) == 3 and status.isdecimal() and status >= "400"


def form_value(text: str) -> bytes:
    """A text inside an `application/x-www-form-urlencoded` body, as `urllib` writes it.

    A fifth of its cost for a sentence: only the bytes that need it are looked at one by one.
    """
    return _ESCAPED.sub(_escape, text.encode()).replace(b" ", b"+")


def _escape(found: re.Match[bytes]) -> bytes:
    return b"%%%02X" % ord(found[0])


def order_amount(facts: OperatorFacts, order: Order) -> Decimal:
    """The order's amount in major units, as this operator takes it.

    Raises Rejected before anything is sent: routing should never have let such an order through.
    A collection that is given back is within what was collected: no limit of today's holds it up.
    """
    money = order.amount
    low, high = _bounds(facts, order)
    if money.currency != facts.currency or money.minor % facts.unit_minor:
        raise Rejected(
            facts.name, f"{money} cannot be sent", code="amount", reason=Reason.CONFIGURATION
        )
    if not low <= money.minor <= high:
        raise Rejected(facts.name, f"{money} is out of range", code="amount", reason=Reason.LIMIT)
    return to_decimal(money)


def _bounds(facts: OperatorFacts, order: Order) -> tuple[int, int]:
    if order.direction is Direction.COLLECT:
        return facts.collect_minor_min, facts.collect_minor_max
    is_paid = facts.refund_is_payout or (facts.refund_by_receipt and not order.collected_receipt)
    if order.direction is Direction.DISBURSE or is_paid:
        return facts.disburse_minor_min, facts.disburse_minor_max
    return 1, MINOR_MAX


def read_amount(provider: str, value: Any, currency: str) -> Money:
    """An amount of major units from the wire: a JSON number or decimal digits in a string.

    Raises Unreadable, also for more decimals than the currency has.
    """
    text = str(value).strip()
    try:
        if isinstance(value, bool) or not text.isascii() or len(text) > _DIGITS_MAX:
            raise ValueError("no amount")
        amount = Decimal(text)
        if amount.is_finite() and abs(amount.adjusted()) > _DIGITS_MAX:
            raise ValueError("no amount")  # 1e999999999 would take all the memory there is
        return from_decimal(amount, currency)
    except (ValueError, InvalidOperation, KeyError) as error:
        raise Unreadable(provider, "an amount that is none") from error

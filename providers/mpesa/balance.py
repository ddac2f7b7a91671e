"""What M-PESA says our shortcodes hold: the question, and the answer that comes by callback.

Facts: reference `mpesa.md`, section 9.3. It refuses to tell accounts of one shortcode apart: our
money there is all of them together, what charges took of it included.
"""

from typing import Any

from engine.errors import Unreadable
from engine.money import Money
from providers.mpesa.answers import NAME
from providers.mpesa.callbacks import read_parameters
from providers.wire import json_object, read_amount, word

_CURRENCY = "KES"


def balance_message(initiator: dict[str, str], *, shortcode: str, url: str) -> dict[str, Any]:
    """The question about one shortcode; `initiator` says who asks."""
    return {
        **initiator,
        "CommandID": "AccountBalance",
        "PartyA": shortcode,
        "IdentifierType": "4",
        "Remarks": "Balance",
        "QueueTimeOutURL": url,
        "ResultURL": url,
    }


def read_balance(body: bytes) -> Money | None:
    """The sum of what the shortcode's accounts hold; None when the question was not answered.

    `Name|KES|current|available|...` joined by `&`: only the first two amounts mean the same
    everywhere, and what is reserved is still ours, so it is the first. Raises Unreadable.
    """
    message = json_object(body)
    if message is None:
        raise Unreadable(NAME, "balance: no JSON object")
    code, told = read_parameters(message)
    if code != "0":  # a refusal, or the notice that the question waited too long
        return None
    listed = told.get("AccountBalance")
    if not isinstance(listed, str) or not listed:
        raise Unreadable(NAME, "balance: no AccountBalance")
    held = [_read_account(account) for account in listed.split("&")]
    return sum(held[1:], held[0])


def _read_account(account: str) -> Money:
    parts = account.split("|")
    if len(parts) < 3 or word(parts[1]) != _CURRENCY:
        raise Unreadable(NAME, "balance: an account that is none")
    return read_amount(NAME, parts[2], _CURRENCY)

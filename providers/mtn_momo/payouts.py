"""By which of MTN's products money is paid out, and what a cash transfer says of its sender.

Facts: reference `mtn-momo.md`, sections 6 and 7. It refuses to send: that is `product`'s.
"""

from collections.abc import Collection
from enum import StrEnum
from typing import Any, Final, NamedTuple

from engine.money import to_decimal
from engine.ports import Sender
from providers.ways import unknown_way


class Payout(StrEnum):
    """What a market's contract lets us pay out by. The words are those of the setting."""

    TRANSFER = "transfer"
    DEPOSIT = "deposit"  # cash in, as at an agent
    REMITTANCE = "remittance"  # across a border, with the fields of a transfer
    CASH_TRANSFER = "cashtransfer"  # across a border, with those of its sender

    @property
    def is_remittance(self) -> bool:
        """Whether it needs the keys of that product."""
        return self in (Payout.REMITTANCE, Payout.CASH_TRANSFER)


class Place(NamedTuple):
    """Where on the wire something is asked for."""

    product: str
    resource: str


class Way(NamedTuple):
    """By which product and by whom money is ordered: kept with an attempt, read back later."""

    payout: Payout
    user: str  # a mark of the API user

    def __str__(self) -> str:
        return f"{self.payout} {self.user}"


def read_way(name: str, word: str) -> Way:
    """Of an attempt's word. Raises Rejected for one that other code wrote: nothing is sent."""
    try:
        payout, user = word.split(" ")
        return Way(Payout(payout), user)
    except ValueError as error:
        raise unknown_way(name) from error


PLACES: Final = {
    Payout.TRANSFER: Place("disbursement", "transfer"),
    Payout.DEPOSIT: Place("disbursement", "deposit"),
    Payout.REMITTANCE: Place("remittance", "transfer"),
    Payout.CASH_TRANSFER: Place("remittance", "cashtransfer"),
}
KNOWN_FIELDS: Final = frozenset({"payerMsisdn", "payerLanguageCode"})
"""What of a sender's own fields we can fill; the others are documents that nobody shows by USSD."""

_DOCUMENTED = KNOWN_FIELDS | {
    "payerIdentificationType",
    "payerIdentificationNumber",
    "payerIdentity",
    "payerFirstName",
    "payerSurName",
    "payerEmail",
    "payerGender",
}


def check_fields(demanded: Collection[str]) -> None:
    """Raises ValueError, naming them, for fields that a market demands and we cannot fill.

    At the start, because a payout that found out later would already be owed.
    """
    if unknown := sorted(set(demanded) - _DOCUMENTED):
        raise ValueError(f"no such fields of a cash transfer: {', '.join(unknown)}")
    if lacking := sorted(set(demanded) - KNOWN_FIELDS):
        raise ValueError(f"nobody tells us these fields of a sender: {', '.join(lacking)}")


def sender_fields(sender: Sender, demanded: Collection[str]) -> dict[str, Any]:
    """What a cash transfer says beyond a transfer. The country's name is misspelt on the wire.

    Which fields are mandatory is not published: where from and how much always, the rest on demand.
    """
    known = {"payerMsisdn": sender.msisdn.digits, "payerLanguageCode": sender.language}
    return {
        "orginatingCountry": sender.country,
        "originalAmount": str(to_decimal(sender.amount)),
        "originalCurrency": sender.amount.currency,
        **{name: known[name] for name in sorted(demanded)},
    }

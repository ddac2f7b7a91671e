"""What the rest of the product may know of a payment: small answers, no ledger, no lifecycle."""

from datetime import datetime
from enum import StrEnum

import msgspec

from engine.clock import PaymentId
from engine.money import Money
from engine.msisdn import Msisdn


class Confirmed(msgspec.Struct, frozen=True):
    """A payment was taken on. `fresh` is False when the same key had confirmed it before."""

    payment_id: PaymentId
    code: str  # [0-9A-Z]{10}, what both people see
    fresh: bool
    by_link: bool = False  # no prompt comes to the payer's phone: a page by SMS instead
    prompted: bool = True  # False: nothing comes at all, the payer agreed to it beforehand


class PaymentSummary(msgspec.Struct, frozen=True, array_like=True):
    """One payment as a person on the phone may see it.

    `state` is the lower-case name of the lifecycle state; `incoming` says that the viewer is the
    payee, who is then told the payer as well. `may_cancel`: nobody has begun to ask the payer yet.
    `by_link` and `prompted` are how the payer approves it, as in `Confirmed`. `fee` is told to the
    payer alone.
    """

    code: str
    state: str
    amount: Money
    receives: Money
    payee: Msisdn
    at: datetime
    incoming: bool
    may_cancel: bool = False
    payer: Msisdn | None = None
    by_link: bool = False
    prompted: bool = True
    fee: Money | None = None


class RecentPayee(msgspec.Struct, frozen=True, array_like=True):
    """Somebody a customer has sent money to, and how much the last time; None while that payment is
    under way: whoever wants to pay the same once more says how much.
    """

    msisdn: Msisdn
    amount: Money | None


class LimitsLeft(msgspec.Struct, frozen=True, array_like=True):
    """What a customer's tier allows, and what of it is left."""

    tier: int
    payment: Money
    day_left: Money
    month_left: Money


class RequestState(StrEnum):
    """How a request for money stands."""

    OPEN = "open"  # it waits for the payer
    TAKEN = "taken"  # a payment for it is under way; if that comes to nothing it is open again
    PAID = "paid"
    DECLINED = "declined"
    EXPIRED = "expired"


class MoneyRequest(msgspec.Struct, frozen=True, array_like=True):
    """Money that somebody was asked for. `amount` is what the requester wants to receive.

    `state` is one of `RequestState`; `payer` is told to the requester alone, and to nobody once it
    was forgotten.
    """

    code: str
    requester: Msisdn
    amount: Money
    at: datetime
    state: str
    payer: Msisdn | None = None


class Asked(msgspec.Struct, frozen=True):
    """A request for money was taken on, under this code."""

    code: str

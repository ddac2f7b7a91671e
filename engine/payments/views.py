"""What the rest of the product may know of a payment: small answers, no ledger, no lifecycle."""

from datetime import datetime

import msgspec

from engine.clock import PaymentId
from engine.money import Money
from engine.msisdn import Msisdn


class Confirmed(msgspec.Struct, frozen=True):
    """A payment was taken on. `fresh` is False when the same key had confirmed it before."""

    payment_id: PaymentId
    code: str  # [0-9A-Z]{10}, what both people see
    fresh: bool


class PaymentSummary(msgspec.Struct, frozen=True, array_like=True):
    """One payment as a person on the phone may see it.

    `state` is the lower-case name of the lifecycle state; `incoming` says that the viewer is the
    payee.
    """

    code: str
    state: str
    amount: Money
    receives: Money
    payee: Msisdn
    at: datetime
    incoming: bool

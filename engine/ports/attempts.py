"""One attempt at moving money through an operator: what is ordered, what is said of it."""

from enum import IntEnum, StrEnum

import msgspec

from engine.clock import AttemptId
from engine.money import Money
from engine.msisdn import Msisdn
from engine.ports.answers import Acknowledgement


class Direction(IntEnum):
    """Which way an attempt moves money. The numbers are stored: never renumber."""

    COLLECT = 1
    DISBURSE = 2
    REFUND = 3


class Outcome(StrEnum):
    """What a piece of evidence says about an attempt."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"  # only by a code the operator lists as final
    PENDING = "pending"  # also every word that no list knows
    NOT_FOUND = "not_found"  # the operator has no such reference (yet): not a failure
    REVERSED = "reversed"  # it had succeeded, and the operator has undone it since
    ASKED = "asked"  # the question was taken; the answer, if any, comes by callback


class Reason(StrEnum):
    """Why an attempt failed, as far as a customer may be told. Text keys are `reason.<value>`."""

    INSUFFICIENT_FUNDS = "insufficient_funds"
    DECLINED = "declined"
    WRONG_PIN = "wrong_pin"
    NOT_REACHED = "not_reached"  # phone off, prompt not answered in time
    LIMIT = "limit"
    NOT_REGISTERED = "not_registered"
    CANNOT_RECEIVE = "cannot_receive"
    CONFIGURATION = "configuration"  # our own account or credentials: alarm, not the customer
    OPERATOR_FAULT = "operator_fault"  # their system broke down over it, by their own word
    OTHER = "other"  # no word of theirs says whose matter it is


class Sender(msgspec.Struct, frozen=True):
    """Who is behind a payout, for operators that must be told across a border."""

    country: str  # ISO 3166 alpha-2, of the wallet that was collected from
    amount: Money  # what was sent, before any exchange
    msisdn: Msisdn
    language: str  # as the catalogue of texts names it


class Order(msgspec.Struct, frozen=True):
    """One attempt at moving money, or the question how it went.

    `attempt_id` is ours, committed before the order exists; every operator reference is derived
    from it or from what the operator answered (`provider_reference`, from `Accepted`).
    """

    attempt_id: AttemptId
    direction: Direction
    amount: Money
    msisdn: Msisdn  # whose wallet: the payer's for COLLECT and REFUND, else the payee's
    code: str  # the payment's short code, as both people see it ([0-9A-Z]{10})
    callback_url: str
    """Without a kind: `callback_at`; its last word is unguessable. A question's is its own: an
    answer that comes later is proof there alone."""
    provider_reference: str | None = None
    collected_attempt_id: AttemptId | None = None  # REFUND: the collection that is given back
    collected_receipt: str | None = None
    """REFUND: the operator's own number of that collection, where it is known and all of it goes
    back. The same at every repeat of an order."""
    sender: Sender | None = None  # DISBURSE: who pays
    by: str = ""
    """`OperatorFacts.orders_by` as it was when the attempt began; "" of prompts that are never
    repeated, of operators with one way only, and of what began before this was kept."""


def callback_at(callback_url: str, kind: str) -> str:
    """The address for one kind of callback: the kind stands before the last word.

    So addresses read as businesses know them, `.../mpesa/b2c-result/<what nobody guesses>`.
    """
    stem, _, token = callback_url.rpartition("/")
    return f"{stem}/{kind}/{token}"


class Finding(msgspec.Struct, frozen=True):
    """What an operator says about an attempt, by callback or by query.

    Fields the operator did not send are None: absence is not disagreement.
    """

    outcome: Outcome
    code: str  # the operator's own word, as it came
    reason: Reason | None = None  # set when FAILED
    amount: Money | None = None
    msisdn: str | None = None  # E.164, only when the operator sent a whole number
    receipt: str | None = None  # the operator's transaction number
    provider_reference: str | None = None  # must equal the stored one when both are known


class Accepted(msgspec.Struct, frozen=True):
    """The operator took the order; without a `finding` nobody knows yet what has moved.

    An operator that answers only when all is over says in `finding` how it ended: a failure of an
    order that was taken is one, never `Rejected`.
    """

    provider_reference: str | None = None  # what a later query needs, if ours is not enough
    finding: Finding | None = None
    pay_link: str | None = None
    """Where the payer approves when no prompt comes to the phone: a page, short-lived, theirs
    alone. Unless it reaches them the order comes to nothing. Not in the `repr`."""

    def __repr__(self) -> str:
        link = ", with a link" if self.pay_link else ""
        return f"Accepted({self.provider_reference!r}, {self.finding!r}{link})"


class Callback(msgspec.Struct, frozen=True):
    """An inbound operator message in neutral words. `redacted` is fit to be stored and shown."""

    finding: Finding
    acknowledgement: Acknowledgement
    redacted: str  # JSON text without full numbers, names or secrets
    answers_query: bool = False
    """It reads as the late answer to a question of ours: proof on the question's own address, a
    hint on any other."""

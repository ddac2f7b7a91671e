"""A payment as its client sees it. Values only; asks nobody.

What a client gave it hears back whole; of our books and of how we pay out it hears nothing.
"""

from collections.abc import Mapping
from typing import Annotated, Final

import msgspec

from channels.api.transaction_shown import Amount
from channels.api.wire import show
from channels.times import iso_millis_of
from engine.clock import CustomerId, PaymentId, made_at
from engine.fx.quotes import Quote
from engine.msisdn import Msisdn
from engine.payments.client_store import Standing
from engine.payments.lifecycle import TERMINAL, State
from engine.payments.payment import code_of
from engine.ports import Direction, Reason

_OUTCOMES: Final[Mapping[State, str]] = {
    State.PAID: "paid",
    State.REFUNDED: "refunded",
    State.COLLECT_FAILED: "not_taken",
    State.EXPIRED: "not_taken",
    State.CANCELLED: "not_taken",
}
assert set(_OUTCOMES) == TERMINAL, "every end has a word"
_UNDER_WAY: Final = "under_way"
_ENDS: Final = [_UNDER_WAY, *dict.fromkeys(_OUTCOMES.values())]
_REASONS: Final = [*(reason.value for reason in Reason), None]
_STATES: Final = "there may be more one day, decide by `outcome`: " + ", ".join(
    f"`{state.name.lower()}`" for state in State if state is not State.NEW
)


class PaymentMade(msgspec.Struct, frozen=True):
    """A payment that was taken on, as it was then: what is answered never changes.

    `user` is the payer's id with us; `code` is what both people see.
    """

    id: str
    code: str
    user: str
    quote: str
    payer: str
    payee: str
    payer_operator: str
    payee_operator: str
    amount: Amount
    fee: Amount
    total: Amount
    receives: Amount
    rate: str
    made_at: str


class PaymentStatus(msgspec.Struct, frozen=True):
    """A payment as it stands. `outcome`: "under_way", "paid", "refunded" or "not_taken".

    `key` is the Idempotency-Key it was asked for with. `reason` is why an operator did not take it,
    or did not pay it out so that it goes back; `reason_text` is the key of the sentence that its
    payer reads about that. Both are null where it is none of these, where no operator was asked or
    said why (its state tells more), and of what ended before reasons were kept.

    `changed_at` is when it came to this state: of one that was paid, when the payee's operator said
    so. "paid": `total` was taken from the payer, `receives` arrived. "refunded": `total` was taken
    and `given_back` returned, else null. "not_taken": nothing was taken. `payee` is masked once our
    people have stated the terms anew, perhaps with another number. Late news may still move a
    payment that has an outcome: `version` then is higher.
    """

    id: str
    code: str
    user: str
    state: Annotated[str, msgspec.Meta(description=_STATES)]
    outcome: Annotated[str, msgspec.Meta(extra_json_schema={"enum": _ENDS})]
    version: int
    payer: str
    payee: str
    amount: Amount
    fee: Amount
    total: Amount
    receives: Amount
    made_at: str
    changed_at: str
    given_back: Amount | None
    key: str | None
    reason: Annotated[str | None, msgspec.Meta(extra_json_schema={"enum": _REASONS})]
    reason_text: str | None


class PaymentsShown(msgspec.Struct, frozen=True):
    """A page; `next` is the cursor of the one behind it, null on the last."""

    payments: list[PaymentStatus]
    next: str | None


def show_made(payment_id: PaymentId, customer_id: CustomerId, quote: Quote) -> PaymentMade:
    """A pure function of what the commit stored, so a repeat is answered byte for byte."""
    return PaymentMade(
        payment_id, code_of(payment_id), customer_id, quote.quote_id, str(quote.payer),
        str(quote.payee), quote.payer_operator, quote.payee_operator, show(quote.amount),
        show(quote.fee), show(quote.total), show(quote.receives), quote.rate, _made(payment_id),
    )  # fmt: skip


def show_status(standing: Standing) -> PaymentStatus:
    """A payment as it stands. A number that its client never gave is not shown to it."""
    payment = standing.payment
    quote, is_back = payment.quote, payment.state is State.REFUNDED
    payee = str(quote.payee) if payment.terms == 1 else Msisdn(quote.payee).masked
    return PaymentStatus(
        payment.payment_id, payment.code, payment.facts.customer_id, payment.state.name.lower(),
        outcome_of(payment.state), payment.version, str(quote.payer), payee,
        show(quote.amount), show(quote.fee), show(quote.total), show(quote.receives),
        _made(payment.payment_id), iso_millis_of(standing.at_ms),
        show(payment.amount_of(Direction.REFUND)) if is_back else None, standing.key,
        standing.reason, f"reason.{standing.reason}" if standing.reason else None,
    )  # fmt: skip


def outcome_of(state: State) -> str:
    """What a state comes to, for whoever wants four words and no more."""
    return _OUTCOMES.get(state, _UNDER_WAY)


def _made(payment_id: str) -> str:
    return made_at(payment_id).isoformat(timespec="milliseconds")

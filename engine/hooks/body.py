"""What a business reads about one event: JSON, the same bytes however often it is sent. Pure."""

import msgspec

from engine.clock import moment_of
from engine.fx.quotes import Quote
from engine.hooks.events import EventKind
from engine.money import Money
from engine.msisdn import Msisdn
from engine.payments.lifecycle import State
from engine.payments.payment import code_of


class Happened(msgspec.Struct, frozen=True):
    """One event with the terms that its payment had then."""

    event: str
    kind: EventKind
    payment_id: str
    sequence: int
    state: State
    at_ms: int
    quote: Quote


class AmountTold(msgspec.Struct, frozen=True):
    """Whole minor units of a currency."""

    minor: int
    currency: str


class PaymentTold(msgspec.Struct, frozen=True):
    """The payment behind the step. `sequence` rises with every event of the same payment.

    `state` is where the step led, as in the payment's status but in capitals; `given_back` is what
    its payer has back, as there: of REFUNDED alone, else null.
    """

    payment_id: str
    code: str
    state: str
    sequence: int
    amount: AmountTold  # what is sent, before the fee
    fee: AmountTold
    receives: AmountTold
    payer: str
    payee: str
    payer_operator: str
    payee_operator: str
    given_back: AmountTold | None


class EventTold(msgspec.Struct, frozen=True):
    """The whole body. `timestamp` is when it happened, not when it is told."""

    type: EventKind
    timestamp: str
    data: PaymentTold


def write_body(happened: Happened, *, whole_numbers: bool) -> bytes:
    """The bytes to sign and send; numbers are masked unless they may be seen whole."""
    return msgspec.json.encode(tell(happened, whole_numbers=whole_numbers))


def tell(happened: Happened, *, whole_numbers: bool) -> EventTold:
    """The same as a value."""
    quote = happened.quote

    def number(text: str) -> str:
        return str(text) if whole_numbers else Msisdn(text).masked

    return EventTold(
        happened.kind,
        _time(happened.at_ms),
        PaymentTold(
            happened.payment_id, code_of(happened.payment_id), happened.state.name,
            happened.sequence, _amount(quote.amount), _amount(quote.fee), _amount(quote.receives),
            number(quote.payer), number(quote.payee), quote.payer_operator, quote.payee_operator,
            _amount(quote.total) if happened.state is State.REFUNDED else None,
        ),
    )  # fmt: skip


def _amount(money: Money) -> AmountTold:
    return AmountTold(money.minor, money.currency)


def _time(at_ms: int) -> str:
    return f"{moment_of(at_ms):%Y-%m-%dT%H:%M:%S}.{at_ms % 1000:03d}Z"

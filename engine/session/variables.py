"""What a screen may show of a session: each name a text can use and where its value is found."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from engine.errors import TextKey
from engine.fx.quotes import Quote
from engine.money import Money
from engine.msisdn import Msisdn
from engine.payments.views import LimitsLeft, MoneyRequest, PaymentSummary
from engine.session.readers import currency_of
from engine.session.session import Session

_INCOMING_OVER = {"paid", "payout_failed", "refund_due", "refunding", "refund_unknown", "refunded"}
_SENDABLE_AGAIN = {"paid", "refunded", "collect_failed", "expired", "cancelled"}

Getter = Callable[[Session], Any]


def state_of(summary: PaymentSummary) -> TextKey:
    """What a payer or a payee is told of where a payment stands.

    To the payee it is told that it is coming, is there, came back to us, or will not come.
    """
    if not summary.incoming:
        return _state_of_own(summary)
    if summary.state == "returned":  # it was there, and nobody knows yet whether it comes again
        return TextKey("state.returned")
    if summary.state not in _INCOMING_OVER:
        return TextKey("state.paying")
    return TextKey("state.paid" if summary.state == "paid" else "state.payout_failed")


def _state_of_own(summary: PaymentSummary) -> TextKey:
    """Nobody is told to wait for a prompt that never comes."""
    if summary.state == "collecting" and summary.by_link:
        return TextKey("state.collecting_by_link")
    if summary.state == "collecting" and not summary.prompted:
        return TextKey("state.collecting_unprompted")
    return TextKey(f"state.{summary.state}")


def _quote(session: Session) -> Quote:
    assert session.quote is not None, "a price is shown only after it was made"
    return session.quote


def _rate(session: Session) -> Decimal | None:
    """None within one currency: nobody needs to read that a shilling is a shilling."""
    quote = _quote(session)
    return None if quote.amount.currency == quote.receives.currency else Decimal(quote.rate)


def _fee_terms(session: Session) -> TextKey | None:
    """None where the fee comes back with the rest, as people expect, and where there is none."""
    quote = _quote(session)
    return TextKey("price.fee_kept") if quote.keeps_fee else None


def _summary(session: Session) -> PaymentSummary:
    assert session.summary is not None, "a payment is shown only after it was found"
    return session.summary


def _request(session: Session) -> MoneyRequest:
    assert session.request is not None, "a request is shown only after it was found"
    return session.request


def _asked(session: Session) -> MoneyRequest:
    assert session.asked is not None, "one's own request is shown only after it was found"
    return session.asked


def _limits(session: Session) -> LimitsLeft:
    assert session.limits is not None, "limits are shown only after they were looked up"
    return session.limits


def _at_once(session: Session) -> Money:
    """The most that a payment may be now: the tier's limit, or what is left."""
    limits = _limits(session)
    bounds = (limits.payment, limits.day_left, limits.month_left)
    return min(bounds, key=lambda money: money.minor)


def _payee(session: Session) -> Msisdn:
    assert session.payee is not None, "a number is shown only after it was chosen"
    return session.payee


def _payee_named(session: Session) -> str:
    """The number, behind the name its operator told, if any. The name is cut already."""
    payee, operator = _payee(session), session.quote.payee_operator if session.quote else ""
    return f"{session.holder_of(payee, operator)} {payee}".strip()


SUBJECTS: Mapping[str, Mapping[str, Getter]] = {
    "price": {
        "payee": _payee,
        "payee_named": _payee_named,
        "source": currency_of,
        "operator": lambda s: TextKey(f"operator.{_quote(s).payee_operator}"),
        "payer_operator": lambda s: TextKey(f"operator.{_quote(s).payer_operator}"),
        "receives": lambda s: _quote(s).receives,
        "target": lambda s: _quote(s).receives.currency,
        "rate": _rate,
        "amount": lambda s: s.amount if s.amount is not None else _quote(s).amount,
        "fee": lambda s: _quote(s).fee,
        "fee_terms": _fee_terms,
        "total": lambda s: _quote(s).total,
        "code": lambda s: s.code,
        "kept": lambda s: s.kept,
    },
    "payment": {
        "code": lambda s: _summary(s).code,
        "time": lambda s: _summary(s).at,
        "amount": lambda s: _summary(s).amount,
        "receives": lambda s: _summary(s).receives,
        "fee": lambda s: _summary(s).fee,
        "payer": lambda s: _summary(s).payer,
        "payee": lambda s: _summary(s).payee,
        "state": lambda s: state_of(_summary(s)),
        "reference": lambda s: s.reference,
    },
    "request": {
        "code": lambda s: s.code,
        "requester": lambda s: _request(s).requester,
        "payer": _payee,
        "amount": lambda s: s.amount if s.request is None else s.request.amount,
        "currency": currency_of,
    },
    "asked": {
        "code": lambda s: _asked(s).code,
        "time": lambda s: _asked(s).at,
        "payer": lambda s: _asked(s).payer,
        "amount": lambda s: _asked(s).amount,
        "state": lambda s: TextKey(f"request_state.{_asked(s).state}"),
    },
    "account": {
        "payee": _payee,
        "name": lambda s: s.name,
        "maximum": _at_once,
        "day_left": lambda s: _limits(s).day_left,
        "month_left": lambda s: _limits(s).month_left,
        "answer": lambda s: s.answer,
    },
}
"""What each name in `engine/menu/vocabulary.SUBJECTS` is. The lines of one that is None are left
out of the text (`render.Renderer`)."""

FACTS: Mapping[str, Callable[[Session], bool]] = {
    "may_cancel": lambda s: _summary(s).may_cancel,
    "may_send_again": lambda s: not _summary(s).incoming and _summary(s).state in _SENDABLE_AGAIN,
    "unsaved": lambda s: not s.name,
    "may_be_elsewhere": lambda s: s.elsewhere,
}
"""What a choice's `when` asks."""

"""What a screen may show of a session: the names a text can use and where each value is found."""

from collections.abc import Callable, Mapping
from typing import Any

from engine.errors import TextKey
from engine.fx.quotes import Quote
from engine.payments.views import PaymentSummary
from engine.session.readers import CURRENCY_OF_COUNTRY
from engine.session.session import Session

_INCOMING_OVER = {"paid", "payout_failed", "refund_due", "refunding", "refund_unknown", "refunded"}


def _quote(session: Session) -> Quote:
    assert session.quote is not None, "a price is shown only after it was made"
    return session.quote


def _summary(session: Session) -> PaymentSummary:
    assert session.summary is not None, "a payment is shown only after it was found"
    return session.summary


def _state(summary: PaymentSummary) -> TextKey:
    """To the payee, only three things are told: it is coming, it is there, it will not come."""
    if not summary.incoming:
        return TextKey(f"state.{summary.state}")
    if summary.state not in _INCOMING_OVER:
        return TextKey("state.paying")
    return TextKey("state.paid" if summary.state == "paid" else "state.payout_failed")


_PRICE: Mapping[str, Callable[[Session], Any]] = {
    "payee": lambda s: s.payee,
    "source": lambda s: CURRENCY_OF_COUNTRY[s.country],
    "operator": lambda s: TextKey(f"operator.{_quote(s).payee_operator}"),
    "payer_operator": lambda s: TextKey(f"operator.{_quote(s).payer_operator}"),
    "receives": lambda s: _quote(s).receives,
    "target": lambda s: _quote(s).receives.currency,
    "rate": lambda s: _quote(s).rate,
    "amount": lambda s: _quote(s).amount,
    "fee": lambda s: _quote(s).fee,
    "total": lambda s: _quote(s).total,
    "code": lambda s: s.code,
}
_HISTORY: Mapping[str, Callable[[Session], Any]] = {
    "code": lambda s: _summary(s).code,
    "time": lambda s: _summary(s).at,
    "amount": lambda s: _summary(s).amount,
    "receives": lambda s: _summary(s).receives,
    "payee": lambda s: _summary(s).payee,
    "state": lambda s: _state(_summary(s)),
}
SUBJECTS: Mapping[str, Mapping[str, Callable[[Session], Any]]] = {
    "price": _PRICE,
    "payment": _HISTORY,
}
"""What a screen speaks of (`about:` in the menu, `price` unless it says otherwise)."""

"""Orange Web Payment: collects on a page that the payer opens in a browser. It pays nobody out.

Facts: reference `orange-money.md`, section 1. No prompt comes to a phone: a USSD payer can only be
sent the page's address, so it collects only where a setting says that somebody does that.
"""

from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeGuard

import httpx

from engine.clock import AttemptId, Clock, epoch_of
from engine.errors import OutcomeUnknown, Rejected, Unreadable
from engine.money import to_decimal
from engine.ports import (
    Accepted,
    Acknowledgement,
    Callback,
    Direction,
    Finding,
    Order,
    Outcome,
    Reason,
    callback_at,
)
from providers.http import Trace, no_trace
from providers.orange_money.door import (
    TOKEN_PATH,
    Answer,
    Door,
    Line,
    basic_token,
    configuration,
    error_of,
    no_evidence,
)
from providers.orange_money.markets import KINDS, Market, facts_of
from providers.orange_money.references import reference_of
from providers.redaction import Fields, printable
from providers.wire import json_object, order_amount, word

PAGE_SECONDS = 600  # section 1.2
CLOSE_AFTER_SECONDS = 3 * PAGE_SECONDS
"""Three lives of a page: what nobody has begun to pay by then stays so for ever (section 1.4)."""
_URL_MAX = 120
_LINK_MAX = 512
_TOKEN_MAX = 256
_STATES = {"SUCCESS": Outcome.SUCCEEDED, "FAILED": Outcome.FAILED, "EXPIRED": Outcome.FAILED}
_REASONS = {"FAILED": Reason.OTHER, "EXPIRED": Reason.NOT_REACHED}
_FIELDS = Fields(kept=frozenset({"status", "txnid", "order_id"}), texts=frozenset({"message"}))


@dataclass(frozen=True, kw_only=True)
class WebPaymentSettings(Line):
    """One app of one country (section 1.2). `country` is the part of the path: `dev`, `ci` ..."""

    base_url: str
    client_id: str = field(repr=False)
    client_secret: str = field(repr=False)
    merchant_key: str = field(repr=False)
    country: str
    currency: str  # as the API wants it: `OUV` in `dev` (section 1.2)
    merchant_name: str
    return_url: str
    language: str = "fr"
    by_link: bool = False  # somebody brings the page's address to the payer
    close_after_seconds: int = CLOSE_AFTER_SECONDS


class WebPayment:
    """A country served by Web Payment. See `engine.ports.OperatorPort`."""

    def __init__(
        self,
        market: Market,
        settings: WebPaymentSettings,
        *,
        clock: Clock,
        trace: Trace = no_trace,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Raises ValueError when the address is none, the names are too long, or a page would be
        closed that can still be paid: what comes by it cannot be given back."""
        if len(settings.merchant_name) > 30 or len(settings.return_url) > _URL_MAX:
            raise ValueError(f"{market.name}: the merchant's name or the return address is long")
        if settings.close_after_seconds < PAGE_SECONDS:
            raise ValueError(f"{market.name}: a page lives for {PAGE_SECONDS} seconds")
        if settings.language not in ("fr", "en"):
            raise ValueError(f"{market.name}: pages are in fr or en")
        self.facts = facts_of(market, collects=settings.by_link, pays_out=False, by_link=True)
        self._settings = settings
        self._clock = clock
        headers, body = basic_token(settings.client_id, settings.client_secret)
        self._door = Door(
            market.name,
            settings.base_url,
            token_path=TOKEN_PATH,
            token_headers=headers,
            token_body=body,
            line=settings,
            clock=clock,
            trace=trace,
            shown=_FIELDS.without("message"),
            transport=transport,
        )
        below = f"/orange-money-webpay/{settings.country}/v1"
        self._start_url = self._door.url(f"{below}/webpayment")
        self._status_url = self._door.url(f"{below}/transactionstatus")

    async def collect(self, order: Order) -> Accepted:
        """Make the page. Unless the payer gets its address, nothing comes of it.

        A lost answer takes the address with it: the payer cannot pay, and nothing can be asked.
        """
        answer = await self._door.post("webpayment", self._start_url, self._message(order))
        pay_token, link = _pay_token(answer), answer.message.get("payment_url")
        if answer.status != 201 or not pay_token:
            raise error_of(self.facts.name, answer)
        if not is_link(link):
            raise OutcomeUnknown(
                self.facts.name,
                "a page without an address",
                code="payment_url",
                provider_reference=pay_token,
            )
        return Accepted(provider_reference=pay_token, pay_link=link)

    async def disburse(self, order: Order) -> Accepted:
        """There is no such call: nothing is ever sent."""
        self._cannot(order)

    async def refund(self, order: Order) -> Accepted:
        """There is no such call: what was collected goes back by hand."""
        self._cannot(order)

    async def query(self, order: Order) -> Finding:
        """The operator's answer at once. Without the page's token nothing can be asked."""
        if order.direction is not Direction.COLLECT or order.provider_reference is None:
            return Finding(Outcome.PENDING, code="no_pay_token")
        message = {
            "order_id": reference_of(order.attempt_id),
            "amount": int(to_decimal(order.amount)),  # must be as at the start (section 1.4)
            "pay_token": order.provider_reference,
        }
        try:
            answer = await self._door.post("transactionstatus", self._status_url, message)
            return self._finding(order, answer)
        except (Rejected, Unreadable) as error:
            raise no_evidence(self.facts.name, error) from error

    def read_callback(self, kind: str, body: bytes) -> Callback:
        """Section 1.3: a hint and no more; the status call decides.

        It tells neither order nor amount, and its `notif_token` proves less than asking does.
        """
        message = json_object(body)
        if kind not in KINDS or message is None or not word(message.get("status")):
            shown = printable(kind, length_max=20)
            raise Unreadable(self.facts.name, f"no notification of kind {shown!r}")
        return Callback(_verdict(message), Acknowledgement(), _FIELDS.redact(message))

    def address_fault(self, callback_url: str) -> str | None:
        """Section 1.4: `notif_url` has a length."""
        excess = len(callback_at(callback_url, KINDS[0])) - _URL_MAX
        return f"an address is {excess} characters too long" if excess > 0 else None

    def references_of(self, attempt_id: AttemptId) -> tuple[str, ...]:
        return (reference_of(attempt_id),)

    async def aclose(self) -> None:
        await self._door.aclose()

    def _message(self, order: Order) -> dict[str, Any]:
        notify_url = callback_at(order.callback_url, KINDS[0])
        if self.address_fault(order.callback_url) is not None:
            raise configuration(
                self.facts.name, "our callback address is too long", code="notif_url"
            )
        settings = self._settings
        return {
            "merchant_key": settings.merchant_key,
            "currency": settings.currency,
            "order_id": reference_of(order.attempt_id),
            "amount": int(order_amount(self.facts, order)),
            "return_url": settings.return_url,
            "cancel_url": settings.return_url,
            "notif_url": notify_url,
            "lang": settings.language,
            "reference": settings.merchant_name,
        }

    def _finding(self, order: Order, answer: Answer) -> Finding:
        told = answer.word("order_id")
        if answer.status not in (200, 201) or not answer.word("status"):
            raise error_of(self.facts.name, answer)
        if told and told != reference_of(order.attempt_id):
            raise OutcomeUnknown(self.facts.name, "an answer about another order", code="order_id")
        found = _verdict(answer.message)
        age = self._clock.epoch() - epoch_of(order.attempt_id)
        if found.code == "INITIATED" and age > self._settings.close_after_seconds:
            # Confirming now would be too late (EXPIRED), and the page has long been dead.
            return Finding(Outcome.FAILED, code=found.code, reason=Reason.NOT_REACHED)
        return found

    def _cannot(self, order: Order) -> NoReturn:
        raise configuration(
            self.facts.name,
            f"this API has no {order.direction.name.lower()}",
            code="not_offered",
        )


def _verdict(message: dict[str, Any]) -> Finding:
    """Every word that section 1.4 does not call final is pending."""
    status = word(message.get("status"))
    return Finding(
        _STATES.get(status, Outcome.PENDING),
        code=status,
        reason=_REASONS.get(status),
        receipt=word(message.get("txnid")) or None,
    )


def _pay_token(answer: Answer) -> str:
    """As it came, because `word` would cut a long one; "" when it is none."""
    token = answer.message.get("pay_token")
    if isinstance(token, str) and token.isascii() and token.isprintable():
        return token if len(token) <= _TOKEN_MAX else ""
    return ""


def is_link(link: Any) -> TypeGuard[str]:
    """An address that may be shown to a person and sent in a message."""
    return (
        isinstance(link, str)
        and link.startswith(("https://", "http://"))
        and len(link) <= _LINK_MAX
        and link.isascii()
        and link.isprintable()
    )

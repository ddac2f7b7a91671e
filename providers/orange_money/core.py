"""Orange Cameroon's core API: a prompt on the payer's phone, and payouts, each in two calls.

Facts: reference `orange-money.md`, section 3. `init` gives a token and orders nothing, `pay`
orders; the token is the only thing by which it can be asked about.
"""

import base64
from dataclasses import dataclass, field
from typing import Any

import httpx

from engine.clock import AttemptId, Clock
from engine.errors import OutcomeUnknown, Rejected, Unreadable
from engine.money import Money
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
    Answer,
    Door,
    Header,
    Line,
    basic_token,
    error_of,
    no_evidence,
    nothing_asked,
)
from providers.orange_money.markets import KINDS, Market, facts_of, international, national
from providers.orange_money.references import short_reference_of
from providers.redaction import Fields, printable
from providers.wire import json_object, order_amount, read_amount, word

_BASE = "/omcoreapis/1.0.2"
_TOKEN_MAX = 64
# The first is the documented spelling (section 3); every word not named here is pending.
_SUCCEEDED = frozenset({"SUCCESSFULL", "SUCCESSFUL", "SUCCESS"})
_FAILED = {
    "FAILED": Reason.OTHER,
    "CANCELLED": Reason.DECLINED,
    "EXPIRED": Reason.NOT_REACHED,
}
# Section 3 names one code of a refused `pay`; of the others it says that the answer's status, 417,
# is the refusal and its text is not to be read.
_INSUFFICIENT = "60019"
_REFUSED_STATUS = 417

_FIELDS = Fields(
    kept=frozenset(
        {
            "amount",
            "confirmtxnstatus",
            "createtime",
            "id",
            "inittxnstatus",
            "payToken",
            "status",
            "txnid",
            "txnmode",
        }
    ),
    texts=frozenset({"confirmtxnmessage", "data", "inittxnmessage", "message", "subscriberMsisdn"}),
)


@dataclass(frozen=True, kw_only=True)
class CoreSettings(Line):
    """One merchant. `ca_file` holds what is missing of the server's certificate chain, or is ""."""

    base_url: str
    consumer_key: str = field(repr=False)
    consumer_secret: str = field(repr=False)
    api_user: str = field(repr=False)
    api_password: str = field(repr=False)
    channel_msisdn: str  # the merchant's own Orange number, 9 digits
    pin: str = field(repr=False)
    ca_file: str = ""
    confirm_above_minor: int = 0

    def __post_init__(self) -> None:
        number = self.channel_msisdn
        if not (number.isascii() and number.isdigit() and len(number) == 9):
            raise ValueError("orange_cm: the merchant's number has 9 digits")


class Core:
    """Orange in Cameroon. See `engine.ports.OperatorPort`."""

    def __init__(
        self,
        market: Market,
        settings: CoreSettings,
        *,
        clock: Clock,
        trace: Trace = no_trace,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Raises ValueError when the address or the file of certificates is none."""
        self.facts = facts_of(market, confirm_above_minor=settings.confirm_above_minor)
        self._market = market
        self._settings = settings
        headers, body = basic_token(settings.consumer_key, settings.consumer_secret)
        self._door = Door(
            market.name,
            settings.base_url,
            token_path="/token",  # noqa: S106 - a path
            token_headers=headers,
            token_body=body,
            line=settings,
            clock=clock,
            trace=trace,
            shown=_FIELDS.without("confirmtxnmessage", "inittxnmessage", "message"),
            transport=transport,
            ca_file=settings.ca_file,
        )
        both = f"{settings.api_user}:{settings.api_password}".encode()
        self._auth: Header = (b"X-AUTH-TOKEN", base64.b64encode(both))
        steps = ("init", "pay", "paymentstatus")
        self._urls = {
            (product, step): self._door.url(f"{_BASE}/{product}/{step}")
            for product in ("mp", "cashin")
            for step in steps
        }

    async def collect(self, order: Order) -> Accepted:
        """Send the prompt. After OutcomeUnknown a repeat may charge the payer twice."""
        return await self._pay("mp", order)

    async def disburse(self, order: Order) -> Accepted:
        """Pay into the payee's wallet. After OutcomeUnknown a repeat may pay twice."""
        return await self._pay("cashin", order)

    async def refund(self, order: Order) -> Accepted:
        """Give back by a payout of its own: there is no other call."""
        return await self._pay("cashin", order)

    async def query(self, order: Order) -> Finding:
        """The operator's answer at once. Without the token nothing can be asked."""
        pay_token = order.provider_reference
        if pay_token is None:
            return Finding(Outcome.PENDING, code="no_pay_token")
        product = _product(order.direction)
        url = self._urls[product, "paymentstatus"]
        try:
            answer = await self._door.get(
                f"{product}_status", url, self._auth, below=f"/{_plain(pay_token)}"
            )
            found = answer.child("data")
            if answer.status != 200 or not word(found.get("status")):
                raise error_of(self.facts.name, answer)
            if word(found.get("payToken")) not in ("", pay_token):
                raise Unreadable(self.facts.name, "an answer about another payment")
            return self._finding(found)
        except (Rejected, Unreadable) as error:
            raise no_evidence(self.facts.name, error) from error

    def read_callback(self, kind: str, body: bytes) -> Callback:
        """Unsigned; token, status and a sentence."""
        message = json_object(body)
        if kind not in KINDS or message is None or not word(message.get("status")):
            shown = printable(kind, length_max=20)
            raise Unreadable(self.facts.name, f"no status body of kind {shown!r}")
        return Callback(self._finding(message), Acknowledgement(), _FIELDS.redact(message))

    def references_of(self, attempt_id: AttemptId) -> tuple[str, ...]:
        """The `orderId`, which comes back as `txnmode`."""
        return (short_reference_of(attempt_id),)

    async def aclose(self) -> None:
        await self._door.aclose()

    async def _pay(self, product: str, order: Order) -> Accepted:
        message = self._message(order)
        pay_token = await self._init(product)
        try:
            answer = await self._door.post(
                f"{product}_pay", self._urls[product, "pay"], {**message, "payToken": pay_token},
                self._auth,
            )  # fmt: skip
            if answer.status == 200 and word(answer.child("data").get("status")):
                return self._accepted(pay_token, answer.child("data"))
            raise self._refusal(answer, product) or error_of(self.facts.name, answer)
        except (OutcomeUnknown, Unreadable) as error:
            # The token outlives its answer: by it the question can be asked all the same.
            raise OutcomeUnknown(
                error.provider, error.detail, code=error.code, provider_reference=pay_token
            ) from error

    async def _init(self, product: str) -> str:
        try:
            answer = await self._door.post(
                f"{product}_init", self._urls[product, "init"], None, self._auth
            )
            pay_token = word(answer.child("data").get("payToken"))
            if answer.status == 200 and _is_plain(pay_token):
                return pay_token
            raise error_of(self.facts.name, answer)
        except OutcomeUnknown as error:
            raise nothing_asked(self.facts.name, error) from error

    def _message(self, order: Order) -> dict[str, Any]:
        return {
            "notifUrl": callback_at(order.callback_url, KINDS[0]),
            "channelUserMsisdn": self._settings.channel_msisdn,
            "amount": str(int(order_amount(self.facts, order))),
            "subscriberMsisdn": national(self._market, order.msisdn),
            "pin": self._settings.pin,
            "orderId": short_reference_of(order.attempt_id),
            "description": f"Payment {order.code}",
        }

    def _accepted(self, pay_token: str, data: dict[str, Any]) -> Accepted:
        """A prompt is answered later; a payout is seen to be over at once, at times."""
        found = self._finding(data)
        over = found.outcome in (Outcome.SUCCEEDED, Outcome.FAILED)
        return Accepted(provider_reference=pay_token, finding=found if over else None)

    def _refusal(self, answer: Answer, product: str) -> Rejected | None:
        """HTTP 417 with the documented shape; a status that says otherwise makes it no refusal."""
        data = answer.child("data")
        code, status = word(data.get("inittxnstatus")), word(data.get("status"))
        if answer.status != _REFUSED_STATUS or code in ("", "200"):
            return None
        if status not in ("", *_FAILED):
            return None
        ours = product != "mp"  # then it is our own account that lacks the money
        reason = Reason.CONFIGURATION if ours else Reason.INSUFFICIENT_FUNDS
        reason = reason if code == _INSUFFICIENT else Reason.OTHER
        return Rejected(self.facts.name, "the payment was refused", code=code, reason=reason)

    def _finding(self, data: dict[str, Any]) -> Finding:
        status, amount = word(data.get("status")), data.get("amount")
        reason = _FAILED.get(status)
        number = word(data.get("subscriberMsisdn"))
        final = Outcome.FAILED if reason else Outcome.PENDING
        return Finding(
            Outcome.SUCCEEDED if status in _SUCCEEDED else final,
            code=status,
            reason=reason,
            amount=self._amount(amount),
            msisdn=international(self._market, number) if number else None,
            receipt=word(data.get("txnid")) or None,
            provider_reference=word(data.get("payToken")) or None,
        )

    def _amount(self, value: Any) -> Money | None:
        return None if value is None else read_amount(self.facts.name, value, self.facts.currency)


def _product(direction: Direction) -> str:
    return "mp" if direction is Direction.COLLECT else "cashin"


def _is_plain(token: str) -> bool:
    """Fit to be a part of a path as it is."""
    return bool(token) and len(token) <= _TOKEN_MAX and token.isascii() and token.isalnum()


def _plain(token: str) -> str:
    if not _is_plain(token):
        raise Unreadable("orange_cm", "a token that is none")
    return token

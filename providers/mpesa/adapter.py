"""Asks Safaricom M-PESA in Kenya: STK push, B2C payouts and refunds, and how they went.

Facts: reference `mpesa.md`. It refuses to decide anything about a payment, and to remember any.
"""

import base64
from dataclasses import dataclass, field
from datetime import timedelta, timezone
from typing import Any

import httpx
import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from engine.clock import AttemptId, Clock
from engine.errors import OutcomeUnknown, Rejected
from engine.money import Money
from engine.ports import (
    Accepted,
    Callback,
    Direction,
    Finding,
    OperatorFacts,
    Order,
    Outcome,
    Reason,
)
from providers.http import (
    DEFAULT_TIMEOUTS,
    Client,
    Timeouts,
    Token,
    TokenCache,
    Trace,
    basic_authorization,
    no_trace,
    read_token,
    with_token,
)
from providers.mpesa import balance
from providers.mpesa.answers import (
    NAME,
    Answer,
    error_of,
    is_token_refused,
    read_answer,
    throttled,
)
from providers.mpesa.callbacks import PUSH_FAILED, read_callback, verdict
from providers.wire import order_amount

CONFIRM_ABOVE_MINOR = 1_000_000  # KES 10,000

_TOKEN_MARGIN_SECONDS = 120.0  # section 2 proposes 60 to 300
_NAIROBI = timezone(timedelta(hours=3))  # what M-PESA itself sends; no summer time
# Section 11: an address that contains one of these is refused, whatever the case.
_FORBIDDEN_IN_URL = ("mpesa", "m-pesa", "safaricom", "exe", "cmd", "sql", "query")


@dataclass(frozen=True)
class MpesaSettings:
    """One Daraja app and its shortcodes. `certificate_pem` is Safaricom's (section 10)."""

    base_url: str
    consumer_key: str = field(repr=False)
    consumer_secret: str = field(repr=False)
    shortcode: str
    passkey: str = field(repr=False)
    b2c_shortcode: str
    initiator: str
    initiator_password: str = field(repr=False)
    certificate_pem: bytes = field(repr=False)
    confirm_above_minor: int = CONFIRM_ABOVE_MINOR
    timeouts: Timeouts = DEFAULT_TIMEOUTS
    connections: int = 100
    per_second: float | None = None  # None: as fast as it goes

    def __post_init__(self) -> None:
        for shortcode in (self.shortcode, self.b2c_shortcode):
            if not (shortcode.isascii() and shortcode.isdigit() and 5 <= len(shortcode) <= 7):
                raise ValueError(f"{NAME}: a shortcode has 5 to 7 digits")


class Mpesa:
    """The operator `mpesa_ke`. See `engine.ports.OperatorPort` for what callers may rely on."""

    def __init__(
        self,
        settings: MpesaSettings,
        *,
        clock: Clock,
        trace: Trace = no_trace,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Raises ValueError when the certificate or the address is none."""
        self.facts = _facts(settings.confirm_above_minor)
        self._settings = settings
        self._clock = clock
        self._client = Client(
            NAME,
            settings.base_url,
            timeouts=settings.timeouts,
            connections=settings.connections,
            per_second=settings.per_second,
            transport=transport,
            trace=trace,
        )
        self._tokens = TokenCache(
            self._fetch_token, clock=clock, margin_seconds=_TOKEN_MARGIN_SECONDS
        )
        # One sealed password may serve many requests (section 8), and sealing is not cheap.
        self._credential = security_credential(
            settings.initiator_password, settings.certificate_pem
        )
        url = self._client.url
        self._token_url = url("/oauth/v1/generate?grant_type=client_credentials")
        self._push_url = url("/mpesa/stkpush/v1/processrequest")
        self._push_query_url = url("/mpesa/stkpushquery/v1/query")
        self._payout_url = url("/mpesa/b2c/v3/paymentrequest")
        self._status_url = url("/mpesa/transactionstatus/v1/query")
        self._balance_url = url("/mpesa/accountbalance/v1/query")
        shortcodes = dict.fromkeys((settings.shortcode, settings.b2c_shortcode))
        self.balance_accounts = tuple(shortcodes)  # one business may collect and pay by the same

    async def collect(self, order: Order) -> Accepted:
        """Send the prompt (section 4). After OutcomeUnknown a repeat may charge the payer twice."""
        answer = await self._post("stk_push", self._push_url, self._push_message(order))
        checkout_id = answer.word("CheckoutRequestID")
        if not answer.is_accepted or not checkout_id:
            raise error_of(answer)
        return Accepted(provider_reference=checkout_id)

    async def disburse(self, order: Order) -> Accepted:
        """Pay out by B2C v3 (section 8); a repeat of the same order is refused as a duplicate."""
        return await self._pay_out("b2c_payout", order)

    async def refund(self, order: Order) -> Accepted:
        """Give back by a payout of its own: a reversal (9.2) needs a receipt we may not have."""
        return await self._pay_out("b2c_refund", order)

    async def query(self, order: Order) -> Finding:
        """STK query for a collection; for payouts the answer comes by callback `status`."""
        try:
            if order.direction is Direction.COLLECT:
                return await self._query_push(order)
            return await self._query_payout(order)
        except Rejected as error:
            # A refused question is no evidence about the money.
            raise OutcomeUnknown(NAME, "the query was refused", code=error.code) from error

    def read_callback(self, kind: str, body: bytes) -> Callback:
        """Kinds: `stk`, `result`, `status` and `timeout`."""
        return read_callback(kind, body)

    async def ask_balance(self, account: str, callback_url: str) -> Money | None:
        """Ask for what a shortcode holds (section 9.3); always answered later."""
        message = balance.balance_message(
            initiator=self._settings.initiator,
            credential=self._credential,
            shortcode=account,
            url=_allowed(f"{callback_url}/{balance.KIND}"),
        )
        answer = await self._post("account_balance", self._balance_url, message)
        if not answer.is_accepted:
            raise error_of(answer)
        return None

    def read_balance(self, body: bytes) -> Money | None:
        return balance.read_balance(body)

    def references_of(self, attempt_id: AttemptId) -> tuple[str, ...]:
        """The OriginatorConversationID of payouts; a push is known by its CheckoutRequestID."""
        return (attempt_id,)

    async def aclose(self) -> None:
        await self._tokens.aclose()
        await self._client.aclose()

    def _push_message(self, order: Order) -> dict[str, Any]:
        shortcode, number = int(self._settings.shortcode), int(order.msisdn.digits)
        return {
            "BusinessShortCode": shortcode,
            **self._signature(),
            "TransactionType": "CustomerPayBillOnline",
            "Amount": int(order_amount(self.facts, order)),
            "PartyA": number,
            "PartyB": shortcode,
            "PhoneNumber": number,
            "CallBackURL": _callback_url(order, "stk"),
            "AccountReference": order.code,
            "TransactionDesc": "Send money",  # left out: "Invalid Remarks" (section 4)
        }

    def _signature(self) -> dict[str, str]:
        timestamp = self._clock.now().astimezone(_NAIROBI).strftime("%Y%m%d%H%M%S")
        plain = self._settings.shortcode + self._settings.passkey + timestamp
        return {
            "Password": base64.b64encode(plain.encode()).decode(),
            "Timestamp": timestamp,
        }

    async def _pay_out(self, operation: str, order: Order) -> Accepted:
        message = {
            "OriginatorConversationID": order.attempt_id,
            "InitiatorName": self._settings.initiator,
            "SecurityCredential": self._credential,
            "CommandID": "BusinessPayment",
            "Amount": int(order_amount(self.facts, order)),
            "PartyA": int(self._settings.b2c_shortcode),
            "PartyB": int(order.msisdn.digits),
            "Remarks": f"Payment {order.code}",
            "QueueTimeOutURL": _callback_url(order, "timeout"),
            "ResultURL": _callback_url(order, "result"),
            "Occassion": order.code,
        }
        answer = await self._post(operation, self._payout_url, message)
        if answer.is_duplicate:
            return Accepted()  # the first one was taken; its ConversationID is not told again
        if not answer.is_accepted:
            raise error_of(answer)
        return Accepted(provider_reference=answer.word("ConversationID") or None)

    async def _query_push(self, order: Order) -> Finding:
        if order.provider_reference is None:
            # The answer to the push was lost, and with it the only id: wait for the callback.
            return Finding(Outcome.PENDING, code="no_checkout_id")
        message = {
            "BusinessShortCode": self._settings.shortcode,
            **self._signature(),
            "CheckoutRequestID": order.provider_reference,
        }
        answer = await self._post("stk_query", self._push_query_url, message)
        if answer.code == "500.001.1001" and not answer.is_rejected:
            # Under way, or settled long ago and forgotten (section 6): never a failure.
            is_unknown = "does not exist" in answer.text.lower()
            return Finding(Outcome.NOT_FOUND if is_unknown else Outcome.PENDING, code=answer.code)
        code = answer.word("ResultCode")
        if not answer.is_accepted or not code:
            raise error_of(answer)
        outcome, reason = verdict(code, PUSH_FAILED)
        checkout_id = answer.word("CheckoutRequestID") or None
        return Finding(outcome, code=code, reason=reason, provider_reference=checkout_id)

    async def _query_payout(self, order: Order) -> Finding:
        message = {
            "Initiator": self._settings.initiator,
            "SecurityCredential": self._credential,
            "CommandID": "TransactionStatusQuery",
            "OriginalConversationID": order.attempt_id,
            "PartyA": self._settings.b2c_shortcode,
            "IdentifierType": "4",
            "ResultURL": _callback_url(order, "status"),
            "QueueTimeOutURL": _callback_url(order, "timeout"),
            "Remarks": "Status check",
            "Occasion": order.code,
        }
        answer = await self._post("transaction_status", self._status_url, message)
        if not answer.is_accepted:
            raise error_of(answer)
        return Finding(Outcome.ASKED, code="asked")

    async def _post(self, operation: str, url: httpx.URL, message: dict[str, Any]) -> Answer:
        body = msgspec.json.encode(message)

        async def send(token: str) -> httpx.Response:
            headers = [
                (b"Authorization", b"Bearer " + token.encode()),
                (b"Content-Type", b"application/json"),
            ]
            return await self._client.send(operation, "POST", url, headers=headers, body=body)

        return read_answer(await with_token(self._tokens, send, is_token_refused))

    async def _fetch_token(self) -> Token:
        key, secret = self._settings.consumer_key, self._settings.consumer_secret
        headers = [basic_authorization(key, secret)]
        response = await self._client.send("token", "GET", self._token_url, headers=headers)
        if (token := read_token(response)) is not None:
            return token
        if response.status_code in (400, 401):  # a wrong key or secret: 400 and no body
            raise Rejected(
                NAME,
                "our consumer key or secret was refused",
                code=read_answer(response).code or str(response.status_code),
                reason=Reason.CONFIGURATION,
            )
        if response.status_code == 429:
            raise throttled(response)
        raise OutcomeUnknown(NAME, "no token in the answer", code=str(response.status_code))


def security_credential(initiator_password: str, certificate_pem: bytes) -> str:
    """The initiator's password for Safaricom's eyes (section 10); differs at every call.

    The certificate's dates are ignored: both known ones ended long ago and are in use. Raises
    ValueError when it is no certificate with an RSA key.
    """
    key = x509.load_pem_x509_certificate(certificate_pem).public_key()
    if not isinstance(key, RSAPublicKey):
        raise ValueError(f"{NAME}: the certificate holds no RSA key")
    sealed = key.encrypt(initiator_password.encode(), PKCS1v15())
    return base64.b64encode(sealed).decode()


def _facts(confirm_above_minor: int) -> OperatorFacts:
    return OperatorFacts(
        code=1,
        name=NAME,
        country="KE",
        currency="KES",
        unit_minor=100,
        collect_minor_min=100,
        collect_minor_max=25_000_000,
        disburse_minor_min=1_000,
        disburse_minor_max=25_000_000,
        collect_repeat_is_safe=False,  # two pushes are two prompts, maybe two payments
        disburse_repeat_is_safe=True,  # B2C v3 refuses a second OriginatorConversationID
        confirm_callback_above_minor=confirm_above_minor,
        refund_is_payout=True,
    )


def _callback_url(order: Order, kind: str) -> str:
    return _allowed(f"{order.callback_url}/{kind}")


def _allowed(url: str) -> str:
    lowered = url.lower()
    if any(forbidden in lowered for forbidden in _FORBIDDEN_IN_URL):
        raise Rejected(
            NAME,
            "the callback address contains a word the operator forbids",
            code="callback_url",
            reason=Reason.CONFIGURATION,
        )
    return url

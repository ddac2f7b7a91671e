"""Orange Sonatel's eWallet API: payouts that are over at once, collections through a link.

Facts: reference `orange-money.md`, section 4. No prompt comes to a phone: the payer opens a link,
so it collects only where a setting says that somebody brings it. Callbacks are proven by
`signature.py`; whatever they say, the status call decides.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from engine.clock import AttemptId, Clock
from engine.errors import OutcomeUnknown, ProviderError, Rejected, Unreadable
from engine.money import Money
from engine.ports import (
    FORGED,
    Accepted,
    Acknowledgement,
    Callback,
    CallbackTrust,
    Finding,
    Order,
    Outcome,
    Reason,
    callback_at,
)
from providers.http import Token, TokenCache, Trace, no_trace
from providers.orange_money.door import (
    Answer,
    Door,
    Header,
    Line,
    error_of,
    no_evidence,
)
from providers.orange_money.markets import KINDS, Market, facts_of, international, national
from providers.orange_money.references import reference_of
from providers.orange_money.signature import is_signed
from providers.orange_money.web_payment import is_link
from providers.redaction import Fields, printable
from providers.wire import (
    form_value,
    is_http_error,
    json_list,
    json_object,
    order_amount,
    read_amount,
    word,
)

_KEY_SECONDS = 3600.0  # our own: a key that was replaced is told by KEY_REVOKED
KEY_REVOKED = "4003"
_TRANSACTION_ID = re.compile(r"[0-9A-Za-z]{1,32}(\.[0-9A-Za-z]{1,32}){0,4}")  # MP260101.1029.C00001
# Every word not named here or as SUCCESS is pending: PRE_INITIATED, INITIATED, ACCEPTED too.
_FAILED = {
    "FAILED": Reason.OTHER,
    "REJECTED": Reason.OTHER,
    "CANCELLED": Reason.DECLINED,
}
_FIELDS = Fields(
    kept=frozenset(
        {
            "channel",
            "idType",
            "paymentMethod",
            "reference",
            "status",
            "transactionId",
            "type",
            "unit",
            "value",
        }
    ),
    texts=frozenset({"amount", "customer", "id", "partner"}),
)


@dataclass(frozen=True, kw_only=True)
class EWalletSettings(Line):
    """One merchant. Without a `signing_secret` signatures are not looked at: whether every account
    gets them is unconfirmed (section 4). `refused_codes` are business codes that Orange has
    confirmed to mean "not done"; the reference lists none."""

    base_url: str
    client_id: str = field(repr=False)
    client_secret: str = field(repr=False)
    merchant_code: str  # six digits
    merchant_name: str
    agent_msisdn: str  # whose wallet pays out, 9 digits
    pin: str = field(repr=False)
    return_url: str = ""
    token_path: str = "/oauth/v1/token"  # noqa: S105 - a path; older: /oauth/token
    api_key: str = field(default="", repr=False)  # we registered it; comes back with callbacks
    signing_secret: str = field(default="", repr=False)
    refused_codes: frozenset[str] = frozenset()
    by_link: bool = False
    link_seconds: int = 600  # at most 86400
    confirm_above_minor: int = 0

    def __post_init__(self) -> None:
        for number, length in ((self.merchant_code, 6), (self.agent_msisdn, 9)):
            if not (number.isascii() and number.isdigit() and len(number) == length):
                raise ValueError(f"orange wallet: a code or number has not {length} digits")
        if not 0 < self.link_seconds <= 86400:
            raise ValueError("orange wallet: a link lives for a day at most")


class EWallet:
    """A country served by the eWallet API. See `OperatorPort` and `SignedCallbackPort`."""

    def __init__(
        self,
        market: Market,
        settings: EWalletSettings,
        *,
        clock: Clock,
        trace: Trace = no_trace,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Raises ValueError when the address is none."""
        self.facts = facts_of(
            market,
            collects=settings.by_link,
            by_link=True,
            callback=CallbackTrust.SIGNED if settings.signing_secret else CallbackTrust.UNSIGNED,
            confirm_above_minor=settings.confirm_above_minor,
        )
        self._market = market
        self._settings = settings
        self._clock = clock
        self._door = Door(
            market.name,
            settings.base_url,
            token_path=settings.token_path,
            token_headers=(),
            token_body=b"grant_type=client_credentials&client_id="
            + form_value(settings.client_id)
            + b"&client_secret="
            + form_value(settings.client_secret),
            line=settings,
            clock=clock,
            trace=trace,
            shown=_FIELDS,
            transport=transport,
        )
        self._keys = TokenCache(self._fetch_key, clock=clock, margin_seconds=0.0)
        url = self._door.url
        self._key_url = url("/api/account/v1/publicKeys")
        self._link_url = url("/api/eWallet/v4/qrcode")
        self._cashin_url = url("/api/eWallet/v1/cashins")
        self._transactions_url = url("/api/eWallet/v1/transactions")

    async def collect(self, order: Order) -> Accepted:
        """Make a link that pays once. A second one is a second link: maybe two payments."""
        headers: list[Header] = [
            (b"X-Callback-Url", callback_at(order.callback_url, KINDS[0]).encode())
        ]
        if self._settings.api_key:
            headers.append((b"X-Api-Key", self._settings.api_key.encode()))
        answer = await self._door.post(
            "qrcode", self._link_url, self._link_message(order), *headers
        )
        link = answer.message.get("shortLink") or answer.message.get("deepLink")
        if answer.status not in (200, 201) or not is_link(link):
            raise self._error(answer)
        return Accepted(pay_link=link)

    async def disburse(self, order: Order) -> Accepted:
        """Pay into the payee's wallet. After OutcomeUnknown a repeat may pay twice."""
        return await self._pay_out(order)

    async def refund(self, order: Order) -> Accepted:
        """Give back by a payout of its own: there is no other call."""
        return await self._pay_out(order)

    async def query(self, order: Order) -> Finding:
        """By Orange's id where we were told it, else a search for our own reference."""
        try:
            if order.provider_reference is not None:
                return await self._ask_status(order.provider_reference)
            return await self._search(order)
        except (Rejected, Unreadable) as error:
            raise no_evidence(self.facts.name, error) from error

    def read_callback(self, kind: str, body: bytes) -> Callback:
        """Kind `wallet`, without headers: believed only where no proof was agreed upon."""
        return self.read_signed_callback(kind, body, {})

    def read_signed_callback(self, kind: str, body: bytes, headers: Mapping[str, str]) -> Callback:
        message = json_object(body)
        if kind not in KINDS or message is None or not word(message.get("status")):
            shown = printable(kind, length_max=20)
            raise Unreadable(self.facts.name, f"no notification of kind {shown!r}")
        if not is_signed(
            body,
            headers,
            api_key=self._settings.api_key,
            secret=self._settings.signing_secret,
            now=self._clock.epoch(),
        ):
            raise Unreadable(self.facts.name, "a notification that nobody vouches for", code=FORGED)
        return Callback(self._finding(message), Acknowledgement(), _FIELDS.redact(message))

    def references_of(self, attempt_id: AttemptId) -> tuple[str, ...]:
        return (reference_of(attempt_id),)

    async def aclose(self) -> None:
        await self._keys.aclose()
        await self._door.aclose()

    async def _pay_out(self, order: Order) -> Accepted:
        value = int(order_amount(self.facts, order))
        answer = await self._cash_in(order, value, await self._keys.current())
        if answer.code == KEY_REVOKED and answer.status >= 400:
            # They could not read the PIN, so nothing was done: once more with a fresh key.
            answer = await self._cash_in(order, value, await self._keys.current())
        transaction_id, status = answer.word("transactionId"), answer.word("status")
        is_taken = status and not answer.code and not is_http_error(status)  # else a problem
        if answer.status not in (200, 201) or not is_taken:
            raise self._error(answer)
        try:
            found = self._finding(answer.message)
        except Unreadable as error:
            # It was taken, whatever the rest of the answer is: the id is what to ask by.
            raise OutcomeUnknown(
                error.provider, error.detail, provider_reference=transaction_id or None
            ) from error
        over = found.outcome in (Outcome.SUCCEEDED, Outcome.FAILED)
        return Accepted(provider_reference=transaction_id or None, finding=found if over else None)

    async def _cash_in(self, order: Order, value: int, key: str) -> Answer:
        message = {
            "partner": {
                "idType": "MSISDN",
                "id": self._settings.agent_msisdn,
                "encryptedPinCode": self._seal(key),
            },
            "customer": {"idType": "MSISDN", "id": national(self._market, order.msisdn)},
            "amount": {"value": value, "unit": order.amount.currency},
            "reference": reference_of(order.attempt_id),
            "receiveNotification": True,
        }
        answer = await self._door.post("cashin", self._cashin_url, message)
        if answer.code == KEY_REVOKED:
            self._keys.drop(key)
        return answer

    async def _fetch_key(self) -> Token:
        """A key is kept as a token is: one question however many wait, and no order without it."""
        answer = await self._door.get("public_key", self._key_url)
        key = answer.message.get("key")
        if answer.status == 200 and isinstance(key, str) and _read_key(key) is not None:
            return Token(key, _KEY_SECONDS)
        raise error_of(self.facts.name, answer)

    def _seal(self, key: str) -> str:
        """The agent's PIN for Orange's eyes (RSA PKCS#1 v1.5, Base64); differs at every call."""
        public_key = _read_key(key)
        assert public_key is not None  # it was read when it was fetched
        return base64.b64encode(
            public_key.encrypt(self._settings.pin.encode(), PKCS1v15())
        ).decode()

    def _link_message(self, order: Order) -> dict[str, Any]:
        settings = self._settings
        return {
            "code": settings.merchant_code,
            "name": settings.merchant_name,
            "amount": {
                "value": int(order_amount(self.facts, order)),
                "unit": order.amount.currency,
            },
            "validity": settings.link_seconds,
            "reference": reference_of(order.attempt_id),
            "metadata": {},
            "callbackSuccessUrl": settings.return_url,
            "callbackCancelUrl": settings.return_url,
            "restrictions": {"isSingleUse": True},
        }

    async def _ask_status(self, transaction_id: str) -> Finding:
        if not _TRANSACTION_ID.fullmatch(transaction_id):
            raise Unreadable(self.facts.name, "a transaction id that is none")
        answer = await self._door.get(
            "status", self._transactions_url, below=f"/{transaction_id}/status"
        )
        if answer.status != 200 or not answer.word("status"):
            raise error_of(self.facts.name, answer)
        found = self._finding(answer.message)
        return msgspec.structs.replace(found, provider_reference=transaction_id)

    async def _search(self, order: Order) -> Finding:
        """The list's form is unconfirmed (section 4): what is not plainly one is no evidence."""
        reference = reference_of(order.attempt_id)
        answer = await self._door.get(
            "search", self._transactions_url, below=f"?reference={reference}"
        )
        entries = json_list(answer.response.content)
        if answer.status != 200 or entries is None:
            raise error_of(self.facts.name, answer)
        if not all(isinstance(each, dict) and word(each.get("status")) for each in entries):
            raise Unreadable(self.facts.name, "a list of something else")
        ours = [self._finding(each) for each in entries if each.get("reference") == reference]
        if not ours:
            return Finding(Outcome.NOT_FOUND, code="none")
        return min(ours, key=lambda found: _WEIGHT.index(found.outcome))

    def _finding(self, told: dict[str, Any]) -> Finding:
        status, reason = word(told.get("status")), _FAILED.get(word(told.get("status")))
        amount, customer = told.get("amount"), told.get("customer")
        final = Outcome.FAILED if reason else Outcome.PENDING
        return Finding(
            Outcome.SUCCEEDED if status == "SUCCESS" else final,
            code=status,
            reason=reason,
            amount=self._amount(amount) if isinstance(amount, dict) else None,
            msisdn=self._msisdn(customer) if isinstance(customer, dict) else None,
            receipt=word(told.get("transactionId")) or None,
        )

    def _amount(self, amount: dict[str, Any]) -> Money | None:
        value, unit = amount.get("value"), word(amount.get("unit"))
        return read_amount(self.facts.name, value, unit) if value is not None and unit else None

    def _msisdn(self, customer: dict[str, Any]) -> str | None:
        if word(customer.get("idType")).upper() != "MSISDN":
            return None
        return international(self._market, word(customer.get("id")))

    def _error(self, answer: Answer) -> ProviderError:
        if answer.status >= 400 and answer.code in self._settings.refused_codes:
            return Rejected(
                self.facts.name, "the request was refused", code=answer.code, reason=Reason.OTHER
            )
        return error_of(self.facts.name, answer)


# Of several entries under one reference the one that moved money counts.
_WEIGHT = (Outcome.SUCCEEDED, Outcome.PENDING, Outcome.FAILED)


def _read_key(text: str) -> RSAPublicKey | None:
    """Presumably a DER public key in Base64 (section 4 says `key: base64` alone)."""
    try:
        key = load_der_public_key(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, RSAPublicKey) else None

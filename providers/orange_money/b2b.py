"""Orange B2B: a prompt on the payer's phone, payouts, both asked about by an id of ours.

Facts: reference `orange-money.md`, section 2. Its callbacks come to one address for all attempts,
agreed with Orange beforehand, under an `Authorization` value that we chose.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from engine.clock import AttemptId, Clock
from engine.errors import Rejected, Unreadable
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
)
from providers.http import Trace, no_trace
from providers.orange_money.door import (
    TOKEN_PATH,
    Door,
    Line,
    basic_token,
    configuration,
    error_of,
    no_evidence,
)
from providers.orange_money.markets import KINDS, Market, facts_of, international, national
from providers.orange_money.references import attempt_of, transaction_id_of
from providers.redaction import Fields, printable
from providers.wire import is_http_error, json_object, order_amount, read_amount, word

CASHOUT, CASHIN = "cashout", "cashin"
"""From the wallet's point of view: cash leaves the payer's, and enters the payee's."""
_FAILED = "FAILED"
_FIELDS = Fields(
    kept=frozenset(
        {
            "amount",
            "currency",
            "peerIdType",
            "posId",
            "reference",
            "status",
            "transactionId",
            "txnId",
            "type",
        }
    ),
    texts=frozenset({"message", "peerId", "transactionData"}),
)


@dataclass(frozen=True, kw_only=True)
class B2bSettings(Line):
    """One point of sale. The services are the last parts of the paths (section 2): `cashin` was
    seen as `omdcashin` too, and not everybody is allowed it: "" says that we are not."""

    base_url: str
    client_id: str = field(repr=False)
    client_secret: str = field(repr=False)
    pos_id: str
    country: str = "cd"  # `sx` in the sandbox
    currency: str = "CDF"
    cashout_service: str = CASHOUT
    cashin_service: str = CASHIN
    callback_authorization: str = field(default="", repr=False)  # the header's whole value
    confirm_above_minor: int = 0

    def __post_init__(self) -> None:
        for part in (self.country, self.cashout_service, self.cashin_service or CASHIN):
            if not (part.isascii() and part.isalnum()):
                raise ValueError("orange b2b: a country or a service is one word")


class B2b:
    """A country served by B2B. See `engine.ports.OperatorPort` and `FixedAddressPort`."""

    def __init__(
        self,
        market: Market,
        settings: B2bSettings,
        *,
        clock: Clock,
        trace: Trace = no_trace,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Raises ValueError when the address or the currency is none."""
        self.facts = facts_of(
            market,
            pays_out=bool(settings.cashin_service),
            callback=CallbackTrust.UNSIGNED,
            confirm_above_minor=settings.confirm_above_minor,
            currency=settings.currency,
        )
        self._market = market
        self._settings = settings
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
        below = f"/orange-money-b2b/v1/{settings.country}/transactions"
        self._cashout_url = self._door.url(f"{below}/{settings.cashout_service}")
        self._cashin_url = self._door.url(f"{below}/{settings.cashin_service}")
        self._status_url = self._door.url(below)

    async def collect(self, order: Order) -> Accepted:
        """Send the prompt. After OutcomeUnknown a repeat may charge the payer twice."""
        return await self._order("cashout", self._cashout_url, order)

    async def disburse(self, order: Order) -> Accepted:
        """Pay into the payee's wallet. After OutcomeUnknown a repeat may pay twice."""
        return await self._pay_out(order)

    async def refund(self, order: Order) -> Accepted:
        """Give back by a payout of its own: there is no other call."""
        return await self._pay_out(order)

    async def query(self, order: Order) -> Finding:
        """The operator's answer at once, by our own id; NOT_FOUND when it has none such."""
        transaction_id = transaction_id_of(order.attempt_id)
        try:
            answer = await self._door.get("status", self._status_url, below=f"/{transaction_id}")
            if answer.status == 404 and answer.code == "60":
                return Finding(Outcome.NOT_FOUND, code=answer.code)
            told = _flat(answer.message)
            if answer.status != 200 or not word(told.get("status")):
                raise error_of(self.facts.name, answer)
            if word(told.get("transactionId")) not in ("", transaction_id):
                raise Unreadable(self.facts.name, "an answer about another transaction")
            return self._finding(told)
        except (Rejected, Unreadable) as error:
            raise no_evidence(self.facts.name, error) from error

    def read_callback(self, kind: str, body: bytes) -> Callback:
        """On an attempt's own address, should Orange agree to one."""
        if kind not in KINDS:
            shown = printable(kind, length_max=20)
            raise Unreadable(self.facts.name, f"no callback of kind {shown!r}")
        return self._callback(_read(self.facts.name, body))

    def read_fixed_callback(
        self, body: bytes, headers: Mapping[str, str]
    ) -> tuple[AttemptId, Callback]:
        """The attempt is in `transactionId`. Without a value agreed upon nothing is believed."""
        expected = self._settings.callback_authorization
        given = headers.get("authorization", "")
        if not expected or not hmac.compare_digest(given.encode(), expected.encode()):
            raise Unreadable(self.facts.name, "a callback that nobody vouches for", code=FORGED)
        message = _read(self.facts.name, body)
        attempt_id = attempt_of(word(message.get("transactionId")))
        if attempt_id is None:
            raise Unreadable(self.facts.name, "a callback about no transaction of ours")
        return attempt_id, self._callback(message)

    def references_of(self, attempt_id: AttemptId) -> tuple[str, ...]:
        return (transaction_id_of(attempt_id),)

    async def aclose(self) -> None:
        await self._door.aclose()

    async def _pay_out(self, order: Order) -> Accepted:
        if not self._settings.cashin_service:
            raise configuration(self.facts.name, "our contract has no payouts", code="not_offered")
        return await self._order("cashin", self._cashin_url, order)

    async def _order(self, operation: str, url: httpx.URL, order: Order) -> Accepted:
        message = {
            "peerId": national(self._market, order.msisdn),
            "peerIdType": "msisdn",
            "amount": int(order_amount(self.facts, order)),
            "currency": order.amount.currency,
            "posId": self._settings.pos_id,
            "transactionId": transaction_id_of(order.attempt_id),
        }
        answer = await self._door.post(operation, url, message)
        status = word(_flat(answer.message).get("status"))
        is_taken = status not in ("", _FAILED) and not is_http_error(status)
        if answer.status != 202 or answer.code or not is_taken:
            raise error_of(self.facts.name, answer)
        return Accepted()  # a later query derives the id again

    def _callback(self, message: dict[str, Any]) -> Callback:
        return Callback(self._finding(_flat(message)), Acknowledgement(), _FIELDS.redact(message))

    def _finding(self, told: dict[str, Any]) -> Finding:
        """Section 2 names two final words; every other one is pending."""
        status, number = word(told.get("status")), word(told.get("peerId"))
        is_failed = status == _FAILED
        final = Outcome.FAILED if is_failed else Outcome.PENDING
        receipt = word(told.get("txnId")) or word(told.get("reference"))
        return Finding(
            Outcome.SUCCEEDED if status == "SUCCESS" else final,
            code=status,
            reason=Reason.OTHER if is_failed else None,
            amount=self._amount(told),
            msisdn=international(self._market, number) if number else None,
            receipt=receipt or None,
        )

    def _amount(self, told: dict[str, Any]) -> Money | None:
        amount, currency = told.get("amount"), word(told.get("currency"))
        if amount is None or not currency:
            return None
        return read_amount(self.facts.name, amount, currency)


def _read(name: str, body: bytes) -> dict[str, Any]:
    message = json_object(body)
    if message is None or not word(_flat(message).get("status")):
        raise Unreadable(name, "no status body")
    return message


def _flat(message: dict[str, Any]) -> dict[str, Any]:
    """Some profiles put what they say into `transactionData`, some do not (section 2)."""
    inner = message.get("transactionData")
    return {**inner, **message} if isinstance(inner, dict) else message

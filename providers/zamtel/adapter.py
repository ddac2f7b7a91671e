"""Zamtel Money in Zambia: two calls that answer when all is over, and nothing to ask afterwards.

Facts: reference `zamtel.md`. Nothing of it is published, so hosts, paths and parameter names are
settings. It refuses to repeat a call: whether the operator notices a repeat is not known. An answer
that was lost is for people and the merchant's statement (`OperatorFacts.can_be_asked`).
"""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, NamedTuple

import httpx

from engine.clock import AttemptId
from engine.errors import OutcomeUnknown, ProviderError, Throttled, Unreadable
from engine.ports import (
    Accepted,
    Callback,
    CallbackTrust,
    Direction,
    Finding,
    OperatorFacts,
    Order,
    Outcome,
    Reason,
)
from providers.http import Client, Timeouts, Trace, no_trace, retry_after_seconds
from providers.redaction import Fields, printable
from providers.wire import form_value, json_object, order_amount, word

NAME: Final = "zamtel_zm"
PATIENT: Final = Timeouts(read_seconds=120.0)
"""Section 1: the call blocks while the customer enters the PIN, 60 to 120 seconds."""

ZAMBIA = OperatorFacts(
    code=60,
    name=NAME,
    country="ZM",
    currency="ZMW",
    unit_minor=1,  # "decimal string"
    # No limits are known; the real ones come back as status 2005. These are our own caution.
    collect_minor_min=100,
    collect_minor_max=1_000_000,
    disburse_minor_min=100,
    disburse_minor_max=1_000_000,
    collect_repeat_is_safe=False,  # section 3: never repeat automatically
    disburse_repeat_is_safe=False,
    refund_repeat_is_safe=False,
    confirm_callback_above_minor=0,
    can_be_asked=False,
    callback=CallbackTrust.NONE,
    refund_is_payout=True,
    webhooks=("zamtel",),
)

_THROTTLED_SECONDS = 30.0
_SHOWN = Fields(
    kept=frozenset({"status", "Status", "StatusCode", "TransactionId", "TransactionID"}),
    texts=frozenset(),
)
_PAID = "0"
# Sections 1 and 2. What is not listed for its own direction is unknown; so is "-1".
_FAILED: Final[dict[Direction, dict[str, Reason]]] = {
    Direction.COLLECT: {
        "E8003": Reason.WRONG_PIN,
        "2006": Reason.INSUFFICIENT_FUNDS,
        "E8027": Reason.OTHER,
    },
    # "Unable to process" (E8027) is marked "failed (reconcile)". Of a collection that is harmless:
    # money that came after all is given back. A payout would be paid twice, so there it is unknown.
    Direction.DISBURSE: {
        "2001": Reason.CONFIGURATION,
        "2005": Reason.LIMIT,
        "2006": Reason.CONFIGURATION,  # our own till is short
    },
}
_FAILED[Direction.REFUND] = _FAILED[Direction.DISBURSE]


@dataclass(frozen=True)
class ZamtelSettings:
    """One merchant's account (sections 1 and 2). Credentials travel in the address."""

    base_url: str
    third_party_id: str = field(repr=False)
    password: str = field(repr=False)
    shortcode: str
    initiator: str = field(repr=False)
    initiator_password: str = field(repr=False)
    payout_shortcode: str = ""  # whether payouts have a till of their own is not known
    collect_path: str = "/ZampayRestProd/Req"
    payout_path: str = "/ZampayRestProd/B2CReq"
    initiator_parameter: str = "identifier"
    initiator_password_parameter: str = "credential"  # noqa: S105 - a parameter's name
    sends_reference: bool = False  # one source alone sends the optional `Reference`
    timeouts: Timeouts = PATIENT
    connections: int = 100
    per_second: float | None = None  # None: as fast as it goes


class Zamtel:
    """The operator `zamtel_zm`. See `engine.ports.OperatorPort` for what callers may rely on."""

    def __init__(
        self,
        settings: ZamtelSettings,
        *,
        trace: Trace = no_trace,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Raises ValueError when the address is none."""
        self.facts = ZAMBIA
        self._settings = settings
        self._client = Client(
            NAME,
            settings.base_url,
            timeouts=settings.timeouts,
            connections=settings.connections,
            per_second=settings.per_second,
            transport=transport,
            trace=trace,
            shown=_SHOWN,
        )
        self._collect_url = self._client.url(settings.collect_path)
        self._payout_url = self._client.url(settings.payout_path)

    async def collect(self, order: Order) -> Accepted:
        """Ask the payer for the PIN and wait for the end (section 1). Never repeat it."""
        parameters = self._parameters(order, self._settings.shortcode)
        return await self._order("collect", self._collect_url, order, parameters)

    async def disburse(self, order: Order) -> Accepted:
        """Pay a wallet and wait for the end (section 2). Never repeat it."""
        settings = self._settings
        parameters = self._parameters(order, settings.payout_shortcode or settings.shortcode)
        parameters[settings.initiator_parameter] = settings.initiator
        parameters[settings.initiator_password_parameter] = settings.initiator_password
        operation = "refund" if order.direction is Direction.REFUND else "disburse"
        return await self._order(operation, self._payout_url, order, parameters)

    async def refund(self, order: Order) -> Accepted:
        """Pay the payer: no refund of a collection is known (section 3)."""
        return await self.disburse(order)

    async def query(self, order: Order) -> Finding:
        """Always OutcomeUnknown, and nothing is sent: there is no status enquiry (section 3)."""
        del order
        raise OutcomeUnknown(NAME, "it cannot be asked about an attempt", code="no_enquiry")

    def read_callback(self, kind: str, body: bytes) -> Callback:
        """Always Unreadable: none is documented, so whatever comes proves nothing."""
        shown = printable(kind, length_max=20)
        raise Unreadable(NAME, f"{len(body)} bytes of a callback {shown!r} that nobody documents")

    def references_of(self, attempt_id: AttemptId) -> tuple[str, ...]:
        """The ConversationId, as we send it."""
        return (attempt_id,)

    async def aclose(self) -> None:
        await self._client.aclose()

    def _parameters(self, order: Order, shortcode: str) -> dict[str, str]:
        parameters = {
            "ThirdPartyID": self._settings.third_party_id,
            "Password": self._settings.password,
            "Amount": _plain(order_amount(self.facts, order)),
            "Msisdn": order.msisdn.digits,
            "Shortcode": shortcode,
            "ConversationId": order.attempt_id,
        }
        if self._settings.sends_reference:
            parameters["Reference"] = order.code
        return parameters

    async def _order(
        self, operation: str, url: httpx.URL, order: Order, parameters: dict[str, str]
    ) -> Accepted:
        query = b"&".join(
            b"%s=%s" % (form_value(name), form_value(value)) for name, value in parameters.items()
        )
        response = await self._client.send(
            operation, "GET", url, headers=[], below=f"?{query.decode('ascii')}"
        )
        answer = _read(response)
        failed = _FAILED[order.direction]
        if answer.code != _PAID and answer.code not in failed:
            raise _error_of(response, answer)
        finding = Finding(
            Outcome.FAILED if answer.code in failed else Outcome.SUCCEEDED,
            code=answer.code,
            reason=failed.get(answer.code),
            receipt=answer.receipt,
        )
        return Accepted(finding=finding)  # a reference would only serve a later question


class _Answer(NamedTuple):
    """Section 1: names vary in spelling, a code may be a number. "" for what is not there."""

    code: str
    receipt: str | None


_NOTHING: Final = _Answer("", None)


def _read(response: httpx.Response) -> _Answer:
    """What a 200 says; two codes that differ say nothing, and so does any other status."""
    if response.status_code != 200:
        return _NOTHING
    named: dict[str, set[Any]] = {}
    for name, value in (json_object(response.content) or {}).items():
        named.setdefault(name.lower(), set()).add(word(value))
    codes = named.get("status", set()) | named.get("statuscode", set())
    receipts = named.get("transactionid", set()) - {""}
    if len(codes) != 1:
        return _NOTHING
    return _Answer(codes.pop(), receipts.pop() if len(receipts) == 1 else None)


def _error_of(response: httpx.Response, answer: _Answer) -> ProviderError:
    if response.status_code == 429:
        return Throttled(
            NAME,
            "too many requests",
            code="429",
            retry_after_seconds=retry_after_seconds(response, _THROTTLED_SECONDS),
        )
    code = answer.code or f"HTTP {response.status_code}"
    return OutcomeUnknown(NAME, "an answer no list knows", code=code)


def _plain(amount: Decimal) -> str:
    """`10` or `10.50`: every example shows whole amounts without a point."""
    whole = amount.to_integral_value()
    return str(whole) if whole == amount else str(amount)

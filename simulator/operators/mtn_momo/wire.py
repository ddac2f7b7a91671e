"""MTN MoMo's words: error bodies, header and body rules, amounts.

Facts: reference mtn-momo.md, sections 2, 5, 6, 9 and 12. Knows no state and moves no money.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from simulator.faults import FaultAnswers, Refusal
from simulator.operators.admin import json_response

Product = Literal["collection", "disbursement", "remittance"]
Kind = Literal[
    "requesttopay", "requesttowithdraw", "transfer", "deposit", "refund", "remittance",
    "cashtransfer",
]  # fmt: skip
TAKES: frozenset[Kind] = frozenset({"requesttopay", "requesttowithdraw"})
"""What takes from a wallet, with its holder's approval; everything else pays into one."""

MESSAGES: Mapping[str, str] = {
    "RESOURCE_NOT_FOUND": "Requested resource was not found.",
    "RESOURCE_ALREADY_EXIST": "Duplicated reference id. Creation of resource failed.",
    "INVALID_CALLBACK_URL_HOST": "Callback URL does not match the configured value.",
    "INVALID_CURRENCY": "Currency not supported.",
    "NOT_ALLOWED": "Authorization failed. Insufficient permissions.",
    "NOT_ALLOWED_TARGET_ENVIRONMENT": "Access to target environment is forbidden.",
    "INTERNAL_PROCESSING_ERROR": "An internal error occurred while processing.",
    "SERVICE_UNAVAILABLE": "Service temporarily unavailable, try again later.",
    "PAYER_NOT_FOUND": "Payer does not exist.",
    "PAYEE_NOT_FOUND": "Payee does not exist.",
}
_STATUSES: Mapping[str, int] = {
    "RESOURCE_NOT_FOUND": 404,
    "RESOURCE_ALREADY_EXIST": 409,
    "SERVICE_UNAVAILABLE": 503,
}
# ISO 4217: these have no minor unit, the other currencies of section 1 have two decimals.
_WITHOUT_DECIMALS = frozenset({"UGX", "RWF", "XOF", "XAF", "GNF"})
_MSISDN = re.compile(r"[1-9][0-9]{7,14}")
_WHOLE = re.compile(r"[1-9][0-9]{0,11}")
_DECIMAL = re.compile(r"(0|[1-9][0-9]{0,11})(\.[0-9]{1,2})?")
_PARTY_TYPES = ("MSISDN", "EMAIL", "PARTY_CODE")
_MESSAGE_CHARACTERS_MAX = 160
SENDER = (
    "orginatingCountry",  # so misspelt on the wire
    "originalAmount",
    "originalCurrency",
    "payerIdentificationType",
    "payerIdentificationNumber",
    "payerIdentity",
    "payerFirstName",
    "payerSurName",
    "payerLanguageCode",
    "payerEmail",
    "payerMsisdn",
    "payerGender",
)


def error(code: str) -> Response:
    """The wallet platform's error; HTTP 500 does not mean broken, the code tells (section 9)."""
    message = MESSAGES.get(code, code.replace("_", " ").capitalize() + ".")
    return json_response({"code": code, "message": message}, _STATUSES.get(code, 500))


def bad_request() -> Response:
    """400; the body is empty, as often seen."""
    return Response(status_code=400)


def unauthorised(message: str) -> Response:
    """401 of the API gateway in front of the platform."""
    return json_response({"statusCode": 401, "message": message}, 401)


def firewall_page() -> Response:
    """The web firewall's refusal: HTTP 200, HTML."""
    return Response(
        "<html><head><title>Request Rejected</title></head><body>The requested URL was rejected."
        "</body></html>",
        media_type="text/html",
    )


FAULT_ANSWERS: FaultAnswers = {
    # No `code` on purpose: on a creating POST this leaves the outcome unknown (section 9).
    "error_500": lambda: json_response(
        {"statusCode": 500, "message": "Internal server error"}, 500
    ),
    "error_503": lambda: error("SERVICE_UNAVAILABLE"),
    "throttle_429": lambda: json_response(
        {"statusCode": 429, "message": "Rate limit is exceeded. Try again in 1 seconds."}, 429
    ),
    "html_200": firewall_page,
}


@dataclass(frozen=True)
class Order:
    """What a creating POST asks for. `amount` is the caller's own text, echoed in statuses."""

    amount: str
    amount_minor: int
    currency: str
    external_id: str
    party: Mapping[str, str] | None
    payer_message: str
    payee_note: str
    reference_id_to_refund: str

    @property
    def msisdn(self) -> str | None:
        """The number of the payer or payee, if it is named by its number."""
        if self.party is None or self.party["partyIdType"] != "MSISDN":
            return None
        return self.party["partyId"]


async def read_json(request: Request) -> dict[str, Any]:
    """The request's JSON object, or nothing when it is something else."""
    try:
        values = msgspec.json.decode(await request.body())
    except msgspec.DecodeError:
        return {}
    return values if isinstance(values, dict) else {}


def peek_msisdn(values: Mapping[str, Any]) -> str | None:
    """The party's number as sent, before any check."""
    party = values.get("payer") or values.get("payee")
    number = party.get("partyId") if isinstance(party, dict) else None
    return number if isinstance(number, str) else None


def read_order(values: Mapping[str, Any], kind: Kind) -> Order:
    """Check the body of a creating POST (sections 5 and 6); anything odd is a bare 400."""
    party_key = None if kind == "refund" else "payer" if kind in TAKES else "payee"
    currency = text(values, "currency")
    amount = text(values, "amount")
    order = Order(
        amount=amount,
        amount_minor=_amount_minor(amount, currency),
        currency=currency,
        external_id=text(values, "externalId", required=False),
        party=read_party(values.get(party_key)) if party_key else None,
        payer_message=text(values, "payerMessage", required=False),
        payee_note=text(values, "payeeNote", required=False),
        reference_id_to_refund=text(values, "referenceIdToRefund", required=kind == "refund"),
    )
    _check_characters(order)
    if kind == "cashtransfer":
        _check_sender(values)
    return order


def read_notification(values: Mapping[str, Any]) -> str:
    """The message of a delivery notification (section 5): at most 160 characters."""
    message = text(values, "notificationMessage")
    if len(message) > _MESSAGE_CHARACTERS_MAX:
        raise Refusal(bad_request())
    return message


def add_one(amount: str) -> str:
    """Another amount than the caller's, for the callback that lies."""
    return str(Decimal(amount) + 1)


def is_uuid4(text: str) -> bool:
    """A UUID of version 4 in its usual form."""
    try:
        parsed = UUID(text)
    except ValueError:
        return False
    return parsed.version == 4 and str(parsed) == text.lower()


def is_msisdn(text: str) -> bool:
    """A number with its country code, digits only, no leading zero."""
    return _MSISDN.fullmatch(text) is not None


def format_minor(amount_minor: int, currency: str) -> str:
    """An amount as the platform writes it."""
    if currency in _WITHOUT_DECIMALS:
        return str(amount_minor)
    return f"{Decimal(amount_minor) / 100:.2f}"


def check_content_length(request: Request) -> None:
    """A POST without Content-Length gets 411 and an HTML page (section 2)."""
    if "content-length" not in request.headers:
        page = "<html><body><h1>411 Length Required</h1></body></html>"
        raise Refusal(Response(page, status_code=411, media_type="text/html"))


def _amount_minor(amount: str, currency: str) -> int:
    if currency in _WITHOUT_DECIMALS:
        if not _WHOLE.fullmatch(amount):
            raise Refusal(bad_request())
        return int(amount)
    if not _DECIMAL.fullmatch(amount) or Decimal(amount) == 0:
        raise Refusal(bad_request())
    return int(Decimal(amount) * 100)


def read_party(value: object) -> Mapping[str, str]:
    """Payer or payee; refused with 400 unless its type is known and a number is one."""
    party = value if isinstance(value, dict) else {}
    party_type, party_id = text(party, "partyIdType"), text(party, "partyId")
    if party_type not in _PARTY_TYPES:
        raise Refusal(bad_request())
    if party_type == "MSISDN" and not is_msisdn(party_id):
        raise Refusal(bad_request())
    return {"partyIdType": party_type, "partyId": party_id}


def text(values: Mapping[str, Any], name: str, *, required: bool = True) -> str:
    """A field that must be a text; "" when it may lack. Anything else is refused with 400."""
    value = values.get(name, "")
    if not isinstance(value, str) or (required and not value):
        raise Refusal(bad_request())
    return value


def _check_sender(values: Mapping[str, Any]) -> None:
    """Who is behind a cash transfer (section 7): texts, all of them; none is known to be needed.

    What is known of one must make sense: an amount goes with its currency.
    """
    told = {name: text(values, name, required=False) for name in SENDER}
    amount, currency = told["originalAmount"], told["originalCurrency"]
    if bool(amount) != bool(currency):
        raise Refusal(bad_request())
    if amount:
        _amount_minor(amount, currency)


def _check_characters(order: Order) -> None:
    """`&` and spaces in externalId: 400; brackets and `#`: the firewall's page (section 5)."""
    messages = order.payer_message, order.payee_note
    if any(character in text for text in messages for character in "()#"):
        raise Refusal(firewall_page())
    if " " in order.external_id or any(
        "&" in text or len(text) > _MESSAGE_CHARACTERS_MAX for text in messages
    ):
        raise Refusal(bad_request())

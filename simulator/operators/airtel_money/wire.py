"""Airtel Money's words: the status envelope, its codes, and the rules for bodies.

Facts: reference airtel-money.md, sections 4 to 6, 10 and 11. Knows no state and moves no money.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from simulator.faults import FaultAnswers, Refusal
from simulator.operators.admin import json_response

COLLECTION, DISBURSEMENT = "DP00800001", "DP00900001"

# Section 10. Sentences where the reference quotes none are its meanings.
MESSAGES: Mapping[str, str] = {
    COLLECTION + "000": "Transaction Ambiguous",
    COLLECTION + "001": "SUCCESS",
    COLLECTION + "002": "Incorrect Pin",
    COLLECTION + "003": "Exceeds withdrawal amount limit",
    COLLECTION + "004": "Invalid Amount",
    COLLECTION + "005": "Transaction ID is invalid",
    COLLECTION + "006": "In process",
    COLLECTION + "007": "Not enough balance",
    COLLECTION + "008": "Refused",
    COLLECTION + "009": "Do not honor",
    COLLECTION + "010": "Transaction not permitted to Payee",
    COLLECTION + "024": "Transaction Timed Out",
    COLLECTION + "025": "Transaction Not Found",
    COLLECTION + "026": "Forbidden",
    COLLECTION + "029": "Transaction Expired",
    DISBURSEMENT + "000": "Transaction Ambiguous",
    DISBURSEMENT + "001": "SUCCESS",
    DISBURSEMENT + "003": "Maximum transaction limit reached",
    DISBURSEMENT + "004": "Amount out of range",
    DISBURSEMENT + "005": "Transaction failed",
    DISBURSEMENT + "006": "In process",
    DISBURSEMENT + "007": "Insufficient funds",
    DISBURSEMENT + "009": "Invalid initiatee",
    DISBURSEMENT + "010": "User not allowed",
    DISBURSEMENT + "011": "Similar transaction exists",
    DISBURSEMENT + "012": "Invalid mobile number",
    DISBURSEMENT + "013": "Refused",
    DISBURSEMENT + "014": "Transaction timed out",
    DISBURSEMENT + "015": "Transaction not found",
    DISBURSEMENT + "016": "Forbidden",
    DISBURSEMENT + "017": "Duplicate transaction id",
    DISBURSEMENT + "018": "Forbidden: signature mismatch",
    DISBURSEMENT + "019": "Sender barred",
    "ESB000008": "Field validation",
    "ESB000033": "Invalid MSISDN length",
    "ESB000036": "Invalid MSISDN length, must not begin with 0",
    "ESB000041": "External transaction ID already exists",
    "ESB000045": "No transaction found",
    "ROUTER003": "Missing header or body parameter",
    "ROUTER006": "Invalid country",
    "ROUTER007": "Not authorised for the country",
    "ROUTER112": "Invalid currency",
    "ROUTER115": "Wrong PIN",
    "ROUTER116": "PIN wrongly encrypted",
    "ROUTER119": "Invalid or missing currency",
}


class Country(NamedTuple):
    """Currency (section 11), code and lengths of numbers (reference msisdn.md, section 2)."""

    currency: str
    code: str
    lengths: tuple[int, ...]
    begins_with_zero: bool = False  # the zero is part of the number


COUNTRIES: Mapping[str, Country] = {
    "UG": Country("UGX", "256", (9,)),
    "KE": Country("KES", "254", (9,)),
    "TZ": Country("TZS", "255", (9,)),
    "RW": Country("RWF", "250", (9,)),
    "ZM": Country("ZMW", "260", (9,)),
    "MW": Country("MWK", "265", (9,)),
    "NG": Country("NGN", "234", (10,)),
    "GA": Country("XAF", "241", (7, 8), begins_with_zero=True),
    "CG": Country("XAF", "242", (9,), begins_with_zero=True),
    "TD": Country("XAF", "235", (8,)),
    "NE": Country("XOF", "227", (8,)),
    "CD": Country("CDF", "243", (9,)),
    "SC": Country("SCR", "248", (7,)),
    "MG": Country("MGA", "261", (9,)),
}
_WITHOUT_DECIMALS = frozenset({"UGX", "RWF", "XAF", "XOF"})
_ID = re.compile(r"[0-9A-Za-z-]{4,64}")
_REFERENCE = re.compile(r"[0-9A-Za-z ]{4,64}")  # spaces were seen to pass (section 5.1)
_JSON = msgspec.json.Decoder(float_hook=Decimal)


def envelope(
    code: str,
    *,
    http: int = 200,
    message: str | None = None,
    result: str | None = None,
    data: object = None,
) -> Response:
    """The status envelope; `success` says accepted, not paid. An ESB code stands alone."""
    status: dict[str, object] = {
        "response_code": code,
        "code": str(http),
        "success": http == 200,
        "message": message or MESSAGES.get(code, "Failed"),
    }
    if code.startswith("ESB"):
        status["result_code"] = status.pop("response_code")
    elif result or http == 200:
        status["result_code"] = result or "ESB000010"
    body: dict[str, object] = {"status": status}
    if data is not None:
        body = {"data": data, "status": status}
    return json_response(body, http)


def refusal(code: str, *, message: str | None = None, result: str | None = None) -> Refusal:
    """HTTP 400 with the envelope."""
    return Refusal(envelope(code, http=400, message=message, result=result))


def token_refused() -> Refusal:
    """Section 3."""
    body = {
        "error_description": "The access token is invalid or has expired",
        "error": "invalid_token",
    }
    return Refusal(json_response(body, 401))


FAULT_ANSWERS: FaultAnswers = {
    "error_500": lambda: envelope(
        COLLECTION + "005", http=500, message="Something Went Wrong"
    ),  # the code says "failed" and must not be believed (section 5.1)
    "error_503": lambda: Response("Service Unavailable", 503, media_type="text/plain"),
    "throttle_429": lambda: json_response({"error": "too many requests"}, 429),
    "html_200": lambda: Response("<html><body>Airtel</body></html>", media_type="text/html"),
}


@dataclass(frozen=True)
class Order:
    """What a creating POST asks for. `msisdn` is the national number as it came."""

    reference: str
    msisdn: str
    amount_minor: int
    id: str


async def read_json(request: Request) -> dict[str, Any]:
    """The request's JSON object, or nothing when it is something else."""
    try:
        values = _JSON.decode(await request.body())
    except msgspec.DecodeError:
        return {}
    return values if isinstance(values, dict) else {}


def child(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The object under a name, or nothing."""
    found = values.get(name)
    return found if isinstance(found, dict) else {}


def peek_msisdn(values: Mapping[str, Any], country: Country) -> str | None:
    """The wallet's number as sent, with the country's code, before any check."""
    party = child(values, "subscriber") or child(values, "payee")
    number = _number(party.get("msisdn"))
    return country.code + number if number else None


def read_order(values: Mapping[str, Any], party: str, currency: str) -> Order:
    """Check a body (sections 5.1 and 6): what is missing is ROUTER003, what is odd ESB000008."""
    transaction = child(values, "transaction")
    number = _number(child(values, party).get("msisdn"))
    reference, id_ = values.get("reference"), transaction.get("id")
    amount = transaction.get("amount")
    if not number or reference is None or id_ is None or amount is None:
        raise refusal("ROUTER003")
    if not isinstance(reference, str) or not _REFERENCE.fullmatch(reference):
        raise refusal("ESB000008")
    if not isinstance(id_, str) or not _ID.fullmatch(id_):
        raise refusal("ESB000008")
    return Order(reference, number, _amount_minor(amount, currency), id_)


def check_place(values: Mapping[str, Any], country: str, currency: str) -> None:
    """Country and currency inside a body may be left out; if there, they must fit."""
    for part in (child(values, "subscriber"), child(values, "transaction"), child(values, "payee")):
        if part.get("country", country) != country:
            raise refusal("ESB000034", message="Invalid country")
        if part.get("currency", currency) != currency:
            raise refusal("ESB000035", message="Invalid currency")


def check_msisdn(number: str, country: Country, *, lenient: bool) -> str:
    """The national number; with the country's code it is refused unless `lenient` (section 11)."""
    with_code = number.startswith(country.code) and (
        len(number) - len(country.code) in country.lengths
    )
    if with_code and lenient:
        return number.removeprefix(country.code)
    if with_code or not number.isdigit():
        raise refusal(COLLECTION + "005", message="Msisdn Not Found", result="ESB000033")
    if number.startswith("0") and not country.begins_with_zero:
        raise refusal("ESB000036")
    if len(number) not in country.lengths:
        raise refusal("ESB000033")
    return number


def format_minor(amount_minor: int, currency: str, *, decimals: bool = False) -> str:
    """With thousands commas; `decimals` shows two even where the currency has none."""
    amount = Decimal(amount_minor)
    if currency not in _WITHOUT_DECIMALS:
        amount /= 100
        return f"{amount:,.2f}" if decimals or amount % 1 else f"{amount:,.0f}"
    return f"{amount:,.2f}" if decimals else f"{amount:,.0f}"


def _number(value: object) -> str:
    """A string, or a number, which was seen too."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    return str(value)


def _amount_minor(amount: object, currency: str) -> int:
    if isinstance(amount, bool) or not isinstance(amount, int | Decimal):
        raise refusal("ESB000008")
    minor = Decimal(amount) * (1 if currency in _WITHOUT_DECIMALS else 100)
    if minor % 1:
        raise refusal("ESB000008")
    return int(minor)

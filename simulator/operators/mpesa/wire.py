"""Daraja's words: error envelopes, field rules, result codes, times and receipts.

Facts: reference mpesa.md, sections 1, 3, 5, 8 and 11. Knows no state and moves no money.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import urlsplit

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from simulator.faults import FaultAnswers, Refusal
from simulator.operators.admin import json_response
from simulator.operators.world import World

CURRENCY = "KES"
NAIROBI = timezone(timedelta(hours=3))  # EAT has no summer time.
ResultCode = int | str

SUCCESS: ResultCode = 0
INSUFFICIENT_FUNDS: ResultCode = 1
RECIPIENT_BALANCE_FULL: ResultCode = 8
QUEUE_BUSY: ResultCode = 26
INVALID_PARAMETER: ResultCode = 25
CANCELLED: ResultCode = 1032
UNREACHABLE: ResultCode = 1037
INVALID_INITIATOR: ResultCode = 2001
ACCOUNT_STATUS: ResultCode = 2006
NOT_PERMITTED: ResultCode = 2028
NOT_REGISTERED: ResultCode = 2040
STILL_PROCESSING: ResultCode = 4999
ALREADY_REVERSED: ResultCode = "R000001"
INVALID_ORIGINAL: ResultCode = "R000002"
UNLISTED: ResultCode = "SVC_7777"  # The fault `unknown_status`: no published list has it.

RESULT_TEXTS: Mapping[ResultCode, str] = {
    SUCCESS: "The service request is processed successfully.",
    INSUFFICIENT_FUNDS: "The balance is insufficient for the transaction.",
    RECIPIENT_BALANCE_FULL: "Declined due to limit rule: would exceed the maximum balance.",
    INVALID_PARAMETER: "The format of parameter null is invalid.",
    QUEUE_BUSY: "The request timed out waiting in the queue.",
    CANCELLED: "Request cancelled by user",
    UNREACHABLE: "DS timeout user cannot be reached.",
    INVALID_INITIATOR: "The initiator information is invalid.",
    ACCOUNT_STATUS: "The account status does not allow this transaction.",
    NOT_PERMITTED: "The request is not permitted according to product assignment.",
    NOT_REGISTERED: "The recipient is not a registered customer.",
    STILL_PROCESSING: "The transaction is still under processing",
    ALREADY_REVERSED: "The transaction has already been reversed.",
    INVALID_ORIGINAL: "The OriginalTransactionID is invalid.",
    UNLISTED: "A result that no list knows.",
}

_MSISDN = re.compile(r"254[17][0-9]{8}")
_SHORTCODE = re.compile(r"[0-9]{5,7}")
_TIMESTAMP = re.compile(r"20[0-9]{12}")
_WHOLE = re.compile(r"[0-9]{1,12}")
# Section 11: refused in any case; the words anywhere in the URL, the random path included.
_FORBIDDEN_IN_URLS = re.compile("mpesa|m-pesa|safaricom|exe|cmd|sql|query")
_FORBIDDEN_HOSTS = re.compile("ngrok|mockbin|requestbin")


def envelope(world: World, status: int, code: str, message: str) -> Response:
    """The error body all Daraja APIs share (section 3); all values are strings."""
    request_id = f"{world.hex(4)}-{world.hex(4)}-{world.hex(4)}-{world.hex(12)}{world.digits(6)}"
    return json_response(
        {"requestId": request_id, "errorCode": code, "errorMessage": message}, status
    )


def fault_answers(world: World) -> FaultAnswers:
    """How Daraja and the gateway before it fail (section 3)."""
    return {
        "error_500": lambda: envelope(world, 500, "500.003.1001", "Internal Server Error"),
        "error_503": lambda: Response(
            "<html><body><h1>503 Service Unavailable</h1></body></html>",
            status_code=503,
            media_type="text/html",
        ),
        "throttle_429": lambda: json_response(
            {
                "fault": {
                    "faultstring": "Spike arrest violation. Allowed rate : MessageRate"
                    "{messagesPerPeriod=5, periodInMicroseconds=60000000, "
                    "maxBurstMessageCount=1.0}",
                    "detail": {"errorcode": "policies.ratelimit.SpikeArrestViolation"},
                }
            },
            429,
        ),
        "html_200": lambda: Response(
            "<html><head><title>Request Rejected</title></head></html>", media_type="text/html"
        ),
    }


class Fields:
    """The fields of one request, read strictly; the first that breaks its rule refuses it."""

    def __init__(self, values: Mapping[str, Any], refuse: Callable[[str], Refusal]) -> None:
        self._values = values
        self.refuse = refuse

    def peek(self, *names: str) -> str:
        """The first of `names` that has a value, as text; empty when none has."""
        for name in names:
            value = self._values.get(name)
            if isinstance(value, str | int) and not isinstance(value, bool) and value != "":
                return str(value)
        return ""

    def text(self, name: str, *, low: int = 1, high: int = 1000) -> str:
        """Text of `low` to `high` characters."""
        value = self._values.get(name, "")
        if not isinstance(value, str) or not low <= len(value) <= high:
            raise self.refuse(name)
        return value

    def one_of(self, name: str, *choices: str) -> str:
        """One of the words listed, spelled exactly."""
        if (value := self.peek(name)) not in choices:
            raise self.refuse(name)
        return value

    def msisdn(self, name: str) -> str:
        """Twelve digits of a Kenyan mobile number, no plus."""
        return self._matching(name, _MSISDN)

    def shortcode(self, name: str) -> str:
        """Five to seven digits."""
        return self._matching(name, _SHORTCODE)

    def timestamp(self, name: str) -> str:
        """YYYYMMDDHHmmss, and a time that exists."""
        value = self._matching(name, _TIMESTAMP)
        try:
            datetime.strptime(value, "%Y%m%d%H%M%S").replace(tzinfo=NAIROBI)
        except ValueError as error:
            raise self.refuse(name) from error
        return value

    def shillings(self, name: str, *, low: int, high: int) -> int:
        """A whole amount of KES, `low` to `high`; a decimal point refuses it, even `.00`."""
        amount = int(self._matching(name, _WHOLE))
        if not low <= amount <= high:
            raise self.refuse(name)
        return amount

    def url(self, name: str) -> str:
        """A callback URL by the rules of section 11; http and loopback pass, as in the sandbox."""
        value = self.peek(name)
        parts = urlsplit(value)
        if (
            parts.scheme not in ("http", "https")
            or not parts.hostname
            or _FORBIDDEN_IN_URLS.search(value.lower())
            or _FORBIDDEN_HOSTS.search(parts.hostname)
        ):
            raise self.refuse(name)
        return value

    def _matching(self, name: str, pattern: re.Pattern[str]) -> str:
        value = self.peek(name)
        if not pattern.fullmatch(value):
            raise self.refuse(name)
        return value


async def read_fields(
    request: Request, world: World, *, broken: tuple[str, str] | None = None
) -> Fields:
    """The request's JSON object; anything else reads as no fields at all.

    That is why a wrong content type shows up as the first field being invalid (section 1).
    `broken` is an API's own code and message for a field that breaks its rule.
    """

    def refuse(name: str) -> Refusal:
        code, message = "400.002.02", f"Bad Request - Invalid {name}"
        if broken is not None and not name.endswith("URL"):
            code, message = broken  # A forbidden URL keeps the code of section 11 on every API.
        return Refusal(envelope(world, 400, code, message))

    body = await request.body()
    values: Any = None
    if request.headers.get("content-type", "").partition(";")[0].strip() == "application/json":
        try:
            values = msgspec.json.decode(body)
        except msgspec.DecodeError:
            values = None
    return Fields(values if isinstance(values, dict) else {}, refuse)


def stamp(moment: datetime) -> str:
    """YYYYMMDDHHmmss in Kenyan time, as M-PESA writes times."""
    return moment.astimezone(NAIROBI).strftime("%Y%m%d%H%M%S")


def new_receipt(world: World) -> str:
    """Ten upper-case letters and digits; the first three follow the date, as seen in the field.

    Section 13 gives the format; the date encoding (year, month, day) is inferred there.
    """
    today = world.clock().astimezone(NAIROBI)
    day = str(today.day) if today.day < 10 else chr(ord("A") + today.day - 10)
    year = chr(ord("A") + (today.year - 2007) % 26)
    return f"{year}{chr(ord('A') + today.month - 1)}{day}{world.receipt_letters(7)}"

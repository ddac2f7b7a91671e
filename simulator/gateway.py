"""A sandbox of Africa's Talking's SMS API, by its reference alone.

It takes messages, keeps every phone's inbox, sends delivery reports, and passes messages from
phones on to us. It carries no USSD: a phone speaks to the server's USSD callback by itself.
"""

from __future__ import annotations

import asyncio
import hmac
import re
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlencode

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from simulator.faults import (
    DELIVERY_OUTCOMES,
    SMS_OUTCOMES,
    FaultAnswers,
    Refusal,
)
from simulator.messaging import MessagingSandbox, Sms, SmsIn, phone_routes, whole
from simulator.operators.admin import admin_routes, json_response
from simulator.operators.base import Lie, Notice, Seconds, Settings
from simulator.operators.credentials import GATEWAY_SANDBOX_API_KEY, GATEWAY_SANDBOX_USERNAME
from simulator.operators.world import World

__all__ = ["GatewaySandbox", "GatewaySettings", "gateway_app"]

# Section 4.3: what a recipient can be told. 100 to 102 mean accepted.
RECIPIENT_CODES: Mapping[int, str] = {
    100: "Processed",
    101: "Sent",
    102: "Queued",
    401: "RiskHold",
    402: "InvalidSenderId",
    403: "InvalidPhoneNumber",
    404: "UnsupportedNumberType",
    405: "InsufficientBalance",
    406: "UserInBlacklist",
    407: "CouldNotRoute",
    409: "DoNotDisturbRejection",
    500: "InternalServerError",
    501: "GatewayError",
    502: "RejectedByGateway",
}
_ACCEPTED = frozenset({100, 101, 102})
_NUMBER = re.compile(r"\+[1-9][0-9]{8,14}")
_NETWORK_CODE = "99999"  # Athena, the sandbox's own network (section 5).
_UNLISTED_STATUS = "Parked"
_COST_UNITS = 10_000  # Costs are written with four decimals of a shilling.
_FORM = "application/x-www-form-urlencoded"


class GatewaySettings(Settings, kw_only=True, forbid_unknown_fields=True):
    """What only the gateway has.

    Costs are in ten-thousandths of a Kenyan shilling. `sender_ids` None lets any sender id
    pass; `recipient_codes` gives numbers (with plus) a status code of section 4.3 for good.
    Without a URL there are no delivery reports, or nobody hears of incoming messages.
    """

    delivery_report_url: str | None = None
    sms_in_url: str | None = None
    sms_in_retry_seconds: Seconds = 5.0
    sms_in_attempts_max: int = 10
    sms_cost_units: int = 8_000
    account_balance_units: int = 1_000_000 * _COST_UNITS
    sender_ids: list[str] | None = None
    recipient_codes: dict[str, int] = msgspec.field(default_factory=dict)


class GatewaySandbox(MessagingSandbox[GatewaySettings]):
    """The messages and the account."""

    currency = "KES"
    id_prefix = "ATXid_"

    def __init__(self, world: World, settings: GatewaySettings) -> None:
        super().__init__(world, settings)
        self.fault_answers = _FAULT_ANSWERS

    def check_access(self, request: Request, username: str | None) -> None:
        """A wrong key is a 401 in plain text (section 4.1)."""
        key = request.headers.get("apikey", "")
        right_key = hmac.compare_digest(key.encode(), GATEWAY_SANDBOX_API_KEY.encode())
        if not right_key or username != GATEWAY_SANDBOX_USERNAME:
            raise Refusal(PlainTextResponse("The supplied authentication is invalid", 401))

    def take(self, number: str, *, text: str, sender: str) -> tuple[int, Sms | None]:
        """Take one message for one recipient: its status code, and the message if accepted."""
        code = self._recipient_code(number)
        if code not in _ACCEPTED:
            return code, None
        self.settings.account_balance_units -= self.settings.sms_cost_units
        sms = self._write(to=number, sender=sender, text=text, status=RECIPIENT_CODES[code])
        if not self._reaches_phone(sms):
            return code, sms  # nobody is told
        if self.settings.delivery_report_url:
            self.spawn(self._report(sms, self.settings.delivery_report_url))
        else:
            sms.status = "Success"
        return code, sms

    def receive(self, sms_in: SmsIn) -> Sms:
        """A phone sends us a message; it is offered to `sms_in_url` until that answers 200."""
        sms = self._written(sms_in, "Received")
        if self.settings.sms_in_url:
            self.spawn(self._offer(sms, self.settings.sms_in_url))
        return sms

    def _recipient_code(self, number: str) -> int:
        msisdn = number.removeprefix("+")
        if not _NUMBER.fullmatch(number) or self.faults.take(SMS_OUTCOMES, msisdn, "sms"):
            return 403
        if self.settings.account_balance_units < self.settings.sms_cost_units:
            return 405
        return self.settings.recipient_codes.get(number, 101)

    async def _report(self, sms: Sms, url: str) -> None:
        """The delivery report of section 4.4, once, after the callback delay."""
        msisdn = sms.to.removeprefix("+")
        failed = self.faults.take(DELIVERY_OUTCOMES, msisdn, "delivery_report") is not None
        sms.status = "Failed" if failed else "Success"

        def body(lie: Lie | None) -> bytes:
            fields = {
                "id": sms.id,
                "status": _UNLISTED_STATUS if lie == "unknown_status" else sms.status,
                "phoneNumber": sms.to,
                "networkCode": _NETWORK_CODE,
            }
            if failed:
                fields["failureReason"] = "DeliveryFailure"
            return urlencode(fields).encode()

        await self.notify(
            Notice(on="delivery_report", msisdn=msisdn, url=url, body=body, content_type=_FORM)
        )

    async def _offer(self, sms: Sms, url: str) -> None:
        """The callback of section 4.5, repeated until it is answered with 200."""
        fields = {
            "date": f"{sms.at:%Y-%m-%d %H:%M:%S}",
            "from": sms.from_,
            "id": sms.id,
            "linkId": "",
            "text": sms.text,
            "to": sms.to,
            "cost": "KES 0.0000",
            "networkCode": _NETWORK_CODE,
        }
        body = urlencode(fields).encode()
        for _ in range(self.settings.sms_in_attempts_max):
            if await self.courier.deliver(url, body, content_type=_FORM) == 200:
                return
            await asyncio.sleep(self.settings.sms_in_retry_seconds)


def gateway_app(sandbox: GatewaySandbox) -> Starlette:
    """The ASGI application around one sandbox's state."""
    api = _Api(sandbox)
    return Starlette(
        routes=[
            Route("/version1/messaging", api.send, methods=["POST"]),
            Route("/version1/messaging", api.fetch, methods=["GET"]),
            Route("/version1/user", api.account, methods=["GET"]),
            *phone_routes(sandbox),
            *admin_routes(sandbox),
        ],
        lifespan=sandbox.lifespan,
    )


class _Api:
    def __init__(self, sandbox: GatewaySandbox) -> None:
        self._sandbox = sandbox

    async def send(self, request: Request) -> Response:
        """POST /version1/messaging, section 4.1: HTTP 201 says nothing about each recipient."""
        form = dict(parse_qsl((await request.body()).decode(errors="replace")))
        numbers = [number.strip() for number in form.get("to", "").split(",")]

        async def perform() -> Response:
            self._sandbox.check_access(request, form.get("username"))
            for name in ("to", "message"):
                if not form.get(name):
                    message = f"Request is missing required form field '{name}'"
                    raise Refusal(PlainTextResponse(message, 400))
            return json_response({"SMSMessageData": self._send_to(numbers, form)}, 201)

        msisdn = numbers[0].removeprefix("+")
        return await self._sandbox.answer("sms", msisdn, perform)

    async def fetch(self, request: Request) -> Response:
        """GET /version1/messaging, section 4.8: what phones sent to us."""
        after = whole(request.query_params.get("lastReceivedId"))

        async def perform() -> Response:
            self._sandbox.check_access(request, request.query_params.get("username"))
            messages = [
                {
                    "linkId": "",
                    "text": sms.text,
                    "to": sms.to,
                    "id": sms.n,
                    "date": f"{sms.at:%Y-%m-%dT%H:%M:%SZ}",
                    "from": sms.from_,
                }
                for sms in self._sandbox.received(after=after)
            ]
            return json_response({"SMSMessageData": {"Messages": messages}})

        return await self._sandbox.answer("query", None, perform)

    async def account(self, request: Request) -> Response:
        """GET /version1/user, section 4.8."""

        async def perform() -> Response:
            self._sandbox.check_access(request, request.query_params.get("username"))
            units = self._sandbox.settings.account_balance_units
            return json_response({"UserData": {"balance": _cost(units)}})

        return await self._sandbox.answer("query", None, perform)

    def _send_to(self, numbers: list[str], form: Mapping[str, str]) -> dict[str, object]:
        sandbox = self._sandbox
        sender = form.get("from", "")
        allowed = sandbox.settings.sender_ids
        if sender and allowed is not None and sender not in allowed:
            return {"Message": "InvalidSenderId", "Recipients": []}
        cost = sandbox.settings.sms_cost_units
        recipients: list[dict[str, object]] = []
        accepted = 0
        for number in numbers:
            code, sms = sandbox.take(number, text=form["message"], sender=sender or "AFRICASTKNG")
            accepted += sms is not None
            recipients.append(
                {
                    "statusCode": code,
                    "number": number,
                    "status": "Success" if code == 101 else RECIPIENT_CODES[code],
                    "cost": _cost(cost) if sms else "0",
                    "messageId": sms.id if sms else "None",
                }
            )
        total = f"Sent to {accepted}/{len(numbers)} Total Cost: {_cost(cost * accepted)}"
        return {"Message": total, "Recipients": recipients}


_FAULT_ANSWERS: FaultAnswers = {
    "error_500": lambda: PlainTextResponse("Internal Server Error", 500),
    "error_503": lambda: PlainTextResponse("Service Unavailable", 503),
    "throttle_429": lambda: PlainTextResponse("Too Many Requests", 429),
    "html_200": lambda: Response("<html><body>Maintenance</body></html>", media_type="text/html"),
}


def _cost(units: int) -> str:
    return f"KES {units // _COST_UNITS}.{units % _COST_UNITS:04d}"

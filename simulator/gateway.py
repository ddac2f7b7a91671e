"""A sandbox of Africa's Talking's SMS API, by its reference alone.

It takes messages, keeps every phone's inbox, sends delivery reports, and passes messages from
phones on to us. It carries no USSD: a phone speaks to the server's USSD callback by itself.
"""

from __future__ import annotations

import asyncio
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import parse_qsl, urlencode

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from simulator.faults import (
    DELIVERY_OUTCOMES,
    SMS_ARRIVALS,
    SMS_OUTCOMES,
    FaultAnswers,
    Refusal,
    arrivals,
)
from simulator.operators.admin import PREFIX, admin_routes, explain_bad_input, json_response
from simulator.operators.base import Lie, Notice, Sandbox, Seconds, Settings
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


@dataclass
class Sms:
    """One message in a phone's inbox, or (`incoming`) one that a phone sent to us."""

    n: int
    id: str
    to: str
    from_: str
    text: str
    at: datetime
    status: str
    incoming: bool = False

    def shown(self) -> dict[str, object]:
        """As the admin API lists it."""
        return {
            "n": self.n,
            "id": self.id,
            "to": self.to,
            "from": self.from_,
            "text": self.text,
            "at": self.at,
            "status": self.status,
        }


class SmsIn(msgspec.Struct, forbid_unknown_fields=True, rename={"from_": "from"}):
    """A message a phone sends to one of our short codes."""

    from_: str
    to: str
    text: str


class GatewaySandbox(Sandbox[GatewaySettings]):
    """The messages and the account."""

    currency = "KES"

    def __init__(
        self,
        world: World,
        settings: GatewaySettings,
        *,
        username: str = GATEWAY_SANDBOX_USERNAME,
        api_key: str = GATEWAY_SANDBOX_API_KEY,
    ) -> None:
        super().__init__(world, settings, collection_minor=0, disbursement_minor=0)
        self.fault_answers = _FAULT_ANSWERS
        self._username = username
        self._api_key = api_key
        self._messages: list[Sms] = []
        self._inboxes: dict[str, list[Sms]] = {}

    def check_access(self, request: Request, username: str | None) -> None:
        """A wrong key is a 401 in plain text (section 4.1)."""
        key = request.headers.get("apikey", "")
        right_key = hmac.compare_digest(key.encode(), self._api_key.encode())
        if not right_key or username != self._username:
            raise Refusal(PlainTextResponse("The supplied authentication is invalid", 401))

    def take(self, number: str, *, text: str, sender: str) -> tuple[int, Sms | None]:
        """Take one message for one recipient: its status code, and the message if accepted."""
        code = self._recipient_code(number)
        if code not in _ACCEPTED:
            return code, None
        self.settings.account_balance_units -= self.settings.sms_cost_units
        sms = self._write(to=number, sender=sender, text=text, status=RECIPIENT_CODES[code])
        fault = self.faults.take(SMS_ARRIVALS, number.removeprefix("+"), "sms")
        if not (whens := arrivals(fault)):
            return code, sms  # no phone gets it, and nobody is told
        for seconds in whens:
            if seconds:
                self.spawn(self._arrive_late(sms, seconds))
            else:
                self._arrive(sms)
        if self.settings.delivery_report_url:
            self.spawn(self._report(sms, self.settings.delivery_report_url))
        else:
            sms.status = "Success"
        return code, sms

    def receive(self, sms_in: SmsIn) -> Sms:
        """A phone sends us a message; it is offered to `sms_in_url` until that answers 200."""
        sms = self._write(
            to=sms_in.to, sender=sms_in.from_, text=sms_in.text, status="Received", incoming=True
        )
        self._keep(sms)
        if self.settings.sms_in_url:
            self.spawn(self._offer(sms, self.settings.sms_in_url))
        return sms

    def inbox(self, number: str | None, *, after: int) -> list[Sms]:
        """What reached one phone, or every phone, after message `n` = `after`; oldest first."""
        messages = self._messages if number is None else self._inboxes.get(number, [])
        return [sms for sms in messages if sms.n > after and not sms.incoming]

    def received(self, *, after: int) -> list[Sms]:
        """What phones sent to us, oldest first."""
        return [sms for sms in self._messages if sms.incoming and sms.n > after]

    def _recipient_code(self, number: str) -> int:
        msisdn = number.removeprefix("+")
        if not _NUMBER.fullmatch(number) or self.faults.take(SMS_OUTCOMES, msisdn, "sms"):
            return 403
        if self.settings.account_balance_units < self.settings.sms_cost_units:
            return 405
        return self.settings.recipient_codes.get(number, 101)

    def _write(
        self, *, to: str, sender: str, text: str, status: str, incoming: bool = False
    ) -> Sms:
        return Sms(
            n=0,
            id=f"ATXid_{self.world.hex(32)}",
            to=to,
            from_=sender,
            text=text,
            at=self.world.clock(),
            status=status,
            incoming=incoming,
        )

    def _keep(self, sms: Sms) -> Sms:
        """A message that came a second time is a message more, with the same id."""
        kept = replace(sms) if sms.n else sms
        kept.n = len(self._messages) + 1
        self._messages.append(kept)
        return kept

    def _arrive(self, sms: Sms) -> None:
        self._inboxes.setdefault(sms.to, []).append(self._keep(sms))

    async def _arrive_late(self, sms: Sms, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self._arrive(sms)

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
            Route(f"{PREFIX}/sms", explain_bad_input(api.list_sms), methods=["GET"]),
            Route(f"{PREFIX}/sms-in", explain_bad_input(api.inject_sms), methods=["POST"]),
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
        after = _whole(request.query_params.get("lastReceivedId"))

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

    async def list_sms(self, request: Request) -> Response:
        """The inbox of one phone (`to`, with or without plus), or of all."""
        to = request.query_params.get("to")
        # An unescaped plus in a query arrives as a blank.
        number = f"+{to.strip().removeprefix('+')}" if to else None
        after = _whole(request.query_params.get("after"))
        messages = [sms.shown() for sms in self._sandbox.inbox(number, after=after)]
        return json_response({"messages": messages})

    async def inject_sms(self, request: Request) -> Response:
        """A phone sends a message to us."""
        sms_in = msgspec.json.decode(await request.body(), type=SmsIn)
        return json_response(self._sandbox.receive(sms_in).shown(), 201)

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


def _whole(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() else 0

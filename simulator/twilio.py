"""A sandbox of Twilio's messaging API, by its reference and public documentation alone.

It takes messages, keeps every phone's inbox, posts status callbacks to the address each message
names, and passes messages from phones on to us. All that it posts is signed.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Literal
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
from simulator.messaging import MessagingSandbox, Sms, SmsIn, phone_routes
from simulator.operators.admin import admin_routes, json_response
from simulator.operators.base import Lie, Notice, Settings
from simulator.operators.credentials import TWILIO_SANDBOX_ACCOUNT_SID, TWILIO_SANDBOX_AUTH_TOKEN
from simulator.operators.world import World

__all__ = ["TwilioSandbox", "TwilioSandboxSettings", "twilio_app"]

ERRORS: Mapping[int, tuple[int, str]] = {
    20003: (401, "Authenticate"),
    20404: (404, "The requested resource was not found"),
    20429: (429, "Too Many Requests"),
    21211: (400, "Invalid 'To' Phone Number"),
    21408: (400, "Permission to send an SMS has not been enabled for the region"),
    21602: (400, "Message body is required."),
    21603: (400, "A 'From' phone number is required."),
    21604: (400, "A 'To' phone number is required."),
    21606: (400, "The 'From' phone number is not a valid, SMS-capable inbound phone number"),
    21610: (400, "Attempt to send to unsubscribed recipient"),
    21611: (429, "This 'From' number has exceeded the maximum number of queued messages"),
    21612: (400, "Message cannot be sent with the current combination of 'To' and 'From'"),
    21614: (400, "'To' number is not a valid mobile number"),
    21617: (400, "The concatenated message body exceeds the 1600 character limit"),
}
"""Code -> HTTP status and sentence; no message is made."""

_BODY_CHARACTERS_MAX = 1600
_NUMBER = re.compile(r"\+[1-9][0-9]{8,14}")
_FORM = "application/x-www-form-urlencoded"
_UNLISTED_STATUS = "parked"
_HANDSET_UNREACHABLE = "30003"
_GSM7 = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM7_EXTENSION = frozenset("\f^{}\\[~]|€")


class TwilioSandboxSettings(Settings, kw_only=True, forbid_unknown_fields=True):
    """What only Twilio has.

    `account_status` is what the account resource tells. `error_codes` refuses numbers (with plus)
    with a code of `ERRORS` for good. `signature`: how its posts are signed. Without `sms_in_url`
    nobody hears of messages from phones.
    """

    account_status: Literal["active", "suspended", "closed"] = "active"
    sms_in_url: str | None = None
    error_codes: dict[str, int] = msgspec.field(default_factory=dict)
    signature: Literal["right", "wrong", "none"] = "right"


class TwilioSandbox(MessagingSandbox[TwilioSandboxSettings]):
    """The messages of one account."""

    currency = "USD"
    id_prefix = "SM"

    def __init__(self, world: World, settings: TwilioSandboxSettings) -> None:
        super().__init__(world, settings)
        self.fault_answers = _FAULT_ANSWERS
        self.account_sid = TWILIO_SANDBOX_ACCOUNT_SID

    def check_access(self, request: Request, account_sid: str) -> None:
        """Basic authentication by account and token."""
        login = f"{self.account_sid}:{TWILIO_SANDBOX_AUTH_TOKEN}".encode()
        expected = "Basic " + base64.b64encode(login).decode()
        given = request.headers.get("authorization", "")
        if not hmac.compare_digest(given.encode(), expected.encode()):
            raise Refusal(_error(20003))
        if account_sid != self.account_sid:
            raise Refusal(_error(20404))

    def take(self, to: str, *, text: str, sender: str, callback: str | None) -> Sms:
        """Take one message. Raises Refusal."""
        if not _NUMBER.fullmatch(to):
            raise Refusal(_error(21211))
        if self.faults.take(SMS_OUTCOMES, to.removeprefix("+"), "sms"):
            raise Refusal(_error(21614))
        if code := self.settings.error_codes.get(to):
            raise Refusal(_error(code))
        message = self._write(to=to, sender=sender, text=text, status="queued")
        if not self._reaches_phone(message):
            return message  # nobody is told
        if callback:
            self.spawn(self._report(message, callback))
        return message

    def receive(self, sms_in: SmsIn) -> Sms:
        """A phone sends us a message; it is posted to `sms_in_url` once."""
        message = self._written(sms_in, "received")
        if self.settings.sms_in_url:
            self.spawn(self._pass_on(message, self.settings.sms_in_url))
        return message

    async def _report(self, message: Sms, url: str) -> None:
        """`sent`, then how it ended."""
        msisdn = message.to.removeprefix("+")
        failed = self.faults.take(DELIVERY_OUTCOMES, msisdn, "delivery_report") is not None
        for status in ("sent", "undelivered" if failed else "delivered"):
            message.status = status

            def body(lie: Lie | None) -> bytes:
                fields = {
                    "AccountSid": self.account_sid,
                    "ApiVersion": "2010-04-01",
                    "From": message.from_,
                    "MessageSid": message.id,
                    "MessageStatus": _UNLISTED_STATUS if lie else message.status,
                    "SmsSid": message.id,
                    "SmsStatus": message.status,
                    "To": message.to,
                }
                if message.status == "undelivered":
                    fields["ErrorCode"] = _HANDSET_UNREACHABLE
                return urlencode(fields).encode()

            await self.notify(
                Notice(on="delivery_report", msisdn=msisdn, url=url, body=body, content_type=_FORM)
            )

    async def _pass_on(self, message: Sms, url: str) -> None:
        fields = {
            "ToCountry": "KE",
            "SmsMessageSid": message.id,
            "NumMedia": "0",
            "SmsSid": message.id,
            "SmsStatus": "received",
            "FromCountry": "KE",
            "Body": message.text,
            "To": message.to,
            "NumSegments": str(segments(message.text)),
            "MessageSid": message.id,
            "AccountSid": self.account_sid,
            "From": message.from_,
            "ApiVersion": "2010-04-01",
        }
        await asyncio.sleep(self.settings.callback_delay_seconds)
        body = urlencode(fields).encode()
        await self.courier.deliver(url, body, content_type=_FORM, headers=self._signed(url, body))

    async def _send(self, notice: Notice, body: bytes) -> None:
        """Whatever a callback says, it is signed as it is sent."""
        await self.courier.deliver(
            notice.url, body, content_type=_FORM, headers=self._signed(notice.url, body)
        )

    def _signed(self, url: str, body: bytes) -> dict[str, str]:
        match self.settings.signature:
            case "none":
                return {}
            case "wrong":
                return {"X-Twilio-Signature": sign("another token", url, body)}
            case "right":
                return {"X-Twilio-Signature": sign(TWILIO_SANDBOX_AUTH_TOKEN, url, body)}


def sign(auth_token: str, url: str, body: bytes) -> str:
    """Section 9: the address, then every field's name and value, sorted by name."""
    text = url
    for name, value in sorted(parse_qsl(body.decode(), keep_blank_values=True)):
        text += name + value
    mac = hmac.new(auth_token.encode(), text.encode(), hashlib.sha1)
    return base64.b64encode(mac.digest()).decode()


def segments(text: str) -> int:
    """How many messages Twilio charges for: it fills parts without cutting a pair."""
    if all(c in _GSM7 or c in _GSM7_EXTENSION for c in text):
        costs, single, part = [1 + (c in _GSM7_EXTENSION) for c in text], 160, 153
    else:
        costs, single, part = [1 + (ord(c) > 0xFFFF) for c in text], 70, 67
    if sum(costs) <= single:
        return 1
    count, used = 1, 0
    for cost in costs:
        if used + cost > part:
            count, used = count + 1, 0
        used += cost
    return count


def twilio_app(sandbox: TwilioSandbox) -> Starlette:
    """The ASGI application around one sandbox's state."""
    api = _Api(sandbox)
    path = "/2010-04-01/Accounts/{account_sid}/Messages.json"
    return Starlette(
        routes=[
            Route(path, api.send, methods=["POST"]),
            Route("/2010-04-01/Accounts/{account_sid}.json", api.account, methods=["GET"]),
            *phone_routes(sandbox),
            *admin_routes(sandbox),
        ],
        lifespan=sandbox.lifespan,
    )


class _Api:
    def __init__(self, sandbox: TwilioSandbox) -> None:
        self._sandbox = sandbox

    async def send(self, request: Request) -> Response:
        """POST Messages.json: 201 with the message, or an error that names its code."""
        form = dict(parse_qsl((await request.body()).decode(errors="replace")))
        to = form.get("To", "")

        async def perform() -> Response:
            self._sandbox.check_access(request, request.path_params["account_sid"])
            sender = form.get("From") or form.get("MessagingServiceSid") or ""
            text = form.get("Body", "")
            wrong = {21604: not to, 21603: not sender, 21602: not text}
            wrong[21617] = len(text) > _BODY_CHARACTERS_MAX
            for code, is_so in wrong.items():
                if is_so:
                    raise Refusal(_error(code))
            message = self._sandbox.take(
                to, text=text, sender=sender, callback=form.get("StatusCallback")
            )
            by_service = "From" not in form
            return json_response(self._created(message, by_service=by_service), 201)

        return await self._sandbox.answer("sms", to.removeprefix("+"), perform)

    async def account(self, request: Request) -> Response:
        """GET Accounts/{sid}.json: who we are there."""

        async def perform() -> Response:
            account_sid = request.path_params["account_sid"]
            self._sandbox.check_access(request, account_sid)
            return json_response(
                {
                    "sid": account_sid,
                    "friendly_name": "Sandbox",
                    "status": self._sandbox.settings.account_status,
                    "type": "Full",
                    "uri": f"/2010-04-01/Accounts/{account_sid}.json",
                }
            )

        return await self._sandbox.answer("query", None, perform)

    def _created(self, message: Sms, *, by_service: bool) -> dict[str, object]:
        """A messaging service has not counted the segments yet."""
        account = self._sandbox.account_sid
        return {
            "account_sid": account,
            "api_version": "2010-04-01",
            "body": message.text,
            "date_created": f"{message.at:%a, %d %b %Y %H:%M:%S +0000}",
            "direction": "outbound-api",
            "error_code": None,
            "error_message": None,
            "from": None if by_service else message.from_,
            "messaging_service_sid": message.from_ if by_service else None,
            "num_media": "0",
            "num_segments": "0" if by_service else str(segments(message.text)),
            "price": None,
            "price_unit": self._sandbox.currency,
            "sid": message.id,
            "status": "accepted" if by_service else "queued",
            "to": message.to,
            "uri": f"/2010-04-01/Accounts/{account}/Messages/{message.id}.json",
        }


def _error(code: int) -> Response:
    status, sentence = ERRORS[code]
    return json_response(
        {
            "code": code,
            "message": sentence,
            "more_info": f"https://www.twilio.com/docs/errors/{code}",
            "status": status,
        },
        status,
    )


_FAULT_ANSWERS: FaultAnswers = {
    "error_500": lambda: PlainTextResponse("Internal Server Error", 500),
    "error_503": lambda: PlainTextResponse("Service Unavailable", 503),
    "throttle_429": lambda: _error(20429),
    "html_200": lambda: Response("<html><body>Maintenance</body></html>", media_type="text/html"),
}

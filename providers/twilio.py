"""Twilio: SMS out, status callbacks and messages in, both signed.

Facts: reference `other-gateways.md`, section 9; the sending API and its error codes are those of
Twilio's public documentation (Messages resource, error dictionary; read November 2026, not tried
against the live service). It refuses to believe a callback whose signature is not Twilio's.
"""

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qs, parse_qsl, quote, urlencode, urlsplit

import httpx

from engine.clock import IntentId
from engine.errors import OutcomeUnknown, ProviderError, Rejected, Throttled, Unreadable
from engine.msisdn import Msisdn
from engine.ports import (
    FORGED,
    Acknowledgement,
    Reason,
    Sms,
    SmsAccepted,
    SmsCallback,
    SmsMessage,
    SmsReport,
)
from providers.form import Form
from providers.http import DEFAULT_TIMEOUTS, Client, Timeouts, Trace, no_trace, retry_after_seconds
from providers.redaction import printable
from providers.wire import form_value, json_object, word

NAME: Final = "twilio"

_THROTTLED_SECONDS = 5.0
_QUEUE_FULL_SECONDS = 60.0

# What the error dictionary lists as "no message was made", with the neutral reason.
_REFUSED = {
    "20003": Reason.CONFIGURATION,  # authentication
    "20404": Reason.CONFIGURATION,  # no such account
    "21211": Reason.NOT_REGISTERED,  # invalid `To`
    "21214": Reason.NOT_REGISTERED,  # `To` cannot be reached
    "21408": Reason.CONFIGURATION,  # region not permitted for the account
    "21602": Reason.OTHER,  # no text
    "21603": Reason.CONFIGURATION,  # no sender
    "21606": Reason.CONFIGURATION,  # sender cannot send SMS
    "21608": Reason.CONFIGURATION,  # trial account, number not verified
    "21610": Reason.DECLINED,  # the phone sent STOP to Twilio
    "21612": Reason.NOT_REACHED,  # no route from this sender to this number
    "21614": Reason.NOT_REGISTERED,  # not a mobile number
    "21617": Reason.OTHER,  # longer than 1,600 characters
}
_LATER = {
    "20429": _THROTTLED_SECONDS,  # too many requests
    "21611": _QUEUE_FULL_SECONDS,  # the sender's queue is full
    "30001": _QUEUE_FULL_SECONDS,  # queue overflow
}
_TAKEN = frozenset({"accepted", "scheduled", "queued", "sending", "sent", "delivered", "read"})
_DELIVERED = frozenset({"delivered", "read"})
_NOT_DELIVERED = frozenset({"undelivered", "failed", "canceled"})

_SID = re.compile(r"[A-Z]{2}[0-9a-f]{32}")
_SERVICE = re.compile(r"MG[0-9a-fA-F]{32}")  # of a messaging service; a sender's name may begin so
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_INTENT = re.compile(r"[0-9a-f]{32}")
_TEXT_MAX = 1_600
_FIELDS_MAX = 64  # geography and media make many
_NO_REPLY = Acknowledgement(body=b"<Response/>", content_type="text/xml")  # plain text is sent on


@dataclass(frozen=True)
class TwilioSettings:
    """One account. `sender` is a number, a name, or a messaging service (`MG...`).

    `report_url` is our public address for status callbacks; "" asks for none.
    """

    base_url: str
    account_sid: str
    auth_token: str = field(repr=False)
    sender: str
    report_url: str = field(default="", repr=False)
    timeouts: Timeouts = DEFAULT_TIMEOUTS
    connections: int = 100


class TwilioSms:
    """See `engine.ports.SmsPort`; a repeat after OutcomeUnknown may arrive twice."""

    def __init__(
        self,
        settings: TwilioSettings,
        *,
        trace: Trace = no_trace,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Raises ValueError when the address is none."""
        self._settings = settings
        self._client = Client(
            NAME,
            settings.base_url,
            timeouts=settings.timeouts,
            connections=settings.connections,
            transport=transport,
            trace=trace,
        )
        account = quote(settings.account_sid, safe="")
        self._send_url = self._client.url(f"/2010-04-01/Accounts/{account}/Messages.json")
        self._account_url = self._client.url(f"/2010-04-01/Accounts/{account}.json")
        sender = "MessagingServiceSid" if _SERVICE.fullmatch(settings.sender) else "From"
        self._form = urlencode({sender: settings.sender}).encode()
        login = f"{settings.account_sid}:{settings.auth_token}".encode()
        self._headers = [
            (b"Authorization", b"Basic " + base64.b64encode(login)),
            (b"Accept", b"application/json"),
            (b"Content-Type", b"application/x-www-form-urlencoded"),
        ]

    async def send(self, message: Sms) -> SmsAccepted:
        """One message to one number. The status callback's address carries our own id, so that
        a report settles a message whose answer was lost."""
        body = b"%s&To=%s&Body=%s" % (self._form, form_value(message.to), form_value(message.text))
        if self._settings.report_url:
            report_url = f"{self._settings.report_url}?message={message.intent_id}"
            body += b"&StatusCallback=" + form_value(report_url)
        response = await self._client.send(
            "send_sms", "POST", self._send_url, headers=self._headers, body=body
        )
        return _read_sent(response)

    async def fetch_status(self) -> str:
        """How our account stands: `active`, `suspended` or `closed` (Accounts resource).

        Raises ProviderError of the kind that fits; a repeat is safe.
        """
        response = await self._client.send(
            "account", "GET", self._account_url, headers=self._headers[:2]
        )
        answer = json_object(response.content) or {}
        if not response.is_success:
            raise _http_error(response, word(answer.get("code")))
        if not (status := word(answer.get("status"))):
            raise Unreadable(NAME, "an account without a status")
        return printable(status)

    def read_report(self, callback: SmsCallback) -> SmsReport:
        """A status callback. Raises Unreadable."""
        form = self._read(callback)
        status = printable(form.take("MessageStatus", length_max=64))
        final = _DELIVERED | _NOT_DELIVERED
        return SmsReport(
            message_id=_field(form, "MessageSid", _SID),
            status=status,
            delivered=status in _DELIVERED if status in final else None,
            failure=printable(form.get("ErrorCode", length_max=64)),
            intent_id=_intent_of(callback.url),
        )

    def read_message(self, callback: SmsCallback) -> SmsMessage:
        """A message from a phone. Raises Unreadable."""
        form = self._read(callback)
        sender = form.take("From", length_max=64)
        return SmsMessage(
            message_id=_field(form, "MessageSid", _SID),
            msisdn=Msisdn(sender) if _E164.fullmatch(sender) else None,
            text=form.get("Body", length_max=_TEXT_MAX),
            acknowledgement=_NO_REPLY,
        )

    async def aclose(self) -> None:
        await self._client.aclose()

    def _read(self, callback: SmsCallback) -> Form:
        form = Form(NAME, callback.body, fields_max=_FIELDS_MAX)
        if not self._is_signed(callback):
            raise Unreadable(NAME, "the signature is not theirs", code=FORGED)
        return form

    def _is_signed(self, callback: SmsCallback) -> bool:
        given = callback.headers.get("x-twilio-signature", "")
        expected = signature(self._settings.auth_token, callback.url, callback.body)
        return hmac.compare_digest(given.encode(), expected.encode())


def signature(auth_token: str, url: str, body: bytes) -> str:
    """What Twilio signs a form with: HMAC-SHA1 over the address and the sorted fields."""
    fields = parse_qsl(body.decode("latin-1"), keep_blank_values=True, encoding="utf-8")
    signed = url + "".join(name + value for name, value in sorted(fields))
    digest = hmac.digest(auth_token.encode(), signed.encode("utf-8", "surrogatepass"), hashlib.sha1)
    return base64.b64encode(digest).decode()


def _field(form: Form, name: str, pattern: re.Pattern[str]) -> str:
    value = form.take(name, length_max=64)
    if not pattern.fullmatch(value):
        raise Unreadable(NAME, f"{name} is malformed")
    return value


def _intent_of(url: str) -> IntentId | None:
    """The id we put into the address, which is signed with it."""
    found = parse_qs(urlsplit(url).query).get("message", [""])[0]
    return IntentId(found) if _INTENT.fullmatch(found) else None


def _read_sent(response: httpx.Response) -> SmsAccepted:
    answer = json_object(response.content) or {}
    if not response.is_success:
        raise _http_error(response, word(answer.get("code")))
    sid, status = word(answer.get("sid")), word(answer.get("status"))
    if status in _TAKEN and _SID.fullmatch(sid):
        return SmsAccepted(sid, _segments(answer.get("num_segments")))
    if status in _NOT_DELIVERED:
        raise _listed(word(answer.get("error_code")))
    raise OutcomeUnknown(NAME, "the answer does not say that it was taken")


def _segments(value: Any) -> int | None:
    """None for 0 too: a messaging service has not counted yet."""
    text = word(value)
    return (int(text) or None) if text.isascii() and text.isdigit() and len(text) < 4 else None


def _http_error(response: httpx.Response, code: str) -> ProviderError:
    if response.status_code == 429:
        seconds = retry_after_seconds(response, _THROTTLED_SECONDS)
        return Throttled(NAME, "too many requests", code=code, retry_after_seconds=seconds)
    if response.status_code in (400, 401, 403, 404):
        return _listed(code or f"HTTP {response.status_code}")
    return OutcomeUnknown(NAME, "an answer no list knows", code=f"HTTP {response.status_code}")


def _listed(code: str) -> ProviderError:
    if code in _REFUSED:
        return Rejected(NAME, "not taken", code=code, reason=_REFUSED[code])
    if code in _LATER:
        return Throttled(NAME, "not taken now", code=code, retry_after_seconds=_LATER[code])
    return OutcomeUnknown(NAME, "a code no list knows", code=code)

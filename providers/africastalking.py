"""Africa's Talking: its USSD dialect, and SMS by the classic form API.

Facts: reference `africas-talking.md`. It refuses to keep a session, and to repeat what a caller
typed: the text of a turn carries the PIN.
"""

import re
from dataclasses import dataclass, field
from decimal import ROUND_FLOOR, Decimal, InvalidOperation
from typing import Any, Final
from urllib.parse import quote, urlencode

import httpx

from engine.errors import OutcomeUnknown, ProviderError, Rejected, Throttled, Unreadable
from engine.money import CURRENCIES, Money, from_decimal
from engine.msisdn import Msisdn
from engine.ports import (
    Acknowledgement,
    EndReason,
    Reason,
    Reply,
    SessionEnd,
    Sms,
    SmsAccepted,
    SmsCallback,
    SmsMessage,
    SmsReport,
    Turn,
)
from providers.form import Form
from providers.http import DEFAULT_TIMEOUTS, Client, Timeouts, Trace, no_trace, retry_after_seconds
from providers.redaction import printable
from providers.wire import form_value, json_object, word

NAME: Final = "africastalking"

_THROTTLED_SECONDS = 10.0
_RETRY_SECONDS = 60.0
_NO_CREDIT_SECONDS = 300.0

# Section 4.3.
_ACCEPTED = frozenset({"100", "101", "102"})
_REFUSED = {
    "401": Reason.CONFIGURATION,  # RiskHold
    "402": Reason.CONFIGURATION,  # InvalidSenderId
    "403": Reason.NOT_REGISTERED,  # InvalidPhoneNumber
    "404": Reason.NOT_REGISTERED,  # UnsupportedNumberType
    "406": Reason.DECLINED,  # UserInBlacklist: opted out
    "407": Reason.NOT_REACHED,  # CouldNotRoute
    "409": Reason.DECLINED,  # DoNotDisturbRejection
    "502": Reason.OTHER,  # RejectedByGateway
}
_LATER = {"405": _NO_CREDIT_SECONDS, "500": _RETRY_SECONDS, "501": _RETRY_SECONDS}

# Section 3. `Incomplete`: on a screen that wanted an answer.
_ENDS = {
    "Success": EndReason.COMPLETED,
    "Incomplete": EndReason.UNFINISHED,
    "Failed": EndReason.FAILED,
}

# Section 4.4; every other word is not final.
_DELIVERED = frozenset({"Success"})
_NOT_DELIVERED = frozenset({"Rejected", "Failed", "AbsentSubscriber", "Expired"})

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_SESSION_ID = re.compile(r"[\x21-\x7e]+")
_SHORTCODE = re.compile(r"[0-9*#]+")
_NETWORK = re.compile(r"[0-9A-Za-z]+")
# Sessions keep growing their text: long is a mistake to answer kindly, this long is no phone.
_TEXT_MAX = 4_000
_SMS_TEXT_MAX = 1_600  # ten messages; longer is nothing that anybody types to us


@dataclass(frozen=True)
class AfricasTalkingSettings:
    """One application's account. `sender` is a registered name or short code, "" for theirs."""

    base_url: str
    username: str
    api_key: str = field(repr=False)
    sender: str = ""
    timeouts: Timeouts = DEFAULT_TIMEOUTS
    connections: int = 100


class AfricasTalkingSms:
    """SMS out. See `engine.ports.SmsPort`; a repeat after OutcomeUnknown may arrive twice."""

    def __init__(
        self,
        settings: AfricasTalkingSettings,
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
        self._send_url = self._client.url("/version1/messaging")
        self._balance_url = self._client.url(
            f"/version1/user?username={quote(settings.username, safe='')}"
        )
        form = {"username": settings.username, "bulkSMSMode": "1", "from": settings.sender}
        self._form = urlencode({name: value for name, value in form.items() if value}).encode()
        self._headers = [(b"apiKey", settings.api_key.encode()), (b"Accept", b"application/json")]
        self._form_headers = [
            *self._headers,
            (b"Content-Type", b"application/x-www-form-urlencoded"),
        ]

    async def send(self, message: Sms) -> SmsAccepted:
        """One message to one number (section 4.1). The gateway has no idempotency."""
        to, text = form_value(message.to), form_value(message.text)
        response = await self._client.send(
            "send_sms",
            "POST",
            self._send_url,
            headers=self._form_headers,
            body=b"%s&to=%s&message=%s" % (self._form, to, text),
        )
        return _read_sent(response, message.to)

    async def fetch_balance(self) -> Money:
        """What is left on the account (section 4.8), rounded down to the currency's minor unit.

        Raises ProviderError of the kind that fits; a repeat is safe.
        """
        response = await self._client.send(
            "balance", "GET", self._balance_url, headers=self._headers
        )
        if response.status_code != 200:
            raise _http_error(response)
        return _read_balance(response)

    def read_message(self, callback: SmsCallback) -> SmsMessage:
        """A message from a phone (section 4.5), repeated for hours until it is answered 200.

        Nothing is signed. Raises Unreadable.
        """
        form = Form(NAME, callback.body)
        sender = form.take("from", length_max=32)
        return SmsMessage(
            message_id=printable(form.take("id", length_max=100)),
            msisdn=Msisdn(sender) if _E164.fullmatch(sender) else None,
            text=form.get("text", length_max=_SMS_TEXT_MAX),
        )

    def read_report(self, callback: SmsCallback) -> SmsReport:
        """A delivery report (section 4.4). Raises Unreadable."""
        form = Form(NAME, callback.body)
        status = printable(form.take("status", length_max=64))
        return SmsReport(
            message_id=printable(form.take("id", length_max=100)),
            status=status,
            delivered=status in _DELIVERED if status in _DELIVERED | _NOT_DELIVERED else None,
            failure=printable(form.get("failureReason", length_max=64)),
        )

    async def aclose(self) -> None:
        await self._client.aclose()


class AfricasTalkingUssd:
    """Their USSD callback (section 2): the text is all that was typed so far, joined by `*`.

    Nothing else tells a repeat, and nothing else is needed. Ends come to an address of their own.
    """

    name: str = NAME
    media_type: str = "application/x-www-form-urlencoded"

    def read(self, body: bytes) -> Turn:
        """Five fields, each exactly once; others may come along. Raises Unreadable."""
        form = Form(NAME, body)
        return Turn(
            session_id=_field(form, "sessionId", _SESSION_ID, length_max=100),
            msisdn=Msisdn(_field(form, "phoneNumber", _E164, length_max=16)),
            network=_network(_field(form, "networkCode", _NETWORK, length_max=16)),
            shortcode=_field(form, "serviceCode", _SHORTCODE, length_max=32),
            text=form.take("text", length_max=_TEXT_MAX, empty=True),
            cumulative=True,
        )

    def write_reply(self, _: Turn, reply: Reply) -> Acknowledgement:
        """`CON ` keeps the session, `END ` closes it; nothing may stand before."""
        prefix = "END " if reply.ends else "CON "
        return Acknowledgement(body=(prefix + reply.text).encode(), content_type="text/plain")

    def read_end(self, body: bytes) -> SessionEnd:
        """The end-of-session notification (section 3), which may never come. Raises Unreadable."""
        form = Form(NAME, body)
        status = printable(form.take("status", length_max=32))
        session_id = _field(form, "sessionId", _SESSION_ID, length_max=100)
        has_number = bool(form.get("phoneNumber", length_max=1))
        return SessionEnd(
            session_id=session_id,
            status=status,
            reason=_ENDS.get(status, EndReason.UNKNOWN),
            msisdn=(
                Msisdn(_field(form, "phoneNumber", _E164, length_max=16)) if has_number else None
            ),
            network=_network(form.get("networkCode", length_max=16)),
            hops=form.count("hopsCount"),
            duration_ms=form.count("durationInMillis"),
        )


def _network(code: str) -> str:
    """A word instead of a code is no mistake (section 5), and must not be taken for another's."""
    return code if code.isascii() and code.isdigit() else ""


def _field(form: Form, name: str, pattern: re.Pattern[str], *, length_max: int) -> str:
    value = form.take(name, length_max=length_max)
    if not pattern.fullmatch(value):
        raise Unreadable(NAME, f"{name} is malformed")
    return value


def _read_sent(response: httpx.Response, to: Msisdn) -> SmsAccepted:
    """The verdict on our one recipient; the HTTP status says nothing about it (section 4.3)."""
    if not response.is_success:
        raise _http_error(response)
    # The type may be bare or carry a charset: it is not looked at.
    found = (json_object(response.content) or {}).get("SMSMessageData")
    sent = found if isinstance(found, dict) else {}
    recipient = _recipient(sent.get("Recipients"), to)
    if recipient is None:
        if word(sent.get("Message")) == "InvalidSenderId":
            raise _rejected("our sender name is not registered", code="InvalidSenderId")
        raise OutcomeUnknown(NAME, "the answer does not name the recipient")
    code, message_id = word(recipient.get("statusCode")), word(recipient.get("messageId"))
    if code in _ACCEPTED and message_id not in ("", "None"):
        return SmsAccepted(message_id)
    raise _recipient_error(code)


def _recipient(recipients: Any, to: Msisdn) -> dict[str, Any] | None:
    for recipient in recipients if isinstance(recipients, list) else []:
        if isinstance(recipient, dict) and word(recipient.get("number")) == to:
            return recipient
    return None


def _recipient_error(code: str) -> ProviderError:
    if code in _REFUSED:
        return Rejected(NAME, "not taken for this number", code=code, reason=_REFUSED[code])
    if code in _LATER:
        return Throttled(NAME, "not taken now", code=code, retry_after_seconds=_LATER[code])
    return OutcomeUnknown(NAME, "a code no list knows", code=code)


def _http_error(response: httpx.Response) -> ProviderError:
    if response.status_code == 401:  # in plain text, whatever was asked for (section 4.1)
        return _rejected("our user name or key was refused", code="401")
    if response.status_code == 429:
        seconds = retry_after_seconds(response, _THROTTLED_SECONDS)
        return Throttled(NAME, "too many requests", code="429", retry_after_seconds=seconds)
    return OutcomeUnknown(NAME, "an answer no list knows", code=f"HTTP {response.status_code}")


def _rejected(detail: str, *, code: str) -> Rejected:
    return Rejected(NAME, detail, code=code, reason=Reason.CONFIGURATION)


def _read_balance(response: httpx.Response) -> Money:
    message = json_object(response.content) or {}
    user = message.get("UserData", message.get("userData"))  # the documentation spells both
    currency, _, amount = word(user.get("balance") if isinstance(user, dict) else "").partition(" ")
    try:
        unit = Decimal(1).scaleb(-CURRENCIES[currency].decimals)
        return from_decimal(Decimal(amount).quantize(unit, rounding=ROUND_FLOOR), currency)
    except (KeyError, InvalidOperation, ValueError) as error:
        raise Unreadable(NAME, "a balance that is none") from error

"""What M-PESA's synchronous answers mean: taken, refused, refused for now, or nobody knows.

Facts: reference `mpesa.md`, section 3. It refuses to pass the operator's prose on: it may hold a
token.
"""

from typing import Any, Final, NamedTuple

import httpx

from engine.errors import OutcomeUnknown, ProviderError, Rejected, Throttled
from engine.ports import Reason
from providers.http import retry_after_seconds
from providers.redaction import Fields
from providers.wire import json_object, word

NAME: Final = "mpesa_ke"

SHOWN: Final = Fields(
    kept=frozenset(
        {
            "AccountReference",
            "Amount",
            "CommandID",
            "ConversationID",
            "MerchantRequestID",
            "Occasion",
            "Occassion",
            "OriginalConversationID",
            "OriginatorConversationID",
            "ResponseCode",
            "ResultCode",
            "TransactionType",
            "errorCode",
            "requestId",
        }
    ),
    texts=frozenset({"CheckoutRequestID"}),  # ends in the subscriber's nine digits (section 4)
)
"""What may be kept of requests and answers. Prose is not: it may hold a token."""

_BUSY_SUBSCRIBER_SECONDS = 60.0  # wait at least one minute
_THROTTLED_SECONDS = 15.0

_AUTH_CODES = frozenset({"404.001.03", "400.003.01", "401.002.01", "401.003.01"})
_THROTTLED_CODES = frozenset({"500.003.03", "policies.ratelimit.SpikeArrestViolation"})
_REJECTED_FAMILIES = ("400.", "404.", "405.")
_REJECTED_TEXTS = ("Merchant does not exist", "Wrong credentials")
# `Bad Request - Invalid <field>`: most fields are ours, these two come from a customer.
_REJECTED_FIELDS = {"PhoneNumber": Reason.NOT_REGISTERED, "Amount": Reason.LIMIT}


class Answer(NamedTuple):
    """A synchronous answer, taken apart. The same code means several things: read `text` too."""

    response: httpx.Response
    message: dict[str, Any]  # empty when the body was no JSON object
    code: str
    text: str

    @property
    def is_accepted(self) -> bool:
        return self.response.is_success and self.word("ResponseCode") == "0"

    @property
    def is_auth_refusal(self) -> bool:
        """The token was refused, so the request was not processed."""
        return (
            self.response.status_code == 401
            or self.code in _AUTH_CODES
            or (self.code != "" and "Invalid Access Token" in self.text)
        )

    @property
    def is_throttled(self) -> bool:
        return (
            self.response.status_code == 429
            or self.code in _THROTTLED_CODES
            or (self.code == "500.003.02" and "Spike" in self.text)
        )

    @property
    def is_rejected(self) -> bool:
        return self.code.startswith(_REJECTED_FAMILIES) or (
            self.code == "500.001.1001" and self._says(*_REJECTED_TEXTS)
        )

    @property
    def is_busy_subscriber(self) -> bool:
        return self.code != "" and self._says("Unable to lock subscriber")

    @property
    def is_duplicate(self) -> bool:
        """The first request with this OriginatorConversationID was taken."""
        return self.code == "500.002.1001" and self._says("Duplicate OriginatorConversationID")

    def word(self, name: str) -> str:
        return word(self.message.get(name))

    def _says(self, *phrases: str) -> bool:
        return any(phrase in self.text for phrase in phrases)


def read_answer(response: httpx.Response) -> Answer:
    """Read the envelope, or the other dialect of the gateway in front."""
    message = json_object(response.content) or {}
    fault = message.get("fault")
    if not isinstance(fault, dict):
        code, text = message.get("errorCode"), message.get("errorMessage")
    else:
        detail = fault.get("detail")
        code = detail.get("errorcode") if isinstance(detail, dict) else None
        text = fault.get("faultstring")
    return Answer(response, message, word(code), text if isinstance(text, str) else "")


def is_token_refused(response: httpx.Response) -> bool:
    """For `with_token`; the common case costs no parsing."""
    return response.status_code >= 400 and read_answer(response).is_auth_refusal


def error_of(answer: Answer) -> ProviderError:
    """The error for an answer that is no acceptance. What no list knows may have been done."""
    if answer.is_auth_refusal:
        # Every new token may kill the one before (section 2): another process renewed meanwhile.
        return Throttled(
            NAME, "the token was refused twice", code=answer.code or "401", retry_after_seconds=5.0
        )
    if answer.is_throttled:
        return throttled(answer.response, answer.code)
    if answer.is_busy_subscriber:
        return Throttled(
            NAME,
            "another transaction of this subscriber is under way",
            code=answer.code,
            retry_after_seconds=_BUSY_SUBSCRIBER_SECONDS,
            by_customer=True,
        )
    if answer.is_rejected:
        field = answer.text.rpartition("Invalid ")[2].strip()
        return Rejected(
            NAME,
            "the request was refused",
            code=answer.code,
            reason=_REJECTED_FIELDS.get(field, Reason.CONFIGURATION),
        )
    code = answer.code or f"HTTP {answer.response.status_code}"
    return OutcomeUnknown(NAME, "an answer no list knows", code=code)


def throttled(response: httpx.Response, code: str = "") -> Throttled:
    """Refused at the gateway; nothing was processed."""
    return Throttled(
        NAME,
        "too many requests",
        code=code or str(response.status_code),
        retry_after_seconds=retry_after_seconds(response, _THROTTLED_SECONDS),
    )

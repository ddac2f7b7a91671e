"""What MTN's answers, statuses and callbacks mean. Facts: reference `mtn-momo.md`.

Only codes the operator lists become a refusal or a failure: HTTP 500 alone says nothing here.
"""

from typing import Any, NamedTuple

import httpx

from engine.errors import OutcomeUnknown, ProviderError, Rejected, Throttled
from engine.money import Money
from engine.ports import Finding, Outcome, Reason
from providers.http import retry_after_seconds
from providers.redaction import Fields
from providers.wire import is_http_error, json_object, read_amount, word

_THROTTLED_SECONDS = 10.0
_UNAVAILABLE_SECONDS = 30.0

_COLLECTING, _PAYING = 0, 1
# Section 9. Which of the two people is the customer depends on the direction: whoever pays out of
# our own account is us, and then it is our trouble, not the customer's.
_REASONS: dict[str, tuple[Reason, Reason]] = {
    "PAYER_NOT_FOUND": (Reason.NOT_REGISTERED, Reason.CONFIGURATION),
    "PAYEE_NOT_FOUND": (Reason.CONFIGURATION, Reason.NOT_REGISTERED),
    "NOT_ENOUGH_FUNDS": (Reason.INSUFFICIENT_FUNDS, Reason.CONFIGURATION),
    "PAYER_LIMIT_REACHED": (Reason.LIMIT, Reason.CONFIGURATION),
    "PAYEE_NOT_ALLOWED_TO_RECEIVE": (Reason.CONFIGURATION, Reason.CANNOT_RECEIVE),
    "SENDER_ACCOUNT_NOT_ACTIVE": (Reason.NOT_REGISTERED, Reason.CONFIGURATION),
    "PAYMENT_NOT_APPROVED": (Reason.DECLINED, Reason.OTHER),
    "APPROVAL_REJECTED": (Reason.DECLINED, Reason.OTHER),
    "TRANSACTION_CANCELED": (Reason.DECLINED, Reason.OTHER),
    "EXPIRED": (Reason.NOT_REACHED, Reason.OTHER),
    "COULD_NOT_PERFORM_TRANSACTION": (Reason.NOT_REACHED, Reason.OTHER),
    "NOT_ALLOWED": (Reason.CONFIGURATION, Reason.CONFIGURATION),
    "NOT_ALLOWED_TARGET_ENVIRONMENT": (Reason.CONFIGURATION, Reason.CONFIGURATION),
    "INVALID_CALLBACK_URL_HOST": (Reason.CONFIGURATION, Reason.CONFIGURATION),
    "INVALID_CURRENCY": (Reason.CONFIGURATION, Reason.CONFIGURATION),
    # On a POST: there is nothing to give back under `referenceIdToRefund`.
    "RESOURCE_NOT_FOUND": (Reason.OTHER, Reason.CONFIGURATION),
}

_FAILED = "FAILED"
# Section 5. PENDING, CREATED, ONGOING, DELAYED and every other word are not final. These three say
# by themselves what a payer did, and a `reason` beside them says more; but MTN publishes none of
# them. A collection they end, as money that came after all is given back. A payout that they ended
# wrongly would be paid twice (`decisions/0008`).
_BY_STATUS = {
    "TIMEOUT": (Reason.NOT_REACHED, Reason.OTHER),
    "REJECTED": (Reason.DECLINED, Reason.OTHER),
    "CANCELLED": (Reason.DECLINED, Reason.OTHER),
}
_UNSAID = (Reason.OTHER, Reason.OTHER)
_ENDED_BADLY = {_FAILED, *_BY_STATUS}
# The wallet platform's own, and as those in front of such platforms write it.
_NAMES_AN_ERROR = ("code", "error", "errorCode", "fault")

FIELDS = Fields(
    kept=frozenset(
        {
            "amount",
            "code",
            "currency",
            "externalId",
            "financialTransactionId",
            "partyIdType",
            "reason",
            "referenceId",
            "status",
        }
    ),
    texts=frozenset({"message", "partyId", "payeeNote", "payerMessage"}),
)


class Answer(NamedTuple):
    """An answer taken apart. `code` is "" when the body is not the wallet platform's."""

    response: httpx.Response
    message: dict[str, Any]  # empty when the body was no JSON object
    code: str

    @property
    def status(self) -> int:
        return self.response.status_code

    @property
    def is_taken(self) -> bool:
        """Accepted now, or refused as the repeat of what was (section 9).

        An acceptance has no body. Beside one that tells of an error, or is no JSON, 202 says
        nothing: the error may be of the order as well as of what came after it.
        """
        is_repeat = self.status == 409 and self.code == "RESOURCE_ALREADY_EXIST"
        return is_repeat or (self.status == 202 and not self.tells_of_an_error)

    @property
    def tells_of_an_error(self) -> bool:
        """Whatever its status is."""
        if not self.message:
            return self.response.content.strip() not in (b"", b"{}")
        status = word(self.message.get("status")) or word(self.message.get("statusCode"))
        is_named = any(self.message.get(name) for name in _NAMES_AN_ERROR)
        return is_named or status in _ENDED_BADLY or is_http_error(status)

    @property
    def is_firewall_page(self) -> bool:
        """HTTP 200 with a page that says "Request Rejected": it never reached the wallet."""
        return (
            self.status == 200
            and not self.message
            and "html" in self.response.headers.get("content-type", "").lower()
            and b"Request Rejected" in self.response.content
        )


def read_answer(response: httpx.Response) -> Answer:
    """Look for the wallet platform's `code` before the HTTP status is believed (section 9)."""
    message = json_object(response.content) or {}
    return Answer(response, message, word(message.get("code")))


def is_subscription_refused(response: httpx.Response) -> bool:
    """A 401 of the gateway in front; a new token would not help."""
    text = word((json_object(response.content) or {}).get("message"))
    return response.status_code == 401 and "subscription key" in text


def is_token_refused(response: httpx.Response) -> bool:
    """For `with_token`."""
    return response.status_code == 401 and not is_subscription_refused(response)


def order_error_of(name: str, answer: Answer, *, pays: bool) -> ProviderError:
    """The error for an order of money that was not accepted (section 9).

    SERVICE_UNAVAILABLE says "temporary", and to retry under the same reference, which is safe
    whatever came of the first; that nothing came of it, it says nowhere. So the status of what
    `pays` is asked. A prompt is only tried again: one that was taken after all is late money.
    """
    if pays and _is_unavailable(answer):
        return OutcomeUnknown(name, "not available, perhaps too late", code=answer.code)
    return error_of(name, answer, pays=pays)


def error_of(name: str, answer: Answer, *, pays: bool) -> ProviderError:
    """The error for a creating request that moves nothing and was not accepted (section 9)."""
    if (refused_for_now := _refused_for_now(name, answer)) is not None:
        return refused_for_now
    if is_subscription_refused(answer.response):
        return _rejected(name, "our subscription key was refused", code="401")
    if answer.is_firewall_page:
        return _rejected(name, "the firewall in front refused the request", code="firewall")
    if answer.status >= 400 and answer.code in _REASONS:
        reason = _REASONS[answer.code][_PAYING if pays else _COLLECTING]
        return Rejected(name, "the request was refused", code=answer.code, reason=reason)
    if answer.status == 400:  # "not per specification", often without a body
        return _rejected(name, "the request was malformed", code=answer.code or "400")
    return OutcomeUnknown(name, "an answer no list knows", code=_code(answer))


def query_error_of(name: str, answer: Answer) -> ProviderError:
    """The error for a status query that brought no evidence, whatever its answer says."""
    return _refused_for_now(name, answer) or OutcomeUnknown(
        name, "the query brought no evidence", code=_code(answer)
    )


def finding_of(
    name: str, message: dict[str, Any], *, pays: bool, reference: str | None = None
) -> Finding:
    """The evidence in a status body: the answer to a query, or a callback (sections 5 and 10).

    Raises Unreadable for an amount that is none.
    """
    status, code = word(message.get("status")), _reason_code(message.get("reason"))
    is_failed = status == _FAILED or (status in _BY_STATUS and not pays)
    meant = _REASONS.get(code) or _BY_STATUS.get(status, _UNSAID)
    reason = meant[_PAYING if pays else _COLLECTING]
    final = Outcome.FAILED if is_failed else Outcome.PENDING
    return Finding(
        Outcome.SUCCEEDED if status == "SUCCESSFUL" else final,
        code=(code if is_failed else "") or status,
        reason=reason if is_failed else None,
        amount=_amount(name, message),
        msisdn=_msisdn(message.get("payee" if pays else "payer")),
        receipt=word(message.get("financialTransactionId")) or None,
        provider_reference=reference,
    )


def _refused_for_now(name: str, answer: Answer) -> Throttled | None:
    if answer.status == 401 and not is_subscription_refused(answer.response):
        return Throttled(name, "the token was refused twice", code="401", retry_after_seconds=5.0)
    if answer.status == 429:
        seconds, detail = _THROTTLED_SECONDS, "too many requests"
    elif _is_unavailable(answer):
        seconds, detail = _UNAVAILABLE_SECONDS, "not available now"
    else:
        return None
    return Throttled(
        name,
        detail,
        code=_code(answer),
        retry_after_seconds=retry_after_seconds(answer.response, seconds),
    )


def _is_unavailable(answer: Answer) -> bool:
    return answer.status >= 500 and answer.code == "SERVICE_UNAVAILABLE"


def _rejected(name: str, detail: str, *, code: str) -> Rejected:
    return Rejected(name, detail, code=code, reason=Reason.CONFIGURATION)


def _code(answer: Answer) -> str:
    return answer.code or f"HTTP {answer.status}"


def _reason_code(reason: Any) -> str:
    """A plain word on the wire, an object in the schema (section 5)."""
    return word(reason.get("code") if isinstance(reason, dict) else reason)


def _amount(name: str, message: dict[str, Any]) -> Money | None:
    amount, currency = message.get("amount"), word(message.get("currency"))
    return None if amount is None or not currency else read_amount(name, amount, currency)


def _msisdn(party: Any) -> str | None:
    if not isinstance(party, dict) or word(party.get("partyIdType")).upper() != "MSISDN":
        return None
    digits = word(party.get("partyId")).removeprefix("+")
    return f"+{digits}" if digits.isascii() and digits.isdigit() and len(digits) > 8 else None

"""What M-PESA tells about an attempt, in a callback or as the answer to an STK query.

Facts: reference `mpesa.md`, sections 5, 8 and 9.1. Only codes listed as final become a failure.
"""

import re
from collections.abc import Callable
from typing import Any

from engine.errors import Unreadable
from engine.money import Money
from engine.ports import Acknowledgement, Callback, Finding, Outcome, Reason
from providers.mpesa.answers import NAME
from providers.redaction import Fields, printable
from providers.wire import json_object, read_amount, word

# Section 5, the final rows. 26, 1001 and 4999 are temporary, E3008 is one sandbox sighting.
PUSH_FAILED = {
    "1": Reason.INSUFFICIENT_FUNDS,
    "2": Reason.LIMIT,
    "3": Reason.LIMIT,
    "4": Reason.LIMIT,
    "8": Reason.CONFIGURATION,  # our own account is full
    "17": Reason.LIMIT,
    "1019": Reason.NOT_REACHED,
    "1025": Reason.OPERATOR_FAULT,  # "system error"; our prompt's text is never so long
    "1031": Reason.DECLINED,
    "1032": Reason.DECLINED,
    "1036": Reason.NOT_REACHED,
    "1037": Reason.NOT_REACHED,
    "2001": Reason.WRONG_PIN,
    "2028": Reason.CONFIGURATION,
    "8006": Reason.WRONG_PIN,  # the payer's PIN is locked
    "9999": Reason.OPERATOR_FAULT,  # the same as 1025
    "SFC_IC0003": Reason.CONFIGURATION,
}
# Section 8. Here 1, 11, 21, 2001, 2028 and 8006 speak of our account, not of a customer's.
PAYOUT_FAILED = {
    "1": Reason.CONFIGURATION,
    "2": Reason.LIMIT,
    "3": Reason.LIMIT,
    "4": Reason.CANNOT_RECEIVE,
    "8": Reason.CANNOT_RECEIVE,
    "11": Reason.CONFIGURATION,
    "21": Reason.CONFIGURATION,
    "2001": Reason.CONFIGURATION,
    "2006": Reason.OTHER,
    "2028": Reason.CONFIGURATION,
    "2040": Reason.NOT_REGISTERED,
    "8006": Reason.CONFIGURATION,
    "SFC_IC0003": Reason.NOT_REGISTERED,
}
# Section 9.2. All but R000002 (no such original) speak of our own account.
REVERSAL_FAILED = {
    "1": Reason.CONFIGURATION,
    "11": Reason.CONFIGURATION,
    "21": Reason.CONFIGURATION,
    "2001": Reason.CONFIGURATION,
    "2006": Reason.CONFIGURATION,
    "2028": Reason.CONFIGURATION,
    "8006": Reason.CONFIGURATION,
    "R000002": Reason.OTHER,
}
# Of a repeat it says that the first one was carried out; of a first one that somebody else gave
# the money back. Either way the customer has it, and one more refund would be one too many.
_ALREADY_REVERSED = "R000001"
# Section 9.4 lists none for B2B. Of those that every page shares only these are final, and they
# speak of our account, our initiator, or the other shortcode.
BUSINESS_FAILED = {
    "1": Reason.CONFIGURATION,
    "21": Reason.CONFIGURATION,
    "2001": Reason.CONFIGURATION,
    "8006": Reason.CONFIGURATION,
}
# Section 9.1.
_STATUS_FAILED = frozenset({"Cancelled", "Declined", "Expired"})

UNNAMED_KIND = "b2c-v1-result"
"""Results of payouts that carry no id of ours have an address of their own: which ids stand in them
must not depend on what is set when they come (section 8)."""

ACKNOWLEDGEMENT = Acknowledgement(body=b'{"ResultCode": 0, "ResultDesc": "Success"}')
_NUMBER = re.compile(r"254[17]\d{8}(?!\d)")
_FIELDS = Fields(
    kept=frozenset(
        {
            "Amount",
            "ConversationID",
            "FinalisedTime",
            "InitiatedTime",
            "MerchantRequestID",
            "MpesaReceiptNumber",
            "OriginatorConversationID",
            "ReceiptNo",
            "ResultCode",
            "ResultType",
            "TransactionAmount",
            "TransactionCompletedDateTime",
            "TransactionDate",
            "TransactionID",
            "TransactionReceipt",
            "TransactionStatus",
        }
    ),
    texts=frozenset(
        {
            "B2CRecipientIsRegisteredCustomer",
            "CheckoutRequestID",  # ends in the subscriber's nine digits (section 4)
            "DebitPartyCharges",
            "ReasonType",
            "ResultDesc",
        }
    ),
)


def read_callback(kind: str, body: bytes) -> Callback:
    """Kinds: those of `READERS`, and `timeout`. Raises Unreadable."""
    message = json_object(body)
    if kind == "timeout":
        # The body is documented nowhere, and whatever it says it is no failure: the payment left
        # a queue late, and its real result may still come (section 8).
        finding = Finding(Outcome.PENDING, code="queue_timeout")
        shown = message if message is not None else {"bytes": len(body)}
        return Callback(finding, ACKNOWLEDGEMENT, _FIELDS.redact(shown))
    read = READERS.get(kind)
    if read is None or message is None:
        raise Unreadable(NAME, f"no JSON object of kind {printable(kind, length_max=20)!r}")
    redacted = _FIELDS.redact(message)
    # A status result comes only because we asked; that it did its address alone shows.
    return Callback(read(message), ACKNOWLEDGEMENT, redacted, answers_query=kind == "status-result")


def verdict(code: str, failed: dict[str, Reason]) -> tuple[Outcome, Reason | None]:
    """What a ResultCode says; one that `failed` does not list says nothing."""
    if code == "0":
        return Outcome.SUCCEEDED, None
    reason = failed.get(code)
    return (Outcome.FAILED, reason) if reason else (Outcome.PENDING, None)


def read_parameters(message: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The outer ResultCode of any result, and its parameters by name. Raises Unreadable."""
    result, code = _result(message)
    return code, _parameters(result)


def _push_finding(message: dict[str, Any]) -> Finding:
    result = _child(_child(message, "Body"), "stkCallback")
    checkout_id, code = word(result.get("CheckoutRequestID")), word(result.get("ResultCode"))
    if not checkout_id or not code:
        raise Unreadable(NAME, "stk: no CheckoutRequestID or no ResultCode")
    outcome, reason = verdict(code, PUSH_FAILED)
    told = _by_name(_child(result, "CallbackMetadata").get("Item"), "Name")
    return Finding(
        outcome,
        code=code,
        reason=reason,
        amount=_amount(told.get("Amount")),
        msisdn=_msisdn(told.get("PhoneNumber")),
        receipt=word(told.get("MpesaReceiptNumber")) or None,
        provider_reference=checkout_id,
    )


def _payout_finding(message: dict[str, Any]) -> Finding:
    result, code = _result(message)
    outcome, reason = verdict(code, PAYOUT_FAILED)
    told = _parameters(result)
    receipt = word(told.get("TransactionReceipt")) or word(result.get("TransactionID"))
    return Finding(
        outcome,
        code=code,
        reason=reason,
        amount=_amount(told.get("TransactionAmount")),
        msisdn=_msisdn(told.get("ReceiverPartyPublicName")),
        # On a failure the TransactionID may be a generic value.
        receipt=receipt if receipt and outcome is Outcome.SUCCEEDED else None,
        provider_reference=word(result.get("ConversationID")) or None,
    )


def _reversal_finding(message: dict[str, Any]) -> Finding:
    result, code = _result(message)
    outcome, reason = verdict(code, REVERSAL_FAILED)
    if code == _ALREADY_REVERSED:
        outcome = Outcome.SUCCEEDED
    told = _parameters(result)
    # Its TransactionID is the receipt of the reversal itself; "already" has none of its own.
    receipt = word(result.get("TransactionID")) if code == "0" else ""
    return Finding(
        outcome,
        code=code,
        reason=reason,
        amount=_amount(told.get("Amount")),
        msisdn=_msisdn(told.get("CreditPartyPublicName")),
        receipt=receipt or None,
        # Questions go by this id, not by the ConversationID: the request carries none of ours.
        provider_reference=word(result.get("OriginatorConversationID")) or None,
    )


def _business_finding(message: dict[str, Any]) -> Finding:
    result, code = _result(message)
    outcome, reason = verdict(code, BUSINESS_FAILED)
    receipt = word(result.get("TransactionID")) if outcome is Outcome.SUCCEEDED else ""
    return Finding(
        outcome,
        code=code,
        reason=reason,
        amount=_amount(_parameters(result).get("Amount")),
        receipt=receipt or None,
        provider_reference=word(result.get("OriginatorConversationID")) or None,
    )


def read_pay_in_status(body: bytes) -> Finding:
    """What a status query by receipt says of money that came to us. Raises Unreadable."""
    message = json_object(body)
    if message is None:
        raise Unreadable(NAME, "no JSON object of a status")
    return _status_finding(message, customer="DebitPartyName")


def _status_finding(message: dict[str, Any], customer: str = "CreditPartyName") -> Finding:
    """The outer ResultCode speaks of the query; only a parameter speaks of the payment."""
    result, code = _result(message)
    told = _parameters(result)
    status = word(told.get("TransactionStatus"))
    if code != "0" or not status:
        return Finding(Outcome.PENDING, code=code)
    is_failed = status in _STATUS_FAILED
    final = Outcome.FAILED if is_failed else Outcome.PENDING
    return Finding(
        Outcome.SUCCEEDED if status == "Completed" else final,
        code=status,
        reason=Reason.OTHER if is_failed else None,
        amount=_amount(told.get("Amount")),
        msisdn=_msisdn(told.get(customer)),
        receipt=word(told.get("ReceiptNo")) or None,
        # Beside the parameters stand the ids of the query. Whose ConversationID is among them, the
        # query's or the payment's, section 9.1 does not say: the question's address says whose.
    )


READERS: dict[str, Callable[[dict[str, Any]], Finding]] = {
    "stk-callback": _push_finding,
    "b2c-result": _payout_finding,
    UNNAMED_KIND: _payout_finding,
    "b2b-result": _business_finding,
    "reversal-result": _reversal_finding,
    "status-result": _status_finding,
}


def _result(message: dict[str, Any]) -> tuple[dict[str, Any], str]:
    result = _child(message, "Result")
    code = word(result.get("ResultCode"))
    if not code:
        raise Unreadable(NAME, "no Result with a ResultCode")
    return result, code


def _parameters(result: dict[str, Any]) -> dict[str, Any]:
    return _by_name(_child(result, "ResultParameters").get("ResultParameter"), "Key")


def _child(message: dict[str, Any], name: str) -> dict[str, Any]:
    found = message.get(name)
    return found if isinstance(found, dict) else {}


def _by_name(entries: Any, name: str) -> dict[str, Any]:
    """A list of entries or a single one; of a doubled key the first that has a value."""
    found: dict[str, Any] = {}
    for entry in entries if isinstance(entries, list) else [entries]:
        if isinstance(entry, dict) and isinstance(entry.get(name), str):
            value = entry.get("Value")
            if value is not None:
                found.setdefault(entry[name], value)
    return found


def _amount(value: Any) -> Money | None:
    return None if value is None else read_amount(NAME, value, "KES")


def _msisdn(value: Any) -> str | None:
    """The number that opens `254712345678 - JANE DOE`; None when it is masked or missing."""
    number = _NUMBER.match(str(value))
    return f"+{number[0]}" if number else None

"""What Airtel's answers and status words mean. Facts: reference `airtel-money.md`, 5, 6 and 10.

Only codes the tables list as failed become a refusal or a failure, and never with HTTP 408 or 5xx.
The operator's prose is not passed on: it may hold a name or a number.
"""

from typing import Any, NamedTuple

import httpx

from engine.errors import OutcomeUnknown, ProviderError, Rejected, Throttled
from engine.ports import Finding, Outcome, Reason
from providers.http import retry_after_seconds
from providers.wire import json_object, word

_THROTTLED_SECONDS = 15.0

_COLLECTION, _DISBURSEMENT = "DP00800001", "DP00900001"
_AMBIGUOUS = frozenset({_COLLECTION + "000", _DISBURSEMENT + "000"})
_DONE = frozenset({_COLLECTION + "001", _DISBURSEMENT + "001", "ESB000010"})
_DONE_WORDS = frozenset({"SUCCESS", "Success.", "TS"})
_IN_PROCESS = frozenset({_COLLECTION + "006", _DISBURSEMENT + "006"})
_TIMED_OUT = frozenset({_COLLECTION + "024", _DISBURSEMENT + "014"})
_NOT_FOUND = frozenset({_COLLECTION + "025", _DISBURSEMENT + "015", "ESB000045"})
_DUPLICATE = frozenset({_DISBURSEMENT + "017", "ESB000041"})
_SIMILAR = frozenset({_DISBURSEMENT + "011"})  # "check before repeating"
_UNDECIDED = _AMBIGUOUS | _IN_PROCESS | _TIMED_OUT | _NOT_FOUND | _DUPLICATE | _SIMILAR
# "Something wrong", "error while initiating", "while fetching status", "request timeout". Beside a
# word or code of failure they end a collection, as money that came after all is given back, and no
# payout, which would be paid twice (`decisions/0008`).
_NOBODY_KNOWS = frozenset({"ESB000001", "ESB000004", "ESB000014", "ROUTER117"})
_SIGNATURE_REFUSED = frozenset({_COLLECTION + "026", _DISBURSEMENT + "016", _DISBURSEMENT + "018"})
KEY_REFUSED = _SIGNATURE_REFUSED | {"ROUTER116"}
"""Sealed or signed with a key that is no longer theirs, or padded in another way than theirs."""

# Section 10, the rows "failed" and "our error". Two tables with other meanings circulate; these
# are the portal's. Whose limit and whose wallet is meant follows from the direction.
_FAILED = {
    _COLLECTION + "002": Reason.WRONG_PIN,
    _COLLECTION + "003": Reason.LIMIT,
    _COLLECTION + "004": Reason.LIMIT,
    _COLLECTION + "005": Reason.NOT_REACHED,  # no PIN was typed; see `_reason`
    _COLLECTION + "007": Reason.INSUFFICIENT_FUNDS,
    _COLLECTION + "008": Reason.DECLINED,
    _COLLECTION + "009": Reason.OTHER,
    _COLLECTION + "010": Reason.NOT_REGISTERED,
    _COLLECTION + "026": Reason.CONFIGURATION,
    _COLLECTION + "029": Reason.NOT_REACHED,
    _DISBURSEMENT + "003": Reason.LIMIT,
    _DISBURSEMENT + "004": Reason.LIMIT,
    _DISBURSEMENT + "005": Reason.OTHER,
    _DISBURSEMENT + "007": Reason.CONFIGURATION,  # our own wallet is empty
    _DISBURSEMENT + "009": Reason.CANNOT_RECEIVE,
    _DISBURSEMENT + "010": Reason.CANNOT_RECEIVE,
    _DISBURSEMENT + "012": Reason.NOT_REGISTERED,
    _DISBURSEMENT + "013": Reason.OTHER,
    _DISBURSEMENT + "016": Reason.CONFIGURATION,
    _DISBURSEMENT + "018": Reason.CONFIGURATION,
    _DISBURSEMENT + "019": Reason.CONFIGURATION,  # we are barred
}
# What refuses a request before any money is looked at.
_REFUSED = {
    **dict.fromkeys(
        [f"ROUTER{n}" for n in ("001", "003", "005", "006", "007", "112", "114", "115", "116")]
        + ["ROUTER119", "ESB000008", "ESB000034", "ESB000035", "ESB000039"],
        Reason.CONFIGURATION,
    ),
    "ESB000011": Reason.OTHER,
    "ESB000033": Reason.NOT_REGISTERED,
    "ESB000036": Reason.NOT_REGISTERED,
}
_REASONS = _FAILED | _REFUSED
# In an enquiry these can only speak of the payment; an invalid id, amount or signature, or a plain
# refusal, may as well speak of the question.
_OF_THE_PAYMENT = frozenset(_COLLECTION + n for n in ("002", "003", "007", "010", "029"))


class Answer(NamedTuple):
    """An answer taken apart. `code` is what to branch on, `result` its deprecated twin."""

    response: httpx.Response
    message: dict[str, Any]  # empty when the body was no JSON object
    code: str
    result: str
    transaction: dict[str, Any]  # empty when there is none

    @property
    def is_sound(self) -> bool:
        """Whether its codes may be believed (section 5.1: of a 500 they may not)."""
        return self.response.status_code < 500 and self.response.status_code != 408

    @property
    def is_accepted(self) -> bool:
        """Taken, which is not yet paid."""
        return (
            self.response.status_code == 200
            and child(self.message, "status").get("success") is not False
            and (self.code or self.result) in _DONE | _IN_PROCESS
        )

    @property
    def is_done(self) -> bool:
        """Taken and carried out, as the answer to a refund tells it (section 5.3)."""
        is_in_process = (self.code or self.result) in _IN_PROCESS
        return self.is_accepted and not is_in_process and self.status in _DONE_WORDS

    @property
    def is_duplicate(self) -> bool:
        """Our id was there before: the first request was taken."""
        return self.is_sound and not {self.code, self.result}.isdisjoint(_DUPLICATE)

    @property
    def is_not_found(self) -> bool:
        return self.is_sound and not {self.code, self.result}.isdisjoint(_NOT_FOUND)

    @property
    def is_no_end_of_a_payout(self) -> bool:
        """Whether one of its codes says that nobody knows, whatever the other one says."""
        return not {self.code, self.result}.isdisjoint(_UNDECIDED | _NOBODY_KNOWS)

    @property
    def is_key_refused(self) -> bool:
        return self.is_sound and self.code in KEY_REFUSED

    @property
    def status(self) -> str:
        """`TS`, `TF`, `TE`, `TIP`, `TA`, or whatever else; only HTTP 200 tells one."""
        return word(self.transaction.get("status")) if self.response.status_code == 200 else ""

    @property
    def shown(self) -> str:
        """The operator's word for it, for people."""
        return self.code or self.result or f"HTTP {self.response.status_code}"


def read_answer(response: httpx.Response) -> Answer:
    """Any answer at all; what is not the envelope of section 4 has no codes."""
    message = json_object(response.content) or {}
    status = child(message, "status")
    return Answer(
        response,
        message,
        code=word(status.get("response_code")),
        result=word(status.get("result_code")),
        transaction=child(child(message, "data"), "transaction"),
    )


def is_token_refused(response: httpx.Response) -> bool:
    """For `with_token`."""
    return response.status_code == 401


def error_of(name: str, answer: Answer, *, pays: bool) -> ProviderError:
    """The error for a request that was not taken (section 10). `pays`: a payout, or a refund."""
    if (refused_for_now := _refused_for_now(name, answer)) is not None:
        return refused_for_now
    code = answer.code or answer.result
    unclear = pays and answer.is_no_end_of_a_payout
    if answer.is_sound and code in _REASONS and not unclear:
        return Rejected(name, "the request was refused", code=code, reason=_reason(answer))
    if answer.response.status_code == 403 and not unclear:
        return Rejected(
            name,
            "we may not do that, or not from this address",
            code=answer.shown,
            reason=Reason.CONFIGURATION,
        )
    return OutcomeUnknown(name, "an answer no list knows", code=answer.shown)


def query_error_of(name: str, answer: Answer) -> ProviderError:
    """The error for a question that brought no evidence, whatever its answer says."""
    return _refused_for_now(name, answer) or OutcomeUnknown(
        name, "the query brought no evidence", code=answer.shown
    )


def ending_of(answer: Answer) -> Finding | None:
    """How a payout ended that is told at once (section 6); None while it has not."""
    finding = _told(answer, pays=True)
    return finding if finding.outcome in (Outcome.SUCCEEDED, Outcome.FAILED) else None


def finding_of(name: str, answer: Answer, transaction_id: str, *, pays: bool) -> Finding:
    """The evidence in the answer to an enquiry (section 5.2). Raises Throttled, OutcomeUnknown."""
    told_id = answer.transaction.get("id")
    if isinstance(told_id, str) and told_id not in ("", transaction_id):
        raise OutcomeUnknown(name, "an answer about another transaction", code=answer.shown)
    if answer.status:
        return _told(answer, pays=pays)
    if answer.is_not_found:
        return Finding(Outcome.NOT_FOUND, code=answer.shown)
    if answer.response.status_code == 200:
        if answer.code in _OF_THE_PAYMENT:
            return _failed(answer)
        if answer.code in _AMBIGUOUS | _DONE | _IN_PROCESS | _TIMED_OUT:
            return Finding(Outcome.PENDING, code=answer.code)
    raise query_error_of(name, answer)


def child(message: dict[str, Any], name: str) -> dict[str, Any]:
    """The object under a name; an empty one when there is none."""
    found = message.get(name)
    return found if isinstance(found, dict) else {}


def _told(answer: Answer, *, pays: bool) -> Finding:
    """By the status word. An end that the codes contradict is none."""
    codes = {answer.code, answer.result}
    if answer.status == "TS" and codes <= _DONE | {""}:
        receipt = word(answer.transaction.get("airtel_money_id"))
        return Finding(Outcome.SUCCEEDED, code="TS", receipt=receipt or None)
    unclear = _UNDECIDED | _NOBODY_KNOWS if pays else _UNDECIDED
    if answer.status == "TF" and codes.isdisjoint(unclear):
        return _failed(answer)
    if answer.status == "TE" and codes.isdisjoint(unclear - _TIMED_OUT):
        return Finding(Outcome.FAILED, code="TE", reason=Reason.NOT_REACHED)
    return Finding(Outcome.PENDING, code=answer.status)


def _failed(answer: Answer) -> Finding:
    code = answer.code if answer.code in _FAILED else ""
    reason = _reason(answer) if code else Reason.OTHER
    return Finding(Outcome.FAILED, code=code or answer.status, reason=reason)


def _reason(answer: Answer) -> Reason:
    text = word(child(answer.message, "status").get("message")).lower()
    if answer.code == _COLLECTION + "005" and "msisdn" in text:
        return Reason.NOT_REGISTERED  # "Msisdn Not Found" (section 5.1)
    return _REASONS[answer.code or answer.result]


def _refused_for_now(name: str, answer: Answer) -> Throttled | None:
    status = answer.response.status_code
    if status == 401:
        return Throttled(name, "the token was refused twice", code="401", retry_after_seconds=5.0)
    if status == 429:
        seconds = retry_after_seconds(answer.response, _THROTTLED_SECONDS)
        return Throttled(name, "too many requests", code="429", retry_after_seconds=seconds)
    return None

"""Pre-approvals on the wire: a payer lets us collect without a prompt each time.

Facts: reference `mtn-momo.md`, sections 5 and 11, which hold the paths and the fates of numbers.
Bodies are its open point (section 14): these are the ones that generated clients of the published
interface agree on. It refuses to agree for anybody.
"""

from typing import Any, Final

from engine.errors import Throttled
from engine.ports import Preapproval
from providers.mtn_momo.answers import Answer, query_error_of
from providers.wire import json_list, word

PREAPPROVAL: Final = "preapproval"
PREAPPROVALS: Final = "preapprovals/msisdn"
_GOOD = frozenset({"", "SUCCESSFUL", "APPROVED", "ACTIVE"})  # the list names approved ones only


def preapproval_message(asked: Preapproval, currency: str, text: str) -> dict[str, Any]:
    """What the payer is asked; the time it is good for is a number, in seconds."""
    return {
        "payer": {"partyIdType": "MSISDN", "partyId": asked.msisdn.digits},
        "payerCurrency": currency,
        "payerMessage": text,
        "validityTime": asked.valid_seconds,
    }


def has_approved(name: str, answer: Answer) -> bool:
    """Whether the list of approved ones holds one; some clients read it inside an object.

    Raises Throttled or OutcomeUnknown for an answer that is no such list.
    """
    if answer.status == 404 and answer.code == "RESOURCE_NOT_FOUND":
        return False
    listed = json_list(answer.response.content)
    if listed is None:
        listed = answer.message.get("preApprovalDetails")
    if answer.status != 200 or not isinstance(listed, list):
        raise query_error_of(name, answer)
    return any(isinstance(each, dict) and word(each.get("status")) in _GOOD for each in listed)


def not_asked(name: str) -> Throttled:
    """Nobody knows whether a payer has agreed, and nothing was asked of them: later, then."""
    return Throttled(
        name, "nobody told whether the payer has agreed", code="preapproval", retry_after_seconds=10
    )

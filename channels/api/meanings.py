"""Which problem an error of the engine is to who asked through an API.

It refuses to know endpoints, and callers.
"""

from collections.abc import Mapping
from typing import Any, Final

from channels.api.problems import Code, Refusal
from engine.errors import (
    AlreadyDecided,
    AlreadyProposed,
    CustomerMistake,
    NoSuchHook,
    NoWayNow,
    OutcomeUnknown,
    ProviderError,
    SamePerson,
    StaffMistake,
    Throttled,
    Unreachable,
)
from engine.staff.probes import TooSoon
from engine.staff.retrying import NotTheirs

MEANT: Final = (CustomerMistake, NoWayNow, StaffMistake, ProviderError)
"""The errors that mean something to a caller; any other is our own fault."""

_FOR_GOOD: Final = {
    "corridor": "no corridor leads from the payer's operator to the payee's in that currency",
    "dial_instead": "the payer's operator asks its payers nothing: they dial, and type our PIN",
}
"""What no waiting mends, though customers hear of it as of what cannot be done now."""


def meaning_of(error: CustomerMistake | NoWayNow | StaffMistake | ProviderError) -> Refusal:
    """The problem that a caller is answered."""
    match error:
        case CustomerMistake(text_key=key, variables=variables):
            return Refusal(Code.NOT_POSSIBLE, _told(variables), reason=_reason(key))
        case NoWayNow(text_key=key, variables=variables):
            reason = _reason(key)
            if reason in _FOR_GOOD:
                return Refusal(Code.NOT_POSSIBLE, _FOR_GOOD[reason], reason=reason)
            return Refusal(Code.NOT_NOW, _told(variables), reason=reason)
        case SamePerson():
            return Refusal(Code.SAME_PERSON)
        case AlreadyProposed():  # whose it is, is nobody's affair outside
            return Refusal(Code.ALREADY_PROPOSED)
        case AlreadyDecided():
            return Refusal(Code.ALREADY_DECIDED, str(error))
        case NotTheirs():
            return Refusal(Code.FORBIDDEN, str(error))
        case TooSoon(seconds=seconds):
            return Refusal(Code.TOO_SOON, str(error), retry_after=seconds)
        case NoSuchHook():
            return Refusal(Code.NOT_FOUND)
        case StaffMistake():
            return Refusal(Code.NOT_LEGAL, str(error))
        case Throttled() | Unreachable() | OutcomeUnknown():
            return Refusal(Code.NO_ANSWER, type(error).__name__)
    return Refusal(Code.NO_ANSWER, "it was not understood")


def _reason(text_key: str) -> str:
    """`mistake.limit_day` is `limit_day`: what menus call their sentence is nobody's affair."""
    return text_key.rpartition(".")[2]


def _told(variables: Mapping[str, Any]) -> str:
    """`maximum: KES 70,000`, for people."""
    return ", ".join(f"{name}: {value}" for name, value in sorted(variables.items()))

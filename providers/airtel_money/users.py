"""Who holds a wallet, as Airtel tells it. Facts: reference `airtel-money.md`, section 7.

Also the best look-up of ported numbers there is: a number that is not Airtel's is not found.
"""

from typing import NamedTuple

from engine.errors import ProviderError, Rejected
from engine.ports import Reason
from providers.airtel_money.answers import Answer, child, query_error_of
from providers.redaction import printable
from providers.wire import word

_FOUND = "DP02200000001"
_NOT_FOUND = "DP02200000002"
_NAME_LENGTH_MAX = 60


class User(NamedTuple):
    """One wallet. `name` is personal: it is never logged or stored."""

    name: str
    is_barred: bool | None  # None: Airtel did not say
    has_pin: bool | None

    def __repr__(self) -> str:
        return f"User(is_barred={self.is_barred}, has_pin={self.has_pin})"


def user_of(name: str, answer: Answer) -> User | None:
    """The holder, or None when Airtel has no such wallet. Raises ProviderError otherwise."""
    if answer.is_sound and answer.code == _NOT_FOUND:
        return None
    if answer.response.status_code != 200 or answer.code != _FOUND:
        raise _error_of(name, answer)
    told = child(answer.message, "data")
    names = (word(told.get(key)) for key in ("first_name", "last_name"))
    return User(
        printable(" ".join(part for part in names if part), length_max=_NAME_LENGTH_MAX),
        is_barred=_flag(told.get("is_barred")),
        has_pin=_flag(told.get("is_pin_set")),
    )


def _error_of(name: str, answer: Answer) -> ProviderError:
    if answer.response.status_code == 403:
        return Rejected(
            name, "we may not ask about users", code=answer.shown, reason=Reason.CONFIGURATION
        )
    return query_error_of(name, answer)


def _flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None

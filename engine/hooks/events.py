"""What a business is told of a payment's life, read from where each step of it led. Pure.

It knows states and no journal, no address and no body.
"""

from enum import StrEnum
from typing import Final

from engine.payments.lifecycle import State

KINDS_OF_A_STEP_MAX: Final = 8
"""Room for the kinds of one journal row between the sequence numbers of two rows."""


class EventKind(StrEnum):
    """Kinds are part of the API: none is ever renamed."""

    CREATED = "payment.created"
    COLLECTED = "payment.collected"  # the payer's money is with us
    HELD = "payment.held"  # a person looks at it first
    DELAYED = "payment.delayed"  # no operator takes the payout yet; it waits
    PAID = "payment.paid"
    RETURNED = "payment.returned"  # the operator took the payout back
    FAILED = "payment.failed"  # nothing was collected
    CANCELLED = "payment.cancelled"  # by the payer, before anything was collected
    REFUNDING = "payment.refunding"
    REFUNDED = "payment.refunded"


_S, _K = State, EventKind

_BEFORE_MONEY: Final = frozenset(
    {
        _S.NEW, _S.QUOTED, _S.RESERVED, _S.COLLECTING, _S.COLLECT_UNKNOWN,
        # Money may come after all, late.
        _S.COLLECT_FAILED, _S.EXPIRED, _S.CANCELLED,
    }
)  # fmt: skip
_OWED_BACK: Final = frozenset({_S.REFUND_DUE, _S.REFUNDING, _S.REFUND_UNKNOWN})
_ARRIVALS: Final[dict[State, EventKind]] = {
    _S.ON_HOLD: _K.HELD,
    _S.PAYOUT_QUEUED: _K.DELAYED,
    _S.PAID: _K.PAID,
    _S.RETURNED: _K.RETURNED,
    _S.COLLECT_FAILED: _K.FAILED,
    _S.EXPIRED: _K.FAILED,
    _S.CANCELLED: _K.CANCELLED,
    _S.REFUNDED: _K.REFUNDED,
}


def kinds_of(before: State, after: State) -> tuple[EventKind, ...]:
    """What a commit that led from one state to another is told as, in the order it happened.

    A commit may hold several transitions; those between the two are not needed. Nothing is told of
    what only we have to know: a try that failed and is followed by another, an unknown outcome.
    """
    kinds = []
    if before is State.NEW:
        kinds.append(EventKind.CREATED)
    if before in _BEFORE_MONEY and after not in _BEFORE_MONEY:
        kinds.append(EventKind.COLLECTED)
    if after is not before and after in _ARRIVALS:
        kinds.append(_ARRIVALS[after])
    if after in _OWED_BACK and before not in _OWED_BACK:
        kinds.append(EventKind.REFUNDING)
    return tuple(kinds)


def sequence_of(version: int, place: int) -> int:
    """The number of the nth kind of a journal row: of one payment's the later has the higher."""
    assert 0 <= place < KINDS_OF_A_STEP_MAX
    return version * KINDS_OF_A_STEP_MAX + place

"""What this process has itself just committed of payments under way: it need not be read back.

It is never the last word. Others move payments too, so whoever uses it commits against the version
that was remembered, and asks the store when that is stale. Nothing here outlives the process.
"""

from engine.clock import AttemptId
from engine.payments.payment import Payment
from engine.payments.store import Attempted
from engine.ports import Direction

_REMEMBERED = (Direction.COLLECT, Direction.DISBURSE)
ATTEMPTS_MAX = 5_000
"""An attempt is mostly over in seconds; the oldest are forgotten first."""


class Memory:
    """Attempts that are live, by their id, and the reference each was taken under."""

    def __init__(self, *, attempts_max: int = ATTEMPTS_MAX) -> None:
        self._attempts_max = attempts_max
        self._live: dict[AttemptId, Payment] = {}  # the oldest first
        self._taken_under: dict[AttemptId, str] = {}

    def note(self, payment: Payment) -> None:
        """A payment as it was just committed.

        Not one that is given back: who was asked for that may not be who would be asked now.
        """
        if payment.live is not None and payment.live_direction in _REMEMBERED:
            self._live[payment.live] = payment
            _bound(self._live, self._attempts_max)

    def note_reference(self, attempt_id: AttemptId, reference: str) -> None:
        """The operator's reference of an attempt, once it is stored."""
        self._taken_under[attempt_id] = reference
        _bound(self._taken_under, self._attempts_max)

    def take(self, attempt_id: AttemptId) -> Attempted | None:
        """A live attempt, told once: who hears None asks the store."""
        payment = self._live.pop(attempt_id, None)
        if payment is None or (direction := payment.live_direction) is None:
            return None
        return Attempted(attempt_id, direction, payment.operator_of(direction), payment)

    def was_taken_under(self, attempt_id: AttemptId, reference: str) -> bool:
        """Whether that is known; False says nothing, for it may be stored all the same."""
        return self._taken_under.get(attempt_id) == reference


def _bound(entries: dict[AttemptId, Payment] | dict[AttemptId, str], most: int) -> None:
    if len(entries) > most:
        del entries[next(iter(entries))]

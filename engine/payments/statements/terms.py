"""What to expect of one operator's statements and balance, and how long to wait. Pure."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Annotated

import msgspec

from engine.clock import moment_of, ms_of

Days = Annotated[int, msgspec.Meta(ge=0, le=60)]


class Terms(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How one operator's statements are read. Days are the operator's own, by its UTC offset."""

    utc_offset_minutes: Annotated[int, msgspec.Meta(ge=-720, le=840)] = 0
    # What was begun so many days before may still be listed today.
    lookback_days: Days = 3
    # What one side lacks may be late for so long; then it is a case. So may what people agreed to
    # move and have not seen.
    ageing_days: Days = 2
    # A day without a statement for so long is a case; counted from the first one ever taken in.
    absent_after_days: Annotated[int, msgspec.Meta(ge=1, le=60)] = 2
    # A case of a statement should be closed within so many days.
    case_days: Annotated[int, msgspec.Meta(ge=1, le=60)] = 3
    # An unknown attempt that no statement of its day and of so many days after lists did not
    # happen. Only where the operator says its statements are complete; 0: absence proves nothing.
    absence_proves_after_days: Days = 0
    # What the operator holds for us that is not in our books: a deposit, the demo's head start.
    unbooked_minor: int = 0

    def day_of(self, at_ms: int) -> date:
        """The operator's day of a moment."""
        return (moment_of(at_ms) + timedelta(minutes=self.utc_offset_minutes)).date()

    def begins(self, day: date) -> datetime:
        """The moment an operator's day begins."""
        midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
        return midnight - timedelta(minutes=self.utc_offset_minutes)

    def ends_ms(self, day: date) -> int:
        """The first millisecond after an operator's day."""
        return ms_of(self.begins(day + timedelta(days=1)))


class TermsBook:
    """The terms of every operator; one that is not named has the usual ones."""

    def __init__(self, usual: Terms, by_operator: Mapping[str, Terms]) -> None:
        self._usual = usual
        self._by_operator = dict(by_operator)

    def of(self, operator: str) -> Terms:
        return self._by_operator.get(operator, self._usual)


def read_terms(raw: object) -> TermsBook:
    """From `{usual: {...}, operators: {name: {...}}}`; an operator says only what is unusual.

    Raises msgspec.ValidationError that names the field.
    """
    given = msgspec.convert(raw, _Given)
    usual = msgspec.convert(given.usual, Terms)
    return TermsBook(
        usual,
        {
            name: msgspec.convert({**given.usual, **own}, Terms)
            for name, own in given.operators.items()
        },
    )


class _Given(msgspec.Struct, forbid_unknown_fields=True):
    usual: dict[str, int] = {}
    operators: dict[str, dict[str, int]] = {}

"""When a silent attempt is asked about again, and when a person must look. Pure."""

from collections.abc import Mapping
from typing import Annotated, Any, Protocol

import msgspec

# Seconds since the attempt began: soon at first, because most answers are lost callbacks, then
# ever more rarely; after a day the operator's statement decides, so once a day is enough.
LOOKS = (30, 60, 120, 300, 600, 1800, 3600, 4 * 3600, 12 * 3600, 24 * 3600)
DAY = 24 * 3600

Seconds = Annotated[int, msgspec.Meta(ge=1, le=30 * DAY)]


class Schedule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The polling schedule of one operator; all in seconds since the attempt began."""

    looks: tuple[Seconds, ...] = LOOKS
    unclear_after: Seconds = 120  # silent for so long, the state says "unknown"
    escalate_after: Seconds = DAY  # then a case is opened: this is what is promised
    # A case that is as old as so many times what is promised is opened again, as an older one.
    escalate_again: tuple[Annotated[int, msgspec.Meta(ge=2)], ...] = (3, 7)
    jitter: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.1  # the most a look may be late by
    asks_at_once: Annotated[int, msgspec.Meta(ge=1)] = 20

    def __post_init__(self) -> None:
        for name, values in (("looks", self.looks), ("escalate_again", self.escalate_again)):
            if list(values) != sorted(set(values)):
                raise ValueError(f"{name} must rise")
        if not self.looks:
            raise ValueError("looks must name one at least")

    def of(self, operator: str) -> "Schedule":
        """A schedule is a timetable on which every operator has the same one."""
        del operator
        return self

    def next_look(self, age: float, draw: float = 0.0) -> float:
        """Seconds from now until the next question about an attempt of that age.

        `draw`, from 0 to 1, makes it late by that part of `jitter`: many attempts that fell
        silent together are not all asked about together again. Never early, and never so late that
        a person is called after the promise.
        """
        wait = next((look - age for look in self.looks if look > age), float(DAY))
        late = wait * (1 + self.jitter * draw)
        return min([late, *(call - age for call in self._calls if call > age)])

    def escalation(self, age: float) -> int:
        """How often a person should have been called at that age: 0 is never yet."""
        return sum(age >= call for call in self._calls)

    @property
    def _calls(self) -> list[int]:
        """The ages at which a person is called."""
        return [self.escalate_after * times for times in (1, *self.escalate_again)]


class Timetable(Protocol):
    """The schedule of each operator."""

    def of(self, operator: str) -> Schedule: ...


class Timetables:
    """Schedules by operator; one that is not named has the usual one."""

    def __init__(self, usual: Schedule, by_operator: Mapping[str, Schedule]) -> None:
        self._usual = usual
        self._by_operator = dict(by_operator)

    def of(self, operator: str) -> Schedule:
        return self._by_operator.get(operator, self._usual)


class _Given(msgspec.Struct, forbid_unknown_fields=True):
    usual: dict[str, Any] = {}
    operators: dict[str, dict[str, Any]] = {}


def read_timetables(raw: object, *, first_look: int | None = None) -> Timetables:
    """From `{usual: {...}, operators: {name: {...}}}`; an operator says only what is unusual.

    `first_look` in seconds replaces whatever would come before or at it. Raises
    msgspec.ValidationError that names the field.
    """
    given = msgspec.convert(raw, _Given)
    return Timetables(
        _read(given.usual, first_look),
        {name: _read({**given.usual, **own}, first_look) for name, own in given.operators.items()},
    )


def _read(raw: dict[str, Any], first_look: int | None) -> Schedule:
    schedule = msgspec.convert(raw, Schedule)
    if first_look is None:
        return schedule
    later = (look for look in schedule.looks if look > first_look)
    return msgspec.structs.replace(schedule, looks=(first_look, *later))

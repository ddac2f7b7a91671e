"""When a silent attempt is asked about again, and when a person must look. Pure."""

from collections.abc import Mapping
from typing import Annotated, Any, Protocol

import msgspec

from engine.ports import Direction

# Seconds since the attempt began: soon at first, because most answers are lost callbacks, then
# ever more rarely; after a day the operator's statement decides, so once a day is enough.
LOOKS = (30, 60, 120, 300, 600, 1800, 3600, 4 * 3600, 12 * 3600, 24 * 3600)
DAY = 24 * 3600

Seconds = Annotated[int, msgspec.Meta(ge=1, le=30 * DAY)]


class Schedule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How one operator is asked about one direction; all in seconds since the attempt began."""

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

    def of(self, operator: str, direction: Direction) -> "Schedule":
        """A schedule is a timetable on which everybody has the same one."""
        del operator, direction
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
    """The schedule of each operator, by which way money moves there."""

    def of(self, operator: str, direction: Direction) -> Schedule: ...


Lane = tuple[str, Direction]


class Timetables:
    """Schedules by operator and direction; who is not named has the usual one."""

    def __init__(
        self,
        usual: Mapping[Direction, Schedule] | Schedule,
        by_operator: Mapping[str, Mapping[Direction, Schedule] | Schedule],
    ) -> None:
        """A schedule alone stands for all directions."""
        self._usual = _by_direction(usual)
        self._by_lane: dict[Lane, Schedule] = {
            (name, direction): schedule
            for name, own in by_operator.items()
            for direction, schedule in _by_direction(own).items()
        }

    def of(self, operator: str, direction: Direction) -> Schedule:
        return self._by_lane.get((operator, direction), self._usual[direction])


class _Given(msgspec.Struct, forbid_unknown_fields=True):
    usual: dict[str, Any] = {}
    operators: dict[str, dict[str, Any]] = {}


_WORDS = {
    Direction.COLLECT: "collection",
    Direction.DISBURSE: "payout",
    Direction.REFUND: "refund",
}


def read_timetables(raw: object, *, first_looks: Mapping[Direction, int] = {}) -> Timetables:
    """From `{usual: {...}, operators: {name: {...}}}`; an operator says only what is unusual.

    Under `collection`, `payout` and `refund` stands what is different in that direction; what an
    operator says itself goes before what is usual, in whatever direction. `first_looks` in seconds
    are the installation's: each replaces whatever would come before or at it in what is usual, and
    nothing of an operator's own looks. Raises msgspec.ValidationError that names the field.
    """
    given = msgspec.convert(raw, _Given)
    return Timetables(
        _read_all((given.usual,), first_looks),
        {name: _read_all((given.usual, own), first_looks) for name, own in given.operators.items()},
    )


def _by_direction(given: Mapping[Direction, Schedule] | Schedule) -> dict[Direction, Schedule]:
    return dict.fromkeys(Direction, given) if isinstance(given, Schedule) else dict(given)


def _read_all(
    layers: tuple[dict[str, Any], ...], first_looks: Mapping[Direction, int]
) -> dict[Direction, Schedule]:
    return {
        direction: _read(layers, direction, first_looks.get(direction)) for direction in Direction
    }


def _read(
    layers: tuple[dict[str, Any], ...], direction: Direction, first_look: int | None
) -> Schedule:
    """What is usual, and over it what the operator says."""
    usual, *own = [_said(layer, direction) for layer in layers]
    merged = dict(usual)
    for said in own:
        merged |= said
    schedule = msgspec.convert(merged, Schedule)
    if first_look is None or any("looks" in said for said in own):
        return schedule
    later = (look for look in schedule.looks if look > first_look)
    return msgspec.structs.replace(schedule, looks=(first_look, *later))


def _said(layer: dict[str, Any], direction: Direction) -> dict[str, Any]:
    everywhere = {name: said for name, said in layer.items() if name not in _WORDS.values()}
    there = layer.get(_WORDS[direction], {})
    if "asks_at_once" in there:
        raise msgspec.ValidationError("asks_at_once is of all directions together")
    return {**everywhere, **there}

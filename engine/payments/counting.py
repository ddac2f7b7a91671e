"""What operators told this process since it last said so to the database. Memory only; no clock.

It is asked several times in every payment, so it counts in lists that it changes in place.
"""

from collections.abc import Mapping
from typing import NamedTuple

from engine.payments.breaker import Lane, Run
from engine.payments.health import FAULT_POINTS, Tally, Told
from engine.ports import Direction

_PLACE = {told: place for place, told in enumerate(Told)}
assert tuple(_PLACE) == Tally.__struct_fields__


class Bucket(NamedTuple):
    """What a count belongs to: attempts of a lane that began in a minute, by amount band."""

    minute: int
    operator: str
    direction: Direction
    band: int


class Day(NamedTuple):
    """What a volume belongs to; `day` is days since the epoch, UTC."""

    day: int
    operator: str
    direction: Direction


class Volume(NamedTuple):
    """Payments that succeeded and what they moved, in minor units."""

    payments: int = 0
    minor: int = 0


class Watched(NamedTuple):
    """A lane since its breaker last moved: a run belongs to no other time."""

    lane: Lane
    since_ms: int


Counts = Mapping[Bucket, Tally]
Volumes = Mapping[Day, Volume]


class Counting:
    """Counts until they are taken; what could not be stored is put back."""

    def __init__(self) -> None:
        self._counts: dict[Bucket, list[int]] = {}
        self._volumes: dict[Day, list[int]] = {}
        self._runs: dict[Watched, list[int]] = {}

    def count(self, bucket: Bucket, told: Told) -> None:
        """One more."""
        counts = self._counts.get(bucket)
        if counts is None:
            counts = self._counts[bucket] = [0] * len(_PLACE)
        counts[_PLACE[told]] += 1

    def moved(self, day: Day, minor: int) -> None:
        """One more payment that succeeded."""
        volume = self._volumes.setdefault(day, [0, 0])
        volume[0] += 1
        volume[1] += minor

    def extend(self, watched: Watched, told: Told) -> None:
        """Told after all that was told of this lane before: the same as adding runs."""
        run = self._runs.get(watched)
        if run is None:
            run = self._runs[watched] = [0, 0, 0, 0]
        points = FAULT_POINTS.get(told)
        if points is None:
            run[2] = 0
            run[3] += 1
            return
        run[2] += points
        if not run[3]:
            run[0] += points
        run[1] = max(run[1], run[2])

    def take(self) -> tuple[Counts, Volumes]:
        """All counts so far; from now on they are counted anew."""
        counts, volumes, self._counts, self._volumes = self._counts, self._volumes, {}, {}
        return (
            {bucket: Tally(*counted) for bucket, counted in counts.items()},
            {day: Volume(*counted) for day, counted in volumes.items()},
        )

    def put_back(self, counts: Counts, volumes: Volumes) -> None:
        """What was taken and could not be stored."""
        for bucket, tally in counts.items():
            sofar = Tally(*self._counts.get(bucket, ()))
            self._counts[bucket] = [*(tally + sofar).counts]
        for day, (payments, minor) in volumes.items():
            volume = self._volumes.setdefault(day, [0, 0])
            volume[0] += payments
            volume[1] += minor

    def take_runs(self) -> dict[Watched, Run]:
        """All runs so far; from now on new ones are made."""
        runs, self._runs = self._runs, {}
        return {watched: Run(*run) for watched, run in runs.items()}

    def put_back_run(self, watched: Watched, earlier: Run) -> None:
        """A run that was taken came before what was told meanwhile."""
        whole = earlier + Run(*self._runs.get(watched, ()))
        self._runs[watched] = [whole.head, whole.most, whole.tail, whole.goods]

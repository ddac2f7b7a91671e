"""What a load run counts: how long answers took, what was asked, what came out wrong.

Pure: it is told of everything and reads no clock.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

_STEPS_PER_DOUBLING = 16
"""How fine latencies are told apart: 4.4 % from one step to the next."""
_FLOOR_SECONDS = 1e-5
WRONG_KEPT_MAX = 200
"""So many wrong answers are kept whole; more are only counted."""


class Latencies:
    """How often which latency was seen, in steps of 4.4 %: any number in constant room."""

    def __init__(self) -> None:
        self._seen: Counter[int] = Counter()
        self.count = 0
        self.total_seconds = 0.0
        self.max_seconds = 0.0

    def add(self, seconds: float) -> None:
        step = math.ceil(
            math.log2(max(seconds, _FLOOR_SECONDS) / _FLOOR_SECONDS) * _STEPS_PER_DOUBLING
        )
        self._seen[step] += 1
        self.count += 1
        self.total_seconds += seconds
        self.max_seconds = max(self.max_seconds, seconds)

    def percentile(self, share: float) -> float:
        """The latency in seconds that `share` (0 to 1) of all did not exceed; 0.0 of none."""
        wanted = math.ceil(share * self.count)
        passed = 0
        for step in sorted(self._seen):
            passed += self._seen[step]
            if passed >= wanted:
                return min(_FLOOR_SECONDS * 2 ** (step / _STEPS_PER_DOUBLING), self.max_seconds)
        return 0.0

    def steps(self) -> Sequence[tuple[float, int]]:
        """(upper bound in seconds, how many) for every step that was seen, rising."""
        return [
            (_FLOOR_SECONDS * 2 ** (step / _STEPS_PER_DOUBLING), self._seen[step])
            for step in sorted(self._seen)
        ]


@dataclass(frozen=True)
class Wrong:
    """One answer that was not as written: where, what, and all that phone had seen before."""

    phone: int  # the how manieth phone of the run: with the seed it finds the same one again
    where: str  # file:line
    what: str
    transcript: str


@dataclass
class Second:
    """What happened in one second of the run."""

    begun: int = 0
    answered: int = 0
    failed: int = 0
    latencies: Latencies = field(default_factory=Latencies)


class Tally:
    """Everything one run has seen."""

    def __init__(self) -> None:
        self.begun: Counter[str] = Counter()  # journeys, by name
        self.finished: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()  # sessions the network ended, by fault
        self.faults: Counter[str] = Counter()  # what a real phone would not have shown, by sentence
        self.latencies = Latencies()
        self.lateness = Latencies()  # how late this program was with what was due
        self.wrong: list[Wrong] = []
        self.wrong_count = 0
        self.walking = 0
        self.walking_max = 0
        self.seconds: list[Second] = []

    def second(self, at_seconds: float) -> Second:
        """The second that `at_seconds` since the start falls into."""
        number = int(at_seconds)
        while len(self.seconds) <= number:
            self.seconds.append(Second())
        return self.seconds[number]

    def begin(self, journey: str, at_seconds: float, late_seconds: float) -> None:
        self.begun[journey] += 1
        self.walking += 1
        self.walking_max = max(self.walking_max, self.walking)
        self.lateness.add(max(late_seconds, 0.0))
        self.second(at_seconds).begun += 1

    def end(self, journey: str, *, finished: bool) -> None:
        self.walking -= 1
        if finished:
            self.finished[journey] += 1

    def answer(self, at_seconds: float, took_seconds: float) -> None:
        self.latencies.add(took_seconds)
        second = self.second(at_seconds)
        second.answered += 1
        second.latencies.add(took_seconds)

    def no_answer(self, at_seconds: float, why: str) -> None:
        """A turn without a useful answer: the phone shows an error."""
        self.faults[why] += 1
        self.second(at_seconds).failed += 1

    def keep_wrong(self, wrong: Wrong) -> None:
        self.wrong_count += 1
        if len(self.wrong) < WRONG_KEPT_MAX:
            self.wrong.append(wrong)

    @property
    def is_right(self) -> bool:
        """Whether every answer was as written and none was missing but by the network's doing."""
        return not self.wrong_count and not self.faults

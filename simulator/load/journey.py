"""A transcript as a crowd walks it: the part that one phone does alone, with numbers of its own.

It reads files that were parsed already and asks nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from simulator.steps.step import Step
from simulator.transcript import Transcript, Unreadable

PEOPLE = "phone"
WALKED = frozenset({"dial", "type", "repeat", "hang up", "ended"})
IGNORED = frozenset({"wallet"})
"""The sandboxes give every new wallet enough."""

_STRIDE = 7_919  # shares no factor with ten, so every number comes once before any comes again


class Journey(NamedTuple):
    """What each phone does, up to the first line that waits for somebody else."""

    name: str
    people: tuple[Step, ...]
    moves: tuple[Step, ...]
    left_out: str = ""  # the first line that a crowd does not play

    def numbers(self, walk: int, seed: int) -> Sequence[tuple[str, str, str]]:
        """(name, number, network) of the people of the walk `walk`: no two walks share one.

        As long as a pattern has room: `+25471???????` for ten million walks with one such person.
        """
        found = []
        for place, step in enumerate(self.people):
            pattern = step.arguments["msisdn"]
            room = 10 ** pattern.count("?")
            index = (walk * len(self.people) + place) * _STRIDE + seed
            digits = iter(f"{index % room:0{pattern.count('?') or 1}d}")
            number = "".join(next(digits) if sign == "?" else sign for sign in pattern)
            found.append((step.arguments["name"], number, step.arguments.get("network", "")))
        return found

    @property
    def room(self) -> int:
        """How many walks can be begun before a number comes again."""
        free = min(step.arguments["msisdn"].count("?") for step in self.people)
        return int(10**free) // len(self.people)


def read_journey(script: Transcript) -> Journey:
    """Raises Unreadable for a file in which no phone of its own dials."""
    people: list[Step] = []
    moves: list[Step] = []
    left_out = ""
    for step in script.steps:
        if step.verb == PEOPLE:
            people.append(step)
        elif step.verb in WALKED:
            moves.append(step)
        elif step.verb not in IGNORED:
            left_out = step.source
            break
    if not people or not moves:
        raise Unreadable(
            f"{script.name}: a crowd needs a `phone` line and a `dial` before anything else"
        )
    return Journey(script.name, tuple(people), tuple(moves), left_out)

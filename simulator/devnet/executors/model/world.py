"""The model's state: immutable resources and items by kind and key, and what one call does to it.

It knows no contract. A call writes into a layer of its own, so it holds as a whole or not at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, cast

from simulator.devnet.executor import Environment, Event

T = TypeVar("T")
Key = tuple[Any, ...]
"""The class of what is kept, then the address it is at or the key it is under."""
Writes = dict[Key, Any]
"""What a call has changed; None stands for what it took away."""

_MICROSECONDS = 1_000_000
_WORK = {"start": 4, "read": 1, "write": 4, "event": 3, "signature": 12, "hash": 1}


class Failure(Exception):
    """The VM could not go on: `status` is its bare name. No contract says this."""

    def __init__(self, status: str) -> None:
        super().__init__(status)
        self.status = status


class Frame:
    """One call while it runs: what it reads, what it has written, what it has told."""

    def __init__(self, below: Mapping[Key, Any], environment: Environment) -> None:
        self.environment = environment
        self.writes: Writes = {}
        self.events: list[Event] = []
        self.work = _WORK["start"]
        self._below = below

    @property
    def now_seconds(self) -> int:
        """The chain's clock, whole seconds."""
        return self.environment.timestamp_microseconds // _MICROSECONDS

    def find(self, kind: type[T], *key: Any) -> T | None:
        """What is there, if anything."""
        self.spend("read")
        place = (kind, *key)
        found = self.writes[place] if place in self.writes else self._below.get(place)
        return cast("T | None", found)

    def get(self, kind: type[T], *key: Any) -> T:
        """What must be there: a VM that finds nothing stops with MISSING_DATA."""
        found = self.find(kind, *key)
        if found is None:
            raise Failure("MISSING_DATA")
        return found

    def put(self, value: object, *key: Any) -> None:
        """Keep a resource or an item in place of any earlier one of its kind."""
        self.spend("write")
        self.writes[(type(value), *key)] = value

    def drop(self, kind: type, *key: Any) -> None:
        """Take away what is there."""
        self.spend("write")
        self.writes[(kind, *key)] = None

    def spend(self, what: str, times: int = 1) -> None:
        """Count work; its sum is the call's gas, in units about as large as the chain's."""
        self.work += _WORK[what] * times

    def slots(self) -> tuple[int, int]:
        """How many places this call fills that were empty, and how many it empties."""
        filled = sum(
            value is not None and self._below.get(key) is None for key, value in self.writes.items()
        )
        emptied = sum(
            value is None and self._below.get(key) is not None for key, value in self.writes.items()
        )
        return filled, emptied

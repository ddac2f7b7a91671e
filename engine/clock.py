"""Time and fresh ids, as things to be passed in. A test or a simulation passes its own."""

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NewType
from weakref import WeakSet

PaymentId = NewType("PaymentId", str)
"""32 hex digits of a UUID version 7: the first 48 bits are the time it was made."""
AttemptId = NewType("AttemptId", str)
IntentId = NewType("IntentId", str)
CustomerId = NewType("CustomerId", str)


class Clock:
    """The wall clock. `epoch` is in seconds; `now` is an aware UTC time."""

    def epoch(self) -> float:
        return time.time()

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.epoch(), UTC)


_GENERATORS: "WeakSet[SystemRandom]" = WeakSet()


class SystemRandom:
    """Bytes from the operating system's generator, fetched some hundred ids at a time."""

    def __init__(self, chunk_bytes: int = 4096) -> None:
        self._chunk_bytes = chunk_bytes
        self._chunk = b""
        self._used = 0
        _GENERATORS.add(self)

    def forget(self) -> None:
        """Bytes that are kept are given to nobody: a process's child has the same."""
        self._chunk, self._used = b"", 0

    def __call__(self, count: int) -> bytes:
        """`count` fresh bytes; none is ever given twice, nor to a process and its child."""
        if self._used + count > len(self._chunk):
            self._chunk, self._used = os.urandom(max(self._chunk_bytes, count)), 0
        self._used += count
        return self._chunk[self._used - count : self._used]


def _forget_in_child() -> None:
    for generator in _GENERATORS:
        generator.forget()


os.register_at_fork(after_in_child=_forget_in_child)

_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


class Ids:
    """Fresh UUID version 7 values (RFC 9562 section 5.7) as 32 hex digits, ordered by time."""

    def __init__(self, clock: Clock, random: Callable[[int], bytes] | None = None) -> None:
        """`random` gives so many random bytes; by default the operating system's."""
        self._clock = clock
        self._random = random or SystemRandom()
        self._milliseconds = -1
        self._time = ""

    def hex(self) -> str:
        milliseconds = int(self._clock.epoch() * 1000)
        # Put together as text: a number of 128 bits takes several times as long to write. Most
        # ids are made in the same millisecond as the one before.
        if milliseconds != self._milliseconds:
            self._milliseconds = milliseconds
            self._time = f"{milliseconds:012x}7"
        r = self._random(10).hex()
        return self._time + r[:3] + _VARIANT[r[3]] + r[4:19]

    def payment(self) -> PaymentId:
        return PaymentId(self.hex())

    def attempt(self) -> AttemptId:
        return AttemptId(self.hex())

    def intent(self) -> IntentId:
        return IntentId(self.hex())

    def customer(self) -> CustomerId:
        return CustomerId(self.hex())


def made_at(identifier: str) -> datetime:
    """When a UUID version 7 was made, to the millisecond."""
    return datetime.fromtimestamp(int(identifier[:12], 16) / 1000, UTC)


def first_id_at(moment: datetime) -> str:
    """The smallest UUID made at that moment: the edge of a time partition."""
    return f"{int(moment.timestamp() * 1000) << 80:032x}"

"""Time and fresh ids, as things to be passed in. A test or a simulation passes its own."""

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NewType

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


class SystemRandom:
    """Bits from the operating system's generator, fetched some hundred ids at a time."""

    def __init__(self, chunk_bytes: int = 4096) -> None:
        self._chunk_bytes = chunk_bytes
        self._chunk = b""
        self._used = 0

    def __call__(self, count: int) -> int:
        """`count` fresh bits; none is ever given twice."""
        size = (count + 7) // 8
        if self._used + size > len(self._chunk):
            self._chunk, self._used = os.urandom(max(self._chunk_bytes, size)), 0
        taken = self._chunk[self._used : self._used + size]
        self._used += size
        return int.from_bytes(taken) >> (-count % 8)


_VARIANT = 1 << 63
_LOW_62 = (1 << 62) - 1


class Ids:
    """Fresh UUID version 7 values (RFC 9562 section 5.7) as 32 hex digits, ordered by time."""

    def __init__(self, clock: Clock, random: Callable[[int], int] | None = None) -> None:
        """`random` gives so many random bits; by default the operating system's."""
        self._clock = clock
        self._random = random or SystemRandom()

    def hex(self) -> str:
        milliseconds = int(self._clock.epoch() * 1000)
        bits = self._random(74)
        # Three numbers of a machine word each: one of 128 bits takes three times as long to write.
        return f"{milliseconds:012x}{0x7000 | bits >> 62:04x}{_VARIANT | bits & _LOW_62:016x}"

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

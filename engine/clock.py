"""Time and fresh ids, as things to be passed in. A test or a simulation passes its own."""

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import NewType, Protocol
from weakref import WeakSet

PaymentId = NewType("PaymentId", str)
"""32 hex digits of a UUID version 7: the first 48 bits are the time it was made."""
AttemptId = NewType("AttemptId", str)
IntentId = NewType("IntentId", str)
CustomerId = NewType("CustomerId", str)


DAY_MS = 86_400_000

_EPOCH = datetime.fromtimestamp(0, UTC)
_MILLISECOND = timedelta(milliseconds=1)


class Clock:
    """The wall clock. `epoch` is in seconds; `now` is an aware UTC time."""

    epoch = staticmethod(time.time)

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.epoch(), UTC)

    def apart(self, at: float) -> float:
        """Seconds between a moment of the epoch and now, whichever is first.

        How old something is, where the clock may have been set back since: what it said an hour
        ahead is not fresh for an hour.
        """
        return abs(self.epoch() - at)


class Keeper(Protocol):
    """Whoever keeps random bytes for later."""

    def forget(self) -> None:
        """Give them to nobody."""
        ...


_KEEPERS: "WeakSet[Keeper]" = WeakSet()


def keep_from_children(keeper: Keeper) -> None:
    """Have it forget in every child that this process forks: both would use the same bytes."""
    _KEEPERS.add(keeper)


class SystemRandom:
    """Bytes from the operating system's generator, fetched some hundred ids at a time."""

    def __init__(self) -> None:
        self._chunk = b""
        self._used = 0
        keep_from_children(self)

    def forget(self) -> None:
        """Bytes that are kept are given to nobody: a process's child has the same."""
        self._chunk, self._used = b"", 0

    def __call__(self, count: int) -> bytes:
        """`count` fresh bytes; none is ever given twice, nor to a process and its child."""
        if self._used + count > len(self._chunk):
            self._chunk, self._used = os.urandom(max(_CHUNK_BYTES, count)), 0
        self._used += count
        return self._chunk[self._used - count : self._used]


def _forget_in_child() -> None:
    for keeper in _KEEPERS:
        keeper.forget()


os.register_at_fork(after_in_child=_forget_in_child)

_CHUNK_BYTES = 4096
_HEX = frozenset("0123456789abcdef")
_DRAWN = 256
_ENDING_BYTES = 10


class Ids:
    """Fresh UUID version 7 values (RFC 9562 section 5.7) as 32 hex digits, ordered by time."""

    def __init__(self, clock: Clock, random: Callable[[int], bytes] | None = None) -> None:
        """`random` gives so many random bytes and is asked for each id anew; by default they are
        the operating system's, fetched for some hundred ids at a time.
        """
        self._clock = clock
        self._random = random or os.urandom
        self._drawn = 1 if random else _DRAWN
        self._free = int("0fff3fffffffffffffff" * self._drawn, 16)
        self._fixed = int("70008000000000000000" * self._drawn, 16)
        self._endings: list[str] = []
        self._milliseconds = -1
        self._time = ""
        keep_from_children(self)

    def forget(self) -> None:
        """What is drawn for later ids is given to nobody: a process's child has the same."""
        self._endings = []

    def hex(self) -> str:
        milliseconds = int(self._clock.epoch() * 1000)
        # Put together as text: a number of 128 bits takes several times as long to write. Most
        # ids are made in the same millisecond as the one before.
        if milliseconds != self._milliseconds:
            self._milliseconds = milliseconds
            self._time = f"{milliseconds:012x}"
        if not self._endings:
            self._draw()
        return self._time + self._endings.pop()

    def _draw(self) -> None:
        """Endings of twenty digits: version, three random ones, variant, fifteen random ones."""
        # Many at once as one long number: digit by digit it would cost several times as much.
        random = int.from_bytes(self._random(_ENDING_BYTES * self._drawn), "big")
        digits = random >> 4 & self._free | self._fixed
        self._endings = digits.to_bytes(_ENDING_BYTES * self._drawn, "big").hex(
            "-", _ENDING_BYTES
        ).split("-")  # fmt: skip

    def payment(self) -> PaymentId:
        return PaymentId(self.hex())

    def attempt(self) -> AttemptId:
        return AttemptId(self.hex())

    def intent(self) -> IntentId:
        return IntentId(self.hex())

    def customer(self) -> CustomerId:
        return CustomerId(self.hex())


def is_id(text: str) -> bool:
    """Whether it has the form of an id of ours: 32 hexadecimal digits in small letters."""
    return len(text) == 32 and not set(text) - _HEX


def epoch_ms_of(identifier: str) -> int:
    """When a UUID version 7 was made, in milliseconds since 1970."""
    return int(identifier[:12], 16)


def epoch_of(identifier: str) -> float:
    """The same in seconds."""
    return epoch_ms_of(identifier) / 1000


def made_at(identifier: str) -> datetime:
    """The same as an aware UTC time."""
    return moment_of(epoch_ms_of(identifier))


def first_id_at(moment: datetime) -> str:
    """The smallest UUID made at that moment: the edge of a time partition."""
    return f"{ms_of(moment) << 80:032x}"


def moment_of(at_ms: int) -> datetime:
    """Milliseconds since 1970, as we store them, as an aware UTC time."""
    return datetime.fromtimestamp(at_ms / 1000, UTC)


def ms_of(moment: datetime) -> int:
    """The inverse: the whole milliseconds until an aware time, exactly."""
    return (moment - _EPOCH) // _MILLISECOND

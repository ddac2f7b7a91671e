"""What a sandbox takes from outside itself: time and chance. It knows no operator."""

from __future__ import annotations

import string
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random, SystemRandom

_RECEIPT_LETTERS = string.ascii_uppercase + string.digits


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class World:
    """The clock (aware UTC times) and the source of every identifier a sandbox makes up."""

    clock: Callable[[], datetime] = _utc_now
    random: Random = field(default_factory=SystemRandom)

    def hex(self, length: int) -> str:
        """`length` random lower-case hex digits."""
        return f"{self.random.getrandbits(4 * length):0{length}x}"

    def digits(self, length: int) -> str:
        """A random number of exactly `length` digits, never starting with zero."""
        low = 10 ** (length - 1)
        return str(self.random.randrange(low, 10 * low))

    def receipt_letters(self, length: int) -> str:
        """`length` random upper-case letters and digits."""
        return "".join(self.random.choices(_RECEIPT_LETTERS, k=length))

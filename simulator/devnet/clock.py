"""The chain's own time: microseconds that only grow, on a clock that can be moved or held."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

MICROSECONDS = 1_000_000


class LedgerClock:
    """Time as blocks get it. `clock` gives aware UTC times, such as a sandbox's world has."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._ahead = 0
        self._held: int | None = None
        self._last = 0

    @property
    def is_held(self) -> bool:
        """Whether it stands still until somebody moves it."""
        return self._held is not None

    def now(self) -> int:
        """Microseconds since 1970."""
        if self._held is not None:
            return self._held
        return round(self._clock().timestamp() * MICROSECONDS) + self._ahead

    def stamp(self) -> int:
        """The time of the next block: later than that of any before, whatever the clock says."""
        self._last = max(self._last + 1, self.now())
        return self._last

    def resume_after(self, microseconds: int) -> None:
        """No block gets a time that is not after this one."""
        self._last = max(self._last, microseconds)

    def advance(self, seconds: float) -> None:
        """Jump ahead. ValueError to go back: a chain cannot."""
        if seconds < 0:
            raise ValueError("a ledger's clock does not go back")
        microseconds = round(seconds * MICROSECONDS)
        if self._held is None:
            self._ahead += microseconds
        else:
            self._held += microseconds

    def hold(self) -> None:
        """Stand still from now on."""
        self._held = self.now()

    def release(self) -> None:
        """Go on from where it stands."""
        if self._held is not None:
            held, self._held = self._held, None
            self._ahead += held - self.now()

"""Waiting for a transaction to be decided: long questions first, then short ones farther apart.

The SDK's own waiter tells a timeout and a failure apart by `assert`, which `python -O` takes away;
this one returns what was found and raises nothing of its own.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from engine.errors import OutcomeUnknown, Throttled, Unreachable
from engine.ports import Found, Standing
from providers.aptos.finding import Finder, Sought

PAUSE_SECONDS: Final = 0.1
PAUSE_SECONDS_MAX: Final = 1.0
_GROWTH: Final = 1.5
_OPEN: Final = frozenset({Standing.WAITING, Standing.UNKNOWN})

Sleep = Callable[[float], Awaitable[None]]


class Waiter:
    """`seconds` is any steady clock; it only says when to stop, never what happened."""

    def __init__(
        self, finder: Finder, *, seconds: Callable[[], float], sleep: Sleep = asyncio.sleep
    ) -> None:
        self._finder = finder
        self._seconds = seconds
        self._sleep = sleep

    async def wait(self, sought: Sought, *, patience_seconds: float) -> Found:
        """The last that was found; DONE, REFUSED or GONE at once.

        Raises what asking raises only if nothing was ever told in that time.
        """
        until = self._seconds() + patience_seconds
        pause, found, lost = PAUSE_SECONDS, None, None
        while True:
            asked_at = self._seconds()
            try:
                found = await self._finder.find_waiting(sought)
            except (Throttled, Unreachable, OutcomeUnknown) as error:
                lost = error
            if found is not None and found.standing not in _OPEN:
                return found
            left = until - self._seconds()
            if left <= 0:
                break
            # A node that has waited by itself needs no pause from us.
            if self._seconds() - asked_at < pause:
                await self._sleep(min(pause, left))
                pause = min(pause * _GROWTH, PAUSE_SECONDS_MAX)
        if found is None and lost is not None:
            raise lost
        assert found is not None, "every turn either finds something or is lost"
        return found

"""How often somebody may knock where there is no door, before they are answered 429 unheard.

It decides nothing about who knows an address of ours: they are never counted here, for behind one
proxy or one network's gateway stand friends and strangers alike.
"""

import time
from collections.abc import Callable
from typing import Final

from channels.sources import counted_as
from channels.web.limits import Limit, Limits

MINUTE: Final = 60
SHUT_MAX: Final = 10_000
"""Addresses one process remembers as sent away; then it forgets all, and they are counted anew."""


class Strangers:
    """Counts by address, for all processes together; who was one too many is known at once."""

    def __init__(
        self,
        limits: Limits,
        per_minute: int,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limits = limits
        self._limit = Limit("stranger", per_minute, MINUTE)
        self._monotonic = monotonic
        self._shut: dict[str, float] = {}

    async def away_seconds(self, source: str) -> int:
        """Count one knock; how long they are to stay away, 0 for who is heard. Raises nothing.

        All of one network of IPv6 are one (`sources.counted_as`). Who stays after that costs no
        round trip to Redis until their time is over.
        """
        now, source = self._monotonic(), counted_as(source)
        until = self._shut.get(source, now)
        if until > now:
            return max(1, round(until - now))
        admitted = await self._limits.admit({self._limit: source})
        if admitted.is_in:
            self._shut.pop(source, None)
            return 0
        if len(self._shut) >= SHUT_MAX:
            self._shut.clear()
        self._shut[source] = now + admitted.retry_after_seconds
        return admitted.retry_after_seconds

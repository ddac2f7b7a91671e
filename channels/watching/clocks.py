"""This machine's clock beside that of Postgres: leases, prices and what people saw go by both.

It puts nothing right: it says so, at once and for as long as that lasts.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final

from engine.clock import Clock
from engine.outages import AWAY

log = logging.getLogger(__name__)

APART_SECONDS_MAX: Final = 5.0
"""Clocks that are kept (chrony) differ by thousandths of that."""
LOOK_SECONDS: Final = 60.0

_THEIRS: Final = "select extract(epoch from clock_timestamp())::float8"


async def seconds_ahead(database: Any, clock: Clock) -> float:
    """By how much this machine's clock is ahead for certain, below zero for behind; how long the
    answer took accuses nobody. `database` is a connection, or a pool of them.
    """
    before = clock.epoch()
    theirs = float(await database.fetchval(_THEIRS))
    return certainly_ahead(before, theirs, clock.epoch())


def certainly_ahead(before: float, theirs: float, after: float) -> float:
    """Of what a clock that was read at one of two moments may have been off by, the least."""
    return max(before - theirs, 0.0) + min(after - theirs, 0.0)


def trouble_of(ahead: float) -> str:
    """What is wrong with a clock that is so many seconds ahead; "" for nothing."""
    if abs(ahead) <= APART_SECONDS_MAX:
        return ""
    where = "ahead of" if ahead > 0 else "behind"
    return (
        f"the clock of this machine is {abs(ahead):.0f} s {where} that of Postgres:"
        " what waits for its time is done too early or too late"
    )


class ClockWatch:
    """Looks again and again. `tell` is given the seconds of every look, for a gauge."""

    def __init__(self, pool: Any, clock: Clock, tell: Callable[[float], None]) -> None:
        self._pool = pool
        self._clock = clock
        self._tell = tell
        self._is_off = False

    async def look(self) -> None:
        """One look. A line for each that finds them apart, and one when they agree again."""
        ahead = await seconds_ahead(self._pool, self._clock)
        self._tell(ahead)
        if trouble := trouble_of(ahead):
            log.error("%s", trouble)
        elif self._is_off:
            log.warning("the clock of this machine agrees with that of Postgres again")
        self._is_off = bool(trouble)

    async def keep_looking(self, every_seconds: float = LOOK_SECONDS) -> None:
        """For ever. While Postgres is away nobody knows, and that is told of it."""
        while True:
            await asyncio.sleep(every_seconds)
            try:
                await self.look()
            except AWAY as error:
                log.warning("the clock was compared with none: %s", error)

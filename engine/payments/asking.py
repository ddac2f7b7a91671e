"""Operators are asked behind the caller's back, a few things at a time each, so that one which
takes connections and answers nothing holds up its own alone. Knows no payment.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from engine.clock import Clock
from engine.tasks import Tasks

Ask = Callable[[], Coroutine[Any, Any, None]]


class _Waiting:
    """Those who wait for an operator's answer, or to be asked about at all."""

    def __init__(self, at_once: int) -> None:
        self.by_name: dict[str, tuple[float, Ask]] = {}  # until when each is leased, and how to ask
        self.turns = asyncio.Semaphore(at_once)


class Asking:
    """Whatever is leased for a while, and needs an operator's word."""

    def __init__(self, clock: Clock, *, lease_seconds: int) -> None:
        """`lease_seconds`: how long what is to be asked about is nobody else's."""
        self._clock = clock
        self._lease_seconds = lease_seconds
        self._tasks = Tasks(failed="an operator was not asked; the lease brings it back")
        self._at: dict[str, _Waiting] = {}

    def begin(self, operator: str, at_once: int, name: str, ask: Ask) -> None:
        """Have an operator asked about what was leased just now, under a name. Never waits.

        `at_once` of its questions are under way at a time. Who waits there already keeps that
        place, under the new lease. Who finds more waiting than can be asked about within a lease,
        if each answer takes a second, stays away: the lease brings it back.
        """
        waiting = self._at.setdefault(operator, _Waiting(at_once))
        is_new = name not in waiting.by_name
        if is_new and len(waiting.by_name) >= at_once * self._lease_seconds:
            return
        waiting.by_name[name] = self._clock.epoch() + self._lease_seconds, ask
        if is_new:
            self._tasks.start(self._ask(waiting, name))

    async def idle(self) -> None:
        """Wait until nobody waits."""
        await self._tasks.idle()

    async def stop(self) -> None:
        """Let questions under way finish; nothing else is asked. Leases bring back who waited."""
        await self._tasks.stop()

    async def _ask(self, waiting: _Waiting, name: str) -> None:
        try:
            async with waiting.turns:
                lease_until, ask = waiting.by_name[name]
                # After its lease it may be another process's, which then asks.
                if self._clock.epoch() < lease_until and not self._tasks.is_stopping:
                    await ask()
        finally:
            del waiting.by_name[name]

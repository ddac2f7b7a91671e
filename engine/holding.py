"""A claim on an intent, renewed for as long as its work takes. Knows nothing of that work."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from engine.tasks import Tasks

log = logging.getLogger(__name__)

RENEWALS_IN_A_LEASE = 3
HELD_SECONDS_MAX = 900.0
"""No call takes so long; its timeouts are broken, and others may look after what it carries."""


class Claims(Protocol):
    """Where claims are kept: the outbox."""

    @property
    def lease_seconds(self) -> int: ...

    async def renew(self, intent_id: str, claim: int) -> bool: ...


@contextmanager
def holding(claims: Claims, tasks: Tasks, intent_id: str, claim: int) -> Iterator[None]:
    """Renew a claim until the work within ends: some calls outlive a lease by far.

    A process that dies renews nothing, and work that hangs is left to others in the end.
    """
    loop = asyncio.get_running_loop()
    every = claims.lease_seconds / RENEWALS_IN_A_LEASE
    until = loop.time() + HELD_SECONDS_MAX
    timers: list[asyncio.TimerHandle] = []

    def wait() -> None:
        if loop.time() < until:
            timers[:] = [loop.call_later(every, renew)]

    def renew() -> None:
        tasks.start(_renew(claims, intent_id, claim))
        wait()

    wait()
    try:
        yield
    finally:
        timers[0].cancel()


async def _renew(claims: Claims, intent_id: str, claim: int) -> None:
    if not await claims.renew(intent_id, claim):
        log.warning("intent %s is held by somebody else, or done", intent_id)

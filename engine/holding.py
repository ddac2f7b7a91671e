"""A claim on an intent, renewed for as long as its work takes. Knows nothing of that work."""

import asyncio
import logging
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


class Holding:
    """Renew a claim until the work within ends: some calls outlive a lease by far.

    A process that dies renews nothing, and work that hangs is left to others in the end.
    Written out, so that nothing of it refers to itself once the work is over: as many as there are
    claims, the collector would stop the whole process for them again and again.
    """

    __slots__ = ("_claim", "_claims", "_intent_id", "_loop", "_tasks", "_timer", "_until")

    def __init__(self, claims: Claims, tasks: Tasks, intent_id: str, claim: int) -> None:
        self._claims = claims
        self._tasks = tasks
        self._intent_id = intent_id
        self._claim = claim
        self._loop = asyncio.get_running_loop()
        self._until = self._loop.time() + HELD_SECONDS_MAX
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> None:
        self._wait()

    def __exit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wait(self) -> None:
        self._timer = None
        if self._loop.time() < self._until:
            every = self._claims.lease_seconds / RENEWALS_IN_A_LEASE
            self._timer = self._loop.call_later(every, self._renew)

    def _renew(self) -> None:
        self._tasks.start(_renew(self._claims, self._intent_id, self._claim))
        self._wait()


async def _renew(claims: Claims, intent_id: str, claim: int) -> None:
    if not await claims.renew(intent_id, claim):
        log.warning("intent %s is held by somebody else, or done", intent_id)

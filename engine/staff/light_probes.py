"""Whom nobody has paid through for a while, and who is left alone: called, to see who answers.

A light probe can show that an operator is away, never that payments work: what it tells is what
`Balances` tells of every look, that an operator could not be reached. It moves no money, closes no
breaker and ends no pause (`engine/payments/decisions/0021`).
"""

import asyncio
import logging
from collections.abc import Mapping
from typing import NamedTuple

from engine.clock import Clock
from engine.payments.health_store import HealthStore
from engine.payments.watch import Health
from engine.ports import BalancePort, OperatorPort
from engine.staff.probes import Call, Probe, Probes, TooSoon

log = logging.getLogger(__name__)


class Pace(NamedTuple):
    """When an operator is called, in seconds. `quiet` 0: nobody ever is."""

    quiet: int = 300  # so long has nothing been heard of it
    between: int = 120  # two probes of one operator, by all processes together


class LightProbes:
    """The probes of one tenant; for one worker, though two do no harm."""

    def __init__(
        self,
        *,
        probes: Probes,
        health: Health,
        store: HealthStore,
        operators: Mapping[str, OperatorPort],
        clock: Clock,
        pace: Pace,
    ) -> None:
        """Of `operators` those are called that tell what they hold for us: no other call needs no
        customer's number.
        """
        self._probes = probes
        self._health = health
        self._store = store
        self._names = sorted(n for n, port in operators.items() if isinstance(port, BalancePort))
        self._clock = clock
        self._pace = pace
        self._began = clock.epoch()

    async def look(self) -> int:
        """Call whoever it is time for, all at once; how many there were. Raises what the pool does.

        A repeat calls nobody twice within the pace.
        """
        if not self._pace.quiet or not self._names:
            return 0
        due = await self._due()
        await asyncio.gather(*(self._call(name) for name in due))
        return len(due)

    async def _due(self) -> list[str]:
        now = self._clock.epoch()
        heard = await self._store.last_heard()
        called = await self._probes.last()
        alone = {lane.operator for lane in self._health.alarms()}
        return [
            name
            for name in self._names
            if (name in alone or now - max(heard.get(name, 0), self._began) >= self._pace.quiet)
            and now - _begun(called.get(name)) >= self._pace.between
        ]

    async def _call(self, operator: str) -> None:
        try:
            probe = await self._probes.call(operator, Call.BALANCE, None)
        except TooSoon:  # staff, or another worker
            return
        log.info("light probe of %s: %s in %s ms", operator, probe.outcome, probe.latency_ms)


def _begun(probe: Probe | None) -> float:
    return 0.0 if probe is None else probe.begun_ms / 1000

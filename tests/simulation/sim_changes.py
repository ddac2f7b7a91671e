"""SIMs that are changed before, while and after their numbers pay, and who tells of it.

Changes are of before the world began and of its own time. Who tells says the truth, nothing at all,
or anything: the change, one of before, one that never was, none, one that is still to come; late,
or with an error.
"""

import asyncio
import random
from datetime import datetime
from typing import TYPE_CHECKING

from engine.clock import moment_of
from engine.compliance.clearance import SimSeen
from engine.compliance.policy import SimPolicy
from engine.errors import OutcomeUnknown, Unreachable, Unreadable
from engine.msisdn import Msisdn
from engine.payments.sims import SIM_SECONDS, Sims
from tests.simulation.loop import CURRENT, Process
from tests.simulation.model import START
from tests.simulation.people import PEOPLE
from tests.simulation.sim_clearing import SimClearing, clearing_of
from tests.simulation.sim_laws import SimLaws

if TYPE_CHECKING:
    from tests.simulation.machine import Machine
    from tests.simulation.world import World

HOUR = 3600.0
HOUR_MS = 3_600_000
CHANGES = 8
HOURS_BEFORE = (0.1, 2.0, 60.0, 80.0, 700.0)
"""Of what was changed before the world began; none near the policy's own bound."""


class AskedSims(Sims):
    """A process's own, whose answers somebody else times."""

    changes: "SimChanges"
    process: Process

    async def of(self, operator: str, msisdn: Msisdn) -> SimSeen | None:
        began = self.changes.now
        seen = await super().of(operator, msisdn)
        self.changes.laws.on_answered(self.process, began)
        return seen


class SimChanges:
    """The SIMs of one world, and whoever tells about them; a `SimPort`."""

    tells_sims = True

    def __init__(self, world: "World", chance: random.Random) -> None:
        self._world = world
        self._chance = chance
        self._says = chance.choice(("truth", "anything", "anything", "nothing"))
        self.policy = SimPolicy(unknown=chance.choice(("pay", "hold")))
        self.told_about = chance.choice(
            (("mpesa_ke", "mtn_ug"), ("mpesa_ke", "mtn_ug"), ("mpesa_ke",))
        )
        self._changed: dict[str, list[int]] = {p.customer.msisdn: [] for p in PEOPLE}
        self.laws = SimLaws(world, self.policy)
        for changed in self._changed.values():
            if chance.random() < 0.6:
                hours = chance.choice(HOURS_BEFORE)
                changed.append(int(START * 1000 - hours * HOUR_MS))

    @property
    def now(self) -> float:
        return self._world.loop.time()

    @property
    def is_busy(self) -> bool:
        """Nobody waits for any of it."""
        return False

    def begin(self) -> None:
        """Some are changed now."""
        for _ in range(CHANGES):
            self._world.loop.outside(self._chance.random() * self._world.span, self._change)

    def _change(self) -> None:
        number = self._chance.choice(sorted(self._changed))
        self._changed[number].append(int((START + self.now) * 1000))
        self._world.happened["SIM changed"] += 1
        self._world.trace("SIM changed", number[-2:])

    def clearing(self, machine: "Machine") -> SimClearing:
        """Compliance of one process, as `channels/wiring.py` makes it."""
        sims = AskedSims(
            dict.fromkeys(self.told_about, self), machine.clock, monotonic=self._world.loop.time
        )
        sims.changes, sims.process = self, machine.process
        return clearing_of(self._world, machine, sims, self.policy, self.laws)

    # What is told of them.

    async def sim_changed_at(self, msisdn: Msisdn) -> datetime | None:
        """Whatever it says in time its process knows; an answer that nobody waits for is none."""
        process, began = CURRENT.get(), self.now
        is_calm = self._world.is_calm
        says = "truth" if is_calm else self._says
        if says != "truth" and self._chance.random() < 0.2:
            await asyncio.sleep(self._chance.uniform(SIM_SECONDS + 0.1, 60.0))
        else:
            await asyncio.sleep(self._chance.random() * 0.3)
        changed = self._changed[msisdn]
        newest = changed[-1] if changed else None
        if says == "nothing":
            raise self._chance.choice((Unreachable, Unreadable, OutcomeUnknown))("told", "nothing")
        told = newest if says == "truth" else self._anything(newest, changed)
        self._world.happened["SIM told"] += told is not None
        if process is not None and self.now - began < SIM_SECONDS:
            self.laws.on_told(process, msisdn, told)
        return None if told is None else moment_of(told)

    def _anything(self, newest: int | None, changed: list[int]) -> int | None:
        now_ms = int((START + self.now) * 1000)
        match self._chance.random():
            case fate if fate < 0.45:
                return newest
            case fate if fate < 0.55:
                return changed[0] if changed else None
            case fate if fate < 0.7:
                return None
            case fate if fate < 0.8:
                return now_ms - self._chance.randint(0, 60 * HOUR_MS)
            case fate if fate < 0.85:
                return now_ms + self._chance.randint(0, 3 * HOUR_MS)
        raise self._chance.choice((Unreachable, Unreadable, OutcomeUnknown))("told", "no SIM")

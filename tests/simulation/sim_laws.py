"""What must hold of payers whose SIM was changed.

By what a process was told in time: nothing leaves for a payee while a fresh change, or under
`unknown: hold` a silence, has not been ruled on by two people who were shown it; what they have
ruled on never holds that payment again; nobody waits for an answer longer than agreed on.
"""

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from engine.compliance.clearance import Action, judge, seen_in
from engine.compliance.policy import SimPolicy
from engine.decisions import Decision, Kind
from engine.ledger.entries import MANUAL_FROM
from engine.ledger.plans import NOTE, Plan
from engine.payments.facts import Ruling, read_step, read_terms
from engine.payments.lifecycle import State
from engine.payments.sims import KEPT_SECONDS, SIM_SECONDS
from tests.simulation.loop import CURRENT, Process
from tests.simulation.model import START

if TYPE_CHECKING:
    from tests.simulation.world import World

HOUR_MS = 3_600_000
SILENT = -1
"""Stands for a question that nobody answered, where a change has its epoch milliseconds."""


class Told(NamedTuple):
    """What a process was told in time, and when: None is no change."""

    at: float
    changed_ms: int | None


class Shown(NamedTuple):
    """From when on people could see it, in seconds of the loop."""

    at: float
    change: int


class SimLaws:
    """Watches one world."""

    def __init__(self, world: "World", policy: SimPolicy) -> None:
        self._world = world
        self._policy = policy
        self._clocks_differ = world.weather.clock_jump_per_hour > 0
        self._told: dict[tuple[Process, str], Told] = {}  # by number
        self._knew: dict[tuple[Process, str], int | None] = {}  # by payment, as it was looked at
        self._looked: dict[tuple[Process, str], float] = {}
        self._shown: defaultdict[str, list[Shown]] = defaultdict(list)
        self._ruled: defaultdict[str, set[int]] = defaultdict(set)  # whatever a restore forgot
        self._stands: defaultdict[str, set[int]] = defaultdict(set)  # since the last restore
        self._wrong: dict[int, tuple[Plan, str]] = {}
        world.model.watchers.append(self._on_plan)

    @property
    def _now(self) -> float:
        return self._world.loop.time()

    def restored(self) -> None:
        """What people ruled they may have to rule again."""
        self._stands.clear()

    # What a process knows.

    def on_told(self, process: Process, number: str, changed_ms: int | None) -> None:
        """An answer in time."""
        self._told[process, number] = Told(self._now, changed_ms)

    def on_answered(self, process: Process, began: float) -> None:
        """Whoever asked goes on."""
        if self._now - began > SIM_SECONDS + 0.1 and process.frozen_until <= began:
            self._broken("an answer about a SIM is waited for", seconds=f"{self._now - began:.1f}")

    def on_looked(self, process: Process, payment: str, number: str) -> None:
        """Compliance has looked at a payment before it is paid out."""
        told = self._told.get((process, number))
        self._looked[process, payment] = self._now
        if told is None or self._now - told.at > KEPT_SECONDS + SIM_SECONDS:
            self._knew[process, payment] = SILENT if self._policy.unknown == "hold" else None
        else:
            self._knew[process, payment] = told.changed_ms

    # What is done about it.

    def on_submit(self, plan: Plan) -> None:
        """A process wants a step; if money would leave by it, it must know that it may."""
        process = CURRENT.get()
        if plan.version == NOTE or plan.state != State.PAYING or process is None:
            return
        if plan.begins is None:
            return
        if (process, plan.payment) not in self._looked:
            self._wrong[id(plan)] = plan, "paid, and nobody asked about the payer's SIM"
            return
        change = self._knew[process, plan.payment]
        if change is None or not self._is_asked_of(plan.payment):
            return
        if change != SILENT and not self._is_fresh(change):
            return
        before = self._world.model.journal[plan.payment][-1].state
        if change not in self._ruled[plan.payment] | self._ruled_by(plan, before):
            self._wrong[id(plan)] = plan, "paid, and nobody has ruled on the payer's SIM"
            self._world.trace("knows", plan.payment, change, self._policy.unknown)

    def _is_asked_of(self, payment: str) -> bool:
        path = self._world.model.journal[payment]
        operator = read_terms(str(path[0].facts)).quote.payer_operator
        changes = self._world.sim_changes
        return changes is not None and operator in changes.told_about

    def _is_fresh(self, changed_ms: int) -> bool:
        """Whether it holds by any clock, a moment ago as well."""
        now_ms = (START + self._now) * 1000
        return now_ms - changed_ms < (self._policy.hold_hours - 1) * HOUR_MS

    # What is stored.

    def _on_plan(self, plan: Plan) -> None:
        _, law = self._wrong.pop(id(plan), (plan, ""))
        if law:
            self._broken(law, payment=plan.payment)
        if plan.version in (NOTE, 0) or plan.state >= MANUAL_FROM or plan.facts is None:
            return
        step = read_step(plan.facts)
        if plan.state in (State.PAYING, State.PAYOUT_QUEUED):
            before = self._world.model.journal[plan.payment][-2]
            ruled = self._ruled_by(plan, before.state)
            self._world.happened["SIM ruled on"] += bool(ruled)
            self._ruled[plan.payment] |= ruled
            self._stands[plan.payment] |= ruled
        for decision in step.decisions:
            if plan.state == State.ON_HOLD:
                self._check_held(plan.payment, decision)
            self.on_shown(plan.payment, decision)

    def _ruled_by(self, plan: Plan, before: int) -> set[int]:
        """What two people have ruled on by that step: what they could see as they asked for it."""
        step = read_step(plan.facts) if plan.facts is not None else None
        if before != State.ON_HOLD or not isinstance(step, Ruling) or step.proposal is None:
            return set()
        until = self._now
        proposal = self._world.model.proposals.get(step.proposal)
        if proposal is not None and not self._clocks_differ:
            until = proposal.made_ms / 1000 - START + 0.001
        return {shown.change for shown in self._shown[plan.payment] if shown.at <= until}

    def _check_held(self, payment: str, decision: Decision) -> None:
        """It is held for a change that stands in no ruling yet, or for something else."""
        change = _change_in(decision)
        if change is None or change not in self._stands[payment]:
            return
        seen = seen_in(decision)
        alone = judge(msgspec.structs.replace(seen, sim=None)) is Action.ALLOW
        if alone and judge(seen) is Action.HOLD:
            self._broken("held once more for what people have ruled on", payment=payment)

    def on_shown(self, payment: str, decision: Decision) -> None:
        """A decision is kept where people look."""
        change = _change_in(decision)
        if change is not None:
            self._world.happened["held for silence" if change == SILENT else "held for a SIM"] += 1
            self._shown[payment].append(Shown(self._now, change))
            self._world.trace("shown", payment, change)

    def _broken(self, law: str, **details: object) -> None:
        self._world.laws.broken(law, **details)


def _change_in(decision: Decision) -> int | None:
    """The change that a decision tells people of."""
    if decision.kind is not Kind.COMPLIANCE:
        return None
    seen = seen_in(decision)
    if seen.sim is None or not seen.thresholds.suspect(seen.sim):
        return None
    return SILENT if not seen.sim.is_told else seen.sim.changed_ms

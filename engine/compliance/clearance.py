"""May this payment happen: what was seen, and what follows from it. Pure, to be replayed.

What is seen holds no name and no full number: entries are named by the publisher's id.
"""

from enum import IntEnum

import msgspec

from engine.compliance.limits import Allowance
from engine.compliance.matching import Match
from engine.compliance.risk import Hit, Signals
from engine.decisions import Decision, Kind


class Action(IntEnum):
    """What is to be done with a payment. The numbers are stored: never renumber."""

    ALLOW = 0
    HOLD = 1  # a person looks before money goes to the payee
    REFUSE = 2


class SimSeen(msgspec.Struct, frozen=True):
    """What `told_by` said of the SIM of a payer. Stored: a new field comes last, with a default."""

    told_by: str
    is_told: bool  # not: no answer came in time
    changed_ms: int | None = None  # None: no change that they remember
    hours: int | None = None  # whole hours from then until it was asked
    is_ruled: bool = False  # people know of this very change, and have let the payment go on

    def is_same_as(self, other: "SimSeen | None") -> bool:
        """Whether both tell of one change, or both of nothing."""
        return other is not None and (self.is_told, self.changed_ms) == (
            other.is_told, other.changed_ms
        )  # fmt: skip


class Thresholds(msgspec.Struct, frozen=True):
    """From which score and which points on something is done."""

    name_hold: int
    name_refuse: int
    points_hold: int
    points_refuse: int
    sim_hours: int = 0  # a SIM that was changed within so many hours holds; 0: none does
    sim_unknown_holds: bool = False

    def suspect(self, sim: SimSeen | None) -> bool:
        """Whether who pays may not be whose wallet it is."""
        if sim is None or not self.sim_hours:
            return False
        if not sim.is_told:
            return self.sim_unknown_holds
        return sim.hours is not None and sim.hours < self.sim_hours

    def is_news(self, sim: SimSeen | None) -> bool:
        """Whether it is suspect, and nobody has ruled on it."""
        return sim is not None and not sim.is_ruled and self.suspect(sim)


class Resemblance(msgspec.Struct, frozen=True):
    """One side of the payment (`payer` or `payee`) resembles an entry of a list."""

    who: str
    match: Match


class Seen(msgspec.Struct, frozen=True):
    """All the decision rests on. Stored: a new field comes last and has a default."""

    thresholds: Thresholds
    lists: dict[str, int]  # list -> version in force
    collected: bool  # the money is already here: then a person decides instead of a refusal
    named: tuple[str, ...]  # whose names were known, and therefore compared
    resemblances: tuple[Resemblance, ...] = ()
    hits: tuple[Hit, ...] = ()
    signals: Signals | None = None
    tier: int | None = None
    amount_minor: int | None = None
    currency: str | None = None
    sim: SimSeen | None = None  # None: nobody is there who could tell

    @property
    def points(self) -> int:
        return sum(hit.points for hit in self.hits)

    @property
    def likeness(self) -> int:
        """The best score of any resemblance, 0 without one."""
        return max((r.match.score for r in self.resemblances), default=0)


class Clearance(msgspec.Struct, frozen=True):
    """The answer. `allowance` is None when a payment is looked at again."""

    action: Action
    decision: Decision
    allowance: Allowance | None
    reasons: tuple[str, ...]

    @property
    def is_hold(self) -> bool:
        return self.action is Action.HOLD


def judge(seen: Seen) -> Action:
    """What follows from what was seen, and from nothing else."""
    limits = seen.thresholds
    if seen.likeness >= limits.name_refuse or seen.points >= limits.points_refuse:
        return Action.HOLD if seen.collected else Action.REFUSE
    is_resembled = seen.likeness >= limits.name_hold
    if is_resembled or seen.points >= limits.points_hold or limits.is_news(seen.sim):
        return Action.HOLD
    return Action.ALLOW


def clear(seen: Seen, allowance: Allowance | None) -> Clearance:
    """The judgement with its record."""
    action = judge(seen)
    reasons = tuple(reasons_of(seen))
    decision = Decision(
        Kind.COMPLIANCE, action.name.lower(), "; ".join(reasons), msgspec.to_builtins(seen)
    )
    return Clearance(action, decision, allowance, reasons)


def reasons_of(seen: Seen) -> list[str]:
    """What spoke for and against, for staff: best resemblances, rules, what was not compared."""
    reasons = [
        f"{r.who} resembles {r.match.source}:{r.match.entry_id} name {r.match.name_number}"
        f" with {r.match.score} of 100, birth {r.match.birth}"
        for r in seen.resemblances
    ]
    reasons += [f"rule {hit.rule}: {hit.points} points" for hit in seen.hits]
    reasons += _of_sim(seen)
    if not seen.lists:
        reasons.append("no list loaded")
    elif not seen.named:
        reasons.append("no name known")
    return reasons


def _of_sim(seen: Seen) -> list[str]:
    sim = seen.sim
    if sim is None:
        return []
    if not sim.is_told:
        return [f"{sim.told_by} did not tell when the payer's SIM was changed"]
    if not seen.thresholds.suspect(sim):
        return []
    return [f"the payer's SIM was changed {sim.hours} hours before, as {sim.told_by} tells"]


def seen_in(decision: Decision) -> Seen:
    """What a stored decision rested on. Raises msgspec.ValidationError on another kind's."""
    return msgspec.convert(decision.inputs, Seen)


def replay(decision: Decision) -> Decision:
    """The decision made again from what it saw. Raises msgspec.ValidationError as `seen_in`."""
    return clear(seen_in(decision), None).decision

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


class Thresholds(msgspec.Struct, frozen=True):
    """From which score and which points on something is done."""

    name_hold: int
    name_refuse: int
    points_hold: int
    points_refuse: int


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
    if seen.likeness >= limits.name_hold or seen.points >= limits.points_hold:
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
    if not seen.lists:
        reasons.append("no list loaded")
    elif not seen.named:
        reasons.append("no name known")
    return reasons


def seen_in(decision: Decision) -> Seen:
    """What a stored decision rested on. Raises msgspec.ValidationError on another kind's."""
    return msgspec.convert(decision.inputs, Seen)


def replay(decision: Decision) -> Decision:
    """The decision made again from what it saw. Raises msgspec.ValidationError as `seen_in`."""
    return clear(seen_in(decision), None).decision

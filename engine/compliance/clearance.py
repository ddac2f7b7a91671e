"""May this payment happen: what was seen, and what follows from it. Pure, to be replayed.

What is seen holds no name and no full number: entries are named by the publisher's id.
"""

from collections.abc import Iterable
from enum import IntEnum
from typing import Any

import msgspec

from engine.compliance.limits import Allowance
from engine.compliance.lists.listed import Source
from engine.compliance.matching import Match
from engine.compliance.risk import Hit, Signals
from engine.decisions import Decision, Kind


class Action(IntEnum):
    """What is to be done with a payment. The numbers are stored: never renumber."""

    ALLOW = 0
    HOLD = 1  # a person looks before money goes to the payee
    REFUSE = 2
    WAIT = 3  # no list to compare with by now, where one is required: it is asked again later


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


class Thresholds(msgspec.Struct, frozen=True, omit_defaults=True):
    """From which score and which points on something is done."""

    name_hold: int
    name_refuse: int
    points_hold: int
    points_refuse: int
    sim_hours: int = 0  # a SIM that was changed within so many hours holds; 0: none does
    sim_unknown_holds: bool = False
    silence_holds: bool = False  # of an operator that was asked for a name

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


STAFF, OPERATOR, CLIENT = "staff", "operator", "client"
"""Whose word a name is: staff took it down, the operator told whose wallet it is, or the client
that asks for the payment said whom it pays.
"""


class Resemblance(msgspec.Struct, frozen=True, omit_defaults=True):
    """One side of the payment (`payer` or `payee`) resembles an entry of a list."""

    who: str
    match: Match
    named_by: str = STAFF


class Seen(msgspec.Struct, frozen=True):
    """All the decision rests on. Stored: a new field comes last and has a default."""

    thresholds: Thresholds
    lists: dict[str, int]  # list -> version in force
    collected: bool  # the money is already here: then a person decides instead of a refusal
    named: tuple[str, ...]  # whose names staff had taken down, and which were therefore compared
    resemblances: tuple[Resemblance, ...] = ()
    hits: tuple[Hit, ...] = ()
    signals: Signals | None = None
    tier: int | None = None
    amount_minor: int | None = None
    currency: str | None = None
    told: tuple[str, ...] = ()  # whose names their operator told; compared by these lists as well
    masked: tuple[str, ...] = ()  # whose names it told with letters hidden: nothing to compare
    known: tuple[Resemblance, ...] = ()  # decided on before, by these lists: no news
    sim: SimSeen | None = None  # None: nobody is there who could tell
    was_told: tuple[str, ...] = ()  # whose names it told, when other lists were in force
    ruled: tuple[SimSeen, ...] = ()  # the changes of that SIM that people let the payment go on by
    expected: tuple[str, ...] = ()  # whose names the client told, and which were compared as well
    silent: tuple[str, ...] = ()  # whose operator was asked for the name, and did not tell in time
    silence_known: tuple[str, ...] = ()  # of whom people knew that, and let the payment go on
    lacking: tuple[str, ...] = ()  # why nobody could be compared, where that is required

    @property
    def points(self) -> int:
        return sum(hit.points for hit in self.hits)

    @property
    def likeness(self) -> int:
        """The best score of any resemblance, 0 without one."""
        return _best(self.resemblances)

    @property
    def is_silence_news(self) -> bool:
        """Whether it matters that an operator told no name, and nobody has ruled on it."""
        return self.thresholds.silence_holds and bool({*self.silent} - {*self.silence_known})

    @property
    def news(self) -> tuple[Resemblance, ...]:
        """The resemblances that were not decided on before.

        An entry is news again where by now name and birth agree, and did not before.
        """
        known = {_entry(r): self._weight(r) for r in sorted(self.known, key=self._weight)}
        return tuple(r for r in self.resemblances if self._weight(r) > known.get(_entry(r), -1))

    @property
    def decided_on(self) -> tuple[Resemblance, ...]:
        """What need not be decided on again while the lists stay as they are, the best of each."""
        best = {_entry(r): r for r in sorted((*self.known, *self.resemblances), key=self._weight)}
        return tuple(r for r in best.values() if self._weight(r))

    def has_ruled(self, sim: SimSeen) -> bool:
        """Whether people know of that very change, or of that silence."""
        return any(sim.is_same_as(known) for known in (self.sim, *self.ruled))

    def _weight(self, found: Resemblance) -> int:
        limits, score = self.thresholds, found.match.score
        return (score >= limits.name_hold) + (score >= limits.name_refuse)


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
    if seen.lacking:
        return Action.WAIT
    limits, likeness = seen.thresholds, _best(seen.news)
    if likeness >= limits.name_refuse or seen.points >= limits.points_refuse:
        return Action.HOLD if seen.collected else Action.REFUSE
    is_resembled = likeness >= limits.name_hold
    if is_resembled or seen.points >= limits.points_hold:
        return Action.HOLD
    if limits.is_news(seen.sim) or seen.is_silence_news:
        return Action.HOLD
    return Action.ALLOW


def clear(seen: Seen, allowance: Allowance | None) -> Clearance:
    """The judgement with its record."""
    action = judge(seen)
    reasons = tuple(reasons_of(seen))
    decision = Decision(Kind.COMPLIANCE, action.name.lower(), "; ".join(reasons), _inputs_of(seen))
    return Clearance(action, decision, allowance, reasons)


def with_ruled(decision: Decision | None, shown: Iterable[Decision]) -> Decision | None:
    """The same decision where people have ruled on the changes of a SIM that they were `shown`.

    Without one it says of nothing else than of those, so that all else is compared anew; it stays
    as it is where they were shown none. Raises msgspec.ValidationError as `seen_in`.
    """
    suspected = [seen for seen in map(seen_in, shown) if seen.thresholds.suspect(seen.sim)]
    if not suspected:
        return decision
    before = _of_nothing(suspected[-1]) if decision is None else seen_in(decision)
    ruled = list(before.ruled)
    for sim in (seen.sim for seen in suspected):
        if sim is not None and not any(sim.is_same_as(known) for known in ruled):
            ruled.append(sim)
    return clear(msgspec.structs.replace(before, ruled=tuple(ruled)), None).decision


def of_sim_alone(decision: Decision | None) -> Decision | None:
    """What people have ruled on of the payer's SIM, and nothing of anybody's name; None: nothing.

    For terms with another payee. Raises msgspec.ValidationError as `seen_in`.
    """
    seen = seen_in(decision) if decision is not None else None
    if seen is None or not (seen.ruled or seen.thresholds.suspect(seen.sim)):
        return None
    sims = seen.ruled if seen.sim is None else (*seen.ruled, seen.sim)
    return clear(msgspec.structs.replace(_of_nothing(seen), ruled=sims), None).decision


def _of_nothing(seen: Seen) -> Seen:
    """By the same bounds, and by no list: where there are any, everything is compared anew."""
    return Seen(seen.thresholds, {}, collected=True, named=(), was_told=("payee",))


def reasons_of(seen: Seen) -> list[str]:
    """What spoke for and against, for staff: best resemblances, rules, what was not compared."""
    reasons = [
        f"{r.who} resembles {r.match.source}:{r.match.entry_id} name {r.match.name_number}"
        f" with {r.match.score} of 100, birth {r.match.birth}"
        f"{_BY.get(r.named_by, '')}"
        for r in seen.resemblances
    ]
    reasons += [f"{who}: the operator hides letters of the name" for who in seen.masked]
    reasons += [f"{who}: the operator did not tell the name in time" for who in seen.silent]
    reasons += [f"rule {hit.rule}: {hit.points} points" for hit in seen.hits]
    reasons += _of_sim(seen)
    if seen.lacking:
        return [*reasons, *seen.lacking]
    if not seen.lists:
        reasons.append("no list loaded")
    elif not (seen.named or seen.told or seen.expected):
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


_BY = {
    OPERATOR: ", as its operator names the wallet", CLIENT: ", as the client that asks names them",
}  # fmt: skip
_LATER = frozenset(
    {
        "told",
        "masked",
        "known",
        "sim",
        "was_told",
        "ruled",
        "expected",
        "silent",
        "silence_known",
        "lacking",
    }
)
"""Written down only where they say something: what was decided before they were is told alike."""


def _inputs_of(seen: Seen) -> dict[str, Any]:
    inputs: dict[str, Any] = msgspec.to_builtins(seen)
    return {name: value for name, value in inputs.items() if value or name not in _LATER}


def _entry(found: Resemblance) -> tuple[str, Source, str]:
    return found.who, found.match.source, found.match.entry_id


def _best(found: Iterable[Resemblance]) -> int:
    return max((r.match.score for r in found), default=0)


def seen_in(decision: Decision) -> Seen:
    """What a stored decision rested on. Raises msgspec.ValidationError on another kind's."""
    return msgspec.convert(decision.inputs, Seen)


def replay(decision: Decision) -> Decision:
    """The decision made again from what it saw. Raises msgspec.ValidationError as `seen_in`."""
    return clear(seen_in(decision), None).decision

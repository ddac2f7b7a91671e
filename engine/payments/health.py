"""What an operator's answers say about it: words, counts, and a belief. Pure.

It refuses to know who answered, how answers are stored, and what is done about them.
"""

from bisect import bisect_right
from collections.abc import Sequence
from enum import StrEnum
from operator import add
from typing import Protocol

import msgspec

from engine.errors import (
    OutcomeUnknown,
    ProviderError,
    Rejected,
    Throttled,
    Unreachable,
)
from engine.ports import Direction, Finding, Outcome, Reason

MILLION = 1_000_000


class Told(StrEnum):
    """What one call, or the end of one attempt, tells about the operator."""

    SUCCEEDED = "succeeded"  # money moved
    DECLINED = "declined"  # a definite no that lies with the customer: the operator works
    UNEXPLAINED = "unexplained"  # a definite no that no customer could mend, and we could not
    MISCONFIGURED = "misconfigured"  # a definite no because of our account or credentials there
    THROTTLED = "throttled"
    UNREACHABLE = "unreachable"
    UNCLEAR = "unclear"  # it may have been done


FAULT_POINTS = {
    Told.UNEXPLAINED: 1,
    Told.MISCONFIGURED: 2,
    Told.THROTTLED: 1,
    Told.UNREACHABLE: 2,
    Told.UNCLEAR: 2,
}
"""How much of the operator's fault each is; what counts in full has two points."""
FULL_POINTS = 2

_OF_REASON: dict[Reason | None, Told] = {
    Reason.CONFIGURATION: Told.MISCONFIGURED,
    Reason.OPERATOR_FAULT: Told.UNEXPLAINED,
}
_SUCCEEDED, _IT_WORKS = Outcome.SUCCEEDED, Told.SUCCEEDED
_UNSAID = (Reason.OTHER, None)
"""Whose matter the no is, the operator does not say."""
_OF_ERROR: tuple[tuple[type[ProviderError], Told], ...] = (
    (Throttled, Told.THROTTLED),
    (Unreachable, Told.UNREACHABLE),
    (OutcomeUnknown, Told.UNCLEAR),
)


def told_by_error(error: ProviderError, direction: Direction) -> Told | None:
    """What an error of an order says; None for one that does not speak of the operator."""
    if isinstance(error, Rejected):
        return _of_failure(Reason(error.reason), direction)
    if isinstance(error, Throttled) and (error.by_us or error.by_customer):
        return None
    return next((told for kind, told in _OF_ERROR if isinstance(error, kind)), None)


def told_by_finding(finding: Finding, direction: Direction) -> Told | None:
    """What the end of an attempt says; None while it has none, or one that tells nothing."""
    if finding.outcome is _SUCCEEDED:
        return _IT_WORKS
    if finding.outcome is not Outcome.FAILED:
        return None
    return _of_failure(finding.reason, direction)


class Record(Protocol):
    """Counts one answer of an operator; cheap, never waits, never raises (`watch.Health`)."""

    def __call__(
        self,
        operator: str,
        direction: Direction,
        told: Told | None,
        minor: int,
        *,
        began_at: float | None = None,
    ) -> None: ...


def unheard(
    operator: str,
    direction: Direction,
    told: Told | None,
    minor: int,
    *,
    began_at: float | None = None,
) -> None:
    """Counts nothing: for an engine that watches nobody's health."""
    del operator, direction, told, minor, began_at


def _of_failure(reason: Reason | None, direction: Direction) -> Told | None:
    """A no that nobody explains: payers say no all day, so of a collection it tells nothing.

    Of a payout nobody but the operator is there to say it.
    """
    if reason in _UNSAID:
        return None if direction is Direction.COLLECT else Told.UNEXPLAINED
    return _OF_REASON.get(reason, Told.DECLINED)


BANDS_PERCENT = (1, 5, 25)
"""Shares of an operator's largest amount at which the next band of amounts begins."""


def band_of(minor: int, minor_max: int) -> int:
    """Small amounts and large ones fail differently: 0 for the smallest band, 3 for the largest.

    An operator that cannot do it at all (`minor_max` 0) has the smallest band alone.
    """
    return 0 if minor_max <= 0 else bisect_right(BANDS_PERCENT, minor * 100 // minor_max)


class Tally(msgspec.Struct, frozen=True, array_like=True):
    """How often each was told; the fields are the values of `Told`."""

    succeeded: int = 0
    declined: int = 0
    unexplained: int = 0
    misconfigured: int = 0
    throttled: int = 0
    unreachable: int = 0
    unclear: int = 0

    @property
    def counts(self) -> tuple[int, ...]:
        """In the order of `Told`."""
        return msgspec.structs.astuple(self)

    @property
    def count(self) -> int:
        return sum(self.counts)

    @property
    def good_points(self) -> int:
        """In points, as the faults are."""
        return FULL_POINTS * (self.succeeded + self.declined)

    @property
    def fault_points(self) -> int:
        return sum(points * getattr(self, told) for told, points in FAULT_POINTS.items())

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(*map(add, self.counts, other.counts))


class HealthRules(msgspec.Struct, frozen=True, array_like=True):
    """How fast what was told is forgotten."""

    half_life_minutes: int = 30
    half_lives: int = 8  # what is older counts for nothing

    @property
    def memory_minutes(self) -> int:
        return self.half_life_minutes * self.half_lives


SHARE = 1 << 10
"""Beliefs are counted in 1/1024 points, so that halving stays exact."""


class Belief(msgspec.Struct, frozen=True, array_like=True):
    """A Beta distribution of success, in 1/1024 points; `unclear` is the part of `bad` that is.

    The default is the prior: twenty attempts of which one failed, half of that without an answer.
    """

    good: int = 19 * FULL_POINTS * SHARE
    bad: int = FULL_POINTS * SHARE
    unclear: int = SHARE

    @property
    def success_ppm(self) -> int:
        """The mean, in millionths, rounded down."""
        return self.good * MILLION // (self.good + self.bad)

    @property
    def unclear_ppm(self) -> int:
        """How likely nobody knows for a while whether the money left."""
        return self.unclear * MILLION // (self.good + self.bad)


PRIOR = Belief()


def believe(tallies: Sequence[Tally]) -> Belief:
    """The prior and what was told since; `tallies` are of whole half-lives, the newest first.

    A customer's own no says nothing about the chance of the next payment, so it is left out.
    """
    good, bad, unclear = PRIOR.good, PRIOR.bad, PRIOR.unclear
    for step, tally in enumerate(tallies):
        weight = SHARE >> step
        good += weight * FULL_POINTS * tally.succeeded
        bad += weight * tally.fault_points
        unclear += weight * FULL_POINTS * tally.unclear
    return Belief(good, bad, unclear)

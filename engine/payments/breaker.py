"""When an operator is left alone, and how it is tried again: one small state machine. Pure.

One breaker stands for one lane: an operator in one direction, and with it its country. A
customer's mistake never moves it. Times are epoch milliseconds and are passed in.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

from engine.decisions import Decision, Kind
from engine.payments.health import FAULT_POINTS, Tally, Told
from engine.ports import Direction

MINUTE_MS = 60_000
CLOCKS_APART_MS = 10_000
"""By so much the clocks of our processes may differ, and what one wrote still means the same to the
others; clocks that are kept (chrony) differ by thousandths of a second."""


class Lane(NamedTuple):
    """What one breaker guards."""

    operator: str
    direction: Direction


class Position(StrEnum):
    """Where a breaker stands."""

    CLOSED = "closed"  # all goes through
    OPEN = "open"  # nothing does
    HALF_OPEN = "half_open"  # a few small payments do, to find out


class BreakerRules(msgspec.Struct, frozen=True, array_like=True):
    """When it opens and for how long. A full fault has two points (`health.FAULT_POINTS`)."""

    streak_points: int = 10  # so many without anything good in between open it
    streak_gap_seconds: int = 900  # a fault after such a silence begins a new streak
    window_minutes: int = 5
    window_outcomes_min: int = 20  # fewer than this say nothing about a rate
    window_fault_percent: int = 50  # of the points of the window
    pause_seconds_first: int = 30
    pause_seconds_max: int = 900  # each pause is twice the one before, up to this
    probes_at_once: int = 3
    probe_seconds: int = 150  # a probe that told nothing for so long is counted as gone
    probe_percent_of_max: int = 5  # of the operator's largest amount: what a probe may move


class Breaker(msgspec.Struct, frozen=True, array_like=True):
    """`points` is the streak of faults so far, `pauses` how often it opened in a row."""

    position: Position = Position.CLOSED
    points: int = 0
    fault_ms: int = 0  # when the last fault was heard of
    since_ms: int = 0  # what began before says nothing about now
    until_ms: int = 0  # when its pause is over
    pauses: int = 0


def as_seen(breaker: Breaker, seen_ms: int) -> Breaker:
    """The breaker as one who first saw it so at `seen_ms` takes it, by a clock of their own.

    Whoever moved it may have a clock that is ahead. Else what begins before that time has come
    would say nothing, and a pause would last for longer by as much.
    """
    ahead_ms = max(breaker.since_ms - seen_ms, 0)
    return msgspec.structs.replace(
        breaker, since_ms=breaker.since_ms - ahead_ms, until_ms=breaker.until_ms - ahead_ms
    )


def held_until_max(now_ms: int, rules: BreakerRules) -> int:
    """Until when a probe can be waited for at most; what is to be waited for longer was lent by a
    clock that is ahead, and holds nobody up.
    """
    return now_ms + rules.probe_seconds * 1000 + CLOCKS_APART_MS


class Run(msgspec.Struct, frozen=True, array_like=True):
    """What was told in a row, summed up so that runs add like their parts.

    Fault points before the first good outcome, most between two, after the last, and good ones.
    """

    head: int = 0
    most: int = 0
    tail: int = 0
    goods: int = 0

    def __add__(self, later: "Run") -> "Run":
        return Run(
            self.head if self.goods else self.head + later.head,
            max(self.most, later.most, self.tail + later.head),
            later.tail if later.goods else self.tail + later.tail,
            self.goods + later.goods,
        )


NOTHING = Run()
_GOOD = Run(goods=1)
_FAULTS = {told: Run(points, points, points) for told, points in FAULT_POINTS.items()}


def run_of(outcomes: Iterable[Told]) -> Run:
    """What was told, in this order, as one run."""
    total = NOTHING
    for told in outcomes:
        total += _FAULTS.get(told, _GOOD)
    return total


class Moved(NamedTuple):
    """A breaker after something was told or time has passed, and why, if it changed position."""

    after: Breaker
    reason: str = ""


def move(breaker: Breaker, run: Run, window: Tally, now_ms: int, rules: BreakerRules) -> Moved:
    """The breaker after `run`; `window` is all that began in the last minutes and since it moved.

    While it is open nothing that is told counts: only the end of the pause does. While it is half
    open one fault among the probes outweighs any number of good ones.
    """
    if breaker.position is Position.OPEN:
        if now_ms < breaker.until_ms:
            return Moved(breaker)
        after = msgspec.structs.replace(breaker, position=Position.HALF_OPEN, since_ms=now_ms)
        return Moved(after, "the pause is over")
    if breaker.position is Position.HALF_OPEN:
        if run.most:
            return Moved(_opened(breaker, now_ms, rules), "a probe met a fault")
        if run.goods:
            return Moved(Breaker(since_ms=now_ms), "a probe was answered")
        return Moved(breaker)
    return _closed_after(breaker, run, window, now_ms, rules)


def _closed_after(
    breaker: Breaker, run: Run, window: Tally, now_ms: int, rules: BreakerRules
) -> Moved:
    stale = now_ms - breaker.fault_ms > rules.streak_gap_seconds * 1000
    points = 0 if stale else breaker.points
    if max(points + run.head, run.most) >= rules.streak_points:
        return Moved(_opened(breaker, now_ms, rules), "too many faults in a row")
    if run.most and _is_mostly_faulty(window, rules):
        return Moved(_opened(breaker, now_ms, rules), "too large a share of faults")
    after = msgspec.structs.replace(
        breaker,
        points=run.tail if run.goods else points + run.tail,
        fault_ms=now_ms if run.most else breaker.fault_ms,
    )
    return Moved(after)


def _is_mostly_faulty(window: Tally, rules: BreakerRules) -> bool:
    points = window.good_points + window.fault_points
    share = window.fault_points * 100
    return (
        window.count >= rules.window_outcomes_min and share >= points * rules.window_fault_percent
    )


def _opened(breaker: Breaker, now_ms: int, rules: BreakerRules) -> Breaker:
    pause = min(rules.pause_seconds_first << min(breaker.pauses, 20), rules.pause_seconds_max)
    return Breaker(
        Position.OPEN,
        since_ms=now_ms,
        until_ms=now_ms + pause * 1000,
        pauses=breaker.pauses + 1,
    )


class Inputs(msgspec.Struct, frozen=True):
    """All that one move of a breaker was decided from."""

    operator: str
    direction: Direction
    country: str
    breaker: Breaker
    run: Run
    window: Tally
    now_ms: int
    rules: BreakerRules


def decide(inputs: Inputs) -> tuple[Breaker, Decision | None]:
    """The breaker afterwards, and the decision to keep when its position changed."""
    moved = move(inputs.breaker, inputs.run, inputs.window, inputs.now_ms, inputs.rules)
    if moved.after.position is inputs.breaker.position:
        return moved.after, None
    plain: dict[str, Any] = msgspec.to_builtins(inputs)
    return moved.after, Decision(Kind.BREAKER, moved.after.position, moved.reason, plain)


def replay(decision: Decision) -> Decision | None:
    """The same move again; None when nothing would move. Raises msgspec.ValidationError."""
    return decide(msgspec.convert(decision.inputs, Inputs))[1]

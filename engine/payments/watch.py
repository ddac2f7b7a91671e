"""The health of operators as this process knows it, and how all processes come to agree on it.

What is told here is counted in memory and flushed about once a second; a crash loses what was not
flushed, and a lost reply of the database counts a second twice: these are statistics, no money.
It refuses to know payments: it hears of operators, directions, outcomes and amounts.
"""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from engine.clock import Clock, Ids
from engine.decision_log import Kept
from engine.decisions import Decision
from engine.outages import AWAY
from engine.payments.breaker import (
    MINUTE_MS,
    NOTHING,
    Breaker,
    BreakerRules,
    Inputs,
    Lane,
    Position,
    Run,
    as_seen,
    decide,
    held_until_max,
)
from engine.payments.counting import Bucket, Counting, Day, Watched
from engine.payments.health import (
    PRIOR,
    Belief,
    HealthRules,
    Tally,
    Told,
    band_of,
    believe,
)
from engine.payments.health_store import UNSTORED, HealthStore, Moved, Row
from engine.payments.ranking import Terms
from engine.ports import Direction, OperatorFacts

log = logging.getLogger(__name__)

TRIES_MAX = 5
BELIEF_SECONDS = 10.0
"""Beliefs, volumes and terms are read anew so often; breakers with every `tend`."""
FORGET_SECONDS = 600.0
DAY_SECONDS = 24 * 3600
_EPOCH_DAY = datetime(1970, 1, 1, tzinfo=UTC).toordinal()


class Vitals(NamedTuple):
    """All that is known of one lane, for one amount."""

    breaker: Position
    may_probe: bool
    belief: Belief
    moved: Moved
    terms: Terms


class Health:
    """Counts what operators tell, moves their breakers, and answers who may be called."""

    def __init__(
        self,
        *,
        store: HealthStore,
        operators: Mapping[str, OperatorFacts],
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._store = store
        self._operators = dict(operators)
        self._clock = clock
        self._ids = ids
        self._rules, self._breaker_rules = HealthRules(), BreakerRules()
        self._counting = Counting()
        self._breakers: dict[Lane, Row] = {}
        self._seen: dict[Watched, int] = {}
        self._beliefs: dict[tuple[Lane, int], Belief] = {}
        self._moved: dict[Lane, Moved] = {}
        self._terms: dict[Lane, Terms] = {}
        self._believed_at = self._forgotten_at = 0.0

    # What is told.

    def record(
        self,
        operator: str,
        direction: Direction,
        told: Told | None,
        minor: int,
        *,
        began_at: float | None = None,
    ) -> None:
        """Count one answer. Cheap, never waits, never raises; None counts for nothing.

        `began_at` is when the call, or for a finding the attempt, began (epoch seconds; now, if it
        is not known): what began before the breaker last moved is counted there and says nothing
        about the breaker as it stands.
        """
        facts = self._operators.get(operator)
        if facts is None or told is None:
            return
        now = self._clock.epoch()
        began = now if began_at is None else min(began_at, now)
        lane = Lane(operator, direction)
        band = self._band(lane, minor)
        self._counting.count(Bucket(int(began // 60), operator, direction, band), told)
        if told is Told.SUCCEEDED:
            self._counting.moved(Day(int(now // DAY_SECONDS), operator, direction), minor)
        breaker = self._breakers.get(lane, UNSTORED).breaker
        if began * 1000 >= self._as_seen(lane, breaker).since_ms:
            self._counting.extend(Watched(lane, breaker.since_ms), told)

    # What is asked.

    def may_disburse(self, operator: str) -> bool:
        """Whether payouts may be sent at once; else they queue, and `take_probe` lets some go."""
        return self._position(Lane(operator, Direction.DISBURSE)) is Position.CLOSED

    def may_try(self, operator: str, direction: Direction, minor: int) -> bool:
        """Whether something may be begun that will go there: while closed, and a small one while it
        is being tried again. Takes no probe. From memory.
        """
        lane = Lane(operator, direction)
        return self._position(lane) is Position.CLOSED or self._may_probe(lane, minor)

    async def take_probe(self, operator: str, direction: Direction, minor: int) -> bool:
        """Whether this one order may go now: always while closed, never while open.

        While half open the small ones may, a few at a time over all processes. False also when the
        database cannot be asked. A second call for the same order takes a second probe.
        """
        lane = Lane(operator, direction)
        if self._position(lane) is not Position.HALF_OPEN:
            return self._position(lane) is Position.CLOSED
        if minor > self._probe_minor_max(lane):
            return False
        rules, now_ms = self._breaker_rules, self._now_ms()
        try:
            return await self._store.take_probe(
                lane,
                self._country(lane),
                now_ms=now_ms,
                until_ms=now_ms + rules.probe_seconds * 1000,
                until_ms_max=held_until_max(now_ms, rules),
                at_once=rules.probes_at_once,
            )
        except AWAY as error:
            log.warning("no probe of %s: %s", operator, error)
            return False

    def vitals(self, operator: str, direction: Direction, minor: int) -> Vitals:
        """All that is known of an operator in one direction, for an amount. From memory."""
        lane = Lane(operator, direction)
        return Vitals(
            self._position(lane),
            self._may_probe(lane, minor),
            self._beliefs.get((lane, self._band(lane, minor)), PRIOR),
            self._moved.get(lane, Moved()),
            self._terms.get(lane, Terms()),
        )

    def alarms(self) -> dict[Lane, Row]:
        """The breakers that are not closed, as last read: what staff should look at."""
        return {
            lane: row
            for lane, row in self._breakers.items()
            if row.breaker.position is not Position.CLOSED
        }

    # How processes agree.

    async def tend(self) -> None:
        """Flush what was told, then read what all processes know. Raises what the pool raises."""
        await self.flush()
        await self.refresh()

    async def refresh(self) -> None:
        """Read breakers, end pauses that are over, and now and then all the rest anew."""
        self._breakers = await self._store.breakers()
        now_ms = self._now_ms()
        self._look_at_them(now_ms)
        for lane, row in list(self._breakers.items()):
            breaker = self._as_seen(lane, row.breaker)
            if breaker.position is Position.OPEN and now_ms >= breaker.until_ms:
                await self._move(Watched(lane, row.breaker.since_ms), NOTHING)
        if self._clock.apart(self._believed_at) >= BELIEF_SECONDS:
            await self._read_beliefs()
            self._believed_at = self._clock.epoch()
        if self._clock.apart(self._forgotten_at) >= FORGET_SECONDS:
            await self._store.forget(self._minute() - self._rules.memory_minutes)
            self._forgotten_at = self._clock.epoch()

    async def flush(self) -> None:
        """Store what was told and move the breakers by it. Raises what the pool raises.

        What could not be stored is kept for the next time.
        """
        counts, volumes = self._counting.take()
        if counts:
            try:
                await self._store.add(counts, volumes)
            except AWAY:
                self._counting.put_back(counts, volumes)
                raise
        runs = self._counting.take_runs()
        try:
            while runs:
                watched, run = next(iter(runs.items()))
                if self._matters(watched, run):
                    await self._move(watched, run)
                del runs[watched]
        except AWAY:
            for watched, run in runs.items():
                self._counting.put_back_run(watched, run)
            raise

    def _matters(self, watched: Watched, run: Run) -> bool:
        """Good answers change nothing where nothing was wrong: most seconds write no row."""
        breaker = self._breakers.get(watched.lane, UNSTORED).breaker
        return run.most > 0 or breaker.points > 0 or breaker.position is not Position.CLOSED

    async def _move(self, watched: Watched, run: Run) -> None:
        """Compare and set: whoever loses looks again and decides anew by what the winner left."""
        lane = watched.lane
        if lane.operator not in self._operators:  # another process calls it, this one does not
            return
        for _ in range(TRIES_MAX):
            row = await self._store.breaker(lane, self._country(lane))
            timely = row.breaker.since_ms == watched.since_ms
            before = self._as_seen(lane, row.breaker)
            inputs = await self._inputs(lane, before, run if timely else NOTHING)
            after, decision = decide(inputs)
            if after == before:
                return
            kept = Kept(self._ids.hex(), None, decision) if decision is not None else None
            if await self._store.move(lane, inputs.country, row, after, kept):
                self._breakers[lane] = row.moved(after, decision)
                if decision is not None:
                    _tell(lane, decision)
                return
        log.warning("breaker of %s was moved by others %d times in a row", lane.operator, TRIES_MAX)

    async def _inputs(self, lane: Lane, breaker: Breaker, run: Run) -> Inputs:
        window = await self._window(lane, breaker, run)
        country, rules = self._country(lane), self._breaker_rules
        return Inputs(*lane, country, breaker, run, window, self._now_ms(), rules)

    async def _window(self, lane: Lane, breaker: Breaker, run: Run) -> Tally:
        """Only faults can show that there are too many of them."""
        if breaker.position is not Position.CLOSED or not run.most:
            return Tally()
        oldest = self._minute() - self._breaker_rules.window_minutes
        return await self._store.window(lane, max(oldest, breaker.since_ms // MINUTE_MS))

    async def _read_beliefs(self) -> None:
        tallies = await self._store.tallies(self._minute(), self._rules)
        self._beliefs = {key: believe(steps) for key, steps in tallies.items()}
        today = self._clock.now().date()
        self._moved = await self._store.moved(
            today.toordinal() - _EPOCH_DAY, today.replace(day=1).toordinal() - _EPOCH_DAY
        )
        self._terms = await self._store.terms()

    def _look_at_them(self, now_ms: int) -> None:
        """Since when each stands as it does, by our clock: a moment that has not come is none."""
        stands = [Watched(lane, row.breaker.since_ms) for lane, row in self._breakers.items()]
        self._seen = {at: min(at.since_ms, now_ms, self._seen.get(at, now_ms)) for at in stands}

    # Small things.

    def _as_seen(self, lane: Lane, breaker: Breaker) -> Breaker:
        """By our clock; of one that was moved this moment, as it was written."""
        since_ms = breaker.since_ms
        return as_seen(breaker, self._seen.get(Watched(lane, since_ms), since_ms))

    def _position(self, lane: Lane) -> Position:
        return self._breakers.get(lane, UNSTORED).breaker.position

    def _may_probe(self, lane: Lane, minor: int) -> bool:
        row = self._breakers.get(lane, UNSTORED)
        if row.breaker.position is not Position.HALF_OPEN or minor > self._probe_minor_max(lane):
            return False
        now_ms = self._now_ms()
        until_ms_max = held_until_max(now_ms, self._breaker_rules)
        under_way = sum(now_ms < until_ms <= until_ms_max for until_ms in row.probes)
        return under_way < self._breaker_rules.probes_at_once

    def _probe_minor_max(self, lane: Lane) -> int:
        return self._minor_max(lane) * self._breaker_rules.probe_percent_of_max // 100

    def _band(self, lane: Lane, minor: int) -> int:
        return band_of(minor, self._minor_max(lane))

    def _minor_max(self, lane: Lane) -> int:
        facts = self._operators[lane.operator]
        pays = lane.direction is not Direction.COLLECT
        return facts.disburse_minor_max if pays else facts.collect_minor_max

    def _country(self, lane: Lane) -> str:
        return self._operators[lane.operator].country

    def _now_ms(self) -> int:
        return int(self._clock.epoch() * 1000)

    def _minute(self) -> int:
        return int(self._clock.epoch() // 60)


def _tell(lane: Lane, decision: Decision) -> None:
    """An opening is an alarm; the row stays for staff until it is closed."""
    level = logging.ERROR if decision.outcome == Position.OPEN else logging.WARNING
    direction, outcome = lane.direction.name, decision.outcome
    log.log(level, "breaker %s %s is %s: %s", lane.operator, direction, outcome, decision.reason)

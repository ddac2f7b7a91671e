"""Breakers and counts on a real Postgres: two processes, one opinion."""

import asyncio
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from channels.commands.seed import read_seeds, seed
from engine.clock import Ids
from engine.decision_log import DecisionLog, Kept
from engine.decisions import Decision, Kind
from engine.payments.breaker import Breaker, BreakerRules, Lane, Position
from engine.payments.health import PRIOR, Told
from engine.payments.health_store import UNSTORED, HealthStore, Moved
from engine.payments.ranking import Terms
from engine.payments.replays import differing
from engine.payments.watch import BELIEF_SECONDS, Health
from engine.ports import Direction
from tests.integration.world import TestClock, settings_for
from tests.unit.payments.examples import MPESA, MTN

COLLECT, DISBURSE, REFUND = Direction
PAYOUTS = Lane("mtn_ug", DISBURSE)
COLLECTS_LESS = msgspec.structs.replace(MPESA, collect_minor_max=MPESA.disburse_minor_max // 2)
OPERATORS = {"mpesa_ke": COLLECTS_LESS, "mtn_ug": MTN}
PAUSE = BreakerRules().pause_seconds_first
SMALL, LARGE = 28_000, 1_000_000
LARGEST_PROBE = MTN.disburse_minor_max // 20  # 5 %


@dataclass
class Processes:
    """Two of them on one database, and a clock that both look at."""

    one: Health
    two: Health
    clock: TestClock
    log: DecisionLog
    pool: Any

    async def tend(self) -> None:
        """Both tell what they heard, then both read what the other found."""
        await self.one.tend()
        await self.two.tend()
        await self.one.refresh()

    async def open(self) -> None:
        """Process one finds out; the other reads it."""
        told(self.one, Told.UNCLEAR, times=5)
        await self.tend()

    async def half_open(self) -> None:
        await self.open()
        self.clock.pass_(PAUSE)
        await self.tend()

    async def decisions(self) -> list[tuple[str, str]]:
        kept = await self.log.since(self.clock.now().replace(year=2000))
        assert differing(k.decision for k in kept) == []
        return [(k.decision.outcome, k.decision.reason) for k in kept]


def health(pool: Any, clock: TestClock) -> Health:
    return Health(store=HealthStore(pool, 1), operators=OPERATORS, clock=clock, ids=Ids(clock))


@pytest.fixture
def both(pool: Any) -> Processes:
    clock = TestClock()
    log = DecisionLog(pool, 1, Ids(clock))
    return Processes(health(pool, clock), health(pool, clock), clock, log, pool)


def told(
    health: Health, what: Told, *, times: int = 1, minor: int = SMALL, began_at: float | None = None
) -> None:
    for _ in range(times):
        health.record("mtn_ug", DISBURSE, what, minor, began_at=began_at)


def position(health: Health) -> Position:
    return health.vitals("mtn_ug", DISBURSE, SMALL).breaker


async def test_what_one_process_hears_closes_the_way_for_all(
    both: Processes, caplog: pytest.LogCaptureFixture
) -> None:
    await both.tend()
    assert both.two.may_disburse("mtn_ug")
    with caplog.at_level(logging.ERROR):
        await both.open()
    assert not both.one.may_disburse("mtn_ug")
    assert not both.two.may_disburse("mtn_ug")
    assert await both.two.take_probe("mtn_ug", COLLECT, SMALL)  # another breaker: that way is open
    assert both.two.may_disburse("mpesa_ke")
    assert not await both.two.take_probe("mtn_ug", DISBURSE, SMALL)
    assert [r.message for r in caplog.records] == [
        "breaker mtn_ug DISBURSE is open: too many faults in a row"
    ]
    assert not both.two.vitals("mtn_ug", DISBURSE, SMALL).may_probe  # before its pause is over
    (row,) = both.two.alarms().values()
    assert row.reason == "too many faults in a row"
    assert await both.decisions() == [("open", "too many faults in a row")]


async def test_faults_heard_by_two_processes_are_one_streak(both: Processes) -> None:
    told(both.one, Told.UNCLEAR, times=3)
    await both.tend()
    assert position(both.two) is Position.CLOSED
    told(both.two, Told.UNREACHABLE, times=2)
    await both.tend()
    assert position(both.one) is position(both.two) is Position.OPEN


async def test_a_good_answer_anywhere_ends_the_streak_everywhere(both: Processes) -> None:
    told(both.one, Told.UNCLEAR, times=4)
    await both.tend()
    told(both.two, Told.DECLINED)
    await both.tend()
    told(both.one, Told.UNCLEAR, times=4)
    await both.tend()
    assert position(both.one) is Position.CLOSED


async def test_a_few_faults_among_many_good_answers_open_nothing(both: Processes) -> None:
    for _ in range(5):
        for health in (both.one, both.two):
            told(health, Told.SUCCEEDED, times=40)
            told(health, Told.UNCLEAR)
        await both.tend()
    assert position(both.one) is Position.CLOSED


async def test_faults_of_both_are_added_to_one_share(both: Processes) -> None:
    for health in (both.one, both.two):
        for _ in range(5):
            told(health, Told.SUCCEEDED)
            told(health, Told.UNCLEAR)
    await both.tend()
    assert position(both.one) is position(both.two) is Position.OPEN
    assert await both.decisions() == [("open", "too large a share of faults")]


async def test_customers_mistakes_leave_it_closed(both: Processes) -> None:
    told(both.one, Told.DECLINED, times=500)
    await both.tend()
    assert position(both.two) is Position.CLOSED
    assert await both.pool.fetchval("select count(*) from breaker") == 0


async def test_processes_that_find_out_at_once_open_it_once(both: Processes) -> None:
    healths = [health(both.pool, both.clock) for _ in range(6)]
    for one in healths:
        told(one, Told.UNCLEAR, times=5)
    await asyncio.gather(*[one.tend() for one in healths])
    row = await both.pool.fetchrow("select version, pauses, position from breaker")
    assert tuple(row) == (1, 1, "open")
    assert len(await both.decisions()) == 1


async def test_after_the_pause_a_few_small_probes_go_over_all_processes(both: Processes) -> None:
    await both.half_open()
    assert position(both.one) is position(both.two) is Position.HALF_OPEN
    assert not both.one.may_disburse("mtn_ug")  # the queue asks for a probe
    assert both.one.vitals("mtn_ug", DISBURSE, SMALL).may_probe
    assert not both.one.vitals("mtn_ug", DISBURSE, LARGE).may_probe
    assert not await both.one.take_probe("mtn_ug", DISBURSE, LARGE)
    for minor in (LARGEST_PROBE, LARGEST_PROBE + 1):
        may = minor == LARGEST_PROBE
        assert both.one.vitals("mtn_ug", DISBURSE, minor).may_probe is may
    assert not await both.one.take_probe("mtn_ug", DISBURSE, LARGEST_PROBE + 1)
    assert await both.one.take_probe("mtn_ug", DISBURSE, LARGEST_PROBE)
    asked = [health.take_probe("mtn_ug", DISBURSE, SMALL) for health in (both.one, both.two) * 5]
    assert sum(await asyncio.gather(*asked)) == BreakerRules().probes_at_once - 1
    await both.tend()
    assert not both.two.vitals("mtn_ug", DISBURSE, SMALL).may_probe


async def test_what_a_collection_may_probe_goes_by_what_may_be_collected(both: Processes) -> None:
    for _ in range(5):
        both.one.record("mpesa_ke", COLLECT, Told.UNCLEAR, 100)
    await both.tend()
    both.clock.pass_(PAUSE)
    await both.tend()
    most = COLLECTS_LESS.collect_minor_max // 20
    may = [both.one.vitals("mpesa_ke", COLLECT, minor).may_probe for minor in (most, most + 1)]
    assert may == [True, False]


async def test_nobody_is_tried_while_the_database_cannot_be_asked(both: Processes) -> None:
    """Else each process would send its own, and whoever asks would fail."""
    await both.half_open()
    await both.pool.execute("alter table breaker rename to gone")
    assert not await both.one.take_probe("mtn_ug", DISBURSE, SMALL)
    await both.pool.execute("alter table gone rename to breaker")
    assert await both.one.take_probe("mtn_ug", DISBURSE, SMALL)


async def test_a_probe_that_tells_nothing_is_free_again_after_a_while(both: Processes) -> None:
    await both.half_open()
    while await both.one.take_probe("mtn_ug", DISBURSE, SMALL):
        pass
    both.clock.pass_(BreakerRules().probe_seconds)
    assert await both.two.take_probe("mtn_ug", DISBURSE, SMALL)


AHEAD = 180.0


@dataclass
class Apart:
    """Two processes on one database, one of which has a clock of its own."""

    right: Health
    other: Health
    clock: TestClock
    others_clock: TestClock

    async def half_open(self) -> None:
        """By the other's clock alone; it has read what it found."""
        told(self.other, Told.UNCLEAR, times=5)
        await self.other.tend()
        self.pass_(PAUSE)
        await self.other.tend()
        await self.right.tend()
        assert position(self.right) is position(self.other) is Position.HALF_OPEN

    def pass_(self, seconds: float) -> None:
        self.clock.pass_(seconds)
        self.others_clock.pass_(seconds)


@pytest.fixture
def apart(pool: Any) -> Apart:
    """The other's is minutes ahead."""
    clock, others_clock = TestClock(), TestClock()
    others_clock.pass_(AHEAD)
    return Apart(health(pool, clock), health(pool, others_clock), clock, others_clock)


async def test_who_moved_it_by_a_clock_ahead_keeps_nobody_from_being_heard(apart: Apart) -> None:
    """What began before the time by which it had moved said nothing, for as long as that took."""
    await apart.half_open()
    apart.pass_(1)
    assert await apart.right.take_probe("mtn_ug", DISBURSE, SMALL)
    told(apart.right, Told.SUCCEEDED)
    await apart.right.tend()
    assert position(apart.right) is Position.CLOSED


async def test_what_began_before_a_clock_ahead_moved_it_says_nothing_either(apart: Apart) -> None:
    before = apart.clock.epoch()
    apart.pass_(1)
    await apart.half_open()
    told(apart.right, Told.SUCCEEDED, began_at=before)
    await apart.right.tend()
    assert position(apart.right) is Position.HALF_OPEN


async def test_a_pause_by_a_clock_ahead_is_no_longer_than_any(apart: Apart) -> None:
    told(apart.other, Told.UNCLEAR, times=5)
    await apart.other.tend()
    await apart.right.tend()
    apart.pass_(PAUSE - 1)
    await apart.right.tend()
    assert position(apart.right) is Position.OPEN
    apart.pass_(1)
    await apart.right.tend()
    assert position(apart.right) is Position.HALF_OPEN


async def test_probes_that_a_clock_ahead_has_lent_are_soon_free(apart: Apart) -> None:
    """They were held until its time had come, and then for as long as any."""
    await apart.half_open()
    while await apart.other.take_probe("mtn_ug", DISBURSE, SMALL):
        pass
    await apart.right.tend()
    assert apart.right.vitals("mtn_ug", DISBURSE, SMALL).may_probe
    taken = [await apart.right.take_probe("mtn_ug", DISBURSE, SMALL) for _ in range(5)]
    assert sum(taken) == BreakerRules().probes_at_once
    apart.pass_(BreakerRules().probe_seconds)
    await apart.right.tend()
    assert apart.right.vitals("mtn_ug", DISBURSE, SMALL).may_probe
    assert await apart.right.take_probe("mtn_ug", DISBURSE, SMALL)


async def test_clocks_as_far_apart_as_usual_lend_no_probe_twice(pool: Any) -> None:
    clock, others_clock = TestClock(), TestClock()
    others_clock.pass_(5)
    apart = Apart(health(pool, clock), health(pool, others_clock), clock, others_clock)
    await apart.half_open()
    while await apart.other.take_probe("mtn_ug", DISBURSE, SMALL):
        pass
    await apart.right.tend()
    assert not apart.right.vitals("mtn_ug", DISBURSE, SMALL).may_probe
    assert not await apart.right.take_probe("mtn_ug", DISBURSE, SMALL)


async def test_whose_clock_was_put_back_hears_what_follows(both: Processes) -> None:
    both.clock.pass_(AHEAD)
    await both.half_open()
    both.clock.pass_(-AHEAD)
    await both.tend()
    both.clock.pass_(1)
    assert await both.one.take_probe("mtn_ug", DISBURSE, SMALL)
    told(both.one, Told.SUCCEEDED)
    await both.tend()
    assert position(both.two) is Position.CLOSED


async def test_a_probe_that_succeeds_opens_the_way_for_all(both: Processes) -> None:
    told(both.one, Told.UNCLEAR, times=50)
    await both.half_open()
    assert await both.one.take_probe("mtn_ug", DISBURSE, SMALL)
    both.clock.pass_(1)
    told(both.one, Told.SUCCEEDED)
    await both.tend()
    assert both.one.may_disburse("mtn_ug")
    assert both.two.may_disburse("mtn_ug")
    assert both.two.alarms() == {}
    assert [outcome for outcome, _ in await both.decisions()] == ["open", "half_open", "closed"]
    # The faults that had opened it are still in the window; they open nothing any more.
    told(both.two, Told.UNCLEAR)
    await both.tend()
    assert position(both.one) is Position.CLOSED


async def test_a_probe_that_fails_closes_the_way_for_longer(both: Processes) -> None:
    await both.half_open()
    while await both.one.take_probe("mtn_ug", DISBURSE, SMALL):
        pass
    told(both.two, Told.UNREACHABLE)
    await both.tend()
    both.clock.pass_(2 * PAUSE - 1)
    await both.tend()
    assert position(both.one) is Position.OPEN
    both.clock.pass_(1)
    await both.tend()
    assert position(both.one) is position(both.two) is Position.HALF_OPEN
    assert await both.one.take_probe("mtn_ug", DISBURSE, SMALL)  # those of last time are over


async def test_processes_that_see_the_pause_end_at_once_move_it_once(both: Processes) -> None:
    await both.open()
    both.clock.pass_(PAUSE)
    await asyncio.gather(*[health(both.pool, both.clock).tend() for _ in range(6)])
    assert [outcome for outcome, _ in await both.decisions()] == ["open", "half_open"]


async def test_whoever_has_not_seen_the_last_move_moves_nothing(both: Processes) -> None:
    await both.open()
    store, kept = (
        HealthStore(both.pool, 1),
        Kept("1" * 32, None, Decision(Kind.BREAKER, "", "", {})),
    )
    row = await store.breaker(PAYOUTS, "UG")
    for stale in (UNSTORED, row._replace(version=row.version - 1), row._replace(version=7)):
        assert not await store.move(PAYOUTS, "UG", stale, Breaker(), kept)
    assert (await store.breaker(PAYOUTS, "UG")).breaker.position is Position.OPEN
    assert await both.pool.fetchval("select count(*) from decision") == 1


async def test_what_began_before_the_breaker_moved_says_nothing_about_now(
    both: Processes,
) -> None:
    before = both.clock.epoch()
    await both.half_open()
    told(both.one, Told.UNCLEAR, began_at=before)
    await both.tend()
    assert position(both.two) is Position.HALF_OPEN
    told(both.one, Told.SUCCEEDED, began_at=before)
    await both.tend()
    assert position(both.two) is Position.HALF_OPEN


async def test_what_was_heard_before_somebody_else_moved_it_is_no_probe(both: Processes) -> None:
    await both.open()
    both.clock.pass_(PAUSE)
    told(both.two, Told.UNCLEAR)  # this process still thinks that it is open
    await both.one.tend()
    await both.two.tend()
    assert position(both.two) is Position.HALF_OPEN


async def test_beliefs_and_volumes_are_the_sum_of_all_processes(both: Processes) -> None:
    await both.tend()
    assert both.one.vitals("mtn_ug", DISBURSE, SMALL).belief == PRIOR
    told(both.one, Told.SUCCEEDED, times=30)
    told(both.two, Told.SUCCEEDED, times=30, minor=LARGE)
    told(both.two, Told.UNCLEAR, times=2)
    both.clock.pass_(BELIEF_SECONDS)
    await both.two.tend()
    await both.one.tend()
    small, large = (both.one.vitals("mtn_ug", DISBURSE, minor) for minor in (SMALL, LARGE))
    moved = 30 * SMALL + 30 * LARGE
    assert small.moved == large.moved == Moved(moved, moved)
    assert large.belief.success_ppm > PRIOR.success_ppm
    assert small.belief.success_ppm < large.belief.success_ppm
    assert small.belief.unclear_ppm > PRIOR.unclear_ppm
    both.clock.pass_(30 * 60)
    await both.one.tend()
    faded = both.one.vitals("mtn_ug", DISBURSE, LARGE).belief
    assert PRIOR.success_ppm < faded.success_ppm < large.belief.success_ppm


async def test_beliefs_are_read_on_where_the_clock_was_set_back(both: Processes) -> None:
    await both.tend()
    both.clock.pass_(-3600)
    told(both.two, Told.SUCCEEDED, times=30)
    await both.two.tend()
    await both.one.tend()
    assert both.one.vitals("mtn_ug", DISBURSE, SMALL).belief != PRIOR


async def test_a_month_is_its_days_and_no_other_months(both: Processes) -> None:
    store = HealthStore(both.pool, 1)
    days = {19_999: 1, 20_000: 20, 20_010: 300}
    for day, minor in days.items():
        await both.pool.execute(
            "insert into operator_volume values (1, $1, 'mtn_ug', 2, 1, $2)", day, minor
        )
    assert await store.moved(20_010, 20_000) == {PAYOUTS: Moved(300, 320)}
    assert await store.moved(20_009, 20_000) == {PAYOUTS: Moved(0, 20)}


async def test_volumes_are_known_of_today_and_of_its_month(both: Processes) -> None:
    while both.clock.now().day != 20:
        both.clock.pass_(24 * 3600)
    today = int(both.clock.epoch() // (24 * 3600))
    for days, minor in ((20, 1), (19, 20), (0, 300)):
        await both.pool.execute(
            "insert into operator_volume values (1, $1, 'mtn_ug', 2, 1, $2)", today - days, minor
        )
    await both.tend()
    assert both.one.vitals("mtn_ug", DISBURSE, SMALL).moved == Moved(300, 320)


async def test_terms_are_replaced_and_read(both: Processes) -> None:
    store = HealthStore(both.pool, 1)
    for terms in (Terms(day_minor_max=5), Terms(None, 7, 9, 50_000)):
        await store.set_terms(PAYOUTS, terms)
    await both.tend()
    assert both.two.vitals("mtn_ug", DISBURSE, SMALL).terms == Terms(None, 7, 9, 50_000)
    assert both.two.vitals("mtn_ug", COLLECT, SMALL).terms == Terms()


async def test_terms_are_seeded_with_the_rest(
    both: Processes, database_url: str, tmp_path: Path
) -> None:
    file = tmp_path / "seed.yaml"
    agreed = "{operator: mtn_ug, direction: disburse, day_minor_max: 5, canary_ppm: 10000}"
    file.write_text(f"rates: []\ncorridors: []\nfloats: []\nterms: [{agreed}]\n")
    for _ in range(2):
        await seed(settings_for(database_url), read_seeds(file), OPERATORS, both.clock)
    await both.tend()
    seeded = both.one.vitals("mtn_ug", DISBURSE, SMALL).terms
    assert seeded == Terms(day_minor_max=5, canary_ppm=10_000)


async def test_counts_of_long_ago_are_dropped(both: Processes) -> None:
    told(both.one, Told.SUCCEEDED, began_at=both.clock.epoch() - 5 * 3600)
    told(both.one, Told.SUCCEEDED)
    await both.tend()
    assert await both.pool.fetchval("select count(*) from operator_minute") == 1


async def test_another_tenants_breakers_are_not_ours(both: Processes) -> None:
    other = Health(
        store=HealthStore(both.pool, 2), operators=OPERATORS, clock=both.clock, ids=Ids(both.clock)
    )
    await both.open()
    await other.tend()
    assert other.may_disburse("mtn_ug")


async def test_an_operator_that_only_another_process_calls_is_left_to_it(both: Processes) -> None:
    """One of other settings, or of another version: its breakers are in the same table."""
    without = Health(
        store=HealthStore(both.pool, 1), operators={"mpesa_ke": COLLECTS_LESS}, clock=both.clock,
        ids=Ids(both.clock),
    )  # fmt: skip
    await both.open()
    both.clock.pass_(PAUSE)
    await without.tend()
    assert await both.pool.fetchval("select position from breaker") == "open"
    await both.tend()
    assert position(both.two) is Position.HALF_OPEN


async def test_recording_what_makes_no_sense_harms_nobody(both: Processes) -> None:
    both.one.record("nobody_xx", DISBURSE, Told.SUCCEEDED, 1)
    both.one.record("mtn_ug", DISBURSE, None, 1)
    both.one.record("mtn_ug", REFUND, Told.SUCCEEDED, 10**15, began_at=both.clock.epoch() + 99)
    await both.tend()
    minutes = await both.pool.fetchval("select array_agg(minute) from operator_minute")
    assert list(minutes) == [int(both.clock.epoch() // 60)]


async def test_while_the_database_is_away_nothing_is_lost_and_nothing_opens(
    database_url: str, both: Processes
) -> None:
    told(both.one, Told.UNCLEAR, times=5)
    told(both.one, Told.SUCCEEDED, minor=7)
    await both.pool.execute("alter table operator_minute rename to gone")
    with pytest.raises(Exception, match="operator_minute"):
        await both.one.tend()
    await both.pool.execute("alter table gone rename to operator_minute")
    told(both.one, Told.SUCCEEDED, minor=3)
    await both.tend()
    assert await both.pool.fetchval("select sum(unclear) from operator_minute") == 5
    assert await both.pool.fetchval("select sum(minor) from operator_volume") == 10
    assert position(both.two) is Position.OPEN

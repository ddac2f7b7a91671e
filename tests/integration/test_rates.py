"""The rate feed on a real Postgres: history, one decision however many processes, staleness."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from channels.commands.rates import confirm_rate, show_rates
from channels.commands.seed import SeedRate, Seeds, read_seeds, seed
from channels.environment import BadArgument
from channels.rates import build_feed
from channels.settings import read_settings
from channels.wiring import MENUS
from engine.decisions import Decision, Kind
from engine.errors import NoWayNow, OutcomeUnknown, StaffMistake
from engine.fx.consensus import HELD, NONE, Terms, question_of, replay
from engine.fx.feed import RateFeed, pairs_of
from engine.fx.rates import Rate, RateBook
from engine.fx.store import RateStore, patience_of
from engine.fx.table import RateTable
from engine.ports import Observation, Pair
from engine.texts import Texts
from simulator.operators.credentials import OPENEXCHANGERATES_SANDBOX_APP_ID
from simulator.operators.world import World
from simulator.rates import MarketSettings
from simulator.sandbox import Sandboxes, SandboxesSettings
from tests.integration.world import ENVIRONMENT, SEEDS, TestClock, open_world
from tests.until import until

pytestmark = pytest.mark.long("history on a real Postgres; tests/unit/fx has the decision")

KES_UGX = Pair("KES", "UGX")
HOUR = 3600


@dataclass
class ScriptedSource:
    """A source that says what a test tells it, at the time of the clock."""

    name: str
    clock: TestClock
    mid: str = "28.45"
    is_live: bool = True
    stale_after_seconds: int = HOUR
    error: Exception | None = None
    asked: int = 0
    closed: bool = False
    pairs: list[Sequence[Pair]] = field(default_factory=list)

    async def fetch(self, pairs: Sequence[Pair]) -> list[Observation]:
        self.asked += 1
        self.pairs.append(pairs)
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        return [Observation(pair, self.mid, self.now_ms()) for pair in pairs]

    def now_ms(self) -> int:
        return int(self.clock.epoch() * 1000)

    async def aclose(self) -> None:
        self.closed = True


@pytest.fixture
def clock() -> TestClock:
    return TestClock()


@pytest.fixture
def one(clock: TestClock) -> ScriptedSource:
    return ScriptedSource("one", clock)


@pytest.fixture
def two(clock: TestClock) -> ScriptedSource:
    return ScriptedSource("two", clock)


def feed_of(
    pool: Any,
    clock: TestClock,
    *sources: Any,
    every: int = 60,
    renew: int = 6 * HOUR,
    noted: list[Decision] | None = None,
    **terms: int,
) -> RateFeed:
    return RateFeed(
        sources=sources,
        pairs=pairs_of({"KES", "UGX"}),
        store=RateStore(pool, 1),
        terms=Terms(**terms),
        clock=clock,
        every_seconds=every,
        renew_seconds=renew,
        note=([] if noted is None else noted).append,
    )


async def again(clock: TestClock, *feeds: RateFeed) -> list[int]:
    clock.pass_(60)
    return list(await asyncio.gather(*(feed.refresh() for feed in feeds)))


async def book(pool: Any, clock: TestClock, stale_after_seconds: int = 24 * HOUR) -> RateBook:
    read = RateBook(1, clock, stale_after_seconds=stale_after_seconds)
    await read.refresh(pool)
    return read


async def decisions(pool: Any) -> list[str]:
    """Outcomes, the oldest first."""
    newest_first = await RateStore(pool, 1).history(KES_UGX, limit=1000)
    return [decided.decision.outcome for decided in reversed(newest_first)]


async def warm(pool: Any) -> None:
    """Open connections, so that what is done at once is really done at once."""
    await asyncio.gather(*(pool.fetchval("select pg_sleep(0.05)") for _ in range(4)))


async def count(pool: Any, table: str) -> int:
    return int(await pool.fetchval(f"select count(*) from {table}"))


async def write_table(pool: Any, clock: TestClock, base: str, quote: str, mid: str) -> None:
    await pool.execute(
        "insert into fx_rate (tenant, base, quote, at_ms, mid, source)"
        " values (1, $1, $2, $3, $4, 'seed')",
        base, quote, int(clock.epoch() * 1000), Decimal(mid),
    )  # fmt: skip


async def test_an_accepted_rate_counts_both_ways_and_tells_its_decision(
    pool: Any, clock: TestClock, one: ScriptedSource, two: ScriptedSource
) -> None:
    one.mid, two.mid = "28.4", "28.5"
    assert await feed_of(pool, clock, one, two).refresh() == 1
    read = await book(pool, clock)
    there, back = read.rate("KES", "UGX"), read.rate("UGX", "KES")
    now_ms = int(clock.epoch() * 1000)
    assert there == Rate("KES", "UGX", Decimal("28.45"), now_ms, now_ms)
    assert (back.mid, back.at_ms) == (Decimal("0.0351493848858"), there.at_ms)
    assert read.mid("KES", "UGX") == there.mid
    assert read.rate("KES", "KES") == Rate("KES", "KES", Decimal(1), 0, 0)
    row = await pool.fetchrow(
        "select d.decision from fx_rate r join fx_decision d on d.tenant = r.tenant"
        " and d.base = least(r.base, r.quote) and d.quote = greatest(r.base, r.quote)"
        " and d.at_ms = r.decided_ms where r.base = 'UGX' and r.at_ms = $1",
        back.at_ms,
    )
    decision = msgspec.json.decode(row["decision"], type=Decision)
    assert (decision.kind, decision.outcome) == (Kind.RATE, "28.45")
    assert replay(decision).decision == decision


async def test_every_word_is_kept_once_with_what_became_of_it(
    pool: Any, clock: TestClock, one: ScriptedSource, two: ScriptedSource
) -> None:
    three = ScriptedSource("three", clock, mid="284.5")
    feed = feed_of(pool, clock, one, two, three, every=0)
    for _ in range(3):
        await feed.refresh()  # the same words at the same time
    rows = await pool.fetch("select source, mid, verdict from fx_observation order by source")
    assert [tuple(row) for row in rows] == [
        ("one", Decimal("28.45"), "kept"),
        ("three", Decimal("284.5"), "outlier"),
        ("two", Decimal("28.45"), "kept"),
    ]
    assert await decisions(pool) == ["28.45"]


async def test_a_repeated_word_is_no_new_rate_and_a_newer_one_is(
    pool: Any, clock: TestClock, one: ScriptedSource, two: ScriptedSource
) -> None:
    noted: list[Decision] = []
    feed = feed_of(pool, clock, one, two, noted=noted)
    assert await feed.refresh() == 1
    assert await feed.refresh() == 0  # nobody is due
    assert await again(clock, feed) == [1]  # the same figure, known at a later time
    assert [decision.outcome for decision in noted] == ["28.45", "28.45"]
    assert await count(pool, "fx_rate") == 4
    assert one.asked == 2


@dataclass
class DailySource(ScriptedSource):
    """Says the same all day: its document's figure, and when that was made."""

    made_ms: int = 0

    async def fetch(self, pairs: Sequence[Pair]) -> list[Observation]:
        return [Observation(pair, self.mid, self.made_ms) for pair in pairs]


async def test_words_that_are_good_for_longer_than_a_rate_renew_it(
    pool: Any, clock: TestClock
) -> None:
    day, quarter = 24 * HOUR, HOUR // 4
    daily = DailySource("daily", clock, stale_after_seconds=36 * HOUR)
    weekly = DailySource("weekly", clock, stale_after_seconds=7 * day, made_ms=daily.now_ms())
    feed = feed_of(pool, clock, daily, weekly, every=quarter)
    for made_at in (0, 2 * HOUR, 5 * HOUR, 8 * HOUR):  # each day's document comes later
        for second in range(0, day, quarter):
            if second == made_at:
                daily.made_ms = daily.now_ms()
            await feed.refresh()
            (await book(pool, clock, stale_after_seconds=day)).mid("KES", "UGX")
            clock.pass_(quarter)
    assert 4 * 4 <= await count(pool, "fx_decision") <= 4 * 5
    rows = await pool.fetch("select distinct fingerprint from fx_decision")
    assert len(rows) == 4  # a document is a choice, the rest says it again


async def test_only_what_was_taken_is_renewed_and_only_by_words_that_are_fresh(
    pool: Any, clock: TestClock
) -> None:
    daily = DailySource("daily", clock, stale_after_seconds=20 * HOUR, made_ms=0)
    daily.made_ms = daily.now_ms()
    feed = feed_of(pool, clock, daily, sources_min=1, every=HOUR)
    for _ in range(20):
        await feed.refresh()
        clock.pass_(HOUR)
    assert await decisions(pool) == ["28.45"] * 4  # every six hours
    daily.mid, daily.made_ms = "31.3", daily.now_ms()
    for _ in range(30):  # a jump that nobody confirms, until it is stale
        await feed.refresh()
        clock.pass_(HOUR)
    assert await decisions(pool) == ["28.45"] * 4 + [HELD, NONE]


async def test_two_processes_ask_once_and_decide_once(
    pool: Any, clock: TestClock, one: ScriptedSource, two: ScriptedSource
) -> None:
    feeds = [feed_of(pool, clock, one, two) for _ in range(2)]
    for turn in range(1, 6):
        assert sum(await again(clock, *feeds)) == 1
        assert (one.asked, two.asked) == (turn, turn)
    assert await count(pool, "fx_decision") == 5
    assert await count(pool, "fx_rate") == 10


async def test_processes_that_all_ask_still_write_each_word_and_each_rate_once(
    pool: Any, clock: TestClock, one: ScriptedSource, two: ScriptedSource
) -> None:
    feeds = [feed_of(pool, clock, one, two, every=0) for _ in range(6)]
    for _ in range(5):
        assert sum(await again(clock, *feeds)) == 1
    assert one.asked == 30
    assert await count(pool, "fx_observation") == 10
    assert await count(pool, "fx_decision") == 5
    assert await count(pool, "fx_rate") == 10


async def test_processes_that_heard_different_sources_decide_on_all_of_them(
    pool: Any, clock: TestClock, one: ScriptedSource, two: ScriptedSource
) -> None:
    await warm(pool)
    store = RateStore(pool, 1)
    for mid in ("28.4", "28.5", "28.6"):
        clock.pass_(1)
        one.mid = two.mid = mid
        heard = [(source.name, (await source.fetch([KES_UGX]))[0]) for source in (one, two)]
        decided = await asyncio.gather(
            *(
                store.decide(
                    KES_UGX,
                    [word],
                    patience_of([one, two]),
                    Terms(),
                    one.now_ms(),
                    renew_after_ms=HOUR * 1000,
                )
                for word in heard
            )
        )
        assert None not in decided
        (newest,) = await store.history(KES_UGX)
        assert {word.mid for word in question_of(newest.decision).words} == {mid}


async def test_processes_whose_clocks_differ_a_little_ask_once(
    pool: Any, clock: TestClock, one: ScriptedSource
) -> None:
    behind = TestClock()
    behind._epoch = clock.epoch() - 2.0
    feeds = [feed_of(pool, clock, one, sources_min=1), feed_of(pool, behind, one, sources_min=1)]
    for feed in feeds:
        await feed.refresh()
    assert one.asked == 1


async def test_a_clock_set_back_does_not_stop_the_asking(
    pool: Any, clock: TestClock, one: ScriptedSource
) -> None:
    feed = feed_of(pool, clock, one, sources_min=1)
    await feed.refresh()
    clock.pass_(-600)
    assert await feed.refresh() == 0  # the newest word is from ten minutes ahead
    assert one.asked == 2
    assert (await book(pool, clock)).mid("KES", "UGX") == Decimal("28.45")
    clock.pass_(700)
    assert await feed.refresh() == 1
    assert await decisions(pool) == ["28.45", NONE, "28.45"]


@dataclass
class TrueSource(ScriptedSource):
    """One whose own time is right, whatever our clock says."""

    is_off_seconds: float = 0.0

    def now_ms(self) -> int:
        return int((self.clock.epoch() - self.is_off_seconds) * 1000)


async def test_after_a_clock_that_was_ahead_rates_are_renewed_and_go_stale_as_ever(
    pool: Any, clock: TestClock
) -> None:
    year = 365 * 24 * HOUR
    source = TrueSource("one", clock, stale_after_seconds=48 * HOUR)
    feed = feed_of(pool, clock, source, sources_min=1)
    assert await feed.refresh() == 1
    clock.pass_(year)
    source.is_off_seconds = year
    assert await feed.refresh() == 0  # by that clock the words are a year old
    clock.pass_(60 - year)
    source.is_off_seconds = 0.0
    assert await feed.refresh() == 1
    assert await decisions(pool) == ["28.45", NONE, "28.45"]
    source.error = OutcomeUnknown("one", "silent")
    clock.pass_(7 * HOUR)
    assert await feed.refresh() == 1  # renewed by the same words
    assert (await book(pool, clock)).mid("KES", "UGX") == Decimal("28.45")
    clock.pass_(25 * HOUR)
    with pytest.raises(NoWayNow):
        (await book(pool, clock)).mid("KES", "UGX")


async def test_what_a_clock_that_was_ahead_had_accepted_is_renewed_at_the_true_time(
    pool: Any, clock: TestClock
) -> None:
    days = 5 * 24 * HOUR
    weekly = TrueSource("weekly", clock, stale_after_seconds=7 * 24 * HOUR)
    feed = feed_of(pool, clock, weekly, sources_min=1)
    clock.pass_(days)
    weekly.is_off_seconds = days
    assert await feed.refresh() == 1
    weekly.error = OutcomeUnknown("weekly", "silent")
    clock.pass_(60 - days)
    with pytest.raises(NoWayNow):
        (await book(pool, clock)).mid("KES", "UGX")
    assert await feed.refresh() == 1
    assert (await book(pool, clock)).mid("KES", "UGX") == Decimal("28.45")


async def test_what_is_seeded_behind_a_clock_that_was_ahead_takes_its_place(
    database_url: str, pool: Any, clock: TestClock
) -> None:
    settings = read_settings({**ENVIRONMENT, "DATABASE_URL": database_url})

    async def say(mid: str) -> None:
        await seed(settings, Seeds([SeedRate("KES", "UGX", mid)], [], []), {}, clock)

    year = 365 * 24 * HOUR
    clock.pass_(year)
    await say("2.8")
    clock.pass_(-year)
    for _ in range(2):
        await say("28.45")
        assert await count(pool, "fx_rate") == 2
        assert (await book(pool, clock)).mid("KES", "UGX") == Decimal("28.45")
    table = RateTable(pool, 1, stale_after_seconds=HOUR)
    (said,) = await table.fetch([KES_UGX])
    assert (said.mid, said.at_ms) == ("28.45", int(clock.epoch() * 1000))


async def test_one_failing_source_disturbs_no_other_and_is_told(
    pool: Any, clock: TestClock, one: ScriptedSource, two: ScriptedSource, caplog: Any
) -> None:
    table = ScriptedSource("three", clock)
    feed = feed_of(pool, clock, one, two, table)
    two.error = OutcomeUnknown("two", "no answer to rely on", code="ReadTimeout")
    with caplog.at_level(logging.WARNING):
        assert await feed.refresh() == 1
    assert "no rates from two" in caplog.text
    failures = {asked.source: asked.failure for asked in await RateStore(pool, 1).asked()}
    assert failures == {"one": "", "two": "OutcomeUnknown: no answer to rely on", "three": ""}
    two.error = None
    await again(clock, feed)
    assert all(not asked.failure for asked in await RateStore(pool, 1).asked())


async def test_a_source_that_fell_silent_counts_by_its_last_word_until_that_is_stale(
    pool: Any, clock: TestClock, one: ScriptedSource, two: ScriptedSource
) -> None:
    feed = feed_of(pool, clock, one, two)
    await feed.refresh()
    two.error = OutcomeUnknown("two", "down")
    one.mid = "28.47"
    assert await again(clock, feed) == [1]
    clock.pass_(HOUR)
    assert await feed.refresh() == 0
    assert await decisions(pool) == ["28.45", "28.46", NONE]
    assert (await book(pool, clock)).mid("KES", "UGX") == Decimal("28.46")
    first = "select verdict from fx_observation order by seen_ms, source"
    assert [row["verdict"] for row in await pool.fetch(first)] == ["kept"] * 4


async def test_a_word_from_the_future_hides_none_of_its_source(
    pool: Any, clock: TestClock, one: ScriptedSource
) -> None:
    feed = feed_of(pool, clock, one, sources_min=1)
    ahead = TestClock()
    ahead._epoch = clock.epoch() + 10 * HOUR
    one.clock, one.mid = ahead, "99"
    assert await feed.refresh() == 0
    one.clock, one.mid = clock, "28.45"
    assert await again(clock, feed) == [1]
    assert await decisions(pool) == [NONE, "28.45"]


async def test_a_jump_is_held_and_alarms_and_staff_may_take_it_once(
    pool: Any, clock: TestClock, one: ScriptedSource, caplog: Any
) -> None:
    feed, store = feed_of(pool, clock, one, sources_min=1), RateStore(pool, 1)
    await feed.refresh()
    one.mid = "31.3"
    with caplog.at_level(logging.ERROR):
        assert await again(clock, feed) == [0]
    assert "rate of KES/UGX held: a jump from 28.45 to 31.3" in caplog.text
    assert (await book(pool, clock)).mid("KES", "UGX") == Decimal("28.45")

    (held,) = await store.history(KES_UGX)
    assert held.decision.outcome == HELD
    await warm(pool)
    now_ms = int(clock.epoch() * 1000)
    assert await store.confirm(KES_UGX, held.at_ms - 1, "amina", now_ms) is None
    asked_at_once = [store.confirm(KES_UGX, held.at_ms, "amina", now_ms) for _ in range(3)]
    taken = [decided for decided in await asyncio.gather(*asked_at_once) if decided]
    assert [decided.decision.outcome for decided in taken] == ["31.3"]
    (newest,) = await store.history(KES_UGX)
    assert (newest.confirmed_by, newest.decision.reason) == (
        "amina",
        "the median of 1 of 1 sources; a jump that staff confirmed",
    )
    assert replay(newest.decision).decision == newest.decision
    assert (await book(pool, clock)).mid("KES", "UGX") == Decimal("31.3")
    assert await again(clock, feed) == [1]  # from here it is no jump


async def test_a_held_rate_that_went_stale_or_was_overtaken_is_not_taken(
    pool: Any, clock: TestClock, one: ScriptedSource
) -> None:
    feed, store = feed_of(pool, clock, one, sources_min=1), RateStore(pool, 1)
    await feed.refresh()
    one.mid = "31.3"
    await again(clock, feed)
    (held,) = await store.history(KES_UGX)
    one.mid = "32.0"
    await again(clock, feed)
    (newer,) = await store.history(KES_UGX)
    now_ms = int(clock.epoch() * 1000)
    assert await store.confirm(KES_UGX, held.at_ms, "amina", now_ms) is None
    too_late_ms = now_ms + HOUR * 1000 + 1
    assert await store.confirm(KES_UGX, newer.at_ms, "amina", too_late_ms) is None
    assert await decisions(pool) == ["28.45", HELD, HELD]
    assert await count(pool, "fx_rate") == 2


async def test_two_live_sources_confirm_a_jump_by_themselves(
    pool: Any, clock: TestClock, one: ScriptedSource, two: ScriptedSource
) -> None:
    feed = feed_of(pool, clock, one, two)
    await feed.refresh()
    one.mid = two.mid = "40"
    assert await again(clock, feed) == [1]
    assert (await book(pool, clock)).mid("KES", "UGX") == Decimal(40)
    one.mid = two.mid = "400"
    assert await again(clock, feed) == [0]  # ten times as much: only staff can


async def test_the_table_alone_is_enough_where_settings_say_so_and_each_way_round(
    pool: Any, clock: TestClock
) -> None:
    await write_table(pool, clock, "UGX", "KES", "0.04")
    table = RateTable(pool, 1, stale_after_seconds=HOUR)
    assert await feed_of(pool, clock, table).refresh() == 0  # two are needed
    assert await again(clock, feed_of(pool, clock, table, sources_min=1)) == [1]
    assert (await book(pool, clock)).mid("KES", "UGX") == Decimal(25)
    clock.pass_(HOUR)
    assert await feed_of(pool, clock, table, sources_min=1).refresh() == 0  # the table went stale


async def test_a_pair_that_the_table_has_both_ways_is_read_as_it_is_asked_for(
    pool: Any, clock: TestClock
) -> None:
    """Turned round the other one may be another rate: each was rounded by whoever wrote it."""
    await write_table(pool, clock, "UGX", "KES", "0.04")
    await write_table(pool, clock, "KES", "UGX", "28.45")
    table = RateTable(pool, 1, stale_after_seconds=HOUR)
    said = await table.fetch([KES_UGX, Pair("UGX", "KES")])
    assert [(each.pair, each.mid) for each in said] == [
        (KES_UGX, "28.45"), (Pair("UGX", "KES"), "0.04"),
    ]  # fmt: skip


@pytest.mark.parametrize("seconds", [HOUR, -HOUR])
async def test_a_rate_prices_until_it_is_as_old_as_it_may_be_and_no_longer(
    pool: Any, clock: TestClock, seconds: int
) -> None:
    """Nor does one of a clock that is as far ahead."""
    await write_table(pool, clock, "KES", "UGX", "28.45")
    rates = await book(pool, clock, stale_after_seconds=HOUR)
    (rate,) = rates.known()
    clock.pass_(rate.accepted_ms / 1000 - clock.epoch())  # what is stored ends with a millisecond
    clock.pass_(seconds)
    assert rates.mid("KES", "UGX") == Decimal("28.45")
    clock.pass_(seconds / HOUR)
    with pytest.raises(NoWayNow):
        rates.mid("KES", "UGX")
    assert [rates.is_stale(rate) for rate in rates.known()] == [True]


async def test_rates_are_read_on_after_the_database_was_away(
    pool: Any, clock: TestClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Else a process would go on with what it knew, and price nothing once that is stale."""

    class Away:
        """Nobody answers twice, and then the database does."""

        times = 2

        async def fetch(self, *query: Any) -> Any:
            if self.times:
                self.times -= 1
                raise ConnectionRefusedError("nobody answers")
            return await pool.fetch(*query)

    rates = await book(pool, clock)
    assert rates.known() == []
    await write_table(pool, clock, "KES", "UGX", "28.45")
    reading = asyncio.create_task(rates.keep_fresh(Away(), 0.001))
    try:
        await until(lambda: rates.known() or reading.done())
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
    assert rates.mid("KES", "UGX") == Decimal("28.45")
    assert caplog.text.count("rates not refreshed: nobody answers") == 2


@pytest.mark.parametrize("mid", ["104.5454545454545454545454545", "NaN", "Infinity", "1e-30"])
async def test_a_row_that_is_no_rate_takes_no_other_rate_with_it(
    pool: Any, clock: TestClock, one: ScriptedSource, mid: str, caplog: pytest.LogCaptureFixture
) -> None:
    await write_table(pool, clock, "GHS", "NGN", mid)
    await write_table(pool, clock, "KES", "UGX", "28.45")
    table = RateTable(pool, 1, stale_after_seconds=HOUR)
    pairs = pairs_of({"GHS", "NGN", "KES", "UGX"})
    assert [said.pair for said in await table.fetch(pairs)] == [KES_UGX]
    assert "GHS/NGN" in caplog.text
    await table.fetch([Pair("NGN", "GHS")])  # the other way round neither
    assert await feed_of(pool, clock, one, table).refresh() == 1
    assert (await book(pool, clock)).mid("KES", "UGX") == Decimal("28.45")


@pytest.mark.parametrize("mid", ["104.5454545454545454545454545", "NaN", "Infinity"])
async def test_a_row_that_is_no_rate_does_not_stop_live_sources_of_its_pair(
    pool: Any, clock: TestClock, one: ScriptedSource, two: ScriptedSource, mid: str
) -> None:
    await write_table(pool, clock, "KES", "UGX", mid)
    table = RateTable(pool, 1, stale_after_seconds=HOUR)
    one.mid = two.mid = "104.5"
    assert await feed_of(pool, clock, one, two, table).refresh() == 1
    assert (await book(pool, clock)).mid("KES", "UGX") == Decimal("104.5")


@pytest.mark.parametrize("mid", ["NaN", "Infinity"])
async def test_a_row_that_is_no_number_prices_nothing(
    pool: Any, clock: TestClock, mid: str
) -> None:
    await write_table(pool, clock, "KES", "UGX", "28.45")
    clock.pass_(1)
    await write_table(pool, clock, "KES", "UGX", mid)
    await write_table(pool, clock, "GHS", "NGN", "104.5")
    read = await book(pool, clock)
    with pytest.raises(NoWayNow):
        read.mid("KES", "UGX")
    assert read.mid("GHS", "NGN") == Decimal("104.5")
    clock.pass_(1)
    await write_table(pool, clock, "KES", "UGX", "28.5")
    assert (await book(pool, clock)).mid("KES", "UGX") == Decimal("28.5")


@pytest.mark.parametrize(
    "slip", ["spread_bp = -150", "payout_cost_minor = -1", "fee_minor = -1", "fee_bp = 10001"]
)
async def test_a_corridor_whose_terms_make_no_sense_is_closed_and_told_once(
    seeded_url: str, caplog: pytest.LogCaptureFixture, slip: str
) -> None:
    """Its payments would be collected and paid out, and the books would refuse to say so."""
    async with open_world(seeded_url) as world:
        book = RateBook(1, world.clock, stale_after_seconds=86_400)
        await world.pool.execute(f"update corridor set {slip} where payer_operator = 'mpesa_ke'")
        for _ in range(3):
            await book.refresh(world.pool)
        with pytest.raises(NoWayNow, match=r"no_way\.corridor"):
            book.corridor("mpesa_ke", "mtn_ug")
        assert book.corridor("mtn_ug", "mpesa_ke").spread_bp > 0
        told = [r.getMessage() for r in caplog.records if "makes no sense" in r.getMessage()]
        assert told == [
            f"mpesa_ke to mtn_ug is closed: its {slip.split()[0]} makes no sense; seed it anew"
        ]


async def test_the_table_prices_until_the_first_rate_is_accepted_and_never_over_it(
    pool: Any, clock: TestClock, one: ScriptedSource, two: ScriptedSource
) -> None:
    await write_table(pool, clock, "KES", "UGX", "28.0")
    assert (await book(pool, clock)).mid("KES", "UGX") == Decimal("28.0")
    feed = feed_of(pool, clock, one, two)
    await feed.refresh()  # in the very millisecond of the table's row
    assert (await book(pool, clock)).mid("KES", "UGX") == Decimal("28.45")
    clock.pass_(1)
    await write_table(pool, clock, "KES", "UGX", "2.8")  # a slip of the hand
    assert (await book(pool, clock)).mid("KES", "UGX") == Decimal("28.45")
    assert await again(clock, feed) == [1]  # nor is it what a jump is measured from


async def test_another_tenant_sees_nothing_of_it(
    pool: Any, clock: TestClock, one: ScriptedSource
) -> None:
    await feed_of(pool, clock, one, sources_min=1).refresh()
    other = RateBook(2, clock, stale_after_seconds=HOUR)
    await other.refresh(pool)
    assert other.known() == []
    assert await RateStore(pool, 2).history() == []
    assert await RateStore(pool, 2).asked() == []


async def test_a_mistake_in_an_adapter_is_not_swallowed(
    pool: Any, clock: TestClock, one: ScriptedSource
) -> None:
    one.error = KeyError("rates")
    with pytest.raises(KeyError):
        await feed_of(pool, clock, one).refresh()


async def test_closing_the_feed_closes_its_sources(
    pool: Any, clock: TestClock, one: ScriptedSource, two: ScriptedSource
) -> None:
    await feed_of(pool, clock, one, two).aclose()
    assert one.closed and two.closed


async def test_a_restart_with_all_sources_down_lives_by_the_last_rate_until_it_is_stale(
    database_url: str,
) -> None:
    clock = TestClock()
    async with open_world(database_url, clock=clock) as world:
        sources = [ScriptedSource(name, clock, mid="29") for name in ("one", "two")]
        assert await feed_of(world.pool, clock, *sources).refresh() == 1
    async with open_world(database_url, clock=clock, seeded=False) as world:
        for source in sources:
            source.error = OutcomeUnknown(source.name, "down")
        feed = feed_of(world.pool, clock, *sources)
        assert await again(clock, feed) == [0]
        assert (await world.quote()).mid == "29"

        clock.pass_(86_400)
        before = await count(world.pool, "journal")
        with pytest.raises(NoWayNow) as refused:
            await world.quote()
        sentence = Texts.load(MENUS / "texts").render("en", refused.value.text_key)
        assert "Nothing was charged. Please try again" in sentence
        assert await count(world.pool, "journal") == before
        assert world.mpesa.orders == world.mtn.orders == []

        for source in sources:
            source.error = None
        assert await again(clock, feed) == [1]
        read = await book(world.pool, clock)
        assert read.mid("KES", "UGX") == Decimal(29)


async def test_seeding_again_says_the_table_anew_after_a_day(database_url: str, pool: Any) -> None:
    clock = TestClock()
    async with open_world(database_url, clock=clock):
        assert await count(pool, "fx_rate") == 2
    async with open_world(database_url, clock=clock):
        assert await count(pool, "fx_rate") == 2
    clock.pass_(86_400)
    async with open_world(database_url, clock=clock):
        assert await count(pool, "fx_rate") == 4


@asynccontextmanager
async def demo(
    database_url: str, clock: TestClock
) -> AsyncIterator[tuple[Sandboxes, dict[str, str]]]:
    """The sandboxes, and an environment that names them."""
    settings = SandboxesSettings(
        world=World(clock=clock.now), market=MarketSettings(noise_bp=0, publish_seconds=1)
    )
    async with Sandboxes.start(settings) as sandboxes:
        yield (
            sandboxes,
            {
                **ENVIRONMENT,
                "DATABASE_URL": database_url,
                "CAPP_RATE_SOURCES": "openexchangerates,floatrates",
                "CAPP_RATE_FETCH_SECONDS": "0",
                "CAPP_OPENEXCHANGERATES_BASE_URL": f"{sandboxes.openexchangerates_url}/api",
                "CAPP_OPENEXCHANGERATES_APP_ID": OPENEXCHANGERATES_SANDBOX_APP_ID,
                "CAPP_FLOATRATES_BASE_URL": f"{sandboxes.floatrates_url}/daily",
            },
        )


async def test_the_whole_way_from_two_sources_over_http_to_a_price_and_the_command(
    database_url: str, pool: Any
) -> None:
    said: list[str] = []
    clock = TestClock()
    clock.pass_(-60)  # the command looks at the real clock
    async with demo(database_url, clock) as (sandboxes, environment):
        settings = read_settings(environment)
        currencies, noted = ["UGX", "KES"], list[Decision]()
        feed = build_feed(
            settings, pool=pool, clock=clock, currencies=currencies, note=noted.append
        )
        try:
            await seed(settings, Seeds([SeedRate("KES", "UGX", "28.45")], [], []), {}, clock)
            assert await feed.refresh() == 1
            assert (await book(pool, clock)).mid("KES", "UGX") == Decimal("28.45")
            assert await show_rates(settings, 1, said.append)

            prices = {**sandboxes.floatrates.settings.per_dollar, "UGX": Decimal(36757)}
            sandboxes.floatrates.settings.per_dollar = prices
            clock.pass_(30)
            assert await feed.refresh() == 1  # the wild one is dropped
            assert (await book(pool, clock)).mid("KES", "UGX") == Decimal("28.45")
            assert await show_rates(settings, 2, said.append)
        finally:
            await feed.aclose()
    text = "\n".join(said)
    assert "KES/UGX  28.45  accepted" in text
    assert "floatrates" in text
    assert "DROPPED as outlier" in text
    assert "answers" in text


async def test_the_command_tells_what_is_held_and_takes_it(database_url: str, pool: Any) -> None:
    said: list[str] = []
    settings = read_settings({**ENVIRONMENT, "DATABASE_URL": database_url})
    clock = TestClock()
    clock.pass_(-60)  # the command looks at the real clock
    source = ScriptedSource("one", clock)
    feed = feed_of(pool, clock, source, sources_min=1)
    await feed.refresh()
    source.mid = "40"
    await again(clock, feed)
    assert not await show_rates(settings, 1, said.append)
    (line,) = [line for line in said if "--confirm" in line]
    held = line.split("--confirm ")[1].split()[0]
    assert not await confirm_rate(settings, "KES/UGX@1", "amina", said.append)
    for named, by in ((held, None), ("KES", "amina"), ("KES/UGX@now", "amina")):
        with pytest.raises(BadArgument, match=r"^wants --confirm KES/UGX@"):
            await confirm_rate(settings, named, by, said.append)
    with pytest.raises(StaffMistake):
        await confirm_rate(settings, held, "amina)\ndecided on KES/UGX (babu", said.append)
    assert await confirm_rate(settings, held, "Amina", said.append)
    assert said[-1].startswith("KES/UGX is 40: ")
    assert not await confirm_rate(settings, held, "amina", said.append)
    assert await show_rates(settings, 5, said.append)
    assert any("(amina)" in line for line in said)


@pytest.mark.parametrize(
    "mid", ["104.5454545454545454545454545", "NaN", "Infinity", "1e3", "0", "-1", "abc", ""]
)
def test_a_seed_that_is_no_rate_is_refused_by_its_name_before_anything_is_stored(
    mid: str, tmp_path: Path
) -> None:
    file = tmp_path / "seed.yaml"
    rates = [SeedRate("KES", "UGX", "28.45"), {"base": "GHS", "quote": "NGN", "mid": mid}]
    parts = {"rates": rates, "corridors": [], "floats": []}
    file.write_bytes(msgspec.yaml.encode(parts))
    with pytest.raises(msgspec.ValidationError, match=r"^mid .* GHS/NGN.*`\$\.rates\[1\]`"):
        read_seeds(file)


def test_the_seeds_two_directions_are_each_others_inverse() -> None:
    mids = {(rate.base, rate.quote): Decimal(rate.mid) for rate in read_seeds(SEEDS).rates}
    assert all(
        abs(mid * mids[quote, base] - 1) < Decimal("1e-9") for (base, quote), mid in mids.items()
    )

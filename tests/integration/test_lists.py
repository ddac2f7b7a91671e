"""Sanctions lists on a real Postgres: versions, the switch to a new one, and refused files."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from channels.app import build_site
from channels.cli import main
from channels.settings import Settings
from channels.wiring import open_engine
from channels.worker import run_worker
from engine.compliance.history import Question
from engine.compliance.lists.listed import ListFile, Source
from engine.compliance.lists.store import ListStore
from engine.compliance.policy import read_policy
from engine.compliance.screening import Screener
from engine.errors import Unreadable
from engine.money import Money
from engine.msisdn import Msisdn
from tests.integration.test_sealing import OUTSIDE
from tests.integration.world import ENVIRONMENT, settings_for
from tests.unit.compliance.lists_of_nobody import SDN, UN, sdn, un
from tests.unit.session.rooms import FakeClock
from tests.until import until

SCORING = read_policy().screening
NOBODY_PAYS = "no payment is taken on, and none is paid out"


def lists(pool: Any, tenant: int = 1) -> ListStore:
    return ListStore(pool, tenant, smaller_percent_min=SCORING.list_smaller_percent_min)


def shortened(file: ListFile, count: int) -> ListFile:
    return msgspec.structs.replace(file, entries=file.entries[:count])


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


async def test_a_loaded_list_is_read_back_whole(pool: Any) -> None:
    store = lists(pool)
    for file in (sdn(), un()):
        loaded = await store.load(file, 1_000)
        assert loaded.fresh
        assert await store.entries(loaded.version) == file.entries
    newest = await store.newest()
    assert {source: v.version for source, v in newest.items()} == {
        Source.OFAC_SDN: 1,
        Source.UN: 1,
    }
    assert newest[Source.UN].published == un().published


async def test_the_same_list_again_is_no_new_version(pool: Any) -> None:
    store = lists(pool)
    first = await store.load(un(), 1_000)
    again = await store.load(un(), 2_000)
    assert (again.version, again.fresh) == (first.version, False)


async def test_loads_at_the_same_moment_make_one_version(pool: Any) -> None:
    store = lists(pool)
    # Connections are opened one by one; they are all there before anybody starts.
    opened = [await pool.acquire() for _ in range(5)]
    for connection in opened:
        await pool.release(connection)
    loaded = await asyncio.gather(*(store.load(sdn(), 1_000) for _ in range(5)))
    assert {each.version.version for each in loaded} == {1}
    assert sum(each.fresh for each in loaded) == 1


async def test_old_versions_are_kept(pool: Any) -> None:
    store = lists(pool)
    first = (await store.load(shortened(sdn(), 5), 1_000)).version
    second = (await store.load(sdn(), 2_000)).version
    assert (await store.newest())[Source.OFAC_SDN] == second
    assert await store.entries(first) == sdn().entries[:5]


async def test_a_list_that_suddenly_shrank_is_refused_and_the_old_one_stays(pool: Any) -> None:
    store = lists(pool)
    await store.load(sdn(), 1_000)
    with pytest.raises(Unreadable, match="4 entries where version 1 has 6"):
        await store.load(shortened(sdn(), 4), 2_000)
    with pytest.raises(Unreadable, match="no entries"):
        await store.load(shortened(sdn(), 0), 2_000, accept_smaller=True)
    assert (await store.newest())[Source.OFAC_SDN].version == 1
    assert (await store.load(shortened(sdn(), 4), 3_000, accept_smaller=True)).fresh


@pytest.mark.parametrize("published", ["11/01/2026", "2026-11-01T23:59:59-05:00"])
async def test_a_file_older_than_the_list_in_force_is_refused(pool: Any, published: str) -> None:
    """A mirror that is behind, or a script with yesterday's file, takes nobody off the list."""
    store = lists(pool)
    older = msgspec.structs.replace(shortened(sdn(), 5), published=published)
    await store.load(older, 1_000)
    await store.load(sdn(), 2_000)
    with pytest.raises(Unreadable, match=f"{published}.* version 2 of 11/02/2026 is in force"):
        await store.load(older, 3_000)
    assert (await store.newest())[Source.OFAC_SDN].version == 2
    same_day = msgspec.structs.replace(shortened(sdn(), 5), published="11/02/2026")
    assert (await store.load(same_day, 4_000)).fresh
    assert (await store.load(older, 5_000, accept_older=True)).fresh is False  # the same entries
    unsaid = msgspec.structs.replace(sdn(), published="last week")
    assert (await store.load(unsaid, 6_000)).fresh  # what says no date is compared with none
    assert (await store.load(older, 7_000)).fresh
    assert (await store.load(shortened(sdn(), 6), 8_000)).fresh
    assert (await store.load(older, 9_000, accept_older=True)).fresh  # going back, after a look


async def test_each_tenant_has_lists_of_its_own(pool: Any) -> None:
    await lists(pool, 1).load(un(), 1_000)
    assert await lists(pool, 2).newest() == {}


async def test_a_process_notices_a_new_version(pool: Any, clock: FakeClock) -> None:
    store, screener = lists(pool), Screener(lists(pool), SCORING, clock)
    await screener.refresh()
    assert (screener.versions, screener.screen("Osama Khayal", None)) == ({}, ())
    await store.load(un(), int(clock.epoch() * 1000))
    watching = asyncio.create_task(screener.keep_fresh(0.01))
    await until(lambda: screener.versions)
    watching.cancel()
    assert screener.versions == {"un": 1}
    assert screener.screen("Osama Khayal", None)[0].entry_id == "80002"
    assert not await screener.refresh()  # nothing new costs no second index


async def test_ships_are_not_screened_against(pool: Any, clock: FakeClock) -> None:
    await lists(pool).load(sdn(), 1_000)
    screener = Screener(lists(pool), SCORING, clock)
    await screener.refresh()
    assert screener.screen("Wanjiku Otieno", None) == ()
    assert screener.screen("Nowhere Trading", None)


async def test_a_missing_or_old_list_raises_an_alarm_once(
    pool: Any, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    screener = Screener(lists(pool), SCORING, clock)
    with caplog.at_level(logging.ERROR):
        await screener.refresh()
        assert caplog.records == []  # nobody rests on it yet: a command about something else
        for _ in range(3):
            await screener.need()
            await screener.refresh()
        await lists(pool).load(un(), int(clock.epoch() * 1000))
        await screener.refresh()
        assert screener.alarms() == []
        clock.seconds += (SCORING.list_stale_days * 24 + 1) * 3600
        await screener.refresh()
    assert [record.message for record in caplog.records] == [
        "no sanctions list is loaded: nobody is screened",
        "sanctions list un is older than 7 days",
    ]
    assert screener.alarms() == ["sanctions list un is older than 7 days"]


async def test_who_is_asked_about_rests_on_the_lists_and_an_open_engine_alone_does_not(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_engine(settings_for(database_url, **OUTSIDE)) as engine:
        assert "no sanctions list" not in caplog.text
        payer, payee = Msisdn("+254712000001"), Msisdn("+256772000002")
        asked = Question(
            engine.ids.hex(), engine.clock.now(), payer, payee, Money(100, "KES"), Money(1, "UGX")
        )
        for _ in range(2):
            await engine.compliance.recheck(None, asked)
    assert caplog.text.count("no sanctions list is loaded: nobody is screened") == 1


async def test_who_compares_no_name_reads_no_list_and_who_does_reads_them_once(
    pool: Any, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It takes seconds, and most commands of staff compare nothing."""
    caplog.set_level(logging.INFO, "engine.compliance.screening")
    await lists(pool).load(un(), 1_000)
    async with open_engine(settings_for(database_url, **OUTSIDE)) as engine:
        office, screener = engine.office, engine.screener
        await office.books.trial_balance()
        await office.liquidity.status()
        await office.desk.carry_out_approved()
        assert (screener.versions, caplog.text) == ({}, "")
        payer, payee = Msisdn("+254712000001"), Msisdn("+256772000002")
        asked = Question(
            engine.ids.hex(), engine.clock.now(), payer, payee, Money(100, "KES"), Money(1, "UGX")
        )
        told = [
            engine.compliance.recheck(None, asked, {"payee": name})
            for name in ("Osama Khayal", "Wanjiku Otieno")
        ]
        held, let_go = await asyncio.gather(*told)
        assert held is not None
        assert held.is_hold
        assert let_go is not None
        assert not let_go.is_hold
        assert screener.versions == {"un": 1}
    assert caplog.text.count("lists in force") == 1


async def test_a_list_that_could_not_be_read_is_read_by_the_next_who_needs_it(pool: Any) -> None:
    await lists(pool).load(un(), 1_000)
    away = AwayOnce(pool)
    screener = Screener(lists(away), SCORING, FakeClock())
    with pytest.raises(OSError, match="away"):
        await screener.need()
    assert screener.versions == {}
    await screener.need()
    assert screener.versions == {"un": 1}
    before = away.asked
    await screener.need()
    assert away.asked == before, "who needs them again asks nothing"


class AwayOnce:
    """A pool whose database is away when it is asked first."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self.asked = 0

    def __getattr__(self, name: str) -> Any:
        self.asked += 1
        if self.asked == 1:
            raise OSError("away")
        return getattr(self._pool, name)


@asynccontextmanager
async def working(settings: Settings) -> AsyncIterator[None]:
    stop = asyncio.Event()
    worker = asyncio.create_task(run_worker(settings, stop))
    try:
        yield
    finally:
        stop.set()
        await worker


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[None]:
    async with build_site(settings).open():
        yield


@pytest.mark.parametrize("process", [working, serving])
async def test_who_serves_says_at_its_start_that_nobody_is_screened(
    database_url: str,
    redis_url: str,
    caplog: pytest.LogCaptureFixture,
    process: Callable[[Settings], AbstractAsyncContextManager[None]],
) -> None:
    settings = settings_for(database_url, REDIS_URL=redis_url, **OUTSIDE)
    async with process(settings):
        await until(lambda: "no sanctions list is loaded: nobody is screened" in caplog.text)


@pytest.mark.parametrize("process", [working, serving])
async def test_who_serves_reads_the_lists_at_its_start(
    pool: Any,
    database_url: str,
    redis_url: str,
    caplog: pytest.LogCaptureFixture,
    process: Callable[[Settings], AbstractAsyncContextManager[None]],
) -> None:
    """The first who dials waits for nothing that was to be read."""
    caplog.set_level(logging.INFO, "engine.compliance.screening")
    await lists(pool).load(un(), 1_000)
    async with process(settings_for(database_url, REDIS_URL=redis_url, **OUTSIDE)):
        await until(lambda: "lists in force: {'un': 1}" in caplog.text)


async def test_without_a_list_that_is_required_nobody_pays_and_it_is_said_so(
    pool: Any, clock: FakeClock
) -> None:
    screener = Screener(lists(pool), SCORING, clock, expected=tuple(Source))
    assert await screener.stored_alarms() == [f"no sanctions list is loaded: {NOBODY_PAYS}"]
    await lists(pool).load(un(), int(clock.epoch() * 1000))
    assert await screener.stored_alarms() == [
        f"sanctions list ofac_sdn is not loaded: {NOBODY_PAYS}"
    ]
    assert screener.versions == {}  # who only looks builds nothing


async def test_a_list_that_is_loaded_every_day_unchanged_is_not_old(
    pool: Any, clock: FakeClock
) -> None:
    store, screener = lists(pool), Screener(lists(pool), SCORING, clock)
    for _ in range(SCORING.list_stale_days + 2):
        await store.load(un(), int(clock.epoch() * 1000))
        assert await screener.refresh() is (clock.seconds == FakeClock().seconds)
        assert screener.alarms() == []
        clock.seconds += 24 * 3600
    await store.load(un(), 1_000)  # a clock that is behind makes nothing older
    await screener.refresh()
    assert screener.alarms() == []
    clock.seconds += SCORING.list_stale_days * 24 * 3600
    assert screener.alarms() == ["sanctions list un is older than 7 days"]


async def test_a_list_of_which_nothing_says_when_it_was_confirmed_is_as_old_as_its_version(
    pool: Any, clock: FakeClock
) -> None:
    await lists(pool).load(un(), int(clock.epoch() * 1000))
    await pool.execute("delete from screening_confirmation")  # loaded by an earlier release
    clock.seconds += (SCORING.list_stale_days * 24 + 1) * 3600
    screener = Screener(lists(pool), SCORING, clock)
    await screener.refresh()
    assert screener.alarms() == ["sanctions list un is older than 7 days"]
    await lists(pool).load(un(), int(clock.epoch() * 1000))
    await screener.refresh()
    assert screener.alarms() == []


async def test_a_list_that_is_expected_and_not_loaded_is_named(pool: Any, clock: FakeClock) -> None:
    screener = Screener(lists(pool), SCORING, clock, expected=tuple(Source))
    await lists(pool).load(un(), int(clock.epoch() * 1000))
    await screener.refresh()
    assert screener.alarms() == [f"sanctions list ofac_sdn is not loaded: {NOBODY_PAYS}"]
    assert screener.lacking() == ("sanctions list ofac_sdn is not loaded",)
    await lists(pool).load(sdn(), int(clock.epoch() * 1000))
    await screener.refresh()
    assert screener.alarms() == []
    assert screener.lacking() == ()


async def test_a_list_that_nobody_loads_is_an_alarm_long_before_it_counts_as_none(
    pool: Any, clock: FakeClock
) -> None:
    stores = Screener(lists(pool), SCORING, clock, expected=(Source.UN,))
    content = Screener(lists(pool), SCORING, clock)  # where none would do
    await lists(pool).load(un(), int(clock.epoch() * 1000))
    await stores.refresh()
    await content.refresh()
    clock.seconds += SCORING.list_expired_days * 24 * 3600
    stale = "sanctions list un is older than 7 days"
    assert (stores.alarms(), stores.lacking()) == ([stale], ())
    clock.seconds += 1
    expired = "sanctions list un is older than 30 days"
    assert (stores.alarms(), stores.lacking()) == ([f"{expired}: {NOBODY_PAYS}"], (expired,))
    assert content.alarms() == [stale]
    await lists(pool).load(un(), int(clock.epoch() * 1000))  # the same file says it is good yet
    await stores.refresh()
    assert (stores.alarms(), stores.lacking()) == ([], ())


# The command that staff use.


@pytest.fixture
def capp(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    for name, value in {**ENVIRONMENT, "DATABASE_URL": database_url}.items():
        monkeypatch.setenv(name, value)
    return lambda *words: main([str(word) for word in words])


def test_staff_load_show_and_check_lists(capp: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert capp("lists", "show") == 1
    assert "ALARM no sanctions list" in capsys.readouterr().out
    assert capp("lists", "check", "Mohamed Kasem Al-Zubaidi") == 1
    assert capsys.readouterr().out.startswith("nobody was compared: no list is loaded")
    assert capp("lists", "load", SDN, "--kind", "ofac_sdn") == 0
    assert capp("lists", "load", SDN, "--kind", "ofac_sdn") == 0
    assert capp("lists", "load", UN, "--kind", "un") == 0
    said = capsys.readouterr().out
    assert "ofac_sdn version 1 is in force: 6 entries" in said
    assert "ofac_sdn version 1 was in force already" in said
    assert capp("lists", "show") == 0
    assert "published 11/02/2026" in capsys.readouterr().out
    assert capp("lists", "check", "Mohamed Kasem Al-Zubaidi", "--born", "1954-10-07") == 0
    assert (
        "100  ofac_sdn:90001  Mohammed Kassem AL-ZUBAIDI  birth agrees" in capsys.readouterr().out
    )
    assert capp("lists", "check", "John Kamau") == 0
    assert "resembles nobody" in capsys.readouterr().out


def test_where_screening_is_required_one_of_two_lists_is_not_enough(
    capp: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert capp("lists", "load", UN, "--kind", "un") == 0
    assert capp("lists", "show") == 0
    monkeypatch.setenv("CAPP_SCREENING_REQUIRED", "1")
    capsys.readouterr()
    assert capp("lists", "show") == 1
    said = capsys.readouterr().out
    assert "ALARM sanctions list ofac_sdn is not loaded" in said
    assert "last confirmed" in said
    assert capp("lists", "load", SDN, "--kind", "ofac_sdn") == 0
    assert capp("lists", "show") == 0


def test_a_bad_file_leaves_the_list_in_force_and_says_where_it_is_bad(
    capp: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert capp("lists", "load", UN, "--kind", "un") == 0
    cut = tmp_path / "cut.xml"
    cut.write_bytes(UN.read_bytes()[:-200])
    for path, kind in ((cut, "un"), (SDN, "un"), (tmp_path / "missing.xml", "un")):
        assert capp("lists", "load", path, "--kind", kind) == 1
    complaints = capsys.readouterr().err
    assert "not well-formed, or cut off" in complaints
    assert "begins with <sdnList>, expected <CONSOLIDATED_LIST>" in complaints
    assert capp("lists", "show") == 0
    assert "3 entries" in capsys.readouterr().out

"""A database that was restored, copied or promoted is noticed by whoever comes to it next."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from channels.one_database import OneDatabase
from channels.settings import Settings
from channels.wiring import open_engine
from engine.clock import Clock, epoch_of
from engine.database import connect
from engine.desk.cases import RESTORED
from engine.payments.lifecycle import State
from engine.row_security import as_tenant
from engine.schema import migrate
from engine.which_database import (
    AHEAD_SECONDS_MAX,
    UNKNOWN,
    AnotherDatabase,
    Identity,
    Restores,
    identity_of,
    last_restore,
)
from simulator import embedded
from tests.conftest import Say
from tests.integration.test_restored import held, staff
from tests.integration.test_sealing import OUTSIDE
from tests.integration.world import SUCCEEDED, TestClock, open_world, settings_for

HERE = Identity("71", "00000001", "5", "16384")


Copy = Callable[[], Awaitable[str]]


@pytest.fixture
def copy(database_url: str, tell_server: Say) -> Iterator[Copy]:
    """What a restore makes of the database as it stands now."""
    _, _, name = database_url.rpartition("/")

    async def made() -> str:
        await asyncio.to_thread(
            tell_server, f"create database {name}_again template {name} strategy file_copy"
        )
        return f"{database_url}_again"

    yield made
    tell_server(f"drop database if exists {name}_again with (force)")


async def noticed(url: str, clock: Clock, *, promoted_has_all: bool = False) -> float:
    """As a process of tenant 1 that starts."""
    connection = await connect(as_tenant(url, 1))
    try:
        return await Restores(1, clock, promoted_has_all=promoted_has_all).notice(connection)
    finally:
        await connection.close()


async def seen(url: str) -> list[int]:
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch("select since_ms from database_seen order by 1")
        return [row["since_ms"] for row in rows]
    finally:
        await connection.close()


def test_each_part_tells_another_one_and_what_is_not_told_tells_nothing() -> None:
    assert not HERE.is_other(HERE, promoted_has_all=False)
    for part in Identity._fields:
        there = HERE._replace(**{part: "9"})
        assert there.is_other(HERE, promoted_has_all=False), part
        assert there.is_other(HERE, promoted_has_all=True) == (part != "timeline"), part
        for ours, theirs in ((HERE, UNKNOWN), (HERE._replace(**{part: UNKNOWN}), "9")):
            other = HERE._replace(**{part: theirs})
            assert not ours.is_other(other, promoted_has_all=False), part
    assert Identity.read(str(HERE)) == HERE


async def test_one_that_goes_on_is_no_other(database_url: str) -> None:
    clock = TestClock()
    for _ in range(3):
        assert await noticed(database_url, clock) == 0.0
        clock.pass_(3600)
    assert await seen(database_url) == [0]


async def test_a_copy_is_another_one_since_its_first_start(database_url: str, copy: Copy) -> None:
    clock = TestClock()
    await noticed(database_url, clock)
    copied = await copy()
    clock.pass_(60)
    first = clock.epoch()
    told = set(await asyncio.gather(*(noticed(copied, clock) for _ in range(5))))
    clock.pass_(60)
    told.add(await noticed(copied, clock))
    (since,) = told
    assert first < since < first + 1
    assert await seen(copied) == [0, round(since * 1000)]
    assert await seen(database_url) == [0]


async def test_what_another_clock_made_is_of_before_too(database_url: str, copy: Copy) -> None:
    clock, ahead = TestClock(), TestClock()
    await noticed(database_url, clock)
    ahead.pass_(AHEAD_SECONDS_MAX - 1)
    async with open_world(database_url, clock=ahead) as world:
        payment_id = await world.confirm()
    copied = await copy()
    since = await noticed(copied, clock)
    assert clock.epoch() < epoch_of(payment_id) < since


async def test_a_clock_that_was_hours_ahead_does_not_hold_up_what_is_new(
    database_url: str, copy: Copy
) -> None:
    clock, ahead = TestClock(), TestClock()
    await noticed(database_url, clock)
    ahead.pass_(7200)
    async with open_world(database_url, clock=ahead) as world:
        await world.confirm()
    copied = await copy()
    assert await noticed(copied, clock) <= clock.epoch() + AHEAD_SECONDS_MAX + 1


async def test_nobody_has_to_be_told_that_what_began_before_waits_for_people(
    database_url: str, copy: Copy
) -> None:
    clock = TestClock()
    async with open_world(database_url, clock=clock) as before:
        payment_id = await before.confirm()
        await before.dispatched()
    copied = await copy()
    clock.pass_(300)
    async with open_world(copied, clock=clock, seeded=False) as world:
        await held(staff(world), payment_id)
        clock.pass_(1)
        new = await world.confirm()
        await world.dispatched()
        await world.tell(await world.live(new), SUCCEEDED)
        assert await world.state(new) is State.PAYING


async def test_people_find_a_case_once(database_url: str, copy: Copy) -> None:
    async with open_engine(settings_for(database_url, **OUTSIDE)) as engine:
        assert engine.settings.restored_at == 0.0
        assert await engine.office.cases.open_cases() == []
    copied = await copy()
    for _ in range(2):
        async with open_engine(settings_for(copied, **OUTSIDE)) as engine:
            (case,) = await engine.office.cases.open_cases()
            assert (case.key.kind, "may have gone on" in case.detail) == (RESTORED, True)
            async with engine.pool.acquire() as connection:
                assert engine.settings.restored_at == await last_restore(connection, 1) > 0.0


# A promotion, on a server of its own.


class Server:
    """A Postgres that can be stopped, and made a standby of itself."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running = embedded.start_postgres(folder)
        self.port = self._running.port
        self.url = self._running.url

    def restart(self, *, standby: bool) -> None:
        self.stop()
        if standby:
            (self._folder / "standby.signal").touch()
        self._running = embedded.start_postgres(self._folder, port=self.port)
        assert self._running.port == self.port

    def stop(self) -> None:
        self._running.stop()


@pytest.fixture
async def server(servers_folder: Path) -> AsyncIterator[Server]:
    started = Server(servers_folder / "promoted")
    yield started
    started.stop()


class Process:
    """What opens a serving process's connections, and how often it was told to end."""

    def __init__(self, settings: Settings) -> None:
        self.ended = 0
        self.database = OneDatabase(settings, self._end)

    def _end(self) -> None:
        self.ended += 1

    async def connects(self) -> bool:
        """Raises as `OneDatabase.connect`."""
        connection: Any = await self.database.connect()
        await connection.close()
        return True


@pytest.mark.long("a server of its own is stopped twice and promoted")
async def test_a_process_ends_where_it_meets_a_standby_that_was_promoted(server: Server) -> None:
    await asyncio.to_thread(migrate, server.url)
    async with open_engine(settings_for(server.url, **OUTSIDE)):
        pass
    clock = Clock()
    plain = Process(settings_for(server.url))
    synchronous = Process(settings_for(server.url, CAPP_STANDBYS="synchronous"))
    for process in (plain, synchronous):
        assert await process.connects()
    await asyncio.to_thread(server.restart, standby=False)
    for process in (plain, synchronous):
        assert await process.connects()  # it only came back
    await asyncio.to_thread(server.restart, standby=True)
    for process in (plain, synchronous):
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError, match="standby"):
            await process.connects()
    owner = await asyncpg.connect(server.url)
    assert await owner.fetchval("select pg_promote()")
    assert (await identity_of(owner)).timeline == "00000002"
    await owner.close()
    with pytest.raises(AnotherDatabase):
        await plain.connects()
    assert await synchronous.connects()
    assert (plain.ended, synchronous.ended) == (1, 0)
    assert await noticed(server.url, clock, promoted_has_all=True) == 0.0
    assert await noticed(server.url, clock) > clock.epoch() - 60


async def test_a_process_ends_where_its_address_leads_to_another_database(
    database_url: str, copy: Copy, tell_server: Say
) -> None:
    _, _, name = database_url.rpartition("/")
    async with open_engine(settings_for(database_url, **OUTSIDE)):
        pass
    process = Process(settings_for(database_url))
    assert await process.connects()
    await copy()

    def exchange() -> None:
        tell_server(f"alter database {name} rename to {name}_aside")
        tell_server(f"alter database {name}_again rename to {name}")

    def exchange_back() -> None:
        tell_server(f"alter database {name} rename to {name}_again")
        tell_server(f"alter database {name}_aside rename to {name}")

    await asyncio.to_thread(exchange)
    try:
        with pytest.raises(AnotherDatabase):
            await process.connects()
    finally:
        await asyncio.to_thread(exchange_back)
    assert process.ended == 1
    assert await process.connects()


async def test_a_server_that_does_not_say_which_cluster_it_is_serves_all_the_same(
    database_url: str,
) -> None:
    owner = await asyncpg.connect(database_url)
    await owner.execute("create role capp_unknowing")
    await owner.execute("revoke execute on function pg_control_system from public")
    try:
        await owner.execute("set role capp_unknowing")
        found = await identity_of(owner)
        await owner.execute("reset role")
        assert (found.cluster, UNKNOWN in found[1:]) == (UNKNOWN, False)
    finally:
        await owner.execute("grant execute on function pg_control_system to public")
        await owner.execute("drop role capp_unknowing")
        await owner.close()

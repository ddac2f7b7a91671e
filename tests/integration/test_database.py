"""The pool on a real Postgres: one statement at a time, and what happens when connections die."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from channels import wiring
from engine import database
from engine.database import Pool, connect, must_take_writes, open_pool
from simulator import embedded
from tests.integration.test_sealing import OUTSIDE
from tests.integration.world import settings_for
from tests.leap import leap
from tests.until import until

PID = "select pg_backend_pid()"
SLOW = "select pg_sleep(600)"


@pytest.fixture
async def two(database_url: str) -> AsyncIterator[Pool]:
    """A pool of two connections."""
    pool = Pool(partial(connect, database_url), size=2)
    yield pool
    await pool.close()


async def killed(pool: Any, pid: int) -> None:
    """End a backend as an administrator would, and wait until it is gone."""
    assert await pool.fetchval("select pg_terminate_backend($1, 120000)", pid)


async def asked_of(pool: Any, statement: str) -> int:
    """The backend that carries the statement out, once one does."""
    find = "select pid from pg_stat_activity where query = $1 and state = 'active'"
    async with asyncio.timeout(120):
        while (pid := await pool.fetchval(find, statement)) is None:  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.01)
    return int(pid)


async def test_who_may_only_read_is_asked_nothing_more(two: Pool) -> None:
    """As who was first and became a standby: the connection lives on."""
    await two.execute("create table kept (n int)")
    await must_take_writes(two)
    async with two.acquire() as connection:
        pid = await connection.fetchval(PID)
        await connection.execute("set default_transaction_read_only = on")
    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        await must_take_writes(two)
    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        await two.execute("insert into kept values (1)")
    assert await two.fetchval(PID) != pid
    await two.execute("insert into kept values (1)")


async def test_every_kind_of_statement_gives_what_the_connection_gives(two: Pool) -> None:
    assert await two.execute("create table kept (n int)") == "CREATE TABLE"
    await two.executemany("insert into kept values ($1)", [(1,), (2,)])
    assert [row["n"] for row in await two.fetch("select n from kept order by n")] == [1, 2]
    assert (await two.fetchrow("select max(n) as most from kept where n < $1", 2))["most"] == 1
    assert await two.fetchval("select sum(n) from kept") == 3
    assert await two.fetchval("select $1::uuid[]", ["0" * 32]) == ["0" * 32]  # our own codecs


async def test_one_after_the_other_share_the_warm_connection(two: Pool) -> None:
    assert len({await two.fetchval(PID) for _ in range(5)}) == 1


async def test_two_statements_are_never_on_one_connection_and_never_on_a_third(two: Pool) -> None:
    async with two.acquire(), two.acquire():
        pass  # both are open
    asked = [two.fetchval("select pg_backend_pid() from pg_sleep(0.02)") for _ in range(10)]
    pids = await asyncio.gather(*asked)  # asyncpg raises when a connection is used twice at once
    assert len(set(pids)) == 2


async def test_a_statement_that_failed_leaves_the_connection_in_use(two: Pool) -> None:
    pid = await two.fetchval(PID)
    with pytest.raises(asyncpg.UndefinedTableError):
        await two.fetch("select * from no_such_table")
    with pytest.raises(asyncpg.DataError):
        await two.fetch("select $1::int", "no number")
    assert await two.fetchval(PID) == pid


async def test_a_backend_that_was_killed_at_rest_is_replaced_before_use(
    two: Pool, pool: Any
) -> None:
    pid = await two.fetchval(PID)
    (resting,) = two._resting
    await killed(pool, pid)
    await until(resting.is_closed)  # it is felt at this end
    assert await two.fetchval(PID) != pid


async def test_a_backend_killed_under_a_statement_fails_that_one_alone_and_nothing_is_resent(
    two: Pool, pool: Any
) -> None:
    await two.execute("create table tried (pid int)")
    slow = "with t as (insert into tried values (pg_backend_pid())) select pg_sleep(600)"
    caller = asyncio.create_task(two.execute(slow))
    await killed(pool, await asked_of(pool, slow))
    with pytest.raises(asyncpg.PostgresError, match="administrator command"):
        await caller
    assert await two.fetchval("select count(*) from tried") == 0
    assert await asyncio.gather(*[two.fetchval("select 1") for _ in range(4)]) == [1] * 4


async def test_a_caller_who_gives_up_takes_his_connection_with_him(two: Pool, pool: Any) -> None:
    pid = await two.fetchval(PID)
    caller = asyncio.create_task(two.fetchval(SLOW))
    assert await asked_of(pool, SLOW) == pid
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    pids = await asyncio.gather(*[two.fetchval(PID) for _ in range(4)])
    assert pid not in pids  # the next one would have met the rest of his answer


async def test_who_hears_nothing_hangs_up_and_what_was_asked_is_not_called_off(
    database_url: str, pool: Any
) -> None:
    """A commit that is called off while it waits for a standby would be stored, and lost there."""
    url = database_url + "?client_connection_check_interval=0"
    mute = Pool(partial(connect, url, answer_seconds_max=database.ANSWER_SECONDS_MAX), size=2)
    async with mute.acquire() as one, mute.acquire() as other:
        old = {await one.fetchval(PID), await other.fetchval(PID)}
    caller = asyncio.create_task(mute.fetchval(SLOW))
    pid = await asked_of(pool, SLOW)
    leap(database.ANSWER_SECONDS_MAX)
    with pytest.raises(TimeoutError):
        await caller
    new = await asyncio.gather(*[mute.fetchval(PID) for _ in range(4)])
    assert not old & {*new}  # nor is anybody lent what rested beside it
    await asyncio.sleep(0.2)  # as long as calling it off would take
    assert pid in old and await asked_of(pool, SLOW) == pid
    await mute.close()
    await killed(pool, pid)


async def test_a_process_that_serves_waits_for_no_answer_for_ever(
    database_url: str, pool: Any
) -> None:
    async with wiring.open_engine(settings_for(database_url, **OUTSIDE)) as engine:
        caller = asyncio.create_task(engine.pool.fetchval(SLOW))
        await asked_of(pool, SLOW)
        leap(database.ANSWER_SECONDS_MAX)
        with pytest.raises(TimeoutError):
            await caller
        async with asyncio.timeout(120):
            assert await engine.pool.fetchval("select 1") == 1


async def test_a_machine_that_vanished_is_noticed_also_while_nothing_is_asked(
    database_url: str,
) -> None:
    """It sends no farewell; a firewall that forgets a quiet connection sends none either."""
    connection = await connect(database_url)
    bare = connection._transport.get_extra_info("socket")  # it has no other door
    assert bare.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
    told = [
        bare.getsockopt(socket.IPPROTO_TCP, getattr(socket, option))
        for option in ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT")
        if hasattr(socket, option)
    ]
    assert sum(told[:1]) + (told[1] * told[2] if len(told) == 3 else 0) <= 60  # seconds
    await connection.close()


async def test_a_caller_who_gives_up_while_he_waits_costs_nobody_a_connection(two: Pool) -> None:
    async with two.acquire(), two.acquire():
        waiting = asyncio.create_task(two.fetchval("select 1"))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    asked = [two.fetchval("select 1 from pg_sleep(0.01)") for _ in range(4)]
    assert await asyncio.gather(*asked) == [1] * 4


async def test_a_transaction_that_failed_is_rolled_back_and_one_left_open_is_not_lent_on(
    two: Pool,
) -> None:
    await two.execute("create table books (n int)")
    with pytest.raises(ZeroDivisionError):
        async with two.acquire() as connection, connection.transaction():
            await connection.execute("insert into books values (1)")
            raise ZeroDivisionError
    async with two.acquire() as connection:
        await connection.execute("begin")
        await connection.execute("insert into books values (2)")
    assert await two.fetchval("select count(*) from books") == 0
    assert await two.fetchval("select pg_current_xact_id_if_assigned() is null")


async def test_what_was_awaited_is_given_back_by_hand(two: Pool) -> None:
    first, second = await two.acquire(), await two.acquire()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await two.fetchval("select 1")
    await two.release(first)
    assert await two.fetchval("select 1") == 1
    await two.release(second)


async def test_closing_waits_for_what_is_lent_and_lends_no_more(database_url: str) -> None:
    pool = await open_pool(database_url, size=2)
    assert await pool.fetchval("select 1") == 1  # a connection is open, and lent at once
    slow = asyncio.create_task(pool.fetchval("select 7 from pg_sleep(0.1)"))
    await asyncio.sleep(0.02)
    await pool.close()
    assert slow.done() and slow.result() == 7
    await pool.close()
    with pytest.raises(asyncpg.InterfaceError):
        await pool.fetchval("select 1")


@pytest.mark.long("starts a server twice")
async def test_a_server_that_stands_still_keeps_nobody_from_closing(
    two: Pool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It does not even hang up."""
    monkeypatch.setattr(database, "CLOSE_SECONDS_MAX", 0.2)
    backend = await two.fetchval("select pg_backend_pid()")
    os.kill(backend, signal.SIGSTOP)
    try:
        async with asyncio.timeout(120):
            await two.close()
    finally:
        os.kill(backend, signal.SIGCONT)
    assert [record.message for record in caplog.records] == [
        "Postgres does not let go: its connections are given up"
    ]


async def test_what_is_lent_and_never_given_back_keeps_nobody_from_closing(
    two: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "CLOSE_SECONDS_MAX", 0.2)
    lent = await two.acquire()
    async with asyncio.timeout(120):
        await two.close()
    await two.release(lent)
    lent.terminate()


async def test_a_server_that_is_away_is_told_at_once_and_found_again_when_it_is_back(
    servers_folder: Path,
) -> None:
    folder = servers_folder / "restarted"
    server = embedded.start_postgres(folder)
    port = server.port
    try:
        pool = await open_pool(server.url, size=2)
        await asyncio.gather(*[pool.fetchval("select 1 from pg_sleep(0.02)") for _ in range(8)])
        server.stop()
        for _ in range(4):  # more often than there are connections: a failure must not use one up
            with pytest.raises((OSError, asyncpg.PostgresError)):
                async with asyncio.timeout(120):
                    await pool.fetchval("select 1")
        with pytest.raises((OSError, asyncpg.PostgresError)):
            await open_pool(server.url)
        server = embedded.start_postgres(folder, port=port)
        assert await asyncio.gather(*[pool.fetchval("select 1") for _ in range(20)]) == [1] * 20
        await pool.close()
    finally:
        server.stop()

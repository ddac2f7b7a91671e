"""A process that is frozen, has hung up or gave up keeps no lock for long, and no commit is lost.

Real processes that are really stopped; the bounds are shorter than those in force.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from engine import database
from engine.clock import Clock
from engine.database import Pool, connect
from engine.ledger.committer import Committer
from engine.ledger.plans import Verdict
from engine.outages import AWAY, POSTGRES
from engine.payments.statements import store as statements
from engine.payments.statements.store import StatementStore
from engine.schema import migrate
from simulator import embedded
from tests.conftest import WHO_IS_GONE
from tests.integration.books import assert_books
from tests.integration.locks import somebody_waits
from tests.integration.test_commit import FREE, A, B, amount, new, verdicts
from tests.until import until

SOON = "?idle_in_transaction_session_timeout=2000&client_connection_check_interval=100"
LOCK = "select pg_advisory_xact_lock(7)"
# Stands still in the middle of a transaction, with a row and a lock; says how it ended.
FROZEN = """
import asyncio, os, signal, sys
from functools import partial
from engine.database import Pool, connect
from engine.outages import server_away

async def main():
    pool = Pool(partial(connect, sys.argv[1], answer_seconds_max=30.0), size=1)
    try:
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute("insert into kept values (1)")
            await connection.execute("select pg_advisory_xact_lock(7)")
            os.kill(os.getpid(), signal.SIGSTOP)
            await connection.execute("insert into kept values (2)")
    except Exception as error:
        print(server_away(error), repr(error))
    await pool.execute("insert into kept values (3)")

asyncio.run(main())
"""

# Pays once, however often it has to ask, and says which verdict it got.
PAYING = """
import asyncio, sys
from functools import partial
from engine.clock import Clock
from engine.database import connect
from engine.ledger.committer import Committer
from tests.integration.test_commit import new

async def main():
    door = Committer(partial(connect, sys.argv[1], answer_seconds_max=2.0), Clock(), writers=1)
    await door.start()
    print((await door.submit_until_known(new(1, key="once"))).verdict.name)
    await door.stop()

asyncio.run(main())
"""


async def started(program: str, url: str) -> asyncio.subprocess.Process:
    command = (sys.executable, "-c", program, url)
    return await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)


async def stands_still(process: asyncio.subprocess.Process) -> None:
    how = os.WSTOPPED | os.WEXITED | os.WNOWAIT
    seen = await asyncio.to_thread(os.waitid, os.P_PID, process.pid, how)
    assert seen is not None and seen.si_code == os.CLD_STOPPED


@asynccontextmanager
async def frozen(url: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process that stands still in a transaction; the block may let it go on."""
    process = await started(FROZEN, url)
    try:
        await stands_still(process)
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_a_frozen_process_keeps_nobody_waiting_and_changes_nothing_when_it_wakes(
    pool: Any, database_url: str
) -> None:
    """Its kernel goes on answering for it, so its locks stayed until somebody ended it."""
    await pool.execute("create table kept (n int)")
    async with frozen(database_url + SOON) as process:
        async with asyncio.timeout(120):
            await pool.execute(LOCK)
        process.send_signal(signal.SIGCONT)
        said, _ = await process.communicate()
    assert said.decode().startswith(POSTGRES), said
    assert [row["n"] for row in await pool.fetch("select n from kept")] == [3]


async def with_balances(url: str) -> Any:
    """A connection to books with 100 in A."""
    books = await connect(url)
    await books.executemany(
        "insert into balance (id, guarded) values ($1, $2)", [(FREE, False), (A, True), (B, True)]
    )
    assert await verdicts(books, new(100, debit=FREE, credit=A)) == [Verdict.APPLIED]
    return books


async def test_a_process_frozen_in_its_commit_pays_once_and_others_pay_meanwhile(
    database_url: str,
) -> None:
    books = await with_balances(database_url)
    holding = await asyncpg.connect(database_url)
    await holding.execute("begin; lock table balance")
    process = await started(PAYING, database_url + SOON)
    await somebody_waits(holding)
    process.send_signal(signal.SIGSTOP)
    await stands_still(process)
    await holding.execute("commit")
    assert await verdicts(books, new(1)) == [Verdict.APPLIED]
    async with asyncio.timeout(120):  # the frozen one's too: a commit needs nobody who listens
        while await amount(books, A) > 98:  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.05)
    await asyncio.sleep(2.5)  # longer than the frozen one would wait
    process.send_signal(signal.SIGCONT)
    said, _ = await process.communicate()
    assert said.split() == [b"APPLIED"]
    assert await amount(books, A) == 98
    await assert_books(books)
    await holding.close()
    await books.close()


async def test_every_connection_of_ours_says_what_is_to_become_of_it(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "WHO_IS_GONE", WHO_IS_GONE)
    connection = await connect(database_url)
    told = [
        await connection.fetchval(f"show {name}")
        for name in ("idle_in_transaction_session_timeout", "client_connection_check_interval")
    ]
    assert told == ["10s", "5s"]
    # Ended by it, a commit would be stored and might be lost with the machine.
    assert await connection.fetchval("show statement_timeout") == "0"
    await connection.close()


async def test_what_nobody_waits_for_any_more_waits_for_no_lock(
    pool: Any, database_url: str
) -> None:
    """Each try of those who gave up after half a minute left a backend behind, until none was
    left to be had.
    """
    await pool.execute("create table kept (n int)")
    hasty = Pool(partial(connect, database_url + SOON, answer_seconds_max=0.3), size=2)
    holding = await asyncpg.connect(database_url)
    await holding.execute("begin; lock table kept")
    for _ in range(3):
        with pytest.raises(TimeoutError):
            await hasty.execute("insert into kept values (1)")
    waiting = "select count(*) from pg_stat_activity where query like 'insert into kept%'"
    async with asyncio.timeout(120):
        while await pool.fetchval(waiting):  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.05)
    await holding.execute("commit")
    assert await pool.fetchval("select count(*) from kept") == 0
    await holding.close()
    await hasty.close()


@pytest.mark.long("starts a server of its own")
async def test_a_commit_that_waits_for_a_standby_is_never_ended_and_is_stored_once(
    servers_folder: Path,
) -> None:
    """Ended, it would be stored here alone, and its repeat told that it is: a promoted standby
    would know nothing of it.
    """
    server = embedded.start_postgres(servers_folder / "standby")
    try:
        await asyncio.to_thread(migrate, server.url)
        books = await with_balances(server.url)
        await books.execute("alter system set synchronous_standby_names = 'nobody'")
        await books.execute("select pg_reload_conf()")
        async with asyncio.timeout(120):
            while await books.fetchval("show synchronous_standby_names") != "nobody":  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        writer = partial(connect, server.url + SOON, answer_seconds_max=1.0)
        door = Committer(writer, Clock(), writers=1)
        await door.start()
        stored = asyncio.create_task(door.submit_until_known(new(1, key="once")))
        waiting = "select array_agg(pid) from pg_stat_activity where wait_event = 'SyncRep'"
        async with asyncio.timeout(120):
            while (first := await books.fetchval(waiting)) is None:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        seen = door.batches
        await until(lambda: door.batches > seen + 2)
        assert await books.fetchval(waiting) == first  # the rest, who waited for it, hung up
        assert not stored.done() and await amount(books, A) == 100
        await books.execute("alter system reset synchronous_standby_names")
        await books.execute("select pg_reload_conf()")
        assert (await stored).verdict is Verdict.APPLIED
        assert await amount(books, A) == 99
        await door.stop()
        await books.close()
    finally:
        server.stop()


async def test_who_is_frozen_in_its_turn_loses_it_and_hears_so(
    pool: Any, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statements, "TURN_SECONDS_MAX", 1)
    silent = StatementStore(Pool(partial(connect, database_url), size=1), 1)
    other = StatementStore(pool, 1)
    with pytest.raises(AWAY):
        async with silent.turn("mtn_ug"), asyncio.timeout(120), other.turn("mtn_ug"):
            pass

"""What of a question about a payment is on the disk, and when; on a Postgres that never hurries."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from engine.clock import Clock, Ids
from engine.compliance.history import HistoryStore, Question
from engine.database import open_pool
from engine.money import Money
from engine.schema import migrate
from simulator import embedded
from tests.unit.payments.examples import PAYEE, PAYER

_UNHURRIED = {"wal_writer_delay": "10s", "autovacuum": "off"}
_BEHIND = "select pg_current_wal_insert_lsn() - pg_current_wal_flush_lsn()"


@pytest.fixture(scope="module")
def server_url(servers_folder: Path) -> Iterator[str]:
    server = embedded.start_postgres(servers_folder / "unhurried", settings=_UNHURRIED)
    try:
        migrate(server.url)
        yield server.url
    finally:
        server.stop()


@pytest.fixture
async def pool(server_url: str) -> AsyncIterator[Any]:
    opened = await open_pool(server_url, size=1)
    yield opened
    await opened.close()


async def test_a_trace_waits_for_no_disk_and_is_there_before_what_commits_after_it(
    pool: Any,
) -> None:
    history = HistoryStore(pool, 1)
    await pool.execute("create table something (n int)")
    await look(history)
    assert await pool.fetchval(_BEHIND) > 0, "nobody waited for it"
    trace = await pool.fetchval("select pg_current_wal_insert_lsn()")

    await pool.execute("insert into something values (1)")
    assert await pool.fetchval("select pg_current_wal_flush_lsn() >= $1", trace)


async def test_what_follows_on_the_connection_waits_as_ever(pool: Any) -> None:
    await look(HistoryStore(pool, 1))
    assert await pool.fetchval("show synchronous_commit") == "on"


async def look(history: HistoryStore) -> None:
    question = Question(
        Ids(Clock()).hex(), datetime.now(UTC), PAYER, PAYEE, Money(100, "KES"), Money(2_800, "UGX")
    )
    await history.look(question, near_minor=10, watched=True)

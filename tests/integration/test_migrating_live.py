"""The schema is changed while an older version serves: nobody stands behind a step for long."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import asyncpg
import pytest
from sqlalchemy.exc import DBAPIError

from engine import database, schema
from engine.errors import StaffMistake
from engine.schema import migrate, revisions
from tests.integration.locks import somebody_waits

BEFORE = "0036"
"""The step behind it changes `customer`, which every dial reads."""
BEHIND_SECONDS_MAX = 20.0
"""LOCK_TIMEOUT, and what a busy machine adds."""


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The figure in force is two seconds; what it does is the same."""
    assert schema.LOCK_TIMEOUT == "2s"
    monkeypatch.setattr(schema, "LOCK_TIMEOUT", "500ms")


@asynccontextmanager
async def a_backup(url: str) -> AsyncIterator[Any]:
    """A transaction that has read the customers and is not over, as a dump's is for hours."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("begin; select count(*) from customer")
        yield connection
    finally:
        await connection.close()


async def stands_at(url: str) -> str:
    connection = await asyncpg.connect(url)
    try:
        return str(await connection.fetchval("select version_num from alembic_version"))
    finally:
        await connection.close()


def migrating(url: str, said: list[str], sleep: Callable[[float], None]) -> asyncio.Task[Any]:
    work = partial(migrate, url, say=said.append, sleep=sleep)
    return asyncio.create_task(asyncio.to_thread(work))


async def test_nobody_waits_behind_a_step_that_waits_for_a_backup(database_url: str) -> None:
    """They waited until the backup was over: every dial asks for its customer."""
    await asyncio.to_thread(migrate, database_url, to=BEFORE)
    said: list[str] = []
    dial = await asyncpg.connect(database_url)
    try:
        async with a_backup(database_url):
            work = migrating(database_url, said, lambda seconds: time.sleep(0.1))
            for _ in range(2):
                await somebody_waits(dial)
                await dial.fetchval("select count(*) from customer", timeout=BEHIND_SECONDS_MAX)
            assert await stands_at(database_url) == BEFORE
        await work
    finally:
        await dial.close()
    assert said == [
        "the schema is at 0036, and a transaction that is not over (a backup, a report) holds what"
        " the next step changes: it is tried again"
    ]
    assert await stands_at(database_url) == revisions()[-1]


async def test_what_is_held_for_too_long_is_told_and_loses_no_step_before_it(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "TRIES_MAX", 2)
    await asyncio.to_thread(migrate, database_url, to="0034")
    pauses: list[float] = []
    async with a_backup(database_url):
        with pytest.raises(StaffMistake, match=r"at 0036, and a transaction .* run it again later"):
            await migrating(database_url, [], pauses.append)
    assert pauses == [schema.PAUSE_SECONDS]
    assert await stands_at(database_url) == BEFORE
    await asyncio.to_thread(migrate, database_url)
    assert await stands_at(database_url) == revisions()[-1]


async def test_a_step_that_is_stopped_loses_its_locks_as_every_transaction_of_ours(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two statements of a step a table may be locked for everybody."""
    bound = "idle_in_transaction_session_timeout"
    monkeypatch.setitem(database.WHO_IS_GONE, bound, "no figure")
    with pytest.raises(DBAPIError, match=f'invalid value for parameter "{bound}'):
        await asyncio.to_thread(migrate, database_url, to=BEFORE)

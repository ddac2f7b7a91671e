"""No commit is told as late for hanging or for its clock; who writes beside the commit is.

A commit that hangs is one whose transaction stands open, on a connection of its own.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest

from engine.database import connect
from engine.ledger import fence
from engine.ledger.auditor import Pace, Report
from engine.ledger.chart import Account, Kind
from engine.ledger.commit import commit
from engine.ledger.committer import Committer
from engine.ledger.entries import Manual
from engine.ledger.findings import Law
from engine.ledger.plans import CREATE, Plan, Verdict
from engine.row_security import as_tenant
from tests.integration.books import assert_books
from tests.integration.desk_room import Room, open_room
from tests.integration.owner import Owner
from tests.unit.payments.examples import ROUTE

PACE = Pace(lag_seconds=5, block_seconds=1)
PASSED = 20
BEHIND = 180


@pytest.fixture
async def room(database_url: str) -> AsyncIterator[Room]:
    async with open_room(database_url, pace=PACE) as opened:
        yield opened


SLOW = """
create function dawdle() returns trigger language plpgsql as $$
begin perform pg_sleep(0.05); return null; end $$;
create trigger slow after insert on journal for each statement execute function dawdle()"""
UGANDA = (ROUTE.destination_float, ROUTE.pool_avail)
KENYA = (ROUTE.source_float, Account(1, "KES", Kind.POOL_AVAIL).number)


def top_up(room: Room, accounts: tuple[int, int] = UGANDA) -> Plan:
    """An entry by itself."""
    payment = room.ids.payment()
    moved = ((*accounts, 5),)
    return Plan(payment, CREATE, 1, Manual.SEEDED, key=payment, transfers=moved)


def now_ms(room: Room) -> int:
    return int(room.clock.epoch() * 1000)


@asynccontextmanager
async def hanging(room: Room, url: str, accounts: tuple[int, int] = UGANDA) -> AsyncIterator[Plan]:
    """A commit that was begun now and ends with the block."""
    plan = top_up(room, accounts)
    connection = await connect(as_tenant(url, 1))
    try:
        async with connection.transaction():
            (verdict,) = await commit(connection, [plan], now_ms(room))
            assert verdict.verdict is Verdict.APPLIED
            yield plan
    finally:
        await connection.close()


async def audit(room: Room) -> Report:
    return await room.office.auditor.audit()


async def laws(room: Room) -> list[Law]:
    return [finding.law for finding in (await audit(room)).findings]


async def unsealed(room: Room) -> int:
    """Rows that no block holds."""
    sealed_ms = await room.pool.fetchval("select coalesce(max(to_ms), 0) from audit_block")
    return int(
        await room.pool.fetchval("select count(*) from journal where at_ms >= $1", sealed_ms)
    )


async def test_a_commit_that_hangs_is_waited_for_and_is_not_late(
    room: Room, database_url: str
) -> None:
    """A slow standby, a disk that hangs, a backend that stands still: it was committed in time."""
    async with hanging(room, database_url):
        room.clock.pass_(PASSED)
        assert (await audit(room)).sealed == 0
        await room.committed(
            top_up(room, KENYA)
        )  # others are not held up, and are added up as ever
        room.clock.pass_(PASSED)
        assert await laws(room) == []
    assert await laws(room) == []
    assert await unsealed(room) == 0
    await assert_books(room.pool)


async def test_one_commit_that_hangs_after_the_other_holds_only_what_follows(
    room: Room, database_url: str
) -> None:
    async with hanging(room, database_url, KENYA):
        room.clock.pass_(PASSED)
        assert (await audit(room)).sealed == 0
        second = hanging(room, database_url)
        await second.__aenter__()
    room.clock.pass_(PASSED)
    assert (await audit(room)).sealed == 1
    assert await room.pool.fetchval("select max(to_ms) from audit_block") < now_ms(room) - 20_000
    await second.__aexit__(None, None, None)
    assert await laws(room) == []
    assert await unsealed(room) == 0


async def test_a_commit_by_a_clock_behind_is_dated_from_where_history_is_sealed(room: Room) -> None:
    room.clock.pass_(PASSED)
    assert (await audit(room)).sealed == 1
    sealed_ms = now_ms(room) - PACE.lag_seconds * 1000
    room.clock.pass_(-BEHIND)
    plan = await room.pay_whole()
    room.clock.pass_(BEHIND)
    assert await laws(room) == []
    rows = await room.pool.fetch("select at_ms from journal where payment = $1", plan.payment)
    assert [row["at_ms"] for row in rows] == [sealed_ms] * 3
    room.clock.pass_(PASSED)
    assert await laws(room) == []
    assert await unsealed(room) == 0


async def test_a_clock_that_is_right_is_left_alone(room: Room) -> None:
    room.clock.pass_(PASSED)
    assert (await audit(room)).sealed == 1
    plan, at_ms = top_up(room), now_ms(room)
    await room.committed(plan)
    kept = "select at_ms from journal where payment = $1"
    assert await room.pool.fetchval(kept, plan.payment) == at_ms


async def test_what_is_written_behind_the_auditors_back_is_named(room: Room) -> None:
    plan = top_up(room)
    room.clock.pass_(PASSED)
    assert (await audit(room)).sealed == 1
    await room.committed(plan)
    await Owner(room.pool).execute(
        "update journal set at_ms = at_ms - 10000 where payment = $1", plan.payment
    )
    (finding,) = (await audit(room)).findings
    assert (finding.law, finding.payment) == (Law.LATE, plan.payment)


async def test_a_backup_and_a_report_hold_nothing(room: Room, database_url: str) -> None:
    """They lock what they read, and write nothing."""
    connection = await connect(database_url)
    async with connection.transaction():
        await connection.execute("lock table audit_fence in access share mode")
        room.clock.pass_(PASSED)
        assert (await audit(room)).sealed == 1
    await connection.close()


async def test_whoever_writes_something_else_for_long_holds_nothing(
    room: Room, database_url: str
) -> None:
    connection = await connect(database_url)
    async with connection.transaction():
        await connection.execute("select pg_current_xact_id()")
        room.clock.pass_(PASSED)
        assert (await audit(room)).sealed == 1
    await connection.close()


async def test_a_commit_that_hangs_for_too_long_holds_nothing_and_is_told(
    room: Room,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(fence, "HELD_SECONDS_MAX", 0.0)
    with caplog.at_level(logging.ERROR):
        async with hanging(room, database_url) as plan:
            room.clock.pass_(PASSED)
            assert (await audit(room)).sealed == 1
            assert (await audit(room)).findings == ()
        (finding,) = (await audit(room)).findings
    assert (finding.law, finding.payment) == (Law.LATE, plan.payment)
    told = [record.message for record in caplog.records if "is under way" in record.message]
    assert len(told) == 1


async def test_among_many_slow_commits_none_is_late(database_url: str) -> None:
    """Sealed as soon as they are there, and while others write."""
    pace = Pace(lag_seconds=0, block_seconds=0)
    async with open_room(database_url, pace=pace) as room:
        await Owner(room.pool).execute(SLOW)
        writers = 4
        door = Committer(
            partial(connect, as_tenant(database_url, 1)), room.clock, writers=writers, batch_max=2
        )
        await door.start()
        done = asyncio.Event()

        async def write(times: int) -> None:
            for _ in range(times):
                assert (await door.submit(top_up(room))).verdict is Verdict.APPLIED
                room.clock.pass_(0.01)

        async def seal() -> list[Any]:
            found: list[Any] = []
            while not done.is_set():
                found += (await audit(room)).findings
            return found

        sealing = asyncio.create_task(seal())
        await asyncio.gather(*(write(25) for _ in range(2 * writers)))
        done.set()
        assert await sealing == []
        room.clock.pass_(1)
        assert (await room.office.auditor.audit_all()).findings == ()
        assert await unsealed(room) == 0
        await door.stop()

"""The sealed log of staff's actions: what is done to it behind our back is found, row by row."""

import argparse
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest

from channels.commands.books import audit
from engine.clock import Ids
from engine.database import open_pool
from engine.staff.actions import OPEN_SECONDS, Action, Actions
from engine.staff.sealing import LAG_SECONDS, ROWS_MOST, Finding, Sealing, Wrong
from tests.integration.world import TestClock, settings_for

_ID = "00000000-0000-4000-8000-000000000000"
OUTSIDE = {
    "CAPP_OPERATORS": "mtn_ug",
    "CAPP_MTN_UG_BASE_URL": "http://127.0.0.1:1",
    "CAPP_MTN_UG_API_USER": _ID,
    "CAPP_MTN_UG_API_KEY": _ID,
    "CAPP_MTN_UG_COLLECTION_KEY": _ID,
    "CAPP_MTN_UG_DISBURSEMENT_KEY": _ID,
    "CAPP_AFRICASTALKING_BASE_URL": "http://127.0.0.1:1",
    "CAPP_AFRICASTALKING_USERNAME": "x",
    "CAPP_AFRICASTALKING_API_KEY": "x",
    "CAPP_AFRICASTALKING_SENDER": "x",
}
"""A process is put together; nobody outside is called."""


@dataclass
class Room:
    pool: Any
    clock: TestClock
    actions: Actions
    sealing: Sealing
    database_url: str

    async def act(self, count: int = 1) -> list[str]:
        """Rows of so many actions, in time; their ids."""
        for number in range(count):
            self.clock.pass_(0.002)
            await self.actions.write(Action("asha", "show_transaction", f"P{number}"), "ok")
        rows = await self.pool.fetch("select id from staff_action order by id desc limit $1", count)
        return [row["id"].hex for row in reversed(rows)]

    async def sealed(self, count: int) -> list[str]:
        ids = await self.act(count)
        self.clock.pass_(LAG_SECONDS + 1)
        assert await self.sealing.sweep() == count
        return ids

    async def tamper(self, sql: str, *arguments: Any) -> None:
        """What somebody can do who owns the database."""
        async with self.pool.acquire() as connection, connection.transaction():
            await connection.execute("set local session_replication_role = replica")
            await connection.execute(sql, *arguments)


@pytest.fixture
async def room(database_url: str) -> AsyncIterator[Room]:
    pool, clock = await open_pool(database_url, size=2), TestClock()
    actions = Actions(pool, 1, clock, Ids(clock))
    yield Room(pool, clock, actions, Sealing(pool, 1, clock), database_url)
    await pool.close()


async def test_what_nobody_touched_is_well(room: Room) -> None:
    assert await room.sealing.verify() == (0, 0, "", ())
    await room.sealed(3)
    first = await room.sealing.verify()
    assert (first.blocks, first.rows, first.findings) == (1, 3, ())
    await room.sealed(2)
    second = await room.sealing.verify()
    assert (second.blocks, second.rows, second.findings) == (2, 5, ())
    assert second.head != first.head and len(second.head) == 64


async def test_young_rows_wait_because_their_outcome_may_still_be_written(room: Room) -> None:
    row = await room.actions.begin(Action("asha", "retry_transaction", "P1"))
    room.clock.pass_(OPEN_SECONDS - 1)
    assert await room.sealing.sweep() == 0
    await room.actions.end(row, "ok")
    late = await room.actions.begin(Action("asha", "retry_transaction", "P2"))
    room.clock.pass_(LAG_SECONDS + 1)
    assert await room.sealing.sweep() == 2
    await room.actions.end(late, "ok")  # too late: the row stays as it was sealed
    assert (await room.sealing.verify()).findings == ()
    assert await room.pool.fetchval("select outcome from staff_action where id = $1", late) is None


@pytest.mark.parametrize(
    "change", ["who = 'babu'", "subject = 'P9'", "outcome = 'forbidden'", "ended_ms = 1"]
)
async def test_a_changed_row_is_named(room: Room, change: str) -> None:
    await room.sealed(4)
    ids = await room.sealed(4)
    await room.tamper(f"update staff_action set {change} where id = $1", ids[2])
    verified = await room.sealing.verify()
    assert verified.findings == (Finding(Wrong.CHANGED, 2, ids[2]),)


async def test_a_row_that_is_gone_or_came_later_is_found(room: Room) -> None:
    ids = await room.sealed(4)
    await room.tamper("delete from staff_action where id = $1", ids[3])
    assert (await room.sealing.verify()).findings == (Finding(Wrong.MISSING, 1, ""),)
    await room.tamper(
        "insert into staff_action select $2::uuid, tenant, who, session, what, 'P7', correlation,"
        " outcome, ended_ms from staff_action where id = $1",
        ids[0], f"{int(ids[0], 16) + 1:032x}",
    )  # fmt: skip
    (found,) = (await room.sealing.verify()).findings
    assert found.wrong is Wrong.CHANGED  # one for one
    await room.tamper(
        "insert into staff_action select $2::uuid, tenant, who, session, what, 'P8', correlation,"
        " outcome, ended_ms from staff_action where id = $1",
        ids[0], f"{int(ids[0], 16) + 2:032x}",
    )  # fmt: skip
    assert [f.wrong for f in (await room.sealing.verify()).findings] == [Wrong.CHANGED, Wrong.ADDED]


@pytest.mark.parametrize(
    "change",
    [
        "update staff_action_block set marks = marks || '\\x0011223344556677' where number = 2",
        "update staff_action_block set hash = sha256(hash) where number = 2",
        "update staff_action_block set last = first where number = 2",
        "delete from staff_action_block where number = 2",
        "delete from staff_action_block where number = 1",
    ],
)
async def test_a_block_that_was_touched_breaks_the_chain(room: Room, change: str) -> None:
    for _ in range(3):
        await room.sealed(2)
    await room.tamper(change)
    findings = (await room.sealing.verify()).findings
    assert Wrong.BROKEN in {finding.wrong for finding in findings}


async def test_a_tail_cut_off_with_its_blocks_is_found_by_the_hash_kept_elsewhere(
    room: Room,
) -> None:
    await room.sealed(2)
    ids = await room.sealed(2)
    kept_elsewhere = (await room.sealing.verify()).head
    await room.tamper("delete from staff_action where id = any($1::uuid[])", ids)
    await room.tamper("delete from staff_action_block where number = 2")
    verified = await room.sealing.verify()
    assert verified.findings == () and verified.head != kept_elsewhere


async def test_blocks_are_bounded_and_two_sealers_make_one_chain(room: Room) -> None:
    await room.pool.execute(
        "insert into staff_action (id, tenant, who, what, subject)"
        " select ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 1, 'a', 'b', ''"
        " from generate_series(1, $1) n",
        ROWS_MOST + 5,
    )
    other = Sealing(room.pool, 1, room.clock)
    assert await room.sealing.sweep() == ROWS_MOST
    assert await other.sweep() == 5
    assert await room.sealing.sweep() == 0
    verified = await other.verify()
    assert (verified.blocks, verified.rows, verified.findings) == (2, ROWS_MOST + 5, ())


async def test_another_tenants_rows_are_not_in_it(room: Room) -> None:
    other = Actions(room.pool, 2, room.clock, Ids(room.clock))
    await other.write(Action("eve", "show_transaction", "P"), "ok")
    await room.sealed(1)
    assert (await room.sealing.verify()).rows == 1


async def test_the_command_names_the_row_and_fails(room: Room) -> None:
    settings = settings_for(room.database_url, **OUTSIDE)
    options = argparse.Namespace(all=False, verify="verify")
    ids = await room.sealed(2)
    said: list[str] = []
    assert await audit(settings, options, said.append)
    assert said[-1] == "nothing is wrong" and "2 of staff's actions compared in 1 blocks" in said
    await room.tamper("update staff_action set who = 'babu' where id = $1", ids[1])
    said.clear()
    assert not await audit(settings, options, said.append)
    assert f"staff's log: changed  block 1  {ids[1]}" in said
    assert said[-1] == "1 findings"


async def test_postgres_itself_refuses_who_does_not_own_it(room: Room) -> None:
    ids = await room.sealed(1)
    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="append-only"):
        await room.pool.execute("update staff_action set who = 'babu' where id = $1", ids[0])

"""Months ahead are made beside the payments, and what they are made of is what the first had."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest

from channels.wiring import open_engine
from channels.worker import MONTHS_SECONDS
from engine.clock import Clock, Ids, first_id_at
from engine.database import connect, ensure_months, have_months
from engine.ledger.books import open_accounts
from engine.ledger.chart import Account
from engine.ledger.chart import Kind as A
from engine.ledger.commit import commit
from engine.ledger.plans import CREATE, Plan, Verdict
from engine.row_security import as_tenant
from tests.integration.test_sealing import OUTSIDE
from tests.integration.world import settings_for

LATER = datetime(2039, 6, 1, tzinfo=UTC)
PATIENCE_SECONDS = 120

PARTITIONED = ("attempt", "evidence", "journal", "payment", "sms_message")

Connections = Callable[..., Awaitable[Any]]


@pytest.fixture
async def connections(database_url: str) -> AsyncIterator[Connections]:
    """Opens connections, the owner's where nothing else is said, and closes them all."""
    async with AsyncExitStack() as closing:

        async def opened(url: str = database_url) -> Any:
            connection = await connect(url)
            closing.push_async_callback(connection.close)
            return connection

        yield opened


async def test_months_are_made_beside_who_reads_and_who_writes(connections: Connections) -> None:
    backup, writer, owner = [await connections() for _ in range(3)]
    async with backup.transaction(isolation="repeatable_read", readonly=True), writer.transaction():
        await backup.fetchval("select count(*) from journal")  # as long as a backup takes
        for table in ("payment", "journal", "attempt", "evidence"):
            await writer.execute(f"lock table {table} in row exclusive mode")  # as a commit does
        async with asyncio.timeout(PATIENCE_SECONDS):
            await ensure_months(owner, LATER)
    assert await _months_of(owner, "journal", "2039") == 5


async def test_payments_go_on_while_months_are_made(
    database_url: str, connections: Connections
) -> None:
    owner, serving = await connections(), await connections(as_tenant(database_url, 1))
    float_, pool = Account(1, "KES", A.FLOAT, 1), Account(1, "KES", A.POOL_AVAIL)
    await open_accounts(serving, [float_, pool])
    ids = Ids(Clock())
    payment = ids.hex()
    transfers = ((float_.number, pool.number, 5),)
    plan = Plan(payment, CREATE, 1, 100, key=payment, begins=ids.hex(), transfers=transfers)
    async with owner.transaction(), asyncio.timeout(PATIENCE_SECONDS):
        await ensure_months(owner, LATER)  # and something keeps it from ending
        (answer,) = await commit(serving, [plan], 1)
    assert answer.verdict is Verdict.APPLIED


async def test_a_month_is_what_a_partition_made_at_once_would_be(connections: Connections) -> None:
    owner = await connections()
    first, second, end = [first_id_at(datetime(2039, month, 1, tzinfo=UTC)) for month in (1, 2, 3)]
    await owner.execute("select make_month('2039_02', $1, $2)", second, end)
    for table in PARTITIONED:
        tuned = "with (fillfactor = 50)" if table == "payment" else ""
        await owner.execute(
            f"create table {table}_2039_01 partition of {table}"
            f" for values from ('{first}') to ('{second}') {tuned}"
        )
        await owner.execute(f"select shield_partition('{table}', '{table}_2039_01')")
        known, made = [await _known(owner, table, month) for month in ("2039_01", "2039_02")]
        for what, rows in known.items():
            assert (table, what, rows) == (table, what, made[what])
        assert all(known[what] for what in ("table", "columns", "indexes", "policies"))
        inherited = await owner.fetchval(
            "select count(*) from pg_index where indrelid = $1::text::regclass", table
        )
        assert len(made["indexes"]) == inherited  # none twice
        assert all(row["parent"] for row in made["indexes"])


async def test_no_table_has_a_default_partition(connections: Connections) -> None:
    """It would be locked and read through whenever a month is attached."""
    owner = await connections()
    rows = await owner.fetch(
        "select partrelid::regclass::text, partdefid from pg_partitioned_table order by 1"
    )
    assert [tuple(row) for row in rows] == [(table, 0) for table in PARTITIONED]


async def test_nothing_is_left_of_months_whose_maker_died(connections: Connections) -> None:
    died, other = [await connections() for _ in range(2)]
    making = died.transaction()
    await making.start()
    await ensure_months(died, LATER)
    waiting = asyncio.create_task(ensure_months(other, LATER))
    await asyncio.sleep(0.1)
    await making.rollback()
    await waiting
    await ensure_months(died, LATER)
    assert [await _months_of(other, table, "2039") for table in PARTITIONED] == [5] * 5


async def test_a_start_needs_this_month_and_the_next_and_no_later_one(
    database_url: str, connections: Connections, caplog: pytest.LogCaptureFixture
) -> None:
    now = datetime.now(UTC)
    owner, serving = await connections(), await connections(as_tenant(database_url, 1))
    await owner.execute("revoke execute on function make_month_ahead from capp_tenant")
    with caplog.at_level(logging.WARNING):
        await have_months(serving, now)
    assert "make_month_ahead" in caplog.text
    following = datetime(now.year + now.month // 12, now.month % 12 + 1, 1, tzinfo=UTC)
    await owner.execute(f"alter table evidence detach partition evidence_{following:%Y_%m}")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await have_months(serving, now)


async def test_a_process_starts_though_no_later_month_can_be_made(
    database_url: str, connections: Connections
) -> None:
    owner = await connections()
    await owner.execute("revoke execute on function make_month_ahead from capp_tenant")
    async with open_engine(settings_for(database_url, **OUTSIDE)) as engine:
        assert await engine.pool.fetchval("select current_user") == "capp_tenant_1"


def test_a_worker_that_could_not_make_months_tries_again_within_minutes() -> None:
    assert MONTHS_SECONDS <= 15 * 60


async def _months_of(connection: Any, table: str, year: str) -> int:
    return int(
        await connection.fetchval(
            "select count(*) from pg_inherits where inhparent = $1::text::regclass"
            " and inhrelid::regclass::text like $1 || '\\_' || $2 || '\\_%'",
            table, year,
        )
    )  # fmt: skip


async def _known(connection: Any, table: str, month: str) -> dict[str, list[dict[str, Any]]]:
    """What the catalog says of a partition, without its month."""
    part = f"{table}_{month}"
    found = {}
    for what, query in _CATALOG.items():
        rows = [dict(row) for row in await connection.fetch(query, part)]
        found[what] = [
            {k: v.replace(month, "") if isinstance(v, str) else v for k, v in row.items()}
            for row in rows
        ]
    return found


# A key that was there before it was attached is marked as not inherited: by what lies below a
# partition, which is nothing. A column's `pg_attver` is some servers' own stamp of its row.
_CATALOG = {
    "table": "select relkind, relpersistence, relowner, relam, reltablespace, relacl::text,"
    " reloptions::text, relrowsecurity, relforcerowsecurity, relreplident, relispartition,"
    " relhasindex, relhasrules, relhastriggers, relchecks, relnatts, inhparent::regclass::text"
    " from pg_class join pg_inherits on inhrelid = oid where oid = $1::text::regclass",
    "columns": "select attnum, attname::text, atttypid, atttypmod, attcollation, attnotnull,"
    " attstorage, attcompression, attidentity, attgenerated, attislocal, attinhcount,"
    " coalesce(attstattarget, -1) as statistics, attacl::text,"
    " array(select o from unnest(attoptions) o where o not like 'pg\\_attver=%')::text as options,"
    " pg_get_expr(adbin, adrelid) as default"
    " from pg_attribute left join pg_attrdef on adrelid = attrelid and adnum = attnum"
    " where attrelid = $1::text::regclass and attnum > 0 order by attnum",
    "constraints": "select conname::text, contype, convalidated, conislocal, coninhcount,"
    " connoinherit and contype <> 'p' as is_ours_alone, pg_get_constraintdef(oid) as says,"
    " (select conname::text from pg_constraint p where p.oid = c.conparentid) as parent"
    " from pg_constraint c where conrelid = $1::text::regclass order by conname",
    "indexes": "select relname::text, pg_get_indexdef(indexrelid) as says, indisunique,"
    " indisprimary, indisvalid, indisready, indisclustered, indisreplident, relispartition,"
    " relam, reloptions::text, inhparent::regclass::text as parent"
    " from pg_index join pg_class on oid = indexrelid"
    " left join pg_inherits on inhrelid = indexrelid"
    " where indrelid = $1::text::regclass order by relname",
    "policies": "select polname::text, polcmd, polpermissive, polroles::text,"
    " pg_get_expr(polqual, polrelid) as holds, pg_get_expr(polwithcheck, polrelid) as checks,"
    " obj_description(oid, 'pg_policy') as rights"
    " from pg_policy where polrelid = $1::text::regclass order by polname",
    "triggers": "select tgname::text, tgenabled, tgtype, tgfoid from pg_trigger"
    " where tgrelid = $1::text::regclass order by tgname",
    "statistics": "select stxname::text, stxkeys::text, stxkind::text from pg_statistic_ext"
    " where stxrelid = $1::text::regclass order by stxname",
}

"""The migrations go up, down and up again, and give what `engine/tables/` says."""

import argparse
import asyncio
from datetime import UTC, datetime

import asyncpg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, pool
from sqlalchemy.ext.asyncio import create_async_engine

from channels.cli import main
from channels.commands.doctor import checks_of
from channels.commands.migrating import run_migrate
from channels.settings import BadSettings
from channels.wiring import open_engine
from engine.database import ensure_months
from engine.errors import NotServed, StaffMistake
from engine.schema import migrate, revisions
from engine.tables import metadata
from tests.integration.owner import tell_owner
from tests.integration.test_sealing import OUTSIDE
from tests.integration.world import ENVIRONMENT, settings_for


def test_migrations_equal_the_tables_and_run_down_and_up(database_url: str) -> None:
    assert asyncio.run(differences(database_url)) == []
    migrate(database_url, to="base")
    assert asyncio.run(relations(database_url)) == {"alembic_version"}
    assert asyncio.run(left_over(database_url)) == []
    migrate(database_url)
    assert asyncio.run(differences(database_url)) == []


@pytest.mark.long("the way that the test above goes whole, back and forth")
def test_a_revision_is_gone_to_whether_it_lies_above_or_below(database_url: str) -> None:
    migrate(database_url, to="base")
    for revision in ("0028", "0030", "0030", "0029", "base", "0001"):
        migrate(database_url, to=revision)
        assert asyncio.run(stands_at(database_url)) == ([] if revision == "base" else [revision])
    migrate(database_url)
    assert asyncio.run(differences(database_url)) == []


@pytest.mark.parametrize("revision", ["9999", "", "003", "-1", "'; drop table payment"])
def test_a_revision_that_nobody_knows_is_said_to_be_none(database_url: str, revision: str) -> None:
    before = asyncio.run(stands_at(database_url))
    with pytest.raises(BadSettings, match="no such revision"):  # `capp` says so and ends with 2
        run_migrate({"DATABASE_URL": database_url}, argparse.Namespace(to=revision), print)
    with pytest.raises(StaffMistake, match="no such revision"):
        migrate(database_url, to=revision)
    assert asyncio.run(stands_at(database_url)) == before


def test_a_schema_newer_than_the_program_is_left_alone(database_url: str) -> None:
    tell_owner(database_url, "update alembic_version set version_num = '9999'")
    for revision in ("head", "0030", "base"):
        with pytest.raises(StaffMistake, match="9999, which this program does not know"):
            migrate(database_url, to=revision)


def test_a_program_does_not_start_on_a_schema_of_before(database_url: str) -> None:
    """Its payments would fail one by one, behind a door that says it is ready."""
    settings = settings_for(database_url, **OUTSIDE)

    async def start() -> None:
        async with open_engine(settings):
            pass

    async def look() -> None:
        await checks_of(settings)["database"](settings)

    newest = revisions()[-1]
    for revision, said in (
        (revisions()[-2], f"at {revisions()[-2]}, this program wants {newest}: run `capp migrate`"),
        ("base", "no tables of ours: is DATABASE_URL the one that was meant\\?"),
    ):
        migrate(database_url, to=revision)
        with pytest.raises(NotServed, match=said):
            asyncio.run(start())
        with pytest.raises(NotServed, match=said):
            asyncio.run(look())
    migrate(database_url)
    asyncio.run(start())
    tell_owner(database_url, "update alembic_version set version_num = '9999'")
    asyncio.run(start())  # once more, while another version is rolled out


def test_who_forgot_to_migrate_is_told_so(
    database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in {**ENVIRONMENT, "DATABASE_URL": database_url}.items():
        monkeypatch.setenv(name, value)
    migrate(database_url, to="base")
    assert main(["data", "retain"]) == 1
    assert "was `capp migrate` run?" in capsys.readouterr().err


def test_migrating_twice_changes_nothing(database_url: str) -> None:
    before = asyncio.run(relations(database_url))
    migrate(database_url)
    assert asyncio.run(relations(database_url)) == before


@pytest.mark.parametrize("to", ["head", "0030"])
def test_who_migrates_is_told_where_the_schema_stands_though_nothing_was_to_do(
    database_url: str, to: str
) -> None:
    said: list[str] = []
    settings = {"DATABASE_URL": database_url, "CAPP_DATABASE_ROLE": "none"}
    for _ in range(2):
        assert run_migrate(settings, argparse.Namespace(to=to), said.append)
    at = asyncio.run(stands_at(database_url))[0]
    assert said == [f"the schema is at {at}"] * 2


def test_an_address_may_ask_for_encryption_and_be_spelled_both_ways(database_url: str) -> None:
    other = database_url.replace("postgresql://", "postgres://", 1)
    for address in (f"{database_url}?sslmode=prefer", other, f"{other}?application_name=50%25"):
        migrate(address, to="0030")
        migrate(address)
    assert asyncio.run(differences(database_url)) == []


async def test_months_ahead_are_made_once_and_across_the_year(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        for _ in range(2):
            await ensure_months(connection, datetime(2030, 11, 30, tzinfo=UTC))
        found = await connection.fetch(
            "select relname from pg_class where relname like 'journal\\_203%' and relkind = 'r'"
            " order by 1"
        )
    finally:
        await connection.close()
    expected = ["2030_10", "2030_11", "2030_12", "2031_01", "2031_02"]
    assert [r[0] for r in found] == [f"journal_{month}" for month in expected]


async def test_many_processes_may_make_the_same_months_at_once(database_url: str) -> None:
    moment = datetime(2040, 1, 15, tzinfo=UTC)
    connections = [await asyncpg.connect(database_url) for _ in range(8)]
    try:
        await asyncio.gather(*[ensure_months(connection, moment) for connection in connections])
        made = await connections[0].fetchval(
            "select count(*) from pg_class where relname like 'payment\\_20%' and relkind = 'r'"
            " and relname > 'payment_2039'"
        )
    finally:
        for connection in connections:
            await connection.close()
    assert made == 5


async def differences(url: str) -> list[object]:
    """What autogenerate would change; partitions are the database's own affair."""
    database = create_async_engine(
        url.replace("postgresql://", "postgresql+asyncpg://", 1), poolclass=pool.NullPool
    )

    def compare(connection: Connection) -> list[object]:
        tables = set(metadata.tables)
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                "include_name": lambda name, kind, _: kind != "table" or name in tables,
            },
        )
        return list(compare_metadata(context, metadata))

    async with database.connect() as connection:
        found = await connection.run_sync(compare)
    await database.dispose()
    return found


async def stands_at(url: str) -> list[str]:
    """The revision, or nothing for an empty schema."""
    connection = await asyncpg.connect(url)
    try:
        return [r[0] for r in await connection.fetch("select version_num from alembic_version")]
    finally:
        await connection.close()


async def left_over(url: str) -> list[str]:
    """Functions and rules of ours, and what roles that are left may still do."""
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch(
            "select proname::text from pg_proc where pronamespace = 'public'::regnamespace"
            " union all select polname::text from pg_policy"
            " union all select 'usage of the schema' where exists (select from pg_namespace,"
            "   aclexplode(nspacl) where nspname = 'public' and grantee = 'capp_tenant'::regrole)"
            " union all select 'read ' || relname from pg_class, aclexplode(relacl)"
            "   where grantee = 'capp_tenant'::regrole"
        )
        return [row[0] for row in rows]
    finally:
        await connection.close()


async def relations(url: str) -> set[str]:
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch(
            "select relname from pg_class join pg_namespace n on n.oid = relnamespace"
            " where nspname = 'public' and relkind in ('r', 'p')"
        )
        return {r[0] for r in rows}
    finally:
        await connection.close()

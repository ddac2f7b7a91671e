"""What lies between us and Postgres may drop how a connection is to be opened: it is noticed."""

import asyncio
import logging
from collections.abc import Iterator
from typing import Any

import asyncpg
import pytest

from channels.commands.doctor import checks_of
from channels.one_database import OneDatabase
from engine import database
from engine.database import connect, must_be_new_enough
from engine.errors import NotServed
from engine.row_security import as_tenant
from tests.conftest import WORKER
from tests.integration.owner import tell_owner
from tests.integration.pooler import pooler
from tests.integration.world import settings_for

BOUNDS = frozenset(database.WHO_IS_GONE)
ALL = BOUNDS | {"role"}
LOGIN = f"pooled_{WORKER}"


@pytest.fixture
def login(database_url: str) -> Iterator[str]:
    """A login for serving, behind a pooler: what the pooler drops it has by itself."""
    tell_owner(database_url, f"create role {LOGIN} login noinherit in role capp_tenant_1")
    yield database_url.replace("postgres@", f"{LOGIN}@")
    tell_owner(database_url, f"drop role {LOGIN}")


async def by_itself(pool: Any, *words: str) -> None:
    for word in words:
        await pool.execute(f"alter role {LOGIN} set {word}")


async def test_a_role_that_was_dropped_is_no_connection_for_whoever_is_above_it(
    database_url: str, login: str
) -> None:
    for address in (database_url, login):
        async with pooler(address, ignored=ALL) as between:
            with pytest.raises(NotServed, match="not capp_tenant_1: what lies between dropped"):
                await connect(as_tenant(between, 1))


async def test_what_is_refused_is_said_and_not_waited_for(database_url: str) -> None:
    async with pooler(database_url, ignored=BOUNDS) as between:
        with pytest.raises(NotServed, match=r"startup parameter: role: .* in deploy/pooler.md"):
            await connect(as_tenant(between, 1))


async def test_other_troubles_of_a_pooler_are_waited_for(database_url: str) -> None:
    """It says all of them with the same code, and most are over in a moment."""

    async def busy(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        told = b"SFATAL\0C08P01\0Mquery_wait_timeout\0\0"
        writer.write(b"E" + (len(told) + 4).to_bytes(4, "big") + told)
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(busy, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(asyncpg.ProtocolViolationError, match="query_wait_timeout"):
            await connect(f"postgresql://postgres@127.0.0.1:{port}/capp?sslmode=disable")


async def test_a_login_that_has_all_by_itself_serves_behind_a_pooler(
    pool: Any, login: str, caplog: pytest.LogCaptureFixture
) -> None:
    await by_itself(pool, "role = capp_tenant_1", *(f"{name} = 7000" for name in BOUNDS))
    async with pooler(login, ignored=ALL) as between:
        settings = settings_for(between)
        connection = await OneDatabase(settings).connect()
        assert await connection.fetchval("select current_tenant()") == 1
        assert await connection.fetchval("show client_connection_check_interval") == "7s"
        await connection.close()
        assert (await checks_of(settings)["database"](settings)).startswith("Postgres 1")
        await checks_of(settings)["tenants"](settings)
    assert "dropped" not in caplog.text


async def test_bounds_that_were_dropped_are_told_at_the_start_and_by_doctor(
    pool: Any, login: str, caplog: pytest.LogCaptureFixture
) -> None:
    await by_itself(pool, "role = capp_tenant_1")
    caplog.set_level(logging.WARNING)
    async with pooler(login, ignored=ALL) as between:
        settings = settings_for(between)
        one_database = OneDatabase(settings)
        for _ in range(2):
            await (await one_database.connect()).close()
        (told,) = [record.getMessage() for record in caplog.records]
        assert all(name in told for name in BOUNDS)
        with pytest.raises(ValueError, match="idle_in_transaction_session_timeout"):
            await checks_of(settings)["database"](settings)


async def test_who_switches_a_bound_off_in_the_address_is_not_told_of_it(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    off = "&".join(f"{name}=0" for name in BOUNDS)
    await (await OneDatabase(settings_for(f"{database_url}?{off}")).connect()).close()
    assert "dropped" not in caplog.text


async def test_a_postgres_that_is_too_old_is_named(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = await connect(database_url)
    must_be_new_enough(connection)
    await connection.close()
    monkeypatch.setattr(database, "OLDEST_POSTGRES", 99)
    with pytest.raises(NotServed, match=r"this is Postgres .*: 99 or newer is needed"):
        await connect(database_url)

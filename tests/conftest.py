"""Real servers for every test run, a fresh database per test, and an end to every test that hangs.

A run with several workers (`tests/workers.py`) gives each a Postgres and a Redis of its own.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import redis

from engine.database import open_pool
from engine.schema import migrate
from simulator import embedded
from tests.memory import folder_of_run

pytest_plugins = ["tests.workers", "tests.alarm"]

WORKER = os.environ.get("PYTEST_XDIST_WORKER", "alone")
# Workers may share the server of TEST_DATABASE_URL.
TEMPLATE = f"template_capp_{WORKER}"
# The tests' database may forget everything when the machine dies; nothing else is relaxed.
SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "max_wal_size": "256MB",
}


@pytest.fixture(scope="session")
def servers_folder() -> Iterator[Path]:
    """Not below pytest's own folder: every pytest run closes that to other system users."""
    with folder_of_run() as folder:
        yield folder


@pytest.fixture(scope="session")
def postgres_url(servers_folder: Path) -> Iterator[str]:
    """The run's own server, or that of `TEST_DATABASE_URL`, whose user may create databases."""
    if given := os.environ.get("TEST_DATABASE_URL"):
        yield given
        return
    server = embedded.start_postgres(servers_folder / "postgres", settings=SETTINGS)
    yield server.url
    server.stop()


@pytest.fixture(scope="session")
def template(postgres_url: str) -> str:
    """A migrated database that every test's own is copied from."""

    asyncio.run(_execute(postgres_url, f"drop database if exists {TEMPLATE}"))
    asyncio.run(_execute(postgres_url, f"create database {TEMPLATE}"))
    migrate(_url(postgres_url, TEMPLATE))
    return TEMPLATE


@pytest.fixture
def database_url(postgres_url: str, template: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """A database of the test's own, migrated, with partitions around today."""
    with _copied(postgres_url, template, request.node.nodeid) as url:
        yield url


@pytest.fixture(scope="module")
def shared_database_url(
    postgres_url: str, template: str, request: pytest.FixtureRequest
) -> Iterator[str]:
    """The same for a whole module, whose tests sweep up before each other."""
    with _copied(postgres_url, template, request.node.nodeid) as url:
        yield url


@contextmanager
def _copied(postgres_url: str, template: str, owner: str) -> Iterator[str]:
    name = f"test_{WORKER}_{abs(hash(owner)) % 10**12}"
    # The template rests, so its files may be copied as they are: half the work of logging them.
    copy = f"create database {name} template {template} strategy file_copy"
    asyncio.run(_execute(postgres_url, copy))
    yield _url(postgres_url, name)
    asyncio.run(_execute(postgres_url, f"drop database {name} with (force)"))


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Any]:
    opened = await open_pool(database_url)
    yield opened
    await opened.close()


@pytest.fixture(scope="session")
def redis_server(servers_folder: Path) -> Iterator[embedded.Server]:
    server = embedded.start_redis(servers_folder / "redis")
    yield server
    server.stop()


@pytest.fixture
def redis_url(redis_server: embedded.Server) -> str:
    """The run's Redis, emptied for this test."""
    with redis.Redis.from_url(redis_server.url) as client:
        client.flushall()
    return redis_server.url


def _url(server: str, database: str) -> str:
    return server.rsplit("/", 1)[0] + "/" + database


async def _execute(url: str, sql: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()

"""Real servers for every test run, a fresh database per test, and an end to every test that hangs.

A run with several workers (`tests/workers.py`) gives each a Postgres and a Redis of its own.
"""

import asyncio
import gc
import os
import signal
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import redis
from hypothesis import HealthCheck, settings

from engine import database
from engine.database import open_pool
from engine.schema import migrate
from simulator import embedded
from tests.memory import folder_of_run

# A property holds or not; how long a busy machine takes over an example says nothing of it.
settings.register_profile("tests", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tests")

# A machine that gives a test nothing for a while is neither a server that does not answer, nor a
# process that stands still in a transaction. What these bounds do is tried with bounds of its own.
WHO_IS_GONE = dict(database.WHO_IS_GONE)  # as it is delivered
database.CONNECT_SECONDS_MAX = 120.0
database.WHO_IS_GONE["idle_in_transaction_session_timeout"] = "120000"

# Runs one statement as the user of the tests' server.
Say = Callable[[str], None]

# A run that was begun in the background ignores Ctrl-C, and all that it starts would as well.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Our own server speaks no TLS. To make ready for it, ask and hear so costs a third of connecting.
if "TEST_DATABASE_URL" not in os.environ:
    os.environ.setdefault("PGSSLMODE", "disable")

pytest_plugins = ["tests.tiers", "tests.workers", "tests.alarm", "tests.shipped"]

WORKER = os.environ.get("PYTEST_XDIST_WORKER", "alone")
# Workers may share the server of TEST_DATABASE_URL.
TEMPLATE = f"template_capp_{WORKER}"
# The tests' database may forget everything when the machine dies; nothing else is relaxed. All
# buffers are looked through when a database is made and dropped: as many as a test fills will do.
SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "max_wal_size": "256MB",
    "shared_buffers": "32MB",
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
def tell_server(postgres_url: str) -> Iterator[Say]:
    """On one connection for the whole run: opening it costs as much as copying a database."""
    with asyncio.Runner() as runner:
        connection = runner.run(_connected(postgres_url))

        def tell(sql: str) -> None:
            runner.run(connection.execute(sql))

        yield tell
        runner.run(connection.close())


@pytest.fixture(scope="session")
def template(postgres_url: str, tell_server: Say) -> str:
    """A migrated database that every test's own is copied from."""

    tell_server(f"drop database if exists {TEMPLATE}")
    tell_server(f"create database {TEMPLATE}")
    migrate(_url(postgres_url, TEMPLATE))
    return TEMPLATE


@pytest.fixture(scope="session")
def seeded_template(postgres_url: str, template: str, tell_server: Say) -> str:
    """The same with what every world begins with: to seed each is a fifth of what it costs."""
    from tests.integration.world import SEEDED, seed_world

    name = template + SEEDED
    tell_server(f"drop database if exists {name}")
    tell_server(f"create database {name} template {template}")
    asyncio.run(seed_world(_url(postgres_url, name)))
    return name


@pytest.fixture
def database_url(
    postgres_url: str, template: str, tell_server: Say, request: pytest.FixtureRequest
) -> Iterator[str]:
    """A database of the test's own, migrated, with partitions around today."""
    is_seeded = "seeded_url" in request.fixturenames
    source = request.getfixturevalue("seeded_template") if is_seeded else template
    with _copied(source, tell_server, request.node.nodeid) as name:
        yield _url(postgres_url, name)


@pytest.fixture
def seeded_url(database_url: str) -> str:
    """The same database, where a world is opened in it (`integration/world.py`): seeded already."""
    return database_url


@pytest.fixture(scope="module")
def shared_database_url(
    postgres_url: str, template: str, tell_server: Say, request: pytest.FixtureRequest
) -> Iterator[str]:
    """The same for a whole module, whose tests sweep up before each other."""
    with _copied(template, tell_server, request.node.nodeid) as name:
        yield _url(postgres_url, name)


@contextmanager
def _copied(source: str, tell_server: Say, owner: str) -> Iterator[str]:
    name = f"{source.removeprefix('template_')}_{abs(hash(owner)) % 10**12}"
    # The source rests, so its files may be copied as they are: half the work of logging them.
    tell_server(f"create database {name} template {source} strategy file_copy")
    yield name
    tell_server(f"drop database {name} with (force)")


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


async def _connected(url: str) -> Any:
    """Coroutines are what a runner runs; connecting is only awaitable."""
    return await asyncpg.connect(url)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is collected stays to the end, so nothing is looked for in it: now, or at each test.

    What tests leave is looked for rarely: a run makes millions of objects and keeps hardly any.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.set_threshold(10_000)
        gc.enable()

"""Processes that start while Postgres and Redis are away, and what their logs say of an outage."""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from simulator.child import Child
from simulator.stack import Stack
from tests.e2e.city import City, open_city
from tests.e2e.conftest import ENVIRONMENT
from tests.e2e.secrecy import Typed
from tests.e2e.servers import Databases, running, start_stack

pytestmark = pytest.mark.long("starts stacks while servers are away, and waits for them")

TRIES = 3
OUTAGE_SECONDS = 4.0
"""Long enough for every loop of a second to have failed several times."""
FORCE_SECONDS = 300.0
"""Then a process that does not end by itself is killed."""
TRY, ONCE, BACK = "is away, next try in", "Postgres is away, which is told once", "Postgres is back"


@pytest.fixture(scope="module")
def own_databases(e2e_folder: Path) -> Iterator[Databases]:
    """Of this file alone: they are away for long."""
    with running(e2e_folder / "starting" / "databases") as started:
        yield started


@pytest.fixture(scope="module")
def own_stack(e2e_folder: Path, own_databases: Databases) -> Iterator[Stack]:
    with start_stack(
        e2e_folder / "starting",
        own_databases,
        database="starting",
        redis_number=0,
        environment=ENVIRONMENT,
        operators=("mpesa_ke", "mtn_ug"),
    ) as started:
        yield started  # its databases end with this file; its logs are searched with the others


@pytest.fixture
async def city(own_stack: Stack, typed: Typed, random: Random) -> AsyncIterator[City]:
    async with open_city(own_stack, typed, random) as opened:
        yield opened
    own_stack.check()


class Log:
    """What a program writes from now on."""

    def __init__(self, child: Child) -> None:
        self._file = child.log
        self._from = child.log.stat().st_size

    def text(self) -> str:
        return self._file.read_bytes()[self._from :].decode()

    def lines_with(self, words: str) -> list[str]:
        return [line for line in self.text().splitlines() if words in line]

    def complaints(self) -> list[str]:
        """All lines but those that tell of what goes well, traces line by line."""
        return [line for line in self.text().splitlines() if " INFO " not in line]

    def assert_no_trace(self) -> None:
        assert "Traceback" not in self.text(), self.text()
        assert 'File "' not in self.text(), self.text()


async def _status(city: City, path: str) -> int:
    return (await city.client.get(f"{city.places.server}{path}")).status_code


async def _pays(city: City) -> None:
    payer, payee = city.newcomer("KE"), city.newcomer("UG")
    await city.pay(payer, payee, 500)
    await city.ends(payer, "PAID")


async def test_both_processes_started_without_servers_wait_live_and_then_serve(
    city: City, own_stack: Stack, own_databases: Databases
) -> None:
    children = (own_stack.web, own_stack.worker)
    for child in children:
        child.stop()
    own_databases.crash_postgres()
    own_databases.stop_redis()
    logs = [Log(child) for child in children]
    for child in children:
        child.start()

    async def tried() -> bool | None:
        return all(len(log.lines_with(TRY)) >= TRIES for log in logs) or None

    await city.until(tried, lambda: "\n".join(log.text() for log in logs))
    own_stack.check()
    assert await _status(city, "/health/live") == 200
    assert await _status(city, "/health") == 503
    session = city.phone(city.newcomer("KE"))
    screen = await session.dial(city.places.shortcode)
    assert screen.fault is not None and "503" in screen.fault

    await asyncio.to_thread(own_databases.start_postgres)

    async def ready() -> bool | None:
        return await _status(city, "/health") == 200 or None

    await city.until(ready, "the web process did not find Postgres")
    screen = await city.phone(city.newcomer("KE")).dial(city.places.shortcode)
    assert screen.fault is None and screen.text.startswith("CAPP cannot answer right now.")
    await asyncio.to_thread(own_databases.start_redis)
    await _pays(city)
    for log in logs:
        log.assert_no_trace()


@pytest.mark.parametrize("name", ["web", "worker"])
async def test_a_process_that_waits_for_postgres_ends_when_it_is_asked_to(
    city: City,
    own_stack: Stack,
    own_databases: Databases,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("simulator.child.STOP_SECONDS", FORCE_SECONDS)
    child: Child = getattr(own_stack, name)
    child.stop()
    own_databases.crash_postgres()
    try:
        log = Log(child)
        child.start()
        await city.until(_found(log, TRY), lambda: log.text())
        await asyncio.to_thread(child.stop)
        assert child._process is not None
        assert child._process.returncode != -signal.SIGKILL, "it did not end by itself"
        log.assert_no_trace()
    finally:
        await asyncio.to_thread(own_databases.start_postgres)
        own_stack.restart_worker()
        await asyncio.to_thread(own_stack.restart_web)


async def test_an_outage_of_postgres_is_one_line_in_the_log_of_each_process(
    city: City, own_stack: Stack, own_databases: Databases
) -> None:
    await _pays(city)
    logs = [Log(own_stack.web), Log(own_stack.worker)]
    own_databases.crash_postgres()
    for log in logs:
        await city.until(_found(log, ONCE), log.text)
    for _ in range(5):
        assert await _status(city, "/health") == 503
        screen = await city.phone(city.newcomer("KE")).dial(city.places.shortcode)
        assert screen.ends and screen.text.startswith("CAPP cannot answer right now.")
        await asyncio.sleep(OUTAGE_SECONDS / 5)
    for log in logs:
        assert len(log.lines_with(ONCE)) == 1, log.text()
        assert len(log.complaints()) == 1, log.text()
    await asyncio.to_thread(own_databases.start_postgres)
    for log in logs:
        await city.until(_found(log, BACK), log.text)
        (line,) = log.lines_with(BACK)
        assert "lines about it were left out" in line
        log.assert_no_trace()
    await _pays(city)


async def test_an_outage_of_redis_is_one_line_and_its_end_another(
    city: City, own_stack: Stack, own_databases: Databases
) -> None:
    """That it had ended nobody said."""
    await _pays(city)
    logs = [Log(own_stack.web), Log(own_stack.worker)]
    web, _ = logs
    await asyncio.to_thread(own_databases.stop_redis)
    try:
        for _ in range(5):
            assert await _status(city, "/api/v1/operators") in (401, 404)
            screen = await city.phone(city.newcomer("KE")).dial(city.places.shortcode)
            assert screen.ends and screen.text.startswith("CAPP cannot answer right now.")
            await asyncio.sleep(OUTAGE_SECONDS / 5)
    finally:
        await asyncio.to_thread(own_databases.start_redis)
    await city.until(_found(web, "Redis is back after"), web.text)
    assert len(web.lines_with("Redis is away, which is told once")) == 1, web.text()
    for log in logs:
        # Its beginning, its end, and whose phones were let in uncounted, which is no error's line.
        assert len(log.complaints()) <= 3, log.text()
        log.assert_no_trace()
    await _pays(city)


def _found(log: Log, words: str) -> Callable[[], Awaitable[bool | None]]:
    async def found() -> bool | None:
        return bool(log.lines_with(words)) or None

    return found


async def test_a_second_run_on_kept_data_begins_with_sandboxes_that_hold_what_the_books_say(
    e2e_folder: Path, own_databases: Databases, typed: Typed, random: Random
) -> None:
    """They forget when they end: every run after the first began with drift at every operator."""
    folder, urls = e2e_folder / "kept", list[tuple[str, str]]()

    async def run(stack: Stack, *, pays: bool) -> None:
        async with open_city(stack, typed, random) as city:
            if pays:
                payer, payee = city.newcomer("KE"), city.newcomer("UG")
                await city.pay(payer, payee, 1000)
                await city.ends(payer, "PAID")
            await city.assert_operators_agree()
        urls.append((stack.database_url, stack.redis_url))

    first = await asyncio.to_thread(
        start_stack, folder, own_databases, database="kept", redis_number=3,
        environment=ENVIRONMENT, operators=("mpesa_ke", "mtn_ug"),
    )  # fmt: skip
    with first:
        await run(first, pays=True)
    database_url, redis_url = urls[0]
    second = await asyncio.to_thread(
        Stack.start, folder, operators=("mpesa_ke", "mtn_ug"), approval="approve",
        database_url=database_url, redis_url=redis_url, environment=ENVIRONMENT,
    )  # fmt: skip
    with second:
        await run(second, pays=False)

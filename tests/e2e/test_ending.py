"""Processes that are told to end while Postgres is gone for good: they end and tell of it."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Literal

import pytest

from simulator.child import Child
from simulator.stack import Stack
from tests.chaos.freezes import Freezer
from tests.e2e.city import City, Person, open_city
from tests.e2e.secrecy import Typed
from tests.e2e.servers import Databases, running, start_stack

pytestmark = pytest.mark.long(
    "processes end while Postgres answers nothing, which takes them a minute"
)

# A collection waits for long enough that the web process can be killed before it leaves, also on a
# machine that does much else.
ENVIRONMENT = {
    "CAPP_COLLECT_DELAY_SECONDS": "15",
    "CAPP_FIRST_LOOK_SECONDS": "5",
    "CAPP_LEASE_SECONDS": "3",
}
HANGS_SECONDS = 30.0
"""So long the operator answers nothing: Postgres is gone when it does."""
FORCE_SECONDS = 300.0
"""Then a process that does not end by itself is killed."""
GIVEN_UP = "a plan is given up, for this process ends"

Gone = Literal["killed", "standing still"]


@pytest.fixture(scope="module")
def own_databases(e2e_folder: Path) -> Iterator[Databases]:
    """Of this file alone: they are away for long."""
    with running(e2e_folder / "ending" / "databases") as started:
        yield started


@pytest.fixture(scope="module")
def own_stack(e2e_folder: Path, own_databases: Databases) -> Iterator[Stack]:
    with start_stack(
        e2e_folder / "ending",
        own_databases,
        database="ending",
        redis_number=0,
        environment=ENVIRONMENT,
        operators=("mpesa_ke", "mtn_ug"),
    ) as started:
        yield started


@pytest.fixture
async def city(own_stack: Stack, typed: Typed, random: Random) -> AsyncIterator[City]:
    async with open_city(own_stack, typed, random) as opened:
        yield opened
    own_stack.check()


@contextmanager
def gone(databases: Databases, how: Gone) -> Iterator[None]:
    """Postgres, for as long as the block lasts."""
    freezer = Freezer()
    if how == "killed":
        databases.crash_postgres()
    else:
        freezer.freeze_server(databases.postgres.pid)
    try:
        yield
    finally:
        freezer.thaw()
        if how == "killed":
            databases.start_postgres()


async def _asked(city: City, stack: Stack, name: str) -> Person:
    """A payer of whose collection that process waits for the operator's answer."""
    payer, payee = city.newcomer("UG"), city.newcomer("KE")
    session = await city.order(payer, payee, 20_000)
    await city.arm(payer, "collect", "hang_after", seconds=HANGS_SECONDS)
    assert (await city.type(session, payer.pin)).ends
    if name == "worker":  # what a dead web process left behind
        stack.kill_web()

    async def struck() -> bool | None:
        return None if await city.is_armed(payer) else True

    await city.until(struck, "the collection did not run into its fault")
    return payer


@pytest.mark.parametrize("how", ["standing still", "killed"])
@pytest.mark.parametrize("name", ["web", "worker"])
async def test_a_process_ends_although_postgres_is_gone_for_good(
    city: City,
    own_stack: Stack,
    own_databases: Databases,
    name: str,
    how: Gone,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It waited for ever for what an answer of an operator had to be stored in."""
    monkeypatch.setattr("simulator.child.STOP_SECONDS", FORCE_SECONDS)
    child: Child = getattr(own_stack, name)
    payer = await _asked(city, own_stack, name)
    said_before = child.log.stat().st_size
    try:
        with gone(own_databases, how):
            await asyncio.to_thread(child.stop)
        assert child._process is not None
        assert child._process.returncode != -signal.SIGKILL, "it did not end by itself"
        said = child.log.read_bytes()[said_before:].decode()
        assert GIVEN_UP in said, said
    finally:
        own_stack.restart_worker()
        await asyncio.to_thread(own_stack.restart_web)
    await city.ends(payer, "PAID")
    assert len(await city.movements(payer)) == 1

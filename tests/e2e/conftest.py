"""One running product for the whole end-to-end run, with short timings and its own databases."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from random import Random, SystemRandom

import pytest

from simulator.stack import Stack
from tests.e2e.city import City, open_city
from tests.e2e.secrecy import Typed
from tests.e2e.servers import Databases, running, start_stack

ENVIRONMENT = {
    "CAPP_COLLECT_DELAY_SECONDS": "0",
    "CAPP_FIRST_LOOK_SECONDS": "2",
    "CAPP_LEASE_SECONDS": "5",
}


@pytest.fixture(scope="session")
def random() -> Random:
    return SystemRandom()


@pytest.fixture(scope="session")
def typed() -> Typed:
    return Typed()


@pytest.fixture(scope="session")
def e2e_folder(servers_folder: Path) -> Path:
    return servers_folder / "e2e"


@pytest.fixture(scope="session")
def databases(e2e_folder: Path) -> Iterator[Databases]:
    with running(e2e_folder / "databases") as started:
        yield started


@pytest.fixture(scope="session")
def stack(e2e_folder: Path, databases: Databases, typed: Typed) -> Iterator[Stack]:
    folder = e2e_folder / "stack"
    with start_stack(
        folder, databases, database="e2e", redis_number=0, environment=ENVIRONMENT
    ) as started:
        typed.watch(started)
        yield started


@pytest.fixture
async def city(stack: Stack, typed: Typed, random: Random) -> AsyncIterator[City]:
    stack.check()
    async with open_city(stack, typed, random) as opened:
        yield opened
        await opened.set_approval("approve")
    stack.check()

"""Transcripts that compare what the accounts of a whole city hold, before and after.

In a city that is shared, payments of others that were left unknown are asked about for minutes, and
the one that was paid after all moved a float in the middle of a play.
"""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from random import Random

import pytest
import pytest_asyncio

from simulator.stack import Stack
from tests.e2e.city import City, open_city
from tests.e2e.conftest import ENVIRONMENT
from tests.e2e.secrecy import Typed
from tests.e2e.servers import Databases, start_stack
from tests.e2e.test_networks import ALONE, be_as_written

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.long("a stack of its own; tests/e2e/test_transcripts.py plays the same journey"),
]


@pytest.fixture(scope="module")
def quiet(e2e_folder: Path, databases: Databases, typed: Typed) -> Iterator[Stack]:
    """Nobody pays in it but who is played."""
    with start_stack(
        e2e_folder / "quiet", databases, database="quiet", redis_number=8,
        environment=ENVIRONMENT, approval="ask", operators=("mpesa_ke", "mtn_ug"),
    ) as started:  # fmt: skip
        typed.watch(started)
        yield started


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def city(quiet: Stack, typed: Typed, random: Random) -> AsyncIterator[City]:
    async with open_city(quiet, typed, random) as opened:
        yield opened
    quiet.check()


@pytest.mark.parametrize("file", ALONE, ids=lambda file: file.stem)
async def test_it_goes_as_it_is_written(city: City, file: Path) -> None:
    await be_as_written(city, [file])

"""One tenant's loops that cannot run do not stop another's, unless the house is strict."""

import asyncio
from pathlib import Path

import pytest

from channels.rounds import make_rounds
from channels.settings import BadSettings, Settings
from channels.tenants import Tenant, read_tenants
from engine.correlation import spoken_of
from tests.integration.street_room import file_of, house_environment, write_files


@pytest.fixture
def tenants(tmp_path: Path) -> tuple[Tenant, ...]:
    write_files(tmp_path, duka=file_of("duka", 21), soko=file_of("soko", 22))
    return read_tenants(house_environment("postgresql://h/capp", "redis://h", tmp_path)).sound


async def test_one_that_fails_is_told_and_the_other_goes_on(
    tenants: tuple[Tenant, ...], caplog: pytest.LogCaptureFixture
) -> None:
    stop, said = asyncio.Event(), []

    async def work(settings: Settings) -> None:
        if settings.tenant == 21:
            raise OSError("no such role")
        await asyncio.sleep(0.01)
        said.append((settings.tenant, spoken_of()["tenant"], stop.is_set()))

    await make_rounds(tenants, stop, work, is_strict=False)
    assert said == [(22, "soko", False)]
    assert "no such role" in caplog.text


@pytest.mark.parametrize(("broken", "is_strict"), [({21}, True), ({21, 22}, False)])
async def test_strict_or_with_nobody_left_all_stop_and_it_is_said_who(
    tenants: tuple[Tenant, ...], broken: set[int], is_strict: bool
) -> None:
    stop = asyncio.Event()

    async def work(settings: Settings) -> None:
        if settings.tenant in broken:
            raise OSError("no such role")
        await stop.wait()

    with pytest.raises(BadSettings, match="duka: no such role"):
        await asyncio.wait_for(make_rounds(tenants, stop, work, is_strict=is_strict), 120)

"""The version of before the last step of the schema and this one, side by side under load."""

import secrets
from pathlib import Path

import pytest

from tests.chaos.beside import PROMPT, NoOlderVersion, run_beside, unpack
from tests.chaos.run import Plan

pytestmark = pytest.mark.long(
    "two versions' programs take turns under load; tests/integration/test_newer_rows.py and"
    " test_migrating_live.py hold parts of it"
)


@pytest.fixture
def folder(servers_folder: Path) -> Path:
    return servers_folder / "beside"


@pytest.fixture
def older(folder: Path) -> Path:
    """Skips where the files come without their history; a clone has it."""
    try:
        return unpack("", folder / "older")
    except NoOlderVersion as why:
        pytest.skip(str(why))


def test_an_upgrade_under_load_and_its_way_back_lose_nothing(folder: Path, older: Path) -> None:
    seed, lines = secrets.token_hex(4), list[str]()
    plan = Plan(0, seed, callers=3, fault_odds=0.05, faults=PROMPT, has_strangers=False)
    result = run_beside(folder, older, plan, lines.append)
    assert not result.breaches, "\n".join([f"seed {seed}", *lines, *result.breaches])
    assert result.reading is not None
    assert any(placed.codes for placed in result.reading.placed)

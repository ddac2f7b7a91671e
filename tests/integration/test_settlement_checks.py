"""`capp doctor` about settlement: a chain, its clock, the fee reserve, our keys."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from channels.commands.settlement_checks import settlement_checks
from channels.settings import BadSettings, Settings, read_settings
from channels.settlement_file import pegged_to
from engine.errors import CappError
from simulator.markets import MARKETS
from tests.integration.chain_room import CORRIDOR, ChainRoom, open_chain
from tests.integration.world import ENVIRONMENT

pytestmark = pytest.mark.asyncio(loop_scope="module")

MTN = MARKETS["mtn_ug"].environment("http://127.0.0.1:1")
AIRTEL = MARKETS["airtel_ke"].environment("http://127.0.0.1:1")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def room(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ChainRoom]:
    async with open_chain(tmp_path_factory.mktemp("chain")) as opened:
        yield opened


def settings(room: ChainRoom, tmp_path: Path, *changes: tuple[str, str]) -> Settings:
    """Of a process that has other operators than the room's, whose file is made theirs."""
    text = room.written.settlement_file.read_text().replace("mpesa_ke", "airtel_ke")
    for before, after in (("approver_airtel_ke", "approver_mpesa_ke"), *changes):
        assert before in text
        text = text.replace(before, after)
    text = text.replace("member_airtel_ke", "member_mpesa_ke")
    file = tmp_path / "settlement.yaml"
    file.write_text(text)
    environment = {
        **ENVIRONMENT, **MTN, **AIRTEL,
        "DATABASE_URL": "postgresql://unused",
        "CAPP_OPERATORS": "mtn_ug,airtel_ke",
        "CAPP_SETTLEMENT_FILE": str(file),
        "CAPP_SETTLEMENT_SALT_FILE": str(room.written.salt_file),
    }  # fmt: skip
    return read_settings(environment)


async def told(settings: Settings) -> dict[str, str]:
    """What each check says, or what is wrong."""
    said = {}
    for name, check in settlement_checks(settings).items():
        try:
            said[name] = await check(settings)
        except (CappError, ValueError) as error:
            said[name] = f"FAULT {error}"
    return said


async def test_all_is_well_where_all_is_there(room: ChainRoom, tmp_path: Path) -> None:
    said = await told(settings(room, tmp_path))
    assert said["settlement"] == "airtel_ke:mtn_ug; windows of 3600 s in USDC"
    assert said["settlement keys"] == "9 keys are there, and ours alone"
    assert said["settlement chain"].startswith("chain 4 at version ")
    assert said["settlement corridors"] == "1 are on the chain as the file has them"
    assert CORRIDOR not in said["settlement"]


@pytest.mark.parametrize(
    ("before", "after", "fault"),
    [
        ("- airtel_ke\n  - mtn_ug", "- mtn_ug\n  - airtel_ke", "other members on the chain"),
        ("approver_mtn_ug\n  - approver_house", "approver_house\n  - approver_mtn_ug", "approvers"),
        ("threshold: 2", "threshold: 3", "the chain wants 2 approvals, not 3"),
        ("  - approver_house\n", "", "other approvers on the chain"),
        ("code: USDC", "code: USD", "its asset has 6 decimals, our USD 2"),
    ],
)
async def test_a_corridor_that_the_chain_has_otherwise_is_a_fault(
    room: ChainRoom, tmp_path: Path, before: str, after: str, fault: str
) -> None:
    said = await told(settings(room, tmp_path, (before, after)))
    assert said["settlement corridors"].startswith("FAULT ")
    assert fault in said["settlement corridors"]
    assert not said["settlement chain"].startswith("FAULT")


async def test_who_signs_elsewhere_may_be_anybody(room: ChainRoom, tmp_path: Path) -> None:
    said = await told(settings(room, tmp_path, ("- approver_house", "- null")))
    assert said["settlement corridors"] == "1 are on the chain as the file has them"


async def test_a_key_that_is_missing_or_open_to_others_is_named(
    room: ChainRoom, tmp_path: Path
) -> None:
    said = await told(settings(room, tmp_path, ("arbiter: arbiter", "arbiter: nobody")))
    assert said["settlement keys"].startswith("FAULT nobody: ")
    key = room.written.settlement_file.parent / "keys" / "sponsor.key"
    key.chmod(0o640)
    try:
        said = await told(settings(room, tmp_path))
    finally:
        key.chmod(0o600)
    assert said["settlement keys"].startswith("FAULT sponsor: ")
    assert "0600" in said["settlement keys"]


async def test_another_chain_than_the_file_names_is_a_fault(
    room: ChainRoom, tmp_path: Path
) -> None:
    said = await told(settings(room, tmp_path, ("chain_id: 4", "chain_id: 1")))
    assert said["settlement chain"].startswith("FAULT ")


async def test_a_sponsor_that_runs_dry_is_a_fault(room: ChainRoom, tmp_path: Path) -> None:
    change = ("fee_reserve_min: 100000000", f"fee_reserve_min: {10**15}")
    said = await told(settings(room, tmp_path, change))
    assert said["settlement chain"].startswith("FAULT the sponsor has ")


async def test_a_node_that_is_away_is_a_fault_and_the_rest_is_looked_at(
    room: ChainRoom, tmp_path: Path
) -> None:
    said = await told(settings(room, tmp_path, (room.node, "http://127.0.0.1:1/v1")))
    assert said["settlement chain"].startswith("FAULT ")
    assert not said["settlement keys"].startswith("FAULT")


async def test_every_fault_of_the_file_is_named_at_once(room: ChainRoom, tmp_path: Path) -> None:
    broken = settings(
        room, tmp_path, ("code: USDC", "code: XXX"), ("chain_id: 4", "chain_id: four"),
        ("kind: file", "kind: drawer"),
    )  # fmt: skip
    said = await told(broken)
    for part in ("asset.code", "aptos.chain_id", "keys.kind"):
        assert part in said["settlement"]


async def test_rates_of_the_pegged_currency_are_wanted(room: ChainRoom, tmp_path: Path) -> None:
    assert pegged_to(settings(room, tmp_path)) == {"USD"}


async def test_nothing_is_looked_at_where_nothing_is_settled() -> None:
    without = read_settings({**ENVIRONMENT, "DATABASE_URL": "postgresql://unused"})
    assert settlement_checks(without) == {}
    assert pegged_to(without) == set()


async def test_a_file_that_is_none_says_so(room: ChainRoom, tmp_path: Path) -> None:
    broken = settings(room, tmp_path)
    (tmp_path / "settlement.yaml").write_text("just words")
    with pytest.raises(BadSettings, match="wants fields"):
        await settlement_checks(broken)["settlement"](broken)

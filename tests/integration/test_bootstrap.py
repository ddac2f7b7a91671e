"""A fresh chain becomes one that operators can be squared on; doing it again changes nothing."""

import stat
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
import yaml

from simulator.chain import Chain
from simulator.devnet.bootstrap import PROVIDED_MINOR, Wanted
from tests.integration.chain_room import CORRIDOR, ChainRoom, open_chain, prepared

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def room(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ChainRoom]:
    async with open_chain(tmp_path_factory.mktemp("chain")) as opened:
        yield opened


async def test_the_rail_reads_what_was_made(room: ChainRoom) -> None:
    position = await room.outside.rail.position()
    assert position.chain_id == 4
    first, second = await room.outside.rail.pools(CORRIDOR)
    assert (first.total_minor, second.total_minor) == (PROVIDED_MINOR, PROVIDED_MINOR)
    assert (first.held_minor, second.held_minor) == (0, 0)
    assert await room.outside.rail.fee_reserve() > room.outside.rail.fee_reserve_min


async def test_each_line_of_what_was_provided_is_what_the_chain_shows(room: ChainRoom) -> None:
    lines = yaml.safe_load(room.written.provided_file.read_text())
    assert [(line["corridor"], line["operator"]) for line in lines] == [
        (CORRIDOR, "mpesa_ke"), (CORRIDOR, "mtn_ug"),
    ]  # fmt: skip
    for place, line in enumerate(lines):
        hash_ = bytes.fromhex(line["transaction"].removeprefix("0x"))
        (shown,) = await room.outside.rail.provisions(CORRIDOR, hash_)
        assert (shown.member, shown.amount_minor) == (place, line["minor"])


async def test_the_simulator_reads_the_same_pools_as_the_server(room: ChainRoom) -> None:
    lines = yaml.safe_load(room.written.provided_file.read_text())
    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
        held = await Chain(client, room.node).holdings([line["address"] for line in lines])
    assert held == 2 * PROVIDED_MINOR


async def test_keys_and_salt_are_for_their_owner_alone(room: ChainRoom) -> None:
    folder = room.written.settlement_file.parent / "keys"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    files = [*folder.iterdir(), room.written.salt_file]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    for name in room.outside.key_names:
        assert len(await room.outside.signer.public_key(name)) == 32


async def test_the_file_for_the_server_holds_names_of_keys_and_no_key(room: ChainRoom) -> None:
    text = room.written.settlement_file.read_text()
    for file in (room.written.settlement_file.parent / "keys").iterdir():
        assert file.read_text().strip().removeprefix("ed25519-priv-0x") not in text


async def test_doing_it_again_changes_neither_chain_nor_files(room: ChainRoom) -> None:
    files = (room.written.settlement_file, room.written.salt_file, room.written.provided_file)
    before = [file.read_bytes() for file in files]
    pools = await room.outside.rail.pools(CORRIDOR)
    await prepared(room.url, room.written.settlement_file.parent)
    assert [file.read_bytes() for file in files] == before
    assert await room.outside.rail.pools(CORRIDOR) == pools


async def test_a_pair_more_is_added_to_what_is_there(room: ChainRoom) -> None:
    wanted = Wanted([("mpesa_ke", "mtn_ug"), ("airtel_ke", "mtn_ug")])
    written = await prepared(room.url, room.written.settlement_file.parent, wanted)
    lines = yaml.safe_load(written.provided_file.read_text())
    assert [line["operator"] for line in lines] == ["airtel_ke", "mtn_ug", "mpesa_ke", "mtn_ug"]
    assert (await room.outside.rail.pools(CORRIDOR))[1].total_minor == PROVIDED_MINOR


async def test_a_chain_that_is_kept_needs_no_second_time(tmp_path: Path) -> None:
    async with open_chain(tmp_path) as first:
        version = (await first.outside.rail.position()).version
        told = first.written.provided_file.read_bytes()
    async with open_chain(tmp_path) as again:
        assert again.written.provided_file.read_bytes() == told
        assert (await again.outside.rail.position()).version >= version
        assert (await again.outside.rail.pools(CORRIDOR))[0].total_minor == PROVIDED_MINOR

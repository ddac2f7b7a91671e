"""`capp verify`: a payment's proof holds against the chain alone, and no forged one does."""

import argparse
import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from channels.commands.verifying import ANY, Known, Verdict, _trusted, run_verify, verify
from engine.clock import Clock
from engine.payments.settlement.leaves import Leaf
from engine.payments.settlement.receipts import Receipt, read_receipt, write_receipt
from engine.ports import Standing
from providers.aptos.sdk import address
from tests.integration.chain_room import CORRIDOR, ChainRoom, leaf, open_chain
from tests.integration.world import TestClock

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOBODY = Known(frozenset(), {})
TOLD = [leaf(number) for number in range(11)]
INDEX = 6
OTHER = "0x" + "ab" * 32


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def room(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ChainRoom]:
    async with open_chain(tmp_path_factory.mktemp("chain")) as opened:
        yield opened


async def settled(room: ChainRoom, told: list[Leaf] = TOLD) -> str:
    batch_id, found = await room.settle(told, (7_000_000, 0), (0, 7_000_000))
    assert found.standing is Standing.DONE
    return batch_id


async def asked(
    room: ChainRoom, receipt: Receipt, known: Known = NOBODY, *, ahead_seconds: float = 0
) -> tuple[Verdict, str]:
    """`ahead_seconds`: by so much the node's clock is behind ours."""
    said: list[str] = []
    clock = TestClock()
    clock.pass_(ahead_seconds)
    verdict = await verify(receipt, room.node, known, clock, said.append)
    return verdict, "\n".join(said)


async def test_every_payment_of_a_settled_batch_is_proven(room: ChainRoom) -> None:
    batch_id = await settled(room)
    for index in range(len(TOLD)):
        verdict, told = await asked(room, room.receipt(batch_id, TOLD, index))
        assert verdict is Verdict.PROVEN, told
    assert "KES 1,000 by mpesa_ke to mtn_ug" in told
    assert f"batch     {batch_id}, payment 11 of 11" in told


async def test_a_batch_of_one_needs_no_neighbours(room: ChainRoom) -> None:
    batch_id = await settled(room, TOLD[:1])
    receipt = room.receipt(batch_id, TOLD[:1], 0)
    assert receipt.proof == ()
    assert (await asked(room, receipt))[0] is Verdict.PROVEN


def changed(receipt: Receipt, path: str, change: Callable[[Any], Any]) -> Receipt:
    """One field of a receipt made another, as somebody with an editor would."""
    whole = msgspec.json.decode(write_receipt(receipt))
    *before, last = path.split(".")
    part = whole
    for name in before:
        part = part[name]
    if isinstance(part, list):
        part[int(last)] = change(part[int(last)])
    else:
        part[last] = change(part[last])
    return read_receipt(msgspec.json.encode(whole))


def other_digit(text: str) -> str:
    return text[:-1] + ("0" if text[-1] != "0" else "1")


FORGERIES: list[tuple[str, Callable[[Any], Any]]] = [
    ("chain.chain_id", lambda _: 1),
    ("chain.package", lambda _: OTHER),
    ("chain.corridor", lambda _: OTHER),
    ("batch_id", other_digit),
    ("leaf.fields.payment", other_digit),
    ("leaf.fields.version", lambda version: version + 1),
    ("leaf.fields.source", lambda _: "mtn_ug"),
    ("leaf.fields.destination", lambda _: "mpesa_ke"),
    ("leaf.fields.currency", lambda _: "UGX"),
    ("leaf.fields.towards", lambda _: "KES"),
    ("leaf.fields.minor", lambda minor: minor * 10),
    ("leaf.fields.minor", lambda minor: -minor),
    ("leaf.fields.at_ms", lambda at_ms: at_ms - 1),
    ("leaf.salt", other_digit),
    ("index", lambda index: index + 1),
    ("index", lambda index: index + 2**32),
    ("count", lambda count: count + 1),
    ("count", lambda count: count - 1),
    ("proof.0", other_digit),
    ("proof", lambda proof: proof[:-1]),
    ("proof", lambda proof: [*proof, "00" * 32]),
    ("proof", lambda proof: proof[::-1]),
    ("proof", lambda _: []),
]


async def test_a_receipt_with_any_field_altered_is_refused_and_told_why(room: ChainRoom) -> None:
    batch_id = await settled(room)
    receipt = room.receipt(batch_id, TOLD, INDEX)
    assert (await asked(room, receipt))[0] is Verdict.PROVEN
    for path, change in FORGERIES:
        forged = changed(receipt, path, change)
        assert forged != receipt, path
        verdict, told = await asked(room, forged)
        assert verdict is not Verdict.PROVEN, path
        assert "proven" not in told and told, path
        if not path.startswith("chain."):
            assert verdict is Verdict.REFUSED, (path, told)
            assert told.startswith("refused: "), path
    touched = {path.split(".")[0] for path, _ in FORGERIES}
    assert touched == {*Receipt.__struct_fields__} - {"corridor"}  # that is only its name


async def test_a_payment_of_another_batch_is_refused(room: ChainRoom) -> None:
    first = await settled(room)
    others = [leaf(number, minor=5) for number in range(100, 103)]
    second = await settled(room, others)
    assert (await asked(room, room.receipt(second, others, 0)))[0] is Verdict.PROVEN
    verdict, told = await asked(room, room.receipt(first, others, 0))
    assert verdict is Verdict.REFUSED, told


async def test_what_was_never_settled_is_refused(room: ChainRoom) -> None:
    verdict, told = await asked(room, room.receipt("00" * 16, TOLD, INDEX))
    assert (verdict, told) == (Verdict.REFUSED, "refused: the rail has no such batch")


async def test_a_node_that_is_behind_proves_what_it_has_and_refuses_nothing_that_may_come(
    room: ChainRoom,
) -> None:
    """The batch is in the chain for months; a node that still catches up does not have it."""
    settled_one = room.receipt(await settled(room), TOLD, INDEX)
    absent = room.receipt("00" * 16, TOLD, INDEX)
    no_corridor = changed(settled_one, "chain.corridor", lambda _: OTHER)
    for receipt in (absent, no_corridor):
        verdict, told = await asked(room, receipt, ahead_seconds=3600)
        assert verdict is Verdict.UNDECIDED, told
        assert told.startswith("undecided: the node is 36"), told
        assert (await asked(room, receipt))[0] is Verdict.REFUSED
    assert (await asked(room, settled_one, ahead_seconds=3600))[0] is Verdict.PROVEN
    forged = changed(settled_one, "leaf.fields.minor", lambda minor: minor * 10)
    assert (await asked(room, forged, ahead_seconds=3600))[0] is Verdict.REFUSED


async def test_a_receipt_writes_no_line_of_ours(room: ChainRoom, tmp_path: Path) -> None:
    """On a contract of one's own everything can be proven, and this says where to look."""
    forged = msgspec.structs.replace(
        TOLD[0], source="me\n\x1b[2Kproven: 1", destination="\x1b[1A\x1b[2K\u202eyou"
    )
    receipt = room.receipt(await settled(room, [forged]), [forged], 0)
    whole = msgspec.json.decode(write_receipt(receipt))
    strange = {**whole, "\x1b[2Jproven: all\n": 1}
    label = {**whole, "corridor": "a\nproven: b"}
    for number, told in enumerate((whole, strange, label)):
        file = tmp_path / f"{number}.json"
        file.write_bytes(msgspec.json.encode(told))
        corridor = str(receipt.chain["corridor"]) if number < 2 else OTHER
        said: list[str] = []
        options = argparse.Namespace(file=file, node=room.node, package=None, corridor=corridor)
        await asyncio.to_thread(run_verify, {}, options, said.append)
        assert said
        assert all(line.isprintable() for line in said), said


async def test_a_contract_of_somebody_else_is_refused_where_ours_is_known(room: ChainRoom) -> None:
    receipt = room.receipt(await settled(room), TOLD, INDEX)
    package, corridor = (address(str(receipt.chain[name])) for name in ("package", "corridor"))
    ours = Known(frozenset({package}), {CORRIDOR: corridor})
    assert (await asked(room, receipt, ours))[0] is Verdict.PROVEN
    for known in (
        ours._replace(packages=frozenset({address(OTHER)})),
        ours._replace(corridors={CORRIDOR: address(OTHER)}),
        ours._replace(corridors={ANY: address(OTHER)}),
        ours._replace(corridors={"another": corridor}),
    ):
        verdict, told = await asked(room, receipt, known)
        assert verdict is Verdict.REFUSED, known
        assert told.startswith("refused: 0x"), told


async def test_who_does_not_say_which_contract_is_ours_is_told_to_compare(room: ChainRoom) -> None:
    receipt = room.receipt(await settled(room), TOLD, INDEX)
    _, told = await asked(room, receipt)
    assert "compare both with CAPP's own" in told
    options = argparse.Namespace(node=None, package=None, corridor=None)
    file = {"CAPP_SETTLEMENT_FILE": str(room.written.settlement_file)}
    node, known = _trusted(file, options)
    assert node == room.node
    verdict, told = await asked(room, receipt, known)
    assert verdict is Verdict.PROVEN
    assert "compare" not in told


async def test_a_node_that_is_away_decides_nothing(room: ChainRoom) -> None:
    receipt = room.receipt(await settled(room), TOLD, INDEX)
    said: list[str] = []
    verdict = await verify(receipt, "http://127.0.0.1:1/v1", NOBODY, Clock(), said.append)
    assert verdict is Verdict.UNDECIDED
    assert said[0].startswith("undecided: the node could not be asked")


async def test_what_is_written_is_read_again(room: ChainRoom) -> None:
    receipt = room.receipt("00" * 16, TOLD, INDEX)
    assert read_receipt(write_receipt(receipt)) == receipt

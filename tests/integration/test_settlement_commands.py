"""What staff type about settlement and what they read, on a real Postgres and a rail in memory."""

import argparse
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest
import yaml

from channels.cli import _parser
from channels.commands.settlement import TASKS, _place
from channels.inspect_settlement import settlement_of
from channels.settings import Settings, SettlementSettings
from channels.settlement import OpenSettlement
from channels.settlement_outside import SettlementOutside
from channels.wiring import Engine
from engine.errors import StaffMistake
from engine.payments.settlement.state import BatchState
from engine.ports import Provision
from engine.traffic.conversation import Conversations
from providers.aptos import Aptos
from tests.integration.settlement_room import HOME, PAIR, SALT_KEY, Hall, open_hall, rules

ELSEWHERE = (None, "approver_b", None)
"""Who keeps the keys: one here, two with operators that sign for themselves."""


@pytest.fixture
async def hall(shared_database_url: str) -> AsyncIterator[Hall]:
    async with open_hall(shared_database_url) as opened:
        yield opened


def opened(hall: Hall) -> OpenSettlement:
    engine = SimpleNamespace(conversations=Conversations(hall.pool, 1, {1: "mpesa_ke"}))
    outside = SettlementOutside(hall.rules, cast(Aptos, hall.rail), hall.keys, SALT_KEY, ())
    return OpenSettlement(cast(Engine, engine), outside, hall.room)


def options(*words: str) -> argparse.Namespace:
    return _parser(["settlement"]).parse_args(["settlement", *words])


async def capp(hall: Hall, *words: str) -> tuple[bool, list[str]]:
    said: list[str] = []
    given = options(*words)
    well = await TASKS[given.task or "show"](opened(hall), given, said.append)
    return well, said


async def settled(hall: Hall) -> str:
    """A payment whose batch is settled."""
    payment = await hall.pay()
    hall.clock.pass_(61)
    await hall.sweep()
    assert await hall.states() == [BatchState.SETTLED]
    return payment


async def test_windows_batches_and_balances_are_shown(hall: Hall) -> None:
    await hall.pay()
    await hall.sweep(1)
    well, said = await capp(hall)
    assert well
    assert said[0].startswith(f"{PAIR}: 1 payment waits, USDC 7.750000 owed")
    assert sum(line.endswith("agrees") for line in said) == 3
    hall.clock.pass_(61)
    await hall.sweep()
    _, said = await capp(hall, "show")
    assert said[0].startswith(f"{PAIR}: 0 payments wait")
    _, (line,) = await capp(hall, "batches")
    assert "1 payment  USDC 7.750000  settled (by time)" in line
    assert (await capp(hall, "batches", "no:such"))[1] == []


async def test_a_difference_to_the_chain_is_shown_and_is_no_good_end(hall: Hall) -> None:
    hall.rail.corridors[PAIR].totals[1] += 5
    well, said = await capp(hall)
    assert not well
    (line,) = (line for line in said if line.startswith("mtn_ug"))
    assert line.endswith("DRIFT 0.000005")
    hall.rail.corridors[PAIR].totals[1] -= 5


async def test_a_window_is_closed_because_somebody_says_so(hall: Hall) -> None:
    await hall.pay()
    await hall.sweep(1)
    assert (await capp(hall, "close", PAIR))[0]
    assert await capp(hall, "close", PAIR) == (False, ["nothing waits there"])
    with pytest.raises(StaffMistake, match="no corridor"):
        await capp(hall, "close", "mpesa_ke:nobody")
    await hall.sweep()
    assert await hall.states() == [BatchState.SETTLED]


async def test_an_approval_of_who_signs_elsewhere_is_brought_by_hand(hall: Hall) -> None:
    hall.rules = rules(approvers=ELSEWHERE)
    hall.room = hall.another()
    await hall.pay()
    hall.clock.pass_(61)
    await hall.sweep()
    [batch] = await hall.batches()
    assert batch.state is BatchState.CLOSED
    _, said = await capp(hall, "batch", batch.id[-8:])
    assert said[-1] == "    0 elsewhere: no, 1 approver_b: yes, 2 elsewhere: no"
    assert batch.terms_hash is not None
    assert batch.terms_hash.hex() in said[-2]
    for wrong in ("00" * 63, "zz" * 64, ""):
        with pytest.raises(StaffMistake):
            await capp(
                hall, "approve", batch.id, "--index", "0", "--signature", wrong, "--as", "asha"
            )
    with pytest.raises(StaffMistake, match="a key of ours"):
        await capp(
            hall, "approve", batch.id, "--index", "1", "--signature", "00" * 64, "--as", "asha"
        )
    signature = await hall.keys.sign("approver_a", batch.terms_hash)
    well, (told,) = await capp(
        hall, "approve", batch.id, "--index", "0", "--as", "asha",
        "--signature", "0x" + signature.hex().upper(),  # as some tools write it
    )  # fmt: skip
    assert well
    assert "has 2 approvals" in told
    await hall.sweep()
    assert await hall.states() == [BatchState.SETTLED]


async def test_a_hash_that_is_not_of_its_terms_is_shown_to_nobody(hall: Hall) -> None:
    hall.rules = rules(approvers=ELSEWHERE)
    hall.room = hall.another()
    await hall.pay()
    hall.clock.pass_(61)
    await hall.sweep()
    forged = "ab" * 32
    await hall.pool.execute("update settlement_batch set terms_hash = decode($1, 'hex')", forged)
    [batch] = await hall.batches()
    well, said = await capp(hall, "batch", batch.id)
    assert not well
    assert not any(forged in line for line in said)


async def test_a_parked_batch_is_taken_up_again_and_nothing_else_is(hall: Hall) -> None:
    await hall.pay()
    hall.rail.is_away = True
    hall.clock.pass_(61)
    await hall.sweep(1)
    [batch] = await hall.batches()
    with pytest.raises(StaffMistake, match="is parked"):
        await capp(hall, "take-up", batch.id)
    await hall.pool.execute("update settlement_batch set payment_count = 2")
    hall.rail.is_away = False
    await hall.sweep(1)
    assert await hall.states() == [BatchState.PARKED]
    await hall.pool.execute("update settlement_batch set payment_count = 1")
    well, (told,) = await capp(hall, "take-up", batch.id[-8:])
    assert well
    assert told == f"{batch.id} goes on as closed; the worker looks at all of it anew"
    await hall.sweep()
    assert await hall.states() == [BatchState.SETTLED]


async def test_a_batch_that_nobody_can_mean_is_told_so(hall: Hall) -> None:
    await settled(hall)
    for word in ("", "ffffffff", "0" * 32):
        with pytest.raises(StaffMistake, match="0 batches end so"):
            await capp(hall, "batch", word)


async def test_whoever_pays_is_named_though_the_file_has_another_order_by_now(hall: Hall) -> None:
    await settled(hall)
    [batch] = await hall.batches()
    told = (await capp(hall, "batch", batch.id))[1]
    assert "    mpesa_ke pays 7.750000, gets 0" in told
    turned = tuple(
        msgspec.structs.replace(corridor, members=corridor.members[::-1])
        for corridor in hall.rules.corridors
    )
    hall.rules = msgspec.structs.replace(hall.rules, corridors=turned)
    well, after = await capp(hall, "batch", batch.id)
    assert not well
    assert after[2:4] == told[2:4]
    assert not any("to be signed" in line for line in after)
    others = msgspec.structs.replace(turned[0], members=("mpesa_ke", "airtel_ke"))
    hall.rules = msgspec.structs.replace(hall.rules, corridors=(others,))
    well, after = await capp(hall, "batch", batch.id)
    assert not well
    assert after[-1] == "    its corridor has other members in the settlement file by now"
    assert not any("pays" in line for line in after)


async def test_a_receipt_of_a_corridor_that_left_the_file_is_refused_in_a_sentence(
    tmp_path: Path,
) -> None:
    file = tmp_path / "settlement.yaml"
    chain = {"chain_id": 4, "addresses": {"settlement": "0x1"}, "corridors": {PAIR: "0x2"}}
    file.write_text(yaml.safe_dump({"aptos": chain}))
    settings = cast(Settings, SimpleNamespace(settlement=SettlementSettings(str(file), "")))
    assert _place(settings, PAIR) == {"chain_id": 4, "package": "0x1", "corridor": "0x2"}
    with pytest.raises(StaffMistake, match=f"any more where {HOME} is"):
        _place(settings, HOME)


@pytest.mark.parametrize("amount", ["1e999999", "1e30", "inf", "nan", "1e-7", "7,75x"])
async def test_what_is_no_amount_is_told_so(hall: Hall, amount: str) -> None:
    with pytest.raises(StaffMistake, match="is no amount of USDC"):
        await capp(hall, "dispute", "rule", "ab" * 32, amount)


async def test_what_the_chain_does_not_show_is_not_booked(hall: Hall, tmp_path: Path) -> None:
    file = tmp_path / "provided.yaml"
    line: dict[str, Any] = {
        "corridor": PAIR, "operator": "mpesa_ke", "minor": 5, "transaction": "0x" + "ab" * 32,
    }  # fmt: skip
    file.write_text(yaml.safe_dump([line]))
    with pytest.raises(StaffMistake, match="shows nothing"):
        await capp(hall, "provided", "--file", str(file))
    with pytest.raises(StaffMistake, match="shows nothing"):
        await capp(hall, "provided", "mpesa_ke", "5", "ab" * 32)
    with pytest.raises(StaffMistake, match="is no amount"):
        await capp(hall, "provided", "mpesa_ke", "0.0000001", "ab" * 32)
    for text in (b"- {a: [", b"\xff\xfe"):
        file.write_bytes(text)
        with pytest.raises(StaffMistake, match="is no file of YAML"):
            await capp(hall, "provided", "--file", str(file))
    with pytest.raises(StaffMistake, match="which operator"):
        await capp(hall, "provided", "mpesa_ke")


async def test_what_an_issuer_took_is_booked_as_the_chain_shows_it(hall: Hall) -> None:
    hall.rail.corridors[PAIR].totals[1] -= 300
    hall.rail.provided[b"\xab" * 32] = (Provision(1, -300),)
    assert not (await capp(hall))[0]
    _, (told,) = await capp(hall, "provided", "mtn_ug", "-0.0003", "ab" * 32)
    assert told.startswith("mtn_ug: USDC -0.000300 by ")
    assert (await capp(hall))[0]


async def test_a_dispute_goes_from_opening_to_its_refund(hall: Hall, tmp_path: Path) -> None:
    payment = await settled(hall)
    _, (told,) = await capp(hall, "dispute", "open", payment, "mpesa_ke", "7.75", "--as", "asha")
    dispute = told.split()[1].rstrip(";")
    await hall.sweep()
    evidence = tmp_path / "evidence.pdf"
    evidence.write_bytes(b"what was agreed")
    _, (told,) = await capp(hall, "dispute", "answer", dispute, "--evidence", str(evidence))
    assert told == f"evidence {hashlib.sha3_256(b'what was agreed').hexdigest()}"
    await hall.sweep()
    with pytest.raises(StaffMistake, match="between nothing and"):
        await capp(hall, "dispute", "rule", dispute, "8")
    await capp(hall, "dispute", "rule", dispute, "2.5")
    await hall.sweep()
    await capp(hall, "dispute", "refund", dispute)
    await hall.sweep()
    assert hall.rail.corridors[PAIR].totals == [10**12 - 5_250_000, 10**12 + 5_250_000]
    await hall.assert_settled()


async def test_a_dispute_about_no_settled_payment_is_refused(hall: Hall) -> None:
    payment = await hall.pay()
    await hall.sweep(1)
    for word in (payment, "7K2M9QX4TB", "nothing"):
        with pytest.raises(StaffMistake):
            await capp(hall, "dispute", "open", word, "mpesa_ke", "1", "--as", "asha")


async def test_the_panel_is_told_every_stage_as_it_is_reached(hall: Hall) -> None:
    payment = await hall.pay()
    assert await settlement_of(hall.pool, payment) is None
    await hall.sweep(1)
    told = await settlement_of(hall.pool, payment)
    assert told is not None
    assert (told["stage"], told["corridor"], told["batch"]) == ("waiting", PAIR, None)
    hall.clock.pass_(61)
    await hall.sweep()
    told = await settlement_of(hall.pool, payment)
    assert told is not None
    [batch] = await hall.batches()
    assert (told["stage"], told["batch"]) == ("settled", batch.id)
    stages = [reached["stage"] for reached in told["stages"]]
    assert stages == ["waiting", "closed", "approved", "submitted", "settled"]
    times = [reached["at"] for reached in told["stages"]]
    assert times == sorted(times)
    assert len(bytes.fromhex(told["transaction"])) == 32
    assert told["version"] is not None


async def test_a_payment_that_came_back_is_told_by_its_newest_obligation(hall: Hall) -> None:
    payment = await settled(hall)
    await hall.return_(payment)
    await hall.sweep(1)
    told = await settlement_of(hall.pool, payment)
    assert told is not None
    assert told["stage"] == "waiting"

"""Each fault of the devnet: what the client gets, and what has happened on the chain anyway."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from aptos_sdk.account import Account

from simulator.devnet.devnet import Devnet
from simulator.devnet.node import Node
from simulator.devnet.transactions import decode_signed
from tests.devnet import call, hand_devnet, served, signed, u64

ALICE = Account.load_key("0x" + "1" * 64)
ADDRESS = str(ALICE.address())
BODY = signed(ALICE, 0, call("add", u64(1)))
HASH = decode_signed(BODY).hash
SIGNED = {"content-type": "application/x.aptos.signed_transaction+bcs"}
VIEW = {"function": "0xcafe::counter::total", "arguments": [ADDRESS]}


@dataclass
class Box:
    """A node whose blocks are made by hand, and a client of it."""

    devnet: Devnet
    client: httpx.AsyncClient

    @property
    def node(self) -> Node:
        return self.devnet.node

    async def arm(self, fault: str, **fields: Any) -> None:
        answer = await self.client.post("/_sandbox/faults", json={"fault": fault, **fields})
        assert answer.status_code == 201, answer.text

    async def submit(self) -> httpx.Response:
        return await self.client.post("/v1/transactions", content=BODY, headers=SIGNED)

    async def find(self) -> httpx.Response:
        return await self.client.get(f"/v1/transactions/by_hash/0x{HASH.hex()}")

    async def block(self) -> None:
        assert (await self.client.post("/_sandbox/blocks")).status_code == 200

    async def armed(self) -> int:
        return len((await self.client.get("/_sandbox/faults")).json()["faults"])


@pytest.fixture
async def box() -> AsyncIterator[Box]:
    devnet = hand_devnet(ALICE, long_poll_seconds=0.05)
    async with (
        served(devnet) as url,
        httpx.AsyncClient(base_url=url, verify=False, timeout=60) as client,
    ):
        yield Box(devnet, client)


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ("error_500", 500, "internal_error"),
        ("error_503", 503, "health_check_failed"),
        ("throttle_429", 429, "rate_limited"),
        ("pool_full_507", 507, "mempool_is_full"),
    ],
)
async def test_what_is_refused_at_the_door_has_not_arrived(
    box: Box, fault: str, status: int, code: str
) -> None:
    await box.arm(fault, on="submit")
    answer = await box.submit()
    assert (answer.status_code, answer.json()["error_code"]) == (status, code)
    assert len(box.node.pool) == 0
    assert (await box.submit()).status_code == 202


async def test_a_throttled_answer_may_be_no_json(box: Box) -> None:
    await box.arm("html_429")
    answer = await box.find()
    assert answer.status_code == 429
    assert answer.text.startswith("<html>")
    assert "x-aptos-chain-id" not in answer.headers


async def test_a_hanging_node_never_answers_and_does_nothing(box: Box) -> None:
    await box.arm("hang", on="submit", seconds=0.05)
    with pytest.raises(httpx.RemoteProtocolError):
        await box.submit()
    assert len(box.node.pool) == 0


async def test_a_delayed_answer_is_right(box: Box) -> None:
    await box.arm("delay", on="submit", seconds=0.05)
    answer = await box.submit()
    assert answer.status_code == 202
    assert answer.elapsed.total_seconds() >= 0.05


async def test_a_lost_answer_has_happened(box: Box) -> None:
    await box.arm("lose_answer", on="submit")
    with pytest.raises(httpx.RemoteProtocolError):
        await box.submit()
    await box.block()
    assert (await box.find()).json()["success"] is True


@pytest.mark.parametrize("fault", ["error_500_after", "truncated_json"])
async def test_a_spoiled_answer_has_happened_too(box: Box, fault: str) -> None:
    await box.arm(fault, on="submit")
    answer = await box.submit()
    if fault == "truncated_json":
        with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
            answer.json()
        assert answer.headers["x-aptos-chain-id"] == "4"
    else:
        assert answer.status_code == 500
    await box.block()
    assert (await box.find()).json()["success"] is True


async def test_what_is_accepted_and_dropped_never_happens(box: Box) -> None:
    await box.arm("drop_after_accept", on="submit")
    assert (await box.submit()).status_code == 202
    assert (await box.find()).status_code == 404
    await box.block()
    assert (await box.find()).status_code == 404
    assert (await box.submit()).status_code == 202
    await box.block()
    assert (await box.find()).json()["success"] is True


async def test_what_is_dropped_must_have_been_valid(box: Box) -> None:
    await box.arm("drop_after_accept", on="submit")
    forged = BODY[:-1] + bytes([BODY[-1] ^ 1])
    answer = await box.client.post("/v1/transactions", content=forged, headers=SIGNED)
    assert answer.json()["vm_error_code"] == 1


async def test_a_doubled_delivery_happens_once(box: Box) -> None:
    await box.arm("duplicate", on="submit")
    assert (await box.submit()).status_code == 202
    await box.block()
    assert box.node.accounts.sequence_number(ALICE.address().address) == 1
    assert box.node.executor.resource(ALICE.address().address, "0xcafe::counter::Counter") == {
        "total": "1"
    }


async def test_a_stale_node_knows_nothing_of_what_came_after(box: Box) -> None:
    await box.block()
    before = (await box.client.get("/v1")).json()
    await box.arm("stale", times=None)
    assert (await box.submit()).status_code == 202
    assert (await box.find()).status_code == 404  # It waits at another node.
    box.node.clock.advance(120)
    await box.block()
    info = await box.client.get("/v1")
    assert info.json() == before
    assert info.headers["X-Aptos-Ledger-TimestampUsec"] == before["ledger_timestamp"]
    assert (await box.find()).status_code == 404
    waited = await box.client.get(f"/v1/transactions/wait_by_hash/0x{HASH.hex()}")
    assert waited.status_code == 404
    account = (await box.client.get(f"/v1/accounts/{ADDRESS}")).json()
    assert account["sequence_number"] == "0"
    assert (await box.client.post("/v1/view", json=VIEW)).json() == ["0"]
    assert (await box.client.get(f"/v1/accounts/{ADDRESS}/transactions")).json() == []
    await box.client.delete("/_sandbox/faults")
    assert (await box.find()).json()["success"] is True
    assert (await box.client.post("/v1/view", json=VIEW)).json() == ["1"]


async def account_of(box: Box) -> tuple[str, list[str], list[str]]:
    """Its next number, the hashes of its transactions, and what it has on the counter."""
    told = (await box.client.get(f"/v1/accounts/{ADDRESS}")).json()["sequence_number"]
    sent = (await box.client.get(f"/v1/accounts/{ADDRESS}/transactions?start=0")).json()
    total = (await box.client.post("/v1/view", json=VIEW)).json()
    return told, [each["hash"] for each in sent], total


async def test_what_a_forked_node_took_it_tells_of_until_it_is_back_and_no_other_does(
    box: Box,
) -> None:
    await box.arm("fork", on="submit")
    assert (await box.submit()).status_code == 202
    await box.block()
    assert (await box.find()).status_code == 404
    assert await account_of(box) == ("0", [], ["0"])
    await box.arm("forked", on="find", times=None)
    told = (await box.find()).json()
    assert (told["type"], told["success"]) == ("user_transaction", True)
    waited = await box.client.get(f"/v1/transactions/wait_by_hash/0x{HASH.hex()}")
    assert waited.json() == told
    assert await account_of(box) == ("0", [], ["0"]), "others answer that, and they know nothing"
    await box.arm("forked", times=None)
    assert await account_of(box) == ("1", [f"0x{HASH.hex()}"], ["1"])
    await box.client.delete("/_sandbox/faults")
    assert (await box.find()).status_code == 404
    assert await account_of(box) == ("0", [], ["0"])


async def test_what_was_on_a_fork_may_be_done_on_the_chain_after_all(box: Box) -> None:
    await box.arm("fork", on="submit")
    for _ in range(2):
        assert (await box.submit()).status_code == 202
    box.node.clock.advance(5)
    await box.block()
    assert await account_of(box) == ("1", [f"0x{HASH.hex()}"], ["1"])
    on_the_chain = (await box.find()).json()["timestamp"]
    await box.arm("forked", times=None)
    assert (await box.find()).json()["timestamp"] != on_the_chain
    assert await account_of(box) == ("1", [f"0x{HASH.hex()}"], ["1"]), "once on each"
    await box.client.delete("/_sandbox/faults")
    assert (await box.find()).json()["timestamp"] == on_the_chain


async def test_what_a_forked_node_took_must_have_been_valid(box: Box) -> None:
    await box.arm("fork", on="submit", times=2)
    forged = BODY[:-1] + bytes([BODY[-1] ^ 1])
    answer = await box.client.post("/v1/transactions", content=forged, headers=SIGNED)
    assert answer.json()["vm_error_code"] == 1
    for _ in range(2):
        assert (await box.submit()).status_code == 202
    await box.arm("forked", times=None)
    assert await account_of(box) == ("1", [f"0x{HASH.hex()}"], ["1"])


async def test_a_node_of_another_chain_shows_its_id(box: Box) -> None:
    await box.arm("wrong_chain_id", times=1)
    answer = await box.client.get("/v1")
    assert (answer.json()["chain_id"], answer.headers["X-Aptos-Chain-Id"]) == (250, "250")
    assert (await box.client.get("/v1")).json()["chain_id"] == 4


async def test_a_fault_strikes_as_often_as_it_was_armed_and_only_there(box: Box) -> None:
    await box.arm("error_500", on="view", times=2)
    assert (await box.client.get("/v1")).status_code == 200
    answers = [(await box.client.post("/v1/view", json=VIEW)).status_code for _ in range(3)]
    assert answers == [500, 500, 200]
    assert await box.armed() == 0


@pytest.mark.parametrize(
    "fault",
    [
        {"fault": "duplicate", "on": "view"},
        {"fault": "drop_after_accept"},
        {"fault": "fork", "on": "find"},
        {"fault": "error_500", "times": 0},
        {"fault": "delay", "seconds": -1},
        {"fault": "nothing"},
        {"fault": "error_500", "sometimes": True},
    ],
)
async def test_a_fault_that_could_never_strike_is_refused(box: Box, fault: dict[str, Any]) -> None:
    answer = await box.client.post("/_sandbox/faults", json=fault)
    assert answer.status_code == 400
    assert await box.armed() == 0


async def test_the_ledgers_clock_jumps_ahead_with_the_next_block(box: Box) -> None:
    await box.block()
    before = int((await box.client.get("/v1")).json()["ledger_timestamp"])
    moved = await box.client.post("/_sandbox/clock", json={"advance_seconds": 3600})
    assert moved.json()["now"] - moved.json()["ledger_timestamp"] > 3599 * 10**6
    await box.block()
    after = int((await box.client.get("/v1")).json()["ledger_timestamp"])
    assert after - before > 3599 * 10**6
    back = await box.client.post("/_sandbox/clock", json={"advance_seconds": -1})
    assert back.status_code == 400
    late = await box.submit()
    assert late.json()["vm_error_code"] == 6


async def test_a_node_that_is_started_anew_has_forgotten_what_waited(box: Box) -> None:
    await box.submit()
    assert (await box.find()).json()["type"] == "pending_transaction"
    assert (await box.client.get("/_sandbox/mempool")).json() == {"waiting": 1}
    assert (await box.client.delete("/_sandbox/mempool")).json() == {"forgotten": 1}
    assert (await box.find()).status_code == 404


async def test_settings_change_while_it_runs_but_not_the_chain_id(box: Box) -> None:
    changed = await box.client.put("/_sandbox/settings", json={"unit_price_min": 200})
    assert changed.json()["unit_price_min"] == 200
    assert (await box.submit()).json()["vm_error_code"] == 15
    for refused in ({"chain_id": 5}, {"unit_price_min": 0}, {"nonsense": 1}):
        answer = await box.client.put("/_sandbox/settings", json=refused)
        assert answer.status_code == 400
    assert (await box.client.get("/_sandbox/settings")).json() == changed.json()


async def test_waiting_for_a_hash_ends_with_its_block(box: Box) -> None:
    await box.client.put("/_sandbox/settings", json={"long_poll_seconds": 50})
    await box.submit()
    waiting = asyncio.create_task(box.client.get(f"/v1/transactions/wait_by_hash/0x{HASH.hex()}"))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    await box.block()
    answer = await waiting
    assert answer.json()["type"] == "user_transaction"
    assert answer.elapsed.total_seconds() < 40


async def test_waiting_in_vain_ends_with_what_waits(box: Box) -> None:
    await box.submit()
    answer = await box.client.get(f"/v1/transactions/wait_by_hash/0x{HASH.hex()}")
    assert answer.json()["type"] == "pending_transaction"

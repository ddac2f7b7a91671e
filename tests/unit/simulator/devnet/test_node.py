"""The node without its interface: every refusal by its number, order, gas, simulation, blocks."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest
from aptos_sdk.account import Account
from aptos_sdk.authenticator import Authenticator, MultiAgentAuthenticator
from aptos_sdk.bcs import Serializer
from aptos_sdk.transactions import (
    MultiAgentRawTransaction,
    Script,
    SignedTransaction,
    TransactionArgument,
    TransactionPayload,
)

from simulator.devnet import bcs
from simulator.devnet.accounts import Account as ChainAccount
from simulator.devnet.devnet import Devnet
from simulator.devnet.executor import Aborted, Call, Failed, OutOfGas
from simulator.devnet.journal import FILE, OtherChain
from simulator.devnet.ledger import Committed
from simulator.devnet.node import Node, NodeSettings
from simulator.devnet.refusals import Refused
from simulator.devnet.rendering import show_status
from simulator.devnet.transactions import U64_MAX
from simulator.operators.world import World
from tests.devnet import (
    APT,
    COUNTER,
    MISTAKE,
    START,
    TinyExecutor,
    call,
    hand_devnet,
    raw,
    signed,
    sponsored,
    transfer,
    u64,
)

ALICE, BOB, CAROL = (Account.load_key("0x" + digit * 64) for digit in "123")
ADD = call("add", u64(1))


@pytest.fixture
def node() -> Node:
    return hand_devnet(ALICE, BOB).node


def key(account: Account) -> bytes:
    address: bytes = account.address().address
    return address


def committed(node: Node, body: bytes) -> Committed:
    """What has become of a transaction that was handed in now."""
    waiting = node.submit(body)
    node.make_block()
    found = node.ledger.by_hash(waiting.hash)
    assert found is not None
    return found


def orderless(nonce: int, *, account: Account = ALICE, seconds: int = 60) -> bytes:
    """A call with a nonce, which the SDK cannot write."""

    class Versioned:
        def serialize(self, serializer: Any) -> None:
            inner = raw(account.address(), 0, ADD).payload.value
            serializer.fixed_bytes(b"\x04\x00\x01")
            serializer.struct(inner)
            serializer.fixed_bytes(b"\x00\x00\x01" + bcs.u64(nonce))

    written = raw(account.address(), U64_MAX, Versioned(), expires=START + seconds)
    body: bytes = SignedTransaction(written, account.sign_transaction(written)).bytes()
    return body


def two_agents(second: Account, *, proofs: int = 1) -> bytes:
    inner = raw(ALICE.address(), 0, ADD)
    transaction = MultiAgentRawTransaction(inner, [second.address()])
    proof = MultiAgentAuthenticator(
        ALICE.sign_transaction(transaction),
        [(second.address(), second.sign_transaction(transaction))],
    )
    body: bytes = SignedTransaction(inner, Authenticator(proof)).bytes()
    if proofs == 0:  # The address stays, the proof of it goes: 0, or 1 + length of an Ed25519 one.
        body = body[: -(1 + 1 + 33 + 65)] + b"\x00"
    return body


def forged(body: bytes) -> bytes:
    """The same with another signature."""
    return body[:-1] + bytes([body[-1] ^ 1])


def of_another_key() -> bytes:
    """Bob signs rightly, in Alice's name."""
    written = raw(ALICE.address(), 0, ADD)
    body: bytes = SignedTransaction(written, BOB.sign_transaction(written)).bytes()
    return body


REFUSALS: dict[str, tuple[int | None, Callable[[], bytes]]] = {
    "INVALID_SIGNATURE": (1, lambda: forged(signed(ALICE, 0, ADD))),
    "INVALID_AUTH_KEY": (2, of_another_key),
    "SEQUENCE_NUMBER_TOO_OLD": (3, lambda: signed(BOB, 0, ADD)),
    "INSUFFICIENT_BALANCE_FOR_TRANSACTION_FEE": (
        5,
        lambda: signed(ALICE, 0, ADD, units=2_000_000, price=501),
    ),
    "TRANSACTION_EXPIRED": (6, lambda: signed(ALICE, 0, ADD, expires=START)),
    "SENDING_ACCOUNT_DOES_NOT_EXIST": (7, lambda: signed(CAROL, 0, ADD)),
    "EXCEEDED_MAX_TRANSACTION_SIZE": (
        10,
        lambda: signed(ALICE, 0, call("add", *[u64(1)] * 8000)),
    ),
    "MAX_GAS_UNITS_EXCEEDS_MAX_GAS_UNITS_BOUND": (
        13,
        lambda: signed(ALICE, 0, ADD, units=2_000_001),
    ),
    "MAX_GAS_UNITS_BELOW_MIN_TRANSACTION_GAS_UNITS": (14, lambda: signed(ALICE, 0, ADD, units=27)),
    "GAS_UNIT_PRICE_BELOW_MIN_BOUND": (15, lambda: signed(ALICE, 0, ADD, price=99)),
    "GAS_UNIT_PRICE_ABOVE_MAX_BOUND": (16, lambda: signed(ALICE, 0, ADD, price=10**10 + 1)),
    "BAD_CHAIN_ID": (23, lambda: signed(ALICE, 0, ADD, chain_id=2)),
    "SEQUENCE_NUMBER_TOO_BIG": (24, lambda: signed(ALICE, U64_MAX, ADD)),
    "FEATURE_UNDER_GATING": (
        26,
        lambda: signed(ALICE, 0, TransactionPayload(Script(b"\xa1", [], []))),
    ),
    "SECONDARY_KEYS_ADDRESSES_COUNT_MISMATCH": (27, lambda: two_agents(BOB, proofs=0)),
    "SIGNERS_CONTAIN_DUPLICATES": (28, lambda: two_agents(ALICE)),
    "GAS_PAYER_ACCOUNT_MISSING": (36, lambda: sponsored(ALICE, CAROL, 0, ADD)),
    "TRANSACTION_EXPIRATION_TOO_FAR_IN_FUTURE": (None, lambda: orderless(1, seconds=101)),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_what_is_not_valid_is_refused_by_its_number(node: Node, name: str) -> None:
    committed(node, signed(BOB, 0, ADD))
    number, body = REFUSALS[name]
    with pytest.raises(Refused) as caught:
        node.submit(body())
    assert caught.value.body() == {
        "message": f"Invalid transaction: Type: Validation Code: {name}",
        "error_code": "vm_error",
        "vm_error_code": number,
    }
    assert caught.value.status == 400
    assert len(node.pool) == 0


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"", "unexpected end"),
        (signed(ALICE, 0, ADD) + b"\x00", "1 bytes are left"),
    ],
)
def test_bytes_that_are_no_transaction_are_refused(node: Node, body: bytes, sentence: str) -> None:
    with pytest.raises(Refused, match=sentence) as caught:
        node.submit(body)
    assert (caught.value.status, caught.value.error_code) == (400, "invalid_input")


def test_checks_come_in_the_order_of_a_node(node: Node) -> None:
    """Each transaction below is wrong in all that follows too; the first reason is given."""
    committed(node, signed(ALICE, 0, ADD))
    wrong = {"expires": START, "chain_id": 9, "price": 1}
    expected = [
        ("GAS_UNIT_PRICE_BELOW_MIN_BOUND", wrong),
        ("TRANSACTION_EXPIRED", wrong | {"price": 10**9}),
        ("BAD_CHAIN_ID", {"chain_id": 9, "price": 10**9}),
        ("SEQUENCE_NUMBER_TOO_OLD", {"price": 10**9}),
    ]
    for name, other in expected:
        with pytest.raises(Refused, match=name):
            node.submit(signed(ALICE, 0, ADD, **other))


def test_a_committed_transaction_has_paid_and_used_its_number(node: Node) -> None:
    found = committed(node, signed(ALICE, 0, call("add", u64(5))))
    assert found.refusal is None
    assert node.executor.resource(key(ALICE), "0xcafe::counter::Counter") == {"total": "5"}
    assert node.accounts.sequence_number(key(ALICE)) == 1
    # 28 for its size, 10 for running, 4,000 for a new slot; at 100 octas each.
    assert found.charge.units == 4038
    assert node.accounts.balance_octas(key(ALICE)) == 10 * APT - 403_800


def test_an_abort_costs_gas_and_does_nothing_else(node: Node) -> None:
    found = committed(node, signed(ALICE, 0, call("add", u64(0))))
    assert isinstance(found.refusal, Aborted)
    assert show_status(found.refusal) == (
        "Move abort in 0xcafe::counter: E_ZERO(0x10001): The amount is zero."
    )
    assert node.executor.resources(key(ALICE)) == {}
    assert node.accounts.sequence_number(key(ALICE)) == 1
    assert node.accounts.balance_octas(key(ALICE)) == 10 * APT - 3_600
    assert [event.type for event in found.events] == ["0x1::transaction_fee::FeeStatement"]


@pytest.mark.parametrize(
    ("payload", "status"),
    [
        (call("0x2::nothing::here"), "LINKER_ERROR"),
        (call("nothing"), "FUNCTION_RESOLUTION_FAILURE"),
        (call("add"), "NUMBER_OF_ARGUMENTS_MISMATCH"),
        (call("0x1::aptos_account::transfer", u64(1)), "NUMBER_OF_ARGUMENTS_MISMATCH"),
        (
            call("0x1::aptos_account::transfer", u64(1), u64(1)),
            "FAILED_TO_DESERIALIZE_ARGUMENT",
        ),
    ],
)
def test_what_cannot_be_run_is_committed_as_failed(node: Node, payload: Any, status: str) -> None:
    found = committed(node, signed(ALICE, 0, payload))
    assert found.refusal == Failed(status)
    assert node.accounts.sequence_number(key(ALICE)) == 1


def test_more_gas_than_allowed_is_all_that_was_allowed(node: Node) -> None:
    found = committed(node, signed(ALICE, 0, call("burn", u64(5_000)), units=4_000))
    assert found.refusal == OutOfGas()
    assert found.charge.units == 4_000
    assert node.accounts.balance_octas(key(ALICE)) == 10 * APT - 400_000


def test_storage_beyond_the_allowed_gas_keeps_nothing(node: Node) -> None:
    found = committed(node, signed(ALICE, 0, ADD, units=4_037))
    assert found.refusal == OutOfGas()
    assert node.executor.resources(key(ALICE)) == {}


def test_apt_that_is_sent_cannot_pay_for_gas_too(node: Node) -> None:
    body = signed(ALICE, 0, transfer(BOB.address(), 10 * APT - 100))
    found = committed(node, body)
    assert isinstance(found.refusal, Aborted)
    assert found.changes == []
    assert node.accounts.balance_octas(key(BOB)) == 10 * APT


def test_apt_is_neither_made_nor_lost_but_for_gas(node: Node) -> None:
    accounts = (key(ALICE), key(BOB), key(CAROL))
    before = sum(node.accounts.balance_octas(account) for account in accounts)
    paid = 0
    for number, octas in enumerate((1, 3 * APT, 50 * APT, APT)):
        to = CAROL if number % 2 else BOB
        found = committed(node, signed(ALICE, number, transfer(to.address(), octas)))
        paid += found.charge.octas
        assert (found.refusal is None) == (octas < 10 * APT)
    after = sum(node.accounts.balance_octas(account) for account in accounts)
    assert before - after == paid


def test_numbers_ahead_wait_until_the_gap_closes(node: Node) -> None:
    ahead = [node.submit(signed(ALICE, number, ADD)) for number in (2, 1)]
    node.make_block()
    assert all(node.ledger.by_hash(waiting.hash) is None for waiting in ahead)
    first = node.submit(signed(ALICE, 0, ADD))
    node.make_block()
    found = [node.ledger.by_hash(w.hash) for w in (first, ahead[1], ahead[0])]
    versions = [each.version for each in found if each is not None]
    assert versions == sorted(versions)
    assert len(versions) == 3


def test_a_hundred_and_first_in_flight_finds_the_pool_full(node: Node) -> None:
    for number in range(100):
        node.submit(signed(ALICE, number, ADD))
    with pytest.raises(Refused) as caught:
        node.submit(signed(ALICE, 100, ADD))
    assert (caught.value.status, caught.value.error_code) == (507, "mempool_is_full")
    node.submit(signed(BOB, 0, ADD))
    node.make_block()
    assert node.accounts.sequence_number(key(ALICE)) == 100


def test_the_same_bytes_again_change_nothing_while_they_wait(node: Node) -> None:
    body = signed(ALICE, 0, ADD)
    assert node.submit(body) is node.submit(body)
    assert len(node.pool) == 1
    node.make_block()
    with pytest.raises(Refused, match="SEQUENCE_NUMBER_TOO_OLD"):
        node.submit(body)


def test_only_a_better_price_takes_the_place_of_what_waits(node: Node) -> None:
    before = node.submit(signed(ALICE, 0, ADD))
    for other in ({"units": 20_000, "price": 200}, {"expires": START + 5, "price": 200}):
        with pytest.raises(Refused) as caught:
            node.submit(signed(ALICE, 0, ADD, **other))
        assert caught.value.error_code == "invalid_transaction_update"
    with pytest.raises(Refused, match="already in mempool"):
        node.submit(signed(ALICE, 0, call("add", u64(2)), price=200))
    better = node.submit(signed(ALICE, 0, ADD, price=150))
    with pytest.raises(Refused, match="already in mempool"):
        node.submit(signed(ALICE, 0, ADD, price=120))
    node.make_block()
    assert node.ledger.by_hash(before.hash) is None
    assert node.ledger.by_hash(better.hash) is not None


def test_what_expires_in_the_pool_is_gone(node: Node) -> None:
    parked = node.submit(signed(ALICE, 1, ADD, expires=START + 30))
    node.clock.advance(30)
    node.make_block()
    assert node.pool.find(parked.hash) is None
    assert node.ledger.timestamp >= (START + 30) * 1_000_000


def test_what_waits_ten_minutes_is_gone_though_it_has_not_expired(node: Node) -> None:
    parked = node.submit(signed(ALICE, 1, ADD, expires=START + 5000))
    node.clock.advance(599)
    node.make_block()
    assert node.pool.find(parked.hash) is not None
    node.clock.advance(2)
    node.make_block()
    assert node.pool.find(parked.hash) is None


def test_what_became_invalid_while_it_waited_never_happens(node: Node) -> None:
    """Both can pay when they are taken; the first leaves nothing for the second."""
    first = node.submit(signed(ALICE, 0, transfer(BOB.address(), 10 * APT - 500_000)))
    second = node.submit(signed(ALICE, 1, ADD))
    node.make_block()
    assert node.ledger.by_hash(first.hash) is not None
    assert node.ledger.by_hash(second.hash) is None
    assert node.pool.find(second.hash) is None
    assert node.accounts.sequence_number(key(ALICE)) == 1


def test_a_payer_pays_for_a_sender_who_has_nothing(node: Node) -> None:
    found = committed(node, sponsored(CAROL, BOB, 0, ADD))
    assert found.refusal is None
    assert node.accounts.sequence_number(key(CAROL)) == 1
    assert node.accounts.balance_octas(key(CAROL)) == 0
    assert node.accounts.balance_octas(key(BOB)) == 10 * APT - found.charge.octas


def test_an_orderless_transaction_needs_no_number_and_happens_once(node: Node) -> None:
    found = [committed(node, orderless(nonce)) for nonce in (7, 3)]
    assert all(each.refusal is None for each in found)
    assert node.accounts.sequence_number(key(ALICE)) == 0
    with pytest.raises(Refused, match="NONCE_ALREADY_USED"):
        node.submit(orderless(7))
    assert committed(node, orderless(7, account=BOB)).refusal is None


def test_a_nonce_is_remembered_beyond_the_expiry_and_then_forgotten(node: Node) -> None:
    committed(node, orderless(7, seconds=10))
    node.clock.advance(70)
    node.make_block()
    assert node.accounts.has_used(key(ALICE), 7)
    node.clock.advance(10)
    node.make_block()
    assert not node.accounts.has_used(key(ALICE), 7)


def test_new_keys_replace_the_address_as_authentication_key(node: Node) -> None:
    rotated = ChainAccount(authentication_key=key(BOB), balance_octas=APT)
    node.accounts.keep({key(ALICE): rotated})
    with pytest.raises(Refused, match="INVALID_AUTH_KEY"):
        node.submit(signed(ALICE, 0, ADD))
    assert committed(node, of_another_key()).refusal is None


def test_a_simulation_tells_and_leaves_nothing(node: Node) -> None:
    body = signed(ALICE, 0, call("add", u64(5)))
    unsigned = body[:-64] + bytes(64)
    simulated = node.simulate(unsigned)
    assert simulated.refusal is None
    assert simulated.charge.units == 4038
    assert node.executor.resources(key(ALICE)) == {}
    assert node.accounts.find(key(ALICE)) == ChainAccount(key(ALICE), 0, 10 * APT)
    assert committed(node, body).charge == simulated.charge


def test_a_simulation_of_what_is_rightly_signed_is_refused(node: Node) -> None:
    for body in (signed(ALICE, 0, ADD), sponsored(ALICE, BOB, 0, ADD)):
        with pytest.raises(Refused, match="must not have a valid signature"):
            node.simulate(body)


@pytest.mark.parametrize(
    ("number", "other", "status"),
    [
        (1, {}, "SEQUENCE_NUMBER_TOO_NEW"),
        (0, {"expires": START}, "TRANSACTION_EXPIRED"),
        (0, {"units": 2_000_000, "price": 600}, "INSUFFICIENT_BALANCE_FOR_TRANSACTION_FEE"),
    ],
)
def test_a_simulation_of_what_is_not_valid_says_so(
    node: Node, number: int, other: dict[str, int], status: str
) -> None:
    body = signed(ALICE, number, ADD, **other)
    simulated = node.simulate(body[:-64] + bytes(64))
    assert simulated.refusal == Failed(status)


def test_a_simulation_finds_price_and_units_itself(node: Node) -> None:
    body = signed(ALICE, 0, ADD, units=1, price=1)[:-64] + bytes(64)
    simulated = node.simulate(body, unit_price=150, find_units=True)
    assert simulated.refusal is None
    assert simulated.signed.raw.gas_unit_price == 150
    assert simulated.signed.raw.max_gas_amount == 2_000_000


def test_blocks_have_growing_times_and_versions_without_a_gap(node: Node) -> None:
    stamps = []
    for number in range(3):
        found = committed(node, signed(ALICE, number, ADD))
        stamps.append(found.timestamp)
        block = node.ledger.block_of(found.version)
        assert block is not None
        assert block.first_version + 1 == found.version == block.last_version
        assert node.ledger.transactions_of(block) == [found]
        assert node.ledger.by_version(block.first_version) == block
    assert stamps == sorted(set(stamps))


def test_no_more_goes_into_a_block_than_is_allowed() -> None:
    node = hand_devnet(ALICE, BOB, block_transactions_max=4).node
    for number in range(5):
        node.submit(signed(ALICE, number, ADD))
    node.submit(signed(BOB, 0, ADD))
    block = node.make_block()
    held = node.ledger.block_at(block.height)
    assert held is not None
    senders = [each.signed.raw.sender for each in node.ledger.transactions_of(held)]
    assert senders == [key(ALICE), key(BOB), key(ALICE), key(ALICE)]


def test_a_frozen_sight_stays_as_it_was(node: Node) -> None:
    committed(node, signed(ALICE, 0, ADD))
    frozen = node.frozen_sight()
    committed(node, signed(ALICE, 1, ADD))
    total = Call((), COUNTER, "counter", "total", (), (key(ALICE),))
    assert node.view(total, frozen).values == ["1"]
    assert node.view(total, node.sight()).values == ["2"]
    assert frozen.accounts.sequence_number(key(ALICE)) == 1


def test_code_is_published_to_the_address_that_follows_from_the_number(node: Node) -> None:
    written = call("0x1::object_code_deployment::publish", blob(b"meta"), blobs(b"code"))
    executor = node.executor
    assert isinstance(executor, TinyExecutor)
    simulated = node.simulate(signed(ALICE, 0, written)[:-64] + bytes(64))
    assert simulated.refusal is None
    assert executor.published == []
    assert committed(node, signed(ALICE, 0, written)).refusal is None
    seed = bcs.string("aptos_framework::object_code_deployment") + bcs.u64(1)
    assert executor.published == [hashlib.sha3_256(key(ALICE) + seed + b"\xfe").digest()]
    broken = call("0x1::object_code_deployment::publish", blob(b"meta"), blobs(b"broken"))
    found = committed(node, signed(ALICE, 1, broken))
    assert found.refusal == Failed("CODE_DESERIALIZATION_ERROR")


def blob(value: bytes) -> TransactionArgument:
    return TransactionArgument(value, Serializer.to_bytes)


def blobs(*values: bytes) -> TransactionArgument:
    return TransactionArgument(list(values), Serializer.sequence_serializer(Serializer.to_bytes))


def kept(
    folder: Path, executor: TinyExecutor | None = None, *, at: int = START, **settings: Any
) -> Devnet:
    world = World(clock=lambda: datetime.fromtimestamp(at, UTC), random=Random(3))
    return Devnet(
        executor or TinyExecutor(),
        world=world,
        settings=NodeSettings(blocks_by_hand=True, **settings),
        folder=folder,
        funded={key(ALICE): 10 * APT},
    )


async def test_a_kept_chain_goes_on_where_it_was(tmp_path: Path) -> None:
    first = kept(tmp_path)
    await first.faucet.mint(key(BOB), APT)
    done = [committed(first.node, signed(ALICE, n, call("add", u64(n)))) for n in range(3)]
    first.node.make_block()
    second = kept(tmp_path)
    for each in done:
        again = second.node.ledger.by_hash(each.hash)
        assert again is not None
        assert again == replace(each, signed=again.signed)
    assert second.node.accounts.balance_octas(key(BOB)) == APT
    assert second.node.ledger.version > done[-1].version
    assert second.node.executor.resource(key(ALICE), "0xcafe::counter::Counter") == {"total": "3"}
    assert committed(second.node, signed(ALICE, 3, ADD)).timestamp > done[-1].timestamp


def test_a_kept_chain_is_not_behind_the_empty_blocks_that_somebody_has_seen(tmp_path: Path) -> None:
    first = kept(tmp_path)
    committed(first.node, signed(ALICE, 0, ADD))
    seconds, blocks_a_second = 5, 10  # as many as there can be at 100 ms each
    for _ in range(seconds * blocks_a_second):
        first.node.make_block()
    second = kept(tmp_path, at=START + seconds)
    assert second.node.ledger.version >= first.node.ledger.version
    assert second.node.ledger.height >= first.node.ledger.height
    assert second.node.ledger.timestamp >= first.node.ledger.timestamp


def test_a_line_cut_by_a_crash_never_happened(tmp_path: Path) -> None:
    first = kept(tmp_path)
    for number in range(2):
        committed(first.node, signed(ALICE, number, ADD))
    path = tmp_path / FILE
    path.write_bytes(path.read_bytes()[:-20])
    second = kept(tmp_path)
    assert second.node.accounts.sequence_number(key(ALICE)) == 1
    committed(second.node, signed(ALICE, 1, ADD))
    assert kept(tmp_path).node.accounts.sequence_number(key(ALICE)) == 2


def test_a_chain_of_another_kind_is_not_taken_for_this_one(tmp_path: Path) -> None:
    kept(tmp_path)
    with pytest.raises(OtherChain, match="tiny"):
        kept(tmp_path, TinyExecutor(name="other"))
    with pytest.raises(OtherChain):
        kept(tmp_path, chain_id=5)


def test_what_was_run_before_a_mistake_of_the_executor_is_kept(tmp_path: Path) -> None:
    first = kept(tmp_path)
    first.node.submit(signed(ALICE, 0, ADD))
    first.node.submit(signed(ALICE, 1, call("add", u64(MISTAKE))))
    with pytest.raises(RuntimeError, match="mistake"):
        first.node.make_block()
    second = kept(tmp_path)
    assert second.node.accounts.sequence_number(key(ALICE)) == 1
    assert committed(second.node, signed(ALICE, 1, ADD)).refusal is None

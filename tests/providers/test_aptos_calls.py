"""Calls and hashes, compared with the SDK's own way of making them and with bytes made by hand."""

import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from aptos_sdk.account import Account
from aptos_sdk.account_address import AccountAddress
from aptos_sdk.bcs import Deserializer, Serializer
from aptos_sdk.ed25519 import PrivateKey
from aptos_sdk.transactions import (
    EntryFunction,
    FeePayerRawTransaction,
    SignedTransaction,
    TransactionArgument,
)

from engine.errors import Rejected
from engine.ports import (
    DisputeAnswer,
    DisputeOpening,
    DisputeRefund,
    DisputeRuling,
    Instruction,
    Reason,
)
from providers.aptos import Contracts, Corridor, sdk
from providers.aptos.calls import fee_balance, nothing
from providers.aptos.sdk import Call, Draft, Signed
from tests.providers.aptos_subjects import CORRIDOR, settlement, terms

HOUSE = sdk.address("0xca04")
PLACE = sdk.address("0xc0")
CONTRACTS = Contracts(
    settlement=HOUSE,
    liquidity=sdk.address("0xca03"),
    corridors={CORRIDOR: Corridor(PLACE, ("mpesa_ke", "mtn_ug"))},
)
OPENING = DisputeOpening(
    corridor=CORRIDOR,
    batch_id=bytes(range(16)),
    leaf_hash=b"\x0a" * 32,
    leaf_index=2,
    proof=(b"\x01" * 32, b"\x02" * 32),
    member=1,
    against=0,
    amount_minor=500,
)


def serialized(value: object, encode: Callable[[Serializer, Any], None]) -> bytes:
    return bytes(TransactionArgument(value, encode).encode())


U64S = Serializer.sequence_serializer(Serializer.u64)
BYTES = Serializer.sequence_serializer(Serializer.to_bytes)


@pytest.mark.parametrize(
    ("text", "ends_with"),
    [("0x1", "01"), ("0xca04", "ca04"), ("0x" + "ab" * 32, "ab" * 32), ("0x0c0", "c0")],
)
def test_addresses_are_read_relaxed_and_compared_as_32_bytes(text: str, ends_with: str) -> None:
    assert sdk.address(text) == bytes.fromhex(ends_with.rjust(64, "0"))
    assert sdk.address(sdk.shown(sdk.address(text))) == sdk.address(text)


@pytest.mark.parametrize(
    "text", ["", "1", "0x", "0xg", "ca04", "0x" + "1" * 65, "0x 1", "0x11  ", "0x11\n\n"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"address|hex"):
        sdk.address(text)


@pytest.mark.parametrize("length", [0, 1, 127, 128, 200, 16_383, 16_384])
def test_values_are_encoded_as_the_sdk_encodes_them(length: int) -> None:
    numbers = tuple(range(length))
    assert sdk.octets(bytes(length)) == serialized(bytes(length), Serializer.to_bytes)
    assert sdk.u64s(numbers) == serialized(numbers, U64S)
    many = (bytes(length), b"", b"x")
    assert sdk.many_octets(many) == serialized(many, BYTES)
    assert sdk.u64(2**64 - 1 - length) == serialized(2**64 - 1 - length, Serializer.u64)
    assert sdk.boolean(True) == serialized(True, Serializer.bool)
    assert sdk.boolean(False) == serialized(False, Serializer.bool)


@pytest.mark.parametrize("value", [-1, 2**64])
def test_a_number_that_does_not_fit_is_refused(value: int) -> None:
    with pytest.raises(ValueError, match="64"):
        sdk.u64(value)


def test_the_terms_hash_is_of_the_domain_and_the_fields_in_their_order() -> None:
    asked = terms()
    by_hand = (
        b"CAPP::SettlementBatch::v1"
        + b"\x04"
        + PLACE
        + b"\x10"
        + asked.batch_id
        + b"\x20"
        + asked.merkle_root
        + (3).to_bytes(8, "little")
        + b"\x02"
        + (1_500_000).to_bytes(8, "little")
        + bytes(8)
        + b"\x02"
        + bytes(8)
        + (1_500_000).to_bytes(8, "little")
        + asked.expires_at.to_bytes(8, "little")
    )
    assert CONTRACTS.terms_hash(asked, 4) == hashlib.sha3_256(by_hand).digest()


def test_every_field_of_the_terms_changes_their_hash() -> None:
    other_place = Contracts(
        settlement=HOUSE, liquidity=HOUSE, corridors={CORRIDOR: Corridor(HOUSE, ())}
    )
    hashes = [
        CONTRACTS.terms_hash(terms(), 4),
        CONTRACTS.terms_hash(terms(), 2),
        other_place.terms_hash(terms(), 4),
        CONTRACTS.terms_hash(terms(batch_id=bytes(16)), 4),
        CONTRACTS.terms_hash(terms(merkle_root=bytes(32)), 4),
        CONTRACTS.terms_hash(terms(payment_count=4), 4),
        CONTRACTS.terms_hash(terms(debits=(1_500_001, 0)), 4),
        CONTRACTS.terms_hash(terms(credits=(0, 1_500_001)), 4),
        CONTRACTS.terms_hash(terms(debits=(0, 1_500_000), credits=(1_500_000, 0)), 4),
        CONTRACTS.terms_hash(terms(expires_at=1), 4),
    ]
    assert len(set(hashes)) == len(hashes)


def test_a_dispute_is_named_by_its_payment_and_its_opener_and_by_nothing_else() -> None:
    named = PLACE + OPENING.batch_id + OPENING.leaf_hash + (1).to_bytes(8, "little")
    assert CONTRACTS.dispute_id(OPENING) == hashlib.sha3_256(named).digest()


OF_CORRIDOR = serialized(AccountAddress(PLACE), Serializer.struct)
DISPUTE_ID = b"\x0d" * 32
CASES: list[tuple[Instruction, str, list[bytes]]] = [
    (
        settlement(),
        "settle",
        [
            serialized(bytes(range(16)), Serializer.to_bytes),
            serialized(bytes(range(32)), Serializer.to_bytes),
            serialized(3, Serializer.u64),
            serialized([1_500_000, 0], U64S),
            serialized([0, 1_500_000], U64S),
            serialized(terms().expires_at, Serializer.u64),
            serialized([0, 2], U64S),
            serialized([bytes(64), b"\x02" * 64], BYTES),
        ],
    ),
    (
        OPENING,
        "open_dispute",
        [
            serialized(OPENING.batch_id, Serializer.to_bytes),
            serialized(OPENING.leaf_hash, Serializer.to_bytes),
            serialized(2, Serializer.u64),
            serialized(list(OPENING.proof), BYTES),
            serialized(1, Serializer.u64),
            serialized(0, Serializer.u64),
            serialized(500, Serializer.u64),
        ],
    ),
    (
        DisputeAnswer(CORRIDOR, DISPUTE_ID, 0, accepts=False, evidence_hash=b"\x0e" * 32),
        "answer_dispute",
        [
            serialized(DISPUTE_ID, Serializer.to_bytes),
            serialized(False, Serializer.bool),
            serialized(b"\x0e" * 32, Serializer.to_bytes),
        ],
    ),
    (
        DisputeRuling(CORRIDOR, DISPUTE_ID, 250),
        "resolve_dispute",
        [serialized(DISPUTE_ID, Serializer.to_bytes), serialized(250, Serializer.u64)],
    ),
    (
        DisputeRefund(CORRIDOR, DISPUTE_ID),
        "refund",
        [serialized(DISPUTE_ID, Serializer.to_bytes)],
    ),
]


@pytest.mark.parametrize(("instruction", "function", "arguments"), CASES)
def test_each_instruction_is_one_entry_function_of_the_contract(
    instruction: Instruction, function: str, arguments: list[bytes]
) -> None:
    call = CONTRACTS.call_for(instruction)
    assert call == Call(HOUSE, "settlement", function, (OF_CORRIDOR, *arguments))


def test_a_corridor_that_nobody_placed_is_not_called() -> None:
    with pytest.raises(Rejected) as raised:
        CONTRACTS.call_for(settlement(corridor="somewhere:else"))
    assert raised.value.reason == Reason.CONFIGURATION


# Transactions, against the SDK reading and checking what it would have made.


def account(number: int) -> Account:
    key = PrivateKey.from_hex(f"ed25519-priv-0x{number:064x}", True)
    return Account(AccountAddress.from_key(key.public_key()), key)


def signed(by: Account, message: bytes) -> Signed:
    signature: Any = by.sign(message)
    return Signed(by.public_key().to_crypto_bytes(), signature.data())


def draft() -> Draft:
    sender, payer = account(1), account(2)
    return Draft(
        sender=sender.address().address,
        sequence_number=7,
        call=CONTRACTS.call_for(settlement()),
        units_max=12_345,
        unit_price=150,
        expires_at=1_795_255_260,
        chain_id=4,
        payer=payer.address().address,
    )


def test_an_address_follows_from_a_key_as_in_the_sdk() -> None:
    for number in range(1, 9):
        mine = account(number)
        assert sdk.address_of(mine.public_key().to_crypto_bytes()) == mine.address().address


def test_a_signed_transaction_is_read_and_verified_by_the_sdk() -> None:
    sender, payer = account(1), account(2)
    message = sdk.to_be_signed(draft())
    body = sdk.assembled(draft(), signed(sender, message), signed(payer, message))
    reader = Deserializer(body)
    read = SignedTransaction.deserialize(reader)
    assert reader.remaining() == 0
    assert read.verify()
    raw = read.transaction
    assert (raw.sequence_number, raw.chain_id) == (7, 4)
    assert (raw.max_gas_amount, raw.gas_unit_price) == (12_345, 150)
    assert raw.expiration_timestamps_secs == 1_795_255_260
    assert (raw.sender, raw.payload.value.function) == (sender.address(), "settle")
    assert FeePayerRawTransaction(raw, [], payer.address()).keyed() == message
    prefix = hashlib.sha3_256(b"APTOS::Transaction").digest() + b"\x00"
    assert sdk.hash_of(body) == hashlib.sha3_256(prefix + body).digest()


def test_what_is_sent_for_a_trial_could_never_be_carried_out() -> None:
    sender, payer = account(1), account(2)
    body = sdk.assembled(
        draft(),
        Signed(sender.public_key().to_crypto_bytes(), sdk.NO_SIGNATURE),
        Signed(payer.public_key().to_crypto_bytes(), sdk.NO_SIGNATURE),
    )
    assert not SignedTransaction.deserialize(Deserializer(body)).verify()


def test_doing_nothing_is_a_transfer_of_nothing_to_oneself() -> None:
    call = nothing(PLACE)
    natural = EntryFunction.natural(
        "0x1::aptos_account",
        "transfer",
        [],
        [
            TransactionArgument(AccountAddress(PLACE), Serializer.struct),
            TransactionArgument(0, Serializer.u64),
        ],
    )
    serializer = Serializer()  # type: ignore[no-untyped-call]
    natural.serialize(serializer)
    assert sdk.view_body(call) == serializer.output()


def test_the_sponsors_balance_is_asked_with_its_coin_as_a_type() -> None:
    read = EntryFunction.deserialize(Deserializer(sdk.view_body(fee_balance(PLACE))))
    assert (read.function, [str(tag) for tag in read.ty_args]) == (
        "balance",
        ["0x1::aptos_coin::AptosCoin"],
    )


def test_a_settlement_of_ten_thousand_payments_is_as_small_as_one_of_three() -> None:
    small = sdk.view_body(CONTRACTS.call_for(settlement(payment_count=3)))
    large = sdk.view_body(CONTRACTS.call_for(settlement(payment_count=10_000)))
    assert len(small) == len(large) < 64 * 1024

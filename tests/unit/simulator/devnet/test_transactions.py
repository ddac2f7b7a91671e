"""Our decoder against the SDK's encoder: the same transaction comes out, nothing else is read."""

import hashlib
from typing import Any

import pytest
from aptos_sdk.account import Account
from aptos_sdk.account_address import AccountAddress
from aptos_sdk.bcs import Serializer
from aptos_sdk.transactions import (
    EntryFunction,
    ModuleId,
    RawTransaction,
    Script,
    ScriptArgument,
    SignedTransaction,
    TransactionPayload,
)
from aptos_sdk.type_tag import StructTag, TypeTag
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.devnet import bcs, transactions
from simulator.devnet.bcs import Malformed
from simulator.devnet.signatures import Gated
from simulator.devnet.transactions import (
    U64_MAX,
    Payload,
    decode_batch,
    decode_signed,
    encode_raw,
)
from tests.devnet import START, call, raw, signed, u64

ALICE = Account.load_key("0x" + "11" * 32)
struct_tag: Any = StructTag  # untyped, as is all of the SDK's BCS
serializer_of: Any = Serializer
IDENTIFIERS = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,20}", fullmatch=True)
ADDRESSES = st.binary(min_size=32, max_size=32).map(AccountAddress)
U64S = st.integers(0, U64_MAX)
# The SDK writes a value after the tag of a primitive type, which no node reads: structs only.
TAGS = st.recursive(
    st.builds(lambda at: TypeTag(struct_tag(at, "coin", "Coin", [])), ADDRESSES),
    lambda tags: st.builds(
        lambda at, module, name, inner: TypeTag(struct_tag(at, module, name, inner)),
        ADDRESSES,
        IDENTIFIERS,
        IDENTIFIERS,
        st.lists(tags, max_size=2),
    ),
    max_leaves=3,
)
CALLS = st.builds(
    lambda at, module, name, tags, arguments: TransactionPayload(
        EntryFunction(ModuleId(at, module), name, tags, arguments)
    ),
    ADDRESSES,
    IDENTIFIERS,
    IDENTIFIERS,
    st.lists(TAGS, max_size=3),
    st.lists(st.binary(max_size=100), max_size=5),
)
RAWS = st.builds(RawTransaction, ADDRESSES, U64S, CALLS, U64S, U64S, U64S, st.integers(0, 255))


def written(value: Any) -> bytes:
    serializer = serializer_of()
    value.serialize(serializer)
    output: bytes = serializer.output()
    return output


@given(RAWS)
@settings(deadline=None, max_examples=60)
def test_what_the_sdk_writes_is_read_field_by_field(transaction: RawTransaction) -> None:
    body = SignedTransaction(transaction, ALICE.sign_transaction(transaction)).bytes()
    ours = decode_signed(body)
    call, theirs = ours.raw.payload.call, transaction.payload.value
    assert ours.raw.sender == transaction.sender.address
    assert ours.raw.sequence_number == transaction.sequence_number
    assert ours.raw.max_gas_amount == transaction.max_gas_amount
    assert ours.raw.gas_unit_price == transaction.gas_unit_price
    assert ours.raw.expiration_seconds == transaction.expiration_timestamps_secs
    assert ours.raw.chain_id == transaction.chain_id
    assert isinstance(call, transactions.EntryFunction)
    assert (call.address, call.module) == (theirs.module.address.address, theirs.module.name)
    assert (call.function, list(call.arguments)) == (theirs.function, theirs.args)
    assert [tag.encode() for tag in call.type_arguments] == [written(tag) for tag in theirs.ty_args]
    assert ours.raw_bytes == written(transaction) == encode_raw(ours.raw)
    assert ours.authenticator.verifies(ours.raw_bytes)


@given(RAWS, st.data())
@settings(deadline=None, max_examples=25)
def test_no_other_length_is_read(transaction: RawTransaction, data: st.DataObject) -> None:
    body = SignedTransaction(transaction, ALICE.sign_transaction(transaction)).bytes()
    cut = data.draw(st.integers(0, len(body) - 1))
    with pytest.raises(Malformed):
        decode_signed(body[:cut])
    with pytest.raises(Malformed, match="left"):
        decode_signed(body + b"\x00")


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    try:
        decoded = decode_signed(body)
    except (Malformed, Gated):
        return
    assert decoded.body == body


def test_the_hash_is_that_of_the_whole_transaction() -> None:
    body = signed(ALICE, 0, call("add", u64(1)))
    prefix = hashlib.sha3_256(b"APTOS::Transaction").digest()
    assert decode_signed(body).hash == hashlib.sha3_256(prefix + b"\x00" + body).digest()


def test_a_batch_is_a_vector_of_transactions() -> None:
    bodies = [signed(ALICE, number, call("add", u64(1))) for number in range(3)]
    batch = decode_batch(b"\x03" + b"".join(bodies))
    assert [each.body for each in batch] == bodies
    with pytest.raises(Malformed):
        decode_batch(b"\x04" + b"".join(bodies))


def with_payload(payload: bytes) -> bytes:
    """A transaction whose payload is these bytes."""
    body = signed(ALICE, 0, call("add", u64(1)))
    old = written(call("add", u64(1)))
    return body.replace(old, payload, 1)


ENTRY = written(call("add", u64(1)))[1:]
MULTISIG = bytes(31) + b"\x07"


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b"\x03" + MULTISIG + b"\x00", (3, None, MULTISIG, None)),
        (b"\x03" + MULTISIG + b"\x01\x00" + ENTRY, (3, "add", MULTISIG, None)),
        (b"\x04\x00\x01" + ENTRY + b"\x00\x00\x00", (4, "add", None, None)),
        (b"\x04\x00\x01" + ENTRY + b"\x00\x00\x01" + bcs.u64(9), (4, "add", None, 9)),
        (b"\x04\x00\x02\x00\x01" + MULTISIG + b"\x00", (4, None, MULTISIG, None)),
    ],
    ids=["multisig", "multisig_call", "versioned", "orderless", "empty"],
)
def test_payloads_the_sdk_cannot_write_are_read(
    payload: bytes, expected: tuple[int, str | None, bytes | None, int | None]
) -> None:
    read = decode_signed(with_payload(payload)).raw.payload
    function = read.call.function if isinstance(read.call, transactions.EntryFunction) else None
    assert (read.variant, function, read.multisig, read.nonce) == expected


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (b"\x01", "1 is no payload"),
        (b"\x06", "6 is no payload"),
        (b"\x04\x01\x01" + ENTRY, "no version of a payload"),
        (b"\x04\x00\x03", "nothing that can be executed"),
        (b"\x04\x00\x01" + ENTRY + b"\x01", "no version of a payload's settings"),
        (b"\x03" + MULTISIG + b"\x01\x02", "no multisig payload"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_unknown_variants_are_refused(payload: bytes, why: str) -> None:
    with pytest.raises(Malformed, match=why):
        decode_signed(with_payload(payload))


def test_an_encrypted_payload_is_gated() -> None:
    with pytest.raises(Gated, match="encrypted"):
        decode_signed(with_payload(b"\x05"))


def test_scripts_are_read_with_their_arguments() -> None:
    arguments = [
        ScriptArgument(ScriptArgument.U8, 1),
        ScriptArgument(ScriptArgument.U64, 2),
        ScriptArgument(ScriptArgument.U128, 3),
        ScriptArgument(ScriptArgument.ADDRESS, ALICE.address()),
        ScriptArgument(ScriptArgument.U8_VECTOR, b"abc"),
        ScriptArgument(ScriptArgument.BOOL, True),
    ]
    script = TransactionPayload(Script(b"\xa1\x1c", [], arguments))
    read = decode_signed(signed(ALICE, 0, script)).raw.payload.call
    assert isinstance(read, transactions.Script)
    assert read.code == b"\xa1\x1c"
    assert read.arguments == tuple(written(argument) for argument in arguments)


def test_a_multisig_payload_is_never_written() -> None:
    payload = Payload(3, None, MULTISIG)
    ours = decode_signed(signed(ALICE, 0, call("add", u64(1)))).raw
    with pytest.raises(NotImplementedError):
        encode_raw(transactions.RawTransaction(ours.sender, 0, payload, 1, 1, START, ours.chain_id))


def test_what_is_orderless_reads_the_same_when_we_write_it() -> None:
    ours = decode_signed(with_payload(b"\x04\x00\x01" + ENTRY + b"\x00\x00\x01" + bcs.u64(9))).raw
    assert ours.is_orderless
    assert bcs.read_all(encode_raw(ours), transactions.read_raw) == ours
    assert not bcs.read_all(
        written(raw(ALICE.address(), 0, call("add", u64(1)))), transactions.read_raw
    ).is_orderless

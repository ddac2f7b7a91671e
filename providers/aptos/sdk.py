"""The one place that knows `aptos_sdk`: BCS, what is signed, what is sent. No network, no keys.

Everything here is pure, and gives and takes plain bytes, so that the SDK can change beneath it.
What of version 0.11 is not used, and why, stands in `decisions/0006`.
"""

import hashlib
import re
from typing import Any, Final, NamedTuple

from aptos_sdk.account_address import AccountAddress
from aptos_sdk.authenticator import (
    AccountAuthenticator,
    Authenticator,
    Ed25519Authenticator,
    FeePayerAuthenticator,
)
from aptos_sdk.bcs import Serializer
from aptos_sdk.ed25519 import PublicKey, Signature
from aptos_sdk.transactions import (
    EntryFunction,
    FeePayerRawTransaction,
    ModuleId,
    RawTransaction,
    SignedTransaction,
    TransactionPayload,
)
from aptos_sdk.type_tag import StructTag, TypeTag
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

NO_SIGNATURE: Final = bytes(64)
"""What a simulation is signed with: a node refuses to simulate anything that could be sent."""

_ADDRESS: Final = re.compile(r"0x[0-9a-fA-F]{1,64}")
_ED25519_SCHEME: Final = b"\x00"
_HASHED_AS: Final = hashlib.sha3_256(b"APTOS::Transaction").digest() + b"\x00"
_U64_END: Final = 1 << 64


class Call(NamedTuple):
    """A function of a module with its arguments, each one BCS already."""

    package: bytes  # 32
    module: str
    function: str
    arguments: tuple[bytes, ...] = ()
    types: tuple[str, ...] = ()


class Draft(NamedTuple):
    """A transaction that nobody has signed. Amounts in units and octas, times in epoch seconds."""

    sender: bytes
    sequence_number: int
    call: Call
    units_max: int
    unit_price: int
    expires_at: int
    chain_id: int
    payer: bytes


class Signed(NamedTuple):
    """One account's word under a draft."""

    public_key: bytes
    signature: bytes


# Single values.


def address(text: str) -> bytes:
    """32 bytes of `0x1` or of any longer form. Raises ValueError."""
    if not _ADDRESS.fullmatch(text):
        raise ValueError("an address is 0x and up to 64 hex digits")
    return bytes.fromhex(text.removeprefix("0x").rjust(64, "0"))


def shown(account: bytes) -> str:
    """An address in its long form, which every node takes."""
    return f"0x{account.hex()}"


def address_of(public_key: bytes) -> bytes:
    """Where the account of an Ed25519 key is, unless its key was changed since."""
    return hashlib.sha3_256(public_key + _ED25519_SCHEME).digest()


def is_signed(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the owner of an Ed25519 key has signed the message. False for what is no key."""
    try:
        VerifyKey(public_key).verify(message, signature)
    except (BadSignatureError, ValueError, TypeError):
        return False
    return True


def u64(value: int) -> bytes:
    """Raises ValueError outside of 0..2^64-1."""
    if not 0 <= value < _U64_END:
        raise ValueError("no number of 64 bits")
    return value.to_bytes(8, "little")


def boolean(value: bool) -> bytes:
    """One byte."""
    return b"\x01" if value else b"\x00"


def octets(value: bytes) -> bytes:
    """A `vector<u8>`."""
    return _length(len(value)) + value


def u64s(values: tuple[int, ...]) -> bytes:
    """A `vector<u64>`."""
    return _length(len(values)) + b"".join(map(u64, values))


def many_octets(values: tuple[bytes, ...]) -> bytes:
    """A `vector<vector<u8>>`."""
    return _length(len(values)) + b"".join(map(octets, values))


def _length(count: int) -> bytes:
    serializer: Any = Serializer()  # type: ignore[no-untyped-call]
    serializer.uleb128(count)
    return bytes(serializer.output())


# Transactions.


def to_be_signed(draft: Draft) -> bytes:
    """What sender and payer both sign."""
    return bytes(_with_payer(draft).keyed())


def assembled(draft: Draft, sender: Signed, payer: Signed) -> bytes:
    """The bytes that are handed in. They hold signatures, and nothing secret."""
    authenticator = FeePayerAuthenticator(
        _authenticator(sender),
        [],
        (AccountAddress(draft.payer), _authenticator(payer)),
    )
    signed = SignedTransaction(_raw(draft), Authenticator(authenticator))
    return _bcs(signed)


def hash_of(body: bytes) -> bytes:
    """Under which the chain will know the transaction of these bytes."""
    return hashlib.sha3_256(_HASHED_AS + body).digest()


def view_body(call: Call) -> bytes:
    """A question to a `#[view]` function, as the BCS way of asking takes it."""
    return _bcs(_entry_function(call))


def _with_payer(draft: Draft) -> FeePayerRawTransaction:
    return FeePayerRawTransaction(_raw(draft), [], AccountAddress(draft.payer))


def _raw(draft: Draft) -> RawTransaction:
    return RawTransaction(
        AccountAddress(draft.sender),
        draft.sequence_number,
        TransactionPayload(_entry_function(draft.call)),
        draft.units_max,
        draft.unit_price,
        draft.expires_at,
        draft.chain_id,
    )


def _entry_function(call: Call) -> EntryFunction:
    module = ModuleId(AccountAddress(call.package), call.module)
    types = [TypeTag(StructTag.from_str(name)) for name in call.types]
    return EntryFunction(module, call.function, types, list(call.arguments))


def _authenticator(signed: Signed) -> AccountAuthenticator:
    key = PublicKey(VerifyKey(signed.public_key))
    return AccountAuthenticator(Ed25519Authenticator(key, Signature(signed.signature)))


def _bcs(value: Any) -> bytes:
    serializer: Any = Serializer()  # type: ignore[no-untyped-call]
    value.serialize(serializer)
    return bytes(serializer.output())

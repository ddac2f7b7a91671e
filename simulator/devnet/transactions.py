"""Signed transactions: what is asked, by whom, until when, at which price; and their hash.

It reads and writes; it judges nothing. Layouts: reference: aptos, section 3.
"""

from __future__ import annotations

from dataclasses import dataclass

from simulator.devnet import bcs
from simulator.devnet.addresses import sha3, trim_address
from simulator.devnet.authenticators import Authenticator, Gated, read_authenticator
from simulator.devnet.type_tags import TypeTag, read_type_tag

U64_MAX = 2**64 - 1
_HASH = sha3(b"APTOS::Transaction")
_ENCRYPTED = 5


@dataclass(frozen=True, slots=True)
class EntryFunction:
    """One function of a module with its arguments, each in BCS."""

    address: bytes
    module: str
    function: str
    type_arguments: tuple[TypeTag, ...] = ()
    arguments: tuple[bytes, ...] = ()

    @property
    def name(self) -> str:
        """`0x1::aptos_account::transfer`."""
        return f"{trim_address(self.address)}::{self.module}::{self.function}"

    def encode(self) -> bytes:
        return (
            self.address
            + bcs.string(self.module)
            + bcs.string(self.function)
            + bcs.sequence(tag.encode() for tag in self.type_arguments)
            + bcs.sequence(bcs.byte_string(argument) for argument in self.arguments)
        )


@dataclass(frozen=True, slots=True)
class Script:
    """Bytecode that is run once."""

    code: bytes
    type_arguments: tuple[TypeTag, ...]
    arguments: tuple[bytes, ...]  # each with its variant


@dataclass(frozen=True, slots=True)
class Payload:
    """What is asked: a call (None: the one a multisig account keeps), for whom, in what order.

    `variant` is how it was written: 0 script, 2 entry function, 3 multisig, 4 with a nonce or not.
    """

    variant: int
    call: EntryFunction | Script | None
    multisig: bytes | None = None
    nonce: int | None = None

    @property
    def multisig_bytes(self) -> bytes:
        """The inner payload as a multisig account stores it; empty when there is none."""
        return b"\x00" + self.call.encode() if isinstance(self.call, EntryFunction) else b""


@dataclass(frozen=True, slots=True)
class RawTransaction:
    """A transaction before anybody signed it. Times in seconds, prices in octas a unit."""

    sender: bytes
    sequence_number: int
    payload: Payload
    max_gas_amount: int
    gas_unit_price: int
    expiration_seconds: int
    chain_id: int

    @property
    def is_orderless(self) -> bool:
        """Whether a nonce protects it from being repeated, instead of a number."""
        return self.payload.nonce is not None


@dataclass(frozen=True, slots=True)
class SignedTransaction:
    """A transaction as it was handed in, with the bytes that were signed."""

    raw: RawTransaction
    raw_bytes: bytes
    authenticator: Authenticator
    body: bytes

    @property
    def hash(self) -> bytes:
        """The 32 bytes under which everybody knows it."""
        return sha3(_HASH, b"\x00", self.body)

    @property
    def payer(self) -> bytes:
        """Whose APT it costs."""
        payer = self.authenticator.payer
        return payer.address if payer is not None else self.raw.sender

    @property
    def signers(self) -> tuple[bytes, ...]:
        """The sender and whoever signs beside it; not the payer."""
        return (self.raw.sender, *self.authenticator.secondary_addresses)


def decode_signed(body: bytes) -> SignedTransaction:
    """One transaction, all of `body`. Raises `Malformed`; `Gated` for what we do not offer."""
    return bcs.read_all(body, read_signed)


def decode_batch(body: bytes) -> tuple[SignedTransaction, ...]:
    """A vector of transactions. Raises as `decode_signed`."""
    return bcs.read_all(body, lambda reader: reader.sequence(lambda: read_signed(reader)))


def read_signed(reader: bcs.Reader) -> SignedTransaction:
    """One signed transaction; it keeps the bytes it was read from."""
    start = reader.position
    raw = read_raw(reader)
    raw_bytes = reader.since(start)
    authenticator = read_authenticator(reader)
    return SignedTransaction(raw, raw_bytes, authenticator, reader.since(start))


def read_raw(reader: bcs.Reader) -> RawTransaction:
    """One transaction without its authenticator."""
    return RawTransaction(
        sender=reader.address(),
        sequence_number=reader.u64(),
        payload=_read_payload(reader),
        max_gas_amount=reader.u64(),
        gas_unit_price=reader.u64(),
        expiration_seconds=reader.u64(),
        chain_id=reader.u8(),
    )


def encode_raw(raw: RawTransaction) -> bytes:
    """The bytes that are signed, of what the faucet itself sends: a call.

    Scripts and multisig payloads are read and never written here: NotImplementedError.
    """
    return (
        raw.sender
        + bcs.u64(raw.sequence_number)
        + _encode_payload(raw.payload)
        + bcs.u64(raw.max_gas_amount)
        + bcs.u64(raw.gas_unit_price)
        + bcs.u64(raw.expiration_seconds)
        + bytes([raw.chain_id])
    )


def read_entry_function(reader: bcs.Reader) -> EntryFunction:
    """As in a payload, and as the body of a view."""
    return EntryFunction(
        reader.address(),
        reader.string(),
        reader.string(),
        reader.sequence(lambda: read_type_tag(reader)),
        reader.sequence(reader.byte_string),
    )


def decode_multisig_payload(stored: bytes) -> EntryFunction:
    """What a multisig account keeps of a proposal. Raises `Malformed`."""

    def read(reader: bcs.Reader) -> EntryFunction:
        if reader.uleb128() != 0:
            raise bcs.Malformed("only entry functions can be proposed")
        return read_entry_function(reader)

    return bcs.read_all(stored, read)


def _read_payload(reader: bcs.Reader) -> Payload:
    variant = reader.uleb128()
    match variant:
        case 0:
            return Payload(variant, _read_script(reader))
        case 2:
            return Payload(variant, read_entry_function(reader))
        case 3:
            multisig = reader.address()
            return Payload(variant, reader.option(lambda: _read_inner(reader)), multisig)
        case 4:
            return _read_versioned(reader)
    if variant == _ENCRYPTED:
        raise Gated("encrypted payload")
    raise bcs.Malformed(f"{variant} is no payload")


def _read_inner(reader: bcs.Reader) -> EntryFunction | Script:
    variant = reader.uleb128()
    if variant > 1:
        raise bcs.Malformed(f"{variant} is no multisig payload")
    return _read_script(reader) if variant else read_entry_function(reader)


def _read_versioned(reader: bcs.Reader) -> Payload:
    if (version := reader.uleb128()) != 0:
        raise bcs.Malformed(f"{version} is no version of a payload")
    call = _read_executable(reader)
    if (version := reader.uleb128()) != 0:
        raise bcs.Malformed(f"{version} is no version of a payload's settings")
    return Payload(4, call, reader.option(reader.address), reader.option(reader.u64))


def _read_executable(reader: bcs.Reader) -> EntryFunction | Script | None:
    variant = reader.uleb128()
    match variant:
        case 0:
            return _read_script(reader)
        case 1:
            return read_entry_function(reader)
        case 2:
            return None
    raise bcs.Malformed(f"{variant} is nothing that can be executed")


def _read_script(reader: bcs.Reader) -> Script:
    code = reader.byte_string()
    tags = reader.sequence(lambda: read_type_tag(reader))
    return Script(code, tags, reader.sequence(lambda: _read_script_argument(reader)))


_WIDTHS = {0: 1, 1: 8, 2: 16, 3: 32, 5: 1, 6: 2, 7: 4, 8: 32}


def _read_script_argument(reader: bcs.Reader) -> bytes:
    """One argument with its variant: a number, an address, a bool or bytes."""
    start = reader.position
    variant = reader.uleb128()
    if variant in (4, 9):
        reader.byte_string()
    elif variant in _WIDTHS:
        reader.raw(_WIDTHS[variant])
    else:
        raise bcs.Malformed(f"{variant} is no script argument")
    return reader.since(start)


def _encode_payload(payload: Payload) -> bytes:
    if not isinstance(payload.call, EntryFunction):
        raise NotImplementedError("only calls are written")
    match payload.variant:
        case 2:
            return b"\x02" + payload.call.encode()
        case 4:
            multisig = b"\x00" if payload.multisig is None else b"\x01" + payload.multisig
            nonce = b"\x00" if payload.nonce is None else b"\x01" + bcs.u64(payload.nonce)
            return b"\x04\x00\x01" + payload.call.encode() + b"\x00" + multisig + nonce
    raise NotImplementedError("a multisig payload is never written")

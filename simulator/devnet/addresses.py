"""Addresses of accounts and objects: read from text, written as the node does, derived by hash.

Layouts: reference: aptos, section 3; AIP-40 for both forms of text.
"""

from __future__ import annotations

import hashlib
import string

from simulator.devnet import bcs

LENGTH = 32
_SPECIAL_MAX = 0x10
_HEX = frozenset(string.hexdigits)
FRAMEWORK = (1).to_bytes(LENGTH)
APT = (10).to_bytes(LENGTH)
"""The metadata object of APT as a fungible asset."""
ZERO = bytes(LENGTH)


def parse_address(text: str) -> bytes:
    """32 bytes from hex, with or without 0x and leading zeros. ValueError for anything else."""
    digits = text.removeprefix("0x")
    if not 0 < len(digits) <= 2 * LENGTH or not set(digits) <= _HEX:
        raise ValueError(f"{text!r} is no address")
    return bytes.fromhex(digits.zfill(2 * LENGTH))


def show_address(address: bytes) -> str:
    """Special addresses (0x0 to 0xf) short, all others with all their zeros."""
    number = int.from_bytes(address)
    return f"0x{number:x}" if number < _SPECIAL_MAX else f"0x{address.hex()}"


def trim_address(address: bytes) -> str:
    """Without leading zeros, as types and function names are written."""
    return f"0x{int.from_bytes(address):x}"


def sha3(*parts: bytes) -> bytes:
    """sha3-256 of all parts together."""
    return hashlib.sha3_256(b"".join(parts)).digest()


def object_address(creator: bytes, seed: bytes) -> bytes:
    """A named object of `creator`."""
    return sha3(creator, seed, b"\xfe")


def primary_store_address(owner: bytes, metadata: bytes) -> bytes:
    """The primary store of a fungible asset."""
    return sha3(owner, metadata, b"\xfc")


def resource_account_address(creator: bytes, seed: bytes) -> bytes:
    """A resource account of `creator`, such as a multisig account's own."""
    return sha3(creator, seed, b"\xff")


def code_object_address(publisher: bytes, sequence_number: int) -> bytes:
    """Where `object_code_deployment::publish` puts a package.

    `sequence_number` is the publisher's number of the publishing transaction itself.
    """
    seed = bcs.string("aptos_framework::object_code_deployment") + bcs.u64(sequence_number + 1)
    return object_address(publisher, seed)

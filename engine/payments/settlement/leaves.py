"""What one leaf of a batch's tree says, byte for byte, so that anybody can hash it again. Pure.

A leaf is one obligation: a payment that was paid, or a paid one that came back. Its salt keeps the
neighbours in a proof from being guessed: whoever does not know the key learns nothing of them.
"""

import hashlib
from typing import Annotated

import msgspec

from engine.payments.settlement import merkle

TAG = b"CAPP::SettlementLeaf::v1"
_SALT_PERSON = b"CAPP leaf salt 1"
SALT_LENGTH = 32
KEY_LENGTHS = range(32, 65)


# What a leaf may say when it is read from a file: nothing that could be meant in two ways.
_Id = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{32}\Z")]
_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
_Moment = Annotated[int, msgspec.Meta(ge=0, le=253_402_300_799_999)]  # the end of the year 9999


class Leaf(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One obligation. `minor` is of `currency`, below zero when the payment came back."""

    payment: _Id
    version: Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]  # the journal row that made it
    source: _Name  # the operator that collected, and owes
    destination: _Name  # the operator that paid out, and is owed
    currency: _Name  # what was collected
    towards: _Name  # the currency that was paid out
    minor: Annotated[int, msgspec.Meta(gt=-(2**63), le=2**63 - 1)]
    at_ms: _Moment


def encode(leaf: Leaf, salt: bytes) -> bytes:
    """The canonical bytes: BCS (little-endian, lengths as uleb128) after a tag and the salt.

    Raises ValueError for a salt of another length or a number that does not fit.
    """
    if len(salt) != SALT_LENGTH:
        raise ValueError(f"a salt has {SALT_LENGTH} bytes")
    try:
        return b"".join(
            (
                TAG,
                salt,
                _payment(leaf),
                leaf.version.to_bytes(4, "little"),
                _text(leaf.source),
                _text(leaf.destination),
                _text(leaf.currency),
                _text(leaf.towards),
                b"\1" if leaf.minor < 0 else b"\0",
                abs(leaf.minor).to_bytes(8, "little"),
                leaf.at_ms.to_bytes(8, "little"),
            )
        )
    except OverflowError as error:
        raise ValueError(f"does not fit into a leaf: {leaf}") from error


def hash_of(leaf: Leaf, salt: bytes) -> bytes:
    """The leaf's hash in the tree."""
    return merkle.leaf_hash(encode(leaf, salt))


def salt_of(key: bytes, leaf: Leaf) -> bytes:
    """The salt of a leaf: the same for ever, so a proof can be made again at any time.

    A keyed BLAKE2b (RFC 7693; a tenth of HMAC's price) over what the leaf is, never over what it is
    worth. Raises ValueError when the key has not 32 to 64 bytes.
    """
    if len(key) not in KEY_LENGTHS:
        raise ValueError("the key of salts has 32 to 64 bytes")
    told = b"".join(
        (bytes.fromhex(leaf.payment), leaf.version.to_bytes(4, "little"), _text(leaf.currency),
         _text(leaf.towards))
    )  # fmt: skip
    return hashlib.blake2b(told, digest_size=SALT_LENGTH, key=key, person=_SALT_PERSON).digest()


def _payment(leaf: Leaf) -> bytes:
    if len(leaf.payment) != 32:
        raise ValueError(f"no payment: {leaf.payment!r}")
    return bytes.fromhex(leaf.payment)


def _text(text: str) -> bytes:
    encoded = text.encode()
    length = len(encoded)
    out = bytearray()
    while length > 0x7F:
        out.append(length & 0x7F | 0x80)
        length >>= 7
    out.append(length)
    return bytes(out) + encoded

"""Public keys with their signatures, as accounts have them: verified, and hashed to addresses.

It knows five ways to sign and no transaction. Layouts and hashes: reference: aptos, section 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from simulator.devnet import bcs
from simulator.devnet.addresses import sha3

_ED25519, _SECP256K1 = 0, 1
_KEY_LENGTH, _SIGNATURE_LENGTH = 32, 64
_MULTI_KEYS_MAX = 32
_BITMAP_LENGTH = 4
_ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141


class Gated(Exception):
    """Raised for a kind of key or proof that this node does not offer (keyless, WebAuthn, ...)."""


class Proof(Protocol):
    """Who says it is them, and why we should believe it."""

    def authentication_key(self) -> bytes | None:
        """32 bytes that the account must have; None: any account's."""

    def verifies(self, message: bytes) -> bool:
        """Whether the signatures are right, and enough of them."""

    def show(self) -> dict[str, object]:
        """As REST writes it."""


@dataclass(frozen=True, slots=True)
class Ed25519Proof:
    """One key, the oldest way."""

    public_key: bytes
    signature: bytes

    def authentication_key(self) -> bytes:
        return sha3(self.public_key, b"\x00")

    def verifies(self, message: bytes) -> bool:
        return _verifies_ed25519(self.public_key, self.signature, message)

    def show(self) -> dict[str, object]:
        return {
            "public_key": _hex(self.public_key),
            "signature": _hex(self.signature),
            "type": "ed25519_signature",
        }


@dataclass(frozen=True, slots=True)
class MultiEd25519Proof:
    """k of n Ed25519 keys, all in one byte string; the bitmap says whose the signatures are."""

    public_keys: bytes
    signatures: bytes

    def authentication_key(self) -> bytes:
        return sha3(self.public_keys, b"\x01")

    def verifies(self, message: bytes) -> bool:
        keys, threshold = _split(self.public_keys[:-1], _KEY_LENGTH), self.public_keys[-1]
        signatures = _split(self.signatures[:-_BITMAP_LENGTH], _SIGNATURE_LENGTH)
        signers = _set_bits(self.signatures[-_BITMAP_LENGTH:])
        if not _is_quorum(len(keys), threshold, len(signatures), signers):
            return False
        return all(
            _verifies_ed25519(keys[index], signature, message)
            for index, signature in zip(signers, signatures, strict=True)
        )

    def show(self) -> dict[str, object]:
        signatures = _split(self.signatures[:-_BITMAP_LENGTH], _SIGNATURE_LENGTH)
        return {
            "public_keys": [_hex(key) for key in _split(self.public_keys[:-1], _KEY_LENGTH)],
            "signatures": [_hex(signature) for signature in signatures],
            "threshold": self.public_keys[-1],
            "bitmap": _hex(self.signatures[-_BITMAP_LENGTH:]),
            "type": "multi_ed25519_signature",
        }


@dataclass(frozen=True, slots=True)
class AnyKey:
    """One public key of any kind, with its kind before it."""

    variant: int
    key: bytes

    def encode(self) -> bytes:
        return bcs.uleb128(self.variant) + bcs.byte_string(self.key)

    def verifies(self, signature: AnySignature, message: bytes) -> bool:
        if signature.variant != self.variant:
            return False
        if self.variant == _ED25519:
            return _verifies_ed25519(self.key, signature.signature, message)
        return _verifies_secp256k1(self.key, signature.signature, message)

    def show(self) -> dict[str, object]:
        return {"value": _hex(self.key), "type": _KINDS[self.variant]}


@dataclass(frozen=True, slots=True)
class AnySignature:
    """One signature, with its kind before it."""

    variant: int
    signature: bytes

    def show(self) -> dict[str, object]:
        return {"value": _hex(self.signature), "type": _KINDS[self.variant]}


_KINDS = {_ED25519: "ed25519", _SECP256K1: "secp256k1_ecdsa"}


@dataclass(frozen=True, slots=True)
class SingleKeyProof:
    """One key of any kind."""

    key: AnyKey
    signature: AnySignature

    def authentication_key(self) -> bytes:
        return sha3(self.key.encode(), b"\x02")

    def verifies(self, message: bytes) -> bool:
        return self.key.verifies(self.signature, message)

    def show(self) -> dict[str, object]:
        return {
            "public_key": self.key.show(),
            "signature": self.signature.show(),
            "type": "single_key_signature",
        }


@dataclass(frozen=True, slots=True)
class MultiKeyProof:
    """k of n keys of any kinds. Each key signs once: the bitmap can name it once only."""

    keys: tuple[AnyKey, ...]
    threshold: int
    signatures: tuple[AnySignature, ...]
    bitmap: bytes

    def authentication_key(self) -> bytes:
        written = bcs.sequence(key.encode() for key in self.keys) + bytes([self.threshold])
        return sha3(written, b"\x03")

    def verifies(self, message: bytes) -> bool:
        signers = _set_bits(self.bitmap)
        if not _is_quorum(len(self.keys), self.threshold, len(self.signatures), signers):
            return False
        return all(
            self.keys[index].verifies(signature, message)
            for index, signature in zip(signers, self.signatures, strict=True)
        )

    def show(self) -> dict[str, object]:
        return {
            "public_keys": [key.show() for key in self.keys],
            "signatures": [
                {"index": index, "signature": signature.show()}
                for index, signature in zip(_set_bits(self.bitmap), self.signatures, strict=False)
            ],
            "signatures_required": self.threshold,
            "type": "multi_key_signature",
        }


@dataclass(frozen=True, slots=True)
class NoProof:
    """No key at all: for simulations only."""

    def authentication_key(self) -> None:
        return None

    def verifies(self, message: bytes) -> bool:
        del message
        return False

    def show(self) -> dict[str, object]:
        return {"type": "no_account_signature"}


def read_ed25519(reader: bcs.Reader) -> Ed25519Proof:
    """A key and a signature, both after their length."""
    key, signature = reader.byte_string(), reader.byte_string()
    _expect(len(key) == _KEY_LENGTH, "an Ed25519 key has 32 bytes")
    _expect(len(signature) == _SIGNATURE_LENGTH, "an Ed25519 signature has 64 bytes")
    return Ed25519Proof(key, signature)


def read_multi_ed25519(reader: bcs.Reader) -> MultiEd25519Proof:
    """All keys with the threshold, all signatures with the bitmap."""
    keys, signatures = reader.byte_string(), reader.byte_string()
    _expect(len(keys) % _KEY_LENGTH == 1 and len(keys) > _KEY_LENGTH, "no multi-Ed25519 key")
    _expect(len(signatures) % _SIGNATURE_LENGTH == _BITMAP_LENGTH, "no multi-Ed25519 signature")
    return MultiEd25519Proof(keys, signatures)


def read_single_key(reader: bcs.Reader) -> SingleKeyProof:
    """A key and a signature, each with its kind."""
    return SingleKeyProof(_read_key(reader), _read_signature(reader))


def read_multi_key(reader: bcs.Reader) -> MultiKeyProof:
    """Keys with the threshold, signatures with the bitmap."""
    return MultiKeyProof(
        reader.sequence(lambda: _read_key(reader)),
        reader.u8(),
        reader.sequence(lambda: _read_signature(reader)),
        reader.byte_string(),
    )


def _read_key(reader: bcs.Reader) -> AnyKey:
    variant = reader.uleb128()
    if variant not in _KINDS:
        raise Gated(f"public key of kind {variant}")
    key = reader.byte_string()
    wanted = _KEY_LENGTH if variant == _ED25519 else 65
    _expect(len(key) == wanted, f"a key of kind {variant} has {wanted} bytes")
    return AnyKey(variant, key)


def _read_signature(reader: bcs.Reader) -> AnySignature:
    variant = reader.uleb128()
    if variant not in _KINDS:
        raise Gated(f"signature of kind {variant}")
    signature = reader.byte_string()
    _expect(len(signature) == _SIGNATURE_LENGTH, "a signature has 64 bytes")
    return AnySignature(variant, signature)


def _expect(fits: bool, sentence: str) -> None:
    if not fits:
        raise bcs.Malformed(sentence)


def _verifies_ed25519(key: bytes, signature: bytes, message: bytes) -> bool:
    """Strictly: no key of small order, no second form of the same signature."""
    try:
        VerifyKey(key).verify(message, signature)
    except (BadSignatureError, ValueError):
        return False
    return True


def _verifies_secp256k1(key: bytes, signature: bytes, message: bytes) -> bool:
    """Over the sha3-256 of the message; only the lower of the two possible `s` counts."""
    r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
    if s > _ORDER // 2:
        return False
    try:
        point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256K1(), key)
        written = utils.encode_dss_signature(r, s)
        point.verify(written, message, ec.ECDSA(hashes.SHA3_256()))
    except (InvalidSignature, ValueError):
        return False
    return True


def _is_quorum(keys: int, threshold: int, signatures: int, signers: Sequence[int]) -> bool:
    """Whether a bitmap names one known key for each signature, and enough of them."""
    assert all(earlier < later for earlier, later in pairwise(signers))
    return (
        0 < threshold <= keys <= _MULTI_KEYS_MAX
        and len(signers) == signatures >= threshold
        and signers[-1] < keys
    )


def _set_bits(bitmap: bytes) -> list[int]:
    """Places of the set bits, counted from the high bit of the first byte."""
    return [
        8 * place + bit
        for place, byte in enumerate(bitmap)
        for bit in range(8)
        if byte & (0x80 >> bit)
    ]


def _split(source: bytes, length: int) -> list[bytes]:
    return [source[start : start + length] for start in range(0, len(source), length)]


def _hex(value: bytes) -> str:
    return f"0x{value.hex()}"

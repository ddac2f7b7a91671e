"""Values as they are stored: sealed by AES-256-GCM, and blind indexes to look them up by. Pure.

It refuses to know where keys come from and what a value is about: both are given. What it writes
can be told from everything else that stands in these columns, so plain values of before pass.
"""

import hashlib
import re
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from engine.clock import keep_from_children
from engine.errors import Tampered

KEY_BYTES = 32
SALT_BYTES = 16
NONCE_BYTES = 12
INDEX_BYTES = 16
"""Of HMAC-SHA256: of 10^10 numbers two share an index with a chance of one in 10^18."""
TOMBSTONE = "erased:"
"""What begins the column of a number that was erased."""
SUBKEY_USES_MAX = 2**20
"""Random nonces of 96 bits under one key: two are the same with a chance of one in 2^57."""

NONCES_DRAWN = 64
"""At once: one by one they cost half as much as sealing does. A divisor of the above."""

_SEALED = re.compile(r"v1\.([1-9][0-9]{0,8})\.([A-Za-z0-9+/]{58,}={0,2})", re.ASCII)
_BLOCK = 64  # of SHA-256
_INDEX_SIGNS = 22  # without what fills it up


class Sealed(NamedTuple):
    """A stored value taken apart. `version`: of the data key."""

    version: int
    salt: bytes
    nonce: bytes
    body: bytes


def read_sealed(text: str) -> Sealed | None:
    """None for a value that nobody sealed. Raises Tampered for one that was cut."""
    if not text.startswith("v1.") or (found := _SEALED.fullmatch(text)) is None:
        return None
    try:
        packed = a2b_base64(found[2])
    except ValueError:
        raise Tampered("a sealed value was cut") from None
    rest = packed[SALT_BYTES:]
    return Sealed(int(found[1]), packed[:SALT_BYTES], rest[:NONCE_BYTES], rest[NONCE_BYTES:])


def open_sealed(subkey: AESGCM, sealed: Sealed, place: str) -> str:
    """Raises Tampered for a value that was changed, or that stands in another place."""
    try:
        return subkey.decrypt(sealed.nonce, sealed.body, place.encode()).decode()
    except InvalidTag:
        raise Tampered(f"what stands at {place} was not sealed there") from None


def derive(data_key: bytes, salt: bytes) -> AESGCM:
    """The key of the values that were sealed under one salt."""
    return AESGCM(hashlib.blake2b(salt, key=data_key, person=b"capp data", digest_size=32).digest())


class Writer:
    """Seals under one data key. A salt serves many values, so that a key is seldom derived."""

    def __init__(self, version: int, data_key: bytes, random: Callable[[int], bytes]) -> None:
        """`random` gives so many fresh bytes; it must never give the same to two processes."""
        self.version = version
        self._data_key = data_key
        self._random = random
        self._uses_left = 0
        self._nonces: list[bytes] = []
        self._draw()
        keep_from_children(self)

    def forget(self) -> None:
        """What is drawn for later values is given to nobody: a process's child has the same."""
        self._nonces = []

    def seal(self, text: str, place: str) -> str:
        if not self._nonces:
            self._draw()
        nonce = self._nonces.pop()
        body = self._encrypt(nonce, text.encode(), place.encode())
        packed = b2a_base64(self._salt + nonce + body, newline=False)
        return self._mark + packed.decode()

    def _draw(self) -> None:
        """Nonces for the next values, under a new key when the old one has had its share."""
        if not self._uses_left:
            self._begin()
        self._uses_left -= NONCES_DRAWN
        drawn = self._random(NONCES_DRAWN * NONCE_BYTES)
        self._nonces = [drawn[n : n + NONCE_BYTES] for n in range(0, len(drawn), NONCE_BYTES)]

    def _begin(self) -> None:
        self._mark = f"v1.{self.version}."
        self._salt = self._random(SALT_BYTES)
        self._encrypt = derive(self._data_key, self._salt).encrypt
        self._uses_left = SUBKEY_USES_MAX


class BlindIndex:
    """HMAC-SHA256 of a value, cut to `INDEX_BYTES`: the same for the same value, told by nobody
    without the key.

    Its halves are hashed beforehand: `hmac.digest` costs four times as much.
    """

    def __init__(self, version: int, key: bytes, tenant: int) -> None:
        padded = key.ljust(_BLOCK, b"\0")
        about = f"{tenant}/number/".encode()
        self._inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in padded) + about)
        self._outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in padded))
        self._mark = f"m{version}."

    def of(self, text: str) -> str:
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(text.encode())
        outer.update(inner.digest())
        word = b2a_base64(outer.digest()[:INDEX_BYTES], newline=False)
        return f"{self._mark}{word[:_INDEX_SIGNS].decode()}"


def is_index(text: str) -> bool:
    """Whether it is what `BlindIndex` writes; a number begins with a plus."""
    return text.startswith("m") and text.rpartition(".")[0][1:].isdigit()

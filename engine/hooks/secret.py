"""Signing secrets as they lie in the database: sealed, and bound to where they belong.

We must read them to sign, so they are encrypted (AES-256-GCM), not hashed. The keys are settings;
the highest version seals, every version opens.
"""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from engine.errors import OurFault

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12


class Place(NamedTuple):
    """Where a secret belongs; sealed for one place it opens in no other."""

    tenant: int
    subscription: str
    secret: str

    @property
    def words(self) -> bytes:
        return f"hook secret {self.tenant} {self.subscription} {self.secret}".encode()


class Sealed(NamedTuple):
    """A nonce and what it encrypts, under the key of that version."""

    key_version: int
    bytes: bytes


class SecretKeys:
    """Seals and opens. `random` gives so many random bytes.

    A key seals a few secrets for each subscription: random nonces stay far below 2^32 of them.
    """

    def __init__(self, keys: Mapping[int, bytes], random: Callable[[int], bytes]) -> None:
        """Raises ValueError for no key, or one that is not 32 bytes; no value is repeated."""
        if not keys or any(len(key) != KEY_BYTES for key in keys.values()):
            raise ValueError("no key, or one that is not 32 bytes")
        self._keys = {version: AESGCM(key) for version, key in keys.items()}
        self._random = random
        self.newest = max(keys)

    def draw(self, count: int) -> bytes:
        """Fresh random bytes."""
        return self._random(count)

    def seal(self, secret: bytes, place: Place) -> Sealed:
        nonce = self._random(NONCE_BYTES)
        sealed = self._keys[self.newest].encrypt(nonce, secret, place.words)
        return Sealed(self.newest, nonce + sealed)

    def open(self, sealed: Sealed, place: Place) -> bytes:
        """Raises OurFault when the key is not there, or it was sealed for another place."""
        key = self._keys.get(sealed.key_version)
        if key is None:
            raise OurFault(f"CAPP_WEBHOOK_KEYS lacks version {sealed.key_version}")
        nonce, told = sealed.bytes[:NONCE_BYTES], sealed.bytes[NONCE_BYTES:]
        try:
            return key.decrypt(nonce, told, place.words)
        except (InvalidTag, ValueError) as error:
            raise OurFault(f"the secret {place.secret} does not open") from error

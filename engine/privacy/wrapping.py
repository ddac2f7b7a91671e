"""Data keys on their way into the database and back, wrapped by keys that are never there.

Pure. Another key-management service is another `KeyWrapPort`.
"""

from collections.abc import Callable, Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from engine.errors import KeyNotAtHand, Tampered
from engine.ports import Wrapped
from engine.privacy.codec import NONCE_BYTES


class HeldKeys:
    """Wraps by AES-256-GCM with keys of the environment; the highest version wraps new keys."""

    def __init__(self, keys: Mapping[int, bytes], random: Callable[[int], bytes]) -> None:
        """`keys` are of 32 bytes each; at least one."""
        self._keys = {version: AESGCM(key) for version, key in keys.items()}
        self._newest = max(keys)
        self._random = random

    @property
    def newest(self) -> int:
        return self._newest

    async def wrap(self, key: bytes, context: str) -> Wrapped:
        nonce = self._random(NONCE_BYTES)
        body = self._keys[self._newest].encrypt(nonce, key, context.encode())
        return Wrapped(self._newest, nonce + body)

    async def unwrap(self, wrapped: Wrapped, context: str) -> bytes:
        """Raises KeyNotAtHand for a wrapping key that is not set, Tampered for a changed row."""
        if (key := self._keys.get(wrapped.by)) is None:
            raise KeyNotAtHand(f"{context} is wrapped by key {wrapped.by}, which is not set")
        nonce, body = wrapped.body[:NONCE_BYTES], wrapped.body[NONCE_BYTES:]
        try:
            return key.decrypt(nonce, body, context.encode())
        except InvalidTag:
            raise Tampered(f"{context} was not wrapped by key {wrapped.by}") from None

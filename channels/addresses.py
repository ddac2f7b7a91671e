"""The addresses operators call us back on: one per attempt, unguessable, verified by a MAC.

`/callbacks/<operator code>/<attempt id><mac>/<kind>`: hexadecimal only, because some operators
refuse addresses with certain words in them, and hexadecimal spells none of those.
"""

import hashlib
import hmac
from collections.abc import Sequence

from engine.clock import AttemptId

MAC_BYTES = 16
TOKEN_LENGTH = 32 + 2 * MAC_BYTES


class CallbackAddresses:
    """Makes and verifies callback addresses. The first key signs, every key verifies."""

    def __init__(self, public_url: str, keys: Sequence[bytes]) -> None:
        self._prefix = f"{public_url}/callbacks"
        self._keys = tuple(keys)

    def address(self, operator_code: int, attempt_id: AttemptId) -> str:
        """The same for the same attempt as long as the signing key stays."""
        mac = _mac(self._keys[0], operator_code, attempt_id)
        return f"{self._prefix}/{operator_code}/{attempt_id}{mac}"

    def verify(self, operator_code: int, token: str) -> AttemptId | None:
        """The attempt, or None for every address that we never made."""
        if len(token) != TOKEN_LENGTH or not token.isascii():
            return None
        attempt_id, mac = AttemptId(token[:32]), token[32:]
        for key in self._keys:
            if hmac.compare_digest(_mac(key, operator_code, attempt_id), mac):
                return attempt_id
        return None


def _mac(key: bytes, operator_code: int, attempt_id: str) -> str:
    message = f"{operator_code}:{attempt_id}".encode()
    return hashlib.blake2b(message, key=key, digest_size=MAC_BYTES).hexdigest()

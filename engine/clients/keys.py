"""API keys: how one is written, and whether what somebody shows is one of ours. Pure.

A key is `capp_<id>_<secret>`. Of the secret only a keyed MAC is stored, with the key outside the
database: whoever reads the table can neither use a key nor try out secrets.
"""

import hmac
import re
from collections.abc import Mapping
from typing import Final

from engine.clients.clients import ApiKey, KeyId
from engine.errors import NotProven

SECRET_BYTES: Final = 24
_KEY: Final = re.compile(r"capp_([0-9a-f]{32})_([0-9a-f]{48})")
_NOBODYS: Final = bytes(32)


class KeyMacs:
    """Writes and compares the keys of one tenant. The highest version makes new MACs."""

    def __init__(self, keys: Mapping[int, bytes], tenant: int) -> None:
        """Raises ValueError where there is no key."""
        if not keys:
            raise ValueError("no key")
        self._keys = dict(keys)
        self._tenant = tenant
        self.newest = max(keys)

    def mac(self, version: int, key_id: KeyId, secret: str) -> bytes:
        """Bound to the tenant and the id: a MAC in another row proves nothing there.

        Raises KeyError for a version that is gone.
        """
        told = f"{self._tenant}:{key_id}:{secret}".encode()
        return hmac.digest(self._keys[version], told, "sha256")

    def is_right(self, key: ApiKey | None, key_id: KeyId, secret: str) -> bool:
        """Whether the secret is the key's. The same work is done where there is no such key."""
        known = key is not None and key.mac_key in self._keys
        version = key.mac_key if key is not None and known else self.newest
        expected = key.mac if key is not None and known else _NOBODYS
        return hmac.compare_digest(self.mac(version, key_id, secret), expected) and known


def write_key(key_id: KeyId, secret: str) -> str:
    """What the client is told, once."""
    return f"capp_{key_id}_{secret}"


def read_key(text: str) -> tuple[KeyId, str]:
    """Id and secret. Raises NotProven for what is no key at all."""
    found = _KEY.fullmatch(text)
    if found is None:
        raise NotProven("not proven")
    return KeyId(found[1]), found[2]

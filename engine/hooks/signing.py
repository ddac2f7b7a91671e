"""Signatures after Standard Webhooks 1.0.0 (`spec/standard-webhooks.md`, read 2026-11-21). Pure.

HMAC-SHA256 over `id.timestamp.body`; a secret is random bytes, written `whsec_` and base64.
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from typing import Final

SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - how secrets are told apart, none itself
SECRET_BYTES: Final = 32


def write_secret(secret: bytes) -> str:
    """As it is shown to people."""
    return SECRET_PREFIX + base64.b64encode(secret).decode()


def sign(secrets: Sequence[bytes], id: str, at_seconds: int, body: bytes) -> str:
    """The header: one signature for each secret, the newest first; any of them proves it.

    `id` holds no full stop, or two messages could be read as one.
    """
    assert secrets and "." not in id
    told = f"{id}.{at_seconds}.".encode() + body
    return " ".join(f"v1,{_signature(secret, told)}" for secret in secrets)


def _signature(secret: bytes, told: bytes) -> str:
    return base64.b64encode(hmac.digest(secret, told, hashlib.sha256)).decode()

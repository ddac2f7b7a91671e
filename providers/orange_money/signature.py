"""Whether Orange Sonatel vouches for a notification. Pure. Facts: `orange-money.md`, section 4."""

import hashlib
import hmac
from collections.abc import Mapping

TOLERANCE_SECONDS = 300
_SIGNATURES_MAX = 8  # one, or two while a secret is being replaced


def is_signed(
    body: bytes, headers: Mapping[str, str], *, api_key: str, secret: str, now: float
) -> bool:
    """Headers by names in lower case. A proof that was not agreed upon ("") is not asked for."""
    if api_key and not _same(headers.get("authorization", ""), f"Basic {api_key}"):
        return False
    if not secret:
        return True
    signed_at, signatures = _read(headers.get("x-sonatel-signature", ""))
    if signed_at is None or abs(now - int(signed_at)) > TOLERANCE_SECONDS:
        return False
    message = signed_at.encode() + b"," + body
    expected = hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()
    return any(_same(given, expected) for given in signatures)


def _read(header: str) -> tuple[str | None, list[str]]:
    """`t=<unix seconds>,v1=<hex>[,v1=<hex>]`; what else there may be is not looked at."""
    signed_at: str | None = None
    signatures: list[str] = []
    for part in header.split(",", _SIGNATURES_MAX + 1)[: _SIGNATURES_MAX + 1]:
        name, _, value = part.strip().partition("=")
        if name == "t" and value.isascii() and value.isdigit() and len(value) <= 12:
            signed_at = value
        elif name == "v1":
            signatures.append(value)
    return signed_at, signatures


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), expected.encode())

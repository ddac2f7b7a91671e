"""The rules of PINs: shape, weakness, and the keyed MAC that is stored instead of one. Pure.

Four digits have ten thousand values, so no hash protects them, however slow: a MAC under a key
that is kept outside the database does, together with the limit of attempts in `guesses.py`.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping

from engine.clock import CustomerId
from engine.errors import CustomerMistake
from engine.msisdn import Msisdn

_SHAPE = re.compile(r"[0-9]{4}", re.ASCII)
_ASCENDING, _DESCENDING = "01234567890", "09876543210"
_MAC_BYTES_MIN = 16


class PinKeys:
    """The MAC keys by version. The highest version makes new MACs; older ones still check."""

    def __init__(self, keys: Mapping[int, bytes]) -> None:
        """Raises ValueError without a key, or when one is shorter than 16 bytes."""
        if not keys:
            raise ValueError("no PIN key was given")
        if short := sorted(v for v, key in keys.items() if len(key) < _MAC_BYTES_MIN):
            raise ValueError(f"PIN keys too short: versions {short}")
        self._keys = dict(keys)
        self.newest = max(keys)
        self.versions = tuple(sorted(keys))

    def __repr__(self) -> str:
        return f"PinKeys(versions={self.versions})"

    def mac(self, version: int, customer_id: CustomerId, pin: str) -> bytes:
        """HMAC-SHA256 over version, customer and PIN: the customer's id is the salt."""
        message = f"{version}:{customer_id}:{pin}".encode()
        return hmac.digest(self._keys[version], message, hashlib.sha256)


def has_pin_shape(text: str) -> bool:
    """Four ASCII digits and nothing else."""
    return _SHAPE.fullmatch(text) is not None


def is_weak_pin(pin: str, msisdn: Msisdn) -> bool:
    """What a thief tries first: repeated and counted digits, and the end of one's own number."""
    repeated = pin[:2] == pin[2:]  # 0000, 1212
    doubled = pin[0] == pin[1] and pin[2] == pin[3]  # 1122
    counted = pin in _ASCENDING or pin in _DESCENDING
    return repeated or doubled or counted or msisdn.endswith(pin)


def refuse_shapeless(pin: str) -> None:
    """Raises CustomerMistake `mistake.pin_format` for what cannot be a PIN at all."""
    if not has_pin_shape(pin):
        raise CustomerMistake("mistake.pin_format")


def refuse_weak(pin: str, msisdn: Msisdn) -> None:
    """Raises CustomerMistake when a new PIN has no shape or is among the first to be tried."""
    refuse_shapeless(pin)
    if is_weak_pin(pin, msisdn):
        raise CustomerMistake("mistake.pin_weak")

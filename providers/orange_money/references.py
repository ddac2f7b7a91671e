"""The words that stand for an attempt at Orange, made from its id alone. Pure.

Always the same for the same attempt, on every machine and after every restart.
"""

import base64
import uuid
from hashlib import blake2b

from engine.clock import AttemptId

_SHORT_DOMAIN = b"capp orange v1"


def reference_of(attempt_id: AttemptId) -> str:
    """26 letters and digits: fits `order_id`, 30 at most (section 1.2)."""
    return _letters(bytes.fromhex(attempt_id))


def short_reference_of(attempt_id: AttemptId) -> str:
    """20 letters and digits: `orderId` may be no longer (section 3, unconfirmed)."""
    return _letters(blake2b(attempt_id.encode(), digest_size=12, person=_SHORT_DOMAIN).digest())


def transaction_id_of(attempt_id: AttemptId) -> str:
    """The attempt's id in the usual form of a UUID (section 2)."""
    return str(uuid.UUID(hex=attempt_id))


def attempt_of(transaction_id: str) -> AttemptId | None:
    """The inverse of `transaction_id_of`; None when it is no such id."""
    try:
        attempt_id = AttemptId(uuid.UUID(transaction_id).hex)
    except ValueError:
        return None
    return attempt_id if transaction_id_of(attempt_id) == transaction_id else None


def _letters(digest: bytes) -> str:
    return base64.b32encode(digest).decode().rstrip("=").lower()

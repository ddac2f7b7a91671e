"""Cases about attempts that nobody knew the end of, closed when it came after all.

They are opened by `reconciliation.py`. One about late news of an attempt that is over is for people
alone, and stays.
"""

import hashlib
from typing import Any, Final
from uuid import UUID

from engine.clock import AttemptId, Clock, PaymentId
from engine.payments.store import PaymentStore

UNRESOLVED = "UNRESOLVED"
CLOSED_BY = "reconciliation"
TIMES_MAX = 100
"""So often people are called for one attempt, and by far."""


def digest_of(name: str) -> str:
    """A case's id for what has none of its own: 32 hex digits."""
    return hashlib.blake2b(name.encode(), digest_size=16).hexdigest()


def case_id(attempt_id: AttemptId, times: int) -> str:
    """Of the case for the so-manieth broken promise about an attempt; the first goes by its id."""
    return attempt_id if times == 1 else digest_of(f"{attempt_id}:{times}")


class Unresolved:
    """The open ones of one tenant."""

    def __init__(self, pool: Any, tenant: int, store: PaymentStore, clock: Clock) -> None:
        self._pool = pool
        self._tenant = tenant
        self._store = store
        self._clock = clock
        self._behind: tuple[int, UUID | str, UUID | str] = _NEWEST

    async def sweep(self, most: int) -> int:
        """Close those whose attempt has ended, by whoever's word; how many. Safe to repeat.

        Looks at `most` of them, the newest first, and at the older ones in the sweeps that follow:
        what stays for people keeps nobody's case from being seen.
        """
        rows = await self._pool.fetch(_OVER, self._tenant, UNRESOLVED, most, *self._behind)
        self._behind = tuple(rows[-1]) if len(rows) == most else _NEWEST
        closed = [await self._close(PaymentId(row["payment"].hex), row["hash"].hex) for row in rows]
        return sum(closed)

    async def _close(self, payment_id: PaymentId, hash_: str) -> bool:
        for ending in await self._store.endings(payment_id):
            ids = {case_id(ending.attempt_id, times) for times in range(1, TIMES_MAX + 1)}
            if hash_ in ids:
                note = f"its attempt {'succeeded' if ending.succeeded else 'failed'} after all"
                now_ms = int(self._clock.epoch() * 1000)
                done: str = await self._pool.execute(
                    _CLOSE, payment_id, UNRESOLVED, hash_, now_ms, CLOSED_BY, note
                )
                return done != "UPDATE 0"
        return False


_NEWEST: Final[tuple[int, UUID | str, UUID | str]] = 2**63 - 1, "f" * 32, "f" * 32
# Whose payment waits for no attempt that was there when people were called.
_OVER = """
select c.opened_ms, c.payment, c.hash from case_file c join payment p on p.id = c.payment
 where c.tenant = $1 and c.kind = $2 and c.closed_ms is null
   and (p.live is null or p.live > (lpad(to_hex(c.opened_ms), 12, '0') || repeat('0', 20))::uuid)
   and (c.opened_ms, c.payment, c.hash) < ($4, $5, $6)
 order by c.opened_ms desc, c.payment desc, c.hash desc limit $3"""

_CLOSE = """
update case_file set closed_ms = $4, closed_by = $5, note = $6
 where payment = $1 and kind = $2 and hash = $3 and closed_ms is null"""

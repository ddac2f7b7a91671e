"""The log of decisions that no payment keeps: refusals, breakers, rates, liquidity.

What a payment was decided by lives in the payment's own facts. It refuses to judge a decision:
making one again is the affair of those who made it.
"""

import logging
from collections import deque
from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from engine.clock import Ids, PaymentId, epoch_ms_of, first_id_at, made_at
from engine.decisions import Decision, Kind

log = logging.getLogger(__name__)

WAITING_MAX = 10_000
"""So many decisions wait for the database at most; beyond, the oldest are dropped and counted."""


class Kept(NamedTuple):
    """A decision as it is stored. `shown_ms`: since when people can read it, where that is known
    otherwise than by its id."""

    id: str
    payment_id: PaymentId | None
    decision: Decision
    shown_ms: int | None = None

    def was_shown_by(self, moment_ms: int) -> bool:
        """Whether people could read it by then, in epoch milliseconds."""
        shown_ms = epoch_ms_of(self.id) if self.shown_ms is None else self.shown_ms
        return shown_ms <= moment_ms

    @property
    def at(self) -> datetime:
        """When it was decided, to the millisecond."""
        return made_at(self.id)


class DecisionLog:
    """Keeps decisions of one tenant, many at a time, and reads them back."""

    def __init__(self, pool: Any, tenant: int, ids: Ids) -> None:
        self._pool = pool
        self._tenant = tenant
        self._ids = ids
        self._waiting: deque[Kept] = deque()
        self._dropped = 0

    def note(self, decision: Decision, payment_id: PaymentId | None = None) -> None:
        """Keep it with the next `flush`; costs nothing now and never fails.

        A crash loses what was noted since the last flush.
        """
        self._waiting.append(Kept(self._ids.hex(), payment_id, decision))
        if len(self._waiting) > WAITING_MAX:
            self._waiting.popleft()
            self._dropped += 1

    async def keep(
        self, decisions: Iterable[Decision], payment_id: PaymentId | None = None
    ) -> None:
        """Store these now, with all that waits. Raises what the pool raises; repeat `flush`."""
        for decision in decisions:
            self.note(decision, payment_id)
        await self.flush()

    async def flush(self) -> None:
        """Store what was noted. Raises what the pool raises; nothing is lost by it, repeat it."""
        if self._dropped:
            log.error("%d decisions were dropped: the database was away too long", self._dropped)
            self._dropped = 0
        batch = list(self._waiting)
        if batch:
            await store_decisions(self._pool, self._tenant, batch)
            stored = {kept.id for kept in batch}
            self._waiting = deque(kept for kept in self._waiting if kept.id not in stored)

    async def of(self, payment_id: PaymentId) -> list[Kept]:
        """Those about one payment, in the order they were made."""
        rows = await self._pool.fetch(
            "select * from decision where payment = $1 and tenant = $2 order by id",
            payment_id, self._tenant,
        )  # fmt: skip
        return [_read(row) for row in rows]

    async def since(self, moment: datetime, *, most: int = 1_000) -> list[Kept]:
        """The oldest `most` of those made since then, in the order they were made."""
        rows = await self._pool.fetch(
            "select * from decision where id >= $1 and tenant = $2 order by id limit $3",
            UUID(first_id_at(moment)), self._tenant, most,
        )  # fmt: skip
        return [_read(row) for row in rows]


async def store_decisions(connection: Any, tenant: int, batch: Iterable[Kept]) -> None:
    """Store decisions on a connection or pool, also inside a transaction. Safe to repeat."""
    rows = [
        (
            UUID(kept.id),
            tenant,
            UUID(kept.payment_id) if kept.payment_id else None,
            kept.decision.kind,
            kept.decision.outcome,
            kept.decision.reason,
            msgspec.json.encode(kept.decision.inputs).decode(),
            epoch_ms_of(kept.id),
        )
        for kept in batch
    ]
    await connection.executemany(
        "insert into decision (id, tenant, payment, kind, outcome, reason, inputs, at_ms)"
        " values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict do nothing",
        rows,
    )


def _read(row: Any) -> Kept:
    payment = row["payment"]
    decision = Decision(
        Kind(row["kind"]), row["outcome"], row["reason"], msgspec.json.decode(row["inputs"])
    )
    return Kept(row["id"].hex, PaymentId(payment.hex) if payment else None, decision)

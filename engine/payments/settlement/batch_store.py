"""Batches, their approvals, and the rest their corridors take: every change is a compare-and-set.

It moves no money: that is the commit's alone.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from engine.clock import DAY_MS
from engine.fx.consensus import plain_digits
from engine.payments.settlement.batch import Basis, Batch
from engine.payments.settlement.netting import Mid
from engine.payments.settlement.state import BatchState
from engine.payments.settlement.windows import Cause
from engine.ports import Approval, SettlementTerms


class KeptApproval(NamedTuple):
    """One approver's signature; `by_hand` names who brought it, if it is not our own key's."""

    approval: Approval
    by_hand: str


class Rest(NamedTuple):
    """How long a corridor closes no window, and after how many refusals in a row."""

    not_before_ms: int
    refusals: int
    refusal: str


AWAKE = Rest(0, 0, "")
CASE = "SETTLEMENT"
"""The kind of every case that settlement opens."""


class BatchStore:
    """The batches of one tenant."""

    def __init__(self, pool: Any, tenant: int) -> None:
        self._pool = pool
        self._tenant = tenant

    async def turn(self, connection: Any, corridor: str) -> bool:
        """Whether this transaction alone may close a window of the corridor now."""
        return bool(
            await connection.fetchval(
                "select pg_try_advisory_xact_lock(hashtextextended($1, 0))",
                f"settlement {self._tenant} {corridor}",
            )
        )

    async def add(self, connection: Any, batch: Batch) -> None:
        """Store a new one, in the transaction that chooses its obligations."""
        await connection.execute(
            "insert into settlement_batch (id, tenant, corridor, state, cause, closed_ms,"
            " payment_count, merkle_root, basis, debits, credits)"
            " values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
            batch.id, self._tenant, batch.corridor, int(batch.state), batch.cause.value,
            batch.closed_ms, batch.payment_count, batch.merkle_root,
            msgspec.json.encode(batch.basis).decode(), list(batch.debits), list(batch.credits),
        )  # fmt: skip

    async def get(self, batch_id: str) -> Batch | None:
        row = await self._pool.fetchrow(
            "select * from settlement_batch where id = $1 and tenant = $2", batch_id, self._tenant
        )
        return _batch(row) if row is not None else None

    async def operators_of(self, batch: Batch) -> frozenset[str]:
        """The two of its payments, which are all of one pair; none once it was reopened."""
        row = await self._pool.fetchrow(
            "select source, destination from settlement_obligation"
            " where batch = $1 and leaf = 0 and tenant = $2",
            batch.id, self._tenant,
        )  # fmt: skip
        return frozenset(row or ())

    async def unfinished(self) -> list[Batch]:
        """Every batch that is not over, the oldest first."""
        rows = await self._pool.fetch(
            "select * from settlement_batch where tenant = $1 and state not in (5, 7) order by id",
            self._tenant,
        )
        return [_batch(row) for row in rows]

    async def newest(self, most: int, corridor: str | None = None) -> list[Batch]:
        """The newest first."""
        rows = await self._pool.fetch(
            "select * from settlement_batch where tenant = $1"
            " and ($2::text is null or corridor = $2) order by id desc limit $3",
            self._tenant, corridor, most,
        )  # fmt: skip
        return [_batch(row) for row in rows]

    async def move(
        self,
        batch: Batch,
        state: BatchState,
        *,
        reason: str = "",
        now_ms: int | None = None,
        settled_at: int | None = None,
    ) -> bool:
        """From the state it was read in to another; False when somebody was faster.

        `now_ms` ends it; `reason` replaces the old one unless it is empty.
        """
        return bool(
            await self._pool.fetchval(
                "update settlement_batch set state = $3, ended_ms = coalesce($5, ended_ms),"
                " reason = coalesce(nullif($4, ''), reason), settled_at = coalesce($6, settled_at)"
                " where id = $1 and state = $2 and tenant = $7 returning true",
                batch.id, int(batch.state), int(state), reason, now_ms, settled_at, self._tenant,
            )
        )  # fmt: skip

    async def move_approved(self, batch: Batch, terms: SettlementTerms) -> bool:
        """Enough approvals of exactly these terms are kept; False when others are proposed now."""
        return bool(
            await self._pool.fetchval(
                "update settlement_batch set state = $3 where id = $1 and state = $2"
                " and expires_at = $4 and tenant = $5 returning true",
                batch.id, int(BatchState.CLOSED), int(BatchState.APPROVED), terms.expires_at,
                self._tenant,
            )
        )  # fmt: skip

    async def count_closed(self, batch: Batch) -> None:
        """It is in the books now. Counted once, with the state that says so."""
        await self._count(batch, BatchState.CLOSED, sign=1)

    async def set_free(self, batch: Batch, now_ms: int) -> bool:
        """The books are turned round: its obligations wait again. Once: False to who came later."""
        return await self._count(batch, BatchState.REOPENED, sign=-1, now_ms=now_ms)

    async def _count(
        self, batch: Batch, state: BatchState, *, sign: int, now_ms: int | None = None
    ) -> bool:
        async with self._pool.acquire() as connection, connection.transaction():
            moved = await connection.fetchval(
                "update settlement_batch set state = $3, ended_ms = coalesce($4, ended_ms)"
                " where id = $1 and state = $2 returning true",
                batch.id, int(batch.state), int(state), now_ms,
            )  # fmt: skip
            if not moved:
                return False
            interpool = batch.basis.interpool
            await connection.execute(
                "update settlement_position p set closed_minor = p.closed_minor + $3 * l.minor"
                " from unnest($1::bigint[], $2::bigint[]) l(account, minor)"
                " where p.account = l.account",
                list(interpool), list(interpool.values()), sign,
            )  # fmt: skip
            if state is BatchState.REOPENED:
                await connection.execute(
                    "update settlement_obligation set batch = null, leaf = null where batch = $1",
                    batch.id,
                )
        return True

    # Approvals.

    async def propose_terms(self, batch: Batch, *, expires_at: int, terms_hash: bytes) -> bool:
        """From now on this is what is approved, unless it is approved or was proposed anew."""
        return bool(
            await self._pool.fetchval(
                "update settlement_batch set expires_at = $3, terms_hash = $4 where id = $1"
                " and state = $2 and expires_at is not distinct from $5 returning true",
                batch.id, int(BatchState.CLOSED), expires_at, terms_hash, batch.expires_at,
            )
        )  # fmt: skip

    async def approve(
        self, batch: Batch, approval: Approval, *, by_hand: str = "", now_ms: int
    ) -> None:
        """Keep a signature over the batch's terms. The first one of a place stays."""
        assert batch.terms_hash is not None, "terms are proposed first"
        await self._pool.execute(
            "insert into settlement_approval"
            " (batch, place, tenant, terms_hash, signature, by_hand, at_ms)"
            " values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing",
            batch.id, approval.index, self._tenant, batch.terms_hash, approval.signature, by_hand,
            now_ms,
        )  # fmt: skip

    async def approvals(self, batch: Batch) -> list[KeptApproval]:
        """Those over the terms that are proposed now, by place."""
        rows = await self._pool.fetch(
            "select place, signature, by_hand from settlement_approval"
            " where batch = $1 and terms_hash = $2 and tenant = $3 order by place",
            batch.id, batch.terms_hash, self._tenant,
        )  # fmt: skip
        return [
            KeptApproval(Approval(r["place"], bytes(r["signature"])), r["by_hand"]) for r in rows
        ]

    async def approved_ms(self, batch: Batch) -> int | None:
        """When the last approval was given that was needed, if there are enough."""
        if batch.state in (BatchState.CLOSING, BatchState.CLOSED):
            return None
        found: int | None = await self._pool.fetchval(
            "select max(at_ms) from settlement_approval where batch = $1 and terms_hash = $2",
            batch.id, batch.terms_hash,
        )  # fmt: skip
        return found

    async def accepted_mids(self, used: Sequence[Mid], pegged_to: str) -> Mapping[str, Mid]:
        """The same rates as the history of rates has them; one that it has not is missing.

        The asset's own currency is worth one of itself.
        """
        rows = await self._pool.fetch(
            "select r.base, r.mid, r.at_ms from fx_rate r"
            " join unnest($2::text[], $3::bigint[]) u(base, at_ms)"
            "   on u.base = r.base and u.at_ms = r.at_ms"
            " where r.tenant = $1 and r.quote = $4",
            self._tenant, [m.currency for m in used], [m.at_ms for m in used], pegged_to,
        )  # fmt: skip
        found = {r["base"]: Mid(r["base"], plain_digits(r["mid"]), r["at_ms"]) for r in rows}
        return found | {pegged_to: Mid(pegged_to, "1", 0)}

    # Corridors that rest.

    async def rest_of(self, corridor: str) -> Rest:
        row = await self._pool.fetchrow(
            "select not_before_ms, refusals, refusal from settlement_corridor"
            " where tenant = $1 and corridor = $2",
            self._tenant, corridor,
        )  # fmt: skip
        return Rest(*row) if row is not None else AWAKE

    async def rest(self, corridor: str, rest: Rest) -> None:
        """Close no window of it before then. Safe to repeat."""
        await self._pool.execute(
            "insert into settlement_corridor (tenant, corridor, not_before_ms, refusals, refusal)"
            " values ($1, $2, $3, $4, $5) on conflict (tenant, corridor) do update set"
            " not_before_ms = excluded.not_before_ms, refusals = excluded.refusals,"
            " refusal = excluded.refusal",
            self._tenant, corridor, *rest,
        )  # fmt: skip

    # People.

    async def open_case(self, subject: str, about: str, detail: str, now_ms: int) -> bool:
        """Put it on somebody's desk; False when the same lies there already.

        `subject` is 32 hex digits, of a batch or an account; with `about` it tells the case.
        """
        row = await self._pool.fetchval(
            "insert into case_file (payment, kind, hash, tenant, opened_ms, detail)"
            " values ($1, $2, $3, $4, $5, $6) on conflict do nothing returning true",
            subject, CASE, hash_of(about), self._tenant, now_ms, detail,
        )  # fmt: skip
        return bool(row)

    async def open_case_of_day(self, subject: str, about: str, detail: str, now_ms: int) -> bool:
        """One a day: what does not mend by itself must be heard, not shouted.

        What was closed as mended and comes back is heard of again.
        """
        return await self.open_case(subject, f"{about} {now_ms // DAY_MS}", detail, now_ms)


def hash_of(about: str) -> str:
    """What tells one thing from another, as 32 hex digits."""
    return hashlib.blake2b(about.encode(), digest_size=16).hexdigest()


def _batch(row: Any) -> Batch:
    terms_hash = row["terms_hash"]
    return Batch(
        id=row["id"].hex,
        corridor=row["corridor"],
        state=BatchState(row["state"]),
        cause=Cause(row["cause"]),
        closed_ms=row["closed_ms"],
        payment_count=row["payment_count"],
        merkle_root=bytes(row["merkle_root"]),
        basis=msgspec.json.decode(row["basis"], type=Basis),
        debits=tuple(row["debits"]),
        credits=tuple(row["credits"]),
        expires_at=row["expires_at"],
        terms_hash=bytes(terms_hash) if terms_hash is not None else None,
        reason=row["reason"],
        ended_ms=row["ended_ms"],
        settled_at=row["settled_at"],
    )

"""Disputes as our books have them. Every change is a compare-and-set; it moves no money."""

from typing import Any, NamedTuple

import msgspec

from engine.payments.settlement.errand_store import kind_of
from engine.payments.settlement.state import DisputeStage, ErrandState
from engine.ports import Instruction


class Dispute(NamedTuple):
    """One dispute. Amounts are minor units of the asset; members by place in the corridor."""

    id: str
    corridor: str
    dispute: bytes
    batch: str
    payment: str
    version: int
    member: int
    against: int
    amount_minor: int
    refund_minor: int
    stage: DisputeStage
    errand: str | None
    opened_by: str
    reason: str
    at_ms: int


class DisputeStore:
    """The disputes of one tenant."""

    def __init__(self, pool: Any, tenant: int) -> None:
        self._pool = pool
        self._tenant = tenant

    async def add(self, dispute: Dispute, account: str, instruction: Instruction) -> bool:
        """Store a new one with what the rail is to be asked; False when it is there already.

        One that the rail did not take may be opened again: it stands in no books.
        """
        async with self._pool.acquire() as connection, connection.transaction():
            added = await self._insert(connection, dispute)
            if added:
                await self._want(connection, dispute.errand, account, instruction, dispute.at_ms)
        return added

    async def follow(self, dispute: Dispute) -> bool:
        """Store one that stands on the rail: nothing is asked. As `add` besides."""
        return await self._insert(self._pool, dispute)

    async def _insert(self, connection: Any, dispute: Dispute) -> bool:
        return bool(
            await connection.fetchval(
                "insert into settlement_dispute (id, tenant, corridor, dispute, batch, payment,"
                " version, member, against, amount_minor, stage, errand, opened_by, at_ms)"
                " values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)"
                " on conflict (tenant, dispute) do update set amount_minor = excluded.amount_minor,"
                " stage = excluded.stage, errand = excluded.errand, reason = '',"
                " opened_by = excluded.opened_by, at_ms = excluded.at_ms"
                f" where settlement_dispute.stage = {int(DisputeStage.REFUSED)} returning true",
                dispute.id, self._tenant, dispute.corridor, dispute.dispute, dispute.batch,
                dispute.payment, dispute.version, dispute.member, dispute.against,
                dispute.amount_minor, int(dispute.stage), dispute.errand, dispute.opened_by,
                dispute.at_ms,
            )
        )  # fmt: skip

    async def ask(
        self, dispute: Dispute, errand: str, account: str, instruction: Instruction, now_ms: int
    ) -> bool:
        """Ask the rail for the next step; False while it is being asked for another."""
        async with self._pool.acquire() as connection, connection.transaction():
            asked = await connection.fetchval(
                "update settlement_dispute set errand = $2, reason = ''"
                " where id = $1 and errand is null and stage = $3 returning true",
                dispute.id, errand, int(dispute.stage),
            )  # fmt: skip
            if asked:
                await self._want(connection, errand, account, instruction, now_ms)
        return bool(asked)

    async def _want(
        self, connection: Any, errand: str | None, account: str, instruction: Instruction,
        now_ms: int,
    ) -> None:  # fmt: skip
        await connection.execute(
            "insert into settlement_errand (id, tenant, account, kind, instruction, state, due_ms)"
            " values ($1, $2, $3, $4, $5, $6, $7)",
            errand, self._tenant, account, kind_of(instruction),
            msgspec.json.encode(instruction).decode(), int(ErrandState.WANTED), now_ms,
        )  # fmt: skip

    async def move(
        self,
        dispute: Dispute,
        stage: DisputeStage,
        *,
        errand: str | None,
        amount_minor: int,
        refund_minor: int = 0,
        reason: str = "",
    ) -> bool:
        """From what was read to what is known now; False when somebody was faster."""
        return bool(
            await self._pool.fetchval(
                "update settlement_dispute set stage = $3, errand = $5, refund_minor = $6,"
                " reason = $7, amount_minor = $8 where id = $1 and stage = $2"
                " and errand is not distinct from $4 returning true",
                dispute.id, int(dispute.stage), int(stage), dispute.errand, errand, refund_minor,
                reason, amount_minor,
            )
        )  # fmt: skip

    async def get(self, dispute: bytes) -> Dispute | None:
        """By its id on the rail."""
        row = await self._pool.fetchrow(
            "select * from settlement_dispute where dispute = $1 and tenant = $2",
            dispute, self._tenant,
        )  # fmt: skip
        return _dispute(row) if row is not None else None

    async def unfinished(self) -> list[Dispute]:
        """The oldest first."""
        rows = await self._pool.fetch(
            "select * from settlement_dispute where tenant = $1 and stage in (1, 2, 3) order by id",
            self._tenant,
        )
        return [_dispute(row) for row in rows]

    async def newest(self, most: int) -> list[Dispute]:
        rows = await self._pool.fetch(
            "select * from settlement_dispute where tenant = $1 order by id desc limit $2",
            self._tenant, most,
        )  # fmt: skip
        return [_dispute(row) for row in rows]


def _dispute(row: Any) -> Dispute:
    return Dispute(
        row["id"].hex, row["corridor"], bytes(row["dispute"]), row["batch"].hex,
        row["payment"].hex, row["version"], row["member"], row["against"], row["amount_minor"],
        row["refund_minor"], DisputeStage(row["stage"]),
        row["errand"].hex if row["errand"] is not None else None, row["opened_by"], row["reason"],
        row["at_ms"],
    )  # fmt: skip

"""Cases that statements and balances lead to: opened, said anew, and closed by what explains them.

What people closed stays closed; it decides nothing.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from engine.clock import DAY_MS
from engine.payments.statements.judged import Class
from engine.payments.statements.terms import Terms

CLOSED_BY = "statements"
"""Who closed a case that a later statement explained."""

MISSING_HERE = Class.MISSING_HERE.name
MISSING_THERE = Class.MISSING_THERE.name
CONTRADICTION = Class.CONTRADICTION.name
STATEMENT_ABSENT = "STATEMENT_ABSENT"
STATEMENT_JUMP = "STATEMENT_JUMP"
FLOAT_DRIFT = "FLOAT_DRIFT"
FEES_DIFFER = "FEES_DIFFER"
KINDS = (
    MISSING_HERE, MISSING_THERE, Class.AMOUNT_DIFFERS.name, CONTRADICTION,
    STATEMENT_ABSENT, STATEMENT_JUMP, FLOAT_DRIFT, FEES_DIFFER,
)  # fmt: skip
"""The cases that statements and balances lead to; also those about payments."""


class Case(NamedTuple):
    """A case as it is opened. `subject` is a payment, or a name-based id where there is none."""

    subject: str
    kind: str
    hash: str
    detail: str


class Over(NamedTuple):
    """A subject of which no case of a kind is true any more, and why; save the one of a hash."""

    subject: str
    note: str
    but: str | None = None


class OpenCase(NamedTuple):
    """A case nobody has closed yet; times are epoch milliseconds."""

    subject: str
    kind: str
    detail: str
    opened_ms: int
    due_ms: int | None


class StatementCases:
    """Those of one tenant. Every write may be repeated."""

    def __init__(self, pool: Any, tenant: int) -> None:
        self._pool = pool
        self._tenant = tenant

    async def open(self, cases: Sequence[Case], terms: Terms, at_ms: int) -> int:
        """Put them on somebody's desk, due in `terms.case_days`. The same one twice is one.

        What only a comparison had explained is open again; what people closed stays closed.
        Returns how many are new, or open again.
        """
        due_ms = at_ms + terms.case_days * DAY_MS
        opened = 0
        async with self._pool.acquire() as connection:
            for case in cases:
                done = await connection.execute(
                    "insert into case_file as known"
                    " (payment, kind, hash, tenant, opened_ms, detail, due_ms)"
                    " values ($1, $2, $3, $4, $5, $6, $7) on conflict (payment, kind, hash)"
                    " do update set closed_ms = null, closed_by = null, note = null,"
                    " opened_ms = excluded.opened_ms, detail = excluded.detail,"
                    " due_ms = excluded.due_ms"
                    " where known.closed_by = $8",
                    case.subject, case.kind, case.hash, self._tenant, at_ms, case.detail, due_ms,
                    CLOSED_BY,
                )  # fmt: skip
                opened += done == "INSERT 0 1"
        return opened

    async def is_open(self, kind: str, subject: str) -> bool:
        """Whether somebody has a case of this kind about this subject on their desk."""
        return bool(
            await self._pool.fetchval(
                "select exists (select from case_file where payment = $1 and kind = $2"
                " and tenant = $3 and closed_ms is null)",
                subject, kind, self._tenant,
            )
        )  # fmt: skip

    async def open_subjects(self, kind: str) -> frozenset[str]:
        """Whatever somebody has a case of this kind about on their desk."""
        rows = await self._pool.fetch(
            "select distinct payment from case_file where kind = $1 and tenant = $2"
            " and closed_ms is null",
            kind, self._tenant,
        )  # fmt: skip
        return frozenset(row["payment"].hex for row in rows)

    async def restate(self, kind: str, subject: str, detail: str) -> bool:
        """Have what is open about this subject say this; False when it says so already."""
        done = await self._pool.execute(
            "update case_file set detail = $4 where payment = $1 and kind = $2 and tenant = $3"
            " and closed_ms is null and detail <> $4",
            subject, kind, self._tenant, detail,
        )  # fmt: skip
        return bool(done != "UPDATE 0")

    async def close(self, kind: str, hashes: Sequence[str], note: str, at_ms: int) -> None:
        """Close those that are open: a later statement explained them."""
        await self._pool.execute(
            "update case_file set closed_ms = $4, closed_by = $5, note = $6"
            " where tenant = $1 and kind = $2 and hash = any($3::uuid[]) and closed_ms is null",
            self._tenant, kind, list(hashes), at_ms, CLOSED_BY, note,
        )  # fmt: skip

    async def close_over(self, kind: str, over: Sequence[Over], at_ms: int) -> None:
        """Close the open cases of a kind about subjects of which they are not true any more."""
        if not over:
            return
        subjects, notes, kept = zip(*over, strict=True)
        await self._pool.execute(
            "update case_file c set closed_ms = $3, closed_by = $4, note = o.note"
            " from unnest((select $5::uuid[]), (select $6::text[]), (select $7::uuid[]))"
            "   as o (subject, note, but)"
            " where c.tenant = $1 and c.kind = $2 and c.payment = o.subject"
            " and c.closed_ms is null and c.hash is distinct from o.but",
            self._tenant, kind, at_ms, CLOSED_BY, subjects, notes, kept,
        )  # fmt: skip

    async def close_all(self, kind: str, subject: str, note: str, at_ms: int) -> None:
        """Close every open case of a kind about one subject."""
        await self.close_over(kind, [Over(subject, note)], at_ms)

    async def all_open(self) -> list[OpenCase]:
        """What is open, the oldest first."""
        rows = await self._pool.fetch(
            "select payment, kind, detail, opened_ms, due_ms from case_file"
            " where tenant = $1 and kind = any($2::text[]) and closed_ms is null"
            " order by opened_ms, payment, kind",
            self._tenant, list(KINDS),
        )  # fmt: skip
        return [OpenCase(row["payment"].hex, *row[1:]) for row in rows]

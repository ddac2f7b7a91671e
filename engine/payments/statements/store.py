"""Statements as they are stored: files, lines, and what became of each.

It moves no money and decides nothing.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import date
from typing import Any, NamedTuple

import msgspec

from engine.clock import AttemptId
from engine.database import stand_open
from engine.money import Money
from engine.payments.statements.judged import Class, Judged, Theirs
from engine.payments.statements.lines import (
    Extent,
    Jump,
    Line,
    Side,
    days_between,
    jumps_of,
    line_id,
    named_id,
)
from engine.payments.statements.terms import Terms
from engine.privacy.places import counterparty_place, reference_place
from engine.privacy.seals import Seals, open_maybe, seal_maybe, seals_of

TURN_SECONDS_MAX = 900
"""So long may one comparison of an operator's statements take. A process that was frozen in its
turn keeps the others from theirs for no longer."""


class Stored(msgspec.Struct, frozen=True):
    """A stored line and what became of it so far; `kind` 0 while nobody has looked."""

    theirs: Theirs
    kind: int
    suspended_ms: int | None


class File(NamedTuple):
    """A statement file that was taken in."""

    operator: str
    day: date
    hash: str
    lines: int
    doubled: int
    gaps: int
    opening_minor: int | None
    closing_minor: int | None
    taken_by: str  # who, as in the log of staff's actions
    sha256: str  # of the file's bytes, 64 hex digits: whoever has the operator's compares


class Taken(NamedTuple):
    """The days a statement was taken in for; those of them with one of the whole day, made once
    that was over; where the balance jumps between the last ones of two of these; and those that
    miss no line, by their own last one and by those beside it."""

    days: frozenset[date]
    whole: frozenset[date]
    jumps: Mapping[date, Jump]
    complete: frozenset[date]


class Kept(NamedTuple):
    """What storing a file added, and the receipts it lists under another reference than before."""

    fresh: int
    renamed: tuple[str, ...]


class StatementStore:
    """The statements of one tenant. Every write may be repeated."""

    def __init__(self, pool: Any, tenant: int) -> None:
        self._pool = pool
        self._tenant = tenant
        self._seals = seals_of(pool)

    @asynccontextmanager
    async def turn(self, operator: str) -> AsyncIterator[None]:
        """While the block lasts no other process compares this operator's statements.

        Whoever says nothing for `TURN_SECONDS_MAX` loses the turn, and at the end of the block
        gets what a connection that is gone raises: what was done is to be done again.
        """
        name = f"statements:{self._tenant}:{operator}"
        async with self._pool.acquire() as connection, connection.transaction():
            await stand_open(connection, TURN_SECONDS_MAX)
            await connection.execute("select pg_advisory_xact_lock(hashtext($1))", name)
            yield

    async def keep(self, file: File, lines: Sequence[Line], at_ms: int) -> Kept:
        """Store a file and the lines nobody listed before, in one transaction.

        No two lines are the same movement. A line without a pair takes over the reference and the
        number that it lacked, and is from then on this file's; any other word than the first one
        changes nothing.
        """
        rows = [self._row(line, at_ms) for line in lines]
        named = {row[0]: line.reference for row, line in zip(rows, lines, strict=True)}
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(
                "insert into statement_file"
                " (tenant, operator, day, hash, lines, doubled, gaps, opening_minor,"
                " closing_minor, taken_by, sha256, taken_ms)"
                " values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"
                " on conflict do nothing",
                self._tenant, *file, at_ms,
            )  # fmt: skip
            known = await connection.fetch(
                "select id, receipt, reference from statement_line where id = any($1::uuid[])",
                list(named),
            )
            await connection.executemany(
                "insert into statement_line as known (id, tenant, operator, day, receipt,"
                " reference, side, minor, fee_minor, currency, counterparty, completed_ms,"
                " balance_minor, raw_hash, taken_ms) values ($1, $2, $3, $4, $5, $6, $7, $8, $9,"
                " $10, $11, $12, $13, $14, $15) on conflict (id) do update"
                " set taken_ms = excluded.taken_ms,"
                " reference = coalesce(known.reference, excluded.reference),"
                " counterparty = coalesce(known.counterparty, excluded.counterparty)"
                " where (known.attempt is null or known.class = $16)"
                " and (known.reference is null and excluded.reference is not null"
                "   or known.counterparty is null and excluded.counterparty is not null)",
                [(*row, int(Class.AMOUNT_DIFFERS)) for row in rows],
            )
        renamed = [row["receipt"] for row in known if self._is_renamed(row, named[row["id"].hex])]
        return Kept(len(rows) - len(known), tuple(sorted(renamed)))

    async def hash_of(self, operator: str, day: date, digest: str) -> str:
        """Under what a file of these bytes is kept: the digest, or another one where it is taken
        again after another file of its day. Then it is the last of them once more."""
        rows = await self._pool.fetch(
            "select hash from statement_file where tenant = $1 and operator = $2 and day = $3"
            " order by taken_ms, hash",
            self._tenant, operator, day,
        )  # fmt: skip
        known = [row["hash"].hex for row in rows]
        if digest not in known or digest == known[-1]:
            return digest
        again = named_id(digest, known[-2])
        return again if again == known[-1] else named_id(digest, known[-1])

    async def taken(self, operator: str, terms: Terms) -> Taken:
        """What was taken in; of a day that was not over nobody can say what lacks."""
        rows = await self._pool.fetch(
            "select day, lines, opening_minor, closing_minor, gaps, taken_ms from statement_file"
            " where tenant = $1 and operator = $2 order by taken_ms, hash",
            self._tenant, operator,
        )  # fmt: skip
        last = {r["day"]: r for r in rows if r["taken_ms"] >= terms.ends_ms(r["day"])}
        jumps = jumps_of(
            {d: Extent(r["lines"], r["opening_minor"], r["closing_minor"]) for d, r in last.items()}
        )
        doubted = {day for jump in jumps.values() for day in days_between(jump.before, jump.day)}
        return Taken(
            frozenset(row["day"] for row in rows),
            frozenset(last),
            jumps,
            frozenset(day for day, row in last.items() if not row["gaps"] and day not in doubted),
        )

    async def listed_elsewhere(self, day: date, ids: Sequence[str]) -> frozenset[str]:
        """Which of these lines a file of another day listed first."""
        rows = await self._pool.fetch(
            "select id from statement_line where id = any($1::uuid[]) and tenant = $2"
            " and day <> $3",
            list(ids), self._tenant, day,
        )  # fmt: skip
        return frozenset(row["id"].hex for row in rows)

    async def lines(
        self, operator: str, first: date, last: date, attempts: Sequence[AttemptId]
    ) -> list[Stored]:
        """The lines of those days, and those paired with one of these attempts before."""
        rows = await self._pool.fetch(
            "select * from statement_line where tenant = $1 and operator = $2"
            " and day between $3 and $4"
            " union select * from statement_line"
            " where tenant = $1 and operator = $2 and attempt = any($5::uuid[])",
            self._tenant, operator, first, last, list(attempts),
        )  # fmt: skip
        return [_stored(row, self._seals) for row in rows]

    async def settle(self, judged: Iterable[Judged], at_ms: int) -> None:
        """Write down what became of lines, which attempt each belongs to, and when one was first
        believed that proves something about a payment."""
        rows = [
            (j.theirs.line_id, int(j.kind), j.pair_to_keep, at_ms if j.proves is not None else None)
            for j in judged
            if j.theirs is not None
        ]
        async with self._pool.acquire() as connection:
            await connection.executemany(
                "update statement_line set class = $2, attempt = $3,"
                " proved_ms = coalesce(proved_ms, $4) where id = $1",
                rows,
            )

    async def kept_as(self, operator: str, pairs: Sequence[str]) -> dict[str, str]:
        """Of attempts or proposals those that a line of the operator was paired with: its id."""
        rows = await self._pool.fetch(
            "select attempt, id from statement_line where tenant = $1 and operator = $2"
            " and attempt = any($3::uuid[])",
            self._tenant, operator, list(pairs),
        )  # fmt: skip
        return {row["attempt"].hex: row["id"].hex for row in rows}

    async def undone(self, proposals: Sequence[str]) -> frozenset[str]:
        """Of top-ups and rebalancings those that people have reversed since, and not restored."""
        rows = await self._pool.fetch(
            "with recursive undone(first, row, times) as ("
            "   select id, id, 0 from unnest($2::uuid[]) id"
            "  union all"
            "   select u.first, k.payment, u.times + 1 from undone u join payment_key k"
            "    on k.tenant = $1 and k.key = 'reversal:' || replace(u.row::text, '-', '') || ':1'"
            " ) select first from undone group by first having max(times) % 2 = 1",
            self._tenant, list(proposals),
        )  # fmt: skip
        return frozenset(row["first"].hex for row in rows)

    async def undone_days(self, operator: str, before: date, since_ms: int) -> list[date]:
        """Days before another with a line that is what people moved, of which two have agreed since
        a moment to reverse it: nobody looks at such a day by itself any more."""
        rows = await self._pool.fetch(
            "select distinct l.day from proposal p"
            " join journal j on j.payment = p.id and j.version = 1"
            " join statement_line l on l.attempt ="
            r"""   substring(j.facts from '^\{"about":"([0-9a-f]{32})"')::uuid"""
            " where p.tenant = $1 and p.kind = 'CORRECTION' and p.state = 'done'"
            "   and p.decided_ms >= $4 and l.tenant = $1 and l.operator = $2 and l.day < $3"
            "   and l.class = $5 order by l.day",
            self._tenant, operator, before, since_ms, int(Class.MOVED),
        )  # fmt: skip
        return [row["day"] for row in rows]

    async def suspended_among(self, operator: str, days: Sequence[date]) -> list[date]:
        """Those of the days that list something which lies in SUSPENSE."""
        if not days:
            return []
        rows = await self._pool.fetch(
            "select distinct day from statement_line where tenant = $1 and operator = $2"
            " and day = any($3::date[]) and suspended_ms is not null order by day",
            self._tenant, operator, sorted(days),
        )  # fmt: skip
        return [row["day"] for row in rows]

    async def set_suspended(self, line: str, at_ms: int | None) -> None:
        """Since when a line's money lies in SUSPENSE; None when it does not any more."""
        await self._pool.execute(
            "update statement_line set suspended_ms = $2 where id = $1", line, at_ms
        )

    async def counts(self, operator: str, first: date) -> Mapping[int, int]:
        """How many lines since a day are of which class; 0 is not looked at yet."""
        rows = await self._pool.fetch(
            "select class, count(*) as n from statement_line"
            " where tenant = $1 and operator = $2 and day >= $3 group by 1",
            self._tenant, operator, first,
        )  # fmt: skip
        return {row["class"]: row["n"] for row in rows}

    async def fees_minor(self, operator: str, first: date) -> int:
        """All that its lines since a day list as kept or charged, booked or not."""
        fees: int = await self._pool.fetchval(
            "select coalesce(sum(fee_minor), 0)::bigint from statement_line"
            " where tenant = $1 and operator = $2 and day >= $3",
            self._tenant, operator, first,
        )  # fmt: skip
        return fees

    def _is_renamed(self, row: Any, reference: str | None) -> bool:
        if row["reference"] is None or reference is None:
            return False
        place = reference_place(row["id"].hex)
        return open_maybe(self._seals, row["reference"], place) != reference

    def _row(self, line: Line, at_ms: int) -> tuple[Any, ...]:
        id_ = line_id(self._tenant, line)
        counterparty = seal_maybe(self._seals, line.counterparty, counterparty_place(id_))
        reference = seal_maybe(self._seals, line.reference, reference_place(id_))
        return (
            id_, self._tenant, line.operator, line.day, line.receipt,
            reference, int(line.side), line.amount.minor, line.fee_minor,
            line.amount.currency, counterparty, line.completed_ms, line.balance_minor,
            line.raw_hash, at_ms,
        )  # fmt: skip


def _stored(row: Any, seals: Seals) -> Stored:
    line = Line(
        operator=row["operator"],
        day=row["day"],
        receipt=row["receipt"],
        reference=open_maybe(seals, row["reference"], reference_place(row["id"].hex)),
        side=Side(row["side"]),
        amount=Money(row["minor"], row["currency"]),
        fee_minor=row["fee_minor"],
        counterparty=open_maybe(seals, row["counterparty"], counterparty_place(row["id"].hex)),
        completed_ms=row["completed_ms"],
        balance_minor=row["balance_minor"],
        raw_hash=row["raw_hash"].hex,
    )
    attempt = row["attempt"]
    pinned = AttemptId(attempt.hex) if attempt is not None else None
    return Stored(Theirs(row["id"].hex, line, pinned), row["class"], row["suspended_ms"])

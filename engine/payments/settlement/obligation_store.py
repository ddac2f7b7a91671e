"""What operators owe each other, read from the journal row by row and kept, each exactly once.

It moves no money. One reading is one repeatable-read transaction, so journal, balances and what
was kept are those of one moment; why nothing is missed: `decisions/0001-owed-once.md`.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

import asyncpg

from engine.ledger.chart import Kind, read_account
from engine.ledger.entries import CORRECTS, Manual
from engine.money import BY_NUMERIC
from engine.payments.lifecycle import State
from engine.payments.settlement.leaves import Leaf
from engine.payments.settlement.state import BatchState

READ_AGAIN_MS = 3_600_000
"""So often everything new is read a second time, whether it adds up or not."""
LATE_MS = 10_000
"""A row is seldom visible later than that after its own time: what a usual reading looks back."""
LATE_MS_MAX = 900_000
"""The second reading looks back as far as clocks of ours may differ, and statements may hang."""


class Discrepancy(NamedTuple):
    """An account that does not hold what it must; stored amounts, credit positive."""

    account: int
    there: int
    expected: int


class Reading(NamedTuple):
    """What one reading came to. `nobodys`: rows of which nobody can tell who owes whom."""

    gathered: int
    nobodys: int
    wrong: tuple[Discrepancy, ...]


class Summed(NamedTuple):
    """What waits in one direction of a pair, in one INTERPOOL account."""

    source: str
    account: int
    payments: int
    oldest_ms: int
    minor: int
    largest_minor: int


class Owed(NamedTuple):
    """One obligation as it is stored."""

    payment: str
    version: int
    account: int
    source: str
    destination: str
    minor: int
    at_ms: int

    @property
    def leaf(self) -> Leaf:
        return Leaf(
            self.payment, self.version, self.source, self.destination, *_currencies(self.account),
            self.minor, self.at_ms,
        )  # fmt: skip


@cache  # ten thousand leaves of a batch share a handful of accounts
def _currencies(interpool: int) -> tuple[str, str]:
    """What was collected, and what was paid out."""
    account = read_account(interpool)
    return account.currency, BY_NUMERIC[account.owner].code


class ObligationStore:
    """The obligations of one tenant."""

    def __init__(self, pool: Any, tenant: int, operators: Mapping[int, str]) -> None:
        """`operators` maps the codes in account numbers to names."""
        self._pool = pool
        self._tenant = tenant
        self._codes = list(operators)
        self._names = [operators[code] for code in self._codes]
        self._has_named = False

    async def read_journal(self, now_ms: int) -> Reading | None:
        """Keep what is new in the journal; None when somebody else is at it. Safe to repeat.

        Reads a few seconds back, and further only when the balances say that something is missing.
        """
        try:
            async with (
                self._pool.acquire() as connection,
                connection.transaction(isolation="repeatable_read"),
            ):
                if not await connection.fetchval(_TURN, f"settlement {self._tenant}"):
                    return None
                await connection.execute(_PLANNING)
                reading = await self._read(connection, now_ms)
        except asyncpg.SerializationError:
            return None  # whoever had the turn finished between our look and our lock
        self._has_named = True
        return reading

    async def _read(self, connection: Any, now_ms: int) -> Reading:
        look = await connection.fetchrow(
            "select * from settlement_look where tenant = $1", self._tenant
        )
        marks = dict(look) if look is not None else {}
        gathered = nobodys = 0
        wrong: tuple[Discrepancy, ...] = ()
        for mark, since_ms in list(_backwards(marks, now_ms)):
            if mark != "looked_ms" or not self._has_named:
                # Read by a process that did not know the operator: older than its settings.
                await connection.execute(_NAME, self._tenant, self._codes, self._names)
            fresh = await self._keep(connection, since_ms)
            gathered += sum(row["payments"] for row in fresh)
            nobodys += sum(row["nobodys"] for row in fresh)
            marks |= _read_by(mark, now_ms)
            wrong = await self._wrong(connection)
            if not wrong:
                break
        if not wrong:
            marks["whole_ms"] = 0  # the next thing that is missing is looked for everywhere at once
        await connection.execute(_MARK, self._tenant, *(marks[mark] for mark in _MARKS))
        return Reading(gathered, nobodys, wrong)

    async def _keep(self, connection: Any, since_ms: int) -> list[Any]:
        rows: list[Any] = await connection.fetch(
            _KEEP, self._tenant, since_ms, self._codes, self._names
        )
        return rows

    async def _wrong(self, connection: Any) -> tuple[Discrepancy, ...]:
        rows = await connection.fetch(_WRONG, self._tenant)
        return tuple(Discrepancy(*row) for row in rows)

    async def adds_up(self) -> bool:
        """Whether the last reading found nothing missing; False before the first one."""
        return bool(
            await self._pool.fetchval(
                "select whole_ms = 0 from settlement_look where tenant = $1", self._tenant
            )
        )

    # What waits, and what was closed.

    async def waiting(self, pair: tuple[str, str]) -> list[Summed]:
        """What two operators owe each other and no window has closed, by who and where."""
        rows = await self._pool.fetch(
            "select source, account, count(*)::int, min(at_ms), sum(minor)::bigint,"
            f" max(abs(minor)) from settlement_obligation where {_OF_PAIR} group by 1, 2"
            " order by 1, 2",
            self._tenant, *pair,
        )  # fmt: skip
        return [Summed(*row) for row in rows]

    async def oldest(
        self, connection: Any, pair: tuple[str, str], most: int, *, least: Mapping[int, int]
    ) -> list[Owed]:
        """The oldest that wait; only those that move at least `least` (by account), if it is told.

        For whoever closes a window, in whose transaction they are then marked.
        """
        rows = await connection.fetch(
            "select payment, version, account, source, destination, minor, at_ms"
            f" from settlement_obligation o where {_OF_PAIR} and ($4::bigint[] = '{{}}'"
            "  or exists (select from unnest($4::bigint[], $5::bigint[]) l(account, minor)"
            "              where l.account = o.account and abs(o.minor) >= l.minor))"
            " order by at_ms, payment, version, account limit $6",
            self._tenant, *pair, list(least), list(least.values()), most,
        )  # fmt: skip
        return [_owed(row) for row in rows]

    async def mark(self, connection: Any, batch: str, owed: Sequence[Owed]) -> int:
        """They are in that batch from now on, in this order. How many were free."""
        status = await connection.execute(
            "update settlement_obligation o set batch = $1, leaf = t.n - 1"
            " from unnest($2::uuid[], $3::int[], $4::bigint[]) with ordinality"
            "   t(payment, version, account, n)"
            " where o.payment = t.payment and o.version = t.version and o.account = t.account"
            " and o.batch is null",
            batch, [o.payment for o in owed], [o.version for o in owed], [o.account for o in owed],
        )  # fmt: skip
        return int(status.split()[-1])

    async def of_batch(self, batch: str) -> list[Owed]:
        """In the order of the leaves."""
        rows = await self._pool.fetch(
            "select payment, version, account, source, destination, minor, at_ms"
            " from settlement_obligation where batch = $1 and tenant = $2 order by leaf",
            batch, self._tenant,
        )  # fmt: skip
        return [_owed(row) for row in rows]

    async def of_payment(self, payment: str) -> list[tuple[Owed, str | None, int | None]]:
        """What a payment made them owe, with batch and place in it, the newest first."""
        rows = await self._pool.fetch(
            "select payment, version, account, source, destination, minor, at_ms, batch, leaf"
            " from settlement_obligation where payment = $1 and tenant = $2"
            " order by version desc, account",
            payment, self._tenant,
        )  # fmt: skip
        return [(_owed(r), r["batch"].hex if r["batch"] else None, r["leaf"]) for r in rows]


def _owed(row: Any) -> Owed:
    return Owed(
        row["payment"].hex, row["version"], row["account"], row["source"], row["destination"],
        row["minor"], row["at_ms"],
    )  # fmt: skip


_MARKS = ("looked_ms", "again_ms", "whole_ms")
"""How far the usual reading has come, the second one, and when all was read in vain."""


def _backwards(marks: Mapping[str, int], now_ms: int) -> Iterator[tuple[str, int]]:
    """From when on to read: first as far as it usually takes, then further, then all of it."""
    if not marks:
        yield "whole_ms", 0
        return
    if abs(now_ms - marks["again_ms"]) < READ_AGAIN_MS:
        yield "looked_ms", marks["looked_ms"] - LATE_MS
    yield "again_ms", marks["again_ms"] - LATE_MS_MAX
    if abs(now_ms - marks["whole_ms"]) >= READ_AGAIN_MS:
        yield "whole_ms", 0


def _read_by(mark: str, now_ms: int) -> dict[str, int]:
    """Whoever has read further has read what is nearer."""
    return dict.fromkeys(_MARKS[: _MARKS.index(mark) + 1], now_ms)


_TURN = "select pg_try_advisory_xact_lock(hashtextextended($1, 0))"
# As the auditor reads: without statistics of a new month Postgres would read all of it.
_PLANNING = "set local enable_seqscan = off; set local jit = off"
_MARK = (
    "insert into settlement_look (tenant, looked_ms, again_ms, whole_ms) values ($1, $2, $3, $4)"
    " on conflict (tenant) do update set looked_ms = excluded.looked_ms,"
    " again_ms = excluded.again_ms, whole_ms = excluded.whole_ms"
)
_NAME = (
    "update settlement_obligation o set destination = n.name"
    " from unnest($2::int[], $3::text[]) n(code, name)"
    " where o.tenant = $1 and o.batch is null and o.destination = 'operator ' || n.code"
)
_OF_PAIR = (
    "tenant = $1 and batch is null"
    " and (source = $2 and destination = $3 or source = $3 and destination = $2)"
)
_INTERPOOL, _FLOAT, _FLIGHT = int(Kind.INTERPOOL), int(Kind.FLOAT), int(Kind.CHAIN_IN_FLIGHT)
_OWN = ", ".join(str(int(s)) for s in (Manual.SETTLEMENT_CLOSED, Manual.SETTLEMENT_REOPENED))
_CORRECTS = ", ".join(str(int(s)) for s in sorted(CORRECTS))
# A correction speaks of another payment; `engine/ledger/corrections.py` puts it first.
_ABOUT = (
    f"case when state in ({_CORRECTS})"
    """ then substring(facts from '^\\{"about":"([0-9a-f]{32})"')::uuid else payment end"""
)
# Who collected stands in the terms of the creation, as the eighth piece between quotes
# (`Facts`, `Quote`); who paid out owns the float that the payment's last PAID row gave to. What is
# given back is owed between the same two as what it undoes.
_KEEP = f"""
with known as materialized (
  select coalesce(array_agg(id), '{{}}') as interpool from balance
   where id >> 42 = $1 and (id >> 24 & 255) = {_INTERPOOL}),
fresh as materialized (
  select payment, version, at_ms, debits, credits, amounts, {_ABOUT} as about,
         case when state in ({_CORRECTS}) then 2147483647 else version end as until
    from journal, known
   where tenant = $1 and at_ms >= $2 and state not in ({_OWN})
     and (debits && known.interpool or credits && known.interpool)),
legs as (
  select payment, version, account, sum(minor)::bigint as minor from (
    select payment, version, unnest(debits) as account, -unnest(amounts) as minor from fresh
    union all select payment, version, unnest(credits), unnest(amounts) from fresh) l
   where (account >> 24 & 255) = {_INTERPOOL} group by 1, 2, 3 having sum(minor) <> 0),
kept as (
  insert into settlement_obligation
    (payment, version, account, tenant, source, destination, minor, at_ms)
  select l.payment, l.version, l.account, $1, coalesce(s.name, ''), coalesce(d.name, ''), l.minor,
         f.at_ms
    from legs l join fresh f on f.payment = l.payment and f.version = l.version
    left join lateral (
      select split_part(c.facts, '"', 8) as name from journal c
       where c.payment = f.about and c.version = 1 and c.tenant = $1
         and left(c.facts, 2) = '[[') s on true
    left join lateral (
      select p.credits from journal p
       where p.payment = f.about and p.version <= f.until and p.state = {int(State.PAID)}
         and p.tenant = $1 order by p.version desc limit 1) p on true
    left join lateral (
      select coalesce(o.name, 'operator ' || (c & 16777215)) as name
        from unnest(p.credits) c
        left join unnest($3::int[], $4::text[]) o(code, name) on o.code = (c & 16777215)
       where (c >> 24 & 255) = {_FLOAT} limit 1) d on true
   order by l.payment, l.version, l.account
  on conflict do nothing returning account, minor, source = '' or destination = '' as nobodys),
sums as (
  select account, sum(minor)::bigint as minor, count(*)::int as payments,
         count(*) filter (where nobodys)::int as nobodys from kept group by account),
counted as (
  insert into settlement_position (account, tenant, gathered_minor)
  select account, $1, minor from sums order by account
  on conflict (account) do update
    set gathered_minor = settlement_position.gathered_minor + excluded.gathered_minor)
select account, payments, nobodys from sums"""
# Batches that are between two steps count by what the journal has of them already.
_WRONG = f"""
with moved as materialized (
  select l.account, sum(l.minor)::bigint as minor from settlement_batch b
    join journal j on j.payment = b.id and j.tenant = b.tenant
    cross join lateral (
      select unnest(j.debits) as account, -unnest(j.amounts) as minor
      union all select unnest(j.credits), unnest(j.amounts)) l
   where b.tenant = $1 and b.state not in (5, 7)
     and ((l.account >> 24 & 255) = {_FLIGHT}
       or (l.account >> 24 & 255) = {_INTERPOOL}
      and (b.state = {int(BatchState.CLOSING)} and j.version = 1
        or b.state = {int(BatchState.REOPENING)} and j.version = 2))
   group by 1)
select b.id as account, b.amount as there,
       coalesce(p.gathered_minor - p.closed_minor, 0) + coalesce(m.minor, 0) as expected
  from balance b
  left join settlement_position p on p.account = b.id
  left join moved m on m.account = b.id
 where b.id >> 42 = $1 and (b.id >> 24 & 255) in ({_INTERPOOL}, {_FLIGHT})
   and b.amount <> coalesce(p.gathered_minor - p.closed_minor, 0) + coalesce(m.minor, 0)
 order by 1"""

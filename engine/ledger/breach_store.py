"""What the auditor asks the journal about its laws: rows that break one. Reads only.

As in `audit_store`, every function runs inside one repeatable-read transaction of the caller's.
"""

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any, NamedTuple

from engine.ledger.audit_rows import (
    FOREVER_MS,
    LEGS,
    STANDING_KINDS,
    STANDING_LEGS,
    SUSPECTS_MAX,
    Chain,
    payments_of,
    rows_of,
    unsealed_rows,
)
from engine.ledger.chart import Kind
from engine.ledger.entries import MANUAL_FROM, NEEDS_NOBODY
from engine.ledger.postings import Transfers
from engine.ports import Direction


class Breach(NamedTuple):
    """A row that a query found guilty; `payment` is 32 hex digits, `version` 0 for all of it."""

    law: str
    payment: str
    version: int
    account: int
    there: int
    expected: int


class ManualRow(NamedTuple):
    """A row that people made; `payment` is its proposal's id, 32 hex digits."""

    payment: str
    version: int
    state: int
    transfers: Transfers
    facts: str | None


Differing = Callable[[Any, Sequence[ManualRow]], Awaitable[list[tuple[ManualRow, str]]]]
"""Of rows that people made those that are not what was agreed on, and why; the first argument is a
connection in the auditor's own moment."""


async def manual_rows(
    connection: Any, tenant: int, partition: str, *, from_ms: int, to_ms: int
) -> list[ManualRow]:
    """Those that need two people, of a stretch."""
    asked = rows_of(partition, also=f"state >= {MANUAL_FROM} and state <> all($4::int[])")
    rows = await connection.fetch(asked, tenant, from_ms, to_ms, [int(s) for s in NEEDS_NOBODY])
    return [
        ManualRow(
            row["payment"].hex, row["version"], row["state"],
            # Whoever forges a row must not stop the auditor: `broken_entries` tells of such.
            tuple(zip(row["debits"], row["credits"], row["amounts"], strict=False)), row["facts"],
        )
        for row in rows
    ]  # fmt: skip


Moves = Collection[tuple[int, int]]
"""From which state to which a payment may go in one step; from 0 where it begins."""


async def broken_entries(
    connection: Any, tenant: int, partition: str, *, from_ms: int, to_ms: int, moves: Moves
) -> list[Breach]:
    """Rows that are no balanced entry, needed two people, or do not fit a payment's path.

    Steps between states that `moves` knows have to be one of them; of others newer code knows more.
    """
    known = sorted({state for move in moves for state in move})
    rows = await connection.fetch(
        _breaches(partition),
        tenant, from_ms, to_ms, [int(s) for s in NEEDS_NOBODY],
        [before << 16 | after for before, after in moves], known,
    )  # fmt: skip
    return [_breach(row) for row in rows]


async def broken_sums(connection: Any, tenant: int, tails: list[Chain]) -> list[Breach]:
    """Balances that are not what the journal adds up to, and money that stands where it must not.

    `tails` says from where on each partition is not sealed.
    """
    rows = await connection.fetch(
        _sums(tails),
        tenant, [chain.sealed_ms for chain in tails], FOREVER_MS, STANDING_KINDS,
    )  # fmt: skip
    return [_breach(row) for row in rows]


async def gaps(connection: Any, tenant: int, partition: str) -> list[tuple[str, int]]:
    """(payment, a version) where the journal of a partition lacks a row. Reads all of it."""
    payments = payments_of(partition)
    rows = await connection.fetch(
        f"""select p.id as payment, n.version from {payments} p
              cross join lateral generate_series(1, p.version) n(version)
              left join {partition} j on j.payment = p.id and j.version = n.version
             where p.tenant = $1 and j.payment is null order by 1, 2 limit $2""",
        tenant, SUSPECTS_MAX,
    )  # fmt: skip
    return [(row["payment"].hex, row["version"]) for row in rows]


def _breach(row: Any) -> Breach:
    payment = row["payment"].hex if row["payment"] is not None else f"{row['account']:032x}"
    return Breach(
        row["law"], payment, row["version"], row["account"], row["there"], row["expected"]
    )


_LIVE = (
    f"case a.direction when {int(Direction.COLLECT)} then {int(Kind.POOL_HELD)}"
    f" when {int(Direction.DISBURSE)} then {int(Kind.PAYOUT_IN_FLIGHT)}"
    f" when {int(Direction.REFUND)} then {int(Kind.REFUND_IN_FLIGHT)} end"
)
_IN_FLIGHT = f"{int(Kind.PAYOUT_IN_FLIGHT)}, {int(Kind.REFUND_IN_FLIGHT)}"


def _breaches(partition: str) -> str:
    # One look at each payment; only one that does not fit is looked at closely.
    payments = payments_of(partition)
    return f"""
with fresh as materialized ({rows_of(partition)}),
paths as (
  select payment, min(version) as first, count(*) as steps,
         max(version::bigint << 16 | (state & 65535)) as last from fresh group by payment),
odd as materialized (
  select f.*, p.version as stands_at, p.state as stands_in from paths f
    left join lateral (select version, state from {payments} p
                        where p.id = f.payment and p.tenant = $1 limit 1) p on true
   where steps <> (last >> 16) - first + 1
      or (p.version::bigint << 16 | (p.state & 65535)) is distinct from last
      or first > 1 and not exists (
        select from {partition} j where j.payment = f.payment and j.version = f.first - 1)),
steps as (
  select payment, version, state, lag(version) over w as version_before,
         lag(state) over w as state_before
    from fresh where state < {MANUAL_FROM} window w as (partition by payment order by version)),
-- A forerunner that is not fresh is looked up; one that is missing is the path's affair.
moved as (
  select s.payment, s.version, s.state, case
           when s.version = 1 then 0
           when s.version_before = s.version - 1 then s.state_before
           else (select state from {partition} j
                  where j.payment = s.payment and j.version = s.version - 1)
         end as before
    from steps s),
ends as (
  select o.payment, o.stands_at, o.stands_in, j.version, j.state from odd o
    left join lateral (select version, state from {partition} j where j.payment = o.payment
                        order by version desc limit 1) j on true)
select 'entry' as law, payment, version, 0::bigint as account, 0::bigint as there,
       0::bigint as expected from fresh
 where cardinality(debits) <> cardinality(credits) or cardinality(debits) <> cardinality(amounts)
    or exists (select from unnest(debits, credits, amounts) t(d, c, x)
                where d >> 32 is distinct from c >> 32 or d >> 42 <> tenant or x <= 0 or x is null)
union all
select 'two people', payment, version, 0, 0, 0 from fresh f
 where state >= {MANUAL_FROM} and state <> all($4::int[]) and not exists (
   select from proposal p where p.id = f.payment and p.tenant = f.tenant
      and p.decided_by <> p.made_by and p.state <> 'rejected')  -- a cancelled withdrawal failed
union all
select 'path', f.payment, f.version - 1, 0, 0, 0 from fresh f join odd o on o.payment = f.payment
 where f.version > 1 and not exists (
   select from {partition} j where j.payment = f.payment and j.version = f.version - 1)
union all
select 'path', payment, coalesce(stands_at, 0), 0, version, coalesce(stands_at, 0) from ends
 where stands_at is distinct from version or stands_in is distinct from state
union all
select 'move', payment, version, 0, before, state from moved
 where before = any($6::int[]) and state = any($6::int[])
   and (before << 16 | state) <> all($5::int[])
order by 2, 3"""


def _sums(tails: list[Chain]) -> str:
    return f"""
with fresh as materialized ({unsealed_rows(tails)}),
legs as materialized ({LEGS}),
booked as (
  select account, sum(minor)::bigint as minor from (
    select account, minor from audit_sum where tenant = $1
    union all select account, minor from legs where account is not null) b group by account),
standing as materialized (
  select payment, account, sum(minor)::bigint as minor from (
    select payment, account, minor from audit_position where tenant = $1
    union all {STANDING_LEGS}) s group by 1, 2 having sum(minor) <> 0),
known as materialized (
  select s.*, s.account >> 24 & 255 as kind, s.account & 16777215 as operator, p.live,
         p.due is null and p.live is null as at_rest, {_LIVE} as in_kind, a.operator as at_operator
    from standing s
    left join lateral (select due, live from payment p
                        where p.id = s.payment and p.tenant = $1 limit 1) p on true
    left join lateral (select direction, operator from attempt a
                        where a.id = p.live limit 1) a on true)
select 'balance' as law, null::uuid as payment, 0 as version,
       coalesce(b.id, k.account) as account, coalesce(b.amount, 0) as there,
       coalesce(k.minor, 0) as expected
  from booked k full join (select id, amount from balance where id >> 42 = $1) b
    on b.id = k.account
 where coalesce(b.amount, 0) <> coalesce(k.minor, 0)
union all
select 'rest', payment, 0, account, minor, 0 from known where at_rest is not false
union all
select 'standing', payment, 0, account, minor, 0 from known
 where at_rest is false and (minor < 0 or kind in ({_IN_FLIGHT})
   and (kind is distinct from in_kind or operator is distinct from at_operator))
union all
select 'nothing held', p.id, 0, 0, 0, 0 from payment p join attempt a on a.id = p.live
 where p.due is not null and p.tenant = $1 and not exists (
   select from standing s where s.payment = p.id and (s.account >> 24 & 255) = {_LIVE})
order by 1, 2, 4"""

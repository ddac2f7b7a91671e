"""What the auditor asks of Postgres: sealing, adding up, and looking for breaches. Reads only,
save for the auditor's own tables.

Every function runs inside one repeatable-read transaction of the caller's, so balances, payments
and journal are those of one moment.
"""

from typing import Any, NamedTuple

from engine.ledger.chart import Kind
from engine.ledger.corrections import STANDS_FOR_PAYMENTS
from engine.ledger.entries import CORRECTS, MANUAL_FROM, NEEDS_NOBODY
from engine.ports import Direction

FOREVER_MS = 2**62
SUSPECTS_MAX = 50
"""So many guilty rows are named one by one; of more, people need the number first."""


class Chain(NamedTuple):
    """One partition of the journal and the last block sealed in it (number 0: none yet)."""

    partition: str
    number: int
    sealed_ms: int
    hash: bytes


class Sealed(NamedTuple):
    """What a stretch of the journal holds: how many rows, and the digest over all of them."""

    entries: int
    digest: bytes


class Block(NamedTuple):
    """A sealed stretch as it is kept."""

    partition: str
    number: int
    from_ms: int
    to_ms: int
    entries: int
    digest: bytes
    hash: bytes
    snapshot: str
    previous: bytes | None


class Breach(NamedTuple):
    """A row that a query found guilty; `payment` is 32 hex digits, `version` 0 for all of it."""

    law: str
    payment: str
    version: int
    account: int
    there: int
    expected: int


async def chains(connection: Any, tenant: int) -> list[Chain]:
    """Every partition of the journal, oldest first."""
    rows = await connection.fetch(
        "select c.relname, b.number, b.to_ms, b.hash from pg_inherits i"
        " join pg_class c on c.oid = i.inhrelid"
        " left join lateral (select number, to_ms, hash from audit_block where tenant = $1"
        "   and partition = c.relname order by number desc limit 1) b on true"
        " where i.inhparent = 'journal'::regclass order by c.relname",
        tenant,
    )
    return [Chain(r["relname"], r["number"] or 0, r["to_ms"] or 0, r["hash"] or b"") for r in rows]


def payments_of(partition: str) -> str:
    """The payments whose rows a partition of the journal holds (`ensure_month`)."""
    return partition.replace("journal", "payment", 1)


async def seconds_to_seal(
    connection: Any, tenant: int, chain: Chain, until_ms: int
) -> list[tuple[int, int]]:
    """(second, rows) of what is not sealed yet and older than `until_ms`."""
    rows = await connection.fetch(
        f"select at_ms / 1000 as second, count(*) as entries from {chain.partition}"
        " where tenant = $1 and at_ms >= $2 and at_ms < $3 group by 1 order by 1",
        tenant, chain.sealed_ms, until_ms,
    )  # fmt: skip
    return [(row["second"], row["entries"]) for row in rows]


async def seal(connection: Any, tenant: int, partition: str, *, from_ms: int, to_ms: int) -> Sealed:
    """Add a stretch to the kept sums and positions, and digest it."""
    row = await connection.fetchrow(
        f"""with fresh as materialized ({_rows(partition)}),
             legs as materialized ({_LEGS}),
             {_KEEP}
             select count(*) as entries, {_DIGEST} as digest from fresh""",
        tenant, from_ms, to_ms, _STANDING,
    )  # fmt: skip
    await _forget_closed(connection, tenant)
    return Sealed(row["entries"], row["digest"])


async def add_block(
    connection: Any, tenant: int, block: Chain, *, from_ms: int, sealed: Sealed, now_ms: int
) -> None:
    """Chain a block. Raises UniqueViolationError when another auditor was faster."""
    await connection.execute(
        "insert into audit_block (tenant, partition, number, from_ms, to_ms, entries, digest,"
        " hash, snapshot, checked_ms)"
        " values ($1, $2, $3, $4, $5, $6, $7, $8, pg_current_snapshot()::text, $9)",
        tenant, block.partition, block.number, from_ms, block.sealed_ms, sealed.entries,
        sealed.digest, block.hash, now_ms,
    )  # fmt: skip


async def broken_entries(
    connection: Any, tenant: int, partition: str, *, from_ms: int, to_ms: int
) -> list[Breach]:
    """Rows that are no balanced entry, needed two people, or do not fit a payment's path."""
    rows = await connection.fetch(
        _breaches(partition),
        tenant, from_ms, to_ms, [int(s) for s in NEEDS_NOBODY],
    )  # fmt: skip
    return [_breach(row) for row in rows]


async def broken_sums(connection: Any, tenant: int, tails: list[Chain]) -> list[Breach]:
    """Balances that are not what the journal adds up to, and money that stands where it must not.

    `tails` says from where on each partition is not sealed.
    """
    rows = await connection.fetch(
        _sums(tails),
        tenant, [chain.sealed_ms for chain in tails], FOREVER_MS, _STANDING,
    )  # fmt: skip
    return [_breach(row) for row in rows]


async def oldest_checked(connection: Any, tenant: int, most: int) -> list[Block]:
    """The blocks that were compared with the journal longest ago."""
    return await _blocks(connection, "order by b.checked_ms, b.partition, b.number limit $2",
                         tenant, most)  # fmt: skip


async def newest_blocks(connection: Any, tenant: int, most: int) -> list[Block]:
    """The blocks that were sealed last, over all partitions."""
    return await _blocks(connection, "order by b.to_ms desc limit $2", tenant, most)


async def _blocks(connection: Any, order: str, *arguments: object) -> list[Block]:
    rows = await connection.fetch(
        "select b.partition, b.number, b.from_ms, b.to_ms, b.entries, b.digest, b.hash,"
        " b.snapshot, p.hash as previous from audit_block b left join audit_block p"
        " on p.tenant = b.tenant and p.partition = b.partition and p.number = b.number - 1"
        f" where b.tenant = $1 {order}",
        *arguments,
    )
    return [Block(*row) for row in rows]


async def partitions(connection: Any) -> set[str]:
    """The names of the journal's partitions."""
    rows = await connection.fetch(
        "select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid"
        " where i.inhparent = 'journal'::regclass"
    )
    return {row["relname"] for row in rows}


async def digest_again(connection: Any, tenant: int, block: Block) -> Sealed:
    """What a block's stretch holds today, without rows that were told of as late."""
    row = await connection.fetchrow(
        f"with fresh as materialized ({_rows(block.partition, also=_NOT_LATE)})"
        f" select count(*) as entries, {_DIGEST} as digest from fresh",
        tenant, block.from_ms, block.to_ms,
    )  # fmt: skip
    return Sealed(row["entries"], row["digest"])


async def digest_of_the_old(connection: Any, tenant: int, block: Block) -> Sealed:
    """The same of those rows alone that nobody has written since it was sealed."""
    also = f"{_NOT_LATE} and {_SEEN_BY.format(snapshot='$4')}"
    row = await connection.fetchrow(
        f"with fresh as materialized ({_rows(block.partition, also=also)})"
        f" select count(*) as entries, {_DIGEST} as digest from fresh",
        tenant, block.from_ms, block.to_ms, block.snapshot,
    )  # fmt: skip
    return Sealed(row["entries"], row["digest"])


async def written_since(connection: Any, tenant: int, block: Block) -> list[tuple[str, int]]:
    """(payment, version) of a block's rows that were written after it was sealed.

    Postgres tells by the transaction that wrote them; after a restore from a dump it would name
    every row, so only a block whose digest is wrong already is asked.
    """
    rows = await connection.fetch(
        f"select payment, version from {block.partition} j where tenant = $1 and at_ms >= $2"
        f" and at_ms < $3 and {_NOT_LATE} and not {_SEEN_BY.format(snapshot='$4')}"
        " order by payment, version",
        tenant, block.from_ms, block.to_ms, block.snapshot,
    )  # fmt: skip
    return [(row["payment"].hex, row["version"]) for row in rows]


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


async def adopt(
    connection: Any, tenant: int, block: Block, late: list[tuple[str, int]], now_ms: int
) -> None:
    """Count rows that appeared after their block was sealed, and keep their digests."""
    await connection.execute(
        f"""with told as materialized (select * from unnest($5::uuid[], $6::int[])),
             fresh as materialized (
               {_rows(block.partition, also="(payment, version) in (select * from told)")}),
             legs as materialized ({_LEGS}),
             {_KEEP}
             insert into audit_late (payment, version, tenant, partition, digest, found_ms)
             select payment, version, tenant, $7, {_ROW_DIGEST}, $8 from fresh""",
        tenant, block.from_ms, block.to_ms, _STANDING, [p for p, _ in late],
        [v for _, v in late], block.partition, now_ms,
    )  # fmt: skip
    await _forget_closed(connection, tenant)


async def changed_late(connection: Any, tenant: int, block: Block) -> list[tuple[str, int]]:
    """(payment, version) of adopted rows of a block that are not what they were, or gone."""
    rows = await connection.fetch(
        f"""select l.payment, l.version from audit_late l
              left join lateral (
                select {_ROW_DIGEST} as now_ from {block.partition}
                 where payment = l.payment and version = l.version) j on true
             where l.tenant = $1 and l.partition = $2 and l.digest is distinct from j.now_
             order by 1, 2 limit $3""",
        tenant, block.partition, SUSPECTS_MAX,
    )  # fmt: skip
    return [(row["payment"].hex, row["version"]) for row in rows]


async def mark_checked(connection: Any, tenant: int, block: Block, now_ms: int) -> None:
    """It was compared with the journal, whatever came of it."""
    await connection.execute(
        "update audit_block set checked_ms = $4 where tenant = $1 and partition = $2"
        " and number = $3",
        tenant, block.partition, block.number, now_ms,
    )  # fmt: skip


async def open_case(
    connection: Any, tenant: int, *, payment: str, hash_: str, detail: str, now_ms: int
) -> bool:
    """Whether the case is new: the same breach is told of once."""
    row = await connection.fetchval(
        "insert into case_file (payment, kind, hash, tenant, opened_ms, detail)"
        " values ($1, 'AUDIT', $2, $3, $4, $5) on conflict do nothing returning true",
        payment, hash_, tenant, now_ms, detail,
    )  # fmt: skip
    return bool(row)


async def _forget_closed(connection: Any, tenant: int) -> None:
    await connection.execute("delete from audit_position where tenant = $1 and minor = 0", tenant)


def _breach(row: Any) -> Breach:
    payment = row["payment"].hex if row["payment"] is not None else f"{row['account']:032x}"
    return Breach(
        row["law"], payment, row["version"], row["account"], row["there"], row["expected"]
    )


# Pieces of SQL. $1 tenant, $2 and $3 a stretch of time, $4 the kinds that stand for payments.

_STANDING = sorted(int(kind) for kind in STANDS_FOR_PAYMENTS)

# A correction speaks of another payment and is counted to that one. The text is not parsed as
# JSON: whoever forges a row must not be able to stop the auditor.
_ABOUT = (
    f"case when state in ({', '.join(str(int(s)) for s in sorted(CORRECTS))})"
    """ then coalesce(substring(facts from '^\\{"about":"([0-9a-f]{32})"')::uuid, payment)"""
    " else payment end"
)
_COLUMNS = "payment, version, tenant, state, at_ms, debits, credits, amounts, facts"
_ROW_DIGEST = f"sha256(record_send(row({_COLUMNS})))"
_DIGEST = f"sha256(coalesce(string_agg({_ROW_DIGEST}, ''::bytea order by payment, version), ''))"
_LEGS = f"""
  select {_ABOUT} as about, unnest(debits) as account, -unnest(amounts) as minor from fresh
  union all select {_ABOUT}, unnest(credits), unnest(amounts) from fresh"""
_STANDING_LEGS = """
  select about as payment, account, sum(minor)::bigint as minor from legs
   where (account >> 24 & 255) = any($4::int[]) group by 1, 2 having sum(minor) <> 0"""
_KEEP = f"""
  summed as (
    insert into audit_sum (account, tenant, minor)
      select account, $1, sum(minor)::bigint from legs
       where account is not null and minor is not null group by account
    on conflict (account) do update set minor = audit_sum.minor + excluded.minor),
  stood as (
    insert into audit_position (tenant, payment, account, minor)
      select $1, payment, account, minor from ({_STANDING_LEGS}) s
    on conflict (payment, account) do update set minor = audit_position.minor + excluded.minor)"""
_NOT_LATE = (
    "not exists (select from audit_late l where l.payment = j.payment and l.version = j.version)"
)
# A row's transaction id is 32 bits of 64; the upper half is that of the newest transaction, or
# one less. Whether a snapshot saw it tells whether the row was there when the block was sealed.
_SEEN_BY = """pg_visible_in_snapshot((
    (pg_snapshot_xmax(pg_current_snapshot())::text::bigint >> 32 << 32 | j.xmin::text::bigint)
    - case when j.xmin::text::bigint
             > (pg_snapshot_xmax(pg_current_snapshot())::text::bigint & 4294967295)
           then 4294967296 else 0 end)::text::xid8, {snapshot}::text::pg_snapshot)"""


def _rows(partition: str, *, also: str = "true") -> str:
    return (
        f"select {_COLUMNS} from {partition} j"
        f" where tenant = $1 and at_ms >= $2 and at_ms < $3 and {also}"
    )


def _tails(chains_: list[Chain]) -> str:
    return " union all ".join(
        f"select {_COLUMNS} from {chain.partition}"
        f" where tenant = $1 and at_ms >= ($2::bigint[])[{n}] and at_ms < $3"
        for n, chain in enumerate(chains_, 1)
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
with fresh as materialized ({_rows(partition)}),
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
order by 2, 3"""


def _sums(tails: list[Chain]) -> str:
    return f"""
with fresh as materialized ({_tails(tails)}),
legs as materialized ({_LEGS}),
booked as (
  select account, sum(minor)::bigint as minor from (
    select account, minor from audit_sum where tenant = $1
    union all select account, minor from legs where account is not null) b group by account),
standing as materialized (
  select payment, account, sum(minor)::bigint as minor from (
    select payment, account, minor from audit_position where tenant = $1
    union all {_STANDING_LEGS}) s group by 1, 2 having sum(minor) <> 0),
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

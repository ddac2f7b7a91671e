"""What the auditor asks about blocks: sealing them, comparing them with the journal. Reads only,
save for the auditor's own tables.

Every function runs inside one repeatable-read transaction of the caller's, so balances, payments
and journal are those of one moment.
"""

from typing import Any, NamedTuple

from engine.ledger.audit_rows import (
    COLUMNS,
    LEGS,
    STANDING_KINDS,
    STANDING_LEGS,
    SUSPECTS_MAX,
    Chain,
    rows_of,
)


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
        f"""with fresh as materialized ({rows_of(partition)}),
             legs as materialized ({LEGS}),
             {_KEEP}
             select count(*) as entries, {_DIGEST} as digest from fresh""",
        tenant, from_ms, to_ms, STANDING_KINDS,
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
        f"with fresh as materialized ({rows_of(block.partition, also=_NOT_LATE)})"
        f" select count(*) as entries, {_DIGEST} as digest from fresh",
        tenant, block.from_ms, block.to_ms,
    )  # fmt: skip
    return Sealed(row["entries"], row["digest"])


async def digest_of_the_old(connection: Any, tenant: int, block: Block) -> Sealed:
    """The same of those rows alone that nobody has written since it was sealed."""
    also = f"{_NOT_LATE} and {_SEEN_BY.format(snapshot='$4')}"
    row = await connection.fetchrow(
        f"with fresh as materialized ({rows_of(block.partition, also=also)})"
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


async def adopt(
    connection: Any, tenant: int, block: Block, late: list[tuple[str, int]], now_ms: int
) -> None:
    """Count rows that appeared after their block was sealed, and keep their digests."""
    await connection.execute(
        f"""with told as materialized (select * from unnest($5::uuid[], $6::int[])),
             fresh as materialized (
               {rows_of(block.partition, also="(payment, version) in (select * from told)")}),
             legs as materialized ({LEGS}),
             {_KEEP}
             insert into audit_late (payment, version, tenant, partition, digest, found_ms)
             select payment, version, tenant, $7, {_ROW_DIGEST}, $8 from fresh""",
        tenant, block.from_ms, block.to_ms, STANDING_KINDS, [p for p, _ in late],
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


_ROW_DIGEST = f"sha256(record_send(row({COLUMNS})))"
_DIGEST = f"sha256(coalesce(string_agg({_ROW_DIGEST}, ''::bytea order by payment, version), ''))"
_KEEP = f"""
  summed as (
    insert into audit_sum (account, tenant, minor)
      select account, $1, sum(minor)::bigint from legs
       where account is not null and minor is not null group by account
    on conflict (account) do update set minor = audit_sum.minor + excluded.minor),
  stood as (
    insert into audit_position (tenant, payment, account, minor)
      select $1, payment, account, minor from ({STANDING_LEGS}) s
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

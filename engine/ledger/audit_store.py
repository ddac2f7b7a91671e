"""What the auditor asks about blocks: sealing them, comparing them with the journal. Reads only,
save for the auditor's own tables.

Every function runs inside one repeatable-read transaction of the caller's, so balances, payments
and journal are those of one moment.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from engine.errors import OurFault
from engine.ledger.audit_rows import (
    LEGS,
    ROW_BUT_FACTS,
    ROW_DIGEST,
    STANDING_KINDS,
    STANDING_LEGS,
    SUSPECTS_MAX,
    WAS_SEALED_LATER,
    Chain,
    digest_of,
    rows_of,
)


class Sealed(NamedTuple):
    """What a stretch of the journal holds: how many rows, and the digest over all of them."""

    entries: int
    digest: bytes


AsWritten = Callable[[str, str], str]
"""Facts and payment to the facts as that row was first written. Raises OurFault where it cannot."""


class Opened(NamedTuple):
    """Rows whose numbers were sealed after they were written, with the digests they had before.

    `unreadable`: they do not open, and count with what stands there now.
    """

    payments: list[str] = []  # noqa: RUF012 - of a tuple, and never changed
    versions: list[int] = []  # noqa: RUF012
    digests: list[bytes] = []  # noqa: RUF012
    unreadable: list[tuple[str, int]] = []  # noqa: RUF012

    @property
    def columns(self) -> tuple[list[str], list[int], list[bytes]]:
        """As the statements take them."""
        return self.payments, self.versions, self.digests


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


async def opened(
    connection: Any, tenant: int, partition: str, as_written: AsWritten, *, from_ms: int, to_ms: int
) -> Opened:
    """The rows of a stretch that were sealed later. What they hold leaves this process no more."""
    rows = rows_of(partition, also=WAS_SEALED_LATER)
    return await _opened(connection, as_written, rows, tenant, from_ms, to_ms)


async def _opened(connection: Any, as_written: AsWritten, rows: str, *given: object) -> Opened:
    told = Opened([], [], [], [])
    asked = f"select payment, version, {ROW_BUT_FACTS} as rest, facts from ({rows}) r"
    async for row in connection.cursor(asked, *given, prefetch=_OPENED_AT_ONCE):
        payment, version = row["payment"].hex, row["version"]
        try:
            facts = as_written(row["facts"], payment)
        except (OurFault, ValueError):  # whoever forges a row must not stop the auditor
            told.unreadable.append((payment, version))
            continue
        told.payments.append(payment)
        told.versions.append(version)
        told.digests.append(digest_of(row["rest"], facts))
    return told


_OPENED_AT_ONCE = 500


async def seal(
    connection: Any, tenant: int, partition: str, opened: Opened, *, from_ms: int, to_ms: int
) -> Sealed:
    """Add a stretch to the kept sums and positions, and digest it."""
    row = await connection.fetchrow(
        f"""with fresh as materialized ({rows_of(partition)}),
             legs as materialized ({LEGS}),
             {_KEEP}
             select count(*) as entries, {_DIGEST} as digest from {_fresh_and_opened(5)}""",
        tenant, from_ms, to_ms, STANDING_KINDS, *opened.columns,
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


async def digest_again(connection: Any, tenant: int, block: Block, opened: Opened) -> Sealed:
    """What a block's stretch holds today, without rows that were told of as late."""
    row = await connection.fetchrow(
        f"with fresh as materialized ({rows_of(block.partition, also=_NOT_LATE)})"
        f" select count(*) as entries, {_DIGEST} as digest from {_fresh_and_opened(4)}",
        tenant, block.from_ms, block.to_ms, *opened.columns,
    )  # fmt: skip
    return Sealed(row["entries"], row["digest"])


async def digest_of_the_old(connection: Any, tenant: int, block: Block, opened: Opened) -> Sealed:
    """The same of those rows alone that nobody has written since it was sealed, but to seal their
    numbers.
    """
    also = f"{_NOT_LATE} and ({WAS_SEALED_LATER} or {_SEEN_BY.format(snapshot='$4')})"
    row = await connection.fetchrow(
        f"with fresh as materialized ({rows_of(block.partition, also=also)})"
        f" select count(*) as entries, {_DIGEST} as digest from {_fresh_and_opened(5)}",
        tenant, block.from_ms, block.to_ms, block.snapshot, *opened.columns,
    )  # fmt: skip
    return Sealed(row["entries"], row["digest"])


async def written_since(
    connection: Any, tenant: int, block: Block, *, also_sealed_later: bool
) -> list[tuple[str, int]]:
    """(payment, version) of a block's rows that were written after it was sealed.

    Postgres tells by the transaction that wrote them; after a restore from a dump it would name
    every row, so only a block whose digest is wrong already is asked.
    """
    also = "" if also_sealed_later else f" and not {WAS_SEALED_LATER}"
    rows = await connection.fetch(
        f"select payment, version from {block.partition} j where tenant = $1 and at_ms >= $2"
        f" and at_ms < $3 and {_NOT_LATE} and not {_SEEN_BY.format(snapshot='$4')}{also}"
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
             select payment, version, tenant, $7, {ROW_DIGEST}, $8 from fresh""",
        tenant, block.from_ms, block.to_ms, STANDING_KINDS, [p for p, _ in late],
        [v for _, v in late], block.partition, now_ms,
    )  # fmt: skip
    await _forget_closed(connection, tenant)


async def changed_late(
    connection: Any, tenant: int, block: Block, as_written: AsWritten
) -> list[tuple[str, int]]:
    """(payment, version) of adopted rows of a block that are not what they were, or gone."""
    late = (
        f"select j.* from audit_late l join {block.partition} j using (payment, version)"
        f" where l.tenant = $1 and l.partition = $2 and {WAS_SEALED_LATER}"
    )
    opened = await _opened(connection, as_written, late, tenant, block.partition)
    rows = await connection.fetch(
        f"""select l.payment, l.version from audit_late l
              left join unnest($4::uuid[], $5::int[], $6::bytea[]) o(payment, version, digest)
                using (payment, version)
              left join lateral (
                select coalesce(o.digest, {ROW_DIGEST}) as now_ from {block.partition}
                 where payment = l.payment and version = l.version) j on true
             where l.tenant = $1 and l.partition = $2 and l.digest is distinct from j.now_
             order by 1, 2 limit $3""",
        tenant, block.partition, SUSPECTS_MAX, *opened.columns,
    )  # fmt: skip
    return [(row["payment"].hex, row["version"]) for row in rows]


async def see_anew(connection: Any, tenant: int, block: Block) -> None:
    """All rows of a block that are there this moment are right: only what is written to it from
    now on is to be named. The hashes say what they said.
    """
    await connection.execute(
        "update audit_block set snapshot = pg_current_snapshot()::text where tenant = $1"
        " and partition = $2 and number = $3",
        tenant, block.partition, block.number,
    )  # fmt: skip


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


async def open_case_again(
    connection: Any, tenant: int, *, payment: str, hash_: str, detail: str, now_ms: int
) -> bool:
    """The same of what stands in the books today: also a day after people closed a case of it.

    `hash_` is of the breach and the day.
    """
    row = await connection.fetchval(
        "insert into case_file (payment, kind, hash, tenant, opened_ms, detail)"
        " select $1::uuid, 'AUDIT', $2::uuid, $3::int, $4::bigint, $5::text where not exists ("
        "   select from case_file where payment = $1 and kind = 'AUDIT' and tenant = $3"
        "      and detail = $5 and (closed_ms is null or closed_ms > $4 - 86400000))"
        " on conflict do nothing returning true",
        payment, hash_, tenant, now_ms, detail,
    )  # fmt: skip
    return bool(row)


async def _forget_closed(connection: Any, tenant: int) -> None:
    await connection.execute("delete from audit_position where tenant = $1 and minor = 0", tenant)


def _fresh_and_opened(n: int) -> str:
    """`fresh` with the digests of before beside its rows, `Opened.columns` from $n on."""
    return (
        f"fresh left join unnest(${n}::uuid[], ${n + 1}::int[], ${n + 2}::bytea[])"
        " o(payment, version, before) using (payment, version)"
    )


_DIGEST = (
    f"sha256(coalesce(string_agg(coalesce(before, {ROW_DIGEST}), ''::bytea"
    " order by payment, version), ''))"
)
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

"""The auditor: adds the books up again while they are written, and calls somebody when they do
not agree. It corrects nothing, and knows no payment's states: only the laws that rows must keep.

Sealed stretches of the journal are summed and hashed once; a sweep reads only what came since.
Why it is built so: `decisions/0002-an-auditor-that-seals.md`.
"""

import hashlib
import logging
from bisect import bisect_right
from collections.abc import Iterable
from itertools import accumulate
from typing import Any, NamedTuple

import asyncpg
import msgspec

from engine.clock import DAY_MS, Clock
from engine.ledger import audit_store as store
from engine.ledger import breach_store
from engine.ledger.audit_rows import FOREVER_MS, Chain
from engine.ledger.audit_store import AsWritten, Block, Opened, Sealed
from engine.ledger.breach_store import Differing, Moves
from engine.ledger.fence import Fence
from engine.ledger.findings import (
    OF_TODAY,
    Finding,
    Law,
    digest_of,
    finding_of,
    of_block,
    of_row,
    of_rows,
)

log = logging.getLogger(__name__)

TRIES_MAX = 5
_UNREADABLE = "was sealed later and does not open"
# Sorting a block in memory halves its price; without statistics of a new month Postgres would
# read all of it; and compiling these statements costs more than it saves.
_PLANNING = "set local work_mem = '64MB'; set local enable_seqscan = off; set local jit = off"


class Pace(msgspec.Struct, frozen=True):
    """How the auditor goes about it. `lag`: what is younger is not sealed, so that the clocks of
    processes may differ a little, and commits date their rows by them.
    """

    lag_seconds: int = 10
    block_seconds: int = 10
    block_entries: int = 100_000
    blocks_sealed_most: int = 100
    blocks_checked_most: int = 20
    entries_checked_most: int = 50_000


class Report(NamedTuple):
    """What a sweep did and found. `behind`: there is more to seal, so nothing was added up yet."""

    sealed: int
    checked: int
    findings: tuple[Finding, ...]
    behind: bool


class Auditor:
    """Audits the books of one tenant. Any number may run: whoever is second does it later."""

    def __init__(
        self,
        pool: Any,
        tenant: int,
        operators: dict[int, str],
        clock: Clock,
        pace: Pace,
        as_written: AsWritten,
        differing: Differing,
        moves: Moves = frozenset(),
    ) -> None:
        """`operators` maps the codes in account numbers to names; `as_written` gives facts back as
        they were before their numbers were sealed (`decisions/0003-what-was-sealed-later.md`);
        `differing` compares rows with what two people agreed on (`decisions/0009-...`); `moves` are
        those that payments may make, none of which is judged where they are not told.
        """
        self._pool = pool
        self._tenant = tenant
        self._operators = dict(operators)
        self._clock = clock
        self._pace = pace
        self._as_written = as_written
        self._differing = differing
        self._moves = moves
        self._fence = Fence(tenant)

    async def sweep(self) -> int:
        """One round, for the worker. Blocks sealed; as many as may be when there is more to do."""
        report = await self.audit()
        return report.sealed if report.behind else 0

    async def audit(self) -> Report:
        """Seal what is old enough, add up what came since, and compare some old blocks.

        Opens a case for every new breach. Safe to repeat; of two at once, one does it again.
        Raises SerializationError when others were faster `TRIES_MAX` times.
        """
        report, new = await self._in_one_moment_at_last()
        for finding in new:
            log.error("case AUDIT %s: %s", finding.law, finding.detail)
        return report

    async def audit_all(self) -> Report:
        """The same until nothing is left to seal, and every block compared once."""
        sealed, checked, findings = 0, 0, dict[str, Finding]()
        started_ms = self._now_ms()
        while True:
            report = await self.audit()
            sealed, checked = sealed + report.sealed, checked + report.checked
            findings.update({f.hash: f for f in report.findings})
            if not report.behind and not await self._unchecked_since(started_ms):
                return Report(sealed, checked, tuple(findings.values()), behind=False)

    async def heads(self) -> dict[str, str]:
        """The last hash of each partition's chain: kept elsewhere, it proves all before it."""
        async with self._pool.acquire() as connection:
            chains = await store.chains(connection, self._tenant)
        return {chain.partition: chain.hash.hex() for chain in chains if chain.number}

    async def _in_one_moment_at_last(self) -> tuple[Report, list[Finding]]:
        for _ in range(TRIES_MAX - 1):
            try:
                return await self._in_one_moment()
            except (asyncpg.SerializationError, asyncpg.UniqueViolationError):
                log.info("another auditor was faster; once more")
        return await self._in_one_moment()

    async def _in_one_moment(self) -> tuple[Report, list[Finding]]:
        async with self._pool.acquire() as connection:
            until_ms = self._now_ms() - self._pace.lag_seconds * 1000
            until_ms = await self._fence.move(connection, until_ms)
            moment = connection.transaction(isolation="repeatable_read")
            async with moment:
                await connection.execute(_PLANNING)
                report = await self._look(connection, until_ms)
                new = [f for f in report.findings if await self._told(connection, f)]
        return report, new

    async def _look(self, connection: Any, until_ms: int) -> Report:
        before = await store.chains(connection, self._tenant)
        after, sealed, behind = [], 0, False
        findings: list[Finding] = []
        for chain in before:
            room = self._pace.blocks_sealed_most - sealed
            ahead, blocks, more, unreadable = await self._seal(connection, chain, until_ms, room)
            findings += [of_row(Law.CHANGED, row, _UNREADABLE) for row in unreadable]
            # Looked at before it is forgotten: what is sealed now, and what is not sealed yet.
            to_ms = ahead.sealed_ms if more else FOREVER_MS
            findings += await self._rows(connection, chain, to_ms)
            after.append(ahead)
            sealed, behind = sealed + blocks, behind or more
        oldest = self._affordable(
            await store.oldest_checked(connection, self._tenant, self._pace.blocks_checked_most)
        )
        findings += await self._compare(connection, oldest)
        if not behind and after:
            findings += await self._sums(connection, after)
        return Report(sealed, len(oldest), tuple(dict.fromkeys(findings)), behind)

    # Sealing.

    async def _seal(
        self, connection: Any, chain: Chain, until_ms: int, room: int
    ) -> tuple[Chain, int, bool, list[tuple[str, int]]]:
        """The chain as it is now, how many blocks were sealed, whether more could be, and rows
        that nobody can read.
        """
        if until_ms <= chain.sealed_ms:
            return chain, 0, False, []
        seconds = await store.seconds_to_seal(connection, self._tenant, chain, until_ms)
        edges = self._edges(seconds, until_ms)
        unreadable: list[tuple[str, int]] = []
        for to_ms in edges[:room]:
            opened = await self._opened(connection, chain.partition, chain.sealed_ms, to_ms)
            chain = await self._seal_block(connection, chain, to_ms, opened)
            unreadable += opened.unreadable
        return chain, min(len(edges), room), len(edges) > room, unreadable

    def _edges(self, seconds: list[tuple[int, int]], until_ms: int) -> list[int]:
        """Where blocks end: after enough rows, or when the oldest row has waited long enough."""
        edges: list[int] = []
        entries = 0
        for n, (second, count) in enumerate(seconds):
            entries += count
            last = n == len(seconds) - 1
            if entries >= self._pace.block_entries and not last:
                edges.append((second + 1) * 1000)
                entries = 0
        if not seconds:
            return []
        waited_ms = until_ms - seconds[0][0] * 1000
        if edges or waited_ms >= self._pace.block_seconds * 1000:
            edges.append(until_ms)
        return edges

    async def _opened(self, connection: Any, partition: str, from_ms: int, to_ms: int) -> Opened:
        return await store.opened(
            connection, self._tenant, partition, self._as_written, from_ms=from_ms, to_ms=to_ms
        )

    async def _seal_block(self, connection: Any, chain: Chain, to_ms: int, opened: Opened) -> Chain:
        sealed = await store.seal(
            connection, self._tenant, chain.partition, opened, from_ms=chain.sealed_ms, to_ms=to_ms
        )
        hash_ = chained(chain.hash, sealed.digest)
        block = Chain(chain.partition, chain.number + 1, to_ms, hash_)
        await store.add_block(
            connection, self._tenant, block, from_ms=chain.sealed_ms, sealed=sealed,
            now_ms=self._now_ms(),
        )  # fmt: skip
        return block

    # Looking.

    async def _rows(self, connection: Any, chain: Chain, to_ms: int) -> list[Finding]:
        broken = await breach_store.broken_entries(
            connection, self._tenant, chain.partition, from_ms=chain.sealed_ms, to_ms=to_ms,
            moves=self._moves,
        )  # fmt: skip
        manual = await breach_store.manual_rows(
            connection, self._tenant, chain.partition, from_ms=chain.sealed_ms, to_ms=to_ms
        )
        other = await self._differing(connection, manual) if manual else []
        told = "is not what two people agreed on"
        return [finding_of(breach, self._operators) for breach in broken] + [
            of_row(Law.AGREED, (row.payment, row.version), f"{told}: {why}") for row, why in other
        ]

    async def _sums(self, connection: Any, tails: list[Chain]) -> list[Finding]:
        """Before a balance is called wrong, look for rows that came later than they should."""
        broken = await breach_store.broken_sums(connection, self._tenant, tails)
        late: list[Finding] = []
        if any(breach.law == Law.BALANCE for breach in broken):
            newest = await store.newest_blocks(
                connection, self._tenant, self._pace.blocks_checked_most
            )
            late = await self._compare(connection, newest)
            if any(finding.law is Law.LATE for finding in late):
                broken = await breach_store.broken_sums(connection, self._tenant, tails)
        return late + [finding_of(breach, self._operators) for breach in broken]

    async def _compare(self, connection: Any, blocks: Iterable[Block]) -> list[Finding]:
        """Sealed stretches with the journal as it is today."""
        findings: list[Finding] = []
        there = await store.partitions(connection)
        for block in blocks:
            if block.partition in there:
                findings += await self._compare_block(connection, block)
            else:
                findings.append(of_block(Law.MISSING, block, "its partition is gone"))
            await store.mark_checked(connection, self._tenant, block, self._now_ms())
        return findings

    async def _compare_block(self, connection: Any, block: Block) -> list[Finding]:
        findings = []
        if block.hash != chained(block.previous or b"", block.digest) or (
            block.number > 1 and block.previous is None
        ):
            findings.append(of_block(Law.CHAIN, block, "does not follow from the one before"))
        opened = await self._opened(connection, block.partition, block.from_ms, block.to_ms)
        findings += [of_row(Law.CHANGED, row, _UNREADABLE) for row in opened.unreadable]
        now = await store.digest_again(connection, self._tenant, block, opened)
        if now != (block.entries, block.digest):
            findings += await self._what_changed(connection, block, now, opened)
        elif opened.payments:
            await store.see_anew(connection, self._tenant, block)
        late = await store.changed_late(connection, self._tenant, block, self._as_written)
        return findings + [of_row(Law.CHANGED, row, "is not what it was") for row in late]

    def _affordable(self, blocks: list[Block]) -> list[Block]:
        """The first of them that hold no more rows than one sweep should read; one at least."""
        entries = list(accumulate(block.entries for block in blocks))
        return blocks[: max(1, bisect_right(entries, self._pace.entries_checked_most))]

    async def _what_changed(
        self, connection: Any, block: Block, now: Sealed, opened: Opened
    ) -> list[Finding]:
        written = await store.written_since(
            connection, self._tenant, block, also_sealed_later=False
        )
        old = await store.digest_of_the_old(connection, self._tenant, block, opened)
        if written and old == (block.entries, block.digest):
            await store.adopt(connection, self._tenant, block, written, self._now_ms())
            return of_rows(Law.LATE, block, written, "appeared")
        written = await store.written_since(connection, self._tenant, block, also_sealed_later=True)
        findings = of_rows(Law.CHANGED, block, written, "was written")
        if now.entries < block.entries or not written:
            missing = await breach_store.gaps(connection, self._tenant, block.partition)
            findings += [of_row(Law.MISSING, row, "is gone from the journal") for row in missing]
        told = f"{now.entries} rows, sealed with {block.entries}; its digest is another"
        return findings or [of_block(Law.CHANGED, block, told)]

    # Telling.

    async def _told(self, connection: Any, finding: Finding) -> bool:
        now_ms, detail = self._now_ms(), f"{finding.law}: {finding.detail}"
        open_case, hash_ = store.open_case, finding.hash
        if finding.law in OF_TODAY:
            open_case, hash_ = store.open_case_again, digest_of(f"{hash_}:{now_ms // DAY_MS}")
        return await open_case(
            connection, self._tenant, payment=finding.payment, hash_=hash_, detail=detail,
            now_ms=now_ms,
        )  # fmt: skip

    async def _unchecked_since(self, started_ms: int) -> bool:
        async with self._pool.acquire() as connection:
            checked = await connection.fetchval(
                "select min(checked_ms) from audit_block where tenant = $1", self._tenant
            )
        return checked is not None and checked < started_ms

    def _now_ms(self) -> int:
        return int(self._clock.epoch() * 1000)


def chained(previous: bytes, digest: bytes) -> bytes:
    """A block's hash: SHA-256 over the hash before it and its own digest."""
    return hashlib.sha256(previous + digest).digest()

"""The log of staff's actions, sealed in blocks: what was changed afterwards is found, by its row.

A block holds a mark of each of its rows and the hash of all blocks before it. Whoever can write to
the database can write blocks as well; the last hash, kept somewhere else, proves everything before
it. It corrects nothing.
"""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple

import asyncpg
import msgspec

from engine.clock import Clock, first_id_at
from engine.staff.actions import OPEN_SECONDS

LAG_SECONDS: Final = 2 * OPEN_SECONDS
"""Rows are sealed when nothing about them can be written any more, wherever its process was."""
ROWS_MOST: Final = 1000
"""Of one block: 8 KB of marks."""
MARK_BYTES: Final = 8
NOTHING_BEFORE: Final = bytes(32)
_NO_ROW: Final = "0" * 32


class Wrong(StrEnum):
    """What is wrong with the log."""

    CHANGED = "changed"  # a row is not what it was when it was sealed
    MISSING = "missing"  # a sealed row is gone
    ADDED = "added"  # a row that was not there when its time was sealed
    BROKEN = "broken"  # a block is not what the ones after it say, or is gone


class Finding(NamedTuple):
    """`row` is 32 hex digits, of a block without any the block's number."""

    wrong: Wrong
    block: int
    row: str


class Verified(NamedTuple):
    """What was compared. `head`, the last block's hash, kept elsewhere proves all before it."""

    blocks: int
    rows: int
    head: str
    findings: tuple[Finding, ...]


class _Block(NamedTuple):
    number: int
    first: str
    last: str
    marks: bytes
    hash: bytes


class Sealing:
    """Seals and verifies the log of one tenant. Any number may run beside each other."""

    def __init__(self, pool: Any, tenant: int, clock: Clock) -> None:
        self._pool = pool
        self._tenant = tenant
        self._clock = clock

    async def sweep(self) -> int:
        """Seal one block of rows that are old enough; how many. Of two at once one does nothing."""
        before = await self._last()
        rows = await self._rows(before.last if before else _NO_ROW, self._sealed_until())
        if not rows:
            return 0
        marks = b"".join(mark_of(row) for row in rows)
        number = before.number + 1 if before else 1
        block = _Block(number, rows[0]["id"].hex, rows[-1]["id"].hex, marks, b"")
        sealed = block._replace(hash=hash_of(before.hash if before else NOTHING_BEFORE, block))
        try:
            await self._pool.execute(
                "insert into staff_action_block (tenant, number, first, last, marks, hash,"
                " sealed_ms) values ($1, $2, $3, $4, $5, $6, $7)",
                self._tenant, sealed.number, sealed.first, sealed.last, sealed.marks, sealed.hash,
                int(self._clock.epoch() * 1000),
            )  # fmt: skip
        except asyncpg.UniqueViolationError:
            return 0
        return len(rows)

    async def verify(self) -> Verified:
        """Compare every sealed row and every block. Changes nothing."""
        findings: list[Finding] = []
        before, after, rows = NOTHING_BEFORE, _NO_ROW, 0
        number = 0
        for block in await self._blocks():
            number += 1
            is_whole = block.number == number and block.hash == hash_of(before, block)
            if not is_whole:
                findings.append(Finding(Wrong.BROKEN, block.number, ""))
            found = await self._rows(after, block.last, most=None)
            findings += _differences(block, found)
            rows += len(found)
            before, after, number = block.hash, block.last, block.number
        return Verified(number, rows, before.hex() if number else "", tuple(findings))

    def _sealed_until(self) -> str:
        moment = datetime.fromtimestamp(self._clock.epoch() - LAG_SECONDS, UTC)
        return first_id_at(moment)

    async def _last(self) -> _Block | None:
        row = await self._pool.fetchrow(
            "select * from staff_action_block where tenant = $1 order by number desc limit 1",
            self._tenant,
        )
        return _block(row) if row is not None else None

    async def _blocks(self) -> list[_Block]:
        rows = await self._pool.fetch(
            "select * from staff_action_block where tenant = $1 order by number", self._tenant
        )
        return [_block(row) for row in rows]

    async def _rows(self, after: str, until: str, most: int | None = ROWS_MOST) -> Sequence[Any]:
        """Behind the one, up to the other, in the order of their ids."""
        rows: Sequence[Any] = await self._pool.fetch(
            "select * from staff_action where tenant = $1 and id > $2 and id <= $3"
            " order by id limit $4",
            self._tenant, after, until, most,
        )  # fmt: skip
        return rows


def mark_of(row: Any) -> bytes:
    """What is kept of one row: the beginning of a hash over all that it says."""
    told = [str(row[name]) if row[name] is not None else None for name in _COLUMNS]
    return hashlib.sha256(msgspec.json.encode(told)).digest()[:MARK_BYTES]


_COLUMNS: Final = (
    "id", "tenant", "who", "session", "what", "subject", "correlation", "outcome", "ended_ms",
)  # fmt: skip


def hash_of(before: bytes, block: _Block) -> bytes:
    """Over the block and, by their hash, all before it."""
    told = f"{block.number} {block.first} {block.last} ".encode()
    return hashlib.sha256(before + told + block.marks).digest()


def _block(row: Any) -> _Block:
    return _Block(row["number"], row["first"].hex, row["last"].hex, row["marks"], row["hash"])


def _differences(block: _Block, rows: Sequence[Any]) -> list[Finding]:
    """By the order of rows: where one is missing or added, marks are found again behind it."""
    marks = [block.marks[at : at + MARK_BYTES] for at in range(0, len(block.marks), MARK_BYTES)]
    found = [(mark_of(row), row["id"].hex) for row in rows]
    sealed, stored = set(marks), {mark for mark, _ in found}
    strange = [row for mark, row in found if mark not in sealed]
    lost = sum(mark not in stored for mark in marks)
    changed, added = strange[:lost], strange[lost:]
    findings = [Finding(Wrong.CHANGED, block.number, row) for row in changed]
    findings += [Finding(Wrong.ADDED, block.number, row) for row in added]
    gone = lost - len(changed)
    return findings + [Finding(Wrong.MISSING, block.number, "")] * gone

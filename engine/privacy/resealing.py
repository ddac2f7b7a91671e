"""Brings stored rows under the keys in force, some hundred at a time, while everybody works.

Every row is written by compare-and-set on what was read, so a change that comes between is never
lost: the row is met again. Nothing is remembered between runs; what is done already is only read.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from engine.privacy.holdings import ALL, HOLDINGS, Aging, Changes, Holding
from engine.privacy.key_store import DATA, KeyStore
from engine.privacy.ring import KeyRing

log = logging.getLogger(__name__)

BATCH = 200
SPAN = 2_000
"""So many rows are looked at in one statement where most are left alone: none runs for long."""
PASSES_MAX = 20


class Walked(NamedTuple):
    """What became of a table's rows: brought up to date, or changed by others meanwhile."""

    table: str
    read: int
    sealed: int
    missed: int


class Resealing:
    """The rows of one tenant. Every method may be repeated, by several processes at once."""

    def __init__(
        self,
        pool: Any,
        tenant: int,
        ring: KeyRing,
        *,
        pause_seconds: float = 0.0,
        also: Sequence[Holding] = (),
    ) -> None:
        """`pause_seconds` is left to others after every batch; `also` is walked as well: what
        stands in other rooms' own forms.
        """
        self._pool = pool
        self._tenant = tenant
        self._ring = ring
        self._pause_seconds = pause_seconds
        self._holdings = (*HOLDINGS, *also)

    async def seal(self, say: Callable[[Walked], None]) -> bool:
        """Walk all tables until nothing is left to be done; False when rows kept on changing."""
        for _ in range(PASSES_MAX):
            left = 0
            for holding in self._holdings:
                walked = await self.walk(holding)
                left += walked.sealed + walked.missed
                say(walked)
            if not left:
                return True
        return False

    async def walk(self, holding: Holding) -> Walked:
        """Every row of a table once, in the order of its key."""
        after: Sequence[Any] | None = None
        read = sealed = missed = 0
        while (edge := await self._edge(holding, after)) is not None:
            rows = await self._rows(holding, after, edge)
            after = edge
            read += len(rows)
            for row in rows:
                changes = holding.renew(Aging(self._ring, self._ring.version, row))
                if changes:
                    done = await self._write(holding, row, changes)
                    sealed, missed = sealed + done, missed + (not done)
            await asyncio.sleep(self._pause_seconds)
        return Walked(holding.table, read, sealed, missed)

    async def retire(self, now_ms: int) -> list[int]:
        """Mark data keys that only the journal's rows are under any more; which those are.

        To be called after `seal` has found nothing left. They stay: the journal is read with them.
        """
        store, current = KeyStore(self._pool, self._tenant), self._ring.version
        retired = [
            key.version
            for key in await store.all()
            if key.purpose == DATA and key.version < current and key.retired_ms is None
        ]
        for version in retired:
            await store.retire(version, now_ms)
        return retired

    async def _edge(self, holding: Holding, after: Sequence[Any] | None) -> list[Any] | None:
        """The key of the last row that is looked at next, wanted or not; None when all were."""
        most = BATCH if holding.only == ALL else SPAN
        key = _key(holding)
        found = await self._pool.fetch(
            f"select {key} from (select {key} from {holding.table} where tenant = $1"
            f"{_beyond(holding, after, 3)} order by {key} limit $2) s"
            f" order by {_backwards(holding)} limit 1",
            self._tenant, most, *(after or ()),
        )  # fmt: skip
        return list(found[0]) if found else None

    async def _rows(
        self, holding: Holding, after: Sequence[Any] | None, edge: Sequence[Any]
    ) -> list[Any]:
        key = _key(holding)
        names = [name for name, _ in holding.key]
        columns = ", ".join(dict.fromkeys([*names, *holding.columns, *holding.beside]))
        only = holding.only.replace("{version}", str(self._ring.version))
        rows: list[Any] = await self._pool.fetch(
            f"select {columns} from {holding.table} where tenant = $1 and {only}"
            f" and ({key}) <= ({_placed(holding, 2)}){_beyond(holding, after, 2 + len(edge))}"
            f" order by {key}",
            self._tenant, *edge, *(after or ()),
        )  # fmt: skip
        return rows

    async def _write(self, holding: Holding, row: Any, changes: Changes) -> bool:
        values: list[Any] = [self._tenant]

        def placed(value: Any, kind: str) -> str:
            values.append(value)
            return f"${len(values)}::{kind}"

        kinds = {
            name: "bytea" if isinstance(new, bytes) else "text" for name, new in changes.items()
        }
        news = ", ".join(f"{name} = {placed(new, kinds[name])}" for name, new in changes.items())
        which = [f"{name} = {placed(row[name], kind)}" for name, kind in holding.key]
        same = [f"{name} is not distinct from {placed(row[name], kinds[name])}" for name in changes]
        done = await self._pool.fetchval(
            f"update {holding.table} set {news} where tenant = $1"
            f" and {' and '.join([*which, *same])} returning true",
            *values,
        )
        return bool(done)


def _key(holding: Holding) -> str:
    return ", ".join(name for name, _ in holding.key)


def _backwards(holding: Holding) -> str:
    return ", ".join(f"{name} desc" for name, _ in holding.key)


def _placed(holding: Holding, first: int) -> str:
    """A key's values as parameters from the first on."""
    return ", ".join(f"${n}::{kind}" for n, (_, kind) in enumerate(holding.key, first))


def _beyond(holding: Holding, after: Sequence[Any] | None, first: int) -> str:
    return "" if after is None else f" and ({_key(holding)}) > ({_placed(holding, first)})"

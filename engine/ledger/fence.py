"""How far history may be sealed: as far as no commit that is under way can still write.

How far is said first, in a row that every commit reads: who has read it dates no row before it. Who
may not have read it is waited for. Why nothing is missed: `decisions/0011`.
"""

import asyncio
import logging
from typing import Any, NamedTuple

log = logging.getLogger(__name__)

WAIT_SECONDS = 1.0
"""So long a sweep waits for commits that are under way; most take hundredths of that."""
LOOK_SECONDS = 0.02
HELD_SECONDS_MAX = 300.0
"""So long a commit that hangs holds the seal: what is not sealed is added up at each sweep."""


class _Said(NamedTuple):
    until_ms: int
    at: float  # of the loop's clock
    before: frozenset[str]  # commits that may not have read it


class Fence:
    """Of one tenant. Any number of processes may move it: each knows for whom it has to wait."""

    def __init__(self, tenant: int) -> None:
        self._tenant = tenant
        self._said: list[_Said] = []
        self._safe_ms = 0
        self._is_told = False

    async def move(self, connection: Any, until_ms: int) -> int:
        """Say that all before `until_ms` is to be sealed, and how much of it may be, in a snapshot
        that is taken from now on. Not inside a transaction. Safe to repeat.
        """
        loop = asyncio.get_running_loop()
        await connection.execute(_SAY, self._tenant, until_ms)
        deadline = loop.time() + WAIT_SECONDS
        under_way = await _commits(connection)
        self._said.append(_Said(until_ms, loop.time(), under_way))
        while not self._said[-1].before.isdisjoint(under_way) and loop.time() < deadline:
            await asyncio.sleep(LOOK_SECONDS)
            under_way = await _commits(connection)
        self._forget_safe(under_way, loop.time())
        return self._safe_ms

    def _forget_safe(self, under_way: frozenset[str], now: float) -> None:
        """Who was waited for by one that was said later was by those before, if still under way."""
        is_held = False
        for number, said in reversed([*enumerate(self._said)]):
            is_free = said.before.isdisjoint(under_way)
            if is_free or now - said.at >= HELD_SECONDS_MAX:
                self._safe_ms = max(self._safe_ms, *(s.until_ms for s in self._said[: number + 1]))
                del self._said[: number + 1]
                is_held = not is_free
                break
        if is_held and not self._is_told:
            log.error(
                "a commit is under way for more than %.0f s, and history is sealed before it ends:"
                " what it writes will be told as late", HELD_SECONDS_MAX,
            )  # fmt: skip
        self._is_told = is_held or (self._is_told and bool(self._said))


async def _commits(connection: Any) -> frozenset[str]:
    return frozenset(await connection.fetchval(_COMMITS))


_SAY = """
insert into audit_fence as f (tenant, until_ms) values ($1, $2)
on conflict (tenant) do update set until_ms = excluded.until_ms
 where f.until_ms < excluded.until_ms"""
# Locks are shown to everybody, unlike what others ask. Whoever has read the fence and writes has
# both; a backup locks every table, and writes nothing.
_COMMITS = """
select coalesce(array_agg(virtualtransaction), '{}') from (
  select virtualtransaction from pg_locks
   where pid is distinct from pg_backend_pid()
     and (locktype = 'transactionid' and mode = 'ExclusiveLock'
          or locktype = 'relation' and relation = 'audit_fence'::regclass
             and database = (select oid from pg_database where datname = current_database()))
   group by virtualtransaction having count(distinct locktype) = 2) c"""

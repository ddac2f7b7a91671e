"""Events read from the journal behind the commit, each stored exactly once with its deliveries.

It moves nothing and sends nothing. Why no row is missed: `decisions/0001`.
"""

import logging
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from engine.clock import Clock, Ids
from engine.hooks.events import EventKind, kinds_of, sequence_of
from engine.payments.facts import read_terms
from engine.payments.lifecycle import State

log = logging.getLogger(__name__)

LATE_MS: Final = 4_000
"""A row is seldom visible later than that after its own time: what a usual reading looks back."""
AGAIN_MS: Final = 300_000
LATE_MS_MAX: Final = 900_000
"""Every few minutes a reading looks back as far as clocks may differ, and statements may hang."""
STEP_MS: Final = 300_000
"""Whoever is far behind reads so much at once."""
KEPT_MS: Final = 30 * 24 * 3_600_000
"""So long are events and deliveries kept."""
_UNREAD_MS: Final = KEPT_MS - 24 * 3_600_000  # what was forgotten is not derived anew


class Reading(NamedTuple):
    """What one reading came to. `is_behind`: there is more to read at once."""

    kept: int
    is_behind: bool


class _Derived(NamedTuple):
    id: str
    payment: str
    sequence: int
    client: str | None
    kind: EventKind
    state: int
    terms: int
    at_ms: int


class JournalReader:
    """Reads for one tenant. Any number may run beside each other: one at a time does."""

    def __init__(self, pool: Any, tenant: int, clock: Clock, ids: Ids) -> None:
        self._pool = pool
        self._tenant = tenant
        self._clock = clock
        self._ids = ids

    async def sweep(self) -> int:
        """Keep what is new, until nothing is behind; how many events. Safe to repeat."""
        kept = 0
        while True:
            reading = await self.read()
            if reading is None:
                return kept
            kept += reading.kept
            if not reading.is_behind:
                return kept

    async def read(self) -> Reading | None:
        """One stretch; None when nobody wants to know, or somebody else is at it."""
        now_ms = int(self._clock.epoch() * 1000)
        async with self._pool.acquire() as connection, connection.transaction():
            if not await connection.fetchval(_TURN, f"hooks {self._tenant}"):
                return None
            since_first_ms = await connection.fetchval(_FIRST, self._tenant)
            if since_first_ms is None:
                return None
            await connection.execute(_PLANNING)
            look = await connection.fetchrow(_LOOK, self._tenant)
            marks = dict(look) if look is not None else _from_the_first(since_first_ms)
            return await self._read(connection, marks, now_ms, since_first_ms)

    async def forget(self) -> int:
        """Drop what is older than it is kept; how many events. What still waits is kept, unless for
        nobody but who was removed."""
        before_ms = int(self._clock.epoch() * 1000) - KEPT_MS
        tag = await self._pool.execute(_FORGET, self._tenant, before_ms)
        return int(tag.rpartition(" ")[2])

    async def _read(
        self, connection: Any, marks: Mapping[str, int], now_ms: int, first_ms: int
    ) -> Reading:
        # Never later than now: the clock of whoever read last may have been ahead of ours.
        looked_ms = min(max(marks["looked_ms"], first_ms), now_ms)
        again_ms = min(marks["again_ms"], now_ms)
        is_behind = now_ms - looked_ms > STEP_MS
        is_again = not is_behind and abs(now_ms - marks["again_ms"]) >= AGAIN_MS
        since_ms = looked_ms - (LATE_MS_MAX if is_behind else LATE_MS)
        if is_again:  # whoever was behind has looked far back at each step
            since_ms = max(again_ms, now_ms - 2 * AGAIN_MS) - LATE_MS_MAX
        until_ms = looked_ms + STEP_MS if is_behind else _FOR_EVER
        rows = await connection.fetch(
            _NEW, self._tenant, since_ms, until_ms, max(first_ms, now_ms - _UNREAD_MS), _STATES
        )
        kept = await self._keep(connection, self._derive(rows), now_ms)
        looked_ms = min(until_ms, now_ms)
        await connection.execute(_MARK, self._tenant, looked_ms, now_ms if is_again else again_ms)
        return Reading(kept, is_behind)

    def _derive(self, rows: list[Any]) -> list[_Derived]:
        """A payment with a step out of a state that newer code made is left to that code whole."""
        strange = {row["payment"] for row in rows if row["before"] not in _STATES}
        for payment in strange:
            log.error("payment %s was written by other code: nobody is told of it", payment.hex)
        found = [
            (row, place, kind)
            for row in rows
            if row["payment"] not in strange
            for place, kind in enumerate(kinds_of(State(row["before"]), State(row["state"])))
        ]
        ids = sorted(self._ids.hex() for _ in found)  # in the order it happened, as it is listed
        return [
            _Derived(
                id_, row["payment"].hex, sequence_of(row["version"], place), _client_of(row), kind,
                row["state"], _terms_at(row), row["at_ms"],
            )
            for id_, (row, place, kind) in zip(ids, found, strict=True)
        ]  # fmt: skip

    async def _keep(self, connection: Any, derived: list[_Derived], now_ms: int) -> int:
        if not derived:
            return 0
        columns = [list(column) for column in zip(*derived, strict=True)]
        kept: int = await connection.fetchval(_KEEP, self._tenant, now_ms, *columns)
        return kept


def _from_the_first(first_ms: int) -> dict[str, int]:
    return {"looked_ms": first_ms, "again_ms": first_ms}


def _client_of(row: Any) -> str | None:
    """Who asked for the payment, as its first row says; None for a dialled one.

    Of terms that newer code wrote nobody can tell: only staff's subscriptions hear of them.
    """
    try:
        return read_terms(row["facts"]).client or None
    except (ValueError, LookupError) as error:
        log.error("payment %s was written by other code: %s", row["payment"].hex, error)
        return None


def _terms_at(row: Any) -> int:
    """The version that held the terms then: those of the creation until people stated others."""
    terms: int = row["terms"]
    return terms if terms <= row["version"] else 1


_FOR_EVER: Final = 2**62
_STATES: Final = [int(state) for state in State]
_TURN: Final = "select pg_try_advisory_xact_lock(hashtextextended($1, 0))"
# As the auditor reads: without statistics of a new month Postgres would read all of it.
_PLANNING: Final = "set local enable_seqscan = off; set local jit = off"
_FIRST: Final = (
    "select min(made_ms) from hook_subscription where tenant = $1 and state <> 'removed'"
)
_LOOK: Final = "select looked_ms, again_ms from hook_look where tenant = $1"
_MARK: Final = (
    "insert into hook_look (tenant, looked_ms, again_ms) values ($1, $2, $3)"
    " on conflict (tenant) do update set looked_ms = excluded.looked_ms,"
    " again_ms = excluded.again_ms"
)
# Of a payment that moved all steps are looked at, so no later one is kept without the earlier.
_NEW: Final = """
with moved as materialized (
  select distinct payment from journal
   where tenant = $1 and at_ms >= $2 and at_ms < $3 and state = any($5::smallint[]))
select j.payment, j.version, j.state, j.at_ms, p.terms, c.facts, coalesce(b.state, 0) as before
  from moved m
  join journal j on j.payment = m.payment and j.tenant = $1 and j.at_ms >= $4
   and j.state = any($5::smallint[])
  join payment p on p.id = j.payment and p.tenant = $1
  join journal c on c.payment = j.payment and c.version = 1
  left join journal b on b.payment = j.payment and b.version = j.version - 1
 where not exists (
   select from hook_event e where e.tenant = $1 and e.payment = j.payment
      and e.sequence >= j.version * 8 and e.sequence < j.version * 8 + 8)
 order by j.at_ms, j.payment, j.version"""
# In turn with removals: what one of them does not see waiting, it would leave waiting for ever.
_KEEP: Final = """
with kept as (
  insert into hook_event (tenant, id, payment, sequence, client, kind, state, terms, at_ms)
  select $1, * from unnest($3::uuid[], $4::uuid[], $5::int[], $6::uuid[], $7::text[],
                           $8::smallint[], $9::int[], $10::bigint[])
  on conflict (tenant, payment, sequence) do nothing
  returning id, payment, sequence, client, kind, at_ms),
addressed as (
  insert into hook_delivery (event, subscription, tenant, payment, sequence, state, made_ms,
                             begun_ms, due_ms)
  select k.id, s.id, $1, k.payment, k.sequence, 1, $2, $2, $2
    from kept k join hook_subscription s on s.tenant = $1 and s.state <> 'removed'
     and (s.client is null or s.client = k.client)
     and (s.events = '{}' or k.kind = any(s.events)) and k.at_ms >= s.made_ms
  for share of s)
select count(*)::int from kept"""
_FORGET: Final = """
with old as (
  delete from hook_event e where e.tenant = $1 and e.at_ms < $2
     and not exists (
       select from hook_delivery d join hook_subscription s on s.id = d.subscription
        where d.event = e.id and d.state = 1 and s.state <> 'removed')
  returning id),
unsent as (delete from hook_delivery d using old where d.event = old.id),
tried as (delete from hook_attempt a using old where a.event = old.id)
select from old"""

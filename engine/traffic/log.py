"""Keeps what operators and we said to each other: some at once and awaited, some in the background.

It refuses to judge a message, and to redact one: whoever hands it over has done so.
"""

import logging
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from engine.clock import Clock, Ids, first_id_at
from engine.gather import Gatherer
from engine.privacy.places import answered_place, asked_place
from engine.privacy.seals import seals_of
from engine.traffic.messages import STRANGE, Fate, Said, Way

log = logging.getLogger(__name__)

WAITING_MAX = 10_000
"""So many messages wait for the database at most; beyond, the oldest are dropped and counted."""

FORGOTTEN_AT_ONCE = 1_000

_INSERT = """
insert into traffic (id, tenant, at_ms, way, operator, operation, attempt, outcome, status, source,
                     elapsed_ms, asked, answered, evidence, times)
select id, $1, at_ms, way, operator, operation, attempt, outcome, nullif(status, -1), source,
       nullif(elapsed_ms, -1), asked, answered, evidence, times
  from unnest((select $2::uuid[]), (select $3::bigint[]), (select $4::smallint[]),
              (select $5::text[]), (select $6::text[]), (select $7::text[]), (select $8::uuid[]),
              (select $9::smallint[]), (select $10::text[]), (select $11::int[]),
              (select $12::text[]), (select $13::text[]), (select $14::uuid[]),
              (select $15::bigint[]))
    as s(id, at_ms, way, operator, operation, outcome, attempt, status, source, elapsed_ms, asked,
         answered, evidence, times)
on conflict do nothing"""


class TrafficLog:
    """The messages of one tenant. One of it for each process."""

    def __init__(
        self, pool: Any, tenant: int, clock: Clock, ids: Ids, *, strange_per_minute: int = 600
    ) -> None:
        """`strange_per_minute`: of what anybody can send, so much is kept, the rest counted."""
        self._pool = pool
        self._tenant = tenant
        self._clock = clock
        self._ids = ids
        self._seals = seals_of(pool)
        self._allowed = strange_per_minute
        self._minute = 0
        self._strange = 0
        self._counted: Counter[tuple[str, str]] = Counter()
        self._counted_since_ms = 0
        self._at_once: Gatherer[tuple[str, Said], bool] = Gatherer(self._store_all)
        self._waiting: deque[tuple[str, Said]] = deque()
        self._dropped = 0

    async def keep(self, said: Said) -> None:
        """Store it now, together with all that comes in the same moment.

        Raises what the pool raises; then it must not be acknowledged. What strangers send beyond
        the minute's allowance is counted instead.
        """
        if said.outcome in STRANGE and not self._is_allowed():
            self.count(said)
            return
        await self._at_once.get((self._ids.hex(), said))

    def count(self, said: Said) -> None:
        """Keep only that it came; how often is stored once a minute."""
        if not self._counted:
            self._counted_since_ms = said.at_ms
        self._counted[said.operator, said.outcome] += 1

    def note(self, said: Said) -> None:
        """Keep it with the next `flush`; costs nothing now and never fails.

        A crash loses what was noted since the last flush.
        """
        self._waiting.append((self._ids.hex(), said))
        if len(self._waiting) > WAITING_MAX:
            self._waiting.popleft()
            self._dropped += 1

    async def flush(self, *, closing: bool = False) -> None:
        """Store what was noted, and once a minute, or when `closing`, what was only counted.

        Raises what the pool raises; nothing is lost by it, repeat it.
        """
        if self._dropped:
            log.error("%d messages were dropped: the database was too slow for them", self._dropped)
            self._dropped = 0
        if self._counted and (closing or self._is_new_minute()):
            self._note_counted()
        while self._waiting:
            batch = [*self._waiting][:500]
            await self._store_all(batch)
            stored = {id_ for id_, _ in batch}
            while self._waiting and self._waiting[0][0] in stored:
                self._waiting.popleft()

    async def keep_flushing(
        self, sleep: Callable[[], Awaitable[None]], away: tuple[type[Exception], ...]
    ) -> None:
        """Flush for ever, with a pause after each; `away` are errors after which it goes on."""
        while True:
            await sleep()
            try:
                await self.flush()
            except away as error:
                log.warning("traffic waits: %s", error)

    async def forget(self, days: int) -> int:
        """Delete a bounded number of those that are older; returns how many. Safe to repeat."""
        edge = UUID(first_id_at(self._clock.now() - timedelta(days=days)))
        tag: str = await self._pool.execute(
            "delete from traffic where tenant = $1 and id = any(array("
            "  select id from traffic where id < $2 and tenant = $1 order by id limit $3))",
            self._tenant, edge, FORGOTTEN_AT_ONCE,
        )  # fmt: skip
        return int(tag.split()[-1])

    def _is_allowed(self) -> bool:
        minute = self._this_minute()
        if minute != self._minute:
            self._minute, self._strange = minute, 0
        self._strange += 1
        return self._strange <= self._allowed

    def _is_new_minute(self) -> bool:
        return self._this_minute() * 60_000 > self._counted_since_ms

    def _this_minute(self) -> int:
        return int(self._clock.epoch() // 60)

    def _note_counted(self) -> None:
        for (operator, outcome), times in self._counted.items():
            log.warning("%d more callbacks came: %s %s", times, operator or "nobody's", outcome)
            said = Said(
                self._counted_since_ms, Way.THEY_CALLED, operator, "", Fate(outcome), times=times
            )
            self.note(said)
        self._counted.clear()

    async def _store_all(self, batch: Sequence[tuple[str, Said]]) -> dict[tuple[str, Said], bool]:
        """All in one statement. Safe to repeat."""
        columns = zip(
            *[
                (
                    id_, s.at_ms, s.way, s.operator, s.operation, s.outcome, s.attempt_id,
                    -1 if s.status is None else s.status, s.source,
                    -1 if s.elapsed_ms is None else s.elapsed_ms,
                    self._sealed(s.asked, asked_place(id_)),
                    self._sealed(s.answered, answered_place(id_)), s.evidence, s.times,
                )
                for id_, s in batch
            ],
            strict=True,
        )  # fmt: skip
        await self._pool.execute(_INSERT, self._tenant, *columns)
        return dict.fromkeys(batch, True)

    def _sealed(self, text: str, place: str) -> str:
        return self._seals.seal(text, place) if text else ""

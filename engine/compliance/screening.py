"""The sanctions lists as this process knows them: kept fresh, asked by name.

Loading a new version builds its index beside the old one; every question is answered from one
version whole.
"""

import asyncio
import logging
from collections.abc import Collection, Mapping
from datetime import date

from engine.clock import DAY_MS, Clock
from engine.compliance.lists.listed import Listed, Source, Subject
from engine.compliance.lists.store import ListStore, Version
from engine.compliance.matching import Match, NameIndex
from engine.compliance.policy import Screening
from engine.outages import AWAY

log = logging.getLogger(__name__)

_NONE = "no sanctions list is loaded"
# Ships and aircraft hold no wallets; their names are those of people and places.
_SCREENED = {Subject.INDIVIDUAL, Subject.ENTITY}


class Screener:
    """Answers which entries a name resembles. `need` first: before that nobody is listed."""

    def __init__(
        self,
        store: ListStore,
        scoring: Screening,
        clock: Clock,
        *,
        expected: Collection[Source] = (),
    ) -> None:
        """Who rests on the `expected` lists pays nobody while one of them is `lacking`."""
        self._store = store
        self._expected = expected
        self._scoring = scoring
        self._clock = clock
        self._versions: dict[Source, Version] = {}
        self._confirmed: dict[Source, int] = {}
        self._index = NameIndex((), scoring)
        self._alarms: list[str] | None = None
        self._is_needed = self._is_read = False
        self._reading = asyncio.Lock()

    @property
    def versions(self) -> dict[str, int]:
        """List -> version in force here; empty before any was loaded."""
        return {str(source): known.version for source, known in sorted(self._versions.items())}

    def screen(self, name: str, born: date | None) -> tuple[Match, ...]:
        """The entries a name resembles, best first."""
        return self._index.matches(name, born)

    def listed(self, source: Source, entry_id: str) -> Listed | None:
        """An entry of the version in force, for people to read."""
        return self._index.listed(source, entry_id)

    async def need(self) -> None:
        """Somebody rests on the lists from now on: they are read, by the first who says so, and
        what is wrong with them is an error of the log, at once and whenever that changes. Whoever
        only opens a process's rooms reads nothing, which takes seconds, and is told nothing.

        Costs nothing when it was said before. Raises what the pool raises; then the next reads.
        """
        self._is_needed = True
        if not self._is_read:
            async with self._reading:
                if not self._is_read:
                    await self._read()
        if self._alarms is None:
            self._raise_alarms()

    async def refresh(self) -> bool:
        """Take over new versions; whether there were any. Raises what the pool raises.

        Alarms are told from the first `need` on.

        Safe to repeat; costs two small queries when nothing is new.
        """
        async with self._reading:
            return await self._read()

    async def _read(self) -> bool:
        self._confirmed = await self._store.confirmed()
        newest = await self._store.newest()
        is_new = newest != self._versions
        if is_new:
            entries = [
                (source, listed)
                for source in sorted(newest)
                for listed in await self._store.entries(newest[source])
                if listed.subject in _SCREENED
            ]
            # Some seconds of work for a whole list: not in the way of those who are waiting.
            index = await asyncio.to_thread(NameIndex, entries, self._scoring)
            self._index, self._versions = index, newest
            log.info("lists in force: %s, %d names", self.versions, index.name_count)
        self._is_read = True
        if self._alarms is not None:
            self._raise_alarms()
        return is_new

    async def keep_fresh(self, every_seconds: float) -> None:
        """Refresh for ever what somebody needs; while the database is away the versions known stay
        in force."""
        while True:
            await asyncio.sleep(every_seconds)
            try:
                if self._is_needed or self._is_read:
                    await self.refresh()
            except AWAY as error:
                log.warning("lists not refreshed: %s", error)

    def lacking(self) -> tuple[str, ...]:
        """Why names cannot be compared with every list that they should be, in sentences for
        staff: none is loaded, an expected one is missing, or nobody has loaded one for
        `list_expired_days`. Looked up in memory.
        """
        return self._lacking_of(self._versions, self._confirmed)

    def alarms(self) -> list[str]:
        """What somebody must look after: no list at all, one that is missing, or one that grew old.

        Old is a list that nobody has loaded for some days, changed or not.
        """
        return self._alarms_of(self._versions, self._confirmed)

    async def stored_alarms(self) -> list[str]:
        """The same of what is stored by now, for who only looks: no index is built."""
        return self._alarms_of(await self._store.newest(), await self._store.confirmed())

    def _alarms_of(
        self, versions: Mapping[Source, Version], confirmed: Mapping[Source, int]
    ) -> list[str]:
        if not versions and not self._expected:
            return [f"{_NONE}: nobody is screened"]
        days, expired_days = self._scoring.list_stale_days, self._scoring.list_expired_days
        stale = self._older_than(days, versions, confirmed)
        lacking: tuple[str, ...] = ()
        if self._expected:
            lacking = self._lacking_of(versions, confirmed)
            expired = self._older_than(expired_days, versions, confirmed)
            stale = [source for source in stale if source not in expired]
        return [
            *(f"{why}: no payment is taken on, and none is paid out" for why in lacking),
            *(_old(source, days) for source in stale),
        ]

    def _lacking_of(
        self, versions: Mapping[Source, Version], confirmed: Mapping[Source, int]
    ) -> tuple[str, ...]:
        if not versions:
            return (_NONE,)
        days = self._scoring.list_expired_days
        missing = sorted(source for source in self._expected if source not in versions)
        return (
            *(f"sanctions list {source} is not loaded" for source in missing),
            *(_old(source, days) for source in self._older_than(days, versions, confirmed)),
        )

    def _older_than(
        self, days: int, versions: Mapping[Source, Version], confirmed: Mapping[Source, int]
    ) -> list[Source]:
        now_ms = self._clock.epoch() * 1000
        return [
            source
            for source, known in sorted(versions.items())
            if now_ms - max(known.loaded_ms, confirmed.get(source, 0)) > days * DAY_MS
        ]

    def _raise_alarms(self) -> None:
        alarms = self.alarms()
        if alarms != self._alarms:
            for alarm in alarms:
                log.error("%s", alarm)
            self._alarms = alarms


def _old(source: Source, days: int) -> str:
    return f"sanctions list {source} is older than {days} days"

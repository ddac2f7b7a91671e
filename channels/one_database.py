"""A process serves one database: what is held in memory is about its rows, and no other's.

Where a new connection leads to another one (restored, promoted, put back behind the same address),
rows may be older than what this process knows and has planned. It ends at once; whoever comes up in
its place notices (`Restores.notice`) and asks what may be lost.
"""

import dataclasses
import logging
import os
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import asyncpg

from channels.settings import Settings
from engine.database import ANSWER_SECONDS_MAX, POOLERS, connect, lost_on_the_way
from engine.desk.cases import RESTORED, CaseKey, Cases
from engine.revision import must_be_migrated
from engine.which_database import AnotherDatabase, Identity, identity_of

log = logging.getLogger(__name__)

LOST = (
    "what lies between dropped what tells Postgres when we are gone, and locks could be kept for"
    f" ever ({POOLERS})"
)


def _end_now() -> None:
    """Nothing is finished, no commit tried again: what was begun is found by who comes next."""
    os._exit(1)


class OneDatabase:
    """Opens connections to the database of the first one. `end` ends the process."""

    def __init__(self, settings: Settings, end: Callable[[], None] = _end_now) -> None:
        self._url = settings.database_url
        self._promoted_has_all = settings.promoted_has_all
        self._end = end
        self._known: Identity | None = None

    async def connect(self) -> Any:
        """As `engine.database.connect`. Raises AnotherDatabase after `end`, NotServed before
        `capp migrate`, and asyncpg.ReadOnlySQLTransactionError for a standby.
        """
        connection = await connect(self._url, answer_seconds_max=ANSWER_SECONDS_MAX)
        try:
            await self._must_be_the_same(connection)
        except BaseException:
            connection.terminate()
            raise
        return connection

    async def _must_be_the_same(self, connection: Any) -> None:
        known = self._known
        try:
            found = await identity_of(connection)
        except asyncpg.UndefinedFunctionError as error:
            if known is None:
                await must_be_migrated(connection)
                raise
            raise self._ended("it has no tables of ours, or not all of them yet") from error
        if known is None and (lost := await lost_on_the_way(connection, self._url)):
            log.warning("%s: %s", LOST, ", ".join(lost))
        if known and found.is_other(known, promoted_has_all=self._promoted_has_all):
            raise self._ended(f"{found}, was {known}")
        self._known = found

    def _ended(self, why: str) -> AnotherDatabase:
        log.critical("the database is another one, this process ends: %s", why)
        self._end()
        return AnotherDatabase(f"the database is another one than this process began with: {why}")


def with_restore(settings: Settings, noticed: float) -> Settings:
    """The settings with the last restore in them, whoever told of it: people, or the database
    (`Restores.notice`).
    """
    return dataclasses.replace(settings, restored_at=max(noticed, settings.restored_at))


async def tell_people(cases: Cases, tenant: int, noticed: float) -> None:
    """Have what the database told of looked after; nothing when it told of none. Safe to repeat."""
    if not noticed:
        return
    since = f"{datetime.fromtimestamp(noticed, UTC):%Y-%m-%d %H:%M} UTC"
    log.warning("the database is another one since %s: deploy/restoring.md", since)
    key = CaseKey(f"{tenant:032x}", RESTORED, f"{round(noticed * 1000):032x}")
    detail = f"the database is another one since {since}"
    await cases.open(key, f"{detail}: what began before may have gone on unknown to it")

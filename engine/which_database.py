"""Which database this is: a restore, a copy or a promotion takes the rows along, and not that.

It knows no payment, and not what follows from another database (`restored.py`). What the parts of
an identity are says `migrations/sql/0044_which_database.sql`; why, `migrations/decisions/0006`.
"""

from typing import Any, Final, NamedTuple, Self

import asyncpg

from engine.clock import Clock, epoch_of

UNKNOWN: Final = "?"
AHEAD_SECONDS_MAX: Final = 30
"""By so much ids may be ahead of this process's clock, and are believed."""


class Identity(NamedTuple):
    """Of one database, part by part; UNKNOWN where its server does not tell."""

    cluster: str
    timeline: str
    database: str
    table: str

    @classmethod
    def read(cls, text: str) -> Self:
        return cls(*text.split(":"))

    def __str__(self) -> str:
        return ":".join(self)

    def is_other(self, seen: Self, *, promoted_has_all: bool) -> bool:
        """Whether rows seen in that one may be older here; `promoted_has_all`: a standby that
        was promoted lacks nothing, so its timeline does not matter.
        """
        if promoted_has_all:
            seen = seen._replace(timeline=UNKNOWN)
        return any(
            ours != theirs
            for ours, theirs in zip(self, seen, strict=True)
            if UNKNOWN not in (ours, theirs)
        )


class AnotherDatabase(ConnectionError):
    """A new connection leads to another database than this process began with."""


async def identity_of(connection: Any) -> Identity:
    """Raises asyncpg.ReadOnlySQLTransactionError for a standby: it may be promoted later, and a
    connection that outlives that would not be asked again.
    """
    row = await connection.fetchrow("select which_database() as identity, pg_is_in_recovery()")
    if row["pg_is_in_recovery"]:
        raise asyncpg.ReadOnlySQLTransactionError("it is a standby")
    return Identity.read(row["identity"])


class Restores:
    """The databases from which one tenant's rows have been served."""

    def __init__(self, tenant: int, clock: Clock, *, promoted_has_all: bool) -> None:
        self._tenant = tenant
        self._clock = clock
        self._promoted_has_all = promoted_has_all

    async def notice(self, connection: Any) -> float:
        """Since when, in epoch seconds, this database is another than the rows were served from
        before; 0.0 for the first. To be asked before anything is written. Safe to repeat, and for
        many processes at once: all get the moment that the first of them wrote down.
        """
        found = await identity_of(connection)
        async with connection.transaction():
            await connection.execute(_ONE_BY_ONE, self._tenant)
            seen = await connection.fetchrow(_NEWEST, self._tenant)
            if seen is not None and not found.is_other(
                Identity.read(seen["identity"]), promoted_has_all=self._promoted_has_all
            ):
                return float(seen["since_ms"]) / 1000
            since_ms = 0 if seen is None else await self._now_ms(connection)
            await connection.execute(_SEEN, self._tenant, since_ms, str(found))
        return since_ms / 1000

    async def _now_ms(self, connection: Any) -> int:
        """This moment, and behind every id that is here: a clock may have been ahead of ours."""
        now = self._clock.epoch()
        ids = [await connection.fetchval(query, self._tenant) for query in _NEWEST_IDS]
        latest = max((epoch_of(one.hex) for one in ids if one is not None), default=now)
        return round(max(now, min(latest, now + AHEAD_SECONDS_MAX)) * 1000) + 1


async def last_restore(connection: Any, tenant: int) -> float:
    """What `Restores.notice` last wrote down, for who only looks; 0.0 for nothing."""
    seen = await connection.fetchrow(_NEWEST, tenant)
    return 0.0 if seen is None else float(seen["since_ms"]) / 1000


_ONE_BY_ONE = "select pg_advisory_xact_lock(hashtext('database_seen'), $1)"
_NEWEST = """
select since_ms, identity from database_seen where tenant = $1 order by since_ms desc limit 1"""
_SEEN = "insert into database_seen (tenant, since_ms, identity) values ($1, $2, $3)"
_NEWEST_IDS = (
    "select id from payment where tenant = $1 order by id desc limit 1",
    "select id from outbox where tenant = $1 order by id desc limit 1",
    "select id from proposal where tenant = $1 order by id desc limit 1",
)

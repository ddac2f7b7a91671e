"""What `capp doctor` looks at in Postgres: schema, settings, clock, a restore, keys of PINs."""

import contextlib
from datetime import UTC, datetime

import asyncpg

from channels.one_database import LOST
from channels.settings import Settings
from channels.watching.clocks import seconds_ahead, trouble_of
from engine.clock import Clock, first_id_at, made_at
from engine.database import connect, lost_on_the_way, must_take_writes
from engine.revision import is_known, must_be_migrated
from engine.which_database import last_restore


async def check_database(settings: Settings) -> str:
    """Raises NotServed for another schema, ValueError for what would lose or mistime payments."""
    connection = await connect(settings.database_url)
    try:
        revision = await must_be_migrated(connection)
        if await connection.fetchval("show synchronous_commit") == "off":
            raise ValueError("synchronous_commit is off: acknowledged payments could be lost")
        if lost := await lost_on_the_way(connection, settings.database_url):
            raise ValueError(f"{LOST}: {', '.join(lost)}")
        await must_take_writes(connection)
        with contextlib.suppress(asyncpg.InsufficientPrivilegeError):
            await _must_have_room(connection)
        version = await connection.fetchval("show server_version")
        ahead = await seconds_ahead(connection, Clock())
    finally:
        await connection.close()
    if trouble := trouble_of(ahead):
        raise ValueError(trouble)
    newer = "" if is_known(revision) else ", which is of a newer version than this program"
    return f"Postgres {version}, schema {revision}{newer}"


async def _must_have_room(connection: asyncpg.Connection) -> None:
    """Raises asyncpg.DiskFullError. What is written for that is gone with its transaction."""
    async with connection.transaction():
        await connection.execute(
            "create temporary table capp_doctor on commit drop as"
            " select md5(n::text) as room from generate_series(1, 20000) n"
        )


async def check_restore(settings: Settings) -> str:
    """What began before the database was restored, by the settings or as it told itself; else
    whether it may have been (`deploy/restoring.md`).
    """
    clock = Clock()
    if settings.restored_at > clock.epoch():
        raise ValueError("CAPP_RESTORED_AT is to come: until then nothing is paid out by itself")
    connection = await asyncpg.connect(settings.database_url, timeout=5)
    try:
        at = max(settings.restored_at, await last_restore(connection, settings.tenant))
        if not at:
            newest = await _newest(connection, settings.tenant)
            return f"none is told of (CAPP_RESTORED_AT), and none was noticed; {newest}"
        since = datetime.fromtimestamp(at, UTC)
        live = await connection.fetchval(
            "select count(*) from payment where tenant = $1 and due is not null and id < $2",
            settings.tenant, first_id_at(since),
        )  # fmt: skip
    finally:
        await connection.close()
    return f"{live} payments of before {since:%Y-%m-%d %H:%M} UTC are not over: `capp cases`"


async def _newest(connection: asyncpg.Connection, tenant: int) -> str:
    """Of a database that was restored it is older than who looks remembers."""
    newest = await connection.fetchval(
        "select id from payment where tenant = $1 order by id desc limit 1", tenant
    )
    if newest is None:
        return "no payment is here"
    return f"the newest payment here began {made_at(newest.hex):%Y-%m-%d %H:%M} UTC"


async def check_pins(settings: Settings) -> str:
    """A customer whose key is not here cannot pay, and no wrong PIN is counted."""
    connection = await asyncpg.connect(settings.database_url, timeout=5)
    try:
        rows = await connection.fetch(
            "select pin_key, count(*) as n from customer where tenant = $1"
            " and pin_key is not null group by 1 order by 1",
            settings.tenant,
        )
    finally:
        await connection.close()
    if lost := [row for row in rows if row["pin_key"] not in settings.pin_keys]:
        raise ValueError(
            f"CAPP_PIN_KEYS lacks {lost[0]['pin_key']}: PINs of {lost[0]['n']} customers need it"
        )
    told = ", ".join(f"{row['n']} under key {row['pin_key']}" for row in rows)
    return told or "nobody has chosen one"

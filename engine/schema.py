"""Runs the migrations. Apart from `database.py`, because only one command needs Alembic."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.util import await_only

from engine.database import ensure_months, must_be_new_enough
from engine.errors import StaffMistake
from engine.row_security import open_tenant

MIGRATIONS = Path(__file__).parent.parent / "migrations"
BASE = "base"
"""The revision of an empty schema."""
LOCK_TIMEOUT = "2s"
"""So long a step waits for a lock, and whoever else wants that table waits behind it."""
PAUSE_SECONDS = 5.0
TRIES_MAX = 120
"""Of one step: about a quarter of an hour."""
_IN_THE_WAY = ("55P03", "40P01")  # lock_not_available, deadlock_detected

Say = Callable[[str], None]


def _to_nobody(line: str) -> None:
    del line


def migrate(
    url: str,
    *,
    to: str = "head",
    tenant: int = 1,
    say: Say = _to_nobody,
    sleep: Callable[[float], None] = time.sleep,
) -> list[str]:
    """Bring the schema up or down to a revision, `base` for empty. Safe to repeat, outside a loop.

    Each step is a transaction of its own, and never waits for a lock longer than LOCK_TIMEOUT: it
    is tried again after `sleep`, which `say` hears of (`migrations/decisions/0007`). At the head,
    this month's partitions and the role that serves the tenant are made as well. The
    address must be that of the tables' owner. Returns the SQL that somebody with more rights has
    to run before a repeat; empty when all is done. Raises StaffMistake where the revision, or the
    one that the schema is at, is none of ours, or where a step's table was never free, and
    NotServed where Postgres is too old.
    """
    config, known = _config(), revisions()
    wanted = known[-1] if to == "head" else to
    if wanted not in known:
        raise StaffMistake(f"there is no such revision: {to!r}")
    stands_at = asyncio.run(_revision(url))
    if stands_at not in known:
        raise StaffMistake(f"the schema is at {stands_at}, which this program does not know")
    config.attributes["url"] = url
    tries = 0
    while wanted != stands_at:
        go = command.upgrade if known.index(wanted) > known.index(stands_at) else command.downgrade
        try:
            go(config, wanted)
            break
        except Exception as error:
            if not _is_in_the_way(error):
                raise
        before, stands_at = stands_at, asyncio.run(_revision(url))
        tries = tries + 1 if stands_at == before else 1
        if tries == TRIES_MAX:
            raise StaffMistake(f"{_held(stands_at)}: nothing is half done, run it again later")
        if tries == 1:
            say(f"{_held(stands_at)}: it is tried again")
        sleep(PAUSE_SECONDS)
    return asyncio.run(_make_ready(url, tenant)) if wanted == known[-1] else []


def revisions() -> list[str]:
    """All that there are, in their order, BASE first."""
    steps = ScriptDirectory.from_config(_config()).walk_revisions()
    return [BASE, *reversed([step.revision for step in steps])]


def run_script(connection: Connection, name: str) -> None:
    """Run a file of `migrations/sql`, many statements, inside the migration's transaction."""
    connection.execute(text("select 1"))  # SQLAlchemy begins its transaction only now
    driver: Any = connection.connection.driver_connection
    await_only(driver.execute((MIGRATIONS / "sql" / name).read_text()))


def _is_in_the_way(error: BaseException) -> bool:
    """Whether a step could not have its lock. SQLAlchemy wraps what its own statements meet."""
    met = getattr(error, "orig", None) or error
    return getattr(met, "sqlstate", None) in _IN_THE_WAY


def _held(stands_at: str) -> str:
    return (
        f"the schema is at {stands_at}, and a transaction that is not over (a backup, a report)"
        " holds what the next step changes"
    )


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return config


async def _revision(url: str) -> str:
    connection = await asyncpg.connect(url)
    try:
        must_be_new_enough(connection)
        found: str | None = await connection.fetchval("select version_num from alembic_version")
        return found or BASE
    except asyncpg.UndefinedTableError:
        return BASE
    finally:
        await connection.close()


async def _make_ready(url: str, tenant: int) -> list[str]:
    connection = await asyncpg.connect(url)
    try:
        await ensure_months(connection, datetime.now(UTC))
        return await open_tenant(connection, tenant)
    finally:
        await connection.close()

"""Runs the migrations. Apart from `database.py`, because only one command needs Alembic."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.util import await_only

from engine.database import ensure_months
from engine.errors import StaffMistake
from engine.row_security import open_tenant

MIGRATIONS = Path(__file__).parent.parent / "migrations"
BASE = "base"
"""The revision of an empty schema."""


def migrate(url: str, *, to: str = "head", tenant: int = 1) -> list[str]:
    """Bring the schema up or down to a revision, `base` for empty. Safe to repeat, outside a loop.

    At the head, this month's partitions and the role that serves the tenant are made as well. The
    address must be that of the tables' owner. Returns the SQL that somebody with more rights has
    to run before a repeat; empty when all is done. Raises StaffMistake where the revision, or the
    one that the schema is at, is none of ours.
    """
    config, known = _config(), revisions()
    wanted = known[-1] if to == "head" else to
    if wanted not in known:
        raise StaffMistake(f"there is no such revision: {to!r}")
    stands_at = asyncio.run(_revision(url))
    if stands_at not in known:
        raise StaffMistake(f"the schema is at {stands_at}, which this program does not know")
    config.attributes["url"] = url
    if known.index(wanted) > known.index(stands_at):
        command.upgrade(config, wanted)
    elif wanted != stands_at:
        command.downgrade(config, wanted)
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


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return config


async def _revision(url: str) -> str:
    connection = await asyncpg.connect(url)
    try:
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

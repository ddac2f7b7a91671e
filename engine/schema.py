"""Runs the migrations. Apart from `database.py`, because only one command needs Alembic."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.util import await_only

from engine.database import ensure_months
from engine.row_security import open_tenant

MIGRATIONS = Path(__file__).parent.parent / "migrations"


def migrate(url: str, *, to: str = "head", tenant: int = 1) -> list[str]:
    """Bring the schema to a revision, `base` for empty. Safe to repeat. Call it outside a loop.

    At the head, this month's partitions and the role that serves the tenant are made as well. The
    address must be that of the tables' owner. Returns the SQL that somebody with more rights has
    to run before a repeat; empty when all is done.
    """
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["url"] = url
    if to == "head":
        command.upgrade(config, to)
        return asyncio.run(_make_ready(url, tenant))
    command.downgrade(config, to)
    return []


def run_script(connection: Connection, name: str) -> None:
    """Run a file of `migrations/sql`, many statements, inside the migration's transaction."""
    connection.execute(text("select 1"))  # SQLAlchemy begins its transaction only now
    driver: Any = connection.connection.driver_connection
    await_only(driver.execute((MIGRATIONS / "sql" / name).read_text()))


async def _make_ready(url: str, tenant: int) -> list[str]:
    connection = await asyncpg.connect(url)
    try:
        await ensure_months(connection, datetime.now(UTC))
        return await open_tenant(connection, tenant)
    finally:
        await connection.close()

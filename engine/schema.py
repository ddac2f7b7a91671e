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

MIGRATIONS = Path(__file__).parent.parent / "migrations"


def migrate(url: str, *, to: str = "head") -> None:
    """Bring the schema to a revision, `base` for empty. Safe to repeat. Call it outside a loop."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    address = url.replace("postgresql://", "postgresql+asyncpg://", 1).replace("%", "%%")
    config.set_main_option("sqlalchemy.url", address)
    if to == "head":
        command.upgrade(config, to)
        asyncio.run(_ensure_first_months(url))
    else:
        command.downgrade(config, to)


def run_script(connection: Connection, name: str) -> None:
    """Run a file of `migrations/sql`, many statements, inside the migration's transaction."""
    connection.execute(text("select 1"))  # SQLAlchemy begins its transaction only now
    driver: Any = connection.connection.driver_connection
    await_only(driver.execute((MIGRATIONS / "sql" / name).read_text()))


async def _ensure_first_months(url: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await ensure_months(connection, datetime.now(UTC))
    finally:
        await connection.close()

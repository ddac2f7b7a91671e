"""Runs the migration steps over asyncpg, on the address `engine.schema.migrate` passes in."""

import asyncio

import asyncpg
from alembic import context
from sqlalchemy import pool
from sqlalchemy.ext.asyncio import create_async_engine

from engine.database import who_is_gone
from engine.schema import LOCK_TIMEOUT
from engine.tables import metadata


def run(connection):
    # Each step by itself: what one has locked is free again before the next waits for anything.
    context.configure(
        connection=connection, target_metadata=metadata, transaction_per_migration=True
    )
    with context.begin_transaction():
        context.run_migrations()


async def main():
    url = context.config.attributes["url"]
    # The driver reads the address itself, as it does for everything else: whatever it takes
    # (`sslmode`, `postgres://`) can be migrated with.
    database = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=lambda: asyncpg.connect(
            url, server_settings={"lock_timeout": LOCK_TIMEOUT, **who_is_gone(url)}
        ),
        poolclass=pool.NullPool,
    )
    async with database.connect() as connection:
        await connection.run_sync(run)
        await connection.commit()
    await database.dispose()


asyncio.run(main())

"""Whether somebody waits for a lock, in a database that several write to."""

import asyncio
from typing import Any


async def somebody_waits(connection: Any) -> None:
    """Come back once a backend of this connection's database waits for what another holds."""
    for _ in range(3000):
        await connection.execute("select pg_stat_clear_snapshot()")  # else a transaction sees one
        if await connection.fetchval(
            "select exists (select from pg_stat_activity where datname = current_database()"
            " and wait_event_type = 'Lock')"
        ):
            return
        await asyncio.sleep(0.01)
    raise AssertionError("nobody waits")

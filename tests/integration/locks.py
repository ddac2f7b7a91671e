"""Whether somebody waits for a lock, in a database that several write to, and for how long."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from tests.leap import leap

T = TypeVar("T")


async def somebody_waits(connection: Any, *, at_least: int = 1) -> None:
    """Come back once so many backends of this connection's database wait for what another holds."""
    for _ in range(3000):
        await connection.execute("select pg_stat_clear_snapshot()")  # else a transaction sees one
        if await connection.fetchval(
            "select count(*) >= $1 from pg_stat_activity where datname = current_database()"
            " and wait_event_type = 'Lock'",
            at_least,
        ):
            return
        await asyncio.sleep(0.01)
    raise AssertionError("nobody waits")


async def outwaited(holder: Any, asked: Coroutine[Any, Any, T], seconds: float) -> T:
    """What comes of it for who has waited so long for what a connection holds: that goes by at
    once, so who asks may be patient with everything else."""
    asking = asyncio.create_task(asked)
    await somebody_waits(holder)
    leap(seconds)
    return await asking

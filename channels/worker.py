"""The second process: takes over what others left behind and asks about what stays silent."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

import asyncpg

from channels.settings import Settings
from channels.wiring import Engine, open_engine
from engine.database import ensure_months
from engine.errors import CappError

log = logging.getLogger(__name__)

SWEEP_SECONDS = 1.0
MONTHS_SECONDS = 24 * 3600.0
BATCH = 100


async def run_worker(settings: Settings, stop: asyncio.Event) -> None:
    """Run the loops until `stop` is set; calls under way are finished first."""
    async with open_engine(settings) as engine:
        log.info("worker is up")
        loops = [
            _every(SWEEP_SECONDS, lambda: engine.dispatcher.sweep(BATCH), "outbox"),
            _every(SWEEP_SECONDS, lambda: engine.reconciler.sweep(BATCH), "due payments"),
            _every(MONTHS_SECONDS, lambda: _months(engine), "partitions"),
        ]
        tasks = [asyncio.create_task(loop) for loop in loops]
        await stop.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _months(engine: Engine) -> int:
    async with engine.pool.acquire() as connection:
        await ensure_months(connection, engine.clock.now())
    return 0


async def _every(seconds: float, work: Callable[[], Awaitable[int]], what: str) -> None:
    """Repeat for ever: at once while there is a full batch, else after a pause."""
    while True:
        try:
            if await work() >= BATCH:
                continue
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, CappError) as error:
            log.warning("%s: %s", what, error)
        await asyncio.sleep(seconds)

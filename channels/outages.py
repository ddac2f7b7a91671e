"""A log that tells once of an outage. While Postgres is away every loop and every turn says so.

It refuses to know who speaks: it looks at the errors that a line carries.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from redis.exceptions import RedisError

from engine.database import connect, must_take_writes
from engine.outages import AWAY, POSTGRES, REDIS, server_away
from engine.tasks import for_life

QUIET_SECONDS = 60.0
"""A line after so long a silence tells of another outage."""
SILENT_SECONDS = 2.0
"""Nothing is over while there is talk of it: a Postgres whose disk is full answers, and keeps
nothing."""
LOOK_SECONDS = 1.0
ANSWER_SECONDS_MAX = 5.0

log = logging.getLogger(__name__)


@asynccontextmanager
async def told_once(
    database_url: str, ask_redis: Callable[[], Awaitable[object]] | None = None
) -> AsyncIterator[None]:
    """A block in which the process tells once of each outage; at log level `debug`, everything.

    `ask_redis` raises a RedisError while Redis is away; who has none tells of no end of that.
    """
    outages = Outages()
    root = logging.getLogger()
    handlers = [] if root.isEnabledFor(logging.DEBUG) else list(root.handlers)
    for handler in handlers:
        handler.addFilter(outages)
    asked: dict[str, Callable[[], Awaitable[object]]] = {
        POSTGRES: partial(_ask_postgres, database_url)
    }
    if ask_redis is not None:
        asked[REDIS] = ask_redis
    watches = [for_life(watch_for_end(outages, server, ask)) for server, ask in asked.items()]
    try:
        yield
    finally:
        for watch in watches:
            watch.cancel()
        await asyncio.gather(*watches, return_exceptions=True)
        for handler in handlers:
            handler.removeFilter(outages)


@dataclass
class _Outage:
    began_at: float
    last_at: float
    left_out: int = 0


class Outages(logging.Filter):
    """Lets the first line about a server that is away pass, without its trace, and counts the rest.

    It stands on a handler, so that it hears of all loggers. Times are of `monotonic`.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._monotonic = monotonic
        self._under_way: dict[str, _Outage] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        server = _told_of(record)
        if server is None:
            return True
        now = self._monotonic()
        outage = self._under_way.get(server)
        if outage is not None and now - outage.last_at < QUIET_SECONDS:
            outage.last_at = now
            outage.left_out += 1
            return False
        self._under_way[server] = _Outage(began_at=now, last_at=now)
        record.msg = f"{server} is away, which is told once: {record.getMessage()}"
        record.args = ()
        record.exc_info = record.exc_text = None
        return True

    def is_told(self, server: str) -> bool:
        """Whether an outage of it was told whose end was not."""
        return server in self._under_way

    def may_be_over(self, server: str) -> bool:
        """Whether an outage was told, and for a while no line spoke of it."""
        outage = self._under_way.get(server)
        return outage is not None and self._monotonic() - outage.last_at >= SILENT_SECONDS

    def end(self, server: str) -> None:
        """Tell that it is back. Safe to repeat: nothing is said of a server that was not away."""
        outage = self._under_way.pop(server, None)
        if outage is not None:
            seconds = self._monotonic() - outage.began_at
            log.warning(
                "%s is back after %.0f s; %d lines about it were left out",
                server, seconds, outage.left_out,
            )  # fmt: skip


async def watch_for_end(
    outages: Outages,
    server: str,
    ask: Callable[[], Awaitable[object]],
    *,
    every_seconds: float = LOOK_SECONDS,
) -> None:
    """Ask a server that is away, once there is no talk of it, until it answers; for ever."""
    while True:
        await asyncio.sleep(every_seconds)
        if not outages.may_be_over(server):
            continue
        try:
            await ask()
        except (*AWAY, RedisError):
            continue
        outages.end(server)


async def _ask_postgres(url: str) -> None:
    async with asyncio.timeout(ANSWER_SECONDS_MAX):
        connection = await connect(url, answer_seconds_max=ANSWER_SECONDS_MAX)
        try:
            await must_take_writes(connection)
        finally:
            await connection.close()


def _told_of(record: logging.LogRecord) -> str | None:
    """The server that an error in the line, or its trace, tells of."""
    for told in record.args or ():
        if isinstance(told, BaseException) and (server := server_away(told)) is not None:
            return server
    error = record.exc_info[1] if record.exc_info else None
    return None if error is None else server_away(error)

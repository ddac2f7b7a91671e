"""Which of our servers is away, told from what was raised; and many that are done one by one, of
which none keeps up the others. It knows no company and no payment.
"""

import errno
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

import asyncpg
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from engine.errors import CappError, NotServed, OurFault
from engine.memory import end_if_refused

T = TypeVar("T")
log = logging.getLogger(__name__)

POSTGRES, REDIS = "Postgres", "Redis"

AWAY = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, NotServed)
"""What it looks like when the database is away, or while it has no role for us: whoever reads on in
the background tries again."""

_REDIS_AWAY = (RedisConnectionError, RedisTimeoutError)
_POSTGRES_AWAY = (
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,  # starting up, or shutting down
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.ReadOnlySQLTransactionError,  # a standby, or one that its keepers closed for writing
    asyncpg.DiskFullError,  # it answers, and can keep nothing until somebody makes room
    asyncpg.OutOfMemoryError,  # likewise
)
# An OSError that tells of our own files, not of anybody else.
_FILES = (FileNotFoundError, FileExistsError, PermissionError, IsADirectoryError)
_DISKS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)  # a full disk of ours is nobody's absence


def nameable(error: BaseException) -> object:
    """What a log may say of an error: itself when a server is away, of others only the kind."""
    return error if server_away(error) is not None else type(error).__name__


def server_away(error: BaseException) -> str | None:
    """POSTGRES, REDIS, or None when the error tells of something else.

    Raised OSErrors are Postgres': the driver lets them pass, while Redis' and the companies' come
    in errors of their own. A commit whose answer was lost tells by its cause.
    """
    if isinstance(error, OurFault):
        return None if error.__cause__ is None else server_away(error.__cause__)
    if isinstance(error, _REDIS_AWAY):
        return REDIS
    if isinstance(error, _POSTGRES_AWAY):
        return POSTGRES
    if isinstance(error, asyncpg.InterfaceError):
        # The same type tells of mistakes of ours; of these none speaks of closing.
        return POSTGRES if "clos" in str(error) else None
    if isinstance(error, _FILES) or not isinstance(error, OSError):
        return None
    return None if error.errno in _DISKS else POSTGRES


async def one_by_one(
    those: Iterable[T], work: Callable[[T], Awaitable[Any]], *, named: Callable[[T], str]
) -> int:
    """Do it with each; with how many it was done. What one of them may be guilty of stops no other:
    the log is told, and whoever comes by next tries again. That a server is away ends it, for then
    all of them wait.
    """
    done = 0
    for one in those:
        try:
            await work(one)
            done += 1
        except Exception as error:
            end_if_refused(error)
            if not isinstance(error, CappError) and server_away(error):
                raise
            log.exception("%s waits; it is tried again", named(one))
    return done

"""What is raised when a server is away, and what is raised beside it."""

import errno

import asyncpg
import httpx
import pytest
from redis.exceptions import BusyLoadingError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from engine.errors import CommitUnknown, Impossible, Unreachable
from engine.outages import POSTGRES, REDIS, server_away


def caused(error: Exception, cause: BaseException) -> Exception:
    error.__cause__ = cause
    return error


RAISED: dict[str, tuple[Exception, str | None]] = {
    "nobody listens": (ConnectionRefusedError(111, "Connect call failed"), POSTGRES),
    "several addresses": (OSError("Multiple exceptions: [Errno 111] ..."), POSTGRES),
    "no answer": (TimeoutError(), POSTGRES),
    "ended in the middle": (asyncpg.ConnectionDoesNotExistError("closed in the middle"), POSTGRES),
    "starting up": (asyncpg.CannotConnectNowError("the database system is starting up"), POSTGRES),
    "shut down": (asyncpg.AdminShutdownError("terminating connection"), POSTGRES),
    "a standby": (asyncpg.ReadOnlySQLTransactionError("cannot execute INSERT"), POSTGRES),
    "its disk is full": (asyncpg.DiskFullError("could not extend file"), POSTGRES),
    "no memory for one of its processes": (asyncpg.OutOfMemoryError("out of memory"), POSTGRES),
    "already closed": (asyncpg.InterfaceError("connection is closed"), POSTGRES),
    "its answer lost": (caused(CommitUnknown("lost"), ConnectionResetError()), POSTGRES),
    "Redis refuses": (RedisConnectionError("Error 111 connecting"), REDIS),
    "Redis loads": (BusyLoadingError("loading"), REDIS),
    "Redis is silent": (RedisTimeoutError("timeout"), REDIS),
    "a mistake in our SQL": (asyncpg.PostgresSyntaxError("at or near"), None),
    "a wrong password": (asyncpg.InvalidPasswordError("no"), None),
    "one connection used twice": (
        asyncpg.InterfaceError("another operation is in progress"), None,
    ),
    "a mistake in our Lua": (ResponseError("ERR"), None),
    "a file that is not there": (FileNotFoundError(2, "menus"), None),
    "a disk that is full": (OSError(errno.ENOSPC, "No space left on device"), None),
    "a disk that is read-only": (OSError(errno.EROFS, "Read-only file system"), None),
    "an operator that is away": (
        caused(Unreachable("mpesa_ke", "refused"), ConnectionRefusedError()), None,
    ),
    "a company's transport": (httpx.ConnectError("refused"), None),
    "a law of ours": (Impossible("no such step"), None),
    "anything else": (KeyError("x"), None),
}  # fmt: skip


@pytest.mark.parametrize(("error", "server"), RAISED.values(), ids=RAISED.keys())
def test_a_server_that_is_away_is_told_from_everything_else(
    error: Exception, server: str | None
) -> None:
    assert server_away(error) == server

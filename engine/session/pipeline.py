"""One Redis round trip for all the commands of an event-loop tick.

Commands issued while earlier ones are in flight leave together in the next batch, in the order they
were issued; each gets its own reply or its own error. redis-py still owns connecting, TLS,
authentication and reading, but its client, pool and pipeline are passed by: they are a third of
what a round trip costs (`decisions/0001-what-a-turn-may-cost.md`). One server, one connection:
commands that block it (WATCH, BLPOP, SUBSCRIBE) must go to a client of their own.
"""

import asyncio
from copy import copy
from typing import Any

import hiredis
from redis.asyncio import Connection, ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import ConstantBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import DataError, RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

TIMEOUT_SECONDS = 0.5
WAITING_MAX = 10_000
RETRIES = 3
RETRY_PAUSE_SECONDS = 0.1


class TickPipeline:
    """Any Redis command, over one connection, from any number of tasks.

    `timeout_seconds` bounds one batch, connecting and retries included; a command that has to
    wait for the batch before it waits at most twice that. `waiting_max` refuses further commands
    at once while Redis does not answer. Nothing is resent after the timeout; within it a batch is
    sent again when the connection was lost, so every command must bear to be run twice.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        timeout_seconds: float = TIMEOUT_SECONDS,
        waiting_max: int = WAITING_MAX,
    ) -> None:
        self._connection = connection
        self._timeout = timeout_seconds
        self._waiting_max = waiting_max
        self._waiting: list[_Entry] = []
        self._scheduled = False
        self._sending: asyncio.Task[None] | None = None

    def execute(self, *command: bytes | str | int | float) -> "asyncio.Future[Any]":
        """Queue one command; the future brings its reply or raises a RedisError."""
        if len(self._waiting) >= self._waiting_max:
            raise RedisConnectionError("too many commands wait for Redis")
        loop = asyncio.get_running_loop()
        reply: asyncio.Future[Any] = loop.create_future()
        self._waiting.append((_packed(command), reply))
        if self._sending is None and not self._scheduled:
            self._scheduled = True
            loop.call_soon(self._flush)
        return reply

    async def aclose(self) -> None:
        """Let commands in flight finish, then close the connection."""
        while self._sending is not None:
            await asyncio.wait({self._sending})
        await self._connection.disconnect()

    def _flush(self) -> None:
        self._scheduled = False
        batch = [entry for entry in self._waiting if not entry[1].done()]  # not who gave up
        self._waiting = []
        if batch:
            self._sending = asyncio.get_running_loop().create_task(self._send(batch))
            self._sending.add_done_callback(self._sent)

    def _sent(self, _: "asyncio.Task[None]") -> None:
        self._sending = None
        if self._waiting and not self._scheduled:
            self._flush()

    async def _send(self, batch: "list[_Entry]") -> None:
        replies: list[Any] = []
        try:
            async with asyncio.timeout(self._timeout):
                replies = await self._connection.retry.call_with_retry(
                    lambda: self._round_trip(batch), self._lost
                )
        except TimeoutError:
            replies = [RedisTimeoutError("Redis did not answer in time") for _ in batch]
        except (RedisError, OSError) as error:
            # A copy each: a shared one would collect every waiter's traceback.
            replies = [copy(error) for _ in batch]
        finally:
            # Also when this task is cancelled, or fails in a way nobody foresaw: no caller hangs.
            missing = len(batch) - len(replies)
            replies += [RedisConnectionError("Redis was given up") for _ in range(missing)]
            for (_, future), reply in zip(batch, replies, strict=True):
                _settle(future, reply)

    async def _round_trip(self, batch: "list[_Entry]") -> list[Any]:
        """Connects when there is no connection; drops it when the replies were not all read."""
        await self._connection.send_packed_command(b"".join([command for command, _ in batch]))
        return [await self._reply() for _ in batch]

    async def _reply(self) -> Any:
        try:
            return await self._connection.read_response()
        except ResponseError as error:  # the answer to this one command; the others have theirs
            return error

    async def _lost(self, _: Exception) -> None:
        await self._connection.disconnect(nowait=True)


_Entry = tuple[bytes, "asyncio.Future[Any]"]


def open_pipeline(
    url: str, *, timeout_seconds: float = TIMEOUT_SECONDS, waiting_max: int = WAITING_MAX
) -> TickPipeline:
    """A pipeline to the Redis at `url`; nothing is connected before the first command.

    The pipeline's own timeout replaces redis-py's, which costs a fifth of every read and write.
    """
    pool: Any = ConnectionPool.from_url(
        url,
        socket_timeout=None,
        socket_connect_timeout=timeout_seconds,
        retry=Retry(ConstantBackoff(RETRY_PAUSE_SECONDS), RETRIES),
    )
    connection = pool.make_connection()  # the pool only knows how: TLS, login, database
    return TickPipeline(connection, timeout_seconds=timeout_seconds, waiting_max=waiting_max)


def _packed(command: Any) -> bytes:
    """Packed here, in C: what cannot be sent fails its own call and not everybody's batch."""
    try:
        packed: bytes = hiredis.pack_command(command)
    except (TypeError, ValueError):
        raise DataError(f"cannot send every argument of {command[0]!r} to Redis") from None
    return packed


def _settle(future: "asyncio.Future[Any]", reply: Any) -> None:
    if future.done():
        return
    if isinstance(reply, BaseException):
        future.set_exception(reply)
    else:
        future.set_result(reply)

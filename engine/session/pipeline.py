"""One Redis round trip for all the commands of an event-loop tick, whatever Redis stands there.

Commands issued while earlier ones are in flight leave together in the next batch, in the order they
were issued; each gets its own reply or its own error. redis-py still owns connecting, TLS,
authentication and reading, but its client, pool and pipeline are passed by: they are a third of
what a round trip costs (`decisions/0001-what-a-turn-may-cost.md`). One server, one connection:
commands that block it (WATCH, BLPOP, SUBSCRIBE) must go to a client of their own. A cluster is
several of these (`cluster.py`).
"""

import asyncio
from copy import copy
from functools import partial
from typing import Any

from redis.asyncio import Connection, ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import ConstantBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from engine.session.cluster import Address, ClusterPipeline
from engine.session.commands import Argument, pack

TIMEOUT_SECONDS = 0.5
WAITING_MAX = 10_000
RETRIES = 3
RETRY_PAUSE_SECONDS = 0.1
PORT = 6379

_CLUSTER = "+cluster"


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

    def execute(self, *command: Argument) -> "asyncio.Future[Any]":
        """Queue one command; the future brings its reply or raises a RedisError."""
        return self.send(pack(command))

    def send(self, packed: bytes) -> "asyncio.Future[Any]":
        """The same for a command that is packed already."""
        if len(self._waiting) >= self._waiting_max:
            raise RedisConnectionError("too many commands wait for Redis")
        loop = asyncio.get_running_loop()
        reply: asyncio.Future[Any] = loop.create_future()
        self._waiting.append((packed, reply))
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
        connection = self._connection
        await connection.send_packed_command(b"".join([command for command, _ in batch]))
        # What redis-py's own `read_response` does besides is for pools and for timeouts of its
        # own, and costs three times what reading does. An answer to one command that is an error
        # is a value here: the others have theirs.
        parser: Any = connection._parser
        read = parser.read_response
        try:
            return [await read() for _ in batch]
        except OSError as error:
            await connection.disconnect(nowait=True)
            raise RedisConnectionError(f"Redis hung up: {error}") from error  # it is tried again
        except BaseException:
            await connection.disconnect(nowait=True)
            raise

    async def _lost(self, _: Exception) -> None:
        await self._connection.disconnect(nowait=True)


_Entry = tuple[bytes, "asyncio.Future[Any]"]


def open_pipeline(
    url: str, *, timeout_seconds: float = TIMEOUT_SECONDS, waiting_max: int = WAITING_MAX
) -> TickPipeline | ClusterPipeline:
    """A pipeline to the Redis at `url`; nothing is connected before the first command.

    `redis+cluster://` and `rediss+cluster://` mean a cluster, of which one node or, parted by
    commas, several are named; user, password and options are those of every node. Raises
    ValueError for an address that is none.
    """
    open_one = partial(_open_server, timeout_seconds=timeout_seconds, waiting_max=waiting_max)
    scheme, _, rest = url.partition("://")
    if not scheme.endswith(_CLUSTER):
        return open_one(url)
    login, seeds, options = _parts_of(rest)

    def open_node(address: Address) -> TickPipeline:
        place = f"{_bracketed(address.host)}:{address.port}"
        return open_one(f"{scheme.removesuffix(_CLUSTER)}://{login}{place}/{options}")

    # Twice: a command may have to wait for the batch before it.
    return ClusterPipeline(open_node, seeds, seconds=2 * timeout_seconds)


def _open_server(url: str, *, timeout_seconds: float, waiting_max: int) -> TickPipeline:
    """The pipeline's own timeout replaces redis-py's, which costs a fifth of a read and write."""
    pool: Any = ConnectionPool.from_url(
        url,
        protocol=2,  # one shape of every reply, whatever stands between: RESP3 has maps
        socket_timeout=None,
        socket_connect_timeout=timeout_seconds,
        retry=Retry(ConstantBackoff(RETRY_PAUSE_SECONDS), RETRIES),
    )
    connection = pool.make_connection()  # the pool only knows how: TLS, login, database
    return TickPipeline(connection, timeout_seconds=timeout_seconds, waiting_max=waiting_max)


def _parts_of(rest: str) -> tuple[str, list[Address], str]:
    """Login with its @, addresses and options with their ? of a URL behind its scheme."""
    place, question_mark, options = rest.partition("?")
    place, _, database = place.partition("/")
    if database not in ("", "0"):
        raise ValueError("a Redis Cluster has no databases but 0")
    login, at, hosts = place.rpartition("@")
    return login + at, [_address_of(host) for host in hosts.split(",")], question_mark + options


def _address_of(text: str) -> Address:
    host, colon, port = text.rpartition(":")
    if not colon or port.endswith("]"):
        host, port = text, str(PORT)
    if not host or not port.isdecimal():
        raise ValueError("a node of a Redis Cluster is named by host:port")
    return Address(host.removeprefix("[").removesuffix("]"), int(port))


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _settle(future: "asyncio.Future[Any]", reply: Any) -> None:
    if future.done():
        return
    if isinstance(reply, BaseException):
        future.set_exception(reply)
    else:
        future.set_result(reply)

"""One Redis round trip for all the commands of an event-loop tick, whatever Redis stands there.

Commands issued while earlier ones are in flight leave together in the next batch, in the order they
were issued; each gets its own reply or its own error. redis-py still owns connecting, TLS and
authentication, but its client, pool and pipeline are passed by, and once a connection stands its
reading too (`line.py`): they are most of what a round trip costs
(`decisions/0001-what-a-turn-may-cost.md`). One server, one connection: commands that block it
(WATCH, BLPOP, SUBSCRIBE) must go to a client of their own. A cluster is several of these
(`cluster.py`).
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
from engine.session.line import Entry, Line, settle

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
    at once while Redis does not answer. Nothing is resent after the timeout; within it commands
    are sent again when the connection was lost before their reply, so every one must bear to be
    run twice.
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
        self._waiting: list[Entry] = []
        self._scheduled = False
        self._line: Line | None = None
        self._asked: list[Entry] = []  # the batch under way
        self._until = 0.0
        self._patience: asyncio.TimerHandle | None = None  # while the line is asked
        self._connecting: asyncio.Task[None] | None = None  # the long way, instead

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
        if not self._asked:
            self._flush_soon()
        return reply

    async def aclose(self) -> None:
        """Let commands in flight finish, then close the connection."""
        while left := [reply for _, reply in (*self._asked, *self._waiting) if not reply.done()]:
            await asyncio.wait(left)
        if self._connecting is not None:
            await asyncio.wait({self._connecting})
        await self._connection.disconnect()

    def _flush_soon(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._scheduled = False
        self._asked = [entry for entry in self._waiting if not entry[1].done()]  # not who gave up
        self._waiting = []
        if not self._asked:
            return
        loop = asyncio.get_running_loop()
        self._until = loop.time() + self._timeout
        if self._line is not None and self._line.stands:
            self._patience = loop.call_at(self._until, self._lose_patience)
            self._line.ask(self._asked, self._heard)
        else:
            self._take_the_long_way()

    def _next(self) -> None:
        """Not at once: whoever has just got a reply often asks the next thing in the same tick."""
        self._asked = []
        if self._waiting:
            self._flush_soon()

    # A line that stands.

    def _heard(self, lost: RedisConnectionError | None) -> None:
        assert self._patience is not None
        self._patience.cancel()
        if lost is None:
            self._next()
        else:
            self._take_the_long_way()

    def _lose_patience(self) -> None:
        assert self._line is not None
        self._line.hang_up()
        self._fail(_late())
        self._next()

    # The long way: nothing is connected yet, or no longer.

    def _take_the_long_way(self) -> None:
        self._connecting = asyncio.get_running_loop().create_task(self._connect_and_ask())
        self._connecting.add_done_callback(self._connected)

    def _connected(self, _: "asyncio.Task[None]") -> None:
        self._connecting = None
        self._next()

    async def _connect_and_ask(self) -> None:
        error: Exception = RedisConnectionError("Redis was given up")
        try:
            async with asyncio.timeout_at(self._until):
                await self._connection.retry.call_with_retry(self._try, self._hang_up)
        except TimeoutError:
            error = _late()
        except (RedisError, OSError) as raised:
            error = raised
        finally:
            # Also when this task is cancelled, or fails in a way nobody foresaw: no caller hangs.
            self._fail(error)

    async def _try(self) -> None:
        """Connect, and ask what has no reply yet. Raises a RedisError."""
        await self._hang_up()
        left = [entry for entry in self._asked if not entry[1].done()]
        if not left:
            return
        await self._connection.connect_check_health(check_health=False)
        line = self._line = Line(self._connection)
        heard = asyncio.get_running_loop().create_future()
        line.ask(left, partial(settle, heard))
        try:
            await heard
        except BaseException:
            line.hang_up()
            raise

    async def _hang_up(self, _: Exception | None = None) -> None:
        """Also what is left of a line that was lost."""
        await self._connection.disconnect(nowait=True)

    def _fail(self, error: Exception) -> None:
        """Whoever has no reply yet gets the error, a copy each: a shared one would collect every
        waiter's traceback."""
        for _, reply in self._asked:
            settle(reply, copy(error))


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


def _late() -> RedisTimeoutError:
    return RedisTimeoutError("Redis did not answer in time")

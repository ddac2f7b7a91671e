"""One connection to Redis that stands: a batch of commands goes out, its replies come in.

redis-py has connected it, spoken TLS and logged in, and hangs up. Between the two it is asked
nothing: reading through a stream and a coroutine for each reply costs three times what is left
here (`decisions/0009`).

redis-py has no public way to the socket it opened, nor to how it names what Redis refuses: two
private names of its connection are used, `_writer` and `_parser`, and `tests/integration/test_line`
says so when an upgrade moves them.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final

import hiredis
from redis.asyncio import Connection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import InvalidResponse, MasterDownError, ReadOnlyError, ResponseError

Entry = tuple[bytes, "asyncio.Future[Any]"]
"""A packed command, and who waits for its reply."""

_NOT_ALL: Final = object()


class Line(asyncio.Protocol):
    """Takes the place of redis-py's reader on a connection that has just been opened."""

    def __init__(self, connection: Connection) -> None:
        writer: Any = connection._writer
        parser: Any = connection._parser
        self._transport: asyncio.Transport = writer.transport
        self._opener: Any = self._transport.get_protocol()  # waits to hear that it is closed
        self._reader = hiredis.Reader(
            protocolError=InvalidResponse, replyError=parser.parse_error, notEnoughData=_NOT_ALL
        )
        self._left: deque[Entry] = deque()
        self._over: Callable[[RedisConnectionError | None], None] | None = None
        self._transport.set_protocol(self)
        self.stands = True

    def ask(
        self, batch: Iterable[Entry], over: Callable[[RedisConnectionError | None], None]
    ) -> None:
        """Send commands in one write. Each gets its own reply or its own error.

        `over` is called once: when all have theirs, or with what became of the line before they
        had. The batch before this one must be over.
        """
        self._left, self._over = deque(batch), over
        self._transport.write(b"".join([command for command, _ in self._left]))

    def hang_up(self) -> None:
        """What still comes is for nobody: a late reply must not meet a later command."""
        self.stands, self._over = False, None
        self._transport.abort()

    # The transport calls these.

    def data_received(self, data: bytes) -> None:
        if not self.stands:
            return
        try:
            self._reader.feed(data)
            while (reply := self._reader.gets()) is not _NOT_ALL:
                if not self._left:
                    self._end(RedisConnectionError("a reply of Redis that nobody asked for"))
                    return
                if isinstance(reply, RedisConnectionError):  # it is starting, or refuses us
                    self._end(reply)
                    return
                if _is_of_replica(reply):  # its name may lead to another server by now
                    self._end(RedisConnectionError(str(reply)))
                    return
                settle(self._left.popleft()[1], reply)
        except InvalidResponse as error:
            self._end(RedisConnectionError(f"no reply of Redis: {error}"))
            return
        if not self._left and (over := self._over) is not None:
            self._over = None
            over(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._opener.connection_lost(exc)
        self._end(RedisConnectionError(f"Redis hung up: {exc}"))

    def _end(self, error: RedisConnectionError) -> None:
        over = self._over
        self.hang_up()
        if over is not None:
            over(error if self._left else None)


def _is_of_replica(reply: object) -> bool:
    """Whether a server says that it was first when it was connected to, and is a replica now.

    Of what a script wrote Redis 6 says so behind other words.
    """
    if isinstance(reply, ReadOnlyError | MasterDownError):
        return True
    return isinstance(reply, ResponseError) and "READONLY " in str(reply)


def settle(future: "asyncio.Future[Any]", reply: Any) -> None:
    """Give somebody a reply, or raise it to them; not to who gave up."""
    if future.done():
        return
    if isinstance(reply, BaseException):
        future.set_exception(reply)
    else:
        future.set_result(reply)

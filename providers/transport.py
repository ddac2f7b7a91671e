"""HTTP/1.1 over a keep-alive pool, exact about whether a request can have left this machine.

It refuses to know what the requests mean: never resends, follows no redirect, keeps no cookie.
"""

import asyncio
import select
import ssl
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, Final

import httptools
import httpx

NOT_SENT: Final = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
)
"""Raised before the first byte. After any other `httpx.RequestError` the request may be there."""

STOOD_STILL_SECONDS: Final = 0.5
"""A timer that is so much too late is no sign of a slow company: our own process, or its machine,
stood still, and what came meanwhile lies in the socket."""
LISTENS_SECONDS: Final = 1.0
"""So long whoever stood still listens before giving up."""

_PORTS: Final = {"http": 80, "https": 443}
_UNLIMITED: Final = httpx.Timeout(None).as_dict()
_SET_HERE: Final = frozenset({b"accept-encoding", b"transfer-encoding", b"content-length"})

Resolve = Callable[[str], Awaitable[Sequence[str]]]
"""The addresses of a host, in the order to try them. Whatever httpx.ConnectError it raises, stands.
"""

_Origin = tuple[str, str, int | None]
_Answer = tuple[int, list[tuple[bytes, bytes]], bytes]


class Transport(httpx.AsyncBaseTransport):
    """One pool of connections; give every provider its own, so that a slow one starves no other.

    Timeouts come with each request (`extensions["timeout"]`). `read` covers the answer from the
    moment the request is written until its last byte, so that dripping bytes cannot hold a slot.
    """

    def __init__(
        self,
        *,
        connections: int = 100,
        idle_seconds: float = 4.0,  # many servers hang up after five
        answer_bytes_max: int = 1_000_000,
        ssl_context: ssl.SSLContext | None = None,
        resolve: Resolve | None = None,
        body_bytes_kept: int | None = None,
    ) -> None:
        """`resolve`: connect to what it names and to nothing else; a certificate must still be the
        host's. `body_bytes_kept`: a longer body is cut there, and its connection is closed; without
        it a long answer is an error.
        """
        self._resolve = resolve
        self._body_bytes_kept = body_bytes_kept
        self._slots = asyncio.Semaphore(connections)
        self._idle: dict[_Origin, deque[_Connection]] = {}  # newest last
        self._idle_seconds = idle_seconds
        self._answer_bytes_max = answer_bytes_max
        self._ssl_context = ssl_context

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send once and read the whole answer. Errors: see `NOT_SENT`."""
        return await self.exchange(
            request.method,
            request.url,
            headers=request.headers.raw,
            body=await _body(request),
            timeouts=request.extensions.get("timeout", _UNLIMITED),
            target=request.extensions.get("target"),  # httpx's own extension
        )

    async def exchange(
        self,
        method: str,
        url: httpx.URL,
        *,
        headers: Sequence[tuple[bytes, bytes]],
        body: bytes,
        timeouts: Mapping[str, float | None],
        target: bytes | None = None,
    ) -> httpx.Response:
        """The same for who has no request made: making one costs as much as all of this.

        All headers it must have are among `headers`, save what is said of its body. `target`
        stands in the first line, if it is not what `url` says.
        """
        # As it goes over the wire: `url.host` decodes `xn--` by the rules of 2008, and the system
        # would encode it again by those of 2003, which make another host of some.
        origin = (url.scheme, url.raw_host.decode("ascii"), url.port)
        message = _serialise(method, target or url.raw_path, headers, body)
        await self._take_slot(timeouts["pool"])
        try:
            connection = self._warm(origin) or await self._connect(origin, timeouts["connect"])
            status, headers, body = await connection.exchange(message, method, timeouts["read"])
            self._put_back(origin, connection)
        finally:
            self._slots.release()
        for name, _ in headers:
            if name.lower() == b"content-encoding":
                raise httpx.RemoteProtocolError("a packed answer, which nobody asked for")
        return WholeResponse(status, headers, body)

    async def aclose(self) -> None:
        for connections in self._idle.values():
            while connections:
                connections.pop().close()
        # Sockets are really closed one tick later; a loop that stops now would leave them open.
        await asyncio.sleep(0)

    async def _take_slot(self, seconds: float | None) -> None:
        if not self._slots.locked():
            await self._slots.acquire()
            return
        try:
            async with asyncio.timeout(seconds):
                await self._slots.acquire()
        except TimeoutError as error:
            raise httpx.PoolTimeout("every connection is busy") from error

    def _warm(self, origin: _Origin) -> "_Connection | None":
        connections = self._idle.get(origin)
        while connections:
            connection = connections.pop()
            if connection.wake():
                return connection
        return None

    def _put_back(self, origin: _Origin, connection: "_Connection") -> None:
        if not connection.reusable:
            connection.close()
            return
        connections = self._idle.setdefault(origin, deque())
        while connections and not connections[0].reusable:
            connections.popleft()
        connections.append(connection)
        connection.rest(self._idle_seconds)

    async def _connect(self, origin: _Origin, seconds: float | None) -> "_Connection":
        scheme, host, port = origin
        if scheme not in _PORTS:
            raise httpx.UnsupportedProtocol(f"no such scheme: {scheme!r}")
        connection, connected = _Connection(self._answer_bytes_max, self._body_bytes_kept), False
        try:
            async with asyncio.timeout(seconds):
                await self._open(connection, scheme, host, port or _PORTS[scheme])
        except TimeoutError as error:
            raise httpx.ConnectTimeout("no connection in time") from error
        except OSError as error:  # refused, unknown host, certificate not trusted
            raise httpx.ConnectError(str(error)) from error
        else:
            connected = True
            return connection
        finally:
            if not connected:  # it may have come up in the very tick in which the caller gave up
                connection.close()

    async def _open(self, connection: "_Connection", scheme: str, host: str, port: int) -> None:
        """To the first address that takes it; by default the system finds one for the host."""
        addresses = (host,) if self._resolve is None else await self._resolve(host)
        tls = self._tls() if scheme == "https" else None
        for left in reversed(range(len(addresses))):
            try:
                await asyncio.get_running_loop().create_connection(
                    lambda: connection,
                    addresses[-1 - left],
                    port,
                    ssl=tls,
                    server_hostname=host if tls else None,
                )
                return
            except OSError:
                if not left:
                    raise

    def _tls(self) -> ssl.SSLContext:
        if self._ssl_context is None:
            self._ssl_context = httpx.create_ssl_context()
        return self._ssl_context


class WholeResponse(httpx.Response):
    """An answer that is here already, of which mostly nobody asks but its status and its bytes.

    Built as httpx does it, one streams its bytes to itself and has every header read in two ways:
    140 µs instead of 3. Headers are read when somebody asks for them.
    """

    def __init__(self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> None:
        self.status_code = status
        self._raw_headers = headers
        self._content = body  # where httpx keeps what was read: `text`, `json` and `read` use it
        self.is_stream_consumed = self.is_closed = True
        self.stream = _NO_STREAM
        self.extensions, self.history = {}, []
        self.default_encoding = "utf-8"
        self.next_request = self._request = None
        self._num_bytes_downloaded = len(body)

    @cached_property
    def headers(self) -> httpx.Headers:  # type: ignore[override]
        """As httpx has them: in any writing, the first of a name or all of them."""
        return httpx.Headers(self._raw_headers)


_NO_STREAM: Final = httpx.ByteStream(b"")


class _Connection(asyncio.Protocol):
    """One socket, and the callbacks of the parser that reads its answers."""

    def __init__(self, answer_bytes_max: int, body_bytes_kept: int | None) -> None:
        self.reusable = True
        self._answer_bytes_max = answer_bytes_max
        self._body_bytes_kept = body_bytes_kept
        self._socket: asyncio.Transport | None = None
        self._input = select.poll()
        self._answer: asyncio.Future[_Answer] | None = None  # of the exchange under way
        self._timer: asyncio.TimerHandle | None = None
        self._until = 0.0  # the whole answer must be here, by the loop's time
        self._listened = False  # beyond that, once in an exchange
        self._parser: Any = None
        self._method = ""
        self._headers: list[tuple[bytes, bytes]] = []
        self._headers_done = False
        self._body: list[bytes] = []
        self._size = 0

    async def exchange(self, message: bytes, method: str, seconds: float | None) -> _Answer:
        """Write once, then wait for the whole answer."""
        assert self._socket is not None
        loop = asyncio.get_running_loop()
        self._answer = loop.create_future()
        self._method, self._headers, self._body, self._size = method, [], [], 0
        self._headers_done = False
        self._parser = httptools.HttpResponseParser(self)
        if seconds is not None:
            self._until, self._listened = loop.time() + seconds, False
            self._timer = loop.call_at(self._until, self._late)
        try:
            self._socket.write(message)
            return await self._answer
        except BaseException:  # a cancelled caller too: a late answer must not meet the next one
            self.close()
            raise
        finally:
            self._answer = None
            self._stop_timer()

    def rest(self, seconds: float) -> None:
        """Wait in the pool, and close when nobody comes."""
        self._timer = asyncio.get_running_loop().call_later(seconds, self.close)

    def wake(self) -> bool:
        """Whether the socket can carry a request; input nobody asked for means it cannot."""
        self._stop_timer()
        if self.reusable and self._socket is not None:
            if self._socket.is_closing() or self._input.poll(0):
                self.close()
            return self.reusable
        return False

    def close(self) -> None:
        self.reusable = False
        self._stop_timer()
        if self._socket is not None:
            self._socket.abort()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _late(self) -> None:
        # uvloop calls timers before it reads sockets: without this every company that was asked
        # would be called silent, and left alone for it, because we stood still.
        loop = asyncio.get_running_loop()
        if not self._listened and loop.time() - self._until > STOOD_STILL_SECONDS:
            self._listened = True
            self._timer = loop.call_later(LISTENS_SECONDS, self._late)
            return
        self._fail(httpx.ReadTimeout("no whole answer in time"))

    def _fail(self, error: Exception) -> None:
        self.reusable = False
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)

    def _finish(self) -> None:
        if self._answer is not None and not self._answer.done():
            status = self._parser.get_status_code()
            self._answer.set_result((status, self._headers, b"".join(self._body)))

    # asyncio calls these.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports do not inherit from asyncio's, so an isinstance check would lie.
        self._socket = transport  # type: ignore[assignment]
        # Asked only while the socket is not closing, so the number is still this socket's.
        self._input.register(transport.get_extra_info("socket").fileno(), select.POLLIN)

    def data_received(self, data: bytes) -> None:
        if self._answer is None or self._answer.done():  # nobody asked: trust this socket no more
            self.close()
            return
        self._size += len(data)
        if self._size > self._answer_bytes_max and self._body_bytes_kept is None:
            self._fail(self._too_large())
            return
        try:
            self._parser.feed_data(data)
            if self._size > self._answer_bytes_max:  # and its body has not begun, or was cut
                self._fail(self._too_large())
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._fail(httpx.RemoteProtocolError(f"not an HTTP answer: {error}"))

    def connection_lost(self, exc: Exception | None) -> None:
        # A clean close ends a body of undeclared length; a reset never ends anything.
        if exc is None and self._headers_done and self._body_ends_by_closing():
            self._finish()
        self._fail(httpx.ReadError(str(exc or "closed before the whole answer")))

    # The parser calls these.

    def on_message_begin(self) -> None:
        if self._answer is None or self._answer.done():  # a second answer to one request
            self.reusable = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        self._headers_done = self._parser.get_status_code() >= 200  # not 100, not 103
        if self._headers_done and self._method == "HEAD":
            self.reusable = False  # the parser waits for a body that will not come
            self._finish()

    def on_body(self, data: bytes) -> None:
        if self._body_bytes_kept is None:
            self._body.append(data)
        elif self._answer is not None and not self._answer.done():
            kept = b"".join(self._body) + data
            self._body = [kept[: self._body_bytes_kept]]
            if len(kept) > self._body_bytes_kept:
                self.reusable = False
                self._finish()

    def on_message_complete(self) -> None:
        if not self._headers_done:
            self._headers = []
        elif self._answer is not None and not self._answer.done():
            self.reusable = self.reusable and self._parser.should_keep_alive()
            self._finish()

    def _too_large(self) -> httpx.ReadError:
        return httpx.ReadError(f"answer larger than {self._answer_bytes_max} bytes")

    def _body_ends_by_closing(self) -> bool:
        names = {name.lower() for name, _ in self._headers}
        return not names & {b"content-length", b"transfer-encoding"}


async def _body(request: httpx.Request) -> bytes:
    if isinstance(request.stream, httpx.ByteStream):
        return b"".join(request.stream)
    return await request.aread()


def _serialise(
    method: str, target: bytes, headers: Sequence[tuple[bytes, bytes]], body: bytes
) -> bytes:
    lines = [b"%s: %s\r\n" % pair for pair in headers if pair[0].lower() not in _SET_HERE]
    # `identity`, or the size limit would count the packed bytes of an unpacking bomb.
    lines.append(b"Accept-Encoding: identity\r\n")
    if body or method not in ("GET", "HEAD"):
        # Also for an empty POST: MTN's front answers 411 without it (mtn-momo, section 2).
        lines.append(b"Content-Length: %d\r\n" % len(body))
    head = b"%s %s HTTP/1.1\r\n%s\r\n" % (method.encode(), target, b"".join(lines))
    if not head.count(b"\r") == head.count(b"\n") == len(lines) + 2:
        raise httpx.LocalProtocolError("line break inside a header")
    return head + body

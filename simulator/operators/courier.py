"""Carries callbacks to the server under test, once each, and remembers how each was received.

A lean HTTP/1.1 client with kept-alive connections: a sandbox under load must not be the thing
that is measured. It never retries and never follows a redirect, as the operators do not.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import cast
from urllib.parse import SplitResult, urlsplit

import httptools

_REMEMBERED = 10_000
# Shorter than the five seconds after which common servers hang up on an idle connection.
_IDLE_SECONDS_MAX = 2.0
_NO_HEADERS: Mapping[str, str] = {}
Origin = tuple[str, str, int]


@dataclass(frozen=True)
class Delivery:
    """How one callback was received: an HTTP status, or why there was none."""

    n: int
    url: str  # all of the path but its last eight characters is hidden
    status: int | None
    error: str | None
    at: datetime


class Courier:
    """Delivers callbacks over a pool of connections per origin."""

    def __init__(self, clock: Callable[[], datetime], *, timeout_seconds: float = 10.0) -> None:
        self._clock = clock
        self._timeout_seconds = timeout_seconds
        self._idle: defaultdict[Origin, deque[_Connection]] = defaultdict(deque)
        self._sent = 0
        self.deliveries: deque[Delivery] = deque(maxlen=_REMEMBERED)

    async def deliver(
        self,
        url: str,
        body: bytes,
        *,
        content_type: str,
        method: str = "POST",
        headers: Mapping[str, str] = _NO_HEADERS,
    ) -> int | None:
        """Send one callback; the receiver's HTTP status, or None when there was no answer.

        Never raises: what went wrong is in `deliveries`.
        """
        status: int | None = None
        error: str | None = None
        try:
            async with asyncio.timeout(self._timeout_seconds):
                status = await self._exchange(
                    urlsplit(url), body, method, {**headers, "Content-Type": content_type}
                )
        except (OSError, ValueError) as failure:
            # TimeoutError is an OSError; ValueError is a URL or a port that makes no sense.
            error = type(failure).__name__
        self._sent += 1
        self.deliveries.append(Delivery(self._sent, _redacted(url), status, error, self._clock()))
        return status

    def close(self) -> None:
        """Hang up every idle connection."""
        for connections in self._idle.values():
            for connection in connections:
                connection.hang_up()
        self._idle.clear()

    async def _exchange(
        self, url: SplitResult, body: bytes, method: str, headers: Mapping[str, str]
    ) -> int:
        secure = url.scheme == "https"
        origin = (url.scheme, url.hostname or "", url.port or (443 if secure else 80))
        connection = self._warm(origin) or await _connect(origin, secure=secure)
        try:
            status = await connection.exchange(_request(url, body, method, headers))
        except BaseException:  # A cancelled delivery too: its answer must not meet the next one.
            connection.hang_up()
            raise
        if connection.reusable:
            self._idle[origin].append(connection)
        else:
            connection.hang_up()
        return status

    def _warm(self, origin: Origin) -> _Connection | None:
        connections = self._idle[origin]
        now = asyncio.get_running_loop().time()
        while connections:
            connection = connections.pop()
            if connection.reusable and now - connection.rested_at < _IDLE_SECONDS_MAX:
                return connection
            connection.hang_up()
        return None


async def _connect(origin: Origin, *, secure: bool) -> _Connection:
    _, host, port = origin
    _, connection = await asyncio.get_running_loop().create_connection(
        _Connection, host, port, ssl=True if secure else None
    )
    return connection


def _request(url: SplitResult, body: bytes, method: str, headers: Mapping[str, str]) -> bytes:
    target = (url.path or "/") + (f"?{url.query}" if url.query else "")
    lines = [f"{method} {target} HTTP/1.1", f"Host: {url.netloc.rpartition('@')[2]}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines += [f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def _redacted(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/…{parts.path[-8:].lstrip('/')}"


class _Connection(asyncio.Protocol):
    """One socket, one exchange at a time; also the callbacks of its answer's parser."""

    def __init__(self) -> None:
        self._answer: asyncio.Future[int] | None = None
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._has_status = False
        self.reusable = True
        self.rested_at = 0.0

    async def exchange(self, message: bytes) -> int:
        """Write one request, read its whole answer, keep the status only."""
        if self._transport is None or self._transport.is_closing():
            raise ConnectionResetError
        self._answer = asyncio.get_running_loop().create_future()
        self._parser = httptools.HttpResponseParser(self)
        self._has_status = False
        self._transport.write(message)
        try:
            return await self._answer
        finally:
            self._answer = None
            self.rested_at = asyncio.get_running_loop().time()

    def hang_up(self) -> None:
        self.reusable = False
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # No isinstance: uvloop's transports are of no asyncio class.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._answer is None:
            self.hang_up()
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._fail(ConnectionAbortedError(f"not an HTTP answer: {error}"))

    def connection_lost(self, exc: Exception | None) -> None:
        self.reusable = False
        if self._has_status:  # A body that ends with the connection, or is cut: the status stands.
            self._finish()
        else:
            self._fail(exc or ConnectionResetError("closed before the whole answer"))

    def on_headers_complete(self) -> None:
        self._has_status = True

    def on_message_complete(self) -> None:
        self.reusable = self.reusable and self._parser.should_keep_alive()
        self._finish()

    def _finish(self) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(self._parser.get_status_code())

    def _fail(self, error: Exception) -> None:
        self.reusable = False
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)

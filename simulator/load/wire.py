"""The fast way to a server: kept connections, one request at a time on each, nothing copied twice.

It knows HTTP/1.1 and no dialect. A general client costs five times the CPU of the server's turn.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any
from urllib.parse import urlsplit

import httptools

from simulator.exchange import BODY_BYTES_MAX, DEADLINE_SECONDS, Answer, Request, Unanswered

CONNECTIONS_MAX = 1_000


class Wires:
    """Connections to servers, opened as they are needed and used again."""

    def __init__(self, *, connections_max: int = CONNECTIONS_MAX) -> None:
        """At most so many connections an origin; who finds none waits for one."""
        self._connections_max = connections_max
        self._origins: dict[tuple[str, int], _Origin] = {}
        self._heads: dict[tuple[str, str], tuple[_Origin, str]] = {}

    async def bring(
        self, url: str, request: Request, *, deadline_seconds: float = DEADLINE_SECONDS
    ) -> Answer:
        """Post once and read the whole answer, as `exchange` does. Raises Unanswered."""
        origin, head = self._heads.get((url, request.content_type)) or self._head(url, request)
        fields = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
        sent = f"{head}{fields}content-length: {len(request.body)}\r\n\r\n".encode("latin-1")
        try:
            async with asyncio.timeout(deadline_seconds):
                return await origin.exchange(sent + request.body)
        except TimeoutError:
            raise Unanswered(f"no answer within {deadline_seconds:g} s") from None
        except OSError as error:
            raise Unanswered(f"the server cannot be reached: {error}") from error

    def _head(self, url: str, request: Request) -> tuple[_Origin, str]:
        parts = urlsplit(url)
        if parts.scheme != "http" or parts.hostname is None:
            raise Unanswered(f"only http:// addresses can be called, not {url!r}")
        key = (parts.hostname, parts.port or 80)
        origin = self._origins.setdefault(key, _Origin(*key, self._connections_max))
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        head = (
            f"POST {target} HTTP/1.1\r\nhost: {parts.netloc}\r\n"
            f"content-type: {request.content_type}\r\n"
        )
        found = self._heads[url, request.content_type] = (origin, head)
        return found

    async def aclose(self) -> None:
        """Close all connections. Safe to repeat."""
        for origin in self._origins.values():
            origin.close()
        self._origins.clear()
        self._heads.clear()


class _Origin:
    """The connections to one server."""

    def __init__(self, host: str, port: int, connections_max: int) -> None:
        self._host = host
        self._port = port
        self._free: deque[_Wire] = deque()
        self._all: set[_Wire] = set()
        self._room = asyncio.Semaphore(connections_max)

    async def exchange(self, request: bytes) -> Answer:
        async with self._room:
            wire = self._take()
            if wire is None:
                _, wire = await asyncio.get_running_loop().create_connection(
                    _Wire, self._host, self._port
                )
                self._all.add(wire)
            try:
                answer = await wire.exchange(request)
            except BaseException:
                self._drop(wire)
                raise
            if wire.reusable:
                self._free.append(wire)
            else:
                self._drop(wire)
            return answer

    def _take(self) -> _Wire | None:
        while self._free:
            wire = self._free.pop()
            if wire.reusable:
                return wire
            self._drop(wire)
        return None

    def _drop(self, wire: _Wire) -> None:
        self._all.discard(wire)
        wire.close()

    def close(self) -> None:
        for wire in self._all:
            wire.close()
        self._all.clear()
        self._free.clear()


class _Wire(asyncio.Protocol):
    """One connection."""

    def __init__(self) -> None:
        self._transport: Any = None
        self._answer: asyncio.Future[Answer] | None = None
        self._parser: Any = None
        self.reusable = True

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def exchange(self, request: bytes) -> asyncio.Future[Answer]:
        self._answer = asyncio.get_running_loop().create_future()
        self._parser = httptools.HttpResponseParser(self)
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._length = 0
        self._transport.write(request)
        return self._answer

    def close(self) -> None:
        self.reusable = False
        if self._transport is not None:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        if self._answer is None or self._answer.done():
            self.close()  # nobody asked: what would it answer?
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(f"not HTTP: {error}")

    def connection_lost(self, error: Exception | None) -> None:
        self.reusable = False
        self._fail(f"the connection was lost: {error}" if error else "the connection was closed")

    # What the parser tells.

    def on_message_begin(self) -> None:
        if self._answer is not None and self._answer.done():
            self.close()  # behind the answer, in one packet with it: nobody asked for this either

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self._length += len(body)
        if self._length > BODY_BYTES_MAX:
            self._fail(f"the answer is longer than {BODY_BYTES_MAX:,} bytes")
            return
        self._body.append(body)

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 200:  # an interim answer: the real one follows
            self._headers = {}
            return
        self.reusable = self.reusable and self._parser.should_keep_alive()
        if self._answer is not None and not self._answer.done():
            content_type = self._headers.get("content-type", "")
            answer = Answer(status, content_type, b"".join(self._body), self._headers)
            self._answer.set_result(answer)

    def _fail(self, why: str) -> None:
        self.reusable = False
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(Unanswered(why))
        if self._transport is not None:
            self._transport.close()

"""A company to call: an HTTP server on 127.0.0.1 that answers by script and remembers requests.

It speaks through bare sockets, so that it can also be silent, rude, slow or cut short.
"""

import asyncio
import contextlib
import socket
import ssl
import struct
from collections import defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec

from simulator.embedded import free_port
from tests.leap import leap
from tests.listening import listening


@dataclass(frozen=True)
class Answer:
    """A well-formed answer. `message` is sent as JSON, `body` as it is."""

    status: int = 200
    message: Any = None
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    content_type: str = "application/json"
    delay_seconds: float = 0.0
    behind: asyncio.Event | None = None  # it is not said before

    def encode(self) -> bytes:
        body = self.body if self.message is None else msgspec.json.encode(self.message)
        lines = [
            f"HTTP/1.1 {self.status} Scripted",
            f"Content-Type: {self.content_type}",
            f"Content-Length: {len(body)}",
            *(f"{name}: {value}" for name, value in self.headers),
        ]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@dataclass(frozen=True)
class Raw:
    """Any bytes at all, and what happens to the connection after them."""

    sent: bytes = b""
    then: Literal["close", "reset", "hold", "serve"] = "close"
    pause_seconds: float = 0.0  # between single bytes, when positive


Reaction = Answer | Raw

SILENCE = Raw(then="hold")
CLOSES = Raw()
RESETS = Raw(then="reset")
CUT_SHORT = Raw(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"half": ')
NOT_HTTP = Raw(b"SSH-2.0-OpenSSH_9.6\r\n")
HTML_OK = Answer(200, body=b"<html>Welcome</html>", content_type="text/html")
HTML_500 = Answer(500, body=b"<html>Oops</html>", content_type="text/html")
EMPTY_200 = Answer(200)
EMPTY_500 = Answer(500)
ELSEWHERE = Answer(302, headers=(("Location", "https://elsewhere.invalid/"),))


MOMENT_SECONDS = 0.02
_BYTES_IN_TIME = 20  # so many of those that it says slowly
PATIENCE_SECONDS = 30.0
"""As long as no busy machine takes. A company that is opened with it costs nobody so much."""


@dataclass
class Received:
    """One request as it came over the wire."""

    method: str
    target: str
    headers: dict[str, str]  # names in lower case
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)


@dataclass
class Company:
    """`patience_seconds`: what its callers wait at the most. Where it is silent that goes by at
    once, so they can be given long for what they wait for really; 0: it is waited for."""

    url: str = ""
    patience_seconds: float = 0.0
    requests: list[Received] = field(default_factory=list)
    connections: int = 0
    connections_open: int = 0
    _scripts: dict[str, list[Reaction]] = field(default_factory=lambda: defaultdict(list))

    def on(self, path: str, *reactions: Reaction) -> None:
        """What the next requests for `path` get; the last reaction stays."""
        self._scripts[path] = list(reactions)

    def received(self, path: str) -> list[Received]:
        return [request for request in self.requests if request.path == path]

    async def until_asked(self, path: str) -> None:
        """Wait until a request for `path` has come."""
        for _ in range(3000):
            if self.received(path):
                return
            await asyncio.sleep(0.01)
        raise AssertionError(f"nobody asked for {path}")

    async def until_open(self, connections: int) -> None:
        """Wait until so many connections are open."""
        for _ in range(3000):
            if self.connections_open == connections:
                return
            await asyncio.sleep(0.01)
        raise AssertionError(f"{self.connections_open} connections are open, not {connections}")

    def react(self, request: Received) -> Reaction:
        self.requests.append(request)
        script = self._scripts[request.path]
        if not script:
            return Answer(418, message={"unscripted": request.path})
        return script.pop(0) if len(script) > 1 else script[0]


@contextlib.asynccontextmanager
async def opened(
    host: str = "127.0.0.1", tls: ssl.SSLContext | None = None, *, patience_seconds: float = 0.0
) -> AsyncIterator[Company]:
    """A company that is open for business until the block ends."""
    company = Company(patience_seconds=patience_seconds)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        company.connections += 1
        company.connections_open += 1
        try:
            await _serve(company, reader, writer)
        finally:
            company.connections_open -= 1

    async with listening(serve, host=host, tls=tls) as port:
        company.url = f"{'https' if tls else 'http'}://{host}:{port}"
        yield company


async def _serve(
    company: Company, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
        while True:
            reaction = company.react(await _read_request(reader))
            if isinstance(reaction, Answer):
                if reaction.delay_seconds > company.patience_seconds > 0:
                    await _pass_time(reader, company.patience_seconds)
                await asyncio.sleep(reaction.delay_seconds)
                if reaction.behind is not None:
                    await reaction.behind.wait()
                writer.write(reaction.encode())
                await writer.drain()
                continue
            await _write_slowly(writer, reaction, company.patience_seconds)
            if reaction.then == "hold":
                await _pass_time(reader, company.patience_seconds)
                await reader.read()  # until the caller gives up
            if reaction.then == "reset":
                _reset_on_close(writer)
            if reaction.then != "serve":
                return


async def _read_request(reader: asyncio.StreamReader) -> Received:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, target, _ = head[0].split(" ")
    headers = {}
    for line in head[1:]:
        name, colon, value = line.partition(": ")
        if colon:
            assert name.lower() not in headers, f"{name} was sent twice"
            headers[name.lower()] = value
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Received(method, target, headers, body)


async def _pass_time(reader: asyncio.StreamReader, seconds: float) -> None:
    """Until a caller who has begun to wait waits no more."""
    if not seconds:
        return
    for _ in range(20):  # whoever can go on has gone on then, however late the loop is
        await asyncio.sleep(MOMENT_SECONDS / 20)
    if not reader.at_eof():
        leap(seconds)


async def _write_slowly(
    writer: asyncio.StreamWriter, reaction: Raw, patience_seconds: float
) -> None:
    """Of the caller's patience each byte takes a small part: any byte alone would be in time."""
    if not reaction.pause_seconds:
        writer.write(reaction.sent)
        await writer.drain()
        return
    for index in range(len(reaction.sent)):
        writer.write(reaction.sent[index : index + 1])
        await writer.drain()
        if not patience_seconds:
            await asyncio.sleep(reaction.pause_seconds)
            continue
        await asyncio.sleep(min(MOMENT_SECONDS, reaction.pause_seconds))
        if not writer.is_closing():
            leap(patience_seconds / _BYTES_IN_TIME)


def _reset_on_close(writer: asyncio.StreamWriter) -> None:
    linger = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)


def closed_port() -> int:
    """A port of 127.0.0.1 on which nobody listens, and that nobody is lent meanwhile."""
    return free_port()

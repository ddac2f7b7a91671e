"""A pooler as PgBouncer is one: of what opens a connection it hands on what it knows, and refuses
the rest, or drops it without a word where it was told to (`ignore_startup_parameters`).
"""

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit

HOST = "127.0.0.1"
KNOWN = frozenset({"user", "database", "client_encoding", "application_name", "timezone"})
_PROTOCOL, _SSL = 196_608, 80_877_103
_LENGTH = struct.Struct("!i")


@asynccontextmanager
async def pooler(url: str, *, ignored: frozenset[str]) -> AsyncIterator[str]:
    """The address behind which it stands, for as long as the block lasts."""
    parts = urlsplit(url)
    under_way: set[asyncio.Task[None]] = set()

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await _carry(reader, writer, parts.port or 5432, ignored)
        await _hang_up(writer)

    def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        under_way.add(asyncio.create_task(carry(reader, writer)))

    server = await asyncio.start_server(take, HOST, 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        yield urlunsplit(parts._replace(netloc=f"{parts.username}@{HOST}:{port}"))
        await asyncio.gather(*under_way)  # whoever is connected through it hangs up


async def _carry(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int, ignored: frozenset[str]
) -> None:
    asked = await _opening(reader, writer)
    if unknown := [name for name in asked if name not in KNOWN | ignored]:
        writer.write(_refusal(f"unsupported startup parameter: {unknown[0]}"))
        await writer.drain()
        return
    answers, asks = await asyncio.open_connection(HOST, port)
    asks.write(_packed({name: value for name, value in asked.items() if name in KNOWN}))
    await asyncio.gather(_copy(reader, asks), _copy(answers, writer))


async def _opening(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> dict[str, str]:
    while True:
        (length,) = _LENGTH.unpack(await reader.readexactly(4))
        body = await reader.readexactly(length - 4)
        if _LENGTH.unpack(body[:4])[0] != _SSL:
            words = body[4:].decode().rstrip("\0").split("\0")
            return dict(zip(words[::2], words[1::2], strict=False))
        writer.write(b"N")


def _packed(asked: Mapping[str, str]) -> bytes:
    words = "".join(f"{name}\0{value}\0" for name, value in asked.items()).encode()
    body = _LENGTH.pack(_PROTOCOL) + words + b"\0"
    return _LENGTH.pack(len(body) + 4) + body


def _refusal(told: str) -> bytes:
    body = f"SFATAL\0C08P01\0M{told}\0\0".encode()
    return b"E" + _LENGTH.pack(len(body) + 4) + body


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(65_536):
        writer.write(chunk)
        await writer.drain()
    await _hang_up(writer)


async def _hang_up(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()

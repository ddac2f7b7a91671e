"""A server made by hand, for as long as a block lasts; it leaves nothing open for who comes next.

What a test leaves open is told wherever Python happens to look next: in another test, long after.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]

_BACKLOG = 100
_HANGS_UP = (OSError, asyncio.IncompleteReadError)


@asynccontextmanager
async def listening(
    serve: Serve, port: int = 0, *, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    """Each connection is served by `serve` until the block ends, then closed; gives the port.

    At the end whoever still serves is cancelled and all connections are reset, also those that
    nobody came to serve. Raises what `serve` raised, but for a caller who hung up.

    Of `asyncio.start_server` an end leaves open what it is just about to accept.
    """
    loop = asyncio.get_running_loop()
    accepted: list[socket.socket] = []
    serving: list[asyncio.Task[None]] = []

    def accept() -> None:
        with suppress(BlockingIOError):  # until there is nobody more
            while True:
                connection, _ = door.accept()
                accepted.append(connection)
                serving.append(asyncio.create_task(_serve(connection, serve, tls)))

    with socket.create_server((host, port), backlog=_BACKLOG) as door:
        door.setblocking(False)
        loop.add_reader(door, accept)
        try:
            yield door.getsockname()[1]
        finally:
            loop.remove_reader(door)
            for task in serving:
                task.cancel()
            ended = await asyncio.gather(*serving, return_exceptions=True)
            for connection in accepted:
                connection.close()
    for error in ended:
        if isinstance(error, Exception) and not isinstance(error, _HANGS_UP):
            raise error


async def _serve(connection: socket.socket, serve: Serve, tls: ssl.SSLContext | None) -> None:
    connection.setblocking(False)
    loop, reader = asyncio.get_running_loop(), asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    transport, _ = await loop.connect_accepted_socket(lambda: protocol, connection, ssl=tls)
    writer = asyncio.StreamWriter(transport, protocol, reader, loop)
    try:
        await serve(reader, writer)
        writer.close()
        await writer.wait_closed()
    except RuntimeError as error:
        if not transport.is_closing():
            raise
        raise ConnectionResetError from error  # uvloop's word for one on whom was hung up
    finally:
        with suppress(AttributeError):  # before Python 3.11.4 of one of TLS that was closed twice
            transport.abort()
        with suppress(OSError):
            await writer.wait_closed()

"""Serves applications on 127.0.0.1, one port each, in one process. It knows none of them."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from simulator.faults import ABORT

HOST = "127.0.0.1"
_SHUTDOWN_SECONDS_MAX = 1.0
_BACKLOG = 2048
_IDLE_SECONDS_MAX = 60
"""How long a connection may rest: longer than any caller of ours lets it, also on a machine that is
so busy that a request lies unread for seconds. Who asks while it is being closed gets no answer."""
_STEPS_FROM_ACCEPTED_TO_CONNECTION = 3
"""Steps of the event loop after which whatever was accepted before is a connection to be closed:
nobody would close one that comes up while the loop ends."""
Apps = Mapping[str, tuple[ASGIApp, int]]
"""Each application by name, and the port it wants; 0 is any free one."""


@asynccontextmanager
async def serving(apps: Apps) -> AsyncIterator[Mapping[str, str]]:
    """Serve every app until the block ends; gives each one's URL. OSError: a port is taken."""
    sockets: dict[str, socket.socket] = {}
    try:
        for name, (_, port) in apps.items():
            sockets[name] = _bind(port)
    except OSError:
        for bound in sockets.values():
            bound.close()
        raise
    servers = [_Server(_config(app)) for app, _ in apps.values()]
    urls = {name: f"http://{HOST}:{bound.getsockname()[1]}" for name, bound in sockets.items()}
    tasks = [
        asyncio.create_task(server.serve(sockets=[bound]))
        for server, bound in zip(servers, sockets.values(), strict=True)
    ]
    try:
        await asyncio.gather(*(server.ready.wait() for server in servers))
        yield urls
    finally:
        for server in servers:
            server.end()
        await asyncio.gather(*tasks)


async def serve(apps: Apps) -> None:
    """Serve every app until SIGTERM or SIGINT, then end in good order."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with serving(apps) as urls:
        for name, url in urls.items():
            sys.stdout.write(f"{name} {url}\n")
        sys.stdout.flush()
        await stop.wait()


class _Server(uvicorn.Server):
    """One of several servers in a process: signals are the runner's business, not its own.

    It starts and ends at once: uvicorn looks for its end ten times a second and then waits
    some more, which a test suite with hundreds of servers would feel.
    """

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()
        self._ending = asyncio.Event()

    def end(self) -> None:
        self._ending.set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    async def main_loop(self) -> None:
        await self._ending.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening, let answers under way finish for a moment, then cut the rest.

        What was accepted becomes a connection before its server is closed: asyncio would leave it
        open, and in nobody's hands.
        """
        for bound in sockets or []:
            asyncio.get_running_loop().remove_reader(bound)
        await _accepted_are_connections()
        for listening in self.servers:
            listening.close()
        for bound in sockets or []:
            bound.close()
        await _accepted_are_connections()
        connections = tuple(self.server_state.connections)
        for connection in connections:
            connection.shutdown()
        tasks = tuple(self.server_state.tasks)
        if tasks:
            await asyncio.wait(tasks, timeout=_SHUTDOWN_SECONDS_MAX)
        for connection in connections:
            connection.transport.abort()
        if tasks:
            await asyncio.wait(tasks, timeout=_SHUTDOWN_SECONDS_MAX)
        await self.lifespan.shutdown()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _accepted_are_connections() -> None:
    for _ in range(_STEPS_FROM_ACCEPTED_TO_CONNECTION):
        await asyncio.sleep(0)


class _CuttableProtocol(HttpToolsProtocol):
    """Offers each request the means to cut its connection without an answer."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {ABORT: self.transport.abort}  # type: ignore[dict-item]


def _config(app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=_CuttableProtocol,
        ws="none",
        lifespan="on",
        log_config=None,  # A test's or the caller's logging stays as it is.
        access_log=False,
        server_header=False,
        date_header=False,
        backlog=_BACKLOG,
        timeout_keep_alive=_IDLE_SECONDS_MAX,
    )


def _bind(port: int) -> socket.socket:
    # Told that it is TCP, asyncio sends each write at once: else a small answer waits 40 ms.
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((HOST, port))
    except OSError:
        bound.close()
        raise
    return bound

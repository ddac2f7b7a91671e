"""The web process, from the command to its end.

Importing this costs what routes, a server and an engine cost: only who serves does it (`cli.py`).
"""

import argparse
import contextlib
import re
from asyncio import AbstractEventLoop
from collections.abc import Callable, Mapping
from typing import Any, Final

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from channels.app import build_app
from channels.environment import PORT_MAX
from channels.processes import sound_ones, tell_faults_of, tune_collector
from channels.production import refuse_insecure
from channels.settings import EdgeSettings, Settings
from channels.street import Street
from channels.watching.memory import ending_without_memory, watch_loop
from channels.web.server import Connection
from channels.web.tls import loop_with, open_tls
from engine.memory import end_if_refused
from providers.registry import refuse_strangers

NEVER_STARTED: Final = 3
"""The exit code of a server that was ended before it served anybody, as uvicorn has it."""
SERVED: Final[dict[str, Any]] = {
    "http": Connection,
    "access_log": False,  # paths hold callback tokens
    "log_config": None,
    "server_header": False,
    "date_header": False,
    "ws": "none",
    "proxy_headers": False,  # nobody's word about its own address is asked for here
}
"""How every server of ours reads its sockets, in uvicorn's words."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What may stand behind `capp serve`."""
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=_port, default=8080)


def _port(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", text) or int(text) > PORT_MAX:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: 0 to {PORT_MAX}")
    return int(text)


def serve(settings: Settings, options: argparse.Namespace) -> int:
    """The web process, until it is asked to end.

    Raises BadSettings, in production mode also for what is weak or meant for a demo,
    SenselessSettings for names nobody knows, and whatever kept it from being opened.
    """
    refuse_insecure(settings)
    refuse_strangers(  # before anything is waited for
        operators=settings.operators, sms=settings.sms_gateways, rates=settings.rates.sources
    )
    return _serve(build_app(settings), settings, options)


def serve_street(environment: Mapping[str, str], options: argparse.Namespace) -> int:
    """The web process for every tenant of the folder. Raises what `serve` raises."""
    tenants = sound_ones(environment)
    house = tenants[0].settings  # what is the process's is the same in all
    return _serve(Street(tenants, is_strict=house.is_production), house, options)


def _serve(app: ASGIApp, settings: Settings, options: argparse.Namespace) -> int:
    opened = Opened(app)
    server = uvicorn.Server(server_config(opened, settings.edges, options.host, options.port))
    tune_collector()
    tell_faults_of(settings)
    try:
        with ending_without_memory(), contextlib.suppress(KeyboardInterrupt):
            server.run()
    except SystemExit:
        if opened.fault is not None:
            raise opened.fault from None  # every command tells of it in the same words
        raise
    return 0 if server.started else NEVER_STARTED


class Opened:
    """The application as the server opens it: why it could not be opened is kept, and not told.

    The server would write a trace, and end with a code of its own.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.fault: Exception | None = None
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await self._app(scope, receive, send)
            return
        is_open = False

        async def send_on(message: Message) -> None:
            nonlocal is_open
            is_open = is_open or message["type"] == "lifespan.startup.complete"
            if is_open:
                await send(message)

        try:
            await self._app(scope, receive, send_on)
        except Exception as error:
            end_if_refused(error)
            if is_open:
                raise
            self.fault = error
            await send({"type": "lifespan.startup.failed"})


class _Config(uvicorn.Config):
    """One whose loop is ours."""

    def __init__(
        self, app: ASGIApp, make_loop: Callable[[], AbstractEventLoop], **named: Any
    ) -> None:
        super().__init__(app, **named)
        self._make_loop = make_loop

    def get_loop_factory(self) -> Callable[[], AbstractEventLoop]:
        return self._watched_loop

    def _watched_loop(self) -> AbstractEventLoop:
        loop = self._make_loop()
        watch_loop(loop)
        return loop


def server_config(app: ASGIApp, edges: EdgeSettings, host: str, port: int) -> uvicorn.Config:
    """How the web process is served. Raises BadSettings for a certificate that is none."""
    tls = open_tls(edges)
    return _Config(
        app,
        loop_with(edges.handshake_seconds),
        host=host,
        port=port,
        ssl_context_factory=(lambda *_: tls) if tls else None,
        timeout_keep_alive=edges.keep_alive_seconds,
        backlog=edges.backlog,
        timeout_graceful_shutdown=10,
        **SERVED,
    )

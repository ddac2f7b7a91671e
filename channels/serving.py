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
from starlette.types import ASGIApp

from channels.app import build_app
from channels.environment import PORT_MAX
from channels.processes import sound_ones, tell_faults_of, tune_collector
from channels.production import refuse_insecure
from channels.server import Connection
from channels.settings import EdgeSettings, Settings
from channels.street import Street
from channels.tls import loop_with, open_tls
from providers.registry import refuse_strangers

NEVER_STARTED: Final = 3
"""The exit code of a server that ended before it served anybody, as uvicorn has it."""
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

    Raises BadSettings, in production mode also for what is weak or meant for a demo, and
    SenselessSettings for names nobody knows.
    """
    refuse_insecure(settings)
    # Inside the server it would be told with a trace.
    refuse_strangers(
        operators=settings.operators, sms=settings.sms_gateways, rates=settings.rates.sources
    )
    return _serve(build_app(settings), settings, options)


def serve_street(environment: Mapping[str, str], options: argparse.Namespace) -> int:
    """The web process for every tenant of the folder. Raises what `serve` raises."""
    tenants = sound_ones(environment)
    house = tenants[0].settings  # what is the process's is the same in all
    return _serve(Street(tenants, is_strict=house.is_production), house, options)


def _serve(app: ASGIApp, settings: Settings, options: argparse.Namespace) -> int:
    server = uvicorn.Server(server_config(app, settings.edges, options.host, options.port))
    tune_collector()
    tell_faults_of(settings)
    with contextlib.suppress(KeyboardInterrupt):
        server.run()
    return 0 if server.started else NEVER_STARTED


class _Config(uvicorn.Config):
    """One whose loop is ours."""

    def __init__(
        self, app: ASGIApp, make_loop: Callable[[], AbstractEventLoop], **named: Any
    ) -> None:
        super().__init__(app, **named)
        self._make_loop = make_loop

    def get_loop_factory(self) -> Callable[[], AbstractEventLoop]:
        return self._make_loop


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

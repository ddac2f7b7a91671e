"""The two processes of an installation, and what is done once before they start.

Importing this costs what a whole engine costs: only who runs one does it (`cli.py`).
"""

import argparse
import asyncio
import contextlib
import gc
import logging
import signal
from asyncio import AbstractEventLoop
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from random import SystemRandom
from typing import Any, Final

import uvicorn
from starlette.types import ASGIApp

from channels.app import build_app
from channels.outages import told_once
from channels.production import refuse_insecure
from channels.rounds import make_rounds
from channels.seed import read_seeds, seed
from channels.server import Connection
from channels.settings import BadSettings, EdgeSettings, Settings
from channels.starting import open_when_up
from channels.street import Street
from channels.tenants import Tenant, read_tenants
from channels.tls import loop_with, open_tls
from channels.watching.faults import tell_faults
from channels.worker import run_worker
from engine.clock import Clock
from providers.registry import build_operators

log = logging.getLogger(__name__)

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


def add_serve_arguments(parser: argparse.ArgumentParser) -> None:
    """What may stand behind `capp serve`."""
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8080)


def add_seed_arguments(parser: argparse.ArgumentParser) -> None:
    """What may stand behind `capp seed`."""
    parser.add_argument("file", type=Path)


def serve(settings: Settings, options: argparse.Namespace) -> int:
    """The web process, until it is asked to end.

    Raises BadSettings, in production mode also for what is weak or meant for a demo.
    """
    refuse_insecure(settings)
    return _serve(build_app(settings), settings, options)


def serve_street(environment: Mapping[str, str], options: argparse.Namespace) -> int:
    """The web process for every tenant of the folder. Raises what `serve` raises."""
    tenants = _sound_ones(environment)
    house = tenants[0].settings  # what is the process's is the same in all
    return _serve(Street(tenants, is_strict=house.is_production), house, options)


def _serve(app: ASGIApp, settings: Settings, options: argparse.Namespace) -> int:
    server = uvicorn.Server(server_config(app, settings.edges, options.host, options.port))
    tune_collector()
    _tell_faults(settings)
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


def _tell_faults(settings: Settings) -> None:
    watching = settings.watching
    if watching.sentry_dsn:
        tell_faults(watching.sentry_dsn, environment=watching.environment_name)


def tune_collector() -> None:
    """What lives as long as the process is not walked again; thousands of live plans seldom are.

    Measured in the commit's bench: about a quarter of the Python time of a payment.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)


def work(settings: Settings, _: argparse.Namespace) -> int:
    """The second process: sweeps and reconciliation, until it is asked to end.

    Raises what `serve` raises.
    """
    refuse_insecure(settings)

    async def work_for_one(stop: asyncio.Event) -> None:
        await work_when_up(stop, settings)

    return _work(settings, work_for_one)


def work_street(environment: Mapping[str, str], _: argparse.Namespace) -> int:
    """The second process for every tenant of the folder. Raises what `work` raises."""
    tenants = _sound_ones(environment)
    house = tenants[0].settings

    async def work_for_all(stop: asyncio.Event) -> None:
        work = partial(work_when_up, stop)
        await make_rounds(tenants, stop, work, is_strict=house.is_production)

    return _work(house, work_for_all)


def _sound_ones(environment: Mapping[str, str]) -> Sequence[Tenant]:
    """Those that can be served; the others are told. In production all are, or nobody is."""
    tenants = read_tenants(environment)
    for name, what in tenants.faults.items():
        log.error("%s is not served: %s", name, what)
    for tenant in tenants.sound:
        try:
            refuse_insecure(tenant.settings)
        except BadSettings as error:
            raise BadSettings(f"{tenant.name}: {error}") from error
    return tenants.sound


def _work(settings: Settings, work: Callable[[asyncio.Event], Awaitable[None]]) -> int:
    tune_collector()
    _tell_faults(settings)

    async def run() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        async with told_once(settings.database_url):
            await work(stop)

    asyncio.run(run())
    return 0


async def work_when_up(stop: asyncio.Event, settings: Settings) -> None:
    """Its loops go on through an outage, so what they let pass is raised by the start alone."""
    await open_when_up(
        lambda: run_worker(settings, stop),
        draw=SystemRandom().random,
        wait=partial(_wait_unless, stop),
    )


async def _wait_unless(stop: asyncio.Event, seconds: float) -> bool:
    """Whether the time passed without anybody asking the process to end."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
    return not stop.is_set()


async def sow(settings: Settings, options: argparse.Namespace, _: Callable[[str], None]) -> bool:
    """Rates, corridors and float from a file."""
    clock = Clock()
    operators = build_operators(settings.environment, clock=clock, names=settings.operators)
    facts = {name: port.facts for name, port in operators.items()}
    await seed(settings, read_seeds(options.file), facts, clock)
    return True

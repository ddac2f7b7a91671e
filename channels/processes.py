"""The two processes of an installation, and what is done once before they start.

Importing this costs what a whole engine costs: only who runs one does it (`cli.py`).
"""

import argparse
import asyncio
import contextlib
import gc
import signal
from functools import partial
from pathlib import Path
from random import SystemRandom

import uvicorn

from channels.app import build_app
from channels.outages import told_once
from channels.production import refuse_insecure
from channels.seed import read_seeds, seed
from channels.server import Connection
from channels.settings import Settings
from channels.starting import open_when_up
from channels.tls import open_tls
from channels.watching.faults import tell_faults
from channels.worker import run_worker
from engine.clock import Clock
from providers.registry import build_operators


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
    tls = open_tls(settings.edges)
    _tune_collector()
    _tell_faults(settings)
    uvicorn.run(
        build_app(settings),
        host=options.host,
        port=options.port,
        loop="uvloop",
        http=Connection,
        access_log=False,  # paths hold callback tokens
        log_config=None,
        server_header=False,
        date_header=False,
        ws="none",
        ssl_context_factory=(lambda *_: tls) if tls else None,
        timeout_keep_alive=settings.edges.keep_alive_seconds,
        backlog=settings.edges.backlog,
        proxy_headers=False,  # nobody's word about its own address is asked for here
        timeout_graceful_shutdown=10,
    )
    return 0


def _tell_faults(settings: Settings) -> None:
    watching = settings.watching
    if watching.sentry_dsn:
        tell_faults(watching.sentry_dsn, environment=watching.environment_name)


def _tune_collector() -> None:
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
    _tune_collector()
    _tell_faults(settings)

    async def run() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        # Its loops go on through an outage, so what they let pass is raised by the start alone.
        async with told_once(settings.database_url):
            await open_when_up(
                lambda: run_worker(settings, stop),
                draw=SystemRandom().random,
                wait=partial(_wait_unless, stop),
            )

    asyncio.run(run())
    return 0


async def _wait_unless(stop: asyncio.Event, seconds: float) -> bool:
    """Whether the time passed without anybody asking the process to end."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
    return not stop.is_set()


def sow(settings: Settings, options: argparse.Namespace) -> int:
    """Rates, corridors and float from a file."""
    clock = Clock()
    operators = build_operators(settings.environment, clock=clock, names=settings.operators)
    facts = {name: port.facts for name, port in operators.items()}
    asyncio.run(seed(settings, read_seeds(options.file), facts, clock))
    return 0

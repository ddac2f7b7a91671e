"""The `capp` command: the start of every process. The simulator is a program of its own."""

import argparse
import asyncio
import gc
import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import asyncpg
import msgspec
import uvicorn

from channels.app import build_app
from channels.doctor import examine
from channels.seed import read_seeds, seed
from channels.settings import BadSettings, Settings, read_settings
from channels.wiring import open_engine
from channels.worker import run_worker
from engine.clock import Clock
from engine.errors import CappError
from engine.money import plain
from providers.registry import MissingSettings, build_operators

SIMULATOR = ("demo", "phone", "play", "operators", "screens")
"""These are another program, which speaks to this one over HTTP only."""

LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given and given[0] in SIMULATOR:
        os.execv(sys.executable, [sys.executable, "-m", "simulator", *given])
    options = _parser().parse_args(given)
    logging.basicConfig(level=options.log_level.upper(), format=LOG_FORMAT)
    logging.getLogger("transitions").setLevel(logging.WARNING)  # it tells of every key press
    try:
        if options.command == "migrate":
            return _migrate(options.to)
        settings = read_settings(os.environ)
        return _COMMANDS[options.command](settings, options)
    except (BadSettings, MissingSettings) as error:
        sys.stderr.write(f"capp: {error}\n")
        return 2
    except (OSError, asyncpg.PostgresError, msgspec.ValidationError, CappError) as error:
        # What an operator of this installation can mend needs a sentence, not a trace.
        sys.stderr.write(f"capp {options.command}: {error or type(error).__name__}\n")
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="capp", description=f"CAPP. Also: {', '.join(SIMULATOR)} (see python -m simulator)."
    )
    parser.add_argument("--log-level", default="info")
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve", help="the web process")
    serve.add_argument("--host", default="127.0.0.1")
    serve.add_argument("--port", type=int, default=8080)
    commands.add_parser("worker", help="the second process: sweeps and reconciliation")
    commands.add_parser("migrate", help="bring the database up to date").add_argument(
        "--to", default="head", help="a revision, or base for empty"
    )
    commands.add_parser("seed", help="rates, corridors and float from a file").add_argument(
        "file", type=Path
    )
    commands.add_parser("books", help="the trial balance, and whether it adds up")
    commands.add_parser("doctor", help="check settings, database and the SMS gateway")
    return parser


def _migrate(to: str) -> int:
    url = os.environ.get("DATABASE_URL", "")
    if not url:
        raise BadSettings("DATABASE_URL: is missing")
    from engine.schema import migrate  # Alembic: half a second that no other command needs

    migrate(url, to=to)
    return 0


def _serve(settings: Settings, options: argparse.Namespace) -> int:
    _tune_collector()
    uvicorn.run(
        build_app(settings),
        host=options.host,
        port=options.port,
        loop="uvloop",
        http="httptools",
        access_log=False,  # paths hold callback tokens
        log_config=None,
        server_header=False,
        date_header=False,
        proxy_headers=False,  # nobody's word about its own address is asked for here
        timeout_graceful_shutdown=10,
    )
    return 0


def _tune_collector() -> None:
    """What lives as long as the process is not walked again; thousands of live plans seldom are.

    Measured in the commit's bench: about a quarter of the Python time of a payment.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)


def _worker(settings: Settings, _: argparse.Namespace) -> int:
    _tune_collector()

    async def run() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await run_worker(settings, stop)

    asyncio.run(run())
    return 0


def _seed(settings: Settings, options: argparse.Namespace) -> int:
    clock = Clock()
    operators = build_operators(settings.environment, clock=clock, names=settings.operators)
    facts = {name: port.facts for name, port in operators.items()}
    asyncio.run(seed(settings, read_seeds(options.file), facts, clock))
    return 0


def _books(settings: Settings, _: argparse.Namespace) -> int:
    async def run() -> int:
        async with open_engine(settings) as engine:
            lines = await engine.books.trial_balance()
            balanced = await engine.books.is_balanced()
        for line in lines:
            amount = plain(line.minor, line.currency)
            sys.stdout.write(f"{line.currency}  {line.name:<28} {amount:>20}  {line.side}\n")
        sys.stdout.write("the books balance\n" if balanced else "THE BOOKS DO NOT BALANCE\n")
        return 0 if balanced else 1

    return asyncio.run(run())


def _doctor(settings: Settings, _: argparse.Namespace) -> int:
    def say(line: str) -> None:
        sys.stdout.write(line + "\n")

    return 0 if asyncio.run(examine(settings, say)) else 1


_COMMANDS = {
    "serve": _serve,
    "worker": _worker,
    "seed": _seed,
    "books": _books,
    "doctor": _doctor,
}


if __name__ == "__main__":
    raise SystemExit(main())

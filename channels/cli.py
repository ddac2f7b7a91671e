"""The `capp` command: the start of every process. The simulator is a program of its own."""

import argparse
import asyncio
import contextlib
import gc
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from pathlib import Path
from random import SystemRandom
from typing import Any

import asyncpg
import msgspec
import uvicorn

from channels import (
    books,
    customers,
    decisions,
    desk,
    keys,
    lists,
    menus,
    messages,
    payin_commands,
    ported,
    provision,
    reports,
    sessions,
    settlement_commands,
    staff,
    statements,
    traffic,
    verifying,
)
from channels.app import build_app
from channels.doctor import examine
from channels.outages import told_once
from channels.rates import confirm_rate, show_rates
from channels.registrations import show_addresses
from channels.seed import read_seeds, seed
from channels.server import Connection
from channels.settings import BadSettings, Settings, log_form_of, read_settings
from channels.starting import open_when_up
from channels.watching.faults import tell_faults
from channels.watching.logs import set_up_logging
from channels.worker import run_worker
from engine.clock import Clock
from engine.errors import CappError
from providers.environment import MissingSettings
from providers.registry import build_operators

Say = Callable[[str], None]
Command = Callable[[Settings, argparse.Namespace, Say], Coroutine[Any, Any, bool]]

SIMULATOR = (
    "demo", "phone", "play", "record", "load", "operators", "console", "screens", "devnet",
)  # fmt: skip
"""These are another program, which speaks to this one over HTTP only."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given and given[0] in SIMULATOR:
        os.execv(sys.executable, [sys.executable, "-m", "simulator", *given])
    options = _parser().parse_args(given)
    try:
        set_up_logging(options.log_level, log_form_of(os.environ))
        if options.command == "migrate":
            return _migrate(options.to)
        if options.command == "menus":  # A check needs no settings: it runs where nothing is set.
            return 0 if menus.run_menus(options, _say) else 1
        if options.command == "provision":  # Nor does what makes the settings.
            return 0 if provision.run_provision(os.environ, options, _say) else 1
        if options.command == "keys":
            return 0 if keys.run_keys(os.environ, options, _say) else 1
        if options.command == "verify":
            return verifying.run_verify(os.environ, options, _say)
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
    books.add_arguments(
        commands.add_parser("books", help="the trial balance, whether it adds up, statements")
    )
    books.add_audit_arguments(commands.add_parser("audit", help="add the books up again, now"))
    desk.add_commands(commands)
    rates = commands.add_parser("rates", help="accepted rates, their sources, what was dropped")
    rates.add_argument("--history", type=int, default=1, help="how many decisions of each pair")
    rates.add_argument("--confirm", metavar="PAIR@TIME", help="take a rate that is held")
    rates.add_argument("--by", metavar="NAME", help="who confirms it")
    decisions.add_arguments(
        commands.add_parser("decisions", help="what was decided by itself, and why")
    )
    lists.add_arguments(commands.add_parser("lists", help="sanctions lists: load, show, check"))
    customers.add_arguments(
        commands.add_parser("customer", help="take down a customer's name, birth and tier")
    )
    payin_commands.add_arguments(
        commands.add_parser("payins", help="money customers send of their own accord")
    )
    ported.add_arguments(
        commands.add_parser("ported", help="whose wallet a number is, when its prefix lies")
    )
    reports.add_arguments(commands.add_parser("report", help="large, suspicious, travel rule"))
    staff.add_arguments(
        commands.add_parser("staff", help="who may do what over the API, tokens, sessions, log")
    )
    statements.add_arguments(
        commands.add_parser("statements", help="operators' statements against our books")
    )
    menus.add_arguments(
        commands.add_parser("menus", help="prove, draw, show and compare the menus")
    )
    sessions.add_arguments(
        commands.add_parser("sessions", help="where sessions ended, by network and screen")
    )
    messages.add_arguments(
        commands.add_parser("messages", help="a day's SMS by gateway and what became of them")
    )
    traffic.add_arguments(
        commands.add_parser("traffic", help="a payment's whole conversation with its operators")
    )
    provision.add_arguments(
        commands.add_parser("provision", help="make our credentials in an operator's sandbox")
    )
    keys.add_arguments(
        commands.add_parser("keys", help="settlement keys: make them for development, show whose")
    )
    settlement_commands.add_arguments(
        commands.add_parser("settlement", help="what operators owe each other, and the chain")
    )
    settlement_commands.add_receipt_arguments(
        commands.add_parser("receipt", help="the proof that a payment was settled")
    )
    verifying.add_arguments(
        commands.add_parser("verify", help="check such a proof against the chain alone")
    )
    commands.add_parser("addresses", help="what to register with operators that call us back")
    commands.add_parser("doctor", help="check settings, databases and the SMS gateways")
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


def _worker(settings: Settings, _: argparse.Namespace) -> int:
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


def _seed(settings: Settings, options: argparse.Namespace) -> int:
    clock = Clock()
    operators = build_operators(settings.environment, clock=clock, names=settings.operators)
    facts = {name: port.facts for name, port in operators.items()}
    asyncio.run(seed(settings, read_seeds(options.file), facts, clock))
    return 0


async def _rates(settings: Settings, options: argparse.Namespace, say: Say) -> bool:
    if options.confirm:
        return await confirm_rate(settings, options.confirm, options.by, say)
    return await show_rates(settings, options.history, say)


async def _doctor(settings: Settings, _: argparse.Namespace, say: Say) -> bool:
    return await examine(settings, say)


def _told(command: Command) -> Callable[[Settings, argparse.Namespace], int]:
    """A command that says its findings line by line; its exit code is whether all is well."""

    def run(settings: Settings, options: argparse.Namespace) -> int:
        return 0 if asyncio.run(command(settings, options, _say)) else 1

    return run


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


_COMMANDS = {
    "addresses": _told(show_addresses),
    "traffic": _told(traffic.show_traffic),
    "customer": _told(customers.describe_customer),
    "lists": _told(lists.run_lists),
    "report": _told(reports.write_report),
    "serve": _serve,
    "worker": _worker,
    "seed": _seed,
    "books": _told(books.show_books),
    "audit": _told(books.audit),
    **dict.fromkeys(desk.COMMANDS, _told(desk.run_desk)),
    "decisions": _told(decisions.show_decisions),
    "doctor": _told(_doctor),
    "messages": _told(messages.show_messages),
    "payins": _told(payin_commands.run_pay_ins),
    "ported": _told(ported.run_ported),
    "rates": _told(_rates),
    "receipt": _told(settlement_commands.write_receipt_file),
    "sessions": _told(sessions.show_sessions),
    "settlement": _told(settlement_commands.run_settlement),
    "staff": _told(staff.run_staff),
    "statements": _told(statements.run_statements),
}


if __name__ == "__main__":
    raise SystemExit(main())

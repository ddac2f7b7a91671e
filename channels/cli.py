"""The `capp` command: the start of every process. The simulator is a program of its own.

A command's module is imported when it is asked for, and no other: what puts a whole engine together
takes seconds on a small machine, and most commands need little of it.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import import_module
from socket import gaierror
from typing import Any, NamedTuple

import asyncpg
import msgspec

from channels.commands.terminal import LINES, Told, words_of
from channels.commands.words import Words
from channels.environment import BadArgument
from channels.secrecy import with_files
from channels.settings import BadSettings, log_form_of, read_settings
from channels.tenants import FOLDER, environment_of, is_street
from channels.watching.logs import LEVELS, set_up_logging
from engine.errors import CappError
from providers.environment import MissingSettings, SenselessSettings

Say = Callable[[str], None]

SIMULATOR = (
    "demo", "phone", "play", "record", "load", "operators", "console", "screens", "devnet",
)  # fmt: skip
"""These are another program, which speaks to this one over HTTP only."""

STOPPED = 130
"""The exit code of what was stopped before it was done, as shells have it."""


MISSING = (
    asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError, asyncpg.UndefinedFunctionError,
)  # fmt: skip
"""What an empty database lacks, and one of before this program."""


class Command(NamedTuple):
    """`module:function` of what runs it and, where it takes any, of what adds its arguments.

    By default it is a coroutine of settings, options and `say`, and its exit code is whether all
    is well. `is_process`: a function of settings and options that returns its exit code.
    `is_bare`: a function of the environment, options and `say` that needs no settings. `street`:
    a function of the environment and options that does it for all tenants of a folder at once.
    """

    help: str
    runs: str
    adds: str = ""
    is_process: bool = False
    is_bare: bool = False
    street: str = ""


COMMANDS: Mapping[str, Command] = {
    "serve": Command(
        "the web process", "serving:serve", "serving:add_arguments", is_process=True,
        street="serving:serve_street",
    ),
    "worker": Command(
        "the second process: sweeps and reconciliation", "working:work", is_process=True,
        street="working:work_street",
    ),
    "migrate": Command(
        "bring the database up to date", "migrating:run_migrate", "migrating:add_arguments",
        is_bare=True,
    ),
    "seed": Command(
        "rates, corridors and float from a file", "seed:sow", "seed:add_arguments",
    ),
    "books": Command(
        "the trial balance, whether it adds up, statements", "books:show_books",
        "books:add_arguments",
    ),
    "audit": Command(
        "add the books up again, now", "books:audit", "books:add_audit_arguments"
    ),
    "rates": Command(
        "accepted rates, their sources, what was dropped", "rates:run_rates",
        "rates:add_arguments",
    ),
    "decisions": Command(
        "what was decided by itself, and why", "decisions:show_decisions",
        "decisions:add_arguments",
    ),
    "lists": Command(
        "sanctions lists: load, show, check", "lists:run_lists", "lists:add_arguments"
    ),
    "customer": Command(
        "take down a customer's name, birth and tier", "customers:describe_customer",
        "customers:add_arguments",
    ),
    "data": Command(
        "keys of people's data: seal, rotate, list", "data:run_data", "data:add_arguments"
    ),
    "payins": Command(
        "money customers send of their own accord", "payins:run_pay_ins",
        "payins:add_arguments",
    ),
    "ported": Command(
        "whose wallet a number is, when its prefix lies", "ported:run_ported",
        "ported:add_arguments",
    ),
    "report": Command(
        "large, suspicious, travel rule", "reports:write_report", "reports:add_arguments"
    ),
    "staff": Command(
        "who may do what over the API, tokens, sessions, log", "staff:run_staff",
        "staff:add_arguments",
    ),
    "api-keys": Command(
        "keys of businesses for the API", "api_keys:run_api_keys", "api_keys:add_arguments"
    ),
    "statements": Command(
        "operators' statements against our books", "statements:run_statements",
        "statements:add_arguments",
    ),
    "hooks": Command(
        "webhooks: who is told of payments, and what became of it", "hooks:run_hooks",
        "hooks:add_arguments",
    ),
    "menus": Command(
        "prove, draw, show and compare the menus", "menus:run_menus", "menus:add_arguments",
        is_bare=True,  # a check runs where nothing is set
    ),
    "sessions": Command(
        "where sessions ended, by network and screen", "sessions:show_sessions",
        "sessions:add_arguments",
    ),
    "messages": Command(
        "a day's SMS by gateway and what became of them", "messages:show_messages",
        "messages:add_arguments",
    ),
    "traffic": Command(
        "a payment's whole conversation with its operators", "traffic:show_traffic",
        "traffic:add_arguments",
    ),
    "provision": Command(
        "make our credentials in an operator's sandbox", "provision:run_provision",
        "provision:add_arguments", is_bare=True,
    ),
    "keys": Command(
        "settlement keys: make them for development, show whose", "keys:run_keys",
        "keys:add_arguments", is_bare=True,
    ),
    "settlement": Command(
        "what operators owe each other, and the chain", "settlement:run_settlement",
        "settlement:add_arguments",
    ),
    "receipt": Command(
        "the proof that a payment was settled", "settlement:write_receipt_file",
        "settlement:add_receipt_arguments",
    ),
    "verify": Command(
        "check such a proof against the chain alone", "verifying:run_verify",
        "verifying:add_arguments", is_bare=True,
    ),
    "addresses": Command(
        "what to register with operators that call us back", "registrations:show_addresses"
    ),
    "tenants": Command(
        "those of CAPP_TENANTS_FOLDER: list, check, open one", "tenants:run_tenants",
        "tenants:add_arguments", is_bare=True,
    ),
    "doctor": Command("check settings, databases and the SMS gateways", "doctor:run_doctor"),
}  # fmt: skip
DESK: Mapping[str, str] = {
    "pools": "liquidity: free, promised, leaving, by operator",
    "liquidity": "marks of pools and floats",
    "rebalance": "which float should move where",
    "propose": "ask for what needs two people",
    "proposals": "what waits for a second person",
    "approve": "agree, and carry it out",
    "reject": "refuse",
    "seen": "an operator or a bank shows that it moved",
    "cases": "what people have to look at",
    "take": "look after a case",
    "close": "close a case at which no money is at stake",
}
"""The words of the desk, which adds their arguments itself (`desk.py`)."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given and given[0] in SIMULATOR:
        os.execv(sys.executable, [sys.executable, "-m", "simulator", *given])
    parser = _parser(given)
    options = parser.parse_args(given)
    try:
        set_up_logging(options.log_level, log_form_of(os.environ))
        return _run(options, words_of(parser, options))
    except (BadSettings, MissingSettings, SenselessSettings) as error:
        sys.stderr.write(f"capp: {error}\n")
        return 2
    except BadArgument as error:
        sys.stderr.write(f"capp {options.command}: {error}\n")
        return 2
    except KeyboardInterrupt:
        return STOPPED
    except MISSING as error:
        sys.stderr.write(f"capp {options.command}: {error}; was `capp migrate` run?\n")
        return 1
    except (OSError, asyncpg.PostgresError, msgspec.ValidationError, CappError) as error:
        # What an operator of this installation can mend needs a sentence, not a trace.
        sys.stderr.write(f"capp {options.command}: {_sentence(error)}\n")
        return 1


def _parser(given: Sequence[str] | None = None) -> argparse.ArgumentParser:
    """Of the command that is given. Where none is, of the words alone: nothing is imported for it.

    None: of everything.
    """
    parser = argparse.ArgumentParser(
        prog="capp", description=f"CAPP. Also: {', '.join(SIMULATOR)} (see python -m simulator)."
    )
    parser.add_argument("--log-level", default="info", type=str.lower, choices=LEVELS)
    parser.add_argument("--tenant", help="whose, where CAPP_TENANTS_FOLDER names several")
    commands = parser.add_subparsers(dest="command", required=True, parser_class=Words)
    known = {**{name: command.help for name, command in COMMANDS.items()}, **DESK}
    words = None if given is None else [word for word in _but_names(given) if word in known]
    asked = {**COMMANDS, **DESK} if words is None else words[:1]
    added = {
        name: commands.add_parser(name, help=told)
        for name, told in known.items()
        if name in asked or not asked
    }
    for name in asked:
        if name in COMMANDS and COMMANDS[name].adds:
            _load(COMMANDS[name].adds)(added[name])
    if DESK.keys() & asked:
        _load("desk:add_arguments")(added)
    return parser


def _but_names(given: Sequence[str]) -> list[str]:
    """A tenant may be called as a command is."""
    return [word for n, word in enumerate(given) if n == 0 or given[n - 1] != "--tenant"]


def _run(options: argparse.Namespace, words: str) -> int:
    command = COMMANDS.get(options.command, Command("", "desk:run_desk"))
    runs = _load(command.runs)
    environment = with_files(os.environ)
    if options.tenant is not None:
        if not is_street(environment):
            raise BadSettings(f"--tenant: {FOLDER} is not set")
        environment = environment_of(environment, options.tenant)
    if command.is_bare:
        return _exit_code(runs(environment, options, _say))
    if is_street(environment):
        if not command.street:
            raise BadSettings("--tenant: is missing; `capp tenants list` names them")
        return _exit_code(_load(command.street)(environment, options))
    settings = read_settings(environment)
    if command.is_process:
        return _exit_code(runs(settings, options))
    work = partial(runs, settings, options, _say)
    line = LINES[words]
    if isinstance(line, Told):
        work = partial(_load("terminal_log:write_down"), settings, line, words, options, work)
    return _exit_code(asyncio.run(work()))


def _sentence(error: Exception) -> str:
    """What happened, in words: of a file which one and why, of a server that it is away."""
    if not isinstance(error, OSError):
        return str(error) or type(error).__name__
    why = error.strerror or str(error) or "no answer"
    if error.filename is not None:
        return f"{error.filename}: {why}"
    # All that opens connections itself is the driver of Postgres: Redis' errors are its own.
    away = isinstance(error, ConnectionRefusedError | TimeoutError | gaierror)
    return f"Postgres cannot be reached: {why}" if away else why


def _exit_code(told: int) -> int:
    """A bool says whether all is well; a number is the code itself."""
    return (0 if told else 1) if isinstance(told, bool) else int(told)


def _load(place: str) -> Callable[..., Any]:
    module, _, name = place.partition(":")
    found: Callable[..., Any] = getattr(import_module(f"channels.commands.{module}"), name)
    return found


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    raise SystemExit(main())

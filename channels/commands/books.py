"""`capp books` and `capp audit`: the trial balance, statements, earnings, and the auditor."""

import argparse
from collections.abc import Callable
from datetime import datetime

from channels.commands.desk import open_office
from channels.commands.earnings import say_earned
from channels.commands.journal import balance_rows, entry_line, say_entry, statement_rows
from channels.commands.proofs import say_proofs
from channels.environment import BadArgument
from channels.office import Office
from channels.settings import Settings
from channels.times import read_since, second_of, typed_since
from engine.clock import Clock, ms_of
from engine.errors import KeyNotAtHand
from engine.ledger.account_names import read_name, spell
from engine.ledger.account_statement import ENTRIES_MAX, read_statement
from engine.ledger.books import Line, adds_up
from engine.money import plain
from engine.payments.payment import code_of
from engine.privacy.key_store import KeyStore
from engine.privacy.seals import seals_of
from engine.staff.sealing import Sealing

Say = Callable[[str], None]

WHOLE_MAX = 1_000_000
"""How many entries a statement for a file may have: it is held in memory."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What may stand behind `capp books`."""
    since = typed_since(Clock())
    parser.add_argument("--account", help="a statement of one: FLOAT:mpesa_ke:KES, POOL_AVAIL:UGX")
    parser.add_argument(
        "--entry", metavar="CODE",
        help="all rows of one payment or movement, by the code a statement shows, or its id",
    )  # fmt: skip
    parser.add_argument(
        "--earned", action="store_true", help="what was earned and what it cost, by corridor"
    )
    parser.add_argument(
        "--from", dest="since", type=since, default="24h",
        help="the beginning: 24h, 7d or an ISO time (UTC, unless 2026-10-01T00:00+03:00 says)",
    )  # fmt: skip
    parser.add_argument(
        "--to", dest="until", type=since, help="the end, not included; otherwise now"
    )
    parser.add_argument(
        "--csv",
        action="store_true",
        help="the balance, a whole statement or what was earned as CSV",
    )
    parser.add_argument("--at", type=since, help="the trial balance as it stood then")


def add_audit_arguments(parser: argparse.ArgumentParser) -> None:
    """What may stand behind `capp audit`."""
    parser.add_argument(
        "--all", action="store_true", help="compare all sealed history, not the next part of it"
    )
    parser.add_argument(
        "verify", nargs="?", choices=("verify",),
        help="all sealed history, and the log of what staff read and did, row by row",
    )  # fmt: skip


async def show_books(settings: Settings, options: argparse.Namespace, say: Say) -> bool:
    """Whether the books balance, now or at the moment asked for.

    Raises StaffMistake for an account or a code that is none, BadArgument for a time that is none.
    """
    async with open_office(settings) as office:
        if options.account:
            await _say_statement(office, options, say)
            return True
        if options.entry:
            await say_entry(office, options.entry, say)
            return True
        if options.earned:
            await say_earned(office, *_period(office, options), is_csv=options.csv, say=say)
            return True
        if options.at:
            return await _say_balance_at(office, options, say)
        _say_balance(await office.books.trial_balance(), office, options, say)
        return _say_verdict(await office.books.is_balanced(), options, say)


async def _say_balance_at(office: Office, options: argparse.Namespace, say: Say) -> bool:
    now = office.clock.now()
    moment = read_since(options.at, now)
    if moment > now:
        raise BadArgument("--at: is still to come")
    lines = await office.books.trial_balance_at(ms_of(moment))
    if not options.csv:
        say(f"as of {second_of(ms_of(moment))} UTC")
    _say_balance(lines, office, options, say)
    return _say_verdict(adds_up(lines), options, say)


def _say_verdict(balanced: bool, options: argparse.Namespace, say: Say) -> bool:
    if not options.csv:  # a file has its exit code
        say("the books balance" if balanced else "THE BOOKS DO NOT BALANCE")
    return balanced


async def audit(settings: Settings, options: argparse.Namespace, say: Say) -> bool:
    """Whether nothing was found. What is found stays: the auditor corrects nothing.

    Raises KeyNotAtHand where people's data is sealed and no keys are set: what was sealed later
    would be taken for changed.
    """
    async with open_office(settings) as office:
        return await audit_in(office, options, say)


async def audit_in(office: Office, options: argparse.Namespace, say: Say) -> bool:
    """The same in an office that is open. Who took in the statements of the last days that proved
    something is told with it: that is for people, and no finding."""
    await _refuse_without_keys(office)
    whole = options.all or options.verify
    look = office.auditor.audit_all if whole else office.auditor.audit
    report = await look()
    for finding in report.findings:
        about = code_of(finding.payment)
        say(f"{finding.law}  {about}  {finding.payment}  {finding.detail}")
    for partition, head in (await office.auditor.heads()).items():
        say(f"{partition} is sealed by {head}")
    now_ms = int(office.clock.epoch() * 1000)
    await say_proofs(office.pool, office.tenant, now_ms, say)
    behind = "; there is more to seal" if report.behind else ""
    say(f"{report.sealed} blocks sealed, {report.checked} compared{behind}")
    wrong_actions = await _verify_actions(office, say) if options.verify else 0
    found = len(report.findings) + wrong_actions
    say(f"{found} findings" if found else "nothing is wrong")
    return not found


async def _refuse_without_keys(office: Office) -> None:
    if not seals_of(office.pool).hides and await KeyStore(office.pool, office.tenant).all():
        raise KeyNotAtHand("people's data is sealed here: set CAPP_DATA_KEYS")


async def _verify_actions(office: Office, say: Say) -> int:
    """The log of staff's actions; how many rows or blocks of it are not what they were."""
    verified = await Sealing(office.pool, office.tenant, office.clock).verify()
    for wrong, block, row in verified.findings:
        say(f"staff's log: {wrong}  block {block}  {row}".rstrip())
    if verified.head:
        say(f"staff's log is sealed by {verified.head}")
    say(f"{verified.rows} of staff's actions compared in {verified.blocks} blocks")
    return len(verified.findings)


def _say_balance(lines: list[Line], office: Office, options: argparse.Namespace, say: Say) -> None:
    if options.csv:
        say(balance_rows(lines, office).removesuffix("\r\n"))
        return
    for line in lines:
        amount = plain(line.minor, line.currency)
        say(f"{line.currency}  {line.name:<28} {amount:>20}  {line.side}")


async def _say_statement(office: Office, options: argparse.Namespace, say: Say) -> None:
    account = read_name(options.account, office.tenant, office.codes)
    since, until, to_ms = _period(office, options)
    most = WHOLE_MAX if options.csv else ENTRIES_MAX
    statement = await read_statement(
        office.pool, account, from_ms=ms_of(since), to_ms=to_ms, most=most
    )
    if options.csv:
        if statement.cut:
            raise BadArgument(f"more than {most:,} entries; choose a shorter time")
        say(statement_rows(statement, office).removesuffix("\r\n"))
        return
    say(f"{spell(account, office.names)} from {since:%Y-%m-%d %H:%M} to {until:%Y-%m-%d %H:%M} UTC")
    if not statement.known:
        say("the books have no such account, or none yet: nothing was ever booked on it")
    say(f"{'opening':<64} {plain(statement.opening_minor, account.currency):>20}")
    for entry in statement.entries:
        say(entry_line(entry, account.currency, office))
    if statement.cut:
        say("... and more; choose a shorter time, or --csv")
    say(f"{'closing':<64} {plain(statement.closing_minor, account.currency):>20}")


def _period(office: Office, options: argparse.Namespace) -> tuple[datetime, datetime, int]:
    """From when until when, and the first millisecond after it."""
    now = office.clock.now()
    since = read_since(options.since, now)
    until = read_since(options.until, now) if options.until else now
    if until < since:
        raise BadArgument("--to: is before --from")
    # A step of this very millisecond belongs to "now".
    return since, until, ms_of(until) + (0 if options.until else 1)

"""`capp statements`: take an operator's statement in, and see where our books and theirs differ."""

import argparse
import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from channels.commands.desk import proposal_line
from channels.commands.proofs import REPORTED_DAYS, say_proofs
from channels.commands.staff import who_is_here
from channels.environment import BadArgument
from channels.office import Office
from channels.settings import Settings
from channels.statements import Comparison, open_comparison
from channels.times import minute_of, typed_day
from channels.wiring import Engine, open_engine
from engine.desk.proposals import Kind, read_person
from engine.money import Money, plain
from engine.payments.statements.balances import Seen
from engine.payments.statements.cases import OpenCase
from engine.payments.statements.fees import entry_of, note_of, rivals_of
from engine.payments.statements.importing import Report
from engine.payments.statements.judged import Class, Judged
from engine.payments.statements.neutral import BYTES_MAX

Say = Callable[[str], None]

SHOWN_MAX = 50


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What may stand behind `capp statements`."""
    words = parser.add_subparsers(dest="word", required=True)
    take = words.add_parser("take", help="take in a day's file in the neutral format")
    take.add_argument("operator", help="mpesa_ke")
    take.add_argument("day", type=typed_day, help="the operator's day, 2026-11-20")
    take.add_argument("file", type=Path)
    fees = words.add_parser(
        "fees", help="fees of a day that are not as agreed; propose their entry"
    )
    fees.add_argument("operator", help="mpesa_ke")
    fees.add_argument("day", type=typed_day, help="the operator's day, 2026-11-20")
    fees.add_argument("--as", dest="person", metavar="NAME", help="propose the entry in this name")
    words.add_parser("report", help="what was taken in, what is open and how old it is")
    words.add_parser("look", help="ask the operators for their balances, and age what is open")


async def run_statements(settings: Settings, options: argparse.Namespace, say: Say) -> bool:
    """Whether nothing that statements raised is overdue.

    Raises OSError for a file that is none, Unreadable for one that is refused, BadArgument for an
    operator that is not served, StaffMistake for an entry that cannot be proposed.
    """
    async with open_engine(settings) as engine:
        comparison = open_comparison(engine)
        if options.word in ("take", "fees") and options.operator not in engine.directory.by_name:
            served = ", ".join(sorted(engine.directory.by_name))
            raise BadArgument(f"no operator {options.operator!r} is served; there are {served}")
        if options.word == "fees":
            return await tell_fees(comparison, engine.office, options, say)
        if options.word == "take":
            body = await asyncio.to_thread(_read_file, options.file)
            by = f"terminal:{who_is_here()}"
            report = await comparison.statements.take_in(options.operator, options.day, body, by=by)
            say_report(report, engine.directory.by_name[options.operator].currency, say)
            say(f"  taken in by {by}, sha256 {report.sha256}")
        elif options.word == "look":
            await comparison.statements.age()
            await comparison.balances.look()
        now_ms = int(engine.clock.epoch() * 1000)
        if options.word != "take":
            await _say_balances(comparison, engine, say)
            await _say_days(comparison, engine, say)
            await say_proofs(engine.pool, settings.tenant, now_ms, say)
        return say_cases(await comparison.cases.all_open(), now_ms, say)


async def tell_fees(
    comparison: Comparison, office: Office, options: argparse.Namespace, say: Say
) -> bool:
    """Every fee of a day that is not as agreed, and the entry that books them, proposed once where
    somebody says in whose name. Whether there is a statement. Raises StaffMistake, AlreadyProposed
    where somebody proposed it while it was read."""
    fees = await comparison.statements.fees(options.operator, options.day)
    if fees is None:
        say(f"{options.operator} {options.day}: no statement of the whole day is taken in")
        return False
    currency = fees.facts.currency
    for fee in fees.fees:
        charged, agreed = plain(fee.charged_minor, currency), plain(fee.agreed_minor, currency)
        say(f"{fee.code or '-':<10} {fee.receipt}: {currency} {charged}, agreed were {agreed}")
    beyond, booked, asked = (
        plain(minor, currency) for minor in (fees.beyond_minor, fees.booked_minor, fees.asked_minor)
    )
    say(f"beyond what was agreed: {currency} {beyond}; booked {booked}, proposed {asked}")
    entry = entry_of(fees, office.tenant)
    if entry is None:
        say("nothing is left to propose")
    elif options.person is None:
        say(f"`capp statements fees {options.operator} {options.day} --as NAME` proposes the rest")
    else:
        note = note_of(options.operator, options.day)
        by = read_person(options.person)
        proposal = await office.desk.propose(
            Kind.ADJUSTMENT, entry, by=by, note=note, rivals=rivals_of(fees)
        )
        say(proposal_line(proposal, office))
    return True


def say_report(report: Report, currency: str, say: Say) -> None:
    """One file: how many lines, what became of them, and everything that is open."""
    say(
        f"{report.operator} {report.day}: {report.lines} lines, {report.fresh} new,"
        f" {report.doubled} doubled"
    )
    for kind, count in sorted(report.counts.items()):
        say(f"  {count:>7}  {kind.name}")
    if fees := report.unbooked_fee_minor:
        say(f"  fees listed beyond what is booked: {currency} {plain(fees, currency)}")
    for gap in report.breaks[:SHOWN_MAX]:
        moved = plain(gap.gap_minor, currency)
        say(f"  before {gap.line.receipt} the balance moved by {moved} that no line lists")
    if report.jump is not None:
        moved = plain(report.jump.minor, currency)
        say(f"  since the statement of {report.jump.before} it moved by {moved} that no line lists")
    for receipt in report.renamed[:SHOWN_MAX]:
        say(f"  {receipt} was listed under another reference before, which counts")
    if report.drift_minor is not None:
        say(f"  closing balance: {_off(report.drift_minor, currency)}")
    for judged in report.open[:SHOWN_MAX]:
        say(f"  {_item(judged)}")
    if len(report.open) > SHOWN_MAX:
        say(f"  and {len(report.open) - SHOWN_MAX} more")


def say_cases(cases: list[OpenCase], now_ms: int, say: Say) -> bool:
    """Every open case with its age; whether none is overdue."""
    overdue = 0
    for case in cases:
        is_overdue = case.due_ms is not None and case.due_ms < now_ms
        overdue += is_overdue
        age = timedelta(milliseconds=now_ms - case.opened_ms)
        hours = age // timedelta(hours=1)
        mark = "  OVERDUE" if is_overdue else ""
        say(f"{case.kind:<16} {hours:>5} h  {case.detail}{mark}")
    say(f"{len(cases)} open, {overdue} overdue")
    return not overdue


def _item(judged: Judged) -> str:
    words = [judged.kind.name]
    if judged.theirs is not None:
        line = judged.theirs.line
        words.append(f"{line.receipt} {line.side.name.lower()} {line.amount}")
    if judged.ours is not None:
        ours = judged.ours
        words.append(f"{ours.code} {ours.direction.name.lower()} {ours.amount}")
    if judged.kind is Class.AMOUNT_DIFFERS and judged.theirs is not None:
        currency = judged.theirs.line.amount.currency
        words.append(f"they list {plain(judged.difference_minor, currency)} more")
    return "  ".join([*words, judged.why])


async def _say_balances(comparison: Comparison, engine: Engine, say: Say) -> None:
    for name, facts in sorted(engine.directory.by_name.items()):
        for seen in await comparison.book.newest(name):
            say(_balance(seen, facts.currency))


def _balance(seen: Seen, currency: str) -> str:
    low, high = plain(seen.low_minor, currency), plain(seen.high_minor, currency)
    theirs = plain(seen.theirs_minor, currency)
    return (
        f"{seen.operator} {minute_of(seen.at_ms)} UTC: holds {currency} {theirs}, by our books"
        f" {low} to {high}: {_off(seen.drift_minor, currency)}"
    )


async def _say_days(comparison: Comparison, engine: Engine, say: Say) -> None:
    for name, facts in sorted(engine.directory.by_name.items()):
        terms = comparison.terms.of(name)
        today = terms.day_of(int(engine.clock.epoch() * 1000))
        first = today - timedelta(days=REPORTED_DAYS)
        taken = [d for d in (await comparison.store.taken(name, terms)).days if d >= first]
        if not taken:
            say(f"{name}: no statement in {REPORTED_DAYS} days")
            continue
        counts = await comparison.store.counts(name, first)
        told = ", ".join(f"{n} {Class(c).name}" for c, n in sorted(counts.items()) if c)
        fees = Money(await comparison.store.fees_minor(name, first), facts.currency)
        listed = f"; fees listed: {fees}" if fees.minor else ""
        say(f"{name}: {len(taken)} days, the last {max(taken)}; {told or 'no lines'}{listed}")


def _off(drift_minor: int, currency: str) -> str:
    if not drift_minor:
        return "as our books say"
    more = "more" if drift_minor > 0 else "less"
    return f"{currency} {plain(abs(drift_minor), currency)} {more} than our books can explain"


def _read_file(file: Path) -> bytes:
    with file.open("rb") as opened:
        return opened.read(BYTES_MAX + 1)

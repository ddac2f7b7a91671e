"""`capp report`: files for an authority. They hold full names and numbers, and are written so.

With `--output` the file can be read by its owner alone; without, it goes to the standard output.
"""

import argparse
import logging
import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any

import msgspec

from channels.commands.spreadsheets import write_rows
from channels.compliance import policy_of
from channels.environment import BadArgument
from channels.privacy import open_sealed_pool
from channels.settings import Settings
from channels.times import typed_day
from engine.clock import Clock
from engine.compliance.history import HistoryStore
from engine.compliance.profiles import Profiles
from engine.compliance.reports import SuspiciousPayment, suspicious
from engine.payments.reports import LargePayment, Reports, last_day_ends

log = logging.getLogger(__name__)

KINDS = ("large", "suspicious", "travel")
_COLUMNS: dict[str, tuple[str, ...]] = {
    "large": LargePayment.__struct_fields__,
    "suspicious": SuspiciousPayment.__struct_fields__,
}

Say = Callable[[str], None]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own words. Days are UTC; `--to` is not included.

    A day of a payer's own counts whole, also where the period begins or ends in it. Money that is
    proven late is in the report of the day on which that happened.
    """
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("--from", dest="since", type=_day, required=True, metavar="YYYY-MM-DD")
    parser.add_argument("--to", dest="until", type=_day, required=True, metavar="YYYY-MM-DD")
    parser.add_argument("--format", choices=("csv", "json"), default="json")
    parser.add_argument("--output", type=Path)


async def write_report(settings: Settings, options: argparse.Namespace, say: Say) -> bool:
    """Write one report; False when it was asked for in a form it does not have.

    Raises OSError, also when the file exists: a report is never written over another. Raises
    BadArgument for a period without a day: nobody is told that there was nothing to report.
    """
    if options.until <= options.since:
        raise BadArgument("--to: wants a day after --from; it is not included")
    if options.kind not in _COLUMNS and options.format == "csv":
        say("a travel-rule record is nested: ask for --format json")
        return False
    lines, open_count = await collect_lines(settings, options.kind, options.since, options.until)
    wants = []
    if open_count:
        wants.append(f"{open_count} payment(s) of these days have not ended yet: ask again later")
    if (over := _over_at(settings, options.kind, options.until)) > Clock().now():
        days = "these days, by the payers' own clocks," if options.kind == "large" else "these days"
        wants.append(f"{days} are over at {over:%Y-%m-%d %H:%M} UTC: ask again then")
    if options.format == "csv":
        written = _csv(_COLUMNS[options.kind], lines)
    else:
        written = msgspec.json.format(msgspec.json.encode(lines), indent=2).decode() + "\n"
    if options.output is None:
        say(written.removesuffix("\n"))
        for want in wants:  # beside the report: what is said stands in it
            log.warning("%s", want)
        return True
    only_mine = os.open(options.output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(only_mine, "w", encoding="utf-8", newline="") as file:
        file.write(written)
    say(f"{len(lines)} lines in {options.output}")
    for want in wants:
        say(want)
    return True


async def collect_lines(
    settings: Settings, kind: str, since: datetime, until: datetime
) -> tuple[Sequence[Any], int]:
    """The lines of a report from a moment on and before another.

    And how many payments of that time have not ended, where a report tells how they stand.
    """
    pool = await open_sealed_pool(settings, size=2)
    try:
        if kind == "suspicious":
            history = HistoryStore(pool, settings.tenant)
            return list(suspicious(await history.flagged(since, until))), 0
        reports = Reports(pool, settings.tenant, Profiles(pool, settings.tenant))
        open_count = await reports.count_open(since, until)
        if kind == "travel":
            return await reports.travel(since, until), open_count
        policy = policy_of(settings)
        return await reports.large(since, until, policy.large, policy.limits), open_count
    finally:
        await pool.close()


def _over_at(settings: Settings, kind: str, until: datetime) -> datetime:
    """From when on no payment more can change what a report tells of its days."""
    if kind != "large":
        return until
    policy = policy_of(settings)
    return last_day_ends(until, policy.large, policy.limits)


def _csv(columns: tuple[str, ...], lines: Sequence[msgspec.Struct]) -> str:
    told = (msgspec.to_builtins(line) for line in lines)
    return write_rows(columns, ([values[column] for column in columns] for values in told))


def _day(text: str) -> datetime:
    return datetime.combine(typed_day(text), time(), UTC)

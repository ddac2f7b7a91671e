"""`capp messages`: a day's SMS by gateway, and what became of them.

It shows no number and no text of anybody: neither is kept with a message.
"""

import argparse
from collections.abc import Callable, Sequence
from datetime import date

from channels.privacy import open_sealed_pool
from channels.settings import Settings
from channels.times import typed_day
from engine.clock import Clock
from engine.messages.watch import MessageWatch, Tallied, Unclear


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What may stand behind `capp messages`."""
    parser.add_argument("--day", type=typed_day, help="2026-11-21 (UTC); default today")


async def show_messages(
    settings: Settings, options: argparse.Namespace, say: Callable[[str], None]
) -> bool:
    """Say a day's messages by gateway and status; False when the fate of any is unknown."""
    clock = Clock()
    day = options.day or clock.now().date()
    pool = await open_sealed_pool(settings, size=1)
    try:
        watch = MessageWatch(pool, settings.tenant, clock)
        tallied, unclear = await watch.tally(day), await watch.unclear(day)
    finally:
        await pool.close()
    for line in lines_of(day, tallied, unclear):
        say(line)
    return not unclear


def lines_of(day: date, tallied: Sequence[Tallied], unclear: Sequence[Unclear]) -> list[str]:
    """The table, then every message nobody is sure of."""
    if not tallied:
        return [f"{day}: no messages"]
    head = f"{day!s:18}{'status':22}{'messages':>10}{'segments':>10}{'counted':>10}"
    rows = [
        f"{one.gateway or '(nobody asked)':18}{one.status:22}{one.messages:>10}"
        f"{one.planned:>10}{one.counted or '-':>10}"
        for one in tallied
    ]
    return [head, *rows, *map(_unknown, unclear)]


def _unknown(one: Unclear) -> str:
    about = f" {one.code}" if one.code else ""
    by = one.gateway or "a process that died"
    return f"unknown: {one.at:%H:%M:%S} {one.template}{about} by {by}"

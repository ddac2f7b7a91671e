"""`capp messages`, and what messages leave by put together: gateways in order, each at its pace.

It shows no number and no text of anybody: neither is kept with a message.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import partial
from typing import Any

from channels.privacy import open_sealed_pool
from channels.settings import Settings
from channels.sms import sms_url
from channels.times import typed_day
from engine.clock import Clock
from engine.messages.gateways import Gateway, Gateways
from engine.messages.letters import Letters
from engine.messages.planning import Writer
from engine.messages.quiet import OptOuts
from engine.messages.sender import Messages
from engine.messages.watch import MessageWatch, Tallied, Unclear
from engine.outbox import Outbox
from engine.pace import Pace
from engine.ports import SmsPort
from engine.texts import Texts
from providers.http import Trace
from providers.registry import build_sms


def build_ports(settings: Settings, trace: Trace) -> dict[str, SmsPort]:
    """An adapter for every gateway of `CAPP_SMS_GATEWAYS`, the preferred one first.

    Raises MissingSettings, and ValueError for a gateway nobody knows.
    """
    return build_sms(
        settings.environment,
        names=settings.sms_gateways,
        report_url=partial(sms_url, settings, what="report"),
        trace=trace,
    )


def build_messages(
    settings: Settings,
    ports: Mapping[str, SmsPort],
    *,
    pool: Any,
    outbox: Outbox,
    texts: Texts,
    clock: Clock,
    draw: Callable[[], float],
) -> Messages:
    """Everything outgoing of one process."""
    paces = settings.sms_per_second
    gateways = [
        Gateway(name, port, Pace(paces[name]) if name in paces else None)
        for name, port in ports.items()
    ]
    return Messages(
        gateways=Gateways(gateways, clock=clock),
        outbox=outbox,
        opt_outs=OptOuts(pool, settings.tenant, clock),
        letters=Letters(Writer(texts), tenant=settings.tenant, shortcode=settings.shortcode),
        clock=clock,
        draw=draw,
    )


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

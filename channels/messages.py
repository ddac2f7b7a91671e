"""What messages leave by, put together: gateways in order, each at its pace."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from channels.settings import Settings
from channels.sms import sms_url
from engine.clock import Clock
from engine.messages.gateways import Gateway, Gateways
from engine.messages.letters import Letters
from engine.messages.planning import Writer
from engine.messages.quiet import OptOuts
from engine.messages.sender import Messages
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

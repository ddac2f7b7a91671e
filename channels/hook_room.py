"""Webhooks put together: what the API and `capp hooks` work with, and what the worker runs."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from channels.settings import Settings
from channels.traffic import tell_log
from channels.wiring import Engine
from engine.clock import Clock, SystemRandom
from engine.hooks.courier import Courier
from engine.hooks.hooks import Hooks
from engine.hooks.journal import JournalReader
from engine.hooks.queue import HookQueue
from engine.hooks.secret import SecretKeys
from engine.hooks.store import HookStore
from engine.ports import HookPort
from providers.http import Trace, no_trace
from providers.webhooks import Webhooks


class OpenHooks(NamedTuple):
    """What the worker runs: events out of the journal, and deliveries of them."""

    journal: JournalReader
    courier: Courier


def build_port(settings: Settings, trace: Trace = no_trace) -> HookPort:
    """Who carries messages; to be closed by whoever asked for it."""
    return Webhooks(ports=settings.hooks.ports, local=settings.hooks.local, trace=trace)


def build_hooks(settings: Settings, pool: Any, clock: Clock, port: HookPort) -> Hooks | None:
    """What may be done about subscriptions; None where no key for their secrets is set."""
    if not settings.hooks.keys:
        return None
    return Hooks(
        store=HookStore(pool, settings.tenant),
        keys=SecretKeys(settings.hooks.keys, SystemRandom()),
        fault_in=port.fault_in,
        clock=clock,
    )


@asynccontextmanager
async def open_hooks(engine: Engine) -> AsyncIterator[OpenHooks | None]:
    """What a worker needs; on leaving, tries under way are finished and connections closed."""
    settings, pool = engine.settings, engine.pool
    if not settings.hooks.keys:
        yield None
        return
    port = build_port(settings, engine.watch.over(tell_log))
    courier = Courier(
        queue=HookQueue(pool, settings.tenant),
        store=HookStore(pool, settings.tenant),
        keys=SecretKeys(settings.hooks.keys, SystemRandom()),
        port=port,
        clock=engine.clock,
        draw=random.SystemRandom().random,
        note=engine.watch.metrics.hook_try,
    )
    try:
        yield OpenHooks(JournalReader(pool, settings.tenant, engine.clock, engine.ids), courier)
    finally:
        await courier.stop()
        await port.aclose()

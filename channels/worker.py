"""The second process: takes over what others left behind and asks about what stays silent."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any

import asyncpg

from channels.hook_room import OpenHooks, open_hooks
from channels.probing import build_light_probes
from channels.rates import build_feed
from channels.settings import Settings
from channels.settlement import OpenSettlement, open_settlement
from channels.settlement_file import pegged_to
from channels.statements import open_comparison
from channels.watching.dependencies import metrics_routes
from channels.watching.exposition import listening
from channels.wiring import Engine, open_engine
from engine.compliance.history import HistoryStore
from engine.database import ensure_months
from engine.errors import CappError
from engine.fx.feed import RateFeed
from engine.inbox.store import InboxStore
from engine.memory import end_if_refused
from engine.messages.watch import MessageWatch
from engine.payments.our_faults import Mended
from engine.payments.unresolved import Unresolved
from engine.privacy.retention import Retention
from engine.staff.sealing import Sealing
from engine.tasks import for_life

log = logging.getLogger(__name__)

SWEEP_SECONDS = 1.0
RATES_SECONDS = 5.0
DESK_SECONDS = 10.0
LIQUIDITY_SECONDS = 30.0
BALANCES_SECONDS = 600.0
PROBES_SECONDS = 15.0
SETTLEMENT_SECONDS = 1.0
HOOKS_SECONDS = 1.0
STATEMENTS_SECONDS = 3600.0
MESSAGES_SECONDS = 60.0
MONTHS_SECONDS = 600.0  # where none is missing it is one look
LOOPS_END_SECONDS = 5.0
BATCH = 100


async def run_worker(settings: Settings, stop: asyncio.Event) -> None:
    """Run the loops until `stop` is set; calls under way are finished first."""
    async with open_engine(settings) as engine, AsyncExitStack() as closing:
        await engine.screener.need()
        feed = build_feed(
            settings,
            pool=engine.pool,
            clock=engine.clock,
            currencies={
                *(facts.currency for facts in engine.directory.by_code.values()),
                *pegged_to(settings),
            },
            note=engine.decisions.note,
        )
        closing.push_async_callback(feed.aclose)
        if port := settings.watching.worker_metrics_port:
            await closing.enter_async_context(listening(metrics_routes(engine), port))
        settlement = await closing.enter_async_context(open_settlement(engine))
        hooks = await closing.enter_async_context(open_hooks(engine))
        loops = [*_loops(engine, feed), *_settlement_loops(settlement), *_hook_loops(hooks)]
        tasks = [for_life(loop) for loop in loops]
        log.info("worker is up")
        await stop.wait()
        engine.committer.end_soon()
        for task in tasks:
            task.cancel()
        _, stuck = await asyncio.wait(tasks, timeout=LOOPS_END_SECONDS)
        if stuck:  # in a transaction that Postgres does not even call off
            log.warning("%d of the worker's loops are given up", len(stuck))


def _loops(engine: Engine, feed: RateFeed) -> list[Coroutine[Any, Any, None]]:
    office = engine.office
    comparison = open_comparison(engine)
    light_probes = build_light_probes(engine)
    traces = HistoryStore(engine.pool, engine.settings.tenant)
    messages = MessageWatch(engine.pool, engine.settings.tenant, engine.clock)
    retention = Retention(
        engine.pool, engine.settings.tenant, engine.clock, engine.settings.kept_days
    )
    unresolved = Unresolved(engine.pool, engine.settings.tenant, engine.store, engine.clock)
    mended = Mended(engine.pool, engine.settings.tenant, engine.store, engine.clock)
    sealing = Sealing(engine.pool, engine.settings.tenant, engine.clock)
    kept_days = engine.settings.webhooks.traffic_days
    inbox = InboxStore(
        engine.pool, engine.settings.tenant, engine.clock, engine.ids,
        lease_seconds=engine.settings.lease_seconds,
    )  # fmt: skip
    return [
        _every(SWEEP_SECONDS, lambda: engine.dispatcher.sweep(BATCH), "outbox"),
        _every(SWEEP_SECONDS, lambda: engine.reconciler.sweep(BATCH), "due payments"),
        _every(SWEEP_SECONDS, lambda: engine.pay_ins.watch.sweep(BATCH), "pay-ins"),
        _every(RATES_SECONDS, feed.refresh, "rates"),
        # One less than a full batch, so that proposals that cannot be carried out yet do not spin.
        _every(DESK_SECONDS, lambda: office.desk.carry_out_approved(BATCH - 1), "approved"),
        _every(DESK_SECONDS, office.auditor.sweep, "audit"),
        _every(DESK_SECONDS, lambda: _expire_requests(engine), "requests"),
        _every(DESK_SECONDS, lambda: unresolved.sweep(BATCH), "cases of ended attempts"),
        _every(DESK_SECONDS, lambda: mended.sweep(BATCH), "cases of our own faults"),
        _every(DESK_SECONDS, lambda: engine.reservations.sweep(BATCH), "reservations"),
        _every(LIQUIDITY_SECONDS, office.liquidity.watch, "low water"),
        _every(BALANCES_SECONDS, comparison.balances.look, "balances"),
        _every(PROBES_SECONDS, light_probes.look, "light probes"),
        _every(STATEMENTS_SECONDS, comparison.statements.age, "statements"),
        _every(STATEMENTS_SECONDS, lambda: traces.forget(engine.clock.now()), "traces"),
        _every(MESSAGES_SECONDS, messages.look, "messages"),
        _every(MESSAGES_SECONDS, sealing.sweep, "staff's log"),
        _every(STATEMENTS_SECONDS, inbox.forget, "inbound messages"),
        _every(STATEMENTS_SECONDS, retention.sweep, "what is kept too long"),
        _every(STATEMENTS_SECONDS, lambda: engine.traffic.forget(kept_days), "old traffic"),
        _every(MONTHS_SECONDS, lambda: _months(engine), "partitions"),
    ]


def _settlement_loops(settlement: OpenSettlement | None) -> list[Coroutine[Any, Any, None]]:
    """None where nothing is settled on a chain."""
    if settlement is None:
        return []
    return [_every(SETTLEMENT_SECONDS, settlement.room.settling.sweep, "settlement")]


def _hook_loops(hooks: OpenHooks | None) -> list[Coroutine[Any, Any, None]]:
    """None where no business is told of its payments."""
    if hooks is None:
        return []
    return [
        _every(HOOKS_SECONDS, hooks.journal.sweep, "events"),
        _every(HOOKS_SECONDS, hooks.courier.sweep, "webhooks"),
        _every(STATEMENTS_SECONDS, hooks.journal.forget, "old events"),
    ]


async def _expire_requests(engine: Engine) -> int:
    return await engine.requests.expire(engine.clock.now(), BATCH)


async def _months(engine: Engine) -> int:
    async with engine.pool.acquire() as connection:
        await ensure_months(connection, engine.clock.now())
    return 0


async def _every(seconds: float, work: Callable[[], Awaitable[int]], what: str) -> None:
    """Repeat for ever: at once while there is a full batch, else after a pause.

    Whatever the work raises, the loop goes on: what it looks after may stop no other payment.
    """
    while True:
        try:
            if await work() >= BATCH:
                continue
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, CappError) as error:
            log.warning("%s: %s", what, error)
        except Exception as error:  # the edge that must go on: our mistake, told with its trace
            end_if_refused(error)
            log.exception("%s failed", what)
        await asyncio.sleep(seconds)

"""What one running engine is asked by whoever watches it: its dependencies, its counts."""

from collections.abc import Awaitable, Callable
from functools import partial

import asyncpg
from starlette.routing import Route

from channels.settlement_probe import ChainProbe
from channels.watching.clocks import seconds_ahead, trouble_of
from channels.watching.exposition import metrics_route
from channels.watching.figures import Figures
from channels.watching.health import Dependency, Standing
from channels.wiring import Engine
from engine.database import must_take_writes


def dependencies_of(
    engine: Engine, ping: Callable[[], Awaitable[None]], chain: ChainProbe | None = None
) -> dict[str, Dependency]:
    """By the names people know them under; the chain where something is settled on one.

    `ping` asks Redis over a connection that is open already.
    """
    settled = {} if chain is None else {"chain": Dependency(chain.ask)}
    return {
        "postgres": Dependency(partial(_postgres, engine), is_needed=True),
        "redis": Dependency(partial(_redis, ping)),
        "rates": Dependency(partial(_rates, engine)),
        "sanctions lists": Dependency(partial(_lists, engine)),
        "clock": Dependency(partial(_clock, engine)),
        **settled,
    }


def metrics_routes(engine: Engine) -> list[Route]:
    """None where no token is set."""
    token = engine.settings.watching.metrics_token
    if token is None:
        return []
    names = {code: facts.name for code, facts in engine.directory.by_code.items()}
    figures = Figures(engine.pool, engine.settings.tenant, names, engine.clock)
    return [metrics_route(engine.watch.metrics, figures, token, engine.settings.tenant_name)]


async def _postgres(engine: Engine) -> Standing:
    try:
        await must_take_writes(engine.pool)
    except asyncpg.ReadOnlySQLTransactionError as error:
        return Standing("away", str(error))
    if trouble := engine.committer.trouble():  # as of a full disk; what is only read still works
        return Standing("stale", f"payments wait: {trouble}")
    return Standing("ok")


async def _clock(engine: Engine) -> Standing:
    trouble = trouble_of(await seconds_ahead(engine.pool, engine.clock))
    return Standing("stale", trouble) if trouble else Standing("ok")


async def _redis(ping: Callable[[], Awaitable[None]]) -> Standing:
    await ping()
    return Standing("ok")


async def _rates(engine: Engine) -> Standing:
    known = engine.rates.known()
    stale = [rate for rate in known if engine.rates.is_stale(rate)]
    if not known or stale:
        return Standing("stale", f"{len(stale)} of {len(known)} rates are too old to price by")
    return Standing("ok", f"{len(known)} rates")


async def _lists(engine: Engine) -> Standing:
    if alarms := engine.screener.alarms():
        return Standing("stale" if engine.settings.screening_required else "ok", "; ".join(alarms))
    return Standing("ok")

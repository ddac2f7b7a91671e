"""The rate feed as the settings want it."""

from collections.abc import Callable, Iterable
from typing import Any

from channels.settings import Settings
from engine.clock import Clock
from engine.decisions import Decision
from engine.fx.consensus import Terms
from engine.fx.feed import RateFeed, pairs_of
from engine.fx.store import RateStore
from engine.fx.table import RateTable
from engine.ports import Pair
from providers.http import Trace, no_trace
from providers.registry import build_rate_sources

RENEWALS = 4
"""So often the words that a rate came of renew it before it would be stale."""


def build_feed(
    settings: Settings,
    *,
    pool: Any,
    clock: Clock,
    currencies: Iterable[str],
    note: Callable[[Decision], None],
    trace: Trace = no_trace,
) -> RateFeed:
    """The feed as the settings want it; whoever builds it closes it.

    `currencies` are those we pay in; `note` is told every new decision. Raises MissingSettings or
    ValueError for sources that the environment does not describe.
    """
    rates = settings.rates
    live = build_rate_sources(settings.environment, names=rates.sources, trace=trace)
    table = RateTable(pool, settings.tenant, stale_after_seconds=rates.table_stale_seconds)
    chosen = tuple(Pair(*pair) for pair in rates.pairs)
    return RateFeed(
        sources=[*live, table],
        pairs=chosen or pairs_of(currencies),
        store=RateStore(pool, settings.tenant),
        terms=Terms(
            sources_min=rates.sources_min,
            outlier_bp=rates.outlier_bp,
            jump_bp=rates.jump_bp,
            jump_sources_min=rates.jump_sources_min,
            staff_bp=rates.staff_bp,
        ),
        clock=clock,
        every_seconds=rates.fetch_seconds,
        renew_seconds=settings.rate_stale_seconds // RENEWALS,
        note=note,
    )

"""The rates that people keep themselves (`capp seed`), as one source among the others."""

import logging
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from engine.fx.consensus import inverse, plain_digits
from engine.ports import Observation, Pair

log = logging.getLogger(__name__)

TABLE = "table"


class RateTable:
    """The newest row of each pair that was not chosen but written by hand.

    See `engine.ports.RateSource`; it raises what the pool raises.
    """

    name = TABLE
    is_live = False

    def __init__(self, pool: Any, tenant: int, *, stale_after_seconds: int) -> None:
        self.stale_after_seconds = stale_after_seconds
        self._pool = pool
        self._tenant = tenant

    async def fetch(self, pairs: Sequence[Pair]) -> list[Observation]:
        """A pair that the table knows only the other way round is inverted.

        A row that is no rate is left out: the others are as good as without it.
        """
        rows = await self._pool.fetch(
            "select distinct on (base, quote) base, quote, mid,"
            "  coalesce(accepted_ms, at_ms) as said_ms from fx_rate"
            " where tenant = $1 and decided_ms is null order by base, quote, at_ms desc",
            self._tenant,
        )
        known = {Pair(r["base"], r["quote"]): (r["mid"], r["said_ms"]) for r in rows}
        found = []
        for pair in pairs:
            back = known.get(Pair(pair.quote, pair.base))
            try:
                turned = None if back is None else (inverse(back[0]), back[1])
                if entry := known.get(pair, turned):
                    found.append(_observation(pair, *entry))
            except ValueError as error:
                log.error("the table's rate of %s is left out: seed it anew (%s)", pair, error)
        return found

    async def aclose(self) -> None:
        """The pool is somebody else's."""


def _observation(pair: Pair, mid: Decimal, at_ms: int) -> Observation:
    return Observation(pair, plain_digits(mid), at_ms)

"""Rates and corridors, read from Postgres and kept in memory; stale ones are refused."""

import asyncio
import logging
from decimal import Decimal
from typing import Any, NamedTuple

from engine.clock import Clock
from engine.errors import NoWayNow
from engine.fx.quotes import Corridor
from engine.outages import AWAY

log = logging.getLogger(__name__)


class Rate(NamedTuple):
    """A mid rate: major units of `quote` for one major unit of `base`, and when it was accepted.

    The pair and `at_ms` name its row in the history, and with it the decision behind it; where a
    clock was ahead, the name may be as well (`decisions/0003`).
    """

    base: str
    quote: str
    mid: Decimal
    at_ms: int
    accepted_ms: int


class RateBook:
    """What this process knows of prices; `refresh` reads it anew.

    A rate older than `stale_after_seconds` prices nothing: better no payment than one at
    yesterday's rate. What people wrote into the table themselves prices until the first rate of
    the pair is accepted; from then on it is one source among the others. A newest row that is no
    number prices nothing either, nor does what it was to replace, nor a corridor whose terms make
    no sense.
    """

    def __init__(self, tenant: int, clock: Clock, *, stale_after_seconds: float) -> None:
        self._tenant = tenant
        self._clock = clock
        self._stale_after_seconds = stale_after_seconds
        self._rates: dict[tuple[str, str], Rate] = {}
        self._corridors: dict[tuple[str, str], Corridor] = {}
        self._senseless: list[Corridor] = []

    async def refresh(self, pool: Any) -> None:
        """Read the newest rate of each pair and all corridors. Raises what the pool raises."""
        rates = await pool.fetch(
            "select * from ("
            "  select distinct on (base, quote) base, quote, mid, at_ms,"
            "   coalesce(accepted_ms, at_ms) from fx_rate where tenant = $1"
            "  order by base, quote, decided_ms is null, at_ms desc) newest"
            # To Postgres NaN is a number, and above all others.
            " where mid < 'Infinity'",
            self._tenant,
        )
        corridors = await pool.fetch("select * from corridor where tenant = $1", self._tenant)
        self._rates = {(r["base"], r["quote"]): Rate(*r) for r in rates}
        read = [
            Corridor(**{name: c[name] for name in Corridor.__struct_fields__}) for c in corridors
        ]
        self._tell_of_senseless([corridor for corridor in read if corridor.senseless])
        self._corridors = {(c.payer_operator, c.payee_operator): c for c in read if not c.senseless}

    def _tell_of_senseless(self, found: list[Corridor]) -> None:
        """Once, and again when they are others: the file that is seeded is refused for them."""
        if found != self._senseless:
            for c in found:
                log.error(
                    "%s to %s is closed: its %s makes no sense; seed it anew",
                    c.payer_operator, c.payee_operator, c.senseless,
                )  # fmt: skip
        self._senseless = found

    async def keep_fresh(self, pool: Any, every_seconds: float) -> None:
        """Refresh for ever; while the database is away the rates go stale by themselves."""
        while True:
            await asyncio.sleep(every_seconds)
            try:
                await self.refresh(pool)
            except AWAY as error:
                log.warning("rates not refreshed: %s", error)

    def corridor(self, payer_operator: str, payee_operator: str) -> Corridor:
        """Raises NoWayNow `no_way.corridor` when nobody opened it."""
        try:
            return self._corridors[payer_operator, payee_operator]
        except KeyError:
            raise NoWayNow("no_way.corridor") from None

    def mid(self, base: str, quote: str) -> Decimal:
        """The mid rate; 1 for a currency and itself. Raises NoWayNow when unknown or stale."""
        return self.rate(base, quote).mid

    def rate(self, base: str, quote: str) -> Rate:
        """The same with the moment that names it; 0 for a currency and itself."""
        if base == quote:
            return Rate(base, quote, Decimal(1), 0, 0)
        rate = self._rates.get((base, quote))
        if rate is None or self.is_stale(rate):
            raise NoWayNow("no_way.busy")
        return rate

    def known(self) -> list[Rate]:
        """Every rate, stale ones too, by pair."""
        return sorted(self._rates.values())

    def is_stale(self, rate: Rate) -> bool:
        """Whether it prices nothing any more."""
        return self._clock.apart(rate.accepted_ms / 1000) > self._stale_after_seconds

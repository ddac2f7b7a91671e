"""Ranks the ways of one payment by what this process knows at this moment. Waits for nothing."""

import asyncio
import logging
from collections.abc import Callable

from engine.decision_log import DecisionLog
from engine.decisions import Decision
from engine.errors import NoWayNow
from engine.fx.quotes import Corridor
from engine.money import Money
from engine.outages import AWAY
from engine.payments.health import MILLION
from engine.payments.outlook import Outlook, outlook
from engine.payments.pools import Holding, Pools
from engine.payments.pricing import Price
from engine.payments.ranking import Candidate, Ranking, RouteRules, rank
from engine.payments.routing import Ways
from engine.payments.watch import Health
from engine.ports import Direction, OperatorFacts

log = logging.getLogger(__name__)

_RULES = RouteRules()


class Router:
    """Chooses who pays out, before anybody is charged."""

    def __init__(
        self,
        *,
        corridor: Callable[[str, str], Corridor],
        health: Health,
        pools: Pools,
        random: Callable[[int], bytes],
        keep: Callable[[Decision], None],
    ) -> None:
        """`corridor` gives the terms from operator to operator or raises NoWayNow.

        `random` gives so many random bytes; `keep` hears of refusals: no payment keeps them.
        """
        self._corridor = corridor
        self._health = health
        self._pools = pools
        self._random = random
        self._keep = keep

    def choose(self, ways: Ways, amount: Money, price: Price, *, from_pool: bool = True) -> Ranking:
        """The ways of a priced payment, at least one. The payment keeps `Ranking.decision`.

        Raises NoWayNow `no_way.busy` when nobody can pay out now or the payer's operator cannot be
        collected from; the refusal is kept.
        Nothing is reserved: a repeat draws a new lot. `from_pool` as in `rank`.
        """
        ranking = self.rank(ways, amount, price, from_pool=from_pool)
        if not ranking.ways:
            self._keep(ranking.decision)
            raise NoWayNow("no_way.busy")
        return ranking

    def outlook(
        self, ways: Ways, amount: Money, price: Price, *, from_pool: bool = True
    ) -> Outlook:
        """Whether such a payment would succeed now. Keeps nothing and refuses nothing.

        `from_pool` as in `rank`.
        """
        return outlook(self.rank(ways, amount, price, from_pool=from_pool), price.receives)

    def rank(self, ways: Ways, amount: Money, price: Price, *, from_pool: bool = True) -> Ranking:
        """The same as `choose`, also when there is no way; keeps nothing.

        `from_pool`: the payout is promised from what the pool has free. Else it was set aside
        before, and only the commit knows whether that is enough.
        """
        return rank(
            [
                self._payout(ways, facts, price.receives.minor, from_pool=from_pool)
                for facts in ways.payouts
            ],
            int.from_bytes(self._random(8)) % MILLION,
            _RULES,
            margin_minor=margin_minor(price),
            payer=self._collection(ways.payer, amount + price.fee, price),
        )

    def _payout(
        self, ways: Ways, facts: OperatorFacts, minor: int, *, from_pool: bool
    ) -> Candidate:
        vitals = self._health.vitals(facts.name, Direction.DISBURSE, minor)
        holding: Holding = self._pools.of(facts.name)
        return Candidate(
            operator=facts.name,
            is_own=facts.name == ways.wallet,
            amount_minor=minor,
            amount_minor_min=facts.disburse_minor_min,
            amount_minor_max=facts.disburse_minor_max,
            unit_minor=facts.unit_minor,
            cost_minor=self._payout_cost(ways.payer, facts),
            breaker=vitals.breaker,
            may_probe=vitals.may_probe,
            belief=vitals.belief,
            available_minor=holding.available_minor if from_pool else None,
            float_minor=holding.float_minor,
            in_flight_minor=holding.in_flight_minor,
            day_minor=vitals.moved.day_minor,
            month_minor=vitals.moved.month_minor,
            terms=vitals.terms,
        )

    def _collection(self, facts: OperatorFacts, total: Money, price: Price) -> Candidate:
        vitals = self._health.vitals(facts.name, Direction.COLLECT, total.minor)
        return Candidate(
            operator=facts.name,
            is_own=True,
            amount_minor=total.minor,
            amount_minor_min=facts.collect_minor_min,
            amount_minor_max=facts.collect_minor_max,
            unit_minor=facts.unit_minor,
            cost_minor=price.collection_cost_minor,
            breaker=vitals.breaker,
            may_probe=vitals.may_probe,
            belief=vitals.belief,
            day_minor=vitals.moved.day_minor,
            month_minor=vitals.moved.month_minor,
            terms=vitals.terms,
        )

    def _payout_cost(self, payer: OperatorFacts, facts: OperatorFacts) -> int | None:
        """What the corridor through this operator says; None when nobody opened one."""
        try:
            return self._corridor(payer.name, facts.name).payout_cost_minor
        except NoWayNow:
            return None


async def keep_current(
    health: Health, pools: Pools, decisions: DecisionLog, *, every_seconds: float = 1.0
) -> None:
    """Flush what was told and decided, read what is known, for ever.

    While the database is away the last knowledge stays and what is to be stored waits.
    """
    while True:
        for work in (health.tend, pools.refresh, decisions.flush):
            try:
                await work()
            except AWAY as error:
                log.warning("routing goes on with what it knows: %s", error)
        await asyncio.sleep(every_seconds)


def margin_minor(price: Price) -> int:
    """What the payment earns in minor units of the payout currency, at the price's own rate.

    Fee and spread less what the collection costs, rounded down.
    """
    earned = price.fee.minor + price.spread_minor - price.collection_cost_minor
    return earned * price.receives.minor // max(price.value_at_mid_minor, 1)

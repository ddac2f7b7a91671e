"""What a client may know of the market: pools, rates, and how operators do at this moment."""

from collections.abc import Callable, Mapping

import msgspec

from channels.api.endpoints import Call, Nothing
from channels.api.problems import Code, Refusal
from channels.api.transaction_shown import Amount
from channels.api.wire import CurrencyCode, is_paid
from channels.times import iso_millis_of
from engine.clients.clients import KeyHolder
from engine.fx.rates import RateBook
from engine.payments.outlook import condition_of
from engine.payments.pools import Pools
from engine.payments.watch import Health
from engine.ports import Direction, OperatorFacts
from engine.staff.figures import directions_of


class PoolPath(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A currency that is paid out."""

    currency: CurrencyCode


class PoolShown(msgspec.Struct, frozen=True):
    """What payouts in a currency are taken from, this moment.

    `available` is promised to nobody; `held` is promised to payments that are under way.
    """

    currency: str
    available: Amount
    held: Amount


class RatePath(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """From a currency to another."""

    base: CurrencyCode
    quote: CurrencyCode


class RateShown(msgspec.Struct, frozen=True):
    """What one major unit of `base` is worth in `quote`, before any spread: no price.

    What a payment costs is in its quote.
    """

    base: str
    quote: str
    mid: str
    at: str | None  # when it was accepted; null for a currency and itself


class DirectionShown(msgspec.Struct, frozen=True):
    """One direction. `condition` is "well", "shaky" or "down"; amounts are minor units."""

    condition: str
    amount_minor_min: int
    amount_minor_max: int


class OperatorShown(msgspec.Struct, frozen=True):
    """An operator of wallets; null for what it cannot do with us."""

    name: str
    country: str
    currency: str
    unit_minor: int  # amounts are multiples of it
    collects: DirectionShown | None
    disburses: DirectionShown | None


class OperatorsShown(msgspec.Struct, frozen=True):
    """By name."""

    operators: list[OperatorShown]


class Markets:
    """The handlers."""

    def __init__(
        self,
        *,
        pools: Pools,
        rates: RateBook,
        health: Health,
        operators: Callable[[], Mapping[str, OperatorFacts]],
    ) -> None:
        self._pools = pools
        self._rates = rates
        self._health = health
        self._operators = operators

    async def pool(self, call: Call[KeyHolder, PoolPath, Nothing, Nothing]) -> PoolShown:
        """One currency's pool. Raises Refusal NOT_FOUND."""
        currency = call.path.currency
        balance = await self._pools.balance(currency) if is_paid(currency) else None
        if balance is None:
            raise Refusal(Code.NOT_FOUND)
        available, held = (Amount(minor, currency) for minor in balance)
        return PoolShown(currency, available, held)

    async def rate(self, call: Call[KeyHolder, RatePath, Nothing, Nothing]) -> RateShown:
        """The market rate that payments are priced by.

        Raises Refusal NOT_FOUND for a currency of no wallets, NoWayNow without a fresh rate.
        """
        base, quote = call.path.base, call.path.quote
        if not is_paid(base) or not is_paid(quote):
            raise Refusal(Code.NOT_FOUND)
        rate = self._rates.rate(base, quote)
        return RateShown(
            base, quote, f"{rate.mid:f}", iso_millis_of(rate.at_ms) if rate.at_ms else None
        )

    async def operators(self, _: Call[KeyHolder, Nothing, Nothing, Nothing]) -> OperatorsShown:
        """Which operators there are, and whether they serve at this moment."""
        found = sorted(self._operators().values(), key=lambda facts: facts.name)
        return OperatorsShown([self._operator(facts) for facts in found])

    def _operator(self, facts: OperatorFacts) -> OperatorShown:
        return OperatorShown(
            facts.name, facts.country, facts.currency, facts.unit_minor,
            self._direction(facts, Direction.COLLECT), self._direction(facts, Direction.DISBURSE),
        )  # fmt: skip

    def _direction(self, facts: OperatorFacts, direction: Direction) -> DirectionShown | None:
        if direction not in directions_of(facts):
            return None
        vitals = self._health.vitals(facts.name, direction, 0)
        condition = condition_of(vitals.breaker, vitals.belief.success_ppm)
        if direction is Direction.COLLECT:
            return DirectionShown(condition, facts.collect_minor_min, facts.collect_minor_max)
        return DirectionShown(condition, facts.disburse_minor_min, facts.disburse_minor_max)

"""What a transaction may cost: the node's own estimate with a margin, never more than the budget.

Units of work are what the chain counts, a price is octas for one; 10^8 octas are one APT.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from engine.errors import OutcomeUnknown, Throttled, Unreadable
from engine.ports import Refusal
from providers.aptos.answers import NAME, Simulated, whole
from providers.aptos.client import Node
from providers.aptos.refusals import read_status, refusal_of

PRICE_SECONDS: Final = 30.0
NOTHING_UNITS: Final = 20_000
"""For a transaction that does nothing. Section 5 counts 27.6 units and one new slot at most."""
# Another transaction of the account took the number, or the node's clock stands elsewhere.
OVERTAKEN: Final = frozenset(
    {"SEQUENCE_NUMBER_TOO_OLD", "SEQUENCE_NUMBER_TOO_NEW", "TRANSACTION_EXPIRED"}
)


class Budget(NamedTuple):
    """The most that one transaction may take. Below `fee_reserve_min` octas the sponsor is poor."""

    units_max: int = 200_000
    unit_price_max: int = 1_000
    margin_percent: int = 50
    fee_reserve_min: int = 0

    @property
    def nothing_units(self) -> int:
        return min(self.units_max, NOTHING_UNITS)


class Fees:
    """The price of a unit, asked for at most every half minute; `seconds` is any steady clock."""

    def __init__(self, node: Node, budget: Budget, *, seconds: Callable[[], float]) -> None:
        self._node = node
        self._budget = budget
        self._seconds = seconds
        self._price = 0
        self._asked_at = -PRICE_SECONDS

    async def price(self) -> "int | Refusal":
        """Octas for a unit; FEE when the chain wants more than the budget allows.

        Raises what asking raises, unless a price is known: an old one is better than none.
        """
        if self._price and self._seconds() - self._asked_at < PRICE_SECONDS:
            return self._price
        try:
            prices = await self._node.prices()
        except (Throttled, OutcomeUnknown, Unreadable):
            if not self._price:
                raise
            return self._price
        lowest = prices.deprioritized_gas_estimate or prices.gas_estimate
        if lowest > self._budget.unit_price_max:
            return Refusal.FEE
        if prices.gas_estimate < 1:
            raise Unreadable(NAME, "a price that is none")
        # Below the usual price it takes longer, and it expires rather than cost more.
        self._price = min(prices.gas_estimate, self._budget.unit_price_max)
        self._asked_at = self._seconds()
        return self._price

    def units(self, simulated: Simulated, ours: "dict[str, bytes]") -> "int | Refusal":
        """What to allow after a trial; why not, when it failed.

        Raises OutcomeUnknown for a trial that was overtaken: it says nothing of the call.
        """
        if not simulated.success:
            status = read_status(simulated.vm_status)
            if status.name in OVERTAKEN:
                raise OutcomeUnknown(NAME, "a trial that was overtaken", code=status.word)
            return refusal_of(status, ours)
        used = whole(simulated.gas_used)
        if used is None:
            raise Unreadable(NAME, "a trial that does not say what it took")
        if used > self._budget.units_max:
            return Refusal.FEE
        with_margin = -(-used * (100 + self._budget.margin_percent) // 100)
        return min(with_margin, self._budget.units_max)

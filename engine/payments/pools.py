"""What our pools and wallets hold, as last read: good enough to choose a way, never a promise.

The promise is made by the commit, which takes from the pool or refuses. It refuses to write.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from engine.ledger.chart import Account, Kind, natural
from engine.ports import OperatorFacts


class Holding(NamedTuple):
    """Liquidity for payouts through one operator, in minor units; None where nobody looked yet."""

    available_minor: int | None = None  # of the currency's pool, promised to nobody
    float_minor: int | None = None  # in our wallet there, less what is on its way out
    in_flight_minor: int = 0  # on its way out: it may have left


class Pools:
    """The balances that routing asks for; `refresh` reads them anew."""

    def __init__(self, pool: Any, tenant: int, operators: Mapping[str, OperatorFacts]) -> None:
        self._pool = pool
        self._accounts = {name: _accounts(tenant, facts) for name, facts in operators.items()}
        self._balances: dict[int, int] = {}

    async def refresh(self) -> None:
        """Read a handful of balance rows. Raises what the pool raises."""
        numbers = sorted({number for wanted in self._accounts.values() for number in wanted})
        rows = await self._pool.fetch(
            "select id, amount from balance where id = any($1::bigint[])", numbers
        )
        self._balances = {row["id"]: natural(row["id"], row["amount"]) for row in rows}

    def of(self, operator: str) -> Holding:
        """What a payout through an operator can draw on."""
        available, float_, in_flight = map(self._balances.get, self._accounts[operator])
        spendable = None if float_ is None else float_ - (in_flight or 0)
        return Holding(available, spendable, in_flight or 0)


def _accounts(tenant: int, facts: OperatorFacts) -> tuple[int, int, int]:
    return (
        Account(tenant, facts.currency, Kind.POOL_AVAIL).number,
        Account(tenant, facts.currency, Kind.FLOAT, facts.code).number,
        Account(tenant, facts.currency, Kind.PAYOUT_IN_FLIGHT, facts.code).number,
    )

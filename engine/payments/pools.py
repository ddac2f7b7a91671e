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


class PoolBalance(NamedTuple):
    """A currency's pool as the books have it, in minor units."""

    available_minor: int  # promised to nobody
    held_minor: int  # promised to payments that are under way


class Pools:
    """The balances that routing asks for; `refresh` reads them anew."""

    def __init__(self, pool: Any, tenant: int, operators: Mapping[str, OperatorFacts]) -> None:
        self._pool = pool
        self._tenant = tenant
        self._accounts = {name: _accounts(tenant, facts) for name, facts in operators.items()}
        self._balances: dict[int, int] = {}

    async def refresh(self) -> None:
        """Read a handful of balance rows. Raises what the pool raises."""
        numbers = sorted({number for wanted in self._accounts.values() for number in wanted})
        rows = await self._pool.fetch(
            "select id, amount from balance where id = any($1::bigint[])", numbers
        )
        self._balances = {row["id"]: natural(row["id"], row["amount"]) for row in rows}

    async def balance(self, currency: str) -> PoolBalance | None:
        """What the books say this moment; None where no pool of the currency was ever opened."""
        numbers = [
            Account(self._tenant, currency, kind).number
            for kind in (Kind.POOL_AVAIL, Kind.POOL_HELD)
        ]
        rows = await self._pool.fetch(
            "select id, amount from balance where id = any($1::bigint[])", numbers
        )
        found = {row["id"]: natural(row["id"], row["amount"]) for row in rows}
        return PoolBalance(*(found.get(number, 0) for number in numbers)) if found else None

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

"""How much there is, how much is promised or on its way, how long it lasts, and who is called.

Reads balances and the journal; it moves nothing. Marks are per account: a currency's available
pool, or the float at one operator.
"""

import logging
from collections import defaultdict
from collections.abc import Mapping
from typing import Any, NamedTuple

from engine.clock import DAY_MS, Clock
from engine.desk.cases import LOW_WATER, CaseKey
from engine.desk.rebalancing import FloatFacts, forecast
from engine.errors import StaffMistake
from engine.ledger.account_names import spell
from engine.ledger.chart import Account, Kind, natural, read_account
from engine.ledger.entries import MANUAL_FROM
from engine.money import Money
from engine.ports import OperatorFacts

log = logging.getLogger(__name__)

HISTORY_DAYS = 7


class FloatStatus(NamedTuple):
    """One operator's float; minor units. `days` of cover is None while nothing is used."""

    operator: str
    minor: int
    in_flight_minor: int  # of that, what may have left already
    leaving_minor: int  # of that, what its owner takes out
    use_per_day_minor: int
    days: float | None
    low_minor: int
    target_minor: int


class PoolStatus(NamedTuple):
    """One currency; minor units."""

    currency: str
    available_minor: int
    held_minor: int
    reserved_minor: int  # set aside by clients
    leaving_minor: int
    in_flight_minor: int
    low_minor: int
    floats: tuple[FloatStatus, ...]


class _Mark(NamedTuple):
    low_minor: int
    target_minor: int


class Liquidity:
    """The pools and floats of one tenant."""

    def __init__(
        self, pool: Any, tenant: int, operators: Mapping[str, OperatorFacts], clock: Clock
    ) -> None:
        self._pool = pool
        self._tenant = tenant
        self._operators = dict(operators)
        self._names = {facts.code: name for name, facts in operators.items()}
        self._clock = clock

    async def status(self) -> list[PoolStatus]:
        """Every currency that has a pool or a float.

        Reads `HISTORY_DAYS` of the journal to know the use: for people, not for every second.
        """
        minor = await self._balances()
        use = await self.use_per_day()
        marks = await self._marks()
        currencies = sorted({account.currency for account in minor})
        return [self._pool_status(c, minor, use, marks) for c in currencies]

    async def float_facts(self) -> list[FloatFacts]:
        """What rebalancing wants to know, in one row for each float.

        What is on its way out of a float, to a payee, back to whoever sent it or to its owner, no
        longer counts as there.
        """
        return [
            FloatFacts(
                f.operator, pool.currency, f.minor - f.in_flight_minor - f.leaving_minor,
                f.use_per_day_minor, f.low_minor, f.target_minor,
                self._operators[f.operator].unit_minor,
            )
            for pool in await self.status()
            for f in pool.floats
            if f.operator in self._operators
        ]  # fmt: skip

    async def use_per_day(self) -> dict[int, int]:
        """What leaves each float on a day, forecast from the last week, in minor units."""
        now_ms = self._now_ms()
        since_ms = now_ms - HISTORY_DAYS * DAY_MS
        rows = await self._pool.fetch(
            "select account, (at_ms - $2) / $4 as day, sum(minor)::bigint as minor"
            " from journal, unnest(credits, amounts) t(account, minor)"
            " where tenant = $1 and at_ms >= $2 and at_ms < $3 and state < $5"
            "   and (account >> 24 & 255) = $6 group by 1, 2",
            self._tenant, since_ms, now_ms, DAY_MS, MANUAL_FROM, int(Kind.FLOAT),
        )  # fmt: skip
        days: dict[int, list[int]] = defaultdict(lambda: [0] * HISTORY_DAYS)
        for row in rows:
            days[row["account"]][row["day"]] = row["minor"]
        return {account: forecast(used) for account, used in days.items()}

    async def set_mark(self, account: Account, *, low_minor: int, target_minor: int) -> None:
        """From now on somebody is called below `low_minor`; rebalancing fills to the target.

        Raises StaffMistake for an account that has no mark, or marks the wrong way round.
        """
        if account.kind not in (Kind.POOL_AVAIL, Kind.FLOAT):
            raise StaffMistake("marks are for POOL_AVAIL and FLOAT accounts")
        if not 0 <= low_minor <= target_minor:
            raise StaffMistake("the low mark is not below zero and not above the target")
        await self._pool.execute(
            "insert into liquidity_mark (account, tenant, low_minor, target_minor)"
            " values ($1, $2, $3, $4) on conflict (account) do update"
            " set low_minor = excluded.low_minor, target_minor = excluded.target_minor",
            account.number, self._tenant, low_minor, target_minor,
        )  # fmt: skip

    async def watch(self) -> int:
        """Call somebody about what has fallen below its mark; once a crossing, by one process.

        Returns how many crossings there were, up or down.
        """
        now_ms = self._now_ms()
        async with self._pool.acquire() as connection, connection.transaction():
            crossed = await connection.fetch(_CROSSED, self._tenant, now_ms, int(Kind.FLOAT))
            fallen = [row for row in crossed if row["below_ms"] is not None]
            for row in fallen:
                key = CaseKey(f"{row['account']:032x}", LOW_WATER, f"{row['below_ms']:032x}")
                await connection.execute(
                    "insert into case_file (payment, kind, hash, tenant, opened_ms, detail)"
                    " values ($1, $2, $3, $4, $5, $6) on conflict do nothing",
                    *key, self._tenant, now_ms, self._fell(row),
                )  # fmt: skip
        for row in fallen:
            log.error("case %s: %s", LOW_WATER, self._fell(row))
        return len(crossed)

    def _fell(self, row: Any) -> str:
        account = read_account(row["account"])
        there, low = (Money(row[name], account.currency) for name in ("there", "low_minor"))
        return f"{spell(account, self._names)} has {there}, its mark is {low}"

    async def _balances(self) -> dict[Account, int]:
        rows = await self._pool.fetch(
            "select id, amount from balance where id >> 42 = $1", self._tenant
        )
        found = {read_account(r["id"]): natural(r["id"], r["amount"]) for r in rows}
        return {account: minor for account, minor in found.items() if account.kind in _SHOWN}

    async def _marks(self) -> dict[int, _Mark]:
        rows = await self._pool.fetch(
            "select account, low_minor, target_minor from liquidity_mark where tenant = $1",
            self._tenant,
        )
        return {row["account"]: _Mark(row["low_minor"], row["target_minor"]) for row in rows}

    def _pool_status(
        self,
        currency: str,
        minor: Mapping[Account, int],
        use: Mapping[int, int],
        marks: Mapping[int, _Mark],
    ) -> PoolStatus:
        def total(kind: Kind) -> int:
            return sum(m for a, m in minor.items() if a.currency == currency and a.kind is kind)

        available = Account(self._tenant, currency, Kind.POOL_AVAIL)
        floats = sorted(a for a in minor if a.currency == currency and a.kind is Kind.FLOAT)
        return PoolStatus(
            currency,
            total(Kind.POOL_AVAIL),
            total(Kind.POOL_HELD),
            total(Kind.POOL_RESERVED),
            total(Kind.WITHDRAWAL_HELD),
            sum(total(kind) for kind in _IN_FLIGHT),
            marks.get(available.number, _NO_MARK).low_minor,
            tuple(self._float_status(account, minor, use, marks) for account in floats),
        )

    def _float_status(
        self,
        account: Account,
        minor: Mapping[Account, int],
        use: Mapping[int, int],
        marks: Mapping[int, _Mark],
    ) -> FloatStatus:
        def beside(*kinds: Kind) -> int:
            return sum(minor.get(account._replace(kind=kind), 0) for kind in kinds)

        there, per_day = minor[account], use.get(account.number, 0)
        mark = marks.get(account.number, _NO_MARK)
        return FloatStatus(
            self._names.get(account.owner, str(account.owner)),
            there,
            beside(*_IN_FLIGHT),
            beside(Kind.WITHDRAWAL_HELD),
            per_day,
            round(there / per_day, 1) if per_day else None,
            mark.low_minor,
            mark.target_minor,
        )

    def _now_ms(self) -> int:
        return int(self._clock.epoch() * 1000)


_NO_MARK = _Mark(0, 0)
_IN_FLIGHT = (Kind.PAYOUT_IN_FLIGHT, Kind.REFUND_IN_FLIGHT, Kind.RETURN_HELD)
_SHOWN = {
    Kind.FLOAT,
    Kind.POOL_AVAIL,
    Kind.POOL_HELD,
    Kind.POOL_RESERVED,
    Kind.WITHDRAWAL_HELD,
    *_IN_FLIGHT,
}
_CROSSED = """
with now_ as (
  select m.account,
         coalesce(b.amount * case when (m.account >> 24 & 255) = $3 then -1 else 1 end, 0) as there
    from liquidity_mark m left join balance b on b.id = m.account where m.tenant = $1)
update liquidity_mark m set below_ms = case when n.there < m.low_minor then $2::bigint end
  from now_ n where n.account = m.account and (n.there < m.low_minor) <> (m.below_ms is not null)
returning m.account, m.below_ms, m.low_minor, n.there
"""

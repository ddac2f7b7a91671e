"""What the database says of the whole installation, as gauges: read when somebody looks.

Any process tells the same. It is read at most every `FRESH_SECONDS`, however often it is asked
for, and counts only what is under way: its price does not grow with the number of payments.
"""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from prometheus_client.core import GaugeMetricFamily

from channels.watching.hook_figures import HookRead, hook_families, read_hooks
from channels.watching.samples import Figure, family
from engine.clock import Clock
from engine.ledger.chart import OF_OPERATOR, Kind, natural, read_account
from engine.outages import AWAY
from engine.payments.lifecycle import State
from engine.payments.settlement.state import BatchState

FRESH_SECONDS: Final = 5.0
SECONDS_MAX: Final = 5.0
"""Whoever scrapes waits no longer for Postgres; the process's own counts are told all the same."""

_ACCOUNTS: Final = frozenset(
    {
        Kind.FLOAT,
        Kind.POOL_AVAIL,
        Kind.POOL_HELD,
        Kind.POOL_RESERVED,
        Kind.CUSTOMER_FUNDS,
        Kind.PAYOUT_IN_FLIGHT,
        Kind.REFUND_IN_FLIGHT,
        Kind.REFUND_DUE,
        Kind.SUSPENSE,
    }
)


# What no window has closed has an index of its own, by pair and time: a look for each direction.
# Of a batch under way the oldest leaf is its first. A corridor is told by its operators, in
# alphabetical order, for what waits knows no settlement file.
_OWED: Final = """
with recursive pairs as (
  (select source, destination from settlement_obligation where tenant = $1 and batch is null
    order by source, destination limit 1)
  union all
  select n.source, n.destination from pairs p cross join lateral (
    select o.source, o.destination from settlement_obligation o
     where o.tenant = $1 and o.batch is null
       and (o.source, o.destination) > (p.source, p.destination)
     order by o.source, o.destination limit 1) n),
waiting as (
  select p.source, p.destination, o.at_ms from pairs p cross join lateral (
    select at_ms from settlement_obligation o
     where o.tenant = $1 and o.batch is null
       and o.source = p.source and o.destination = p.destination
     order by at_ms limit 1) o
  union all
  select o.source, o.destination, o.at_ms from settlement_batch b
    join settlement_obligation o on o.batch = b.id and o.leaf = 0
   where b.tenant = $1 and b.state not in (5, 7))
select least(source, destination) || ':' || greatest(source, destination) as corridor,
       min(at_ms) as oldest_ms
  from waiting where source <> '' and destination <> '' group by 1 order by 1"""
_BATCHES: Final = """
select corridor, state, count(*) as many from settlement_batch
 where tenant = $1 and state not in (5, 7) group by 1, 2 order by 1, 2"""


class Read(NamedTuple):
    """What was found at one moment."""

    accounts: tuple[Figure, ...] = ()
    payments: tuple[Figure, ...] = ()
    cases: tuple[Figure, ...] = ()
    intents: float = 0
    oldest_seconds: float = 0
    lags: tuple[Figure, ...] = ()
    batches: tuple[Figure, ...] = ()
    hooks: HookRead = HookRead()


class Figures:
    """The gauges of one tenant; a collector for a registry."""

    def __init__(self, pool: Any, tenant: int, operators: Mapping[int, str], clock: Clock) -> None:
        """`operators` maps the codes in account numbers to names."""
        self._pool = pool
        self._tenant = tenant
        self._operators = dict(operators)
        self._clock = clock
        self._read = Read()
        self._read_at = float("-inf")
        self._is_up = False
        self._lock = asyncio.Lock()

    async def refresh(self) -> None:
        """Read anew what is old. While Postgres is away the gauges are left out."""
        async with self._lock:
            if self._clock.apart(self._read_at) < FRESH_SECONDS:
                return
            try:
                async with asyncio.timeout(SECONDS_MAX):
                    self._read, self._is_up = await self._look(), True
            except (*AWAY, TimeoutError):
                self._is_up = False
            self._read_at = self._clock.epoch()

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """For the registry: what `refresh` found."""
        yield GaugeMetricFamily(
            "capp_database_up", "1 when Postgres answered", value=float(self._is_up)
        )
        if not self._is_up:
            return
        read = self._read
        yield family(
            "capp_account_minor",
            "Balances in minor units with the sign a bookkeeper expects: FLOAT is what we hold at "
            "an operator, PAYOUT_IN_FLIGHT and REFUND_IN_FLIGHT what may have left: the exposure",
            ("kind", "operator", "currency"), read.accounts,
        )  # fmt: skip
        yield family(
            "capp_payments_live", "Payments under way, by state", ("state",), read.payments
        )
        yield family("capp_cases_open", "What waits for people, by kind", ("kind",), read.cases)
        yield GaugeMetricFamily(
            "capp_outbox_intents", "What the outside is still to be asked", value=read.intents
        )
        yield GaugeMetricFamily(
            "capp_outbox_oldest_seconds",
            "How long the oldest of it is due",
            value=read.oldest_seconds,
        )
        yield family(
            "capp_settlement_lag_seconds",
            "How long the oldest payment of two operators is not settled between them",
            ("corridor",), read.lags,
        )  # fmt: skip
        yield family(
            "capp_settlement_batches", "Batches that are not over, by state",
            ("corridor", "state"), read.batches,
        )  # fmt: skip
        yield from hook_families(read.hooks)

    async def _look(self) -> Read:
        async with self._pool.acquire() as connection:
            balances = await connection.fetch(
                "select id, amount from balance where id >> 42 = $1", self._tenant
            )
            payments = await connection.fetch(
                "select state, count(*) as many from payment where tenant = $1"
                " and due is not null group by state",
                self._tenant,
            )
            cases = await connection.fetch(
                "select kind, count(*) as many from case_file"
                " where tenant = $1 and closed_ms is null group by kind",
                self._tenant,
            )
            intents, oldest = await connection.fetchrow(
                "select count(*), min(not_before) from outbox where tenant = $1", self._tenant
            )
            owed = await connection.fetch(_OWED, self._tenant)
            batches = await connection.fetch(_BATCHES, self._tenant)
            now = self._clock.epoch()
            hooks = await read_hooks(connection, self._tenant, now)
        return Read(
            accounts=tuple(self._accounts(balances)),
            payments=tuple(_payments(payments)),
            cases=tuple(Figure((row["kind"],), row["many"]) for row in cases),
            intents=intents,
            oldest_seconds=max(0.0, now - oldest) if oldest is not None else 0.0,
            lags=tuple(_lags(owed, now)),
            batches=tuple(_batches(batches)),
            hooks=hooks,
        )

    def _accounts(self, rows: Iterable[Any]) -> Iterable[Figure]:
        minor: dict[tuple[str, ...], int] = {}  # reservations are told together
        for row in rows:
            try:
                account = read_account(row["id"])
            except (ValueError, LookupError):  # newer code opened it
                continue
            if account.kind not in _ACCOUNTS:
                continue
            owner = account.owner if account.kind in OF_OPERATOR else None
            operator = "" if owner is None else self._operators.get(owner, str(owner))
            labels = (account.kind.name, operator, account.currency)
            minor[labels] = minor.get(labels, 0) + natural(row["id"], row["amount"])
        return [Figure(labels, amount) for labels, amount in minor.items()]


def _payments(rows: Iterable[Any]) -> Iterable[Figure]:
    for row in rows:
        yield Figure((_name_of(State, row["state"]),), row["many"])


def _lags(rows: Iterable[Any], now: float) -> Iterable[Figure]:
    for row in rows:
        yield Figure((row["corridor"],), max(0.0, now - row["oldest_ms"] / 1000))


def _batches(rows: Iterable[Any]) -> Iterable[Figure]:
    for row in rows:
        yield Figure((row["corridor"], _name_of(BatchState, row["state"])), row["many"])


def _name_of(kind: type[State | BatchState], number: int) -> str:
    """A state that newer code wrote is told by its number: what else there is must be seen."""
    try:
        return kind(number).name.lower()
    except ValueError:
        return f"state_{number}"

"""Reservations of liquidity in Postgres. SQL only; it moves no money.

How one stands is the state of `payment` under its id, what is left of it the balance of its own
account: neither is kept twice.
"""

import asyncio
from collections import defaultdict
from enum import StrEnum
from typing import Any, Final, NamedTuple

from engine.ledger.books import open_accounts
from engine.ledger.chart import Account, Kind, read_account
from engine.ledger.entries import Manual
from engine.money import Money

_COLUMNS: Final = (
    "r.id, r.client, r.account, r.amount_minor, r.made_ms, r.expires_ms, p.state, p.version,"
    " coalesce(b.amount, 0) as left_minor"
)
_ONE: Final = f"""
select {_COLUMNS} from liquidity_reservation r
  left join payment p on p.id = r.id and p.tenant = r.tenant
  left join balance b on b.id = r.account
 where r.tenant = $1 and r.id = $2"""
# What the pool has free, what is left of all its open reservations, and what this client asked for.
_ROOM: Final = """
select coalesce((select amount from balance where id = $3), 0) as free,
       coalesce((select sum(b.amount) from liquidity_reservation r
                   join balance b on b.id = r.account
                  where r.tenant = $1 and r.ended_ms is null and r.account >> 32 = $4), 0)::bigint
         as reserved,
       coalesce((select sum(amount_minor) from liquidity_reservation
                  where tenant = $1 and ended_ms is null and account >> 32 = $4
                    and client = $2), 0)::bigint as own,
       (select count(*) from liquidity_reservation
         where tenant = $1 and ended_ms is null and account >> 32 = $4
           and client = $2) as own_open"""


class NotReserved(StrEnum):
    """Why nothing was set aside."""

    MANY = "reservations_open"  # the client has so many open that one more is too many
    SHARE = "reservation_share"  # the client would have more of the pool than one may
    POOL = "float"  # the pool does not cover it


class Reservation(NamedTuple):
    """Liquidity that a client set aside. Times are epoch milliseconds.

    `state` is None while it is asked for and not booked yet.
    """

    id: str
    client: str
    account: int
    amount: Money
    made_ms: int
    expires_ms: int
    state: Manual | None
    left: Money

    @property
    def is_open(self) -> bool:
        return self.state is Manual.LIQUIDITY_RESERVED


class ReservationStore:
    """The reservations of one tenant. Every method may be repeated."""

    def __init__(self, pool: Any, tenant: int) -> None:
        self._pool = pool
        self._tenant = tenant
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def ask(
        self, asked: Reservation, *, percent_max: int, open_most: int
    ) -> NotReserved | None:
        """Write down what is asked for and open its account; its `account` is chosen here.

        MANY when the client has `open_most` of the currency, SHARE when it would have more than its
        share of what the pool has free or reserved. What it asked for counts until it has ended,
        drawn on or not. Exact under concurrency: those of one pool wait for each other, and of one
        process a single connection waits. Known before, it stays as it was.
        """
        async with self._turns[asked.amount.currency]:
            return await self._ask(asked, percent_max, open_most)

    async def _ask(
        self, asked: Reservation, percent_max: int, open_most: int
    ) -> NotReserved | None:
        currency = asked.amount.currency
        first = Account(self._tenant, currency, Kind.POOL_RESERVED).number
        free = Account(self._tenant, currency, Kind.POOL_AVAIL).number
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute("select pg_advisory_xact_lock($1)", first)
            if await connection.fetchval(_KNOWN, self._tenant, asked.id):
                return None
            room = await connection.fetchrow(_ROOM, self._tenant, asked.client, free, free >> 32)
            if room["own_open"] >= open_most:
                return NotReserved.MANY
            share = (room["free"] + room["reserved"]) * percent_max // 100
            if room["own"] + asked.amount.minor > share:
                return NotReserved.SHARE
            last = await connection.fetchval(_LAST, self._tenant, first >> 32)
            account = (last or first) + 1
            await connection.execute(
                "insert into liquidity_reservation"
                " (id, tenant, client, account, amount_minor, made_ms, expires_ms)"
                " values ($1, $2, $3, $4, $5, $6, $7)",
                asked.id, self._tenant, asked.client, account, asked.amount.minor, asked.made_ms,
                asked.expires_ms,
            )  # fmt: skip
            await open_accounts(connection, [read_account(account)])
            return None

    async def one(self, reservation_id: str) -> Reservation | None:
        """As it stands now."""
        row = await self._pool.fetchrow(_ONE, self._tenant, reservation_id)
        return _read(row) if row is not None else None

    async def over(self, now_ms: int, most: int) -> list[Reservation]:
        """Those whose time is over and that have not ended, the oldest first."""
        rows = await self._pool.fetch(
            "select id from liquidity_reservation where tenant = $1 and ended_ms is null"
            " and expires_ms <= $2 order by expires_ms limit $3",
            self._tenant, now_ms, most,
        )  # fmt: skip
        found = [await self.one(row["id"].hex) for row in rows]
        return [reservation for reservation in found if reservation is not None]

    async def mark_ended(self, reservation_id: str, now_ms: int) -> None:
        """Nothing is left in its account, and nothing will come."""
        await self._pool.execute(
            "update liquidity_reservation set ended_ms = $3"
            " where tenant = $1 and id = $2 and ended_ms is null",
            self._tenant, reservation_id, now_ms,
        )  # fmt: skip


def _read(row: Any) -> Reservation:
    currency = read_account(row["account"]).currency
    return Reservation(
        row["id"].hex, row["client"].hex, row["account"], Money(row["amount_minor"], currency),
        row["made_ms"], row["expires_ms"],
        None if row["state"] is None else Manual(row["state"]), Money(row["left_minor"], currency),
    )  # fmt: skip


_KNOWN: Final = "select true from liquidity_reservation where tenant = $1 and id = $2"
_LAST: Final = (
    "select max(account) from liquidity_reservation where tenant = $1 and account >> 32 = $2"
)

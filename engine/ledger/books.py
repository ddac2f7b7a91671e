"""Reading the books: a trial balance, whether it adds up, and names people can read."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from engine.ledger.chart import (
    DEBIT_NATURED,
    GUARDED,
    OF_OPERATOR,
    Account,
    Kind,
    natural,
    read_account,
)
from engine.money import BY_NUMERIC


class Line(NamedTuple):
    """One account with its natural balance in minor units."""

    number: int
    name: str
    currency: str
    side: str  # "debit" or "credit"
    minor: int


def describe(number: int, operators: Mapping[int, str]) -> str:
    """`FLOAT mpesa_ke`, `INTERPOOL UGX`, `CUSTOMER_FUNDS`."""
    account = read_account(number)
    if account.kind in OF_OPERATOR:
        return f"{account.kind.name} {operators.get(account.owner, account.owner)}"
    if account.kind is Kind.INTERPOOL:
        return f"{account.kind.name} {BY_NUMERIC[account.owner].code}"
    if account.kind is Kind.POOL_RESERVED:
        return f"{account.kind.name} {account.owner}"
    return account.kind.name


class Books:
    """The balances of one tenant."""

    def __init__(self, pool: Any, tenant: int, operators: Mapping[int, str]) -> None:
        """`operators` maps the codes in account numbers to names."""
        self._pool = pool
        self._tenant = tenant
        self._operators = dict(operators)

    async def trial_balance_at(self, at_ms: int) -> list[Line]:
        """The same as it stood at a moment: what moved since then is taken off again.

        Reads the journal from that moment on, in one snapshot with the balances.
        """
        rows = await self._pool.fetch(
            """select b.id, b.amount - coalesce(m.minor, 0) as amount from balance b left join (
                 select account, sum(minor)::bigint as minor from (
                   select unnest(debits) as account, -unnest(amounts) as minor from journal
                    where tenant = $1 and at_ms >= $2
                   union all select unnest(credits), unnest(amounts) from journal
                    where tenant = $1 and at_ms >= $2) l group by account) m
                 on m.account = b.id
                where b.id >> 42 = $1 order by b.id""",
            self._tenant, at_ms,
        )  # fmt: skip
        return self._lines(rows)

    async def trial_balance(self) -> list[Line]:
        """Every account of the tenant, by currency and kind; of reservations those with money."""
        rows = await self._pool.fetch(
            "select id, amount from balance where id >> 42 = $1 order by id", self._tenant
        )
        return self._lines(rows)

    async def is_balanced(self) -> bool:
        """Whether every balance is the sum of its journal and each book adds up to zero.

        Reads the whole journal in one snapshot: for tools and tests, not for every minute.
        """
        wrong = await self._pool.fetchval(
            """select (select count(*) from balance b left join (
                   select a, sum(x) s from journal,
                     unnest(debits || credits,
                       (select array_agg(-x) from unnest(amounts) x) || amounts) l(a, x)
                   group by a) j on j.a = b.id where b.amount <> coalesce(j.s, 0))
               + (select count(*) from (
                   select id >> 32 from balance group by 1 having sum(amount) <> 0) off)"""
        )
        return bool(wrong == 0)

    def _lines(self, rows: Iterable[Any]) -> list[Line]:
        # An account of a reservation that is over stays for ever, and says nothing any more.
        return [
            self._line(row["id"], row["amount"])
            for row in rows
            if row["amount"] or read_account(row["id"]).kind is not Kind.POOL_RESERVED
        ]

    def _line(self, number: int, amount: int) -> Line:
        account = read_account(number)
        side = "debit" if account.kind in DEBIT_NATURED else "credit"
        name = describe(number, self._operators)
        return Line(number, name, account.currency, side, natural(number, amount))


def adds_up(lines: Iterable[Line]) -> bool:
    """Whether what stands on either side is the same in every currency."""
    off: Counter[str] = Counter()
    for line in lines:
        off[line.currency] += line.minor if line.side == "debit" else -line.minor
    return not any(off.values())


async def open_accounts(connection: Any, accounts: Iterable[Account]) -> None:
    """Make the balance rows that postings will need. Safe to repeat."""
    await connection.executemany(
        "insert into balance (id, guarded) values ($1, $2) on conflict do nothing",
        [(account.number, account.kind in GUARDED) for account in accounts],
    )

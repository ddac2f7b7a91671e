"""A statement of one account: opening balance, every entry with its running balance, closing.

Read in one snapshot, backwards from today's balance, so it always agrees with the books. Knows
payments by id only.
"""

from typing import Any, NamedTuple

from engine.ledger.chart import Account, natural
from engine.ledger.entries import MANUAL_FROM

ENTRIES_MAX = 1000


class Entry(NamedTuple):
    """One journal row as this account sees it; minor units with the account's natural sign.

    `against`: the accounts that gave or took it. `facts`: what a row of no payment says of itself,
    as it is stored; "" for a payment's.
    """

    at_ms: int
    payment: str
    version: int
    state: int
    minor: int
    balance_minor: int
    against: tuple[int, ...]
    facts: str


class Statement(NamedTuple):
    """What moved from `from_ms` up to, not including, `to_ms`. `cut` when entries were left off.

    `known`: whether the books have the account, which they do once it is opened or booked on.
    """

    account: Account
    opening_minor: int
    closing_minor: int
    entries: tuple[Entry, ...]
    cut: bool
    known: bool


async def read_statement(
    pool: Any, account: Account, *, from_ms: int, to_ms: int, most: int = ENTRIES_MAX
) -> Statement:
    """The first `most` entries; opening and closing count all of them.

    Costs what lies between `from_ms` and today: the journal is read by time, not by account.
    """
    async with (
        pool.acquire() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        now = await connection.fetchval("select amount from balance where id = $1", account.number)
        since = await connection.fetchrow(_SINCE, account.tenant, account.number, from_ms, to_ms)
        rows = await connection.fetch(
            _ENTRIES, account.tenant, account.number, from_ms, to_ms, most + 1
        )
    opening = (now or 0) - since["since_from"]
    closing = (now or 0) - since["since_to"]
    entries, running = [], opening
    for row in rows[:most]:
        running += row["minor"]
        entries.append(_entry(account, row, running))
    return Statement(
        account,
        natural(account.number, opening),
        natural(account.number, closing),
        tuple(entries),
        cut=len(rows) > most,
        known=now is not None,
    )


class Row(NamedTuple):
    """One journal row; each transfer takes its minor units from the first account, and gives them
    to the second. `facts` is what the row says of itself, as it is stored."""

    version: int
    state: int
    at_ms: int
    transfers: tuple[tuple[int, int, int], ...]
    facts: str


async def read_rows(pool: Any, tenant: int, payment: str) -> list[Row]:
    """All rows of a payment, or of what else moved money under this id; none of one unknown."""
    rows = await pool.fetch(
        "select version, state, at_ms, debits, credits, amounts, facts from journal"
        " where payment = $1 and tenant = $2 order by version",
        payment, tenant,
    )  # fmt: skip
    return [
        Row(
            r["version"], r["state"], r["at_ms"],
            tuple(zip(r["debits"], r["credits"], r["amounts"], strict=True)), r["facts"] or "",
        )
        for r in rows
    ]  # fmt: skip


def _entry(account: Account, row: Any, running: int) -> Entry:
    return Entry(
        row["at_ms"], row["payment"].hex, row["version"], row["state"],
        natural(account.number, row["minor"]), natural(account.number, running),
        tuple(row["against"]), row["facts"] or "",
    )  # fmt: skip


# A row may touch an account more than once, on either side.
_MINOR = """(select coalesce(sum(case when c = $2 then x else 0 end
                 - case when d = $2 then x else 0 end), 0)::bigint
               from unnest(debits, credits, amounts) t(d, c, x))"""
_TOUCHED = "tenant = $1 and at_ms >= $3 and ($2 = any(debits) or $2 = any(credits))"
_SINCE = f"""
select coalesce(sum(minor), 0)::bigint as since_from,
       coalesce(sum(minor) filter (where at_ms >= $4), 0)::bigint as since_to
  from (select at_ms, {_MINOR} as minor from journal where {_TOUCHED}) e"""
_AGAINST = """(select array_agg(distinct case when d = $2 then c else d end)
               from unnest(debits, credits) t(d, c) where $2 in (d, c))"""
_ENTRIES = f"""
select at_ms, payment, version, state, {_MINOR} as minor, {_AGAINST} as against,
       case when state >= {MANUAL_FROM} then facts end as facts
  from journal
 where {_TOUCHED} and at_ms < $4 order by at_ms, payment, version limit $5"""

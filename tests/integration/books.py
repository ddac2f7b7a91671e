"""What must be true of the books at any moment, asked of Postgres itself.

Asked independently of the server's own check (`engine/ledger/books.py`), which knows some of it.
"""

from typing import Any

LAWS = {
    "an entry that crosses books, or is empty": """
        select count(*) from journal, unnest(debits, credits, amounts) t(d, c, x)
        where d >> 32 <> c >> 32 or x <= 0 or x is null""",
    "a balance that is not the sum of its journal": """
        select count(*) from balance b left join (
          select a, sum(x) s from journal,
            unnest(debits || credits,
                   (select array_agg(-x) from unnest(amounts) x) || amounts) l(a, x)
          group by a) j on j.a = b.id where b.amount <> coalesce(s, 0)""",
    "a guarded balance below zero": "select count(*) from balance where guarded and amount < 0",
    "a gap in a payment's path": """
        select count(*) from payment p
        join (select payment, max(version) v, count(*) n from journal group by 1) j
          on j.payment = p.id where p.version <> j.v or j.n <> j.v""",
}


async def as_agreed(*_: object) -> list[Any]:
    """For an auditor of books in which nobody agreed on anything."""
    return []


async def assert_books(connection: Any) -> None:
    """Every entry balances, every balance is its journal, nothing guarded is below zero."""
    for breach, sql in LAWS.items():
        assert await connection.fetchval(sql) == 0, breach

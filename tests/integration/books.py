"""What must be true of the books at any moment, asked of Postgres itself."""

from typing import Any


async def assert_books(connection: Any) -> None:
    """Every entry balances, every balance is its journal, nothing guarded is below zero."""
    value = connection.fetchval
    assert (
        await value(
            "select count(*) from journal, unnest(debits, credits, amounts) t(d, c, x)"
            " where d >> 32 <> c >> 32 or x <= 0 or x is null"
        )
        == 0
    ), "an entry is not balanced"
    assert (
        await value(
            """select count(*) from balance b left join (
             select a, sum(x) s from journal,
               unnest(debits || credits,
                      (select array_agg(-x) from unnest(amounts) x) || amounts) l(a, x)
             group by a) j on j.a = b.id where b.amount <> coalesce(s, 0)"""
        )
        == 0
    ), "a balance is not the sum of its journal"
    assert await value("select count(*) from balance where guarded and amount < 0") == 0
    assert (
        await value(
            """select count(*) from payment p
             join (select payment, max(version) v, count(*) n from journal group by 1) j
             on j.payment = p.id where p.version <> j.v or j.n <> j.v"""
        )
        == 0
    ), "a payment's path has a gap"

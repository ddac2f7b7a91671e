"""Payments under way at operators that the settings no longer name: nobody looks after them."""

from collections import Counter

import asyncpg

from channels.settings import Settings
from engine.payments.facts import Facts, read_terms
from engine.payments.payment import payout_operator

READ_AT_ONCE = 500
"""Rows; there may be very many payments."""

# What is sealed of the terms is their two numbers, which nobody asks for here.
_UNDER_WAY = """
select p.way, j.facts from payment p join journal j on j.payment = p.id and j.version = p.terms
 where p.tenant = $1 and p.due is not null"""


async def check_under_way(settings: Settings) -> str:
    """`capp doctor`. Raises ValueError where some would wait for ever, and says for whom."""
    payments, waiting = 0, Counter[str]()
    connection = await asyncpg.connect(settings.database_url, timeout=5)
    try:
        async with connection.transaction(readonly=True):
            async for row in connection.cursor(_UNDER_WAY, settings.tenant, prefetch=READ_AT_ONCE):
                payments += 1
                waiting.update(_needed(row["facts"], row["way"]) - {*settings.operators})
    finally:
        await connection.close()
    if waiting:
        told = ", ".join(f"{count} for {name}" for name, count in sorted(waiting.items()))
        raise ValueError(
            f"of {payments} payments under way wait {told}, whom CAPP_OPERATORS does not name: name"
            " them again until these are over; people have them as OUR_FAULT (`capp cases`)"
        )
    return f"{payments}, at operators that are all served"


def _needed(text: str, way: int) -> set[str]:
    """Without whom the payment cannot even be read; none of terms that newer code wrote."""
    try:
        terms: Facts = read_terms(text)
        quote = terms.quote
        refunds = terms.refund_operator or quote.payer_operator
        return {quote.payer_operator, payout_operator(quote, way), refunds}
    except (ValueError, LookupError):
        return set()

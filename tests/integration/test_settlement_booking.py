"""The journal decides what a batch came to: each step is booked once, and of two ends the first."""

from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest

from engine.clock import Clock, Ids
from engine.database import connect
from engine.errors import OurFault
from engine.ledger.chart import Account, Kind
from engine.ledger.committer import Committer
from engine.ledger.entries import Manual
from engine.ledger.pool_postings import turned_round
from engine.payments.settlement.booking import Booking

FIRST, SECOND = Manual.SETTLEMENT_FINAL, Manual.SETTLEMENT_REOPENED
FLIGHT = Account(1, "USDC", Kind.CHAIN_IN_FLIGHT).number
POSITION = Account(1, "USDC", Kind.FX_POSITION).number
OTHER_BOOK = Account(1, "KES", Kind.FX_POSITION).number
CLOSED = ((POSITION, FLIGHT, 7),)


@pytest.fixture
async def booking(pool: Any, database_url: str) -> AsyncIterator[Booking]:
    committer = Committer(partial(connect, database_url), Clock(), writers=1)
    await committer.start()
    yield Booking(pool, committer, 1)
    await committer.stop()


async def close(booking: Booking, entry: str, key: str = "settlement:a") -> str:
    return await booking.first(entry, Manual.SETTLEMENT_CLOSED, CLOSED, key=key, facts="{}")


async def test_one_key_is_booked_once_and_under_its_first_id(booking: Booking) -> None:
    ids = Ids(Clock())
    entry = ids.payment()
    assert await close(booking, entry) == entry
    assert await close(booking, ids.payment()) == entry
    assert await booking.minor_in(FLIGHT) == 7


@pytest.mark.parametrize(("came", "late"), [(FIRST, SECOND), (SECOND, FIRST)])
async def test_of_two_ends_the_books_have_the_first_and_say_so_to_whoever_has_the_other(
    booking: Booking, came: Manual, late: Manual
) -> None:
    entry = await close(booking, Ids(Clock()).payment())
    back = turned_round(CLOSED)
    assert await booking.follow(entry, came, back, "{}")
    assert await booking.follow(entry, came, back, "{}")  # a repeat is told the same
    assert not await booking.follow(entry, late, back, "{}")
    assert await booking.state_of(entry) is came
    assert await booking.minor_in(FLIGHT) == 0


async def test_what_the_books_refuse_is_never_taken_for_booked(booking: Booking) -> None:
    ids = Ids(Clock())
    crossing = ((OTHER_BOOK, FLIGHT, 7),)
    with pytest.raises(OurFault, match="UNBALANCED"):
        await booking.first(
            ids.payment(), Manual.SETTLEMENT_CLOSED, crossing, key="settlement:b", facts="{}"
        )
    entry = await close(booking, ids.payment())
    with pytest.raises(OurFault, match="UNBALANCED"):
        await booking.follow(entry, FIRST, crossing, "{}")
    assert await booking.state_of(entry) is Manual.SETTLEMENT_CLOSED

"""A statement opens where the one before closed, and today's closes at today's balance."""

from collections.abc import AsyncIterator

import pytest

from engine.ledger.account_statement import read_statement
from engine.ledger.chart import Account, natural, read_account
from engine.ledger.chart import Kind as A
from tests.integration.desk_room import HELD, POOL_UGX, Room, open_room
from tests.unit.payments.examples import ROUTE

pytestmark = pytest.mark.long("statements over payments that are made for them")

DAY = 86_400
POOL = Account(1, "UGX", A.POOL_AVAIL)


@pytest.fixture
async def room(database_url: str) -> AsyncIterator[Room]:
    async with open_room(database_url) as opened:
        yield opened


def now_ms(room: Room) -> int:
    return int(room.clock.epoch() * 1000)


async def test_a_statement_runs_from_opening_to_closing(room: Room) -> None:
    start = now_ms(room)
    room.clock.pass_(60)
    middle = now_ms(room)
    paid = await room.pay_whole()
    room.clock.pass_(60)
    failed = await room.fail(await room.reserve())
    end = now_ms(room) + 1
    whole = await read_statement(room.pool, POOL, from_ms=middle, to_ms=end)
    assert (whole.opening_minor, whole.closing_minor) == (POOL_UGX, POOL_UGX - HELD)
    assert [(e.payment, e.version, e.minor, e.balance_minor) for e in whole.entries] == [
        (paid.payment, 1, -HELD, POOL_UGX - HELD),
        (failed.payment, 1, -HELD, POOL_UGX - 2 * HELD),
        (failed.payment, 2, HELD, POOL_UGX - HELD),
    ]
    first = await read_statement(room.pool, POOL, from_ms=start, to_ms=end - 1)
    assert first.closing_minor == POOL_UGX - HELD  # the last millisecond's two cancel out
    assert first.opening_minor == 0
    before = await read_statement(room.pool, POOL, from_ms=start, to_ms=middle)
    assert before.closing_minor == POOL_UGX  # what happened at `middle` is not in it
    later = await read_statement(room.pool, POOL, from_ms=end, to_ms=end)
    assert (later.opening_minor, later.entries, later.cut) == (POOL_UGX - HELD, (), False)


async def test_every_account_of_a_payment_closes_at_its_balance(room: Room) -> None:
    await room.pay_whole()
    await room.collect(await room.reserve())
    balances = {line.number: line.minor for line in await room.office.books.trial_balance()}
    for number in ROUTE:
        statement = await read_statement(
            room.pool, read_account(number), from_ms=0, to_ms=now_ms(room) + 1
        )
        assert statement.opening_minor == 0
        assert statement.closing_minor == balances[number]
        assert sum(e.minor for e in statement.entries) == balances[number]


async def test_a_statement_that_is_cut_says_so_and_still_closes_right(room: Room) -> None:
    for _ in range(3):
        await room.reserve()
    cut = await read_statement(room.pool, POOL, from_ms=0, to_ms=now_ms(room) + 1, most=2)
    assert (len(cut.entries), cut.cut, cut.closing_minor) == (2, True, POOL_UGX - 3 * HELD)


async def test_the_trial_balance_of_a_moment_is_what_it_was_then(room: Room) -> None:
    books = room.office.books
    remembered = []
    for step in (room.reserve, room.pay_whole, room.pay_whole):
        room.clock.pass_(1)
        await step()
        room.clock.pass_(1)
        remembered.append((now_ms(room), await books.trial_balance()))
    for at_ms, lines in remembered:
        assert await books.trial_balance_at(at_ms) == lines
    assert natural(ROUTE.pool_avail, 1) == 1
    assert all(line.minor == 0 for line in await books.trial_balance_at(0))

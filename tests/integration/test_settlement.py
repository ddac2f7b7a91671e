"""From payments to a settled batch on a real Postgres: once each, and the books are the rail's."""

import time
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import asyncpg
import pytest

from channels.watching.figures import Figures
from engine import database
from engine.ledger.auditor import Auditor, Pace
from engine.ledger.chart import Kind
from engine.payments.settlement import closing
from engine.payments.settlement.batch import Content, work_out
from engine.payments.settlement.state import BatchState
from tests.integration.books import as_agreed
from tests.integration.settlement_room import HOME, PAIR, Hall, open_hall


@pytest.fixture
async def hall(shared_database_url: str) -> AsyncIterator[Hall]:
    async with open_hall(shared_database_url) as opened:
        yield opened


async def test_what_payments_owe_is_netted_moved_once_and_booked(hall: Hall) -> None:
    for _ in range(3):
        await hall.pay(minor=100_000)  # 7.75 dollars each
    await hall.pay("mtn_ug", "mpesa_ke", 27_000)  # 7.297290
    await hall.sweep(1)
    assert await hall.states() == []
    hall.clock.pass_(61)
    await hall.sweep()
    [batch] = await hall.batches()
    assert (batch.state, batch.payment_count) == (BatchState.SETTLED, 4)
    assert (batch.debits, batch.credits) == ((15_952_710, 0), (0, 15_952_710))
    assert hall.rail.corridors[PAIR].totals == [10**12 - 15_952_710, 10**12 + 15_952_710]
    assert await hall.minor(Kind.INTERPOOL, "KES", 800) == 0
    assert await hall.minor(Kind.INTERPOOL, "UGX", 404) == 0
    assert await hall.minor(Kind.FX_POSITION, "KES") == 300_000
    assert await hall.minor(Kind.FX_POSITION, "UGX") == 27_000
    assert len(hall.rail.sent) == 1
    await hall.assert_settled()
    assert await hall.cases() == []


async def test_a_window_that_takes_long_to_work_out_is_closed_all_the_same(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is worked out in a transaction: one that says nothing for so long is ended elsewhere."""

    def slowly(*words: Any, **named: Any) -> Content:
        time.sleep(2)
        return work_out(*words, **named)

    monkeypatch.setattr(closing, "work_out", slowly)
    async with open_hall(database_url) as hall:
        await hall.pay()
        # From here on: whatever else there is may stand open as long as a busy machine takes.
        monkeypatch.setitem(database.WHO_IS_GONE, "idle_in_transaction_session_timeout", "1000")
        hall.pool.let_go_of_the_resting()
        for _ in range(5):  # one that stands still for a second ends the rest of it as well
            with suppress(asyncpg.PostgresError, asyncpg.InterfaceError):
                assert (await hall.close()).payment_count == 1
                break
        assert await hall.states() == [BatchState.CLOSING]


async def test_sweeping_on_changes_nothing(hall: Hall) -> None:
    await hall.pay()
    hall.clock.pass_(61)
    await hall.sweep()
    rows = await hall.pool.fetchval("select count(*) from journal")
    await hall.sweep(5)
    assert await hall.pool.fetchval("select count(*) from journal") == rows
    assert len(hall.rail.sent) == 1


async def test_a_rail_is_left_alone_when_there_is_nothing_to_ask_it(hall: Hall) -> None:
    await hall.sweep(1)
    before = hall.rail.asked
    await hall.pay()
    await hall.sweep(5)
    assert hall.rail.asked == before
    hall.clock.pass_(61)
    await hall.sweep(1)
    assert hall.rail.asked > before


async def test_a_clock_that_was_set_back_keeps_nobody_from_comparing_pools_and_books(
    hall: Hall,
) -> None:
    await hall.sweep(1)
    hall.clock.pass_(-86_400)
    before = hall.rail.asked
    await hall.sweep(1)
    assert hall.rail.asked > before


@pytest.mark.parametrize(
    "other", ['{"quote": "XAF", "mid": 2}', '{"at_ms": 9999999999999, "mid": 2}']
)
async def test_a_batch_is_worked_out_again_by_its_own_rate_alone(hall: Hall, other: str) -> None:
    """Beside those of other moments, and of other currencies at the same moment."""
    await hall.pay()
    await hall.pool.execute(
        "insert into fx_rate select (jsonb_populate_record(r, $1::text::jsonb)).* from fx_rate r",
        other,
    )
    await hall.close()
    await hall.sweep(4)
    assert await hall.states() == [BatchState.SETTLED]
    await hall.assert_settled()


async def test_the_auditor_finds_nothing_wrong_with_it(hall: Hall) -> None:
    for _ in range(3):
        await hall.pay()
    await hall.close()
    hall.rail.decides = False
    await hall.sweep(2)
    pace = Pace(lag_seconds=0, block_seconds=0)
    auditor = Auditor(hall.pool, 1, {}, hall.clock, pace, lambda facts, _: facts, as_agreed)
    assert (await auditor.audit_all()).findings == ()
    hall.rail.decides = True
    await hall.sweep(3)
    hall.clock.pass_(1)
    assert (await auditor.audit_all()).findings == ()
    await hall.assert_settled()


async def test_what_no_corridor_squares_stays_owed_and_says_so(hall: Hall) -> None:
    payment = await hall.pay("airtel_ke", "mtn_ug", 500)
    hall.clock.pass_(10**6)
    await hall.sweep(3)
    [standing] = await hall.room.standings.of_payment(payment)
    assert (standing.standing, standing.corridor) == ("outside", None)
    assert await hall.minor(Kind.INTERPOOL, "KES", 800) == 500


async def test_two_operators_of_one_currency_are_squared_too(hall: Hall) -> None:
    await hall.pay("airtel_ke", "mpesa_ke", 200)
    hall.clock.pass_(61)
    await hall.sweep()
    [batch] = await hall.batches()
    assert (batch.corridor, batch.state) == (HOME, BatchState.SETTLED)
    assert batch.debits == (15_500, 0)
    await hall.assert_settled()


async def gauges(hall: Hall) -> dict[tuple[str, ...], int]:
    figures = Figures(hall.pool, 1, {}, hall.clock)
    await figures.refresh()
    return {
        (sample.name.removeprefix("capp_settlement_"), *sample.labels.values()): int(sample.value)
        for family in figures.collect()
        for sample in family.samples
        if family.name.startswith("capp_settlement")
    }


async def test_gauges_tell_how_long_the_oldest_payment_waits_until_it_is_settled(
    hall: Hall,
) -> None:
    assert await gauges(hall) == {}
    await hall.pay()
    hall.clock.pass_(20)
    await hall.pay("mtn_ug", "mpesa_ke")
    await hall.pay("airtel_ke", "mtn_ug")
    await hall.sweep(1)
    hall.clock.pass_(10)
    outside = ("lag_seconds", "airtel_ke:mtn_ug")
    assert await gauges(hall) == {("lag_seconds", PAIR): 30, outside: 10}
    hall.rail.decides = False
    await hall.close()
    await hall.sweep(2)
    hall.clock.pass_(10)
    under_way = ("batches", PAIR, "submitted")
    assert await gauges(hall) == {("lag_seconds", PAIR): 40, outside: 20, under_way: 1}
    hall.rail.decides = True
    await hall.sweep(2)
    assert await gauges(hall) == {outside: 20}

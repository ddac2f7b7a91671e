"""How long is waited after a refusal: for the same batch, and for its corridor's next window."""

from collections.abc import AsyncIterator

import pytest

from engine.payments.settlement.batch_store import AWAKE, Rest
from engine.payments.settlement.errand_store import ErrandStore
from engine.payments.settlement.state import BatchState as S
from engine.payments.settlement.state import ErrandState
from engine.payments.settlement.submitting import has_lapsed
from engine.ports import Refusal, Settlement, SettlementTerms
from tests.integration.settlement_room import PAIR, Hall, open_hall


@pytest.fixture
async def hall(shared_database_url: str) -> AsyncIterator[Hall]:
    async with open_hall(shared_database_url) as opened:
        yield opened


async def refused(hall: Hall, refusal: Refusal) -> Rest:
    """One batch that the rail refuses until its approvals are past; the rest that follows."""
    hall.rail.refuses = refusal
    await hall.pay()
    hall.clock.pass_(22_000)  # past the longest rest
    await hall.sweep(3)
    hall.rail.pass_(601)
    await hall.sweep(2)
    assert (await hall.states())[-1] is S.REOPENED
    return await hall.room.batches.rest_of(PAIR)


def seconds_of(hall: Hall, rest: Rest) -> float:
    return rest.not_before_ms / 1000 - int(hall.clock.epoch())


@pytest.mark.parametrize(("rail_seconds", "is_over"), [(99, False), (100, True)])
def test_approvals_are_worth_nothing_from_their_last_second_on(
    rail_seconds: int, is_over: bool
) -> None:
    """What would only cost its fee is not sent."""
    terms = SettlementTerms(PAIR, b"1" * 16, b"2" * 32, 1, (1, 0), (0, 1), expires_at=100)
    assert has_lapsed(Settlement(terms, ()), rail_seconds) is is_over


async def test_a_corridor_rests_twice_as_long_after_the_same_refusal_again(hall: Hall) -> None:
    rests = [await refused(hall, Refusal.FROZEN) for _ in range(3)]
    assert [rest.refusals for rest in rests] == [1, 2, 3]
    assert seconds_of(hall, rests[-1]) == pytest.approx(240, abs=1)
    assert len([case for case in await hall.cases() if "again and again" in case]) == 1


async def test_another_refusal_is_the_first_of_its_kind(hall: Hall) -> None:
    await refused(hall, Refusal.FROZEN)
    rest = await refused(hall, Refusal.SHORT)
    assert (rest.refusals, rest.refusal) == (1, "short")
    assert seconds_of(hall, rest) == pytest.approx(60, abs=1)
    assert not [case for case in await hall.cases() if "again and again" in case]


async def late(hall: Hall) -> Rest:
    """One window that nobody carries out before its approvals end; the rest that follows."""
    hall.clock.pass_(22_000)  # past the longest rest
    await hall.sweep(1)
    hall.rail.pass_(601)
    [sent] = [batch for batch in await hall.batches() if batch.state is not S.REOPENED]
    while (ended := await hall.reopened(sent)).state is not S.REOPENED:
        await hall.sweep(1)
    assert ended.reason == "nobody carried it out in time"
    return await hall.room.batches.rest_of(PAIR)


async def test_what_nobody_carried_out_in_time_was_not_refused(hall: Hall) -> None:
    """The rail said no word against it, so the next window need not wait."""
    await hall.pay()
    hall.rail.decides = False
    assert await late(hall) == Rest(0, 1, "nobody carried it out in time")
    assert await hall.cases() == []
    await hall.sweep(1)
    assert S.SUBMITTED in await hall.states()


async def test_windows_that_nobody_carries_out_in_time_rest_in_between_and_people_hear_of_it(
    hall: Hall,
) -> None:
    """Each costs two entries and fresh approvals, for nothing."""
    await hall.pay()
    hall.rail.decides = False
    rests, waits = list[int](), list[float]()
    for _ in range(7):
        rest = await late(hall)
        rests.append(rest.refusals)
        waits.append(seconds_of(hall, rest))
    assert rests == [1, 2, 3, 4, 5, 6, 7]
    assert waits[1:] == pytest.approx([120, 240, 480, 600, 600, 600], abs=1)
    [told] = await hall.cases()
    assert told.startswith(f"{PAIR}: nobody carries a window out before its approvals end")
    await hall.sweep(3)
    assert set(await hall.states()) == {S.REOPENED}, "it rests"
    hall.clock.pass_(601)
    hall.rail.decides = True
    await hall.sweep(3)
    assert S.SETTLED in await hall.states()
    assert await hall.room.batches.rest_of(PAIR) == AWAKE


async def test_a_window_goes_from_closed_to_settled_in_one_sweep(hall: Hall) -> None:
    """Whoever sweeps rarely would else send it when its approvals are past, for ever."""
    await hall.pay()
    await hall.close()
    await hall.sweep(1)
    assert await hall.states() == [S.SETTLED]


async def test_a_refused_batch_is_tried_again_ever_more_seldom_and_every_ten_minutes_at_last(
    hall: Hall,
) -> None:
    await hall.pay()
    batch = await hall.close()
    hall.rail.refuses = Refusal.PAUSED
    errands, waits = ErrandStore(hall.pool, 1), list[int]()
    for _ in range(8):
        await hall.sweep(3)
        errand = await errands.get(batch.id)
        assert errand is not None
        assert errand.state is ErrandState.WANTED
        waits.append(errand.due_ms // 1000 - int(hall.clock.epoch()))
        hall.clock.pass_(waits[-1])
    assert waits == pytest.approx([20, 40, 80, 160, 320, 600, 600, 600], abs=1)

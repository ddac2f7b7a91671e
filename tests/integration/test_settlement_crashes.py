"""A process that dies before any step of its own leaves what the next one finishes, once.

A usual run dies at some of the steps; with `EVERY_STEP=1` in the environment at each.
"""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

import pytest

from engine.payments.settlement.room import SettlementRoom
from engine.payments.settlement.state import BatchState
from engine.ports import Refusal
from tests.integration.doom import Died, Doom, Doomed
from tests.integration.settlement_room import PAIR, Hall, open_hall, rules

pytestmark = pytest.mark.long("a death at every step; tests/e2e/test_crashes.py kills once")


@pytest.fixture
async def hall(shared_database_url: str) -> AsyncIterator[Hall]:
    async with open_hall(shared_database_url, given=rules(seconds=1)) as opened:
        yield opened


def doomed_room(hall: Hall, doom: Doom) -> SettlementRoom:
    return hall.another(
        pool=Doomed(hall.pool, doom), committer=Doomed(hall.committer, doom),
        rail=Doomed(hall.rail, doom), signer=Doomed(hall.keys, doom),
    )  # fmt: skip


async def die_at_every_step(
    hall: Hall,
    life: Callable[[SettlementRoom], Awaitable[None]],
    afterwards: Callable[[], None],
    *,
    stride: int,
    resting_seconds: int = 0,
) -> int:
    """Live `life` again and again, dying `stride` steps later each time, until it is lived whole.

    After each death others take over, `resting_seconds` between their sweeps. At which step the
    last one died.
    """
    for at in range(1, 2000, 1 if "EVERY_STEP" in os.environ else stride):
        doom = Doom(at)
        await hall.pay(minor=100_000 + at)
        await hall.pay("mtn_ug", "mpesa_ke", 50_000)
        hall.clock.pass_(2)
        with suppress(Died):
            await life(doomed_room(hall, doom))
        afterwards()
        # Whoever died held the account; nobody waits longer for it than the lease lasts.
        hall.clock.pass_(130)
        heirs = hall.another()
        for _ in range(12):
            await heirs.settling.sweep()
            if await hall.is_settled():
                break
            hall.clock.pass_(resting_seconds)
        await hall.assert_equal_to_the_rail()
        if not doom.has_come:
            await hall.assert_settled()
            return at - 1
    raise AssertionError("it never comes to its end")


async def test_dying_anywhere_on_the_way_to_a_settled_batch(hall: Hall) -> None:
    async def life(room: SettlementRoom) -> None:
        for _ in range(3):
            await room.settling.sweep()

    deaths = await die_at_every_step(hall, life, lambda: None, stride=3)
    assert deaths > 60
    assert set(await hall.states()) == {BatchState.SETTLED}
    assert await hall.cases() == []


async def test_dying_anywhere_while_answers_are_lost(hall: Hall) -> None:
    async def life(room: SettlementRoom) -> None:
        hall.rail.faults = ["dropped", "lost", "refused"]
        for _ in range(6):
            await room.settling.sweep()

    def afterwards() -> None:
        hall.rail.faults = []

    assert await die_at_every_step(hall, life, afterwards, stride=7) > 80
    assert set(await hall.states()) == {BatchState.SETTLED}


async def test_dying_anywhere_while_a_refused_batch_is_taken_back(hall: Hall) -> None:
    async def life(room: SettlementRoom) -> None:
        hall.rail.refuses = Refusal.PAUSED
        await room.settling.sweep()
        await room.settling.sweep()
        hall.rail.pass_(601)
        for _ in range(3):
            await room.settling.sweep()

    def afterwards() -> None:
        hall.rail.refuses = None
        hall.rail.pass_(601)

    assert await die_at_every_step(hall, life, afterwards, stride=5, resting_seconds=22_000) > 60
    states = await hall.states()
    assert BatchState.REOPENED in states
    assert set(states) == {BatchState.SETTLED, BatchState.REOPENED}
    told = len(hall.rail.corridors[PAIR].batches)
    assert states.count(BatchState.SETTLED) == told

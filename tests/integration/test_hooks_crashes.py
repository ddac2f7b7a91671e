"""A process that dies before any step of telling loses nothing; the next one tells the rest."""

from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from engine.hooks.queue import LEASE_SECONDS
from tests.integration.doom import Died, Doom, Doomed
from tests.integration.hooks_room import LIFE, HookHall, open_hook_hall

pytestmark = pytest.mark.long("a death at every step")

STEPS_MAX = 60


class DoomedCarrier:
    """Dies before a message leaves, or when its answer would be heard."""

    def __init__(self, hall: HookHall, doom: Doom) -> None:
        self._hall, self._doom = hall, doom
        self.fault_in = hall.carrier.fault_in
        self.aclose = hall.carrier.aclose

    async def deliver(self, message: object) -> object:
        self._doom.step()
        answer = await self._hall.carrier.deliver(message)  # type: ignore[arg-type]
        self._doom.step()
        return answer


@pytest.fixture
async def hall(shared_database_url: str) -> AsyncIterator[HookHall]:
    async with open_hook_hall(shared_database_url) as opened:
        yield opened


async def tell_once(hall: HookHall, doom: Doom) -> None:
    """One process's work until it dies or nothing is left to do."""
    pool = Doomed(hall.world.pool, doom)
    courier = hall.another_courier(pool, DoomedCarrier(hall, doom))  # type: ignore[arg-type]
    with suppress(Died):
        await hall.another_journal(pool).sweep()
        while await courier.sweep():
            await courier.idle()


async def test_nothing_is_lost_whichever_step_a_process_dies_before(hall: HookHall) -> None:
    id_ = await hall.subscribe()
    died = repeated = 0
    for at in range(1, STEPS_MAX):
        hall.receiver.heard.clear()
        payment_id = await hall.paid()
        doom = Doom(at)
        await tell_once(hall, doom)
        died += doom.has_come
        hall.world.clock.pass_(LEASE_SECONDS + 1)
        await hall.told()
        assert hall.kinds(payment_id) == LIFE, at
        assert all(h.event["data"]["payment_id"] == payment_id for h in hall.receiver.heard)
        repeated += len(hall.receiver.heard) - len(LIFE)
        if not doom.has_come:
            break
    else:
        pytest.fail("it never came to its end")
    assert died > 15
    assert repeated >= len(LIFE)  # each was heard once by a process that died before it knew
    assert {d.state for d in await hall.hooks.deliveries(id_, most=100)} == {"delivered"}
    assert hall.receiver.refused == []

"""What payments tell of how an operator fares: of how much money, and of which moment.

A moment matters: what began before a breaker moved says nothing about the way as it stands now.
"""

from collections.abc import AsyncIterator
from typing import NamedTuple

import pytest

from engine.clock import epoch_of
from engine.errors import OutcomeUnknown, ProviderError, Throttled, Unreachable
from engine.payments.health import Told
from engine.payments.lifecycle import State
from engine.ports import Direction
from tests.integration.world import SUCCEEDED, World, open_world


class Said(NamedTuple):
    operator: str
    direction: Direction
    told: Told | None
    minor: int
    began_at: float | None


@pytest.fixture
async def world(seeded_url: str) -> AsyncIterator[World]:
    async with open_world(seeded_url) as opened:
        yield opened


@pytest.fixture
def heard(world: World) -> list[Said]:
    """All that was told."""
    said: list[Said] = []

    def record(
        operator: str, direction: Direction, told: Told | None, minor: int,
        *, began_at: float | None = None,
    ) -> None:  # fmt: skip
        said.append(Said(operator, direction, told, minor, began_at))

    world.dispatcher._record = world.payments._record = record
    world.reconciler.begun_by._record = record
    return said


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (Throttled("mpesa_ke", "busy"), Told.THROTTLED),
        (Unreachable("mpesa_ke", "refused"), Told.UNREACHABLE),
        (OutcomeUnknown("mpesa_ke", "no answer in time"), Told.UNCLEAR),
    ],
)
async def test_a_slow_call_speaks_of_when_it_was_made(
    world: World, heard: list[Said], answer: ProviderError, told: Told
) -> None:
    world.mpesa.answers = [answer]
    world.mpesa.takes = lambda: world.clock.pass_(40)
    began = world.clock.epoch()
    await world.confirm()
    await world.dispatched()
    assert heard == [Said("mpesa_ke", Direction.COLLECT, told, 102_000, began)]


async def test_the_end_of_an_attempt_speaks_of_when_it_began(
    world: World, heard: list[Said]
) -> None:
    payment_id = await world.confirm()
    await world.dispatched()
    collection = await world.live(payment_id)
    world.clock.pass_(90)
    await world.tell(collection, SUCCEEDED)
    await world.dispatched()
    payout = await world.live(payment_id)
    world.clock.pass_(90)
    await world.tell(payout, SUCCEEDED)
    works = Told.SUCCEEDED
    assert heard == [
        Said("mpesa_ke", Direction.COLLECT, works, 102_000, epoch_of(collection)),
        Said("mtn_ug", Direction.DISBURSE, works, 28_023, epoch_of(payout)),
    ]
    assert world.clock.epoch() - epoch_of(payout) >= 90


async def test_silence_speaks_of_when_the_attempt_began(world: World, heard: list[Said]) -> None:
    payment_id = await world.confirm()
    await world.dispatched()
    attempt = await world.live(payment_id)
    while await world.state(payment_id) is State.COLLECTING:
        world.clock.pass_(60)
        await world.reconciler.sweep()
    assert heard == [
        Said("mpesa_ke", Direction.COLLECT, Told.UNCLEAR, 102_000, epoch_of(attempt)),
    ]
    assert world.clock.epoch() - epoch_of(attempt) >= 60

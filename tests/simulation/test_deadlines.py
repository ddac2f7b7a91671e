"""Deadlines are met in their order, and a resting worker sleeps through none of them."""

import pytest

from tests.simulation.deadlines import Deadlines
from tests.simulation.machine import Machine
from tests.simulation.model import START, PaymentRow
from tests.simulation.weather import calm_weather
from tests.simulation.world import Options, World


def deadlines(rows: dict[str, int | None]) -> Deadlines:
    made = Deadlines(rows.get)
    for id_, when in rows.items():
        assert when is not None
        made.put(id_, when)
    return made


def test_the_first_is_the_soonest_that_still_stands() -> None:
    rows: dict[str, int | None] = {"gone": 1, "put off": 2, "stands": 3}
    found = deadlines(rows)
    assert found.first() == 1
    rows.update({"gone": None, "put off": 9})
    found.put("put off", 9)
    assert found.first() == 3


def test_what_is_due_is_taken_once_in_its_order_and_no_more_than_was_asked_for() -> None:
    rows: dict[str, int | None] = {"c": 3, "b": 2, "a": 2, "later": 8}
    found = deadlines(rows)
    found.put("b", 2)  # written down again, at the same time
    assert found.take(5, 2) == ["a", "b"]
    rows.update(a=9, b=9)
    assert found.take(5, 9) == ["c"]
    assert found.take(5, 9) == []
    assert found.first() == 8


@pytest.mark.parametrize("offset", [-300.0, 0.0, 300.0])
def test_a_worker_wakes_when_something_is_due_by_its_own_clock(offset: float) -> None:
    """It rests before the deadline is written, and its clock is set while it rests."""
    world = World(1, Options(weather=calm_weather(), stirred=False))
    world.is_calm = True  # nobody comes late
    machine = Machine(world, "worker-1")
    woke: list[float] = []

    async def rest() -> None:
        await world.rest(machine)
        woke.append(machine.clock.epoch())

    def set_deadlines() -> None:
        world.model.payments["p"] = PaymentRow(1, 3, 1, None, None, 0, 1, "c")
        world.model.waiting["p"] = None
        world.model.set_due("p", START + 5000)
        world.model.set_due("p", START + 4000)
        world.model.set_due("p", START + 6000)

    world.loop.spawn(rest(), machine.process)
    world.loop.outside(10.0, set_deadlines)
    world.loop.outside(20.0, world._set_clock, machine, offset)
    world.loop.run_until(lambda: bool(woke))
    assert woke == [pytest.approx(START + 6000, abs=0.001)]
    world.loop.close()

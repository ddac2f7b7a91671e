"""When a machine's clock is said to be off, and how often that is said."""

import asyncio
import logging

import pytest

from channels.watching.clocks import (
    APART_SECONDS_MAX,
    ClockWatch,
    certainly_ahead,
    seconds_ahead,
    trouble_of,
)
from engine.clock import Clock


class Machine(Clock):
    """Its clock, and a database whose clock is right and that takes its time to answer."""

    def __init__(self) -> None:
        self.right, self.ahead, self.takes = 1000.0, 0.0, 0.0
        self.is_away = False  # until it was asked once

    def epoch(self) -> float:
        return self.right + self.ahead

    async def fetchval(self, query: str) -> float:
        assert "clock_timestamp" in query
        if self.is_away:
            self.is_away = False
            raise ConnectionError("it is away")
        asked_at = self.right
        self.right += self.takes
        return asked_at + self.takes / 2


@pytest.mark.parametrize(
    ("before", "theirs", "after", "ahead"),
    [
        (1000.0, 1000.0, 1000.0, 0.0),
        (1600.0, 1000.0, 1600.0, 600.0),
        (400.0, 1000.0, 400.0, -600.0),
        (1000.0, 1010.0, 1020.0, 0.0),  # a slow answer: no clock need be off
        (1000.0, 1000.0, 1020.0, 0.0),
        (1000.0, 1020.0, 1020.0, 0.0),
        (1020.0, 1000.0, 1040.0, 20.0),
        (1000.0, 1060.0, 1040.0, -20.0),
    ],
)
def test_a_clock_is_off_by_what_no_slow_answer_explains(
    before: float, theirs: float, after: float, ahead: float
) -> None:
    assert certainly_ahead(before, theirs, after) == ahead


def test_more_than_some_seconds_are_trouble() -> None:
    for fine in (0.0, APART_SECONDS_MAX, -APART_SECONDS_MAX):
        assert trouble_of(fine) == ""
    assert "600 s ahead of" in trouble_of(600.0)
    assert "60 s behind" in trouble_of(-60.0)


async def test_who_is_slow_to_answer_accuses_nobody() -> None:
    machine = Machine()
    machine.takes = 30.0
    assert await seconds_ahead(machine, machine) == 0.0
    machine.ahead = 600.0
    assert await seconds_ahead(machine, machine) == 585.0


async def test_it_is_said_for_as_long_as_it_lasts_and_when_it_is_over(
    caplog: pytest.LogCaptureFixture,
) -> None:
    machine, told = Machine(), list[float]()
    watch = ClockWatch(machine, machine, told.append)
    for ahead in (0.0, 600.0, 600.0, 0.0, 0.0):
        machine.ahead = ahead
        await watch.look()
    assert told == [0.0, 600.0, 600.0, 0.0, 0.0]
    said = [(record.levelno, record.getMessage()) for record in caplog.records]
    assert [level for level, _ in said] == [logging.ERROR, logging.ERROR, logging.WARNING]
    assert "600 s ahead of that of Postgres" in said[0][1]
    assert "agrees" in said[-1][1]


async def test_it_looks_on_after_postgres_was_away() -> None:
    machine, looked = Machine(), asyncio.Event()
    machine.is_away, machine.ahead = True, 600.0
    told = list[float]()

    def tell(ahead: float) -> None:
        told.append(ahead)
        looked.set()

    looking = asyncio.create_task(ClockWatch(machine, machine, tell).keep_looking(0.0))
    async with asyncio.timeout(120):
        await looked.wait()
    looking.cancel()
    assert (machine.is_away, told[0]) == (False, 600.0)

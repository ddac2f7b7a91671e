import asyncio
import logging
import signal
from contextlib import AsyncExitStack
from itertools import islice

import pytest

from channels.starting import open_when_up, opening, pauses

AWAY = ConnectionRefusedError(111, "Connect call failed")


class Work:
    """Raises what it was given, one each time; then it opens."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.tries = 0
        self.opened = 0
        self.closed = 0
        self.is_open = asyncio.Event()

    async def __call__(self, stack: AsyncExitStack | None = None) -> str:
        self.tries += 1
        if stack is not None:
            self.opened += 1
            stack.callback(self._close)
        if self.errors:
            raise self.errors.pop(0)
        self.is_open.set()
        return "open"

    async def onto(self, stack: AsyncExitStack) -> None:
        await self(stack)

    def _close(self) -> None:
        self.closed += 1


async def no_time(_: float) -> None:
    """A pause that lets others run and is over."""
    await asyncio.sleep(0)


def test_pauses_double_up_to_five_seconds_and_half_of_each_is_drawn() -> None:
    longest = [round(seconds, 2) for seconds in islice(pauses(lambda: 1.0), 7)]
    assert longest == [0.25, 0.5, 1.0, 2.0, 4.0, 5.0, 5.0]
    shortest = list(islice(pauses(lambda: 0.0), 7))
    assert shortest == [seconds / 2 for seconds in longest]


async def test_it_is_tried_until_nothing_is_away_with_one_line_each_time(
    caplog: pytest.LogCaptureFixture,
) -> None:
    waited: list[float] = []

    async def wait(seconds: float) -> bool:
        waited.append(seconds)
        return True

    work = Work(AWAY, AWAY, AWAY)
    assert await open_when_up(work, draw=lambda: 1.0, wait=wait) == "open"
    assert (work.tries, waited) == (4, [0.25, 0.5, 1.0])
    assert [record.getMessage() for record in caplog.records] == [
        f"Postgres is away, next try in {s:.1f} s: [Errno 111] Connect call failed" for s in waited
    ]
    assert not any(record.exc_info for record in caplog.records)


async def test_what_no_waiting_mends_is_raised_at_once() -> None:
    work = Work(ValueError("broken menu"))
    with pytest.raises(ValueError, match="broken menu"):
        await open_when_up(work, draw=lambda: 1.0, wait=_never)
    assert work.tries == 1


async def test_who_is_asked_to_end_while_waiting_does_not_try_again() -> None:
    work = Work(AWAY)

    async def wait(_: float) -> bool:
        return False

    assert await open_when_up(work, draw=lambda: 1.0, wait=wait) is None
    assert work.tries == 1


async def test_block_is_entered_when_the_first_try_succeeds_and_closes_what_was_opened() -> None:
    work = Work()
    async with opening(work.onto, draw=lambda: 0.0):
        assert (work.opened, work.closed) == (1, 0)
    assert work.closed == 1


async def test_first_try_that_no_waiting_mends_keeps_the_block_shut() -> None:
    work = Work(ValueError("broken menu"))
    with pytest.raises(ValueError, match="broken menu"):
        async with opening(work.onto, draw=lambda: 0.0):
            pytest.fail("entered")
    assert work.closed == 1


async def test_block_is_entered_while_it_is_tried_again_and_every_try_is_closed() -> None:
    work = Work(AWAY, AWAY, AWAY)
    async with opening(work.onto, draw=lambda: 0.0, sleep=no_time):
        async with asyncio.timeout(120):
            await work.is_open.wait()
        await asyncio.sleep(0.01)
        assert (work.opened, work.closed) == (4, 3)
    assert work.closed == 4


async def test_leaving_the_block_ends_the_tries(caplog: pytest.LogCaptureFixture) -> None:
    work = Work(*[AWAY] * 100)
    async with opening(work.onto, draw=lambda: 0.0):
        pass
    tries = work.tries
    await asyncio.sleep(0.3)
    assert work.tries == tries == work.closed


async def test_later_try_that_no_waiting_mends_ends_the_process(
    caplog: pytest.LogCaptureFixture,
) -> None:
    told, entered = asyncio.Event(), asyncio.Event()

    async def sleep(_: float) -> None:
        await entered.wait()

    work = Work(AWAY, ValueError("broken menu"))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    try:
        async with opening(work.onto, draw=lambda: 0.0, sleep=sleep):
            entered.set()
            async with asyncio.timeout(120):
                await told.wait()
    finally:
        asyncio.get_running_loop().remove_signal_handler(signal.SIGTERM)
    assert [r.getMessage() for r in caplog.records if r.levelno == logging.CRITICAL] == [
        "cannot start: broken menu"
    ]


async def _never(_: float) -> bool:
    raise AssertionError("nothing is to be waited for")

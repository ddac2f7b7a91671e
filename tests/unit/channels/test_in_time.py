"""An answer comes in time, whatever its maker hangs on, and nobody else's end is swallowed."""

import asyncio
from typing import Any

import pytest

from channels.api.in_time import in_time
from tests.leap import leap

SHORT = 0.02


class Told:
    """What is told instead, and whether it was."""

    def __init__(self) -> None:
        self.is_over = asyncio.Event()

    async def tell(self) -> None:
        self.is_over.set()


async def given(word: str) -> str:
    return word


async def hang() -> str:
    await asyncio.Event().wait()
    return "never"


def cancels() -> int:
    task = asyncio.current_task()
    assert task is not None
    return task.cancelling()


async def test_work_that_is_done_in_time_is_given_and_nothing_is_told() -> None:
    told = Told()
    assert await in_time(60.0, given("well"), told.tell) == "well"
    leap(180.0)
    await asyncio.sleep(SHORT)
    assert not told.is_over.is_set()


async def test_work_that_hangs_is_ended_and_that_is_told() -> None:
    told = Told()
    ended = asyncio.Event()

    async def work() -> str:
        try:
            return await hang()
        finally:
            ended.set()

    assert await in_time(SHORT, work(), told.tell) is None
    assert told.is_over.is_set() and ended.is_set()
    assert cancels() == 0, "who asked goes on as if nothing had been"


async def test_work_that_cannot_be_ended_keeps_nobody_from_being_told() -> None:
    """As a transaction that is rolled back, and waits for a server that is gone."""
    told, comes_back = Told(), asyncio.Event()

    async def work() -> str:
        try:
            return await hang()
        finally:
            await comes_back.wait()

    asked = asyncio.create_task(in_time(SHORT, work(), told.tell))
    async with asyncio.timeout(120):
        await told.is_over.wait()
    assert not asked.done()
    comes_back.set()
    assert await asked is None


async def test_work_that_answers_after_all_is_told_no_second_time() -> None:
    told = Told()

    async def work() -> str:
        try:
            return await hang()
        except asyncio.CancelledError:
            return "late"

    assert await in_time(SHORT, work(), told.tell) is None
    assert told.is_over.is_set()
    assert cancels() == 0


async def test_what_the_work_raises_is_raised() -> None:
    async def work() -> str:
        raise LookupError("ours")

    with pytest.raises(LookupError, match="ours"):
        await in_time(60.0, work(), Told().tell)


@pytest.mark.parametrize("seconds", [60.0, SHORT])
async def test_whoever_ends_the_one_who_asked_is_obeyed(seconds: float) -> None:
    """Before time is over, and after it while the work still cleans up."""
    cleans_up = asyncio.Event()

    async def work() -> Any:
        try:
            return await hang()
        finally:
            cleans_up.set()
            if seconds == SHORT:
                await asyncio.Event().wait()

    asked = asyncio.create_task(in_time(seconds, work(), Told().tell))
    if seconds == SHORT:
        await cleans_up.wait()
    else:
        await asyncio.sleep(0)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked

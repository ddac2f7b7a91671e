import asyncio

import pytest

from engine.tasks import Tasks

FAILED = "it was not done; somebody else will do it"


async def test_a_failure_is_logged_and_is_nobody_elses(caplog: pytest.LogCaptureFixture) -> None:
    tasks = Tasks(failed=FAILED)
    done: list[str] = []

    async def fail() -> None:
        raise ValueError("no")

    async def work() -> None:
        await asyncio.sleep(0)
        done.append("work")

    tasks.start(fail())
    tasks.start(work())
    await tasks.idle()
    assert done == ["work"]
    [record] = caplog.records
    assert (record.message, record.levelname) == (FAILED, "ERROR")
    assert record.exc_info is not None


async def test_idle_waits_for_what_follows_too() -> None:
    tasks = Tasks(failed=FAILED)
    done: list[int] = []

    async def work(more: int) -> None:
        await asyncio.sleep(0)
        if more:
            tasks.start(work(more - 1))
        done.append(more)

    tasks.start(work(3))
    await tasks.idle()
    assert sorted(done) == [0, 1, 2, 3]


async def test_a_stop_ends_what_pauses_and_waits_for_what_works() -> None:
    tasks = Tasks(failed=FAILED)
    done: list[str] = []
    may_end = asyncio.Event()

    async def paused() -> None:
        await tasks.pause(3_600.0)
        done.append("paused")

    async def worked() -> None:
        await tasks.pause(0.0)
        await may_end.wait()
        done.append("worked")

    tasks.start(paused())
    tasks.start(worked())
    await asyncio.sleep(0.01)
    stopping = asyncio.create_task(tasks.stop())
    await asyncio.sleep(0.01)
    assert tasks.is_stopping
    assert not stopping.done()
    may_end.set()
    await stopping
    assert done == ["worked"]

import asyncio
import gc

import pytest

from engine.tasks import Tasks, beside, together
from tests.until import until

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


async def test_who_comes_to_pause_only_once_it_stops_is_ended_there() -> None:
    """A payment is confirmed at the very moment at which its process is told to end."""
    tasks = Tasks(failed=FAILED)
    done: list[str] = []

    async def paused() -> None:
        await tasks.pause(3_600.0)
        done.append("paused")

    stopping = asyncio.create_task(tasks.stop())
    tasks.start(paused())  # which begins behind the stop
    await until(stopping.done)
    assert done == []


async def test_a_stop_waits_for_what_followed_from_the_work_it_waited_for() -> None:
    tasks = Tasks(failed=FAILED)
    done: list[str] = []
    may_end = asyncio.Event()

    async def follows() -> None:
        for _ in range(9):
            await asyncio.sleep(0)
        done.append("what follows")

    async def worked() -> None:
        await may_end.wait()
        tasks.start(follows())
        done.append("worked")

    tasks.start(worked())
    stopping = asyncio.create_task(tasks.stop())
    await until(lambda: tasks.is_stopping)
    may_end.set()
    await stopping
    assert done == ["worked", "what follows"]


async def test_together_ends_all_before_it_raises_what_the_first_raised() -> None:
    ended: list[str] = []

    async def work(name: str, steps: int, error: Exception | None = None) -> None:
        for _ in range(steps):
            await asyncio.sleep(0)
        ended.append(name)
        if error is not None:
            raise error

    with pytest.raises(LookupError, match="the first"):
        await together(
            work("slow", 9), work("bad", 2, LookupError("the first")), work("worse", 1, OSError())
        )
    assert sorted(ended) == ["bad", "slow", "worse"]
    await together()


async def test_together_is_cancelled_with_all_its_work() -> None:
    cancelled: list[int] = []

    async def work(number: int) -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.append(number)
            raise

    task = asyncio.create_task(together(work(1), work(2)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert sorted(cancelled) == [1, 2]


async def test_what_goes_on_beside_is_begun_at_once_and_awaited_where_it_is_needed() -> None:
    said: list[str] = []

    async def work() -> str:
        said.append("begun")
        await asyncio.sleep(0)
        return "done"

    async with beside(work()) as begun:
        await asyncio.sleep(0)
        said.append("meanwhile")
        said.append(await begun)
    assert said == ["begun", "meanwhile", "done"]


async def test_whoever_leaves_gives_up_what_goes_on_beside_and_hears_their_own_error() -> None:
    said: list[str] = []

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            said.append("given up")

    with pytest.raises(ValueError, match="mine"):
        async with beside(work()):
            await asyncio.sleep(0)
            raise ValueError("mine")
    assert said == ["given up"], "and it has ended when the block has"


async def test_a_coroutine_that_is_closed_gives_it_up_and_waits_for_nothing() -> None:
    begun: list[asyncio.Future[None]] = []

    async def work() -> None:
        async with beside(asyncio.sleep(60)) as sleeping:
            begun.append(sleeping)
            await asyncio.sleep(60)

    closed = work()
    closed.send(None)
    closed.close()
    await asyncio.wait(begun)
    assert begun[0].cancelled()


async def test_an_error_beside_is_raised_to_who_awaits_it_and_lost_with_who_leaves(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def work() -> None:
        raise ValueError("theirs")

    with pytest.raises(ValueError, match="theirs"):
        async with beside(work()) as begun:
            await begun
    async with beside(work()):
        await asyncio.sleep(0)
    gc.collect()  # asyncio complains of an error that nobody heard when its task is thrown away
    await asyncio.sleep(0)
    assert not caplog.records


async def test_cancelled_within_both_are() -> None:
    said: list[str] = []

    async def wait(who: str) -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            said.append(who)
            raise

    async def both() -> None:
        async with beside(wait("beside")):
            await wait("within")

    task = asyncio.create_task(both())
    await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert said == ["within", "beside"]
    assert task.cancelled()

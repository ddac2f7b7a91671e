"""Work that goes on behind its callers: started, waited for, let finish. Knows nobody's work."""

import asyncio
import logging
from collections.abc import Awaitable, Coroutine
from typing import Any, Generic, TypeVar

from engine.memory import end_if_refused

T = TypeVar("T")
log = logging.getLogger(__name__)


class Tasks:
    """The tasks of one room of this process; one's failure is its own, and is logged."""

    def __init__(self, *, failed: str) -> None:
        """`failed`: what the log says of one that failed, and who looks after it then."""
        self._failed = failed
        self._tasks: set[asyncio.Task[None]] = set()
        self.is_stopping = False

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Cheap, and never waits."""
        task = asyncio.get_running_loop().create_task(self._guarded(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def pause(self, seconds: float) -> None:
        """Of a task of ours: wait, unless a stop comes first; that ends it here."""
        task = asyncio.current_task()
        assert task in self._tasks
        if self.is_stopping:  # it had not come so far when the stop ended those who pause
            raise asyncio.CancelledError
        task.set_name("waiting")
        await asyncio.sleep(seconds)
        task.set_name("working")

    async def idle(self) -> None:
        """Wait until nothing is under way, what follows from it included."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def stop(self) -> None:
        """Let work under way finish, what follows from it included; what pauses is ended."""
        self.is_stopping = True
        for task in list(self._tasks):
            if task.get_name() == "waiting":
                task.cancel()
        await self.idle()

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception as error:
            end_if_refused(error)
            log.exception(self._failed)


def for_life(work: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
    """A task that lasts until it is cancelled. One that fails before is told at once: whoever made
    it waits for no end of it, and nobody else would hear.
    """
    task = asyncio.get_running_loop().create_task(work)
    task.add_done_callback(_tell_of_end)
    return task


def _tell_of_end(task: "asyncio.Task[Any]") -> None:
    error = None if task.cancelled() else task.exception()
    if error is not None:
        end_if_refused(error)
        log.critical("%s has ended, and nobody does its work", _name_of(task), exc_info=error)


def _name_of(task: "asyncio.Task[Any]") -> str:
    return getattr(task.get_coro(), "__qualname__", task.get_name())


async def together(*work: Coroutine[Any, Any, None]) -> None:
    """All at once, to the end of each. Raises what the first that failed raised, after all ended.

    Cancelled, all of them are.
    """
    for ended in await asyncio.gather(*work, return_exceptions=True):
        if ended is not None:
            raise ended


class beside(Generic[T]):  # noqa: N801 - a verb of `async with`
    """`async with beside(work) as begun`: begun at once, and awaited within where it is needed.

    Who leaves without it gives it up: it is cancelled, what it raised is nobody's affair, and it
    has ended when the block has.
    """

    def __init__(self, work: Awaitable[T]) -> None:
        self._work = work

    async def __aenter__(self) -> "asyncio.Future[T]":
        self._begun = asyncio.ensure_future(self._work)
        return self._begun

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if not self._begun.done():
            self._begun.cancel()
            if kind is not GeneratorExit:  # who is closed can wait for nothing any more
                await asyncio.gather(self._begun, return_exceptions=True)
        elif not self._begun.cancelled():
            self._begun.exception()  # heard: whoever wanted it has awaited it

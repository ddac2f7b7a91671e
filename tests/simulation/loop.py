"""An event loop in which nothing is left to chance: virtual time, seeded order, mortal processes.

It knows nothing of payments and has no sockets and no threads. What is ready runs in an order that
the seed chooses; when nothing is ready the clock jumps to the next timer. Every callback belongs to
the process whose context it carries, or to the outside world.
"""

import asyncio
import random
import warnings
from collections.abc import Callable, Coroutine, Generator, Iterator
from contextlib import contextmanager, suppress
from contextvars import Context, ContextVar, copy_context
from heapq import heappop, heappush
from typing import Any, TypeVar

T = TypeVar("T")

_PRUNE_AT = 256


class Deadlock(AssertionError):
    """Nothing is ready, no timer runs, and what was waited for has not happened."""


class Process:
    """What dies together. Killed, it never runs again, not even what is `finally`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.alive = True
        self.frozen_until = 0.0
        self.steps = 0
        self.dies_at_step = 0  # 0: of its own accord, never
        self.tasks: list[asyncio.Task[Any]] = []
        self._prune_at = _PRUNE_AT

    def keep(self, task: asyncio.Task[Any]) -> None:
        """Hold a task, so that no collector ever finalises a dead process's coroutine."""
        self.tasks.append(task)
        if len(self.tasks) > self._prune_at:
            self.tasks = [task for task in self.tasks if not task.done()]
            self._prune_at = _PRUNE_AT + 2 * len(self.tasks)


CURRENT: ContextVar[Process | None] = ContextVar("CURRENT", default=None)


class Handle:
    """One callback to run, now or at `when`."""

    __slots__ = ("args", "callback", "context", "dropped", "when")

    def __init__(
        self, callback: Callable[..., Any], args: tuple[Any, ...], context: Context, when: float
    ) -> None:
        self.callback = callback
        self.args = args
        self.context = context
        self.when = when
        self.dropped = False

    def cancel(self) -> None:
        self.dropped = True

    def cancelled(self) -> bool:
        return self.dropped


class NumberedTask(asyncio.Task[Any]):
    """Hashed by its number, so that sets of tasks have the same order in every run."""

    def __init__(self, number: int, coro: Coroutine[Any, Any, Any], **options: Any) -> None:
        self.number = number
        super().__init__(coro, **options)

    def __hash__(self) -> int:
        return self.number

    def __eq__(self, other: object) -> bool:
        return self is other


class SimulatedLoop(asyncio.AbstractEventLoop):
    """Runs processes and the world around them in one thread, from one seed."""

    def __init__(self, chance: random.Random) -> None:
        self._random = chance.random
        self._now = 0.0
        self._ready: list[Handle] = []
        self._timers: list[tuple[float, int, Handle]] = []
        self._order = 0
        self._outside = Context()
        self._parked: list[Handle] = []
        self._tasks: list[asyncio.Task[Any]] = []
        self._processes: dict[Process, None] = {}
        self._running = False
        self._closed = False
        self.steps = 0
        self.complaints: list[dict[str, Any]] = []
        self.on_death: Callable[[Process], None] = lambda process: None

    # What asyncio asks of a loop.

    def time(self) -> float:
        """Virtual seconds since the world began."""
        return self._now

    def call_soon(  # type: ignore[override] # a handle of our own
        self, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> Any:
        handle = Handle(callback, args, copy_context() if context is None else context, self._now)
        if not self._closed:
            self._ready.append(handle)
        return handle

    def call_later(  # type: ignore[override] # a handle of our own
        self, delay: float, callback: Callable[..., Any], *args: Any,
        context: Context | None = None,
    ) -> Any:  # fmt: skip
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_at(  # type: ignore[override] # a handle of our own
        self, when: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> Any:
        handle = Handle(callback, args, copy_context() if context is None else context, when)
        if not self._closed:
            self._order += 1
            heappush(self._timers, (when, self._order, handle))
        return handle

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(
        self, coro: Generator[Any, None, T] | Coroutine[Any, Any, T], *, name: object = None,
        context: Context | None = None,
    ) -> asyncio.Task[T]:  # fmt: skip
        self._order += 1
        task = NumberedTask(self._order, coro, loop=self, name=name or "", context=context)  # type: ignore[arg-type]
        process = CURRENT.get() if context is None else context.get(CURRENT)
        if process is not None:
            process.keep(task)
        else:
            self._tasks.append(task)
        return task

    def call_soon_threadsafe(  # type: ignore[override]
        self, callback: Callable[..., Any], *args: Any, **_: Any
    ) -> Any:
        raise AssertionError("a simulated world has one thread")

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Nobody waits for what failed here: it is kept, and `run_until` raises it."""
        if not self._closed:
            self.complaints.append(context)

    default_exception_handler = call_exception_handler

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return self._running

    def is_closed(self) -> bool:
        return self._closed

    # What a world asks of it.

    def run_until(self, done: Callable[[], bool]) -> None:
        """Step until `done`. Raises what any callback raised, or Deadlock."""
        with self._as_running_loop():
            while not done():
                self.step()

    def step(self) -> None:
        """Run one callback, chosen by the seed among those that are ready."""
        ready = self._ready
        if not ready:
            self._jump()
        n = len(ready)
        if n > 1:
            i = int(self._random() * n)
            ready[i], ready[-1] = ready[-1], ready[i]
        handle = ready.pop()
        if handle.dropped:
            return
        self.steps += 1
        process = handle.context.get(CURRENT)
        if process is None or self._may_run(process, handle):
            handle.context.run(handle.callback, *handle.args)
            if self.complaints:
                self._complain()

    def remote(self, there: float, work: Callable[[], T], back: float) -> asyncio.Future[T]:
        """Have something done outside every process, and its answer brought back.

        The caller may die meanwhile: what was asked is done all the same. Seconds each way.
        """
        answer: asyncio.Future[T] = self.create_future()

        def do() -> None:
            try:
                result = work()
            except Exception as error:  # noqa: BLE001 - it is the caller's answer
                self.call_later(back, _fail, answer, error, context=self._outside)
            else:
                self.call_later(back, _answer, answer, result, context=self._outside)

        self.call_later(there, do, context=self._outside)
        return answer

    def outside(self, delay: float, callback: Callable[..., Any], *args: Any) -> None:
        """Call something of the world itself, later."""
        self.call_later(delay, callback, *args, context=self._outside)

    def spawn(
        self, work: Coroutine[Any, Any, T], process: Process | None = None
    ) -> asyncio.Task[T]:
        """A task of a process, or of the world when none is named."""
        if process is not None:
            self._processes[process] = None
        context = Context()
        context.run(CURRENT.set, process)
        return self.create_task(work, context=context)

    def kill(self, process: Process) -> None:
        """Like `kill -9`: what it was about to do it will never do."""
        if process.alive:
            process.alive = False
            self.on_death(process)

    def close(self) -> None:
        """End of the world: nothing runs any more, nothing complains."""
        self._closed = True
        with warnings.catch_warnings():
            # What never began is closed with whatever it was to wait for.
            warnings.simplefilter("ignore", RuntimeWarning)
            for process in self._processes:
                _close(process.tasks)
                process.tasks.clear()
            _close(self._tasks)
            for gone in (self._ready, self._timers, self._parked, self._tasks):
                gone.clear()

    def _may_run(self, process: Process, handle: Handle) -> bool:
        if not process.alive:
            self._parked.append(handle)
            return False
        if process.frozen_until > self._now:
            self._order += 1
            heappush(self._timers, (process.frozen_until, self._order, handle))
            return False
        process.steps += 1
        if process.steps == process.dies_at_step:
            self._parked.append(handle)
            self.kill(process)
            return False
        return True

    def _jump(self) -> None:
        """Nothing is ready: the clock moves on to the next timer, and all that are due wake."""
        timers = self._timers
        while timers and timers[0][2].dropped:
            heappop(timers)
        if not timers:
            raise Deadlock(f"nothing will ever happen again after {self._now:.3f} s")
        self._now = now = max(self._now, timers[0][0])
        while timers and timers[0][0] <= now:
            handle = heappop(timers)[2]
            if not handle.dropped:
                self._ready.append(handle)

    def _complain(self) -> None:
        complaint = self.complaints.pop(0)
        error = complaint.get("exception")
        raise AssertionError(f"unheard: {complaint.get('message')}: {error!r}") from error

    @contextmanager
    def _as_running_loop(self) -> Iterator[None]:
        self._running = True
        asyncio._set_running_loop(self)
        try:
            yield
        finally:
            asyncio._set_running_loop(None)
            self._running = False


def make_loop(chance: random.Random) -> SimulatedLoop:
    """A new loop. What it does not implement (sockets, threads, signals), it does not have."""
    return SimulatedLoop(chance)  # type: ignore[abstract]


def _answer(future: asyncio.Future[Any], result: Any) -> None:
    if not future.done():
        future.set_result(result)


def _fail(future: asyncio.Future[Any], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
        future._log_traceback = False  # its process may be dead


def _close(tasks: list[asyncio.Task[Any]]) -> None:
    for task in tasks:
        if not task.done():
            task._log_destroy_pending = False  # type: ignore[attr-defined]
            coroutine = task.get_coro()
            with suppress(RuntimeError):  # one that awaits while it is closed
                coroutine.close()

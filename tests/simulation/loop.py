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
from functools import partial
from heapq import heappop, heappush
from typing import Any, TypeVar

T = TypeVar("T")

_PRUNE_AT = 256
_Future = asyncio.Future


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
    """What will be called at `when`, for whoever may want to take it back."""

    __slots__ = ("dropped", "when")

    def __init__(self, when: float) -> None:
        self.when = when
        self.dropped = False

    def cancel(self) -> None:
        self.dropped = True

    def cancelled(self) -> bool:
        return self.dropped

    def call(self, callback: Callable[..., Any], args: tuple[Any, ...]) -> None:
        if not self.dropped:
            callback(*args)


Ready = tuple[Callable[..., Any], tuple[Any, ...], Context]
Timer = tuple[float, int, Ready, Handle | None]


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
        self._ready: list[Ready] = []
        self._timers: list[Timer] = []
        self._order = 0
        self._outside = Context()
        self._parked: list[Ready] = []
        self._tasks: list[asyncio.Task[Any]] = []
        self._processes: dict[Process, None] = {}
        self._running = False
        self._closed = False
        self._stopped = False
        self.steps = 0
        self.complaints: list[dict[str, Any]] = []
        self.on_death: Callable[[Process], None] = lambda process: None

    # What asyncio asks of a loop.

    def time(self) -> float:
        """Virtual seconds since the world began."""
        return self._now

    def call_soon(  # type: ignore[override] # nobody here takes back what is called soon
        self, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> None:
        if not self._closed:
            self._ready.append((callback, args, copy_context() if context is None else context))

    def call_later(  # type: ignore[override] # a handle of our own
        self, delay: float, callback: Callable[..., Any], *args: Any,
        context: Context | None = None,
    ) -> Any:  # fmt: skip
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_at(  # type: ignore[override] # a handle of our own
        self, when: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> Any:
        handle = Handle(when)
        context = copy_context() if context is None else context
        self._put(when, (handle.call, (callback, args), context), handle)
        return handle

    def _put(self, when: float, ready: Ready, handle: Handle | None = None) -> None:
        if not self._closed:
            self._order += 1
            heappush(self._timers, (when, self._order, ready, handle))

    def create_future(self) -> asyncio.Future[Any]:
        return _Future(loop=self)

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

    def run_in_executor(  # type: ignore[override]
        self, executor: object, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        """A thread of a world is this one: what it works out is there a moment later."""
        answer: asyncio.Future[T] = self.create_future()

        def work() -> None:
            try:
                result = func(*args)
            except Exception as error:  # noqa: BLE001 - it is the caller's answer
                fail(answer, error)
            else:
                give(answer, result)

        self.call_later(0.01, work)
        return answer

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
                self._run(self.steps + 1)

    def run(self, steps_max: int) -> bool:
        """Step until `stop`; False when so many steps were not enough. Raises likewise."""
        with self._as_running_loop():
            self._run(steps_max)
        return self._stopped

    def stop(self) -> None:
        """Nothing more is run after this step."""
        self._stopped = True

    def _run(self, steps_max: int) -> None:
        """Callbacks one by one, each chosen by the seed among those that are ready.

        One function, because a world takes thousands of steps for each payment's worth.
        """
        ready, chance, complaints, current = self._ready, self._random, self.complaints, CURRENT
        while self.steps < steps_max and not self._stopped:
            n = len(ready)
            if n > 1:
                i = int(chance() * n)
                chosen, ready[i] = ready[i], ready[-1]
                del ready[-1]
            elif n:
                chosen = ready.pop()
            elif (only := self._jump()) is not None:
                chosen = only
            else:
                continue
            self.steps += 1
            callback, args, context = chosen
            process = context.get(current)
            if process is None or self._may_run(process, chosen):
                context.run(callback, *args)
                if complaints:
                    self._complain()

    def remote(self, there: float, work: Callable[[], T], back: float) -> asyncio.Future[T]:
        """Have something done outside every process, and its answer brought back.

        The caller may die meanwhile: what was asked is done all the same. Seconds each way.
        """
        answer: asyncio.Future[T] = self.create_future()
        self.carry(there, work, back, partial(give, answer), partial(fail, answer))
        return answer

    def carry(
        self, there: float, work: Callable[[], T], back: float,
        tell: Callable[[T], None], lose: Callable[[Exception], None],
    ) -> None:  # fmt: skip
        """The same for an answer of any kind: `tell` hears what `work` returned, `lose` its error.

        No seconds back are none at all: it is heard in the same step.
        """

        def do() -> None:
            hear: Callable[..., None] = tell
            try:
                said: object = work()
            except Exception as error:  # noqa: BLE001 - it is the caller's answer
                hear, said = lose, error
            if back:
                self._put(self._now + back, (hear, (said,), self._outside))
            else:
                hear(said)

        self._put(self._now + there, (do, (), self._outside))

    def outside(self, delay: float, callback: Callable[..., Any], *args: Any) -> Handle:
        """Call something of the world itself, later."""
        handle: Handle = self.call_later(delay, callback, *args, context=self._outside)
        return handle

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

    def _may_run(self, process: Process, ready: Ready) -> bool:
        if not process.alive:
            self._parked.append(ready)
            return False
        if process.frozen_until > self._now:
            self._put(process.frozen_until, ready)
            return False
        process.steps += 1
        if process.steps == process.dies_at_step:
            self._parked.append(ready)
            self.kill(process)
            return False
        return True

    def _jump(self) -> Ready | None:
        """Nothing is ready: the clock moves on to the next timer, and all that are due wake.

        Returns the one that woke alone; more than one are ready then.
        """
        timers = self._timers
        while timers:
            when, _, woken, handle = heappop(timers)
            if handle is not None and handle.dropped:
                continue
            if when > self._now:
                self._now = when
            if not timers or timers[0][0] > when:
                return woken
            self._ready.append(woken)
            while timers and timers[0][0] <= when:
                self._ready.append(heappop(timers)[2])
            return None
        raise Deadlock(f"nothing will ever happen again after {self._now:.3f} s")

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


def give(future: asyncio.Future[T], result: T) -> None:
    """Its result, unless nobody waits for it any more."""
    if not future.done():
        future.set_result(result)


def fail(future: asyncio.Future[Any], error: Exception) -> None:
    """Its error, likewise."""
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

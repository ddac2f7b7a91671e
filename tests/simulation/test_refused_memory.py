"""A process that is refused memory while it reads any answer ends there, and every law holds.

What it asked for has been done: the operator has moved the money, the commit is stored.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from engine.memory import end_by, tells_of_memory
from tests.simulation.loop import CURRENT
from tests.simulation.test_simulation import LOSSY, MORE, QUIET
from tests.simulation.weather import Weather
from tests.simulation.world import MACHINES, Options, World

ANSWERS = 25
OPTIONS = Options(payments=4, span_seconds=30.0, stirred=False)


class Ended(BaseException):
    """Stands where the process would be gone: nothing behind it is run."""


class Refusing:
    """Of one world the n-th answer that a machine hears finds no memory."""

    def __init__(self, world: World, machine: str, answer: int) -> None:
        self._loop = world.loop
        self._machine = machine
        self._answer = answer
        self._carry = world.loop.carry
        self._tell = world.loop.call_exception_handler
        self._victim: Any = None
        self.heard = 0
        world.loop.carry = self.carry  # type: ignore[method-assign]
        world.loop.call_exception_handler = self.look  # type: ignore[method-assign]
        self._worker_ended = world._worker_ended
        world._worker_ended = self.worker_ended  # type: ignore[method-assign]

    def carry(
        self, there: float, work: Callable[[], Any], back: float,
        tell: Callable[[Any], None], lose: Callable[[Exception], None],
    ) -> None:  # fmt: skip
        """As the loop does it. What is asked for is done in any case."""
        process = CURRENT.get()
        if process is not None and process.name == self._machine and self._victim is None:
            self.heard += 1
            if self.heard == self._answer:
                self._victim = process
                tell = lose = for_memory(lose)
        self._carry(there, work, back, tell, lose)

    def look(self, context: dict[str, Any]) -> None:
        """As `channels.watching.memory` looks at what comes out of a loop."""
        error = context.get("exception")
        if isinstance(error, Ended):
            return
        if error is not None and tells_of_memory(error):
            self._loop.kill(self._victim)
        else:
            self._tell(context)

    def worker_ended(self, work: asyncio.Task[None]) -> None:
        """Its loops ended with the process, and not before."""
        if not isinstance(work.exception(), Ended):
            self._worker_ended(work)

    def end(self) -> None:
        """As `os._exit`."""
        self._loop.kill(self._victim)
        if CURRENT.get() is self._victim:
            raise Ended


def for_memory(lose: Callable[[Exception], None]) -> Callable[[Any], None]:
    return lambda _: lose(MemoryError("for the answer"))


@contextmanager
def refused(world: World, machine: str, answer: int) -> Iterator[Refusing]:
    refusing = Refusing(world, machine, answer)
    end_by(refusing.end)
    try:
        yield refusing
    finally:
        end_by(None)


@pytest.mark.parametrize(
    "weather", [pytest.param(QUIET, id="quiet"), pytest.param(LOSSY, id="lossy", marks=MORE)]
)
@pytest.mark.parametrize(
    "machine", [pytest.param(name, marks=[] if name == "worker-1" else MORE) for name in MACHINES]
)
def test_a_process_that_is_refused_memory_for_any_answer_ends_and_breaks_no_law(
    machine: str, weather: Weather
) -> None:
    options = replace(OPTIONS, weather=weather)
    seed = busy_seed(machine, options)
    for answer in range(1, ANSWERS + 1):
        world = World(seed, options)
        with refused(world, machine, answer) as refusing:
            assert world.run().deaths == 1, f"it lives on after answer {answer}"
        assert refusing.heard == answer


def busy_seed(machine: str, options: Options) -> int:
    """The first world in which that machine hears so many answers."""
    for seed in range(1, 20):
        world = World(seed, options)
        with refused(world, machine, 0) as counting:
            world.run()
        if counting.heard >= ANSWERS:
            return seed
    raise AssertionError(f"{machine} is never busy")

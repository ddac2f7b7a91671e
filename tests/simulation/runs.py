"""Many worlds: one after another, or in several processes, and what they came to together.

Knows no command line and prints nothing.
"""

import gc
import multiprocessing
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, field

from tests.simulation.world import Broken, Options, Result, World

SEEDS_AT_ONCE = 5
"""So many worlds a process lives through before it says what they came to."""
GARBAGE_OBJECTS = 50_000

MakeWorld = Callable[[int, Options], World]


@dataclass
class Total:
    """What worlds came to, one by one or together."""

    worlds: int = 0
    payments: int = 0
    broken: int = 0
    steps: int = 0
    cpu_seconds: float = 0.0
    states: Counter[str] = field(default_factory=Counter)
    happened: Counter[str] = field(default_factory=Counter)
    breaches: list[str] = field(default_factory=list)

    def count(self, result: Result) -> None:
        """One world came to its end."""
        self.worlds += 1
        self.payments += result.payments
        self.steps += result.steps
        self.states.update(result.states)
        self.happened.update(result.happened)

    def add(self, other: "Total") -> None:
        """Others, from another process."""
        self.worlds += other.worlds
        self.payments += other.payments
        self.broken += other.broken
        self.steps += other.steps
        self.cpu_seconds += other.cpu_seconds
        self.states += other.states
        self.happened += other.happened
        self.breaches += other.breaches

    def __str__(self) -> str:
        return (
            f"{self.payments} payments in {self.worlds} worlds, {self.broken} broken;"
            f" {self.steps} steps, {self.happened['death']} deaths,"
            f" {self.happened['death_at_work']} of them at work; {self.cpu_seconds:.1f} s of CPU"
        )


def in_turn(
    seeds: range, options: Options, *, goes_on: bool, make_world: MakeWorld = World
) -> Iterator[Total]:
    """One world after another in this process; the first breach is the last, or `goes_on`."""
    for seed in seeds:
        part = _live(seed, options, make_world)
        yield part
        if part.broken and not goes_on:
            return


def side_by_side(
    seeds: range, options: Options, *, processes: int, goes_on: bool
) -> Iterator[Total]:
    """A few worlds at a time in each of several processes, told in the order of their seeds.

    A world is all of one process, so its story is the same wherever it is lived through.
    """
    starts = range(seeds.start, seeds.stop, SEEDS_AT_ONCE)
    parts = [range(s, min(s + SEEDS_AT_ONCE, seeds.stop)) for s in starts]
    context = multiprocessing.get_context("fork")  # what is loaded need not be loaded again
    with ProcessPoolExecutor(processes, context, initializer=_settle) as pool:
        waiting: list[Future[list[Total]]] = [
            pool.submit(_live_all, part, options, goes_on=goes_on) for part in parts
        ]
        for done in waiting:
            for total in done.result():
                yield total
                if total.broken and not goes_on:
                    pool.shutdown(wait=False, cancel_futures=True)
                    return


def _settle() -> None:
    """What is loaded by now stays; a world's own garbage is looked for less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_OBJECTS)


def _live_all(seeds: range, options: Options, *, goes_on: bool) -> list[Total]:
    return list(in_turn(seeds, options, goes_on=goes_on))


def _live(seed: int, options: Options, make_world: MakeWorld) -> Total:
    """One world, and what it came to or how it broke."""
    total = Total()
    began = time.process_time()
    try:
        total.count(make_world(seed, options).run())
    except Broken as error:
        total.broken = 1
        total.breaches.append(str(error))
    total.cpu_seconds = time.process_time() - began
    return total

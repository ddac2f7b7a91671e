"""How what something costs grows with what it is given, on whatever machine."""

import gc
import time
from collections.abc import Callable

ROUNDS = 3
QUADRATIC_SHARE = 4
"""What is a quarter of a square is no line any more: lines of sixteen times the length stay at 16,
squares come to 256, and a noisy machine lies between a half and twice."""


def cost(work: Callable[[], object]) -> float:
    """Seconds of CPU that this thread takes for it: the best of some rounds, what disturbs others
    left out."""
    was_collecting = gc.isenabled()
    gc.disable()
    try:
        return min(_once(work) for _ in range(ROUNDS))
    finally:
        if was_collecting:
            gc.enable()


def grows_in_line(work: Callable[[int], object], size: int, times: int = 16) -> bool:
    """Whether work of a size that is so many times larger costs about as many times more.

    The smaller one comes first, and must take some hundreds of microseconds, or noise is what is
    measured.
    """
    little = cost(lambda: work(size))
    return cost(lambda: work(size * times)) < little * times**2 / QUADRATIC_SHARE


def _once(work: Callable[[], object]) -> float:
    began = time.thread_time()
    work()
    return time.thread_time() - began

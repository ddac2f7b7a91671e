"""What some work leaves to Python's collector: objects that refer to themselves."""

import gc
from collections.abc import Awaitable, Callable

ROUNDS = 4


async def left_to_collector(work: Callable[[], Awaitable[None]]) -> int:
    """So many objects, in the best of some rounds: what else runs here leaves some now and then.

    The first round is not counted: it makes what is made once.
    """
    left = []
    gc.collect()
    gc.disable()
    try:
        for _ in range(ROUNDS + 1):
            await work()
            left.append(gc.collect())
    finally:
        gc.enable()
    return min(left[1:])

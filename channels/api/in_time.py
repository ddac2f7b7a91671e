"""An answer in time, also while whoever makes it hangs where nothing can wake it.

It refuses to know what was asked and what is told instead.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def in_time(
    seconds: float, work: Awaitable[T], tell: Callable[[], Coroutine[Any, Any, None]]
) -> T | None:
    """What the work gives; None when it took longer, and `tell` was carried out instead.

    `tell` is begun at that moment and waits for nobody: work that is cancelled may go on hanging,
    for a transaction first asks a database that is gone to roll it back. This returns when both
    have ended. Raises what they raise.
    """
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None, "only a task has an answer to give"
    earlier, told = task.cancelling(), list[asyncio.Task[None]]()

    def be_late() -> None:
        told.append(loop.create_task(tell()))
        task.cancel()

    timer = loop.call_later(seconds, be_late)
    try:
        found = await work
    except asyncio.CancelledError:
        if not told or task.uncancel() > earlier:  # somebody else wants it to end as well
            raise
    else:
        if not told:
            return found
        task.uncancel()
    finally:
        timer.cancel()
    await told[0]
    return None

"""Opening what a process needs while Postgres or Redis may be away: it waits and tries again.

It refuses to know what is opened. What no waiting mends, a broken menu or a wrong password, is
raised.
"""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any, TypeVar

from engine.memory import end_if_refused
from engine.outages import server_away

T = TypeVar("T")

log = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS = 0.25
PAUSE_SECONDS_MAX = 5.0


@asynccontextmanager
async def opening(
    work: Callable[[AsyncExitStack], Awaitable[None]],
    *,
    draw: Callable[[], float],
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    give_up: Callable[[], None] | None = None,
) -> AsyncIterator[None]:
    """A block in which `work` is done, or is tried again and again because a server is away.

    What `work` puts on the stack it is given is closed after the block, and after a try that
    failed. Raises what no waiting mends; once the block is entered, `give_up` is
    called instead; by default that ends the process as SIGTERM does.
    """
    has_failed = asyncio.Event()

    async def wait(seconds: float) -> bool:
        has_failed.set()
        await sleep(seconds)
        return True

    async with AsyncExitStack() as closing:

        async def attempt() -> None:
            async with AsyncExitStack() as opened:
                await work(opened)
                closing.push_async_exit(opened.pop_all())

        tries = asyncio.create_task(open_when_up(attempt, draw=draw, wait=wait))
        try:
            await _either(tries, has_failed)
            tries.add_done_callback(partial(_tell_end_of, give_up=give_up or _end_process))
            yield
        finally:
            tries.cancel()
            await asyncio.gather(tries, return_exceptions=True)


async def open_when_up(
    work: Callable[[], Awaitable[T]],
    *,
    draw: Callable[[], float],
    wait: Callable[[float], Awaitable[bool]],
) -> T | None:
    """What `work` returns once no server is away any more; None when there was no use in waiting.

    `draw` gives numbers from 0 up to 1. `wait` pauses for so many seconds and answers whether the
    process is to go on. Each try leaves one line in the log.
    """
    for seconds in pauses(draw):
        try:
            return await work()
        except Exception as error:
            end_if_refused(error)
            server = server_away(error)
            if server is None:
                raise
            log.warning("%s is away, next try in %.1f s: %s", server, seconds, _kind(error))
        if not await wait(seconds):
            return None
    return None  # pragma: no cover - pauses never end


def pauses(draw: Callable[[], float]) -> Iterator[float]:
    """Seconds between tries, without end: each up to twice the last, and never less than half.

    What was drawn keeps many processes that lost the same server from coming back as one.
    """
    longest = FIRST_PAUSE_SECONDS
    while True:
        yield longest * (0.5 + draw() / 2)
        longest = min(longest * 2, PAUSE_SECONDS_MAX)


async def _either(tries: asyncio.Task[Any], has_failed: asyncio.Event) -> None:
    """Wait for the first try to end; raises what the task raised."""
    failing = asyncio.create_task(has_failed.wait())
    try:
        await asyncio.wait([tries, failing], return_when=asyncio.FIRST_COMPLETED)
    finally:
        failing.cancel()
    if tries.done():
        tries.result()


def _end_process() -> None:
    signal.raise_signal(signal.SIGTERM)


def _tell_end_of(tries: asyncio.Task[Any], give_up: Callable[[], None]) -> None:
    if not tries.cancelled() and (error := tries.exception()) is not None:
        end_if_refused(error)
        log.critical("cannot start: %s", _kind(error))
        give_up()


def _kind(error: BaseException) -> str:
    return str(error) or type(error).__name__

"""How long something takes for who waits here, on whatever machine."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

NAP_SECONDS = 0.01


class Ticks:
    """Naps that were taken beside some work."""

    def __init__(self) -> None:
        self.naps = 0

    @property
    def seconds(self) -> float:
        """Never more than went by. Fewer where a busy machine held this process up: that is no
        waiting of the work's own."""
        return self.naps * NAP_SECONDS


@asynccontextmanager
async def counted() -> AsyncIterator[Ticks]:
    """Counts until the block ends."""
    ticks = Ticks()

    async def nap() -> None:
        while True:
            await asyncio.sleep(NAP_SECONDS)
            ticks.naps += 1

    napping = asyncio.create_task(nap())
    try:
        yield ticks
    finally:
        napping.cancel()

"""What must come is waited for: as long as no busy machine takes."""

import asyncio
from collections.abc import Callable


async def until(so: Callable[[], object]) -> None:
    for _ in range(3000):
        if so():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never came to that")

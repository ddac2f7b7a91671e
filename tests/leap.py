"""Time that goes by at once, where a test would have to wait for it."""

import asyncio
from typing import Any


def leap(seconds: float) -> None:
    """Set the running loop's clock on. Whatever waits in this loop has waited so much longer; other
    processes, databases and `time` hear nothing of it."""
    loop: Any = asyncio.get_running_loop()
    if not hasattr(loop, "leapt"):
        real, loop.leapt = loop.time, 0.0
        loop.time = lambda: real() + loop.leapt
    loop.leapt += seconds


def stand() -> None:
    """From now on the running loop's clock moves by leaps alone: nothing is late by itself."""
    loop: Any = asyncio.get_running_loop()
    leap(0)
    now = loop.time() - loop.leapt
    loop.time = lambda: now + loop.leapt

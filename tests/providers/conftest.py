"""What all adapters' tests share: a company to call, a clock to turn, and where traces go."""

import asyncio
import math
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

import pytest
import uvloop
from starlette.types import Receive

from engine.clock import Clock
from providers import transport
from providers.http import Exchange
from simulator import faults
from simulator.operators.courier import Courier
from tests.leap import leap
from tests.providers.company import MOMENT_SECONDS, PATIENCE_SECONDS, Company, opened
from tests.providers.subjects import PATIENT

NOON = 1_795_255_200.0  # 2026-11-21 10:00:00 UTC, 13:00 in Nairobi


class HandClock(Clock):
    """A clock that moves only by hand."""

    def __init__(self, epoch: float = NOON) -> None:
        self.seconds = epoch

    def epoch(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def company() -> AsyncIterator[Company]:
    async with opened(patience_seconds=PATIENCE_SECONDS) as company:
        yield company


@pytest.fixture(autouse=True)
def silence_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sandbox that is silent lies in its caller's loop: what the caller waits goes by at once.

    Not while a callback is under way: it would have waited as long, and be given up.
    """
    until_gone, deliver = faults._until_the_caller_is_gone, Courier.deliver
    under_way, none_is = Counter[str](), asyncio.Event()
    none_is.set()

    async def delivered(courier: Courier, url: str, body: bytes, **how: Any) -> int | None:
        under_way[url] += 1
        none_is.clear()
        try:
            return await deliver(courier, url, body, **how)
        finally:
            under_way[url] -= 1
            if not under_way.total():
                none_is.set()

    async def outwaited(receive: Receive) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(MOMENT_SECONDS):
                return await until_gone(receive)
        await none_is.wait()
        leap(PATIENT.read_seconds)
        return await until_gone(receive)

    monkeypatch.setattr(Courier, "deliver", delivered)
    monkeypatch.setattr(faults, "_until_the_caller_is_gone", outwaited)
    # A leap is time that goes by, and none in which we stood still.
    monkeypatch.setattr(transport, "STOOD_STILL_SECONDS", math.inf)


@pytest.fixture
def traced() -> list[Exchange]:
    return []


def pytest_asyncio_loop_factories(
    item: pytest.Item,
) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Sockets are tried on both loops: production runs on uvloop, tools on asyncio's own."""
    if item.path.name == "test_http.py":
        return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
    return {"asyncio": asyncio.new_event_loop}

"""A login without its role, as while a restore makes roles anew, ends no loop that reads on."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from engine.clock import Clock
from engine.compliance.screening import Screener
from engine.errors import NotServed
from engine.fx.rates import RateBook
from engine.payments.router import keep_current
from tests.until import until


class Refusing:
    """Whatever it is asked for is refused, and counted."""

    def __init__(self) -> None:
        self.refused = 0

    def __getattr__(self, name: str) -> Callable[..., Coroutine[Any, Any, None]]:
        async def refuse(*_: object) -> None:
            self.refused += 1
            raise NotServed(f"{name}: there is no such role")

        return refuse


def _rates(database: Any) -> Coroutine[Any, Any, None]:
    return RateBook(1, Clock(), stale_after_seconds=60).keep_fresh(database, 0.001)


async def _lists(database: Any) -> None:
    scoring: Any = None
    screener = Screener(database, scoring, Clock())
    with pytest.raises(NotServed):
        await screener.need()
    await screener.keep_fresh(0.001)


def _routing(database: Any) -> Coroutine[Any, Any, None]:
    return keep_current(database, database, database, every_seconds=0.001)


@pytest.mark.parametrize("loop", [_rates, _lists, _routing])
async def test_loop_goes_on(loop: Callable[[Any], Coroutine[Any, Any, None]]) -> None:
    database = Refusing()
    going_on = asyncio.create_task(loop(database))
    await until(lambda: database.refused > 3 or going_on.done())
    assert not going_on.done()
    going_on.cancel()

"""How fast a company is called: what a caller sees who comes too often."""

import asyncio
import time

import pytest

from engine.errors import Throttled
from providers.http import Client, Exchange, Timeouts
from tests.providers.company import Answer, Company
from tests.ticks import counted


async def get(client: Client) -> None:
    await client.send("look", "GET", client.url("/look"), headers=[])


async def test_calls_beyond_the_pace_wait_for_their_turn(company: Company) -> None:
    company.on("/look", Answer())
    client = Client("acme", company.url, per_second=20)
    began = time.monotonic()
    async with counted() as ticks:
        await asyncio.gather(*(get(client) for _ in range(26)))
    assert time.monotonic() - began > 0.28
    assert ticks.seconds < 2
    assert len(company.received("/look")) == 26
    assert company.connections <= 26
    await client.aclose()


async def test_who_would_wait_too_long_is_throttled_and_nothing_was_sent(
    company: Company, traced: list[Exchange]
) -> None:
    company.on("/look", Answer())
    patience = Timeouts(pool_seconds=0.3)
    client = Client("acme", company.url, timeouts=patience, per_second=0.005, trace=traced.append)
    await get(client)
    with pytest.raises(Throttled) as caught:
        await get(client)
    assert (caught.value.code, caught.value.by_us) == ("pace", True)
    assert 100 < caught.value.retry_after_seconds <= 200
    assert len(company.requests) == len(traced) == 1
    with pytest.raises(Throttled) as again:  # a refusal takes no place in the row
        await get(client)
    assert again.value.retry_after_seconds <= 200
    await client.aclose()


async def test_without_a_pace_nobody_waits(company: Company) -> None:
    company.on("/look", Answer())
    client = Client("acme", company.url)
    await asyncio.gather(*(get(client) for _ in range(50)))
    assert len(company.requests) == 50
    await client.aclose()

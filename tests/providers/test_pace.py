"""How fast a company is called: the bucket itself, and what a caller sees who comes too often."""

import asyncio
import time

import pytest

from engine.errors import Throttled
from providers.http import Client, Exchange, Timeouts
from providers.pace import Pace
from tests.providers.company import Answer, Company


def taken(pace: Pace, *, calls: int, now: float) -> list[float]:
    """What each of the calls has to wait that all come at once."""
    waits = []
    for _ in range(calls):
        waits.append(round(pace.wait(now), 6))
        pace.take(now)
    return waits


@pytest.mark.parametrize(
    ("per_second", "waits"),
    [
        (2, [0, 0, 0.5, 1.0, 1.5]),
        (0.5, [0, 2, 4]),
        (100, [0] * 100 + [0.01, 0.02]),
    ],
)
def test_one_second_goes_at_once_and_the_rest_in_step(
    per_second: float, waits: list[float]
) -> None:
    assert taken(Pace(per_second), calls=len(waits), now=1_000.0) == waits


def test_a_bucket_fills_with_time_and_never_holds_more_than_a_second() -> None:
    pace = Pace(2)
    taken(pace, calls=4, now=0.0)
    assert taken(pace, calls=1, now=1.0) == [0.5]
    assert taken(pace, calls=3, now=1_000.0) == [0, 0, 0.5]


def test_asking_takes_nothing() -> None:
    pace = Pace(1)
    assert [pace.wait(0.0) for _ in range(3)] == [0, 0, 0]


@pytest.mark.parametrize("per_second", [0, -1])
def test_pace_at_which_nothing_is_ever_called_is_refused(per_second: float) -> None:
    with pytest.raises(ValueError, match="above zero"):
        Pace(per_second)


async def get(client: Client) -> None:
    await client.send("look", "GET", client.url("/look"), headers=[])


async def test_calls_beyond_the_pace_wait_for_their_turn(company: Company) -> None:
    company.on("/look", Answer())
    client = Client("acme", company.url, per_second=20)
    began = time.monotonic()
    await asyncio.gather(*(get(client) for _ in range(26)))
    assert 0.28 < time.monotonic() - began < 2
    assert len(company.received("/look")) == 26
    assert company.connections <= 26
    await client.aclose()


async def test_who_would_wait_too_long_is_throttled_and_nothing_was_sent(
    company: Company, traced: list[Exchange]
) -> None:
    company.on("/look", Answer())
    patience = Timeouts(pool_seconds=0.3)
    client = Client("acme", company.url, timeouts=patience, per_second=1, trace=traced.append)
    await get(client)
    with pytest.raises(Throttled) as caught:
        await get(client)
    assert (caught.value.code, caught.value.by_us) == ("pace", True)
    assert 0.5 < caught.value.retry_after_seconds <= 1.0
    assert len(company.requests) == len(traced) == 1
    with pytest.raises(Throttled) as again:  # a refusal takes no place in the row
        await get(client)
    assert again.value.retry_after_seconds <= 1.0
    await client.aclose()


async def test_without_a_pace_nobody_waits(company: Company) -> None:
    company.on("/look", Answer())
    client = Client("acme", company.url)
    await asyncio.gather(*(get(client) for _ in range(50)))
    assert len(company.requests) == 50
    await client.aclose()

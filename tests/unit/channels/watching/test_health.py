"""When a process calls itself ready, and how it tells of what it depends on."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from channels.watching import health
from channels.watching.health import Dependency, Standing, examine


def saying(standing: Standing) -> Callable[[], Awaitable[Standing]]:
    async def ask() -> Standing:
        return standing

    return ask


async def away() -> Standing:
    raise ConnectionError("postgres://capp:hunter2@db refused")


async def hanging() -> Standing:
    await asyncio.sleep(3600)
    return Standing("ok")


OK, STALE = saying(Standing("ok")), saying(Standing("stale", "old"))


@pytest.mark.parametrize(
    ("needed", "other", "state"),
    [
        (OK, OK, "ready"),
        (OK, STALE, "degraded"),
        (OK, away, "degraded"),
        (STALE, OK, "degraded"),
        (away, OK, "not ready"),
        (away, away, "not ready"),
    ],
)
async def test_only_what_is_needed_decides(
    needed: Callable[[], Awaitable[Standing]],
    other: Callable[[], Awaitable[Standing]],
    state: str,
) -> None:
    answer = await examine({"n": Dependency(needed, is_needed=True), "o": Dependency(other)})
    assert answer.state == state
    assert answer.dependencies["n"].needed and not answer.dependencies["o"].needed


async def test_who_hangs_is_away_and_nothing_of_an_address_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(health, "SECONDS_MAX", 0.01)
    answer = await examine({"slow": Dependency(hanging), "gone": Dependency(away)})
    assert answer.dependencies["slow"].state == "away"
    assert answer.dependencies["gone"].detail == "ConnectionError"

"""How often phones dial and strangers knock, with a Redis that answers, hangs, or is away."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from channels.web.dials import Dials
from channels.web.limits import Limits
from channels.web.strangers import SHUT_MAX, Strangers
from engine.msisdn import Msisdn
from engine.session.pipeline import open_pipeline
from simulator import embedded
from tests.integration.staff_room import COUNTED_HERE
from tests.integration.standstill import standing_still

KEY = b"k" * 16
PHONE, OTHER = Msisdn("+254712345678"), Msisdn("+256772000002")


class HangingRedis:
    """One that takes a command and never answers."""

    asked = 0

    def execute(self, *_: bytes | str | float) -> Any:
        self.asked += 1
        return asyncio.get_running_loop().create_future()


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Redis answers in these: a busy machine may take longer than a turn would wait."""
    monkeypatch.setattr("channels.web.dials.PATIENCE_SECONDS", 60.0)


@pytest.mark.usefixtures("patience")
async def test_two_processes_together_let_a_phone_begin_so_many_sessions(redis_url: str) -> None:
    pipelines = [open_pipeline(redis_url, timeout_seconds=30) for _ in range(2)]
    noted: Counter[str] = Counter()
    each = [Dials(Limits(p, key=KEY), 20, lambda word: noted.update([word])) for p in pipelines]
    answers = await asyncio.gather(*(each[n % 2].may_begin(PHONE) for n in range(50)))
    assert sum(answers) == 20
    assert await each[0].may_begin(OTHER)
    assert noted == {"refused": 30}
    for pipeline in pipelines:
        await pipeline.aclose()


async def test_a_redis_that_hangs_lets_everybody_in_soon_and_that_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    noted: Counter[tuple[str, int]] = Counter()
    redis = HangingRedis()
    dials = Dials(Limits(redis, key=KEY), 1, lambda word: noted.update([(word, redis.asked)]))
    assert await asyncio.gather(*(dials.may_begin(PHONE) for _ in range(20))) == [True] * 20
    assert noted == {("unheard", 20): 20}, "all had asked before the first was let in"
    (line,) = [record.getMessage() for record in caplog.records]
    assert "let in without asking" in line and "254" not in line


async def test_a_redis_that_is_stopped_costs_a_turn_a_moment_only(
    redis_server: embedded.Server, redis_url: str
) -> None:
    noted: Counter[str] = Counter()
    pipeline = open_pipeline(redis_url, timeout_seconds=30)
    dials = Dials(Limits(pipeline, key=KEY), 1, lambda word: noted.update([word]))
    assert await pipeline.execute("PING") == b"PONG"
    with standing_still(redis_server):
        assert await dials.may_begin(PHONE)
        assert noted == {"unheard": 1}, "it was let in while Redis was still away"
    await pipeline.aclose()


async def test_without_redis_a_process_counts_alone() -> None:
    noted: Counter[str] = Counter()
    dials = Dials(COUNTED_HERE, 2, lambda word: noted.update([word]))
    other = Msisdn("+254799999999")
    assert [await dials.may_begin(other) for _ in range(4)] == [True, True, False, False]
    assert noted == {"refused": 2}


async def test_a_stranger_too_often_is_sent_away_and_costs_redis_nothing_more(
    redis_url: str,
) -> None:
    now, asked = 100.0, 0
    pipeline = open_pipeline(redis_url, timeout_seconds=30)

    class Counting:
        def execute(self, *command: bytes | str | float) -> Any:
            nonlocal asked
            asked += 1
            return pipeline.execute(*command)

    limits = Limits(Counting(), key=KEY)
    strangers = Strangers(limits, 5, monotonic=lambda: now)
    answers = [await strangers.away_seconds("203.0.113.7") for _ in range(8)]
    assert answers[:5] == [0] * 5
    assert all(0 < seconds <= 61 for seconds in answers[5:])
    before = asked
    assert all([await strangers.away_seconds("203.0.113.7") for _ in range(100)])
    assert asked == before
    assert await strangers.away_seconds("203.0.113.8") == 0  # somebody else is heard
    now += 62
    await strangers.away_seconds("203.0.113.7")
    assert asked == before + 2  # asked again once their time is over
    await pipeline.aclose()


async def test_a_process_forgets_strangers_before_it_fills_up_with_them() -> None:
    strangers = Strangers(COUNTED_HERE, 1)
    for number in range(3):
        await strangers.away_seconds(f"2001:db8:0:{number:x}::1")
    strangers._shut.update({str(number): 1e12 for number in range(SHUT_MAX)})
    await strangers.away_seconds("2001:db8:0:1::2")
    assert len(strangers._shut) == 1

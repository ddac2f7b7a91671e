"""What a caller sees, and how soon, while Redis is slow, silent, full, restarted or emptied."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from engine.ports import Reply
from engine.session.cluster import ClusterPipeline
from engine.session.pipeline import TIMEOUT_SECONDS, TickPipeline, open_pipeline
from engine.session.store import SessionStore, key_of, pointer_of
from simulator import embedded
from tests.integration.standstill import hurried
from tests.leap import leap
from tests.listening import listening
from tests.ticks import counted
from tests.unit.session.rooms import PAYER, PIN, RECORD_SEAL, House

PAYEE = "256772000002"
TO_PIN = ("1", PAYEE, "1000", "1")
CONFIRMED = "*".join((*TO_PIN, PIN))
SORRY = "CAPP cannot answer right now."
LOST = "We lost this session."
PATIENT_SECONDS = 30.0
ANSWER_SECONDS_MAX = 2 * TIMEOUT_SECONDS + 0.4
"""Of a turn whose Redis is away: a load and a save."""


class SlowWay:
    """A way to Redis on which replies take longer; `seconds` None: they never arrive."""

    def __init__(self, redis_url: str) -> None:
        place = urlsplit(redis_url)
        self._target = (place.hostname, place.port)
        self.seconds: float | None = 0.0
        self.delays = 0  # how many replies were held up so
        self.slow_from: Callable[[bytes], bool] = lambda _: False

    @asynccontextmanager
    async def open(self) -> AsyncIterator[str]:
        async with listening(self._connected) as port:
            yield f"redis://127.0.0.1:{port}/0"

    async def _connected(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        far, there = await asyncio.open_connection(*self._target)
        try:
            await asyncio.gather(self._commands(near, there), self._replies(far, back))
        finally:
            there.close()

    async def _commands(self, near: asyncio.StreamReader, there: asyncio.StreamWriter) -> None:
        while received := await near.read(65_536):
            if self.slow_from(received):
                self.seconds = None
            there.write(received)
        there.close()

    async def _replies(self, far: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        while received := await far.read(65_536):
            if self.seconds is None:
                continue
            self.delays += 1
            await asyncio.sleep(self.seconds)
            back.write(received)
        back.close()


@pytest.fixture
async def way(redis_url: str) -> SlowWay:
    return SlowWay(redis_url)


@pytest.fixture
async def redis(way: SlowWay) -> AsyncIterator[TickPipeline | ClusterPipeline]:
    async with way.open() as url:
        pipeline = open_pipeline(url, timeout_seconds=PATIENT_SECONDS)
        yield pipeline
        await pipeline.aclose()


@pytest.fixture
async def admin(redis_url: str) -> AsyncIterator[TickPipeline | ClusterPipeline]:
    """Past the slow way. What it was told to be is undone."""
    pipeline = open_pipeline(redis_url, timeout_seconds=PATIENT_SECONDS)
    yield pipeline
    await pipeline.execute("CONFIG", "SET", "maxmemory", 0)
    await pipeline.execute("CONFIG", "SET", "maxmemory-policy", "noeviction")
    await pipeline.aclose()


async def timed(house: House, text: str, session_id: str = "s1") -> tuple[Reply, float]:
    async with counted() as ticks:
        reply = await house.take(text, session_id)
    return reply, ticks.seconds


# Slow.


async def test_a_slow_redis_delays_a_turn_by_two_round_trips(house: House, way: SlowWay) -> None:
    await house.press("1")
    way.seconds, way.delays = 0.1, 0
    began = time.monotonic()
    reply = await house.take(f"1*{PAYEE}")
    assert reply.text.startswith("To +256772000002")
    assert time.monotonic() - began >= 0.2
    assert way.delays == 2
    for trips, text in enumerate((f"1*{PAYEE}*1000", f"1*{PAYEE}*1000*1", CONFIRMED), 2):
        reply, _ = await timed(house, text)
        assert way.delays == 2 * trips
    assert "started: UGX 27,123" in reply.text


async def test_callers_who_wait_for_a_slow_redis_wait_together(house: House, way: SlowWay) -> None:
    way.seconds, way.delays = 0.1, 0
    replies = await asyncio.gather(*(house.take("", f"s{n}") for n in range(100)))
    assert way.delays < 20  # alone, each waits for two
    assert not any(reply.ends for reply in replies)


async def test_a_redis_that_falls_silent_is_not_waited_for(
    house: House, way: SlowWay, redis: TickPipeline
) -> None:
    await house.press("1")
    way.seconds = None
    with hurried(redis, TIMEOUT_SECONDS):
        for text, session_id in (("", "new"), (f"1*{PAYEE}", "s1")):
            reply, seconds = await timed(house, text, session_id)
            assert reply.ends
            assert reply.text.startswith(SORRY)
            assert seconds < ANSWER_SECONDS_MAX
    way.seconds = 0.0
    reply, _ = await timed(house, f"1*{PAYEE}")
    assert reply.text.startswith("To +256772000002")


async def test_a_payment_whose_last_screen_cannot_be_kept_is_told_and_paid_once(
    house: House, way: SlowWay, redis: TickPipeline
) -> None:
    await house.press(*TO_PIN)
    waited = 0

    def is_save(command: bytes) -> bool:
        nonlocal waited
        if b"EVALSHA" not in command:
            return False
        waited += 1
        asyncio.get_running_loop().call_soon(leap, PATIENT_SECONDS)
        return True

    way.slow_from = is_save  # after the effect
    reply = await house.take(CONFIRMED)
    assert reply.text.startswith("CAPP000001 started")
    assert 0 < waited <= 2
    way.slow_from, way.seconds = (lambda _: False), 0.0
    again = await house.take(CONFIRMED)
    assert again == reply
    assert len(house.payments.confirmed) == 1


# Restarted, emptied, full.


async def test_sessions_live_through_a_restart_of_redis(servers_folder: Path) -> None:
    folder = servers_folder / "restarted"
    server = embedded.start_redis(folder)
    redis = open_pipeline(server.url, timeout_seconds=PATIENT_SECONDS)
    house = await House(SessionStore(redis, 1, RECORD_SEAL)).registered()
    await house.press(*TO_PIN)
    server.stop()
    during, seconds = await timed(house, CONFIRMED)
    assert during.text.startswith(SORRY)
    assert seconds < ANSWER_SECONDS_MAX
    server = embedded.start_redis(folder, port=server.port)
    try:
        after = await house.take(CONFIRMED)  # over a new connection, without its script
        assert after.text.startswith("CAPP000001 started")
        assert len(house.payments.confirmed) == 1
    finally:
        await redis.aclose()
        server.stop()
        embedded.remove(folder)


async def test_an_emptied_redis_costs_a_caller_nothing_before_the_pin(
    house: House, admin: TickPipeline
) -> None:
    await house.press("1", PAYEE)
    await admin.execute("FLUSHALL")
    replayed = await house.take(f"1*{PAYEE}*1000")
    assert not replayed.ends
    assert "Total KES 1,010" in replayed.text
    assert "PIN" in (await house.take(f"1*{PAYEE}*1000*1")).text


async def test_an_emptied_redis_never_takes_a_pin_for_a_fresh_start(
    house: House, admin: TickPipeline
) -> None:
    await house.press(*TO_PIN)
    await admin.execute("FLUSHALL")
    reply = await house.take(CONFIRMED)
    assert reply.ends
    assert reply.text.startswith(LOST)
    assert house.payments.confirmed == {}


async def test_a_full_redis_refuses_politely_and_still_tells_of_the_payment(
    house: House, admin: TickPipeline
) -> None:
    await house.press(*TO_PIN)
    await admin.execute("CONFIG", "SET", "maxmemory", 1)
    refused, _ = await timed(house, "", "new")
    assert refused.text.startswith(SORRY)
    last, _ = await timed(house, CONFIRMED)
    assert last.text.startswith("CAPP000001 started")
    assert await house.take(CONFIRMED) == last
    assert len(house.payments.confirmed) == 1


async def test_an_evicted_session_goes_on_where_nothing_is_at_stake(
    house: House, admin: TickPipeline
) -> None:
    await house.press("1", PAYEE)
    await _evict(admin)
    assert await admin.execute("GET", key_of(1, PAYER, "s1")) is None
    assert "Total KES 1,010" in (await house.take(f"1*{PAYEE}*1000")).text


async def _evict(admin: TickPipeline) -> None:
    """Fill a small Redis until the oldest are gone."""
    used = (await admin.execute("INFO", "memory")).split(b"\r\n")
    bytes_used = next(int(line[12:]) for line in used if line.startswith(b"used_memory:"))
    await admin.execute("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    await admin.execute("CONFIG", "SET", "maxmemory", bytes_used + 300_000)
    await asyncio.sleep(0.05)
    for _ in range(20):
        await asyncio.gather(
            *(admin.execute("SET", f"filler{n}", b"x" * 4_000, "EX", 60) for n in range(200))
        )


async def test_a_pointer_to_a_session_that_is_gone_leads_nowhere(
    house: House, admin: TickPipeline
) -> None:
    await house.press(*TO_PIN)
    assert await admin.execute("DEL", key_of(1, PAYER, "s1")) == 1
    assert await admin.execute("GET", pointer_of(1, PAYER)) == b"s1"
    assert (await house.take("", "s2")).text.startswith("CAPP\n1. Send money")

"""Sliding windows on a real Redis, by several processes' connections at once."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from channels.settings import read_settings
from channels.web.limits import (
    REMEMBERED_MAX,
    SLOTS,
    Admitted,
    Limit,
    Limits,
    Room,
    open_limits,
)
from engine.session.pipeline import TickPipeline, open_pipeline
from simulator import embedded
from tests.unit.channels.test_settings import GOOD

KEY = b"k" * 16
SHORT = Limit("short", 5, 1)
"""Over before a busy machine has done much: what is to be met in it is counted in a `MINUTE`."""
MINUTE = Limit("minute", 5, 60)
LONG = Limit("long", 40, 3600)


@pytest.fixture
async def limits(redis_url: str) -> AsyncIterator[Limits]:
    pipeline = open_pipeline(redis_url, timeout_seconds=30)
    yield Limits(pipeline, key=KEY)
    await pipeline.aclose()


async def test_a_thousand_at_once_by_two_processes_let_in_exactly_the_limit(
    redis_url: str,
) -> None:
    pipelines = [open_pipeline(redis_url, timeout_seconds=30) for _ in range(2)]
    each = [Limits(pipeline, key=KEY) for pipeline in pipelines]
    answers = await asyncio.gather(*(each[n % 2].admit({LONG: "one caller"}) for n in range(1000)))
    for pipeline in pipelines:
        await pipeline.aclose()
    assert sum(answer.is_in for answer in answers) == LONG.most
    assert {room.left for answer in answers if not answer.is_in for room in answer.rooms} == {0}


async def test_no_stretch_as_long_as_the_window_sees_more_than_the_limit(limits: Limits) -> None:
    loop = asyncio.get_running_loop()
    let_in: list[tuple[float, float]] = []  # between these two moments
    until = loop.time() + 3.2
    async with asyncio.timeout(120):
        while loop.time() < until or len(let_in) <= 2 * SHORT.most:  # it does let people in again
            before = loop.time()
            if (await limits.admit({SHORT: "caller"})).is_in:
                let_in.append((before, loop.time()))
            await asyncio.sleep(0.01)
    for number, (at, _) in enumerate(let_in):
        inside = [later for _, later in let_in[number:] if later < at + SHORT.seconds]
        assert len(inside) <= SHORT.most


async def test_callers_and_limits_are_told_apart(limits: Limits) -> None:
    for _ in range(MINUTE.most):
        assert (await limits.admit({MINUTE: "a"})).is_in
    refused = await limits.admit({MINUTE: "a", LONG: "a"})
    assert not refused.is_in
    assert [room.left for room in refused.rooms] == [0, LONG.most]
    assert 1 <= refused.retry_after_seconds <= MINUTE.seconds + MINUTE.seconds // SLOTS
    assert (await limits.admit({MINUTE: "b"})).is_in
    other = await limits.admit({LONG: "a"})
    assert other.rooms[0].left == LONG.most - 1  # who was refused by one was counted by none


async def test_who_has_used_all_of_a_long_window_is_told_to_stay_away_so_long(
    limits: Limits,
) -> None:
    """Who is told a second comes again each second: by Redis' clock and by a process's own."""
    away = open_pipeline("redis://127.0.0.1:1", timeout_seconds=0.2)
    for counting in (limits, Limits(away, key=KEY, monotonic=lambda: 7_300.0)):
        assert (await counting.admit({LONG: "a"}, cost=LONG.most)).is_in
        refused = await counting.admit({LONG: "a"})
        (room,) = refused.rooms
        assert (refused.is_in, room.left) == (False, 0)
        assert refused.retry_after_seconds == room.reset_seconds
        assert LONG.seconds * 0.9 < room.reset_seconds <= LONG.seconds + LONG.seconds // SLOTS
    await away.aclose()


async def test_what_is_older_than_the_window_counts_no_more_and_the_oldest_says_when_there_is_room(
    limits: Limits, redis_url: str
) -> None:
    slot_seconds, key = LONG.seconds // SLOTS, limits._key_of(LONG, "a")
    redis: Redis = Redis.from_url(redis_url)

    async def slot() -> int:
        return int((await redis.time())[0] // slot_seconds)

    now = -1
    while now != await slot():  # the next one began meanwhile: once more
        now = await slot()
        counts = {now - SLOTS - 1: 1000, now - SLOTS: LONG.most - 4, now - 1: 1, now: 1}
        await redis.delete(key)
        await redis.hset(key, mapping={str(at): count for at, count in counts.items()})
        (room,) = (await limits.admit({LONG: "a"})).rooms
        kept = {int(at): int(count) for at, count in (await redis.hgetall(key)).items()}
    assert (room.left, 1 <= room.reset_seconds <= slot_seconds) == (1, True)
    assert kept == {now - SLOTS: LONG.most - 4, now - 1: 1, now: 2}
    await redis.aclose()


async def test_what_costs_more_than_is_left_is_refused_and_counted_nowhere(limits: Limits) -> None:
    assert not (await limits.admit({LONG: "a"}, cost=LONG.most + 1)).is_in
    assert (await limits.admit({LONG: "a"}, cost=LONG.most - 1)).is_in
    refused = await limits.admit({LONG: "a"}, cost=2)
    assert (refused.is_in, refused.rooms[0].left) == (False, 1)
    assert (await limits.admit({LONG: "a"}, cost=1)).is_in


async def test_of_who_comes_no_more_is_remembered_than_is_bounded(limits: Limits) -> None:
    away = open_pipeline("redis://127.0.0.1:1", timeout_seconds=0.2)
    alone = Limits(away, key=KEY, monotonic=lambda: 1000.0)
    many = range(REMEMBERED_MAX + 1)
    limits._keys.update({("short", str(number)): "" for number in many})
    alone._alone._counted.update({(str(number), 0): 1 for number in many})
    for counting in (limits, alone):
        await counting.admit({SHORT: "one more"})
    assert (len(limits._keys), len(alone._alone._counted)) == (1, 1)
    await away.aclose()


async def test_looking_counts_nothing(limits: Limits) -> None:
    for _ in range(3):
        assert (await limits.admit({LONG: "x"}, cost=0)).rooms[0].left == LONG.most
    for _ in range(LONG.most):
        await limits.admit({LONG: "x"})
    assert not (await limits.admit({LONG: "x"}, cost=0)).is_in


async def test_tenants_that_share_a_key_take_no_room_of_each_other(redis_url: str) -> None:
    for tenant in ("1", "2"):
        settings = read_settings({**GOOD, "REDIS_URL": redis_url, "CAPP_TENANT": tenant})
        async with open_limits(settings) as own:
            answers = [await own.admit({LONG: "192.0.2.7"}) for _ in range(LONG.most)]
        assert [answer.rooms[0].left for answer in answers] == [*reversed(range(LONG.most))]


async def test_redis_keeps_nobodys_name_and_forgets(limits: Limits, redis_url: str) -> None:
    await limits.admit({SHORT: "192.0.2.7"})
    redis: Redis = Redis.from_url(redis_url)
    (key,) = await redis.keys("capp:limit:*")
    assert b"192.0.2.7" not in key
    assert 0 < await redis.pttl(key) <= 2 * SHORT.seconds * 1000
    await redis.aclose()


async def test_without_redis_each_process_counts_alone(redis_server: embedded.Server) -> None:
    now = 1000.0
    away = open_pipeline("redis://127.0.0.1:1", timeout_seconds=0.2)
    assert isinstance(away, TickPipeline)
    limits = Limits(away, key=KEY, monotonic=lambda: now)
    answers = [await limits.admit({SHORT: "a"}) for _ in range(SHORT.most + 2)]
    assert [answer.is_in for answer in answers] == [True] * SHORT.most + [False] * 2
    assert (await limits.admit({SHORT: "b"})).is_in
    assert not (await limits.admit({SHORT: "a"}, cost=0)).is_in
    now += SHORT.seconds
    assert (await limits.admit({SHORT: "a"})).is_in
    await away.aclose()


def test_headers_are_as_the_draft_writes_them() -> None:
    admitted = Admitted(False, (Room(SHORT, -1, 1), Room(LONG, 12, 90)))
    assert admitted.headers() == {
        "ratelimit-policy": '"short";q=5;w=1, "long";q=40;w=3600',
        "ratelimit": '"short";r=0;t=1, "long";r=12;t=90',
    }
    assert admitted.retry_after_seconds == 1


async def test_of_several_at_once_all_are_counted_or_none(limits: Limits) -> None:
    both = ({MINUTE: "door"}, 1), ({LONG: "own"}, 1)
    first, second = await limits.admit_all(*both)
    assert (first.rooms[0].left, second.rooms[0].left) == (MINUTE.most - 1, LONG.most - 1)
    for _ in range(MINUTE.most - 1):
        await limits.admit_all(*both)
    refused, has_room = await limits.admit_all(*both)
    assert (refused.is_in, has_room.is_in) == (False, True)  # who is told which one it was
    assert has_room.rooms[0].left == LONG.most - MINUTE.most  # not counted by that refusal


async def test_what_is_only_asked_stops_the_others_and_is_not_counted(limits: Limits) -> None:
    for _ in range(MINUTE.most):
        asked, counted = await limits.admit_all(({MINUTE: "tries"}, 0), ({LONG: "own"}, 1))
        assert asked.is_in
        assert asked.rooms[0].left == MINUTE.most
        await limits.admit({MINUTE: "other"})
    for _ in range(MINUTE.most):
        await limits.admit({MINUTE: "tries"})
    asked, counted = await limits.admit_all(({MINUTE: "tries"}, 0), ({LONG: "own"}, 1))
    assert (asked.is_in, counted.rooms[0].left) == (False, LONG.most - MINUTE.most)


async def test_without_redis_several_at_once_are_counted_alike() -> None:
    away = open_pipeline("redis://127.0.0.1:1", timeout_seconds=0.2)
    limits = Limits(away, key=KEY, monotonic=lambda: 1000.0)
    for _ in range(SHORT.most):
        await limits.admit_all(({SHORT: "door"}, 1), ({LONG: "own"}, 1))
    refused, has_room = await limits.admit_all(({SHORT: "door"}, 1), ({LONG: "own"}, 1))
    assert (refused.is_in, has_room.is_in) == (False, True)
    assert has_room.rooms[0].left == LONG.most - SHORT.most
    await away.aclose()

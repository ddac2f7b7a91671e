"""How often somebody may come: sliding windows in Redis, the same for all processes at once.

It knows no door. A window is counted in 60 slots and the oldest, half-forgotten one counts whole:
in no stretch as long as the window are more let in than the limit says, however many processes
let them in. While Redis is away each process counts by itself, so a limit is then per process.
"""

import hashlib
import logging
import math
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, NamedTuple, Protocol

from redis.exceptions import NoScriptError, RedisError

from channels.settings import Settings
from engine.session.pipeline import open_pipeline

log = logging.getLogger(__name__)

SLOTS: Final = 60
REMEMBERED_MAX: Final = 10_000
"""How many callers a process counts by itself while Redis is away; then it forgets all of them."""

# KEYS: one window each. ARGV: the caller's cost, then for each window its limit and its length in
# milliseconds. Nothing is counted unless all windows have room. Redis' own clock is asked, so that
# processes need not agree on the time. Answers for each window: what is left, and in how many
# milliseconds there is more; first whether the caller may come in.
_ADMIT: Final = b"""
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local cost, may, answer = tonumber(ARGV[1]), 1, {}
for i, key in ipairs(KEYS) do
  local most, length = tonumber(ARGV[2 * i]), tonumber(ARGV[2 * i + 1])
  local slot = math.floor(now * %d / length)
  local sum, oldest, counts = 0, nil, redis.call('HGETALL', key)
  for j = 1, #counts, 2 do
    local at = tonumber(counts[j])
    if at < slot - %d then redis.call('HDEL', key, counts[j])
    else
      sum = sum + tonumber(counts[j + 1])
      if not oldest or at < oldest then oldest = at end
    end
  end
  if sum + cost > most then may = 0 end
  local wait = length
  if oldest then wait = math.ceil((oldest + %d + 1) * length / %d) - now end
  answer[2 * i] = most - sum
  answer[2 * i + 1] = wait
end
answer[1] = may
if may == 1 and cost > 0 then
  for i, key in ipairs(KEYS) do
    local length = tonumber(ARGV[2 * i + 1])
    redis.call('HINCRBY', key, string.format('%%d', math.floor(now * %d / length)), cost)
    redis.call('PEXPIRE', key, 2 * length)
    answer[2 * i] = answer[2 * i] - cost
  end
end
return answer
""" % (SLOTS, SLOTS, SLOTS, SLOTS, SLOTS)  # fmt: skip
_SHA: Final = hashlib.sha1(_ADMIT, usedforsecurity=False).hexdigest()


class Limit(NamedTuple):
    """So many in so many seconds. `name` is a token of RFC 9651: it stands in headers and keys."""

    name: str
    most: int
    seconds: int


class Room(NamedTuple):
    """What one limit has left for a caller, and in how many seconds there is more."""

    limit: Limit
    left: int
    reset_seconds: int


class Admitted(NamedTuple):
    """The answer to one caller. `is_in`: they may; then they were counted by every limit."""

    is_in: bool
    rooms: tuple[Room, ...]

    @property
    def retry_after_seconds(self) -> int:
        """How long to stay away, at the least; 0 for who was let in."""
        if self.is_in:
            return 0
        return max((room.reset_seconds for room in self.rooms if room.left <= 0), default=1)

    def headers(self) -> dict[str, str]:
        """`RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-10)."""
        policies = (f'"{r.limit.name}";q={r.limit.most};w={r.limit.seconds}' for r in self.rooms)
        rooms = (f'"{r.limit.name}";r={max(0, r.left)};t={r.reset_seconds}' for r in self.rooms)
        return {"ratelimit-policy": ", ".join(policies), "ratelimit": ", ".join(rooms)}


class Redis(Protocol):
    """`engine.session.pipeline.TickPipeline`."""

    def execute(self, *command: bytes | str | int | float) -> Any: ...


class Limits:
    """Counts callers. A caller is known by what they are told apart by: a key, an address."""

    def __init__(
        self, redis: Redis, *, key: bytes, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """`key` (16 bytes or more) hides in Redis who a window belongs to."""
        self._redis = redis
        self._key = key
        self._alone = _Alone(monotonic)

    async def admit(self, callers: Mapping[Limit, str], *, cost: int = 1) -> Admitted:
        """Count a caller by every limit, or, when one of them is reached, by none.

        With `cost` 0 nothing is counted: it only tells whether there is room for one more. An
        answer of Redis that is lost may count a caller twice. Raises nothing.
        """
        limits = tuple(callers)
        keys = [self._key_of(limit, callers[limit]) for limit in limits]
        numbers: list[int] = []
        for limit in limits:
            numbers += (limit.most, limit.seconds * 1000)
        try:
            told = await self._ask(keys, cost, numbers)
        except RedisError as error:
            log.warning("limits are counted by each process alone: %s", type(error).__name__)
            return self._alone.admit(limits, keys, cost)
        rooms = tuple(
            Room(limit, told[2 * n + 1], max(1, math.ceil(told[2 * n + 2] / 1000)))
            for n, limit in enumerate(limits)
        )
        is_in = bool(told[0]) if cost else all(room.left > 0 for room in rooms)
        return Admitted(is_in, rooms)

    async def ping(self) -> None:
        """Raises redis' `RedisError` while it does not answer."""
        await self._redis.execute("PING")

    async def _ask(self, keys: Sequence[str], cost: int, numbers: Sequence[int]) -> list[int]:
        arguments: list[str | int] = [len(keys), *keys, cost, *numbers]
        try:
            told: list[int] = await self._redis.execute("EVALSHA", _SHA, *arguments)
        except NoScriptError:
            told = await self._redis.execute("EVAL", _ADMIT, *arguments)
        return told

    def _key_of(self, limit: Limit, caller: str) -> str:
        """All windows lie in one slot of a cluster; there are few doors that are limited so."""
        told = hashlib.blake2b(caller.encode(), key=self._key, digest_size=12).hexdigest()
        return f"capp:limit:{{limits}}:{limit.name}:{told}"


@asynccontextmanager
async def open_limits(settings: Settings) -> AsyncIterator[Limits]:
    """With a way to Redis of its own. Opens nothing before somebody comes."""
    redis = open_pipeline(settings.redis_url)
    try:
        yield Limits(redis, key=_key_of_tenant(settings))
    finally:
        await redis.aclose()


def _key_of_tenant(settings: Settings) -> bytes:
    """Callers of one tenant take no room of another's, also where both have the same key."""
    tenant = settings.tenant.to_bytes(8, "big")
    return hashlib.blake2b(tenant, key=settings.session_key[:64], digest_size=32).digest()


class _Alone:
    """Counts in this process, in windows that begin anew: coarse, for the time of an outage."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._counted: dict[tuple[str, int], int] = {}

    def admit(self, limits: Sequence[Limit], keys: Sequence[str], cost: int) -> Admitted:
        if len(self._counted) > REMEMBERED_MAX:
            self._counted.clear()
        now = self._monotonic()
        windows = [
            (key, int(now // limit.seconds)) for key, limit in zip(keys, limits, strict=True)
        ]
        lefts = [
            limit.most - self._counted.get(window, 0)
            for limit, window in zip(limits, windows, strict=True)
        ]
        is_in = all(left >= max(cost, 1) for left in lefts)
        if is_in:
            for window in windows:
                self._counted[window] = self._counted.get(window, 0) + cost
        return Admitted(
            is_in,
            tuple(
                Room(limit, left - cost * is_in, math.ceil(limit.seconds - now % limit.seconds))
                for limit, left in zip(limits, lefts, strict=True)
            ),
        )

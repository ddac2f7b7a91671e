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
from functools import cache
from typing import Any, Final, NamedTuple, Protocol

from redis.exceptions import NoScriptError, RedisError

from channels.settings import Settings
from engine.outages import nameable
from engine.session.pipeline import open_pipeline

log = logging.getLogger(__name__)

SLOTS: Final = 60
REMEMBERED_MAX: Final = 10_000
"""How many callers a process counts by itself while Redis is away, and whose keys it knows by
heart; then it forgets all of them.
"""

# KEYS: one window each. ARGV: for each window the caller's cost there, its limit and its length in
# milliseconds. Nothing is counted unless all windows have room, for one more at the least. Redis'
# own clock is asked, so that processes need not agree on the time. Answers for each window: what is
# left, and in how many milliseconds there is more; first whether the caller may come in.
_ADMIT: Final = b"""
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local may, answer = 1, {}
for i, key in ipairs(KEYS) do
  local cost, most = tonumber(ARGV[3 * i - 2]), tonumber(ARGV[3 * i - 1])
  local length = tonumber(ARGV[3 * i])
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
  if sum + math.max(cost, 1) > most then may = 0 end
  local wait = length
  if oldest then wait = math.ceil((oldest + %d + 1) * length / %d) - now end
  answer[2 * i] = most - sum
  answer[2 * i + 1] = wait
end
answer[1] = may
if may == 1 then
  for i, key in ipairs(KEYS) do
    local cost, length = tonumber(ARGV[3 * i - 2]), tonumber(ARGV[3 * i])
    if cost > 0 then
      redis.call('HINCRBY', key, string.format('%%d', math.floor(now * %d / length)), cost)
      redis.call('PEXPIRE', key, 2 * length)
      answer[2 * i] = answer[2 * i] - cost
    end
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
        rooms = [
            f'"{limit.name}";r={left if left > 0 else 0};t={reset_seconds}'
            for limit, left, reset_seconds in self.rooms
        ]
        policies = [_policy_of(room.limit) for room in self.rooms]
        return {"ratelimit-policy": ", ".join(policies), "ratelimit": ", ".join(rooms)}


@cache
def _policy_of(limit: Limit) -> str:
    return f'"{limit.name}";q={limit.most};w={limit.seconds}'


Asked = tuple[Mapping[Limit, str], int]
"""Who comes, by each limit, and what it costs there; 0 only asks."""


class _Window(NamedTuple):
    limit: Limit
    key: str
    cost: int


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
        self._keys: dict[tuple[str, str], str] = {}

    async def admit(self, callers: Mapping[Limit, str], *, cost: int = 1) -> Admitted:
        """Count a caller by every limit, or, when one of them is reached, by none.

        With `cost` 0 nothing is counted: it only tells whether there is room for one more. An
        answer of Redis that is lost may count a caller twice. Raises nothing.
        """
        (admitted,) = await self.admit_all((callers, cost))
        return admitted

    async def admit_all(self, *asked: Asked) -> tuple[Admitted, ...]:
        """The same for several in one round trip: all of them are counted, or none is.

        One that has room is told so also when another has not.
        """
        windows = [
            _Window(limit, self._key_of(limit, caller), cost)
            for callers, cost in asked
            for limit, caller in callers.items()
        ]
        try:
            told = await self._ask(windows)
            is_in, lefts, waits = told[0] == 1, told[1::2], told[2::2]
            rooms = [
                # Rounded up: whoever came a moment too early would be refused again.
                Room(window[0], left, -(-wait // 1000) or 1)
                for window, left, wait in zip(windows, lefts, waits, strict=True)
            ]
        except RedisError as error:
            log.warning("limits are counted by each process alone: %s", nameable(error))
            is_in, rooms = self._alone.admit(windows)
        answers, first = [], 0
        for callers, cost in asked:
            own = tuple(rooms[first : first + len(callers)])
            first += len(own)
            has_room = is_in or all(room.left >= max(cost, 1) for room in own)
            answers.append(Admitted(has_room, own))
        return tuple(answers)

    async def ping(self) -> None:
        """Raises redis' `RedisError` while it does not answer, or keeps nothing: a full one and a
        replica answer all the same.
        """
        await self._redis.execute("SET", "capp:limit:{limits}:ping", "1", "EX", "5")

    async def _ask(self, windows: "Sequence[_Window]") -> list[int]:
        arguments: list[str | int] = [len(windows), *(window.key for window in windows)]
        for limit, _, cost in windows:
            arguments += (cost, limit.most, limit.seconds * 1000)
        try:
            told: list[int] = await self._redis.execute("EVALSHA", _SHA, *arguments)
        except NoScriptError:
            told = await self._redis.execute("EVAL", _ADMIT, *arguments)
        return told

    def _key_of(self, limit: Limit, caller: str) -> str:
        """All windows lie in one slot of a cluster; there are few doors that are limited so."""
        key = self._keys.get((limit.name, caller))
        if key is None:
            told = hashlib.blake2b(caller.encode(), key=self._key, digest_size=12).hexdigest()
            key = f"capp:limit:{{limits}}:{limit.name}:{told}"
            if len(self._keys) >= REMEMBERED_MAX:
                self._keys.clear()
            self._keys[limit.name, caller] = key
        return key


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
    return hashlib.blake2b(tenant, key=settings.session_keys[0][:64], digest_size=32).digest()


class _Alone:
    """Counts in this process, in windows that begin anew: coarse, for the time of an outage."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._counted: dict[tuple[str, int], int] = {}

    def admit(self, windows: "Sequence[_Window]") -> tuple[bool, list[Room]]:
        """Whether all of them have room, and what each has left."""
        if len(self._counted) > REMEMBERED_MAX:
            self._counted.clear()
        now = self._monotonic()
        slots = [(window.key, int(now // window.limit.seconds)) for window in windows]
        lefts = [
            w.limit.most - self._counted.get(s, 0) for w, s in zip(windows, slots, strict=True)
        ]
        is_in = all(left >= max(w.cost, 1) for w, left in zip(windows, lefts, strict=True))
        if is_in:
            for window, slot in zip(windows, slots, strict=True):
                self._counted[slot] = self._counted.get(slot, 0) + window.cost
        return is_in, [
            Room(w.limit, left - w.cost * is_in, math.ceil(w.limit.seconds - now % w.limit.seconds))
            for w, left in zip(windows, lefts, strict=True)
        ]

"""Sessions in Redis: one GET and one conditional save a turn. Only this file knows the keys."""

import hashlib
from collections.abc import Awaitable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Protocol

from redis.exceptions import NoScriptError, RedisError

from engine.msisdn import Msisdn
from engine.session.sealing import RecordSeal
from engine.session.session import head_of

# Keeps the record when nobody else saved meanwhile, else answers what they saved. The same bytes
# again are no conflict, so a save whose reply was lost may be repeated. A record that vanished
# since it was loaded (evicted, flushed) is no competitor either. The second key is the phone's
# last session: the next dial asks what became of it.
_SAVE = b"""
local now = redis.call('GET', KEYS[1])
if now and now ~= ARGV[2]
  and (ARGV[1] == '' or string.sub(now, 1, #ARGV[1]) ~= ARGV[1]) then
  return now
end
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
if ARGV[4] == 'point' then
  redis.call('SET', KEYS[2], ARGV[5], 'EX', ARGV[3])
elseif ARGV[4] == 'prolong' then
  redis.call('EXPIRE', KEYS[2], ARGV[3])
elseif ARGV[4] == 'clear' and redis.call('GET', KEYS[2]) == ARGV[5] then
  redis.call('DEL', KEYS[2])
end
return false
"""
_SAVE_SHA = hashlib.sha1(_SAVE, usedforsecurity=False).hexdigest()


class StoreDown(Exception):
    """Redis did not answer in time. A save that raised this may have been done."""


class Pointer(StrEnum):
    """What a save does to the phone's last session."""

    POINT = "point"  # this is it
    PROLONG = "prolong"  # it is still this one
    CLEAR = "clear"  # it ended, and nothing of it is of interest to the next dial


class Pipeline(Protocol):
    """Redis, as far as sessions need it."""

    def execute(self, *command: bytes | str | int | float) -> Awaitable[Any]:
        """Run one command that bears to be run twice. Raises a RedisError."""
        ...


class Records(Protocol):
    """Where sessions live between two turns, by phone and session id."""

    async def load(self, msisdn: Msisdn, session_id: str) -> bytes | None:
        """Raises StoreDown."""
        ...

    async def last(self, msisdn: Msisdn) -> bytes | None:
        """The record of the phone's last session, if it left something. Raises StoreDown."""
        ...

    async def save(
        self,
        msisdn: Msisdn,
        session_id: str,
        *,
        expected: bytes,
        record: bytes,
        ttl_seconds: int,
        pointer: Pointer,
    ) -> bytes | None:
        """Keep `record` if the stored one still begins with `expected` (empty: there is none).

        None when it was kept, also when exactly these bytes were there already; else the record
        that somebody else saved. Raises StoreDown.
        """
        ...


class SessionStore:
    """`Records` of one tenant in Redis, which all tenants of an installation share.

    What lies there is sealed. Of a record that we did not close only the head is told: nobody can
    read it, and whoever begins anew under its key can save over it.
    """

    def __init__(self, redis: Pipeline, tenant: int, seal: RecordSeal) -> None:
        self._redis = redis
        self._tenant = tenant
        self._seal = seal

    async def load(self, msisdn: Msisdn, session_id: str) -> bytes | None:
        try:
            key = key_of(self._tenant, msisdn, session_id)
            closed: bytes | None = await self._redis.execute("GET", key)
        except RedisError as error:
            raise StoreDown from error
        return None if closed is None else self._open(key, closed)

    async def last(self, msisdn: Msisdn) -> bytes | None:
        try:
            key = pointer_of(self._tenant, msisdn)
            session_id: bytes | None = await self._redis.execute("GET", key)
        except RedisError as error:
            raise StoreDown from error
        return None if session_id is None else await self.load(msisdn, session_id.decode())

    async def kept(self, msisdn: Msisdn, session_ids: Sequence[str]) -> Mapping[str, bytes]:
        """The records of the phone's last session and of those named, by id, as far as kept.

        Reads only, one key a session: never a scan of all. Raises StoreDown.
        """
        try:
            key = pointer_of(self._tenant, msisdn)
            last: bytes | None = await self._redis.execute("GET", key)
        except RedisError as error:
            raise StoreDown from error
        wanted = dict.fromkeys([*session_ids, *([] if last is None else [last.decode()])])
        found = {one: await self.load(msisdn, one) for one in wanted}
        return {one: record for one, record in found.items() if record is not None}

    async def save(
        self,
        msisdn: Msisdn,
        session_id: str,
        *,
        expected: bytes,
        record: bytes,
        ttl_seconds: int,
        pointer: Pointer,
    ) -> bytes | None:
        key, last = key_of(self._tenant, msisdn, session_id), pointer_of(self._tenant, msisdn)
        closed = self._seal.close(key, record)
        arguments = (2, key, last, expected, closed, ttl_seconds, pointer, session_id)
        try:
            other: bytes | None
            try:
                other = await self._redis.execute("EVALSHA", _SAVE_SHA, *arguments)
            except NoScriptError:  # Redis was restarted, or this is its first save
                other = await self._redis.execute("EVAL", _SAVE, *arguments)
        except RedisError as error:
            raise StoreDown from error
        return None if other is None else self._open(key, other)

    def _open(self, key: str, closed: bytes) -> bytes:
        record = self._seal.open(key, closed)
        return head_of(closed) if record is None else record


def key_of(tenant: int, msisdn: Msisdn, session_id: str) -> str:
    """The tag in braces puts all keys of one phone into one slot of a cluster.

    Tenant and number are part of the key, so a session id binds to the phone that opened it, and to
    whom it dialled: another phone that names it finds nothing, nor does the same phone elsewhere.
    """
    return f"capp:session:{{{tenant}:{msisdn}}}:{session_id}"


def pointer_of(tenant: int, msisdn: Msisdn) -> str:
    """Where the id of a phone's last session stands, in the slot of the session itself."""
    return f"capp:last:{{{tenant}:{msisdn}}}"

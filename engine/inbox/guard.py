"""Who may be heard: each message once, one of a phone at a time, no echo within seconds, no
machine for ever. In Redis.

One script per message decides for all processes at once, and is itself safe to run twice: Redis is
asked again when a reply is lost. What it keeps of a text is a keyed MAC, because the text may be a
PIN. That Redis forgets is provided for: `store.py` knows for two days what is done with.
"""

import hashlib
from enum import IntEnum
from typing import Any, Protocol

from engine.msisdn import Msisdn

LEASE_SECONDS = 30
"""How long one process has for one message, and the phone's next ones wait for it; then it may be
offered to us again."""
ECHO_SECONDS = 4
MINUTE_MAX = 12
DAY_MAX = 120
"""Messages of one phone that are answered; beyond, two machines would talk for ever."""

# KEYS lease, echo, minute, day, claim of the phone; ARGV token, lease s, echo s, minute max, day
# max.
# A message that was counted already, because the reply to this script was lost, is not again.
_ADMIT = b"""
local held = redis.call('GET', KEYS[1])
if held == ARGV[1] then return 0 end
if held then return 1 end
if redis.call('EXISTS', KEYS[2]) == 1 then return 2 end
if tonumber(redis.call('GET', KEYS[3]) or '0') >= tonumber(ARGV[4])
  or tonumber(redis.call('GET', KEYS[4]) or '0') >= tonumber(ARGV[5]) then return 3 end
if redis.call('EXISTS', KEYS[5]) == 1 then return 4 end
redis.call('SET', KEYS[5], ARGV[1], 'EX', ARGV[2])
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
redis.call('SET', KEYS[2], ARGV[1], 'EX', ARGV[3])
if redis.call('INCR', KEYS[3]) == 1 then redis.call('EXPIRE', KEYS[3], 60) end
if redis.call('INCR', KEYS[4]) == 1 then redis.call('EXPIRE', KEYS[4], 86400) end
return 0
"""
# KEYS what may hold the token; ARGV the token.
_FREE = b"""
for _, key in ipairs(KEYS) do
  if redis.call('GET', key) == ARGV[1] then redis.call('DEL', key) end
end
return 0
"""
_MAC_BYTES = 16


class Redis(Protocol):
    """`engine.session.pipeline.TickPipeline`."""

    def execute(self, *command: bytes | str | int | float) -> Any: ...


class Admission(IntEnum):
    """What the guard says to a message."""

    WELCOME = 0
    IN_WORK = 1  # somebody is at it: to be offered again later
    ECHO = 2  # the same words within seconds under another id
    TOO_MANY = 3
    BUSY = 4  # another message of this phone is being carried out: this one is next


class Guard:
    """Every method raises redis' `RedisError` when Redis does not answer."""

    def __init__(self, redis: Redis, tenant: int, key: bytes) -> None:
        """`key` makes the MACs: 16 bytes or more."""
        self._redis = redis
        self._tenant = tenant
        self._key = key

    async def admit(
        self, msisdn: Msisdn, text: str, *, gateway: str, message_id: str, token: str
    ) -> Admission:
        """Whether this process shall carry a message out; `token` is its own, fresh, claim.

        Nothing is counted of who is BUSY: they ask again. Who is WELCOME holds the phone's claim
        until `done` or `free`.
        """
        phone = phone_key(self._tenant, msisdn)
        keys = (
            lease_key(self._tenant, msisdn, gateway, message_id),
            self._echo_key(msisdn, text),
            f"{phone}:minute",
            f"{phone}:day",
            _claim_key(self._tenant, msisdn),
        )
        answer = await self._redis.execute(
            "EVAL", _ADMIT, len(keys), *keys, token, LEASE_SECONDS, ECHO_SECONDS, MINUTE_MAX,
            DAY_MAX,
        )  # fmt: skip
        return Admission(answer)

    async def free(
        self, msisdn: Msisdn, text: str, *, gateway: str, message_id: str, token: str
    ) -> None:
        """Give a claim back: the message was not carried out, the next offer may be.

        So may the same words under another id: they are no echo of what nobody answered.
        """
        keys = (
            lease_key(self._tenant, msisdn, gateway, message_id),
            self._echo_key(msisdn, text),
            _claim_key(self._tenant, msisdn),
        )
        await self._redis.execute("EVAL", _FREE, len(keys), *keys, token)

    async def done(self, msisdn: Msisdn, *, token: str) -> None:
        """The message was carried out: the phone's next one may be."""
        await self._redis.execute("EVAL", _FREE, 1, _claim_key(self._tenant, msisdn), token)

    def _echo_key(self, msisdn: Msisdn, text: str) -> str:
        return f"{phone_key(self._tenant, msisdn)}:echo:{self._mac(text)}"

    def _mac(self, text: str) -> str:
        folded = " ".join(text.split()).casefold().encode("utf-8", "surrogatepass")
        return hashlib.blake2b(folded, key=self._key, digest_size=_MAC_BYTES).hexdigest()


def lease_key(tenant: int, msisdn: Msisdn, gateway: str, message_id: str) -> str:
    """Where it stands who is at work on a message."""
    return f"{phone_key(tenant, msisdn)}:lease:{gateway}:{message_id}"


def _claim_key(tenant: int, msisdn: Msisdn) -> str:
    """Where it stands which process has a message of this phone in its hands."""
    return f"{phone_key(tenant, msisdn)}:claim"


def phone_key(tenant: int, msisdn: Msisdn) -> str:
    """What every key of one phone's SMS begins with.

    The tag in braces keeps them in one slot of a cluster.
    """
    return f"capp:sms:{{{tenant}:{msisdn}}}"

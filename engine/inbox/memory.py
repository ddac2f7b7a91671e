"""What is kept of a dialogue by SMS between two messages: a price to confirm, a journey. In Redis.

Never what somebody wrote. With a price, and no longer, the name that an operator told of its payee.
All of it may be lost: then a price is asked for again. Whether one was paid, the books alone know.
A price is sealed, for a YES to it is all that moves the money.
"""

from typing import Any

import msgspec

from engine.fx.quotes import Quote
from engine.inbox.guard import Redis, phone_key
from engine.msisdn import Msisdn
from engine.session.sealing import RecordSeal

JOURNEY_SECONDS = 600
"""How long a journey waits for the next reply; people take their time over an SMS."""
AGREED_SECONDS = 12 * 3600
"""Gateways repeat a message for half a day."""


class Memory:
    """Every method raises redis' `RedisError` when Redis does not answer, and may be repeated."""

    def __init__(self, redis: Redis, tenant: int, seal: RecordSeal) -> None:
        self._redis = redis
        self._tenant = tenant
        self._seal = seal

    async def keep_quote(self, msisdn: Msisdn, quote: Quote, seconds: int) -> None:
        """The newest price of a phone takes the place of the one before."""
        await self._keep(self._quote_key(msisdn), quote, max(seconds, 1))

    async def quote(self, msisdn: Msisdn) -> Quote | None:
        """The newest price of a phone: it waits for YES, or was agreed to within half a day.

        None also for a record this version of the program cannot read, or that is not ours.
        """
        return await self._read(self._quote_key(msisdn))

    async def forget_quote(self, msisdn: Msisdn) -> None:
        await self._redis.execute("DEL", self._quote_key(msisdn))

    async def keep_told(self, msisdn: Msisdn, quote: Quote, name: str, seconds: int) -> None:
        """What an operator named the payee of a price, for as long as somebody may agree to it."""
        key = self._told_key(msisdn, quote)
        record = self._seal.close(key, name.encode("utf-8", "replace"))
        await self._redis.execute("SET", key, record, "EX", max(seconds, 1))

    async def told(self, msisdn: Msisdn, quote: Quote) -> str:
        """The payee's name as it was told with a price; "" when it was not, or is kept no more."""
        key = self._told_key(msisdn, quote)
        closed = await self._redis.execute("GET", key)
        record = None if closed is None else self._seal.open(key, closed)
        return "" if record is None else record.decode()

    async def is_overtaken(self, msisdn: Msisdn, message: str) -> bool:
        """Whether this order came before, and another one since: then it is not to be priced again.

        Only while the phone's claim is held (`guard.py`).
        """
        key, newest = self._order_key(msisdn, message), self._order_key(msisdn)
        number = await self._redis.execute("GET", key)
        if number is not None:
            return int(number) < int(await self._redis.execute("GET", newest) or 0)
        number = await self._redis.execute("INCR", newest)
        await self._redis.execute("EXPIRE", newest, AGREED_SECONDS)
        await self._redis.execute("SET", key, number, "EX", AGREED_SECONDS)
        return False

    async def keep_agreed(self, msisdn: Msisdn, message: str, quote: Quote) -> None:
        """A message agrees to this price: whatever is priced since, its repeats are about this one.

        It stays the price of the phone as well, for whoever says YES or NO again.
        """
        await self.keep_quote(msisdn, quote, AGREED_SECONDS)
        await self.keep_meant(msisdn, message, quote)

    async def keep_meant(self, msisdn: Msisdn, message: str, quote: Quote) -> None:
        """A message is about this price, and so are its repeats."""
        await self._keep(self._meant_key(msisdn, message), quote, AGREED_SECONDS)

    async def meant(self, msisdn: Msisdn, message: str) -> Quote | None:
        """The price this very message was about when it came before."""
        return await self._read(self._meant_key(msisdn, message))

    async def journey(self, msisdn: Msisdn) -> str | None:
        """The id of the session this phone walks by SMS."""
        found = await self._redis.execute("GET", self._journey_key(msisdn))
        return found.decode() if found is not None else None

    async def keep_journey(self, msisdn: Msisdn, session_id: str) -> None:
        key = self._journey_key(msisdn)
        await self._redis.execute("SET", key, session_id, "EX", JOURNEY_SECONDS)

    async def forget_journey(self, msisdn: Msisdn) -> None:
        await self._redis.execute("DEL", self._journey_key(msisdn))

    async def keep_pressed(self, msisdn: Msisdn, message: str, session_id: str) -> None:
        """A message is pressed in this session, or "" in none: whatever is walked or priced since,
        its repeats are, too.
        """
        key = self._pressed_key(msisdn, message)
        await self._redis.execute("SET", key, session_id, "EX", AGREED_SECONDS)

    async def pressed(self, msisdn: Msisdn, message: str) -> str | None:
        """The id of the session this very message was pressed in when it came before, or ""."""
        found = await self._redis.execute("GET", self._pressed_key(msisdn, message))
        return found.decode() if found is not None else None

    async def _keep(self, key: str, quote: Quote, seconds: int) -> None:
        record = self._seal.close(key, msgspec.msgpack.encode(quote, enc_hook=str))
        await self._redis.execute("SET", key, record, "EX", seconds)

    async def _read(self, key: str) -> Quote | None:
        closed = await self._redis.execute("GET", key)
        record = None if closed is None else self._seal.open(key, closed)
        if record is None:
            return None
        try:
            return msgspec.msgpack.decode(record, type=Quote, dec_hook=_decode)
        except (msgspec.DecodeError, ValueError):
            return None

    def _quote_key(self, msisdn: Msisdn) -> str:
        return f"{phone_key(self._tenant, msisdn)}:quote"

    def _told_key(self, msisdn: Msisdn, quote: Quote) -> str:
        return f"{phone_key(self._tenant, msisdn)}:told:{quote.quote_id}"

    def _meant_key(self, msisdn: Msisdn, message: str) -> str:
        return f"{phone_key(self._tenant, msisdn)}:agreed:{message}"

    def _order_key(self, msisdn: Msisdn, message: str = "") -> str:
        return f"{phone_key(self._tenant, msisdn)}:order:{message}"

    def _pressed_key(self, msisdn: Msisdn, message: str) -> str:
        return f"{phone_key(self._tenant, msisdn)}:pressed:{message}"

    def _journey_key(self, msisdn: Msisdn) -> str:
        return f"{phone_key(self._tenant, msisdn)}:journey"


def _decode(kind: type, value: Any) -> Any:
    return kind(value)

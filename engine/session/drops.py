"""Where sessions end before their last screen: counted by day, network, screen and reason.

Statistics only: kept in Redis for some weeks, and a count that is lost is no loss of money.
"""

from datetime import date
from typing import NamedTuple

from redis.exceptions import RedisError

from engine.ports import EndReason
from engine.session.store import Pipeline, StoreDown

KEPT_SECONDS = 35 * 86_400
NO_SCREEN = "-"
"""The gateway did not say whose session it was, or its record is gone."""


class Ended(NamedTuple):
    """So many sessions of a network ended on a screen for a reason."""

    network: str
    screen: str
    reason: EndReason
    times: int


class Drops:
    """Counts one tenant's ends, and reads the counts of a day."""

    def __init__(self, redis: Pipeline, tenant: int) -> None:
        self._redis = redis
        self._tenant = tenant

    async def count(self, day: date, network: str, screen: str, reason: EndReason) -> None:
        """Not repeatable: a notice that comes twice counts twice. Raises StoreDown."""
        key = _key(self._tenant, day)
        try:
            field = f"{network}|{screen}|{reason.value}"
            if await self._redis.execute("HINCRBY", key, field, 1) == 1:  # perhaps a new day
                await self._redis.execute("EXPIRE", key, KEPT_SECONDS)
        except RedisError as error:
            raise StoreDown from error

    async def of_day(self, day: date) -> list[Ended]:
        """The counts of a day, the largest first. Raises StoreDown."""
        try:
            found: list[bytes] = await self._redis.execute("HGETALL", _key(self._tenant, day))
        except RedisError as error:
            raise StoreDown from error
        ended = [_read(field, count) for field, count in zip(found[::2], found[1::2], strict=True)]
        return sorted(ended, key=lambda one: (-one.times, one))


def _key(tenant: int, day: date) -> str:
    return f"capp:ends:{tenant}:{day:%Y%m%d}"


def _read(field: bytes, count: bytes) -> Ended:
    network, screen, reason = field.decode().split("|")
    return Ended(network, screen, EndReason(reason), int(count))

"""A customers' room on a real Postgres, and a clock that stands still until it is moved."""

from collections.abc import Collection
from typing import Any

from engine.clock import Clock, Ids
from engine.customers.customers import Customer
from engine.customers.pins import PinKeys
from engine.customers.store import Customers
from engine.msisdn import Msisdn

PHONE, OTHER_PHONE = Msisdn("+254712000001"), Msisdn("+254712000002")
PIN, WRONG = "4826", "9027"
OLD_KEY, NEW_KEY = b"o" * 32, b"n" * 32
LANGUAGES = ("en", "sw")


class StillClock(Clock):
    def __init__(self, epoch: float = 1_790_000_000.0) -> None:
        self.seconds = epoch

    def epoch(self) -> float:
        return self.seconds


def customers(
    pool: Any,
    clock: Clock,
    *,
    tenant: int = 1,
    keys: PinKeys | None = None,
    languages: Collection[str] = LANGUAGES,
) -> Customers:
    """Another one on the same database is another process."""
    return Customers(
        pool, tenant, keys or PinKeys({1: OLD_KEY}), Ids(clock), clock, languages=languages
    )


async def registered(house: Customers, phone: Msisdn = PHONE, pin: str = PIN) -> Customer:
    return await house.register(phone, "KE", "en", pin)

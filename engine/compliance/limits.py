"""How much a customer may send: tiers, and which local day and month a payment counts in. Pure.

The sums themselves are kept by the commit, exactly and also when payments arrive at once; here is
what it must not let them pass.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import msgspec

from engine.errors import CustomerMistake, NoWayNow
from engine.money import CURRENCIES, Money
from engine.plain_yaml import read_yaml

TIERS = (0, 1, 2)
"""0: only a number is known; 1: name and birth were taken down; 2: identity was verified."""
ZONES_FILE = Path(__file__).parent / "zones.yaml"
_DAY = timedelta(days=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC).date()


class Ceiling(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one tier may send in one currency, in minor units before the fee."""

    payment_minor_max: int
    day_minor_max: int
    month_minor_max: int

    def __post_init__(self) -> None:
        if not 0 <= self.payment_minor_max <= self.day_minor_max <= self.month_minor_max:
            raise ValueError("limits must grow from payment to day to month")


class LocalTime(NamedTuple):
    """A moment on the clocks of a country: days since 1970-01-01, `yyyymm`, hour 0 to 23."""

    day: int
    month: int
    hour: int


class Allowance(msgspec.Struct, frozen=True):
    """What the commit must count for a payment, and what the sums may not pass."""

    day: int
    month: int
    minor: int
    day_minor_max: int
    month_minor_max: int


class Limits:
    """The ceilings of all tiers and currencies. Immutable."""

    def __init__(
        self, ceilings: Mapping[str, Mapping[int, Ceiling]], zones: Mapping[str, int]
    ) -> None:
        """`zones` is country -> minutes ahead of UTC. Raises ValueError naming what is wrong."""
        for currency, tiers in ceilings.items():
            if currency not in CURRENCIES:
                raise ValueError(f"limits: no such currency: {currency}")
            if tuple(sorted(tiers)) != TIERS:
                raise ValueError(f"limits: {currency} must have the tiers 0, 1 and 2")
            for lower, higher in pairwise(TIERS):
                if not _grows(tiers[lower], tiers[higher]):
                    raise ValueError(f"limits: {currency}: tier {higher} allows less than {lower}")
        self._ceilings = {currency: dict(tiers) for currency, tiers in ceilings.items()}
        self._zones = {country: timedelta(minutes=ahead) for country, ahead in zones.items()}

    def of(self, tier: int, currency: str) -> Ceiling:
        """A tier's ceiling; above the highest tier, that one's.

        Raises NoWayNow `no_way.corridor` for a currency without limits.
        """
        tiers = self._ceilings.get(currency)
        if tiers is None:
            raise NoWayNow("no_way.corridor")
        return tiers[min(max(tier, TIERS[0]), TIERS[-1])]

    def check_payment(self, tier: int, amount: Money) -> Ceiling:
        """Raises CustomerMistake `mistake.limit_payment` when one payment alone is too much."""
        ceiling = self.of(tier, amount.currency)
        if amount.minor > ceiling.payment_minor_max:
            most = Money(ceiling.payment_minor_max, amount.currency)
            raise CustomerMistake("mistake.limit_payment", maximum=most)
        return ceiling

    def local_time(self, country: str, now: datetime) -> LocalTime:
        """The country's own day, month and hour; UTC's for a country that is not listed."""
        local = now.astimezone(UTC) + self._zones.get(country, timedelta())
        return LocalTime((local.date() - _EPOCH).days, local.year * 100 + local.month, local.hour)

    def day_ends(self, country: str, moment: datetime) -> datetime:
        """When the country's own day of a moment is over."""
        ahead = self._zones.get(country, timedelta())
        local = moment.astimezone(UTC) + ahead
        return local.replace(hour=0, minute=0, second=0, microsecond=0) + _DAY - ahead

    @staticmethod
    def allowance(ceiling: Ceiling, amount: Money, when: LocalTime) -> Allowance:
        return Allowance(
            day=when.day,
            month=when.month,
            minor=amount.minor,
            day_minor_max=ceiling.day_minor_max,
            month_minor_max=ceiling.month_minor_max,
        )


def read_zones(path: Path = ZONES_FILE) -> dict[str, int]:
    """Country -> minutes ahead of UTC. Raises OSError or msgspec.ValidationError."""
    return msgspec.convert(read_yaml(path.read_text(encoding="utf-8")), dict[str, int])


def _grows(lower: Ceiling, higher: Ceiling) -> bool:
    return (
        lower.payment_minor_max <= higher.payment_minor_max
        and lower.day_minor_max <= higher.day_minor_max
        and lower.month_minor_max <= higher.month_minor_max
    )

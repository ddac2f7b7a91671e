"""What a customer has spent in a currency, and what of both limits is left. Pure."""

from typing import NamedTuple


class Spent(NamedTuple):
    """What a customer spent in one currency: on that day, in that month, in minor units."""

    day: int
    day_minor: int
    month: int
    month_minor: int


class Left(NamedTuple):
    """What a customer may still send in one currency, in minor units; the day within the month."""

    day_minor: int
    month_minor: int


def left_of(
    spent: Spent | None, *, day: int, month: int, day_minor_max: int, month_minor_max: int
) -> Left:
    """What is left of both limits on that day of that month."""
    today = spent.day_minor if spent and spent.day >= day else 0
    this_month = spent.month_minor if spent and spent.month >= month else 0
    left_month = max(month_minor_max - this_month, 0)
    return Left(min(max(day_minor_max - today, 0), left_month), left_month)

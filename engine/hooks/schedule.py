"""When a delivery is tried again, and when nobody tries any more. Pure."""

from enum import StrEnum
from typing import Final, NamedTuple


class HookTry(StrEnum):
    """What came of one try."""

    DELIVERED = "delivered"
    AGAIN = "again"  # it was not heard; another follows
    PARKED = "parked"  # nor was this one, and nobody tries any more


class Patience(NamedTuple):
    """How long we try. Each pause is as long as we have been at it already."""

    first_pause_seconds: float = 5.0
    pause_seconds_max: float = 2 * 3600.0
    jitter: float = 0.2  # a pause is longer by up to this part, so that tries do not march
    tried_seconds_max: float = 24 * 3600.0
    failing_seconds_max: float = 3 * 24 * 3600.0  # then a subscription is paused
    order_seconds: float = 15 * 60.0  # so long one event holds up later ones of its payment


USUAL: Final = Patience()


def next_try_ms(
    patience: Patience, *, begun_ms: int, now_ms: int, drawn: float, asked_seconds: float = 0.0
) -> int | None:
    """When to try again after a failure; None when it is parked instead.

    `drawn` is a number from 0 up to 1; `asked_seconds` is how long the target wants to be left
    alone, which counts up to the longest pause of ours.
    """
    tried = (now_ms - begun_ms) / 1000  # below zero by a clock that was set back
    pause = min(max(tried, patience.first_pause_seconds), patience.pause_seconds_max)
    pause = max(pause, min(asked_seconds, patience.pause_seconds_max))
    pause *= 1 + patience.jitter * drawn
    if tried + pause > patience.tried_seconds_max:
        return None
    return now_ms + int(pause * 1000)

"""When a window is closed. Pure: what waits and what time it is in, a reason out."""

from enum import StrEnum
from typing import NamedTuple

from engine.payments.settlement.rules import Window


class Cause(StrEnum):
    """Why a window was closed. The values are stored."""

    TIME = "time"
    COUNT = "count"
    EXPOSURE = "exposure"
    SINGLE = "single"  # one payment that is too large to wait
    ASKED = "asked"  # somebody said so


class Waiting(NamedTuple):
    """What waits in a corridor. `exposure_minor`: what one operator owes, in the asset."""

    payments: int
    oldest_ms: int
    exposure_minor: int


def why_close(window: Window, waiting: Waiting, now_ms: int) -> Cause | None:
    """None while it may stay open. A clock set back closes it later, never twice."""
    if waiting.payments == 0:
        return None
    if waiting.payments >= window.payments:
        return Cause.COUNT
    if waiting.exposure_minor >= window.exposure_minor:
        return Cause.EXPOSURE
    if now_ms - waiting.oldest_ms >= window.seconds * 1000:
        return Cause.TIME
    return None


REST_SECONDS_MIN = 60
REST_SECONDS_MAX = 6 * 3600


def rest_seconds(window: Window, refusals: int) -> int:
    """How long a corridor rests after so many definitive refusals in a row: twice as long each."""
    longer = window.seconds << min(max(refusals - 1, 0), 16)
    return min(max(longer, REST_SECONDS_MIN), REST_SECONDS_MAX)

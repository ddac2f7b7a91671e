"""Moments as people and programs read and write them, always UTC. Ours are epoch milliseconds."""

import re
from argparse import ArgumentTypeError
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Final

from engine.clock import Clock, moment_of

_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days"}
YEARS: Final = range(1970, 9999)
"""Ours: what lies before or after them has no time of ours, or none in every zone."""


def minute_of(at_ms: int) -> str:
    """`2026-11-21 11:25`: for tables, whose heading or foot says UTC."""
    return f"{moment_of(at_ms):%Y-%m-%d %H:%M}"


def minute_utc_of(at_ms: int) -> str:
    """`2026-11-21 11:25 UTC`: within a sentence."""
    return f"{minute_of(at_ms)} UTC"


def second_of(at_ms: int) -> str:
    """`2026-11-21 11:25:09`, likewise."""
    return f"{moment_of(at_ms):%Y-%m-%d %H:%M:%S}"


def stamp_of(at_ms: int) -> str:
    """`2026-11-21T11:25:09Z` (RFC 3339), for logs."""
    return f"{moment_of(at_ms):%Y-%m-%dT%H:%M:%SZ}"


def iso_millis_of(at_ms: int) -> str:
    """`2026-11-21T11:25:09.000+00:00` (ISO 8601), to the millisecond: as the API writes it."""
    return moment_of(at_ms).isoformat(timespec="milliseconds")


def iso_of(at_ms: int) -> str:
    """As Python writes it (ISO 8601), with as many digits as there are; for programs."""
    return moment_of(at_ms).isoformat()


def read_moment(text: str) -> datetime:
    """What somebody typed: ISO 8601, UTC unless it says otherwise. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def read_since(text: str, now: datetime) -> datetime:
    """A moment: so long ago, or an ISO time, UTC unless it says otherwise. Raises ValueError."""
    try:
        if ago := re.fullmatch(r"([0-9]{1,6})([mhd])", text):
            moment = now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        else:
            moment = read_moment(text).astimezone(UTC)
    except OverflowError as error:
        raise ValueError(str(error)) from error
    if moment.year not in YEARS:
        raise ValueError(f"not between {YEARS[0]} and {YEARS[-1]}")
    return moment


def typed_since(clock: Clock) -> Callable[[str], str]:
    """An argument's type: what `read_since` will read at this time, as it was typed."""

    def typed(text: str) -> str:
        try:
            read_since(text, clock.now())
        except ValueError:
            told = f"{text!r} is no time like 30m, 24h, 7d or 2026-11-21"
            raise ArgumentTypeError(told) from None
        return text

    return typed


def typed_day(text: str) -> date:
    """A day of ours, `2026-11-21`: an argument's type."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = date.min
    if day.year not in YEARS:
        raise ArgumentTypeError(f"{text!r} is no day like 2026-11-21")
    return day

"""Moments as people and programs read and write them, always UTC. Ours are epoch milliseconds."""

from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime.fromtimestamp(0, UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


def minute_of(at_ms: int) -> str:
    """`2026-11-21 11:25`: for tables, whose heading or foot says UTC."""
    return f"{_moment(at_ms):%Y-%m-%d %H:%M}"


def minute_utc_of(at_ms: int) -> str:
    """`2026-11-21 11:25 UTC`: within a sentence."""
    return f"{minute_of(at_ms)} UTC"


def second_of(at_ms: int) -> str:
    """`2026-11-21 11:25:09`, likewise."""
    return f"{_moment(at_ms):%Y-%m-%d %H:%M:%S}"


def stamp_of(at_ms: int) -> str:
    """`2026-11-21T11:25:09Z` (RFC 3339), for logs."""
    return f"{_moment(at_ms):%Y-%m-%dT%H:%M:%SZ}"


def iso_millis_of(at_ms: int) -> str:
    """`2026-11-21T11:25:09.000+00:00` (ISO 8601), to the millisecond: as the API writes it."""
    return _moment(at_ms).isoformat(timespec="milliseconds")


def iso_of(at_ms: int) -> str:
    """As Python writes it (ISO 8601), with as many digits as there are; for programs."""
    return _moment(at_ms).isoformat()


def ms_of(moment: datetime) -> int:
    """An aware time as ours: the whole milliseconds until then."""
    return (moment - _EPOCH) // _MILLISECOND


def read_moment(text: str) -> datetime:
    """What somebody typed: ISO 8601, UTC unless it says otherwise. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _moment(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)

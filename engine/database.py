"""Connections to Postgres, and the partitions of the months ahead."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg

from engine.arrays import register_codecs
from engine.clock import first_id_at

MONTHS_AHEAD = 3


async def connect(url: str) -> Any:
    """One connection whose array types are packed by our own codecs (`arrays.py`)."""
    connection = await asyncpg.connect(url)
    register_codecs(connection)
    return connection


async def open_pool(url: str, *, size: int = 8) -> Any:
    """A pool for reads and small writes; the commit has connections of its own."""
    return await asyncpg.create_pool(
        url, min_size=1, max_size=size, init=_prepare, reset=_leave_as_it_is
    )


async def _leave_as_it_is(_: Any) -> None:
    """No statement of ours changes a connection, so none needs the round trip that resets it."""


async def _prepare(connection: Any) -> None:
    register_codecs(connection)


async def ensure_months(connection: Any, now: datetime, *, ahead: int = MONTHS_AHEAD) -> None:
    """Make the partitions from last month to `ahead` months after `now`. Safe to repeat."""
    for offset in range(-1, ahead + 1):
        first, after = _month(now, offset), _month(now, offset + 1)
        await connection.execute(
            "select ensure_month($1, $2, $3)",
            f"{first:%Y_%m}",
            UUID(first_id_at(first)),
            UUID(first_id_at(after)),
        )


def _month(now: datetime, offset: int) -> datetime:
    months = now.year * 12 + now.month - 1 + offset
    return datetime(months // 12, months % 12 + 1, 1, tzinfo=UTC)

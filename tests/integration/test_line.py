"""What `engine/session/line.py` takes over from redis-py: an upgrade that moves it is told here."""

import asyncio
from importlib.metadata import version
from typing import Any

import pytest
from redis.asyncio import Connection, ConnectionPool
from redis.exceptions import (
    BusyLoadingError,
    NoScriptError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)

from engine.session.line import Line, settle

MOVED = f"redis-py {version('redis')} keeps elsewhere what line.py takes over"


@pytest.fixture
async def connection(redis_url: str) -> Connection:
    pool: Any = ConnectionPool.from_url(redis_url, protocol=2)
    opened: Any = pool.make_connection()
    await opened.connect()
    found: Connection = opened
    return found


async def test_an_open_connection_has_a_transport_that_changes_hands(
    connection: Connection,
) -> None:
    writer = getattr(connection, "_writer", None)
    transport = getattr(writer, "transport", None)
    assert isinstance(transport, asyncio.Transport), MOVED
    opener = transport.get_protocol()
    assert hasattr(opener, "connection_lost"), MOVED
    line = Line(connection)
    assert transport.get_protocol() is line
    assert line.stands
    await connection.disconnect(nowait=True)  # as the pipeline does after a line was lost
    assert not connection.is_connected


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("NOSCRIPT No matching script.", NoScriptError),
        ("LOADING Redis is loading the dataset in memory", BusyLoadingError),
        ("READONLY You can't write against a read only replica.", ReadOnlyError),
        ("MOVED 3999 127.0.0.1:6381", ResponseError),
        ("WRONGTYPE Operation against a key", ResponseError),
    ],
)
async def test_what_redis_refuses_is_named_by_redis_py(
    connection: Connection, said: str, kind: type[RedisError]
) -> None:
    """The store, the cluster and the pipeline tell by the kind what is to be done."""
    parser: Any = getattr(connection, "_parser", None)
    assert hasattr(parser, "parse_error"), MOVED
    heard: asyncio.Future[object] = asyncio.get_running_loop().create_future()
    settle(heard, parser.parse_error(said))
    with pytest.raises(kind):
        await heard
    await connection.disconnect()

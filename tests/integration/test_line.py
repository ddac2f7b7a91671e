"""What `engine/session/line.py` takes over from redis-py: an upgrade that moves it is told here."""

import asyncio
from importlib.metadata import version
from pathlib import Path
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
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from engine.session.line import Line, settle
from engine.session.pipeline import open_pipeline
from simulator import embedded
from tests.listening import listening

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


WRITES = "return redis.call('SET', KEYS[1], '2')"


class Name:
    """A name that leads to one of several servers, as DNS does: who is connected stays there."""

    def __init__(self) -> None:
        self.leads_to = 0

    async def lead(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self.leads_to)
        try:
            await asyncio.gather(self._pass(reader, back), self._pass(there, writer))
        finally:
            back.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
        finally:
            writer.close()


async def test_who_has_become_a_replica_is_left_for_where_the_name_leads_now(
    tmp_path: Path,
) -> None:
    """The old first server answers on; without this every dialogue would end until a restart."""
    servers = [embedded.start_redis(tmp_path / name) for name in ("old", "new")]
    old, new = (server.port for server in servers)
    name = Name()
    name.leads_to = old
    try:
        async with listening(name.lead) as port:
            pipeline = open_pipeline(f"redis://127.0.0.1:{port}/0", timeout_seconds=5.0)
            await pipeline.execute("SET", "k", "1")
            demoted = open_pipeline(servers[0].url)
            await demoted.execute("REPLICAOF", "127.0.0.1", str(new))
            await demoted.aclose()
            for command in (("SET", "k", "2"), ("EVAL", WRITES, 1, "k")):
                with pytest.raises((RedisConnectionError, RedisTimeoutError)):  # nowhere to go yet
                    await pipeline.execute(*command)
            name.leads_to = new
            await pipeline.execute("SET", "k", "3")
            assert await pipeline.execute("GET", "k") == b"3"
            await pipeline.aclose()
    finally:
        for server in servers:
            server.stop()

"""Whoever makes a server for a test leaves nothing behind, however the test ends."""

import asyncio
import gc
import socket
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvloop

from tests.listening import Serve, listening

Run = Callable[[Coroutine[Any, Any, None]], None]


async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(await reader.readexactly(2))
    await asyncio.Event().wait()


async def fail(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    del writer
    raise AssertionError(await reader.read(2))


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    del writer
    await reader.read(2)
    raise ConnectionResetError


async def answered(serve: Serve) -> bytes:
    async with listening(serve) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(b"hi")
            return await reader.read(2)
        finally:
            writer.transport.abort()


async def left_after(ticks: int) -> None:
    """Who connects, and is gone so many ticks later: perhaps before anybody serves them."""
    async with listening(greet) as port:
        with socket.create_connection(("127.0.0.1", port)):
            for _ in range(ticks):
                await asyncio.sleep(0)


def test_who_is_still_served_is_left_and_their_connection_closed() -> None:
    assert asyncio.run(answered(greet)) == b"hi"
    gc.collect()


@pytest.mark.parametrize("ticks", range(8))
def test_nothing_stays_open_of_who_came_last(ticks: int) -> None:
    asyncio.run(left_after(ticks))
    gc.collect()  # what is open is told here, and no test passes that left something


def test_an_error_of_who_serves_is_the_tests_own() -> None:
    with pytest.raises(AssertionError, match="hi"):
        asyncio.run(answered(fail))
    assert asyncio.run(answered(hang_up)) == b""


async def talked_to_nobody() -> None:
    over = asyncio.Event()

    async def talk_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        await writer.wait_closed()
        over.set()
        writer.write(b"anybody there?")

    async with listening(talk_on) as port:
        socket.create_connection(("127.0.0.1", port)).close()
        await over.wait()
        await asyncio.sleep(0)


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_to_talk_on_after_the_caller_has_gone_is_no_error(run: Run) -> None:
    run(talked_to_nobody())

"""Callers who drip: many slow requests at the callback door, and the acknowledgements of others."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette

from channels.operators import OperatorCallbacks
from channels.web.doors import Doors
from channels.web.server import Bounds, Connection
from engine.errors import Unreadable
from engine.payments.lifecycle import State
from engine.ports import Acknowledgement, Callback, callback_at
from tests.integration.webhook_room import addresses_of, reception_of
from tests.integration.world import SUCCEEDED, ScriptedOperator, World, open_world
from tests.ticks import Ticks, counted

DRIPPING = 200
CALLBACKS = 40
ACKNOWLEDGED_SECONDS_MAX = 10.0


@pytest.fixture
async def world(seeded_url: str) -> AsyncIterator[World]:
    async with open_world(seeded_url) as opened:
        yield opened


class PlainOperator(ScriptedOperator):
    """One whose callback is the word `paid`."""

    def read_callback(self, kind: str, body: bytes) -> Callback:
        if body != b"paid":
            raise Unreadable(self.facts.name, kind)
        return Callback(SUCCEEDED, Acknowledgement(), redacted="paid")


@asynccontextmanager
async def served(world: World) -> AsyncIterator[int]:
    """The callback door on a port of its own, as the web process opens it."""
    door = OperatorCallbacks(
        reception_of(world, {1: PlainOperator(world.mpesa.facts)}),
        payments=world.payments,
        store=world.store,
        dispatcher=world.dispatcher,
    )

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[dict[str, Any]]:
        # Who drips is not cut while the others are answered, however long that takes here.
        yield {"doors": Doors(door.routes()), "bounds": Bounds(request_seconds=120)}

    app = Starlette(routes=[*door.routes()], lifespan=lifespan)
    config = uvicorn.Config(
        app, port=0, http=Connection, log_config=None, access_log=False, timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve())  # `serve` would take over this run's signals
    while not server.started:  # noqa: ASYNC110 - uvicorn offers a flag and no event
        await asyncio.sleep(0.01)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await serving


@asynccontextmanager
async def dripping(port: int, path: str, *, in_body: bool) -> AsyncIterator[asyncio.Task[None]]:
    """A request that never ends: one more byte now and then, of its head or of its body."""
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n"
    writer.write((head + ("\r\n" if in_body else "X-Slow: ")).encode())

    async def drip() -> None:
        while True:
            writer.write(b"p")
            await writer.drain()
            await asyncio.sleep(0.05)

    task = asyncio.create_task(drip())
    try:
        yield task
    finally:
        task.cancel()
        writer.transport.abort()


async def acknowledged(port: int, path: str, ticks: Ticks) -> tuple[int, float]:
    """Post a callback on a connection of its own: (status, seconds until it was answered)."""
    began = ticks.seconds
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\npaid".encode())
    status = int((await reader.readline()).split()[1])
    writer.close()
    return status, ticks.seconds - began


async def test_two_hundred_callers_who_drip_delay_no_acknowledgement(world: World) -> None:
    payments = [await world.confirm() for _ in range(CALLBACKS)]
    await world.dispatched()
    addresses = addresses_of({1: world.mpesa})
    paths = [callback_at(addresses.address(1, await world.live(p)), "stk") for p in payments]
    async with served(world) as port, AsyncExitStack() as stack:
        slow = [
            await stack.enter_async_context(dripping(port, paths[0], in_body=n % 2 == 0))
            for n in range(DRIPPING)
        ]
        async with counted() as ticks:
            answers = await asyncio.gather(*[acknowledged(port, path, ticks) for path in paths])
        assert not any(task.done() for task in slow)
    assert {status for status, _ in answers} == {200}
    assert max(seconds for _, seconds in answers) < ACKNOWLEDGED_SECONDS_MAX
    assert {await world.state(p) for p in payments} == {State.PAYING}

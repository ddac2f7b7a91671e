"""People dial while strangers send what is none of ours, on one real server: no turn is lost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import uvicorn
from starlette.applications import Starlette

from channels.guards import Edges, Guards
from channels.ussd import ussd_routes
from channels.web.doors import Doors
from channels.web.server import Bounds, Connection
from engine.clock import Clock, Ids
from engine.ports import Reply, SessionEnd, Turn
from providers.africastalking import AfricasTalkingUssd
from tests.bench.garbage import GARBAGE
from tests.bench.ussd_servers import DIALOGUES, TOKEN, request, whole_body

PEOPLE, DIALS, STRANGERS, GARBAGE_EACH = 8, 12, 8, 150
HANGS_SECONDS = 300.0
"""Nothing in here takes so long on any machine, unless it is never answered."""


class Menus:
    """Answers each turn with its own session and text, so that no answer is taken for another."""

    def __init__(self) -> None:
        self.taken: list[str] = []

    async def take(self, turn: Turn) -> Reply:
        self.taken.append(turn.session_id)
        await asyncio.sleep(0.001)
        return Reply(f"{turn.session_id} {turn.text}", ends=False)

    async def note_end(self, end: SessionEnd) -> None:
        raise AssertionError(f"nobody hangs up here: {end}")


@asynccontextmanager
async def serving(menus: Menus) -> AsyncIterator[int]:
    doors = ussd_routes(AfricasTalkingUssd(), menus, TOKEN)
    edges = Edges()

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[dict[str, Any]]:
        bounds = Bounds(request_seconds=HANGS_SECONDS, headers=edges.lines)
        yield {"doors": Doors(doors), "bounds": bounds}

    app = Guards(Starlette(routes=[*doors], lifespan=lifespan), edges, Ids(Clock()).hex)
    config = uvicorn.Config(app, port=0, http=Connection, log_config=None, access_log=False)
    server = uvicorn.Server(config)
    running = asyncio.create_task(server._serve())  # `serve` would take over this run's signals
    while not server.started:  # noqa: ASYNC110 - uvicorn offers a flag and no event
        await asyncio.sleep(0.01)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await running


async def dial(port: int, person: int) -> int:
    """How many turns were answered with their own screen."""
    right = 0
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for number in range(DIALS):
        session = f"s{person}-{number}"
        writer.write(request(DIALOGUES[0][0], session, "%2B254712000001"))
        received = b""
        while (body := whole_body(received)) is None:
            piece = await reader.read(65_536)
            assert piece, "hung up on a caller"
            received += piece
        right += body == f"CON {session} ".encode()
    writer.close()
    return right


async def send_garbage(port: int, stranger: int) -> int:
    """How many of them were answered, none with a screen."""
    answered = 0
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for number in range(GARBAGE_EACH):
        with suppress(ConnectionError):
            writer.write(GARBAGE[(stranger + number) % len(GARBAGE)])
            received = await reader.read(65_536)
            assert not received.startswith(b"HTTP/1.1 2")
            answered += received.startswith(b"HTTP/1.1 4")
            if received and b"connection: close" not in received.lower():
                continue
        writer.close()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.close()
    return answered


async def test_no_turn_is_lost_and_no_stranger_reaches_the_menus_under_garbage() -> None:
    menus = Menus()
    async with serving(menus) as port, asyncio.timeout(HANGS_SECONDS):
        right, garbage = await asyncio.gather(
            asyncio.gather(*(dial(port, person) for person in range(PEOPLE))),
            asyncio.gather(*(send_garbage(port, stranger) for stranger in range(STRANGERS))),
        )
    assert right == [DIALS] * PEOPLE
    assert len(menus.taken) == PEOPLE * DIALS
    assert sum(garbage) > STRANGERS * GARBAGE_EACH * 0.9

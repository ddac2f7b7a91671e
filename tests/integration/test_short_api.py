"""The API's short way on real sockets: what it answers is what the ordinary way answers."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount

from channels.api.callers import Deed, Ended
from channels.api.endpoints import EVERYBODY, Call, Endpoint, Nothing
from channels.api.pace import MINUTE, pace_of_staff
from channels.api.serving import Serving, short_routes
from channels.commands.serving import SERVED
from channels.guards import Edges, Guards
from channels.settings import ApiPaces
from channels.web.doors import Doors
from channels.web.limits import Limit
from channels.web.server import Bounds
from engine.clock import Clock, Ids
from engine.errors import NotProven
from engine.once import OF_STAFF, Once
from tests.integration.client_room import counted_here
from tests.integration.test_server import read_whole

EDGES: Final = Edges(hosts=frozenset({"capp.test"}))


class Said(msgspec.Struct, forbid_unknown_fields=True):
    word: str


class ThingPath(msgspec.Struct, forbid_unknown_fields=True):
    thing: str


async def echo(call: Call[Any, Any, Any, Said]) -> Said:
    return call.body


async def look(call: Call[Any, ThingPath, Any, Any]) -> Said:
    return Said(call.path.thing)


TABLE = (
    Endpoint("POST", "/say", "say", "Say", EVERYBODY, Nothing, Nothing, Said, Said, echo,
             status=201, keeps_key=True),
    Endpoint("GET", "/things/{thing}", "look", "Look", EVERYBODY, ThingPath, Nothing, Nothing,
             Said, look),
)  # fmt: skip


class Friends:
    """One caller, whose token is `good`. Implements `callers.Callers`."""

    def recall(self, token: str) -> str | None:
        return None

    async def prove(self, token: str, *, fresh: bool) -> str:
        if token != "good":
            raise NotProven("not proven")
        return token

    def grants_of(self, caller: str) -> frozenset[Any]:
        return EVERYBODY

    def owner_of(self, caller: str) -> str:
        return caller

    def limits_of(self, caller: str) -> Mapping[Limit, str]:
        return {Limit("friend", 1000, MINUTE): caller}

    async def begin(self, caller: str, deed: Deed) -> Ended:
        async def ended(outcome: str) -> None: ...

        return ended

    async def write(self, caller: str, deed: Deed, outcome: str) -> None:
        """Nobody reads it."""


@dataclass
class Web:
    port: int
    ordinary: list[str]  # the paths that went the ordinary way

    async def ask(self, request: bytes) -> tuple[int, dict[str, str], str]:
        """What differs from answer to answer is left out."""
        async with self.connected() as (reader, writer):
            writer.write(request)
            status, headers, body = await read_whole(reader)
        for name in ("x-correlation-id", "ratelimit"):
            headers.pop(name, None)
        if body.startswith("{") and status >= 400:
            problem = msgspec.json.decode(body)
            body = problem["code"] + problem.get("detail", "")
            headers.pop("content-length")
        return status, headers, body

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            yield reader, writer
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


@asynccontextmanager
async def serving(edges: Edges, *, is_known: bool = True) -> AsyncIterator[Web]:
    ids, paces = Ids(Clock()), ApiPaces(address_per_minute=1000, unproven_per_5_minutes=1000)
    api: Serving[str] = Serving(
        callers=Friends(), once=Once(None, 1, Clock(), ids, OF_STAFF), ids=ids,
        pace=pace_of_staff(counted_here(), paces), address_of=lambda _: "192.0.2.1",
        answer_seconds=5.0,
    )  # fmt: skip
    doors, ordinary = Doors(), []
    routes = api.routes("/api/v1", TABLE)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[dict[str, Any]]:
        doors.open(short_routes(routes), guards.lets_through)
        if is_known:
            doors.know_all(routes, guards.lets_through)
        yield {"doors": doors, "bounds": Bounds(headers=edges.lines)}

    app = Starlette(routes=routes, lifespan=lifespan)

    async def noted(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            ordinary.append(scope["path"])
        await app(scope, receive, send)

    guards = Guards(noted, edges, ids.hex)
    server = uvicorn.Server(uvicorn.Config(guards, port=0, **SERVED))
    running = asyncio.create_task(server._serve())  # `serve` would take over this run's signals
    while not server.started:  # noqa: ASYNC110 - uvicorn offers a flag and no event
        await asyncio.sleep(0.01)
    try:
        yield Web(server.servers[0].sockets[0].getsockname()[1], ordinary)
    finally:
        server.should_exit = True
        await running


@pytest.fixture
async def web() -> AsyncIterator[Web]:
    async with serving(EDGES) as opened:
        yield opened


def asked(
    method: str, path: str, *lines: str, body: str = "", host: str = "capp.test",
    token: str = "good", media_type: str = "application/json", is_odd: bool = False,
) -> bytes:  # fmt: skip
    """`is_odd`: the same in chunks, which only the ordinary way reads."""
    head = [f"{method} {path} HTTP/1.1", f"Host: {host}", f"Authorization: Bearer {token}"]
    head += ["Idempotency-Key: order-00000001", f"Content-Type: {media_type}", *lines]
    if is_odd:
        chunk = f"{len(body):x}\r\n{body}\r\n" if body else ""
        return "\r\n".join([*head, "Transfer-Encoding: chunked", "", f"{chunk}0\r\n\r\n"]).encode()
    length = [f"Content-Length: {len(body)}"] if body else []
    return "\r\n".join([*head, *length, "", body]).encode()


WORD: Final = '{"word": "well"}'
SAME: Final[dict[str, tuple[dict[str, Any], int]]] = {
    "a post": ({"body": WORD}, 201),
    "a get, without a length": ({"method": "GET", "path": "/api/v1/things/x"}, 200),
    "a word that is escaped": ({"method": "GET", "path": "/api/v1/things/%41"}, 200),
    "a method nothing has there": ({"method": "GET"}, 405),
    "no such place": ({"path": "/api/v1/nowhere", "body": WORD}, 404),
    "no such place at all": ({"method": "GET", "path": "/wp-login.php"}, 404),
    "no such place, with a body": ({"path": "/.env", "body": WORD}, 404),
    "a token that is none": ({"body": WORD, "token": "bad"}, 401),
    "a body that is none": ({"body": "{"}, 400),
    "a field that nobody knows": ({"body": '{"word": "a", "more": 1}'}, 400),
    "another media type": ({"body": WORD, "media_type": "text/xml"}, 415),
    "a host that is not ours": ({"body": WORD, "host": "evil.test"}, 400),
    "a host that is not ours, nowhere": ({"path": "/x", "host": "evil.test"}, 400),
    "an address that is a trick": ({"method": "GET", "path": "/api/v1/things/a\\b"}, 400),
    "a trick that leads nowhere": ({"method": "GET", "path": "//x"}, 400),
    "too long an address": ({"body": WORD, "path": "/api/v1/say?" + "x" * 2100}, 400),
    "too long a query": ({"body": WORD, "path": "/api/v1/say?" + "x" * 1100}, 400),
}


@pytest.mark.parametrize(("words", "status"), SAME.values(), ids=SAME.keys())
async def test_both_ways_answer_the_same(web: Web, words: dict[str, Any], status: int) -> None:
    words = {"method": "POST", "path": "/api/v1/say", **words}
    short = await web.ask(asked(**words))
    ordinary = await web.ask(asked(**words, is_odd=True))
    assert short == ordinary
    assert short[0] == status
    assert short[1]["x-content-type-options"] == "nosniff"


async def test_what_is_ordinary_never_comes_to_the_routes(web: Web) -> None:
    for words in ("a post", "a get, without a length", "no such place at all"):
        await web.ask(asked(**{"method": "POST", "path": "/api/v1/say", **SAME[words][0]}))
    assert web.ordinary == []
    await web.ask(asked("GET", "/api/v1/things/%41"))
    assert web.ordinary == ["/api/v1/things/A"]


async def test_a_page_of_a_browser_goes_the_ordinary_way_and_hears_so() -> None:
    async with serving(EDGES._replace(origins=frozenset({"https://shop.test"}))) as web:
        _, headers, _ = await web.ask(
            asked("POST", "/api/v1/say", "Origin: https://shop.test", body=WORD)
        )
    assert headers["access-control-allow-origin"] == "https://shop.test"
    assert web.ordinary == ["/api/v1/say"]


@pytest.mark.parametrize(("path", "status"), [("/api/v1/things/x", b" 405 "), ("/x", b" 404 ")])
async def test_a_head_is_answered_without_a_body(web: Web, path: str, status: bytes) -> None:
    async with web.connected() as (reader, writer):
        writer.write(asked("HEAD", path))
        assert status in (await reader.readuntil(b"\r\n\r\n"))
        writer.write(asked("GET", "/api/v1/things/x"))
        assert (await read_whole(reader))[0] == 200  # no byte of a body stands between


async def test_as_long_as_not_all_routes_are_known_nothing_leads_nowhere() -> None:
    async with serving(EDGES, is_known=False) as web:
        assert (await web.ask(asked("GET", "/x")))[0] == 404
        assert web.ordinary == ["/x"]


async def test_who_waits_for_answers_may_lose_the_way_often(web: Web) -> None:
    """Behind a proxy friends and strangers share a connection."""
    async with web.connected() as (reader, writer):
        for _ in range(50):
            writer.write(asked("GET", "/nowhere"))
            assert (await read_whole(reader))[0] == 404
        writer.write(asked("POST", "/api/v1/say", body=WORD))
        assert (await read_whole(reader))[0] == 201


async def test_who_sends_on_unheard_after_losing_the_way_is_hung_up_on(web: Web) -> None:
    async with web.connected() as (reader, writer):
        writer.write(asked("POST", "/api/v1/say", body=WORD))
        assert (await read_whole(reader))[0] == 201
        writer.write(asked("GET", "/nowhere") * 500)
        assert (await read_whole(reader))[0] == 404
        with contextlib.suppress(ConnectionError):
            assert len(await asyncio.wait_for(reader.read(), 120)) < 20 * 500
        assert reader.at_eof() or reader.exception() is not None


def test_a_route_that_may_lead_anywhere_is_nothing_to_be_sure_about() -> None:
    with pytest.raises(ValueError, match="anywhere"):
        Doors().know_all([Mount("/", app=Starlette())], lambda _: True)

"""The short way to a door on real sockets: the ordinary way's answers, in the same order."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from channels.web import doors, server
from channels.web.bodies import read_body
from channels.web.doors import Doors, plain, send_whole
from channels.web.heads import SHORT_BYTES_MAX
from channels.web.server import Bounds, Connection
from engine.ports import Acknowledgement
from tests.leap import leap
from tests.until import until


class Door:
    """Answers which way the request came and what it read; does as the body tells it."""

    def __init__(self) -> None:
        self.called = 0
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.called += 1
        body = await read_body(scope, receive, SHORT_BYTES_MAX)
        if body.startswith(b"raise"):
            raise ValueError(body.decode())
        if body.startswith(b"nothing"):
            return
        if body.startswith(b"forge"):
            await send_whole(Acknowledgement(content_type="text/plain\r\nX-Forged: 1"), send)
            return
        if body.startswith(b"wait"):
            await self.may_answer.wait()
        if body.startswith(b"from where"):
            await send_whole(plain(200, scope["client"][0]), send)
            return
        way = "ordinary" if "app" in scope else "short"
        word = scope["path_params"]["word"]
        await send_whole(plain(200, f"{way} {scope['method']} {word} {body.decode()[:9]}"), send)


class Whole(doors.Door):
    """The same as one of ours, that is asked for its answer."""

    async def answer(self, scope: Scope, receive: Receive) -> Acknowledgement:
        body = await read_body(scope, receive, 64)
        if body.startswith(b"raise"):
            raise ValueError(body.decode())
        if body.startswith(b"forge"):
            return Acknowledgement(content_type="text/plain\r\nX-Forged: 1")
        word = scope["path_params"]["word"]
        return Acknowledgement(201, body + word.encode(), "text/plain", (("x-more", "1"),))


class Web:
    """The server under test and the one door it has."""

    def __init__(self, port: int, door: Door, server: uvicorn.Server) -> None:
        self.port = port
        self.door = door
        self.server = server

    async def ask(self, *requests: bytes) -> list[tuple[int, str]]:
        """Send all at once on one connection; status and body of each answer."""
        async with self.connected() as (reader, writer):
            writer.write(b"".join(requests))
            return [await read_answer(reader) for _ in requests]

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            yield reader, writer
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):  # being cut off is what some wait for
                await writer.wait_closed()


async def read_answer(reader: asyncio.StreamReader) -> tuple[int, str]:
    status, headers, body = await read_whole(reader)
    if headers.get("expect") == "more":  # 100 Continue
        status, headers, body = await read_whole(reader)
    return status, body


async def read_whole(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], str]:
    async with asyncio.timeout(120):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        start, *lines = head.strip().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines)
        if start.split()[1] == "100":
            return 100, {"expect": "more"}, ""
        body = await reader.readexactly(int(headers["content-length"]))
    return int(start.split()[1]), headers, body.decode()


@pytest.fixture
async def web() -> AsyncIterator[Web]:
    async with serving(Bounds()) as opened:
        yield opened


@asynccontextmanager
async def serving(bounds: Bounds, keep_alive_seconds: int = 30) -> AsyncIterator[Web]:
    door = Door()

    async def hello(_: Request) -> PlainTextResponse:
        return PlainTextResponse("hello")

    async def told(request: Request) -> PlainTextResponse:
        """The names of the headers it was given."""
        await request.body()
        return PlainTextResponse(" ".join(name.decode() for name, _ in request.headers.raw))

    async def long(request: Request) -> PlainTextResponse:
        return PlainTextResponse("n" * int(request.path_params["many"]))

    places = [
        Route("/door/{word}", door, methods=["POST", "PUT"]),
        Route("/whole/{word}", Whole(), methods=["POST"]),
    ]

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[dict[str, Any]]:
        yield {"doors": Doors(places), "bounds": bounds}

    app = Starlette(
        routes=[
            *places,
            Route("/hello", hello),
            Route("/long/{many}", long),
            Route("/told", told, methods=["POST"]),
        ],
        lifespan=lifespan,
    )
    config = uvicorn.Config(
        app, port=0, http=Connection, log_config=None, access_log=False, date_header=False,
        server_header=False, timeout_graceful_shutdown=30,
        timeout_keep_alive=keep_alive_seconds,
    )  # fmt: skip
    server = uvicorn.Server(config)
    running = asyncio.create_task(server._serve())  # `serve` would take over this run's signals
    while not server.started:  # noqa: ASYNC110 - uvicorn offers a flag and no event
        await asyncio.sleep(0.01)
    try:
        yield Web(server.servers[0].sockets[0].getsockname()[1], door, server)
    finally:
        server.should_exit = True
        await running


def post(body: bytes = b"hi", *lines: bytes, path: bytes = b"/door/one", method: bytes = b"POST",
         version: bytes = b"1.1") -> bytes:  # fmt: skip
    head = [b"%s %s HTTP/%s" % (method, path, version), b"Host: capp", *lines]
    if not any(line.lower().startswith((b"content-length", b"transfer")) for line in lines):
        head.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join(head) + b"\r\n\r\n" + body


async def test_short_request_takes_the_short_way(web: Web) -> None:
    assert await web.ask(post(), post(b"", method=b"PUT"), post(path=b"/door/two?x=1")) == [
        (200, "short POST one hi"),
        # Sent before the answer to the one before had left: the server keeps these in order.
        (200, "ordinary PUT one "),
        (200, "ordinary POST two hi"),
    ]


ORDINARY: dict[str, bytes] = {
    "chunked": post(b"2\r\nhi\r\n0\r\n\r\n", b"Transfer-Encoding: chunked"),
    "expecting": post(b"hi", b"Expect: 100-continue"),
    "escaped": post(path=b"/door/%6Fne"),
    "of HTTP/1.0": post(version=b"1.0"),
    "the last": post(b"hi", b"Connection: close"),
}


@pytest.mark.parametrize("request_", ORDINARY.values(), ids=ORDINARY.keys())
async def test_unusual_request_gets_the_same_answer_the_ordinary_way(
    web: Web, request_: bytes
) -> None:
    assert await web.ask(request_) == [(200, "ordinary POST one hi")]


@pytest.mark.parametrize("request_", ORDINARY.values(), ids=ORDINARY.keys())
async def test_a_door_that_is_asked_for_its_answer_gives_the_same_both_ways(
    web: Web, request_: bytes
) -> None:
    answers = []
    for request in (post(path=b"/whole/one"), request_.replace(b"/door/", b"/whole/")):
        async with web.connected() as (reader, writer):
            writer.write(request)
            answer = await read_whole(reader)
            answers.append(await read_whole(reader) if answer[0] == 100 else answer)
    (status, headers, body), ordinary = answers
    assert (status, body, headers["x-more"]) == (201, "hione", "1")
    ordinary[1].pop("connection", None)  # what asks for another way may also ask for the end
    assert ordinary == (status, headers, body)


@pytest.mark.parametrize("body", [b"raise 4711", b"forge", b"y" * 65])
async def test_a_door_that_is_asked_and_fails_is_answered_500_and_the_next_is_served(
    web: Web, caplog: pytest.LogCaptureFixture, body: bytes
) -> None:
    async with web.connected() as (reader, writer):
        writer.write(post(body, path=b"/whole/one"))
        status, headers, text = await read_whole(reader)
        assert (status, text) == (500, "internal error")
        assert "x-forged" not in headers
        writer.write(post(b"again ", path=b"/whole/one"))
        assert await read_answer(reader) == (201, "again one")
    assert "a door failed" in caplog.text


async def test_a_door_knows_who_called_whichever_way_they_came(web: Web) -> None:
    unusual = post(b"from where", b"expect: 100-continue")
    assert await web.ask(post(b"from where")) == [(200, "127.0.0.1")]
    assert (await web.ask(unusual))[-1][1].endswith("127.0.0.1")


async def test_body_without_a_length_or_too_long_is_not_collected(web: Web) -> None:
    announced = post(b"x", b"Content-Length: %d" % (SHORT_BYTES_MAX + 1))
    async with web.connected() as (reader, writer):
        writer.write(announced)
        assert (await read_answer(reader))[0] == 500  # the door refuses before it reads: TooLarge
    largest = b"y" * SHORT_BYTES_MAX
    assert await web.ask(post(largest)) == [(200, "short POST one " + "y" * 9)]


async def test_method_and_path_no_door_knows_are_answered_by_the_router(web: Web) -> None:
    found = await asyncio.gather(
        web.ask(post(b"", method=b"GET")),
        web.ask(post(path=b"/door/one/two")),
        web.ask(post(path=b"/door")),
        web.ask(post(path=b"/")),
        web.ask(post(b"", method=b"GET", path=b"/hello")),
    )
    assert [answer[0][0] for answer in found] == [405, 404, 404, 404, 200]
    assert web.door.called == 0


async def test_one_connection_serves_both_ways_in_turn(web: Web) -> None:
    async with web.connected() as (reader, writer):
        for _ in range(3):
            for request, answer in (
                (post(), "short POST one hi"),
                (post(b"", method=b"GET", path=b"/hello"), "hello"),
                (ORDINARY["chunked"], "ordinary POST one hi"),
            ):
                writer.write(request)
                assert await read_answer(reader) == (200, answer)


async def test_requests_sent_ahead_are_answered_in_their_order(web: Web) -> None:
    web.door.may_answer.clear()
    asked = asyncio.create_task(
        web.ask(post(b"wait"), post(b"", method=b"GET", path=b"/hello"), post(b"last"))
    )
    await asyncio.sleep(0.1)
    assert not asked.done()
    web.door.may_answer.set()
    assert [body.split()[-1] for _, body in await asked] == ["wait", "hello", "last"]


async def test_body_in_pieces_is_read_whole_before_the_door_is_called(web: Web) -> None:
    async with web.connected() as (reader, writer):
        message = post(b"abcdef")
        for at in range(0, len(message), 7):
            assert web.door.called == 0
            writer.write(message[at : at + 7])
            await writer.drain()
            await asyncio.sleep(0.002)
        assert await read_answer(reader) == (200, "short POST one abcdef")


@pytest.mark.parametrize("body", [b"raise 4711", b"nothing", b"forge"])
async def test_door_that_fails_is_answered_500_which_tells_nothing_and_the_next_is_served(
    web: Web, caplog: pytest.LogCaptureFixture, body: bytes
) -> None:
    async with web.connected() as (reader, writer):
        with caplog.at_level(logging.ERROR):
            writer.write(post(body))
            assert await read_whole(reader) == (
                500,
                {"content-type": "text/plain", "content-length": "14"},
                "internal error",
            )
        assert bool(caplog.records) == (body != b"nothing")
        writer.write(post())
        assert await read_answer(reader) == (200, "short POST one hi")


async def test_caller_who_hangs_up_costs_nobody_anything(
    web: Web, caplog: pytest.LogCaptureFixture
) -> None:
    web.door.may_answer.clear()
    for sent in (post(b"wait"), post(b"wait")[:-2]):  # before the answer, before the end
        async with web.connected() as (_, writer):
            writer.write(sent)
            await until(lambda: web.door.called)
            await asyncio.sleep(0.05)
            writer.transport.abort()
    await until(lambda: not web.server.server_state.connections)
    web.door.may_answer.set()
    assert await web.ask(post()) == [(200, "short POST one hi")]
    assert web.door.called == 2
    assert not caplog.records
    await until(lambda: not web.server.server_state.tasks)


async def test_idle_connection_is_closed_after_its_time() -> None:
    async with serving(Bounds(), 20) as web, web.connected() as (reader, writer):
        writer.write(post())
        await read_answer(reader)
        await asyncio.sleep(0.05)
        assert not reader.at_eof()
        leap(20)
        async with asyncio.timeout(120):
            assert await reader.read() == b""


async def test_stopping_lets_a_door_finish_and_says_that_the_connection_ends(web: Web) -> None:
    web.door.may_answer.clear()
    async with web.connected() as (reader, writer):
        writer.write(post(b"wait"))
        await until(lambda: web.door.called)
        web.server.should_exit = True
        await until(lambda: not web.server.servers[0].sockets)
        web.door.may_answer.set()
        status, headers, body = await read_whole(reader)
        assert (status, headers["connection"], body) == (200, "close", "short POST one wait")
        assert await reader.read() == b""


@pytest.mark.parametrize("before", [b"", post()], ids=["let in just now", "answered before"])
@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        (post(), (200, "short POST one hi")),
        (b"GET /hello HTTP/1.1\r\nHost: capp\r\n\r\n", (200, "hello")),
        (post(path=b"/nowhere"), (404, "Not Found")),
    ],
    ids=["a door", "the ordinary way", "nowhere"],
)
async def test_stopping_answers_what_is_on_its_way(
    web: Web, before: bytes, request_: bytes, answer: tuple[int, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Whoever was let in a moment before was cut off, and read no answer."""
    monkeypatch.setattr(server, "LAST_SECONDS", 3600.0)
    async with web.connected() as (reader, writer):
        if before:
            writer.write(before)
            await read_answer(reader)
        await until(lambda: web.server.server_state.connections)
        web.server.should_exit = True
        await until(lambda: not web.server.servers[0].sockets)
        writer.write(request_)
        status, headers, body = await read_whole(reader)
        assert ((status, body), headers["connection"]) == (answer, "close")
        assert await reader.read() == b""


@pytest.mark.parametrize("said", [b"", b"POST /door/one HTTP/1.1\r\nHost: ca"])
async def test_stopping_waits_for_nobody_who_has_sent_no_whole_head(web: Web, said: bytes) -> None:
    async with web.connected() as (reader, writer):
        writer.write(said)
        await until(lambda: web.server.server_state.connections)
        web.server.should_exit = True
        async with asyncio.timeout(120):
            assert await reader.read() == b""


REQUEST_SECONDS = 20.0  # which go by at once
HURRIED = Bounds(request_seconds=REQUEST_SECONDS)
SLOW_408 = (408, "the request took too long")
# What has been sent when the drops begin, the drop, and what is said before the connection ends.
DRIPS: dict[str, tuple[bytes, bytes, list[tuple[int, str]]]] = {
    "its first line": (b"POST /do", b"o", [SLOW_408]),
    "a header": (b"POST /door/one HTTP/1.1\r\nX-Slow: ", b"x", [SLOW_408]),
    "a short body": (post(b"", b"Content-Length: 60000"), b"x", [SLOW_408]),
    "a body in chunks": (post(b"", b"Transfer-Encoding: chunked"), b"1\r\nx\r\n", []),
    "a body nobody reads": (
        post(b"", b"Content-Length: 60000", path=b"/nowhere"), b"x", [(404, "Not Found")],
    ),
    "nothing but line breaks": (b"", b"\r\n", []),
    "line breaks after an answer": (post(), b"\r\n", [(200, "short POST one hi")]),
    "a second request": (post() + b"POST /do", b"o", [(200, "short POST one hi"), SLOW_408]),
}  # fmt: skip


async def drip(writer: asyncio.StreamWriter, drop: bytes) -> None:
    """One drop in a twentieth of the time that a request may take."""
    with contextlib.suppress(ConnectionError):
        while True:
            writer.write(drop)
            await writer.drain()
            await asyncio.sleep(0.01)
            leap(REQUEST_SECONDS / 20)


@pytest.mark.parametrize(("sent", "drop", "said"), DRIPS.values(), ids=DRIPS.keys())
async def test_caller_who_drips_is_cut_in_time_and_delays_nobody(
    sent: bytes, drop: bytes, said: list[tuple[int, str]]
) -> None:
    clock = asyncio.get_running_loop()
    async with serving(HURRIED, 300) as web, web.connected() as (reader, writer):
        writer.write(sent)
        writer.write(drop)
        began = clock.time()
        assert await web.ask(post(b"other")) == [(200, "short POST one other")]
        assert not reader.at_eof()
        dripping = asyncio.create_task(drip(writer, drop))
        for status, body in said:
            found = await read_answer(reader)
            assert found[0] == status and found[1].startswith(body)
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
        assert REQUEST_SECONDS * 0.9 < clock.time() - began < REQUEST_SECONDS * 4
        dripping.cancel()
        await until(lambda: not web.server.server_state.connections)
        await until(lambda: not web.server.server_state.tasks)


async def test_who_came_slowly_and_in_time_is_not_cut_later() -> None:
    """No clock of a request runs on behind its end."""
    async with serving(HURRIED, 300) as web, web.connected() as (reader, writer):
        message = post(b"hi")
        for body in (message, ORDINARY["chunked"]):
            for at in range(0, len(body), 20):
                writer.write(body[at : at + 20])
                await writer.drain()
                await asyncio.sleep(0.002)
            assert (await read_answer(reader))[0] == 200
        leap(REQUEST_SECONDS * 1.1)
        await asyncio.sleep(0.02)
        writer.write(post(b"again"))
        assert await read_answer(reader) == (200, "short POST one again")


async def test_caller_who_says_nothing_at_all_is_cut_in_time() -> None:
    async with serving(HURRIED) as web, web.connected() as (reader, _):
        await until(lambda: web.server.server_state.connections)
        assert not reader.at_eof()
        leap(REQUEST_SECONDS)
        async with asyncio.timeout(120):
            assert await reader.read() == b""


async def test_answer_that_takes_longer_than_a_request_may_is_waited_for() -> None:
    async with serving(HURRIED) as web:
        web.door.may_answer.clear()
        for request in (
            post(b"wait"),
            post(b"4\r\nwait\r\n0\r\n\r\n", b"Transfer-Encoding: chunked"),
        ):
            async with web.connected() as (reader, writer):
                writer.write(request + b"POST /do")  # and somebody drips behind it
                dripping = asyncio.create_task(drip(writer, b"o"))
                await asyncio.sleep(REQUEST_SECONDS * 2.5)
                web.door.may_answer.set()
                status, body = await read_answer(reader)
                assert (status, body.split()[-1]) == (200, "wait")
                dripping.cancel()
            web.door.may_answer.clear()


async def test_one_caller_too_many_is_answered_503_and_takes_nobodys_place(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with serving(Bounds(connections_max=2)) as web:
        async with web.connected() as (reader, writer), web.connected():
            for _ in range(3):
                async with web.connected() as (late_reader, late_writer):
                    late_writer.write(post())
                    status, headers, body = await read_whole(late_reader)
                    assert (status, headers["retry-after"]) == (503, "1")
                    assert (headers["connection"], body) == (
                        "close",
                        "too many connections, come again",
                    )
                    assert await late_reader.read() == b""
            async with web.connected() as (late_reader, _):  # who says nothing is told as well
                assert (await read_whole(late_reader))[0] == 503
            writer.write(post())
            assert await read_answer(reader) == (200, "short POST one hi")
            assert web.door.called == 1
        await until(lambda: not web.server.server_state.connections)
        assert await web.ask(post()) == [(200, "short POST one hi")]
        await until(lambda: not web.server.server_state.connections)
        async with web.connected(), web.connected() as (_, leaving), web.connected():
            await until(lambda: len(caplog.records) == 3)  # no place was left for the third
            leaving.transport.abort()
            await until(lambda: len(web.server.server_state.connections) == 1)
            assert await web.ask(post()) == [(200, "short POST one hi")]
    told = [record.getMessage() for record in caplog.records]
    full = "2 connections are open: more are answered 503"
    assert told == [full, "1 connections are open: there is room again", full]


async def test_who_was_sent_away_keeps_nobody_out_while_they_are_told() -> None:
    bounds = Bounds(connections_max=1)
    # The second is one too many, says nothing, and may stay a moment.
    async with serving(bounds) as web, web.connected() as (_, first), web.connected():
        await until(lambda: bounds.is_full)
        first.transport.abort()
        await until(lambda: not [c for c in connections_of(web) if not c._is_refused])
        assert await web.ask(post()) == [(200, "short POST one hi")]


def connections_of(web: Web) -> list[Connection]:
    found = list(web.server.server_state.connections)
    assert all(isinstance(connection, Connection) for connection in found)
    return found  # type: ignore[return-value]


def test_door_with_a_parameter_that_is_no_word_is_refused() -> None:
    async def door(scope: Scope, receive: Receive, send: Send) -> None: ...

    with pytest.raises(ValueError, match="only words"):
        Doors([Route("/door/{number:int}", door)])


FOUND: list[tuple[str, str, dict[str, str] | None]] = [
    ("POST", "/a/x/b", {"one": "x"}),
    ("GET", "/a/x/b", None),
    ("POST", "/a/x/b/", None),
    ("POST", "/a//b", None),
    ("POST", "/a/x/y/b", None),
    ("POST", "/a", None),
    ("POST", "", None),
]


@pytest.mark.parametrize(("method", "path", "words"), FOUND)
def test_doors_are_found_as_the_router_finds_them(
    method: str, path: str, words: dict[str, str] | None
) -> None:
    async def door(scope: Scope, receive: Receive, send: Send) -> None: ...

    route = Route("/a/{one}/b", door, methods=["POST"])
    found = Doors([route]).find({"method": method, "path": path})
    assert (found[1] if found else None) == words
    match, child = route.matches({"type": "http", "method": method, "path": path, "root_path": ""})
    routed = child["path_params"] if match.name == "FULL" else None
    assert routed == words

"""Heads of requests that nobody should send, on real sockets: bounded, refused, not believed."""

import asyncio
import contextlib

import pytest

from channels.web.server import HEAD_BYTES_MAX, HEADERS_MAX, Bounds
from tests.integration.test_server import post, read_answer, read_whole, serving
from tests.until import until

WORDY = (431, "the head of the request is too large")


async def test_what_comes_behind_a_body_is_no_header() -> None:
    """A proxy cleans headers; trailers it may let pass, and they would be believed like headers."""
    async with serving(Bounds()) as web:
        chunked = (
            b"POST /told HTTP/1.1\r\nHost: capp\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"2\r\nhi\r\n0\r\nX-Forwarded-For: 196.201.214.200\r\nAuthorization: Bearer x\r\n\r\n"
        )
        status, body = (await web.ask(chunked))[0]
        assert (status, body) == (200, "host transfer-encoding")


HEADS: dict[str, bytes] = {
    "one header": post(b"hi", b"X-Long: " + b"x" * HEAD_BYTES_MAX),
    "the first line": post(b"hi", path=b"/door/" + b"x" * HEAD_BYTES_MAX),
    "a header's name": post(b"hi", b"X" * HEAD_BYTES_MAX + b": y"),
    "many headers": post(b"hi", *[b"X-%d: y" % number for number in range(HEADERS_MAX)]),
}


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS.keys())
@pytest.mark.parametrize("pieces", [1, 7])
async def test_a_head_that_is_too_large_is_refused_and_reaches_no_door(
    head: bytes, pieces: int
) -> None:
    async with serving(Bounds()) as web, web.connected() as (reader, writer):
        length = len(head) // pieces + 1
        with contextlib.suppress(ConnectionError):
            for at in range(0, len(head), length):
                writer.write(head[at : at + length])
                await writer.drain()
                await asyncio.sleep(0.002)
        assert await read_answer(reader) == WORDY
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
        assert web.door.called == 0


async def test_a_head_without_end_is_cut_long_before_its_time() -> None:
    async with serving(Bounds(request_seconds=60)) as web, web.connected() as (reader, writer):
        writer.write(b"POST /door/one HTTP/1.1\r\nX-Endless: ")

        async def go_on() -> None:
            with contextlib.suppress(ConnectionError):
                while True:
                    writer.write(b"x" * 4096)
                    await writer.drain()
                    await asyncio.sleep(0.001)

        going_on = asyncio.create_task(go_on())
        with contextlib.suppress(ConnectionError):
            assert await read_answer(reader) == WORDY
        await asyncio.wait_for(going_on, 120)
        assert not web.server.server_state.connections


async def test_heads_up_to_the_bound_and_many_sent_ahead_are_read() -> None:
    largest = post(b"hi", b"X-Long: " + b"x" * (HEAD_BYTES_MAX - 200))
    ahead = [post(b"hi", b"X-Long: " + b"x" * 1000) for _ in range(60)]
    async with serving(Bounds()) as web:
        assert [status for status, _ in await web.ask(largest)] == [200]
        assert [status for status, _ in await web.ask(*ahead)] == [200] * 60


BEHIND: dict[str, tuple[bytes, bytes]] = {
    "one trailer": (b"2\r\nhi\r\n0\r\nX-Endless: ", b"x" * 4096),
    "many trailers": (b"2\r\nhi\r\n0\r\n", b"X-Many: y\r\n" * 400),
    "an extension of a chunk": (b"2\r\nhi\r\n2;", b"x" * 4096),
}


@pytest.mark.parametrize(("begins", "goes_on"), BEHIND.values(), ids=BEHIND.keys())
async def test_what_is_no_body_behind_a_head_is_bounded_as_the_head_is(
    begins: bytes, goes_on: bytes
) -> None:
    """The parser keeps it all, and copies it with each packet: nobody else would be heard."""
    async with serving(Bounds(request_seconds=60)) as web, web.connected() as (_, writer):
        writer.write(post(begins, b"Transfer-Encoding: chunked", path=b"/told"))
        sent = 0
        with contextlib.suppress(ConnectionError):
            while sent < 40 * HEAD_BYTES_MAX:
                writer.write(goes_on)
                await writer.drain()
                await asyncio.sleep(0.001)
                sent += len(goes_on)
        assert sent < 40 * HEAD_BYTES_MAX, "it was cut"
        await until(lambda: not web.server.server_state.connections)


async def test_a_head_up_to_the_bound_may_have_a_body_in_the_smallest_pieces() -> None:
    """Most of these bytes are no body, and are no head either."""
    chunked, long = b"Transfer-Encoding: chunked", b"X-Long: "
    rest = HEAD_BYTES_MAX - len(post(b"", chunked, long))
    head = post(b"", chunked, long + b"y" * rest)
    tiny = b"1\r\nx\r\n" * 4_000
    pieces = [head[:9], head[9:], b"1;%s" % (b"e" * 20), b"\r\nx\r\n", tiny, b"0\r\n\r\n"]
    async with serving(Bounds()) as web, web.connected() as (reader, writer):
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.02)
        assert (await read_answer(reader))[1].startswith("ordinary POST one x")


async def test_as_many_headers_as_may_be_are_read_and_one_more_is_not() -> None:
    for more, status in ((0, 200), (1, 431)):
        lines = [b"X-%d: y" % number for number in range(HEADERS_MAX - 2 + more)]
        async with serving(Bounds()) as web, web.connected() as (reader, writer):
            writer.write(post(b"hi", *lines))
            assert (await read_answer(reader))[0] == status


async def test_a_head_too_large_behind_a_request_is_not_taken_for_its_answer() -> None:
    async with serving(Bounds()) as web:
        web.door.may_answer.clear()
        for bad in (HEADS["many headers"], b"\x16\x03\x01 no HTTP\r\n\r\n"):
            async with web.connected() as (reader, writer):
                writer.write(post(b"wait") + bad)
                with contextlib.suppress(ConnectionError):
                    assert await asyncio.wait_for(reader.read(), 120) == b""
        web.door.may_answer.set()


GARBAGE: dict[str, bytes] = {
    "TLS to a plain door": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 64,
    "zeros": b"\x00" * 400,
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "no path": b"POST http://capp HTTP/1.1\r\nHost: capp\r\nContent-Length: 0\r\n\r\n",
    "a star": b"OPTIONS * HTTP/1.1\r\nHost: capp\r\nContent-Length: 0\r\n\r\n",
    "a byte no path has": b"POST /door/\xff HTTP/1.1\r\nHost: capp\r\nContent-Length: 0\r\n\r\n",
    "a line break in a header": b"POST / HTTP/1.1\r\nX: a\rb\r\n\r\n",
    "two lengths": post(b"hi", b"Content-Length: 2", b"Content-Length: 3"),
    "a length and chunks": post(b"hi", b"Content-Length: 2", b"Transfer-Encoding: chunked"),
    "a length without end": post(b"", b"Content-Length: " + b"9" * 5000),
    "a negative length": post(b"", b"Content-Length: -1"),
    "a folded header": post(b"hi", b"X-One: a\r\n b: c"),
    "a space before the colon": post(b"hi", b"Content-Length : 2"),
}  # fmt: skip


@pytest.mark.parametrize("sent", GARBAGE.values(), ids=GARBAGE.keys())
async def test_what_is_no_http_is_answered_400_or_404_and_reaches_no_door(sent: bytes) -> None:
    async with serving(Bounds()) as web, web.connected() as (reader, writer):
        writer.write(sent)
        assert (await read_answer(reader))[0] in (400, 404, 405)
        assert web.door.called == 0
        assert await web.ask(post()) == [(200, "short POST one hi")]


async def test_garbage_is_told_once_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    async with serving(Bounds()) as web:
        for _ in range(20):
            await web.ask(GARBAGE["zeros"])
    told = [record.getMessage() for record in caplog.records]
    assert len(told) <= 1  # another test may have had this minute's line


async def test_a_body_that_is_encoded_goes_the_way_where_it_is_refused_for_all_alike() -> None:
    async with serving(Bounds()) as web:
        encoded = post(b"hi", b"Content-Encoding: gzip")
        assert await web.ask(encoded) == [(200, "ordinary POST one hi")]


@pytest.mark.parametrize("path", [b"/door/one", b"/whole/one"])
async def test_answers_of_doors_have_the_lines_that_all_answers_have(path: bytes) -> None:
    bounds = Bounds(headers=b"x-content-type-options: nosniff\r\n")
    async with serving(bounds) as web, web.connected() as (reader, writer):
        writer.write(post(path=path))
        _, headers, _ = await read_whole(reader)
        assert headers["x-content-type-options"] == "nosniff"


UPGRADES: dict[str, tuple[bytes, ...]] = {
    "HTTP/2": (
        b"Connection: Upgrade, HTTP2-Settings",
        b"Upgrade: h2c",
        b"HTTP2-Settings: AAMAAABk",
    ),
    "sockets": (b"Connection: keep-alive, Upgrade", b"Upgrade: websocket"),
    "anything": (b"Upgrade: x", b"Connection: upgrade"),
}
HIDDEN = post(b"", path=b"/hello", method=b"GET")


@pytest.mark.parametrize("lines", UPGRADES.values(), ids=UPGRADES.keys())
async def test_whoever_offers_another_protocol_is_heard_in_this_one(
    lines: tuple[bytes, ...],
) -> None:
    """Java's own client does, and `curl --http2`: the parser would skip the body."""
    chunked = post(b"2\r\nhi\r\n0\r\n\r\n", *lines, b"Transfer-Encoding: chunked")
    told = post(b"hi", *lines, path=b"/told")
    async with serving(Bounds()) as web:
        asked = await web.ask(post(b"hi", *lines), chunked, post(b"", *lines), post(), told)
        *heard, (status, names) = asked
        assert [(status, body.partition(" ")[2]) for status, body in heard] == [
            (200, "POST one hi"), (200, "POST one hi"), (200, "POST one "), (200, "POST one hi"),
        ]  # fmt: skip
        assert (status, "upgrade" in names.split()) == (200, False)


@pytest.mark.parametrize("lines", UPGRADES.values(), ids=UPGRADES.keys())
@pytest.mark.parametrize("at", [1, 30, 80, 0])
async def test_a_body_behind_such_an_offer_is_never_a_request_of_its_own(
    lines: tuple[bytes, ...], at: int
) -> None:
    """A proxy takes it for a body: its answer would be the next caller's. `at` 0: by the body."""
    message = post(HIDDEN, *lines)
    at = at or len(message) - len(HIDDEN)
    async with serving(Bounds()) as web, web.connected() as (reader, writer):
        writer.write(message[:at])
        await asyncio.sleep(0.05)
        writer.write(message[at:])
        assert await read_answer(reader) == (200, "short POST one GET /hell")
        writer.write(post(b"next"))
        assert await read_answer(reader) == (200, "short POST one next")


async def test_what_follows_the_last_request_is_nobodys_business_behind_such_an_offer_too() -> None:
    """Old clients send a line break behind a body: the answer is owed all the same."""
    for first in (post(), post(b"hi", *UPGRADES["HTTP/2"])):
        async with serving(Bounds()) as web, web.connected() as (reader, writer):
            writer.write(first)
            assert await read_answer(reader) == (200, "short POST one hi")
            writer.write(post(b"last", b"Connection: close") + b"\r\nmore")
            assert await read_answer(reader) == (200, "ordinary POST one last")


async def test_a_head_that_offers_another_protocol_is_bounded_all_the_same() -> None:
    async with serving(Bounds()) as web:
        for head in (HEADS["one header"], HEADS["many headers"]):
            offering = head.replace(
                b"Host: capp", b"Host: capp\r\n" + b"\r\n".join(UPGRADES["HTTP/2"])
            )
            async with web.connected() as (reader, writer):
                writer.write(offering)
                assert await read_answer(reader) == WORDY
        assert web.door.called == 0


async def test_nobody_is_connected_to_anybody() -> None:
    async with serving(Bounds()) as web, web.connected() as (reader, writer):
        writer.write(b"CONNECT /door/one HTTP/1.1\r\nHost: capp\r\nContent-Length: 2\r\n\r\n")
        await asyncio.sleep(0.05)
        writer.write(HIDDEN)
        assert (await read_answer(reader))[0] == 400
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""

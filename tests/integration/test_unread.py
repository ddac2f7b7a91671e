"""Callers who send and do not read: what we say to them lies in our memory, so it is bounded."""

import asyncio
import contextlib
import gc
import socket
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from channels.web.server import AHEAD_MAX, HEADERS_MAX, Bounds
from channels.web.unread import PERIODS, Unread
from tests.integration.test_server import Web, connections_of, post, read_answer, serving
from tests.leap import leap
from tests.until import until

pytestmark = pytest.mark.long("callers who do not read are waited for")

LEFT_BYTES_MAX = 100 * 1024
ASKED = 3_000
LATER = 20.0  # which goes by at once
HURRIED = Bounds(request_seconds=LATER)
REQUESTS: dict[str, bytes] = {
    "a door": post(b"hi"),
    "the ordinary way": post(b"2\r\nhi\r\n0\r\n\r\n", b"Transfer-Encoding: chunked"),
    "what leads nowhere": post(b"", path=b"/nowhere"),
}


@asynccontextmanager
async def deaf(web: Web) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection on which little is taken by the kernels of either side."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", web.port))
    reader, writer = await asyncio.open_connection(sock=sock, limit=4096)
    await until(lambda: connections_of(web))
    held = transport_of(web).get_extra_info("socket")
    held.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()  # what is still to be sent would be waited for


def transport_of(web: Web) -> asyncio.Transport:
    (connection,) = connections_of(web)
    return connection.transport


class Sending:
    """Requests that are sent one by one, each in a packet of its own, as far as they are taken."""

    def __init__(self, writer: asyncio.StreamWriter, request: bytes) -> None:
        self.sent = 0
        self.task = asyncio.create_task(self._send(writer, request))

    async def _send(self, writer: asyncio.StreamWriter, request: bytes) -> None:
        for _ in range(ASKED):
            writer.write(request)
            await writer.drain()
            self.sent += 1
            await asyncio.sleep(0.0005)

    async def stuck(self) -> None:
        """Wait until nothing more is taken."""
        before = -1
        while before != self.sent:
            before = self.sent
            await asyncio.sleep(0.5)


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS.keys())
async def test_of_a_caller_who_does_not_read_no_more_is_read(request_: bytes) -> None:
    async with serving(Bounds()) as web, deaf(web) as (_, writer):
        sending = Sending(writer, request_)
        await sending.stuck()
        assert transport_of(web).get_write_buffer_size() < LEFT_BYTES_MAX
        assert await web_answers(web)
        sending.task.cancel()


async def web_answers(web: Web) -> bool:
    return await web.ask(post(b"other")) == [(200, "short POST one other")]


async def test_who_reads_on_hears_every_answer_in_its_order() -> None:
    async with serving(Bounds()) as web, deaf(web) as (reader, writer):
        asked = [post(b"n%d" % number) for number in range(1500)]

        ahead = asyncio.Semaphore(AHEAD_MAX // 2)

        async def send_all() -> None:
            for request in asked:
                await ahead.acquire()
                writer.write(request)
                await writer.drain()

        sending = asyncio.create_task(send_all())
        await asyncio.sleep(0.3)
        heard = []
        for _ in asked:
            heard.append((await read_answer(reader))[1].split()[-1])
            ahead.release()
        assert heard == [f"n{number}" for number in range(1500)]
        await sending


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS.keys())
async def test_a_caller_who_takes_nothing_is_cut_in_time_and_takes_nobodys_place(
    request_: bytes,
) -> None:
    async with serving(HURRIED, 300) as web:
        async with deaf(web) as (_, writer):
            sending = Sending(writer, request_)
            await sending.stuck()
            leap(LATER)
            await asyncio.sleep(0.05)
            assert web.server.server_state.connections
            for _ in range(6 * PERIODS):
                leap(LATER)
                await asyncio.sleep(0.02)
            await until(lambda: not web.server.server_state.connections)
            sending.task.cancel()
        assert await web_answers(web)


async def test_who_takes_one_long_answer_behind_another_is_not_cut() -> None:
    """What lies there when it is looked at is not what lay there before."""
    async with serving(HURRIED, 300) as web, deaf(web) as (reader, writer):
        for many in (150_000, 200_000, 250_000):
            writer.write(b"GET /long/%d HTTP/1.1\r\nHost: us\r\n\r\n" % many)
            await asyncio.sleep(0.3)  # all that goes into the buffers has gone there
            leap(PERIODS * LATER * 0.6)  # none is looked at before the last began
            await asyncio.sleep(0.05)
            assert len((await read_answer(reader))[1]) == many


async def test_it_is_looked_again_at_who_took_something_and_who_was_told_more() -> None:
    line, seconds = Line(), 60.0
    unread = Unread(line, seconds / PERIODS)
    unread.watch()  # while nothing is left
    line.left = 50_000
    for _ in range(3):  # a timer that is set meanwhile runs from then on
        leap(seconds / 2)
        await asyncio.sleep(0.01)
    assert not line.is_cut
    unread.took()
    leap(seconds)
    await asyncio.sleep(0.01)
    assert not line.is_cut
    leap(seconds)
    await asyncio.sleep(0.01)
    assert line.is_cut


class Line(asyncio.Transport):
    """One that has so much to say."""

    left = 0
    is_cut = False

    def get_write_buffer_size(self) -> int:
        return self.left

    def abort(self) -> None:
        self.is_cut = True


async def test_who_sends_too_many_ahead_at_once_is_cut_and_the_next_is_served() -> None:
    """Each that waits takes forty times as much of our memory as it has bytes."""
    async with serving(Bounds()) as web:
        async with web.connected() as (reader, writer):
            writer.write(post(b"hi") * (2 * AHEAD_MAX))
            heard = b""
            async with asyncio.timeout(120):
                with contextlib.suppress(ConnectionError):
                    heard = await reader.read()
            assert heard.count(b"HTTP/1.1 200") < AHEAD_MAX
        assert await web_answers(web)


LAST: dict[str, bytes] = {
    "nothing more": b"",
    "half a request": b"POST /do",
    "the last request": post(b"hi", b"Connection: close"),
    "one of HTTP/1.0": post(version=b"1.0"),
    "no HTTP": b"\x16\x03\x01 no HTTP\r\n\r\n",
    "too large a head": post(b"", *[b"X-%d: y" % number for number in range(HEADERS_MAX)]),
    "two that lead nowhere": post(b"", path=b"/nowhere") * 2,
    "too many ahead": post(b"hi") * (2 * AHEAD_MAX),
}


@pytest.mark.parametrize("last", LAST.values(), ids=LAST.keys())
async def test_who_does_not_take_what_was_said_before_the_end_keeps_no_connection(
    last: bytes,
) -> None:
    """It is too little to wait with reading for it, and would be kept for ever."""
    async with serving(HURRIED, 20) as web, deaf(web) as (_, writer):
        writer.write(b"GET /long/50000 HTTP/1.1\r\nHost: us\r\n\r\n")
        await until(lambda: transport_of(web).get_write_buffer_size())
        writer.write(last)
        await asyncio.sleep(0.05)
        assert web.server.server_state.connections, "what was said waits to be taken"
        for _ in range(6 * PERIODS):
            leap(LATER)
            await asyncio.sleep(0.02)
        await until(lambda: not web.server.server_state.connections)


HALF: dict[str, bytes] = {
    "who was yet to say more": b"POST /do",
    "who took too little": b"GET /long/500000 HTTP/1.1\r\nHost: us\r\n\r\n",
    "who waited for a door": post(b"wait"),
}


@pytest.mark.parametrize("said", HALF.values(), ids=HALF.keys())
async def test_of_a_caller_who_has_gone_nothing_is_kept(said: bytes) -> None:
    """Whoever comes and goes as fast as they can would fill our memory with what waits for them."""
    async with serving(Bounds(request_seconds=600)) as web:
        web.door.may_answer.clear()
        async with deaf(web) as (_, writer):
            writer.write(said)
            await until(
                lambda: (
                    web.door.called
                    or any(c._is_coming or c.flow.write_paused for c in connections_of(web))
                )
            )
            kept = [weakref.ref(held) for c in connections_of(web) for held in (c, c._unread)]
            writer.transport.abort()
            await until(lambda: not web.server.server_state.connections)
        web.door.may_answer.set()
        await until(lambda: not web.server.server_state.tasks)
        gc.collect()
        assert [found() for found in kept] == [None, None]

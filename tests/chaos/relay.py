"""A network between two programs, played on 127.0.0.1: what passes through it can go wrong.

It carries bytes of TCP connections and refuses to know who speaks; only answers of HTTP can be
exchanged for worse ones.
"""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Self

HOST = "127.0.0.1"
CHUNK_BYTES = 65_536
LATE_SECONDS = 70.0
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: a close that says RST


class Weather(StrEnum):
    """What the network does while the weather lasts."""

    CLEAR = "clear"
    STILL = "still"  # nothing moves; what has waited is carried at the end
    SLOW = "slow"  # all bytes are held back for a moment
    CUT = "cut"  # every connection is reset, and new ones are
    DEAF = "deaf"  # requests pass, answers are lost; who missed one is reset at the end
    GONE = "gone"  # every connection is lost for ever without a word, and none comes up
    # Of HTTP alone: the request is carried out, and its answer is exchanged.
    PAGE = "page"  # HTML, 502
    HALF = "half"  # cut in the middle of its body
    PACKED = "packed"  # calls itself gzip, and is none
    LATE = "late"  # held back for longer than anybody waits


SLOW_SECONDS = 0.15
_PAGE = b"<html><head><title>502 Bad Gateway</title></head><body>502 Bad Gateway</body></html>"
_WORSE: Mapping[Weather, bytes] = {
    Weather.PAGE: b"HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\nConnection: close\r\n"
    b"Content-Length: %d\r\n\r\n%s" % (len(_PAGE), _PAGE),
    Weather.PACKED: b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
    b"Content-Encoding: gzip\r\nContent-Length: 12\r\n\r\n\x1f\x8b\x08no gzip at",
}


class Relay:
    """One address that leads to one server. `weather` may be set from any thread, by `change`."""

    def __init__(self, target_port: int) -> None:
        self.port = 0  # known once it listens
        self.weather = Weather.CLEAR
        self._target_port = target_port
        self._changed = asyncio.Event()
        self._carried: set[_Carried] = set()

    async def listen(self) -> asyncio.Server:
        server = await asyncio.start_server(self._take, HOST, 0, limit=CHUNK_BYTES)
        self.port = server.sockets[0].getsockname()[1]
        return server

    def change(self, weather: Weather) -> None:
        """From now on. What a weather did to a connection is not undone by the next."""
        before, self.weather = self.weather, weather
        for one in [*self._carried]:
            if weather is Weather.CUT or (before is Weather.DEAF and one.is_maimed):
                one.cut()
            elif weather is Weather.GONE:
                one.is_lost = True
        self._changed.set()
        self._changed = asyncio.Event()

    async def passable(self) -> None:
        """Returns once bytes can pass."""
        while self.weather in (Weather.STILL, Weather.GONE):
            await self._changed.wait()

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.weather is Weather.CUT:
            _reset(writer)
            return
        await self.passable()
        try:
            answers, asks = await asyncio.open_connection(HOST, self._target_port)
        except OSError:  # nobody listens there
            _reset(writer)
            return
        one = _Carried(self, writer, asks)
        self._carried.add(one)
        try:
            await asyncio.gather(one.carry(reader, asks), one.carry_back(answers, writer))
        finally:
            self._carried.discard(one)
            writer.close()
            asks.close()


class _Carried:
    """One connection through a relay."""

    def __init__(self, relay: Relay, near: asyncio.StreamWriter, far: asyncio.StreamWriter) -> None:
        self._relay = relay
        self._ends = (near, far)
        self.is_lost = False  # neither side hears of the other again
        self.is_maimed = False  # bytes are missing: nothing sensible can follow

    def cut(self) -> None:
        for end in self._ends:
            _reset(end)

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Requests, until one side has ended."""
        try:
            while chunk := await reader.read(CHUNK_BYTES):
                await self._delay()
                if not self.is_lost:
                    await self._write(writer, chunk)
        except OSError:
            pass  # whoever is left is told by the end below
        writer.close()  # of a lost one too: a server finds out in the end that nobody is there

    async def carry_back(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answers, likewise."""
        try:
            while chunk := await reader.read(CHUNK_BYTES):
                await self._delay()
                if self.is_lost:
                    continue
                match self._relay.weather:
                    case Weather.DEAF:
                        self.is_maimed = True
                        continue
                    case Weather.PAGE | Weather.PACKED as weather:
                        await self._write(writer, _WORSE[weather])
                        break
                    case Weather.HALF:
                        head = chunk.find(b"\r\n\r\n") + 4
                        await self._write(writer, chunk[: (head + len(chunk)) // 2])
                        break
                    case Weather.LATE:
                        await asyncio.sleep(LATE_SECONDS)
                await self._write(writer, chunk)
        except OSError:
            pass
        if not self.is_lost and not self.is_maimed:
            writer.close()

    async def _delay(self) -> None:
        await self._relay.passable()
        if self._relay.weather is Weather.SLOW:
            await asyncio.sleep(SLOW_SECONDS)

    async def _write(self, writer: asyncio.StreamWriter, chunk: bytes) -> None:
        writer.write(chunk)
        await writer.drain()


class Network:
    """Relays on a thread of their own, for as long as the block lasts: by name of the far end."""

    def __init__(self, targets: Mapping[str, int]) -> None:
        self.relays = {name: Relay(port) for name, port in targets.items()}
        self._loop: asyncio.AbstractEventLoop
        self._is_over: asyncio.Event
        self._is_up = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._live()))

    def __enter__(self) -> Self:
        self._thread.start()
        self._is_up.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._is_over.set)
        self._thread.join()

    def change(self, names: Iterable[str], weather: Weather) -> None:
        """The weather on these ways, from any thread; returns once it has changed."""
        asyncio.run_coroutine_threadsafe(self._change([*names], weather), self._loop).result()

    async def _change(self, names: Iterable[str], weather: Weather) -> None:
        for name in names:
            self.relays[name].change(weather)

    async def _live(self) -> None:
        self._loop, self._is_over = asyncio.get_running_loop(), asyncio.Event()
        servers = [await relay.listen() for relay in self.relays.values()]
        self._is_up.set()
        await self._is_over.wait()
        await self._change(self.relays, Weather.CUT)
        for server in servers:
            server.close()
        await asyncio.sleep(0)  # sockets are really closed one tick later


def _reset(writer: asyncio.StreamWriter) -> None:
    """Hang up without a farewell."""
    bare = writer.get_extra_info("socket")
    if bare is not None:
        with contextlib.suppress(OSError):  # it has ended already
            bare.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()

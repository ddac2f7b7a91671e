"""What stands before several web processes: each request goes to the next of them, as behind nginx.

It runs in a thread of its own, keeps no connection, and counts what no client should ever read.
"""

import asyncio
import re
import threading
from collections import Counter
from collections.abc import Sequence
from types import TracebackType
from typing import Self

ANSWERED_SECONDS_MAX = 60.0
"""Of one process; the next is asked where the first could not be reached."""
START_SECONDS_MAX = 30.0
_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)
_KEPT = re.compile(rb"\r\nconnection:[^\r]*", re.IGNORECASE)
_SECRET = re.compile(r"[0-9a-zA-Z_-]{16,}")
_NOBODY = b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
_SERVER_FAULT = 500


class Balancer:
    """Listens from the block's start to its end."""

    def __init__(self, port: int) -> None:
        self._ports: Sequence[int] = ()
        self._under_way: Counter[int] = Counter()  # by every port that a request may go to
        self.faults: Counter[str] = Counter()  # what was asked, and the status that came
        self._port = port
        self._turn = 0
        self._answered = asyncio.Condition()
        self._is_up = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._listen()), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._is_up.wait(START_SECONDS_MAX), f"nobody listens on {self._port}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join()

    def turn_to(self, ports: Sequence[int]) -> None:
        """Requests go there from now on. Returns when none is under way to any other port."""
        asyncio.run_coroutine_threadsafe(self._turn_to(ports), self._loop).result()

    async def _turn_to(self, ports: Sequence[int]) -> None:
        self._ports = ports
        async with asyncio.timeout(2 * ANSWERED_SECONDS_MAX), self._answered:
            await self._answered.wait_for(lambda: not self._is_under_way_past(ports))

    def _is_under_way_past(self, ports: Sequence[int]) -> bool:
        return any(self._under_way[port] for port in self._under_way.keys() - set(ports))

    async def _listen(self) -> None:
        self._loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
        self._is_up.set()
        try:
            await self._ended.wait()
        finally:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = _LENGTH.search(head)
            body = await reader.readexactly(int(length[1])) if length else b""
            once = _KEPT.sub(b"", head)[:-4] + b"\r\nconnection: close\r\n\r\n"
            answer = await self._ask(once + body) or _NOBODY
            if (status := int(answer[9:12])) >= _SERVER_FAULT:
                asked = _SECRET.sub("...", head.split(b" HTTP", 1)[0].decode())
                self.faults[f"{asked}: {status}"] += 1
            writer.write(answer)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # whoever asked is gone
        finally:
            writer.close()

    async def _ask(self, request: bytes) -> bytes:
        """Another process is asked only where the first could not be reached at all."""
        self._turn += 1
        ports = self._ports
        first = self._turn % len(ports)
        self._under_way.update(ports)
        try:
            for port in (*ports[first:], *ports[:first]):
                try:
                    reader, writer = await asyncio.open_connection("127.0.0.1", port)
                except OSError:
                    continue
                try:
                    writer.write(request)
                    return await asyncio.wait_for(reader.read(), ANSWERED_SECONDS_MAX)
                except (OSError, TimeoutError):
                    return b""
                finally:
                    writer.close()
            return b""
        finally:
            async with self._answered:
                self._under_way.subtract(ports)
                self._answered.notify_all()

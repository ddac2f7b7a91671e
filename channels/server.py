"""One connection of the web server: uvicorn's, with a short way to the doors.

A short request to a door costs neither routing nor middleware nor a stream: its body is collected,
the door is called, the answer leaves in one write. Whatever is unusual about a request sends it the
ordinary way, where the same door stands as a route. See `decisions/0001`.
"""

import logging
from typing import Any, Final

import httptools
from starlette.types import ASGIApp, Message, Scope
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from channels.doors import Doors, plain, send_whole

SHORT_BYTES_MAX: Final = 64 * 1024
"""Of a body. Every door has a smaller or equal bound of its own and says so itself."""

_UNUSUAL: Final = frozenset({b"expect", b"transfer-encoding", b"upgrade"})
_OUR_FAULT: Final = plain(500, "internal error")
_NO_DOORS: Final = Doors()

log = logging.getLogger(__name__)


class Connection(HttpToolsProtocol):
    """Reads the requests of one socket. `doors` come in the application's lifespan state."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._doors: Doors = self.app_state.get("doors", _NO_DOORS)
        self._visit: Visit | None = None  # while its body is coming

    # The parser calls these.

    def on_message_begin(self) -> None:
        self.url, self.headers, self.expect_100_continue = b"", [], False

    def on_headers_complete(self) -> None:
        self._visit = self._short_way()
        if self._visit is not None:
            self.cycle = self._visit  # type: ignore[assignment]
            return
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()  # makes the scope that only the ordinary way needs
        self.url, self.expect_100_continue = url, expects
        self.headers.extend(headers)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if self._visit is None:
            super().on_body(body)
        else:
            self._visit.body += body

    def on_message_complete(self) -> None:
        visit, self._visit = self._visit, None
        if visit is None:
            super().on_message_complete()
            return
        task = self.loop.create_task(visit.run())
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def _short_way(self) -> "Visit | None":
        """None when the request must go the ordinary way, where everything is possible."""
        if self.cycle is not None and not self.cycle.response_complete:
            return None  # it came before the last answer left: uvicorn keeps them in order
        if not self.parser.should_keep_alive() or not _is_short(self.headers):
            return None
        url = httptools.parse_url(self.url)
        method, path = self.parser.get_method().decode(), url.path.decode("ascii")
        found = self._doors.find(method, path) if "%" not in path else None
        if found is None:
            return None
        door, words = found
        scope: Scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": url.query or b"",
            "headers": self.headers,
            "path_params": words,
        }
        return Visit(self, door, scope)


class Visit:
    """One short request and its answer; for uvicorn's protocol it is a cycle like its own."""

    def __init__(self, connection: Connection, door: ASGIApp, scope: Scope) -> None:
        self.body = b""
        self.keep_alive = True
        self.disconnected = False
        self.response_complete = False
        self.message_event = _NOBODY_WAITS
        self._connection = connection
        self._door = door
        self._scope = scope
        self._start: Message = {}

    async def run(self) -> None:
        """Call the door. When it raises, or has no answer, the other side is told that it failed.

        That makes an operator or a gateway repeat what was not taken; the trace goes to the log.
        """
        try:
            await self._door(self._scope, self._receive, self._send)
        except Exception:
            log.exception("a door failed")
        if not self.response_complete:
            await send_whole(_OUR_FAULT, self._send)

    async def _receive(self) -> Message:
        return {"type": "http.request", "body": self.body, "more_body": False}

    async def _send(self, message: Message) -> None:
        """One write for the whole answer, when its body is here."""
        if message["type"] == "http.response.start":
            self._start = message
            return
        assert not message.get("more_body", False), "a door answers whole"
        answer = self._head() + message["body"]
        self.response_complete = True
        if self.disconnected:
            return
        transport = self._connection.transport
        transport.write(answer)
        if not self.keep_alive:
            transport.close()
        self._connection.on_response_complete()

    def _head(self) -> bytes:
        lines = [STATUS_LINE[self._start["status"]]]
        lines += [b"%s: %s\r\n" % header for header in self._start["headers"]]
        if not self.keep_alive:  # the server is stopping
            lines.append(b"connection: close\r\n")
        head = b"".join(lines)
        assert head.count(b"\n") == len(lines), "line break inside a header"
        return head + b"\r\n"


class _NobodyWaits:
    """Stands where uvicorn wakes whoever reads a body: a short one is here before anybody reads."""

    def set(self) -> None:
        return


_NOBODY_WAITS: Final = _NobodyWaits()


def _is_short(headers: list[tuple[bytes, bytes]]) -> bool:
    """Whether the body is declared, is small, and nothing else is asked of the server."""
    length = b""
    for name, value in headers:
        if name in _UNUSUAL:
            return False
        if name == b"content-length":
            length = value
    return length.isdigit() and int(length) <= SHORT_BYTES_MAX

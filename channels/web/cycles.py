"""A short request and its answer, beside the ordinary way: to a door, or to what is not here.

Knows of its connection only how to write to it (`Connected`); see `decisions/0001`.
"""

import asyncio
import logging
from typing import Final, Protocol

from starlette.types import ASGIApp, Message, Scope
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from channels.web.bodies import WHOLE
from channels.web.doors import Door, plain
from channels.web.heads import checked, head_of
from engine.memory import end_if_refused
from engine.ports import Acknowledgement

_OUR_FAULT: Final = plain(500, "internal error")
_NOTHING_HERE: Final = b"Not Found"
_NOWHERE: Final[Message] = {
    "status": 404,
    "headers": [
        (b"content-length", b"%d" % len(_NOTHING_HERE)),
        (b"content-type", b"text/plain; charset=utf-8"),
    ],
}
"""As Starlette says it."""

log = logging.getLogger(__name__)


class Connected(Protocol):
    """What answers leave by. `held` are lines that each of them has beside its own."""

    transport: asyncio.Transport
    held: bytes

    def on_response_complete(self) -> None: ...


class _NobodyWaits:
    """Stands where uvicorn wakes whoever reads a body: a short one is here before anybody reads."""

    def set(self) -> None:
        return


_NOBODY_WAITS: Final = _NobodyWaits()


class Cycle:
    """One short request and its answer; for uvicorn's protocol it is a cycle like its own."""

    def __init__(self, connection: Connected) -> None:
        self.keep_alive = True
        self.disconnected = False
        self.response_complete = False
        self.message_event = _NOBODY_WAITS
        self._connection = connection

    def take(self, body: bytes) -> None:
        """A piece of what came. Nobody reads it."""

    def _leave(self, start: Message, body: bytes) -> None:
        """What an application says in a message."""
        lines = [STATUS_LINE[start["status"]]]
        lines += [b"%s: %s\r\n" % header for header in start["headers"]]
        self._write(checked(lines) + self._connection.held, body)

    def _write(self, head: bytes, body: bytes) -> None:
        """One write for the whole answer. `head`: its lines, each with its line break."""
        self.response_complete = True
        if self.disconnected:
            return
        transport = self._connection.transport
        if self.keep_alive:
            transport.write(b"%s\r\n%s" % (head, body))
        else:  # the server is stopping
            transport.write(b"%sconnection: close\r\n\r\n%s" % (head, body))
            transport.close()
        self._connection.on_response_complete()


class Visit(Cycle):
    """A request that comes to a door."""

    def __init__(self, connection: Connected, door: ASGIApp, scope: Scope) -> None:
        super().__init__(connection)
        self._body = b""
        self._door = door
        self._scope = scope
        self._start: Message = {}

    def take(self, body: bytes) -> None:
        """A piece of what came."""
        self._body += body

    async def run(self) -> None:
        """Call the door. When it raises, or has no answer, the other side is told that it failed.

        That makes an operator or a gateway repeat what was not taken; the trace goes to the log.
        """
        door = self._door
        self._scope[WHOLE] = self._body
        try:
            if isinstance(door, Door):
                self._say(await door.answer(self._scope, self._receive))
            else:
                await door(self._scope, self._receive, self._send)
        except Exception as error:
            end_if_refused(error)
            log.exception("a door failed")
        if not self.response_complete:
            self._say(_OUR_FAULT)

    def _say(self, reply: Acknowledgement) -> None:
        """What `send_whole` says in two messages."""
        head = head_of(reply.status, reply.content_type, reply.headers)
        self._write(
            b"%scontent-length: %d\r\n%s" % (head, len(reply.body), self._connection.held),
            reply.body,
        )

    async def _receive(self) -> Message:
        return {"type": "http.request", "body": self._body, "more_body": False}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
            return
        assert not message.get("more_body", False), "a door answers whole"
        self._leave(self._start, message["body"])


class Lost(Cycle):
    """A request for what is not here: nobody is called, and its body is thrown away."""

    def answer(self) -> None:
        """What the ordinary way would say."""
        self._leave(_NOWHERE, _NOTHING_HERE)

"""USSD callbacks over HTTP: bytes in, one turn, bytes out; or the notice that a session has ended.

Which fields the bytes hold is the gateway's dialect (`UssdPort`); what a turn means is the
session's affair. The busiest door of the house (`doors.py`).
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from starlette.routing import Route
from starlette.types import Receive, Scope

from channels.web.bodies import TooLarge, is_any_secret, read_body
from channels.web.doors import Door, plain
from engine.errors import Unreadable
from engine.ports import Acknowledgement, EndNotices, Reply, SessionEnd, Turn, UssdPort

BODY_BYTES_MAX = 8 * 1024
"""A few short fields; a whole session's text is far below this."""

_log = logging.getLogger(__name__)

_Answer = Callable[[bytes], Awaitable[Acknowledgement]]


class Dialogues(Protocol):
    """What the door asks of the sessions. Both may be repeated; neither raises an `Exception`."""

    async def take(self, turn: Turn) -> Reply:
        """The screen that answers a turn."""
        ...

    async def note_end(self, end: SessionEnd) -> None:
        """Close the session, and count it when it was dropped. An unknown session is no fault."""
        ...


def ussd_routes(gateway: UssdPort, dialogues: Dialogues, *path_tokens: str) -> list[Route]:
    """The gateway's callbacks: every turn, and an address for ends where it has one of their own.

    A path token is all that tells the gateway from a stranger: these callbacks are not signed.
    There is another one while it is changed.
    """

    async def answer(body: bytes) -> Acknowledgement:
        told = gateway.read(body)
        if isinstance(told, SessionEnd):
            return await note(told)
        return gateway.write_reply(told, await dialogues.take(told))

    async def note(end: SessionEnd) -> Acknowledgement:
        _log.info(
            "session of %s ended: %s (%s), %s turns, %s ms",
            *(gateway.name, end.reason, end.status, end.hops, end.duration_ms),
        )
        await dialogues.note_end(end)
        return end.acknowledgement

    path = f"/ussd/{gateway.name}/{{token}}"
    routes = [Route(path, _Gateway(answer, gateway, path_tokens), methods=["POST"])]
    if isinstance(gateway, EndNotices):
        read_end = gateway.read_end

        async def answer_end(body: bytes) -> Acknowledgement:
            return await note(read_end(body))

        end_door = _Gateway(answer_end, gateway, path_tokens)
        routes.append(Route(f"{path}/end", end_door, methods=["POST"]))
    return routes


class _Gateway(Door):
    """Checks token, type and size before anything is read; then one answer."""

    def __init__(self, answer: _Answer, gateway: UssdPort, tokens: tuple[str, ...]) -> None:
        self._answer_body = answer
        self._gateway = gateway.name
        self._media_type = gateway.media_type.encode()
        self._tokens = tokens

    async def answer(self, scope: Scope, receive: Receive) -> Acknowledgement:
        if not is_any_secret(scope["path_params"]["token"], self._tokens):
            return plain(404, "Not found.")
        if _media_type(scope) != self._media_type:
            return plain(415, f"Send {self._media_type.decode()}.")
        try:
            return await self._answer_body(await read_body(scope, receive, BODY_BYTES_MAX))
        except TooLarge:
            return plain(413, f"The body may have {BODY_BYTES_MAX} bytes.")
        except Unreadable as error:
            # The detail names a field, never what stood in it: the text holds PINs.
            _log.warning("unreadable callback of %s: %s", self._gateway, error.detail)
            return plain(400, f"This request cannot be read: {error.detail}.")


def _media_type(scope: Scope) -> bytes:
    """Without its parameters, in lower case; empty when there is none."""
    for name, value in scope["headers"]:
        if name == b"content-type":
            media_type: bytes = value.partition(b";")[0].strip().lower()
            return media_type
    return b""

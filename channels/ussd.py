"""USSD callbacks over HTTP: bytes in, one turn, bytes out.

Which fields the bytes hold is the gateway's dialect (`UssdPort`); what a turn means is the
session's affair. The busiest door of the house (`doors.py`).
"""

import logging
from collections.abc import Awaitable, Callable

from starlette.routing import Route
from starlette.types import Receive, Scope

from channels.bodies import TooLarge, is_secret, read_body
from channels.doors import Door, plain
from engine.errors import Unreadable
from engine.ports import Acknowledgement, UssdPort
from engine.session.turn import TurnTaker

BODY_BYTES_MAX = 8 * 1024
"""Five short fields; a whole session's text is far below this."""

_FORM = b"application/x-www-form-urlencoded"

_log = logging.getLogger(__name__)

_Answer = Callable[[bytes], Awaitable[Acknowledgement]]


def ussd_routes(gateway: UssdPort, turns: TurnTaker, path_token: str) -> list[Route]:
    """The gateway's two callbacks: every turn, and the notice that a session has ended.

    The path token is all that tells the gateway from a stranger: these callbacks are not signed.
    """

    async def answer_turn(body: bytes) -> Acknowledgement:
        return gateway.write_reply(await turns.take(gateway.read_turn(body)))

    async def note_end(body: bytes) -> Acknowledgement:
        end = gateway.read_end(body)
        _log.info("session ended: %s, %s turns, %s ms", end.status, end.hops, end.duration_ms)
        return Acknowledgement(content_type="text/plain")

    path = f"/ussd/{gateway.name}/{{token}}"
    return [
        Route(path, _Gateway(answer_turn, gateway.name, path_token), methods=["POST"]),
        Route(f"{path}/end", _Gateway(note_end, gateway.name, path_token), methods=["POST"]),
    ]


class _Gateway(Door):
    """Checks token, type and size before anything is read; then one answer."""

    def __init__(self, answer: _Answer, gateway: str, token: str) -> None:
        self._answer_body = answer
        self._gateway = gateway
        self._token = token

    async def _answer(self, scope: Scope, receive: Receive) -> Acknowledgement:
        if not is_secret(scope["path_params"]["token"], self._token):
            return plain(404, "Not found.")
        if _media_type(scope) != _FORM:
            return plain(415, "Send application/x-www-form-urlencoded.")
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

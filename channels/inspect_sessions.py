"""A look at a phone's own sessions for testers and staff tools: where each stands, and since when.

It reads what a session keeps and changes nothing. What was typed, chosen or priced is never told,
nor the number; behind the same token as the rest of the inspection door.
"""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from channels.settings import Settings
from channels.times import iso_of
from channels.web.bodies import is_secret
from engine.msisdn import Msisdn
from engine.session.pipeline import open_pipeline
from engine.session.sealing import RecordSeal
from engine.session.session import Session, unpack
from engine.session.store import SessionStore, StoreDown

NAMED_MAX = 10
"""Sessions that one request may name, beside the phone's last."""
_ID_LENGTH_MAX = 100
_MSISDN = re.compile(r"\+[1-9][0-9]{6,14}")


@asynccontextmanager
async def session_inspection(settings: Settings) -> AsyncIterator[list[Route]]:
    """The door with a way to Redis of its own; no door where no token is set."""
    if not settings.inspect_token:
        yield []
        return
    redis = open_pipeline(settings.redis_url)
    try:
        store = SessionStore(redis, settings.tenant, RecordSeal(settings.session_keys))
        yield SessionInspection(store, settings.inspect_token).routes()
    finally:
        await redis.aclose()


class SessionInspection:
    """`/inspect/sessions?msisdn=+254...&session=...`: the last session, and those that are named.

    Redis forgets: what ended is told for as long as its record is kept (`KEPT_SECONDS` or the
    network's idle time), and of what ended no path but its last screen.
    """

    def __init__(self, store: SessionStore, token: str) -> None:
        self._store = store
        self._token = token

    def routes(self) -> list[Route]:
        return [Route("/inspect/sessions", self.sessions)]

    async def sessions(self, request: Request) -> Response:
        """The newest turn first. 400 for no number or too many names, 503 while Redis is away."""
        if not is_secret(request.headers.get("authorization", ""), f"Bearer {self._token}"):
            return PlainTextResponse("forbidden", 403)
        msisdn, named = (
            request.query_params.get("msisdn", ""),
            request.query_params.getlist("session"),
        )
        if not _MSISDN.fullmatch(msisdn):
            return PlainTextResponse("msisdn must be a number in E.164, with plus", 400)
        if len(named) > NAMED_MAX or any(len(name) > _ID_LENGTH_MAX for name in named):
            return PlainTextResponse(f"name at most {NAMED_MAX} sessions", 400)
        try:
            records = await self._store.kept(Msisdn(msisdn), named)
        except StoreDown:
            return PlainTextResponse("sessions away", 503)
        read = ((session_id, unpack(record)) for session_id, record in records.items())
        found = [(session_id, session) for session_id, session in read if session is not None]
        found.sort(key=lambda pair: pair[1].at, reverse=True)
        told = {"sessions": [_told(session_id, session) for session_id, session in found]}
        return Response(msgspec.json.encode(told), media_type="application/json")


def _told(session_id: str, session: Session) -> dict[str, Any]:
    return {
        "session_id": session_id,
        "screens": [*session.history, session.screen],  # the way back, then where it stands
        "step": session.step,
        "at": iso_of(session.at * 1000),
        "menu": session.menu,
        "language": session.language,
        "state": _state(session),
    }


def _state(session: Session) -> str:
    if session.dropped:
        return "dropped"
    return "ended" if session.ended else "open"

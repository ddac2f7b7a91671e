"""A sandbox of CAMARA's "SIM Swap", as an operator or an aggregator runs it; used by tests.

From the API's definition (`sim-swap` 2.1: `retrieve-date`, its errors, E.164 with plus; read
2026-11-23) and OAuth's client credentials (RFC 6749, section 4.4). What is not in them is ours:
the token's length of life, and that any scope of the family will do.
"""

from __future__ import annotations

import base64
import binascii
import re
from datetime import datetime, timedelta
from urllib.parse import parse_qs

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from simulator.operators.admin import json_response
from simulator.operators.world import World

ROOT = "/sim-swap/v2"
TOKEN_PATH = "/oauth2/token"  # noqa: S105 - an address
CLIENT_ID = "sandbox-client"
CLIENT_SECRET = "sandbox-client-secret"  # noqa: S105 - of nobody
TOKEN_SECONDS = 600
REMEMBERED = timedelta(days=120)
_PHONE_NUMBER = re.compile(r"\+[1-9][0-9]{4,14}")


class _Asked(msgspec.Struct):
    phoneNumber: str = ""  # noqa: N815 - on the wire


class CamaraSandbox:
    """Whose numbers it knows, and since when each has its SIM."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.changed_at: dict[str, datetime | None] = {}  # by number with plus
        self.asked: list[str] = []
        self._tokens: dict[str, datetime] = {}

    def revoke_all(self) -> None:
        """No token that was given out is good any more."""
        self._tokens.clear()

    async def token(self, request: Request) -> Response:
        """POST /oauth2/token."""
        form = parse_qs((await request.body()).decode("ascii", "replace"))
        if _basic(request) != f"{CLIENT_ID}:{CLIENT_SECRET}":
            return json_response({"error": "invalid_client"}, 401)
        if form.get("grant_type") != ["client_credentials"]:
            return json_response({"error": "unsupported_grant_type"}, 400)
        if not any(
            scope.startswith("sim-swap") for scope in " ".join(form.get("scope", [])).split()
        ):
            return json_response({"error": "invalid_scope"}, 400)
        token = self.world.hex(40)
        self._tokens[token] = self.world.clock() + timedelta(seconds=TOKEN_SECONDS)
        told = {"access_token": token, "token_type": "Bearer", "expires_in": TOKEN_SECONDS}
        return json_response(told)

    async def retrieve_date(self, request: Request) -> Response:
        """POST /sim-swap/v2/retrieve-date."""
        if not self._may_ask(request):
            return _error(401, "UNAUTHENTICATED", "a new authentication is required")
        try:
            number = msgspec.json.decode(await request.body(), type=_Asked).phoneNumber
        except msgspec.DecodeError:
            number = "-"
        if not number:
            return _error(422, "MISSING_IDENTIFIER", "the phone number cannot be identified")
        if not _PHONE_NUMBER.fullmatch(number):
            return _error(400, "INVALID_ARGUMENT", "the phone number is not valid")
        self.asked.append(number)
        if number not in self.changed_at:
            return _error(404, "IDENTIFIER_NOT_FOUND", "the phone number is not known")
        changed_at = self.changed_at[number]
        if changed_at is not None and self.world.clock() - changed_at > REMEMBERED:
            changed_at = None
        told: dict[str, object] = {"latestSimChange": _stamp(changed_at)}
        if changed_at is None:
            told["monitoredPeriod"] = REMEMBERED.days
        return json_response(told)

    def _may_ask(self, request: Request) -> bool:
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        ends_at = self._tokens.get(token)
        return kind == "Bearer" and ends_at is not None and self.world.clock() < ends_at


def camara_app(sandbox: CamaraSandbox) -> Starlette:
    """The ASGI application around one sandbox's state."""
    return Starlette(
        routes=[
            Route(TOKEN_PATH, sandbox.token, methods=["POST"]),
            Route(f"{ROOT}/retrieve-date", sandbox.retrieve_date, methods=["POST"]),
        ]
    )


def _stamp(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="milliseconds")


def _error(status: int, code: str, message: str) -> Response:
    return json_response({"status": status, "code": code, "message": message}, status)


def _basic(request: Request) -> str:
    kind, _, sealed = request.headers.get("authorization", "").partition(" ")
    try:
        return base64.b64decode(sealed, validate=True).decode() if kind == "Basic" else ""
    except (binascii.Error, UnicodeDecodeError):
        return ""

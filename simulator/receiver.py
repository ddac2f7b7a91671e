"""A business that is told of its payments: verifies each message as Standard Webhooks 1.0.0 says.

It knows the specification and its own secrets, nothing of who sends; and it can be slow, rude, away
or gone.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from simulator.faults import ABORT

TOLERANCE_SECONDS = 300
ReceiverFault = Literal[
    "error_500",  # before anything is looked at
    "throttle_429",  # asks to be left alone for a minute
    "redirect",  # to the address in `elsewhere`
    "gone_410",
    "reset",  # no answer, nothing kept
    "answer_lost",  # kept, but nobody hears of it
    "slow",  # kept, and answered after `slow_seconds`
    "dripping",  # answers for ever, a byte at a time
    "large",  # 200 with a megabyte
]


class Refused(Exception):
    """Not a message we may believe; the words say why."""


@dataclass(frozen=True)
class Heard:
    """A message that proved itself. `is_new`: its id was not heard before."""

    id: str
    at_seconds: int
    event: dict[str, Any]
    is_new: bool
    headers: Mapping[str, str]
    body: bytes


def verify(
    headers: Mapping[str, str], body: bytes, secrets: list[str], now: float
) -> tuple[str, int]:
    """The id and the time of a message signed with one of the secrets. Raises Refused.

    `headers` with names in lower case; `now` in epoch seconds. A message older or newer than five
    minutes is refused, whoever signed it: it may be a replay.
    """
    try:
        id_, stamp = headers["webhook-id"], headers["webhook-timestamp"]
        given = headers["webhook-signature"].split(" ")
    except KeyError as error:
        raise Refused(f"no {error.args[0]}") from None
    if not stamp.isascii() or not stamp.isdigit() or abs(now - int(stamp)) > TOLERANCE_SECONDS:
        raise Refused("not of now")
    told = f"{id_}.{stamp}.".encode() + body
    for secret in secrets:
        key = base64.b64decode(secret.removeprefix("whsec_"))
        ours = "v1," + base64.b64encode(hmac.digest(key, told, hashlib.sha256)).decode()
        if any(hmac.compare_digest(ours.encode(), signature.encode()) for signature in given):
            return id_, int(stamp)
    raise Refused("no signature of ours")


@dataclass
class Receiver:
    """Everything one business heard. `faults` are used up one by one, then all goes well."""

    secrets: list[str] = field(default_factory=list)
    now: Callable[[], float] = time.time
    faults: deque[ReceiverFault] = field(default_factory=deque)
    always: ReceiverFault | None = None  # instead of going well
    elsewhere: str = ""
    slow_seconds: float = 1.0
    heard: list[Heard] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    requests: int = 0
    at_once: int = 0
    at_once_most: int = 0

    @property
    def events(self) -> list[dict[str, Any]]:
        """Each once, in the order they were first heard."""
        return [heard.event for heard in self.heard if heard.is_new]

    async def answer(self, request: Request) -> Response:
        """One message, with whatever goes wrong next."""
        self.requests += 1
        self.at_once += 1
        self.at_once_most = max(self.at_once_most, self.at_once)
        try:
            return await self._answer(request, await request.body())
        finally:
            self.at_once -= 1

    async def _answer(self, request: Request, body: bytes) -> Response:
        fault = self.faults.popleft() if self.faults else self.always
        match fault:
            case "error_500":
                return Response(status_code=500)
            case "throttle_429":
                return Response(status_code=429, headers={"Retry-After": "60"})
            case "redirect":
                return RedirectResponse(self.elsewhere, status_code=307)
            case "gone_410":
                return Response(status_code=410)
            case "reset":
                request.scope["extensions"][ABORT]()
                return Response()
        answer = self._hear(request.headers, body)
        match fault:
            case "answer_lost":
                request.scope["extensions"][ABORT]()
            case "slow":
                await asyncio.sleep(self.slow_seconds)
            case "dripping":
                return StreamingResponse(_drip())
            case "large":
                return Response(b"x" * 1_000_000)
        return answer

    def _hear(self, headers: Mapping[str, str], body: bytes) -> Response:
        try:
            id_, at_seconds = verify(headers, body, self.secrets, self.now())
        except Refused as error:
            self.refused.append(str(error))
            return Response(str(error), status_code=401)
        is_new = all(heard.id != id_ for heard in self.heard)
        event: dict[str, Any] = msgspec.json.decode(body)
        self.heard.append(Heard(id_, at_seconds, event, is_new, dict(headers), body))
        return Response(status_code=204)


async def _drip() -> Any:
    while True:
        yield b"."
        await asyncio.sleep(0.05)


def receiver_app(receiver: Receiver) -> Starlette:
    """Any path is the business's."""
    return Starlette(routes=[Route("/{path:path}", receiver.answer, methods=["POST"])])

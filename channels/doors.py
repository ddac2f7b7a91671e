"""Doors: ASGI apps that read one short message and answer it whole. Where each one stands.

It refuses to know what a door does. A door is an ordinary route too; the table of doors is for
`server.py`, which calls them without the ordinary way through all routes and middleware.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import NamedTuple

from starlette.convertors import StringConvertor
from starlette.requests import ClientDisconnect
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from engine.ports import Acknowledgement


class Doors:
    """Finds the door behind a path exactly as the router would."""

    def __init__(self, routes: Iterable[Route] = ()) -> None:
        """Raises what `open` raises."""
        self._by_word: dict[str, list[_Place]] = {}
        self.open(routes)

    def open(self, routes: Iterable[Route]) -> None:
        """More of them, from now on also for callers whose connection is open already.

        Raises ValueError for a route with a parameter that is no plain word of its path.
        """
        for route in routes:
            if any(type(c) is not StringConvertor for c in route.param_convertors.values()):
                raise ValueError(f"{route.path}: a door takes only words from its path")
            place = _Place(route.path_regex, frozenset(route.methods or ()), route.endpoint)
            self._by_word.setdefault(_first_word(route.path), []).append(place)

    def find(self, method: str, path: str) -> tuple[ASGIApp, dict[str, str]] | None:
        """The door and the words its path holds; None when this method opens none there."""
        for pattern, methods, door in self._by_word.get(_first_word(path), ()):
            words = pattern.match(path)
            if words is not None and method in methods:
                return door, words.groupdict()
        return None


class _Place(NamedTuple):
    pattern: re.Pattern[str]
    methods: frozenset[str]
    door: ASGIApp


class Door(ABC):
    """A door as plain ASGI. Who hangs up before the end of the message gets no answer."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            reply = await self._answer(scope, receive)
        except ClientDisconnect:
            return
        await send_whole(reply, send)

    @abstractmethod
    async def _answer(self, scope: Scope, receive: Receive) -> Acknowledgement:
        """Read the message and answer it; the words of its path are in `path_params`."""


async def send_whole(reply: Acknowledgement, send: Send) -> None:
    """Answer a request; the only thing a door sends."""
    headers = [
        (b"content-type", reply.content_type.encode()),
        (b"content-length", b"%d" % len(reply.body)),
        *[(name.encode(), value.encode()) for name, value in reply.headers],
    ]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})


def plain(status: int, sentence: str) -> Acknowledgement:
    """A sentence that tells a stranger nothing."""
    return Acknowledgement(status, sentence.encode(), "text/plain")


def _first_word(path: str) -> str:
    return path[1:].partition("/")[0]

"""Doors: ASGI apps that read one short message and answer it whole. Where each one stands.

It refuses to know what a door does. A door is an ordinary route too; the table of doors is for
`server.py`, which calls them without the ordinary way through all routes and middleware.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import NamedTuple

from starlette.convertors import StringConvertor
from starlette.requests import ClientDisconnect
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from engine.ports import Acknowledgement

Lets = Callable[[Scope], bool]


def everybody(_: Scope) -> bool:
    """Whoever knows the way may take it."""
    return True


class Doors:
    """Finds the door behind a path exactly as the router would."""

    def __init__(self, routes: Iterable[Route] = ()) -> None:
        """Raises what `open` raises."""
        self._by_word: dict[str, list[_Place]] = {}
        self._at_once: dict[str, _Place] = {}  # by a path that no door before it would take
        self._words: frozenset[str] | None = None
        self._lets: Lets = everybody
        self.open(routes)

    def open(self, routes: Iterable[Route], lets: Lets = everybody) -> None:
        """More of them, from now on also for callers whose connection is open already.

        `lets` says of a request whether it may come to them this way; else they are not found.
        Raises ValueError for a route with a parameter that is no plain word of its path.
        """
        for route in routes:
            if any(type(c) is not StringConvertor for c in route.param_convertors.values()):
                raise ValueError(f"{route.path}: a door takes only words from its path")
            # What a HEAD is answered has no body, which only the ordinary way knows.
            methods = frozenset(route.methods or ()) - {"HEAD"}
            place = _Place(route.path_regex, methods, route.endpoint, lets)
            places = self._by_word.setdefault(_first_word(route.path), [])
            places.append(place)
            if not route.param_convertors and _first(places, route.path) is place:
                self._at_once[route.path] = place

    def know_all(self, routes: Iterable[BaseRoute], lets: Lets) -> None:
        """From now on what `leads_nowhere` is known: these are all routes there are.

        Raises ValueError for what is no plain route: nobody knows where that leads.
        """
        words = set()
        for route in routes:
            if not isinstance(route, Route) or route.path.startswith("/{"):
                raise ValueError(f"{route}: it may lead anywhere")
            words.add(_first_word(route.path))
        self._words, self._lets = frozenset(words), lets

    def leads_nowhere(self, scope: Scope) -> bool:
        """Whether the ordinary way would say no more than that there is nothing.

        False as long as that is not known.
        """
        if self._words is None or _first_word(scope["path"]) in self._words:
            return False
        return self._lets(scope)

    def find(self, scope: Scope) -> tuple[ASGIApp, dict[str, str]] | None:
        """The door and the words its path holds; None when this request opens none there."""
        method, path = scope["method"], scope["path"]
        place = self._at_once.get(path)
        if place is not None and method in place.methods:
            return (place.door, {}) if place.lets(scope) else None
        for place in self._by_word.get(_first_word(path), ()):
            words = place.pattern.match(path)
            if words is not None and method in place.methods:
                return (place.door, words.groupdict()) if place.lets(scope) else None
        return None


class _Place(NamedTuple):
    pattern: re.Pattern[str]
    methods: frozenset[str]
    door: ASGIApp
    lets: Lets


def _first(places: Iterable[_Place], path: str) -> _Place | None:
    return next((place for place in places if place.pattern.match(path)), None)


class Door(ABC):
    """A door as plain ASGI. Who hangs up before the end of the message gets no answer."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            reply = await self.answer(scope, receive)
        except ClientDisconnect:
            return
        await send_whole(reply, send)

    @abstractmethod
    async def answer(self, scope: Scope, receive: Receive) -> Acknowledgement:
        """Read the message and answer it; the words of its path are in `path_params`.

        Raises ClientDisconnect.
        """


async def send_whole(reply: Acknowledgement, send: Send) -> None:
    """Answer a request; the only thing a door sends.

    `server.py` sends the same without being told in two messages.
    """
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

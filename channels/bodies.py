"""What every door does before anything is believed: compare a secret, read a bounded body."""

import hmac
import json
from typing import Any, Final

from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope


class TooLarge(Exception):
    """The body is longer than the route allows; answer 413."""


def is_secret(given: str, expected: str) -> bool:
    """Whether they are the same, in a time that tells nothing of where they differ."""
    return hmac.compare_digest(given.encode(), expected.encode())


def announced_length(scope: Scope) -> int:
    """The Content-Length, 0 when there is none or it is no number."""
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0


async def read_body(scope: Scope, receive: Receive, largest: int) -> bytes:
    """The whole body.

    Raises TooLarge as soon as it is, without reading on, and ClientDisconnect when the other side
    hung up before the end. Plain ASGI, because it stands in the busiest door of the house.
    """
    if announced_length(scope) > largest:
        raise TooLarge
    body: bytes = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
        if len(body) > largest:
            raise TooLarge
        if not message.get("more_body", False):
            return body


def has_doubled_names(body: bytes) -> bool:
    """Whether a JSON object names a member twice: readers disagree on which of the two counts.

    False for what is no JSON at all: whoever reads it will say so.
    """
    try:
        _DECODER.decode(body.decode())
    except (_DoubledName, RecursionError):
        return True
    except ValueError:
        return False
    return False


class _DoubledName(Exception):
    pass


def _distinct(pairs: list[tuple[str, Any]]) -> None:
    if len({name for name, _ in pairs}) < len(pairs):
        raise _DoubledName


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_distinct)

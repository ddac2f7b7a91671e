"""What every door does before anything is believed: compare a secret, read a bounded body."""

import hmac
import json
import math
import re
from collections.abc import Sequence
from typing import Any, Final

from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope

WHOLE: Final = "capp.body"
"""Where a scope holds the body of a request that came the short way."""
JSON_DEPTH_MAX: Final = 32
JSON_DIGITS_MAX: Final = 32
# One without an end goes to the end of the text: each sign is looked at once, whatever it is.
_STRINGS: Final = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)', re.DOTALL)
_BRACKETS: Final = re.compile(r"[\[\]{}]")


class TooLarge(Exception):
    """The body is longer than the route allows; answer 413."""


def is_secret(given: str, expected: str) -> bool:
    """Whether they are the same, in a time that tells nothing of where they differ."""
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), expected.encode())


def is_any_secret(given: str, expected: Sequence[str]) -> bool:
    """Whether it is one of them, in a time that tells nothing of which or where it differs."""
    return sum(is_secret(given, each) for each in expected) > 0


def announced_length(scope: Scope) -> int:
    """The Content-Length, 0 when there is none or it is no number."""
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0


async def read_body(scope: Scope, receive: Receive, largest: int) -> bytes:
    """The whole body.

    Raises TooLarge as soon as it is, without reading on, and ClientDisconnect when the other side
    hung up before the end. Plain ASGI, because it stands in the busiest door of the house; what
    came the short way (`server.py`) is here already.
    """
    here: bytes | None = scope.get(WHOLE)
    if here is not None:
        if len(here) > largest:
            raise TooLarge
        return here
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


class BadJson(ValueError):
    """A JSON text that two readers may read differently, or that costs too much; says which."""


def check_json(body: bytes) -> None:
    """Raises BadJson for what is no JSON (RFC 8259), a name that stands twice in an object, a
    number that is none or has no end, and more than `JSON_DEPTH_MAX` brackets in each other.
    """
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise BadJson("the body is not UTF-8") from None
    if _depth(text) > JSON_DEPTH_MAX:
        raise BadJson(f"the body has more than {JSON_DEPTH_MAX} brackets in each other")
    try:
        _STRICT.decode(text)
    except _DoubledName:
        raise BadJson("a name stands twice in the body") from None
    except BadJson:
        raise
    except (ValueError, RecursionError):
        raise BadJson("the body is no JSON") from None


def _depth(text: str) -> int:
    """How many brackets stand in each other; most bodies do not have so many at all."""
    if text.count("[") + text.count("{") <= JSON_DEPTH_MAX:
        return 0
    deepest = depth = 0
    for bracket in _BRACKETS.findall(_STRINGS.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _no_number(_: str) -> None:
    raise BadJson("a number in the body is none")


def _whole(text: str) -> int:
    if len(text) > JSON_DIGITS_MAX:
        raise BadJson(f"a number in the body has more than {JSON_DIGITS_MAX} digits")
    return int(text)


def _decimal(text: str) -> float:
    number = float(text)
    if len(text) > JSON_DIGITS_MAX or not math.isfinite(number):
        raise BadJson(
            f"a number in the body is too large, or has more than {JSON_DIGITS_MAX} digits"
        )
    return number


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
_STRICT: Final = json.JSONDecoder(
    object_pairs_hook=_distinct,
    parse_constant=_no_number,
    parse_int=_whole,
    parse_float=_decimal,
)

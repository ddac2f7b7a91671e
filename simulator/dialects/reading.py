"""How gateways read what a server answers: status, type, encoding, JSON. It knows no field names.

Every function raises Unreadable with the sentence a tester reads.
"""

import codecs
import json
from collections.abc import Mapping
from email.message import Message
from functools import lru_cache
from typing import Any, TypeVar

import msgspec

from simulator.dialects.dialect import Unreadable
from simulator.exchange import Answer, Request

SHOWN_MAX = 40  # signs of a wrong value that a sentence quotes

T = TypeVar("T")


def write_json(fields: Mapping[str, Any]) -> Request:
    """The fields as a gateway posts them."""
    return Request(msgspec.json.encode(fields), "application/json")


def read_text(answer: Answer, media_type: str) -> tuple[str, tuple[str, ...]]:
    """The body as text, and what was wrong with its type that a gateway bears."""
    _require_status(answer)
    declared, charset = _content_type(answer.content_type)
    if declared != media_type:
        raise Unreadable(f"content type {answer.content_type[:80]!r} is not {media_type}")
    try:
        body = answer.body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Unreadable(
            f"the body is not UTF-8: byte {error.start} is 0x{answer.body[error.start]:02x}"
        ) from error
    if body.startswith("\ufeff"):
        raise Unreadable("the body starts with a byte order mark")
    return body, _charset_flaws(charset)


def read_object(answer: Answer) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The body as a JSON object."""
    body, flaws = read_text(answer, "application/json")
    try:
        # Stricter than usual: a name that comes twice is two answers, and NaN is no JSON.
        found = json.loads(body, object_pairs_hook=_once, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"the body is no JSON: {shorten(body)} ({error})") from error
    if not isinstance(found, dict):
        raise Unreadable(f"the body is no JSON object: {shorten(body)}")
    return found, flaws


def take(fields: Mapping[str, Any], name: str, kind: type[T]) -> T:
    """The field, which must be there and of this type."""
    if name not in fields:
        raise Unreadable(f"{name} is missing")
    value = fields[name]
    # To Python true is an integer as well.
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise Unreadable(f"{name} is {shorten(value)}, not {_KINDS[kind]}")
    if isinstance(value, str):
        _require_signs(name, value)
    return value


def echo_flaws(fields: Mapping[str, Any], **sent: str) -> tuple[str, ...]:
    """A sentence for each field that should have come back as it was sent."""
    found = []
    for name, value in sent.items():
        if name not in fields:
            found.append(f"{name} did not come back")
        elif fields[name] != value:
            found.append(f"{name} came back as {shorten(fields[name])}")
    return tuple(found)


def shorten(value: object) -> str:
    """A value for a sentence, quoted, not longer than a line."""
    text = repr(value)
    return text if len(text) <= SHOWN_MAX else f"{text[:SHOWN_MAX]}..."


_KINDS: Mapping[type, str] = {
    str: "a text",
    bool: "a truth value",
    int: "a whole number",
    dict: "an object",
}


def _require_status(answer: Answer) -> None:
    if 300 <= answer.status < 400:
        where = shorten(answer.headers.get("location", ""))
        raise Unreadable(f"HTTP status {answer.status} to {where}: gateways follow no redirect")
    if answer.status != 200:
        raise Unreadable(f"HTTP status {answer.status}")
    encoding = answer.headers.get("content-encoding", "identity")
    if encoding != "identity":
        raise Unreadable(f"the body is packed as {shorten(encoding)}, which nobody asked for")


@lru_cache(maxsize=64)
def _content_type(written: str) -> tuple[str, str]:
    """The media type and the charset, in lower case. A server writes the same again and again."""
    header = Message()
    header["content-type"] = written.replace("\r", " ").replace("\n", " ")
    declared = written.split(";")[0].strip().lower()
    charset = header.get_param("charset", "utf-8")
    return declared, charset.lower() if isinstance(charset, str) else "several"


def _charset_flaws(charset: str) -> tuple[str, ...]:
    try:
        is_utf8 = codecs.lookup(charset).name in ("utf-8", "ascii")
    except (LookupError, ValueError):
        return (f"nobody knows the charset {shorten(charset)}; it was read as UTF-8",)
    return () if is_utf8 else (f"the charset is {charset}; it was read as UTF-8",)


def _require_signs(name: str, value: str) -> None:
    """JSON may write half a sign, which no text can hold."""
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise Unreadable(f"{name} holds half a sign (a lone surrogate)") from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"{shorten(name)} comes twice")
        found[name] = value
    return found


def _no_number(constant: str) -> None:
    raise ValueError(f"{constant} is no number")

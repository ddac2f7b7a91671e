"""What a request asks, read and bounded by the types of its endpoint, before anything is done.

It refuses what it does not know: fields, names, media types. It knows nobody who asks.
"""

import hashlib
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple, TypeVar
from urllib.parse import parse_qsl

import msgspec
from starlette.types import Receive, Scope

from channels.api.endpoints import AnyEndpoint, Call, Nothing
from channels.api.problems import Code, Refusal
from channels.web.bodies import BadJson, TooLarge, check_json, read_body

BODY_BYTES_MAX: Final = 16 * 1024
QUERY_BYTES_MAX: Final = 1024
KEY_PATTERN: Final = "^[0-9A-Za-z_-]{8,64}$"
_NOTHING: Final = Nothing()
S = TypeVar("S", bound=msgspec.Struct)
_KEY: Final = re.compile(r"[0-9A-Za-z_-]{8,64}")


_ONCE: Final = ("authorization", "idempotency-key", "content-type")


class Asked(NamedTuple):
    """A request before anybody knows what it wants."""

    endpoint: AnyEndpoint
    words: Mapping[str, str]
    query: bytes
    headers: Mapping[str, str]
    correlation_id: str


def read_headers(scope: Scope) -> dict[str, str]:
    """By names in small letters. Raises Refusal MALFORMED where one that we read stands twice.

    Whoever passed it on, or a library that adds a key of its own, may have meant the other one.
    """
    lines: list[tuple[bytes, bytes]] = scope["headers"]
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in lines}
    if len(headers) != len(lines):
        names = [name.decode("latin-1") for name, _ in lines]
        for name in _ONCE:
            if names.count(name) > 1:
                raise Refusal(Code.MALFORMED, f"`{name}` stands twice in the head")
    return headers


async def read_whole(asked: Asked, scope: Scope, receive: Receive) -> bytes:
    """The body. Raises Refusal TOO_LARGE or WRONG_MEDIA_TYPE, and ClientDisconnect."""
    try:
        body = await read_body(scope, receive, BODY_BYTES_MAX)
    except TooLarge:
        raise Refusal(Code.TOO_LARGE, f"at most {BODY_BYTES_MAX} bytes") from None
    media_type = asked.headers.get("content-type", "").partition(";")[0].strip().lower()
    if body and media_type != "application/json":
        raise Refusal(Code.WRONG_MEDIA_TYPE)
    return body


def read_call(caller: Any, asked: Asked, body: bytes) -> Call[Any, Any, Any, Any]:
    """Everything as its type says. Raises Refusal MALFORMED, which names the place.

    Where no body is wanted none may come, and an empty one is the same as an empty object.
    """
    endpoint = asked.endpoint
    try:
        # Of a name that stands twice the last would count here and the first elsewhere.
        check_json(body or b"{}")
        call: Call[Any, Any, Any, Any] = Call(
            caller,
            _words(asked.words, endpoint.path_type),
            _words(_query(asked.query) if asked.query else {}, endpoint.query_type),
            msgspec.json.decode(body or b"{}", type=endpoint.body_type),
        )
    except (BadJson, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refusal(Code.MALFORMED, str(error)) from None
    return call


def _words(words: Mapping[str, str], type_: type[S]) -> S:
    """Raises msgspec.ValidationError, and Refusal MALFORMED."""
    if not words and type_ is Nothing:
        return _NOTHING  # type: ignore[return-value]
    read = msgspec.convert(dict(words), type_, strict=False)
    for name, word in zip(type_.__struct_fields__, type_.__struct_encode_fields__, strict=True):
        if isinstance(getattr(read, name), datetime):
            _must_be_moment(word, words[word])
    return read


def _must_be_moment(word: str, text: str) -> None:
    """So loosely as numbers are read from words, a day without its dashes would be in 1970."""
    try:
        msgspec.convert(text, datetime)
    except msgspec.ValidationError as error:
        raise Refusal(Code.MALFORMED, f"{error} - at `$.{word}`") from None


def _query(query: bytes) -> dict[str, str]:
    """Each name once. Raises Refusal MALFORMED."""
    if len(query) > QUERY_BYTES_MAX:
        raise Refusal(Code.MALFORMED, f"a query has at most {QUERY_BYTES_MAX} bytes")
    try:
        pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True, strict_parsing=True)
    except ValueError:
        raise Refusal(Code.MALFORMED, "the query is no name=value") from None
    words = dict(pairs)
    if len(words) != len(pairs):
        raise Refusal(Code.MALFORMED, "a name stands twice in the query")
    return words


def read_key(asked: Asked) -> str:
    """The idempotency key. Raises Refusal KEY_MISSING."""
    key = asked.headers.get("idempotency-key", "")
    if not _KEY.fullmatch(key):
        raise Refusal(Code.KEY_MISSING)
    return key


def hash_of(asked: Asked, body: bytes) -> bytes:
    """Over everything that was asked; the parts cannot run into each other.

    Of a body over what it says, which was read before: whoever repeats a request after a crash may
    write the same with its names in another order, or with blanks (`decisions/0006`).
    """
    return _hash(asked, msgspec.json.encode(msgspec.json.decode(body or b"{}"), order="sorted"))


def hash_as_sent(asked: Asked, body: bytes) -> bytes:
    """As `hash_of` was until 0006, over the bytes: what payments of before are known under."""
    return _hash(asked, body)


def _hash(asked: Asked, body: bytes) -> bytes:
    words = sorted(asked.words.items())
    parts = [asked.endpoint.what, words, asked.query.decode("latin-1"), body.decode("latin-1")]
    return hashlib.sha256(msgspec.json.encode(parts)).digest()

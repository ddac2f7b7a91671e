"""What stands before every route: refuses what is no request of ours, says how answers are held.

It refuses to know who asks or what for. Doors (`doors.py`) are called past it by the short way of
`server.py`, which sends what is unusual here; they carry the same lines on their answers. What an
operator calls back with is refused by none of this: it is kept first, whatever it looks like.
"""

import re
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from channels.addresses import PREFIX as CALLBACKS
from channels.api.problems import MEDIA_TYPE, Code, Refusal, write_problem

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
PATH_BYTES_MAX: Final = 2048
API: Final = "/api/"
YEAR_SECONDS: Final = 365 * 24 * 3600

# Two readers of one address must not read it differently: a proxy that lets `/api/` pass and keeps
# `/metrics` to itself, and we. Nothing of ours has any of these in its path.
_TRICKS: Final = re.compile(
    rb"//|/\.{1,2}(?:/|;|\Z)|\\|%(?:2f|5c|2e|25|[01][0-9a-f]|7f)|[\x00-\x20\x7f-\xff]",
    re.IGNORECASE,
)
# What clients ask about their subscriptions begins as callbacks do, which have three words there.
_SUBSCRIPTION: Final = re.compile(
    rf"{CALLBACKS}/[0-9a-f]{{32}}(?:/[a-z]+(?:/[0-9a-f]{{32}}/[a-z]+)?)?\Z"
)
_PORT: Final = re.compile(r":[0-9]{1,5}\Z")
_BY_ANY_NAME: Final = ("/ussd/", "/sms/", "/health", "/metrics", "/inspect/")
_HELD: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
)
"""How every answer is to be held, unless its route says otherwise."""
_SECURE: Final = (b"strict-transport-security", b"max-age=%d" % YEAR_SECONDS)
_ALLOWED: Final = (
    (b"access-control-allow-methods", b"GET, POST, PUT, PATCH, DELETE"),
    (b"access-control-allow-headers", b"authorization, content-type, idempotency-key, if-match"),
    (b"access-control-max-age", b"600"),
)
_EXPOSED: Final = (
    b"access-control-expose-headers",
    b"x-correlation-id, ratelimit, ratelimit-policy, retry-after, idempotency-replayed, etag, link",
)

Headers = Sequence[tuple[bytes, bytes]]


class Edges(NamedTuple):
    """What an installation decides about its edges.

    `hosts`: the names the API is called by, in small letters, without a port; none: any.
    `origins`: whose pages may read the API in a browser, as browsers write them. `is_secure`: all
    callers come by https.
    """

    hosts: frozenset[str] = frozenset()
    origins: frozenset[str] = frozenset()
    is_secure: bool = False

    @property
    def held(self) -> Headers:
        """The headers of every answer."""
        return (*_HELD, _SECURE) if self.is_secure else _HELD

    @property
    def lines(self) -> bytes:
        """The same as they stand in an answer, each with its line break."""
        return b"".join(b"%s: %s\r\n" % header for header in self.held)


class Guards:
    """The ASGI app before the application; what nobody behind it should see it answers itself."""

    def __init__(self, app: ASGIApp, edges: Edges, make_id: Callable[[], str]) -> None:
        """`make_id` makes correlation ids."""
        self._app = app
        self._edges = edges
        self._held = edges.held
        self._make_id = make_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        origin = self._origin_of(scope)
        headers: Headers = () if origin is None else _shared_with(origin)

        async def hold(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = _with(message.get("headers", ()), (*self._held, *headers))
            await send(message)

        refusal = self._judge(scope)
        if refusal is not None:
            await self._refuse(refusal, hold)
        elif origin and _is_preflight(scope):
            await _answer(204, _ALLOWED, b"", hold)
        else:
            await self._app(scope, receive, hold)

    def lets_through(self, scope: Scope) -> bool:
        """Whether a request may pass the guards by: nothing is refused about it, and its answer
        is to have no lines but those that all have.
        """
        return self._origin_of(scope) is None and self._judge(scope) is None

    def _judge(self, scope: Scope) -> Refusal | None:
        path: str = scope["path"]
        raw: bytes = scope.get("raw_path") or path.encode()
        if raw.startswith(CALLBACKS.encode() + b"/") and not _SUBSCRIPTION.match(path):
            return None
        if len(raw) + len(scope["query_string"]) > PATH_BYTES_MAX:
            return Refusal(Code.MALFORMED, f"an address has at most {PATH_BYTES_MAX} bytes")
        if _TRICKS.search(raw):
            return Refusal(Code.MALFORMED, "the address is not written as ours are")
        if scope["method"] not in METHODS:
            return Refusal(Code.METHOD_NOT_ALLOWED, allow=", ".join(METHODS))
        encodings = _all(scope, b"content-encoding")
        if any(encoding.strip().lower() != b"identity" for encoding in encodings):
            return Refusal(Code.WRONG_MEDIA_TYPE, "send it without `Content-Encoding`")
        return self._judge_host(path, _all(scope, b"host"))

    def _judge_host(self, path: str, hosts: list[bytes]) -> Refusal | None:
        """Behind an unguessable address no name matters; our own machines call by number."""
        if len(hosts) > 1:
            return Refusal(Code.MALFORMED, "two names of a host")
        if not self._edges.hosts or path.startswith(_BY_ANY_NAME):
            return None
        if name_of_host(hosts[0] if hosts else b"") in self._edges.hosts:
            return None
        return Refusal(Code.MALFORMED, "the host is not called so")

    async def _refuse(self, refusal: Refusal, send: Send) -> None:
        correlation_id = self._make_id()
        headers = [
            (b"content-type", MEDIA_TYPE.encode()),
            (b"x-correlation-id", correlation_id.encode()),
            *((name.encode(), value.encode()) for name, value in refusal.headers.items()),
        ]
        await _answer(refusal.code.status, headers, write_problem(refusal, correlation_id), send)

    def _origin_of(self, scope: Scope) -> bytes | None:
        """Whose page asks, b"" for one that may not read the answer; None where pages never may."""
        if not self._edges.origins or not scope["path"].startswith(API):
            return None
        origins = _all(scope, b"origin")
        if len(origins) == 1 and origins[0].decode("latin-1") in self._edges.origins:
            return origins[0]
        return b""


def _shared_with(origin: bytes) -> Headers:
    """Caches keep answers for one page from another. Cookies are nobody's way to prove anything."""
    told: Headers = ((b"vary", b"origin"),)
    if not origin:
        return told
    return (*told, (b"access-control-allow-origin", origin), _EXPOSED)


def _is_preflight(scope: Scope) -> bool:
    return scope["method"] == "OPTIONS" and bool(_all(scope, b"access-control-request-method"))


def _all(scope: Scope, name: bytes) -> list[bytes]:
    return [value for named, value in scope["headers"] if named == name]


def name_of_host(host: bytes) -> str:
    """In small letters, without its port; brackets of an IPv6 address stay."""
    return _PORT.sub("", host.decode("latin-1").lower())


def _with(headers: Headers, more: Headers) -> list[tuple[bytes, bytes]]:
    """What the route said counts; of `more` what it did not say."""
    said = {name.lower() for name, _ in headers}
    return [*headers, *((name, value) for name, value in more if name not in said)]


async def _answer(status: int, headers: Headers, body: bytes, send: Send) -> None:
    lengths = [] if status == 204 else [(b"content-length", b"%d" % len(body))]
    start = {"type": "http.response.start", "status": status, "headers": [*headers, *lengths]}
    await send(start)
    await send({"type": "http.response.body", "body": body})

"""How adapters speak HTTP: one attempt, the engine's errors, a trace without secrets, token reuse.

It refuses to know any company's words; whether an answer is a refusal is the adapter's business.
"""

import asyncio
import base64
import re
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import httpx

from engine.clock import Clock
from engine.errors import OutcomeUnknown, Throttled, Unreachable
from engine.pace import Pace
from providers.redaction import Fields
from providers.timeouts import DEFAULT_TIMEOUTS as DEFAULT_TIMEOUTS
from providers.timeouts import Timeouts as Timeouts
from providers.transport import NOT_SENT, Transport
from providers.wire import json_object, word

RETRY_AFTER_SECONDS_MAX = 600.0
_TOKEN = re.compile(r"[\x21-\x7e]{1,8192}")


class Exchange(NamedTuple):
    """What may be told of one request: never a header, a path or a whole number.

    Of both bodies there is what the adapter vouches for, as JSON text; nothing of it is secret. Of
    a company whose talk nobody keeps there is nothing.
    """

    provider: str
    operation: str
    status: int | None  # None when no answer came; then `failure` names the error class
    failure: str
    elapsed_seconds: float
    asked: str = ""
    answered: str = ""


Trace = Callable[[Exchange], None]


def no_trace(_: Exchange) -> None:
    """The trace of somebody who does not want one."""


class Client:
    """One provider's door to the network. At most `connections` requests are under way at once.

    No more than `per_second` go out, if that is not None: a request waits for its turn no longer
    than for a free connection, and is then `Throttled`.
    """

    def __init__(
        self,
        provider: str,
        base_url: str,
        *,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        connections: int = 100,
        per_second: float | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        trace: Trace = no_trace,
        shown: Fields | None = None,
    ) -> None:
        """`shown`: what of bodies may be told to `trace`; by default nothing at all.

        Raises ValueError when `base_url` is no absolute http(s) address, or for a pace of 0.
        """
        base = httpx.URL(base_url)
        if base.scheme not in ("http", "https") or not base.host or base.userinfo:
            raise ValueError(f"{provider}: the base address must be http(s)://host[:port][/path]")
        self.provider = provider
        self._base = base_url.rstrip("/")
        self._host_header = (b"Host", base.netloc)
        self._transport = transport or Transport(connections=connections)
        self._exchange = _exchange_of(self._transport)
        self._pace = None if per_second is None else Pace(per_second)
        self._patience_seconds = timeouts.pool_seconds
        self._timeouts = {
            "connect": timeouts.connect_seconds,
            "read": timeouts.read_seconds,
            "write": None,  # a request fits a socket's buffer; `read` bounds the rest
            "pool": timeouts.pool_seconds,
        }
        self._trace = trace
        self._shown = None if shown is None else shown.single_words()

    def url(self, path: str) -> httpx.URL:
        """An address under the base. Build it once for a path that does not change."""
        return httpx.URL(self._base + path)

    async def send(
        self,
        operation: str,
        method: str,
        url: httpx.URL,
        *,
        headers: list[tuple[bytes, bytes]],
        body: bytes = b"",
        below: str = "",
    ) -> httpx.Response:
        """One request, one answer of any status.

        `below` is put behind the path of `url`: parsing an address anew for every request would
        cost as much CPU as the rest of it. It must need no escaping.

        Raises Unreachable when no byte was sent, Throttled when it was not for our own pace, and
        OutcomeUnknown for all that goes wrong later.
        """
        if self._pace is not None:
            await self._take_turn(self._pace)
        target = url.raw_path + below.encode("ascii")
        loop = asyncio.get_running_loop()
        started, status, failure, answer = loop.time(), None, "", b""
        try:
            response = await self._exchange(
                method,
                url,
                headers=[self._host_header, *headers],
                body=body,
                timeouts=self._timeouts,
                target=target,
            )
            status, answer = response.status_code, response.content
        except NOT_SENT as error:
            failure = type(error).__name__
            raise Unreachable(self.provider, "nothing was sent", code=failure) from error
        except httpx.RequestError as error:
            failure = type(error).__name__
            raise OutcomeUnknown(self.provider, "no answer to rely on", code=failure) from error
        finally:
            self._tell(operation, status, failure, loop.time() - started, (body, answer))
        return response

    async def aclose(self) -> None:
        await self._transport.aclose()

    def _tell(
        self,
        operation: str,
        status: int | None,
        failure: str,
        elapsed: float,
        bodies: tuple[bytes, bytes],
    ) -> None:
        if self._trace is no_trace:
            return
        told = [] if self._shown is None else [self._shown.outline(body) for body in bodies]
        self._trace(Exchange(self.provider, operation, status, failure, elapsed, *told))

    async def _take_turn(self, pace: Pace) -> None:
        now = asyncio.get_running_loop().time()
        wait = pace.wait(now)
        if wait > self._patience_seconds:
            raise Throttled(
                self.provider, "nothing was sent, for our own pace", code="pace",
                retry_after_seconds=wait, by_us=True,
            )  # fmt: skip
        pace.take(now)
        if wait:
            await asyncio.sleep(wait)


def _exchange_of(transport: httpx.AsyncBaseTransport) -> Callable[..., Awaitable[httpx.Response]]:
    """How a request goes out: through our own transport without being made one of httpx."""
    if isinstance(transport, Transport):
        return transport.exchange

    async def exchange(
        method: str, url: httpx.URL, *, headers: list[tuple[bytes, bytes]], body: bytes,
        timeouts: dict[str, float | None], target: bytes,
    ) -> httpx.Response:  # fmt: skip
        if body or method != "GET":
            headers = [*headers, (b"Content-Length", b"%d" % len(body))]
        extensions: dict[str, Any] = {"timeout": timeouts}
        if target != url.raw_path:
            extensions["target"] = target
        stream = httpx.ByteStream(body)  # neither read back nor looked through for its headers
        return await transport.handle_async_request(
            httpx.Request(method, url, headers=headers, stream=stream, extensions=extensions)
        )

    return exchange


class Token(NamedTuple):
    """An access token and how long it lives from now."""

    value: str
    lifetime_seconds: float


def read_token(response: httpx.Response) -> Token | None:
    """The token in the usual answer of an OAuth front, whose `expires_in` may be text."""
    message = json_object(response.content) or {}
    token, lifetime = message.get("access_token"), word(message.get("expires_in"))
    if response.status_code != 200 or not isinstance(token, str) or not _TOKEN.fullmatch(token):
        return None
    return Token(token, float(lifetime) if lifetime.isdecimal() else 0.0)


class TokenCache:
    """One token for all callers, renewed before its end, by one request however many wait.

    `fetch` makes one token request. Whatever happens to it, the caller's own request has not been
    sent: an unknown outcome of `fetch` is therefore raised as Unreachable.
    """

    def __init__(
        self,
        fetch: Callable[[], Awaitable[Token]],
        *,
        clock: Clock,
        margin_seconds: float,
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._margin_seconds = margin_seconds
        self._token: str | None = None
        self._renew_at = 0.0
        self._renewal: asyncio.Task[str] | None = None

    async def current(self) -> str:
        """A token that should work. Raises what `fetch` raises, but never OutcomeUnknown."""
        if self._token is not None and self._clock.epoch() < self._renew_at:
            return self._token
        if self._renewal is None:
            self._renewal = asyncio.create_task(self._renew())
            self._renewal.add_done_callback(self._renewed)
        # A caller who gives up must not take the token from those who wait with it.
        return await asyncio.shield(self._renewal)

    def drop(self, token: str) -> None:
        """Forget a token that was refused, unless a newer one is here already."""
        if self._token == token:
            self._token = None

    async def aclose(self) -> None:
        if self._renewal is not None:
            self._renewal.cancel()
            await asyncio.wait([self._renewal])

    async def _renew(self) -> str:
        try:
            token = await self._fetch()
        except OutcomeUnknown as error:
            raise Unreachable(
                error.provider, "no token, so nothing was sent", code=error.code
            ) from error
        lifetime = token.lifetime_seconds
        # A token shorter than the margin would otherwise be renewed for every request.
        self._renew_at = self._clock.epoch() + max(lifetime - self._margin_seconds, lifetime / 2)
        self._token = token.value
        return token.value

    def _renewed(self, renewal: asyncio.Task[str]) -> None:
        self._renewal = None
        if not renewal.cancelled():
            renewal.exception()  # every waiter has its own copy; here it only counts as seen


async def with_token(
    tokens: TokenCache,
    send: Callable[[str], Awaitable[httpx.Response]],
    is_refused: Callable[[httpx.Response], bool],
) -> httpx.Response:
    """Send with the current token; if it is refused, renew it and send once more.

    A refused token means that the request was not looked at, so the repeat cannot double it. The
    second answer is returned whatever it is.
    """
    token = await tokens.current()
    response = await send(token)
    if not is_refused(response):
        return response
    tokens.drop(token)
    return await send(await tokens.current())


def retry_after_seconds(response: httpx.Response, default: float) -> float:
    """The Retry-After header when it is a sensible number of seconds, else `default`."""
    text = response.headers.get("retry-after", "")
    if not (text.isascii() and text.isdigit() and len(text) < 9):
        return default
    return min(max(float(text), 1.0), RETRY_AFTER_SECONDS_MAX)


def basic_authorization(user: str, password: str) -> tuple[bytes, bytes]:
    """The header line of HTTP Basic authentication."""
    return b"Authorization", b"Basic " + base64.b64encode(f"{user}:{password}".encode())

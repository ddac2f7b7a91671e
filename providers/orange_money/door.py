"""One of Orange's APIs on the wire: a token, JSON both ways, and what its front's errors mean.

It refuses to know what is asked of it. Facts: reference `orange-money.md`, sections 1.1, 1.5, 3, 4.
"""

import ssl
from dataclasses import dataclass
from typing import Any, NamedTuple

import httpx
import msgspec

from engine.clock import Clock
from engine.errors import (
    OutcomeUnknown,
    ProviderError,
    Rejected,
    Throttled,
    Unreachable,
    Unreadable,
)
from engine.ports import Reason
from providers.http import (
    DEFAULT_TIMEOUTS,
    Client,
    Timeouts,
    Token,
    TokenCache,
    Trace,
    basic_authorization,
    read_token,
    retry_after_seconds,
    with_token,
)
from providers.redaction import Fields
from providers.transport import Transport
from providers.wire import json_object, word

TOKEN_PATH = "/oauth/v3/token"  # noqa: S105 - a path; api.orange.com, sections 1 and 2
_TOKEN_MARGIN_SECONDS = 120.0
_THROTTLED_SECONDS = 10.0
Header = tuple[bytes, bytes]

# The gateway in front of api.orange.com (section 1.5): there is no such path, nothing was done.
_NO_SUCH_PATH = (404, "60")


@dataclass(frozen=True, kw_only=True)
class Line:
    """How the network is used, whichever API it is."""

    timeouts: Timeouts = DEFAULT_TIMEOUTS
    connections: int = 100
    per_second: float | None = None


class Answer(NamedTuple):
    """An answer taken apart. `code` is "" when the body tells none."""

    response: httpx.Response
    message: dict[str, Any]  # empty when the body was no JSON object
    code: str

    @property
    def status(self) -> int:
        return self.response.status_code

    @property
    def is_fault(self) -> bool:
        """A fault of Cameroon's gateway, which did not let the request through (section 3)."""
        return self.status in (401, 403) and isinstance(self.message.get("fault"), dict)

    def word(self, name: str) -> str:
        return word(self.message.get(name))

    def child(self, name: str) -> dict[str, Any]:
        found = self.message.get(name)
        return found if isinstance(found, dict) else {}


class Door:
    """Sends with a token. Never twice, save once after a token that was refused."""

    def __init__(
        self,
        name: str,
        base_url: str,
        *,
        token_path: str,
        token_headers: tuple[Header, ...],
        token_body: bytes,
        line: Line,
        clock: Clock,
        trace: Trace,
        shown: Fields,
        transport: httpx.AsyncBaseTransport | None = None,
        ca_file: str = "",
    ) -> None:
        """Raises ValueError when the address or the file of certificates is none."""
        self._name = name
        if ca_file and transport is None:
            transport = Transport(connections=line.connections, ssl_context=_trust(name, ca_file))
        self._client = Client(
            name,
            base_url,
            timeouts=line.timeouts,
            connections=line.connections,
            per_second=line.per_second,
            transport=transport,
            trace=trace,
            shown=shown,
        )
        self._token_url = self._client.url(token_path)
        self._token_headers = [
            *token_headers,
            (b"Content-Type", b"application/x-www-form-urlencoded"),
            (b"Accept", b"application/json"),
        ]
        self._token_body = token_body
        self._tokens = TokenCache(
            self._fetch_token, clock=clock, margin_seconds=_TOKEN_MARGIN_SECONDS
        )

    def url(self, path: str) -> httpx.URL:
        return self._client.url(path)

    async def post(
        self, operation: str, url: httpx.URL, message: dict[str, Any] | None, *headers: Header
    ) -> Answer:
        """`message` None: an empty body."""
        body = b"" if message is None else msgspec.json.encode(message)
        kind: tuple[Header, ...] = () if message is None else (_JSON,)
        return await self._send(operation, "POST", url, [*kind, *headers], body=body)

    async def get(
        self, operation: str, url: httpx.URL, *headers: Header, below: str = ""
    ) -> Answer:
        return await self._send(operation, "GET", url, [*headers], below=below)

    async def aclose(self) -> None:
        await self._tokens.aclose()
        await self._client.aclose()

    async def _send(
        self,
        operation: str,
        method: str,
        url: httpx.URL,
        headers: list[Header],
        *,
        body: bytes = b"",
        below: str = "",
    ) -> Answer:
        async def send(token: str) -> httpx.Response:
            sent = [(b"Authorization", b"Bearer " + token.encode()), _ACCEPT, *headers]
            return await self._client.send(
                operation, method, url, headers=sent, body=body, below=below
            )

        return read_answer(await with_token(self._tokens, send, _is_token_refused))

    async def _fetch_token(self) -> Token:
        response = await self._client.send(
            "token", "POST", self._token_url, headers=self._token_headers, body=self._token_body
        )
        if (token := read_token(response)) is not None:
            return token
        code = str(response.status_code)
        if response.status_code in (400, 401, 403):
            raise configuration(self._name, "our credentials were refused", code=code)
        if response.status_code == 429:
            raise _throttled(self._name, response)
        raise OutcomeUnknown(self._name, "no token in the answer", code=code)


_JSON = (b"Content-Type", b"application/json")
_ACCEPT = (b"Accept", b"application/json")


def basic_token(key: str, secret: str) -> tuple[tuple[Header, ...], bytes]:
    """Headers and body of a token request with Basic authentication (sections 1.1, 3)."""
    return (basic_authorization(key, secret),), b"grant_type=client_credentials"


def read_answer(response: httpx.Response) -> Answer:
    """Take it apart; the code of a fault is inside the fault."""
    message = json_object(response.content) or {}
    fault = message.get("fault")
    code = word(fault.get("code") if isinstance(fault, dict) else message.get("code"))
    return Answer(response, message, code)


def error_of(name: str, answer: Answer) -> ProviderError:
    """The error for an answer that accepts nothing and is listed by no API of its own."""
    if answer.status == 401:
        return Throttled(name, "the token was refused twice", code="401", retry_after_seconds=5.0)
    if answer.status == 429:
        return _throttled(name, answer.response)
    if answer.is_fault or (answer.status, answer.code) == _NO_SUCH_PATH:
        return configuration(name, "the gateway refused the request", code=answer.code)
    return OutcomeUnknown(
        name, "an answer no list knows", code=answer.code or f"HTTP {answer.status}"
    )


def no_evidence(name: str, error: Rejected | Unreadable) -> OutcomeUnknown:
    """Neither a refused question nor a senseless answer is evidence about the money."""
    return OutcomeUnknown(name, "the query brought no evidence", code=error.code)


def nothing_asked(name: str, error: OutcomeUnknown) -> Unreachable:
    """A preparing call whose fate is unclear: the order itself has not been sent."""
    return Unreachable(name, "not prepared, so nothing was ordered", code=error.code)


def configuration(name: str, detail: str, *, code: str) -> Rejected:
    """Definitely not done, and our own trouble."""
    return Rejected(name, detail, code=code, reason=Reason.CONFIGURATION)


def _is_token_refused(response: httpx.Response) -> bool:
    """Section 1.5 lists the codes 40, 41 and 42 as unconfirmed; a 401 is enough."""
    return response.status_code == 401


def _throttled(name: str, response: httpx.Response) -> Throttled:
    seconds = retry_after_seconds(response, _THROTTLED_SECONDS)
    return Throttled(name, "too many requests", code="429", retry_after_seconds=seconds)


def _trust(name: str, ca_file: str) -> ssl.SSLContext:
    """The usual authorities and those of a file: Cameroon's chain is often incomplete."""
    context = httpx.create_ssl_context()
    try:
        context.load_verify_locations(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise ValueError(f"{name}: {ca_file!r} holds no certificates") from error
    return context

"""One HTTP exchange with any server, also a bad one: it ends in time and keeps little.

It knows no dialect: bytes go out and come back. What a server did wrong is said in one sentence.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

import httpx

DEADLINE_SECONDS: Final = 10.0
"""What the documentation gives an application (reference africas-talking.md, section 2)."""

BODY_BYTES_MAX: Final = 16 * 1024
"""A screen has 182 signs; what is far above is no answer to a phone."""


class Unanswered(Exception):
    """No answer a gateway could read came back; the message says what the server did."""


class Request(NamedTuple):
    """What is posted."""

    body: bytes
    content_type: str
    headers: Mapping[str, str] = {}


@dataclass(frozen=True)
class Answer:
    """What came back, unread. Names of headers are in lower case."""

    status: int
    content_type: str
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)


class Courier(Protocol):
    """Another way to bring a request than a general client; it keeps the promises of `exchange`."""

    async def bring(self, url: str, request: Request, *, deadline_seconds: float) -> Answer: ...


async def exchange(
    client: httpx.AsyncClient | Courier,
    url: str,
    request: Request,
    *,
    deadline_seconds: float = DEADLINE_SECONDS,
) -> Answer:
    """Post once and read the whole answer. Follows nothing, repeats nothing.

    Raises Unanswered: after the deadline, when the connection breaks, and above `BODY_BYTES_MAX`.
    """
    if not isinstance(client, httpx.AsyncClient):
        return await client.bring(url, request, deadline_seconds=deadline_seconds)
    body = bytearray()
    try:
        async with asyncio.timeout(deadline_seconds):
            return await _post(client, url, request, body, deadline_seconds)
    except (TimeoutError, httpx.TimeoutException) as error:
        late = f"no answer within {deadline_seconds:g} s"
        if body:
            late = f"the answer was not complete within {deadline_seconds:g} s: {_size(body)} came"
        raise Unanswered(late) from error
    except httpx.ConnectError as error:
        raise Unanswered(f"the server cannot be reached: {error}") from error
    except httpx.HTTPError as error:
        raise Unanswered(_broken(error, body)) from error


async def _post(
    client: httpx.AsyncClient,
    url: str,
    request: Request,
    body: bytearray,
    deadline_seconds: float,
) -> Answer:
    headers = {
        **request.headers,
        "content-type": request.content_type,
        "accept-encoding": "identity",  # A small body could hide a huge one.
    }
    async with client.stream(
        "POST", url, content=request.body, headers=headers, follow_redirects=False,
        timeout=deadline_seconds,
    ) as response:  # fmt: skip
        async for part in response.aiter_raw():
            body += part
            if len(body) > BODY_BYTES_MAX:
                raise Unanswered(f"the answer is longer than {BODY_BYTES_MAX:,} bytes")
        return Answer(
            response.status_code,
            response.headers.get("content-type", ""),
            bytes(body),
            dict(response.headers),
        )


def _broken(error: httpx.HTTPError, body: bytearray) -> str:
    """Words for a connection that ended, or for what is not HTTP."""
    said = str(error) or type(error).__name__
    if body:
        return f"the connection broke after {_size(body)} of the answer: {said}"
    return f"the connection broke before an answer: {said}"


def _size(body: bytearray) -> str:
    return "1 byte" if len(body) == 1 else f"{len(body):,} bytes"

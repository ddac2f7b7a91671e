"""Heads of requests as the web server reads them, and of the answers that doors give.

It refuses to know any connection, and what is asked for.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

SHORT_BYTES_MAX: Final = 64 * 1024
"""Of a body. Every door has a smaller or equal bound of its own and says so itself."""

_UNUSUAL: Final = frozenset({b"expect", b"transfer-encoding", b"upgrade", b"content-encoding"})

Headers = list[tuple[bytes, bytes]]
"""Names in small letters."""


def is_short(headers: Headers) -> bool:
    """Whether the body is small, or there is none (RFC 9112, 6.3), and nothing else is asked."""
    length = b""
    for name, value in headers:
        if name in _UNUSUAL:
            return False
        if name == b"content-length":
            length = value
    return not length or (length.isdigit() and int(length) <= SHORT_BYTES_MAX)


def length_of(url: bytes, headers: Iterable[tuple[bytes, bytes]]) -> int:
    """As many bytes as were read of it, line breaks and colons apart."""
    return len(url) + sum(len(name) + len(value) for name, value in headers)


def without_offer(method: bytes, url: bytes, version: str, headers: Headers) -> bytes:
    """The head of a request that offers another protocol, written again as if it offered none.

    Who does not take up an offer ignores it (RFC 9110, 7.8). The parser would take what follows,
    the body first, for the other protocol.
    """
    lines = [b"%s %s HTTP/%s" % (method, url, version.encode())]
    lines += [b"%s: %s" % header for header in headers if header[0] != b"upgrade"]
    return b"\r\n".join([*lines, b"", b""])


@lru_cache(maxsize=256)
def head_of(status: int, content_type: str, headers: tuple[tuple[str, str], ...]) -> bytes:
    """The lines of an answer but its length: as few different ones as doors have to say."""
    lines = [STATUS_LINE[status], b"content-type: %s\r\n" % content_type.encode()]
    lines += [b"%s: %s\r\n" % (name.encode(), value.encode()) for name, value in headers]
    return checked(lines)


def checked(lines: list[bytes]) -> bytes:
    """The lines of a head; none holds a line break of its own."""
    head = b"".join(lines)
    assert head.count(b"\n") == len(lines), "line break inside a header"
    return head

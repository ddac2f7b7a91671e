"""Messages to addresses that strangers gave us, under the headers of Standard Webhooks 1.0.0.

It calls nobody but hosts of the public internet: a host is resolved once, every address of it must
be public, and the connection goes to that very address. No redirect is followed; of an answer
nothing is read beyond 1 KB and nothing is kept. It knows no subscription and no payment.
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from typing import Any, Final

import httpx

from engine.errors import OutcomeUnknown, Unreachable
from engine.ports import HookAnswer, HookMessage
from providers.http import Exchange, Trace, no_trace, retry_after_seconds
from providers.public_addresses import is_public
from providers.transport import NOT_SENT, Transport

PORTS: Final = frozenset({443, 8443})
URL_LENGTH_MAX: Final = 1024
_PROVIDER: Final = "webhooks"
_CONNECT_SECONDS: Final = 5.0
_ANSWER_SECONDS: Final = 15.0
_POOL_SECONDS: Final = 5.0
_CONNECTIONS: Final = 256
_RESOLVERS: Final = 16
_ADDRESSES_TRIED: Final = 3
_BODY_BYTES_KEPT: Final = 1024
_HEAD_BYTES_MAX: Final = 16 * 1024
_LOOPBACK: Final = "127.0.0.1"

Look = Callable[[str], Awaitable[Sequence[str]]]
"""The addresses of a host, as text. Raises OSError."""


class Forbidden(httpx.ConnectError):
    """The host leads where nobody may be called; nothing was sent."""


class Webhooks:
    """A `HookPort`. `local`, for development only, also lets http and any port of 127.0.0.1."""

    def __init__(
        self,
        *,
        ports: frozenset[int] = PORTS,
        local: bool = False,
        look: Look | None = None,
        is_open: Callable[[str], bool] = is_public,
        ssl_context: ssl.SSLContext | None = None,
        answer_seconds: float = _ANSWER_SECONDS,
        trace: Trace = no_trace,
    ) -> None:
        """`look` resolves a host, by default as the system does, in threads of its own; `is_open`
        says which addresses may be called.
        """
        self._ports = ports
        self._local = local
        self._is_open = is_open
        # Of the loop's own threads, which look up operators too, a slow name server may hold none.
        self._threads = ThreadPoolExecutor(_RESOLVERS, "webhooks-resolver")
        self._look = look or self._ask_system
        self._transport = Transport(
            connections=_CONNECTIONS,
            answer_bytes_max=_HEAD_BYTES_MAX,
            ssl_context=ssl_context,
            resolve=self._resolve,
            body_bytes_kept=_BODY_BYTES_KEPT,
        )
        self._extensions: dict[str, Any] = {
            "timeout": {
                "connect": _CONNECT_SECONDS,
                "read": answer_seconds,
                "write": None,
                "pool": _POOL_SECONDS,
            }
        }
        self._trace = trace

    def fault_in(self, url: str) -> str:
        """As the port says. Where the host leads is looked at anew for every connection."""
        if len(url) > URL_LENGTH_MAX or not url.isascii() or not url.isprintable() or " " in url:
            return f"wants at most {URL_LENGTH_MAX} characters of ASCII, without spaces"
        try:
            parts = httpx.URL(url)
            is_of_a_host = bool(parts.host)
        except (httpx.InvalidURL, UnicodeError):  # the latter: what stands behind `xn--` is no name
            return "is no address"
        if parts.userinfo or "@" in url.partition("?")[0]:
            return "must not hold credentials"
        if parts.fragment or "#" in url or "\\" in url or not is_of_a_host:
            return "is no address of a host"
        port = 443 if parts.port is None else parts.port
        return self._fault_in_place(parts.scheme, parts.raw_host.decode("ascii"), port)

    def _fault_in_place(self, scheme: str, host: str, port: int) -> str:
        if self._is_here(host):
            return "" if scheme in ("http", "https") else "must begin with https:// or http://"
        if scheme != "https":
            return "must begin with https://"
        if port not in self._ports:
            return f"must use one of the ports {', '.join(map(str, sorted(self._ports)))}"
        if _is_address(host) and not self._is_open(host):
            return "must be on the public internet"
        return ""

    async def deliver(self, message: HookMessage) -> HookAnswer:
        """One POST. See the port; `code` is the class of what failed, `Forbidden` among them."""
        if fault := self.fault_in(message.url):  # kept under other settings, perhaps
            raise Unreachable(_PROVIDER, f"the address {fault}", code=Forbidden.__name__)
        loop = asyncio.get_running_loop()
        started, status, failure = loop.time(), None, ""
        try:
            response = await self._transport.handle_async_request(self._request(message))
            status = response.status_code
        except NOT_SENT as error:
            failure = type(error).__name__
            raise Unreachable(_PROVIDER, "nothing was sent", code=failure) from error
        except httpx.InvalidURL as error:
            failure = type(error).__name__
            raise Unreachable(_PROVIDER, "no address", code=failure) from error
        except httpx.RequestError as error:
            failure = type(error).__name__
            raise OutcomeUnknown(_PROVIDER, "no answer to rely on", code=failure) from error
        finally:
            elapsed = loop.time() - started
            self._trace(Exchange(_PROVIDER, "deliver", status, failure, elapsed))
        waits = retry_after_seconds(response, 0.0) if status in (429, 502, 503, 504) else 0.0
        return HookAnswer(status, waits or None)

    async def aclose(self) -> None:
        """Close what is open. Whoever still asks a name server is not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        await self._transport.aclose()

    def _request(self, message: HookMessage) -> httpx.Request:
        url = httpx.URL(message.url)
        headers = [
            (b"Host", url.netloc),
            (b"Content-Type", b"application/json"),
            (b"User-Agent", b"capp-webhooks/1"),
            (b"webhook-id", message.id.encode()),
            (b"webhook-timestamp", b"%d" % message.at_seconds),
            (b"webhook-signature", message.signature.encode()),
        ]
        stream = httpx.ByteStream(message.body)
        return httpx.Request(
            "POST", url, headers=headers, stream=stream, extensions=self._extensions
        )

    async def _resolve(self, host: str) -> Sequence[str]:
        """Every address must be public, or none is called. Raises Forbidden, and OSError."""
        addresses = list(dict.fromkeys(await self._look(host)))
        if not addresses:
            raise Forbidden("the host has no address")
        if not all(self._may_call(host, address) for address in addresses):
            raise Forbidden("the host is not on the public internet")
        return addresses[:_ADDRESSES_TRIED]

    def _may_call(self, host: str, address: str) -> bool:
        return self._is_open(address) or (self._is_here(host) and address == _LOOPBACK)

    def _is_here(self, host: str) -> bool:
        return self._local and host == _LOOPBACK

    async def _ask_system(self, host: str) -> Sequence[str]:
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._threads, _get_addresses, host)
        return [str(address) for *_, (address, *_rest) in found]


def _get_addresses(host: str) -> list[Any]:
    try:
        return list(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM))
    except UnicodeError as error:  # a label of more than 63 characters
        raise OSError("no such host") from error


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True

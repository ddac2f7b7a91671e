"""Where a callback really came from, and whether its operator may call from there.

Nobody's word about its own address counts: only what our own proxies say of whoever called them.
"""

from collections.abc import Iterable, Mapping
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

from starlette.types import Scope

Address = IPv4Address | IPv6Address
Networks = tuple[IPv4Network | IPv6Network, ...]

_HOPS_MAX = 32
UNKNOWN = ""
"""The source of a callback that a proxy of ours did not name, or named in two ways."""


def read_networks(words: Iterable[str]) -> Networks:
    """`196.201.214.0/24`, `2001:db8::/32` or single addresses. Raises ValueError."""
    return tuple(ip_network(word) for word in words)


class Sources:
    """`allowed`: whence each operator may call, by its name; who is not named may from anywhere.

    `proxies`: ours. Each of them must write whom it was called by into `X-Forwarded-For` or
    `Forwarded`, behind what was there.
    """

    def __init__(self, allowed: Mapping[str, Networks], proxies: Networks = ()) -> None:
        self._allowed = {name: networks for name, networks in allowed.items() if networks}
        self._proxies = proxies

    def of(self, scope: Scope) -> str:
        """The caller's address as text; UNKNOWN when it cannot be told."""
        client = scope.get("client")
        if client is None or not self._proxies:
            return client[0] if client else UNKNOWN
        peer = _address(client[0])
        if peer is None or not _within(peer, self._proxies):
            return str(peer) if peer else UNKNOWN
        found = {str(self._behind(hops)) for hops in _forwarded(scope["headers"]) if hops}
        # Only one of two headers can be our proxy's. The other is the caller's own, and is harmless
        # as long as it says the same.
        return found.pop() if len(found) == 1 and "None" not in found else UNKNOWN

    def admits(self, operator: str, source: str) -> bool:
        """Whether the operator may call from there."""
        networks = self._allowed.get(operator)
        if networks is None:
            return True
        address = _address(source)
        return address is not None and _within(address, networks)

    def _behind(self, hops: list[str]) -> Address | None:
        """The last of the hops that is none of ours: whatever stands before it was its own word."""
        for hop in reversed(hops[-_HOPS_MAX:]):
            address = _address(hop)
            if address is None or not _within(address, self._proxies):
                return address
        return None


def counted_as(source: str) -> str:
    """Whom a limit counts for a source: of IPv6 the network of 64 bits, which is one household's.

    Whoever has one has 2^64 addresses, and would be somebody new with each. What is no address
    stays as it is.
    """
    address = _address(source) if ":" in source else None
    if isinstance(address, IPv6Address):
        return str(IPv6Network((int(address) >> 64 << 64, 64)))
    return str(address or source)


def _within(address: Address, networks: Networks) -> bool:
    return any(address in network for network in networks)


def _address(text: str) -> Address | None:
    """An address, also with a port or in brackets; one of IPv4 written as IPv6 is one of IPv4."""
    text = text.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _forwarded(headers: Iterable[tuple[bytes, bytes]]) -> tuple[list[str], list[str]]:
    """The hops of both headers, each in the order they were written; lines of one are one list."""
    plain: list[str] = []
    standard: list[str] = []
    for name, value in headers:
        if name == b"x-forwarded-for":
            plain += value.decode("latin-1").split(",")
        elif name == b"forwarded":
            standard += [_for(element) for element in value.decode("latin-1").split(",")]
    return plain, standard


def _for(element: str) -> str:
    """RFC 7239: `for=192.0.2.60;proto=https`. Without one: a hop that nobody knows."""
    for pair in element.split(";"):
        name, _, value = pair.partition("=")
        if name.strip().lower() == "for":
            return value
    return ""

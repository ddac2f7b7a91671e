"""The `aptos:` part of the settlement file, read: everything that is wrong with it, said at once.

Keys stand there by name only; a file with the node's own key is read here, and never shown.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from engine.ports import SignerPort
from providers.aptos import sdk
from providers.aptos.accounts import Account, Roles
from providers.aptos.adapter import Aptos, AptosSettings
from providers.aptos.calls import Contracts, Corridor
from providers.aptos.client import Node
from providers.aptos.fees import Budget
from providers.aptos.reading import Books
from providers.http import Trace, no_trace

Corridors = Mapping[str, Sequence[str]]
"""Operators of each corridor, in order, by the corridor's name."""

Value = TypeVar("Value")

_KEY_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_PACKAGES: Final = ("settlement", "liquidity", "compliance")
_OBJECTS: Final = ("governance", "registry", "asset")
_U64_MAX: Final = 2**64 - 1
_EXPIRES_SECONDS: Final = (10, 600)  # a mempool forgets after 600 (reference, section 4)


class BadSettlementFile(ValueError):
    """What is wrong with the `aptos:` part: all of it at once."""

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(faults))


def build_settlement_rail(
    aptos: Mapping[str, Any], corridors: Corridors, signer: SignerPort, trace: Trace = no_trace
) -> Aptos:
    """The rail of one installation. Nothing is asked of anybody yet.

    Raises BadSettlementFile, which names every fault.
    """
    return Aptos(read_settings(aptos, corridors), signer, trace=trace)


class Reader:
    """What a receipt is checked with: one node, and no account of ours."""

    def __init__(
        self,
        url: str,
        *,
        chain_id: int,
        settlement: str,
        corridors: Mapping[str, str],
    ) -> None:
        """`corridors`: the address of each one by any name. Raises ValueError for nonsense."""
        placed = {name: Corridor(sdk.address(text), ()) for name, text in corridors.items()}
        contracts = Contracts(
            settlement=sdk.address(settlement), liquidity=bytes(32), corridors=placed
        )
        self.node = Node(url.rstrip("/"), chain_id=chain_id)
        books = Books(self.node, contracts)
        self.position = self.node.position
        self.recorded = books.recorded
        self.proves = books.proves
        self.aclose = self.node.aclose


def read_settings(aptos: Mapping[str, Any], corridors: Corridors) -> AptosSettings:
    """Raises BadSettlementFile."""
    read = _Reading()
    top = read.mapping("aptos", aptos, _TOP)
    node = read.url("aptos.node", top.get("node"))
    chain_id = read.whole("aptos.chain_id", top.get("chain_id"), least=1, most=255)
    addresses = _addresses(read, top.get("addresses"))
    placed = _corridors(read, top.get("corridors"), corridors)
    roles = _roles(read, top.get("accounts"), corridors)
    budget = _budget(read, top.get("budget"))
    least, most = _EXPIRES_SECONDS
    expires = read.whole(
        "aptos.expires_seconds", top.get("expires_seconds"), least=least, most=most, usual=60
    )
    api_key = read.secret("aptos.node_key_file", top.get("node_key_file"))
    if read.faults:
        raise BadSettlementFile(read.faults)
    return AptosSettings(
        node=node,
        chain_id=chain_id,
        contracts=Contracts(
            settlement=addresses["settlement"],
            liquidity=addresses["liquidity"],
            corridors=placed,
        ),
        packages={name: addresses[name] for name in _PACKAGES},
        roles=roles,
        budget=budget,
        expires_seconds=expires,
        api_key=api_key,
    )


_TOP: Final = frozenset(
    {
        "node",
        "node_key_file",
        "chain_id",
        "addresses",
        "corridors",
        "accounts",
        "budget",
        "expires_seconds",
    }
)


def _addresses(read: "_Reading", given: Any) -> dict[str, bytes]:
    """Packages are needed; the objects may be named for people, and are checked all the same."""
    where = "aptos.addresses"
    found = read.mapping(where, given, frozenset((*_PACKAGES, *_OBJECTS)))
    for name in _OBJECTS:
        if name in found:
            read.address(f"{where}.{name}", found[name])
    packages = {name: read.address(f"{where}.{name}", found.get(name)) for name in _PACKAGES}
    known = [address for address in packages.values() if any(address)]
    if len(set(known)) < len(known):
        read.fault(where, "has one address for two packages")
    return packages


def _corridors(read: "_Reading", given: Any, corridors: Corridors) -> dict[str, Corridor]:
    """In the order of the file's list of corridors, which says who sends for which."""
    where = "aptos.corridors"
    found = read.mapping(where, given, frozenset(corridors))
    placed = {
        name: Corridor(read.address(f"{where}.{name}", found.get(name)), tuple(members))
        for name, members in corridors.items()
    }
    known = [corridor.address for corridor in placed.values() if any(corridor.address)]
    if len(set(known)) < len(known):
        read.fault(where, "has one address for two corridors")
    return placed


def _roles(read: "_Reading", given: Any, corridors: Corridors) -> Roles:
    where = "aptos.accounts"
    found = read.mapping(where, given, frozenset({"sponsor", "submitters", "members", "arbiter"}))
    operators = frozenset(member for members in corridors.values() for member in members)
    members = read.mapping(f"{where}.members", found.get("members", {}), operators)
    arbiter = found.get("arbiter")
    roles = Roles(
        sponsor=_account(read, f"{where}.sponsor", found.get("sponsor")),
        submitters=_submitters(read, f"{where}.submitters", found.get("submitters")),
        members={
            name: _account(read, f"{where}.members.{name}", account)
            for name, account in members.items()
            if account is not None  # this one signs elsewhere
        },
        arbiter=None if arbiter is None else _account(read, f"{where}.arbiter", arbiter),
    )
    # Five different accounts (reference, section 11): one that leaks must not be the others too.
    keys = [account.key for account in roles.all if account.key]
    for key in sorted({key for key in keys if keys.count(key) > 1}):
        read.fault(where, f"has the key {key} for two of them")
    return roles


def _submitters(read: "_Reading", where: str, given: Any) -> tuple[Account, ...]:
    if not isinstance(given, list) or not given:
        read.fault(where, "must be a list of at least one")
        return ()
    return tuple(_account(read, f"{where}[{n}]", account) for n, account in enumerate(given))


def _account(read: "_Reading", where: str, given: Any) -> Account:
    """The name of a key; with an address where the account's key was changed on the chain."""
    if isinstance(given, dict):
        found = read.mapping(where, given, frozenset({"key", "address"}))
        key = read.key(f"{where}.key", found.get("key"))
        return Account(key, read.address(f"{where}.address", found.get("address")))
    return Account(read.key(where, given))


def _budget(read: "_Reading", given: Any) -> Budget:
    where, usual = "aptos.budget", Budget()
    found = read.mapping(where, {} if given is None else given, frozenset(usual._fields))
    bounds = {
        "units_max": (1, 2_000_000),  # section 5
        "unit_price_max": (1, 10**10),
        "margin_percent": (0, 1_000),
        "fee_reserve_min": (0, _U64_MAX),
    }
    return Budget(
        **{
            name: read.whole(
                f"{where}.{name}",
                found.get(name),
                least=least,
                most=most,
                usual=getattr(usual, name),
            )
            for name, (least, most) in bounds.items()
        }
    )


class _Reading:
    """Reads single values, and goes on after a fault with something that nobody will use."""

    def __init__(self) -> None:
        self.faults: list[str] = []

    def fault(self, where: str, what: str) -> None:
        self.faults.append(f"{where} {what}")

    def mapping(self, where: str, given: Any, known: frozenset[str]) -> dict[str, Any]:
        if not isinstance(given, Mapping):
            self.fault(where, "must be a mapping")
            return {}
        for name in sorted(str(name) for name in given if name not in known):
            self.fault(f"{where}.{name}", "is nothing that is known here")
        return {name: value for name, value in given.items() if name in known}

    def whole(
        self, where: str, given: Any, *, least: int, most: int, usual: int | None = None
    ) -> int:
        value = usual if given is None else given
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            self.fault(where, f"must be a whole number from {least:,} to {most:,}")
            return least
        return value

    def address(self, where: str, given: Any) -> bytes:
        def read(text: str) -> bytes:
            found = sdk.address(text)
            if not any(found):
                raise ValueError("0x0 is nobody's")
            return found

        return self._of_text(where, given, read, bytes(32), "must be an address, 0x and hex digits")

    def key(self, where: str, given: Any) -> str:
        def read(text: str) -> str:
            if not _KEY_NAME.fullmatch(text):
                raise ValueError("no name")
            return text

        return self._of_text(where, given, read, "", "must be the name of a key")

    def url(self, where: str, given: Any) -> str:
        def read(text: str) -> str:
            parts = urlsplit(text)
            if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
                raise ValueError("no address")
            if parts.path.rstrip("/") != "/v1" or parts.query or parts.fragment:
                raise ValueError("no address of the API")
            return text.rstrip("/")

        return self._of_text(where, given, read, "", "must be http(s)://host[:port]/v1")

    def secret(self, where: str, given: Any) -> str:
        """The text of a file. Neither its text nor its path is ever part of a fault."""
        if given is None:
            return ""

        def read(path: str) -> str:
            text = Path(path).read_text(encoding="ascii").strip()
            if not re.fullmatch(r"[!-~]{1,512}", text):
                raise ValueError("no key")
            return text

        return self._of_text(where, given, read, "", "must be a readable file with one word")

    def _of_text(
        self,
        where: str,
        given: Any,
        read: Callable[[str], Value],
        otherwise: Value,
        what: str,
    ) -> Value:
        with suppress(OSError, ValueError):
            if isinstance(given, str):
                return read(given)
        self.fault(where, what)
        return otherwise

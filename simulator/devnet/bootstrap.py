"""Makes a chain usable for settlement, and writes down for the server what is where.

Accounts with something to pay fees with, a test asset, governance with its roles, a registry, one
corridor for each pair of operators, and liquidity in every pool. It knows a node and a faucet
over HTTP alone and imports nothing of the server: the two files it writes are what both know.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import yaml
from aptos_sdk.account_address import AccountAddress

from simulator.devnet.contracts import (
    ASSET,
    COMPLIANCE,
    DECIMALS,
    GOVERNANCE,
    LIQUIDITY,
    SETTLEMENT,
    SYMBOL,
    package_of,
)
from simulator.devnet.customer import (
    Call,
    ChainRefused,
    Customer,
    address,
    addresses,
    call,
    many_octets,
    octets,
    u8,
    u64,
)
from simulator.devnet.keyring import Keyring, public_key_of, write_for_owner

SEED = b"capp"
OCTAS = 100_000_000
SPONSOR_OCTAS = 1000 * OCTAS
FEES_OCTAS = 10 * OCTAS  # for whoever pays its own way here: the administrator and the members
SUBMITTERS = ("submitter_1", "submitter_2")
THRESHOLD = 2
PROVIDED_MINOR = 250_000_000_000  # 250,000 USDC in each pool


class Role(NamedTuple):
    """A number of `capp_governance::governance`, and whose account has it."""

    number: int
    account: str


ROLES = (
    Role(1, "pauser"),
    *(Role(2, name) for name in SUBMITTERS),
    Role(3, "compliance_officer"),
    Role(4, "admin"),
    Role(5, "arbiter"),
    Role(6, "admin"),
)


class Window(msgspec.Struct, frozen=True):
    """When what operators owe each other is squared. Amounts in minor units of the asset."""

    seconds: int = 3600
    payments: int = 10_000
    exposure_minor: int = 1_000_000_000
    single_above_minor: int = 50_000_000_000


class Pool(msgspec.Struct, frozen=True):
    """One member's money in a corridor: `minor` was provided by `transaction` (hex)."""

    corridor: str
    operator: str
    address: str
    minor: int
    transaction: str


@dataclass(frozen=True)
class Wanted:
    """What is to be there. `pairs` are operators that owe each other, each pair once."""

    pairs: Sequence[tuple[str, str]]
    window: Window = field(default_factory=Window)
    approvals_seconds: int = 3600
    expires_seconds: int = 60
    provided_minor: int = PROVIDED_MINOR

    @property
    def corridors(self) -> dict[str, tuple[str, str]]:
        """Their names, and their members in the order that the chain has them."""
        ordered = sorted({(min(pair), max(pair)) for pair in self.pairs})
        return {f"{first}:{second}": (first, second) for first, second in ordered}

    @property
    def operators(self) -> list[str]:
        return sorted({name for members in self.corridors.values() for name in members})


@dataclass(frozen=True)
class Written:
    """Where the server reads what was made."""

    settlement_file: Path
    salt_file: Path
    provided_file: Path


class Bootstrap:
    """One chain made ready. Every part that is there already is left as it is."""

    def __init__(self, chain: Customer, folder: Path, wanted: Wanted) -> None:
        self._chain = chain
        self._folder = folder
        self._wanted = wanted
        self._keys = Keyring(folder / "keys")
        self._admin = self._keys.account("admin")
        self._governance = self._named(SEED)
        self._registry = self._named(SEED + b" registry")

    async def run(self) -> Written:
        """Safe to repeat. Raises ChainRefused, and what HTTP raises when nobody answers."""
        await self._fund()
        if not await self._is_there(f"{GOVERNANCE}::owner", self._governance):
            await self._chain.carry_out(self._admin, self._installation())
        asset = await self._asset()
        await self._open_corridors(asset)
        pools = await self._provide(asset)
        return self._write(await self._chain.chain_id(), asset, pools)

    async def _fund(self) -> None:
        """Submitters and the arbiter only come to be: the sponsor pays for what they send."""
        needed = {
            **dict.fromkeys((*SUBMITTERS, "arbiter"), 1),
            "sponsor": SPONSOR_OCTAS,
            "admin": FEES_OCTAS,
            **{member(name): FEES_OCTAS for name in self._wanted.operators},
        }
        accounts = [(self._keys.account(name).address(), octas) for name, octas in needed.items()]
        has = await asyncio.gather(*(self._chain.octas(who) for who, _ in accounts))
        await self._chain.fund(
            [each for each, octas in zip(accounts, has, strict=True) if octas <= each[1] // 2]
        )

    def _installation(self) -> list[Call]:
        """What one installation has once, whatever its corridors are."""
        return [
            call(ASSET, "create", octets(SYMBOL.encode()), u8(DECIMALS)),
            call(GOVERNANCE, "create", octets(SEED)),
            *(
                call(
                    GOVERNANCE, "grant", address(self._governance),
                    address(self._keys.account(role.account).address()), u8(role.number),
                )
                for role in ROLES
            ),
            call(COMPLIANCE, "create", address(self._governance), octets(SEED + b" registry")),
        ]  # fmt: skip

    async def _asset(self) -> AccountAddress:
        values = await self._chain.view(
            f"{ASSET}::address_of", str(self._admin.address()), f"0x{SYMBOL.encode().hex()}"
        )
        return AccountAddress.from_str_relaxed(str(values[0]))

    async def _open_corridors(self, asset: AccountAddress) -> None:
        names = list(self._wanted.corridors)
        there = await asyncio.gather(
            *(self._is_there(f"{SETTLEMENT}::members", self._corridor(name)) for name in names)
        )
        missing = [name for name, found in zip(names, there, strict=True) if not found]
        await self._chain.carry_out(self._admin, [self._opening(name, asset) for name in missing])

    def _opening(self, name: str, asset: AccountAddress) -> Call:
        members = [
            self._keys.account(member(operator)).address()
            for operator in self._wanted.corridors[name]
        ]
        approvers = [public_key_of(self._keys.account(key)) for key in self._approvers(name)]
        return call(
            SETTLEMENT, "create_corridor", address(self._governance), address(self._registry),
            address(asset), octets(name.encode()), addresses(members), many_octets(approvers),
            u64(THRESHOLD),
        )  # fmt: skip

    async def _provide(self, asset: AccountAddress) -> list[Pool]:
        """Each member into its own pools; what the folder knows of was provided before."""
        known = {(pool.corridor, pool.operator): pool for pool in self._read_provided()}
        places = await self._pools()
        new = {place: pool for place, pool in places.items() if place not in known}
        await self._chain.carry_out(self._admin, self._mints(asset, new))
        made = await asyncio.gather(
            *(self._provide_as(operator, new) for operator in self._wanted.operators)
        )
        known.update(((pool.corridor, pool.operator), pool) for pools in made for pool in pools)
        return [known[place] for place in places]

    def _mints(
        self, asset: AccountAddress, new: Mapping[tuple[str, str], AccountAddress]
    ) -> list[Call]:
        """To each member as much as it will provide."""
        pools = Counter(operator for _, operator in new)
        return [
            call(
                ASSET, "mint", address(asset),
                address(self._keys.account(member(operator)).address()),
                u64(self._wanted.provided_minor * count),
            )
            for operator, count in pools.items()
        ]  # fmt: skip

    async def _provide_as(
        self, operator: str, new: Mapping[tuple[str, str], AccountAddress]
    ) -> list[Pool]:
        minor = self._wanted.provided_minor
        pools = {corridor: pool for (corridor, whose), pool in new.items() if whose == operator}
        done = await self._chain.carry_out(
            self._keys.account(member(operator)),
            [call(LIQUIDITY, "provide", address(pool), u64(minor)) for pool in pools.values()],
        )
        return [
            Pool(corridor, operator, str(pool), minor, str(recorded["hash"]))
            for (corridor, pool), recorded in zip(pools.items(), done, strict=True)
        ]

    async def _pools(self) -> dict[tuple[str, str], AccountAddress]:
        """The pool of each member of each corridor."""
        wanted = [
            (name, operator, place)
            for name, members in self._wanted.corridors.items()
            for place, operator in enumerate(members)
        ]
        found = await asyncio.gather(
            *(
                self._chain.view(f"{SETTLEMENT}::pool_of", str(self._corridor(name)), str(place))
                for name, _, place in wanted
            )
        )
        return {
            (name, operator): AccountAddress.from_str_relaxed(str(values[0]))
            for (name, operator, _), values in zip(wanted, found, strict=True)
        }

    def _write(self, chain_id: int, asset: AccountAddress, pools: Sequence[Pool]) -> Written:
        written = Written(
            self._folder / "settlement.yaml",
            self._folder / "salt",
            self._folder / "provided.yaml",
        )
        settlement = yaml.safe_dump(self._told(chain_id, asset), sort_keys=False)
        written.settlement_file.write_text(settlement, "utf-8")
        told = [msgspec.to_builtins(pool) for pool in pools]
        written.provided_file.write_text(yaml.safe_dump(told, sort_keys=False), "utf-8")
        if not written.salt_file.exists():
            write_for_owner(written.salt_file, secrets.token_hex(32) + "\n")
        return written

    def _told(self, chain_id: int, asset: AccountAddress) -> dict[str, Any]:
        """The settlement file of the server."""
        wanted = self._wanted
        return {
            "asset": {"code": SYMBOL, "pegged_to": "USD"},
            "window": msgspec.to_builtins(wanted.window),
            "approvals_seconds": wanted.approvals_seconds,
            "corridors": [
                {
                    "name": name,
                    "members": [*members],
                    "approvers": self._approvers(name),
                    "threshold": THRESHOLD,
                }
                for name, members in wanted.corridors.items()
            ],
            "aptos": {
                "node": self._chain.node,
                "chain_id": chain_id,
                "addresses": {
                    "governance": str(self._governance),
                    "registry": str(self._registry),
                    "settlement": package_of(SETTLEMENT),
                    "liquidity": package_of(LIQUIDITY),
                    "compliance": package_of(COMPLIANCE),
                    "asset": str(asset),
                },
                "corridors": {name: str(self._corridor(name)) for name in wanted.corridors},
                "accounts": {
                    "sponsor": "sponsor",
                    "submitters": [*SUBMITTERS],
                    "members": {name: member(name) for name in wanted.operators},
                    "arbiter": "arbiter",
                },
                "budget": {
                    "units_max": 200_000,
                    "unit_price_max": 1000,
                    "margin_percent": 50,
                    "fee_reserve_min": OCTAS,
                },
                "expires_seconds": wanted.expires_seconds,
            },
            "keys": {"kind": "file", "folder": str(self._keys.folder)},
        }

    def _read_provided(self) -> list[Pool]:
        file = self._folder / "provided.yaml"
        if not file.exists():
            return []
        return msgspec.convert(yaml.safe_load(file.read_text("utf-8")), list[Pool])

    def _approvers(self, name: str) -> list[str]:
        return [*(f"approver_{each}" for each in self._wanted.corridors[name]), "approver_house"]

    def _corridor(self, name: str) -> AccountAddress:
        return self._named(name.encode())

    def _named(self, seed: bytes) -> AccountAddress:
        return AccountAddress.for_named_object(self._admin.address(), seed)

    async def _is_there(self, view: str, what: AccountAddress) -> bool:
        try:
            await self._chain.view(view, str(what))
        except ChainRefused:
            return False
        return True


def member(operator: str) -> str:
    """The name of an operator's own key."""
    return f"member_{operator}"

"""What one run knows of the world it plays in: who there is, what was made, what could be claimed.

Both executors play the same run; nothing here asks either of them for anything but by views.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from nacl.signing import SigningKey

from simulator.devnet.addresses import object_address, parse_address, sha3
from simulator.devnet.executor import Json
from simulator.devnet.executors.model import merkle

Ask = Callable[..., Json | None]
"""A view by `module::function` and typed arguments; None when it was refused."""

PAUSER, SUBMITTER, OFFICER, MANAGER, ARBITER, CORRIDORS = range(1, 7)
START = 1_700_000_000
GOVERNANCE = "0x1::object::Object<0xca01::governance::Governance>"
REGISTRY = "0x1::object::Object<0xca02::compliance::Registry>"
POOL = "0x1::object::Object<0xca03::liquidity::Pool>"
CORRIDOR = "0x1::object::Object<0xca04::settlement::Corridor>"
ASSET = "0x1::object::Object<0x1::fungible_asset::Metadata>"
STORE = "0x1::object::Object<0x1::fungible_asset::FungibleStore>"
BYTES = "vector<u8>"


class Installation(NamedTuple):
    """A governance with its registry."""

    governance: bytes
    registry: bytes


class Corridor(NamedTuple):
    """A corridor: its place, what it settles in, who its members are."""

    address: bytes
    installation: Installation
    asset: bytes
    members: tuple[bytes, ...]
    pools: tuple[bytes, ...]


class Batch(NamedTuple):
    """Something that was settled, with the leaves of its tree."""

    corridor: Corridor
    batch_id: bytes
    leaves: tuple[bytes, ...]
    settled_at: int

    def proof(self, index: int) -> tuple[bytes, ...]:
        """Of one of its payments."""
        return merkle.prove(self.leaves, index)


class Claim(NamedTuple):
    """A dispute that was opened."""

    corridor: Corridor
    dispute_id: bytes
    member: int
    against: int


@dataclass
class Picture:
    """All of it. Addresses are known before anything is made: they follow from creator and seed."""

    chance: random.Random
    ask: Ask
    now: int = START  # seconds
    installations: list[Installation] = field(default_factory=list)
    assets: list[bytes] = field(default_factory=list)
    corridors: list[Corridor] = field(default_factory=list)
    pools: list[bytes] = field(default_factory=list)  # outside corridors
    batches: list[Batch] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    reservations: list[tuple[bytes, bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.accounts = [self._account(name) for name in NAMES]
        self.subjects = [sha3(account) for account in self.accounts[-5:]] + [sha3(b"somebody")]
        self.keys = [SigningKey(sha3(b"approver", bytes([n]))) for n in range(4)]

    def account(self, name: str) -> bytes:
        """One of those who play, by name."""
        return self.accounts[NAMES.index(name)]

    def somebody(self) -> bytes:
        """Any of them."""
        return self.chance.choice(self.accounts)

    def happens(self, probability: float) -> bool:
        """Whether something does that happens so often."""
        return self.chance.random() < probability

    def all_pools(self) -> list[bytes]:
        """Of corridors and outside."""
        return [*self.pools, *(pool for corridor in self.corridors for pool in corridor.pools)]

    def number(self, name: str, *arguments: tuple[str, Any]) -> int:
        """What a view says, 0 when it is refused."""
        return int(self.ask(name, *arguments) or 0)

    def address(self, name: str, *arguments: tuple[str, Any]) -> bytes:
        """What a view says; somebody's when it is refused."""
        told = self.ask(name, *arguments)
        return self.somebody() if told is None else parse_address(told)

    def public_keys(self) -> list[bytes]:
        """Of those who approve."""
        return [bytes(key.verify_key) for key in self.keys]

    @staticmethod
    def _account(name: str) -> bytes:
        return sha3(b"account", name.encode())


NAMES = (
    "owner",
    "other",
    "officer",
    "manager",
    "arbiter",
    "submitter",
    "member_a",
    "member_b",
    "member_c",
    "provider",
    "stranger",
)
ROLES = (
    (PAUSER, "officer"),
    (SUBMITTER, "submitter"),
    (OFFICER, "officer"),
    (MANAGER, "manager"),
    (ARBITER, "arbiter"),
    (CORRIDORS, "manager"),
)


def corridor_at(
    creator: bytes, seed: bytes, installation: Installation, asset: bytes, members: list[bytes]
) -> Corridor:
    """The corridor of this creator and seed, whether it is made yet or not."""
    address = object_address(creator, seed)
    pools = tuple(object_address(address, n.to_bytes(8, "little")) for n in range(len(members)))
    return Corridor(address, installation, asset, tuple(members), pools)

"""Who and what a plot speaks of: mostly what fits together."""

from __future__ import annotations

from simulator.devnet.addresses import sha3
from tests.move.differential.picture import GOVERNANCE, Installation, Picture


def some_installation(picture: Picture) -> Installation:
    """The first one mostly: what meets must belong together."""
    return picture.installations[0 if picture.happens(0.85) else 1]


def owner_of(picture: Picture, governance: bytes) -> bytes:
    return picture.address("governance::owner", (GOVERNANCE, governance))


def some_hash(picture: Picture) -> bytes:
    return sha3(bytes([picture.chance.randrange(6)]))


def some_pool(picture: Picture) -> bytes:
    return picture.chance.choice(picture.all_pools())


def some_provider(picture: Picture) -> bytes:
    names = ["provider", "provider", "member_a", "member_b", "member_c", "stranger"]
    return picture.account(picture.chance.choice(names))

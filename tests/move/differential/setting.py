"""How a world is set before chance plays in it: installations, assets, corridors, money."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from simulator.devnet.addresses import object_address
from tests.move.differential.drawing import Drawn
from tests.move.differential.picture import (
    ASSET,
    BYTES,
    GOVERNANCE,
    POOL,
    REGISTRY,
    ROLES,
    Installation,
    Picture,
    corridor_at,
)
from tests.move.differential.plots import corridor_call

PROVIDERS = ("member_a", "member_b", "member_c", "provider")


def scene(picture: Picture) -> Iterator[Drawn]:
    """The calls that set it, all valid. The picture is told before each what will be there."""
    yield from _installations(picture)
    yield from _assets(picture)
    yield from _corridors(picture)
    yield from _free_pools(picture)
    yield from _money(picture)


def _installations(picture: Picture) -> Iterator[Drawn]:
    for creator, seed in ((picture.account("owner"), b"main"), (picture.account("other"), b"two")):
        governance = object_address(creator, seed)
        registry = object_address(creator, seed + b" book")
        picture.installations.append(Installation(governance, registry))
        yield Drawn("governance::create", (creator,), ((BYTES, seed),))
        made = ((GOVERNANCE, governance), (BYTES, seed + b" book"))
        yield Drawn("compliance::create", (creator,), made)
        for role, name in ROLES:
            granted = (("address", picture.account(name)), ("u8", role))
            yield Drawn("governance::grant", (creator,), ((GOVERNANCE, governance), *granted))


def _assets(picture: Picture) -> Iterator[Drawn]:
    creator = picture.account("owner")
    for symbol in (b"USDC", b"EURC"):
        asset = object_address(creator, symbol)
        picture.assets.append(asset)
        yield Drawn("test_asset::create", (creator,), ((BYTES, symbol), ("u8", 6)))
        for name in (*PROVIDERS, "owner"):
            minted: tuple[tuple[str, Any], ...] = (
                (ASSET, asset),
                ("address", picture.account(name)),
                ("u64", 10**13),
            )
            yield Drawn("test_asset::mint", (creator,), minted)


def _corridors(picture: Picture) -> Iterator[Drawn]:
    manager = picture.account("manager")
    members = [picture.account(name) for name in ("member_a", "member_b", "member_c")]
    for seed, place, count in ((b"c1", 0, 2), (b"c2", 0, 3)):
        installation, asset = picture.installations[place], picture.assets[place]
        corridor = corridor_at(manager, seed, installation, asset, members[:count])
        picture.corridors.append(corridor)
        keys = picture.public_keys()[:3]
        yield corridor_call(picture, installation, asset, seed, members[:count], keys, 2)


def _free_pools(picture: Picture) -> Iterator[Drawn]:
    manager = picture.account("manager")
    for place, seed in ((0, b"free"), (1, b"free too")):
        governance, registry = picture.installations[place]
        picture.pools.append(object_address(manager, seed))
        yield Drawn(
            "liquidity::create",
            (manager,),
            (
                (GOVERNANCE, governance),
                (REGISTRY, registry),
                (ASSET, picture.assets[place]),
                ("address", picture.account("member_c")),
                (BYTES, seed),
            ),
        )


def _money(picture: Picture) -> Iterator[Drawn]:
    provider = picture.account("provider")
    for pool in picture.all_pools():
        operator = picture.address("liquidity::operator", (POOL, pool))
        yield Drawn("liquidity::admit", (operator,), ((POOL, pool), ("address", provider)))
        # A lone provider is a case of its own: all fees are its.
        for who in (provider,) if pool in picture.pools else (provider, operator):
            amount = picture.chance.choice([10**9, 3 * 10**9 + 1, 7])
            yield Drawn("liquidity::provide", (who,), ((POOL, pool), ("u64", amount)))

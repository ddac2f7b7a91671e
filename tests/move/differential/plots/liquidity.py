"""Plots of the liquidity contract."""

from __future__ import annotations

from simulator.devnet.addresses import parse_address
from tests.move.differential.drawing import Drawn
from tests.move.differential.picture import ASSET, BYTES, GOVERNANCE, POOL, REGISTRY, Picture
from tests.move.differential.plots.choices import (
    owner_of,
    some_installation,
    some_pool,
    some_provider,
)


def create_pool(picture: Picture) -> Drawn:
    installation = some_installation(picture)
    registry = installation.registry
    if picture.happens(0.1):
        registry = picture.chance.choice(picture.installations).registry
    operator = bytes(32) if picture.happens(0.05) else picture.account("member_c")
    return Drawn(
        "liquidity::create",
        (picture.account("manager"),),
        (
            (GOVERNANCE, installation.governance),
            (REGISTRY, registry),
            (ASSET, picture.chance.choice(picture.assets)),
            ("address", operator),
            (BYTES, picture.chance.choice([b"pool", b"spare", b"third"])),
        ),
    )


def provide(picture: Picture) -> Drawn:
    pool = some_pool(picture)
    who = some_provider(picture)
    if picture.happens(0.3):
        who = picture.address("liquidity::operator", (POOL, pool))
    held = _balance(picture, who, pool)
    amount = picture.chance.choice([1, 7, 1_000_000, 999_999_937, held // 3, held, held + 1])
    price = picture.number("liquidity::total", (POOL, pool))
    price //= picture.number("liquidity::shares", (POOL, pool)) or 1
    if price > 1 and picture.happens(0.7):
        # Half a share is lost of so many: about the most that rounding may cost.
        amount = price * picture.chance.randrange(150, 1_500) + price // 2
    return Drawn("liquidity::provide", (who,), ((POOL, pool), ("u64", amount)))


def admit(picture: Picture) -> Drawn:
    return _operated(picture, "admit")


def dismiss(picture: Picture) -> Drawn:
    return _operated(picture, "dismiss")


def withdraw(picture: Picture) -> Drawn:
    pool = some_pool(picture)
    who = some_provider(picture)
    shares = picture.number("liquidity::shares_of", (POOL, pool), ("address", who))
    given = picture.chance.choice([shares // 7, shares // 2, shares, shares + 1, 1])
    return Drawn("liquidity::withdraw", (who,), ((POOL, pool), ("u64", given)))


def emergency_exit(picture: Picture) -> Drawn:
    return Drawn(
        "liquidity::emergency_exit", (some_provider(picture),), ((POOL, some_pool(picture)),)
    )


def replenish(picture: Picture) -> Drawn:
    pool = some_pool(picture)
    who = picture.account(picture.chance.choice(["member_a", "member_b", "provider"]))
    amount = picture.chance.choice([0, 1, 999, 5_000_000, 10**12 + 39])
    return Drawn("liquidity::replenish", (who,), ((POOL, pool), ("u64", amount)))


def add_fees(picture: Picture) -> Drawn:
    amount = picture.chance.choice([0, 1, 2, 3, 10, 1_000_003, 77_777_777])
    arguments = ((POOL, some_pool(picture)), ("u64", amount))
    return Drawn("liquidity::add_fees", (picture.account("owner"),), arguments)


def claim_fees(picture: Picture) -> Drawn:
    return Drawn("liquidity::claim_fees", (some_provider(picture),), ((POOL, some_pool(picture)),))


def reserve_entry(picture: Picture) -> Drawn:
    pool = _own_pool(picture)
    free = picture.number("liquidity::available", (POOL, pool))
    amount = picture.chance.choice([1, free // 5, free // 2, free, free + 1])
    name = picture.chance.choice([b"a", b"b", b"c" * 64, b"d" * 65, b""])
    arguments = ((POOL, pool), (BYTES, name), ("u64", amount))
    return Drawn(
        "liquidity::reserve_entry",
        (picture.account("manager"),),
        arguments,
        remember=lambda: picture.reservations.append((pool, name)),
    )


def release_entry(picture: Picture) -> Drawn:
    pool, name = _own_pool(picture), b"a"
    if picture.reservations:
        pool, name = picture.chance.choice(picture.reservations)
    return Drawn(
        "liquidity::release_entry", (picture.account("manager"),), ((POOL, pool), (BYTES, name))
    )


def pause_pool(picture: Picture) -> Drawn:
    return Drawn(
        "liquidity::pause_pool", (picture.account("officer"),), ((POOL, some_pool(picture)),)
    )


def unpause_pool(picture: Picture) -> Drawn:
    pool = some_pool(picture)
    paused = [
        pool
        for pool in picture.all_pools()
        if picture.ask("liquidity::is_pool_paused", (POOL, pool))
    ]
    if paused and picture.happens(0.9):
        pool = picture.chance.choice(paused)
    told = picture.ask("liquidity::governance_of", (POOL, pool))
    governance = some_installation(picture).governance
    if told is not None:
        governance = parse_address(told["inner"])
    return Drawn("liquidity::unpause_pool", (owner_of(picture, governance),), ((POOL, pool),))


def _own_pool(picture: Picture) -> bytes:
    return picture.chance.choice(picture.pools)


def _operated(picture: Picture, name: str) -> Drawn:
    pool = some_pool(picture)
    signer = picture.address("liquidity::operator", (POOL, pool))
    who = picture.account("provider") if picture.happens(0.6) else some_provider(picture)
    return Drawn(f"liquidity::{name}", (signer,), ((POOL, pool), ("address", who)))


def _balance(picture: Picture, who: bytes, pool: bytes) -> int:
    told = picture.ask("liquidity::asset", (POOL, pool))
    if told is None:
        return 0
    holder = (("address", who), (ASSET, parse_address(told["inner"])))
    return picture.number("primary_fungible_store::balance", *holder)

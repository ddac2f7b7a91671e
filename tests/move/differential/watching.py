"""All that can be seen of a world: the views to ask after a call, of what it touched or of all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from simulator.devnet.addresses import primary_store_address, sha3
from simulator.devnet.type_tags import TypeTag, parse_type
from tests.move.differential.drawing import METADATA, Drawn
from tests.move.differential.picture import (
    ASSET,
    BYTES,
    CORRIDOR,
    GOVERNANCE,
    POOL,
    REGISTRY,
    STORE,
    Corridor,
    Picture,
)

STORE_TYPE = parse_type("0x1::fungible_asset::FungibleStore")
_OF_POOLS = (
    "total",
    "available",
    "reserved",
    "shares",
    "fees_held",
    "is_pool_paused",
    "settler",
    "operator",
    "asset",
    "governance_of",
    "funds_of",
    "fee_store_of",
)
_OF_CORRIDORS = ("members", "threshold", "approvers", "asset", "governance_of", "registry_of")


def everything(picture: Picture) -> Iterator[Drawn]:
    """Every view of everything there is."""
    yield from _of_the_chain()
    yield from of_touched(picture, _places(picture))


def of_touched(picture: Picture, places: Iterable[bytes]) -> Iterator[Drawn]:
    """Every view of those of the places that are something."""
    touched = set(places)
    for governance, registry in picture.installations:
        if governance in touched:
            yield from _of_governance(picture, governance)
        if registry in touched:
            yield from _of_registry(picture, registry)
    for pool in picture.all_pools():
        if pool in touched:
            yield from _of_pool(picture, pool)
    for corridor in picture.corridors:
        if corridor.address in touched:
            yield from _of_corridor(picture, corridor)
    for asset in picture.assets:
        if asset in touched:
            yield from _of_asset(picture, asset)


def _places(picture: Picture) -> Iterator[bytes]:
    for installation in picture.installations:
        yield from installation
    yield from picture.all_pools()
    yield from (corridor.address for corridor in picture.corridors)
    yield from picture.assets


def _seen(name: str, *arguments: tuple[str, Any], types: tuple[TypeTag, ...] = ()) -> Drawn:
    return Drawn(name, (), arguments, types=types)


def _of_the_chain() -> Iterator[Drawn]:
    yield _seen("chain_id::get")
    yield _seen("timestamp::now_seconds")
    yield _seen("timestamp::now_microseconds")
    for name, seed in (("a", b""), ("b", b"any seed")):
        place = (("address", sha3(name.encode())), (BYTES, seed))
        for module in ("governance", "compliance", "liquidity", "test_asset"):
            yield _seen(f"{module}::address_of", *place)
        yield _seen("settlement::corridor_address", *place)


def _of_governance(picture: Picture, governance: bytes) -> Iterator[Drawn]:
    this = (GOVERNANCE, governance)
    for view in ("owner", "pending_owner", "is_paused"):
        yield _seen(f"governance::{view}", this)
    for which in range(7):
        yield _seen("governance::bound", this, ("u8", which))
        yield _seen("governance::range_of", ("u8", which))
    for who in picture.accounts:
        for role in range(8):
            yield _seen("governance::has_role", this, ("address", who), ("u8", role))


def _of_registry(picture: Picture, registry: bytes) -> Iterator[Drawn]:
    this = (REGISTRY, registry)
    yield _seen("compliance::governance_of", this)
    yield _seen("compliance::list_version", this)
    for period in range(1, 7):
        yield _seen("compliance::report_of", this, ("u64", period))
    for subject in picture.subjects:
        for view in ("attestation", "is_barred", "reason_of", "bar_of"):
            yield _seen(f"compliance::{view}", this, (BYTES, subject))
        for level in (0, 1, 3):
            yield _seen("compliance::is_attested", this, (BYTES, subject), ("u8", level))
    yield _seen("compliance::subject_of", ("address", picture.account("stranger")))


def _of_pool(picture: Picture, pool: bytes) -> Iterator[Drawn]:
    this = (POOL, pool)
    for view in _OF_POOLS:
        yield _seen(f"liquidity::{view}", this)
    for name in ("member_a", "member_b", "member_c", "provider", "stranger", "manager"):
        who = ("address", picture.account(name))
        yield _seen("liquidity::shares_of", this, who)
        yield _seen("liquidity::fees_due", this, who)
        yield _seen("liquidity::may_provide", this, who)
    promised = [b"a", b"b", b"c" * 64, *(claim.dispute_id for claim in picture.claims[-4:])]
    for id_of_it in promised:
        yield _seen("liquidity::reserved_under", this, (BYTES, id_of_it))
    for view in ("funds_of", "fee_store_of"):
        store = picture.address(f"liquidity::{view}", this)
        yield from _of_store(store)


def _of_corridor(picture: Picture, corridor: Corridor) -> Iterator[Drawn]:
    this = (CORRIDOR, corridor.address)
    for view in _OF_CORRIDORS:
        yield _seen(f"settlement::{view}", this)
    for member in range(4):
        yield _seen("settlement::pool_of", this, ("u64", member))
    for batch in picture.batches[-4:]:
        of_batch = (this, (BYTES, batch.batch_id))
        yield _seen("settlement::is_settled", *of_batch)
        yield _seen("settlement::batch", *of_batch)
        for index in (0, len(batch.leaves) // 2, len(batch.leaves) - 1):
            leaf, proof = batch.leaves[index], batch.proof(index)
            for place in (index, index + 1):
                rest = (("u64", place), ("vector<vector<u8>>", proof))
                yield _seen("settlement::verify_payment", *of_batch, (BYTES, leaf), *rest)
        opened = ((BYTES, batch.leaves[0]), ("u64", 1))
        yield _seen("settlement::dispute_id", *of_batch, *opened)
    for claim in picture.claims[-6:]:
        yield _seen("settlement::dispute", this, (BYTES, claim.dispute_id))
    yield _seen(
        "settlement::terms_hash",
        this,
        (BYTES, b"any"),
        (BYTES, b""),
        ("u64", picture.now),
        ("vector<u64>", (1, 2**64 - 1)),
        ("vector<u64>", ()),
        ("u64", 0),
    )


def _of_asset(picture: Picture, asset: bytes) -> Iterator[Drawn]:
    this = (ASSET, asset)
    for view in ("supply", "name", "symbol", "decimals"):
        yield _seen(f"fungible_asset::{view}", this, types=(METADATA,))
    for who in picture.accounts:
        held = (("address", who), this)
        for view in ("balance", "is_frozen", "primary_store_exists", "primary_store_address"):
            yield _seen(f"primary_fungible_store::{view}", *held, types=(METADATA,))
        yield from _of_store(primary_store_address(who, asset))


def _of_store(store: bytes) -> Iterator[Drawn]:
    this = (STORE, store)
    for view in ("balance", "is_frozen", "store_metadata"):
        yield _seen(f"fungible_asset::{view}", this, types=(STORE_TYPE,))
    yield _seen("fungible_asset::store_exists", ("address", store))
    yield _seen("object::owner", this, types=(STORE_TYPE,))
    yield _seen("object::is_object", ("address", store))

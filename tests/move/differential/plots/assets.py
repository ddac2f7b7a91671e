"""Plots of the test asset and of the stores it is in."""

from __future__ import annotations

from tests.move.differential.drawing import METADATA, Drawn
from tests.move.differential.picture import ASSET, BYTES, POOL, STORE, Picture
from tests.move.differential.plots.choices import some_pool, some_provider


def transfer(picture: Picture) -> Drawn:
    asset = picture.chance.choice(picture.assets)
    amount = picture.chance.choice([0, 1, 10**6, 10**19])
    return Drawn(
        "primary_fungible_store::transfer",
        (picture.account("owner"),),
        ((ASSET, asset), ("address", picture.somebody()), ("u64", amount)),
        types=(METADATA,),
    )


def create_asset(picture: Picture) -> Drawn:
    symbol = picture.chance.choice([b"USDC", b"XYZ", b"\xff\xfe", b"S" * 33])
    decimals = picture.chance.choice([6, 6, 33])
    return Drawn(
        "test_asset::create",
        (picture.somebody(),),
        ((BYTES, symbol), ("u8", decimals)),
    )


def mint(picture: Picture) -> Drawn:
    return Drawn(
        "test_asset::mint",
        (picture.account("owner"),),
        (
            (ASSET, picture.chance.choice(picture.assets)),
            ("address", some_provider(picture)),
            ("u64", picture.chance.choice([0, 1, 10**9, 10**12, 10**18])),
        ),
    )


def freeze_owner(picture: Picture) -> Drawn:
    return Drawn(
        "test_asset::freeze_owner",
        (picture.account("owner"),),
        (
            (ASSET, picture.chance.choice(picture.assets)),
            ("address", some_provider(picture)),
            ("bool", picture.happens(0.25)),
        ),
    )


def freeze_store(picture: Picture) -> Drawn:
    view = picture.chance.choice(["liquidity::funds_of", "liquidity::fee_store_of"])
    store = picture.address(view, (POOL, some_pool(picture)))
    return Drawn(
        "test_asset::freeze_store",
        (picture.account("owner"),),
        ((STORE, store), ("bool", picture.happens(0.2))),
    )

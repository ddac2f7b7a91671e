"""`capp_test_asset::test_asset`: an asset whose creator mints it and freezes what holds it."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from simulator.devnet.addresses import object_address
from simulator.devnet.executors.model import assets, objects, primary
from simulator.devnet.executors.model.assets import METADATA
from simulator.devnet.executors.model.contract import (
    SIGNER,
    Abort,
    Category,
    Contract,
    object_of,
)
from simulator.devnet.executors.model.world import Frame

TEST_ASSET = Contract(0xCA05, "test_asset")
STORE = object_of("0x1::fungible_asset::FungibleStore")
INVALID_UTF8 = 1
"""The string module's own code, without a category."""


class Reason(IntEnum):
    """Why the test asset says no."""

    NOT_CREATOR = 1


class Issuer(NamedTuple):
    """Kept at the asset's address."""

    creator: bytes


@TEST_ASSET.view("address", "vector<u8>", returns=("address",))
def address_of(_: Frame, creator: bytes, symbol: bytes) -> bytes:
    return object_address(creator, symbol)


@TEST_ASSET.entry(SIGNER, "vector<u8>", "u8")
def create(frame: Frame, creator: bytes, symbol: bytes, decimals: int) -> None:
    address = objects.create_named(frame, creator, symbol, ungated=True)
    name = _text(symbol)
    assets.add_fungibility(frame, address, assets.Metadata(name, name, decimals))
    frame.put(Issuer(creator), address)


@TEST_ASSET.entry(SIGNER, METADATA, "address", "u64")
def mint(frame: Frame, creator: bytes, metadata: bytes, to: bytes, amount: int) -> None:
    _assert_issuer(frame, creator, metadata)
    store = primary.ensure_store(frame, to, metadata)
    assets.demand_not_frozen(frame, store)
    assets.deposit(frame, store, assets.mint(frame, metadata, amount))


@TEST_ASSET.entry(SIGNER, METADATA, "address", "bool")
def freeze_owner(frame: Frame, creator: bytes, metadata: bytes, owner: bytes, frozen: bool) -> None:
    _assert_issuer(frame, creator, metadata)
    store = primary.ensure_store(frame, owner, metadata)
    assets.set_frozen(frame, store, frozen=frozen)


@TEST_ASSET.entry(SIGNER, STORE, "bool")
def freeze_store(frame: Frame, creator: bytes, store: bytes, frozen: bool) -> None:
    _assert_issuer(frame, creator, assets.store_metadata(frame, store))
    assets.set_frozen(frame, store, frozen=frozen)


def _assert_issuer(frame: Frame, creator: bytes, metadata: bytes) -> None:
    made = frame.get(Issuer, metadata).creator == creator
    TEST_ASSET.demand(made, Category.PERMISSION_DENIED, Reason.NOT_CREATOR)


def _text(symbol: bytes) -> str:
    try:
        return symbol.decode()
    except UnicodeDecodeError as error:
        raise Abort((1).to_bytes(32), "string", INVALID_UTF8) from error

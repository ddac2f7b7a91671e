"""`0x1::primary_fungible_store`: one store of each asset for each account, made when needed."""

from __future__ import annotations

from simulator.devnet import addresses
from simulator.devnet.executors.model import assets, objects
from simulator.devnet.executors.model.assets import ANY, Asset
from simulator.devnet.executors.model.contract import SIGNER, Contract
from simulator.devnet.executors.model.world import Frame

PRIMARY = Contract(0x1, "primary_fungible_store")


@PRIMARY.view("address", ANY, returns=("address",), generics=1)
def primary_store_address(_: Frame, owner: bytes, metadata: bytes) -> bytes:
    return addresses.primary_store_address(owner, metadata)


@PRIMARY.view("address", ANY, returns=("bool",), generics=1)
def primary_store_exists(frame: Frame, owner: bytes, metadata: bytes) -> bool:
    return assets.store_exists(frame, addresses.primary_store_address(owner, metadata))


@PRIMARY.view("address", ANY, returns=("u64",), generics=1)
def balance(frame: Frame, owner: bytes, metadata: bytes) -> int:
    return assets.balance(frame, addresses.primary_store_address(owner, metadata))


@PRIMARY.view("address", ANY, returns=("bool",), generics=1)
def is_frozen(frame: Frame, owner: bytes, metadata: bytes) -> bool:
    return assets.is_frozen(frame, addresses.primary_store_address(owner, metadata))


@PRIMARY.entry(SIGNER, ANY, "address", "u64", generics=1)
def transfer(frame: Frame, sender: bytes, metadata: bytes, recipient: bytes, amount: int) -> None:
    source = ensure_store(frame, sender, metadata)
    target = ensure_store(frame, recipient, metadata)
    assets.deposit(frame, target, assets.withdraw(frame, sender, source, amount))


def ensure_store(frame: Frame, owner: bytes, metadata: bytes) -> bytes:
    """The address of the store of an owner, made when it is not there."""
    address = addresses.primary_store_address(owner, metadata)
    if not assets.store_exists(frame, address):
        objects.assert_has(frame, metadata, assets.Metadata)
        objects.create(frame, owner, address, ungated=False)
        assets.create_store(frame, address, metadata)
    return address


def withdraw(frame: Frame, signer: bytes, metadata: bytes, amount: int) -> Asset:
    """Take from the signer's store."""
    store = ensure_store(frame, signer, metadata)
    return assets.withdraw(frame, signer, store, amount)


def deposit(frame: Frame, owner: bytes, asset: Asset) -> None:
    """Put into somebody's store."""
    store = ensure_store(frame, owner, asset.metadata)
    assets.deposit(frame, store, asset)

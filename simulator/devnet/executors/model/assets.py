"""`0x1::fungible_asset`: metadata, supply, stores. Every asset here is plain, without hooks."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from simulator.devnet.executors.model import objects
from simulator.devnet.executors.model.contract import Category, Contract, object_of
from simulator.devnet.executors.model.numbers import u64, u128
from simulator.devnet.executors.model.world import Frame

ASSETS = Contract(
    0x1,
    "fungible_asset",
    events={
        "Deposit": {"store": "address", "amount": "u64"},
        "Withdraw": {"store": "address", "amount": "u64"},
        "Frozen": {"store": "address", "frozen": "bool"},
    },
)
ANY = object_of("T0")
METADATA = object_of("0x1::fungible_asset::Metadata")
TEXT_BYTES_MAX = 32
DECIMALS_MAX = 32


class Reason(IntEnum):
    """Why the asset framework says no."""

    STORE_IS_FROZEN = 3
    INSUFFICIENT_BALANCE = 4
    NOT_STORE_OWNER = 8
    FUNGIBLE_ASSET_AND_STORE_MISMATCH = 11
    NAME_TOO_LONG = 15
    SYMBOL_TOO_LONG = 16
    DECIMALS_TOO_LARGE = 17
    SUPPLY_UNDERFLOW = 20
    FUNGIBLE_STORE_EXISTENCE = 23


class Metadata(NamedTuple):
    """What an asset is called and how it is counted."""

    name: str
    symbol: str
    decimals: int


class Supply(NamedTuple):
    """How much of an asset there is; at the asset's address."""

    current: int


class Store(NamedTuple):
    """Where an asset lies."""

    metadata: bytes
    balance: int
    frozen: bool


class Asset(NamedTuple):
    """An amount that is in no store just now."""

    metadata: bytes
    amount: int


@ASSETS.view(ANY, returns=("0x1::option::Option<u128>",), generics=1)
def supply(frame: Frame, metadata: bytes) -> int | None:
    found = frame.find(Supply, metadata)
    return None if found is None else found.current


@ASSETS.view(ANY, returns=("0x1::string::String",), generics=1)
def name(frame: Frame, metadata: bytes) -> str:
    return frame.get(Metadata, metadata).name


@ASSETS.view(ANY, returns=("0x1::string::String",), generics=1)
def symbol(frame: Frame, metadata: bytes) -> str:
    return frame.get(Metadata, metadata).symbol


@ASSETS.view(ANY, returns=("u8",), generics=1)
def decimals(frame: Frame, metadata: bytes) -> int:
    return frame.get(Metadata, metadata).decimals


@ASSETS.view("address", returns=("bool",))
def store_exists(frame: Frame, store: bytes) -> bool:
    return frame.find(Store, store) is not None


@ASSETS.view(ANY, returns=(METADATA,), generics=1)
def store_metadata(frame: Frame, store: bytes) -> bytes:
    return frame.get(Store, store).metadata


@ASSETS.view(ANY, returns=("u64",), generics=1)
def balance(frame: Frame, store: bytes) -> int:
    found = frame.find(Store, store)
    return 0 if found is None else found.balance


@ASSETS.view(ANY, returns=("bool",), generics=1)
def is_frozen(frame: Frame, store: bytes) -> bool:
    found = frame.find(Store, store)
    return found is not None and found.frozen


def add_fungibility(frame: Frame, address: bytes, metadata: Metadata) -> None:
    """Make an object an asset, of which there is nothing yet."""
    _demand_within(len(metadata.name.encode()), TEXT_BYTES_MAX, Reason.NAME_TOO_LONG)
    _demand_within(len(metadata.symbol.encode()), TEXT_BYTES_MAX, Reason.SYMBOL_TOO_LONG)
    _demand_within(metadata.decimals, DECIMALS_MAX, Reason.DECIMALS_TOO_LARGE)
    frame.put(metadata, address)
    frame.put(Supply(0), address)


def create_store(frame: Frame, address: bytes, metadata: bytes) -> None:
    """Make an empty store on an object."""
    frame.put(Store(metadata=metadata, balance=0, frozen=False), address)


def withdraw(frame: Frame, signer: bytes, store: bytes, amount: int) -> Asset:
    """Take from a store that the signer owns."""
    owned = objects.owns(frame, store, signer)
    ASSETS.demand(owned, Category.PERMISSION_DENIED, Reason.NOT_STORE_OWNER)
    demand_not_frozen(frame, store)
    return take(frame, store, amount)


def deposit(frame: Frame, store: bytes, asset: Asset) -> None:
    """Put into a store of the same asset."""
    demand_not_frozen(frame, store)
    found = _existing(frame, store)
    same = found.metadata == asset.metadata
    ASSETS.demand(same, Category.INVALID_ARGUMENT, Reason.FUNGIBLE_ASSET_AND_STORE_MISMATCH)
    if asset.amount == 0:
        return
    frame.put(found._replace(balance=u64(found.balance + asset.amount)), store)
    ASSETS.emit(frame, "Deposit", store=store, amount=asset.amount)


def take(frame: Frame, store: bytes, amount: int) -> Asset:
    """Take from a store, whoever owns it and whether it is frozen or not."""
    found = _existing(frame, store)
    enough = found.balance >= amount
    ASSETS.demand(enough, Category.INVALID_ARGUMENT, Reason.INSUFFICIENT_BALANCE)
    if amount > 0:
        frame.put(found._replace(balance=found.balance - amount), store)
        ASSETS.emit(frame, "Withdraw", store=store, amount=amount)
    return Asset(found.metadata, amount)


def mint(frame: Frame, metadata: bytes, amount: int) -> Asset:
    """Make an amount out of nothing."""
    if amount > 0:
        frame.put(Supply(u128(frame.get(Supply, metadata).current + amount)), metadata)
    return Asset(metadata, amount)


def burn(frame: Frame, asset: Asset) -> None:
    """Make an amount be nothing."""
    if asset.amount == 0:
        return
    left = frame.get(Supply, asset.metadata).current - asset.amount
    ASSETS.demand(left >= 0, Category.INVALID_STATE, Reason.SUPPLY_UNDERFLOW)
    frame.put(Supply(left), asset.metadata)


def set_frozen(frame: Frame, store: bytes, *, frozen: bool) -> None:
    """The issuer freezes or frees a store."""
    frame.put(frame.get(Store, store)._replace(frozen=frozen), store)
    ASSETS.emit(frame, "Frozen", store=store, frozen=frozen)


def demand_not_frozen(frame: Frame, store: bytes) -> None:
    """Abort for a store that its asset's issuer has frozen."""
    frozen = is_frozen(frame, store)
    ASSETS.demand(not frozen, Category.PERMISSION_DENIED, Reason.STORE_IS_FROZEN)


def _demand_within(number: int, most: int, reason: Reason) -> None:
    ASSETS.demand(number <= most, Category.OUT_OF_RANGE, reason)


def _existing(frame: Frame, store: bytes) -> Store:
    found = frame.find(Store, store)
    if found is None:
        raise ASSETS.abort(Category.NOT_FOUND, Reason.FUNGIBLE_STORE_EXISTENCE)
    return found

"""The stores of a pool: exactly what was asked goes in and out, or nothing."""

from __future__ import annotations

from simulator.devnet.executors.model import assets, objects, primary
from simulator.devnet.executors.model.contract import Category
from simulator.devnet.executors.model.liquidity.vocabulary import LIQUIDITY, Reason
from simulator.devnet.executors.model.world import Frame


def create_store(frame: Frame, pool: bytes, seed: bytes, metadata: bytes) -> bytes:
    store = objects.create_named(frame, pool, seed, ungated=True)
    assets.create_store(frame, store, metadata)
    return store


def deposit_exactly(frame: Frame, store: bytes, asset: assets.Asset) -> None:
    before = assets.balance(frame, store)
    assets.deposit(frame, store, asset)
    _assert_delivered(assets.balance(frame, store) - before, asset.amount)


def withdraw_exactly(frame: Frame, pool: bytes, store: bytes, amount: int) -> assets.Asset:
    before = assets.balance(frame, store)
    asset = assets.withdraw(frame, pool, store, amount)
    _assert_delivered(asset.amount, amount)
    _assert_delivered(before - assets.balance(frame, store), amount)
    return asset


def pay_out(frame: Frame, pool: bytes, store: bytes, to: bytes, amount: int) -> None:
    if amount == 0:
        return
    primary.deposit(frame, to, withdraw_exactly(frame, pool, store, amount))


def _assert_delivered(moved: int, asked: int) -> None:
    LIQUIDITY.demand(moved == asked, Category.ABORTED, Reason.NOT_DELIVERED)

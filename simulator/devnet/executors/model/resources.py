"""Resources as REST shows them, of those whose layout the model shares with the chain: stores.

Everything else the model keeps in its own way; about that it is asked by views.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simulator.devnet.addresses import show_address
from simulator.devnet.executor import Change, Json
from simulator.devnet.executors.model.assets import Store
from simulator.devnet.executors.model.world import Key, Writes

STORE = "0x1::fungible_asset::FungibleStore"


def describe(writes: Writes) -> tuple[Change, ...]:
    """What a call has changed, as far as it can be shown."""
    return tuple(
        Change(key[1], STORE, _store(value))
        for key, value in writes.items()
        if isinstance(value, Store)
    )


def described(state: Mapping[Key, Any], address: bytes) -> dict[str, Json]:
    """What is at an address, by type, as far as it can be shown."""
    store = state.get((Store, address))
    return {} if store is None else {STORE: _store(store)}


def _store(store: Store) -> Json:
    return {
        "metadata": {"inner": show_address(store.metadata)},
        "balance": str(store.balance),
        "frozen": store.frozen,
    }

"""What must hold of the model's books after every call, whatever was called."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from simulator.devnet.executors.model.assets import Store, Supply
from simulator.devnet.executors.model.liquidity import Pool, Reservation
from simulator.devnet.executors.model.shares import FEE_SHIFT, Position

Kept = Mapping[tuple[Any, ...], Any]
T = TypeVar("T")


class Broken(AssertionError):
    """A law is broken; the message says which and by how much."""


def check(kept: Kept) -> None:
    """Raises `Broken`."""
    _nothing_is_made_or_lost(kept)
    for (address,), pool in _of(kept, Pool):
        _pool_is_what_its_stores_hold(kept, pool)
        _shares_are_the_providers(kept, address, pool)
        _reservations_are_in_the_total(kept, address, pool)
        _fees_are_exact(kept, address, pool)


def _nothing_is_made_or_lost(kept: Kept) -> None:
    held: Counter[bytes] = Counter()
    for _, store in _of(kept, Store):
        held[store.metadata] += store.balance
    for (asset,), supply in _of(kept, Supply):
        _equal("the stores of an asset and its supply", held[asset], supply.current)


def _pool_is_what_its_stores_hold(kept: Kept, pool: Pool) -> None:
    _equal("a pool's total and its store", pool.total, kept[Store, pool.funds].balance)
    _equal("a pool's fees and their store", pool.fees_held, kept[Store, pool.fees].balance)


def _shares_are_the_providers(kept: Kept, address: bytes, pool: Pool) -> None:
    held = sum(position.shares for position in _positions(kept, address))
    _equal("shares of a pool and of its providers", pool.shares, held)


def _reservations_are_in_the_total(kept: Kept, address: bytes, pool: Pool) -> None:
    held = sum(
        reservation.amount for (where, _), reservation in _of(kept, Reservation) if where == address
    )
    _equal("what is reserved and the reservations", pool.reserved, held)
    if pool.reserved > pool.total:
        raise Broken(f"{pool.reserved} of {pool.total} are reserved")


def _fees_are_exact(kept: Kept, address: bytes, pool: Pool) -> None:
    due = sum(position.earned(pool.fee_index) for position in _positions(kept, address))
    _equal("fees held and fees due", pool.fees_held << FEE_SHIFT, due + pool.fee_carry)


def _positions(kept: Kept, address: bytes) -> Iterator[Position]:
    return (position for (where, _), position in _of(kept, Position) if where == address)


def _of(kept: Kept, kind: type[T]) -> Iterator[tuple[tuple[Any, ...], T]]:
    return ((key[1:], value) for key, value in kept.items() if key[0] is kind)


def _equal(what: str, one: int, other: int) -> None:
    if one != other:
        raise Broken(f"{what}: {one} and {other}")

"""Amounts of a pool that its settler sets aside under an id, lets go or takes."""

from __future__ import annotations

from typing import NamedTuple

from simulator.devnet.executors.model import assets
from simulator.devnet.executors.model.contract import SIGNER, Category
from simulator.devnet.executors.model.liquidity.funds import take_out
from simulator.devnet.executors.model.liquidity.pools import Pool, obeying, take_loss
from simulator.devnet.executors.model.liquidity.vocabulary import (
    LIQUIDITY,
    OBJECT,
    Reason,
    demand_available,
    demand_some,
)
from simulator.devnet.executors.model.world import Frame

ID_BYTES_MAX = 64


class Reservation(NamedTuple):
    """Kept under (pool, id)."""

    amount: int


@LIQUIDITY.view(OBJECT, "vector<u8>", returns=("u64",))
def reserved_under(frame: Frame, pool: bytes, id: bytes) -> int:
    found = frame.find(Reservation, pool, id)
    return 0 if found is None else found.amount


@LIQUIDITY.entry(SIGNER, OBJECT, "vector<u8>", "u64")
def reserve_entry(frame: Frame, settler: bytes, pool: bytes, id: bytes, amount: int) -> None:
    reserve(frame, settler, pool, id, amount)


@LIQUIDITY.entry(SIGNER, OBJECT, "vector<u8>")
def release_entry(frame: Frame, settler: bytes, pool: bytes, id: bytes) -> None:
    release(frame, settler, pool, id)


def reserve(frame: Frame, settler: bytes, pool: bytes, id: bytes, amount: int) -> None:
    """The settler sets an amount aside under an id."""
    obeying(frame, settler, pool)
    LIQUIDITY.demand(0 < len(id) <= ID_BYTES_MAX, Category.INVALID_ARGUMENT, Reason.ID_LENGTH)
    demand_some(amount)
    LIQUIDITY.demand(
        frame.find(Reservation, pool, id) is None,
        Category.ALREADY_EXISTS,
        Reason.RESERVATION_EXISTS,
    )
    before = take_loss(frame, pool)
    demand_available(amount, before.free)
    after = before._replace(reserved=before.reserved + amount)
    frame.put(after, pool)
    frame.put(Reservation(amount), pool, id)
    LIQUIDITY.emit(
        frame,
        "Reserved",
        pool=pool,
        id=id,
        amount=amount,
        reserved_before=before.reserved,
        reserved_after=after.reserved,
    )


def release(frame: Frame, settler: bytes, pool: bytes, id: bytes) -> int:
    """The settler lets a reservation go; what it was."""
    before = obeying(frame, settler, pool)
    amount = _end_reservation(frame, pool, before, id)
    _emit_released(frame, pool, id, amount, before.reserved - amount)
    return amount


def draw_reserved(
    frame: Frame, settler: bytes, pool: bytes, id: bytes, amount: int
) -> assets.Asset:
    """The settler takes from a reservation; the rest of it is released."""
    obeying(frame, settler, pool)
    demand_some(amount)
    held = _end_reservation(frame, pool, take_loss(frame, pool), id)
    LIQUIDITY.demand(amount <= held, Category.INVALID_ARGUMENT, Reason.ABOVE_RESERVATION)
    after = frame.get(Pool, pool)
    demand_available(amount, after.total)
    if amount < held:
        _emit_released(frame, pool, id, held - amount, after.reserved + amount)
    return take_out(frame, pool, after, id, amount)


def _end_reservation(frame: Frame, pool: bytes, state: Pool, id: bytes) -> int:
    found = frame.find(Reservation, pool, id)
    if found is None:
        raise LIQUIDITY.abort(Category.NOT_FOUND, Reason.NO_RESERVATION)
    frame.drop(Reservation, pool, id)
    frame.put(state._replace(reserved=state.reserved - found.amount), pool)
    return found.amount


def _emit_released(frame: Frame, pool: bytes, id: bytes, amount: int, reserved_after: int) -> None:
    LIQUIDITY.emit(
        frame,
        "Released",
        pool=pool,
        id=id,
        amount=amount,
        reserved_before=reserved_after + amount,
        reserved_after=reserved_after,
    )

"""One operator's pool: made, looked at, paused, and written down when its asset was taken away."""

from __future__ import annotations

from typing import NamedTuple

from simulator.devnet.addresses import ZERO, object_address
from simulator.devnet.executors.model import assets, objects
from simulator.devnet.executors.model import compliance as complied
from simulator.devnet.executors.model import governance as governed
from simulator.devnet.executors.model.contract import SIGNER, Category
from simulator.devnet.executors.model.governance import Role
from simulator.devnet.executors.model.liquidity.stores import create_store
from simulator.devnet.executors.model.liquidity.vocabulary import (
    LIQUIDITY,
    METADATA,
    OBJECT,
    Reason,
)
from simulator.devnet.executors.model.shares import Fees, Position, fees_of
from simulator.devnet.executors.model.world import Frame

_FUNDS_SEED = b"funds"
_FEES_SEED = b"fees"


class Pool(NamedTuple):
    """One operator's pool. Positions and reservations are items of their own."""

    governance: bytes
    registry: bytes
    asset: bytes
    settler: bytes
    operator: bytes
    paused: bool
    total: int
    reserved: int
    shares: int
    funds: bytes
    fees: bytes
    fees_held: int
    fee_index: int
    fee_carry: int

    @property
    def free(self) -> int:
        """What is not promised; more can be promised than there is once a loss was taken."""
        return max(self.total - self.reserved, 0)

    def fees_of(self, position: Position) -> Fees:
        """What one of its providers may claim."""
        return fees_of(
            position,
            fee_index=self.fee_index,
            fee_carry=self.fee_carry,
            shares=self.shares,
        )


@LIQUIDITY.view("address", "vector<u8>", returns=("address",))
def address_of(_: Frame, settler: bytes, seed: bytes) -> bytes:
    return object_address(settler, seed)


@LIQUIDITY.view(OBJECT, returns=("u64",))
def total(frame: Frame, pool: bytes) -> int:
    return frame.get(Pool, pool).total


@LIQUIDITY.view(OBJECT, returns=("u64",))
def reserved(frame: Frame, pool: bytes) -> int:
    return frame.get(Pool, pool).reserved


@LIQUIDITY.view(OBJECT, returns=("u64",))
def available(frame: Frame, pool: bytes) -> int:
    return frame.get(Pool, pool).free


@LIQUIDITY.view(OBJECT, returns=("u64",))
def shares(frame: Frame, pool: bytes) -> int:
    return frame.get(Pool, pool).shares


@LIQUIDITY.view(OBJECT, returns=("u64",))
def fees_held(frame: Frame, pool: bytes) -> int:
    return frame.get(Pool, pool).fees_held


@LIQUIDITY.view(OBJECT, returns=("bool",))
def is_pool_paused(frame: Frame, pool: bytes) -> bool:
    return frame.get(Pool, pool).paused


@LIQUIDITY.view(OBJECT, returns=("address",))
def settler(frame: Frame, pool: bytes) -> bytes:
    return frame.get(Pool, pool).settler


@LIQUIDITY.view(OBJECT, returns=("address",))
def operator(frame: Frame, pool: bytes) -> bytes:
    return frame.get(Pool, pool).operator


@LIQUIDITY.view(OBJECT, returns=(METADATA,))
def asset(frame: Frame, pool: bytes) -> bytes:
    return frame.get(Pool, pool).asset


@LIQUIDITY.view(OBJECT, returns=(governed.OBJECT,))
def governance_of(frame: Frame, pool: bytes) -> bytes:
    return frame.get(Pool, pool).governance


@LIQUIDITY.view(OBJECT, returns=("address",))
def funds_of(frame: Frame, pool: bytes) -> bytes:
    return frame.get(Pool, pool).funds


@LIQUIDITY.view(OBJECT, returns=("address",))
def fee_store_of(frame: Frame, pool: bytes) -> bytes:
    return frame.get(Pool, pool).fees


@LIQUIDITY.entry(SIGNER, governed.OBJECT, complied.OBJECT, METADATA, "address", "vector<u8>")
def create(
    frame: Frame,
    creator: bytes,
    governance: bytes,
    registry: bytes,
    metadata: bytes,
    operator: bytes,
    seed: bytes,
) -> None:
    governed.assert_not_paused(frame, governance)
    governed.assert_role(frame, governance, creator, Role.LIQUIDITY_MANAGER)
    create_pool(frame, creator, governance, registry, metadata, operator, seed)


@LIQUIDITY.entry(SIGNER, OBJECT)
def pause_pool(frame: Frame, pauser: bytes, pool: bytes) -> None:
    state = frame.get(Pool, pool)
    governed.assert_role(frame, state.governance, pauser, Role.PAUSER)
    _set_paused(frame, pool, state, pauser, paused=True)


@LIQUIDITY.entry(SIGNER, OBJECT)
def unpause_pool(frame: Frame, owner: bytes, pool: bytes) -> None:
    state = frame.get(Pool, pool)
    governed.assert_owner(frame, state.governance, owner)
    _set_paused(frame, pool, state, owner, paused=False)


def create_pool(
    frame: Frame,
    settler: bytes,
    governance: bytes,
    registry: bytes,
    metadata: bytes,
    operator: bytes,
    seed: bytes,
) -> bytes:
    """Make a pool that obeys `settler`; its address."""
    governed.assert_not_paused(frame, governance)
    LIQUIDITY.demand(
        complied.governance_of(frame, registry) == governance,
        Category.INVALID_ARGUMENT,
        Reason.OTHER_GOVERNANCE,
    )
    LIQUIDITY.demand(operator != ZERO, Category.INVALID_ARGUMENT, Reason.NO_OPERATOR)
    pool = objects.create_named(frame, settler, seed, ungated=True)
    funds = create_store(frame, pool, _FUNDS_SEED, metadata)
    fees = create_store(frame, pool, _FEES_SEED, metadata)
    frame.put(
        Pool(
            governance=governance,
            registry=registry,
            asset=metadata,
            settler=settler,
            operator=operator,
            paused=False,
            total=0,
            reserved=0,
            shares=0,
            funds=funds,
            fees=fees,
            fees_held=0,
            fee_index=0,
            fee_carry=0,
        ),
        pool,
    )
    objects.hand_on(frame, settler, pool, ZERO)
    LIQUIDITY.emit(
        frame,
        "PoolCreated",
        pool=pool,
        governance=governance,
        registry=registry,
        asset=metadata,
        settler=settler,
        operator=operator,
        funds=funds,
        fees=fees,
    )
    return pool


def open_pool(frame: Frame, pool: bytes) -> Pool:
    state = frame.get(Pool, pool)
    governed.assert_not_paused(frame, state.governance)
    LIQUIDITY.demand(not state.paused, Category.INVALID_STATE, Reason.POOL_PAUSED)
    return state


def obeying(frame: Frame, settler: bytes, pool: bytes) -> Pool:
    state = open_pool(frame, pool)
    LIQUIDITY.demand(state.settler == settler, Category.PERMISSION_DENIED, Reason.NOT_SETTLER)
    return state


def take_loss(frame: Frame, pool: bytes) -> Pool:
    """What an issuer took from the store is written down."""
    before = frame.get(Pool, pool)
    balance = assets.balance(frame, before.funds)
    if balance >= before.total:
        return before
    after = before._replace(total=balance)
    frame.put(after, pool)
    LIQUIDITY.emit(frame, "LossTaken", pool=pool, total_before=before.total, total_after=balance)
    return after


def _set_paused(frame: Frame, pool: bytes, state: Pool, by: bytes, *, paused: bool) -> None:
    if state.paused == paused:
        return
    frame.put(state._replace(paused=paused), pool)
    LIQUIDITY.emit(frame, "PoolPaused" if paused else "PoolUnpaused", pool=pool, by=by)

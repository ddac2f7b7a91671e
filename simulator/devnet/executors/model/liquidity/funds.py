"""What goes into a pool and out of it for no shares: settled nets, and what somebody makes good."""

from __future__ import annotations

from simulator.devnet.executors.model import assets, primary
from simulator.devnet.executors.model import compliance as complied
from simulator.devnet.executors.model.contract import SIGNER
from simulator.devnet.executors.model.liquidity.pools import Pool, obeying, open_pool, take_loss
from simulator.devnet.executors.model.liquidity.positions import give_operator
from simulator.devnet.executors.model.liquidity.stores import deposit_exactly, withdraw_exactly
from simulator.devnet.executors.model.liquidity.vocabulary import (
    LIQUIDITY,
    OBJECT,
    demand_available,
    demand_some,
)
from simulator.devnet.executors.model.numbers import u64
from simulator.devnet.executors.model.world import Frame


@LIQUIDITY.entry(SIGNER, OBJECT, "u64")
def replenish(frame: Frame, payer: bytes, pool: bytes, amount: int) -> None:
    state = open_pool(frame, pool)
    complied.assert_clear(frame, state.registry, payer)
    demand_some(amount)
    put(frame, pool, primary.withdraw(frame, payer, state.asset, amount))


def draw(frame: Frame, settler: bytes, pool: bytes, amount: int) -> assets.Asset:
    """The settler takes from what is not reserved."""
    obeying(frame, settler, pool)
    demand_some(amount)
    before = take_loss(frame, pool)
    demand_available(amount, before.free)
    return take_out(frame, pool, before, b"", amount)


def put(frame: Frame, pool: bytes, asset: assets.Asset) -> int:
    """Raise the worth of every share; in a pool without shares it is the operator's."""
    before = open_pool(frame, pool)
    demand_some(asset.amount)
    deposit_exactly(frame, before.funds, asset)
    after = before._replace(total=u64(before.total + asset.amount))
    frame.put(after, pool)
    LIQUIDITY.emit(
        frame,
        "PutIn",
        pool=pool,
        amount=asset.amount,
        total_before=before.total,
        total_after=after.total,
    )
    give_operator(frame, pool)
    return asset.amount


def take_out(frame: Frame, pool: bytes, before: Pool, id: bytes, amount: int) -> assets.Asset:
    after = before._replace(total=u64(before.total - amount))
    frame.put(after, pool)
    LIQUIDITY.emit(
        frame,
        "Drawn",
        pool=pool,
        id=id,
        amount=amount,
        total_before=before.total,
        total_after=after.total,
    )
    return withdraw_exactly(frame, pool, after.funds, amount)

"""Fees of a pool: added for all its providers, claimed by each."""

from __future__ import annotations

from simulator.devnet.executors.model import compliance as complied
from simulator.devnet.executors.model import primary
from simulator.devnet.executors.model.contract import SIGNER, Category
from simulator.devnet.executors.model.liquidity.pools import Pool, open_pool
from simulator.devnet.executors.model.liquidity.positions import accrue, keep
from simulator.devnet.executors.model.liquidity.stores import deposit_exactly, pay_out
from simulator.devnet.executors.model.liquidity.vocabulary import (
    LIQUIDITY,
    OBJECT,
    Reason,
    demand_some,
)
from simulator.devnet.executors.model.numbers import u64
from simulator.devnet.executors.model.shares import Position, divide
from simulator.devnet.executors.model.world import Frame


@LIQUIDITY.view(OBJECT, "address", returns=("u64",))
def fees_due(frame: Frame, pool: bytes, who: bytes) -> int:
    found = frame.find(Position, pool, who)
    return 0 if found is None else frame.get(Pool, pool).fees_of(found).due


@LIQUIDITY.entry(SIGNER, OBJECT, "u64")
def add_fees(frame: Frame, payer: bytes, pool: bytes, amount: int) -> None:
    before = open_pool(frame, pool)
    complied.assert_clear(frame, before.registry, payer)
    demand_some(amount)
    LIQUIDITY.demand(before.shares > 0, Category.INVALID_STATE, Reason.NO_PROVIDERS)
    paid = primary.withdraw(frame, payer, before.asset, amount)
    deposit_exactly(frame, before.fees, paid)
    division = divide(
        amount,
        fee_index=before.fee_index,
        fee_carry=before.fee_carry,
        shares=before.shares,
    )
    held = u64(before.fees_held + amount)
    frame.put(before._replace(**division._asdict(), fees_held=held), pool)
    LIQUIDITY.emit(
        frame,
        "FeesAdded",
        pool=pool,
        payer=payer,
        amount=amount,
        held_before=before.fees_held,
        held_after=held,
    )


@LIQUIDITY.entry(SIGNER, OBJECT)
def claim_fees(frame: Frame, provider: bytes, pool: bytes) -> None:
    before = open_pool(frame, pool)
    complied.assert_clear(frame, before.registry, provider)
    amount = fees_due(frame, pool, provider)
    if amount == 0:
        return
    after, position = accrue(frame, pool, before, provider)
    after = keep(frame, pool, after, provider, position._replace(fees_due=0))
    after = after._replace(fees_held=u64(before.fees_held - amount))
    frame.put(after, pool)
    LIQUIDITY.emit(
        frame,
        "FeesClaimed",
        pool=pool,
        provider=provider,
        amount=amount,
        held_before=before.fees_held,
        held_after=after.fees_held,
    )
    pay_out(frame, pool, after.fees, provider, amount)

"""Who may provide for a pool, and how they give to it and take from it again."""

from __future__ import annotations

from typing import NamedTuple

from simulator.devnet.executors.model import compliance as complied
from simulator.devnet.executors.model import primary
from simulator.devnet.executors.model.contract import SIGNER, Category
from simulator.devnet.executors.model.liquidity.pools import Pool, open_pool, take_loss
from simulator.devnet.executors.model.liquidity.positions import (
    give_operator,
    give_shares,
    shares_for,
    shares_of,
    take_shares,
)
from simulator.devnet.executors.model.liquidity.stores import deposit_exactly, pay_out
from simulator.devnet.executors.model.liquidity.vocabulary import (
    LIQUIDITY,
    OBJECT,
    Reason,
    demand_available,
    demand_some,
)
from simulator.devnet.executors.model.numbers import u64
from simulator.devnet.executors.model.shares import part_of
from simulator.devnet.executors.model.world import Frame


class Admitted(NamedTuple):
    """Kept under (pool, provider)."""

    provider: bytes


@LIQUIDITY.view(OBJECT, "address", returns=("bool",))
def may_provide(frame: Frame, pool: bytes, who: bytes) -> bool:
    operated = frame.get(Pool, pool).operator == who
    return operated or frame.find(Admitted, pool, who) is not None


@LIQUIDITY.entry(SIGNER, OBJECT, "u64")
def provide(frame: Frame, provider: bytes, pool: bytes, amount: int) -> None:
    complied.assert_clear(frame, open_pool(frame, pool).registry, provider)
    admitted = may_provide(frame, pool, provider)
    LIQUIDITY.demand(admitted, Category.PERMISSION_DENIED, Reason.NOT_ADMITTED)
    demand_some(amount)
    before = take_loss(frame, pool)
    paid = primary.withdraw(frame, provider, before.asset, amount)
    deposit_exactly(frame, before.funds, paid)
    minted = shares_for(before, amount)
    after = before._replace(total=u64(before.total + amount))
    after = give_shares(frame, pool, after, provider, minted)
    frame.put(after, pool)
    _emit_providing(frame, "Provided", pool, provider, amount, minted, before, after)


@LIQUIDITY.entry(SIGNER, OBJECT, "u64")
def withdraw(frame: Frame, provider: bytes, pool: bytes, given: int) -> None:
    complied.assert_clear(frame, open_pool(frame, pool).registry, provider)
    demand_some(given)
    LIQUIDITY.demand(
        shares_of(frame, pool, provider) >= given,
        Category.INVALID_ARGUMENT,
        Reason.NOT_ENOUGH_SHARES,
    )
    before = take_loss(frame, pool)
    amount = part_of(before.total, shares=given, shares_all=before.shares)
    demand_available(amount, before.free)
    after = take_shares(frame, pool, before, provider, given)
    after = after._replace(total=before.total - amount)
    frame.put(after, pool)
    _emit_providing(frame, "Withdrawn", pool, provider, amount, given, before, after)
    pay_out(frame, pool, after.funds, provider, amount)


@LIQUIDITY.entry(SIGNER, OBJECT)
def emergency_exit(frame: Frame, provider: bytes, pool: bytes) -> None:
    complied.assert_clear(frame, frame.get(Pool, pool).registry, provider)
    given = shares_of(frame, pool, provider)
    LIQUIDITY.demand(given > 0, Category.INVALID_ARGUMENT, Reason.NOT_ENOUGH_SHARES)
    before = take_loss(frame, pool)
    amount = part_of(before.free, shares=given, shares_all=before.shares)
    LIQUIDITY.demand(amount > 0, Category.RESOURCE_EXHAUSTED, Reason.NOT_AVAILABLE)
    after = take_shares(frame, pool, before, provider, given)
    after = after._replace(total=before.total - amount)
    frame.put(after, pool)
    _emit_providing(frame, "EmergencyExited", pool, provider, amount, given, before, after)
    give_operator(frame, pool)
    pay_out(frame, pool, after.funds, provider, amount)


@LIQUIDITY.entry(SIGNER, OBJECT, "address")
def admit(frame: Frame, operator: bytes, pool: bytes, provider: bytes) -> None:
    open_pool(frame, pool)
    _assert_operator(frame, operator, pool)
    if may_provide(frame, pool, provider):
        return
    frame.put(Admitted(provider), pool, provider)
    LIQUIDITY.emit(frame, "ProviderAdmitted", pool=pool, operator=operator, provider=provider)


@LIQUIDITY.entry(SIGNER, OBJECT, "address")
def dismiss(frame: Frame, operator: bytes, pool: bytes, provider: bytes) -> None:
    _assert_operator(frame, operator, pool)
    if frame.find(Admitted, pool, provider) is None:
        return
    frame.drop(Admitted, pool, provider)
    LIQUIDITY.emit(frame, "ProviderDismissed", pool=pool, operator=operator, provider=provider)


def _assert_operator(frame: Frame, who: bytes, pool: bytes) -> None:
    operates = frame.get(Pool, pool).operator == who
    LIQUIDITY.demand(operates, Category.PERMISSION_DENIED, Reason.NOT_OPERATOR)


def _emit_providing(
    frame: Frame,
    name: str,
    pool: bytes,
    provider: bytes,
    amount: int,
    moved: int,
    before: Pool,
    after: Pool,
) -> None:
    LIQUIDITY.emit(
        frame,
        name,
        pool=pool,
        provider=provider,
        amount=amount,
        shares=moved,
        total_before=before.total,
        total_after=after.total,
        shares_before=before.shares,
        shares_after=after.shares,
    )

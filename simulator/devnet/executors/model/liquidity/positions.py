"""What each provider has of a pool: shares given and taken, its fees reckoned up before."""

from __future__ import annotations

from simulator.devnet.executors.model.contract import Category
from simulator.devnet.executors.model.liquidity.pools import Pool
from simulator.devnet.executors.model.liquidity.vocabulary import LIQUIDITY, OBJECT, Reason
from simulator.devnet.executors.model.numbers import u64, u128
from simulator.devnet.executors.model.shares import SHARES_MAX, Position, buy
from simulator.devnet.executors.model.world import Frame


@LIQUIDITY.view(OBJECT, "address", returns=("u64",))
def shares_of(frame: Frame, pool: bytes, who: bytes) -> int:
    found = frame.find(Position, pool, who)
    return 0 if found is None else found.shares


def shares_for(state: Pool, amount: int) -> int:
    if state.shares == 0:
        return amount
    LIQUIDITY.demand(state.total > 0, Category.INVALID_STATE, Reason.DRAINED)
    purchase = buy(amount, shares=state.shares, total=state.total)
    LIQUIDITY.demand(
        purchase.minted <= SHARES_MAX - state.shares, Category.INVALID_STATE, Reason.DRAINED
    )
    LIQUIDITY.demand(not purchase.is_rounded_away, Category.INVALID_ARGUMENT, Reason.ROUNDED_AWAY)
    return purchase.minted


def give_shares(frame: Frame, pool: bytes, state: Pool, who: bytes, given: int) -> Pool:
    after, position = accrue(frame, pool, state, who)
    frame.put(position._replace(shares=position.shares + given), pool, who)
    return after._replace(shares=u64(after.shares + given))


def take_shares(frame: Frame, pool: bytes, state: Pool, who: bytes, taken: int) -> Pool:
    after, position = accrue(frame, pool, state, who)
    left = position._replace(shares=position.shares - taken)
    after = after._replace(shares=after.shares - taken)
    return keep(frame, pool, after, who, left)


def give_operator(frame: Frame, pool: bytes) -> None:
    state = frame.get(Pool, pool)
    if state.shares > 0 or state.total == 0:
        return
    frame.put(give_shares(frame, pool, state, state.operator, state.total), pool)
    LIQUIDITY.emit(frame, "OperatorGiven", pool=pool, operator=state.operator, shares=state.total)


def accrue(frame: Frame, pool: bytes, state: Pool, who: bytes) -> tuple[Pool, Position]:
    """A provider's fees brought up to date, before any change of its shares; kept by who calls."""
    found = frame.find(Position, pool, who)
    if found is None:
        return state, Position(0, state.fee_index, 0, 0)
    fees = state.fees_of(found)
    position = Position(found.shares, state.fee_index, fees.due, fees.fraction)
    return state._replace(fee_carry=state.fee_carry - fees.from_carry), position


def keep(frame: Frame, pool: bytes, state: Pool, who: bytes, position: Position) -> Pool:
    """A position of nothing is deleted; its fraction of a unit goes back to all."""
    if not position.is_nothing:
        frame.put(position, pool, who)
        return state
    frame.drop(Position, pool, who)
    return state._replace(fee_carry=u128(state.fee_carry + position.fee_fraction))

"""The arithmetic of a pool: what shares cost and are worth, how fees are divided to the last unit.

Pure; amounts are in the asset's smallest units, fees per share in units of 2^-64 of one.
"""

from __future__ import annotations

from typing import NamedTuple

from simulator.devnet.executors.model.numbers import U64_MAX, u64, u128

SHARES_MAX = U64_MAX
LOSS_PARTS = 1_000
FEE_SHIFT = 64


class Position(NamedTuple):
    """What one provider has, kept under (pool, provider)."""

    shares: int
    fee_index: int
    fees_due: int
    fee_fraction: int

    @property
    def is_nothing(self) -> bool:
        """Whether it holds neither shares nor whole units of fees."""
        return self.shares == 0 and self.fees_due == 0

    def earned(self, fee_index: int) -> int:
        """All that is earned and not claimed, in units of 2^-64."""
        kept = (self.fees_due << FEE_SHIFT) + self.fee_fraction
        return kept + (fee_index - self.fee_index) * self.shares


class Fees(NamedTuple):
    """What a provider may claim, what is left below one unit, and what of the carry it took."""

    due: int
    fraction: int
    from_carry: int


def fees_of(position: Position, *, fee_index: int, fee_carry: int, shares: int) -> Fees:
    """Division leaves less than 2^-64 a share in the carry; who lacks no more gets it there."""
    whole, fraction = divmod(position.earned(fee_index), 1 << FEE_SHIFT)
    u64(whole)
    lack = (1 << FEE_SHIFT) - fraction
    if lack <= fee_carry and lack <= shares:
        return Fees(u64(whole + 1), 0, lack)
    return Fees(whole, fraction, 0)


class Purchase(NamedTuple):
    """What an amount buys: `minted` shares, and how much of the last one is lost by rounding."""

    minted: int
    is_rounded_away: bool


def buy(amount: int, *, shares: int, total: int) -> Purchase:
    """Shares at the worth they have in a pool of `shares` and `total`, neither zero."""
    bought = amount * shares
    return Purchase(minted=bought // total, is_rounded_away=bought % total > bought // LOSS_PARTS)


def part_of(amount: int, *, shares: int, shares_all: int) -> int:
    """What some of all shares are worth of an amount, rounded down."""
    return u64(amount * shares // shares_all)


class Division(NamedTuple):
    """How an amount of fees raises the index, and what cannot be divided yet."""

    fee_index: int
    fee_carry: int


def divide(amount: int, *, fee_index: int, fee_carry: int, shares: int) -> Division:
    """Fees divided among all shares, of which there are some."""
    raised, carry = divmod((amount << FEE_SHIFT) + fee_carry, shares)
    return Division(fee_index=fee_index + raised, fee_carry=u128(carry))

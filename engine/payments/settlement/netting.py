"""What is left to move when everything owed both ways is turned into the settlement asset. Pure.

Exact fractions all the way; one floor at the very end, so no batch moves more than is owed, and
what is lost by it is less than one minor unit of the asset.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

import msgspec

from engine.money import CURRENCIES


class Gross(msgspec.Struct, frozen=True, array_like=True):
    """What `source` owes the other operator of a pair in one currency, returns taken off.

    Below zero when more came back than was paid: then the other one owes it.
    """

    source: str
    currency: str
    minor: int


class Mid(msgspec.Struct, frozen=True, array_like=True):
    """A mid rate: major units of the asset's currency for one of `currency`, as exact digits.

    `at_ms` names the accepted rate it is; 0 for a currency and itself.
    """

    currency: str
    mid: str
    at_ms: int


class Nets(NamedTuple):
    """Minor units of the asset by member, as the rail wants them."""

    debits: tuple[int, ...]
    credits: tuple[int, ...]

    @property
    def minor(self) -> int:
        """What moves in all."""
        return sum(self.debits)


def worth(minor: int, currency: str, mid: str, asset: str) -> Fraction:
    """An amount in minor units of the asset, exactly; the sign stays."""
    shift = CURRENCIES[asset].decimals - CURRENCIES[currency].decimals
    return minor * Fraction(Decimal(mid)) * Fraction(10) ** shift


def owed(
    members: Sequence[str], grosses: Iterable[Gross], mids: Mapping[str, str], asset: str
) -> Fraction:
    """What the first member owes the second after netting; below zero it is the other way round.

    `mids` by currency. Raises KeyError for a currency without one, ValueError for an operator
    that is no member.
    """
    total = Fraction(0)
    for gross in grosses:
        value = worth(gross.minor, gross.currency, mids[gross.currency], asset)
        total += value if members.index(gross.source) == 0 else -value
    return total


def net(
    members: Sequence[str], grosses: Iterable[Gross], mids: Mapping[str, str], asset: str
) -> Nets:
    """Who is debited and who credited. Raises as `owed`."""
    first_owes = owed(members, grosses, mids, asset)
    minor = int(abs(first_owes))  # towards zero: never more than is owed
    payer, payee = (minor, 0), (0, minor)
    return Nets(payer, payee) if first_owes >= 0 else Nets(payee, payer)


def least_worth(minor: int, currency: str, mid: str, asset: str) -> int:
    """The smallest amount of `currency` that is worth more than `minor` of the asset."""
    one = worth(1, currency, mid, asset)
    return int(minor / one) + 1

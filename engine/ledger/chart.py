"""The chart of accounts. An account is one number that carries tenant, currency, kind and owner.

Layout of the 63 bits: tenant (21) | ISO 4217 numeric (10) | kind (8) | owner (24). The upper part,
`account >> 32`, is the *book*: tenant and currency. A transfer inside one book is balanced by
construction, and none can cross tenants or currencies. Amounts are credit-positive: a debit takes
from an account, a credit gives to it; accounts whose natural side is debit show negative amounts.
"""

from enum import IntEnum
from typing import NamedTuple

from engine.money import BY_NUMERIC, CURRENCIES

TENANT_MAX = 2**21 - 1


class Kind(IntEnum):
    """What an account stands for. Numbers are stored: never renumber."""

    FLOAT = 1  # e-money we hold at an operator
    POOL_AVAIL = 2  # liquidity that may be promised
    POOL_HELD = 3  # liquidity promised to live payments
    CUSTOMER_FUNDS = 4  # collected, not yet earned, paid out or given back
    PAYOUT_IN_FLIGHT = 5  # money that may have left, by operator: the exposure
    REFUND_IN_FLIGHT = 6
    REFUND_DUE = 7  # owed back to payers
    RETURNED = 8
    FEE_INCOME = 9
    FX_SPREAD = 10
    OPERATOR_COST = 11
    INTERPOOL = 12  # owed between currency pools until settled; owner is the other currency
    SUSPENSE = 13  # received, belongs to nobody we know
    ROUNDING = 14
    LOSS = 15
    RECOVERABLE = 16
    WITHDRAWAL_HELD = 20  # liquidity on its way back to its owner, by operator
    RETURN_HELD = 21  # money of nobody we know on its way back to its sender, by operator
    CHAIN_TREASURY = 22  # settlement asset in an operator's pools on the rail
    CHAIN_IN_FLIGHT = 23  # asset that closed windows are about to move there
    FX_POSITION = 24  # both sides of what a window turned into the settlement asset
    CHAIN_CAPITAL = 25  # asset that was provided to an operator's pools from outside
    POOL_RESERVED = 26  # liquidity a client set aside; owner is the reservation's own number


DEBIT_NATURED = {
    Kind.FLOAT,
    Kind.OPERATOR_COST,
    Kind.LOSS,
    Kind.RECOVERABLE,
    Kind.CHAIN_TREASURY,
}
"""Their natural balance is a debit, so their amounts are shown with the sign turned."""

GUARDED = {
    Kind.POOL_AVAIL,
    Kind.POOL_HELD,
    Kind.CUSTOMER_FUNDS,
    Kind.PAYOUT_IN_FLIGHT,
    Kind.REFUND_IN_FLIGHT,
    Kind.REFUND_DUE,
    Kind.RETURNED,
    Kind.WITHDRAWAL_HELD,
    Kind.RETURN_HELD,
    Kind.CHAIN_IN_FLIGHT,
    Kind.POOL_RESERVED,
}
"""Never below zero; the database holds the same law."""

OF_OPERATOR = {
    Kind.FLOAT,
    Kind.PAYOUT_IN_FLIGHT,
    Kind.REFUND_IN_FLIGHT,
    Kind.OPERATOR_COST,
    Kind.SUSPENSE,
    Kind.WITHDRAWAL_HELD,
    Kind.RETURN_HELD,
    Kind.CHAIN_TREASURY,
    Kind.CHAIN_CAPITAL,
}

OF_WINDOWS = {Kind.CHAIN_IN_FLIGHT, Kind.FX_POSITION}
"""These follow from windows alone, so nobody adjusts them by hand."""

OF_SETTLEMENT = OF_WINDOWS | {Kind.CHAIN_TREASURY, Kind.CHAIN_CAPITAL}
"""An entry of these follows the rail's books, so nobody turns it round by hand."""


class Account(NamedTuple):
    """The parts of an account number; `owner` is an operator's code, a currency, the number of a
    reservation, or zero.
    """

    tenant: int
    currency: str
    kind: Kind
    owner: int = 0

    @property
    def number(self) -> int:
        """The account number as stored."""
        assert 0 < self.tenant <= TENANT_MAX and 0 <= self.owner < 2**24
        book = self.tenant << 10 | CURRENCIES[self.currency].numeric
        return book << 32 | self.kind << 24 | self.owner


def read_account(number: int) -> Account:
    """The inverse of `Account.number`. Raises ValueError or KeyError on a number of no account."""
    book = number >> 32
    currency = BY_NUMERIC[book & 0x3FF].code
    return Account(book >> 10, currency, Kind(number >> 24 & 0xFF), number & 0xFFFFFF)


def natural(number: int, amount: int) -> int:
    """A stored amount with the sign a bookkeeper expects for that account."""
    return -amount if Kind(number >> 24 & 0xFF) in DEBIT_NATURED else amount


class Route(NamedTuple):
    """Every account one payment can touch, resolved once per corridor.

    Where another operator than the one that collected gives the money back, `source_float` and
    `refund_in_flight` are its own: nothing is posted on the collecting side any more.
    """

    source_float: int
    source_cost: int
    customer_funds: int
    refund_due: int
    refund_in_flight: int
    fee_income: int
    fx_spread: int
    rounding: int
    interpool: int
    pool_avail: int
    pool_held: int
    payout_in_flight: int
    destination_float: int
    returned: int


def route_accounts(
    tenant: int,
    *,
    source: tuple[str, int],
    destination: tuple[str, int],
    refunds_at: int | None = None,
) -> Route:
    """The accounts of a corridor; each side is (currency, operator code).

    `refunds_at`: the code of the operator that gives back, when it did not collect.
    """
    (s, payer_operator), (d, payee_operator) = source, destination
    refund_operator = payer_operator if refunds_at is None else refunds_at

    def number(currency: str, kind: Kind, owner: int = 0) -> int:
        return Account(tenant, currency, kind, owner).number

    return Route(
        source_float=number(s, Kind.FLOAT, refund_operator),
        source_cost=number(s, Kind.OPERATOR_COST, payer_operator),
        customer_funds=number(s, Kind.CUSTOMER_FUNDS),
        refund_due=number(s, Kind.REFUND_DUE),
        refund_in_flight=number(s, Kind.REFUND_IN_FLIGHT, refund_operator),
        fee_income=number(s, Kind.FEE_INCOME),
        fx_spread=number(s, Kind.FX_SPREAD),
        rounding=number(s, Kind.ROUNDING),
        interpool=number(s, Kind.INTERPOOL, CURRENCIES[d].numeric),
        pool_avail=number(d, Kind.POOL_AVAIL),
        pool_held=number(d, Kind.POOL_HELD),
        payout_in_flight=number(d, Kind.PAYOUT_IN_FLIGHT, payee_operator),
        destination_float=number(d, Kind.FLOAT, payee_operator),
        returned=number(d, Kind.RETURNED),
    )

"""Every posting that settlement makes, each written once. Pure; amounts are minor units.

A window that is closed turns what operators owe each other into one amount of the asset, which is
on its way until the rail has moved it. The table is `Accounts and postings` of the payments design.
"""

from collections.abc import Mapping
from typing import NamedTuple

from engine.ledger.chart import Account, Kind, read_account
from engine.ledger.postings import Transfers


class Book(NamedTuple):
    """Whose books, and in which asset."""

    tenant: int
    asset: str

    def number(self, kind: Kind, operator: int = 0) -> int:
        return Account(self.tenant, self.asset, kind, operator).number


def close(book: Book, interpool: Mapping[int, int], net_minor: int) -> Transfers:
    """What was owed is a position in each currency, and the net is on its way in the asset.

    `interpool`: what its obligations add up to by INTERPOOL account. One below zero turns round.
    """
    legs = [_out_of(account, minor) for account, minor in sorted(interpool.items()) if minor]
    position, flight = book.number(Kind.FX_POSITION), book.number(Kind.CHAIN_IN_FLIGHT)
    return (*legs, *_nonzero((position, flight, net_minor)))


def _out_of(interpool: int, minor: int) -> tuple[int, int, int]:
    account = read_account(interpool)
    position = Account(account.tenant, account.currency, Kind.FX_POSITION).number
    return (interpool, position, minor) if minor > 0 else (position, interpool, -minor)


def finish(book: Book, net_minor: int, *, payer: int, payee: int) -> Transfers:
    """The rail has moved it from one operator's pool to the other's; operators by their codes."""
    return _nonzero(
        (book.number(Kind.CHAIN_IN_FLIGHT), book.number(Kind.CHAIN_TREASURY, payer), net_minor),
        (book.number(Kind.CHAIN_TREASURY, payee), book.number(Kind.FX_POSITION), net_minor),
    )


def provide(book: Book, operator: int, minor: int) -> Transfers:
    """Asset came into an operator's pool from outside; below zero it went."""
    treasury = book.number(Kind.CHAIN_TREASURY, operator)
    capital = book.number(Kind.CHAIN_CAPITAL, operator)
    return ((treasury, capital, minor),) if minor > 0 else ((capital, treasury, -minor),)


def refund(book: Book, minor: int, *, payer: int, payee: int) -> Transfers:
    """A dispute was ruled: the payee's pool has it back out of the payer's."""
    payee_pool = book.number(Kind.CHAIN_TREASURY, payee)
    return _nonzero((payee_pool, book.number(Kind.CHAIN_TREASURY, payer), minor))


def _nonzero(*transfers: tuple[int, int, int]) -> Transfers:
    return tuple(t for t in transfers if t[2])

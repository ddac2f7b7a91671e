"""Every posting that liquidity and staff make, each written once. Pure; it knows no proposals.

What is withdrawn leaves the available pool before anybody is asked to move it, so nothing can be
promised meanwhile that is on its way out, and nothing can leave that is promised.
"""

from collections.abc import Iterable

from engine.ledger.chart import Account, Kind, read_account
from engine.ledger.postings import Transfers


def _number(tenant: int, currency: str, kind: Kind, operator: int = 0) -> int:
    return Account(tenant, currency, kind, operator).number


def pay_in(tenant: int, currency: str, operator: int, minor: int) -> Transfers:
    """The owner's money was seen in our wallet at an operator: it may be promised."""
    return (
        (
            _number(tenant, currency, Kind.FLOAT, operator),
            _number(tenant, currency, Kind.POOL_AVAIL),
            minor,
        ),
    )


def reserve_withdrawal(tenant: int, currency: str, operator: int, minor: int) -> Transfers:
    """From now on it cannot be promised to a payment; it has not left yet."""
    return (
        (
            _number(tenant, currency, Kind.POOL_AVAIL),
            _number(tenant, currency, Kind.WITHDRAWAL_HELD, operator),
            minor,
        ),
    )


def complete_withdrawal(tenant: int, currency: str, operator: int, minor: int) -> Transfers:
    """The operator confirmed that it left our wallet."""
    return (
        (
            _number(tenant, currency, Kind.WITHDRAWAL_HELD, operator),
            _number(tenant, currency, Kind.FLOAT, operator),
            minor,
        ),
    )


def cancel_withdrawal(tenant: int, currency: str, operator: int, minor: int) -> Transfers:
    """It did not leave and will not: it may be promised again."""
    return turned_round(reserve_withdrawal(tenant, currency, operator, minor))


def move_float(tenant: int, currency: str, *, source: int, target: int, minor: int) -> Transfers:
    """Our money was seen at the second operator; the pool is as large as before."""
    return (
        (
            _number(tenant, currency, Kind.FLOAT, target),
            _number(tenant, currency, Kind.FLOAT, source),
            minor,
        ),
    )


def write_off(tenant: int, currency: str, minor: int) -> Transfers:
    """What we hoped to get back is a loss."""
    return (
        (
            _number(tenant, currency, Kind.LOSS),
            _number(tenant, currency, Kind.RECOVERABLE),
            minor,
        ),
    )


def reserve_return(tenant: int, currency: str, operator: int, minor: int) -> Transfers:
    """Money of nobody we know may leave for its sender from now on."""
    return (
        (
            _number(tenant, currency, Kind.SUSPENSE, operator),
            _number(tenant, currency, Kind.RETURN_HELD, operator),
            minor,
        ),
    )


def complete_return(tenant: int, currency: str, operator: int, minor: int) -> Transfers:
    """The operator confirmed that its sender has it again."""
    return (
        (
            _number(tenant, currency, Kind.RETURN_HELD, operator),
            _number(tenant, currency, Kind.FLOAT, operator),
            minor,
        ),
    )


def reserve_for_client(reservation: int, minor: int) -> Transfers:
    """From now on only payments of its client draw on it; `reservation` is its account's number."""
    account = read_account(reservation)
    return ((_number(account.tenant, account.currency, Kind.POOL_AVAIL), reservation, minor),)


def release_for_client(reservation: int, minor: int) -> Transfers:
    """What is left of it may be promised to anybody again."""
    return turned_round(reserve_for_client(reservation, minor))


def turned_round(transfers: Iterable[tuple[int, int, int]]) -> Transfers:
    """What undoes them, in the opposite order."""
    return tuple((credit, debit, minor) for debit, credit, minor in reversed(list(transfers)))

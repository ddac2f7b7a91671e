"""Every posting a payment makes, each written once. Pure: quote and accounts in, transfers out.

A transfer is (debit account, credit account, minor units): it takes from the first and gives to
the second. The table is `Accounts and postings` of the payments design; S is the source currency,
D the destination's.
"""

from typing import Protocol

from engine.ledger.chart import Route
from engine.money import Money

Transfer = tuple[int, int, int]
Transfers = tuple[Transfer, ...]


class Price(Protocol):
    """What the postings need to know of a quote; amounts are minor units of S, or D for payouts."""

    @property
    def total_minor(self) -> int: ...
    @property
    def fee(self) -> Money: ...
    @property
    def receives(self) -> Money: ...
    @property
    def spread_minor(self) -> int: ...
    @property
    def rounding_minor(self) -> int: ...
    @property
    def value_at_mid_minor(self) -> int: ...
    @property
    def collection_cost_minor(self) -> int: ...
    @property
    def payout_cost_minor_max(self) -> int: ...
    @property
    def payout_cost_minor(self) -> int: ...
    @property
    def fee_is_refunded(self) -> bool: ...


def _nonzero(*transfers: Transfer) -> Transfers:
    return tuple([t for t in transfers if t[2]])


def held_minor(quote: Price) -> int:
    """What is reserved in D: the payee's amount and the most its payout may cost."""
    return quote.receives.minor + quote.payout_cost_minor_max


def hold(quote: Price, route: Route) -> Transfers:
    """Promise liquidity to one payment."""
    return ((route.pool_avail, route.pool_held, held_minor(quote)),)


def release(quote: Price, route: Route) -> Transfers:
    """Take the promise back; nothing was collected."""
    return ((route.pool_held, route.pool_avail, held_minor(quote)),)


def receive(quote: Price, route: Route) -> Transfers:
    """The payer's money arrived: what we hold at the operator, and what it kept for itself."""
    cost = quote.collection_cost_minor
    return _nonzero(
        (route.source_float, route.customer_funds, quote.total_minor - cost),
        (route.source_cost, route.customer_funds, cost),
    )


def send(quote: Price, route: Route) -> Transfers:
    """From now on the payout may have left."""
    return ((route.pool_held, route.payout_in_flight, held_minor(quote)),)


def settle(quote: Price, route: Route) -> Transfers:
    """Paid: the exposure is over, the fee is earned, the pools owe each other the value at mid."""
    return _settled(route.payout_in_flight, quote, route)


def settle_held(quote: Price, route: Route) -> Transfers:
    """People saw that it was paid before, by an order that these books do not know."""
    return _settled(route.pool_held, quote, route)


def _settled(held: int, quote: Price, route: Route) -> Transfers:
    """The dearest of the ways was held; what the one that paid does not charge is free again."""
    unused = quote.payout_cost_minor_max - quote.payout_cost_minor
    free = ((held, route.pool_avail, unused),) if unused else ()
    return (
        (held, route.destination_float, held_minor(quote) - unused),
        *free,
        *[(route.customer_funds, to, minor) for to, minor in _earned(quote, route) if minor],
    )


def _earned(quote: Price, route: Route) -> tuple[tuple[int, int], ...]:
    """Where the collected total goes once the payee is paid."""
    return (
        (route.fee_income, quote.fee.minor),
        (route.fx_spread, quote.spread_minor),
        (route.rounding, quote.rounding_minor),
        (route.interpool, quote.value_at_mid_minor),
    )


def take_back(quote: Price, route: Route) -> Transfers:
    """The payout definitely failed: the promise stands again."""
    return ((route.payout_in_flight, route.pool_held, held_minor(quote)),)


def give_up(quote: Price, route: Route) -> Transfers:
    """No payout will come: the liquidity is free and everything collected is owed to the payer."""
    return (*release(quote, route), *owe_refund(quote, route))


def refund_minor(quote: Price) -> int:
    """What the payer gets back in S when no payout will come: the policy was part of the quote."""
    return quote.total_minor if quote.fee_is_refunded else quote.total_minor - quote.fee.minor


def owe_refund(quote: Price, route: Route) -> Transfers:
    """What the quote promised for this case is due back; a fee that is kept is earned."""
    kept = quote.total_minor - refund_minor(quote)
    return _nonzero(
        (route.customer_funds, route.refund_due, refund_minor(quote)),
        (route.customer_funds, route.fee_income, kept),
    )


def take_returned(quote: Price, route: Route) -> Transfers:
    """The operator gave a payout back: the payee's amount, not what sending it had cost."""
    return ((route.destination_float, route.returned, quote.receives.minor),)


def restore(quote: Price, route: Route) -> Transfers:
    """As if only collected: what was returned is promised again, what was earned is not yet."""
    return _nonzero(
        (route.returned, route.pool_held, quote.receives.minor),
        (route.pool_avail, route.pool_held, quote.payout_cost_minor_max),
        *((account, route.customer_funds, minor) for account, minor in _earned(quote, route)),
    )


def settle_returned(quote: Price, route: Route) -> Transfers:
    """People saw that what came back was paid once more, by an order that these books do not know:
    out of what was returned, and the pool bears what sending it cost again. What was earned stays.
    """
    return _nonzero(
        (route.returned, route.destination_float, quote.receives.minor),
        (route.pool_avail, route.destination_float, quote.payout_cost_minor),
    )


def undo(quote: Price, route: Route) -> Transfers:
    """Give a returned payment back at the rate that the quote promised, whatever the rate is now.

    The liquidity is free again; the pools owe each other nothing for this payment any more.
    """
    kept = quote.total_minor - refund_minor(quote)
    return _nonzero(
        (route.returned, route.pool_avail, quote.receives.minor),
        (route.fee_income, route.refund_due, quote.fee.minor - kept),
        *(
            (account, route.refund_due, minor)
            for account, minor in _earned(quote, route)
            if account != route.fee_income
        ),
    )


def send_refund(quote: Price, route: Route) -> Transfers:
    """From now on the refund may have left."""
    return ((route.refund_due, route.refund_in_flight, refund_minor(quote)),)


def take_refund_back(quote: Price, route: Route) -> Transfers:
    """The refund definitely failed: it is due again."""
    return ((route.refund_in_flight, route.refund_due, refund_minor(quote)),)


def settle_refund(quote: Price, route: Route) -> Transfers:
    """The payer has the money back; what the operator kept at collection is our cost."""
    return ((route.refund_in_flight, route.source_float, refund_minor(quote)),)


def give_back_by_hand(quote: Price, route: Route) -> Transfers:
    """People have paid the payer back out of a wallet of ours, and seen that it arrived."""
    return ((route.refund_due, route.source_float, refund_minor(quote)),)


def top_up(float_account: int, pool_avail: int, minor: int) -> Transfers:
    """The liquidity owner put money into an operator wallet of ours."""
    return ((float_account, pool_avail, minor),)

"""Prices for clients: what a payment would cost, promised until a moment.

The quote is kept under the request's own key, so a repeat is answered with the same price.
"""

from collections.abc import Awaitable, Callable

import msgspec

from channels.api.endpoints import Again, Call, Nothing
from channels.api.problems import Code, Refusal
from channels.api.reservations import to_draw_on
from channels.api.transaction_shown import Amount
from channels.api.wire import AmountAsked, Id, Number, read_amount, read_number, show
from channels.times import iso_millis_of
from engine.clients.clients import KeyHolder
from engine.clients.quote_store import Kept, QuoteStore
from engine.customers.customers import Customer
from engine.fx.quotes import Quote
from engine.ledger.postings import refund_minor
from engine.money import Money
from engine.msisdn import Msisdn
from engine.payments.reservations import Reservations
from engine.payments.selling import Payee, Selling
from engine.tasks import beside

FindCustomer = Callable[[Msisdn], Awaitable[Customer | None]]


class QuotePath(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A quote's id."""

    quote: Id


class PriceAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who pays whom how much. The amount is before the fee, in the payer's currency.

    With `reservation` for a payment that will draw on liquidity that the client set aside.
    """

    payer: Number
    payee: Number
    amount: AmountAsked
    reservation: Id | msgspec.UnsetType = msgspec.UNSET

    @property
    def is_from_pool(self) -> bool:
        """Whether its payout would be promised from what the pool has free (`Router.rank`)."""
        return self.reservation is msgspec.UNSET


class QuoteShown(msgspec.Struct, frozen=True):
    """A price. `rate` is what one major unit of the payer's currency buys, after our spread.

    `refund` is what the payer gets back if it cannot be paid out, whatever the rate is then.
    """

    id: str
    payer: str
    payee: str
    payer_operator: str
    payee_operator: str
    amount: Amount
    fee: Amount
    total: Amount  # what is collected from the payer
    receives: Amount
    rate: str
    expires_at: str
    refund: Amount


class Quotes:
    """The handlers."""

    def __init__(
        self,
        *,
        selling: Selling,
        find: FindCustomer,
        store: QuoteStore,
        reservations: Reservations,
    ) -> None:
        self._selling = selling
        self._find = find
        self._store = store
        self._reservations = reservations

    async def make(
        self, call: Call[KeyHolder, Nothing, Nothing, PriceAsked]
    ) -> QuoteShown | Again[QuoteShown]:
        """A price, kept for its client. Reserves nothing; a repeat is the same quote.

        Raises CustomerMistake, NoWayNow, and Refusal NOT_A_CUSTOMER or KEY_REUSED. Of a reservation
        NOT_FOUND, or NOT_POSSIBLE with a reason; whether it is enough is asked when it is sent.
        """
        client_id = call.caller.client_id
        kept = await self._store.known(client_id, call.key, call.hash)
        if kept is None:
            payer, payee = await parties(self._selling, self._find, call.body)
            quote = offer(self._selling, payer, payee, call.body)
            if call.body.reservation is not msgspec.UNSET:
                currency = quote.receives.currency
                await to_draw_on(self._reservations, client_id, call.body.reservation, currency)
            kept = await self._store.keep(client_id, call.key, call.hash, quote)
        return _answer(kept)

    async def look(self, call: Call[KeyHolder, QuotePath, Nothing, Nothing]) -> QuoteShown:
        """The client's own quote, for a week after it is over. Raises Refusal NOT_FOUND."""
        quote = await self._store.find(call.caller.client_id, call.path.quote)
        if quote is None:
            raise Refusal(Code.NOT_FOUND)
        return show_quote(quote)


async def parties(
    selling: Selling, find: FindCustomer, asked: PriceAsked
) -> tuple[Customer, Payee]:
    """Who pays whom, both looked up at once. Raises as `Quotes.make`."""
    payer_number = read_number(asked.payer, "payer")
    payee_number = read_number(asked.payee, "payee")
    # Begun in this order both numbers travel together.
    async with beside(known_payer(find, payer_number)) as payer:
        payee = await selling.payee(payee_number)
        return await payer, payee


def offer(selling: Selling, payer: Customer, payee: Payee, asked: PriceAsked) -> Quote:
    """The price for two people who were looked up. Raises as `Quotes.make`, but of reservations."""
    quote = selling.offer(
        payer=payer, network=payer.network, payee=payee, amount=read_amount(asked.amount),
        from_pool=asked.is_from_pool,
    )  # fmt: skip
    selling.must_be_prompted(quote.payer_operator)
    return quote


async def known_payer(find: FindCustomer, msisdn: Msisdn) -> Customer:
    """Raises Refusal NOT_A_CUSTOMER: nobody else is ever asked for money (`decisions/0002`)."""
    payer = await find(msisdn)
    if payer is None:
        raise Refusal(Code.NOT_A_CUSTOMER)
    return payer


def _answer(kept: Kept) -> QuoteShown | Again[QuoteShown]:
    if not kept.is_same:
        raise Refusal(Code.KEY_REUSED)
    shown = show_quote(kept.quote)
    return shown if kept.is_fresh else Again(shown)


def show_quote(quote: Quote) -> QuoteShown:
    """A price as the API shows it; a pure function of the quote, so a repeat is byte for byte."""
    return QuoteShown(
        quote.quote_id, str(quote.payer), str(quote.payee), quote.payer_operator,
        quote.payee_operator, show(quote.amount), show(quote.fee), show(quote.total),
        show(quote.receives), quote.rate, iso_millis_of(quote.expires_at * 1000),
        show(Money(refund_minor(quote), quote.amount.currency)),
    )  # fmt: skip

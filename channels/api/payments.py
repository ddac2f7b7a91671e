"""Payments that clients ask for: the payer approves each on their own phone, at their operator.

A client sees and changes its own payments only: every other id is not found.
"""

from typing import Annotated, Any, ClassVar

import msgspec

from channels.api.endpoints import Again, Call, Nothing
from channels.api.pace import ClientsPace
from channels.api.payment_shown import (
    PaymentMade,
    PaymentsShown,
    PaymentStatus,
    show_made,
    show_status,
)
from channels.api.problems import Code, Refusal
from channels.api.proposals import check_reason, rivals_of
from channels.api.quotes import FindCustomer, PriceAsked, known_payer, offer, parties
from channels.api.reservations import to_draw_on, too_small
from channels.api.wire import AmountAsked, Id, Moment, Number, PayeeName, check_name
from channels.times import YEARS, iso_millis_of
from engine.clients.clients import KeyHolder
from engine.clients.quote_store import QuoteStore
from engine.clock import CustomerId, PaymentId, first_id_at
from engine.customers.customers import Customer
from engine.desk.desk import Desk
from engine.desk.proposals import TEXT_LENGTH_MAX, Person, ProposalId
from engine.errors import NoWayNow, OurFault, StaffMistake
from engine.fx.quotes import Quote
from engine.msisdn import Msisdn
from engine.payments.client_store import (
    FIRST,
    LAST,
    ClientPayments,
    Known,
    Standing,
    payment_key,
)
from engine.payments.confirming import Confirming
from engine.payments.facts import Ruling
from engine.payments.reservations import Reservations
from engine.payments.rulings import Rulings
from engine.payments.selling import Payee, Selling
from engine.staff.remedies import reversal_of
from engine.tasks import beside

MOST, USUAL = 100, 20
"""Lines of a page: at most, and where nobody says how many."""
HASH_BYTES = 16  # what the commit keeps of a request's hash


class PaymentPath(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A payment's id."""

    payment: Id


class UserPath(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The id of a payer, as the payment's answer names it."""

    user: Id


class Page(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many, and behind which: `next` of the page before."""

    most: Annotated[int, msgspec.Meta(ge=1, le=MOST)] = USUAL
    cursor: Id = LAST

    @property
    def weight(self) -> int:
        """As how many requests it counts (`decisions/0008`)."""
        return -(-self.most // USUAL)


class Listing(Page, frozen=True, forbid_unknown_fields=True, rename={"since": "from"}):
    """A page of payments that were made (`made_at`) at `from` or later, and before `to`."""

    since: Moment | msgspec.UnsetType = msgspec.UNSET
    to: Moment | msgspec.UnsetType = msgspec.UNSET

    def __post_init__(self) -> None:
        for moment in (self.since, self.to):
            if moment is not msgspec.UNSET and moment.year not in YEARS:
                raise ValueError(f"a year from {YEARS[0]} to {YEARS[-1]} is wanted")

    @property
    def first(self) -> str:
        """The least id that is listed."""
        return FIRST if self.since is msgspec.UNSET else first_id_at(self.since)

    @property
    def before(self) -> str:
        """Ids from this one on are not."""
        to = LAST if self.to is msgspec.UNSET else first_id_at(self.to)
        return min(self.cursor, to)


class PaymentAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Either a quote, or who pays whom how much at the price of this moment.

    With `reservation` it draws on liquidity that the client set aside, and on nothing else. With
    `payee_name` the name of whom you mean to pay is compared with the sanctions lists as well.
    Operators ask one payer about one payment at a time: of several that one payer is to make, send
    each when the one before is no longer `collecting`. Sent at once, those that are not asked about
    before their price is over end as `expired`.
    """

    ONE_OF: ClassVar = (("quote",), ("payer", "payee", "amount"))
    WITH_ANY: ClassVar = ("reservation", "payee_name")

    quote: Id | msgspec.UnsetType = msgspec.UNSET
    payer: Number | msgspec.UnsetType = msgspec.UNSET
    payee: Number | msgspec.UnsetType = msgspec.UNSET
    amount: AmountAsked | msgspec.UnsetType = msgspec.UNSET
    reservation: Id | msgspec.UnsetType = msgspec.UNSET
    payee_name: PayeeName | msgspec.UnsetType = msgspec.UNSET

    def __post_init__(self) -> None:
        if self.payee_name is not msgspec.UNSET:
            check_name(self.payee_name)
        given = {n for n in self.__struct_fields__ if getattr(self, n) is not msgspec.UNSET}
        if given - set(self.WITH_ANY) not in [set(names) for names in self.ONE_OF]:
            raise ValueError("give `quote`, or `payer`, `payee` and `amount`")

    @property
    def expected(self) -> str:
        """Whom the client means to pay, "" where it does not tell."""
        return "" if self.payee_name is msgspec.UNSET else self.payee_name


class RefundAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why, for the people who decide: one line of printable characters."""

    why: Annotated[str, msgspec.Meta(min_length=3, max_length=TEXT_LENGTH_MAX)]

    def __post_init__(self) -> None:
        check_reason(self.why)


class RefundShown(msgspec.Struct, frozen=True):
    """A refund that waits for a second person: ours, who agrees or refuses."""

    id: str
    payment: str
    state: str  # "proposed"
    made_at: str
    expires_at: str


class Payments:
    """The handlers."""

    def __init__(
        self,
        *,
        selling: Selling,
        confirming: Confirming,
        rulings: Rulings,
        find: FindCustomer,
        quotes: QuoteStore,
        own: ClientPayments,
        reservations: Reservations,
        pace: ClientsPace,
        desk: Desk,
    ) -> None:
        self._selling = selling
        self._confirming = confirming
        self._rulings = rulings
        self._find = find
        self._quotes = quotes
        self._own = own
        self._reservations = reservations
        self._pace = pace
        self._desk = desk

    async def send(
        self, call: Call[KeyHolder, Nothing, Nothing, PaymentAsked]
    ) -> PaymentMade | Again[PaymentMade]:
        """Take a payment on: its payer is asked by their operator to approve it.

        Once per key, for ever: key and hash are stored in the commit that takes it on. A refusal
        takes no key, but a quote that was named stays the key's own. Raises CustomerMistake,
        NoWayNow, and Refusal NOT_FOUND (of the quote), QUOTE_TAKEN, NOT_A_CUSTOMER or KEY_REUSED.
        Of a reservation NOT_FOUND, or NOT_POSSIBLE with a reason. NOT_NOW where the client has this
        payer asked too often.
        """
        client, (hash_, older) = call.caller.client_id, _hashes(call)
        async with beside(self._parties(call.body)) as looking_up:
            known = await self._own.by_key(client, call.key)
            if known is not None:
                return _again(known, hash_, older)
            payer, quote = await self._priced(call, await looking_up)
        await self._pace.take(client, payer.msisdn)
        try:
            draws_on = await self._draws_on(call, quote)
        except Refusal:
            # Its own commit may be under way, from when there was something to draw on.
            known = await self._own.settled(client, call.key)
            if known is None:
                raise
            return _again(known, hash_, older)
        try:
            confirmed = await self._confirming.confirm(
                payer=payer, quote=quote, key=payment_key(client, call.key), client=client,
                request_hash=hash_, draws_on=draws_on, expected=call.body.expected,
            )  # fmt: skip
        except NoWayNow as error:
            if draws_on is None or error.text_key != "no_way.float":
                raise
            raise too_small() from None
        except OurFault:
            # The same key for another request, which came a moment ago: told as that.
            known = await self._own.by_key(client, call.key)
            if known is None or known.hash == hash_:
                raise
            raise Refusal(Code.KEY_REUSED) from None
        if confirmed.fresh:
            return show_made(confirmed.payment_id, payer.customer_id, quote)
        known = await self._own.by_key(client, call.key)
        assert known is not None, "it was taken on a moment ago"
        return _again(known, hash_)

    async def status(self, call: Call[KeyHolder, PaymentPath, Nothing, Nothing]) -> PaymentStatus:
        """How it stands now. Raises Refusal NOT_FOUND."""
        return show_status(await self._find_own(call))

    async def cancel(self, call: Call[KeyHolder, PaymentPath, Nothing, Nothing]) -> PaymentStatus:
        """Withdraw it before its payer is asked. A repeat is safe.

        Raises Refusal NOT_FOUND, or NOT_LEGAL when the operator may have been told already.
        """
        payment = (await self._find_own(call)).payment
        ruling = Ruling(f"its client withdrew it: {call.operation}")
        try:
            await self._rulings.cancel(payment.payment_id, ruling)
        except NoWayNow:
            detail = "its payer may have been asked already"
            raise Refusal(Code.NOT_LEGAL, detail, reason="sent") from None
        return show_status(await self._find_own(call))

    async def refund(self, call: Call[KeyHolder, PaymentPath, Nothing, RefundAsked]) -> RefundShown:
        """Propose to give it back; one of our people must agree. A repeat is the same proposal.

        Raises StaffMistake with the reason where it is not legal, AlreadyProposed, and Refusal
        NOT_FOUND.
        """
        payment = (await self._find_own(call)).payment
        kind, why_not = reversal_of(payment.state)
        if kind is None:
            raise StaffMistake(f"{payment.state.name}: {why_not}")
        made = await self._desk.propose(
            kind, {"payment": payment.payment_id}, by=Person(f"client:{call.caller.name}"),
            note=call.body.why, proposal_id=ProposalId(call.operation),
            rivals=rivals_of(payment.payment_id),
        )  # fmt: skip
        return RefundShown(
            made.id,
            payment.payment_id,
            made.state,
            iso_millis_of(made.made_ms),
            iso_millis_of(made.expires_ms),
        )

    async def listed(self, call: Call[KeyHolder, Nothing, Listing, Nothing]) -> PaymentsShown:
        """The client's payments, the newest first."""
        return await self._page(call.caller, call.query, None)

    async def of_user(self, call: Call[KeyHolder, UserPath, Listing, Nothing]) -> PaymentsShown:
        """Those of one payer; none for an id that is nobody's, as for one who never paid."""
        return await self._page(call.caller, call.query, CustomerId(call.path.user))

    async def _page(
        self, holder: KeyHolder, page: Listing, customer: CustomerId | None
    ) -> PaymentsShown:
        found = await self._own.listed(
            holder.client_id, since=page.first, before=page.before, customer=customer,
            most=page.most + 1,
        )  # fmt: skip
        shown = [show_status(standing) for standing in found[: page.most]]
        return PaymentsShown(shown, shown[-1].id if len(found) > page.most else None)

    async def _parties(self, asked: PaymentAsked) -> tuple[PriceAsked, Customer, Payee] | None:
        """Who pays whom how much; None where a quote says it."""
        if asked.quote is not msgspec.UNSET:
            return None
        wanted = _price_of(asked)
        return wanted, *await parties(self._selling, self._find, wanted)

    async def _priced(
        self,
        call: Call[KeyHolder, Nothing, Nothing, PaymentAsked],
        looked_up: tuple[PriceAsked, Customer, Payee] | None,
    ) -> tuple[Customer, Quote]:
        asked, client = call.body, call.caller.client_id
        if asked.quote is msgspec.UNSET:
            assert looked_up is not None, "whom no quote names is looked up"
            wanted, payer, payee = looked_up
            return payer, offer(self._selling, payer, payee, wanted)
        quote = await self._quotes.take(client, asked.quote, call.key)
        if quote is None:
            is_known = await self._quotes.find(client, asked.quote) is not None
            if is_known:
                raise Refusal(Code.QUOTE_TAKEN)
            raise Refusal(Code.NOT_FOUND, "`quote`: you have none of that id, or it is long over")
        return await known_payer(self._find, Msisdn(quote.payer)), quote

    async def _draws_on(
        self, call: Call[KeyHolder, Nothing, Nothing, PaymentAsked], quote: Quote
    ) -> int | None:
        reservation_id = call.body.reservation
        if reservation_id is msgspec.UNSET:
            return None
        found = await to_draw_on(
            self._reservations, call.caller.client_id, reservation_id, quote.receives.currency
        )
        return found.account

    async def _find_own(self, call: Call[KeyHolder, PaymentPath, Any, Any]) -> Standing:
        client, payment_id = call.caller.client_id, PaymentId(call.path.payment)
        found = await self._own.find(client, payment_id)
        if found is None:
            raise Refusal(Code.NOT_FOUND)
        return found


def _price_of(asked: PaymentAsked) -> PriceAsked:
    return msgspec.convert(
        {
            name: given for name in PriceAsked.__struct_fields__
            if (given := getattr(asked, name)) is not msgspec.UNSET
        },
        PriceAsked, from_attributes=True,
    )  # fmt: skip


def _hashes(call: Call[Any, Any, Any, Any]) -> tuple[str, ...]:
    """Of the request as they are kept: as it is written today, and as it was of old."""
    return tuple(hash_[:HASH_BYTES].hex() for hash_ in (call.hash, call.hash_as_sent))


def _again(known: Known, *hashes: str) -> Again[PaymentMade]:
    if known.hash not in hashes:
        raise Refusal(Code.KEY_REUSED)
    return Again(show_made(known.payment_id, known.terms.customer_id, known.terms.quote))

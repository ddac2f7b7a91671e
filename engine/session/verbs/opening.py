"""The beginning of a session: who calls, what an earlier session left, a first PIN."""

from datetime import UTC, datetime, timedelta

from engine.customers.customers import Customer
from engine.errors import CustomerMistake, NoWayNow
from engine.money import Money
from engine.msisdn import country_of
from engine.payments.views import PaymentSummary
from engine.session.press import Press
from engine.session.rooms import Customers, Payments, Words
from engine.session.session import PIN, Item, Seal, Session
from engine.session.verbs.sending import must_be_served

SESSION_AT_MOST = timedelta(days=1)
"""No network keeps a session open for so long."""


class Opening:
    """Verbs of a dial and of the first dial of all."""

    def __init__(self, customers: Customers, payments: Payments, seal: Seal, words: Words) -> None:
        self._customers = customers
        self._payments = payments
        self._seal = seal
        self._words = words

    async def find_customer(self, press: Press) -> str:
        """`value` is the session that was left unfinished or confirmed a payment, if any."""
        session = press.session
        country = country_of(session.msisdn)
        session.language = self._words.offered(country or "")[0]  # until it is known who calls
        currency = self._payments.payer_currency(session.msisdn, session.network)
        if country is None or currency is None:
            raise NoWayNow("no_way.caller")
        session.country, session.currency = country, currency
        customer = await self._customers.find(session.msisdn)
        if customer is None:
            must_be_served(self._payments, session)  # whoever is known may look at what was paid
            fill_languages(session, self._words)
            return "new"
        recognise(session, customer)
        await self._customers.note_network(customer, session.network)
        if customer.may_reset_pin:
            return "reset"
        kept: Session | None = press.value
        if kept is None or (kept.customer_id != customer.customer_id and not kept.is_unread):
            return "known"
        return await self._after(kept, session)

    async def choose_language(self, press: Press) -> str:
        press.session.language = press.value
        return "chosen"

    async def keep_pin(self, press: Press) -> str:
        session = press.session
        self._customers.refuse_weak(press.value, session.msisdn)
        session.pin_mac = self._seal.of(session, PIN, press.value)
        return "kept"

    async def register(self, press: Press) -> str:
        session = press.session
        must_be_same(session, self._seal, press.value)
        customer = await self._customers.register(
            session.msisdn, session.country, session.language, press.value
        )
        recognise(session, customer)
        await self._customers.note_network(customer, session.network)
        return "registered"

    async def reset_pin(self, press: Press) -> str:
        session = press.session
        must_be_same(session, self._seal, press.value)
        await self._customers.reset_pin(session.customer, press.value)
        return "changed"

    async def _after(self, kept: Session, session: Session) -> str:
        """What is told first when somebody dials again: the truth about a payment, or an offer."""
        would_go_on = not kept.ended and bool(session.resumes) and kept.payee is not None
        if found := await self._paid(kept, session.customer, would_go_on=would_go_on):
            session.summary, session.unseen_since, session.unseen = found, 0, []
            return "confirmed"
        if not would_go_on:
            return "known"
        session.payee, session.request, session.chosen = kept.payee, kept.request, kept.chosen
        session.amount = kept.amount if kept.request is None else None
        session.kept = self._line(session, kept.payee, kept.amount)
        return "dropped"

    async def _paid(
        self, kept: Session, customer: Customer, *, would_go_on: bool
    ) -> PaymentSummary | None:
        last_turn = datetime.fromtimestamp(kept.at, UTC)
        began = last_turn - SESSION_AT_MOST
        if kept.summary is not None and kept.listed is None and kept.step - kept.dropped == 1:
            # It was told of this one, and nothing was pressed since: perhaps nobody saw that.
            return await self._payments.confirmed_with_code(
                customer.customer_id, kept.summary.code, began
            )
        if kept.code is not None and kept.ended and kept.request is None:
            return await self._payments.confirmed_with_code(customer.customer_id, kept.code, began)
        # Nobody saw what came of it, or what was saved last was lost, perhaps more than once, as by
        # a Redis that came back with an older record: the books know.
        has_price = kept.quote is not None and not kept.ended
        if kept.is_unread or kept.was_late or would_go_on or has_price or kept.unseen:
            since = datetime.fromtimestamp(kept.unseen_since or kept.at, UTC)
            return await self._payments.confirmed_since(customer.customer_id, since)
        return None

    def _line(self, session: Session, payee: object, amount: Money | None) -> str:
        if amount is None:
            return str(payee)
        return self._words.render(session.language, "item.kept", payee=payee, amount=amount)


def recognise(session: Session, customer: Customer) -> None:
    """From here on the session carries the customer; nobody asks the database again."""
    session.customer_id = customer.customer_id
    session.language, session.country = customer.language, customer.country
    session.tier = customer.tier


def fill_languages(session: Session, words: Words) -> None:
    """The country's languages, each by its own name; what an unknown caller reads is the first."""
    offered = words.offered(session.country)
    if session.customer_id is None:
        session.language = offered[0]
    session.fill("languages", [Item(language, words.names[language]) for language in offered])


def must_be_same(session: Session, seal: Seal, pin: str) -> None:
    """The second of two equal PINs. Raises CustomerMistake `mistake.pin_differs`."""
    first, session.pin_mac = session.pin_mac, None
    if first is None or not seal.matches(session, PIN, pin, first):
        raise CustomerMistake("mistake.pin_differs")

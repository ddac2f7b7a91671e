"""Sending money: whom, how much, at what price, and the word that makes it happen."""

import logging
from datetime import UTC, datetime

from engine.errors import CustomerMistake, NoWayNow, OurFault, TextKey
from engine.menu.vocabulary import ITEMS_MAX
from engine.money import Money
from engine.msisdn import Msisdn
from engine.payments.views import Confirmed
from engine.session.press import Press
from engine.session.rooms import Customers, Payments, Words
from engine.session.session import Chosen, Item, Session
from engine.session.verbs.pricing import Prices

log = logging.getLogger(__name__)


class Sending:
    """Verbs of a payment up to its confirmation."""

    def __init__(
        self, customers: Customers, payments: Payments, prices: Prices, words: Words
    ) -> None:
        self._customers = customers
        self._payments = payments
        self._prices = prices
        self._words = words

    async def begin_price(self, press: Press) -> str:
        must_be_served(self._payments, press.session)
        return "ready"

    async def open_payees(self, press: Press) -> str:
        """People one has saved, then those one has paid lately.

        Whom this money goes to is yet to be said: whoever was asked for some, or saved, is not it.
        """
        session = press.session
        session.payee = session.amount = session.chosen = session.request = None
        must_be_served(self._payments, session)
        who = session.customer.customer_id
        saved = {r.msisdn: r.name for r in await self._customers.recipients(who)}
        last = {r.msisdn: r.amount for r in await self._payments.recent_payees(who)}
        numbers = [*last, *(msisdn for msisdn in saved if msisdn not in last)][:ITEMS_MAX]
        items = [self._item(session, msisdn, saved.get(msisdn), last.get(msisdn))
                 for msisdn in numbers]  # fmt: skip
        session.fill("payees", items)
        return "ready"

    async def pick_payee(self, press: Press) -> str:
        msisdn, amount = _read_ref(press.value)
        await self._take_payee(press.session, msisdn, amount)
        return "chosen" if amount is None else "again"

    async def choose_payee(self, press: Press) -> str:
        await self._take_payee(press.session, press.value, None)
        return "chosen"

    async def quote(self, press: Press) -> str:
        await self._prices.price(press, press.value)
        return "quoted"

    async def quote_again(self, press: Press) -> str:
        amount = press.session.amount
        assert amount is not None, "only an amount that is known can be sent again"
        await self._prices.price(press, amount)
        return "quoted"

    async def open_wallets(self, press: Press) -> str:
        """Whose wallets there are in the payee's country, but the one that was priced."""
        session = press.session
        priced = session.quote.payee_operator if session.quote else ""
        items = [
            Item(name, self._words.render(
                session.language, "item.wallet", operator=TextKey(f"operator.{name}")
            ))
            for name in self._prices.wallets(session) if name != priced
        ]  # fmt: skip
        session.fill("wallets", items[:ITEMS_MAX])
        return "ready"

    async def pick_wallet(self, press: Press) -> str:
        """The same amount again, into that wallet: the payer's word counts for this payment."""
        session = press.session
        assert session.payee is not None and session.quote is not None, "a price was shown"
        session.chosen = Chosen(session.payee, press.value)
        await self._prices.price(press, session.quote.amount)
        return "quoted"

    async def resume_payment(self, press: Press) -> str:
        """Where a dropped payment goes on: always at a fresh price, never behind the PIN."""
        session = press.session
        try:
            if session.request is not None:
                await self._prices.price_request(press)
                return "priced_request"
            if session.payee is None:
                return "number"
            await check_payee(self._payments, session, session.payee)
        except CustomerMistake:
            session.request = None
            return "number"
        if session.amount is None:
            return "amount"
        try:
            await self._prices.price(press, session.amount)
        except CustomerMistake:
            return "amount"
        return "priced"

    async def pay(self, press: Press) -> str:
        await self._prove(press)
        confirmed = await self._confirm(press, by_pin=True)
        if confirmed.by_link:
            return "by_link"
        return "confirmed" if confirmed.prompted else "unprompted"

    async def pay_by_prompt(self, press: Press) -> str:
        """Without our PIN: the operator asks the wallet's own before anything is collected.

        Raises NoWayNow `session.dial_instead` where it does not.
        """
        confirmed = await self._confirm(press, by_pin=False)
        return "by_link" if confirmed.by_link else "confirmed"

    async def _prove(self, press: Press) -> None:
        """As `must_know_pin`; NoWayNow `no_way.fault` where a fault of our own keeps it from being
        found out, and nothing was taken on at this price before: no SMS will tell of it.
        """
        try:
            await must_know_pin(self._customers, press)
        except OurFault as fault:
            session = press.session
            answers_request = session.quote is not None and session.quote.request
            if answers_request or await self._payments.code_of_key(session.price_key) is not None:
                raise
            log.error("no PIN can be compared, by a fault of our own: %s", fault)
            raise NoWayNow("no_way.fault") from fault

    async def _confirm(self, press: Press, *, by_pin: bool) -> Confirmed:
        session = press.session
        assert session.quote is not None, "a price was shown before it is confirmed"
        key = session.price_key
        if session.unseen_since and not session.quote.request:
            await self._refuse_what_was_unseen(session, key)
        confirmed = await self._payments.confirm(
            payer=session.customer, quote=session.quote, key=key, by_pin=by_pin,
            told=session.told_of(session.quote.payee, session.quote.payee_operator),
        )  # fmt: skip
        session.code, session.request = confirmed.code, None
        session.unseen_since, session.unseen = 0, []
        return confirmed

    async def _refuse_what_was_unseen(self, session: Session, key: str) -> None:
        """Raises NoWayNow `session.late` when a session before paid after all: its commit was
        under way when this one was dialled. The next dial tells of that payment. One that is under
        way still is not taken on any more.
        """
        if await self._payments.code_of_key(key) is not None:  # this very turn, once more
            return
        since = datetime.fromtimestamp(session.unseen_since, UTC)
        found = await self._payments.confirmed_since(session.customer.customer_id, since)
        code = found.code if found is not None else await self._payments.give_up(session.unseen)
        if code is not None:
            session.code, session.request, session.unseen = code, None, []
            raise NoWayNow("session.late")

    async def _take_payee(self, session: Session, payee: Msisdn, amount: Money | None) -> None:
        await check_payee(self._payments, session, payee)
        session.payee, session.amount, session.chosen = payee, amount, None

    def _item(
        self, session: Session, msisdn: Msisdn, name: str | None, amount: Money | None
    ) -> Item:
        ref = str(msisdn) if amount is None else f"{msisdn} {amount.minor} {amount.currency}"
        if name is None:
            return Item(ref, str(msisdn))
        label = self._words.render(session.language, "item.payee", name=name, payee=msisdn)
        return Item(ref, label)


def must_be_served(payments: Payments, session: Session) -> None:
    """Raises NoWayNow `no_way.caller` when we serve no wallet of the caller's."""
    if payments.payer_operator(session.msisdn, session.network) is None:
        raise NoWayNow("no_way.caller")


async def check_payee(payments: Payments, session: Session, payee: Msisdn) -> None:
    """Raises CustomerMistake: another number may do, so this never ends a session."""
    try:
        await payments.check_payee(payer=session.customer, network=session.network, payee=payee)
    except NoWayNow as refusal:
        raise CustomerMistake(refusal.text_key, **refusal.variables) from refusal


async def must_know_pin(customers: Customers, press: Press) -> None:
    """Raises CustomerMistake `mistake.pin_wrong` with the tries left, NoWayNow once locked."""
    verdict = await customers.check_pin(press.session.customer, press.value, press.key)
    verdict.require_right()


def _read_ref(ref: str) -> tuple[Msisdn, Money | None]:
    number, *amount = ref.split(" ")
    return Msisdn(number), Money(int(amount[0]), amount[1]) if amount else None

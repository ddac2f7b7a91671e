"""What became of payments: the last ones, one by its code, and what may be done about it."""

from engine.errors import CustomerMistake, NoWayNow
from engine.menu.vocabulary import ITEMS_MAX
from engine.payments.views import PaymentSummary
from engine.session.press import Press
from engine.session.rooms import Customers, Payments, Words
from engine.session.session import Item, Session
from engine.session.verbs.pricing import Prices
from engine.session.verbs.sending import check_payee, must_be_served


class History:
    """Verbs of payments that were confirmed."""

    def __init__(
        self, customers: Customers, payments: Payments, prices: Prices, words: Words
    ) -> None:
        self._customers = customers
        self._payments = payments
        self._prices = prices
        self._words = words

    async def open_payments(self, press: Press) -> str:
        session = press.session
        found = await self._payments.recent_payments(
            session.customer.customer_id, session.msisdn, ITEMS_MAX
        )
        labels = [self._label(session, summary) for summary in found]
        items = [
            Item(summary.code, self._label(session, summary, is_alike=labels.count(label) > 1))
            for summary, label in zip(found, labels, strict=True)
        ]
        session.fill("payments", items)
        return "some" if found else "none"

    async def pick_payment(self, press: Press) -> str:
        return await self._find(press.session, press.value)

    async def find_payment(self, press: Press) -> str:
        return await self._find(press.session, press.value)

    async def send_again(self, press: Press) -> str:
        """The same payee and amount at today's price."""
        session, summary = press.session, _found(press.session)
        must_be_served(self._payments, session)
        await check_payee(self._payments, session, summary.payee)
        session.payee, session.chosen = summary.payee, None
        await self._prices.price(press, summary.amount)
        return "quoted"

    async def cancel(self, press: Press) -> str:
        session, summary = press.session, _found(press.session)
        after = await self._payments.cancel(session.customer, summary.code, key=press.key)
        if after.state != "cancelled":  # paid in by hand at that very moment, for example
            raise NoWayNow("no_way.sent")
        session.summary = after
        return "cancelled"

    async def report(self, press: Press) -> str:
        session, summary = press.session, _found(press.session)
        session.reference = await self._payments.report_problem(
            session.customer, summary.code, press.value
        )
        return "reported"

    async def keep_payee(self, press: Press) -> str:
        press.session.payee = _found(press.session).payee
        return "kept"

    async def _find(self, session: Session, code: str) -> str:
        summary = await self._payments.payment_by_code(session.customer, code)
        if summary is None:
            raise CustomerMistake("mistake.code_unknown")
        session.summary, session.name = summary, ""
        if summary.incoming:
            return "received"
        saved = await self._customers.recipients(session.customer.customer_id)
        session.name = next((r.name for r in saved if r.msisdn == summary.payee), "")
        return "sent"

    def _label(self, session: Session, summary: PaymentSummary, *, is_alike: bool = False) -> str:
        """One that reads as another line of the list says its code as well."""
        key = "item.received" if summary.incoming else "item.payment"
        return self._words.render(
            session.language,
            f"{key}_alike" if is_alike else key,
            code=summary.code,
            amount=summary.amount,
            receives=summary.receives,
            payer=summary.payer,
            payee=summary.payee,
        )


def _found(session: Session) -> PaymentSummary:
    assert session.summary is not None, "a payment was found before anything is done about it"
    return session.summary

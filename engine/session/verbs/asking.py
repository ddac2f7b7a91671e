"""Asking others for money, and answering those who ask."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from engine.errors import CustomerMistake, NoWayNow
from engine.menu.vocabulary import ITEMS_MAX
from engine.payments.views import MoneyRequest
from engine.session.press import Press
from engine.session.rooms import Payments, Words
from engine.session.session import Item, Session
from engine.session.verbs.pricing import Prices
from engine.session.verbs.sending import must_be_served

FORGOTTEN = "-"
"""Stands for a number that we no longer have."""


class Asking:
    """Verbs of requests for money, from both sides."""

    def __init__(self, payments: Payments, prices: Prices, words: Words) -> None:
        self._payments = payments
        self._prices = prices
        self._words = words

    async def choose_payer(self, press: Press) -> str:
        session = press.session
        if press.value == session.msisdn:
            raise CustomerMistake("mistake.own_number")
        must_be_served(self._payments, session)
        with _of_another_number():
            await self._payments.check_payer(session.customer, session.network, press.value)
        session.payee, session.request = press.value, None
        return "chosen"

    async def payable_amount(self, press: Press) -> str:
        """Asked where the amount is typed, as a price is: whoever agrees to the next screen has
        agreed to what can be asked.
        """
        session = press.session
        assert session.payee is not None, "the amount is asked after the number"
        with _of_another_number():
            await self._payments.check_request(
                session.customer, session.network, session.payee, press.value
            )
        return "yes"

    async def keep_amount(self, press: Press) -> str:
        press.session.amount = press.value
        return "kept"

    async def ask(self, press: Press) -> str:
        session = press.session
        assert session.payee is not None, "the amount is asked after the number"
        assert session.amount is not None, "the amount was typed before it is asked for"
        with _of_another_number():
            asked = await self._payments.ask(
                session.customer, session.network, session.payee, session.amount, key=press.key
            )
        session.code = asked.code
        return "asked"

    async def open_requests(self, press: Press) -> str:
        session = press.session
        found = await self._payments.requests_to(session.msisdn, ITEMS_MAX)
        items = [
            Item(
                request.code,
                self._words.render(
                    session.language,
                    "item.request",
                    amount=request.amount,
                    requester=request.requester,
                ),
            )
            for request in found
        ]
        session.fill("requests", items)
        return "some" if items else "none"

    async def open_asked(self, press: Press) -> str:
        session = press.session
        items = [
            Item(
                request.code,
                self._words.render(
                    session.language,
                    "item.asked",
                    amount=request.amount,
                    payer=request.payer or FORGOTTEN,
                ),
            )
            for request in await self._own(session)
        ]
        session.fill("asked", items)
        return "some" if items else "none"

    async def pick_asked(self, press: Press) -> str:
        """Looked up again: what became of it is told as it is now."""
        session = press.session
        found = await self._own(session)
        session.asked = next((r for r in found if r.code == press.value), None)
        return "gone" if session.asked is None else "found"

    async def pick_request(self, press: Press) -> str:
        """Looked up again: it may have been paid, withdrawn or have expired since it was listed."""
        session = press.session
        found = await self._payments.requests_to(session.msisdn, ITEMS_MAX)
        session.request = next((r for r in found if r.code == press.value), None)
        return "gone" if session.request is None else "found"

    async def quote_request(self, press: Press) -> str:
        must_be_served(self._payments, press.session)
        await self._prices.price_request(press)
        return "quoted"

    async def decline(self, press: Press) -> str:
        session = press.session
        assert session.request is not None, "a request is answered after it was found"
        await self._payments.decline(session.customer, session.request.code)
        return "declined"

    async def _own(self, session: Session) -> Sequence[MoneyRequest]:
        return await self._payments.requests_by(session.customer.customer_id, ITEMS_MAX)


@contextmanager
def _of_another_number() -> Iterator[None]:
    """Two refusals speak of money that goes there, and here it is to come from there.

    `no_way.corridor` ends the session besides; who asks for money may ask another number.
    """
    try:
        yield
    except (NoWayNow, CustomerMistake) as refusal:
        if refusal.text_key not in ("no_way.corridor", "mistake.operator_unsupported"):
            raise
        raise CustomerMistake("no_way.asking") from refusal

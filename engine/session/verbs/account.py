"""The customer's own things: language, PIN, limits, saved numbers."""

from engine.errors import CustomerMistake
from engine.menu.vocabulary import ITEMS_MAX
from engine.msisdn import Msisdn
from engine.session.press import Press
from engine.session.readers import currency_of
from engine.session.rooms import Customers, Payments, Words
from engine.session.session import Item, Seal
from engine.session.verbs.opening import fill_languages, must_be_same
from engine.session.verbs.sending import must_know_pin


class Account:
    """Verbs of what a customer may set."""

    def __init__(self, customers: Customers, payments: Payments, seal: Seal, words: Words) -> None:
        self._customers = customers
        self._payments = payments
        self._seal = seal
        self._words = words

    async def open_languages(self, press: Press) -> str:
        fill_languages(press.session, self._words)
        return "ready"

    async def set_language(self, press: Press) -> str:
        session = press.session
        await self._customers.set_language(session.customer.customer_id, press.value)
        session.language = press.value
        return "changed"

    async def show_limits(self, press: Press) -> str:
        session = press.session
        session.limits = await self._payments.limits_of(session.customer, currency_of(session))
        return "shown"

    async def check_pin(self, press: Press) -> str:
        await must_know_pin(self._customers, press)
        return "right"

    async def change_pin(self, press: Press) -> str:
        session = press.session
        must_be_same(session, self._seal, press.value)
        await self._customers.change_pin(session.customer, press.value)
        return "changed"

    async def ask_reset(self, press: Press) -> str:
        await self._customers.ask_pin_reset(press.session.customer)
        return "asked"

    async def open_saved(self, press: Press) -> str:
        session = press.session
        found = await self._customers.recipients(session.customer.customer_id)
        items = [
            Item(
                f"{r.msisdn} {r.name}",
                self._words.render(session.language, "item.saved", name=r.name, payee=r.msisdn),
            )
            for r in found[:ITEMS_MAX]
        ]
        session.fill("saved", items)
        return "some" if items else "none"

    async def pick_saved(self, press: Press) -> str:
        number, _, name = press.value.partition(" ")
        press.session.payee, press.session.name = Msisdn(number), name
        return "found"

    async def keep_number(self, press: Press) -> str:
        if press.value == press.session.msisdn:
            raise CustomerMistake("mistake.own_number")
        press.session.payee = press.value
        return "kept"

    async def unused_name(self, press: Press) -> str:
        """Two numbers under one name would be the wrong person sooner or later."""
        session = press.session
        assert session.payee is not None, "the name is asked after the number"
        saved = await self._customers.recipients(session.customer.customer_id)
        name = press.value.casefold()
        if any(r.name.casefold() == name and r.msisdn != session.payee for r in saved):
            raise CustomerMistake("mistake.name_taken")
        return "yes"

    async def keep_answer(self, press: Press) -> str:
        press.session.answer = press.value
        return "kept"

    async def save_name(self, press: Press) -> str:
        session = press.session
        assert session.payee is not None, "the name is asked after the number"
        await self._customers.save_recipient(
            session.customer.customer_id, session.payee, press.value
        )
        session.name = press.value
        return "saved"

    async def remove_saved(self, press: Press) -> str:
        session = press.session
        assert session.payee is not None, "only a number that was picked can be removed"
        await self._customers.remove_recipient(session.customer.customer_id, session.payee)
        return "removed"

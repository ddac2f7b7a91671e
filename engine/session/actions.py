"""The verbs a menu may use: the closed list, and what each asks of customers and payments.

A verb changes the session and answers with an outcome; which screen follows is the menu's affair.
Every verb may run twice for the same turn: what has an effect outside is idempotent.
"""

from collections.abc import Callable, Coroutine, Mapping
from typing import Any, NamedTuple, Protocol

from engine.clock import CustomerId
from engine.customers.customers import Customer, PinVerdict
from engine.errors import CustomerMistake, NoWayNow
from engine.fx.quotes import Quote
from engine.money import Money
from engine.msisdn import Msisdn, country_of
from engine.payments.views import Confirmed, PaymentSummary
from engine.session.readers import CURRENCY_OF_COUNTRY
from engine.session.session import PIN, Seal, Session


class Customers(Protocol):
    """What the verbs ask of the customers' room."""

    async def find(self, msisdn: Msisdn) -> Customer | None: ...

    async def register(self, msisdn: Msisdn, country: str, language: str, pin: str) -> Customer: ...

    def refuse_weak(self, pin: str, msisdn: Msisdn) -> None:
        """Raises CustomerMistake `mistake.pin_weak`."""
        ...

    async def set_language(self, customer_id: CustomerId, language: str) -> None: ...

    async def check_pin(self, customer: Customer, pin: str) -> PinVerdict: ...


class Payments(Protocol):
    """What the verbs ask of the payments' room."""

    def check_payee(self, *, payer: Customer, network: str, payee: Msisdn) -> None:
        """Raises CustomerMistake or NoWayNow when no payment to this number could be priced."""
        ...

    async def quote(self, *, payer: Customer, network: str, payee: Msisdn, amount: Money) -> Quote:
        """Price a payment. Raises CustomerMistake or NoWayNow; moves nothing."""
        ...

    async def confirm(self, *, payer: Customer, quote: Quote, key: str) -> Confirmed:
        """Take a payment on, once per key; the same key answers the same payment.

        A key that was confirmed before is answered before the quote's expiry is looked at.
        Raises CustomerMistake `mistake.quote_expired` or NoWayNow, with nothing moved.
        """
        ...

    async def last_payment(self, customer_id: CustomerId) -> PaymentSummary | None: ...

    def payer_operator(self, payer: Msisdn, network: str) -> str | None:
        """The operator a caller would pay from, or None when we serve none of theirs."""
        ...


class Press(NamedTuple):
    """One key press on its way into a verb.

    `value` is what the screen's reader made of it, `argument` the menu's `with:`. `key` names this
    step of this session for ever: an effect that is keyed by it happens once.
    """

    session: Session
    value: Any
    argument: str
    key: str


class VerbFacts(NamedTuple):
    """What the menu must know of a verb.

    `effects`: it changes something outside the session, so a dial string may not run it.
    `asks`: it waits for another room and is therefore given a deadline.
    """

    outcomes: tuple[str, ...]
    mistakes: tuple[str, ...] = ()
    argument: bool = False
    effects: bool = False
    asks: bool = False


_NUMBER_MISTAKES = (
    "mistake.own_number", "mistake.operator_unknown", "mistake.operator_unsupported",
)  # fmt: skip
_PAYEE_MISTAKES = (*_NUMBER_MISTAKES, "no_way.corridor")
_PRICE_MISTAKES = (
    *_NUMBER_MISTAKES, "mistake.amount_whole", "mistake.amount_min", "mistake.amount_max",
    "mistake.limit_payment",
)  # fmt: skip
_PAY_MISTAKES = (
    "mistake.pin_wrong", "mistake.quote_expired", "mistake.limit_payment", "mistake.limit_day",
    "mistake.limit_month",
)  # fmt: skip

VERBS: Mapping[str, VerbFacts] = {
    "find_customer": VerbFacts(("known", "new"), asks=True),
    "choose_language": VerbFacts(("chosen",), argument=True),
    "keep_pin": VerbFacts(("kept",), ("mistake.pin_weak",)),
    "register": VerbFacts(("registered",), ("mistake.pin_differs",), effects=True, asks=True),
    "begin_payment": VerbFacts(("ready",)),
    "choose_payee": VerbFacts(("chosen",), _PAYEE_MISTAKES),
    "quote": VerbFacts(("quoted",), _PRICE_MISTAKES, asks=True),
    "pay": VerbFacts(("confirmed",), _PAY_MISTAKES, effects=True, asks=True),
    "last_payment": VerbFacts(("sent", "received", "none"), asks=True),
    "set_language": VerbFacts(("changed",), argument=True, effects=True, asks=True),
}

Verb = Callable[[Press], Coroutine[Any, Any, str]]


class Actions:
    """The verbs, bound to the rooms they ask. `verbs` has exactly the names of `VERBS`."""

    def __init__(self, *, customers: Customers, payments: Payments, seal: Seal) -> None:
        self._customers = customers
        self._payments = payments
        self._seal = seal
        self.verbs: Mapping[str, Verb] = {name: getattr(self, f"_{name}") for name in VERBS}

    async def _find_customer(self, press: Press) -> str:
        session = press.session
        country = country_of(session.msisdn)
        if country not in CURRENCY_OF_COUNTRY:
            raise NoWayNow("no_way.corridor")
        session.country = country
        customer = await self._customers.find(session.msisdn)
        if customer is None:
            return "new"
        _recognise(session, customer)
        return "known"

    async def _choose_language(self, press: Press) -> str:
        press.session.language = press.argument
        return "chosen"

    async def _keep_pin(self, press: Press) -> str:
        session = press.session
        self._customers.refuse_weak(press.value, session.msisdn)
        session.pin_mac = self._seal.of(session, PIN, press.value)
        return "kept"

    async def _register(self, press: Press) -> str:
        session, pin = press.session, press.value
        first, session.pin_mac = session.pin_mac, None
        if first is None or not self._seal.matches(session, PIN, pin, first):
            raise CustomerMistake("mistake.pin_differs")
        customer = await self._customers.register(
            session.msisdn, session.country, session.language, pin
        )
        _recognise(session, customer)
        return "registered"

    async def _begin_payment(self, press: Press) -> str:
        session = press.session
        if self._payments.payer_operator(session.msisdn, session.network) is None:
            raise NoWayNow("no_way.corridor")
        return "ready"

    async def _choose_payee(self, press: Press) -> str:
        session = press.session
        try:
            self._payments.check_payee(
                payer=session.customer, network=session.network, payee=press.value
            )
        except NoWayNow as refusal:  # another number may do: ask again instead of ending
            raise CustomerMistake(refusal.text_key, **refusal.variables) from refusal
        session.payee = press.value
        return "chosen"

    async def _quote(self, press: Press) -> str:
        session = press.session
        assert session.payee is not None, "the amount is asked after the number"
        session.quote = await self._payments.quote(
            payer=session.customer,
            network=session.network,
            payee=session.payee,
            amount=press.value,
        )
        return "quoted"

    async def _pay(self, press: Press) -> str:
        session = press.session
        assert session.quote is not None, "the PIN is asked after the price"
        verdict = await self._customers.check_pin(session.customer, press.value)
        if verdict.locked_until is not None:
            raise NoWayNow("no_way.locked", time=verdict.locked_until)
        if not verdict.right:
            raise CustomerMistake("mistake.pin_wrong", left=verdict.left)
        confirmed = await self._payments.confirm(
            payer=session.customer, quote=session.quote, key=press.key
        )
        session.code = confirmed.code
        return "confirmed"

    async def _last_payment(self, press: Press) -> str:
        session = press.session
        session.summary = await self._payments.last_payment(session.customer.customer_id)
        if session.summary is None:
            return "none"
        return "received" if session.summary.incoming else "sent"

    async def _set_language(self, press: Press) -> str:
        session = press.session
        await self._customers.set_language(session.customer.customer_id, press.argument)
        session.language = press.argument
        return "changed"


def _recognise(session: Session, customer: Customer) -> None:
    """From here on the session carries the customer; nobody asks the database again."""
    session.customer_id = customer.customer_id
    session.language, session.country = customer.language, customer.country
    session.tier = customer.tier

"""What the verbs ask of other rooms: customers and payments, as narrow as a phone needs them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

from engine.clock import CustomerId
from engine.customers.customers import Customer, PinVerdict, Recipient
from engine.fx.quotes import Quote
from engine.money import Money
from engine.msisdn import Msisdn
from engine.payments.views import (
    Asked,
    Confirmed,
    LimitsLeft,
    MoneyRequest,
    PaymentSummary,
    RecentPayee,
)


class Customers(Protocol):
    """What the verbs ask of the customers' room."""

    async def find(self, msisdn: Msisdn) -> Customer | None: ...

    async def register(self, msisdn: Msisdn, country: str, language: str, pin: str) -> Customer: ...

    def refuse_weak(self, pin: str, msisdn: Msisdn) -> None:
        """Raises CustomerMistake `mistake.pin_weak`."""
        ...

    async def set_language(self, customer_id: CustomerId, language: str) -> None: ...

    async def note_network(self, customer: Customer, network: str) -> None:
        """Who served a dial of theirs. Writes only what is new; a repeat changes nothing."""
        ...

    async def check_pin(self, customer: Customer, pin: str, turn: str = "") -> PinVerdict:
        """Count a guess, the same of the same turn once.

        Raises OurFault for a key this process lacks, TimeoutError when busy.
        """
        ...

    async def change_pin(self, customer: Customer, pin: str) -> None:
        """Only after `check_pin` found the old one right. Raises NoWayNow when locked since."""
        ...

    async def ask_pin_reset(self, customer: Customer) -> None:
        """Ask staff for a new PIN. Asking again changes nothing."""
        ...

    async def reset_pin(self, customer: Customer, pin: str) -> None:
        """Once after staff allowed it. Raises CustomerMistake `mistake.reset_over`."""
        ...

    async def recipients(self, customer_id: CustomerId) -> Sequence[Recipient]: ...

    async def save_recipient(self, customer_id: CustomerId, msisdn: Msisdn, name: str) -> None:
        """Raises CustomerMistake `mistake.recipients_full`, `mistake.name`."""
        ...

    async def remove_recipient(self, customer_id: CustomerId, msisdn: Msisdn) -> None: ...


class Payments(Protocol):
    """What the verbs ask of the payments' room."""

    async def check_payee(self, *, payer: Customer, network: str, payee: Msisdn) -> None:
        """Raises CustomerMistake or NoWayNow when no payment to this number could be priced."""
        ...

    def payable_wallets(self, *, payer: Customer, network: str, payee: Msisdn) -> Sequence[str]:
        """Operators of the payee's country that could be paid into. Raises nothing."""
        ...

    async def quote(
        self,
        *,
        payer: Customer,
        network: str,
        payee: Msisdn,
        amount: Money,
        wallet: str | None = None,
    ) -> Quote:
        """Price a payment. Raises CustomerMistake or NoWayNow; moves nothing.

        `wallet` is the operator by the payer's own word; else we find out.
        """
        ...

    async def confirm(
        self, *, payer: Customer, quote: Quote, key: str, by_pin: bool = False, told: str = ""
    ) -> Confirmed:
        """Take a payment on, once per key; the same key answers the same payment.

        `told` is what the payee's operator named them with this price, whole; "" for nothing.
        `by_pin`: our PIN was typed for it. Without, `session.dial_instead` is said where nobody
        else asks the payer.
        A key that was confirmed before is answered before the quote's expiry is looked at.
        Raises CustomerMistake `mistake.quote_expired` or NoWayNow, with nothing moved.
        """
        ...

    async def code_of_key(self, key: str) -> str | None:
        """The code of the payment that was confirmed under a key; None when none was."""
        ...

    async def give_up(self, keys: Sequence[str]) -> str | None:
        """Let no payment be taken on under these keys any more, also one that is under way.

        The code of the newest that was: then it stays, and only the other keys are given up.
        """
        ...

    def payer_operator(self, payer: Msisdn, network: str) -> str | None:
        """The operator a caller would pay from, or None when we serve none of theirs."""
        ...

    def payer_currency(self, payer: Msisdn, network: str) -> str | None:
        """The currency of a caller's wallet; None for a country that nobody pays from."""
        ...

    async def recent_payments(
        self, customer_id: CustomerId, msisdn: Msisdn, most: int = 10
    ) -> Sequence[PaymentSummary]: ...

    async def recent_payees(
        self, customer_id: CustomerId, most: int = 5
    ) -> Sequence[RecentPayee]: ...

    async def payment_by_code(self, customer: Customer, code: str) -> PaymentSummary | None:
        """Only the customer's own, as payer or as payee."""
        ...

    async def confirmed_with_code(
        self, customer_id: CustomerId, code: str, since: datetime
    ) -> PaymentSummary | None: ...

    async def confirmed_since(
        self, customer_id: CustomerId, since: datetime
    ) -> PaymentSummary | None: ...

    async def cancel(self, customer: Customer, code: str, *, key: str) -> PaymentSummary:
        """Raises NoWayNow `no_way.sent` when the operator was asked already."""
        ...

    async def report_problem(self, customer: Customer, code: str, reason: str) -> str:
        """Open a case for staff, once per payment; the reference to tell.

        `reason` is one of `engine.menu.vocabulary.REASONS`; of a repeat the first one stands.
        """
        ...

    async def limits_of(self, customer: Customer, currency: str) -> LimitsLeft: ...

    async def check_payer(self, requester: Customer, network: str, payer: Msisdn) -> None:
        """Whether they could be asked at all. Raises what `ask` would of numbers; asks nobody."""
        ...

    async def check_request(
        self, requester: Customer, network: str, payer: Msisdn, amount: Money
    ) -> None:
        """Whether that much could be asked of them. Raises what `ask` would; asks nobody."""
        ...

    async def ask(
        self, requester: Customer, network: str, payer: Msisdn, amount: Money, *, key: str
    ) -> Asked:
        """Ask somebody for money, once per key. Raises CustomerMistake."""
        ...

    async def requests_to(self, msisdn: Msisdn, most: int = 10) -> Sequence[MoneyRequest]: ...

    async def requests_by(self, customer_id: CustomerId, most: int = 10) -> Sequence[MoneyRequest]:
        """What a customer asked for, `payer` told, and what became of it; the newest first."""
        ...

    async def decline(self, payer: Customer, code: str) -> None: ...

    async def quote_request(self, payer: Customer, network: str, code: str) -> Quote:
        """Raises CustomerMistake, `mistake.request_gone` when it is no longer open, or NoWayNow."""
        ...


class Names(Protocol):
    """What the verbs ask of operators, and only for courtesy."""

    async def of(self, operator: str, msisdn: Msisdn, due: float) -> str:
        """Whose wallet it is, in the operator's own words, "" when nobody tells by `due` (monotonic
        seconds). No screen shows it but as `engine.session.names.shown_holder`. Raises nothing.
        """
        ...


class Words(Protocol):
    """The sentence catalogue, as far as a list's lines need it."""

    names: Any
    """Language -> its own name."""

    def render(self, language: str, key: str, /, **variables: Any) -> str: ...

    def offered(self, country: str) -> tuple[str, ...]:
        """Languages offered in a country, the usual one first."""
        ...

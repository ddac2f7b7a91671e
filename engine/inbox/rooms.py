"""What the answers ask of other rooms, as narrow as a message needs them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from engine.clock import CustomerId
from engine.customers.customers import Customer
from engine.fx.quotes import Quote
from engine.money import Money
from engine.msisdn import Msisdn
from engine.payments.views import Confirmed, LimitsLeft, PaymentSummary
from engine.ports import Reply, Turn


class Journeys(Protocol):
    """`engine.session.turn.TurnTaker`: any journey, walked by replies."""

    async def take(self, turn: Turn) -> Reply: ...


class Customers(Protocol):
    """Who has a number."""

    async def find(self, msisdn: Msisdn) -> Customer | None: ...

    async def set_language(self, customer_id: CustomerId, language: str) -> None: ...


class Payments(Protocol):
    """Prices, payments and limits. Raises CustomerMistake and NoWayNow."""

    async def quote(
        self, *, payer: Customer, network: str, payee: Msisdn, amount: Money
    ) -> Quote: ...

    def payer_currency(self, payer: Msisdn, network: str) -> str | None: ...

    def must_be_prompted(self, operator: str) -> None: ...

    async def confirm(
        self, *, payer: Customer, quote: Quote, key: str, told: str = ""
    ) -> Confirmed: ...

    async def give_up(self, keys: Sequence[str]) -> str | None:
        """Let no payment be made under these keys any more; the code of the newest that was."""
        ...

    async def cancel(self, customer: Customer, code: str, *, key: str) -> PaymentSummary: ...

    async def recent_payments(
        self, customer_id: CustomerId, msisdn: Msisdn, most: int = 10
    ) -> Sequence[PaymentSummary]: ...

    async def confirmed_since(
        self, customer_id: CustomerId, since: datetime
    ) -> PaymentSummary | None: ...

    async def payment_by_code(self, customer: Customer, code: str) -> PaymentSummary | None: ...

    async def limits_of(self, customer: Customer, currency: str) -> LimitsLeft: ...


class Names(Protocol):
    """`engine.session.names.OperatorNames`: a courtesy of operators."""

    async def of(self, operator: str, msisdn: Msisdn, due: float) -> str:
        """Whose wallet it is, in the operator's own words, "" when nobody tells by `due` (monotonic
        seconds). Raises nothing.
        """
        ...


class OptOuts(Protocol):
    """Who wants no messages; False when nothing changed."""

    async def stop(self, msisdn: Msisdn) -> bool: ...

    async def start(self, msisdn: Msisdn) -> bool: ...

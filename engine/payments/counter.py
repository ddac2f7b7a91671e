"""All that a customer may ask of payments, in one place: for the verbs of menus and of SMS.

Hands on and translates; it decides nothing about money and knows no session.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from engine.clock import Clock, CustomerId, PaymentId
from engine.compliance.compliance import Standing
from engine.customers.customers import Customer
from engine.desk.cases import REPORTED
from engine.errors import CustomerMistake
from engine.fx.quotes import Quote
from engine.money import CURRENCIES, Money
from engine.msisdn import Msisdn
from engine.payments.confirming import Confirming
from engine.payments.facts import Ruling
from engine.payments.past_store import PastStore
from engine.payments.payment import code_of
from engine.payments.requests import Requests
from engine.payments.rulings import Rulings
from engine.payments.selling import Selling
from engine.payments.spending import left_of
from engine.payments.store import PaymentStore
from engine.payments.views import (
    Asked,
    Confirmed,
    LimitsLeft,
    MoneyRequest,
    PaymentSummary,
    RecentPayee,
)


class Counter:
    """Where customers of one tenant are served. Every method may be repeated."""

    def __init__(
        self,
        *,
        tenant: int,
        selling: Selling,
        confirming: Confirming,
        rulings: Rulings,
        requests: Requests,
        past: PastStore,
        store: PaymentStore,
        limits_now: Callable[[Customer, str], Awaitable[Standing]],
        clock: Clock,
    ) -> None:
        """`limits_now` says what binds a customer in a currency (`Clearing.limits_now`)."""
        self._tenant = tenant
        self._selling = selling
        self._confirming = confirming
        self._rulings = rulings
        self._requests = requests
        self._past = past
        self._store = store
        self._limits_now = limits_now
        self._clock = clock

    # Paying.

    def payer_operator(self, payer: Msisdn, network: str) -> str | None:
        """As `Selling.payer_operator`."""
        return self._selling.payer_operator(payer, network)

    def payer_currency(self, payer: Msisdn, network: str) -> str | None:
        """As `Selling.payer_currency`."""
        return self._selling.payer_currency(payer, network)

    async def check_payee(self, *, payer: Customer, network: str, payee: Msisdn) -> None:
        """As `Selling.check_payee`."""
        await self._selling.check_payee(payer=payer, network=network, payee=payee)

    def payable_wallets(self, *, payer: Customer, network: str, payee: Msisdn) -> tuple[str, ...]:
        """As `Selling.payable_wallets`."""
        return self._selling.payable_wallets(payer=payer, network=network, payee=payee)

    async def quote(
        self,
        *,
        payer: Customer,
        network: str,
        payee: Msisdn,
        amount: Money,
        wallet: str | None = None,
    ) -> Quote:
        """As `Selling.quote`."""
        return await self._selling.quote(
            payer=payer, network=network, payee=payee, amount=amount, wallet=wallet
        )

    def must_be_prompted(self, operator: str) -> None:
        """As `Selling.must_be_prompted`."""
        self._selling.must_be_prompted(operator)

    async def confirm(
        self, *, payer: Customer, quote: Quote, key: str, by_pin: bool = False, told: str = ""
    ) -> Confirmed:
        """As `Confirming.confirm`, of a quote for a request as well."""
        return await self._confirming.confirm(
            payer=payer, quote=quote, key=key, by_pin=by_pin, told=told
        )

    async def code_of_key(self, key: str) -> str | None:
        """The code of the payment that was confirmed under a key; None when none was."""
        known = await self._store.keys.payment(self._tenant, key)
        return code_of(known[0]) if known is not None else None

    async def give_up(self, keys: Sequence[str]) -> str | None:
        """As `PaymentKeys.give_up`; the code of the newest payment there is, or None."""
        taken = await self._store.keys.give_up(self._tenant, keys) if keys else None
        return code_of(taken) if taken is not None else None

    # What was paid.

    async def recent_payments(
        self, customer_id: CustomerId, msisdn: Msisdn, most: int = 10
    ) -> list[PaymentSummary]:
        """Sent and received, the newest first; received ones once they have arrived."""
        return await self._past.recent_payments(customer_id, msisdn, most)

    async def payment_by_code(self, customer: Customer, code: str) -> PaymentSummary | None:
        """One's own payment, as payer or payee; None for every other code."""
        return await self._past.payment_by_code(customer.customer_id, customer.msisdn, code)

    async def confirmed_with_code(
        self, customer_id: CustomerId, code: str, since: datetime
    ) -> PaymentSummary | None:
        """What the customer confirmed at that moment or later, by its code."""
        return await self._past.confirmed_with_code(customer_id, code, since)

    async def confirmed_since(
        self, customer_id: CustomerId, since: datetime
    ) -> PaymentSummary | None:
        """The newest payment the customer confirmed at that moment or later."""
        return await self._past.confirmed_since(customer_id, since)

    async def recent_payees(self, customer_id: CustomerId, most: int = 5) -> list[RecentPayee]:
        """As `PastStore.recent_payees`."""
        return await self._past.recent_payees(customer_id, most)

    # What can be done about it.

    async def cancel(self, customer: Customer, code: str, *, key: str) -> PaymentSummary:
        """Withdraw one's own payment before the operator is asked; a repeat answers the same.

        `key` is kept with the decision. Raises NoWayNow `no_way.sent` when the operator may have
        been asked already, CustomerMistake `mistake.code_unknown` when it is no payment that
        the customer made. What another process ended at the same moment is answered as it stands.
        """
        payment_id, summary = await self._own(customer, code)
        if summary.incoming:
            raise CustomerMistake("mistake.code_unknown")
        await self._rulings.cancel(payment_id, Ruling(f"the payer cancelled it: {key}"))
        _, after = await self._own(customer, code)
        return after

    async def report_problem(self, customer: Customer, code: str, reason: str) -> str:
        """Put one's own payment, sent or received, on staff's desk; the reference to ask by.

        `reason` is what the customer says is wrong, as a word of ours. The reference is the
        payment's code and which of its reports this is: a repeat is the same one until staff have
        closed it. Raises CustomerMistake `mistake.code_unknown`.
        """
        payment_id, summary = await self._own(customer, code)
        who = "payee" if summary.incoming else "payer"
        what = f"{reason.replace('_', ' ')} ({summary.state})"
        detail = f"payment {summary.code}: its {who} reports: {what}"
        now_ms = int(self._clock.epoch() * 1000)
        number = await self._store.cases.open_one(
            payment_id, self._tenant, REPORTED, detail, now_ms
        )
        return f"{summary.code}-{number}"

    async def limits_of(self, customer: Customer, currency: str) -> LimitsLeft:
        """What the tier allows for one payment, and what is left today and this month.

        Amounts are before the fee. Days and months are those of the customer's country; what is
        left today is never more than what is left of the month. Raises NoWayNow
        `no_way.corridor` for a currency without limits.
        """
        standing = await self._limits_now(customer, currency)
        ceiling = standing.ceiling
        numeric = CURRENCIES[currency].numeric
        left = left_of(
            await self._store.spent(self._tenant, customer.customer_id, numeric),
            day=standing.when.day,
            month=standing.when.month,
            day_minor_max=ceiling.day_minor_max,
            month_minor_max=ceiling.month_minor_max,
        )
        return LimitsLeft(
            standing.tier,
            Money(ceiling.payment_minor_max, currency),
            Money(left.day_minor, currency),
            Money(left.month_minor, currency),
        )

    # Requests for money.

    async def check_payer(self, requester: Customer, network: str, payer: Msisdn) -> None:
        """As `Requests.check_payer`."""
        await self._requests.check_payer(requester, network, payer)

    async def check_request(
        self, requester: Customer, network: str, payer: Msisdn, amount: Money
    ) -> None:
        """As `Requests.check`."""
        await self._requests.check(requester, network, payer, amount)

    async def ask(
        self, requester: Customer, network: str, payer: Msisdn, amount: Money, *, key: str
    ) -> Asked:
        """As `Requests.ask`."""
        return await self._requests.ask(requester, network, payer, amount, key=key)

    async def requests_to(self, msisdn: Msisdn, most: int = 10) -> list[MoneyRequest]:
        """As `Requests.requests_to`."""
        return await self._requests.requests_to(msisdn, most)

    async def requests_by(self, customer_id: CustomerId, most: int = 10) -> list[MoneyRequest]:
        """As `Requests.requests_by`."""
        return await self._requests.requests_by(customer_id, most)

    async def quote_request(self, payer: Customer, network: str, code: str) -> Quote:
        """As `Requests.quote_request`."""
        return await self._requests.quote_request(payer, network, code)

    async def decline(self, payer: Customer, code: str) -> None:
        """As `Requests.decline`."""
        await self._requests.decline(payer, code)

    async def _own(self, customer: Customer, code: str) -> tuple[PaymentId, PaymentSummary]:
        found = await self._past.find(customer.customer_id, customer.msisdn, code)
        if found is None:
            raise CustomerMistake("mistake.code_unknown")
        return found

"""Compliance's answers in the words of payments: `clear` and `clear_again` of the policy.

Neither limits nor names are known here; what a payment counts and who takes part is handed over.
"""

from collections.abc import Awaitable, Callable
from functools import partial

from engine.clock import Clock, CustomerId
from engine.compliance.compliance import Compliance, Payer, Standing
from engine.compliance.history import Question
from engine.compliance.limits import Allowance
from engine.customers.customers import Customer
from engine.decisions import Decision
from engine.fx.quotes import Quote
from engine.ledger.plans import Spend
from engine.money import CURRENCIES, Money
from engine.msisdn import Msisdn
from engine.payments.payment import Payment
from engine.payments.policy import Clearance
from engine.payments.sims import Sims

Ask = Callable[[str, Msisdn], Awaitable[str]]
"""An operator for the name of a number's holder, "" when it tells none. Raises nothing."""


async def _nobody(_: str, __: Msisdn) -> str:
    return ""


class Clearing:
    """The half of the policy that compliance answers."""

    def __init__(
        self,
        compliance: Compliance,
        clock: Clock,
        ask: Ask = _nobody,
        *,
        sims: Sims | None = None,
    ) -> None:
        """`ask` is asked before a payout, of a payee whose name was told, once lists changed: the
        wallet's operator, whoever pays out. Without `sims` nobody is asked when a payer's SIM was
        changed.
        """
        self._compliance = compliance
        self._clock = clock
        self._ask = ask
        self._sims = sims if compliance.asks_of_sims else None

    def check_amount(self, payer: Customer, amount: Money) -> None:
        """Raises CustomerMistake `mistake.limit_payment`."""
        self._compliance.check_amount(payer.tier, amount)

    async def limits_now(self, payer: Customer, currency: str) -> Standing:
        """What the payer's tier allows today. Raises NoWayNow for a currency without limits."""
        asked = Payer(payer.msisdn, payer.country, payer.tier)
        return await self._compliance.limits_now(asked, currency, self._clock.now())

    async def clear(self, payer: Customer, quote: Quote, told: str = "") -> Clearance:
        """May it be confirmed? What counts against limits is the amount before the fee.

        `told` is the payee's name by their operator's word; it is compared and not kept.
        Raises CustomerMistake `mistake.limit_payment`, NoWayNow `no_way.refused` or `no_way.busy`.
        A repeat leaves no second trace.
        """
        answer = await self._compliance.check(
            Payer(payer.msisdn, payer.country, payer.tier), self._question(quote), told
        )
        assert answer.allowance is not None, "a confirm always counts"
        if self._sims is not None:
            self._sims.ask_ahead(quote.payer_operator, payer.msisdn)
        currency = quote.amount.currency
        return Clearance(answer.decision, spend_of(payer.customer_id, currency, answer.allowance))

    async def clear_again(self, payment: Payment) -> Decision | None:
        """A decision to hold, if somebody is named by a list that changed since the terms'
        clearance, or by a name that staff took down since, or if the payer's SIM was changed a
        short while ago.

        Terms without one, as those of a payee in another's place, are compared with the lists.
        """
        quote, sim = payment.quote, None
        if self._sims is not None:
            sim = await self._sims.of(quote.payer_operator, Msisdn(quote.payer))
        answer = await self._compliance.recheck(
            payment.facts.clearance,
            self._question(quote),
            partial(self._ask, quote.payee_operator, Msisdn(quote.payee)),
            sim=sim,
        )
        return answer.decision if answer is not None and answer.is_hold else None

    def _question(self, quote: Quote) -> Question:
        return Question(
            quote.quote_id,
            self._clock.now(),
            Msisdn(quote.payer),
            Msisdn(quote.payee),
            quote.amount,
            quote.receives,
        )


def spend_of(customer_id: CustomerId, currency: str, allowance: Allowance) -> Spend:
    """What the commit is to count."""
    return Spend(
        customer_id,
        CURRENCIES[currency].numeric,
        allowance.day,
        allowance.month,
        allowance.minor,
        allowance.day_minor_max,
        allowance.month_minor_max,
    )

"""Compliance's answers in the words of payments: `clear` and `clear_again` of the policy.

Neither limits nor names are known here; what a payment counts and who takes part is handed over.
"""

import asyncio

from engine.clock import Clock, CustomerId
from engine.compliance.compliance import Compliance, Payer, Standing
from engine.compliance.history import Question
from engine.compliance.limits import Allowance
from engine.compliance.people import PAYER
from engine.customers.customers import Customer
from engine.decisions import Decision
from engine.fx.quotes import Quote
from engine.ledger.plans import Spend
from engine.money import CURRENCIES, Money
from engine.msisdn import Msisdn
from engine.payments.payment import Payment
from engine.payments.policy import Clearance
from engine.payments.sims import Sims
from engine.payments.told_names import ToldNames, Wallet
from engine.tasks import beside


class Clearing:
    """The half of the policy that compliance answers."""

    def __init__(
        self,
        compliance: Compliance,
        clock: Clock,
        *,
        names: ToldNames | None = None,
        sims: Sims | None = None,
    ) -> None:
        """`names` asks the operators of both wallets, whoever pays out; without it no operator is
        asked for a name, and without `sims` none when a payer's SIM was changed.
        """
        self._compliance = compliance
        self._clock = clock
        self._names = names
        self._sims = sims if compliance.asks_of_sims else None

    def check_amount(self, payer: Customer, amount: Money) -> None:
        """Raises CustomerMistake `mistake.limit_payment`."""
        self._compliance.check_amount(payer.tier, amount)

    async def limits_now(self, payer: Customer, currency: str) -> Standing:
        """What the payer's tier allows today. Raises NoWayNow for a currency without limits."""
        asked = Payer(payer.msisdn, payer.country, payer.tier)
        return await self._compliance.limits_now(asked, currency, self._clock.now())

    async def clear(
        self, payer: Customer, quote: Quote, told: str = "", *, expected: str = ""
    ) -> Clearance:
        """May it be confirmed? What counts against limits is the amount before the fee.

        `told` is the payee's name by their operator's word, `expected` by that of the client that
        asks; they are compared, and not kept here. Who has none by then is asked about behind it.
        Raises CustomerMistake `mistake.limit_payment`, NoWayNow `no_way.refused` or `no_way.busy`.
        A repeat leaves no second trace.
        """
        answer = await self._compliance.check(
            Payer(payer.msisdn, payer.country, payer.tier), self._question(quote), told,
            expected=expected,
        )  # fmt: skip
        assert answer.allowance is not None, "a confirm always counts"
        if self._sims is not None:
            self._sims.ask_ahead(quote.payer_operator, payer.msisdn)
        if self._names is not None:
            for who in await self._compliance.unnamed(answer.decision):
                self._names.ask_ahead(*_wallet(quote, who))
        currency = quote.amount.currency
        return Clearance(answer.decision, spend_of(payer.customer_id, currency, answer.allowance))

    async def clear_again(self, payment: Payment) -> Decision | None:
        """A decision to hold, if somebody is named by a list that changed since the terms'
        clearance, or by a name that staff took down or an operator told since, or if the payer's
        SIM was changed a short while ago.

        Terms without one, as those of a payee in another's place, are compared with the lists.
        Where a list is lacking that is required nobody is asked, and the decision is to wait.
        """
        if (waits := await self._compliance.why_waiting()) is not None:
            return waits
        quote, earlier = payment.quote, payment.facts.clearance
        if self._sims is None:  # as mostly: no task of its own for every payout
            sim, told = None, await self._told(quote, earlier)
        else:
            asked = self._sims.of(quote.payer_operator, Msisdn(quote.payer))
            async with beside(asked) as answered:
                told = await self._told(quote, earlier)
                sim = await answered
        expected = quote.expected.payee_name if quote.expected is not None else ""
        answer = await self._compliance.recheck(
            earlier, self._question(quote), told, sim=sim, expected=expected
        )
        return answer.decision if answer is not None and answer.is_hold else None

    async def _told(self, quote: Quote, earlier: Decision | None) -> dict[str, str | None]:
        """What operators tell of those who have no name yet, both asked at once."""
        told: dict[str, str | None] = {}
        names = self._names
        if names is None:
            return told

        async def missing() -> list[str]:
            people = await self._compliance.unnamed(earlier)
            return [w for w in people if w not in told and names.tells(_wallet(quote, w)[0])]

        while asked := await missing():  # again where the lists have changed meanwhile
            answers = (names.of(*_wallet(quote, who)) for who in asked)
            told.update(zip(asked, await asyncio.gather(*answers), strict=True))
        return told

    def _question(self, quote: Quote) -> Question:
        return Question(
            quote.quote_id,
            self._clock.now(),
            Msisdn(quote.payer),
            Msisdn(quote.payee),
            quote.amount,
            quote.receives,
        )


def _wallet(quote: Quote, who: str) -> Wallet:
    if who == PAYER:
        return quote.payer_operator, Msisdn(quote.payer)
    return quote.payee_operator, Msisdn(quote.payee)


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

"""What a payment costs, as it is promised for a while.

Asks the policy, the rates and the ways; stores nothing, and knows nothing of what becomes of a
price (`confirming.py`).
"""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from engine.clock import Clock, Ids
from engine.customers.customers import Customer
from engine.decisions import Decision
from engine.errors import CustomerMistake, NoWayNow
from engine.fx.quotes import Corridor, Quote
from engine.fx.rates import Rate, RateBook
from engine.money import Money
from engine.msisdn import Msisdn, country_of
from engine.payments.outlook import Outlook
from engine.payments.planning import Timing
from engine.payments.policy import Policy
from engine.payments.portability import Wallet
from engine.payments.pricing import amount_for, arrives, price
from engine.payments.router import Router
from engine.payments.routing import Directory, Ways
from engine.payments.wallets import Wallets
from engine.tasks import beside


class Payee(NamedTuple):
    """Who is to be paid, as far as it is known: whose wallet the number is, and its language."""

    msisdn: Msisdn
    wallet: Wallet
    language: str


class Terms(NamedTuple):
    """What an amount is priced by at this moment."""

    ways: Ways
    corridor: Corridor
    rate: Rate


class Selling:
    """The prices of one tenant. Every method may be repeated."""

    def __init__(
        self,
        *,
        rates: RateBook,
        directory: Directory,
        language_of: Callable[[Msisdn], Awaitable[str]],
        clock: Clock,
        ids: Ids,
        timing: Timing,
        policy: Policy,
        router: Router | None,
        wallets: Wallets | None,
    ) -> None:
        """`router` and `wallets` as in `Payments`."""
        self._rates = rates
        self._directory = directory
        self._language_of = language_of
        self._clock = clock
        self._ids = ids
        self._timing = timing
        self._policy = policy
        self._router = router
        self._wallets = wallets or Wallets(directory)

    def payer_operator(self, payer: Msisdn, network: str) -> str | None:
        """The operator whose wallet would be collected from, if we can collect there."""
        facts = self._directory.by_name.get(self._directory.payer_operator(payer, network) or "")
        return facts.name if facts and facts.can_collect else None

    def payer_currency(self, payer: Msisdn, network: str) -> str | None:
        """As `Directory.payer_currency`."""
        return self._directory.payer_currency(payer, network)

    def must_be_prompted(self, operator: str) -> None:
        """As `Directory.must_be_prompted`."""
        self._directory.must_be_prompted(operator)

    async def wallet_of(self, msisdn: Msisdn) -> Wallet:
        """Whose wallet a number is, by everybody who may know; changes nothing."""
        return await self._wallets.of(msisdn)

    async def payee(self, msisdn: Msisdn, wallet: str | None = None) -> Payee:
        """Who a number is, by everybody who may know, all asked at once; changes nothing.

        `wallet` is whose its wallet is by the payer's own word, for this payment alone.
        """
        async with beside(self._language_of(msisdn)) as language:
            whose = await self._wallets.of(msisdn, wallet)
            return Payee(msisdn, whose, await language)

    async def check_payee(self, *, payer: Customer, network: str, payee: Msisdn) -> None:
        """Whether a payment to this number could be priced at all, before anybody types more.

        Raises what `quote` would: CustomerMistake about the number, NoWayNow without a corridor.
        """
        wallet = await self._wallets.of(payee)
        ways = self._directory.choose_ways(payer.msisdn, network, payee, wallet=wallet.operator)
        self._rates.corridor(ways.payer.name, ways.payee.name)

    def payable_wallets(self, *, payer: Customer, network: str, payee: Msisdn) -> tuple[str, ...]:
        """Operators of the payee's country that this payer could pay into, by name.

        What a payer may choose from who knows better than the number's prefix. Corridors decide;
        none is empty.
        """
        named = self._directory.wallets_in(country_of(payee) or "")
        return tuple(name for name in named if self._is_open(payer.msisdn, network, payee, name))

    def _is_open(self, payer: Msisdn, network: str, payee: Msisdn, wallet: str) -> bool:
        try:
            ways = self._directory.choose_ways(payer, network, payee, wallet=wallet)
            self._rates.corridor(ways.payer.name, ways.payee.name)
        except (CustomerMistake, NoWayNow):
            return False
        return True

    def check_way(self, *, payer: Msisdn, payee: Msisdn, wallet: str) -> None:
        """Whether money could be asked for that way at all, however much.

        Raises CustomerMistake about the payer's number, or NoWayNow without a corridor.
        """
        ways = self._directory.choose_ways(payer, "", payee, wallet=wallet)
        self._rates.corridor(ways.payer.name, ways.payee.name)

    def check_asked(self, *, payer: Msisdn, payee: Msisdn, wallet: str, receives: Money) -> None:
        """Whether that much could be made to arrive in the payee's wallet, by today's price.

        Raises CustomerMistake about the amount, in the currency that arrives, or NoWayNow without
        a corridor or a fresh rate. What the payer may spend is not asked here.
        """
        terms = self._terms(self._directory.choose_ways(payer, "", payee, wallet=wallet))
        ways, corridor, rate = terms
        if ways.payee.currency != receives.currency:
            raise NoWayNow("no_way.corridor")
        if receives.minor % ways.payee.unit_minor:
            raise CustomerMistake("mistake.amount_whole")
        if receives.minor > ways.payee.disburse_minor_max:
            most = Money(ways.payee.disburse_minor_max, receives.currency)
            raise CustomerMistake("mistake.amount_max", maximum=most)
        lowest = Money(corridor.amount_minor_min, ways.payer.currency)
        least = arrives(lowest, rate.mid, corridor, ways.payer, ways.payee)
        if receives.minor < least.minor:
            raise CustomerMistake("mistake.amount_min", minimum=least)
        try:
            amount = amount_for(receives, rate.mid, corridor, ways.payer, ways.payee)
            price(amount, rate.mid, corridor, ways.payer, ways.payee)
        except CustomerMistake as mistake:
            bounds = {
                name: arrives(bound, rate.mid, corridor, ways.payer, ways.payee)
                for name, bound in mistake.variables.items()
            }
            raise CustomerMistake(mistake.text_key, **bounds) from mistake

    async def quote(
        self,
        *,
        payer: Customer,
        network: str,
        payee: Msisdn,
        amount: Money,
        wallet: str | None = None,
    ) -> Quote:
        """A price that is promised for `Timing.quote` seconds. Nothing is stored or reserved.

        `wallet` is whose the payee's wallet is by the payer's own word, for this payment alone;
        else everybody who may know is asked, and the quote keeps why one was believed. Raises
        CustomerMistake (own number, unknown operator, limits) or NoWayNow (no corridor, no fresh
        rate).
        """
        known = await self.payee(payee, wallet)
        return self.offer(payer=payer, network=network, payee=known, amount=amount)

    def offer(
        self,
        *,
        payer: Customer,
        network: str,
        payee: Payee,
        amount: Money,
        from_pool: bool = True,
    ) -> Quote:
        """As `quote`, of a payee who was looked up before. Waits for nobody.

        `from_pool` is as in `Router.rank`.
        """
        wallet = payee.wallet.operator
        ways = self._directory.choose_ways(payer.msisdn, network, payee.msisdn, wallet=wallet)
        if ways.payer.currency != amount.currency:
            raise NoWayNow("no_way.corridor")
        return self._priced(
            payer, payee, amount, self._terms(ways), payee.wallet.decision, from_pool=from_pool
        )

    async def quote_receiving(
        self, *, payer: Customer, network: str, payee: Msisdn, wallet: str, receives: Money
    ) -> Quote:
        """As `quote`, of the smallest amount that lets at least `receives` arrive in that wallet.

        Rounding: `pricing.amount_for`. The rate may have moved since somebody asked for it.
        """
        ways = self._directory.choose_ways(payer.msisdn, network, payee, wallet=wallet)
        if ways.payee.currency != receives.currency:
            raise NoWayNow("no_way.corridor")
        terms = self._terms(ways)
        amount = amount_for(receives, terms.rate.mid, terms.corridor, ways.payer, ways.payee)
        return self._priced(payer, await self.payee(payee, wallet), amount, terms)

    async def outlook(
        self,
        *,
        payer: Customer,
        network: str,
        payee: Msisdn,
        amount: Money,
        from_pool: bool = True,
    ) -> Outlook | None:
        """Whether a client's payment would succeed now, as far as operators and pools go.

        None where nothing is known of operators' health. Stores nothing. `from_pool` is as in
        `Router.rank`. Raises what `quote` does, but not for having no way: that is told.
        """
        whose = await self._wallets.of(payee)
        ways = self._directory.choose_ways(payer.msisdn, network, payee, wallet=whose.operator)
        if ways.payer.currency != amount.currency:
            raise NoWayNow("no_way.corridor")
        self.must_be_prompted(ways.payer.name)
        _, corridor, rate = self._terms(ways)
        self._policy.check_amount(payer, amount)
        priced = price(amount, rate.mid, corridor, ways.payer, ways.payee)
        if self._router is None:
            return None
        return self._router.outlook(ways, amount, priced, from_pool=from_pool)

    def _terms(self, ways: Ways) -> Terms:
        corridor = self._rates.corridor(ways.payer.name, ways.payee.name)
        rate = self._rates.rate(ways.payer.currency, ways.payee.currency)
        return Terms(ways, corridor, rate)

    def _priced(
        self,
        payer: Customer,
        payee: Payee,
        amount: Money,
        terms: Terms,
        whose: Decision | None = None,
        *,
        from_pool: bool = True,
    ) -> Quote:
        ways, corridor, rate = terms
        self._policy.check_amount(payer, amount)
        priced = price(amount, rate.mid, corridor, ways.payer, ways.payee)
        ranking = (
            self._router.choose(ways, amount, priced, from_pool=from_pool) if self._router else None
        )
        decided = [whose, ranking.decision if ranking else None]
        expires_at = int(self._clock.epoch()) + self._timing.quote
        return Quote(
            quote_id=self._ids.hex(),
            payer=payer.msisdn,
            payee=payee.msisdn,
            payer_operator=ways.payer.name,
            payee_operator=ways.wallet,
            amount=amount,
            fee=priced.fee,
            receives=priced.receives,
            rate=priced.rate,
            mid=f"{rate.mid:f}",
            spread_minor=priced.spread_minor,
            rounding_minor=priced.rounding_minor,
            value_at_mid_minor=priced.value_at_mid_minor,
            collection_cost_minor=priced.collection_cost_minor,
            payout_cost_minor_max=(
                ranking.payout_cost_minor_max if ranking else corridor.payout_cost_minor
            ),
            payer_language=payer.language,
            payee_language=payee.language,
            expires_at=expires_at,
            pay_until=expires_at + self._timing.pay_within,
            ways=ranking.ways if ranking else (ways.payee.name,),
            fee_is_refunded=corridor.fee_is_refunded,
            rate_at_ms=rate.at_ms,
            decisions=tuple(decision for decision in decided if decision is not None),
            way_costs=ranking.way_costs if ranking else (),
        )

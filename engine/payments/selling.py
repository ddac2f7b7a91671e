"""What is promised and taken on: the price of a payment, and its first commit.

Asks the policy, the rates and the ways; knows nothing of what operators tell afterwards
(`service.py`), and nothing of who asked whom for money but the mark that a quote carries.
"""

import hashlib
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from engine.clock import Clock, CustomerId, Ids, PaymentId
from engine.customers.customers import Customer
from engine.decisions import Decision
from engine.errors import CappError, CustomerMistake, NoWayNow, OurFault
from engine.fx.quotes import Corridor, Quote
from engine.fx.rates import Rate, RateBook
from engine.ledger.commit import Committer
from engine.ledger.plans import Plan, Spend, Verdict, Verdicted
from engine.money import Money
from engine.msisdn import Msisdn, country_of
from engine.payments.facts import Facts, write
from engine.payments.lifecycle import Event, State, advance
from engine.payments.outlook import Outlook
from engine.payments.payment import Payment, code_of
from engine.payments.planning import Creation, Planner, Timing
from engine.payments.policy import Policy
from engine.payments.portability import Wallet
from engine.payments.pricing import amount_for, arrives, price
from engine.payments.router import Router
from engine.payments.routing import Directory, Ways
from engine.payments.stepping import Hear
from engine.payments.store import PaymentStore, left_of
from engine.payments.views import Confirmed
from engine.payments.wallets import Wallets
from engine.tasks import beside

# What every confirm asks about (`decisions/0027`).
_NEW, _CONFIRMED = State.NEW, Event.CONFIRMED
_APPLIED, _STALE = Verdict.APPLIED, Verdict.STALE

TRIES_MAX = 5
"""How often a creation is planned anew when an earlier one with its key was refused."""


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
    """Quotes and confirms of one tenant. Every method may be repeated."""

    def __init__(
        self,
        *,
        tenant: int,
        committer: Committer,
        store: PaymentStore,
        rates: RateBook,
        directory: Directory,
        language_of: Callable[[Msisdn], Awaitable[str]],
        clock: Clock,
        ids: Ids,
        timing: Timing,
        planner: Planner,
        policy: Policy,
        router: Router | None,
        wallets: Wallets | None,
        hear: Hear,
    ) -> None:
        """`hear`, `router` and `wallets` as in `Payments`."""
        self._tenant = tenant
        self._committer = committer
        self._store = store
        self._rates = rates
        self._directory = directory
        self._language_of = language_of
        self._clock = clock
        self._ids = ids
        self._timing = timing
        self._planner = planner
        self._policy = policy
        self._router = router
        self._wallets = wallets or Wallets(directory)
        self._hear = hear

    def payer_operator(self, payer: Msisdn, network: str) -> str | None:
        """The operator whose wallet would be collected from, if we can collect there."""
        facts = self._directory.by_name.get(self._directory.payer_operator(payer, network) or "")
        return facts.name if facts and facts.can_collect else None

    def payer_currency(self, payer: Msisdn, network: str) -> str | None:
        """As `Directory.payer_currency`."""
        return self._directory.payer_currency(payer, network)

    def must_be_prompted(self, operator: str) -> None:
        """Raises NoWayNow `session.dial_instead` where only our PIN asks the payer.

        Said of every price that is asked for where no PIN can be typed: by SMS, by a client.
        """
        if not self._directory.by_name[operator].prompts_payer:
            raise NoWayNow("session.dial_instead")

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
        from_pool: bool = True,
    ) -> Quote:
        """A price that is promised for `Timing.quote` seconds. Nothing is stored or reserved.

        `wallet` is whose the payee's wallet is by the payer's own word, for this payment alone;
        else everybody who may know is asked, and the quote keeps why one was believed. `from_pool`
        is as in `Router.rank`. Raises
        CustomerMistake (own number, unknown operator, limits) or NoWayNow (no corridor, no fresh
        rate).
        """
        known = await self.payee(payee, wallet)
        return self.offer(
            payer=payer, network=network, payee=known, amount=amount, from_pool=from_pool
        )

    def offer(
        self,
        *,
        payer: Customer,
        network: str,
        payee: Payee,
        amount: Money,
        from_pool: bool = True,
    ) -> Quote:
        """As `quote`, of a payee who was looked up before. Waits for nobody."""
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
            rate_at_ms=rate.at_ms,
            decisions=tuple(decision for decision in decided if decision is not None),
        )

    async def confirm(
        self,
        *,
        payer: Customer,
        quote: Quote,
        key: str,
        client: str = "",
        request_hash: str = "",
        draws_on: int | None = None,
        by_pin: bool = False,
    ) -> Confirmed:
        """Reserve liquidity and order the collection, in one commit, once per key.

        `by_pin`: the payer has just proved themself by our PIN. Whoever has not is asked by their
        operator; where that asks nobody it is refused (`must_be_prompted`).

        `client` is the id of the client that asked, where the payer did not dial; `request_hash`
        (32 hex digits) is then of what it asked, by default of payer and quote.
        `draws_on` is the account of a reservation of the payee's currency: the hold is taken from
        it in the same commit, or the payment is refused (NoWayNow `no_way.float`); what the payment
        does not need in the end goes to the pool.
        A quote that answers a request for money is confirmed under the request's own key, so that
        it is paid once whoever confirms (`CustomerMistake` `mistake.request_gone`). Raises also
        CustomerMistake `mistake.quote_expired` or one about a limit, NoWayNow `no_way.float` when
        the pool does not cover it or another when the payment is refused, OurFault when the key was
        used for another quote.
        """
        if quote.request:
            key = request_key(quote.request, quote.request_try)
        request = request_hash or _request_hash(payer.customer_id, quote)
        try:
            if self._clock.epoch() >= quote.expires_at:
                raise CustomerMistake("mistake.quote_expired")
            if not by_pin:
                self.must_be_prompted(quote.payer_operator)
            clearance = await self._policy.clear(payer, quote)
        except CappError:
            # Whoever repeats a confirm that was taken on hears that, whatever holds today.
            known = await self._store.by_key(self._tenant, key)
            if known is None or known[1] != request:
                raise
            return self._confirmed(known[0], quote, fresh=False)
        facts = Facts(
            quote, self._tenant, payer.customer_id, clearance.decision, clearance.spend,
            client=client,
        )  # fmt: skip
        payment = Payment(self._ids.payment(), facts, self._store.route(facts), _NEW, 0, None)
        # Only the first hold is taken from there: later steps know the pool.
        route = payment.route._replace(pool_avail=draws_on) if draws_on else payment.route
        step = advance(_NEW, _CONFIRMED, quote, route)
        plan, after = self._planner.plan(
            payment,
            step,
            facts=write(facts),
            creation=Creation(key, request, payer.customer_id),
        )
        answer = await self._create(plan)
        if answer.verdict is _APPLIED:
            self._hear(after, plan.intents)
            return self._confirmed(payment.payment_id, quote, fresh=True)
        match answer.verdict:
            case Verdict.DUPLICATE:
                return self._confirmed(PaymentId(str(answer.known)), quote, fresh=False)
            case Verdict.INSUFFICIENT:
                raise NoWayNow("no_way.float")
            case Verdict.CONFLICT if quote.request:
                raise CustomerMistake("mistake.request_gone")
            case Verdict.OVER_LIMIT if facts.spend is not None:
                raise await self._over_limit(facts.spend, quote.amount.currency)
            case _:
                raise OurFault(f"confirm was refused: {answer.verdict.name} {answer.error or ''}")

    def _confirmed(self, payment_id: PaymentId, quote: Quote, *, fresh: bool) -> Confirmed:
        payer = self._directory.by_name[quote.payer_operator]
        return Confirmed(
            payment_id, code_of(payment_id), fresh=fresh,
            by_link=payer.collects_by_link, prompted=payer.prompts_payer,
        )  # fmt: skip

    async def _create(self, plan: Plan) -> Verdicted:
        """A creation is stale only when an earlier plan of its batch with its key was refused."""
        for _ in range(TRIES_MAX):
            answer = await self._committer.submit_until_known(plan)
            if answer.verdict is not _STALE:
                break
        return answer

    async def _over_limit(self, spend: Spend, currency: str) -> CustomerMistake:
        """Which limit it was, and what is left of it; only for the sentence."""
        spent = await self._store.spent(self._tenant, CustomerId(spend.customer), spend.currency)
        left = left_of(
            spent,
            day=spend.day,
            month=spend.month,
            day_minor_max=spend.day_minor_max,
            month_minor_max=spend.month_minor_max,
        )
        if left.month_minor < spend.minor:
            remaining = Money(left.month_minor, currency)
            return CustomerMistake("mistake.limit_month", remaining=remaining)
        return CustomerMistake("mistake.limit_day", remaining=Money(left.day_minor, currency))


def request_key(code: str, tried: int) -> str:
    """The idempotency key of the one payment that may answer a request for money, for each try.

    The tries of a request sort as they were made. Whoever closes a request takes its next key
    instead, so that it is closed or paid and never both.
    """
    return f"request:{code}:{tried:06d}"


def _request_hash(customer_id: CustomerId, quote: Quote) -> str:
    return hashlib.blake2b(f"{customer_id}:{quote.quote_id}".encode(), digest_size=16).hexdigest()

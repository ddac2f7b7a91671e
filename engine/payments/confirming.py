"""What is taken on: the first commit of a payment, once per key.

Its price was promised before (`selling.py`); what operators tell afterwards is `service.py`'s. Of
who asked whom for money it knows nothing but the mark that a quote carries.
"""

import hashlib
import logging

import msgspec

from engine.clock import Clock, CustomerId, Ids, PaymentId
from engine.customers.customers import Customer
from engine.errors import CappError, CustomerMistake, LeftTooLate, NoWayNow, OurFault
from engine.fx.quotes import Expected, Quote
from engine.ledger.committer import Committer
from engine.ledger.plans import NIL, Plan, Spend, Verdict, Verdicted
from engine.money import Money
from engine.payments.facts import Facts, write
from engine.payments.lifecycle import Event, State, advance
from engine.payments.payment import Payment, code_of
from engine.payments.planning import Creation, Planner
from engine.payments.policy import Policy
from engine.payments.routing import Directory
from engine.payments.spending import left_of
from engine.payments.stepping import Hear
from engine.payments.store import PaymentStore
from engine.payments.views import Confirmed

log = logging.getLogger(__name__)

# What every confirm asks about (`decisions/0027`).
_NEW, _CONFIRMED = State.NEW, Event.CONFIRMED
_APPLIED, _STALE = Verdict.APPLIED, Verdict.STALE
_REFUSED = (Verdict.POISON, Verdict.UNBALANCED)
"""By a fault of our own, and for certain: nothing of the plan is stored."""

TRIES_MAX = 5
"""How often a creation is planned anew when an earlier one with its key was refused."""


class Confirming:
    """The confirms of one tenant. They may be repeated."""

    def __init__(
        self,
        *,
        tenant: int,
        committer: Committer,
        store: PaymentStore,
        directory: Directory,
        clock: Clock,
        ids: Ids,
        planner: Planner,
        policy: Policy,
        hear: Hear,
    ) -> None:
        """`hear` as in `Payments`."""
        self._tenant = tenant
        self._committer = committer
        self._store = store
        self._directory = directory
        self._clock = clock
        self._ids = ids
        self._planner = planner
        self._policy = policy
        self._hear = hear

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
        told: str = "",
        expected: str = "",
    ) -> Confirmed:
        """Reserve liquidity and order the collection, in one commit, once per key.

        `by_pin`: the payer has just proved themself by our PIN. Whoever has not is asked by their
        operator; where that asks nobody it is refused (`Directory.must_be_prompted`).
        `told` is the payee's name as their operator told it with this price, `expected` as the
        client that asks tells it: both are compared with the sanctions lists, and the latter is
        kept with the terms, to be compared again before the payout.

        `client` is the id of the client that asked, where the payer did not dial; `request_hash`
        (32 hex digits) is then of what it asked, by default of payer and quote.
        `draws_on` is the account of a reservation of the payee's currency: the hold is taken from
        it in the same commit, or the payment is refused (NoWayNow `no_way.float`); what the payment
        does not need in the end goes to the pool.
        A quote that answers a request for money is confirmed under the request's own key, so that
        it is paid once whoever confirms (`CustomerMistake` `mistake.request_gone`). Raises also
        CustomerMistake `mistake.quote_expired` or one about a limit, NoWayNow `no_way.float` when
        the pool does not cover it, `session.over` when the key was given up by who dialled again
        (`PaymentKeys.give_up`), `no_way.fault` when a fault of our own kept it from being taken on,
        or another when the payment is refused. OurFault when the key was used for another quote, or
        nobody can say whether it was taken on.
        """
        if quote.request:
            key = request_key(quote.request, quote.request_try)
        request = request_hash or _request_hash(payer.customer_id, quote)
        try:
            self._must_stand(quote, by_pin=by_pin)
            clearance = await self._policy.clear(payer, quote, told, expected=expected)
        except CappError as error:
            return await self._known_or(error, key, request, quote)
        agreed = msgspec.structs.replace(quote, expected=Expected(expected)) if expected else quote
        facts = Facts(
            agreed, self._tenant, payer.customer_id, clearance.decision, clearance.spend,
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
        try:
            answer = await self._create(plan, quote.expires_at if client else None)
        except LeftTooLate:
            over = CustomerMistake("mistake.quote_expired")
            return await self._known_or(over, key, request, quote)
        if answer.verdict is _APPLIED:
            self._hear(after, plan.intents)
            return self._confirmed(payment.payment_id, quote, fresh=True)
        match answer.verdict:
            case Verdict.DUPLICATE:
                return self._confirmed(PaymentId(str(answer.known)), quote, fresh=False)
            case Verdict.INSUFFICIENT:
                raise NoWayNow("no_way.float")
            case Verdict.CONFLICT if answer.known == NIL:
                raise NoWayNow("session.over")
            case Verdict.CONFLICT if quote.request:
                raise CustomerMistake("mistake.request_gone")
            case Verdict.OVER_LIMIT if facts.spend is not None:
                raise await self._over_limit(facts.spend, quote.amount.currency)
        fault = OurFault(f"confirm was refused: {answer.verdict.name} {answer.error or ''}")
        if answer.verdict not in _REFUSED:
            raise fault
        return await self._known_or(fault, key, request, quote)

    def _must_stand(self, quote: Quote, *, by_pin: bool) -> None:
        """Whether its price still holds, and its payer may be asked. Raises as `confirm`."""
        if self._clock.epoch() >= quote.expires_at:
            raise CustomerMistake("mistake.quote_expired")
        if not by_pin:
            self._directory.must_be_prompted(quote.payer_operator)

    async def _known_or(self, error: CappError, key: str, request: str, quote: Quote) -> Confirmed:
        """Whoever repeats a confirm that was taken on hears that, whatever holds today, also where
        its commit is under way still: it is waited for.

        Else the error is raised; one that is our own fault as NoWayNow, for nothing was taken on.
        """
        known = await self._store.keys.settled(self._tenant, key)
        if known is not None and known[1] == request:
            return self._confirmed(known[0], quote, fresh=False)
        if known is not None or not isinstance(error, OurFault):
            raise error
        log.error("nothing was taken on, by a fault of our own: %s", error)
        raise NoWayNow("no_way.fault") from error

    def _confirmed(self, payment_id: PaymentId, quote: Quote, *, fresh: bool) -> Confirmed:
        payer = self._directory.by_name[quote.payer_operator]
        return Confirmed(
            payment_id, code_of(payment_id), fresh=fresh,
            by_link=payer.collects_by_link, prompted=payer.prompts_payer,
        )  # fmt: skip

    async def _create(self, plan: Plan, until: float | None) -> Verdicted:
        """A creation is stale only when an earlier plan of its batch with its key was refused.

        A client acts on a price that is over at once, so none of its payments leaves behind that.
        """
        for _ in range(TRIES_MAX):
            answer = await self._committer.submit_until_known(plan, until=until)
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

"""The story of a payment: quote, confirm, and every piece of evidence after that.

Each step asks `lifecycle` for what follows and hands one plan to the commit. No company is called
from here: what the outside is to be asked leaves as intents, after the commit, through `hear`.
"""

import hashlib
from collections.abc import Awaitable, Callable

import msgspec

from engine.clock import AttemptId, Clock, CustomerId, Ids, PaymentId, made_at
from engine.customers.customers import Customer
from engine.errors import CappError, CustomerMistake, NoWayNow, OurFault
from engine.fx.quotes import Quote
from engine.fx.rates import RateBook
from engine.ledger.commit import Committer
from engine.ledger.plans import Evidence, Plan, Spend, Verdict, Verdicted
from engine.money import Money
from engine.msisdn import Msisdn
from engine.payments import evidence as told
from engine.payments import lifecycle
from engine.payments.evidence import Source
from engine.payments.facts import Ending, Facts, write
from engine.payments.health import Record, told_by_finding, unheard
from engine.payments.lifecycle import Event, State, advance
from engine.payments.payment import Payment, code_of
from engine.payments.planning import Creation, Planner, Timing
from engine.payments.policy import Policy
from engine.payments.pricing import price
from engine.payments.router import Router
from engine.payments.routing import Directory
from engine.payments.sequel import Following, Sequel
from engine.payments.stepping import Hear, Heard, Stepper
from engine.payments.store import Attempted, PaymentStore
from engine.payments.views import Confirmed, PaymentSummary
from engine.ports import Direction, Finding, Outcome

TRIES_MAX = 5
"""How often a step is planned anew when somebody else moved the payment meanwhile."""

NEWS_SETTLES_SECONDS = 120
"""Until then an operator's status may not show what its own callback has said already."""


class Payments:
    """Everything that may happen to payments of one tenant. Every method may be repeated."""

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
        policy: Policy,
        hear: Hear,
        router: Router | None = None,
        record: Record = unheard,
    ) -> None:
        """`hear` is told of every committed step with its intents, at once and in memory.

        `router` ranks the ways to a payee; without one there is only the payee's own operator.
        `record` is told how attempts ended, for the operators' health.
        """
        self._tenant = tenant
        self._committer = committer
        self._store = store
        self._rates = rates
        self._directory = directory
        self._language_of = language_of
        self._clock = clock
        self._ids = ids
        self._timing = timing
        self._planner = Planner(directory, clock, ids, timing)
        self._policy = policy
        self._router = router
        self._record = record
        self._hear = hear
        self.sequel = Sequel(policy, store, clock)
        self.stepper = Stepper(
            committer=committer, store=store, planner=self._planner, clock=clock, hear=hear
        )

    # What a customer asks for.

    def payer_operator(self, payer: Msisdn, network: str) -> str | None:
        """The operator whose wallet would be collected from, if it is known."""
        return self._directory.payer_operator(payer, network)

    def check_payee(self, *, payer: Customer, network: str, payee: Msisdn) -> None:
        """Whether a payment to this number could be priced at all, before anybody types more.

        Raises what `quote` would: CustomerMistake about the number, NoWayNow without a corridor.
        """
        ways = self._directory.choose_ways(payer.msisdn, network, payee)
        self._rates.corridor(ways.payer.name, ways.payee.name)

    async def quote(self, *, payer: Customer, network: str, payee: Msisdn, amount: Money) -> Quote:
        """A price that is promised for `Timing.quote` seconds. Nothing is stored or reserved.

        Raises CustomerMistake (own number, unknown operator, limits) or NoWayNow (no corridor,
        no fresh rate).
        """
        ways = self._directory.choose_ways(payer.msisdn, network, payee)
        if ways.payer.currency != amount.currency:
            raise NoWayNow("no_way.corridor")
        self._policy.check_amount(payer, amount)
        corridor = self._rates.corridor(ways.payer.name, ways.payee.name)
        rate = self._rates.rate(ways.payer.currency, ways.payee.currency)
        priced = price(amount, rate.mid, corridor, ways.payer, ways.payee)
        ranking = self._router.choose(ways, amount, priced) if self._router else None
        expires_at = int(self._clock.epoch()) + self._timing.quote
        return Quote(
            quote_id=self._ids.hex(),
            payer=payer.msisdn,
            payee=payee,
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
            payee_language=await self._language_of(payee),
            expires_at=expires_at,
            pay_until=expires_at + self._timing.pay_within,
            ways=ranking.ways if ranking else (ways.payee.name,),
            rate_at_ms=rate.at_ms,
            decisions=(ranking.decision,) if ranking else (),
        )

    async def confirm(self, *, payer: Customer, quote: Quote, key: str) -> Confirmed:
        """Reserve liquidity and order the collection, in one commit, once per key.

        Raises CustomerMistake `mistake.quote_expired` or one about a limit, NoWayNow `no_way.float`
        when the pool does not cover it or another when the payment is refused, OurFault when the
        key was used for another quote.
        """
        request = _request_hash(payer.customer_id, quote)
        try:
            if self._clock.epoch() >= quote.expires_at:
                raise CustomerMistake("mistake.quote_expired")
            clearance = await self._policy.clear(payer, quote)
        except CappError:
            # Whoever repeats a confirm that was taken on hears that, whatever holds today.
            known = await self._store.by_key(self._tenant, key)
            if known is None or known[1] != request:
                raise
            return Confirmed(known[0], code_of(known[0]), fresh=False)
        facts = Facts(quote, self._tenant, payer.customer_id, clearance.decision, clearance.spend)
        payment = Payment(self._ids.payment(), facts, self._store.route(facts), State.NEW, 0, None)
        step = advance(State.NEW, Event.CONFIRMED, quote, payment.route)
        plan, after = self._planner.plan(
            payment,
            step,
            facts=write(facts),
            creation=Creation(key, request, payer.customer_id),
        )
        answer = await self._create(plan)
        match answer.verdict:
            case Verdict.APPLIED:
                self._hear(after, plan.intents)
                return Confirmed(payment.payment_id, payment.code, fresh=True)
            case Verdict.DUPLICATE:
                first = PaymentId(str(answer.known))
                return Confirmed(first, code_of(first), fresh=False)
            case Verdict.INSUFFICIENT:
                raise NoWayNow("no_way.float")
            case Verdict.OVER_LIMIT if facts.spend is not None:
                raise await self._over_limit(facts.spend, quote.amount.currency)
            case _:
                raise OurFault(f"confirm was refused: {answer.verdict.name} {answer.error or ''}")

    async def _create(self, plan: Plan) -> Verdicted:
        """A creation is stale only when an earlier plan of its batch with its key was refused."""
        for _ in range(TRIES_MAX):
            answer = await self._committer.submit_until_known(plan)
            if answer.verdict is not Verdict.STALE:
                break
        return answer

    async def _over_limit(self, spend: Spend, currency: str) -> CustomerMistake:
        """Which limit it was, and what is left of it; only for the sentence."""
        spent = await self._store.spent(self._tenant, CustomerId(spend.customer), spend.currency)
        today = spent.day_minor if spent and spent.day >= spend.day else 0
        this_month = spent.month_minor if spent and spent.month >= spend.month else 0
        left_month = max(spend.month_minor_max - this_month, 0)
        left_day = max(spend.day_minor_max - today, 0)
        if left_month < spend.minor:
            return CustomerMistake("mistake.limit_month", remaining=Money(left_month, currency))
        return CustomerMistake("mistake.limit_day", remaining=Money(left_day, currency))

    async def last_payment(self, customer_id: CustomerId) -> PaymentSummary | None:
        """The customer's newest payment as it stands now."""
        payment = await self._store.latest_of(customer_id)
        if payment is None:
            return None
        quote = payment.quote
        return PaymentSummary(
            code=payment.code,
            state=payment.state.name.lower(),
            amount=quote.amount,
            receives=quote.receives,
            payee=Msisdn(quote.payee),
            at=made_at(payment.payment_id),
            incoming=False,
        )

    # What the outside tells.

    async def apply_finding(
        self,
        attempt_id: AttemptId,
        finding: Finding,
        source: Source,
        body: str,
        *,
        asked_at: float | None = None,
    ) -> Heard:
        """Take evidence in: store it, and move the payment if it proves something new.

        `body` is redacted and is what the evidence is deduplicated by. Safe to repeat in any
        order: what was applied before is KEPT. NEEDS_PROOF means that the operator is asked until
        it answers, whatever becomes of this process. `asked_at`, in epoch seconds, is when a
        question was asked that this answers; by default now. Raises OurFault when the commit
        refuses a step that the lifecycle allows.
        """
        heard_at = self._clock.epoch() if asked_at is None else asked_at
        told_ = (Evidence(attempt_id, told.body_hash(source, body), source, body),)
        for _ in range(TRIES_MAX):
            found = await self._store.attempt(attempt_id)
            if found is None:
                return Heard.UNKNOWN
            heard = await self._hear_of(found, finding, source, told_)
            if heard is not None:
                if source is Source.QUERY and _answers_question(found, finding):
                    news_before = int(heard_at) - NEWS_SETTLES_SECONDS
                    await self._store.strike_question(attempt_id, news_before)
                return heard
        raise OurFault(f"payment {code_of(attempt_id)} moved {TRIES_MAX} times under one finding")

    async def _hear_of(
        self, found: Attempted, finding: Finding, source: Source, kept: tuple[Evidence, ...]
    ) -> Heard | None:
        payment, direction = found.payment, found.direction
        wrong = told.disagreement(payment, direction, finding)
        if wrong is not None:
            return await self._contradicted(found, kept, f"{direction.name}: {wrong}")
        if finding.outcome is Outcome.REVERSED:
            return await self._hear_of_reversal(found, source, kept)
        if finding.outcome not in (Outcome.SUCCEEDED, Outcome.FAILED):
            return await self._keep(payment, kept)
        if payment.live != found.attempt_id:
            return await self._hear_of_ended(found, finding, source, kept)
        if source is Source.CALLBACK and self._must_ask(found, finding):
            await self._keep(payment, kept)
            return Heard.NEEDS_PROOF
        return await self._end(found, finding, source, kept)

    async def _end(
        self, found: Attempted, finding: Finding, source: Source, kept: tuple[Evidence, ...]
    ) -> Heard | None:
        """The live attempt is over: what it proves, and what follows from it."""
        payment, direction = found.payment, found.direction
        succeeded = finding.outcome is Outcome.SUCCEEDED
        event = (lifecycle.SUCCEEDED if succeeded else lifecycle.FAILED)[direction]
        following = Following()
        if event is Event.COLLECTION_SUCCEEDED:
            following = await self.sequel.after_collected(payment)
        elif event is Event.PAYOUT_FAILED:
            following = self.sequel.after_failed_payout(payment, finding.reason)
        ending = Ending(
            found.attempt_id, succeeded, finding.code, source, finding.receipt, following.decisions
        )
        heard = await self._advance(
            payment, event, kept, ending=ending, reason=finding.reason, following=following
        )
        if heard is Heard.ADVANCED:
            self._record(
                found.operator, direction, told_by_finding(finding),
                payment.amount_of(direction).minor,
                began_at=made_at(found.attempt_id).timestamp(),
            )  # fmt: skip
        return heard

    async def record_accepted(
        self, payment: Payment, attempt_id: AttemptId, reference: str | None
    ) -> None:
        """The operator took the order: strike the intent off, keep its reference for queries."""
        kept: tuple[Evidence, ...] = ()
        if reference is not None:
            body = msgspec.json.encode(reference).decode()
            digest = told.body_hash(Source.ACCEPTED, body)
            kept = (Evidence(attempt_id, digest, Source.ACCEPTED, body),)
        await self.stepper.keep(payment, kept, done=(attempt_id,))

    async def adopt_reference(self, found: Attempted, reference: str) -> bool:
        """Take the operator's reference from a callback, when its answer to our call was lost.

        False when one is known already, or when another attempt holds this one: a reference that
        was seen elsewhere would prove somebody else's payment.
        """
        attempt_id = found.attempt_id
        if await self._store.provider_reference(attempt_id) is not None:
            return False
        body = msgspec.json.encode(reference).decode()
        digest = told.body_hash(Source.ACCEPTED, body)
        if await self._store.is_held_elsewhere(digest, attempt_id):
            await self.stepper.open_case(
                found.payment, "FOREIGN_REFERENCE", digest, "held elsewhere"
            )
            return False
        await self.record_accepted(found.payment, attempt_id, reference)
        return True

    async def record_unclear(self, payment: Payment, attempt_id: AttemptId) -> None:
        """The attempt's outcome is unknown: say so in the state, and ask soon."""
        for _ in range(TRIES_MAX):
            direction = payment.live_direction
            if payment.live != attempt_id or direction is None:
                return
            event = lifecycle.UNCLEAR[direction]
            if not lifecycle.may(payment.state, event):  # it is unknown already
                await self.stepper.keep(payment, done=(attempt_id,))
                return
            if await self._advance(payment, event, (), done=(attempt_id,)) is not None:
                return
            payment = await self.stepper.again(payment)

    async def record_never_sent(self, payment: Payment, attempt_id: AttemptId) -> None:
        """No byte of the order ever left and its time is over: nothing can have moved."""
        direction = payment.live_direction
        if payment.live != attempt_id or direction is None:
            return
        ending = Ending(attempt_id, False, "never_sent", Source.ANSWER)
        if direction is Direction.COLLECT:
            await self._advance(payment, Event.COLLECTION_NEVER_SENT, (), ending=ending)
        elif direction is Direction.DISBURSE:
            following = self.sequel.after_payout_never_sent(payment)
            await self._advance(
                payment, Event.PAYOUT_FAILED, (), ending=ending, following=following
            )
        else:
            await self._advance(payment, Event.REFUND_FAILED, (), ending=ending)

    async def order_refund(self, payment: Payment) -> None:
        """Try again to give back what is due: a new attempt after a definitive failure."""
        if payment.state is State.REFUND_DUE:
            await self._advance(payment, Event.REFUND_ORDERED, ())

    # How a step is made.

    def _must_ask(self, found: Attempted, finding: Finding) -> bool:
        operator = self._directory.by_name[found.operator]
        above = operator.confirm_callback_above_minor
        return told.needs_proof(found.payment, found.direction, finding, above)

    async def _hear_of_ended(
        self, found: Attempted, finding: Finding, source: Source, kept: tuple[Evidence, ...]
    ) -> Heard | None:
        """Evidence about an attempt that is over: the same again, late money, or a conflict."""
        payment, succeeded = found.payment, finding.outcome is Outcome.SUCCEEDED
        ended = await self._store.ended_how(payment.payment_id, found.attempt_id)
        if ended is None:  # it ended while we looked
            return None
        if ended == succeeded:
            return await self._keep(payment, kept)
        late = found.direction is Direction.COLLECT and succeeded
        if late and lifecycle.may(payment.state, Event.LATE_MONEY_PROVEN):
            if source is Source.CALLBACK:
                return await self._doubt(found, kept)
            proven = Ending(found.attempt_id, True, finding.code, source, finding.receipt)
            return await self._advance(payment, Event.LATE_MONEY_PROVEN, kept, ending=proven)
        said = "succeeded after it had failed" if succeeded else "failed after it had succeeded"
        return await self._contradicted(found, kept, f"{found.direction.name} {said}")

    async def _hear_of_reversal(
        self, found: Attempted, source: Source, kept: tuple[Evidence, ...]
    ) -> Heard | None:
        """The operator undid what had succeeded. Unsigned word of it is asked about first."""
        payment = found.payment
        if source is Source.CALLBACK:
            return await self._doubt(found, kept)
        paid = await self._store.ended_how(payment.payment_id, found.attempt_id)
        of_payout = found.direction is Direction.DISBURSE and paid is True
        if of_payout and lifecycle.may(payment.state, Event.PAYOUT_RETURNED):
            return await self._advance(payment, Event.PAYOUT_RETURNED, kept)
        if of_payout and payment.state is State.RETURNED:
            return await self._keep(payment, kept)
        return await self._contradicted(found, kept, f"{found.direction.name} reversed")

    async def _doubt(self, found: Attempted, kept: tuple[Evidence, ...]) -> Heard:
        """News of what nobody looks at any more. The question is stored first: what was kept and
        acknowledged is never without it.
        """
        now = int(self._clock.epoch())
        ask_at = now + self._timing.first_look
        await self._store.put_question(found.payment, found.attempt_id, now, ask_at)
        await self._keep(found.payment, kept)
        return Heard.NEEDS_PROOF

    async def _contradicted(
        self, found: Attempted, kept: tuple[Evidence, ...], detail: str
    ) -> Heard:
        payment = found.payment
        await self._keep(payment, kept)
        await self.stepper.open_case(payment, "CONFLICT", kept[0].hash, detail)
        return Heard.CONFLICT

    async def _keep(self, payment: Payment, kept: tuple[Evidence, ...]) -> Heard:
        await self.stepper.keep(payment, kept)
        return Heard.KEPT

    async def _advance(
        self,
        payment: Payment,
        event: Event,
        kept: tuple[Evidence, ...],
        *,
        ending: Ending | None = None,
        reason: str | None = None,
        done: tuple[str, ...] = (),
        following: Following | None = None,
    ) -> Heard | None:
        """Commit one step. None when somebody was faster and the caller must look again."""
        then, onward, _ = following or Following()
        after = await self.stepper.take(
            payment, event, then=then, onward=onward, facts=ending, reason=reason, kept=kept,
            done=done,
        )  # fmt: skip
        if after is None:
            return None
        if event is Event.REFUND_FAILED and ending is not None:
            # It is tried again by itself, but somebody should know that money is stuck with us.
            await self.stepper.open_case(after, "REFUND_FAILED", ending.attempt_id, ending.code)
        return Heard.ADVANCED


def _answers_question(found: Attempted, finding: Finding) -> bool:
    """Whether the operator said in the end how an attempt stands that we held to be over."""
    if finding.outcome is Outcome.REVERSED:
        return True
    is_over = found.payment.live != found.attempt_id
    return is_over and finding.outcome in (Outcome.SUCCEEDED, Outcome.FAILED)


def _request_hash(customer_id: CustomerId, quote: Quote) -> str:
    return hashlib.blake2b(f"{customer_id}:{quote.quote_id}".encode(), digest_size=16).hexdigest()

"""The story of a payment: quote, confirm, and every piece of evidence after that.

Each step asks `lifecycle` for what follows and hands one plan to the commit. No company is called
from here: what the outside is to be asked leaves as intents, after the commit, through `hear`.
"""

import hashlib
import logging
from collections.abc import Awaitable, Callable
from enum import StrEnum

import msgspec

from engine.clock import AttemptId, Clock, CustomerId, Ids, PaymentId, made_at
from engine.customers.customers import Customer
from engine.errors import CustomerMistake, Impossible, NoWayNow, OurFault
from engine.fx.quotes import Quote
from engine.fx.rates import RateBook
from engine.ledger.commit import Committer, Evidence, Intent, Verdict, note
from engine.money import Money
from engine.msisdn import Msisdn
from engine.payments import evidence as told
from engine.payments import lifecycle
from engine.payments.evidence import Ending, Source
from engine.payments.lifecycle import Event, State, advance
from engine.payments.payment import Facts, Payment, code_of, encode_facts
from engine.payments.planning import Creation, Planner, Timing
from engine.payments.pricing import price
from engine.payments.routing import Directory
from engine.payments.store import Attempted, PaymentStore
from engine.payments.views import Confirmed, PaymentSummary
from engine.ports import Direction, Finding, Outcome

log = logging.getLogger(__name__)

TRIES_MAX = 5
"""How often a step is planned anew when somebody else moved the payment meanwhile."""


class Heard(StrEnum):
    """What a piece of evidence led to."""

    ADVANCED = "advanced"  # the payment moved
    KEPT = "kept"  # stored; nothing to do, or said before
    NEEDS_PROOF = "needs proof"  # stored; the operator must be asked before it counts
    CONFLICT = "conflict"  # stored; it contradicts what we know, a case is open
    UNKNOWN = "unknown"  # no such attempt


Hear = Callable[[Payment, tuple[Intent, ...]], None]


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
        hear: Hear,
    ) -> None:
        """`hear` is told of every committed step with its intents, at once and in memory."""
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
        self._hear = hear

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
        corridor = self._rates.corridor(ways.payer.name, ways.payee.name)
        mid = self._rates.mid(ways.payer.currency, ways.payee.currency)
        priced = price(amount, mid, corridor, ways.payer, ways.payee)
        return Quote(
            quote_id=self._ids.hex(),
            payer=payer.msisdn,
            payee=payee,
            payer_operator=ways.payer.name,
            payee_operator=ways.payee.name,
            amount=amount,
            fee=priced.fee,
            receives=priced.receives,
            rate=priced.rate,
            mid=f"{mid:f}",
            spread_minor=priced.spread_minor,
            rounding_minor=priced.rounding_minor,
            value_at_mid_minor=priced.value_at_mid_minor,
            collection_cost_minor=priced.collection_cost_minor,
            payout_cost_minor_max=corridor.payout_cost_minor,
            payer_language=payer.language,
            payee_language=await self._language_of(payee),
            expires_at=int(self._clock.epoch()) + self._timing.quote,
        )

    async def confirm(self, *, payer: Customer, quote: Quote, key: str) -> Confirmed:
        """Reserve liquidity and order the collection, in one commit, once per key.

        Raises CustomerMistake `mistake.quote_expired`, NoWayNow `no_way.float` when the pool does
        not cover it, OurFault when the key was used for another quote.
        """
        request = _request_hash(payer.customer_id, quote)
        if self._clock.epoch() >= quote.expires_at:
            known = await self._store.by_key(self._tenant, key)
            if known is None or known[1] != request:
                raise CustomerMistake("mistake.quote_expired")
            return Confirmed(known[0], code_of(known[0]), fresh=False)
        facts = Facts(quote, self._tenant, payer.customer_id)
        payment = Payment(self._ids.payment(), facts, self._store.route(facts), State.NEW, 0, None)
        step = advance(State.NEW, Event.CONFIRMED, quote, payment.route)
        plan, after = self._planner.plan(
            payment,
            step,
            facts=encode_facts(facts).decode(),
            creation=Creation(key, request, payer.customer_id),
        )
        answer = await self._committer.submit_until_known(plan)
        match answer.verdict:
            case Verdict.APPLIED:
                self._hear(after, plan.intents)
                return Confirmed(payment.payment_id, payment.code, fresh=True)
            case Verdict.DUPLICATE:
                first = PaymentId(str(answer.known))
                return Confirmed(first, code_of(first), fresh=False)
            case Verdict.INSUFFICIENT:
                raise NoWayNow("no_way.float")
            case _:
                raise OurFault(f"confirm was refused: {answer.verdict.name} {answer.error or ''}")

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
        self, attempt_id: AttemptId, finding: Finding, source: Source, body: str
    ) -> Heard:
        """Take evidence in: store it, and move the payment if it proves something new.

        `body` is redacted and is what the evidence is deduplicated by. Safe to repeat in any
        order: what was applied before is KEPT. Raises OurFault when the commit refuses a step
        that the lifecycle allows.
        """
        told_ = (Evidence(attempt_id, told.body_hash(source, body), source, body),)
        for _ in range(TRIES_MAX):
            found = await self._store.attempt(attempt_id)
            if found is None:
                return Heard.UNKNOWN
            payment, direction = found.payment, found.direction
            wrong = told.disagreement(payment, direction, finding)
            if wrong is not None:
                return await self._contradicted(found, told_, f"{direction.name}: {wrong}")
            if finding.outcome not in (Outcome.SUCCEEDED, Outcome.FAILED):
                return await self._keep(payment, told_)
            if payment.live != attempt_id:
                heard = await self._hear_of_ended(found, finding, source, told_)
            elif source is Source.CALLBACK and self._must_ask(found, finding):
                await self._keep(payment, told_)
                return Heard.NEEDS_PROOF
            else:
                succeeded = finding.outcome is Outcome.SUCCEEDED
                events = lifecycle.SUCCEEDED if succeeded else lifecycle.FAILED
                ending = Ending(attempt_id, succeeded, finding.code, source, finding.receipt)
                heard = await self._advance(
                    payment, events[direction], told_, ending=ending, reason=finding.reason
                )
            if heard is not None:
                return heard
        raise OurFault(f"payment {code_of(attempt_id)} moved {TRIES_MAX} times under one finding")

    async def record_accepted(
        self, payment: Payment, attempt_id: AttemptId, reference: str | None
    ) -> None:
        """The operator took the order: strike the intent off, keep its reference for queries."""
        kept: tuple[Evidence, ...] = ()
        if reference is not None:
            body = msgspec.json.encode(reference).decode()
            digest = told.body_hash(Source.ACCEPTED, body)
            kept = (Evidence(attempt_id, digest, Source.ACCEPTED, body),)
        plan = note(payment.payment_id, payment.facts.tenant, done=(attempt_id,), evidence=kept)
        await self._committer.submit_until_known(plan)

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
            await self._open_case(found.payment, "FOREIGN_REFERENCE", digest, "held elsewhere")
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
                plan = note(payment.payment_id, payment.facts.tenant, done=(attempt_id,))
                await self._committer.submit_until_known(plan)
                return
            if await self._advance(payment, event, (), done=(attempt_id,)) is not None:
                return
            payment = await self._again(payment)

    async def record_never_sent(self, payment: Payment, attempt_id: AttemptId) -> None:
        """No byte of the order ever left and its time is over: nothing can have moved."""
        direction = payment.live_direction
        if payment.live != attempt_id or direction is None:
            return
        ending = Ending(attempt_id, False, "never_sent", Source.ANSWER)
        event = (
            Event.COLLECTION_NEVER_SENT
            if direction is Direction.COLLECT
            else lifecycle.FAILED[direction]
        )
        await self._advance(payment, event, (), ending=ending)

    async def order_refund(self, payment: Payment) -> None:
        """Try again to give back what is due: a new attempt after a definitive failure."""
        if payment.state is State.REFUND_DUE:
            await self._advance(payment, Event.REFUND_ORDERED, ())

    # How a step is made.

    def _must_ask(self, found: Attempted, finding: Finding) -> bool:
        operator = self._directory.by_name[found.payment.operator_of(found.direction)]
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
                await self._keep(payment, kept)
                return Heard.NEEDS_PROOF
            proven = Ending(found.attempt_id, True, finding.code, source, finding.receipt)
            return await self._advance(payment, Event.LATE_MONEY_PROVEN, kept, ending=proven)
        said = "succeeded after it had failed" if succeeded else "failed after it had succeeded"
        return await self._contradicted(found, kept, f"{found.direction.name} {said}")

    async def _contradicted(
        self, found: Attempted, kept: tuple[Evidence, ...], detail: str
    ) -> Heard:
        payment = found.payment
        await self._keep(payment, kept)
        await self._open_case(payment, "CONFLICT", kept[0].hash, detail)
        return Heard.CONFLICT

    async def _open_case(self, payment: Payment, kind: str, hash_: str, detail: str) -> None:
        now_ms = int(self._clock.epoch() * 1000)
        await self._store.open_case(payment, kind, hash_, detail, now_ms)
        log.error("case %s %s in %s: %s", kind, payment.code, payment.state.name, detail)

    async def _keep(self, payment: Payment, kept: tuple[Evidence, ...]) -> Heard:
        plan = note(payment.payment_id, payment.facts.tenant, evidence=kept)
        await self._committer.submit_until_known(plan)
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
    ) -> Heard | None:
        """Commit one step. None when somebody was faster and the caller must look again."""
        step = advance(payment.state, event, payment.quote, payment.route)
        facts = msgspec.json.encode(ending).decode() if ending is not None else None
        plan, after = self._planner.plan(
            payment, step, facts=facts, reason=reason, evidence=kept, done=done
        )
        answer = await self._committer.submit_until_known(plan)
        if answer.verdict is Verdict.STALE:
            return None
        if answer.verdict is not Verdict.APPLIED:
            raise OurFault(f"{event} of {payment.code}: {answer.verdict.name} {answer.error or ''}")
        if event is Event.REFUND_FAILED and ending is not None:
            # It is tried again by itself, but somebody should know that money is stuck with us.
            await self._open_case(after, "REFUND_FAILED", ending.attempt_id, ending.code)
        self._hear(after, plan.intents)
        return Heard.ADVANCED

    async def _again(self, payment: Payment) -> Payment:
        found = await self._store.payment(payment.payment_id)
        if found is None:
            raise Impossible(f"payment {payment.code} is gone")
        return found


def _request_hash(customer_id: CustomerId, quote: Quote) -> str:
    return hashlib.blake2b(f"{customer_id}:{quote.quote_id}".encode(), digest_size=16).hexdigest()

"""The story of a payment: price (`selling.py`), confirm (`confirming.py`), every piece of evidence.

Each step asks `lifecycle` for what follows and hands one plan to the commit. No company is called
from here: what the outside is to be asked leaves as intents, after the commit, through `hear`.
"""

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import msgspec

from engine.clock import AttemptId, Clock, Ids, epoch_of
from engine.errors import OurFault
from engine.fx.rates import RateBook
from engine.ledger.committer import Committer
from engine.ledger.plans import Evidence, evidence_of
from engine.msisdn import Msisdn
from engine.payments import evidence as told
from engine.payments import lifecycle
from engine.payments.confirming import Confirming
from engine.payments.evidence import Source
from engine.payments.facts import Ending
from engine.payments.health import Record, told_by_finding, unheard
from engine.payments.late_news import NEWS_SETTLES_SECONDS, LateNews
from engine.payments.lifecycle import Event, State
from engine.payments.payment import Payment, code_of
from engine.payments.planning import Planner, Timing
from engine.payments.policy import Policy
from engine.payments.router import Router
from engine.payments.routing import Directory
from engine.payments.selling import Selling
from engine.payments.sequel import NOTHING, Following, Sequel
from engine.payments.stepping import Hear, Heard, Stepper
from engine.payments.store import Attempted, PaymentStore
from engine.payments.wallets import Wallets
from engine.ports import Direction, Finding, Outcome
from engine.restored import NEVER, Restored

TRIES_MAX = 5
"""How often a step is planned anew when somebody else moved the payment meanwhile."""

# What every step asks about (`decisions/0027`).
_SUCCEEDED, _CALLBACK, _QUERY = Outcome.SUCCEEDED, Source.CALLBACK, Source.QUERY
_COLLECTED, _PAYOUT_FAILED = Event.COLLECTION_SUCCEEDED, Event.PAYOUT_FAILED
_ADVANCED = Heard.ADVANCED


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
        wallets: Wallets | None = None,
        record: Record = unheard,
        restored: Restored = NEVER,
    ) -> None:
        """`hear` is told of every committed step with its intents, at once and in memory.

        `router` ranks the ways to a payee; without one there is only the payee's own operator.
        `wallets` knows whose wallet a number is; without it there is only the number's prefix.
        `record` is told how attempts ended, for the operators' health. What a restore forgot may
        have been paid or given back in what it lost, and waits for people.
        """
        self._store = store
        self._directory = directory
        self._clock = clock
        self._timing = timing
        self._record = record
        planner = Planner(directory, clock, ids, timing)
        self.selling = Selling(
            rates=rates, directory=directory, language_of=language_of, clock=clock, ids=ids,
            timing=timing, policy=policy, router=router, wallets=wallets,
        )  # fmt: skip
        self.confirming = Confirming(
            tenant=tenant, committer=committer, store=store, directory=directory, clock=clock,
            ids=ids, planner=planner, policy=policy, hear=hear,
        )  # fmt: skip
        self.sequel = Sequel(policy, store, clock, restored=restored)
        self.stepper = Stepper(
            committer=committer, store=store, planner=planner, clock=clock, hear=hear,
            restored=restored,
        )  # fmt: skip
        self.late_news = LateNews(
            stepper=self.stepper, store=store, directory=directory, clock=clock,
            first_look_seconds=timing.first_look,
        )  # fmt: skip

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
        told_ = (evidence_of((attempt_id, told.body_hash(source, body), source, body)),)
        references = numbers = frozenset[str]()
        for _ in range(TRIES_MAX):
            found = await self._store.attempt(attempt_id)
            if found is None:
                return Heard.UNKNOWN
            if finding.provider_reference is not None:
                references = await self._store.provider_references(attempt_id)
            if finding.msisdn is not None and found.may_be_to_another:
                numbers = await self._store.payees(found.payment)
            heard = await self._hear_of(found, finding, source, told_, references, numbers)
            if heard is not None:
                is_over = found.payment.live != attempt_id
                if source is _QUERY and told.answers_question(finding, is_over=is_over):
                    news_before = int(heard_at) - NEWS_SETTLES_SECONDS
                    await self._store.strike_question(attempt_id, news_before)
                return heard
        raise OurFault(f"payment {code_of(attempt_id)} moved {TRIES_MAX} times under one finding")

    def _hear_of(
        self,
        found: Attempted,
        finding: Finding,
        source: Source,
        kept: tuple[Evidence, ...],
        references: frozenset[str],
        numbers: frozenset[str],
    ) -> Coroutine[Any, Any, Heard | None]:
        payment, direction = found.payment, found.direction
        wrong = told.disagreement(
            payment, direction, finding, references=references, numbers=numbers
        )
        if wrong is not None:
            return self.late_news.contradicted(found, kept, f"{direction.name}: {wrong}")
        if finding.outcome not in told.FINAL:
            if finding.outcome is Outcome.REVERSED:
                return self.late_news.of_reversal(found, source, kept)
            return self._keep(payment, kept)
        if payment.live != found.attempt_id:
            return self.late_news.of_end(found, finding, source, kept)
        if source is _CALLBACK and self._must_ask(found, finding):
            return self._want_proof(payment, kept)
        return self._end(found, finding, source, kept)

    async def _end(
        self, found: Attempted, finding: Finding, source: Source, kept: tuple[Evidence, ...]
    ) -> Heard | None:
        """The live attempt is over: what it proves, and what follows from it."""
        payment, direction = found.payment, found.direction
        succeeded = finding.outcome is _SUCCEEDED
        event = (lifecycle.SUCCEEDED if succeeded else lifecycle.FAILED)[direction]
        following = NOTHING
        if event is _COLLECTED:
            following = await self.sequel.after_collected(payment)
        elif event is _PAYOUT_FAILED:
            following = await self.sequel.after_failed_payout(payment, finding.reason)
        ending = Ending(
            found.attempt_id, succeeded, finding.code, source, finding.receipt,
            following.decisions, None if succeeded else finding.reason,
        )  # fmt: skip
        heard = await self._advance(
            payment, event, kept, ending=ending, reason=finding.reason, following=following
        )
        if heard is _ADVANCED:
            self._record(
                found.operator, direction, told_by_finding(finding, direction),
                payment.minor_of(direction), began_at=epoch_of(found.attempt_id),
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
        await self.stepper.keep(payment, kept, done=(attempt_id,), is_urgent=False)

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
            following = await self.sequel.after_payout_never_sent(payment)
            await self._advance(
                payment, Event.PAYOUT_FAILED, (), ending=ending, following=following
            )
        else:
            await self._advance(payment, Event.REFUND_FAILED, (), ending=ending)

    async def order_refund(self, payment: Payment) -> None:
        """Try again to give back what is due: a new attempt after a definitive failure.

        What the payer's operator cannot give back waits for people (`Rulings`).
        """
        if payment.state is not State.REFUND_DUE:
            return
        if await self.stepper.tell_of_debt(payment, again=True):  # a crash may have kept it untold
            await self._store.set_due(payment, int(self._clock.epoch()) + self._timing.reminder)
        else:
            await self._advance(payment, Event.REFUND_ORDERED, ())

    # How a step is made.

    def _must_ask(self, found: Attempted, finding: Finding) -> bool:
        above = self._directory.by_name[found.operator].confirm_callback_above_minor
        return told.needs_proof(found.payment, found.direction, finding, above)

    async def _want_proof(self, payment: Payment, kept: tuple[Evidence, ...]) -> Heard:
        """Looked at soon, also where it was unknown for so long that nobody would for hours."""
        await self._store.hurry(payment, int(self._clock.epoch()) + self._timing.first_look)
        await self._keep(payment, kept)
        return Heard.NEEDS_PROOF

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
        then, onward, _ = following or NOTHING
        after = await self.stepper.take(
            payment, event, then=then, onward=onward, facts=ending, reason=reason, kept=kept,
            done=done,
        )  # fmt: skip
        return None if after is None else Heard.ADVANCED

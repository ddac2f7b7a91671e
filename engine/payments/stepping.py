"""How any step of a payment is made: the table asked, one plan committed, the news told.

Knows nothing of why a step is taken; that is `service.py` for evidence and customers, and
`rulings.py` for people and queues.
"""

import logging
from collections.abc import Callable
from enum import StrEnum

import msgspec

from engine.clock import AttemptId, Clock
from engine.errors import Impossible, OurFault
from engine.ledger.committer import Committer
from engine.ledger.plans import Evidence, Intent, Verdict, note
from engine.payments.evidence import Source, body_hash
from engine.payments.facts import Ending, Ruling, given_back_whole, write
from engine.payments.lifecycle import Event, State, advance, orders_refund
from engine.payments.payment import Payment
from engine.payments.planning import Onward, Planner
from engine.payments.policy import HOLD
from engine.payments.store import PaymentStore
from engine.ports import Direction
from engine.restored import NEVER, Restored

log = logging.getLogger(__name__)


class Heard(StrEnum):
    """What a piece of evidence led to."""

    ADVANCED = "advanced"  # the payment moved
    KEPT = "kept"  # stored; nothing to do, or said before
    NEEDS_PROOF = "needs proof"  # stored; the operator must be asked before it counts
    CONFLICT = "conflict"  # stored; it contradicts what we know, a case is open
    UNKNOWN = "unknown"  # no such attempt


Hear = Callable[[Payment, tuple[Intent, ...]], None]


class Stepper:
    """Commits steps of payments. `hear` is told of every one, at once and in memory."""

    def __init__(
        self,
        *,
        committer: Committer,
        store: PaymentStore,
        planner: Planner,
        clock: Clock,
        hear: Hear,
        restored: Restored = NEVER,
    ) -> None:
        """What is due back of payments that a restore forgot may have been given back in what it
        lost, and waits for people.
        """
        self._committer = committer
        self._store = store
        self._planner = planner
        self._clock = clock
        self._hear = hear
        self._restored = restored

    async def take(
        self,
        payment: Payment,
        event: Event,
        *,
        then: Event | None = None,
        onward: Onward | None = None,
        facts: Ending | Ruling | None = None,
        reason: str | None = None,
        kept: tuple[Evidence, ...] = (),
        done: tuple[str, ...] = (),
    ) -> Payment | None:
        """The payment after the step; None when somebody was faster: look again.

        Raises Impossible when the table does not list the event, OurFault when the commit refuses
        a step that the table allows.
        """
        if event is _LATE_MONEY and payment.quote.keeps_fee:
            assert isinstance(facts, Ending), "money that comes is the end of a collection"
            facts = msgspec.structs.replace(facts, terms=given_back_whole(payment.facts))
        restated = facts.terms if facts is not None else None
        # What is owed, and who gives it back, is by the terms that are in force from this step on.
        price_of = msgspec.structs.replace(payment, facts=restated) if restated else payment
        ending = facts if isinstance(facts, Ending) else None
        # What it takes to know is asked only of the few steps that lead to a refund.
        refunds = not orders_refund(payment.state, event, then) or await self.refunds_itself(
            price_of, ending
        )
        price = price_of.facts.quote.by_way(onward.way if onward else payment.way)
        step = advance(
            payment.state, event, price, payment.route,
            then=then, onward=onward.route if onward else None,
            refunds_itself=refunds,
        )  # fmt: skip
        plan, after = self._planner.plan(
            payment, step, facts=write(facts) if facts else None, reason=reason, onward=onward,
            restated=restated, evidence=kept, done=done,
        )  # fmt: skip
        answer = await self._committer.submit_until_known(plan)
        if answer.verdict is not _APPLIED:
            if answer.verdict is Verdict.STALE:
                return None
            raise OurFault(f"{event} of {payment.code}: {answer.verdict.name} {answer.error or ''}")
        self._hear(after, plan.intents)
        if not _TOLD_TO_PEOPLE.isdisjoint(step.path):
            await self._tell_of_step(after, step.path, event, facts)
        return after

    async def _tell_of_step(
        self, after: Payment, path: tuple[State, ...], event: Event, facts: Ending | Ruling | None
    ) -> None:
        """Cases of a step by states that people look after."""
        for state in path:
            if state in WAITS_FOR_PEOPLE:
                decisions = facts.decisions if facts else ()
                holding = [d.reason for d in decisions if d.outcome == HOLD]
                told = "; ".join(holding or [d.reason for d in decisions[:1]])
                why = "; ".join(dict.fromkeys(told.split("; ")))  # two may tell the same
                await self.tell_people(after, state, why or state.name.lower())
        if after.state is not State.REFUND_DUE or await self.tell_of_debt(after):
            return
        if event is Event.REFUND_FAILED and isinstance(facts, Ending):
            # It is tried again by itself, but somebody should know that money is stuck with us.
            await self.open_one(after, "REFUND_FAILED", facts.code)

    async def keep(
        self,
        payment: Payment,
        kept: tuple[Evidence, ...] = (),
        *,
        done: tuple[str, ...] = (),
        is_urgent: bool = True,
    ) -> None:
        """Keep what was heard, strike intents off; the payment does not move.

        `is_urgent` as in `Committer.submit`.
        """
        plan = note(payment.payment_id, payment.facts.tenant, done=done, evidence=kept)
        await self._committer.submit_until_known(plan, is_urgent=is_urgent)

    async def keep_repeat(self, payment: Payment, attempt_id: AttemptId) -> None:
        """Before the first byte of an order that leaves once more: what people saw is of before."""
        body = str(int(self._clock.epoch() * 1000))
        digest = body_hash(Source.REPEATED, body)
        await self.keep(payment, (Evidence(attempt_id, digest, Source.REPEATED, body),))

    async def open_case(self, payment: Payment, kind: str, hash_: str, detail: str) -> None:
        """Put the payment on somebody's desk. Safe to repeat: the same case is one."""
        now_ms = int(self._clock.epoch() * 1000)
        await self._store.cases.open_case(payment, kind, hash_, detail, now_ms)
        log.error("case %s %s in %s: %s", kind, payment.code, payment.state.name, detail)

    async def open_one(
        self, payment: Payment, kind: str, detail: str, *, at_version: int | None = None
    ) -> None:
        """The same, once however often it is said: anew only when the one before was closed.

        `at_version` as in `CaseStore.open_one`.
        """
        now_ms, tenant = int(self._clock.epoch() * 1000), payment.facts.tenant
        await self._store.cases.open_one(
            payment.payment_id, tenant, kind, detail, now_ms, at_version=at_version
        )
        log.error("case %s %s in %s: %s", kind, payment.code, payment.state.name, detail)

    async def again(self, payment: Payment) -> Payment:
        """The payment as it is stored now."""
        found = await self._store.payment(payment.payment_id)
        if found is None:
            raise Impossible(f"payment {payment.code} is gone")
        return found

    async def tell_people(self, payment: Payment, state: State, why: str) -> None:
        """Some states wait for people. Said after the commit; the sweep says it again."""
        if kind := WAITS_FOR_PEOPLE.get(state):
            await self.open_case(payment, kind, f"{payment.version:032x}", why)

    async def remind_people(self, payment: Payment) -> None:
        """It still waits, and somebody may have closed its case all the same.

        A ruling of this moment has closed it for good: nothing is opened behind it.
        """
        if kind := WAITS_FOR_PEOPLE.get(payment.state):
            told = "still waits for people"
            await self.open_one(payment, kind, told, at_version=payment.version)

    async def refunds_itself(self, payment: Payment, ending: Ending | None = None) -> bool:
        """Whether what is due back can be ordered without asking people. `ending` as below."""
        if payment.facts.refund_operator:  # two people sent it elsewhere
            return False
        if self.is_of_before(payment):
            return False
        return await self.gives_back(payment, ending)

    def is_of_before(self, payment: Payment) -> bool:
        """Whether it began before the database was restored."""
        return self._restored.forgot(payment.payment_id)

    async def gives_back(self, payment: Payment, ending: Ending | None = None) -> bool:
        """Whether the operator that collected gives back what is owed.

        `ending` is how an attempt ends by the step that is to be taken: maybe the collection,
        with the receipt that no row holds yet.
        """
        if self._planner.gives_back(payment, has_receipt=False):
            return True
        if not self._planner.gives_back(payment, has_receipt=True):
            return False
        if ending is not None and ending.succeeded and ending.receipt:
            return True
        return await self._store.collected_receipt(payment.payment_id) is not None

    async def tell_of_debt(self, payment: Payment, *, again: bool = False) -> bool:
        """Put on somebody's desk what is owed to whom; False when it is given back by itself.

        `again`: only where no such case is open, and nobody has given it back this moment.
        """
        if await self.refunds_itself(payment):
            return False
        owed = payment.amount_of(Direction.REFUND)
        to = payment.msisdn_of(Direction.REFUND).masked
        operator = payment.operator_of(Direction.REFUND)
        detail = f"{owed} is owed to {to}: {operator} did not give it back and will not by itself"
        if self.is_of_before(payment):
            detail = (
                f"{owed} is owed to {to}: the database was restored, see from ten minutes after"
            )
            detail += f" it on whether {operator} has given it back before"
        if again:
            await self.open_one(payment, REFUND_BY_HAND, detail, at_version=payment.version)
        else:
            await self.open_case(payment, REFUND_BY_HAND, f"{payment.version:032x}", detail)
        return True


REFUND_BY_HAND = "REFUND_BY_HAND"
"""The kind of the case about money that only people can give back, or send another way."""

WAITS_FOR_PEOPLE = {State.ON_HOLD: "ON_HOLD", State.RETURNED: "RETURNED"}
"""States in which nothing happens by itself, and the case that says so."""

_TOLD_TO_PEOPLE = {*WAITS_FOR_PEOPLE, State.REFUND_DUE}
_APPLIED = Verdict.APPLIED
_LATE_MONEY = Event.LATE_MONEY_PROVEN

"""Carries out committed intents: operator calls and SMS. The only place that asks money to move.

Straight from memory after a commit; `sweep` takes over what a dead process left behind. An intent
is claimed before its first byte leaves, and an attempt whose fate is unclear is never sent again
unless its operator refuses a repeated reference. What follows from a call is `call_ends.py`'s.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import msgspec

from engine.call_ends import CallEnds
from engine.clock import AttemptId, Clock, IntentId, epoch_of
from engine.correlation import speaking_of
from engine.errors import OurFault, OutcomeUnknown, ProviderError, Rejected, Throttled, Unreachable
from engine.holding import Holding
from engine.ledger.plans import Intent
from engine.memory import end_if_refused
from engine.messages.delivery_notices import DeliveryNotices
from engine.messages.sender import Messages
from engine.outbox import HELD, NEVER_SENT, Leased, Outbox
from engine.payments.evidence import Source, finding_without_numbers
from engine.payments.health import Record, told_by_error, unheard
from engine.payments.lifecycle import State
from engine.payments.orders import Orders, answer_to, operation_of
from engine.payments.our_faults import OurFaults
from engine.payments.patience import Patience
from engine.payments.payment import Payment
from engine.payments.service import Payments
from engine.payments.stepping import Heard
from engine.payments.store import PaymentStore
from engine.ports import (
    Direction,
    OperatorPort,
    Order,
    Outcome,
)
from engine.tasks import Tasks

log = logging.getLogger(__name__)

PROOF_PAUSES = (0.0, 1.0, 4.0)
"""Seconds before each question: some callbacks come before the status shows what they say."""

TAKEN_OVER_MAX = 1_000
"""So many intents that others left behind one process has under way, and a batch at most above it:
each is held by a lease that is renewed, and by memory. An operator that takes calls and answers
nothing keeps as many of them as it may have connections.
"""


class Dispatcher:
    """Runs intents as tasks of this process. `hear` is cheap and never waits."""

    def __init__(
        self,
        *,
        operators: Mapping[str, OperatorPort],
        messages: Messages,
        outbox: Outbox,
        store: PaymentStore,
        clock: Clock,
        callback_url: Callable[[int, AttemptId], str],
        patience: Patience,
        record: Record = unheard,
    ) -> None:
        """`callback_url` makes the unguessable address of an attempt from (operator code, id).

        `record` is told what an order's call says about the operator's health.
        """
        self._operators = operators
        self._messages = messages
        self._outbox = outbox
        self._store = store
        self._clock = clock
        self._patience = patience
        self._record = record
        self._notices = DeliveryNotices(operators, store, messages)
        self._orders = Orders(operators=operators, store=store, callback_url=callback_url)
        self._faults = OurFaults(store, clock)
        self._ends = CallEnds(
            payments=lambda: self.payments, outbox=outbox, orders=self._orders, messages=messages,
            faults=self._faults, patience=patience, clock=clock,
        )  # fmt: skip
        self._tasks = Tasks(failed="an intent was not carried out; the sweep will take it over")
        self._start = self._tasks.start
        self._taken_over = 0  # under way
        self._room = asyncio.Event()
        self._room.set()
        self._from_newest = True  # the last sweep was: the next begins with the oldest
        self.payments: Payments  # set once by the wiring: the two know each other

    def hear(self, payment: Payment, intents: tuple[Intent, ...]) -> None:
        """Carry out what a commit has just stored."""
        for intent in intents:
            self._start(self._carry_out(payment, intent))
        if payment.state is State.PAID and (notice := self._notices.of(payment)) is not None:
            self._start(notice)

    def hear_message(self, intent: Intent) -> None:
        """Send a message that was just stored and belongs to no payment."""
        self._start(self._carry_out(None, intent))

    async def sweep(self, most: int = 100) -> int:
        """Take over intents whose process died; returns how many were found.

        Waits while as many are under way as one process carries: the others wait in their table,
        for whoever has room. The oldest first and the newest first in turns: who has just confirmed
        to a process that died does not wait behind all that is left of a long outage.
        """
        await self._room.wait()
        self._from_newest = not self._from_newest
        left = await self._outbox.lease_left_behind(most, newest=self._from_newest)
        for intent in left:
            work = self._take_over(intent) if intent.unread is None else self._tell(intent)
            self._start(self._counted(work))
        return len(left)

    async def ask(self, payment: Payment, attempt_id: AttemptId, direction: Direction) -> Heard:
        """Ask the operator how an attempt went, also one that is over, and apply what it says.

        Raises ProviderError, or OurFault where it could not be asked: no evidence this time.
        """
        asked_at = self._clock.epoch()
        operator = await self._orders.asked(payment, attempt_id, direction)
        port = self._operators[operator]
        order = await self._orders.question(payment, attempt_id, direction, operator)
        with speaking_of(payment=payment.payment_id, attempt=attempt_id):
            finding = await answer_to(order, port)
        # An operator that answers later has no word for "unknown here": there it counts that
        # nobody ever said that the order was taken.
        never_taken = finding.outcome is Outcome.NOT_FOUND or (
            finding.outcome is Outcome.ASKED and order.provider_reference is None
        )
        if never_taken:  # what we hold may be old: somebody may have given it up meanwhile
            payment = await self.payments.stepper.again(payment)
        if never_taken and await self._may_repeat(payment, attempt_id, direction):
            await self._send_again(payment, attempt_id, direction)
            return Heard.KEPT
        body = msgspec.json.encode(finding_without_numbers(finding)).decode()
        return await self.payments.apply_finding(
            attempt_id, finding, Source.QUERY, body, asked_at=asked_at
        )

    def prove(self, payment: Payment, attempt_id: AttemptId, direction: Direction) -> None:
        """A hint needs proof: ask in the background; the reconciler asks again if that fails."""
        self._start(self._prove(payment, attempt_id, direction))

    async def idle(self) -> None:
        """Wait until nothing is under way, what follows from it included."""
        await self._tasks.idle()

    async def stop(self) -> None:
        """Let calls under way finish; nothing new begins. What waits is left to the sweep."""
        await self._tasks.stop()

    # Intents fresh from a commit.

    async def _carry_out(self, payment: Payment | None, intent: Intent) -> None:
        if (wait := intent.not_before - self._clock.epoch()) > 0:
            await self._tasks.pause(wait)
        if self._tasks.is_stopping or not (claim := await self._outbox.claim(intent.id)):
            return
        words = {} if payment is None else {"payment": payment.payment_id}
        with speaking_of(**words), self._holding(intent.id, claim):
            if self._messages.carries(intent.kind):
                await self._messages.carry_out(intent, payment, claim)
            elif payment is not None:
                await self._call(payment, AttemptId(intent.id), Direction(intent.kind), claim)

    # Intents left behind.

    async def _counted(self, work: Coroutine[Any, Any, None]) -> None:
        self._taken_over += 1
        if self._taken_over >= TAKEN_OVER_MAX:
            self._room.clear()
        try:
            await work
        finally:
            self._taken_over -= 1
            if self._taken_over < TAKEN_OVER_MAX:
                self._room.set()

    async def _take_over(self, left: Leased) -> None:
        with speaking_of(payment=left.payment_id), self._holding(left.id, left.claim):
            try:
                await self._finish_or_repeat(left)
            except Exception as error:  # nothing is concluded from it (`payments/decisions/0040`)
                end_if_refused(error)
                if isinstance(error, OurFault) or not self._messages.carries(left.kind):
                    await self._faults.tell(
                        left.payment_id, "an order of it, or a message, waits", error
                    )
                raise

    async def _tell(self, left: Leased) -> None:
        """Of one whose words cannot be opened: nothing more is known of it than its kind."""
        assert left.unread is not None
        if self._messages.needs_payment(left.kind):
            await self._faults.tell(
                left.payment_id, "an order of it, or a message, waits", left.unread
            )
        elif self._messages.is_missed(left.kind):
            await self._faults.tell_of_message(IntentId(left.id), left.unread)

    def _holding(self, intent_id: str, claim: int) -> Holding:
        return Holding(self._outbox, self._tasks, intent_id, claim)

    async def _finish_or_repeat(self, left: Leased) -> None:
        if not self._messages.needs_payment(left.kind):
            await self._messages.take_over(left, None)
            return
        try:
            payment = await self._store.payment(left.payment_id)
        except OurFault:
            await self._outbox.put_back(left)
            raise
        if payment is None:
            log.error("intent %s belongs to no payment", left.id)
        elif self._messages.carries(left.kind):
            await self._messages.take_over(left, payment)
        elif left.ended == HELD:  # who kept it from leaving died, and has ended nothing
            await self._outbox.let_go(left.id, left.claim)
        elif left.ended is not None:
            await self._ends.finish(payment, AttemptId(left.id), left.ended)
            if payment.live != left.id:  # no step follows that would strike it off
                await self.payments.stepper.keep(payment, done=(left.id,))
        elif payment.live != left.id:
            # Its end was told since it was leased: what is live now is another order, maybe
            # to another operator, and has an intent of its own.
            log.info("intent %s is over", left.id)
            await self.payments.stepper.keep(payment, done=(left.id,))
        elif not left.was_sent:
            await self._call(payment, AttemptId(left.id), Direction(left.kind), left.claim)
        elif await self._may_be_sent_again(payment, AttemptId(left.id), Direction(left.kind)):
            # Never given up as too late: the first call may have been carried out.
            await self._send(payment, AttemptId(left.id), Direction(left.kind))
        else:
            await self.payments.record_unclear(payment, AttemptId(left.id))

    async def _may_be_sent_again(
        self, payment: Payment, attempt_id: AttemptId, direction: Direction
    ) -> bool:
        """Whether a call that may have been carried out may be made once more.

        Never one of before a restore: what that lost may say that it came to nothing, and that the
        money went another way since. No operator takes a repeat of what it refused for one.
        """
        if self._outbox.may_be_lost(attempt_id):
            return False
        if self._patience.is_over_again(payment, direction, self._clock.epoch()):
            return False
        return await self._orders.repeat_is_safe(payment, attempt_id, direction)

    async def _may_repeat(
        self, payment: Payment, attempt_id: AttemptId, direction: Direction
    ) -> bool:
        """Never soon after the order left, which may be long after the attempt began."""
        before = self._clock.epoch() - self._patience.ingestion_horizon
        return (
            payment.live == attempt_id
            and epoch_of(attempt_id) < before
            and await self._may_be_sent_again(payment, attempt_id, direction)
            and await self._store.heard_last(payment, attempt_id) < before * 1000
        )

    async def _send_again(
        self, payment: Payment, attempt_id: AttemptId, direction: Direction
    ) -> None:
        """Under the same reference it is done now, or refused as the repeat that it is.

        Never beside somebody who holds its intent: they may yet hear a definite no, or be people
        who say how the attempt ended (`decisions/0034`).
        """
        claim = await self._outbox.take_again(
            attempt_id, payment.payment_id, payment.facts.tenant, direction, None
        )
        if not claim:
            return
        with self._holding(attempt_id, claim):
            if (await self.payments.stepper.again(payment)).live != attempt_id:
                await self.payments.stepper.keep(payment, done=(attempt_id,))
                return
            log.warning("%s %s was never taken there: sent again", payment.code, direction.name)
            await self._send(payment, attempt_id, direction)

    # Operator calls.

    async def _call(
        self, payment: Payment, attempt_id: AttemptId, direction: Direction, claim: int
    ) -> None:
        """The first call of an attempt, or the next after one that was definitely refused."""
        if payment.live != attempt_id:
            return
        now = self._clock.epoch()
        if not self._patience.is_over(payment, attempt_id, direction, now):
            await self._send(payment, attempt_id, direction, claim)
        elif await self._outbox.end(attempt_id, claim, NEVER_SENT):
            await self._ends.finish(payment, attempt_id, NEVER_SENT)

    async def _send(
        self,
        payment: Payment,
        attempt_id: AttemptId,
        direction: Direction,
        claim: int | None = None,
    ) -> None:
        """One call: a first one under its claim, or a repeat.

        Of a repeat only acceptance means something: a refusal speaks of the repeat, and the call
        whose answer was lost may still have been carried out. A fault of our own is unclear too.
        """
        operator = payment.operator_of(direction)
        try:
            port = self._operators[operator]
            order = await self._orders.made(payment, attempt_id, direction, operator)
        except Exception as error:
            end_if_refused(error)
            if claim is None:  # the call before may have been carried out
                raise
            await self._ends.not_made(payment, attempt_id, direction, error, claim)
            return
        if claim is None:
            await self.payments.stepper.keep_repeat(payment, attempt_id)
        began = self._clock.epoch()
        try:
            with speaking_of(payment=payment.payment_id, attempt=attempt_id):
                accepted = await operation_of(port, order.direction)(order)
        except (Rejected, Throttled, Unreachable) as error:
            if not isinstance(error, Rejected):  # a rejection is told with the attempt's end
                self._tell_health(operator, order, error, began)
            if claim is None:
                await self._ends.stays_unclear(payment, attempt_id, direction, error)
            else:
                await self._ends.not_done(payment, attempt_id, error, claim)
        except OutcomeUnknown as error:
            log.warning("%s %s unclear: %s", payment.code, direction.name, error)
            self._tell_health(operator, order, error, began)
            if error.provider_reference is not None:
                await self.payments.record_accepted(payment, attempt_id, error.provider_reference)
            await self.payments.record_unclear(payment, attempt_id)
        except Exception as error:  # nobody knows how far it came (`payments/decisions/0037`)
            end_if_refused(error)
            log.exception("%s %s unclear by our own fault", payment.code, direction.name)
            await self.payments.record_unclear(payment, attempt_id)
        else:
            await self._ends.taken(payment, attempt_id, direction, accepted, claim)

    def _tell_health(self, operator: str, order: Order, error: ProviderError, began: float) -> None:
        told = told_by_error(error, order.direction)
        self._record(operator, order.direction, told, order.amount.minor, began_at=began)

    async def _prove(self, payment: Payment, attempt_id: AttemptId, direction: Direction) -> None:
        for pause in PROOF_PAUSES:
            await asyncio.sleep(pause)
            try:
                heard = await self.ask(payment, attempt_id, direction)
            except (Throttled, Unreachable, OutcomeUnknown) as error:
                log.warning("%s not proven yet: %s", payment.code, error)
                continue
            if heard is not Heard.KEPT:
                return

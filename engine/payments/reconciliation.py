"""Payments whose deadline has passed: ask, say "unknown", order again, or call for a person.

Deadlines are rows, not timers; any process may sweep, and none gets a payment twice at a time.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from engine.clock import AttemptId, Clock, PaymentId, made_at
from engine.errors import CappError, OutcomeUnknown, Throttled, Unreachable
from engine.outbox import Outbox
from engine.payments.lifecycle import State
from engine.payments.payment import Payment
from engine.payments.schedule import Schedule
from engine.payments.service import Heard, Payments
from engine.payments.store import PaymentStore

log = logging.getLogger(__name__)

_SAYS_UNKNOWN = {State.COLLECTING, State.PAYING, State.REFUNDING}


class Reconciler:
    """Sweeps due payments of one database."""

    def __init__(
        self,
        *,
        store: PaymentStore,
        outbox: Outbox,
        payments: Payments,
        ask: Callable[[Payment], Awaitable[Heard]],
        clock: Clock,
        schedule: Schedule,
        lease_seconds: int = 60,
    ) -> None:
        self._store = store
        self._outbox = outbox
        self._payments = payments
        self._ask = ask
        self._clock = clock
        self._schedule = schedule
        self._lease_seconds = lease_seconds

    async def sweep(self, most: int = 100) -> int:
        """Look after up to `most` due payments; returns how many there were."""
        now = int(self._clock.epoch())
        due = await self._store.lease_due(now, self._lease_seconds, most)
        await asyncio.gather(*[self._look_after(payment_id) for payment_id in due])
        return len(due)

    async def _look_after(self, payment_id: PaymentId) -> None:
        payment = await self._store.payment(payment_id)
        if payment is None:
            return
        try:
            if payment.live is not None:
                await self._look_at_attempt(payment, payment.live)
            elif payment.state is State.REFUND_DUE:
                await self._payments.order_refund(payment)
            else:
                log.error("%s waits in %s for nobody", payment.code, payment.state.name)
                await self._escalate(payment, "STUCK", f"nothing follows {payment.state.name}")
        except CappError:
            log.exception("%s was not looked after; its lease brings it back", payment.code)

    async def _look_at_attempt(self, payment: Payment, attempt_id: AttemptId) -> None:
        age = self._clock.epoch() - made_at(attempt_id).timestamp()
        if await self._outbox.still_there(attempt_id):
            # Not sent yet, or being sent this moment: the outbox sweep looks after it.
            await self._store.set_due(payment, self._at(age))
            return
        try:
            heard = await self._ask(payment)
        except (Throttled, Unreachable, OutcomeUnknown) as error:
            log.warning("%s: no answer about its attempt: %s", payment.code, error)
            heard = Heard.KEPT
        if heard is Heard.ADVANCED:
            return
        if age >= self._schedule.escalate_after:
            await self._escalate(payment, "UNRESOLVED", "no proof of the outcome in time")
        if age >= self._schedule.unclear_after and payment.state in _SAYS_UNKNOWN:
            await self._payments.record_unclear(payment, attempt_id)
        else:
            await self._store.set_due(payment, self._at(age))

    async def _escalate(self, payment: Payment, kind: str, detail: str) -> None:
        now_ms = int(self._clock.epoch() * 1000)
        digest = payment.payment_id  # one such case a payment
        await self._store.open_case(payment, kind, digest, detail, now_ms)

    def _at(self, age: float) -> int:
        return int(self._clock.epoch() + self._schedule.next_look(age)) + 1

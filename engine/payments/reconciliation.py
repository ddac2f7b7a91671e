"""Payments whose deadline has passed: ask, say "unknown", order again, or call for a person.

Deadlines are rows, not timers; any process may sweep, and none gets a payment twice at a time. So
are questions about attempts that are over and of which there was late news. Operators are asked
behind the sweep (`asking.py`): it is over although one of them answers nothing.
"""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import NamedTuple

from engine.clock import AttemptId, Clock, PaymentId, epoch_of
from engine.errors import CappError, OurFault, ProviderError
from engine.outbox import Leased, Outbox, ever_rarer
from engine.payments.asking import Asking
from engine.payments.health import Record, Told, unheard
from engine.payments.late_news import NEWS_SETTLES_SECONDS
from engine.payments.lifecycle import LIVE_DIRECTION, State
from engine.payments.our_faults import OurFaults, words_of
from engine.payments.patience import ORDER_OVER_SECONDS
from engine.payments.payment import Payment, code_of
from engine.payments.schedule import Schedule, Timetable
from engine.payments.service import Payments
from engine.payments.stepping import Heard
from engine.payments.store import Attempted, PaymentStore, question_id
from engine.payments.unresolved import UNRESOLVED, case_id, digest_of
from engine.ports import Direction
from engine.restored import NEVER, Restored

log = logging.getLogger(__name__)

LookAfter = Callable[[Payment], Awaitable[None]]
Ask = Callable[[Payment, AttemptId, Direction], Awaitable[Heard]]

_SAYS_UNKNOWN = {State.COLLECTING, State.PAYING, State.REFUNDING}


class _Answer(NamedTuple):
    """What came of asking an operator, and what people are told of it."""

    heard: Heard
    told: str
    is_theirs: bool = True  # not: it could not be asked, by a fault of our own


def _never_late() -> float:
    return 0.0


class Reconciler:
    """Sweeps due payments of one database."""

    def __init__(
        self,
        *,
        store: PaymentStore,
        outbox: Outbox,
        payments: Payments,
        ask: Ask,
        clock: Clock,
        schedule: Timetable,
        draw: Callable[[], float] = _never_late,
        lease_seconds: int = 60,
        also: Mapping[State, LookAfter] | None = None,
        record: Record = unheard,
        restored: Restored = NEVER,
    ) -> None:
        """`draw` gives a number from 0 to 1: by how much of its jitter a look is late.

        `also` says what to do with payments that wait in further states. `record` is told of
        operators that stayed silent. About an order of before a restore people are called as soon
        as what they see of it counts: nobody sends it again (`decisions/0041`).
        """
        self._restored = restored
        self._store = store
        self._outbox = outbox
        self._payments = payments
        self._ask = ask
        self._clock = clock
        self._schedule = schedule
        self._draw = draw
        self._lease_seconds = lease_seconds
        self._looks_after: dict[State, LookAfter] = {
            **dict.fromkeys(LIVE_DIRECTION, self._look_at_attempt),
            State.REFUND_DUE: payments.order_refund,
            **(also or {}),
        }
        self._record = record
        self._faults = OurFaults(store, clock)
        self._asking = Asking(clock, lease_seconds=lease_seconds)

    async def sweep(self, most: int = 100) -> int:
        """Look after up to `most` due payments and as many questions; returns how many there were.

        What needs an operator's word is begun, and may still be waiting for it: see `idle`.
        """
        now = int(self._clock.epoch())
        due = await self._store.lease_due(now, self._lease_seconds, most)
        asked = await self._outbox.lease_questions(most)
        await asyncio.gather(
            *[self._look_after(payment_id, now + self._lease_seconds) for payment_id in due],
            *[self._ask_again(question) for question in asked],
        )
        return len(due) + len(asked)

    async def idle(self) -> None:
        """Wait until no operator is asked any more."""
        await self._asking.idle()

    async def stop(self) -> None:
        """Let questions under way finish; nothing else is asked. Leases bring back what waited."""
        await self._asking.stop()

    async def _look_after(self, payment_id: PaymentId, leased_until: int) -> None:
        try:
            payment = await self._store.payment(payment_id)
            if payment is not None:
                await self._looks_after.get(payment.state, self._call_for_help)(payment)
        except CappError as error:
            log.exception("%s was not looked after; its lease brings it back", code_of(payment_id))
            if isinstance(error, OurFault):
                await self._faults.tell(payment_id, "nobody can look after it", error)
                now = self._clock.epoch()
                pause = ever_rarer(payment_id, now, self._lease_seconds)
                await self._store.put_off(payment_id, leased_until, int(now + pause))

    async def _call_for_help(self, payment: Payment) -> None:
        if not await self._store.waits(payment.payment_id):
            return  # it came to rest between its lease and our reading
        log.error("%s waits in %s for nobody", payment.code, payment.state.name)
        detail = f"nothing follows {payment.state.name}"
        await self._open_case(payment, "STUCK", payment.payment_id, detail)

    async def _look_at_attempt(self, payment: Payment) -> None:
        attempt_id, operator = payment.live, _operator(payment)
        assert attempt_id is not None
        schedule = self._schedule.of(operator, LIVE_DIRECTION[payment.state])
        if self._clock.epoch() - epoch_of(attempt_id) < schedule.looks[0]:
            # It came due by what is usual: this operator asks for more patience.
            await self._store.set_due(payment, self._again(attempt_id, schedule))
            return
        if await self._outbox.still_there(attempt_id):
            await self._look_at_unsent(payment, attempt_id, operator)
            await self._store.set_due(payment, self._again(attempt_id, schedule))
            return
        ask = partial(self._ask_about_attempt, payment, attempt_id, operator)
        self._asking.begin(operator, schedule.asks_at_once, attempt_id, ask)

    async def _look_at_unsent(self, payment: Payment, attempt_id: AttemptId, operator: str) -> None:
        """Not sent yet, or being sent this moment: the outbox sweep looks after it.

        A refund is tried for as long as it takes, so people hear of it; the others have an end of
        their own.
        """
        direction = LIVE_DIRECTION[payment.state]
        age = self._clock.epoch() - epoch_of(attempt_id)
        times = self._schedule.of(operator, direction).escalation(age)
        if times and direction is Direction.REFUND:
            why = "it has not left yet"
            await self._escalate(payment, attempt_id, operator, age, times, why)

    async def _ask_about_attempt(
        self, before: Payment, attempt_id: AttemptId, operator: str
    ) -> None:
        """At its turn, unless the payment has moved on while it waited for that."""
        try:
            payment = await self._store.payment(before.payment_id)
            if payment is not None and payment.version == before.version:
                await self._ask_now(payment, attempt_id, operator)
        except CappError:
            log.exception("%s was not looked after; its lease brings it back", before.code)

    def _again(self, attempt_id: AttemptId, schedule: Schedule) -> int:
        """When an attempt is looked at next, in epoch seconds."""
        now = self._clock.epoch()
        return int(now + schedule.next_look(now - epoch_of(attempt_id), self._draw())) + 1

    async def _seen_from(self, payment: Payment, attempt_id: AttemptId) -> float:
        """From when on what people see of an order of before a restore counts, in epoch seconds;
        never, for one of since."""
        if not self._restored.forgot(attempt_id):
            return math.inf
        left_ms = await self._store.heard_last(payment, attempt_id)
        return left_ms / 1000 + ORDER_OVER_SECONDS

    async def _ask_now(self, payment: Payment, attempt_id: AttemptId, operator: str) -> None:
        direction = LIVE_DIRECTION[payment.state]
        schedule = self._schedule.of(operator, direction)
        age = self._clock.epoch() - epoch_of(attempt_id)
        again = self._again(attempt_id, schedule)
        seen_from = await self._seen_from(payment, attempt_id)
        answer = await self._hear(payment, attempt_id, direction)
        if answer.heard is Heard.ADVANCED:
            return
        times, why = schedule.escalation(age), f"asked now: {answer.told}"
        now = self._clock.epoch()
        if not times and seen_from <= now:
            times, why = 1, f"the database was restored: it is not sent again; {why}"
        if times:
            await self._escalate(payment, attempt_id, operator, age, times, why)
        if age >= schedule.unclear_after and payment.state in _SAYS_UNKNOWN:
            if answer.is_theirs:
                minor, began = payment.minor_of(direction), epoch_of(attempt_id)
                self._record(operator, direction, Told.UNCLEAR, minor, began_at=began)
            await self._payments.record_unclear(payment, attempt_id)
        else:
            due = again if seen_from <= now else min(again, seen_from)
            await self._store.set_due(payment, math.ceil(due))

    # Late news of an attempt that is over.

    async def _ask_again(self, question: Leased) -> None:
        try:
            found = await self._store.attempt(AttemptId(question_id(question.id)))
        except OurFault as fault:
            log.exception("question %s waits; its lease brings it back", question.id)
            await self._outbox.put_back(question)
            await self._faults.tell(question.payment_id, "late news of it waits", fault)
            return
        if found is None:
            log.error("question %s is about no attempt", question.id)
            return
        at_once = self._schedule.of(found.operator, found.direction).asks_at_once
        ask = partial(self._ask_about_news, found, question)
        self._asking.begin(found.operator, at_once, question.id, ask)

    async def _ask_about_news(self, found: Attempted, question: Leased) -> None:
        try:
            await self._ask_for_proof(found, question)
        except CappError:
            log.exception("%s was not asked about; its lease brings it back", found.payment.code)

    async def _ask_for_proof(self, found: Attempted, question: Leased) -> None:
        """An answer that decides strikes the question off (`Payments.apply_finding`).

        Asked by the schedule, counted from the first news; when the operator has not answered by
        the time that is promised, people are called and no more is asked: never before its answer
        could have counted.
        """
        payment, schedule = found.payment, self._schedule.of(found.operator, found.direction)
        age = self._clock.epoch() - int(question.payload or 0)
        answer = await self._hear(payment, found.attempt_id, found.direction)
        if not await self._outbox.still_there(question.id):
            return
        if not schedule.escalation(age) or age < NEWS_SETTLES_SECONDS:
            again = self._clock.epoch() + schedule.next_look(age, self._draw()) + 1
            await self._outbox.release(question.id, question.claim, again)
            return
        detail = (
            f"late news of {found.direction.name.lower()} at {found.operator} without proof"
            f" for {age / 3600:.0f} h ({payment.state.name}); asked now: {answer.told}"
        )
        digest = digest_of(f"{question.id}:{question.payload}")
        await self._open_case(payment, UNRESOLVED, digest, detail)
        await self._store.strike_question(found.attempt_id, int(self._clock.epoch()))

    # How an operator is asked, and people are called.

    async def _hear(self, payment: Payment, attempt_id: AttemptId, direction: Direction) -> _Answer:
        """Ask, and what came of it. Whatever keeps it from being asked, people hear in time."""
        try:
            heard = await self._ask(payment, attempt_id, direction)
        except ProviderError as error:
            log.warning("%s: no answer about its attempt: %s", payment.code, error)
            return _Answer(Heard.KEPT, f"no answer: {error}")
        except OurFault as fault:
            log.exception("%s: its operator was not asked, by our own fault", payment.code)
            told = f"nothing came of it, by a fault of our own: {words_of(fault)}"
            return _Answer(Heard.KEPT, told, is_theirs=False)
        return _Answer(heard, "it answered, without an end")

    async def _escalate(
        self,
        payment: Payment,
        attempt_id: AttemptId,
        operator: str,
        age: float,
        times: int,
        why: str,
    ) -> None:
        """One case for each time the promise is broken anew; the first goes by the attempt."""
        direction = LIVE_DIRECTION[payment.state]
        detail = (
            f"{direction.name.lower()} at {operator} without proof for {_length(age)}"
            f" ({payment.state.name}), promised was"
            f" {_length(self._schedule.of(operator, direction).escalate_after)}; {why}"
        )
        await self._open_case(payment, UNRESOLVED, case_id(attempt_id, times), detail)

    async def _open_case(self, payment: Payment, kind: str, digest: str, detail: str) -> None:
        now_ms = int(self._clock.epoch() * 1000)
        await self._store.cases.open_case(payment, kind, digest, detail, now_ms)


def _length(seconds: float) -> str:
    return f"{seconds / 3600:.0f} h" if seconds >= 3600 else f"{seconds / 60:.0f} min"


def _operator(payment: Payment) -> str:
    return payment.operator_of(LIVE_DIRECTION[payment.state])

"""A step of the lifecycle as a plan for the commit: ids, intents, deadline. Does no I/O."""

from typing import NamedTuple

import msgspec

from engine.clock import AttemptId, Clock, Ids
from engine.ledger.chart import Route
from engine.ledger.plans import NIL, Evidence, Intent, Plan, Spend
from engine.payments.facts import Facts
from engine.payments.lifecycle import TERMINAL, State, Step
from engine.payments.notices import SMS, notices_of
from engine.payments.payment import Payment, operator_of
from engine.payments.routing import Directory
from engine.ports import Direction

QUEUE_SECONDS = 10
"""How often a payout that waits for its operator is looked at."""


class Timing(msgspec.Struct, frozen=True):
    """The delays of a payment's life, in seconds."""

    quote: int = 120
    collect_delay: int = 3  # the phone is busy until its USSD session has ended
    lease: int = 60  # longer than any operator call may take
    refund_retry: int = 450  # a refund that definitely failed is tried again one to two of these
    first_look: int = 30  # when a silent attempt is asked about for the first time
    first_payout_look: int = 30  # the same of a payout, for which nobody has to type a PIN
    pay_within: int = 7200  # after a quote's end its rate still holds for a payout so long
    reminder: int = 86_400  # when somebody is reminded of what waits for people


class Onward(NamedTuple):
    """Another way to the payee, tried after one has definitely failed."""

    way: int
    route: Route


class Creation(NamedTuple):
    """What only the first plan of a payment has: its idempotency key and whose it is."""

    key: str | None = None
    hash: str = NIL
    customer: str | None = None


GIVES_BACK = {State.COLLECT_FAILED, State.EXPIRED, State.CANCELLED, State.REFUNDED}
"""Ends that leave the payer's money where it was: they do not count against a limit."""

UNLIMITED = 2**62  # money that came late was spent, whatever the limit says

_MOVE = Creation()


class Planner:
    """Turns steps into plans."""

    def __init__(self, directory: Directory, clock: Clock, ids: Ids, timing: Timing) -> None:
        self._directory = directory
        self._clock = clock
        self._ids = ids
        self._timing = timing
        self._waits = {
            # A refund that has just failed is not ordered again in the same breath.
            State.REFUND_DUE: timing.refund_retry,
            State.ON_HOLD: timing.reminder,
            State.RETURNED: timing.reminder,
            State.PAYOUT_QUEUED: QUEUE_SECONDS,
            State.PAYING: timing.first_payout_look,
        }

    def refunds_itself(self, payment: Payment) -> bool:
        """Whether what is due back can be ordered without asking people."""
        facts = payment.facts
        is_sent_elsewhere = bool(facts.refund_operator)
        return not is_sent_elsewhere and self._directory.refunds_itself(facts.quote.payer_operator)

    def plan(
        self,
        payment: Payment,
        step: Step,
        *,
        facts: str | None,
        reason: str | None = None,
        creation: Creation = _MOVE,
        onward: Onward | None = None,
        restated: Facts | None = None,
        evidence: tuple[Evidence, ...] = (),
        done: tuple[str, ...] = (),
    ) -> tuple[Plan, Payment]:
        """The plan, and the payment as it will be once the plan is applied.

        `onward`: another operator pays out from this step on. `restated`: other terms are in force
        from now on, and `facts` holds them.
        """
        now = int(self._clock.epoch())
        facts_after, version = restated or payment.facts, payment.version + 1
        way, route = onward or (payment.way, payment.route)
        terms = version if restated else payment.terms
        begins, operator, intents = self._begun(step.begins, facts_after, way, now)
        for notice in notices_of(step.path, reason, came_from=payment.state):
            intents.append(self._intent(self._ids.intent(), SMS, notice, now))
        ends = payment.live if step.ends else None
        plan = Plan(
            payment.payment_id, payment.version, payment.facts.tenant, step.state,
            self._due(step.state, now), *creation, facts, ends, begins, step.begins or 0, operator,
            way, terms, step.transfers, tuple(intents), (ends, *done) if ends else done, evidence,
            _spend(payment.facts, step),
        )  # fmt: skip
        after = Payment(
            payment.payment_id, facts_after, route, step.state, version,
            begins or (None if step.ends else payment.live), way, terms,
        )  # fmt: skip
        return plan, after

    def _begun(
        self, direction: Direction | None, facts: Facts, way: int, now: int
    ) -> tuple[AttemptId | None, int, list[Intent]]:
        if direction is None:
            return None, 0, []
        attempt_id = self._ids.attempt()
        operator = operator_of(direction, facts, way)
        delay = self._timing.collect_delay if direction is Direction.COLLECT else 0
        intent = self._intent(attempt_id, direction, None, now + delay)
        return attempt_id, self._directory.by_name[operator].code, [intent]

    def _due(self, state: State, now: int) -> int:
        """When somebody has to look, rounded up to whole slots; 0 for never.

        Rounded, so that a quick payment keeps its first deadline: one that changed with every
        step would cost the row its cheap (heap-only) updates.
        """
        if state in TERMINAL:
            return 0
        wait = self._waits.get(state, self._timing.first_look)
        return (now // wait + 2) * wait

    def _intent(self, id_: str, kind: int, payload: str | None, not_before: int) -> Intent:
        return Intent(id_, int(kind), payload, not_before, not_before + self._timing.lease)


def queue_due(now: int) -> int:
    """When a payout that could not leave is looked at again: with all that waited before it.

    Everybody in the queue comes due at the same whole slots and one who joins at no earlier one,
    so of those that are due together the oldest leaves first (`PaymentStore.lease_due`).
    """
    return (now // QUEUE_SECONDS + 1) * QUEUE_SECONDS


def _spend(facts: Facts, step: Step) -> tuple[Spend, ...]:
    """What a step counts against the payer's limits."""
    spend = facts.spend
    if spend is None:
        return ()
    if State.RESERVED in step.path:
        return (spend,)
    if step.state in GIVES_BACK:
        return (spend._replace(minor=-spend.minor),)
    if State.LATE_FUNDS in step.path:
        return (spend._replace(day_minor_max=UNLIMITED, month_minor_max=UNLIMITED),)
    return ()

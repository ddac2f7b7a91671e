"""A step of the lifecycle as a plan for the commit: ids, intents, deadline. Does no I/O."""

from typing import NamedTuple

import msgspec

from engine.clock import AttemptId, Clock, Ids
from engine.ledger.commit import NIL, Evidence, Intent, Plan
from engine.payments.lifecycle import TERMINAL, State, Step
from engine.payments.notices import SMS, notices_of
from engine.payments.payment import Payment
from engine.payments.routing import Directory
from engine.ports import Direction


class Timing(msgspec.Struct, frozen=True):
    """The delays of a payment's life, in seconds."""

    quote: int = 120
    collect_delay: int = 3  # the phone is busy until its USSD session has ended
    lease: int = 60  # longer than any operator call may take
    refund_retry: int = 450  # a refund that definitely failed is tried again one to two of these
    first_look: int = 30  # when a silent attempt is asked about for the first time


class Creation(NamedTuple):
    """What only the first plan of a payment has: its idempotency key and whose it is."""

    key: str | None = None
    hash: str = NIL
    customer: str | None = None


_MOVE = Creation()


class Planner:
    """Turns steps into plans."""

    def __init__(self, directory: Directory, clock: Clock, ids: Ids, timing: Timing) -> None:
        self._directory = directory
        self._clock = clock
        self._ids = ids
        self._timing = timing

    def plan(
        self,
        payment: Payment,
        step: Step,
        *,
        facts: str | None,
        reason: str | None = None,
        creation: Creation = _MOVE,
        evidence: tuple[Evidence, ...] = (),
        done: tuple[str, ...] = (),
    ) -> tuple[Plan, Payment]:
        """The plan, and the payment as it will be once the plan is applied."""
        now = int(self._clock.epoch())
        begins, operator, intents = self._begun(payment, step.begins, now)
        intents += [
            self._intent(self._ids.intent(), SMS, notice, now)
            for notice in notices_of(step.path, reason)
        ]
        ends = payment.live if step.ends else None
        plan = Plan(
            payment.payment_id, payment.version, payment.facts.tenant, step.state,
            self._due(step.state, now), *creation, facts, ends, begins, step.begins or 0, operator,
            step.transfers, tuple(intents), (ends, *done) if ends else done, evidence,
        )  # fmt: skip
        after = Payment(
            payment.payment_id, payment.facts, payment.route, step.state, payment.version + 1,
            begins or (None if step.ends else payment.live),
        )  # fmt: skip
        return plan, after

    def _begun(
        self, payment: Payment, direction: Direction | None, now: int
    ) -> tuple[AttemptId | None, int, list[Intent]]:
        if direction is None:
            return None, 0, []
        attempt_id = self._ids.attempt()
        delay = self._timing.collect_delay if direction is Direction.COLLECT else 0
        operator = self._directory.by_name[payment.operator_of(direction)].code
        return attempt_id, operator, [self._intent(attempt_id, direction, None, now + delay)]

    def _due(self, state: State, now: int) -> int:
        """When somebody has to look, rounded up to whole slots; 0 for never.

        Rounded, so that a quick payment keeps its first deadline: one that changed with every
        step would cost the row its cheap (heap-only) updates.
        """
        if state in TERMINAL:
            return 0
        # A refund that has just failed is not ordered again in the same breath.
        timing = self._timing
        wait = timing.refund_retry if state is State.REFUND_DUE else timing.first_look
        return (now // wait + 2) * wait

    def _intent(self, id_: str, kind: int, payload: str | None, not_before: int) -> Intent:
        return Intent(id_, int(kind), payload, not_before, not_before + self._timing.lease)

"""A step of the lifecycle as a plan for the commit: ids, intents, deadline. Does no I/O."""

from typing import Final, NamedTuple

import msgspec

from engine.clock import AttemptId, Clock, Ids
from engine.ledger.chart import Route
from engine.ledger.plans import NIL, UNLIMITED, Evidence, Intent, Plan, Spend, intent_of, plan_of
from engine.payments.evidence import ordered_by
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


REFUND_STEPS_SOON: Final = 12
"""After so many steps a refund has failed some four times; each failure is two more. What made the
first fail may be over in minutes: no float, an operator that was upset. A wallet that is gone stays
so until two people send the money elsewhere."""
REFUND_DOUBLINGS_MAX: Final = 4
"""From then on each pause is twice the last, up to two to four hours."""


class Onward(NamedTuple):
    """Another way to the payee, tried after one has definitely failed."""

    way: int
    route: Route


class Creation(msgspec.Struct, frozen=True):
    """What only the first plan of a payment has: its idempotency key and whose it is."""

    key: str | None = None
    hash: str = NIL
    customer: str | None = None


GIVES_BACK = {State.COLLECT_FAILED, State.EXPIRED, State.CANCELLED, State.REFUNDED}
"""Ends that leave the payer's money where it was: they do not count against a limit."""

_MOVE = Creation()

_COLLECT, _REFUND = Direction.COLLECT, Direction.REFUND
_RESERVED, _LATE_FUNDS = State.RESERVED, State.LATE_FUNDS


class Planner:
    """Turns steps into plans."""

    def __init__(self, directory: Directory, clock: Clock, ids: Ids, timing: Timing) -> None:
        self._directory = directory
        self._clock = clock
        self._ids = ids
        self._timing = timing
        # How long until somebody looks; at the ends nobody does.
        self._waits = dict.fromkeys([s for s in State if s not in TERMINAL], timing.first_look) | {
            # A refund that has just failed is not ordered again in the same breath.
            State.REFUND_DUE: timing.refund_retry,
            State.ON_HOLD: timing.reminder,
            State.RETURNED: timing.reminder,
            State.PAYOUT_QUEUED: QUEUE_SECONDS,
            State.PAYING: timing.first_payout_look,
        }

    def gives_back(self, payment: Payment, *, has_receipt: bool) -> bool:
        """Whether the operator that collected gives back what is owed.

        `has_receipt`: its own number of that collection is known. A part of it goes back without.
        """
        owed = payment.amount_of(_REFUND)
        is_whole = owed.minor == payment.minor_of(_COLLECT)
        return self._directory.gives_back(
            payment.quote.payer_operator, owed, has_receipt=has_receipt and is_whole
        )

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
        payment_id, before, live = payment.payment_id, payment.facts, payment.live
        facts_after, version = restated or before, payment.version + 1
        way, route = onward or (payment.way, payment.route)
        terms = version if restated else payment.terms
        path, direction, is_ended = step.path, step.begins, step.ends
        state = path[-1]
        ends = live if is_ended else None
        begins, operator, intents, by = self._begun(direction, facts_after, way, now)
        if by and begins is not None:
            evidence += (ordered_by(begins, by),)
        if notices := notices_of(path, reason, payment.state):
            lease_until = now + self._timing.lease
            new_id = self._ids.intent
            intents += tuple([intent_of((new_id(), SMS, n, now, lease_until)) for n in notices])
        due = self._due(state, now, version)
        plan = plan_of((
            payment_id, payment.version, before.tenant, state, due, creation.key,
            creation.hash, creation.customer, facts, ends, begins, direction or 0, operator, way,
            terms, step.transfers, intents, (ends, *done) if ends else done, evidence,
            _spend(before.spend, path),
        ))  # fmt: skip
        after = Payment(
            payment_id, facts_after, route, state, version,
            begins or (None if is_ended else live), way, terms,
        )  # fmt: skip
        return plan, after

    def _begun(
        self, direction: Direction | None, facts: Facts, way: int, now: int
    ) -> tuple[AttemptId | None, int, tuple[Intent, ...], str]:
        if direction is None:
            return None, 0, (), ""
        attempt_id, timing = self._ids.attempt(), self._timing
        operator = self._directory.by_name[operator_of(direction, facts, way)]
        begin = now + timing.collect_delay if direction is _COLLECT else now
        intent = intent_of((attempt_id, direction, None, begin, begin + timing.lease))
        return attempt_id, operator.code, (intent,), operator.kept_way(direction)

    def _due(self, state: State, now: int, version: int) -> int:
        """When somebody has to look, rounded up to whole slots; 0 for never.

        Rounded, so that a quick payment keeps its first deadline: one that changed with every
        step would cost the row its cheap (heap-only) updates.
        """
        wait = self._waits.get(state)
        if state is State.REFUND_DUE and version > REFUND_STEPS_SOON and wait:
            wait <<= min((version - REFUND_STEPS_SOON + 1) // 2, REFUND_DOUBLINGS_MAX)
        return (now // wait + 2) * wait if wait else 0


def queue_due(now: int) -> int:
    """When a payout that could not leave is looked at again: with all that waited before it.

    Everybody in the queue comes due at the same whole slots and one who joins at no earlier one,
    so of those that are due together the oldest leaves first (`PaymentStore.lease_due`).
    """
    return (now // QUEUE_SECONDS + 1) * QUEUE_SECONDS


def _spend(spend: Spend | None, path: tuple[State, ...]) -> tuple[Spend, ...]:
    """What a step counts against the payer's limits."""
    if spend is None:
        return ()
    if _RESERVED in path:
        return (spend,)
    if path[-1] in GIVES_BACK:
        return (spend._replace(minor=-spend.minor),)
    if _LATE_FUNDS in path:
        return (spend._replace(day_minor_max=UNLIMITED, month_minor_max=UNLIMITED),)
    return ()

"""The people at the desk of a simulated world: they look at operators' portals, and two agree.

Honest and slow: what they propose is what they saw, the second agrees hours later without looking
again, somebody presses twice. The desk and whoever carries out what was agreed on are real.
"""

import random
from typing import TYPE_CHECKING

from engine.clock import AttemptId, PaymentId
from engine.desk.proposals import Kind
from engine.desk.proposals import State as Stands
from engine.payments.facts import read_terms
from engine.payments.lifecycle import State
from engine.payments.patience import ORDER_OVER_SECONDS
from engine.payments.payment import Payment, payout_operator
from engine.payments.stepping import REFUND_BY_HAND
from engine.ports import Direction, Order
from tests.simulation.model import START, AttemptRow, PaymentRow
from tests.simulation.operators import Job, SimulatedOperator
from tests.simulation.people import PEOPLE
from tests.simulation.two_people import TwoPeople, Wish

if TYPE_CHECKING:
    from tests.simulation.world import World

UNKNOWN = {State.COLLECT_UNKNOWN, State.PAYOUT_UNKNOWN, State.REFUND_UNKNOWN}


class Staff(TwoPeople):
    """Everybody at the desk of one world."""

    def __init__(self, world: "World", chance: random.Random) -> None:
        super().__init__(world, chance)
        self._pays_from = 0.0

    @property
    def is_busy(self) -> bool:
        """Whether anything that was asked for is not over, also what they gave up and was heard."""
        left = self._world.model.proposals.values()
        return bool(self._open) or any(p.state is Stands.APPROVED for p in left)

    def restored(self) -> None:
        """The database was restored: nobody pays by hand sooner than the runbook says."""
        self._pays_from = self._world.restored.at - START + ORDER_OVER_SECONDS

    async def visit(self) -> None:
        """Carry out what was left behind, and look at all that waits for people."""
        others = (self._world.stray_staff, self._world.owner)
        if self.is_busy or any(others):
            await self._carry_out()
        for payment_id, row in list(self._world.model.payments.items()):
            if payment_id in self._open or row.customer is None:
                continue
            if (wish := self._wish(PaymentId(payment_id), row)) is not None:
                await self._ask_for(payment_id, wish)
        if self._world.options.portals:
            await self._agree_on_old_ones({Kind.REPAY_RETURNED, Kind.REFUND_RETURNED})

    # What they see, and what they make of it.

    def _wish(self, payment_id: PaymentId, row: PaymentRow) -> Wish | None:
        about: dict[str, str] = {"payment": payment_id}
        match State(row.state):
            case State.ON_HOLD:
                return self._of_held(payment_id, about)
            case State.RETURNED if self._world.options.portals:
                return self._of_returned(payment_id, about)
            case State.RETURNED:
                kinds = (Kind.REPAY_RETURNED, Kind.REFUND_RETURNED)
                return Wish(self._chance.choice(kinds), about)
            case State.PAYOUT_QUEUED if self._chance.random() < 0.1:
                return Wish(Kind.REFUND_QUEUED, about)
            case State.REFUND_DUE if REFUND_BY_HAND in self._world.model.open_kinds(payment_id):
                return self._of_debt(payment_id, about)
            case State.REFUND_DUE if self._world.ported is not None:
                return self._of_gone(payment_id, about)
            case state if self._may_attest(state, row) and self._chance.random() < 0.5:
                return self._of_unknown(payment_id, AttemptId(str(row.live)))
        return None

    def _may_attest(self, state: State, row: PaymentRow) -> bool:
        """Whether anybody looks after what nobody knows the end of."""
        return state in UNKNOWN and row.live is not None and self._world.attests()

    def _of_held(self, payment_id: PaymentId, about: dict[str, str]) -> Wish | None:
        """Whoever has the money is said to have it; else it is paid now, or given back."""
        paid, back = self._listed(payment_id, Direction.DISBURSE), self._back(payment_id)
        if any(job.outcome is None for _, job in (*paid, *back)):
            return None
        for operator, job in paid:
            if job.outcome:
                seen = {"reference": self._world.told(job), "operator": operator.facts.name}
                return Wish(Kind.PAYOUT_SEEN, {**about, **seen})
        if any(job.outcome for _, job in back):
            return Wish(Kind.REFUSE_HOLD, about)
        return Wish(self._chance.choice((Kind.RELEASE_HOLD, Kind.REFUSE_HOLD)), about)

    def _of_returned(self, payment_id: PaymentId, about: dict[str, str]) -> Wish | None:
        """Whoever has the money since it came back is said to have it; else it is paid again, by us
        or by hand, to that number or another one, or given back."""
        paid, back = self._listed(payment_id, Direction.DISBURSE), self._back(payment_id)
        if any(job.outcome is None for _, job in (*paid, *back)):
            return None
        for operator, job in paid:
            if job.outcome:
                seen = {"reference": self._world.told(job), "operator": operator.facts.name}
                return Wish(Kind.PAYOUT_SEEN, {**about, **seen, **self._to(payment_id, job)})
        if any(job.outcome for _, job in back):
            return Wish(Kind.REFUND_RETURNED, about)
        match self._chance.random():
            case odds if odds < 0.4:
                return Wish(Kind.REFUND_RETURNED, about)
            case odds if odds < 0.6 and self._world.loop.time() >= self._pays_from:
                return self._paid_by_hand(payment_id, about)
            case odds if odds < 0.75:
                return Wish(Kind.REPAY_RETURNED, {**about, "payee": self._another(payment_id)})
        return Wish(Kind.REPAY_RETURNED, about)

    def _paid_by_hand(self, payment_id: PaymentId, about: dict[str, str]) -> Wish:
        """Somebody pays the payee in the portal of the operator that was to."""
        operator = self._world.operators[self._payment(payment_id).payout_operator]
        reference = self._moved_by_hand(payment_id, operator, Direction.DISBURSE)
        seen = {"reference": reference, "operator": operator.facts.name}
        return Wish(Kind.PAYOUT_SEEN, {**about, **seen})

    def _another(self, payment_id: PaymentId) -> str:
        """Another number of the payee's, at the same operator."""
        payee = self._payment(payment_id).quote.payee
        numbers = [str(person.customer.msisdn) for person in PEOPLE]
        return self._chance.choice([n for n in numbers if n[:4] == payee[:4] and n != payee])

    def _to(self, payment_id: PaymentId, job: Job) -> dict[str, str]:
        """Whom a movement paid, where that is not whom the books know."""
        number = str(job.order.msisdn)
        return {} if number == self._payment(payment_id).quote.payee else {"payee": number}

    def _of_debt(self, payment_id: PaymentId, about: dict[str, str]) -> Wish | None:
        """What went back is booked; else it is sent another way, or by hand."""
        back = self._back(payment_id)
        if any(job.outcome is None for _, job in back):
            return None
        for operator, job in back:
            if job.outcome:
                seen = {"reference": self._world.told(job), "operator": operator.facts.name}
                return Wish(Kind.REFUND_SEEN, {**about, **seen})
        payment = self._payment(payment_id)
        owed = payment.amount_of(Direction.REFUND)
        ways = self._world.directory.refund_ways(payment.quote.payer_operator, owed)
        if not ways or self._chance.random() < 0.5:
            if self._world.loop.time() < self._pays_from:
                return None
            return self._by_hand(payment_id, about)
        way = self._chance.choice(ways).name
        return Wish(Kind.REFUND_ELSEWHERE, {**about, "operator": way})

    def _of_gone(self, payment_id: PaymentId, about: dict[str, str]) -> Wish | None:
        """What goes back in vain, for the payer's wallet is with another operator: by who reaches
        it."""
        if "REFUND_FAILED" not in self._world.model.open_kinds(payment_id):
            return None
        payment = self._payment(payment_id)
        own, owed = payment.quote.payer_operator, payment.amount_of(Direction.REFUND)
        ways = self._world.directory.refund_ways(own, owed)
        others = [facts.name for facts in ways if facts.name != own]
        if not others:
            return None
        self._world.happened["refund sent elsewhere"] += 1
        return Wish(Kind.REFUND_ELSEWHERE, {**about, "operator": self._chance.choice(others)})

    def _by_hand(self, payment_id: PaymentId, about: dict[str, str]) -> Wish:
        """Somebody pays in the operator's portal, and says so."""
        operator = self._world.operators[self._payment(payment_id).quote.payer_operator]
        reference = self._moved_by_hand(payment_id, operator, Direction.REFUND)
        seen = {"reference": reference, "operator": operator.facts.name}
        return Wish(Kind.REFUND_SEEN, {**about, **seen})

    def _moved_by_hand(
        self, payment_id: PaymentId, operator: SimulatedOperator, direction: Direction
    ) -> str:
        """Money leaves our wallet there at once; its reference."""
        payment = self._payment(payment_id)
        attempt_id = AttemptId(f"{self._chance.getrandbits(128):032x}")
        row = AttemptRow(payment_id, 1, direction, operator.facts.code)
        self._world.laws.rows[attempt_id] = row
        order = Order(
            attempt_id, direction, payment.amount_of(direction), payment.msisdn_of(direction),
            payment.code, "",
        )  # fmt: skip
        reference = operator.pay_by_hand(order)
        self._world.trace("by hand", payment_id, reference)
        return reference

    def _of_unknown(self, payment_id: PaymentId, attempt_id: AttemptId) -> Wish | None:
        """What the portal says of its order; of one that is not listed, that it came to nothing."""
        code = self._payment(payment_id).code
        jobs = [
            job
            for operator in self._world.operators.values()
            for job in operator.shown(code)
            if job.order.attempt_id == attempt_id
        ]
        for job in jobs:
            if job.outcome:
                seen = {"outcome": "succeeded", "reference": self._world.told(job)}
                return Wish(Kind.ATTEMPT_SEEN, {"attempt": attempt_id, **seen})
        if any(job.outcome is None for job in jobs):
            return None
        return Wish(Kind.ATTEMPT_SEEN, {"attempt": attempt_id, "outcome": "failed"})

    def _back(self, payment_id: PaymentId) -> list[tuple[SimulatedOperator, Job]]:
        return self._listed(payment_id, Direction.REFUND)

    def _listed(
        self, payment_id: PaymentId, direction: Direction
    ) -> list[tuple[SimulatedOperator, Job]]:
        """Every movement of a payment into the payee's wallet (DISBURSE), or the payer's (REFUND),
        also those that these books forgot."""
        payment, rows = self._payment(payment_id), self._world.laws.rows
        return [
            (operator, job)
            for operator in self._world.operators.values()
            for job in operator.shown(payment.code)
            if rows[job.order.attempt_id].direction == direction
        ]

    def _payment(self, payment_id: PaymentId) -> Payment:
        """As `capp payments` shows it."""
        row = self._world.model.payments[payment_id]
        path = self._world.model.journal[payment_id]
        facts = read_terms(str(path[row.terms - 1].facts))
        route = self._world.route(facts.quote.payer_operator, payout_operator(facts.quote, row.way))
        return Payment(
            payment_id, facts, route, State(row.state), row.version, None, row.way, row.terms
        )

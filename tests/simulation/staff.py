"""The people at the desk of a simulated world: they look at operators' portals, and two agree.

Honest and slow: what they propose is what they saw, the second agrees hours later without looking
again, somebody presses twice. The desk and whoever carries out what was agreed on are real.
"""

import random
from typing import TYPE_CHECKING, Any, NamedTuple

from engine.clock import AttemptId, PaymentId
from engine.desk.proposals import Kind, Person, Proposal, ProposalId
from engine.desk.proposals import State as Stands
from engine.payments.facts import read_terms
from engine.payments.lifecycle import State
from engine.payments.patience import ORDER_OVER_SECONDS
from engine.payments.payment import Payment, payout_operator
from engine.payments.stepping import REFUND_BY_HAND
from engine.ports import Direction, Order
from tests.simulation.model import START, AttemptRow, PaymentRow
from tests.simulation.operators import Job, SimulatedOperator

if TYPE_CHECKING:
    from tests.simulation.machine import Machine
    from tests.simulation.world import World

HOUR = 3600.0
UNKNOWN = {State.COLLECT_UNKNOWN, State.PAYOUT_UNKNOWN, State.REFUND_UNKNOWN}
OVER = {Stands.DONE, Stands.FAILED, Stands.REJECTED, Stands.EXPIRED}
FIRST, SECOND = Person("amina"), Person("brian")


class Wish(NamedTuple):
    """What somebody who has looked asks for."""

    kind: Kind
    fields: dict[str, Any]


class Staff:
    """Everybody at the desk of one world; what they remember no restore takes from them."""

    def __init__(self, world: "World", chance: random.Random) -> None:
        self._world = world
        self._chance = chance
        self._open: dict[str, ProposalId] = {}  # by payment what was asked for and is not over
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
        if self.is_busy:
            await self._carry_out()
        for payment_id, row in list(self._world.model.payments.items()):
            if payment_id in self._open or row.customer is None:
                continue
            if (wish := self._wish(PaymentId(payment_id), row)) is not None:
                await self._ask_for(payment_id, wish)

    # What they see, and what they make of it.

    def _wish(self, payment_id: PaymentId, row: PaymentRow) -> Wish | None:
        about: dict[str, str] = {"payment": payment_id}
        match State(row.state):
            case State.ON_HOLD:
                return self._of_held(payment_id, about)
            case State.RETURNED:
                kinds = (Kind.REPAY_RETURNED, Kind.REFUND_RETURNED)
                return Wish(self._chance.choice(kinds), about)
            case State.PAYOUT_QUEUED if self._chance.random() < 0.1:
                return Wish(Kind.REFUND_QUEUED, about)
            case State.REFUND_DUE if REFUND_BY_HAND in self._world.model.open_kinds(payment_id):
                return self._of_debt(payment_id, about)
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

    def _by_hand(self, payment_id: PaymentId, about: dict[str, str]) -> Wish:
        """Somebody pays in the operator's portal, and says so."""
        payment = self._payment(payment_id)
        operator = self._world.operators[payment.quote.payer_operator]
        attempt_id = AttemptId(f"{self._chance.getrandbits(128):032x}")
        row = AttemptRow(payment_id, 1, Direction.REFUND, operator.facts.code)
        self._world.laws.rows[attempt_id] = row
        order = Order(
            attempt_id, Direction.REFUND, payment.amount_of(Direction.REFUND),
            payment.msisdn_of(Direction.REFUND), payment.code, "",
        )  # fmt: skip
        reference = operator.pay_by_hand(order)
        self._world.trace("by hand", payment_id, reference)
        seen = {"reference": reference, "operator": operator.facts.name}
        return Wish(Kind.REFUND_SEEN, {**about, **seen})

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

    # How two people agree.

    async def _ask_for(self, payment_id: str, wish: Wish) -> None:
        """One proposes; whether it was heard or not, the other comes to it later."""
        proposal_id = self._world.any_machine(self._chance).desk.new_id()
        self._open[payment_id] = proposal_id
        self._world.laws.agreed[proposal_id] = {FIRST, SECOND}
        self._world.trace("proposes", wish.kind, payment_id, proposal_id)

        async def propose(machine: "Machine") -> Proposal:
            return await machine.desk.propose(
                wish.kind, wish.fields, by=FIRST, note="looked there", proposal_id=proposal_id
            )

        await self._world.served(propose, self._chance)
        delay = self._chance.choice((5.0, 60.0, 700.0, HOUR, 12 * HOUR))
        if not self._world.is_calm and self._chance.random() < 0.05:
            delay = 80 * HOUR  # after a long weekend it has expired
        self._world.loop.outside(delay, self._decide_later, payment_id, proposal_id)

    def _decide_later(self, payment_id: str, proposal_id: ProposalId) -> None:
        self._world.loop.spawn(self._decide(payment_id, proposal_id))

    async def _decide(self, payment_id: str, proposal_id: ProposalId) -> None:
        """Agree, twice at once now and then, or refuse; and again until it is over."""
        is_refused = not self._world.is_calm and self._chance.random() < 0.1

        async def decide(machine: "Machine") -> Proposal:
            if is_refused:
                return await machine.desk.reject(proposal_id, by=SECOND)
            return await machine.desk.approve(proposal_id, by=SECOND)

        presses = 2 if self._chance.random() < 0.2 else 1
        for press in range(presses):
            if press + 1 < presses:
                self._world.loop.spawn(self._world.served(decide, self._chance))
            else:
                await self._world.served(decide, self._chance)
        known = self._world.model.proposals.get(proposal_id)
        stands = known.state if known is not None else None
        self._world.trace("decided", payment_id, proposal_id, stands, known and known.outcome)
        if stands is None or stands in OVER:
            del self._open[payment_id]
        else:
            self._world.loop.outside(HOUR, self._decide_later, payment_id, proposal_id)

    async def _carry_out(self) -> None:
        """As the worker does it now and then."""

        async def carry_out(machine: "Machine") -> int:
            return await machine.desk.carry_out_approved()

        await self._world.served(carry_out, self._chance, tries=1)

"""People who decide about pay-ins that nobody knows the owner of, and what must hold of those.

They look at the operator's portal, and know for which payment money was sent. It goes back or to
that payment; now and then one pair asks for the one and another for the other. The desk and whoever
carries out what was agreed on are real.
"""

import random
from collections.abc import Iterator
from typing import TYPE_CHECKING

from engine.clock import PaymentId
from engine.desk.proposals import Kind, OfPayIn, Proposal, ProposalId, read_body
from engine.desk.proposals import State as Stands
from engine.errors import CappError
from engine.ledger.chart import Account
from engine.ledger.chart import Kind as AccountKind
from engine.ledger.entries import Manual
from engine.ledger.plans import Plan
from engine.payments.facts import read_terms
from engine.payments.patience import ORDER_OVER_SECONDS
from engine.payments.payins.judging import PayIn, Stage
from engine.ports import Finding
from tests.simulation.model import START, PayInRow
from tests.simulation.operators import SimulatedOperator
from tests.simulation.pay_in_returns import Back, ReturningOperator
from tests.simulation.payers import TOLD_AGAIN
from tests.simulation.two_people import FIRST, OVER, TwoPeople, Wish

if TYPE_CHECKING:
    from tests.simulation.machine import Machine
    from tests.simulation.world import World

HOUR = 3600.0
KINDS = {Kind.RETURN_PAY_IN, Kind.ASSIGN_PAY_IN, Kind.RETURN_FAILED}
RETURNS = (Manual.RETURN_RESERVED, Manual.RETURNED_TO_SENDER, Manual.RETURN_FAILED)
ON_THE_WAY = (Manual.RETURN_RESERVED, Manual.RETURNED_TO_SENDER)
NOT_THE_PAYMENTS = (Stage.RETURNING, Stage.RETURNED)


class StrayStaff(TwoPeople):
    """Everybody who decides about pay-ins in one world."""

    settled = OVER | {Stands.WAITING}

    def __init__(self, world: "World", chance: random.Random) -> None:
        super().__init__(world, chance)
        self._busy = 0
        self._pays_from = 0.0
        self._agreed: set[tuple[str, str]] = set()  # of receipts and payments: it was meant for it
        world.model.watchers.append(self._on_plan)
        for port in self._ports():
            port.on_back = self._on_back
            port.on_told = self._on_told

    def begin(self) -> None:
        """They look every hour or two, or sooner in a brief world."""
        self._world.loop.spawn(self._visit())
        longest = min(2 * HOUR, self._world.span / 3)
        self._world.loop.outside(self._chance.uniform(longest / 6, longest), self.begin)

    @property
    def is_busy(self) -> bool:
        """Whether anything was asked for and is not over, or is on its way back."""
        if self._busy or self._open or any(port.returns_open for port in self._ports()):
            return True
        return any(self._is_unfinished(row.stands) for row in self._rows())

    def restored(self) -> None:
        """Nobody gives money away sooner than what had left is shown; old proposals are back."""
        self._pays_from = self._world.restored.at - START + ORDER_OVER_SECONDS

    def is_assigned(self, receipt: str, payment: str) -> bool:
        """Whether two people said that this money was meant for that payment."""
        return (receipt, payment) in self._agreed

    # What they see, and what they make of it.

    async def _visit(self) -> None:
        for row in list(self._rows()):
            stands = row.stands
            port = self._port(stands.operator)
            if not self._is_seen(port, stands) or self._chance.random() < 0.4:
                continue
            if stands.stage is Stage.RETURNING:
                await self._look_after(port, stands)
            elif stands.stage is Stage.SUSPENDED or self._lies_there(stands):
                await self._decide_about(port, stands)
        await self._agree_on_old_ones(KINDS)

    def _is_seen(self, port: ReturningOperator, pay_in: PayIn) -> bool:
        """Whether the portal shows that it came; a payment's own collection looks no different."""
        told = port.announced
        is_its = told is not None and told.is_told_of(port.facts.name, pay_in.paid.receipt)
        return pay_in.paid.receipt in port.sent or is_its

    async def _decide_about(self, port: ReturningOperator, pay_in: PayIn) -> None:
        """What went back does so in our books; else it goes back, or to its payment, or both are
        asked for at once."""
        shown = port.shown_back(pay_in.paid.receipt)
        if shown is not None and shown.outcome is None:
            return
        wishes = [Wish(Kind.RETURN_PAY_IN, {"pay_in": pay_in.id})]
        payment = self._world.payers.meant.get(pay_in.paid.receipt) if self._world.payers else None
        if not (shown and shown.outcome) and payment and self._may_be_its(pay_in, payment):
            to_it = Wish(Kind.ASSIGN_PAY_IN, {"pay_in": pay_in.id, "payment": payment})
            wishes = self._chance.choice(([to_it], [to_it], [*wishes, to_it], wishes))
        for wish in wishes:
            if (subject := f"{wish.kind} {pay_in.id}") not in self._open:
                self._world.happened[f"asked for {wish.kind}"] += 1
                if wish.kind is Kind.ASSIGN_PAY_IN:
                    self._agreed.add((pay_in.paid.receipt, str(payment)))
                await self._ask_for(subject, wish)

    def _may_be_its(self, pay_in: PayIn, payment: PaymentId) -> bool:
        row = self._world.model.payments.get(payment)
        if row is None or self._world.loop.time() < self._pays_from:
            return False
        facts = read_terms(str(self._world.model.journal[payment][row.terms - 1].facts))
        return facts.quote.total == pay_in.paid.amount

    async def _look_after(self, port: ReturningOperator, pay_in: PayIn) -> None:
        """Money on its way back: that it arrived, or that it did not go and is not about to."""
        shown, receipt = port.shown_back(pay_in.paid.receipt), pay_in.paid.receipt
        proposal = self._world.model.proposals.get(ProposalId(pay_in.proposal or ""))
        if proposal is None or proposal.state is not Stands.WAITING:
            return
        if shown is not None and shown.outcome:
            await self._see(proposal, shown)
        elif (shown is None or shown.outcome is False) and self._has_looked_long(pay_in):
            subject = f"{Kind.RETURN_FAILED} {pay_in.id}"
            if subject not in self._open:
                self._world.trace("looked, and it did not go", receipt)
                self._world.happened["asked for RETURN_FAILED"] += 1
                await self._ask_for(subject, Wish(Kind.RETURN_FAILED, {"proposal": proposal.id}))

    def _has_looked_long(self, pay_in: PayIn) -> bool:
        left = (pay_in.called_ms or 0) / 1000 - START
        return self._world.loop.time() > left + ORDER_OVER_SECONDS and self._chance.random() < 0.5

    async def _see(self, proposal: Proposal, shown: Back) -> None:
        async def see(machine: "Machine") -> Proposal:
            return await machine.desk.see(proposal.id, shown.receipt, by=FIRST)

        self._world.trace("saw it back", proposal.id, shown.receipt)
        self._world.happened["saw a return"] += 1
        await self._world.served(see, self._chance)

    def _lies_there(self, pay_in: PayIn) -> bool:
        """Whether a statement has put aside what nobody could prove."""
        if pay_in.stage is not Stage.DENIED:
            return False
        keys, key = self._world.model.keys, key_of(pay_in)
        return (1, key) in keys and (1, f"{key}:back") not in keys

    def _is_unfinished(self, pay_in: PayIn) -> bool:
        if pay_in.stage in (Stage.RETURNING, Stage.ASSIGNING):
            return True
        went = self._port(pay_in.operator).has_gone(pay_in.paid.receipt)
        return went and pay_in.stage is Stage.SUSPENDED

    # What operators tell of it.

    def _on_told(self, port: SimulatedOperator, pay_in_id: str, finding: Finding) -> None:
        self._tell(pay_in_id, finding, 0)

    def _tell(self, pay_in_id: str, finding: Finding, tries: int) -> None:
        self._busy += 1
        self._world.loop.spawn(self._told(pay_in_id, finding, tries))

    async def _told(self, pay_in_id: str, finding: Finding, tries: int) -> None:
        machine = self._world.any_machine(self._chance)
        try:
            await self._world.request(
                machine, lambda door: door.returns.hear_return(pay_in_id, finding)
            )
        except (OSError, TimeoutError, CappError):
            self._world.trace("a return's end not taken", pay_in_id)
            if tries < TOLD_AGAIN:
                again = (pay_in_id, finding, tries + 1)
                self._world.loop.outside(10.0 * 4**tries, self._tell, *again)
        finally:
            self._busy -= 1

    # What must hold.

    def _on_back(self, port: ReturningOperator, back: Back) -> None:
        """Its sender has it again: nobody else has."""
        world, receipt = self._world, back.sent.receipt
        world.trace("went back", receipt, back.receipt)
        world.happened["went back"] += 1
        if world.clerk is not None:
            world.clerk.enter_back(port.facts.name, back)
        if f"{port.facts.name} {receipt}" in world.laws.paid_in.values():
            world.laws.broken("sent back what a payment has", receipt=receipt)
        if sum(bool(b.outcome) for b in port.backs[receipt]) > 1:
            world.laws.broken("sent back twice", receipt=receipt)

    def _on_plan(self, plan: Plan) -> None:
        if plan.state in RETURNS:
            self._world.happened[Manual(plan.state).name] += 1
        if plan.state == Manual.RETURNED_TO_SENDER:
            receipt, port = self._of_return(plan.payment)
            if not port.has_gone(receipt):
                self._world.laws.broken("booked as sent back what is not", receipt=receipt)
        elif plan.state == Manual.RETURN_FAILED:
            receipt, port = self._of_return(plan.payment)
            if port.may_still_go(receipt):
                self._world.laws.broken("called failed what may still go back", receipt=receipt)
        elif plan.version > 0 and '"code":"paid_in"' in (plan.facts or ""):
            name, receipt = self._world.laws.paid_in.get(plan.payment, " ").split(" ", 1)
            port_ = self._world.operators.get(name)
            if isinstance(port_, ReturningOperator) and port_.may_still_go(receipt):
                self._world.laws.broken("a payment has what may go back", receipt=receipt)

    def check_end(self) -> None:
        """What went back is where it belongs, and all that is on its way is said to be."""
        for row in self._rows():
            port, stands = self._port(row.stands.operator), row.stands
            if port.has_gone(stands.paid.receipt) and stands.stage not in NOT_THE_PAYMENTS:
                self._world.laws.broken(
                    "sent back, and it stands elsewhere", pay_in=stands.id, stage=stands.stage.name
                )
            if self._is_unfinished(stands):
                self._world.laws.broken("a pay-in never comes to rest", pay_in=stands.id)
            if stands.stage is Stage.RETURNED and not port.has_gone(stands.paid.receipt):
                self._world.laws.broken("told sent back what is not", pay_in=stands.id)
        for port in self._ports():
            facts = port.facts
            number = Account(1, facts.currency, AccountKind.RETURN_HELD, facts.code).number
            if self._world.model.balances.get(number, 0):
                self._world.laws.broken("a return is held for ever", operator=facts.name)

    def left(self) -> set[str]:
        """Keys of what was put into SUSPENSE and has gone on from there to whoever sent it."""
        return {key_of(row.stands) for _, row, state in self._returns() if state in ON_THE_WAY}

    def _returns(self) -> Iterator[tuple[str, PayInRow, Manual]]:
        """Every return that the books know: its proposal, its pay-in and where it stands."""
        model = self._world.model
        for id_, row in model.payments.items():
            if row.customer is None and row.state in (*ON_THE_WAY, Manual.RETURN_FAILED):
                yield id_, model.pay_ins[self._pay_in_of(id_)], Manual(row.state)

    def _of_return(self, proposal_id: str) -> tuple[str, ReturningOperator]:
        stands = self._world.model.pay_ins[self._pay_in_of(proposal_id)].stands
        return stands.paid.receipt, self._port(stands.operator)

    def _pay_in_of(self, proposal_id: str) -> str:
        proposal = self._world.model.proposals[ProposalId(proposal_id)]
        body = read_body(proposal.kind, proposal.body)
        assert isinstance(body, OfPayIn)
        return body.pay_in

    def _rows(self) -> Iterator[PayInRow]:
        return iter(self._world.model.pay_ins.values())

    def _port(self, operator: str) -> ReturningOperator:
        port = self._world.operators[operator]
        assert isinstance(port, ReturningOperator)
        return port

    def _ports(self) -> list[ReturningOperator]:
        return [p for p in self._world.operators.values() if isinstance(p, ReturningOperator)]


def key_of(pay_in: PayIn) -> str:
    """Under which its money lies in SUSPENSE, by the contract."""
    paid = pay_in.paid
    return f"statement:{pay_in.operator}:{paid.receipt}:{paid.amount.minor}"

"""What two people agree on about money that is owed to a payer and not given back by itself.

Who sees to it that people know is `stepping.py`; how it is booked, `rulings.py`. Safe to repeat: a
ruling is found by its proposal's id in the payment's own journal.
"""

from collections.abc import Mapping
from functools import partial
from typing import assert_never

from engine.clock import PaymentId
from engine.desk.proposals import (
    Executor,
    HandRefund,
    Kind,
    Outcome,
    Proposal,
    RefundElsewhere,
    read_body,
)
from engine.errors import StaffMistake
from engine.payments.lifecycle import State
from engine.payments.payment import Payment
from engine.payments.routing import Directory
from engine.payments.ruled_once import rule_once, ruling_of
from engine.payments.rulings import Rulings
from engine.payments.store import PaymentStore
from engine.payments.timeliness import why_untimely
from engine.ports import Direction

Owed = HandRefund | RefundElsewhere


class Debts:
    """Carries out REFUND_SEEN and REFUND_ELSEWHERE."""

    def __init__(self, *, rulings: Rulings, store: PaymentStore, directory: Directory) -> None:
        self._rulings = rulings
        self._store = store
        self._directory = directory

    def executors(self) -> Mapping[Kind, Executor]:
        return dict.fromkeys((Kind.REFUND_SEEN, Kind.REFUND_ELSEWHERE), self.carry_out)

    def check(self, body: Owed) -> None:
        """Raises StaffMistake for an operator we do not have, or a movement without a reference."""
        if body.operator and body.operator not in self._directory.by_name:
            raise StaffMistake("we have no wallet at such an operator")
        if isinstance(body, HandRefund) and not body.reference.strip():
            raise StaffMistake("what was paid back has a reference at the operator: name it")

    async def carry_out(self, proposal: Proposal) -> Outcome:
        """FAILED when nothing is owed, it is still given back by itself, or nobody can pay it so.

        Raises OurFault when the payment moved this moment: to be tried again.
        """
        body = read_body(proposal.kind, proposal.body)
        assert isinstance(body, Owed)
        self.check(body)
        decide = partial(self._decide, proposal, body)
        return await rule_once(self._store, proposal, PaymentId(body.payment), decide)

    async def _decide(self, proposal: Proposal, body: Owed, payment: Payment) -> bool | str:
        if (why_not := await self._why_not(payment, body)) is not None:
            return f"{payment.code}: {why_not}"
        if untimely := self._untimely(payment, proposal, body):
            return f"{payment.code}: {untimely}"
        rule = (
            self._rulings.give_back
            if isinstance(body, HandRefund)
            else self._rulings.refund_elsewhere
        )
        return await rule(payment.payment_id, ruling_of(proposal), operator=body.operator)

    def _untimely(self, payment: Payment, proposal: Proposal, body: Owed) -> str:
        """What was paid back by hand has been seen to move, and may be told at once."""
        if isinstance(body, HandRefund):
            return ""
        return why_untimely(self._rulings, payment, proposal, pays=True)

    async def _why_not(self, payment: Payment, body: Owed) -> str | None:
        if payment.state is not State.REFUND_DUE:
            return f"it is {payment.state.name}, so nothing waits to be given back"
        match body:
            case HandRefund():
                return await self._why_not_by_hand(payment, body)
            case RefundElsewhere():
                return await self._why_not_by(payment, body.operator)
            case _:
                assert_never(body)

    async def _why_not_by_hand(self, payment: Payment, body: HandRefund) -> str | None:
        """What is tried again by itself could be given back twice."""
        if await self._rulings.refunds_itself(payment):
            return "it is given back by itself; take it over by REFUND_ELSEWHERE first"
        operator = self._directory.by_name.get(body.operator or payment.quote.payer_operator)
        owed = payment.amount_of(Direction.REFUND)
        if operator is None or operator.currency != owed.currency:
            return f"we hold no {owed.currency} at {body.operator}"
        return None

    async def _why_not_by(self, payment: Payment, operator: str) -> str | None:
        owed, own = payment.amount_of(Direction.REFUND), payment.quote.payer_operator
        able = [facts.name for facts in self._directory.refund_ways(own, owed)]
        if await self._rulings.gives_back(payment):
            able.append(own)  # once more, and from then on people decide
        if operator in able:
            return None
        names = ", ".join(dict.fromkeys(able)) or "nobody"
        return f"{operator} cannot pay {owed} into the payer's wallet; {names} can"

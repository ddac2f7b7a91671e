"""What two people agree on about a held payment whose payee has the money already: PAYOUT_SEEN.

The order that paid is not in these books: it went out in what a restore of the database lost, or by
hand. How it is booked says `rulings.py`. Safe to repeat, as everything of `rule_once`.
"""

from collections.abc import Mapping
from functools import partial

from engine.clock import PaymentId
from engine.desk.proposals import Executor, Kind, Outcome, PaidBefore, Proposal, read_body
from engine.errors import StaffMistake
from engine.payments.facts import Ruling
from engine.payments.lifecycle import State
from engine.payments.payment import Payment
from engine.payments.ruled_once import rule_once, ruling_of
from engine.payments.rulings import Rulings
from engine.payments.store import PaymentStore


class PaidOut:
    """Carries out PAYOUT_SEEN."""

    def __init__(self, *, rulings: Rulings, store: PaymentStore) -> None:
        self._rulings = rulings
        self._store = store

    def executors(self) -> Mapping[Kind, Executor]:
        return {Kind.PAYOUT_SEEN: self.carry_out}

    def check(self, body: PaidBefore) -> None:
        """Raises StaffMistake for a movement without a reference."""
        if not body.reference.strip():
            raise StaffMistake("what was paid out has a reference at the operator: name it")

    async def carry_out(self, proposal: Proposal) -> Outcome:
        """FAILED when the payment is not held, or could never have been paid out there.

        Raises OurFault when the payment moved this moment: to be tried again.
        """
        body = read_body(proposal.kind, proposal.body)
        assert isinstance(body, PaidBefore)
        self.check(body)
        decide = partial(self._decide, ruling_of(proposal), body)
        return await rule_once(self._store, proposal, PaymentId(body.payment), decide)

    async def _decide(self, ruling: Ruling, body: PaidBefore, payment: Payment) -> bool | str:
        if payment.state is not State.ON_HOLD:
            return f"{payment.code} is {payment.state.name}"
        operator = body.operator or payment.payout_operator
        if operator not in payment.ways:
            return f"{payment.code} can be paid out by {', '.join(payment.ways)} alone"
        return await self._rulings.pay_seen(payment.payment_id, ruling, operator=operator)

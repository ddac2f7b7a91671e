"""What two people agree on about a payment whose payee has the money already: PAYOUT_SEEN.

It is held, or its payout came back; the order that paid is not in these books: it went out in what
a restore of the database lost, or by hand. How it is booked says `rulings.py`. Safe to repeat, as
everything of `rule_once`.
"""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Final

import msgspec

from engine.clock import PaymentId
from engine.desk.proposals import (
    Executor,
    Kind,
    Outcome,
    PaidBefore,
    Proposal,
    read_body,
    spelled,
)
from engine.errors import CustomerMistake, StaffMistake
from engine.msisdn import Msisdn
from engine.payments.facts import Ruling
from engine.payments.lifecycle import Event, State, may
from engine.payments.payees import Payees, not_payable
from engine.payments.payment import Payment
from engine.payments.portability import Wallet
from engine.payments.routing import Directory
from engine.payments.ruled_once import rule_once, ruling_of
from engine.payments.rulings import Rulings
from engine.payments.store import PaymentStore

_TO_ANOTHER_NUMBER: Final = State.RETURNED
"""Where people may have paid another number: REPAY_RETURNED does."""


class PaidOut:
    """Carries out PAYOUT_SEEN."""

    def __init__(
        self,
        *,
        rulings: Rulings,
        store: PaymentStore,
        directory: Directory,
        wallet_of: Callable[[Msisdn], Awaitable[Wallet]],
    ) -> None:
        """`wallet_of` says whose wallet a number is (`Selling.wallet_of`)."""
        self._rulings = rulings
        self._store = store
        self._payees = Payees(directory, wallet_of)

    def executors(self) -> Mapping[Kind, Executor]:
        return {Kind.PAYOUT_SEEN: self.carry_out}

    def check(self, body: PaidBefore) -> None:
        """Raises StaffMistake for a movement without a reference."""
        if not body.reference.strip():
            raise StaffMistake("what was paid out has a reference at the operator: name it")

    async def carry_out(self, proposal: Proposal) -> Outcome:
        """FAILED when the payment neither is held nor came back, could never have been paid out
        there or to that number, or the reference is one that these books know.

        Raises OurFault when the payment moved this moment: to be tried again.
        """
        body = read_body(proposal.kind, proposal.body)
        assert isinstance(body, PaidBefore)
        self.check(body)
        decide = partial(self._decide, ruling_of(proposal), body)
        return await rule_once(self._store, proposal, PaymentId(body.payment), decide)

    async def _decide(self, ruling: Ruling, body: PaidBefore, payment: Payment) -> bool | str:
        if not may(payment.state, Event.PAID_BEFORE):
            return f"{payment.code} is {payment.state.name}"
        if body.payee and payment.state is not _TO_ANOTHER_NUMBER:
            return f"{payment.code} is {payment.state.name}: it was paid to its payee, or to nobody"
        operator = body.operator or payment.payout_operator
        if operator not in payment.ways:
            return f"{payment.code} can be paid out by {', '.join(payment.ways)} alone"
        if await self._is_known(payment, operator, body.reference):
            return f"{payment.code}: {body.reference.strip()} is in these books: another one paid"
        try:
            payee = await self._payees.read(payment, body.payee)
        except CustomerMistake as error:
            return not_payable(payment, error)
        ruling = _to(payee, payment, ruling)
        return await self._rulings.pay_seen(payment.payment_id, ruling, operator=operator)

    async def _is_known(self, payment: Payment, operator: str, reference: str) -> bool:
        """Of a payout that came back, say: whoever looks at that operator's portal sees it first.

        Another operator may have given a movement of its own the same reference.
        """
        for ending in await self._store.endings(payment.payment_id):
            if not ending.succeeded:
                continue
            attempted = await self._store.attempt(ending.attempt_id)
            if attempted is not None and attempted.operator != operator:
                continue
            known = await self._store.provider_references(ending.attempt_id)
            if spelled(reference) in {spelled(one) for one in (*known, ending.receipt or "")}:
                return True
        return False


def _to(payee: Msisdn | None, payment: Payment, ruling: Ruling) -> Ruling:
    """The ruling; it states the terms anew where another number was paid. What compliance said of
    another payee is not said of this one."""
    if payee is None or payee == payment.quote.payee:
        return ruling
    quote = msgspec.structs.replace(payment.quote, payee=payee)
    terms = msgspec.structs.replace(payment.facts, quote=quote, clearance=None)
    return msgspec.structs.replace(ruling, terms=terms)

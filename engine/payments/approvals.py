"""What two people agreed on about a payment, carried out: the desk's executors of this floor."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from engine.clock import PaymentId
from engine.desk.proposals import (
    Executor,
    Kind,
    OfPayment,
    Outcome,
    Proposal,
    read_body,
)
from engine.errors import CustomerMistake
from engine.msisdn import Msisdn
from engine.payments.lifecycle import State
from engine.payments.payees import Payees, not_payable
from engine.payments.payment import Payment
from engine.payments.portability import Wallet
from engine.payments.routing import Directory
from engine.payments.ruled_once import rule_once, ruling_of
from engine.payments.rulings import Rulings
from engine.payments.store import PaymentStore
from engine.payments.timeliness import why_untimely

_WAITS_IN = {
    Kind.RELEASE_HOLD: State.ON_HOLD,
    Kind.REFUSE_HOLD: State.ON_HOLD,
    Kind.REPAY_RETURNED: State.RETURNED,
    Kind.REFUND_RETURNED: State.RETURNED,
    Kind.REFUND_QUEUED: State.PAYOUT_QUEUED,
}

_PAYS = {Kind.RELEASE_HOLD, Kind.REPAY_RETURNED}


async def _all_seen(_: Payment) -> str:
    return ""


class Approvals:
    """Safe to repeat: a ruling is found by its proposal's id in the payment's own journal."""

    def __init__(
        self,
        *,
        rulings: Rulings,
        store: PaymentStore,
        directory: Directory,
        wallet_of: Callable[[Msisdn], Awaitable[Wallet]],
        unseen: Callable[[Payment], Awaitable[str]] = _all_seen,
    ) -> None:
        """`wallet_of` says whose wallet a number is (`Selling.wallet_of`); `unseen` why those who
        agreed on a release were not shown all that holds the payment (`Unseen.of`).
        """
        self._unseen = unseen
        self._payees = Payees(directory, wallet_of)
        self._rulings = rulings
        self._store = store

    def executors(self) -> Mapping[Kind, Executor]:
        """One for each kind that speaks of a payment."""
        return dict.fromkeys(_WAITS_IN, self.carry_out)

    async def carry_out(self, proposal: Proposal) -> Outcome:
        """FAILED when the payment does not wait for this, or the new number is none there.

        Raises OurFault when the payment moved this moment: to be tried again.
        """
        body = read_body(proposal.kind, proposal.body)
        assert isinstance(body, OfPayment)
        decide = partial(self._decide, proposal, body.payee)
        return await rule_once(self._store, proposal, PaymentId(body.payment), decide)

    async def _decide(self, proposal: Proposal, number: str, payment: Payment) -> bool | str:
        if payment.state is not _WAITS_IN[proposal.kind]:
            return f"{payment.code} is {payment.state.name}"
        if number and proposal.kind is not Kind.REPAY_RETURNED:
            return f"{proposal.kind} pays no other number, and one was agreed on"
        pays = proposal.kind in _PAYS
        if untimely := why_untimely(self._rulings, payment, proposal, pays=pays):
            return f"{payment.code}: {untimely}"
        try:
            payee = await self._payees.read(payment, number)
        except CustomerMistake as error:
            return not_payable(payment, error)
        if proposal.kind is Kind.RELEASE_HOLD and (unseen := await self._unseen(payment)):
            return f"{payment.code}: {unseen}"
        return await self._rule(proposal, payment.payment_id, payee)

    async def _rule(self, proposal: Proposal, payment_id: PaymentId, payee: Msisdn | None) -> bool:
        ruling = ruling_of(proposal)
        match proposal.kind:
            case Kind.RELEASE_HOLD:
                return await self._rulings.release(payment_id, ruling)
            case Kind.REPAY_RETURNED:
                return await self._rulings.repay(payment_id, ruling, payee=payee)
            case _:
                return await self._rulings.refund(payment_id, ruling)

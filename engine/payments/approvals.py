"""What two people agreed on about a payment, carried out: the desk's executors of this floor."""

from collections.abc import Awaitable, Callable, Mapping

from engine.clock import PaymentId
from engine.desk.proposals import (
    Executor,
    Kind,
    OfPayment,
    Outcome,
    Proposal,
    done,
    failed,
    read_body,
)
from engine.errors import CustomerMistake, OurFault
from engine.msisdn import Msisdn, parse_msisdn
from engine.payments.facts import Ruling
from engine.payments.lifecycle import State
from engine.payments.payment import Payment
from engine.payments.portability import Wallet
from engine.payments.routing import Directory
from engine.payments.rulings import Rulings
from engine.payments.store import PaymentStore

_WAITS_IN = {
    Kind.RELEASE_HOLD: State.ON_HOLD,
    Kind.REFUSE_HOLD: State.ON_HOLD,
    Kind.REPAY_RETURNED: State.RETURNED,
    Kind.REFUND_RETURNED: State.RETURNED,
    Kind.REFUND_QUEUED: State.PAYOUT_QUEUED,
}


class Approvals:
    """Safe to repeat: a ruling is found by its proposal's id in the payment's own journal."""

    def __init__(
        self,
        *,
        rulings: Rulings,
        store: PaymentStore,
        directory: Directory,
        wallet_of: Callable[[Msisdn], Awaitable[Wallet]],
    ) -> None:
        """`wallet_of` says whose wallet a number is (`Selling.wallet_of`)."""
        self._wallet_of = wallet_of
        self._rulings = rulings
        self._store = store
        self._directory = directory

    def executors(self) -> Mapping[Kind, Executor]:
        """One for each kind that speaks of a payment."""
        return dict.fromkeys(_WAITS_IN, self.carry_out)

    async def carry_out(self, proposal: Proposal) -> Outcome:
        """FAILED when the payment does not wait for this, or the new number is none there.

        Raises OurFault when the payment moved this moment: to be tried again.
        """
        body = read_body(proposal.kind, proposal.body)
        assert isinstance(body, OfPayment)
        payment_id = PaymentId(body.payment)
        payment = await self._store.payment(payment_id)
        if payment is None:
            return failed("there is no such payment")
        if await self._store.was_ruled(payment_id, proposal.id):
            return done(f"{payment.code} is {payment.state.name}")
        if payment.state is not _WAITS_IN[proposal.kind]:
            return failed(f"{payment.code} is {payment.state.name}")
        try:
            payee = await self._payee(payment, body.payee)
        except CustomerMistake as error:
            return failed(f"{error.text_key}: not a number that {payment.code} can be paid to")
        if not await self._rule(proposal, payment_id, payee):
            raise OurFault(f"{payment.code} moved this moment")
        after = await self._store.payment(payment_id)
        assert after is not None
        return done(f"{payment.code} is {after.state.name}")

    async def _payee(self, payment: Payment, text: str) -> Msisdn | None:
        """Another number, at the operator that the quote was made for: the price holds there."""
        if not text:
            return None
        country = self._directory.by_name[payment.payout_operator].country
        payee = parse_msisdn(text, country)
        if (await self._wallet_of(payee)).operator != payment.quote.payee_operator:
            raise CustomerMistake("mistake.operator_unsupported")
        return payee

    async def _rule(self, proposal: Proposal, payment_id: PaymentId, payee: Msisdn | None) -> bool:
        ruling = Ruling(
            proposal.note, by=(proposal.made_by, proposal.decided_by or ""), proposal=proposal.id
        )
        match proposal.kind:
            case Kind.RELEASE_HOLD:
                return await self._rulings.release(payment_id, ruling)
            case Kind.REPAY_RETURNED:
                return await self._rulings.repay(payment_id, ruling, payee=payee)
            case _:
                return await self._rulings.refund(payment_id, ruling)

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
from engine.msisdn import Msisdn, parse_msisdn
from engine.payments.lifecycle import State
from engine.payments.payment import Payment
from engine.payments.portability import Wallet
from engine.payments.routing import Directory
from engine.payments.ruled_once import rule_once, ruling_of
from engine.payments.rulings import Rulings
from engine.payments.store import PaymentStore

_WAITS_IN = {
    Kind.RELEASE_HOLD: State.ON_HOLD,
    Kind.REFUSE_HOLD: State.ON_HOLD,
    Kind.REPAY_RETURNED: State.RETURNED,
    Kind.REFUND_RETURNED: State.RETURNED,
    Kind.REFUND_QUEUED: State.PAYOUT_QUEUED,
}

_PAYS = {Kind.RELEASE_HOLD, Kind.REPAY_RETURNED}


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
        decide = partial(self._decide, proposal, body.payee)
        return await rule_once(self._store, proposal, PaymentId(body.payment), decide)

    async def _decide(self, proposal: Proposal, number: str, payment: Payment) -> bool | str:
        if payment.state is not _WAITS_IN[proposal.kind]:
            return f"{payment.code} is {payment.state.name}"
        if number and proposal.kind is not Kind.REPAY_RETURNED:
            return f"{proposal.kind} pays no other number, and one was agreed on"
        if proposal.kind in _PAYS and (too_old := self._rulings.why_too_old(proposal.id)):
            return f"{payment.code}: {too_old}"
        if too_early := self._rulings.seen_too_early(payment, proposal):
            return f"{payment.code}: {too_early}"
        try:
            payee = await self._payee(payment, number)
        except CustomerMistake as error:
            return f"{error.text_key}: not a number that {payment.code} can be paid to"
        return await self._rule(proposal, payment.payment_id, payee)

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
        ruling = ruling_of(proposal)
        match proposal.kind:
            case Kind.RELEASE_HOLD:
                return await self._rulings.release(payment_id, ruling)
            case Kind.REPAY_RETURNED:
                return await self._rulings.repay(payment_id, ruling, payee=payee)
            case _:
                return await self._rulings.refund(payment_id, ruling)

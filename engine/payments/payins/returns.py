"""What two people agreed on about money of nobody we know: back to its sender, or to its payment.

Every step may be repeated and comes to the same end. A return is held in the books before the
operator is called; it is over when the operator or its statement says so, or when people saw it
there.
"""

import logging
from collections.abc import Mapping

from engine.clock import AttemptId, Clock, PaymentId
from engine.desk.booking import Booker
from engine.desk.proposals import (
    Executor,
    Kind,
    OfPayIn,
    OfReturn,
    Outcome,
    PayInOwner,
    Proposal,
    ProposalId,
    State,
    done,
    failed,
    read_body,
    waiting,
)
from engine.desk.store import ProposalStore
from engine.errors import OurFault, OutcomeUnknown, Rejected, StaffMistake, Throttled, Unreachable
from engine.ledger import pool_postings as postings
from engine.ledger.entries import Manual
from engine.payments.lifecycle import LIVE_DIRECTION, Event, may
from engine.payments.payins.judging import PayIn, Stage, mismatch
from engine.payments.payins.owners import BEFORE_PEOPLE_ACT, Owners
from engine.payments.payins.payins import Address, PayIns
from engine.payments.payins.store import CONFLICT, PayInStore
from engine.payments.payins.strays import Strays
from engine.payments.payment import Payment
from engine.payments.ruled_once import seen_too_early
from engine.payments.store import PaymentStore
from engine.ports import Direction, Finding, OperatorPort, PayInPort
from engine.ports import Outcome as Found

log = logging.getLogger(__name__)

CALL_AGAIN_SECONDS = 3600
"""When a return that nobody answered is ordered again: the first call is over by then, and what it
did is found done already. Doubled with every call, so that people have time to look."""
DOUBLED_MAX = 4


class PayInReturns:
    """The executors of RETURN_PAY_IN, RETURN_FAILED and ASSIGN_PAY_IN."""

    def __init__(
        self,
        *,
        pay_ins: PayIns,
        store: PayInStore,
        strays: Strays,
        owners: Owners,
        payments: PaymentStore,
        booker: Booker,
        proposals: ProposalStore,
        operators: Mapping[str, OperatorPort],
        address: Address,
        clock: Clock,
    ) -> None:
        self._pay_ins = pay_ins
        self._store = store
        self._strays = strays
        self._owners = owners
        self._payments = payments
        self._booker = booker
        self._proposals = proposals
        self._operators = operators
        self._address = address
        self._clock = clock

    def executors(self) -> Mapping[Kind, Executor]:
        return {
            Kind.RETURN_PAY_IN: self.give_back,
            Kind.RETURN_FAILED: self.end_return,
            Kind.ASSIGN_PAY_IN: self.assign,
        }

    # Back to whoever sent it.

    async def give_back(self, proposal: Proposal) -> Outcome:
        """Hold it, order its return once, and wait for the operator or for people who saw it."""
        body = read_body(proposal.kind, proposal.body)
        assert isinstance(body, OfPayIn)
        pay_in = await self._get(body.pay_in)
        if pay_in.stage is Stage.RETURNED and pay_in.proposal == proposal.id:
            return done(_returned(pay_in))
        if (ended := await self._failed_before(pay_in, proposal)) is not None:
            return ended
        if await self._strays.is_back(pay_in):
            return failed("a statement found its owner: it is suspended no more")
        if (owner := await self._owner(pay_in)) is not None:
            return failed(f"it is the collection of {owner.code}")
        if not await self._store.begin(pay_in, Stage.RETURNING, proposal.id):
            return failed(f"it is {pay_in.stage.name}")
        pay_in = await self._get(body.pay_in)
        # Once more: people may have ended it this moment, and then it began anew just now.
        if (ended := await self._failed_before(pay_in, proposal)) is not None:
            return ended
        if await self._booker.state_of(proposal.id) is None:
            transfers = postings.reserve_return(*self._held(pay_in))
            wrong = await self._booker.book(proposal, Manual.RETURN_RESERVED, transfers)
            if wrong is not None:
                await self._store.give_up(pay_in)
                return wrong
        if proposal.reference is not None:
            return await self._complete(pay_in, proposal, proposal.reference)
        if pay_in.calls == 0:
            return await self._call(pay_in, proposal)
        return waiting(f"until {pay_in.operator} says that {pay_in.paid.amount} went back")

    async def call_again(self, pay_in: PayIn) -> None:
        """Order a return again that nobody answered: what was done is then found to be done."""
        if pay_in.stage is Stage.RETURNING and pay_in.proposal is not None:
            proposal = await self._proposals.get(ProposalId(pay_in.proposal))
            ended = await self._failed_before(pay_in, proposal)
            outcome = ended or await self._call(pay_in, proposal)
            if outcome.state is not State.WAITING:
                await self._proposals.end_waiting(proposal.id, outcome)

    async def hear_return(self, pay_in_id: str, finding: Finding) -> bool:
        """What the operator says of a return. False: we know of none such.

        Only a listed code is a failure, and only of the one call that was ever made: what a repeat
        is refused for says nothing of the first, and what was said of a return that failed before
        may come again. Of before a restore none is known to be the one. That it went back before is
        a success. Of one that was booked as a failure a success is a case for people.
        """
        pay_in = await self._store.get(pay_in_id)
        if pay_in is None or pay_in.called_ms is None:
            return False
        if pay_in.stage is not Stage.RETURNING or pay_in.proposal is None:
            if finding.outcome is Found.SUCCEEDED and pay_in.stage is not Stage.RETURNED:
                await self._contradict(pay_in, pay_in.stage.name)
            return True
        proposal = await self._proposals.get(ProposalId(pay_in.proposal))
        ended: Outcome | None = None
        if await self._booker.state_of(proposal.id) is None:
            log.info("return of %s has just begun anew: it will find that", pay_in.paid.receipt)
        elif finding.outcome is Found.SUCCEEDED:
            ended = await self._complete(pay_in, proposal, finding.receipt)
            if await self._booker.state_of(proposal.id) is Manual.RETURN_FAILED:  # this moment
                await self._contradict(pay_in, Manual.RETURN_FAILED.name)
        elif finding.outcome is Found.FAILED and (pay_in.calls > 1 or self._may_be_lost(pay_in)):
            log.warning("return of %s stays unclear: %s", pay_in.paid.receipt, finding.code)
        elif finding.outcome is Found.FAILED:
            ended = await self._fail(pay_in, proposal, finding.code)
        if ended is not None:
            await self._proposals.end_waiting(proposal.id, ended)
        return True

    async def _contradict(self, pay_in: PayIn, stands: str) -> None:
        told = f"{pay_in.operator} says that {_returned(pay_in)}; it is {stands}"
        await self._store.open_case(pay_in, told, CONFLICT)

    async def _call(self, pay_in: PayIn, proposal: Proposal) -> Outcome:
        """One call. Of a repeat only its result means something: the first may have been done.

        None is made for what has been collected since they began.
        """
        is_first = pay_in.calls == 0
        waits = waiting(f"until {pay_in.operator} says that {pay_in.paid.amount} went back")
        if (owner := await self._collected_since(pay_in)) is not None:
            return await self._end_for(owner, pay_in, proposal) or waits
        port = self._operators.get(pay_in.operator)
        if not isinstance(port, PayInPort) or not await self._store.claim_call(
            pay_in, self._again_ms(pay_in)
        ):
            return waits
        url = self._address(self._code(pay_in), AttemptId(pay_in.id))
        try:
            await port.return_pay_in(pay_in.paid, url)
        except Rejected as error:
            if is_first and not self._may_be_lost(pay_in):
                return await self._fail(pay_in, proposal, error.code)
            log.warning("return of %s stays unclear: %s", pay_in.paid.receipt, error)
        except (Throttled, Unreachable) as error:
            await self._store.release_call(pay_in)
            log.warning("return of %s was not sent: %s", pay_in.paid.receipt, error)
            if is_first:
                raise OurFault(f"{pay_in.operator} could not be asked: {error.detail}") from error
        except OutcomeUnknown as error:
            log.warning("return of %s is unclear: %s", pay_in.paid.receipt, error)
        return waits

    def _again_ms(self, pay_in: PayIn) -> int:
        pause = CALL_AGAIN_SECONDS * 2 ** min(pay_in.calls, DOUBLED_MAX)
        return int((self._clock.epoch() + pause) * 1000)

    async def _complete(self, pay_in: PayIn, proposal: Proposal, receipt: str | None) -> Outcome:
        transfers = postings.complete_return(*self._held(pay_in))
        wrong = await self._booker.follow(
            proposal, proposal.id, Manual.RETURNED_TO_SENDER, transfers
        )
        if wrong is not None:
            return wrong
        await self._store.settle(pay_in, Stage.RETURNED, return_receipt=receipt)
        await self._store.close_case(pay_in, "it went back to whoever sent it")
        return done(_returned(pay_in))

    async def _fail(self, pay_in: PayIn, proposal: Proposal, code: str) -> Outcome:
        wrong = await self._suspend_again(pay_in, proposal, proposal.id)
        if wrong is not None:
            return wrong
        await self._store.give_up(pay_in)
        return failed(f"{pay_in.operator} did not send it back: {code}")

    async def _suspend_again(self, pay_in: PayIn, proposal: Proposal, id: str) -> Outcome | None:
        transfers = postings.turned_round(postings.reserve_return(*self._held(pay_in)))
        return await self._booker.follow(proposal, id, Manual.RETURN_FAILED, transfers)

    async def _failed_before(self, pay_in: PayIn, proposal: Proposal) -> Outcome | None:
        """What a process that died had still to do: the books say that it was not sent back.

        Nothing is held for it any more, so it is never ordered again under this proposal.
        """
        if await self._booker.state_of(proposal.id) is not Manual.RETURN_FAILED:
            return None
        if pay_in.stage is Stage.RETURNING and pay_in.proposal == proposal.id:
            await self._store.give_up(pay_in)
        return failed(f"{pay_in.operator} did not send it back, as it said before")

    # It did not go, as people saw there.

    async def end_return(self, proposal: Proposal) -> Outcome:
        """Suspend again what did not go back; two people say so: it may go another way then.

        What they saw counts of orders that were over when they proposed it, also of those that a
        restore forgot. None leaves beside this: the turn to order it again is taken first.
        """
        body = read_body(proposal.kind, proposal.body)
        assert isinstance(body, OfReturn)
        returning = await self._proposals.get(ProposalId(body.proposal))
        of = read_body(returning.kind, returning.body)
        if returning.kind is not Kind.RETURN_PAY_IN or not isinstance(of, OfPayIn):
            raise StaffMistake(f"{returning.id} returns no pay-in")
        pay_in = await self._get(of.pay_in)
        is_its_own = pay_in.stage is Stage.RETURNING and pay_in.proposal == returning.id
        if await self._booker.state_of(returning.id) is not Manual.RETURN_FAILED:
            if not is_its_own:
                return failed(f"it is {pay_in.stage.name}, {returning.id} {returning.state}")
            if returning.reference is not None:
                return failed(f"it went back, {returning.reference}")
            if wrong := seen_too_early(proposal, self._left_ms(pay_in)):
                return failed(wrong)
            if not await self._store.take_turn(pay_in, self._again_ms(pay_in)):
                raise OurFault(f"the return of {pay_in.paid.receipt} moved this moment")
            refused = await self._suspend_again(pay_in, proposal, returning.id)
            if refused is not None:
                return refused
        ended = failed(f"people saw that it did not go: {proposal.id}")
        await self._proposals.end_waiting(returning.id, ended)
        if is_its_own:
            await self._store.give_up(pay_in)
        return done(f"{pay_in.paid.amount} of {pay_in.paid.receipt} did not go back")

    # To the payment it was meant for.

    async def assign(self, proposal: Proposal) -> Outcome:
        """Make it the collection of the payment that two people name.

        The payment first and then SUSPENSE: a crash between the two is mended by the repeat. What
        may have gone back in what a restore forgot counts once they have looked since.
        """
        body = read_body(proposal.kind, proposal.body)
        assert isinstance(body, PayInOwner)
        pay_in, payment = await self._get(body.pay_in), await self._payment(body.payment)
        if pay_in.stage is Stage.TAKEN and pay_in.payment == payment.payment_id:
            return done(f"it is the collection of {payment.code}")
        if wrong := mismatch(pay_in.operator, pay_in.paid.amount, payment):
            return failed(wrong)
        if await self._strays.is_back(pay_in) and pay_in.stage is not Stage.ASSIGNING:
            return failed("a statement found its owner: it is suspended no more")
        is_its = await self._is_its_collection(pay_in, payment)
        if not is_its and (wrong := self._unseen_since(pay_in, proposal)):
            if pay_in.stage is Stage.ASSIGNING and pay_in.proposal == proposal.id:
                await self._store.give_up(pay_in)
            return failed(wrong)
        if not is_its and (owner := await self._owner(pay_in)) is not None:
            found = f"it is the collection of {owner.code}"
            return done(found) if owner.payment_id == payment.payment_id else failed(found)
        if not await self._store.begin(pay_in, Stage.ASSIGNING, proposal.id):
            return failed(f"it is {pay_in.stage.name}")
        pay_in = await self._get(body.pay_in)
        if not await self._is_its_collection(pay_in, payment):
            event = _event(payment)
            if event is None:
                await self._store.give_up(pay_in)
                return failed(f"{payment.code} is {payment.state.name} and waits for no money")
            if not await self._pay_ins.take(pay_in, payment, event):
                raise OurFault(f"{payment.code} moved this moment")
        await self._strays.take_back(pay_in)
        await self._store.settle(pay_in, Stage.TAKEN, payment=payment.payment_id)
        await self._store.close_case(pay_in, f"it was for {payment.code}")
        return done(f"it is the collection of {payment.code}")

    async def _is_its_collection(self, pay_in: PayIn, payment: Payment) -> bool:
        endings = await self._payments.endings(payment.payment_id)
        return any(e.succeeded and e.receipt == pay_in.paid.receipt for e in endings)

    # What is a payment's collection by its receipt.

    async def _owner(self, pay_in: PayIn) -> Payment | None:
        """The payment that it is, which has it from now on; of what nobody has begun with."""
        if pay_in.stage is not Stage.SUSPENDED:
            return None
        owner = await self._collected_since(pay_in)
        return owner if owner is not None and await self._owners.give(pay_in, owner) else None

    async def _collected_since(self, pay_in: PayIn) -> Payment | None:
        return await self._owners.of(pay_in, BEFORE_PEOPLE_ACT)

    async def _end_for(self, owner: Payment, pay_in: PayIn, proposal: Proposal) -> Outcome | None:
        """Its return is not ordered any more: the turn to do so is taken first. What was ordered
        may have gone, and stays until that is known (None): people hear of both."""
        if not await self._store.take_turn(pay_in, self._again_ms(pay_in)):
            raise OurFault(f"the return of {pay_in.paid.receipt} moved this moment")
        if pay_in.called_ms is not None:
            await self._owners.give(pay_in, owner)
            return None
        if wrong := await self._suspend_again(pay_in, proposal, proposal.id):
            return wrong
        await self._store.give_up(pay_in)
        await self._owners.give(await self._get(pay_in.id), owner)
        return failed(f"it is the collection of {owner.code}")

    # What a restore may have forgotten.

    def _left_ms(self, pay_in: PayIn) -> int:
        """When its return was ordered last, at the latest; 0 for never. Epoch milliseconds."""
        return self._payments.left_by(AttemptId(pay_in.id), pay_in.called_ms or 0)

    def _may_be_lost(self, pay_in: PayIn) -> bool:
        """Whether it may have been ordered in what a restore forgot."""
        return self._payments.left_by(AttemptId(pay_in.id), 0) > 0

    def _unseen_since(self, pay_in: PayIn, proposal: Proposal) -> str:
        """Why whoever proposed it saw no return that a restore forgot; "" if they may have."""
        return seen_too_early(proposal, self._left_ms(pay_in)) if self._may_be_lost(pay_in) else ""

    async def _get(self, pay_in_id: str) -> PayIn:
        pay_in = await self._store.get(pay_in_id)
        if pay_in is None:
            raise StaffMistake(f"there is no pay-in {pay_in_id}; `capp payins list` shows them")
        if pay_in.stage is not Stage.DENIED or not await self._strays.is_put(pay_in):
            return pay_in
        if await self._strays.is_back(pay_in):
            return pay_in
        # Nobody could prove it, and then a statement did.
        await self._store.settle(pay_in, Stage.SUSPENDED)
        return pay_in._replace(stage=Stage.SUSPENDED)

    async def _payment(self, payment_id: str) -> Payment:
        payment = await self._payments.payment(PaymentId(payment_id))
        if payment is None:
            raise StaffMistake(f"there is no payment {payment_id}")
        return payment

    def _held(self, pay_in: PayIn) -> tuple[int, str, int, int]:
        amount = pay_in.paid.amount
        return self._booker.tenant, amount.currency, self._code(pay_in), amount.minor

    def _code(self, pay_in: PayIn) -> int:
        port = self._operators.get(pay_in.operator)
        if port is None:
            raise StaffMistake(f"{pay_in.operator} is none of our operators now")
        return port.facts.code


def _event(payment: Payment) -> Event | None:
    """What money does to the payment now; None when nothing there waits for any."""
    if LIVE_DIRECTION.get(payment.state) is Direction.COLLECT:
        return Event.COLLECTION_SUCCEEDED
    is_over = may(payment.state, Event.LATE_MONEY_PROVEN)
    return Event.LATE_MONEY_PROVEN if is_over else None


def _returned(pay_in: PayIn) -> str:
    return f"{pay_in.paid.amount} of {pay_in.paid.receipt} went back to whoever sent it"

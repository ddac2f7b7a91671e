"""What people decide about a payment, and what a queue decides by itself when an operator is back.

Two people's agreement is proven above (`engine/desk`); here a ruling is carried out, once.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import msgspec

from engine.clock import Clock, PaymentId
from engine.compliance.clearance import of_sim_alone
from engine.decisions import Decision
from engine.desk.proposals import Proposal
from engine.errors import Impossible, NoWayNow
from engine.msisdn import Msisdn
from engine.payments.facts import Ruling
from engine.payments.lifecycle import Event, State, may
from engine.payments.payment import Payment
from engine.payments.planning import Onward, queue_due
from engine.payments.policy import WAIT, Policy
from engine.payments.ruled_once import seen_too_early
from engine.payments.sequel import Following, Sequel, put_off
from engine.payments.stepping import Stepper
from engine.payments.store import PaymentStore
from engine.payments.unseen import Looked
from engine.restored import NEVER, Restored

LookAfter = Callable[[Payment], Awaitable[None]]


class Rulings:
    """Every method may be repeated: a payment that has moved on is left where it is."""

    def __init__(
        self,
        *,
        stepper: Stepper,
        sequel: Sequel,
        store: PaymentStore,
        policy: Policy,
        withhold: Callable[[str], Awaitable[bool]],
        clock: Clock,
        restored: Restored = NEVER,
    ) -> None:
        """`withhold` ends an intent that nobody has begun, so that nobody sends it any more."""
        self._restored = restored
        self._stepper = stepper
        self._sequel = sequel
        self._store = store
        self._policy = policy
        self._withhold = withhold
        self._clock = clock
        self._turns = asyncio.Lock()

    def looks_after(self, reminder_seconds: int) -> Mapping[State, LookAfter]:
        """What a sweep does with payments that wait here for an operator or for people."""

        async def try_again(payment: Payment) -> None:
            if not await self.order_payout(payment):
                await self._store.set_due(payment, queue_due(int(self._clock.epoch())))

        async def remind(payment: Payment) -> None:
            await self._stepper.remind_people(payment)
            await self._store.set_due(payment, int(self._clock.epoch()) + reminder_seconds)

        return {State.PAYOUT_QUEUED: try_again, State.ON_HOLD: remind, State.RETURNED: remind}

    async def cancel(self, payment_id: PaymentId, ruling: Ruling) -> bool:
        """Withdraw a payment whose collection has not left yet; True when it is cancelled.

        Raises NoWayNow `no_way.sent` when the payer may have been asked already. A crash between
        withholding and the commit leaves an order that is never sent: the repeat withdraws it, and
        without one the payment expires.
        """
        payment = await self._payment(payment_id)
        if payment.state is State.CANCELLED:
            return True
        waiting = payment.live if may(payment.state, Event.COLLECTION_WITHDRAWN) else None
        if waiting is None or not await self._withhold(waiting):
            raise NoWayNow("no_way.sent")
        return await self._take(payment, Event.COLLECTION_WITHDRAWN, ruling)

    async def release(
        self, payment_id: PaymentId, ruling: Ruling, looked: Looked | None = None
    ) -> bool:
        """Let a held payment go on: its payout is ordered, or queued. False: it is not held.

        People have looked at what the lists say by now: the terms are stated anew with that, so
        that a payout which waits on is held again only for a list that changes later. `looked` is
        what they were shown all of; without it compliance is asked here, and all it says counts.
        Where it says to wait the payment does, under the terms that it has.
        """
        payment = await self._payment(payment_id)
        if not may(payment.state, Event.RELEASED):
            return False
        if looked is None:
            looked = Looked(clearance=await self._policy.clear_again(payment))
        following = put_off(self._sequel.payout_of(payment), looked.clearance)
        is_looked_at = looked.clearance is not None and looked.clearance.outcome != WAIT
        if is_looked_at and looked.clearance != payment.facts.clearance:
            facts = msgspec.structs.replace(payment.facts, clearance=looked.clearance)
            ruling = msgspec.structs.replace(ruling, terms=facts)
        return await self._take(payment, Event.RELEASED, ruling, following)

    def why_too_old(self, proposal: Proposal) -> str:
        """Why what was proposed before a restore pays nobody any more: it may have been carried
        out in what that lost. "" for what was proposed since.
        """
        if proposal.made_ms >= self._restored.at * 1000:
            return ""
        return "the database was restored since it was proposed: look there, and propose it again"

    def seen_too_early(self, payment: Payment, proposal: Proposal) -> str:
        """Why what people saw of a payment of before a restore says nothing yet: what left just
        before may not have been listed. "" for every other payment.
        """
        if not self._restored.forgot(payment.payment_id):
            return ""
        return seen_too_early(proposal, int(self._restored.at * 1000))

    async def pay_seen(self, payment_id: PaymentId, ruling: Ruling, *, operator: str) -> bool:
        """Book that the payee of a held payment has the money, by an order that these books do not
        know; `operator` is one of its ways. False: it is not held.
        """
        payment = await self._payment(payment_id)
        if not may(payment.state, Event.PAID_BEFORE):
            return False
        way = payment.ways.index(operator)
        onward = Onward(way, self._store.route(payment.facts, way))
        return await self._take(payment, Event.PAID_BEFORE, ruling, Following(onward=onward))

    async def refund(self, payment_id: PaymentId, ruling: Ruling) -> bool:
        """Give back a payment that is held, queued or returned. False: it is none of these."""
        payment = await self._payment(payment_id)
        if payment.state not in (State.ON_HOLD, State.PAYOUT_QUEUED, State.RETURNED):
            return False
        return await self._take(payment, Event.REFUND_DECIDED, ruling)

    async def repay(
        self, payment_id: PaymentId, ruling: Ruling, *, payee: Msisdn | None = None
    ) -> bool:
        """Pay a returned payment again, to another number of the same operator if one is given.

        The terms are stated anew: amount and rate stay, the number and the time limit change. What
        compliance, or a client, said of another payee is not said of this one: that is asked before
        money leaves whatever the lists' versions, and holds; what people ruled on of the payer's
        SIM stands. False: it is not returned.
        """
        payment = await self._payment(payment_id)
        if not may(payment.state, Event.REPAY_DECIDED):
            return False
        same = payment.quote.payee
        quote = msgspec.structs.replace(payment.quote, payee=payee or same, pay_until=0)
        cleared = payment.facts.clearance
        if quote.payee != same:
            cleared = _of_sim_alone(cleared)
            quote = msgspec.structs.replace(quote, expected=None)
        facts = msgspec.structs.replace(payment.facts, quote=quote, clearance=cleared)
        restated = msgspec.structs.replace(payment, facts=facts)
        return await self._take(
            payment,
            Event.REPAY_DECIDED,
            msgspec.structs.replace(ruling, terms=facts),
            await self._sequel.cleared(restated, self._sequel.payout_of(restated)),
        )

    async def refund_elsewhere(
        self, payment_id: PaymentId, ruling: Ruling, *, operator: str
    ) -> bool:
        """Have an operator that reaches the payer's wallet pay back what is due.

        The terms are stated anew: who gives it back. If that fails people are asked again; nothing
        is tried by itself. False: nothing is due back.
        """
        return await self._settle_debt(payment_id, Event.REFUND_ORDERED, ruling, operator)

    async def give_back(self, payment_id: PaymentId, ruling: Ruling, *, operator: str = "") -> bool:
        """Book that people have paid back what is due, out of our wallet at this operator.

        By default the one that collected. False: nothing is due back.
        """
        return await self._settle_debt(payment_id, Event.GIVEN_BACK, ruling, operator)

    async def refunds_itself(self, payment: Payment) -> bool:
        """As `Stepper.refunds_itself`: nobody needs to be asked."""
        return await self._stepper.refunds_itself(payment)

    async def gives_back(self, payment: Payment) -> bool:
        """As `Stepper.gives_back`."""
        return await self._stepper.gives_back(payment)

    async def _settle_debt(
        self, payment_id: PaymentId, event: Event, ruling: Ruling, operator: str
    ) -> bool:
        payment = await self._payment(payment_id)
        if not may(payment.state, event):
            return False
        who = operator or payment.quote.payer_operator
        facts = msgspec.structs.replace(payment.facts, refund_operator=who)
        return await self._take(payment, event, msgspec.structs.replace(ruling, terms=facts))

    async def order_payout(self, payment: Payment) -> bool:
        """Take a payment off the queue: pay it, or give it back when its quote is over.

        It is held instead of paid where a list has changed and names somebody now. False: it waits
        on, or is queued no more.
        """
        if payment.state is not State.PAYOUT_QUEUED:
            return False
        if lost := await self._sequel.lost(payment):
            return await self._leave_queue(payment, lost)
        following = self._sequel.payout_of(payment)
        if following.event is Event.PAYOUT_QUEUED:
            return await self._try_out(payment)
        assert following.event is not None, "a queue always leads somewhere"
        return await self._leave_queue(payment, await self._sequel.cleared(payment, following))

    async def _try_out(self, payment: Payment) -> bool:
        """No way is open; while its operator is being tried again, a few may go there.

        One at a time, as they come: whoever has waited longest is asked first.
        """
        async with self._turns:
            minor = payment.quote.receives.minor
            if not await self._policy.take_turn(payment.payout_operator, minor):
                return False
            ordered = Following(Event.PAYOUT_ORDERED)
            return await self._leave_queue(payment, await self._sequel.cleared(payment, ordered))

    async def _leave_queue(self, payment: Payment, following: Following) -> bool:
        event, onward, decisions = following
        assert event is not None
        if event is Event.PAYOUT_QUEUED:  # compliance cannot compare: it waits on
            return False
        return await self._take(
            payment, event, Ruling("queue"), Following(onward=onward, decisions=decisions)
        )

    async def _take(
        self, payment: Payment, event: Event, ruling: Ruling, following: Following | None = None
    ) -> bool:
        then, onward, decisions = following or Following()
        facts = msgspec.structs.replace(ruling, decisions=(*ruling.decisions, *decisions))
        if onward is None and facts.terms is not None:
            onward = Onward(payment.way, self._store.route(facts.terms, payment.way))
        after = await self._stepper.take(payment, event, then=then, onward=onward, facts=facts)
        return after is not None

    async def _payment(self, payment_id: PaymentId) -> Payment:
        payment = await self._store.payment(payment_id)
        if payment is None:
            raise Impossible(f"no payment {payment_id}")
        return payment


def _of_sim_alone(clearance: Decision | None) -> Decision | None:
    try:
        return of_sim_alone(clearance)
    except msgspec.ValidationError:
        return None  # another release's words

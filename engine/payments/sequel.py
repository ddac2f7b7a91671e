"""What follows a step without waiting: pay out now, later, by another way, or give it back.

Looks at what is known in memory and at what compliance says; moves nothing itself.
"""

from typing import NamedTuple

from engine.clock import Clock
from engine.decisions import Decision, Kind
from engine.payments.lifecycle import Event
from engine.payments.patience import SEEN_FROM
from engine.payments.payment import Payment
from engine.payments.planning import Onward
from engine.payments.policy import HOLD, WAIT, Policy
from engine.payments.store import PaymentStore
from engine.ports import Reason
from engine.restored import NEVER, Restored

# The payee's own wallet refuses: another operator would come to the same wallet.
_OF_THE_WALLET = {Reason.CANNOT_RECEIVE, Reason.NOT_REGISTERED, Reason.LIMIT}


class Following(NamedTuple):
    """What is to follow a step instead of what would by itself, which way, and why."""

    event: Event | None = None
    onward: Onward | None = None
    decisions: tuple[Decision, ...] = ()


NOTHING = Following()
_AS_USUAL = Following(Event.PAYOUT_ORDERED)


class Sequel:
    """Decides; every decision that is not the ordinary one says why."""

    def __init__(
        self, policy: Policy, store: PaymentStore, clock: Clock, *, restored: Restored = NEVER
    ) -> None:
        self._policy = policy
        self._store = store
        self._clock = clock
        self._restored = restored

    async def lost(self, payment: Payment) -> Following | None:
        """What follows where the payout may have been made in what a restore of the database lost:
        it is held until two people have agreed on something since. None for every other payment.
        """
        if not self._restored.forgot(payment.payment_id):
            return None
        if await self._store.was_ruled_since(payment.payment_id, self._restored.at):
            return None
        why = Decision(
            Kind.RESTORED, HOLD, f"the database was restored: see at the operators, {SEEN_FROM},"
            " whether it was paid or given back before",
            {"restored_at": int(self._restored.at)},
        )  # fmt: skip
        return Following(Event.HELD, decisions=(why,))

    async def after_collected(self, payment: Payment) -> Following:
        """The money is here: pay out now, later, after people have looked, or not at all."""
        lost, held = await self.lost(payment) or NOTHING, []
        clearance = payment.facts.clearance
        if clearance is not None and clearance.outcome == HOLD:
            held.append(clearance)
        # Also where it is held already: people are to see all there is to see.
        changed = await self._policy.clear_again(payment)
        if changed is not None and changed.outcome == HOLD:
            held.append(changed)
        if held:
            return Following(Event.HELD, decisions=(*lost.decisions, *held))
        return lost if lost.event else put_off(self.payout_of(payment), changed)

    def payout_of(self, payment: Payment) -> Following:
        """By the first way that is open; queued when none is; not at all once it is too late."""
        if not self._may_still_pay(payment):
            when = {"pay_until": payment.quote.pay_until, "now": int(self._clock.epoch())}
            why = Decision(Kind.RATE, "refund", "the quote's rate no longer holds", when)
            return Following(Event.REFUND_DECIDED, decisions=(why,))
        return self._from_way(payment, payment.way)

    async def cleared(self, payment: Payment, following: Following) -> Following:
        """The same; held where money would leave now and compliance no longer lets it, put off
        where compliance cannot compare.

        What is queued is asked about when it leaves. The way stays the one that was chosen: once
        released, the payment does not go back to an operator that has refused it.
        """
        if following.event is not Event.PAYOUT_ORDERED:
            return following
        changed = await self._policy.clear_again(payment)
        if changed is None or changed.outcome == WAIT:
            return put_off(following, changed)
        return Following(Event.HELD, following.onward, (changed, *following.decisions))

    async def after_failed_payout(self, payment: Payment, reason: Reason | None) -> Following:
        """Another operator may try, if this one is why it failed and the quote still holds."""
        following = payment.way + 1
        is_possible = following < len(payment.quote.ways) and self._may_still_pay(payment)
        lost = await self.lost(payment)
        if reason in _OF_THE_WALLET or not is_possible:
            return lost or NOTHING
        onward = self._from_way(payment, following)
        if lost:
            return Following(Event.HELD, onward.onward, lost.decisions)
        return await self.cleared(payment, onward)

    async def after_payout_never_sent(self, payment: Payment) -> Following:
        """Nobody refused it: nobody could be reached. It waits for an operator while it may."""
        if lost := await self.lost(payment):
            return lost
        if not self._may_still_pay(payment):
            return NOTHING
        return await self.cleared(payment, self._from_way(payment, payment.way, wait=True))

    def _from_way(self, payment: Payment, first: int, *, wait: bool = False) -> Following:
        """The first open way from there on; queued for the first when all are closed.

        `wait`: the one in use has just been out of reach, so only another is tried at once.
        """
        if first == payment.way and not wait and self._policy.may_pay(payment.payout_operator):
            return _AS_USUAL
        names = payment.ways
        is_open = {name: self._policy.may_pay(name) for name in names[first:]}
        if wait:
            is_open[names[first]] = False
        way = next((n for n in range(first, len(names)) if is_open[names[n]]), None)
        event = Event.PAYOUT_QUEUED if way is None else Event.PAYOUT_ORDERED
        way = first if way is None else way
        seen = {"ways": list(names), "from": first, "open": is_open}
        why = Decision(Kind.ROUTE, f"{event}: {names[way]}", "the first open way", seen)
        return Following(event, Onward(way, self._store.route(payment.facts, way)), (why,))

    def _may_still_pay(self, payment: Payment) -> bool:
        until = payment.facts.quote.pay_until
        return not until or self._clock.epoch() <= until


def put_off(following: Following, why: Decision | None) -> Following:
    """The same; queued where money would leave now and compliance says to wait. The way stays."""
    if why is None or why.outcome != WAIT or following.event is not Event.PAYOUT_ORDERED:
        return following
    return Following(Event.PAYOUT_QUEUED, following.onward, (why, *following.decisions))

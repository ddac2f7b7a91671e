"""Carries out what a retry may do (`remedies.py`); every way leads through the lifecycle's table.

It never touches an attempt, what was said of it, or the mark that it was sent: evidence of a
dispatch is not cleared by anybody. It does not know who asks; their roles are passed in.
"""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from engine.clock import AttemptId, Clock
from engine.errors import StaffMistake
from engine.payments.payment import Payment
from engine.payments.routing import Directory
from engine.payments.rulings import Rulings
from engine.payments.service import Payments
from engine.payments.stepping import Heard
from engine.ports import Direction
from engine.staff.members import Role
from engine.staff.reading import Attempt, Found, Reader
from engine.staff.remedies import ROLES, Legal, Remedy, Sending, question, remedy_of

Ask = Callable[[Payment, AttemptId, Direction], Awaitable[Heard]]


class Retried(NamedTuple):
    """What was done, what came of it, and the payment as it stands now."""

    remedy: Remedy
    came_of_it: str
    payment: Payment


class NotTheirs(StaffMistake):
    """The remedy is legal, but not for somebody with these roles."""


class Possible(NamedTuple):
    """What a retry would do, and about which attempt."""

    legal: Legal
    attempt: Attempt | None


class Retrying:
    """Retries of one tenant's payments. Every method may be repeated."""

    def __init__(
        self,
        *,
        reader: Reader,
        payments: Payments,
        rulings: Rulings,
        ask: Ask,
        directory: Directory,
        clock: Clock,
    ) -> None:
        self._reader = reader
        self._payments = payments
        self._rulings = rulings
        self._ask = ask
        self._directory = directory
        self._clock = clock

    async def possible(self, found: Found) -> Possible:
        """What a retry would do now; about the attempt that was named, if one was."""
        payment = found.payment
        attempts = await self._reader.attempts(payment)
        wanted = found.attempt_id or payment.live
        attempt = next((a for a in attempts if a.id == wanted), None)
        if attempt is None and attempts:
            attempt = attempts[-1]
        operator = self._directory.by_code.get(attempt.operator_code) if attempt else None
        can_be_asked = operator.can_be_asked if operator else False
        if attempt is not None and found.attempt_id is not None and not attempt.is_live:
            return Possible(question(has_attempt=True, can_be_asked=can_be_asked), attempt)
        sending = await self._reader.sending(payment.live) if payment.live else Sending.GONE
        legal = remedy_of(
            payment.state, sending=sending, has_attempt=attempt is not None,
            can_be_asked=can_be_asked, can_refund=await self._rulings.refunds_itself(payment),
        )  # fmt: skip
        return Possible(legal, attempt)

    async def retry(self, found: Found, roles: frozenset[Role]) -> Retried:
        """Do it now.

        Raises StaffMistake with the reason when nothing may be done, NotTheirs when others may, and
        Throttled, Unreachable or OutcomeUnknown when the operator did not answer a question.
        """
        legal, attempt = await self.possible(found)
        if legal.remedy is None:
            raise StaffMistake(legal.why)
        if not roles & ROLES[legal.remedy]:
            allowed = ", ".join(sorted(ROLES[legal.remedy]))
            raise NotTheirs(f"this would {_MEANS[legal.remedy]}: that is for {allowed}")
        came_of_it = await self._do(legal.remedy, found.payment, attempt)
        again = await self._reader.find(found.payment.payment_id)
        assert again is not None, "payments are never deleted"
        return Retried(legal.remedy, came_of_it, again.payment)

    async def _do(self, remedy: Remedy, payment: Payment, attempt: Attempt | None) -> str:
        match remedy:
            case Remedy.LEAVE_QUEUE:
                left = await self._rulings.order_payout(payment)
                return "it left the queue" if left else "no operator takes it yet: it waits on"
            case Remedy.ORDER_REFUND:
                await self._payments.order_refund(payment)
                return "the refund is ordered"
        assert attempt is not None, "there is nothing to ask about, or to send"
        if remedy is Remedy.SEND:
            hurried = await self._reader.hurry(attempt.id, int(self._clock.epoch()))
            return "it goes out now" if hurried else "it is being sent this moment"
        heard = await self._ask(payment, attempt.id, attempt.direction)
        return _CAME[heard]


_MEANS = {
    Remedy.ASK: "ask the operator",
    Remedy.SEND: "send an order",
    Remedy.LEAVE_QUEUE: "order a payout",
    Remedy.ORDER_REFUND: "order a refund",
}
_CAME = {
    Heard.ADVANCED: "the operator said how it ended",
    Heard.KEPT: "the operator said nothing new",
    Heard.NEEDS_PROOF: "the operator's word wants proof: it is asked again",
    Heard.CONFLICT: "the operator contradicts what we know: a case is open",
    Heard.UNKNOWN: "there is no such attempt",
}

"""What follows from how an operator call went: taken, refused, never made, or nobody knows.

What a call proves counts only while nobody else has claimed its intent.
"""

import logging
from collections.abc import Callable

import msgspec

from engine.clock import AttemptId, Clock
from engine.errors import ProviderError, Rejected, Throttled, Unreachable
from engine.messages.sender import Messages
from engine.outbox import NEVER_SENT, Outbox, Refusal, ever_rarer
from engine.payments.evidence import Source, finding_without_numbers
from engine.payments.orders import Orders
from engine.payments.our_faults import OurFaults
from engine.payments.patience import Patience
from engine.payments.payment import Payment
from engine.payments.service import Payments
from engine.payments.stepping import Heard
from engine.ports import Accepted, Direction, Finding, Outcome, Reason

log = logging.getLogger(__name__)


class CallEnds:
    """Takes in the ends of calls. Calls nobody by itself."""

    def __init__(
        self,
        *,
        payments: Callable[[], Payments],
        outbox: Outbox,
        orders: Orders,
        messages: Messages,
        faults: OurFaults,
        patience: Patience,
        clock: Clock,
    ) -> None:
        """`payments` is asked for them at each end: they know the dispatcher, too."""
        self._payments = payments
        self._outbox = outbox
        self._orders = orders
        self._messages = messages
        self._faults = faults
        self._patience = patience
        self._clock = clock

    async def not_made(
        self,
        payment: Payment,
        attempt_id: AttemptId,
        direction: Direction,
        error: Exception,
        claim: int,
    ) -> None:
        """No byte has left, by a fault of our own: tried again until its time is over, as where
        nobody can be reached. Whose money is with us by then, of that one people hear.
        """
        word = direction.name.lower()
        log.exception("%s %s cannot be made, by our own fault", payment.code, word)
        now = self._clock.epoch()
        pause = ever_rarer(attempt_id, now, self._patience.unreachable_retry)
        await self._outbox.release(attempt_id, claim, now + pause)
        if direction is not Direction.COLLECT:
            what = f"the order to {word} cannot be made"
            await self._faults.tell(payment.payment_id, what, error, after_seconds=0)

    async def taken(
        self,
        payment: Payment,
        attempt_id: AttemptId,
        direction: Direction,
        accepted: Accepted,
        claim: int | None,
    ) -> None:
        """The order was taken. Some operators tell its end with the same answer.

        What such an end ends is struck off with it. Until it is stored the intent stays claimed: a
        crash leaves an attempt that may have been done. Where a repeat may be sent, a failure is
        no more than a refusal: it speaks of its own call.
        """
        finding = accepted.finding
        if finding is None or finding.outcome not in (Outcome.SUCCEEDED, Outcome.FAILED):
            reference = accepted.provider_reference
            await self._payments().record_accepted(payment, attempt_id, reference)
            if accepted.pay_link is not None:  # a crash before this loses it, and nothing is paid
                await self._messages.bring_link(payment, attempt_id, accepted.pay_link)
            return
        is_failed = finding.outcome is Outcome.FAILED
        if is_failed and await self._orders.repeat_is_safe(payment, attempt_id, direction):
            if claim is None:
                await self.stays_unclear(payment, attempt_id, direction, finding.code)
                return
            refusal = Refusal(finding.code, finding.reason or Reason.OTHER)
            if not await self._counts(payment, attempt_id, refusal, claim):
                return
        body = msgspec.json.encode(finding_without_numbers(finding)).decode()
        heard = await self._payments().apply_finding(attempt_id, finding, Source.ANSWER, body)
        if accepted.provider_reference is not None:  # late news may have to be asked about
            await self._payments().record_accepted(payment, attempt_id, accepted.provider_reference)
        if heard is not Heard.ADVANCED:
            log.warning("%s: its end moved nothing: %s", payment.code, heard)
            await self._payments().record_unclear(payment, attempt_id)

    async def stays_unclear(
        self, payment: Payment, attempt_id: AttemptId, direction: Direction, no: object
    ) -> None:
        """A repeat was refused: that says nothing of the call before it."""
        log.warning("%s %s stays unclear: %s", payment.code, direction.name, no)
        await self._payments().record_unclear(payment, attempt_id)

    async def not_done(
        self,
        payment: Payment,
        attempt_id: AttemptId,
        error: Rejected | Throttled | Unreachable,
        claim: int,
    ) -> None:
        """The first call of this attempt was definitely not carried out."""
        if isinstance(error, Rejected):
            await self._rejected(payment, attempt_id, error, claim)
        elif isinstance(error, Throttled):
            await self._later(payment, attempt_id, error, error.retry_after_seconds, claim)
        else:
            await self._later(payment, attempt_id, error, self._patience.unreachable_retry, claim)

    async def _rejected(
        self, payment: Payment, attempt_id: AttemptId, error: Rejected, claim: int
    ) -> None:
        log.info("%s rejected: %s", payment.code, error)
        refusal = Refusal(error.code, error.reason)
        if await self._counts(payment, attempt_id, refusal, claim):
            await self.finish(payment, attempt_id, refusal.written())

    async def _counts(
        self, payment: Payment, attempt_id: AttemptId, refusal: Refusal, claim: int
    ) -> bool:
        """A no counts while nobody else has taken the call over: theirs may have been taken.

        Of an attempt that is over it is taken in all the same: it may contradict how that ended.
        """
        if await self._outbox.end(attempt_id, claim, refusal.written()):
            return True
        if (await self._payments().stepper.again(payment)).live != attempt_id:
            return True
        log.warning("%s: somebody else is at it since, %s is no proof", payment.code, refusal.code)
        return False

    async def finish(self, payment: Payment, attempt_id: AttemptId, ended: str) -> None:
        """What follows from an end that stands on the intent's row. Safe to repeat by anybody."""
        if ended == NEVER_SENT:
            await self._payments().record_never_sent(payment, attempt_id)
            return
        refusal = msgspec.json.decode(ended, type=Refusal)
        finding = Finding(Outcome.FAILED, refusal.code, reason=Reason(refusal.reason))
        body = msgspec.json.encode({"rejected": refusal.code}).decode()
        await self._payments().apply_finding(attempt_id, finding, Source.ANSWER, body)

    async def _later(
        self,
        payment: Payment,
        attempt_id: AttemptId,
        error: ProviderError,
        seconds: float,
        claim: int,
    ) -> None:
        log.warning("%s not sent, again in %.0f s: %s", payment.code, seconds, error)
        await self._outbox.release(attempt_id, claim, self._clock.epoch() + seconds)

"""News of attempts that are over: the same again, late money, money beside it, a payout that came
back, or a contradiction. Each keeps what was told; only what is proven moves the payment.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from engine.clock import Clock
from engine.ledger.plans import Evidence
from engine.payments import evidence as told
from engine.payments import lifecycle
from engine.payments.evidence import Source
from engine.payments.facts import Ending
from engine.payments.lifecycle import Event, State
from engine.payments.payment import Payment
from engine.payments.routing import Directory
from engine.payments.stepping import Heard, Stepper
from engine.payments.store import Attempted, PaymentStore
from engine.ports import Direction, Finding, Outcome, PaidIn

WITHDRAWN: Final = "withdrawn"
"""How an attempt failed that its payer withdrew before a byte of it left: nothing says more."""

PAID_TWICE: Final = "PAID_TWICE"
"""The kind of the case about a payer who seems to have paid by hand and by prompt."""

NEWS_SETTLES_SECONDS = 120
"""Until then an operator's status may not show what its own callback has said already."""

HearMoney = Callable[[str, PaidIn, bool], Awaitable[None]]
"""Takes in money that belongs to no collection: operator, what came, whether that is proven."""


class LateNews:
    """Every method may be repeated. None instead of an answer: somebody else moved the payment
    meanwhile, look again.
    """

    def __init__(
        self,
        *,
        stepper: Stepper,
        store: PaymentStore,
        directory: Directory,
        clock: Clock,
        first_look_seconds: int,
    ) -> None:
        """`first_look_seconds`: so soon an operator is asked about what it told without proof."""
        self._stepper = stepper
        self._store = store
        self._directory = directory
        self._clock = clock
        self._first_look_seconds = first_look_seconds
        self.hear_money: HearMoney | None = None  # set once there is somebody who takes it in

    async def of_end(
        self, found: Attempted, finding: Finding, source: Source, kept: tuple[Evidence, ...]
    ) -> Heard | None:
        """An end is told of an attempt that is not live: the same again, late money, a conflict."""
        payment, succeeded = found.payment, finding.outcome is Outcome.SUCCEEDED
        ending = await self._store.ending_of(payment.payment_id, found.attempt_id)
        if ending is None:  # withdrawn before it left: a ruling stands where its end would
            ending = Ending(found.attempt_id, False, WITHDRAWN, Source.ANSWER)
        if told.came_otherwise(ending, finding) or self._came_twice(found, ending, finding, source):
            return await self._of_prompt(found, finding, source, kept)
        if ending.succeeded == succeeded:
            return await self._keep(payment, kept)
        late = found.direction is Direction.COLLECT and succeeded
        if late and lifecycle.may(payment.state, Event.LATE_MONEY_PROVEN):
            if source is Source.CALLBACK:
                return await self._doubt(found, kept)
            proven = Ending(found.attempt_id, True, finding.code, source, finding.receipt)
            return await self._take(payment, Event.LATE_MONEY_PROVEN, kept, ending=proven)
        said = "succeeded after it had failed" if succeeded else "failed after it had succeeded"
        return await self.contradicted(found, kept, f"{found.direction.name} {said}")

    async def of_reversal(
        self, found: Attempted, source: Source, kept: tuple[Evidence, ...]
    ) -> Heard | None:
        """The operator undid what had succeeded. Unsigned word of it is asked about first."""
        payment, attempt_id = found.payment, found.attempt_id
        if source is Source.CALLBACK:
            return await self._doubt(found, kept)
        ending = await self._store.ending_of(payment.payment_id, attempt_id)
        has_succeeded = ending is not None and ending.succeeded
        if found.direction is not Direction.DISBURSE or not has_succeeded:
            return await self.contradicted(found, kept, f"{found.direction.name} reversed")
        paid_by = await self._store.paid_by(payment.payment_id)
        if payment.state is not State.PAID or paid_by != attempt_id:
            return await self._keep(payment, kept)  # it was returned before
        return await self._take(payment, Event.PAYOUT_RETURNED, kept)

    async def contradicted(
        self, found: Attempted, kept: tuple[Evidence, ...], detail: str
    ) -> Heard:
        """Keep it, move nothing, and have people look."""
        await self._keep(found.payment, kept)
        await self._stepper.open_case(found.payment, "CONFLICT", kept[0].hash, detail)
        return Heard.CONFLICT

    async def _of_prompt(
        self, found: Attempted, finding: Finding, source: Source, kept: tuple[Evidence, ...]
    ) -> Heard:
        """The payer had paid before: by themselves, or by a first approval of the same prompt.

        Other money is taken in where it has a receipt. A query tells none, and what it says may be
        the very money that came: a second one has its own notice, or stands in the statement.
        """
        payment, receipt = found.payment, finding.receipt
        if finding.outcome is not Outcome.SUCCEEDED or (receipt is None and source is Source.QUERY):
            return await self._keep(payment, kept)
        if receipt is None or self.hear_money is None:
            detail = f"{found.operator}: a prompt was paid after the payer had paid before"
            await self._stepper.open_case(payment, PAID_TWICE, found.attempt_id, detail)
        else:
            # Of another amount than ordered it would be a contradiction, and not here.
            paid = PaidIn(receipt, payment.amount_of(found.direction), payment.code, payer="")
            await self.hear_money(found.operator, paid, source is not Source.CALLBACK)
        return await self._keep(payment, kept)

    def _came_twice(
        self, found: Attempted, ending: Ending, finding: Finding, source: Source
    ) -> bool:
        operator = self._directory.by_name[found.operator]
        is_told = operator.callback_tells_receipt and found.direction is Direction.COLLECT
        return is_told and told.came_twice(ending, finding, source)

    async def _doubt(self, found: Attempted, kept: tuple[Evidence, ...]) -> Heard:
        """News of what nobody looks at any more. The question is stored first: what was kept and
        acknowledged is never without it.
        """
        now = int(self._clock.epoch())
        ask_at = now + self._first_look_seconds
        await self._store.put_question(found.payment, found.attempt_id, now, ask_at)
        await self._keep(found.payment, kept)
        return Heard.NEEDS_PROOF

    async def _keep(self, payment: Payment, kept: tuple[Evidence, ...]) -> Heard:
        await self._stepper.keep(payment, kept)
        return Heard.KEPT

    async def _take(
        self,
        payment: Payment,
        event: Event,
        kept: tuple[Evidence, ...],
        *,
        ending: Ending | None = None,
    ) -> Heard | None:
        after = await self._stepper.take(payment, event, facts=ending, kept=kept)
        return None if after is None else Heard.ADVANCED

"""Pay-ins that are a payment's own collection, whatever was told of their reference and amount.

Such money is booked with the payment: it is put aside only until that is seen, and nobody sends it
back or gives it to another payment.
"""

import logging
from collections.abc import Sequence
from datetime import timedelta

from engine.clock import Clock
from engine.payments.payins.collected import Collected, Owner
from engine.payments.payins.judging import PayIn, Stage, shown
from engine.payments.payins.store import CONFLICT, PayInStore
from engine.payments.payins.strays import Strays
from engine.payments.payment import Payment
from engine.payments.store import PaymentStore
from engine.ports import Direction

log = logging.getLogger(__name__)

AT_FIRST = timedelta(hours=2)
"""How long before a notice its collection may have ended, to be looked for when it comes: the two
come within seconds, mostly. What lies longer back a statement lists."""
BEFORE_PEOPLE_ACT = timedelta(days=3)
"""The same before two people do something with it, which cannot be undone."""
LISTED_WITHIN = timedelta(days=14)
"""After that a collection is looked for among the lines of statements alone."""


class Owners:
    """Those of one tenant. Every method may be repeated."""

    def __init__(
        self,
        *,
        collected: Collected,
        store: PayInStore,
        strays: Strays,
        payments: PaymentStore,
        clock: Clock,
    ) -> None:
        self._collected = collected
        self._store = store
        self._strays = strays
        self._payments = payments
        self._clock = clock

    async def of(self, pay_in: PayIn, within: timedelta) -> Payment | None:
        """The payment whose collection succeeded by this receipt, whatever became of it since; None
        where none is known.

        `within`: how long before the notice it may have ended, if no statement lists it.
        """
        now_ms = int(self._clock.epoch() * 1000)
        since_ms = max(pay_in.heard_ms - _ms(within), now_ms - _ms(LISTED_WITHIN))
        receipt = pay_in.paid.receipt
        for attempt_id in await self._collected.attempts(pay_in.operator, receipt, since_ms):
            found = await self._payments.attempt(attempt_id)
            if found is None or found.direction is not Direction.COLLECT:
                continue
            endings = await self._payments.endings(found.payment.payment_id)
            of_it = [e for e in endings if e.attempt_id == attempt_id and e.succeeded]
            if found.operator == pay_in.operator and any(e.receipt == receipt for e in of_it):
                return found.payment
        return None

    async def give(self, pay_in: PayIn, payment: Payment) -> bool:
        """Out of people's hands and of SUSPENSE: it is that payment's collection. False where they
        have begun to do something with it, or another payment has it: that is for people."""
        await self.compare(pay_in, payment)
        receipt = pay_in.paid.receipt
        if not await self._store.find(pay_in.operator, receipt, payment.payment_id):
            now = await self._store.get(pay_in.id)
            stands = (now or pay_in).stage.name
            await self.call_people(pay_in, f"it is the collection of {payment.code}, and {stands}")
            return False
        await self._strays.take_back(pay_in)
        log.warning("pay-in %s is the collection of %s", receipt, payment.code)
        return True

    async def compare(self, pay_in: PayIn, payment: Payment) -> None:
        """People ask the operator where it was told in another amount than was collected."""
        if pay_in.paid.amount != payment.quote.total:
            booked = f"it collected {payment.quote.total} of {payment.code}"
            await self.call_people(pay_in, booked)

    async def call_people(self, pay_in: PayIn, booked: str) -> None:
        """They ask the operator what holds."""
        paid = pay_in.paid
        told = f"{pay_in.operator} told {paid.receipt} of {paid.amount} for {shown(paid.reference)}"
        await self._store.open_case(pay_in, f"{told}; {booked}", CONFLICT)

    async def hear(self, operator: str, collections: Sequence[Owner]) -> int:
        """Which payment each of these receipts of an operator collected, as a comparison with its
        statement found; how many pay-ins were theirs."""
        given = 0
        for pay_in_id, payment_id in await self._collected.beside(operator, collections):
            pay_in = await self._store.get(pay_in_id)
            payment = await self._payments.payment(payment_id)
            if pay_in is not None and payment is not None:
                given += await self.give(pay_in, payment)
        return given

    async def look(self, pay_in: PayIn) -> None:
        """Once more, some time after it came to rest: its collection may have ended since, or
        whoever put it aside was slower than whoever found its owner."""
        if pay_in.stage is Stage.SUSPENDED:
            payment = await self.of(pay_in, AT_FIRST)
            if payment is not None and await self.give(pay_in, payment):
                return
        else:
            await self._strays.take_back(pay_in)
            await self._store.close_case(pay_in, "it is booked with its owner")
        await self._store.settle(pay_in, pay_in.stage)


def _ms(span: timedelta) -> int:
    return int(span.total_seconds() * 1000)

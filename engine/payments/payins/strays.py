"""Money that nobody knows the owner of, in SUSPENSE and out again. It decides nothing about it.

The entries are those of `statements/suspense.py`, under the same keys: whether a statement or the
operator's notice is first, the same receipt is suspended once, in one amount, and comes back once.
"""

from collections.abc import Mapping

from engine.clock import Clock
from engine.payments.payins.judging import PayIn
from engine.payments.statements.lines import Line, Side
from engine.payments.statements.suspense import Suspense
from engine.payments.store import PaymentStore
from engine.ports import OperatorFacts


class Strays:
    """Of one tenant. Every method may be repeated."""

    def __init__(
        self,
        *,
        tenant: int,
        suspense: Suspense,
        payments: PaymentStore,
        operators: Mapping[str, OperatorFacts],
        clock: Clock,
    ) -> None:
        self._tenant = tenant
        self._suspense = suspense
        self._payments = payments
        self._operators = operators
        self._clock = clock

    async def put(self, pay_in: PayIn) -> bool:
        """Book it as received, and owed to whoever it belongs to. False where its receipt is booked
        in another amount than it is told in."""
        return await self._suspense.put(self._operators[pay_in.operator], self._line(pay_in))

    async def claim(self, pay_in: PayIn) -> bool:
        """Before it is booked with a payment; False where its receipt lies, or lay, in SUSPENSE in
        another amount. From then on it is put there in this one alone."""
        return await self._suspense.claim(self._line(pay_in))

    async def take_back(self, pay_in: PayIn) -> None:
        """Its owner is known, and it is booked there: the same entry turned round."""
        await self._suspense.take_back(self._line(pay_in))

    async def is_put(self, pay_in: PayIn) -> bool:
        """Whether it is, or was, in SUSPENSE."""
        key = self._suspense.key_of(self._line(pay_in))
        return await self._payments.keys.payment(self._tenant, key) is not None

    async def is_back(self, pay_in: PayIn) -> bool:
        """Whether it was taken out again because its owner was found."""
        key = self._suspense.key_back(self._line(pay_in))
        return await self._payments.keys.payment(self._tenant, key) is not None

    def _line(self, pay_in: PayIn) -> Line:
        """As a statement would list it; what a line has besides names nothing."""
        return Line(
            operator=pay_in.operator,
            day=self._clock.now().date(),
            receipt=pay_in.paid.receipt,
            reference=pay_in.paid.reference or None,
            side=Side.IN,
            amount=pay_in.paid.amount,
            fee_minor=0,
            counterparty=None,
            completed_ms=pay_in.heard_ms,
            balance_minor=None,
            raw_hash=pay_in.id,
        )

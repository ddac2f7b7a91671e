"""What a comparison asks of those who look after money that customers sent of their own accord.

They stand above this room: who wires them hands them in, or `nobody_*` where nobody pays in so.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from engine.clock import AttemptId, PaymentId
from engine.payments.statements.judged import Theirs
from engine.payments.statements.lines import PaidInLine
from engine.ports import Finding


class PaidIns(Protocol):
    """What is known of such money (`payins/store.py`)."""

    async def among(self, operator: str, lines: Sequence[Theirs]) -> Mapping[str, PaidInLine]:
        """Of these the ids of pay-ins' lines, and what is known of each."""
        ...

    async def collections(
        self, operator: str, lines: Sequence[Theirs], before: datetime
    ) -> list[AttemptId]:
        """What these lines collected as pay-ins, of payments that were made before that."""
        ...

    async def find(self, operator: str, receipt: str, payment: PaymentId | None) -> bool:
        """Take it for a payment, or as our own, out of people's hands; False: they have it."""
        ...

    async def find_denied(self, operator: str, owners: Sequence[tuple[str, PaymentId]]) -> None:
        """The same of those that nobody could prove."""
        ...


HearReturn = Callable[[str, Finding], Awaitable[bool]]
"""What became of a pay-in's return, by the pay-in (`PayInReturns.hear_return`)."""


HearOwners = Callable[[str, Sequence[tuple[str, PaymentId]]], Awaitable[int]]
"""Which payment each of an operator's receipts collected; how many pay-ins were theirs
(`Owners.hear`)."""


async def nobody_returns(_pay_in: str, _finding: Finding) -> bool:
    """Where nobody sends pay-ins back."""
    return False


async def nobody_paid_in(_operator: str, _collections: Sequence[tuple[str, PaymentId]]) -> int:
    """Where nobody pays in of their own accord."""
    return 0

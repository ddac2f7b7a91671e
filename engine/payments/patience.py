"""How long an order is tried before it is given up. Pure."""

from typing import Final

import msgspec

from engine.clock import AttemptId, epoch_of
from engine.payments.payment import Payment
from engine.ports import Direction

ORDER_OVER_SECONDS: Final = 600
"""So long after an order left what people see of it at the operator is what became of it."""
SEEN_FROM: Final = f"from {ORDER_OVER_SECONDS // 60} minutes after it on"
"""Since when that is, for the cases that call people."""


class Patience(msgspec.Struct, frozen=True):
    """How long things are tried, in seconds; `now` is epoch seconds."""

    unreachable_retry: float = 10.0  # after "not one byte left"
    payout: float = 120.0  # one that never left so long goes another way, or waits and is told of
    ingestion_horizon: float = 120.0  # until then "no such reference" proves nothing
    prompt: float = 300.0  # so long after its price is over a payer may be asked once more

    def is_over(
        self, payment: Payment, attempt_id: AttemptId, direction: Direction, now: float
    ) -> bool:
        """Only asked before the first byte of an attempt, or after it was definitely refused."""
        if direction is Direction.COLLECT:
            return now > payment.quote.expires_at
        if direction is Direction.DISBURSE:
            return now > epoch_of(attempt_id) + self.payout
        return False  # a refund is owed for as long as it takes

    def is_over_again(self, payment: Payment, direction: Direction, now: float) -> bool:
        """Of a call that may have been carried out: payers have paid otherwise, or given up."""
        latest = payment.quote.expires_at + self.prompt
        return direction is Direction.COLLECT and now > latest

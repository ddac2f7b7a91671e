"""What an operator may say it holds for us, by our books: the band, and how far off it is. Pure.

The band. FLOAT is what we hold there by our books. Money that may have left already stands in
PAYOUT_IN_FLIGHT, REFUND_IN_FLIGHT, RETURN_HELD and WITHDRAWAL_HELD; money that may have arrived
already is what live collections ask for. Of a rebalancing that waits to be seen both may be, and a
top-up may have arrived, until they are late. So, with what is not in our books at all (`unbooked`):

    FLOAT - leaving  <=  theirs - unbooked  <=  FLOAT + arriving
"""

from collections.abc import Sequence

import msgspec

from engine.payments.statements.judged import Ours, Standing
from engine.ports import Direction


class Band(msgspec.Struct, frozen=True):
    """Our side, all in minor units of the operator's currency."""

    float_minor: int
    leaving_minor: int
    arriving_minor: int
    unbooked_minor: int = 0

    @property
    def low_minor(self) -> int:
        return self.float_minor - self.leaving_minor + self.unbooked_minor

    @property
    def high_minor(self) -> int:
        return self.float_minor + self.arriving_minor + self.unbooked_minor

    def drift_minor(self, theirs_minor: int) -> int:
        """How far theirs lies outside: below zero when they hold less than we can explain."""
        if theirs_minor < self.low_minor:
            return theirs_minor - self.low_minor
        return max(theirs_minor - self.high_minor, 0)


def band_at(
    moment_ms: int,
    float_minor: int,
    ours: Sequence[Ours],
    unbooked_minor: int,
    *,
    held_minor: int = 0,
    awaited_minor: int = 0,
) -> Band:
    """The band at a moment that is past, from the attempts around it and FLOAT as of then.

    What had begun and was not known to be over at that moment may have moved or not, and so may
    `held_minor`: pay-ins that were on their way back then, withdrawals and rebalancings that nobody
    had seen. `awaited_minor` may have come: top-ups, and rebalancings from elsewhere.
    """
    open_then = [
        o
        for o in ours
        if o.begun_ms <= moment_ms
        and (o.ended_ms is None or o.ended_ms > moment_ms)
        # What ended as a failure moved nothing, whenever we learned of it.
        and o.standing is not Standing.FAILED
    ]
    arriving = sum(o.amount.minor for o in open_then if o.direction is Direction.COLLECT)
    leaving = sum(
        o.amount.minor + o.booked_fee_minor
        for o in open_then
        if o.direction is not Direction.COLLECT
    )
    return Band(float_minor, leaving + held_minor, arriving + awaited_minor, unbooked_minor)


class Look(msgspec.Struct, frozen=True):
    """One comparison that was made."""

    drift_minor: int
    is_snapshot: bool  # both sides as of one moment, so that nothing was under way in between


def is_alarming(looks: Sequence[Look]) -> bool:
    """Whether a person must hear, from the looks of one episode, the oldest first.

    Between our reading and the operator's a payment may begin and end, which no band covers: one
    such look may err, two in a row, the same way, may not.
    """
    if not looks or not looks[-1].drift_minor:
        return False
    if looks[-1].is_snapshot:
        return True
    same_way = [
        look for look in looks[-2:] if (look.drift_minor > 0) == (looks[-1].drift_minor > 0)
    ]
    return len(same_way) == 2 and all(look.drift_minor for look in same_way)

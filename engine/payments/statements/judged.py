"""What the comparison of a statement speaks of: our attempts, their lines, and what each becomes.

Values only; who pairs and judges them is `matching.py`.
"""

from datetime import date
from enum import IntEnum, StrEnum

import msgspec

from engine.clock import AttemptId, PaymentId
from engine.money import Money
from engine.payments.statements.lines import SIDE_OF, Line, Side
from engine.payments.statements.terms import Terms
from engine.ports import Direction, Outcome


class Standing(StrEnum):
    """What we hold of an attempt."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    OPEN = "open"  # it may have moved money
    UNSENT = "unsent"  # its order is still in our outbox


class Class(IntEnum):
    """What becomes of a line, of an attempt, or of both. Numbers are stored: never renumber."""

    MATCHED = 1
    NEXT_DAY = 2  # agrees, but listed with a day beside ours
    UNKNOWN_RESOLVED = 3  # we did not know; now it is proven
    AMOUNT_DIFFERS = 4
    CONTRADICTION = 5  # they list what we hold failed, or undo what we hold succeeded
    MISSING_HERE = 6  # they list what we never made
    MISSING_THERE = 7  # we hold it succeeded; their day and the day after lack it
    DUPLICATE_LINE = 8  # the same movement again
    NOTHING_MOVED = 9  # we hold it failed and they do not list it
    WAITING = 10  # nobody can tell yet
    OTHER_DAY = 11  # unpaired, and judged with its own day
    PAID_IN = 12  # what a customer sent of their own accord, or its way back: it has its own case
    MOVED = 13  # what people moved themselves: a top-up, a withdrawal, a rebalancing


AGREES = {
    Class.MATCHED, Class.NEXT_DAY, Class.UNKNOWN_RESOLVED, Class.DUPLICATE_LINE,
    Class.NOTHING_MOVED, Class.OTHER_DAY, Class.PAID_IN, Class.MOVED,
}  # fmt: skip
"""Nobody has to look at these."""


class Ours(msgspec.Struct, frozen=True):
    """One attempt as our books hold it. Times are epoch milliseconds."""

    attempt_id: AttemptId
    payment_id: PaymentId
    code: str
    direction: Direction
    amount: Money
    booked_fee_minor: int  # what our books say the operator kept or charged
    standing: Standing
    receipt: str | None
    references: tuple[str, ...]  # how a statement may name it, beside receipt and code
    masked: str  # whose wallet; "" where nobody can tell
    begun_ms: int
    ended_ms: int | None
    gives_back: tuple[str, ...] = ()
    """Receipt and references of the collection that it undoes, where the operator carries refunds
    out so: a statement may name it by those alone."""
    by_pay_in: bool = False  # what its payer sent by hand was taken for it
    left_ms: int | None = None
    """Of one under way, when its order had left last, at the latest: held back at first or sent
    once more, it may have been carried out only then."""

    @property
    def side(self) -> Side:
        return SIDE_OF[self.direction]


def over_on(o: Ours, terms: Terms) -> date:
    """The operator's day on which an attempt ended; of one that has not, on which it began."""
    return terms.day_of(o.begun_ms if o.ended_ms is None else o.ended_ms)


class Theirs(msgspec.Struct, frozen=True):
    """One stored line, and the attempt it was paired with before, which it stays with.

    One of another amount is not held to its pair, a corrected line may come; but the pair stays in
    sight, however old.
    """

    line_id: str
    line: Line
    pinned: AttemptId | None = None


class Judged(msgspec.Struct, frozen=True):
    """One line, one attempt, or a pair of them, and what it is. Amounts are minor units."""

    kind: Class
    theirs: Theirs | None = None
    ours: Ours | None = None
    proves: Outcome | None = None  # what the payment should hear
    difference_minor: int = 0  # theirs less ours
    unbooked_fee_minor: int = 0  # the listed fee less what our books say
    hint: Ours | None = None  # an attempt that a line without a pair speaks of
    why: str = ""
    moved_by: str | None = None  # the proposal that MOVED is
    is_moved_too: bool = False  # a pair's: people booked a movement under its name as well
    is_doubted: bool = False  # of MISSING_HERE: its receipt is listed in another amount as well

    @property
    def pair_to_keep(self) -> AttemptId | None:
        """The attempt a line stays with from now on; of MOVED the proposal, which is no other's."""
        if self.moved_by is not None:
            return AttemptId(self.moved_by)
        if self.ours is None or self.theirs is None:
            return None
        return self.ours.attempt_id

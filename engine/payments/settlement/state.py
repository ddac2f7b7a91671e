"""The states that settlement goes through. Numbers are stored: never renumber. Pure."""

from enum import IntEnum


class BatchState(IntEnum):
    """Where a batch stands. From CLOSED on its entry is in the books."""

    CLOSING = 1  # chosen, and not yet in the books
    CLOSED = 2
    APPROVED = 3
    SUBMITTED = 4
    SETTLED = 5  # for ever
    REOPENING = 6  # the rail never will; the books are being turned round
    REOPENED = 7  # for ever; its obligations are in other batches, or wait
    PARKED = 8  # it contradicts what we know: people look


OVER = frozenset({BatchState.SETTLED, BatchState.REOPENED})


class ErrandState(IntEnum):
    """Where one instruction to the rail stands."""

    WANTED = 1
    UNDER_WAY = 2  # something signed for it may happen
    DONE = 3  # for ever, unless by the rail's own order it never was: then LAPSED
    REFUSED = 4  # a definitive no; nothing of it can happen unless it is wanted again
    LAPSED = 5  # its approvals are past, and nothing signed for it can happen


class Stage(IntEnum):
    """Where one place in an account's order stands."""

    ALLOCATED = 1  # nothing signed for it is kept, so nothing has left
    SIGNED = 2  # kept; it may have left
    DONE = 3
    REFUSED = 4  # it took its place and did nothing
    GONE = 5  # it never will: the place is free again


class DisputeStage(IntEnum):
    """Where a dispute stands by our books; the rail's are `SettlementPort.dispute`."""

    OPEN = 1
    CONTESTED = 2
    RULED = 3
    CLOSED = 4
    REFUSED = 5  # the rail did not take the opening

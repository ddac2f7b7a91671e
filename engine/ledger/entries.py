"""The states of journal rows that belong to no payment. It knows nothing of who may make them.

A payment's own states are below `MANUAL_FROM` and are the lifecycle's affair.
"""

from enum import IntEnum

MANUAL_FROM = 100


class Manual(IntEnum):
    """What such a row is. Numbers are stored: never renumber."""

    SEEDED = 100  # first float of an installation, from a file
    TOPPED_UP = 101  # the owner's money was seen at an operator
    WITHDRAWAL_RESERVED = 102
    WITHDRAWN = 103
    WITHDRAWAL_CANCELLED = 104
    REBALANCED = 105  # float moved from one operator to another
    REVERSED = 106  # another row, each of its transfers turned round
    ADJUSTED = 107  # free-form, between accounts that allow it
    WRITTEN_OFF = 108
    SUSPENDED = 110  # an operator lists money for us that belongs to nobody we know
    UNSUSPENDED = 111  # its owner was found: the row above turned round
    RETURN_RESERVED = 112  # it goes back to whoever sent it
    RETURNED_TO_SENDER = 113
    RETURN_FAILED = 114  # it did not go back; it is suspended again
    SETTLEMENT_CLOSED = 120  # a window: its obligations are turned into one amount of the asset
    SETTLEMENT_REOPENED = 121  # the rail never will: the row above turned round
    SETTLEMENT_FINAL = 122  # the rail has moved it
    CHAIN_PROVIDED = 123  # asset came into an operator's pool from outside
    CHAIN_WITHDRAWN = 124
    CHAIN_REFUNDED = 125  # a dispute was ruled: back from one operator's pool to the other's
    LIQUIDITY_RESERVED = 130  # a client set it aside for its own payments
    RESERVATION_RELEASED = 131  # its client gave back what was left
    RESERVATION_EXPIRED = 132
    RESERVATION_REFUSED = 133  # the pool did not cover it: nothing moved, and nothing will


NEEDS_NOBODY = frozenset(
    {
        Manual.SEEDED,
        Manual.SUSPENDED,
        Manual.UNSUSPENDED,
        Manual.SETTLEMENT_CLOSED,
        Manual.SETTLEMENT_REOPENED,
        Manual.SETTLEMENT_FINAL,
        Manual.CHAIN_PROVIDED,
        Manual.CHAIN_WITHDRAWN,
        Manual.CHAIN_REFUNDED,
        Manual.LIQUIDITY_RESERVED,
        Manual.RESERVATION_RELEASED,
        Manual.RESERVATION_EXPIRED,
        Manual.RESERVATION_REFUSED,
    }
)
"""Every other row that belongs to no payment carries the id of what two people agreed on.

What settlement books is agreed on by operators' approvals, or shown by the rail's own books. What a
client sets aside stays ours, and comes back by itself.
"""

CORRECTS = frozenset({Manual.REVERSED, Manual.ADJUSTED})
"""Their facts begin with the payment they speak of; to it the auditor counts what they move."""

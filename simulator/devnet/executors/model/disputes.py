"""`capp_settlement::disputes`: one claim about one payment, and how it may go on. No clock here."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from simulator.devnet.executors.model.contract import Category, Contract

DISPUTES = Contract(0xCA04, "disputes")


class Reason(IntEnum):
    """Why a dispute cannot go on so."""

    NOT_OPEN = 1
    ANSWER_PENDING = 2
    RULED = 3
    NOT_RULED = 4
    REFUND_TOO_LARGE = 5


class Status(IntEnum):
    """Where a dispute stands."""

    OPEN = 1
    CONTESTED = 2
    RULED = 3
    CLOSED = 4


class Dispute(NamedTuple):
    """Kept under (corridor, dispute id); the fields in the order in which the view tells them."""

    status: Status
    member: int
    against: int
    amount: int
    refund: int
    opened_at: int
    batch_id: bytes
    leaf_hash: bytes


def answer(dispute: Dispute, *, accepts: bool) -> Dispute:
    """The other member accepts the whole amount, or none of it."""
    DISPUTES.demand(dispute.status is Status.OPEN, Category.INVALID_STATE, Reason.NOT_OPEN)
    if accepts:
        return dispute._replace(status=Status.RULED, refund=dispute.amount)
    return dispute._replace(status=Status.CONTESTED)


def rule(dispute: Dispute, refund: int, *, may_wait: bool) -> Dispute:
    """The arbiter decides. `may_wait`: the time for an answer is not over."""
    contested = dispute.status is Status.CONTESTED
    undecided = contested or dispute.status is Status.OPEN
    DISPUTES.demand(undecided, Category.INVALID_STATE, Reason.RULED)
    DISPUTES.demand(contested or not may_wait, Category.INVALID_STATE, Reason.ANSWER_PENDING)
    DISPUTES.demand(refund <= dispute.amount, Category.INVALID_ARGUMENT, Reason.REFUND_TOO_LARGE)
    return dispute._replace(status=Status.RULED, refund=refund)


def close(dispute: Dispute) -> Dispute:
    """What was ruled is paid."""
    DISPUTES.demand(dispute.status is Status.RULED, Category.INVALID_STATE, Reason.NOT_RULED)
    return dispute._replace(status=Status.CLOSED)

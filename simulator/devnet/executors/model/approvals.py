"""`capp_settlement::approvals`: whether enough of a corridor's keys have signed one message."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from itertools import pairwise
from typing import NamedTuple

from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from simulator.devnet.executors.model.contract import Category, Contract
from simulator.devnet.executors.model.world import Frame

APPROVALS = Contract(0xCA04, "approvals")
APPROVERS_MAX = 32
KEY_BYTES = 32
SIGNATURE_BYTES = 64


class Reason(IntEnum):
    """Why the approvals are not good."""

    APPROVER_COUNT = 1
    KEY_LENGTH = 2
    KEY_REPEATED = 3
    THRESHOLD = 4
    APPROVAL_COUNT = 5
    APPROVER_REPEATED = 6
    APPROVER_UNKNOWN = 7
    TOO_FEW_APPROVALS = 8
    BAD_APPROVAL = 9


class Approvers(NamedTuple):
    """The keys, in order, and how many of them must sign."""

    keys: tuple[bytes, ...]
    threshold: int


def new(keys: Sequence[bytes], threshold: int) -> Approvers:
    """Approvers of a corridor."""
    _demand(0 < len(keys) <= APPROVERS_MAX, Reason.APPROVER_COUNT)
    for index, key in enumerate(keys):
        _demand(len(key) == KEY_BYTES, Reason.KEY_LENGTH)
        _demand(key not in keys[:index], Reason.KEY_REPEATED)
    _demand(0 < threshold <= len(keys), Reason.THRESHOLD)
    return Approvers(tuple(keys), threshold)


def assert_paired(indexes: Sequence[int], signatures: Sequence[bytes]) -> None:
    """One signature for each approver named."""
    _demand(len(indexes) == len(signatures), Reason.APPROVAL_COUNT)


def assert_approved(
    frame: Frame,
    approvers: Approvers,
    message: bytes,
    indexes: Sequence[int],
    signatures: Sequence[bytes],
) -> None:
    """Each approver named has signed the message, and they are enough."""
    _demand(all(a < b for a, b in pairwise(indexes)), Reason.APPROVER_REPEATED)
    _demand(all(index < len(approvers.keys) for index in indexes), Reason.APPROVER_UNKNOWN)
    APPROVALS.demand(
        len(indexes) >= approvers.threshold,
        Category.PERMISSION_DENIED,
        Reason.TOO_FEW_APPROVALS,
    )
    for index, signature in zip(indexes, signatures, strict=True):
        frame.spend("signature")
        APPROVALS.demand(
            _is_signed(approvers.keys[index], signature, message),
            Category.UNAUTHENTICATED,
            Reason.BAD_APPROVAL,
        )


def _demand(claim: bool, reason: Reason) -> None:
    APPROVALS.demand(claim, Category.INVALID_ARGUMENT, reason)


def _is_signed(key: bytes, signature: bytes, message: bytes) -> bool:
    if len(signature) != SIGNATURE_BYTES:
        return False
    try:
        VerifyKey(key).verify(message, signature)
    except BadSignatureError:
        return False
    return True

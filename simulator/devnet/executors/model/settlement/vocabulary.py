"""The words of `capp_settlement::settlement`: its events, its reasons, the type of a corridor."""

from __future__ import annotations

from enum import IntEnum

from simulator.devnet.executors.model.contract import Category, Contract, object_of

_DISPUTE = {"corridor": "address", "dispute_id": "vector<u8>"}
SETTLEMENT = Contract(
    0xCA04,
    "settlement",
    events={
        "CorridorCreated": {
            "corridor": "address",
            "governance": "address",
            "registry": "address",
            "asset": "address",
            "manager": "address",
            "members": "vector<address>",
            "pools": "vector<address>",
            "approvers": "vector<vector<u8>>",
            "threshold": "u64",
        },
        "ApproversSet": {
            "corridor": "address",
            "by": "address",
            "approvers_before": "vector<vector<u8>>",
            "approvers_after": "vector<vector<u8>>",
            "threshold_before": "u64",
            "threshold_after": "u64",
        },
        "Settled": {
            "corridor": "address",
            "batch_id": "vector<u8>",
            "terms_hash": "vector<u8>",
            "merkle_root": "vector<u8>",
            "payment_count": "u64",
            "amount": "u64",
            "submitter": "address",
            "approver_indexes": "vector<u64>",
            "settled_at": "u64",
        },
        "Leg": {
            "corridor": "address",
            "batch_id": "vector<u8>",
            "member": "u64",
            "pool": "address",
            "debit": "u64",
            "credit": "u64",
            "total_before": "u64",
            "total_after": "u64",
        },
        "DisputeOpened": {
            **_DISPUTE,
            "batch_id": "vector<u8>",
            "leaf_hash": "vector<u8>",
            "member": "u64",
            "against": "u64",
            "amount": "u64",
            "opened_at": "u64",
        },
        "DisputeAnswered": {
            **_DISPUTE,
            "accepts": "bool",
            "evidence_hash": "vector<u8>",
            "status_before": "u8",
            "status_after": "u8",
        },
        "DisputeResolved": {
            **_DISPUTE,
            "arbiter": "address",
            "refund": "u64",
            "status_before": "u8",
            "status_after": "u8",
        },
        "Refunded": {
            **_DISPUTE,
            "member": "u64",
            "against": "u64",
            "refund": "u64",
            "released": "u64",
        },
    },
)
OBJECT = object_of("0xca04::settlement::Corridor")
HASH_BYTES = 32


class Reason(IntEnum):
    """Why a corridor says no."""

    BATCH_ID = 1
    BATCH_EXISTS = 2
    NO_BATCH = 3
    HASH_LENGTH = 4
    NET_COUNT = 5
    NO_PAYMENTS = 6
    BOTH_SIDES = 7
    UNBALANCED = 8
    TOO_LARGE = 9
    EXPIRED = 10
    EXPIRES_TOO_LATE = 11
    MEMBER_COUNT = 12
    MEMBER_REPEATED = 13
    UNKNOWN_MEMBER = 14
    NOT_MEMBER = 15
    SAME_MEMBER = 16
    ZERO = 17
    DISPUTE_LATE = 18
    BAD_PROOF = 19
    DISPUTE_EXISTS = 20
    NO_DISPUTE = 21
    OTHER_GOVERNANCE = 22
    DISPUTE_TOO_LARGE = 23


def demand(claim: bool, reason: Reason) -> None:
    SETTLEMENT.demand(claim, Category.INVALID_ARGUMENT, reason)

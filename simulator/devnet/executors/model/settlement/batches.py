"""Batches: what their terms are, whether they may be settled, what they move between pools."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from simulator.devnet.executors.model import approvals, assets, liquidity, merkle
from simulator.devnet.executors.model import compliance as complied
from simulator.devnet.executors.model import governance as governed
from simulator.devnet.executors.model.contract import SIGNER, Category
from simulator.devnet.executors.model.governance import Bound, Role
from simulator.devnet.executors.model.settlement.corridors import Corridor
from simulator.devnet.executors.model.settlement.vocabulary import (
    HASH_BYTES,
    OBJECT,
    SETTLEMENT,
    Reason,
    demand,
)
from simulator.devnet.executors.model.terms import Terms
from simulator.devnet.executors.model.world import Frame

BATCH_ID_BYTES = 16


class Batch(NamedTuple):
    """Kept under (corridor, batch id); the fields in the order in which the view tells them."""

    terms_hash: bytes
    merkle_root: bytes
    payment_count: int
    debits: tuple[int, ...]
    credits: tuple[int, ...]
    settled_at: int

    def includes(self, leaf_hash: bytes, index: int, proof: Sequence[bytes]) -> bool:
        """Whether a payment was in it."""
        return merkle.holds(self.merkle_root, self.payment_count, leaf_hash, index, proof)


@SETTLEMENT.view(
    OBJECT,
    "vector<u8>",
    "vector<u8>",
    "u64",
    "vector<u64>",
    "vector<u64>",
    "u64",
    returns=("vector<u8>",),
)
def terms_hash(
    frame: Frame,
    corridor: bytes,
    batch_id: bytes,
    merkle_root: bytes,
    payment_count: int,
    debits: tuple[int, ...],
    credits: tuple[int, ...],
    expires_at: int,
) -> bytes:
    frame.spend("hash")
    return Terms(
        chain_id=frame.environment.chain_id,
        corridor=corridor,
        batch_id=batch_id,
        merkle_root=merkle_root,
        payment_count=payment_count,
        debits=debits,
        credits=credits,
        expires_at=expires_at,
    ).hash()


@SETTLEMENT.view(OBJECT, "vector<u8>", returns=("bool",))
def is_settled(frame: Frame, corridor: bytes, batch_id: bytes) -> bool:
    frame.get(Corridor, corridor)
    return frame.find(Batch, corridor, batch_id) is not None


@SETTLEMENT.view(
    OBJECT,
    "vector<u8>",
    returns=("vector<u8>", "vector<u8>", "u64", "vector<u64>", "vector<u64>", "u64"),
)
def batch(frame: Frame, corridor: bytes, batch_id: bytes) -> Batch:
    return batch_of(frame, corridor, batch_id)


@SETTLEMENT.view(OBJECT, "vector<u8>", "vector<u8>", "u64", "vector<vector<u8>>", returns=("bool",))
def verify_payment(
    frame: Frame,
    corridor: bytes,
    batch_id: bytes,
    leaf_hash: bytes,
    leaf_index: int,
    proof: Sequence[bytes],
) -> bool:
    found = frame.find(Batch, corridor, batch_id)
    frame.spend("hash", len(proof))
    return found is not None and found.includes(leaf_hash, leaf_index, proof)


@SETTLEMENT.entry(
    SIGNER,
    OBJECT,
    "vector<u8>",
    "vector<u8>",
    "u64",
    "vector<u64>",
    "vector<u64>",
    "u64",
    "vector<u64>",
    "vector<vector<u8>>",
)
def settle(
    frame: Frame,
    submitter: bytes,
    corridor: bytes,
    batch_id: bytes,
    merkle_root: bytes,
    payment_count: int,
    debits: tuple[int, ...],
    credits: tuple[int, ...],
    expires_at: int,
    approver_indexes: tuple[int, ...],
    signatures: tuple[bytes, ...],
) -> None:
    state = frame.get(Corridor, corridor)
    governed.assert_not_paused(frame, state.governance)
    governed.assert_role(frame, state.governance, submitter, Role.SUBMITTER)
    demand(len(batch_id) == BATCH_ID_BYTES, Reason.BATCH_ID)
    _assert_new_batch(frame, corridor, batch_id)
    demand(len(merkle_root) == HASH_BYTES, Reason.HASH_LENGTH)
    demand(len(debits) == len(credits) == len(state.members), Reason.NET_COUNT)
    approvals.assert_paired(approver_indexes, signatures)
    demand(payment_count > 0, Reason.NO_PAYMENTS)
    amount = _balanced_amount(frame, state, debits, credits)
    _assert_timely(frame, state, expires_at)
    approved = terms_hash(
        frame, corridor, batch_id, merkle_root, payment_count, debits, credits, expires_at
    )
    approvals.assert_approved(frame, state.approvers, approved, approver_indexes, signatures)
    for member in state.members:
        complied.assert_clear(frame, state.registry, member)
    frame.put(
        Batch(approved, merkle_root, payment_count, debits, credits, frame.now_seconds),
        corridor,
        batch_id,
    )
    SETTLEMENT.emit(
        frame,
        "Settled",
        corridor=corridor,
        batch_id=batch_id,
        terms_hash=approved,
        merkle_root=merkle_root,
        payment_count=payment_count,
        amount=amount,
        submitter=submitter,
        approver_indexes=approver_indexes,
        settled_at=frame.now_seconds,
    )
    _move_nets(frame, corridor, state, batch_id, debits, credits)


def batch_of(frame: Frame, corridor: bytes, batch_id: bytes) -> Batch:
    found = frame.find(Batch, corridor, batch_id)
    if found is None:
        raise SETTLEMENT.abort(Category.NOT_FOUND, Reason.NO_BATCH)
    return found


def _assert_new_batch(frame: Frame, corridor: bytes, batch_id: bytes) -> None:
    SETTLEMENT.demand(
        frame.find(Batch, corridor, batch_id) is None,
        Category.ALREADY_EXISTS,
        Reason.BATCH_EXISTS,
    )


def _balanced_amount(
    frame: Frame, corridor: Corridor, debits: Sequence[int], credits: Sequence[int]
) -> int:
    for debit, credit in zip(debits, credits, strict=True):
        demand(debit == 0 or credit == 0, Reason.BOTH_SIDES)
    amount = sum(debits)
    demand(amount == sum(credits), Reason.UNBALANCED)
    most = governed.bound(frame, corridor.governance, Bound.BATCH_AMOUNT_MAX)
    SETTLEMENT.demand(amount <= most, Category.OUT_OF_RANGE, Reason.TOO_LARGE)
    return amount


def _assert_timely(frame: Frame, corridor: Corridor, expires_at: int) -> None:
    ahead = expires_at - frame.now_seconds
    SETTLEMENT.demand(ahead > 0, Category.INVALID_STATE, Reason.EXPIRED)
    most = governed.bound(frame, corridor.governance, Bound.APPROVAL_SECONDS_MAX)
    SETTLEMENT.demand(ahead <= most, Category.OUT_OF_RANGE, Reason.EXPIRES_TOO_LATE)


def _move_nets(
    frame: Frame,
    corridor: bytes,
    state: Corridor,
    batch_id: bytes,
    debits: Sequence[int],
    credits: Sequence[int],
) -> None:
    for member, debit in enumerate(debits):
        if debit > 0:
            liquidity.draw(frame, corridor, state.pools[member], debit)
            _emit_leg(frame, corridor, state, batch_id, member, debit, 0)
    for member, credit in enumerate(credits):
        if credit > 0:
            due = assets.Asset(state.asset, credit)
            liquidity.put(frame, state.pools[member], due)
            _emit_leg(frame, corridor, state, batch_id, member, 0, credit)


def _emit_leg(
    frame: Frame,
    corridor: bytes,
    state: Corridor,
    batch_id: bytes,
    member: int,
    debit: int,
    credit: int,
) -> None:
    pool = state.pools[member]
    total_after = liquidity.total(frame, pool)
    SETTLEMENT.emit(
        frame,
        "Leg",
        corridor=corridor,
        batch_id=batch_id,
        member=member,
        pool=pool,
        debit=debit,
        credit=credit,
        total_before=total_after + debit - credit,
        total_after=total_after,
    )

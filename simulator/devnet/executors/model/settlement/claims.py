"""Disputes about settled payments: opened, answered, ruled, refunded, as `disputes` allows."""

from __future__ import annotations

from simulator.devnet import bcs
from simulator.devnet.addresses import sha3
from simulator.devnet.executors.model import compliance as complied
from simulator.devnet.executors.model import disputes, liquidity
from simulator.devnet.executors.model import governance as governed
from simulator.devnet.executors.model.contract import SIGNER, Category
from simulator.devnet.executors.model.disputes import Dispute, Status
from simulator.devnet.executors.model.governance import Bound, Role
from simulator.devnet.executors.model.settlement.batches import Batch, batch_of
from simulator.devnet.executors.model.settlement.corridors import (
    Corridor,
    assert_member,
    assert_member_known,
)
from simulator.devnet.executors.model.settlement.vocabulary import (
    HASH_BYTES,
    OBJECT,
    SETTLEMENT,
    Reason,
    demand,
)
from simulator.devnet.executors.model.world import Frame


@SETTLEMENT.view(OBJECT, "vector<u8>", "vector<u8>", "u64", returns=("vector<u8>",))
def dispute_id(
    frame: Frame, corridor: bytes, batch_id: bytes, leaf_hash: bytes, member: int
) -> bytes:
    frame.spend("hash")
    return sha3(corridor, batch_id, leaf_hash, bcs.u64(member))


@SETTLEMENT.view(
    OBJECT,
    "vector<u8>",
    returns=("u8", "u64", "u64", "u64", "u64", "u64", "vector<u8>", "vector<u8>"),
)
def dispute(frame: Frame, corridor: bytes, id: bytes) -> Dispute:
    return _dispute_of(frame, corridor, id)


@SETTLEMENT.entry(
    SIGNER,
    OBJECT,
    "vector<u8>",
    "vector<u8>",
    "u64",
    "vector<vector<u8>>",
    "u64",
    "u64",
    "u64",
)
def open_dispute(
    frame: Frame,
    signer: bytes,
    corridor: bytes,
    batch_id: bytes,
    leaf_hash: bytes,
    leaf_index: int,
    proof: tuple[bytes, ...],
    member: int,
    against: int,
    amount: int,
) -> None:
    state = frame.get(Corridor, corridor)
    governed.assert_not_paused(frame, state.governance)
    batch = batch_of(frame, corridor, batch_id)
    assert_member_known(state, member)
    assert_member_known(state, against)
    demand(member != against, Reason.SAME_MEMBER)
    assert_member(state, member, signer)
    complied.assert_clear(frame, state.registry, signer)
    _assert_amount_disputable(frame, state, amount)
    _assert_disputable(frame, state, batch)
    claim = dispute_id(frame, corridor, batch_id, leaf_hash, member)
    SETTLEMENT.demand(
        frame.find(Dispute, corridor, claim) is None,
        Category.ALREADY_EXISTS,
        Reason.DISPUTE_EXISTS,
    )
    frame.spend("hash", len(proof))
    demand(batch.includes(leaf_hash, leaf_index, proof), Reason.BAD_PROOF)
    opened_at = frame.now_seconds
    frame.put(
        Dispute(Status.OPEN, member, against, amount, 0, opened_at, batch_id, leaf_hash),
        corridor,
        claim,
    )
    SETTLEMENT.emit(
        frame,
        "DisputeOpened",
        corridor=corridor,
        dispute_id=claim,
        batch_id=batch_id,
        leaf_hash=leaf_hash,
        member=member,
        against=against,
        amount=amount,
        opened_at=opened_at,
    )
    liquidity.reserve(frame, corridor, state.pools[against], claim, amount)


@SETTLEMENT.entry(SIGNER, OBJECT, "vector<u8>", "bool", "vector<u8>")
def answer_dispute(
    frame: Frame, signer: bytes, corridor: bytes, id: bytes, accepts: bool, evidence_hash: bytes
) -> None:
    state = frame.get(Corridor, corridor)
    before = _dispute_of(frame, corridor, id)
    assert_member(state, before.against, signer)
    demand(len(evidence_hash) == HASH_BYTES, Reason.HASH_LENGTH)
    after = disputes.answer(before, accepts=accepts)
    frame.put(after, corridor, id)
    SETTLEMENT.emit(
        frame,
        "DisputeAnswered",
        corridor=corridor,
        dispute_id=id,
        accepts=accepts,
        evidence_hash=evidence_hash,
        status_before=before.status,
        status_after=after.status,
    )


@SETTLEMENT.entry(SIGNER, OBJECT, "vector<u8>", "u64")
def resolve_dispute(frame: Frame, arbiter: bytes, corridor: bytes, id: bytes, refund: int) -> None:
    state = frame.get(Corridor, corridor)
    governed.assert_not_paused(frame, state.governance)
    governed.assert_role(frame, state.governance, arbiter, Role.ARBITER)
    before = _dispute_of(frame, corridor, id)
    seconds = governed.bound(frame, state.governance, Bound.ANSWER_SECONDS)
    may_wait = frame.now_seconds <= before.opened_at + seconds
    after = disputes.rule(before, refund, may_wait=may_wait)
    frame.put(after, corridor, id)
    SETTLEMENT.emit(
        frame,
        "DisputeResolved",
        corridor=corridor,
        dispute_id=id,
        arbiter=arbiter,
        refund=refund,
        status_before=before.status,
        status_after=after.status,
    )


@SETTLEMENT.entry(SIGNER, OBJECT, "vector<u8>")
def refund(frame: Frame, _anyone: bytes, corridor: bytes, id: bytes) -> None:
    state = frame.get(Corridor, corridor)
    governed.assert_not_paused(frame, state.governance)
    ruled = _dispute_of(frame, corridor, id)
    frame.put(disputes.close(ruled), corridor, id)
    complied.assert_clear(frame, state.registry, state.members[ruled.member])
    complied.assert_clear(frame, state.registry, state.members[ruled.against])
    SETTLEMENT.emit(
        frame,
        "Refunded",
        corridor=corridor,
        dispute_id=id,
        member=ruled.member,
        against=ruled.against,
        refund=ruled.refund,
        released=ruled.amount - ruled.refund,
    )
    source = state.pools[ruled.against]
    if ruled.refund == 0:
        liquidity.release(frame, corridor, source, id)
    else:
        paid = liquidity.draw_reserved(frame, corridor, source, id, ruled.refund)
        liquidity.put(frame, state.pools[ruled.member], paid)


def _dispute_of(frame: Frame, corridor: bytes, id: bytes) -> Dispute:
    found = frame.find(Dispute, corridor, id)
    if found is None:
        raise SETTLEMENT.abort(Category.NOT_FOUND, Reason.NO_DISPUTE)
    return found


def _assert_amount_disputable(frame: Frame, corridor: Corridor, amount: int) -> None:
    demand(amount > 0, Reason.ZERO)
    most = governed.bound(frame, corridor.governance, Bound.DISPUTE_AMOUNT_MAX)
    SETTLEMENT.demand(amount <= most, Category.OUT_OF_RANGE, Reason.DISPUTE_TOO_LARGE)


def _assert_disputable(frame: Frame, corridor: Corridor, batch: Batch) -> None:
    seconds = governed.bound(frame, corridor.governance, Bound.DISPUTE_SECONDS)
    SETTLEMENT.demand(
        frame.now_seconds - batch.settled_at <= seconds,
        Category.INVALID_STATE,
        Reason.DISPUTE_LATE,
    )

"""`capp_settlement::settlement`: corridors, batches, disputes."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple

from simulator.devnet import bcs
from simulator.devnet.addresses import object_address, sha3
from simulator.devnet.executors.model import approvals, assets, disputes, liquidity, merkle, objects
from simulator.devnet.executors.model import compliance as complied
from simulator.devnet.executors.model import governance as governed
from simulator.devnet.executors.model.approvals import Approvers
from simulator.devnet.executors.model.contract import SIGNER, Category, Contract, object_of
from simulator.devnet.executors.model.disputes import Dispute, Status
from simulator.devnet.executors.model.governance import Bound, Role
from simulator.devnet.executors.model.terms import Terms
from simulator.devnet.executors.model.world import Frame

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
BATCH_ID_BYTES = 16
HASH_BYTES = 32
MEMBERS_MIN = 2
MEMBERS_MAX = 32


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


class Corridor(NamedTuple):
    """Who settles with whom, in what. Batches and disputes are items of their own."""

    governance: bytes
    registry: bytes
    asset: bytes
    members: tuple[bytes, ...]
    pools: tuple[bytes, ...]
    approvers: Approvers


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


@SETTLEMENT.view("address", "vector<u8>", returns=("address",))
def corridor_address(_: Frame, creator: bytes, seed: bytes) -> bytes:
    return object_address(creator, seed)


@SETTLEMENT.view(OBJECT, "u64", returns=("address",))
def pool_of(frame: Frame, corridor: bytes, member: int) -> bytes:
    state = frame.get(Corridor, corridor)
    _assert_member_known(state, member)
    return state.pools[member]


@SETTLEMENT.view(OBJECT, returns=("vector<address>",))
def members(frame: Frame, corridor: bytes) -> tuple[bytes, ...]:
    return frame.get(Corridor, corridor).members


@SETTLEMENT.view(OBJECT, returns=("u64",))
def threshold(frame: Frame, corridor: bytes) -> int:
    return frame.get(Corridor, corridor).approvers.threshold


@SETTLEMENT.view(OBJECT, returns=("vector<vector<u8>>",))
def approvers(frame: Frame, corridor: bytes) -> tuple[bytes, ...]:
    return frame.get(Corridor, corridor).approvers.keys


@SETTLEMENT.view(OBJECT, returns=(liquidity.METADATA,))
def asset(frame: Frame, corridor: bytes) -> bytes:
    return frame.get(Corridor, corridor).asset


@SETTLEMENT.view(OBJECT, returns=(governed.OBJECT,))
def governance_of(frame: Frame, corridor: bytes) -> bytes:
    return frame.get(Corridor, corridor).governance


@SETTLEMENT.view(OBJECT, returns=(complied.OBJECT,))
def registry_of(frame: Frame, corridor: bytes) -> bytes:
    return frame.get(Corridor, corridor).registry


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
    return _batch_of(frame, corridor, batch_id)


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
    governed.OBJECT,
    complied.OBJECT,
    liquidity.METADATA,
    "vector<u8>",
    "vector<address>",
    "vector<vector<u8>>",
    "u64",
)
def create_corridor(
    frame: Frame,
    manager: bytes,
    governance: bytes,
    registry: bytes,
    metadata: bytes,
    seed: bytes,
    members: tuple[bytes, ...],
    approver_keys: tuple[bytes, ...],
    threshold: int,
) -> None:
    governed.assert_not_paused(frame, governance)
    governed.assert_role(frame, governance, manager, Role.CORRIDOR_MANAGER)
    _demand(complied.governance_of(frame, registry) == governance, Reason.OTHER_GOVERNANCE)
    _demand(MEMBERS_MIN <= len(members) <= MEMBERS_MAX, Reason.MEMBER_COUNT)
    _demand(len(set(members)) == len(members), Reason.MEMBER_REPEATED)
    approving = approvals.new(approver_keys, threshold)
    corridor = objects.create_named(frame, manager, seed, ungated=False)
    pools = tuple(
        liquidity.create_pool(
            frame, corridor, governance, registry, metadata, member, bcs.u64(index)
        )
        for index, member in enumerate(members)
    )
    frame.put(Corridor(governance, registry, metadata, members, pools, approving), corridor)
    SETTLEMENT.emit(
        frame,
        "CorridorCreated",
        corridor=corridor,
        governance=governance,
        registry=registry,
        asset=metadata,
        manager=manager,
        members=members,
        pools=pools,
        approvers=approver_keys,
        threshold=threshold,
    )


@SETTLEMENT.entry(SIGNER, OBJECT, "vector<vector<u8>>", "u64")
def set_approvers(
    frame: Frame,
    owner: bytes,
    corridor: bytes,
    approver_keys: tuple[bytes, ...],
    threshold: int,
) -> None:
    state = frame.get(Corridor, corridor)
    governed.assert_owner(frame, state.governance, owner)
    after = approvals.new(approver_keys, threshold)
    frame.put(state._replace(approvers=after), corridor)
    SETTLEMENT.emit(
        frame,
        "ApproversSet",
        corridor=corridor,
        by=owner,
        approvers_before=state.approvers.keys,
        approvers_after=after.keys,
        threshold_before=state.approvers.threshold,
        threshold_after=after.threshold,
    )


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
    _demand(len(batch_id) == BATCH_ID_BYTES, Reason.BATCH_ID)
    _assert_new_batch(frame, corridor, batch_id)
    _demand(len(merkle_root) == HASH_BYTES, Reason.HASH_LENGTH)
    _demand(len(debits) == len(credits) == len(state.members), Reason.NET_COUNT)
    approvals.assert_paired(approver_indexes, signatures)
    _demand(payment_count > 0, Reason.NO_PAYMENTS)
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
    batch = _batch_of(frame, corridor, batch_id)
    _assert_member_known(state, member)
    _assert_member_known(state, against)
    _demand(member != against, Reason.SAME_MEMBER)
    _assert_member(state, member, signer)
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
    _demand(batch.includes(leaf_hash, leaf_index, proof), Reason.BAD_PROOF)
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
    _assert_member(state, before.against, signer)
    _demand(len(evidence_hash) == HASH_BYTES, Reason.HASH_LENGTH)
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


def _demand(claim: bool, reason: Reason) -> None:
    SETTLEMENT.demand(claim, Category.INVALID_ARGUMENT, reason)


def _batch_of(frame: Frame, corridor: bytes, batch_id: bytes) -> Batch:
    found = frame.find(Batch, corridor, batch_id)
    if found is None:
        raise SETTLEMENT.abort(Category.NOT_FOUND, Reason.NO_BATCH)
    return found


def _dispute_of(frame: Frame, corridor: bytes, id: bytes) -> Dispute:
    found = frame.find(Dispute, corridor, id)
    if found is None:
        raise SETTLEMENT.abort(Category.NOT_FOUND, Reason.NO_DISPUTE)
    return found


def _assert_new_batch(frame: Frame, corridor: bytes, batch_id: bytes) -> None:
    SETTLEMENT.demand(
        frame.find(Batch, corridor, batch_id) is None,
        Category.ALREADY_EXISTS,
        Reason.BATCH_EXISTS,
    )


def _assert_member_known(corridor: Corridor, member: int) -> None:
    _demand(member < len(corridor.members), Reason.UNKNOWN_MEMBER)


def _assert_member(corridor: Corridor, member: int, who: bytes) -> None:
    SETTLEMENT.demand(
        corridor.members[member] == who, Category.PERMISSION_DENIED, Reason.NOT_MEMBER
    )


def _balanced_amount(
    frame: Frame, corridor: Corridor, debits: Sequence[int], credits: Sequence[int]
) -> int:
    for debit, credit in zip(debits, credits, strict=True):
        _demand(debit == 0 or credit == 0, Reason.BOTH_SIDES)
    amount = sum(debits)
    _demand(amount == sum(credits), Reason.UNBALANCED)
    most = governed.bound(frame, corridor.governance, Bound.BATCH_AMOUNT_MAX)
    SETTLEMENT.demand(amount <= most, Category.OUT_OF_RANGE, Reason.TOO_LARGE)
    return amount


def _assert_timely(frame: Frame, corridor: Corridor, expires_at: int) -> None:
    ahead = expires_at - frame.now_seconds
    SETTLEMENT.demand(ahead > 0, Category.INVALID_STATE, Reason.EXPIRED)
    most = governed.bound(frame, corridor.governance, Bound.APPROVAL_SECONDS_MAX)
    SETTLEMENT.demand(ahead <= most, Category.OUT_OF_RANGE, Reason.EXPIRES_TOO_LATE)


def _assert_amount_disputable(frame: Frame, corridor: Corridor, amount: int) -> None:
    _demand(amount > 0, Reason.ZERO)
    most = governed.bound(frame, corridor.governance, Bound.DISPUTE_AMOUNT_MAX)
    SETTLEMENT.demand(amount <= most, Category.OUT_OF_RANGE, Reason.DISPUTE_TOO_LARGE)


def _assert_disputable(frame: Frame, corridor: Corridor, batch: Batch) -> None:
    seconds = governed.bound(frame, corridor.governance, Bound.DISPUTE_SECONDS)
    SETTLEMENT.demand(
        frame.now_seconds - batch.settled_at <= seconds,
        Category.INVALID_STATE,
        Reason.DISPUTE_LATE,
    )


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

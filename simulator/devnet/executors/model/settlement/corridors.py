"""Who settles with whom, in what, and who approves it."""

from __future__ import annotations

from typing import NamedTuple

from simulator.devnet import bcs
from simulator.devnet.addresses import object_address
from simulator.devnet.executors.model import approvals, liquidity, objects
from simulator.devnet.executors.model import compliance as complied
from simulator.devnet.executors.model import governance as governed
from simulator.devnet.executors.model.approvals import Approvers
from simulator.devnet.executors.model.contract import SIGNER, Category
from simulator.devnet.executors.model.governance import Role
from simulator.devnet.executors.model.settlement.vocabulary import (
    OBJECT,
    SETTLEMENT,
    Reason,
    demand,
)
from simulator.devnet.executors.model.world import Frame

MEMBERS_MIN = 2
MEMBERS_MAX = 32


class Corridor(NamedTuple):
    """Who settles with whom, in what. Batches and disputes are items of their own."""

    governance: bytes
    registry: bytes
    asset: bytes
    members: tuple[bytes, ...]
    pools: tuple[bytes, ...]
    approvers: Approvers


@SETTLEMENT.view("address", "vector<u8>", returns=("address",))
def corridor_address(_: Frame, creator: bytes, seed: bytes) -> bytes:
    return object_address(creator, seed)


@SETTLEMENT.view(OBJECT, "u64", returns=("address",))
def pool_of(frame: Frame, corridor: bytes, member: int) -> bytes:
    state = frame.get(Corridor, corridor)
    assert_member_known(state, member)
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
    demand(complied.governance_of(frame, registry) == governance, Reason.OTHER_GOVERNANCE)
    demand(MEMBERS_MIN <= len(members) <= MEMBERS_MAX, Reason.MEMBER_COUNT)
    demand(len(set(members)) == len(members), Reason.MEMBER_REPEATED)
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


def assert_member_known(corridor: Corridor, member: int) -> None:
    demand(member < len(corridor.members), Reason.UNKNOWN_MEMBER)


def assert_member(corridor: Corridor, member: int, who: bytes) -> None:
    SETTLEMENT.demand(
        corridor.members[member] == who, Category.PERMISSION_DENIED, Reason.NOT_MEMBER
    )

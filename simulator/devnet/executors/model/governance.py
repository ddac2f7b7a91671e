"""`capp_governance::governance`: owner, roles, pause and bounds of an installation."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from simulator.devnet.addresses import ZERO, object_address
from simulator.devnet.executors.model import objects
from simulator.devnet.executors.model.contract import SIGNER, Category, Contract, object_of
from simulator.devnet.executors.model.world import Frame

GOVERNANCE = Contract(
    0xCA01,
    "governance",
    events={
        "Created": {"governance": "address", "owner": "address", "seed": "vector<u8>"},
        "RoleGranted": {"governance": "address", "who": "address", "role": "u8"},
        "RoleRevoked": {"governance": "address", "who": "address", "role": "u8"},
        "OwnershipOffered": {"governance": "address", "owner": "address", "to": "address"},
        "OwnershipOfferWithdrawn": {"governance": "address", "owner": "address", "to": "address"},
        "OwnershipTransferred": {"governance": "address", "before": "address", "after": "address"},
        "Paused": {"governance": "address", "by": "address"},
        "Unpaused": {"governance": "address", "by": "address"},
        "BoundSet": {"governance": "address", "bound": "u8", "before": "u64", "after": "u64"},
    },
)
OBJECT = object_of("0xca01::governance::Governance")


class Reason(IntEnum):
    """Why governance says no."""

    PAUSED = 1
    NOT_IN_ROLE = 2
    NOT_OWNER = 3
    UNKNOWN_ROLE = 4
    UNKNOWN_BOUND = 5
    OUT_OF_RANGE = 6
    ZERO_ADDRESS = 7
    NO_OFFER = 8
    OFFERED_TO_ANOTHER = 9
    OFFERED_TO_OWNER = 10


class Role(IntEnum):
    """What an account may be granted."""

    PAUSER = 1
    SUBMITTER = 2
    COMPLIANCE_OFFICER = 3
    LIQUIDITY_MANAGER = 4
    ARBITER = 5
    CORRIDOR_MANAGER = 6


class Bound(IntEnum):
    """Which number the owner may set."""

    BATCH_AMOUNT_MAX = 1
    APPROVAL_SECONDS_MAX = 2
    DISPUTE_SECONDS = 3
    ANSWER_SECONDS = 4
    DISPUTE_AMOUNT_MAX = 5


class Range(NamedTuple):
    """What a bound may be, and is before anybody sets it."""

    least: int
    usual: int
    most: int


RANGES = {
    Bound.BATCH_AMOUNT_MAX: Range(1, 10**15, 10**18),
    Bound.APPROVAL_SECONDS_MAX: Range(60, 86_400, 604_800),
    Bound.DISPUTE_SECONDS: Range(0, 259_200, 2_592_000),
    Bound.ANSWER_SECONDS: Range(60, 86_400, 604_800),
    Bound.DISPUTE_AMOUNT_MAX: Range(1, 10**12, 10**15),
}


class Governance(NamedTuple):
    """One installation. Roles and bounds are items of their own."""

    owner: bytes
    pending_owner: bytes | None
    paused: bool


class Granted(NamedTuple):
    """Kept under (installation, account, role)."""

    role: int


class BoundSet(NamedTuple):
    """Kept under (installation, bound)."""

    value: int


@GOVERNANCE.view("address", "vector<u8>", returns=("address",))
def address_of(_: Frame, creator: bytes, seed: bytes) -> bytes:
    return object_address(creator, seed)


@GOVERNANCE.view(OBJECT, returns=("address",))
def owner(frame: Frame, governance: bytes) -> bytes:
    return frame.get(Governance, governance).owner


@GOVERNANCE.view(OBJECT, returns=("0x1::option::Option<address>",))
def pending_owner(frame: Frame, governance: bytes) -> bytes | None:
    return frame.get(Governance, governance).pending_owner


@GOVERNANCE.view(OBJECT, returns=("bool",))
def is_paused(frame: Frame, governance: bytes) -> bool:
    return frame.get(Governance, governance).paused


@GOVERNANCE.view(OBJECT, "address", "u8", returns=("bool",))
def has_role(frame: Frame, governance: bytes, who: bytes, role: int) -> bool:
    frame.get(Governance, governance)
    return frame.find(Granted, governance, who, role) is not None


@GOVERNANCE.view(OBJECT, "u8", returns=("u64",))
def bound(frame: Frame, governance: bytes, which: int) -> int:
    usual = _range(which).usual
    frame.get(Governance, governance)
    found = frame.find(BoundSet, governance, which)
    return usual if found is None else found.value


@GOVERNANCE.view("u8", returns=("u64", "u64", "u64"))
def range_of(_: Frame, which: int) -> Range:
    return _range(which)


@GOVERNANCE.entry(SIGNER, "vector<u8>")
def create(frame: Frame, creator: bytes, seed: bytes) -> None:
    address = objects.create_named(frame, creator, seed, ungated=False)
    frame.put(Governance(owner=creator, pending_owner=None, paused=False), address)
    GOVERNANCE.emit(frame, "Created", governance=address, owner=creator, seed=seed)


@GOVERNANCE.entry(SIGNER, OBJECT, "address", "u8")
def grant(frame: Frame, signer: bytes, governance: bytes, who: bytes, role: int) -> None:
    assert_owner(frame, governance, signer)
    _assert_known(role)
    _assert_somebody(who)
    if has_role(frame, governance, who, role):
        return
    frame.put(Granted(role), governance, who, role)
    GOVERNANCE.emit(frame, "RoleGranted", governance=governance, who=who, role=role)


@GOVERNANCE.entry(SIGNER, OBJECT, "address", "u8")
def revoke(frame: Frame, signer: bytes, governance: bytes, who: bytes, role: int) -> None:
    assert_owner(frame, governance, signer)
    _assert_known(role)
    if not has_role(frame, governance, who, role):
        return
    frame.drop(Granted, governance, who, role)
    GOVERNANCE.emit(frame, "RoleRevoked", governance=governance, who=who, role=role)


@GOVERNANCE.entry(SIGNER, OBJECT, "address")
def offer_ownership(frame: Frame, signer: bytes, governance: bytes, to: bytes) -> None:
    assert_owner(frame, governance, signer)
    _assert_somebody(to)
    GOVERNANCE.demand(to != signer, Category.INVALID_ARGUMENT, Reason.OFFERED_TO_OWNER)
    frame.put(frame.get(Governance, governance)._replace(pending_owner=to), governance)
    GOVERNANCE.emit(frame, "OwnershipOffered", governance=governance, owner=signer, to=to)


@GOVERNANCE.entry(SIGNER, OBJECT)
def withdraw_offer(frame: Frame, signer: bytes, governance: bytes) -> None:
    assert_owner(frame, governance, signer)
    to = _take_offer(frame, governance)
    GOVERNANCE.emit(frame, "OwnershipOfferWithdrawn", governance=governance, owner=signer, to=to)


@GOVERNANCE.entry(SIGNER, OBJECT)
def accept_ownership(frame: Frame, signer: bytes, governance: bytes) -> None:
    offered_to = _take_offer(frame, governance)
    GOVERNANCE.demand(offered_to == signer, Category.PERMISSION_DENIED, Reason.OFFERED_TO_ANOTHER)
    now = frame.get(Governance, governance)
    frame.put(now._replace(owner=signer), governance)
    GOVERNANCE.emit(
        frame, "OwnershipTransferred", governance=governance, before=now.owner, after=signer
    )


@GOVERNANCE.entry(SIGNER, OBJECT)
def pause(frame: Frame, signer: bytes, governance: bytes) -> None:
    assert_role(frame, governance, signer, Role.PAUSER)
    _set_paused(frame, governance, signer, paused=True)


@GOVERNANCE.entry(SIGNER, OBJECT)
def unpause(frame: Frame, signer: bytes, governance: bytes) -> None:
    assert_owner(frame, governance, signer)
    _set_paused(frame, governance, signer, paused=False)


@GOVERNANCE.entry(SIGNER, OBJECT, "u8", "u64")
def set_bound(frame: Frame, signer: bytes, governance: bytes, which: int, value: int) -> None:
    assert_owner(frame, governance, signer)
    allowed = _range(which)
    GOVERNANCE.demand(
        allowed.least <= value <= allowed.most, Category.OUT_OF_RANGE, Reason.OUT_OF_RANGE
    )
    before = bound(frame, governance, which)
    if before == value:
        return
    frame.put(BoundSet(value), governance, which)
    GOVERNANCE.emit(
        frame, "BoundSet", governance=governance, bound=which, before=before, after=value
    )


def assert_not_paused(frame: Frame, governance: bytes) -> None:
    """Abort while the installation is paused."""
    paused = is_paused(frame, governance)
    GOVERNANCE.demand(not paused, Category.INVALID_STATE, Reason.PAUSED)


def assert_role(frame: Frame, governance: bytes, who: bytes, role: Role) -> None:
    """Abort unless the role was granted."""
    granted = has_role(frame, governance, who, role)
    GOVERNANCE.demand(granted, Category.PERMISSION_DENIED, Reason.NOT_IN_ROLE)


def assert_owner(frame: Frame, governance: bytes, who: bytes) -> None:
    """Abort for anybody but the owner."""
    owned = owner(frame, governance) == who
    GOVERNANCE.demand(owned, Category.PERMISSION_DENIED, Reason.NOT_OWNER)


def _set_paused(frame: Frame, governance: bytes, by: bytes, *, paused: bool) -> None:
    now = frame.get(Governance, governance)
    if now.paused == paused:
        return
    frame.put(now._replace(paused=paused), governance)
    GOVERNANCE.emit(frame, "Paused" if paused else "Unpaused", governance=governance, by=by)


def _take_offer(frame: Frame, governance: bytes) -> bytes:
    now = frame.get(Governance, governance)
    if now.pending_owner is None:
        raise GOVERNANCE.abort(Category.NOT_FOUND, Reason.NO_OFFER)
    frame.put(now._replace(pending_owner=None), governance)
    return now.pending_owner


def _range(which: int) -> Range:
    if which not in RANGES:
        raise GOVERNANCE.abort(Category.INVALID_ARGUMENT, Reason.UNKNOWN_BOUND)
    return RANGES[Bound(which)]


def _assert_known(role: int) -> None:
    known = Role.PAUSER <= role <= Role.CORRIDOR_MANAGER
    GOVERNANCE.demand(known, Category.INVALID_ARGUMENT, Reason.UNKNOWN_ROLE)


def _assert_somebody(who: bytes) -> None:
    GOVERNANCE.demand(who != ZERO, Category.INVALID_ARGUMENT, Reason.ZERO_ADDRESS)

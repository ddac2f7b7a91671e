"""`0x1::object`: who owns an address that is no account, and where named objects are."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from simulator.devnet.addresses import object_address
from simulator.devnet.executors.model.contract import Category, Contract, object_of
from simulator.devnet.executors.model.world import Frame

OBJECTS = Contract(
    0x1,
    "object",
    events={"Transfer": {"object": "address", "from": "address", "to": "address"}},
)
ANY = object_of("T0")
NESTING_MAX = 8


class Reason(IntEnum):
    """Why the object module says no."""

    OBJECT_EXISTS = 1
    OBJECT_DOES_NOT_EXIST = 2
    NO_UNGATED_TRANSFERS = 3
    NOT_OBJECT_OWNER = 4
    MAXIMUM_NESTING = 6
    RESOURCE_DOES_NOT_EXIST = 7


class ObjectCore(NamedTuple):
    """That there is an object, and whose."""

    owner: bytes
    ungated: bool  # whether its owner may hand it on


@OBJECTS.view("address", returns=("bool",))
def is_object(frame: Frame, address: bytes) -> bool:
    return frame.find(ObjectCore, address) is not None


@OBJECTS.view(ANY, returns=("address",), generics=1)
def owner(frame: Frame, address: bytes) -> bytes:
    return _core(frame, address).owner


@OBJECTS.view(ANY, "address", returns=("bool",), generics=1)
def is_owner(frame: Frame, address: bytes, who: bytes) -> bool:
    return owner(frame, address) == who


@OBJECTS.view(ANY, "address", returns=("bool",), generics=1)
def owns(frame: Frame, address: bytes, who: bytes) -> bool:
    current = owner(frame, address)
    depth = 0
    while current != who:
        depth += 1
        OBJECTS.demand(depth < NESTING_MAX, Category.OUT_OF_RANGE, Reason.MAXIMUM_NESTING)
        core = frame.find(ObjectCore, current)
        if core is None:
            return False
        current = core.owner
    return True


def create_named(frame: Frame, creator: bytes, seed: bytes, *, ungated: bool) -> bytes:
    """Make the object of a creator and a seed; its address."""
    address = object_address(creator, seed)
    create(frame, creator, address, ungated=ungated)
    return address


def create(frame: Frame, owner: bytes, address: bytes, *, ungated: bool) -> None:
    """Make an object at an address."""
    free = not is_object(frame, address)
    OBJECTS.demand(free, Category.ALREADY_EXISTS, Reason.OBJECT_EXISTS)
    frame.put(ObjectCore(owner=owner, ungated=ungated), address)


def hand_on(frame: Frame, by: bytes, address: bytes, to: bytes) -> None:
    """Its owner gives an object to somebody else."""
    core = _core(frame, address)
    OBJECTS.demand(core.ungated, Category.PERMISSION_DENIED, Reason.NO_UNGATED_TRANSFERS)
    OBJECTS.demand(core.owner == by, Category.PERMISSION_DENIED, Reason.NOT_OBJECT_OWNER)
    frame.put(core._replace(owner=to), address)
    OBJECTS.emit(frame, "Transfer", object=address, **{"from": by}, to=to)


def assert_has(frame: Frame, address: bytes, kind: type | None) -> None:
    """Abort unless there is an object with this resource."""
    _core(frame, address)
    there = kind is not None and frame.find(kind, address) is not None
    OBJECTS.demand(there, Category.NOT_FOUND, Reason.RESOURCE_DOES_NOT_EXIST)


def _core(frame: Frame, address: bytes) -> ObjectCore:
    found = frame.find(ObjectCore, address)
    if found is None:
        raise OBJECTS.abort(Category.NOT_FOUND, Reason.OBJECT_DOES_NOT_EXIST)
    return found

"""The state the virtual machine works on: keys and values, named here by what they hold.

A module is loaded by writing its two keys; clock and chain id are resources like others.
"""

import hashlib
from collections.abc import Iterable, Iterator, MutableMapping
from typing import NamedTuple

from simulator.toolchain.compiler import Built, Module
from simulator.toolchain.encoding import ADDRESS_BYTES, address, text, u64, uleb128

State = MutableMapping[bytes, bytes]

FRAMEWORK = address("0x1")
_CODE, _CHECKSUM, _RESOURCE, _TABLE_ITEM, _TABLE = range(5)


class ResourceKey(NamedTuple):
    """Where a resource is kept: `tag` is the BCS form of its struct tag."""

    address: bytes
    tag: bytes


def struct_tag(module_address: bytes, module: str, name: str, *type_arguments: bytes) -> bytes:
    """The BCS form of a struct tag; the type arguments are BCS type tags."""
    arguments = uleb128(len(type_arguments)) + b"".join(type_arguments)
    return module_address + text(module) + text(name) + arguments


def code_key(module_address: bytes, module: str) -> bytes:
    """Where the bytecode of a module is kept."""
    return module_address + bytes([_CODE]) + text(module)


def resource_key(where: bytes, tag: bytes) -> bytes:
    """Where a resource is kept; its value is the BCS form of the struct."""
    return where + bytes([_RESOURCE]) + tag


def table_item_key(handle: bytes, key: bytes) -> bytes:
    """Where an item of a table is kept; `key` is the BCS form of its key."""
    return handle + bytes([_TABLE_ITEM]) + key


def read_resource_key(key: bytes) -> ResourceKey | None:
    """None for a key that is not one of a resource."""
    if len(key) <= ADDRESS_BYTES or key[ADDRESS_BYTES] != _RESOURCE:
        return None
    return ResourceKey(key[:ADDRESS_BYTES], key[ADDRESS_BYTES + 1 :])


def load(state: State, packages: Iterable[Built]) -> None:
    """Make the modules of packages callable. Safe to repeat; a new version replaces the old."""
    for package in packages:
        for module in package.modules:
            load_module(state, module)


def load_module(state: State, module: Module) -> None:
    """Make one module callable."""
    where = address(module.address)
    name = text(module.name)
    state[where + bytes([_CODE]) + name] = module.code
    state[where + bytes([_CHECKSUM]) + name] = hashlib.sha3_256(module.code).digest()


def set_clock(state: State, microseconds: int) -> None:
    """What `0x1::timestamp` says from now on."""
    tag = struct_tag(FRAMEWORK, "timestamp", "CurrentTimeMicroseconds")
    state[resource_key(FRAMEWORK, tag)] = u64(microseconds)


def set_chain_id(state: State, chain_id: int) -> None:
    """What `0x1::chain_id` says from now on; 1 to 255."""
    tag = struct_tag(FRAMEWORK, "chain_id", "ChainId")
    state[resource_key(FRAMEWORK, tag)] = bytes([chain_id])


class Overlay(MutableMapping[bytes, bytes]):
    """A state above another, which it never changes.

    `writes` is the difference: None for what was removed.
    """

    def __init__(self, base: State) -> None:
        self._base = base
        self.writes: dict[bytes, bytes | None] = {}

    def apply_to(self, state: State) -> None:
        """Make the difference there."""
        for key, value in self.writes.items():
            if value is None:
                state.pop(key, None)
            else:
                state[key] = value

    def __getitem__(self, key: bytes) -> bytes:
        if key not in self.writes:
            return self._base[key]
        value = self.writes[key]
        if value is None:
            raise KeyError(key)
        return value

    def __setitem__(self, key: bytes, value: bytes) -> None:
        self.writes[key] = value

    def __delitem__(self, key: bytes) -> None:
        if key not in self:
            raise KeyError(key)
        self.writes[key] = None

    def __iter__(self) -> Iterator[bytes]:
        yield from (key for key, value in self.writes.items() if value is not None)
        yield from (key for key in self._base if key not in self.writes)

    def __len__(self) -> int:
        return sum(1 for _ in self)

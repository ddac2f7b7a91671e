"""What structs are made of, by the ABIs of loaded modules. It knows types, never values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from simulator.devnet import bcs
from simulator.devnet.addresses import parse_address
from simulator.devnet.executor import Json
from simulator.devnet.type_tags import Struct, TypeTag, parse_type, read_type_tag

_STRUCT = b"\x07"
_GENERIC = re.compile(r"\bT(\d+)\b")


class Field(NamedTuple):
    """One field of a struct, its type with all type arguments filled in."""

    name: str
    type: TypeTag


class UnknownLayout(LookupError):
    """No loaded module has this struct, or it is an enum, whose variants no ABI tells."""


class Layouts:
    """All structs of the modules that were given so far."""

    def __init__(self) -> None:
        self._structs: dict[tuple[bytes, str, str], Mapping[str, Json]] = {}
        self._known: dict[Struct, tuple[Field, ...]] = {}

    def learn(self, abi: Mapping[str, Json]) -> None:
        """Take the structs of one module, in place of what it had before."""
        address = parse_address(abi["address"])
        for struct in abi["structs"]:
            self._structs[address, abi["name"], struct["name"]] = struct
        self._known.clear()

    def fields(self, struct: Struct) -> tuple[Field, ...]:
        """The fields in their order. Raises `UnknownLayout`."""
        known = self._known.get(struct)
        if known is None:
            known = self._known[struct] = self._look_up(struct)
        return known

    def _look_up(self, struct: Struct) -> tuple[Field, ...]:
        found = self._structs.get((struct.address, struct.module, struct.name))
        if found is None or found.get("is_enum"):
            raise UnknownLayout(str(struct))
        return tuple(
            Field(field["name"], filled(field["type"], struct.arguments))
            for field in found["fields"]
        )


def bare_struct(written: bytes) -> Struct:
    """A struct's type from the BCS of its StructTag alone. Raises `Malformed`."""
    tag = bcs.read_all(_STRUCT + written, read_type_tag)
    assert isinstance(tag, Struct), "the variant says so"
    return tag


@lru_cache(maxsize=4096)
def filled(text: str, arguments: tuple[TypeTag, ...]) -> TypeTag:
    """A type from an ABI's text, with `T0`, `T1` replaced by these types."""
    return parse_type(_GENERIC.sub(lambda number: str(arguments[int(number[1])]), text))

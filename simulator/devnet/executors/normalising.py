"""Values of the Move VM in the form of the node's REST interface, by their types.

The VM's own JSON differs from REST: an Option is the bare value or null, bytes are hex without
0x. A resource is read from its BCS instead, where nothing is lost. Pure.
"""

from __future__ import annotations

from simulator.devnet import bcs
from simulator.devnet.addresses import parse_address, show_address
from simulator.devnet.executor import Json
from simulator.devnet.executors.layouts import Layouts
from simulator.devnet.type_tags import Primitive, Struct, TypeTag, Vector
from simulator.devnet.values import read_value, show_value

_U8 = Primitive("u8")
_NUMBERS_IN_JSON = frozenset({"u8", "u16", "u32"})
_STRING = "0x1::string::String"
_OBJECT = "0x1::object::Object"
_OPTION = "0x1::option::Option"


class Unexpected(ValueError):
    """The VM wrote a value that is not of the type it should have."""


def from_json(value: Json, tag: TypeTag, layouts: Layouts) -> Json:
    """A value as the VM writes it, as REST writes it. Raises `Unexpected` and `UnknownLayout`."""
    if isinstance(tag, Primitive):
        return _primitive_from_json(value, tag.name)
    if isinstance(tag, Vector):
        if tag.item == _U8:
            # No bytes at all are an empty list.
            return f"0x{_expect(value or '', str)}"
        return [from_json(item, tag.item, layouts) for item in _expect(value, list)]
    if tag.path == _STRING:
        return _expect(value, str)
    if tag.path == _OBJECT:
        return {"inner": _primitive_from_json(value, "address")}
    if tag.path == _OPTION:
        held = [] if value is None else [from_json(value, tag.arguments[0], layouts)]
        return {"vec": held}
    return _struct_from_json(_expect(value, dict), tag, layouts)


def from_bytes(content: bytes, tag: TypeTag, layouts: Layouts) -> Json:
    """A value from its BCS, all of it. Raises `Malformed` and `UnknownLayout`."""
    return bcs.read_all(content, lambda reader: _read(reader, tag, layouts))


def _primitive_from_json(value: Json, name: str) -> Json:
    if name == "bool":
        return _expect(value, bool)
    if name == "address":
        return show_address(parse_address(_expect(value, str)))
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise Unexpected(f"{value!r} is no {name}")
    return int(value) if name in _NUMBERS_IN_JSON else str(int(value))


def _struct_from_json(value: dict[str, Json], tag: Struct, layouts: Layouts) -> Json:
    fields = layouts.fields(tag)
    if value.keys() != {field.name for field in fields}:
        raise Unexpected(f"{sorted(value)} are not the fields of {tag}")
    return {field.name: from_json(value[field.name], field.type, layouts) for field in fields}


def _read(reader: bcs.Reader, tag: TypeTag, layouts: Layouts) -> Json:
    if isinstance(tag, Vector) and tag.item != _U8:
        return list(reader.sequence(lambda: _read(reader, tag.item, layouts)))
    if isinstance(tag, Struct) and tag.path == _OPTION:
        return {"vec": list(reader.sequence(lambda: _read(reader, tag.arguments[0], layouts)))}
    if isinstance(tag, Struct) and tag.path not in (_STRING, _OBJECT):
        return {field.name: _read(reader, field.type, layouts) for field in layouts.fields(tag)}
    return show_value(tag, read_value(tag, reader))


def _expect(value: Json, kind: type) -> Json:
    if not isinstance(value, kind):
        raise Unexpected(f"{value!r} is no {kind.__name__}")
    return value

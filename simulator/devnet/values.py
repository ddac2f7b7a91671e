"""Arguments by their types: BCS to values, values to REST JSON, REST JSON to BCS.

It knows the types a function may take: numbers, bool, addresses, strings, vectors, options,
objects. REST forms: reference: aptos, section 2.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from simulator.devnet import bcs
from simulator.devnet.addresses import parse_address, show_address
from simulator.devnet.type_tags import Primitive, Struct, TypeTag, Vector, parse_type

_WIDTHS = {"u8": 1, "u16": 2, "u32": 4, "u64": 8, "u128": 16, "u256": 32}
_JSON_NUMBERS = frozenset({"u8", "u16", "u32"})
_STRING = "0x1::string::String"
_OBJECT = "0x1::object::Object"
_OPTION = "0x1::option::Option"
_GENERIC = re.compile(r"\bT(\d+)\b")

Value = Any
"""int, bool, str, bytes (an address or vector<u8>), a tuple, or None (no option)."""


class Unfit(ValueError):
    """Raised when JSON is no value of a type, or a type can be no argument."""


def parameter_type(text: str, type_arguments: Sequence[TypeTag]) -> TypeTag:
    """A parameter as the ABI has it, with `T0`, `T1` filled in. Raises `Unfit`."""

    def filled(found: re.Match[str]) -> str:
        place = int(found[1])
        if place >= len(type_arguments):
            raise Unfit(f"type argument {place} is missing")
        return str(type_arguments[place])

    try:
        return parse_type(_GENERIC.sub(filled, text))
    except ValueError as error:
        raise Unfit(str(error)) from error


def is_signer(parameter: str) -> bool:
    """Whether a parameter is filled with who signed, not by an argument."""
    return parameter in ("signer", "&signer")


def read_value(tag: TypeTag, reader: bcs.Reader) -> Value:
    """One value from BCS. Raises `Malformed`; `Unfit` for a type that can be no argument."""
    match tag:
        case Primitive(name="bool"):
            return reader.boolean()
        case Primitive(name="address"):
            return reader.address()
        case Primitive(name=name) if name in _WIDTHS:
            return reader.unsigned(_WIDTHS[name])
        case Vector(item=Primitive(name="u8")):
            return reader.byte_string()
        case Vector(item=item):
            return reader.sequence(lambda: read_value(item, reader))
        case Struct() if tag.path == _STRING:
            return reader.string()
        case Struct() if tag.path == _OBJECT:
            return reader.address()
        case Struct(arguments=(item,)) if tag.path == _OPTION:
            items = reader.sequence(lambda: read_value(item, reader))
            if len(items) > 1:
                raise bcs.Malformed("an option has one value at most")
            return items[0] if items else None
    raise Unfit(f"{tag} can be no argument")


def decode_value(tag: TypeTag, written: bytes) -> Value:
    """One value, all of `written`. Raises as `read_value`."""
    return bcs.read_all(written, lambda reader: read_value(tag, reader))


def show_value(tag: TypeTag, value: Value) -> Any:
    """A value as REST writes it."""
    match tag:
        case Primitive(name="address"):
            return show_address(value)
        case Primitive(name=name):
            return value if name == "bool" or name in _JSON_NUMBERS else str(value)
        case Vector(item=Primitive(name="u8")):
            return f"0x{value.hex()}"
        case Vector(item=item):
            return [show_value(item, each) for each in value]
        case Struct() if tag.path == _OBJECT:
            return {"inner": show_address(value)}
        case Struct(arguments=(item,)) if tag.path == _OPTION:
            return {"vec": [] if value is None else [show_value(item, value)]}
    return value


def encode_json(tag: TypeTag, value: Any) -> bytes:
    """BCS of a REST value. Raises `Unfit`."""
    match tag:
        case Primitive(name="bool"):
            if not isinstance(value, bool):
                raise Unfit(f"{value!r} is no bool")
            return b"\x01" if value else b"\x00"
        case Primitive(name="address"):
            return _address(value)
        case Primitive(name=name) if name in _WIDTHS:
            return _number(value, name)
        case Vector(item=Primitive(name="u8")) if isinstance(value, str):
            return bcs.byte_string(_hex(value))
        case Vector(item=item):
            if not isinstance(value, list):
                raise Unfit(f"{value!r} is no {tag}")
            return bcs.sequence(encode_json(item, each) for each in value)
        case Struct():
            return _encode_struct(tag, value)
    raise Unfit(f"{tag} can be no argument")


def _encode_struct(tag: Struct, value: Any) -> bytes:
    if tag.path == _STRING and isinstance(value, str):
        return bcs.string(value)
    if tag.path == _OBJECT:
        return _address(value["inner"] if isinstance(value, dict) and "inner" in value else value)
    if tag.path == _OPTION and len(tag.arguments) == 1:
        items = value.get("vec") if isinstance(value, dict) else [] if value is None else [value]
        if not isinstance(items, list) or len(items) > 1:
            raise Unfit(f"{value!r} is no {tag}")
        return bcs.sequence(encode_json(tag.arguments[0], item) for item in items)
    raise Unfit(f"{value!r} is no {tag}")


def _address(value: Any) -> bytes:
    try:
        return parse_address(value)
    except (ValueError, AttributeError) as error:
        raise Unfit(f"{value!r} is no address") from error


def _number(value: Any, name: str) -> bytes:
    """Wide numbers come as strings, narrow ones as numbers; nodes read both of either."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise Unfit(f"{value!r} is no {name}")
    try:
        return bcs.unsigned(int(value), _WIDTHS[name])
    except (ValueError, OverflowError) as error:
        raise Unfit(f"{value!r} is no {name}") from error


def _hex(value: str) -> bytes:
    try:
        return bytes.fromhex(value.removeprefix("0x"))
    except ValueError as error:
        raise Unfit(f"{value!r} is no hex") from error

from __future__ import annotations

from typing import Any

import pytest

from simulator.devnet import bcs
from simulator.devnet.executors.layouts import Layouts, UnknownLayout
from simulator.devnet.executors.normalising import Unexpected, from_bytes, from_json
from simulator.devnet.type_tags import parse_type

LONG = "0x" + "0b" * 32
ABI = {
    "address": "0xca",
    "name": "m",
    "structs": [
        {
            "name": "Inner",
            "fields": [
                {"name": "held", "type": "0x1::option::Option<T0>"},
                {"name": "names", "type": "vector<vector<u8>>"},
            ],
        },
        {
            "name": "Outer",
            "fields": [
                {"name": "inner", "type": "0xca::m::Inner<address>"},
                {"name": "count", "type": "u64"},
            ],
        },
        {"name": "Choice", "is_enum": True, "fields": []},
    ],
}


@pytest.fixture
def layouts() -> Layouts:
    known = Layouts()
    known.learn(ABI)
    return known


@pytest.mark.parametrize(
    ("kind", "written", "expected"),
    [
        ("u8", 7, 7),
        ("u32", 7, 7),
        ("u64", "18446744073709551615", "18446744073709551615"),
        ("u256", 5, "5"),
        ("bool", True, True),
        ("address", "0x1", "0x1"),
        ("address", "0xb" + "0b" * 31, LONG),
        ("0x1::object::Object<0xca::m::Outer>", "0xb" + "0b" * 31, {"inner": LONG}),
        ("vector<u8>", "00ff", "0x00ff"),
        ("vector<u8>", "", "0x"),
        ("vector<u8>", [], "0x"),
        ("vector<vector<u8>>", ["01", []], ["0x01", "0x"]),
        ("vector<u64>", ["1", "2"], ["1", "2"]),
        ("0x1::string::String", "yes", "yes"),
        ("0x1::option::Option<u64>", None, {"vec": []}),
        ("0x1::option::Option<u64>", "3", {"vec": ["3"]}),
        ("0x1::option::Option<vector<u8>>", "0a", {"vec": ["0x0a"]}),
        (
            "0xca::m::Outer",
            {"inner": {"held": "0x1", "names": ["aa"]}, "count": "9"},
            {"inner": {"held": {"vec": ["0x1"]}, "names": ["0xaa"]}, "count": "9"},
        ),
    ],
)
def test_values_of_the_machine_become_values_of_rest(
    layouts: Layouts, kind: str, written: Any, expected: Any
) -> None:
    assert from_json(written, parse_type(kind), layouts) == expected


@pytest.mark.parametrize(
    ("kind", "written"),
    [
        ("u64", True),
        ("u64", None),
        ("bool", 1),
        ("vector<u64>", "00"),
        ("0x1::string::String", 1),
        ("0xca::m::Outer", {"inner": {}}),
    ],
)
def test_a_value_of_another_type_is_refused(layouts: Layouts, kind: str, written: Any) -> None:
    with pytest.raises(Unexpected):
        from_json(written, parse_type(kind), layouts)


def test_a_resource_is_read_from_its_bytes(layouts: Layouts) -> None:
    held = b"\x01" + bytes.fromhex("0b" * 32)
    content = held + bcs.sequence([bcs.byte_string(b"\xaa")]) + bcs.u64(9)
    assert from_bytes(content, parse_type("0xca::m::Outer"), layouts) == {
        "inner": {"held": {"vec": [LONG]}, "names": ["0xaa"]},
        "count": "9",
    }


def test_bytes_that_go_on_after_the_value_are_refused(layouts: Layouts) -> None:
    with pytest.raises(bcs.Malformed):
        from_bytes(bcs.u64(9) + b"\0", parse_type("u64"), layouts)


@pytest.mark.parametrize("kind", ["0xca::m::Choice", "0xca::m::Other", "0xcb::m::Outer"])
def test_a_struct_that_no_abi_tells_is_not_guessed(layouts: Layouts, kind: str) -> None:
    with pytest.raises(UnknownLayout):
        from_bytes(b"\0", parse_type(kind), layouts)

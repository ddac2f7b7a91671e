"""Types, arguments and addresses: text, BCS and REST JSON are forms of the same values."""

from typing import Any

import pytest
from aptos_sdk.account_address import AccountAddress
from hypothesis import given
from hypothesis import strategies as st

from simulator.devnet import bcs
from simulator.devnet.addresses import (
    code_object_address,
    object_address,
    parse_address,
    primary_store_address,
    resource_account_address,
    show_address,
    trim_address,
)
from simulator.devnet.bcs import Malformed
from simulator.devnet.type_tags import (
    PRIMITIVES,
    Primitive,
    Struct,
    TypeTag,
    Vector,
    parse_type,
    read_type_tag,
)
from simulator.devnet.values import Unfit, decode_value, encode_json, parameter_type, show_value

IDENTIFIERS = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True).filter(
    lambda word: word not in PRIMITIVES and word != "vector"
)
ADDRESSES = st.binary(min_size=32, max_size=32)
TAGS: st.SearchStrategy[TypeTag] = st.recursive(
    st.sampled_from(sorted(PRIMITIVES)).map(Primitive),
    lambda tags: st.one_of(
        tags.map(Vector),
        st.builds(Struct, ADDRESSES, IDENTIFIERS, IDENTIFIERS, st.tuples(tags)),
    ),
    max_leaves=4,
)


@given(TAGS)
def test_a_type_comes_back_from_both_forms(tag: TypeTag) -> None:
    assert parse_type(str(tag)) == tag
    assert bcs.read_all(tag.encode(), read_type_tag) == tag


@pytest.mark.parametrize(
    "text",
    [
        "",
        "vector",
        "vector<u8",
        "u8>",
        "0x1::a",
        "0x1::a::B<",
        "0x1::a::9",
        "u7",
        "0xg::a::B",
        "&u8",
    ],
)
def test_what_is_no_type_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_type(text)


def test_types_are_not_nested_without_end() -> None:
    with pytest.raises(Malformed, match="too deeply"):
        bcs.read_all(b"\x06" * 20 + b"\x01", read_type_tag)
    with pytest.raises(Malformed, match="no type tag"):
        bcs.read_all(b"\x14", read_type_tag)


# (type, BCS in hex, REST form)
VALUES: list[tuple[str, str, Any]] = [
    ("bool", "01", True),
    ("u8", "ff", 255),
    ("u16", "0201", 258),
    ("u32", "01000000", 1),
    ("u64", "ffffffffffffffff", "18446744073709551615"),
    ("u128", "02" + "00" * 15, "2"),
    ("u256", "00" * 31 + "01", str(2**248)),
    ("address", "00" * 31 + "01", "0x1"),
    ("address", "00" * 30 + "cafe", "0x" + "00" * 30 + "cafe"),
    ("vector<u8>", "03010203", "0x010203"),
    ("vector<u64>", "010700000000000000", ["7"]),
    ("vector<vector<u8>>", "0201ff00", ["0xff", "0x"]),
    ("0x1::string::String", "0368c3a9", "hé"),
    ("0x1::object::Object<0x1::a::B>", "00" * 31 + "0a", {"inner": "0xa"}),
    ("0x1::option::Option<u64>", "00", {"vec": []}),
    ("0x1::option::Option<u64>", "010700000000000000", {"vec": ["7"]}),
]


@pytest.mark.parametrize(("text", "written", "shown"), VALUES, ids=lambda value: str(value)[:24])
def test_a_value_has_one_form_in_each_language(text: str, written: str, shown: Any) -> None:
    tag = parse_type(text)
    assert encode_json(tag, shown) == bytes.fromhex(written)
    assert show_value(tag, decode_value(tag, bytes.fromhex(written))) == shown


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("bool", 1),
        ("u8", 256),
        ("u8", -1),
        ("u64", True),
        ("u64", 1.5),
        ("u64", "x"),
        ("address", 7),
        ("address", "0x"),
        ("vector<u8>", "0xzz"),
        ("vector<u64>", "7"),
        ("0x1::string::String", 5),
        ("0x1::option::Option<u64>", {"vec": ["1", "2"]}),
        ("0x1::other::Thing", {}),
        ("signer", "0x1"),
    ],
)
def test_json_that_is_no_such_value_is_refused(text: str, value: Any) -> None:
    with pytest.raises(Unfit):
        encode_json(parse_type(text), value)


def test_other_forms_that_clients_send_are_read_too() -> None:
    assert encode_json(parse_type("u64"), 7) == encode_json(parse_type("u64"), "7")
    object_type = parse_type("0x1::object::Object<u8>")
    assert encode_json(object_type, "0xa") == encode_json(object_type, {"inner": "0xa"})
    option = parse_type("0x1::option::Option<u64>")
    assert encode_json(option, None) == b"\x00"
    assert encode_json(option, "7") == encode_json(option, {"vec": ["7"]})


@pytest.mark.parametrize(
    ("text", "written"),
    [("bool", "02"), ("u64", "00"), ("0x1::option::Option<u8>", "020101")],
)
def test_bytes_that_are_no_such_value_are_refused(text: str, written: str) -> None:
    with pytest.raises(Malformed):
        decode_value(parse_type(text), bytes.fromhex(written))


def test_type_arguments_stand_in_for_their_names() -> None:
    given = [parse_type("u8"), parse_type("0x1::a::B")]
    assert str(parameter_type("0x1::object::Object<T1>", given)) == "0x1::object::Object<0x1::a::B>"
    assert str(parameter_type("vector<T0>", given)) == "vector<u8>"
    with pytest.raises(Unfit, match="type argument 2"):
        parameter_type("T2", given)


@given(ADDRESSES)
def test_an_address_comes_back_from_its_text(address: bytes) -> None:
    assert parse_address(show_address(address)) == address == parse_address(trim_address(address))
    assert show_address(address) == str(AccountAddress(address))


@pytest.mark.parametrize("text", ["", "0x", "0x" + "1" * 65, "0xgg", "0x-1", "0x 1"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_address(text)


@given(ADDRESSES, st.binary(max_size=40))
def test_derived_addresses_are_those_of_the_sdk(creator: bytes, seed: bytes) -> None:
    theirs = AccountAddress(creator)
    assert object_address(creator, seed) == (AccountAddress.for_named_object(theirs, seed).address)
    assert resource_account_address(creator, seed) == (
        AccountAddress.for_resource_account(theirs, seed).address
    )
    assert len(primary_store_address(creator, creator)) == 32
    published = bcs.string("aptos_framework::object_code_deployment") + bcs.u64(8)
    assert code_object_address(creator, 7) == object_address(creator, published)

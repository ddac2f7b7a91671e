"""Bodies in which a name stands twice are found, and no others."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.web.bodies import has_doubled_names

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)

DOUBLED = [
    b'{"a":1,"a":1}',
    b'{"a":1,"a":2,"b" :3}',
    b'{"a" :1,"a"\n:2}',
    b'{"in":{"a":1,"a":2}}',
    b'[{"b":[{"a":1,"a":2}]}]',
    b'{"a":1,"\\u0061":2}',
    b'{"a":1,"a":"\\":"}',
]
SINGLE = [
    b"",
    b"paid",
    b"{",
    b'"a":1,"a":1',
    b"[]",
    b'[{"a":1},{"a":1}]',
    b'{"a":{"a":1}}',
    b'{"a" : 1, "b" : 2}',
    b'{"text":"\\":\\":"}',
    b'{"text":"it said \\"a\\": 1"}',
    b"\xff\xfe",
]


@pytest.mark.parametrize("body", DOUBLED)
def test_a_name_that_stands_twice_is_found(body: bytes) -> None:
    assert has_doubled_names(body)


@pytest.mark.parametrize("body", SINGLE)
def test_other_bodies_pass(body: bytes) -> None:
    assert not has_doubled_names(body)


@given(values, st.booleans())
def test_what_was_written_from_a_mapping_passes(value: Any, spaced: bool) -> None:
    body = json.dumps(value, indent=2).encode() if spaced else msgspec.json.encode(value)
    assert not has_doubled_names(body)


@given(st.text(), values, values)
def test_any_name_written_twice_is_found(name: str, one: Any, other: Any) -> None:
    key = json.dumps(name)
    body = f"{{{key}:{json.dumps(one)},{key}:{json.dumps(other)}}}"
    assert has_doubled_names(body.encode())

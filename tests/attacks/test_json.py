"""Bodies that two readers may read differently, or that cost more than they weigh."""

import json
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.web.bodies import JSON_DEPTH_MAX, JSON_DIGITS_MAX, BadJson, check_json
from tests.growth import grows_in_line

DEEPEST = b"[" * JSON_DEPTH_MAX + b"]" * JSON_DEPTH_MAX
ATTACKS: dict[str, bytes] = {
    "one bracket too many": b"[" * (JSON_DEPTH_MAX + 1) + b"]" * (JSON_DEPTH_MAX + 1),
    "a mountain of brackets": b"[" * 100_000,
    "a mountain of objects": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "brackets behind a string": b'["' + b"\\" * 20 + b'",' + b"[" * 40 + b"]" * 41,
    "a name twice": b'{"amount":1,"amount":1000}',
    "a name twice, written differently": b'{"amount":1,"\\u0061mount":1000}',
    "a name twice, deep inside": b'{"a":[{"b":{"c":1,"c":2}}]}',
    "not a number": b'{"a":NaN}',
    "infinity": b'{"a":Infinity}',
    "less than infinity": b'{"a":-Infinity}',
    "infinity by its exponent": b'{"a":1e999}',
    "an endless whole number": b'{"a":' + b"9" * 5000 + b"}",
    "an endless fraction": b'{"a":0.' + b"3" * 5000 + b"}",
    "a long exponent": b'{"a":1e' + b"0" * 400 + b"1}",
    "another charset": '{"a":"é"}'.encode("latin-1"),
    "two bytes a sign": '{"a":1}'.encode("utf-16"),
    "a mark of the byte order": b'\xef\xbb\xbf{"a":1}',
    "an overlong sign": b'{"a":"\xc0\xaf"}',
    "half a sign in UTF-8": b'{"a":"\xed\xa0\x80"}',
    "a zero byte": b'{"a":"\x00"}',
    "a line break in a string": b'{"a":"\n"}',
    "something behind it": b'{"a":1}{"a":2}',
    "a comment": b'{"a":1}//',
    "a comma too many": b'{"a":1,}',
    "single quotes": b"{'a':1}",
    "packed": b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03",
    "nothing": b"",
}


@pytest.mark.parametrize("body", ATTACKS.values(), ids=ATTACKS.keys())
def test_what_is_read_in_two_ways_or_costs_too_much_is_refused(body: bytes) -> None:
    with pytest.raises(BadJson) as caught:
        check_json(body)
    assert len(str(caught.value)) < 100  # a sentence of ours, nothing of theirs


@pytest.mark.parametrize(
    "shape",
    [
        lambda n: "[" * n,
        lambda n: '{"a":' * n + "1" + "}" * n,
        lambda n: '"' + '\\"' * n + "[" * 40,
        lambda n: '["' * n + "[" * 40,
        lambda n: "[" * 40 + '"\\' * n,
    ],
    ids=["brackets", "objects", "quotes", "strings", "escapes"],
)
def test_a_body_that_is_refused_costs_as_much_as_it_weighs(shape: Callable[[int], str]) -> None:
    """A string without an end is not walked again from each of its signs."""

    def refuse(size: int) -> None:
        with pytest.raises(BadJson):
            check_json(shape(size).encode())

    assert grows_in_line(refuse, 8000)


@pytest.mark.parametrize(
    "body",
    [
        DEEPEST,
        b'{"a":' + b"9" * JSON_DIGITS_MAX + b"}",
        b'{"text":"' + b"[{" * 100 + b'"}',
        b'{"text":"\\"' + b"[{" * 100 + b'"}',
        b'[{"a":1},{"a":2},{"a":3}]' * 1,
        b" \r\n\t[0.5e-3, true, null, -0]",
    ],
)
def test_what_is_sound_passes(body: bytes) -> None:
    check_json(body)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**18), 10**18) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=40, deadline=None)
@given(VALUES)
def test_whatever_was_written_from_a_value_passes(value: object) -> None:
    check_json(json.dumps(value).encode())
    check_json(msgspec.json.encode(value))


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_whatever_comes_is_answered(body: bytes) -> None:
    try:
        check_json(body)
    except BadJson:
        return
    json.loads(body)

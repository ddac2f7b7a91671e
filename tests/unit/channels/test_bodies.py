"""Bodies are read whole and up to their bound; those in which a name stands twice are found."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import ClientDisconnect
from starlette.types import Message

from channels.web.bodies import WHOLE, TooLarge, has_doubled_names, read_body

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


async def read(*pieces: bytes | None, **scope: Any) -> bytes:
    """A body of at most ten bytes; None where the other side hangs up."""
    last = len(pieces) - 1
    messages: list[Message] = [
        {"type": "http.disconnect"} if piece is None
        else {"type": "http.request", "body": piece, "more_body": n < last}
        for n, piece in enumerate(pieces)
    ]  # fmt: skip

    async def receive() -> Message:
        return messages.pop(0)

    return await read_body({"type": "http", "headers": [], **scope}, receive, 10)


@pytest.mark.parametrize("pieces", [(None,), (b"SEND 50", None), (b"SEND 500 +", None)])
async def test_what_is_cut_off_is_no_shorter_body(pieces: tuple[bytes | None, ...]) -> None:
    """Half an order may read as an order for less, or to another number."""
    with pytest.raises(ClientDisconnect):
        await read(*pieces)


async def test_a_body_may_have_as_many_bytes_as_its_bound_whichever_way_it_came() -> None:
    assert await read(b"12345", b"", b"67890") == b"1234567890"
    assert await read(**{WHOLE: b"1234567890"}) == b"1234567890"
    for pieces, scope in (
        ((b"12345", b"678901"), {}),
        ((b"12345", b"678901", b"2", None), {}),
        ((), {WHOLE: b"12345678901"}),
        ((), {"headers": [(b"content-length", b"11")]}),  # before anything is read
    ):
        with pytest.raises(TooLarge):
            await read(*pieces, **scope)

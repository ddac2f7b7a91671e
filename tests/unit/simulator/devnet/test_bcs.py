"""The strict reader: what is no canonical BCS is refused, what was written comes back."""

from collections.abc import Callable
from typing import Any

import pytest
from aptos_sdk.bcs import Serializer
from hypothesis import given
from hypothesis import strategies as st

from simulator.devnet import bcs
from simulator.devnet.bcs import Malformed, Reader, read_all


@given(st.integers(0, 2**32 - 1))
def test_lengths_are_written_as_the_sdk_does_and_read_back(value: int) -> None:
    serializer: Any = Serializer()  # type: ignore[no-untyped-call]
    serializer.uleb128(value)
    assert bcs.uleb128(value) == serializer.output()
    assert read_all(bcs.uleb128(value), Reader.uleb128) == value


@pytest.mark.parametrize(
    ("written", "read", "why"),
    [
        ("8000", Reader.uleb128, "not canonical"),
        ("ff8000", Reader.uleb128, "not canonical"),
        ("ffffffff1f", Reader.uleb128, "over 32 bits"),
        ("ffffffffffff01", Reader.uleb128, "over 32 bits"),
        ("80", Reader.uleb128, "unexpected end"),
        ("02", Reader.boolean, "no bool"),
        ("0361", Reader.byte_string, "unexpected end"),
        ("02ff61", Reader.string, "not UTF-8"),
        ("00" * 31, Reader.address, "unexpected end"),
        ("00" * 9, Reader.u64, "1 bytes are left"),
        ("02", lambda reader: reader.option(reader.u8), "no bool"),
        ("ffffffff0f", lambda reader: reader.sequence(reader.u8), "unexpected end"),
    ],
)
def test_what_is_not_canonical_is_refused(
    written: str, read: Callable[[Reader], object], why: str
) -> None:
    with pytest.raises(Malformed, match=why):
        read_all(bytes.fromhex(written), read)


def test_numbers_that_do_not_fit_are_not_written() -> None:
    with pytest.raises(OverflowError):
        bcs.u64(2**64)
    with pytest.raises(ValueError, match="32 bits"):
        bcs.uleb128(2**32)
    with pytest.raises(ValueError, match="32 bits"):
        bcs.uleb128(-1)


@given(st.lists(st.binary(max_size=40)))
def test_sequences_of_bytes_come_back(items: list[bytes]) -> None:
    written = bcs.sequence(bcs.byte_string(item) for item in items)
    assert list(read_all(written, lambda r: r.sequence(r.byte_string))) == items

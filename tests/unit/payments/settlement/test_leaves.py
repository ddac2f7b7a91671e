"""What a leaf says, byte for byte."""

import msgspec
import pytest

from engine.payments.settlement.leaves import Leaf, encode, hash_of, salt_of

LEAF = Leaf("0190a000000070008000000000000001", 7, "mpesa_ke", "mtn_ug", "KES", "UGX", 98_499, 5)
KEY = b"k" * 32


def test_the_bytes_of_a_leaf_are_these_for_ever() -> None:
    salt = bytes(range(32))
    assert encode(LEAF, salt) == (
        b"CAPP::SettlementLeaf::v1"
        + salt
        + bytes.fromhex("0190a000000070008000000000000001")
        + b"\x07\0\0\0"
        + b"\x08mpesa_ke\x06mtn_ug\x03KES\x03UGX"
        + b"\0"
        + (98_499).to_bytes(8, "little")
        + (5).to_bytes(8, "little")
    )


OTHERS = {
    "payment": "0190a000000070008000000000000002", "version": 8, "source": "mtn_ug",
    "destination": "mpesa_ke", "currency": "UGX", "towards": "KES", "minor": -98_499, "at_ms": 6,
}  # fmt: skip


@pytest.mark.parametrize("field", OTHERS)
def test_every_field_counts(field: str) -> None:
    other = msgspec.structs.replace(LEAF, **{field: OTHERS[field]})
    assert hash_of(other, b"s" * 32) != hash_of(LEAF, b"s" * 32)


def test_a_salt_is_the_same_again_and_another_for_every_obligation_and_key() -> None:
    salts = {salt_of(KEY, LEAF), salt_of(KEY, LEAF)}
    salts.add(salt_of(b"other" * 8, LEAF))
    for field in ("payment", "version", "currency", "towards"):
        salts.add(salt_of(KEY, msgspec.structs.replace(LEAF, **{field: OTHERS[field]})))
    assert len(salts) == 6
    assert all(len(salt) == 32 for salt in salts)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        encode(LEAF, b"short")
    for key in (b"short", b"k" * 65):
        with pytest.raises(ValueError, match="32 to 64 bytes"):
            salt_of(key, LEAF)
    for field, value in (("minor", 2**64), ("at_ms", -1), ("payment", "ab"), ("payment", "z" * 32)):
        with pytest.raises(ValueError, match=r"fit|no payment|fromhex"):
            encode(msgspec.structs.replace(LEAF, **{field: value}), b"s" * 32)


def test_a_long_name_has_a_long_length() -> None:
    told = encode(msgspec.structs.replace(LEAF, source="m" * 300), b"s" * 32)
    assert b"\xac\x02" + b"m" * 300 in told

import hashlib

import pytest

from engine.clients.clients import ApiKey, Client, ClientId, KeyId, Scope
from engine.clients.keys import KeyMacs, read_key, write_key
from engine.errors import NotProven

ONE, TWO = (hashlib.sha256(word).digest() for word in (b"one", b"two"))
ID = KeyId("0190a000000070008000000000000001")
SECRET = "5e" * 24
MACS = KeyMacs({1: ONE, 2: TWO}, 1)


def stored(macs: KeyMacs = MACS, *, version: int = 2) -> ApiKey:
    mac = macs.mac(version, ID, SECRET)
    return ApiKey(ID, Client(ClientId("b" * 32), "shop"), frozenset(Scope), mac, version, 0)


def test_a_key_is_read_as_it_was_written() -> None:
    assert read_key(write_key(ID, SECRET)) == (ID, SECRET)


NO_KEYS = (
    "", "capp_", write_key(ID, SECRET)[:-1], write_key(ID, SECRET) + "0",
    write_key(ID, SECRET) + "\n", write_key(ID, SECRET).upper(), write_key(ID, "g" * 48),
    "CAPP" + write_key(ID, SECRET)[4:], write_key(KeyId(ID[:-1] + "٣"), SECRET),
    "eyJhbGciOiJub25lIn0.e30.", "a" * 100_000,
)  # fmt: skip


@pytest.mark.parametrize("text", NO_KEYS)
def test_what_is_no_key_is_refused_before_anything_is_asked(text: str) -> None:
    with pytest.raises(NotProven):
        read_key(text)


def test_only_the_secret_that_was_told_is_right() -> None:
    assert MACS.is_right(stored(), ID, SECRET)
    assert not MACS.is_right(stored(), ID, "5e" * 23 + "5f")
    assert not MACS.is_right(None, ID, SECRET)


def test_a_mac_is_written_as_those_that_are_stored() -> None:
    """Written in any other way no client's key would open anything."""
    assert (
        MACS.mac(2, ID, SECRET).hex()
        == "d701c230000844f1c0951f9f1fbfa96b056b5d1da96157e8ac228fea1e02acbf"
    )


def test_a_mac_proves_nothing_in_another_row_or_tenant() -> None:
    assert not MACS.is_right(stored(), KeyId("f" * 32), SECRET)
    assert not KeyMacs({1: ONE, 2: TWO}, 2).is_right(stored(), ID, SECRET)


def test_an_older_version_still_compares_and_a_dropped_one_proves_nothing() -> None:
    old = stored(version=1)
    assert MACS.is_right(old, ID, SECRET)
    dropped = KeyMacs({2: TWO}, 1)
    assert not dropped.is_right(old, ID, SECRET)
    assert MACS.newest == 2


def test_a_row_whose_key_is_gone_cannot_be_opened_with_nothing() -> None:
    """As if the comparison fell back to a MAC that anybody could make."""
    empty = stored()._replace(mac=bytes(32), mac_key=9)
    assert not MACS.is_right(empty, ID, SECRET)


def test_without_a_key_there_are_no_keys() -> None:
    with pytest.raises(ValueError, match="no key"):
        KeyMacs({}, 1)

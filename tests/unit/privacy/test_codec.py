"""What is sealed opens at its own place alone, and by its own key alone."""

import hashlib
import hmac
import os
import warnings
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.clock import SystemRandom
from engine.errors import KeyNotAtHand, Tampered
from engine.privacy import codec
from engine.privacy.codec import BlindIndex, Writer, is_index, read_sealed
from engine.privacy.seals import PLAIN
from tests.unit.privacy.keys import DATA_KEY, INDEX_KEY, Counting, DrawnSeals

PLACE = "customer.name/0190a000000070008000000000000001"
NUMBER = "+254712000001"


@given(st.text(max_size=300))
def test_what_is_sealed_is_read_back(text: str) -> None:
    seals = DrawnSeals()
    kept = seals.seal(text, PLACE)
    assert seals.open(kept, PLACE) == text
    assert kept.isascii() and not set(kept) & set("\"\\ '")


def test_the_same_value_is_never_sealed_the_same_twice() -> None:
    seals = DrawnSeals()
    assert len({seals.seal(NUMBER, PLACE) for _ in range(100)}) == 100


def test_nothing_of_the_value_stands_in_what_is_kept() -> None:
    assert "712000001" not in DrawnSeals().seal(NUMBER, PLACE)


@pytest.mark.parametrize("place", ["customer.name/0190a000000070008000000000000002", "", "x"])
def test_a_value_that_was_moved_does_not_open(place: str) -> None:
    seals = DrawnSeals()
    with pytest.raises(Tampered):
        seals.open(seals.seal("Amina", PLACE), place)


def test_a_change_of_any_sign_is_seen() -> None:
    seals = DrawnSeals()
    kept = seals.seal("Amina", PLACE)
    for n in range(len("v1.1."), len(kept.rstrip("=")) - 1):  # the last has bits of no meaning
        changed = kept[:n] + ("A" if kept[n] != "A" else "B") + kept[n + 1 :]
        with pytest.raises(Tampered):
            seals.open(changed, PLACE)


def test_a_value_that_was_cut_is_no_plain_value() -> None:
    seals = DrawnSeals()
    kept = seals.seal("Amina Wanjiru", PLACE)
    for end in range(64, len(kept)):
        with pytest.raises(Tampered):
            seals.open(kept[:end], PLACE)


def test_another_key_opens_nothing() -> None:
    kept = DrawnSeals().seal("Amina", PLACE)
    with pytest.raises(Tampered):
        DrawnSeals(key=b"another key of thirty-two bytes!").open(kept, PLACE)


@pytest.mark.parametrize("plain", ["", "Amina", NUMBER, "v1.", "v1.1.short", '["v1.1.x"]', "{}"])
def test_what_nobody_sealed_passes(plain: str) -> None:
    assert read_sealed(plain) is None
    assert DrawnSeals().open(plain, PLACE) == plain
    assert PLAIN.open(plain, PLACE) == plain


def test_without_keys_a_sealed_value_is_an_error_and_no_text() -> None:
    kept = DrawnSeals().seal("Amina", PLACE)
    with pytest.raises(KeyNotAtHand) as told:
        PLAIN.open(kept, PLACE)
    assert "Amina" not in str(told.value) and kept not in str(told.value)


def test_errors_name_the_place_and_never_the_value() -> None:
    seals = DrawnSeals()
    with pytest.raises(Tampered) as told:
        seals.open(seals.seal(NUMBER, PLACE), "elsewhere")
    assert "elsewhere" in str(told.value) and "712000001" not in str(told.value)


def test_a_salt_serves_many_values_and_not_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    most = 2 * codec.NONCES_DRAWN
    monkeypatch.setattr(codec, "SUBKEY_USES_MAX", most)
    writer = Writer(1, DATA_KEY, Counting())
    salts = []
    for _ in range(3 * most):
        sealed = read_sealed(writer.seal("x", PLACE))
        assert sealed is not None
        salts.append(sealed.salt)
    assert [salts.count(salt) for salt in dict.fromkeys(salts)] == [most] * 3


def test_no_nonce_is_used_twice_under_a_salt() -> None:
    writer = Writer(1, DATA_KEY, SystemRandom())
    sealed = [read_sealed(writer.seal("x", PLACE)) for _ in range(5 * codec.NONCES_DRAWN)]
    assert len({(each.salt, each.nonce) for each in sealed if each}) == len(sealed)


def test_a_bound_of_values_holds_whole_draws() -> None:
    assert codec.SUBKEY_USES_MAX % codec.NONCES_DRAWN == 0


def test_a_child_that_is_forked_does_not_seal_with_its_parents_nonces() -> None:
    """The same nonce twice under one key gives both values away."""
    writer = Writer(1, DATA_KEY, SystemRandom())
    writer.seal("x", PLACE)
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forking beside threads
        child = os.fork()
    if child == 0:
        try:
            os.write(writing, "\n".join(writer.seal("x", PLACE) for _ in range(8)).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as told:
        theirs = told.read().splitlines()
    os.waitpid(child, 0)
    kept = [*theirs, *(writer.seal("x", PLACE) for _ in range(8))]
    nonces = {(each.salt, each.nonce) for text in kept if (each := read_sealed(text))}
    assert len(nonces) == 16


def test_an_index_is_the_hmac_that_everybody_knows() -> None:
    told = hmac.digest(INDEX_KEY, f"7/number/{NUMBER}".encode(), hashlib.sha256)[:16]
    assert BlindIndex(4, INDEX_KEY, 7).of(NUMBER) == "m4." + b64encode(told).decode()[:22]


def test_an_index_tells_tenants_and_keys_apart() -> None:
    found = {
        BlindIndex(1, key, tenant).of(NUMBER) for key in (DATA_KEY, INDEX_KEY) for tenant in (1, 2)
    }
    assert len(found) == 4
    assert all(map(is_index, found)) and not is_index(NUMBER)

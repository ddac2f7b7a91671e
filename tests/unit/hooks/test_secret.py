"""A sealed secret opens where it belongs, with the key it was sealed with, and nowhere else."""

import os

import pytest

from engine.errors import OurFault
from engine.hooks.secret import Place, Sealed, SecretKeys

ONE, TWO = bytes(range(32)), bytes(range(32, 64))
PLACE = Place(1, "a" * 32, "b" * 32)
SECRET = b"sesame" * 5


def test_every_version_opens_and_the_highest_seals() -> None:
    old = SecretKeys({1: ONE}, os.urandom).seal(SECRET, PLACE)
    keys = SecretKeys({1: ONE, 2: TWO}, os.urandom)
    new = keys.seal(SECRET, PLACE)
    assert (old.key_version, new.key_version) == (1, 2)
    assert keys.open(old, PLACE) == keys.open(new, PLACE) == SECRET
    assert SECRET not in new.bytes


def test_the_same_secret_is_never_sealed_the_same() -> None:
    keys = SecretKeys({1: ONE}, os.urandom)
    assert keys.seal(SECRET, PLACE) != keys.seal(SECRET, PLACE)


@pytest.mark.parametrize(
    "place",
    [PLACE._replace(tenant=2), PLACE._replace(subscription="c" * 32), PLACE._replace(secret="d")],
)
def test_a_secret_that_was_moved_does_not_open(place: Place) -> None:
    keys = SecretKeys({1: ONE}, os.urandom)
    with pytest.raises(OurFault, match="does not open"):
        keys.open(keys.seal(SECRET, PLACE), place)


def test_what_was_touched_does_not_open() -> None:
    keys = SecretKeys({1: ONE}, os.urandom)
    sealed = keys.seal(SECRET, PLACE)
    touched = bytes([sealed.bytes[0] ^ 1]) + sealed.bytes[1:]
    with pytest.raises(OurFault):
        keys.open(sealed._replace(bytes=touched), PLACE)
    with pytest.raises(OurFault):
        keys.open(Sealed(1, sealed.bytes[:5]), PLACE)


def test_a_key_that_is_gone_is_named() -> None:
    sealed = SecretKeys({1: ONE}, os.urandom).seal(SECRET, PLACE)
    with pytest.raises(OurFault, match="lacks version 1"):
        SecretKeys({2: TWO}, os.urandom).open(sealed, PLACE)


@pytest.mark.parametrize("keys", [{}, {1: b"short"}, {1: ONE, 2: TWO + b"x"}])
def test_keys_of_another_size_are_refused(keys: dict[int, bytes]) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        SecretKeys(keys, os.urandom)

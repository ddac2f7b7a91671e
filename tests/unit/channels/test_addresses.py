import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.addresses import (
    ANY_ATTEMPT,
    PREFIX,
    TOKEN_LENGTH,
    Addressed,
    CallbackAddresses,
)
from engine.clock import AttemptId
from engine.ports import callback_at

KEY, OLD_KEY, OTHER = b"k" * 32, b"o" * 32, b"x" * 32
ATTEMPT = AttemptId("0190a0000000700080000000000000aa")
COMPANIES = {1: "daraja", 46: "orange-money"}
FORBIDDEN = ("mpesa", "m-pesa", "safaricom", "exe", "exec", "cmd", "sql", "query")
"""Reference mpesa.md, section 11."""

attempts = st.integers(0, 2**128 - 1).map(lambda n: AttemptId(f"{n:032x}"))
keys = st.binary(min_size=16, max_size=64)


def made(signing: list[bytes]) -> CallbackAddresses:
    return CallbackAddresses("https://pay.example.org", signing, COMPANIES)


def word(signing: list[bytes], operator: int = 1, attempt: AttemptId = ATTEMPT) -> str:
    return made(signing).address(operator, attempt).rsplit("/", 1)[1]


def test_an_address_reads_as_businesses_know_it() -> None:
    address = callback_at(made([KEY]).address(46, ATTEMPT), "status")
    server, company, kind, token = address.rsplit("/", 3)
    assert server == f"https://pay.example.org{PREFIX}" == "https://pay.example.org/api/v1/webhooks"
    assert (company, kind) == ("orange-money", "status")
    assert re.fullmatch(rf"46\.[0-9a-z]{{{TOKEN_LENGTH}}}", token)


@given(attempts, keys, st.integers(1, 99_999))
def test_an_address_leads_back_to_its_attempt(
    attempt: AttemptId, key: bytes, operator: int
) -> None:
    told = word([key], operator, attempt)
    assert made([key]).read(told) == Addressed(operator, attempt)


@given(attempts, keys)
def test_no_address_holds_a_word_that_an_operator_forbids(attempt: AttemptId, key: bytes) -> None:
    address = callback_at(made([key]).address(1, attempt), "b2c-result").lower()
    assert not [forbidden for forbidden in FORBIDDEN if forbidden in address]


def test_the_longest_address_fits_where_120_characters_are_taken() -> None:
    longest = "https://payments.example.org.uk"  # 23 behind the scheme
    address = CallbackAddresses(longest, [KEY], COMPANIES).address(46, ATTEMPT)
    assert len(callback_at(address, "callback")) <= 120


def test_the_address_to_register_is_that_of_any_attempt() -> None:
    address = made([KEY]).to_register(46)
    assert address == callback_at(made([KEY]).address(46, ANY_ATTEMPT), "callback")
    assert made([KEY]).read(address.rsplit("/", 1)[1]) == Addressed(46, ANY_ATTEMPT)


def test_an_old_key_still_verifies_after_a_rotation() -> None:
    rotated = made([KEY, OLD_KEY])
    assert rotated.read(word([OLD_KEY])) == Addressed(1, ATTEMPT)
    assert word([KEY, OLD_KEY]) == word([KEY]) != word([OLD_KEY])


@pytest.mark.parametrize(
    "given",
    [
        word([KEY]).replace("1.", "2.", 1),  # another operator's
        word([OTHER]),
        word([KEY])[:-1],
        word([KEY]) + "0",
        word([KEY]).upper(),
        word([KEY]).replace("1.", "01.", 1),
        word([KEY]).replace("1.", "١.", 1),
        word([KEY]).replace("1.", "²."),  # a digit that is no number
        "1" * 5_000 + ".",  # one that Python does not read
        word([KEY]).replace(".", ""),
        word([KEY]).replace(".", "_", 1),
        "",
        ".",
        "1.",
        "1." + "z" * TOKEN_LENGTH,  # more bits than a token has
        "1." + "0" * TOKEN_LENGTH,
        "1." + "_" * TOKEN_LENGTH,
        "1." + "c" * TOKEN_LENGTH,
        "1." + "é" * TOKEN_LENGTH,
        "1." + "\udcff" * TOKEN_LENGTH,
        "99999999999999999999." + "0" * TOKEN_LENGTH,
    ],
)
def test_an_address_we_never_made_leads_nowhere(given: str) -> None:
    assert made([KEY]).read(given) is None


def test_no_other_character_at_any_place_leads_anywhere() -> None:
    code, token = word([KEY]).split(".")
    for at in range(TOKEN_LENGTH):
        for other in set("0123456789abcdefghijklmnopqrstuvwxyz") - {token[at]}:
            forged = f"{code}.{token[:at]}{other}{token[at + 1 :]}"
            assert made([KEY]).read(forged) is None, forged

"""The short way to read a number says exactly what the numbering plans say."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.errors import CustomerMistake
from engine.msisdn import Msisdn, parse_by_numbering_plan, parse_msisdn

HOMES = ("KE", "UG")
CODES = ("254", "256", "255", "1", "44", "")
DIGITS = st.text("0123456789", min_size=0, max_size=12)


def outcome(read: object, text: str, home: str) -> Msisdn | str:
    assert callable(read)
    try:
        found: Msisdn = read(text, home)
    except CustomerMistake as mistake:
        return mistake.text_key
    return found


@pytest.mark.long("fifteen hundred numbers; quick: every range")
@settings(max_examples=1500, deadline=None)
@given(
    sign=st.sampled_from(["", "+", "00", "000", "0", "++", "+0"]),
    code=st.sampled_from(CODES),
    rest=DIGITS,
    home=st.sampled_from(HOMES),
)
@example(sign="", code="254", rest="712000001\n", home="KE")
@example(sign="", code="254", rest="٧12000001", home="KE")
def test_any_number_is_read_the_same_by_both_ways(
    sign: str, code: str, rest: str, home: str
) -> None:
    text = f"{sign}{code}{rest}"
    assert outcome(parse_msisdn, text, home) == outcome(parse_by_numbering_plan, text, home)


@pytest.mark.parametrize("home", HOMES)
def test_every_range_of_three_digits_is_read_the_same_by_both_ways(home: str) -> None:
    """Every way a national number of nine digits can begin, as it is typed at home."""
    for begins in range(100, 1000):
        text = f"0{begins}000001"
        assert outcome(parse_msisdn, text, home) == outcome(parse_by_numbering_plan, text, home)

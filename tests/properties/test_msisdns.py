"""The short way to read a number says exactly what the numbering plans say."""

from collections.abc import Iterator
from random import Random

import phonenumbers
import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from channels.numbering import NUMBERING
from engine.errors import CustomerMistake
from engine.msisdn import _DIALLING_CODES, Msisdn, parse_by_numbering_plan, parse_msisdn

HOMES = ("KE", "UG", "BJ", "CI", "CM", "NG", "SC", "TZ")
CODES = ("254", "256", "255", "229", "9254", "1", "44", "")
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


@pytest.mark.parametrize("country", sorted(_DIALLING_CODES))
def test_a_full_number_without_its_plus_is_the_same_wherever_it_is_typed(country: str) -> None:
    """No number of a country we serve, its code in front, is a number at home of another."""
    code, plan = _DIALLING_CODES[country], yaml.safe_load(NUMBERING.read_text())["ranges"]
    typed = [*nationals(country, [p for ps in plan[country].values() for p in ps])]
    assert typed
    for national in typed:
        for home in sorted(_DIALLING_CODES):
            assert outcome(parse_msisdn, f"{code}{national}", home) == f"+{code}{national}"
        for read in (parse_msisdn, parse_by_numbering_plan):
            assert outcome(read, national, country) == f"+{code}{national}"


def nationals(country: str, prefixes: list[str]) -> Iterator[str]:
    """Mobile numbers of every range that is listed, by chance but the same each time."""
    random, metadata = Random(country), phonenumbers.PhoneMetadata.metadata_for_region(country)
    assert metadata is not None and metadata.mobile and metadata.general_desc
    lengths = metadata.mobile.possible_length or metadata.general_desc.possible_length
    if country == "ZA":
        lengths = (9,)  # the library knows shorter ones, which no person has
    for prefix in prefixes:
        for length in lengths:
            for _ in range(4):
                rest = "".join(random.choices("0123456789", k=length - len(prefix)))
                found = phonenumbers.parse(f"+{_DIALLING_CODES[country]}{prefix}{rest}")
                if phonenumbers.number_type(found) == phonenumbers.PhoneNumberType.MOBILE:
                    yield prefix + rest

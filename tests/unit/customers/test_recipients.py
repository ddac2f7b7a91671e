import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.customers.recipients import NAME_SEPTETS_MAX, clean_name
from engine.errors import CustomerMistake
from engine.septets import is_gsm7, septets


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("Mama", "Mama"),
        ("  Mama \n Asha\t", "Mama Asha"),
        ("Nalubega Nakimuli Sarah", "Nalubega Nak"),
        ("Nalubega Na ", "Nalubega Na"),
        ("Zoë’s", "Zoe's"),
        ("Ŋaliaka", "Naliaka"),
        ("ab\u200bcd\x07", "abcd?"),
        ("abcdefghijk€", "abcdefghijk"),
        ("Café 2", "Café 2"),
        ("M\r\f2", "M 2"),
    ],
)
def test_a_name_becomes_what_a_screen_can_show(typed: str, kept: str) -> None:
    assert clean_name(typed) == kept


@pytest.mark.parametrize("typed", ["", "   ", "\n\r\f", "?!", "\u0301", "😀", "*#"])
def test_what_leaves_no_letter_is_no_name(typed: str) -> None:
    with pytest.raises(CustomerMistake) as caught:
        clean_name(typed)
    assert caught.value.text_key == "mistake.name"


@given(st.text(max_size=40))
def test_every_clean_name_fits_one_line_and_stays_as_it_is(typed: str) -> None:
    try:
        name = clean_name(typed)
    except CustomerMistake:
        return
    assert is_gsm7(name)
    assert name.isprintable()
    assert 0 < septets(name) <= NAME_SEPTETS_MAX
    assert clean_name(name) == name

import pytest

from simulator import septets


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("", 0),
        ("Pay KES 500?\n1. Yes", 19),
        ("€5 [a]", 9),
        ("é à ù Ç", 7),
        ("ç", 1),
        ("ç€", 2),  # one sign outside the alphabet: all of it is UCS-2
        ("ሰላም", 3),
        ("😀", 2),
    ],
)
def test_a_text_costs_septets_or_units(text: str, length: int) -> None:
    assert septets.count(text) == length


def test_the_alphabet_has_the_signs_of_the_standard() -> None:
    assert len(septets.BASIC) == 127  # the 128th is the escape
    assert not septets.BASIC & septets.EXTENSION
    assert septets.foreign("naïve ç") == "ï"
    assert septets.foreign("@£$¥ {|}~ €\f") == ""


@pytest.mark.parametrize(
    ("text", "length_max", "left"),
    [
        ("abcdef", 6, "abcdef"),
        ("abcdef", 5, "abcde"),
        ("abcd€", 5, "abcd"),
        ("ሰላም😀", 4, "ሰላም"),
        ("abc", 0, ""),
    ],
)
def test_a_cut_splits_no_sign(text: str, length_max: int, left: str) -> None:
    assert septets.cut(text, length_max) == left

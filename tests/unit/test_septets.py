"""The tables are those of the reference (sms-encoding, sections 1, 2 and 6)."""

import re
import sys
import unicodedata
from fractions import Fraction

import pytest

from engine import septets
from engine.septets import GSM7_BASIC, GSM7_EXTENSION


def test_the_alphabet_has_128_codes_at_their_places() -> None:
    assert len(GSM7_BASIC) == 128
    places = {0x00: "@", 0x02: "$", 0x11: "_", 0x1B: "\x1b", 0x24: "¤", 0x40: "¡", 0x60: "¿"}
    assert {code: GSM7_BASIC[code] for code in places} == places


@pytest.mark.parametrize(
    ("text", "cost"),
    [("", 0), ("hello\n", 6), ("€", 2), ("a[b]", 6), ("{}\\^~|", 12), ("èÇß", 3)],
)
def test_extension_characters_cost_two_septets(text: str, cost: int) -> None:
    assert septets.septets(text) == cost


@pytest.mark.parametrize("character", ["ç", "`", "\x1b", "\t", "’", "ê", "\u00a0", "₦", "😀"])
def test_characters_outside_the_alphabet_are_found(character: str) -> None:
    assert septets.outside(f"ab{character}") == character
    assert not septets.is_gsm7(character)
    with pytest.raises(ValueError, match="not in the GSM"):
        septets.septets(character)


@pytest.mark.parametrize(
    ("text", "budget", "fits"),
    [
        ("a" * 160, 160, True),
        ("a" * 161, 160, False),
        ("a" * 159 + "€", 160, False),
        ("ê" * 70, 160, True),  # 160 septets are 140 octets, 70 characters of UCS-2
        ("ê" * 71, 160, False),
        ("ê" * 79, 182, True),
        ("ê" * 80, 182, False),
    ],
)
def test_one_foreign_character_shrinks_the_whole_screen(text: str, budget: int, fits: bool) -> None:
    assert septets.fits(text, budget) is fits


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("Achieng’ Odhiambo", "Achieng' Odhiambo"),
        ("“Mama” – Ngũgĩ…", '"Mama" - Ngugi...'),
        ("François Kâ", "Francois Ka"),
        ("Ndidịamaka Ọlá", "Ndidiamaka Ola"),
        ("Wanj\u00a0iru\u200b", "Wanj iru"),
        ("Jose\u0301", "José"),  # composed: é is in the alphabet
        ("Kofi ɔ ŋ ƙ", "Kofi o n k"),
        ("Bọ\u0301lá Adẹ\u0300", "Bola Ade"),  # a second accent, which nothing composes
        ("Duka™ иван", "DukaTM ivan"),  # a sign of letters; a script with capitals keeps its own
        ("አበበ ቢቂላ", "Abebe Bikila"),
        ("ኃይለ፡ሥላሴ", "Hayle Slase"),
        ("Нина", "Nina"),
        ("محمد علي", "Mhmd 'ly"),
        ("ʿAlī", "'Ali"),
        ("Mama 😀", "Mama ?"),  # a picture has no sound
        ("\ud800", "?"),
        ("already fine é", "already fine é"),
        ("ﬁ", "fi"),
        ("½ kg", "1/2 kg"),
        ("2½", "2 1/2"),
        ("٢½", "2 1/2"),
        ("½2¼¾", "1/2 2 1/4 3/4"),
        ("x½y", "x1/2y"),
        ("1⁄2 1∕2", "1/2 1/2"),  # the strokes of fractions that somebody spelled
        ("10²", "10?"),  # not 102
        ("፲፪", "??"),  # twelve; sign by sign it would be 102
        ("5‰", "5?"),
        ("1②", "1?"),
        ("10㏠", "10?"),  # the first of a month
        ("٠١٢٫٥", "012.5"),
        ("１２", "12"),
        ("Ⅷ", "VIII"),
    ],
)
def test_names_are_written_in_the_alphabet(name: str, written: str) -> None:
    assert septets.transliterate(name) == written
    assert septets.transliterate(written) == written


def test_a_cut_never_splits_an_escape_pair() -> None:
    assert septets.cut("ab€cd", 3) == "ab"
    assert septets.cut("ab€cd", 4) == "ab€"
    assert septets.cut("abc", 3) == "abc"
    assert all(septets.septets(septets.cut("[" * 9, n)) <= n for n in range(12))
    assert set(GSM7_EXTENSION) & set("[")


EVERY_CHARACTER = tuple(map(chr, range(sys.maxunicode + 1)))


def test_a_number_that_is_no_digit_keeps_its_value_or_is_not_told() -> None:
    numerals = [c for c in EVERY_CHARACTER if unicodedata.category(c) == "No"]
    assert len(numerals) > 800
    told = {c: written for c in numerals if (written := septets.transliterate(c)) != "?"}
    assert len(told) == len("¼½¾⅐⅑⅒⅓⅔⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞↉")
    for character, written in told.items():
        above, below = map(int, written.split("/"))
        assert abs(above / below - unicodedata.numeric(character)) < 1e-6
        among = septets.transliterate(f"2{character}3{character}{character}")
        assert among == f"2 {written} 3 {written} {written}"
        assert sum(map(Fraction, among.split())) == 5 + 3 * Fraction(above, below)


def test_digits_come_of_digits_and_of_nothing_else() -> None:
    """Of a letter, a mark or a sign that a table spells with digits none is left."""
    for character in EVERY_CHARACTER:
        written = septets.transliterate(character)
        if character.isdecimal():
            assert written == str(unicodedata.decimal(character))
        elif re.search(r"\d", written):
            assert "VULGAR FRACTION" in unicodedata.name(character)

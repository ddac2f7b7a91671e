import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine.segments import PART, SINGLE, characters, coding_of, cost, parts
from engine.septets import GSM7_EXTENSION, is_gsm7, ucs2_units

# `reference: sms-encoding, section 2`; the last ones are ours.
VECTORS = [
    ("a" * 160, "gsm7", 160, 1),
    ("a" * 161, "gsm7", 161, 2),
    ("a" * 306, "gsm7", 306, 2),
    ("a" * 307, "gsm7", 307, 3),
    ("€" * 80, "gsm7", 160, 1),
    ("a" * 152 + "€" + "a" * 152, "gsm7", 306, 3),
    ("ê" * 70, "ucs2", 70, 1),
    ("ê" * 71, "ucs2", 71, 2),
    ("😀" * 35, "ucs2", 70, 1),
    ("😀" * 36, "ucs2", 72, 2),
    ("ሀ" * 70, "ucs2", 70, 1),
    ("ሀ" * 134, "ucs2", 134, 2),
    ("ሀ" * 135, "ucs2", 135, 3),
    ("", "gsm7", 0, 1),
]
ANY_TEXT = st.text(
    st.one_of(
        st.sampled_from("aZ09 €[]{}^~|\\\n"),
        st.sampled_from("éñÇ😀👍🏽👨\u200d👩🇰🇪🇺🇬ሀለê\u0301\u0300e\u200d\ufe0f"),
        st.characters(exclude_categories=["Cs"]),
    ),
    max_size=420,
)


@pytest.mark.parametrize(("text", "coding", "units", "count"), VECTORS)
def test_the_references_vectors(text: str, coding: str, units: int, count: int) -> None:
    assert (coding_of(text), cost(text, coding_of(text)), len(parts(text))) == (
        coding,
        units,
        count,
    )


@given(ANY_TEXT)
@example("0123456789 abcdefg" * 20)
@example("a" * 152 + "€" + "a" * 200)
@example("ê" * 66 + "😀" + "ê" * 66)
@example("e\u0301" * 200)
def test_joined_parts_are_the_text_and_each_fits(text: str) -> None:
    coding, found = coding_of(text), parts(text)
    assert "".join(found) == text
    room = SINGLE[coding] if len(found) == 1 else PART[coding]
    assert all(cost(part, coding) <= room for part in found)
    assert all(found) or text == ""


@given(ANY_TEXT)
@example("ሀ" * 66 + "e\u0301" + "ሀ" * 90)
def test_no_part_begins_in_the_middle_of_a_character(text: str) -> None:
    whole = list(characters(text))
    assert "".join(whole) == text
    if any(cost(c, coding_of(text)) > PART[coding_of(text)] for c in whole):
        return  # no message holds it, so it may be cut
    edges, at = {0}, 0
    for character in whole:
        at += len(character)
        edges.add(at)
    ends, at = [], 0
    for part in parts(text):
        at += len(part)
        ends.append(at)
    assert set(ends) <= edges


@given(st.text(st.sampled_from("aZ09 €[]ሀለ😀ê"), max_size=400))
def test_without_marks_the_count_is_what_gateways_count(text: str) -> None:
    """An escape pair or a surrogate pair is never split over two parts; nothing else is told."""
    if is_gsm7(text):
        costs, single, part = [2 if c in GSM7_EXTENSION else 1 for c in text], 160, 153
    else:
        costs, single, part = [ucs2_units(c) for c in text], 70, 67
    counted, used = 1, 0
    for each in costs if sum(costs) > single else ():
        if used + each > part:
            counted, used = counted + 1, 0
        used += each
    assert len(parts(text)) == counted


@pytest.mark.parametrize(
    ("text", "read_as"),
    [
        ("Zoe\u0301x ê", ["Z", "o", "e\u0301", "x", " ", "ê"]),  # a letter with its accent
        ("ê🇰🇪🇺🇬", ["ê", "🇰🇪", "🇺🇬"]),  # two letters are one flag, and the next two another
        ("ê👍🏽b", ["ê", "👍🏽", "b"]),  # a hand with its colour
        ("ê👨\u200d👩x", ["ê", "👨\u200d👩", "x"]),  # two people in one picture
        ("ê🇰ሀ", ["ê", "🇰", "ሀ"]),
        ("a😀", ["a", "😀"]),
        ("", []),
    ],
)
def test_a_character_is_what_a_reader_takes_for_one(text: str, read_as: list[str]) -> None:
    assert [*characters(text)] == read_as


def test_an_accent_moves_to_the_next_part_with_its_letter() -> None:
    first, second = parts("ê" * 66 + "e\u0301" + "ê" * 20)
    assert (len(first), second[:2]) == (66, "e\u0301")

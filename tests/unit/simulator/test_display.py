import pytest

from simulator.display import show


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("CAPP\n1. Send", "CAPP\n1. Send"),
        ("a\r\nb\rc", "a\nb\nc"),
        ("x" * 182, "x" * 182),
        ("ሰ" * 80, "ሰ" * 80),
    ],
)
def test_what_a_phone_can_show_is_shown_without_a_word(text: str, shown: str) -> None:
    assert show(text) == (shown, ())


@pytest.mark.parametrize(
    ("text", "shown", "flaw"),
    [
        ("x" * 183, "x" * 182, "the text has 183 septets, a network carries 182"),
        ("€" * 92, "€" * 91, "the text has 184 septets, a network carries 182"),
        (
            "ሰ" * 81,
            "ሰ" * 80,
            "the text has 81 UCS-2 signs ('ሰ' is not in GSM 03.38), a network carries 80",
        ),
        ("a\0b", "ab", "the text holds a sign that no phone shows: U+0000"),
        ("\x1b[2Jhi", "[2Jhi", "the text holds a sign that no phone shows: U+001B"),
        ("\u202eDIAP", "DIAP", "the text holds a sign that no phone shows: U+202E"),
        ("", "", "the screen has no text"),
        (" \n ", " \n ", "the screen has no text"),
    ],
)
def test_what_is_lost_is_said(text: str, shown: str, flaw: str) -> None:
    assert show(text) == (shown, (flaw,))


def test_two_flaws_are_two_sentences() -> None:
    shown, flaws = show("\t" + "x" * 200)
    assert (len(shown), len(flaws)) == (182, 2)

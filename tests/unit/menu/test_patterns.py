"""Patterns mean what regular expressions mean, and none of them can keep a turn waiting."""

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.menu.patterns import LENGTH_MAX, SOURCE_MAX, BrokenPattern, Pattern
from tests.alarm import alarm


@pytest.mark.parametrize(
    ("source", "matched", "refused"),
    [
        ("[0-9]{8}", ["12345678"], ["1234567", "123456789", "1234567a", "", "１２３４５６７８"]),
        (r"\d{7,8}", ["1234567", "12345678"], ["123456", "123456789"]),
        ("C[MF][A-Z0-9]{3}", ["CM00A", "CFZZZ"], ["cm00a", "CX000", "CM00", "CM0000"]),
        ("(KE|UG)-?[1-9]{2}", ["KE12", "UG-99"], ["TZ12", "KE--12", "KE1", "KE10"]),
        ("A|BC|D{2}", ["A", "BC", "DD"], ["AB", "C", "D", "DDD"]),
        (r"a\.b\?", ["a.b?"], ["axb?", "a.b"]),
        ("[a\\-c]", ["a", "-", "c"], ["b"]),
        ("[a-]", ["a", "-"], ["b"]),
        ("[ab]{1,4}", ["a", "ab", "bab", "baba"], ["", "ababa", "abc"]),
        ("x(ab){0,3}", ["x", "xab", "xabab", "xababab"], ["xa", "xabababab", "ab"]),
        ("(a?b?){3}x", ["x", "abx", "bax", "ababx"], ["ababababx", "ab"]),
    ],
)
def test_a_pattern_takes_whole_texts_and_no_others(
    source: str, matched: list[str], refused: list[str]
) -> None:
    pattern = Pattern(source)
    assert [text for text in matched if not pattern.matches(text)] == []
    assert [text for text in refused if pattern.matches(text)] == []


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("a*", "`*` is not one of ours"), ("a+", "`+` is not one of ours"),
        (".{3}", "`.` is not one of ours"), ("^a$", "`^` is not one of ours"),
        ("a{2}{3}", "counts twice"), ("a??", "counts twice"), ("a?*", "counts twice"),
        ("(?=a)b", "`?` is not one of ours"), (r"\w", "there is `\\d`"), (r"(a)\1", "there is"),
        ("[^a]", "not what may not"), ("[]", "empty set"), ("[a", "ends early"),
        ("(a", "ends where `)` is missing"), ("a)", "closes nothing"), ("a\\", "ends early"),
        ("a{0}", "counts nothing"), ("a{3,2}", "counts nothing"), ("a{,2}", "a count is"),
        ("a{2,}", "a count is"), ("a{1000}", "a count is"), ("[z-a]", "no run"),
        ("[A-z]", "no run"), ("a?", "takes nothing at all"), ("", "takes nothing at all"),
        ("a|", "takes nothing at all"), ("[" + "a" * 200 + "]", "too large"),
        ("a{41}", "up to 41 signs"), ("(a{40}){40}", "up to 1600 signs"),
        ("(((((a)))))", "nested too deeply"), ("é", "no sign of one septet"),
        ("[~]", "no sign of one septet"), ("a\n", "no sign of one septet"),
        ("(((a?){40}|b){20}|c){9}", "up to"), ("((a|b|c|d|e|f|g){20}|(h|i|j|k|l|m){20})", "large"),
    ],
)  # fmt: skip
def test_a_pattern_outside_the_language_is_refused_with_its_reason(source: str, said: str) -> None:
    with pytest.raises(BrokenPattern, match=re.escape(said)):
        Pattern(source)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("((((a))))", "a"), ("[" + "a" * (SOURCE_MAX - 2) + "]", "a"),
        ("a{40}", "a" * LENGTH_MAX), ("a{040}", "a" * LENGTH_MAX),
    ],
)  # fmt: skip
def test_a_pattern_may_be_as_large_as_it_may_be(source: str, text: str) -> None:
    assert Pattern(source).matches(text)


@pytest.mark.parametrize(
    "source", ["(a?){38}a{2}", "(a?a?){19}aa", "((a|a){2}){20}", "[ab]{0,19}[ab]{0,19}[ab]{2}"]
)
def test_no_pattern_takes_longer_than_a_look_at_each_sign(source: str) -> None:
    """Each of these takes a backtracking matcher years, or nearly."""
    pattern = Pattern(source)
    with alarm(60):
        for text in ("a" * LENGTH_MAX, "a" * (LENGTH_MAX - 1) + "b", "a" * 39 + "c", "a" * 100_000):
            pattern.matches(text)


def test_a_pattern_knows_its_lengths_and_whether_it_is_of_digits() -> None:
    assert (Pattern("A?[0-9]{7,8}").shortest, Pattern("A?[0-9]{7,8}").longest) == (7, 9)
    assert (Pattern("ab|c").shortest, Pattern("ab|c").longest) == (1, 2)
    assert Pattern(r"\d{3}|[4-6]").is_digits
    assert not Pattern("A?[0-9]{7,8}").is_digits


PARTS = st.sampled_from(["a", "b", "[ab]", "[b-d]", r"\d", "-", "(a|b)", "(ab|c)?", "(a?b){2}"])
COUNTS = st.sampled_from(["", "", "{2}", "{1,3}", "{0,2}", "?"])
PIECES = st.tuples(PARTS, COUNTS).map(
    lambda piece: piece[0] if piece[0].endswith(("?", "}")) else "".join(piece)
)
SOURCES = st.lists(st.lists(PIECES, min_size=1, max_size=4).map("".join), min_size=1, max_size=3)


@settings(max_examples=300, deadline=None)
@given(ways=SOURCES, texts=st.lists(st.text("abcd1-", max_size=9), min_size=5, max_size=20))
@example(ways=["a(ab|c)?b{0,2}"], texts=["a", "ab", "aabb", "acb", "abb", "abbb"])
def test_a_pattern_means_what_the_same_regular_expression_means(
    ways: list[str], texts: list[str]
) -> None:
    source = "|".join(ways)
    try:
        pattern = Pattern(source)
    except BrokenPattern as broken:
        assert "takes" in str(broken)
        return
    meant = re.compile(source)
    for text in texts:
        if text:
            assert pattern.matches(text) == (meant.fullmatch(text) is not None), (source, text)

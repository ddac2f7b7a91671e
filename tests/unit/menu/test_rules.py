"""What a rule says of an input before anybody types it: its words, its width, its keys."""

import pytest

from engine.menu.reading import read_menu
from engine.menu.rules import folded, keys_of, reading_mistakes, rule_problems, widest_answer
from engine.menu.screens import OneOf, Range, Regex, Rule, Screen
from engine.menu.vocabulary import READERS, WORDS_MAX
from engine.texts import Texts
from tests.unit.menu.cases import SOUND

SCREENS = read_menu(SOUND).screens


TEXTS = Texts.load(SOUND / "texts")


def asking(
    reads: str, rule: Rule | None, *, has_back: bool = True, has_home: bool = True
) -> Screen:
    return Screen(
        "s.s", "s:1", "input", "t", "t", "price", reads, False, None, {}, None, None, None, {},
        has_back, has_home, rule=rule,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("written", "same"),
    [
        ("Dark green", "darkgreen"), ("  DARK  GREEN. ", "darkgreen"), ("Dàrk-grêen", "darkgreen"),
        ("Straße", "STRASSE"), ("ﬁne", "fine"), ("አረንጓዴ", "አረንጓዴ"), ("1", "1"), ("", "!?"),
    ],
)  # fmt: skip
def test_words_are_compared_without_case_accents_and_what_stands_between(
    written: str, same: str
) -> None:
    assert folded(written) == folded(same)


def test_different_words_stay_different() -> None:
    words = ["Red", "Reed", "Rot", "ሰላም", "ሰለም", "1", "11", ""]
    assert len({folded(word) for word in words}) == len(words)


@pytest.mark.parametrize(
    ("screen", "keys", "septets"),
    [
        (asking("regex", Regex("[0-9]{7,8}", "mistake.number")), 8, 8),
        (asking("regex", Regex("C[MF][0-9]{3}", "mistake.number")), 10, 5),
        (asking("range", Range(1, 28)), 2, 2),
        (asking("range", Range(1, 999_999_999)), 9, 11),
        (asking("one_of", OneOf({"a": "home.menu", "b": "home.send"})), 1, 0),
        (asking("amount", None), READERS["amount"].keys, 0),
    ],
)
def test_an_input_takes_so_many_keys_and_so_much_room(
    screen: Screen, keys: int, septets: int
) -> None:
    assert (keys_of(screen), widest_answer(screen)) == (keys, septets)


def test_a_complaint_of_its_own_stands_in_for_the_usual_one() -> None:
    assert reading_mistakes(SCREENS["form.card"]) == ("mistake.card",)
    assert reading_mistakes(SCREENS["form.age"]) == ("mistake.range",)
    assert reading_mistakes(asking("range", Range(1, 2, "mistake.day"))) == ("mistake.day",)
    assert reading_mistakes(SCREENS["form.colour"]) == ("mistake.choice",)
    assert reading_mistakes(SCREENS["send.to"]) == READERS["msisdn"].mistakes
    assert reading_mistakes(SCREENS["home.menu"]) == ()


def test_a_screen_without_a_rule_is_read_as_before() -> None:
    ruled = {name for name, screen in SCREENS.items() if screen.rule is not None}
    assert ruled == {"form.card", "form.age", "form.colour"}
    assert {n for n, s in SCREENS.items() if s.check is not None} == {"form.name"}


@pytest.mark.parametrize(
    ("reads", "rule"),
    [
        ("range", Range(0, 9)), ("range", Range(8, 9)), ("range", Range(1, 9, "mistake.range")),
        ("regex", Regex("[0-9]{1,2}", "mistake.card")),
    ],
)  # fmt: skip
def test_what_goes_back_elsewhere_may_be_typed_where_nothing_does(reads: str, rule: Rule) -> None:
    assert list(rule_problems(asking(reads, rule, has_back=False, has_home=False), TEXTS)) == []


@pytest.mark.parametrize(
    ("has_back", "has_home", "taken"), [(True, False, "0"), (False, True, "00")]
)
def test_a_pattern_takes_no_key_that_its_screen_has(
    has_back: bool, has_home: bool, taken: str
) -> None:
    rule = Regex("[0-9]{1,2}", "mistake.card")
    screen = asking("regex", rule, has_back=has_back, has_home=has_home)
    (problem,) = rule_problems(screen, TEXTS)
    assert f"takes {taken}, which" in problem


@pytest.mark.parametrize(("count", "refused"), [(1, 1), (2, 0), (WORDS_MAX, 0), (WORDS_MAX + 1, 1)])
def test_there_are_at_least_two_words_and_at_most_as_many_as_digits(
    count: int, refused: int
) -> None:
    rule = OneOf({key: key for key in list(TEXTS)[:count]})
    assert len(rule.words) == count
    told = [told for told in rule_problems(asking("one_of", rule), TEXTS) if "takes 2" in told]
    assert len(told) == refused

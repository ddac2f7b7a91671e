"""Texts taken apart and laid out together."""

import pytest

from engine.texts import Plural, Template, join
from engine.texts.plurals import category_of


def counted(count: str = "left", **forms: str) -> Plural:
    return Plural(forms, count, lambda number: category_of("en", number))


def test_a_template_is_filled_by_name_and_in_order() -> None:
    template = Template("{a} and {b} and {a}")
    assert template.names == ("a", "b", "a")
    assert template.fill({"a": "1", "b": "{c}"}) == "1 and {c} and 1"
    assert template.fill_in_order(["1", "2", "3"]) == "1 and 2 and 3"
    with pytest.raises(KeyError):
        template.fill({"a": "1"})
    with pytest.raises(ValueError, match="size"):
        template.fill_in_order(["1"])


def test_a_plural_asks_for_its_count_even_where_it_does_not_show_it() -> None:
    plural = counted(one="One {thing}.", other="{left} {thing}s.")
    assert set(plural.names) == {"left", "thing"}
    assert plural.source == "{left} {thing}s."
    assert plural.fill({"left": "1", "thing": "try"}) == "One try."
    assert plural.fill({"left": "1,001", "thing": "try"}) == "1,001 trys."
    assert plural.fill({"left": "few", "thing": "try"}) == "few trys."
    assert plural.fill_in_order(["1" if n == "left" else "x" for n in plural.names]) == "One x."


def test_a_layout_counts_in_every_line_that_counts() -> None:
    screen = join([
        counted(one="One.", other="{left}."), Template("{name}"), counted(one="1", other="n")
    ])  # fmt: skip
    assert screen.fill({"left": "1", "name": "Jo"}) == "One.\nJo\n1"
    assert screen.fill({"left": "3", "name": "Jo"}) == "3.\nJo\nn"


def test_a_layout_of_plain_texts_is_one_template() -> None:
    screen = join([Template("To {payee}"), Template("1. Pay")])
    assert screen.source == "To {payee}\n1. Pay"
    assert [form.source for form in screen.forms] == [screen.source]


def test_two_different_counts_on_one_screen_are_refused() -> None:
    with pytest.raises(ValueError, match="two things"):
        join([counted(other="{left}"), counted(count="days", other="{days}")])

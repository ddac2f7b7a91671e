"""However long a text: its pages fit, end, and hold every word once and in order."""

import re

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from engine.menu.layout import numbered
from engine.menu.paging import Footer, paginate, shortened
from engine.septets import fits, septets

quick = settings(max_examples=40, deadline=None)

FOOTER = Footer("98 More", "0 Back", "00 Home", True, True)
BARE = Footer("98 More", "0 Back", "00 Home", False, False)

GSM = st.text("abcdefgh €^ABC.,", min_size=1, max_size=12)
WIDE = st.text("ሰላም abc.", min_size=1, max_size=12)
LINES = st.lists(st.lists(GSM, max_size=14).map(" ".join), max_size=12)
WIDE_LINES = st.lists(st.lists(WIDE, max_size=14).map(" ".join), max_size=12)
FOOTERS = st.sampled_from([FOOTER, BARE, Footer("Mbele", "Rudi", "", True, False)])
BUDGETS = st.integers(60, 182)


def bodies(pages: list[str], footer: Footer) -> list[str]:
    """Each page without the line that leads on or away."""
    last = len(pages) - 1
    ends = [footer.line(first=i == 0, last=i == last) for i in range(len(pages))]
    assert all(page.endswith(end) for page, end in zip(pages, ends, strict=True))
    return [page.removesuffix(end).rstrip("\n") for page, end in zip(pages, ends, strict=True)]


def unspaced(text: str) -> str:
    return re.sub(r"\s", "", text)


@quick
@given(LINES, FOOTERS, BUDGETS)
def test_pages_joined_hold_every_sign_once_and_in_order(
    lines: list[str], footer: Footer, budget: int
) -> None:
    pages = paginate(lines, footer, lambda text: fits(text, budget))
    assert unspaced("".join(bodies(pages, footer))) == unspaced("".join(lines))


@quick
@given(LINES, FOOTERS, BUDGETS)
def test_words_that_fit_a_page_are_never_cut(lines: list[str], footer: Footer, budget: int) -> None:
    pages = paginate(lines, footer, lambda text: fits(text, budget))
    assert " ".join(bodies(pages, footer)).split() == " ".join(lines).split()


@quick
@given(LINES | WIDE_LINES, FOOTERS, BUDGETS)
def test_every_page_fits(lines: list[str], footer: Footer, budget: int) -> None:
    for page in paginate(lines, footer, lambda text: fits(text, budget)):
        assert fits(page, budget)


@quick
@given(LINES | WIDE_LINES, FOOTERS, st.integers(1, 60))
def test_pages_end_even_where_nothing_fits(lines: list[str], footer: Footer, budget: int) -> None:
    pages = paginate(lines, footer, lambda text: fits(text, budget))
    assert 1 <= len(pages) <= len("".join(lines)) + len(lines) + 1
    assert unspaced("".join(bodies(pages, footer))) == unspaced("".join(lines))


@quick
@given(st.lists(GSM, max_size=4), FOOTERS, BUDGETS)
def test_what_fits_whole_is_one_page_and_the_lines_stay_as_they_are(
    lines: list[str], footer: Footer, budget: int
) -> None:
    end = footer.line(first=True, last=True)
    whole = "\n".join([*lines, *([end] if end else [])])
    assume(fits(whole, budget))
    assert paginate(lines, footer, lambda text: fits(text, budget)) == [whole]


@quick
@given(LINES, FOOTERS, BUDGETS)
def test_the_same_words_give_the_same_pages(lines: list[str], footer: Footer, budget: int) -> None:
    first = paginate(lines, footer, lambda text: fits(text, budget))
    assert paginate(list(lines), footer, lambda text: fits(text, budget)) == first


@quick
@given(st.integers(0, 5), st.lists(GSM, min_size=1, max_size=10), BUDGETS)
def test_item_numbers_go_on_over_the_pages(choices: int, items: list[str], budget: int) -> None:
    lines = numbered([unspaced(item) or "x" for item in items], choices)
    pages = paginate(["Title", *lines], FOOTER, lambda text: fits(text, budget))
    found = [int(n) for page in pages for n in re.findall(r"^([0-9]+)\. ", page, re.MULTILINE)]
    assert found == list(range(choices + 1, choices + 1 + len(items)))


def test_the_first_page_leads_on_the_last_leads_back_and_none_is_without_home() -> None:
    pages = paginate(["word " * 20] * 6, FOOTER, lambda text: fits(text, 100))
    assert pages[0].endswith("\n98 More 0 Back 00 Home")
    assert pages[-1].endswith("\n0 Back 00 Home")
    assert "98" not in pages[-1]
    only = paginate(["x"], BARE, lambda text: fits(text, 100))
    assert only == ["x"]


@quick
@given(st.text("abc€^ሰ", max_size=300), st.integers(0, 182))
def test_a_text_is_shortened_to_its_longest_beginning_that_fits(text: str, budget: int) -> None:
    cut = shortened(text, budget)
    assert text.startswith(cut)
    assert fits(cut, budget)
    if cut != text and fits("€", budget) and not set(text) & {"ሰ"}:
        assert septets(text[: len(cut) + 1]) > budget


@pytest.mark.parametrize("text", ["a" * 200, "a€" * 100, "€" * 100, "ሰ" * 100, "ሰላም " * 30])
@pytest.mark.parametrize("budget", [61, 160, 182])
def test_nothing_is_cut_that_would_have_fitted(text: str, budget: int) -> None:
    short = shortened(text, budget)
    assert fits(short, budget)
    assert not fits(text[: len(short) + 1], budget)


def test_a_line_is_broken_behind_its_first_word_where_the_next_does_not_fit() -> None:
    pages = paginate(["abc " + "d" * 30, "e"], BARE, lambda text: len(text) <= 34)
    assert pages[0] == "abc\n98 More"


def test_back_leads_from_any_page_but_the_first_where_a_screen_has_none() -> None:
    pages = paginate(["a" * 20, "b" * 20, "c" * 20], BARE, lambda text: len(text) <= 38)
    assert [page.split("\n", 1)[1] for page in pages] == ["98 More", "98 More 0 Back", "0 Back"]


@pytest.mark.parametrize(
    ("has_back", "has_home", "first", "last", "line"),
    [
        (True, True, True, True, "0 Back 00 Home"),
        (True, False, True, True, "0 Back"),
        (False, True, True, True, "00 Home"),
        (False, False, True, True, ""),
        (True, False, True, False, "98 More 0 Back"),
        (False, True, False, False, "98 More 0 Back 00 Home"),
        (False, True, False, True, "0 Back 00 Home"),
        (False, False, False, True, "0 Back"),
    ],
)
def test_a_page_leads_where_its_screen_may_be_left_to(
    has_back: bool, has_home: bool, first: bool, last: bool, line: str
) -> None:
    footer = Footer("98 More", "0 Back", "00 Home", has_back=has_back, has_home=has_home)
    assert footer.line(first=first, last=last) == line

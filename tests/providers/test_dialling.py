"""Where a dialled code ends and what was dialled behind it begins."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import Unreadable
from providers.dialling import dialled_behind, split_dialled, take_shortcode
from providers.json_body import JsonBody

OURS = ["*713*4#", "*713#", "*384*96#"]

SPLITS = [
    ("*713*4#", ("*713*4#", "")),
    ("*713*4*1*500#", ("*713*4#", "1*500")),  # the longest code wins
    ("*713*4*#", ("*713*4#", "")),
    ("*713#", ("*713#", "")),
    ("*713*5#", ("*713#", "5")),
    ("*713*44#", ("*713#", "44")),  # not behind *713*4#
    ("713*4", ("*713*4#", "")),  # as some gateways write a code
    ("713*4*1", ("*713*4#", "1")),
    (" *713*4# ", ("*713*4#", "")),
    ("*384*96*0712345678#", ("*384*96#", "0712345678")),
    ("*384*96**2#", ("*384*96#", "*2")),
    ("*384*97#", ("*384*97#", "")),  # nobody's
    ("*384#", ("*384#", "")),
    ("*7134#", ("*7134#", "")),
    ("hello", ("*hello#", "")),
    ("", ("*#", "")),
]


@pytest.mark.parametrize(("dialled", "expected"), SPLITS)
def test_dialled_string_is_split(dialled: str, expected: tuple[str, str]) -> None:
    assert split_dialled(dialled, OURS) == expected
    assert split_dialled(dialled, list(reversed(OURS))) == expected


BEHIND = [
    ("*713*4#", ""),
    ("*713*4*1#", "1"),
    ("713*4*1", "1"),
    ("*713*44#", None),
    ("*713#", None),
    ("1", None),
    ("", None),
]


@pytest.mark.parametrize(("dialled", "expected"), BEHIND)
def test_what_is_behind_a_code(dialled: str, expected: str | None) -> None:
    assert dialled_behind("*713*4#", dialled) == expected


@given(st.lists(st.text("0123456789", min_size=1), min_size=1))
def test_what_was_put_behind_a_code_is_found_again(inputs: list[str]) -> None:
    typed = "*".join(inputs)
    assert split_dialled(f"*384*96*{typed}#", OURS) == ("*384*96#", typed)


@pytest.mark.parametrize("code", ["713*4", "*713*4#", "713*4#", "*713*4"])
def test_code_is_neutral_however_it_is_written(code: str) -> None:
    assert take_shortcode(JsonBody("x", b'{"code": "%s"}' % code.encode()), "code") == "*713*4#"


@pytest.mark.parametrize("code", ["*#", "#", "*713*x#", "713 4", "1" * 33, "\\u0664\\u0665"])
def test_code_that_is_none_is_refused(code: str) -> None:
    with pytest.raises(Unreadable, match="code is"):
        take_shortcode(JsonBody("x", b'{"code": "%s"}' % code.encode()), "code")

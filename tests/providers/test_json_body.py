"""Flat JSON objects, read strictly; what a gateway's adapter does with them has its own suite."""

import re

import pytest

from engine.errors import Unreadable
from providers.json_body import JsonBody

PIN = "4711"


def body(text: str, *, any_case: bool = False) -> JsonBody:
    return JsonBody("x", text.encode(), any_case=any_case)


def test_fields_are_read() -> None:
    found = body('{"a": "1", "b": true, "c": 7, "d": null, "e": ""}')
    assert found.take("a", length_max=1) == "1"
    assert found.flag("b") is True
    assert found.word("c", length_max=1) == "7"
    assert found.take("d", length_max=1, empty=True) == found.get("d", length_max=1) == ""
    assert found.get("e", length_max=1) == found.get("missing", length_max=1) == ""
    assert found.word("missing", length_max=1) == found.word("e", length_max=1) == ""


WHOLE = [("0", "0"), ("-1", "-1"), ("999", "999"), ('"12"', "12"), ("null", "")]


@pytest.mark.parametrize(("value", "expected"), WHOLE)
def test_word_is_a_text_or_a_whole_number(value: str, expected: str) -> None:
    assert body(f'{{"n": {value}}}').word("n", length_max=3) == expected


@pytest.mark.parametrize("value", ["1000", "-1000", "9" * 4000, '"1000"'])
def test_word_that_is_too_long_is_refused(value: str) -> None:
    with pytest.raises(Unreadable, match="n is too long"):
        body(f'{{"n": {value}}}').word("n", length_max=3)


@pytest.mark.parametrize("value", ["true", "1.0", "1e2", "[1]", "{}"])
def test_word_of_another_type_is_refused(value: str) -> None:
    with pytest.raises(Unreadable, match="n is not a text"):
        body(f'{{"n": {value}}}').word("n", length_max=9)


@pytest.mark.parametrize("value", ['"true"', "1", "0", "null", '""', "[]"])
def test_flag_is_no_word_for_one(value: str) -> None:
    with pytest.raises(Unreadable, match="f is neither true nor false"):
        body(f'{{"f": {value}}}').flag("f")


def test_whole_value_must_match() -> None:
    pattern = re.compile("[0-9]+")
    assert body('{"a": "12"}').matching("a", pattern, length_max=2) == "12"
    for value in ("1x", "x1", "1\\n", " 1"):
        with pytest.raises(Unreadable, match="a is malformed"):
            body(f'{{"a": "{value}"}}').matching("a", pattern, length_max=9)


def test_names_differ_by_case_unless_the_company_does_not_care() -> None:
    assert body('{"A": "1", "a": "2"}').take("a", length_max=1) == "2"
    assert body('{"SESSIONid": "1"}', any_case=True).take("SessionId", length_max=1) == "1"
    with pytest.raises(Unreadable, match="a is doubled"):
        body('{"A": "1", "a": "2"}', any_case=True)
    with pytest.raises(Unreadable, match="Type is missing"):
        body("{}", any_case=True).flag("Type")


def test_doubled_field_inside_a_value_nobody_reads_is_let_pass() -> None:
    assert body('{"a": {"b": 1, "b": 2}, "c": "1"}').take("c", length_max=1) == "1"


@pytest.mark.parametrize(
    "text", [f'{{"a": "{PIN}"', f'{{"{PIN}": 1, "{PIN}": 2}}', f'{{"a": NaN, "b": {PIN}}}']
)
def test_error_never_shows_what_was_typed(text: str) -> None:
    with pytest.raises(Unreadable) as caught:
        body(text)
    assert PIN not in f"{caught.value!r} {vars(caught.value)}"
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_body_is_bounded() -> None:
    many = ",".join(f'"f{number}": 1' for number in range(33))
    with pytest.raises(Unreadable, match="too many fields"):
        body(f"{{{many}}}")
    with pytest.raises(Unreadable, match="the body is too long"):
        body(f'{{"a": "{"x" * 16_384}"}}')

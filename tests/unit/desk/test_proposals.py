"""Names and bodies as people type them."""

from typing import Any

import msgspec
import pytest

from engine.desk.proposals import BODIES, Kind, Movement, read_body, read_line, read_person
from engine.errors import StaffMistake
from engine.money import MINOR_MAX


@pytest.mark.parametrize("text", ["asha", " Asha ", "ASHA", "Ａｓｈａ"])
def test_one_person_has_one_name(text: str) -> None:
    assert read_person(text) == "asha"


@pytest.mark.parametrize("text", ["", "  ", "a\nb", "x" * 65, "a\u200bb"])
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(StaffMistake):
        read_person(text)


def test_every_kind_has_a_body_that_survives_storage() -> None:
    assert set(BODIES) == set(Kind)
    body = Movement("mtn_ug", 5)
    assert read_body(Kind.TOP_UP, msgspec.json.encode(body).decode()) == body


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (Kind.TOP_UP, {}),
        (Kind.TOP_UP, {"operator": "mtn_ug", "minor": "1.5"}),
        (Kind.TOP_UP, {"operator": "mtn_ug", "minor": "-1"}),
        (Kind.TOP_UP, {"operator": "mtn_ug", "minor": "1", "x": "1"}),
        (Kind.TOP_UP, {"operator": "mtn_ug", "minor": str(2**63)}),
        (Kind.CORRECTION, {"payment": "a" * 32, "version": "0"}),
        (Kind.CORRECTION, {"payment": "a" * 32, "version": str(2**31)}),
        (Kind.CORRECTION, {"payment": "A" * 32, "version": "1"}),
        (Kind.CORRECTION, {"payment": "a" * 31, "version": "1"}),
        (Kind.ADJUSTMENT, {"debit": "a", "credit": "b", "minor": "1", "payment": "no"}),
        (Kind.RELEASE_HOLD, {"payment": ""}),
    ],
)
def test_a_body_that_is_none_names_what_is_wrong(kind: Kind, fields: dict[str, Any]) -> None:
    with pytest.raises(StaffMistake, match=kind):
        read_body(kind, fields)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"operator": "mtn_ug"}, "TOP_UP: `minor` is missing"),
        ({"sum": "1"}, "TOP_UP: there is no `sum`; it has `operator`, `minor`"),
        ({"operator": "mtn_ug", "minor": "x"}, "TOP_UP: `minor`: expected `int`, got `str`"),
    ],
)
def test_what_is_wrong_is_said_in_words_of_the_form(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(StaffMistake) as caught:
        read_body(Kind.TOP_UP, fields)
    assert str(caught.value) == said


def test_an_id_that_is_none_is_said_without_a_pattern() -> None:
    with pytest.raises(StaffMistake, match="`payment`: 32 hexadecimal digits are wanted"):
        read_body(Kind.RELEASE_HOLD, {"payment": "7K2M9QX4TB"})


@pytest.mark.parametrize(
    "kind", [Kind.RELEASE_HOLD, Kind.REFUSE_HOLD, Kind.REFUND_RETURNED, Kind.REFUND_QUEUED]
)
def test_another_number_is_agreed_on_only_where_it_will_be_paid(kind: Kind) -> None:
    fields = {"payment": "a" * 32, "payee": "+256772000009"}
    with pytest.raises(StaffMistake, match="only REPAY_RETURNED"):
        read_body(kind, fields)
    assert read_body(Kind.REPAY_RETURNED, fields)
    # What was stored before is still read by those who list it.
    assert read_body(kind, msgspec.json.encode(fields).decode())


def test_what_is_as_long_or_as_much_as_may_be_is_taken() -> None:
    assert read_person("x" * 64) == "x" * 64
    assert read_line("y" * 500) == "y" * 500
    body = read_body(Kind.TOP_UP, {"operator": "mtn_ug", "minor": MINOR_MAX})
    assert getattr(body, "minor", 0) == MINOR_MAX


def test_numbers_may_be_typed_as_words() -> None:
    assert read_body(Kind.TOP_UP, {"operator": "mtn_ug", "minor": "5"}) == Movement("mtn_ug", 5)

"""Names and bodies as people type them."""

from typing import Any

import msgspec
import pytest

from engine.desk.proposals import BODIES, Kind, Movement, read_body, read_person
from engine.errors import StaffMistake


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


def test_numbers_may_be_typed_as_words() -> None:
    assert read_body(Kind.TOP_UP, {"operator": "mtn_ug", "minor": "5"}) == Movement("mtn_ug", 5)

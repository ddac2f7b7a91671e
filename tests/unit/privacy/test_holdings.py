"""Rows of before are brought under the key in force, each value at the place that is its own."""

from typing import Any
from uuid import UUID

import pytest

from engine.errors import Tampered
from engine.privacy.codec import read_sealed
from engine.privacy.holdings import HOLDINGS, Aging, Changes, Holding
from engine.privacy.places import (
    answer_place,
    answered_place,
    asked_place,
    pay_in_payer_place,
    pay_in_place_before,
    pay_in_reference_place,
    recipient_name_place,
    recipient_place,
    recipient_place_before,
    traffic_place_before,
)
from engine.privacy.seals import open_moved
from tests.unit.privacy.keys import DrawnSeals

ID = UUID("0190a000-0000-7000-8000-000000000001")
NUMBER = "+254712000001"
SEALS = DrawnSeals()
MARK = SEALS.index(NUMBER)

TWO_IN_ONE: dict[str, tuple[dict[str, Any], str, dict[str, str]]] = {
    "pay_in": (
        {"id": ID}, pay_in_place_before(ID.hex),
        {"payer": pay_in_payer_place(ID.hex), "reference": pay_in_reference_place(ID.hex)},
    ),
    "traffic": (
        {"id": ID}, traffic_place_before(ID.hex),
        {"asked": asked_place(ID.hex), "answered": answered_place(ID.hex)},
    ),
    "recipient": (
        {"customer_id": ID, "msisdn": MARK}, recipient_place_before(ID.hex, MARK),
        {
            "msisdn_sealed": recipient_place(ID.hex, MARK),
            "name": recipient_name_place(ID.hex, MARK),
        },
    ),
}  # fmt: skip


def holding(table: str) -> Holding:
    [found] = [each for each in HOLDINGS if each.table == table]
    return found


def renewed(table: str, row: dict[str, Any], version: int = 1) -> Changes:
    return holding(table).renew(Aging(SEALS, version, row))


@pytest.mark.parametrize("table", TWO_IN_ONE)
def test_two_columns_that_shared_a_place_are_each_given_their_own(table: str) -> None:
    key, before, places = TWO_IN_ONE[table]
    row = {**key, **{column: SEALS.seal(column, before) for column in places}}
    for column, place in places.items():
        assert open_moved(SEALS, row[column], place, before) == column  # read until it is moved
    changes = renewed(table, row)
    assert set(changes) == set(places)
    for column, place in places.items():
        assert SEALS.open(str(changes[column]), place) == column
    assert renewed(table, {**row, **changes}) == {}
    assert set(renewed(table, {**row, **changes}, version=2)) == set(places)


@pytest.mark.parametrize("table", TWO_IN_ONE)
def test_one_column_does_not_open_in_the_others_place(table: str) -> None:
    _, before, places = TWO_IN_ONE[table]
    one, other = places.values()
    with pytest.raises(Tampered):
        open_moved(SEALS, SEALS.seal("x", one), other, before)


@pytest.mark.parametrize("table", ["client_request", "staff_request"])
def test_answers_are_sealed_anew_and_plain_ones_too(table: str) -> None:
    place = answer_place(ID.hex)
    told = '{"payee":"+254712000001"}'
    for kept in (told, SEALS.seal(told, place)):
        changes = renewed(table, {"operation": ID, "answer": kept.encode()}, version=2)
        answer = changes["answer"]
        assert isinstance(answer, bytes) and read_sealed(answer.decode()) is not None
        assert SEALS.open(answer.decode(), place) == told
        assert renewed(table, {"operation": ID, "answer": answer}) == {}
    assert renewed(table, {"operation": ID, "answer": None}) == {}

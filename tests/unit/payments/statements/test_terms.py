from datetime import UTC, date, datetime

import msgspec
import pytest

from engine.payments.statements.terms import Terms, read_terms

NAIROBI = Terms(utc_offset_minutes=180)


def test_a_day_begins_and_ends_at_the_operators_midnight() -> None:
    day = date(2026, 11, 20)
    assert NAIROBI.begins(day) == datetime(2026, 11, 19, 21, 0, tzinfo=UTC)
    first = int(NAIROBI.begins(day).timestamp() * 1000)
    assert [NAIROBI.day_of(first + n) for n in (-1, 0)] == [date(2026, 11, 19), day]
    assert NAIROBI.day_of(NAIROBI.ends_ms(day)) == date(2026, 11, 21)
    assert NAIROBI.day_of(NAIROBI.ends_ms(day) - 1) == day


def test_an_operator_says_only_what_is_unusual() -> None:
    book = read_terms(
        {"usual": {"ageing_days": 3}, "operators": {"mpesa_ke": {"utc_offset_minutes": 180}}}
    )
    assert book.of("mpesa_ke") == Terms(utc_offset_minutes=180, ageing_days=3)
    assert book.of("somebody_else") == Terms(ageing_days=3)


@pytest.mark.parametrize(
    "raw",
    [
        {"usual": {"ageing_day": 3}},
        {"usual": {"ageing_days": -1}},
        {"usual": {"case_days": 0}},
        {"operators": {"mpesa_ke": {"absence_proves_after_days": -1}}},
        {"operators": {"mpesa_ke": {"utc_offset_minutes": 3000}}},
        {"operator": {}},
    ],
)
def test_senseless_terms_are_refused(raw: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        read_terms(raw)

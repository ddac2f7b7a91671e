from datetime import UTC, date, datetime, timedelta

import msgspec

from engine.clock import CustomerId, PaymentId, first_id_at
from engine.compliance.limits import Ceiling, Limits
from engine.compliance.policy import LargeFrom
from engine.compliance.profiles import Profile
from engine.money import Money
from engine.msisdn import Msisdn
from engine.payments.facts import Facts
from engine.payments.lifecycle import TABLE, Event, State
from engine.payments.reports import (
    LATE,
    WITHOUT_MONEY,
    LargePayment,
    Reported,
    large_among,
    travel_record,
)
from tests.unit.payments.examples import PAYEE, PAYER, quote

DAY = timedelta(days=1)
CEILING = Ceiling(1, 1, 1)
LIMITS = Limits({"KES": dict.fromkeys((0, 1, 2), CEILING)}, {"KE": 180})
LARGE = {"KE": LargeFrom("KES", 1_000_000)}
NOON = datetime(2026, 11, 4, 9, tzinfo=UTC)
JANE = Profile(CustomerId("c" * 32), PAYER, "KE", 1, "Jane Wanjiku", date(1990, 5, 31), NOON)


def payment(
    minor: int,
    at: datetime = NOON,
    *,
    payer: Msisdn = PAYER,
    state: State = State.PAID,
    late: datetime | None = None,
) -> Reported:
    terms = msgspec.structs.replace(quote(), amount=Money(minor, "KES"), payer=payer)
    facts = Facts(terms, 1, CustomerId("c" * 32))
    return Reported(PaymentId(first_id_at(at)), state, facts, late)


def large(*payments: Reported) -> list[LargePayment]:
    return list(large_among(payments, LARGE, LIMITS))


def test_a_payment_of_the_threshold_is_reported_and_one_below_is_not() -> None:
    (line,) = large(payment(1_000_000))
    assert (line.amount, line.day_total, line.country, line.state) == (
        "10000.00", "10000.00", "KE", "PAID",
    )  # fmt: skip
    assert large(payment(999_999)) == []


def test_payments_of_one_day_count_together() -> None:
    lines = large(payment(600_000), payment(600_000, NOON.replace(hour=15)))
    assert [(line.amount, line.day_total) for line in lines] == [("6000.00", "12000.00")] * 2


def test_two_days_or_two_payers_do_not_count_together() -> None:
    midnight = datetime(2026, 11, 4, 21, tzinfo=UTC)  # in Nairobi
    assert large(payment(600_000), payment(600_000, midnight)) == []
    assert large(payment(600_000), payment(600_000, payer=Msisdn("+254712000009"))) == []


def told(*payments: Reported) -> list[tuple[str, str, int]]:
    """Amount, the day's sum as of then, and how many days after noon each counts."""
    lines = large(*payments)
    return [(p.amount, p.day_total, (p.counts_at - NOON).days) for p in lines]


def test_late_money_counts_when_it_is_proven_and_changes_nothing_of_what_was_told() -> None:
    on_time = payment(1_000_000), payment(200_000, NOON.replace(hour=10))
    before = told(*on_time)
    assert before == [("10000.00", "12000.00", 0), ("2000.00", "12000.00", 0)]
    third = payment(100_000, NOON.replace(hour=11), late=NOON + 3 * DAY)
    first = payment(300_000, NOON.replace(hour=8), late=NOON + 5 * DAY)
    after = [("1000.00", "13000.00", 3), ("3000.00", "16000.00", 5)]
    assert told(*on_time, third, first) == before + after


def test_late_money_takes_the_rest_of_its_day_to_the_threshold() -> None:
    on_time = payment(600_000)
    little = payment(100_000, NOON.replace(hour=10), late=NOON + 2 * DAY)
    enough = payment(300_000, NOON.replace(hour=11), late=NOON + 3 * DAY)
    more = payment(100_000, NOON.replace(hour=12), late=NOON + 4 * DAY)
    assert told(on_time, little) == []
    assert told(on_time, little, enough, more) == [
        ("6000.00", "10000.00", 3), ("1000.00", "10000.00", 3), ("3000.00", "10000.00", 3),
        ("1000.00", "11000.00", 4),
    ]  # fmt: skip


def test_money_that_comes_late_ends_nowhere_else() -> None:
    late = {t.target for t in TABLE if t.event is Event.LATE_MONEY_PROVEN}
    for _ in State:
        late |= {t.target for t in TABLE if t.source in late}
    assert late == set(LATE)
    ended = {t.source for t in TABLE if t.event is Event.LATE_MONEY_PROVEN}
    assert ended == set(WITHOUT_MONEY)


def test_money_that_came_late_on_the_same_day_is_none_of_another() -> None:
    late = payment(600_000, late=NOON.replace(hour=15))
    assert told(payment(600_000), late) == [("6000.00", "12000.00", 0)] * 2


def test_a_country_without_a_threshold_reports_nothing() -> None:
    assert list(large_among([payment(9_000_000)], {}, LIMITS)) == []
    other = {"KE": LargeFrom("UGX", 1)}
    assert list(large_among([payment(9_000_000)], other, LIMITS)) == []


def test_a_travel_record_names_both_ends_and_invents_nothing() -> None:
    record = travel_record(payment(100_000), {PAYER: JANE})
    originator = record["originator"]["originatorPersons"][0]["naturalPerson"]
    assert originator["name"]["nameIdentifier"][0]["primaryIdentifier"] == "Jane Wanjiku"
    assert originator["dateAndPlaceOfBirth"] == {"dateOfBirth": "1990-05-31"}
    assert record["originator"]["accountNumber"] == [PAYER]
    beneficiary = record["beneficiary"]["beneficiaryPersons"][0]["naturalPerson"]
    assert beneficiary == {"countryOfResidence": "UG"}
    assert record["beneficiary"]["accountNumber"] == [PAYEE]
    assert record["payment"]["amount"] == "1000.00"
    assert (record["originatingInstitution"], record["beneficiaryInstitution"]) == (
        "mpesa_ke", "mtn_ug",
    )  # fmt: skip
    msgspec.json.encode(record)

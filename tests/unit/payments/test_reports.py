from datetime import UTC, date, datetime

import msgspec

from engine.clock import CustomerId, PaymentId, first_id_at
from engine.compliance.limits import Ceiling, Limits
from engine.compliance.policy import LargeFrom
from engine.compliance.profiles import Profile
from engine.money import Money
from engine.msisdn import Msisdn
from engine.payments.facts import Facts
from engine.payments.lifecycle import State
from engine.payments.reports import LargePayment, Reported, large_among, travel_record
from tests.unit.payments.examples import PAYEE, PAYER, quote

CEILING = Ceiling(1, 1, 1)
LIMITS = Limits({"KES": dict.fromkeys((0, 1, 2), CEILING)}, {"KE": 180})
LARGE = {"KE": LargeFrom("KES", 1_000_000)}
NOON = datetime(2026, 11, 4, 9, tzinfo=UTC)
JANE = Profile(CustomerId("c" * 32), PAYER, "KE", 1, "Jane Wanjiku", date(1990, 5, 31), NOON)


def payment(
    minor: int, at: datetime = NOON, *, payer: Msisdn = PAYER, state: State = State.PAID
) -> Reported:
    terms = msgspec.structs.replace(quote(), amount=Money(minor, "KES"), payer=payer)
    return Reported(PaymentId(first_id_at(at)), state, Facts(terms, 1, CustomerId("c" * 32)))


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

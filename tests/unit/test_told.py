"""What the end-to-end tests take for an SMS too many."""

from datetime import UTC, datetime

from simulator.inspect import Amount, Payment, Step
from tests.e2e.told import DELAYS, but_delays, compare

AT = datetime(2026, 11, 23, tzinfo=UTC)
RECEIPT = "AB12CD Confirmed."
LATE = f"AB12CD {DELAYS[0]}. Your money is safe."


def paid(*states: str, code: str = "AB12CD") -> Payment:
    shilling = Amount(currency="KES", minor=100)
    return Payment(
        payment_id="1", code=code, state=states[-1], amount=shilling, fee=shilling,
        receives=shilling, payer="+254712000001", payee="+254712000002",
        steps=[Step(n, state, AT, []) for n, state in enumerate(states)], attempts=[],
    )  # fmt: skip


def test_each_phrase_stands_in_a_text_of_its_own() -> None:
    assert compare([LATE, RECEIPT], ["Confirmed."]) == ([], [LATE])
    assert compare([RECEIPT], ["Confirmed.", "Confirmed."]) == (["Confirmed."], [])
    assert compare([RECEIPT, RECEIPT], ["Confirmed."]) == ([], [RECEIPT])


def test_a_delay_is_expected_once_of_each_payment_that_was_delayed() -> None:
    delayed = paid("PAYING", "PAYOUT_UNKNOWN", "PAID")
    assert but_delays([LATE], [delayed]) == []
    assert but_delays([LATE, LATE], [delayed]) == [LATE]
    assert but_delays([LATE], [paid("PAYING", "PAID")]) == [LATE]
    assert but_delays([LATE], [paid("PAYOUT_QUEUED", "PAID", code="EF34GH")]) == [LATE]
    assert but_delays([RECEIPT], [delayed]) == [RECEIPT]

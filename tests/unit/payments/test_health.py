import pytest

from engine.errors import (
    OutcomeUnknown,
    ProviderError,
    Rejected,
    Throttled,
    Unreachable,
    Unreadable,
)
from engine.payments.health import (
    FAULT_POINTS,
    MILLION,
    PRIOR,
    Tally,
    Told,
    band_of,
    believe,
    told_by_error,
    told_by_finding,
)
from engine.ports import Direction, Finding, Outcome, Reason

CUSTOMERS = {
    Reason.INSUFFICIENT_FUNDS, Reason.DECLINED, Reason.WRONG_PIN, Reason.NOT_REACHED, Reason.LIMIT,
    Reason.NOT_REGISTERED, Reason.CANNOT_RECEIVE,
}  # fmt: skip


@pytest.mark.parametrize("direction", Direction)
@pytest.mark.parametrize("reason", Reason)
def test_a_refusal_that_lies_with_the_customer_is_no_fault_of_the_operator(
    reason: Reason, direction: Direction
) -> None:
    told = told_by_error(Rejected("x", "no", code="1", reason=reason), direction)
    assert told is told_by_finding(Finding(Outcome.FAILED, "1", reason=reason), direction)
    assert (told is Told.DECLINED) == (reason in CUSTOMERS)
    payers_may_be = reason is Reason.OTHER and direction is Direction.COLLECT
    assert (told in FAULT_POINTS) == (reason not in CUSTOMERS and not payers_may_be)
    assert (told is None) == payers_may_be


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (Throttled("x", "later"), Told.THROTTLED),
        (Throttled("x", "our own pace", by_us=True), None),
        (Throttled("x", "another prompt is on the phone", by_customer=True), None),
        (Unreachable("x", "gone"), Told.UNREACHABLE),
        (OutcomeUnknown("x", "silence"), Told.UNCLEAR),
        (Rejected("x", "keys", code="401", reason=Reason.CONFIGURATION), Told.MISCONFIGURED),
        (Unreadable("x", "garbage"), None),
    ],
)
def test_errors_say_what_they_say(error: ProviderError, told: Told | None) -> None:
    assert {told_by_error(error, direction) for direction in Direction} == {told}


def test_only_an_end_tells_something() -> None:
    said = {o: told_by_finding(Finding(o, "c"), Direction.DISBURSE) for o in Outcome}
    assert {o for o, told in said.items() if told} == {Outcome.SUCCEEDED, Outcome.FAILED}
    assert said[Outcome.SUCCEEDED] is Told.SUCCEEDED
    assert said[Outcome.FAILED] is Told.UNEXPLAINED


@pytest.mark.parametrize(
    ("minor", "band"),
    [(0, 0), (999, 0), (1_000, 1), (4_999, 1), (5_000, 2), (25_000, 3), (9**9, 3)],
)
def test_bands_are_shares_of_the_largest_amount(minor: int, band: int) -> None:
    assert band_of(minor, 100_000) == band
    assert band_of(minor, 0) == 0


def test_nothing_told_is_the_prior() -> None:
    assert believe([]) == believe([Tally(), Tally(declined=50)]) == PRIOR
    assert PRIOR.success_ppm == 950_000
    assert PRIOR.unclear_ppm == 25_000


def test_what_was_told_half_a_life_ago_counts_half() -> None:
    now, before = Tally(unreachable=8), Tally(unreachable=16)
    assert believe([now]) == believe([Tally(), before])
    assert believe([now]).success_ppm < believe([Tally(), now]).success_ppm < PRIOR.success_ppm


def test_throttling_is_half_a_fault_and_an_unclear_end_is_a_whole_one() -> None:
    assert believe([Tally(throttled=2)]).bad == believe([Tally(unreachable=1)]).bad
    assert believe([Tally(unclear=3)]).unclear_ppm > PRIOR.unclear_ppm
    assert believe([Tally(unreachable=3)]).unclear_ppm < PRIOR.unclear_ppm


def test_much_that_succeeded_outweighs_the_prior() -> None:
    assert believe([Tally(succeeded=10_000)]).success_ppm > 999_000
    assert believe([Tally(unclear=10_000)]).success_ppm < MILLION // 500


def test_tallies_add_up() -> None:
    assert Tally(1, 2, 3, 4, 5, 6, 7) + Tally(unclear=1) == Tally(1, 2, 3, 4, 5, 6, 8)
    assert Tally(1, 1, 1, 1, 1, 1, 1).count == 7
    assert Tally(1, 1, 1, 1, 1, 1, 1).good_points == 4
    assert Tally(1, 1, 1, 1, 1, 1, 1).fault_points == 8

from engine.money import Money
from engine.payments.breaker import Position
from engine.payments.health import Tally, believe
from engine.payments.outlook import Condition, Outlook, outlook
from engine.payments.ranking import Ranking, Refusal, Terms
from tests.unit.payments.candidates import candidate, ranked


def expected(ranking: Ranking) -> Outlook:
    return outlook(ranking, Money(1_000, "UGX"))


def test_two_healthy_ends_will_most_likely_do() -> None:
    seen = expected(ranked(candidate(), payer=candidate("mpesa_ke")))
    assert seen.would_be_taken
    assert seen.success_ppm == 902_500  # 95 % of 95 %
    assert seen.payer is not None
    assert seen.payer.condition is Condition.WELL
    assert [(end.operator, end.refusal) for end in seen.payee] == [("mtn_ug", None)]
    assert seen.has_liquidity
    assert seen.is_within_limits


def test_an_operator_that_is_down_at_the_payers_end_takes_nothing() -> None:
    seen = expected(ranked(candidate(), payer=candidate("mpesa_ke", breaker=Position.OPEN)))
    assert not seen.would_be_taken
    assert seen.success_ppm == 0
    assert seen.payer is not None
    assert (seen.payer.condition, seen.payer.refusal) == (Condition.DOWN, Refusal.BREAKER_OPEN)
    assert [end.operator for end in seen.payee] == ["mtn_ug"]
    assert seen.has_liquidity


def test_an_operator_that_mostly_fails_is_shaky_and_so_is_one_being_tried() -> None:
    poor = believe([Tally(succeeded=50, unclear=50)])
    being_tried = candidate("airtel_ug", breaker=Position.HALF_OPEN, may_probe=True)
    seen = expected(ranked(candidate(belief=poor), being_tried))
    assert {end.condition for end in seen.payee} == {Condition.SHAKY}
    assert seen.success_ppm == seen.payee[0].success_ppm


def test_what_is_short_is_named() -> None:
    poor = expected(ranked(candidate(float_minor=0), candidate("airtel_ug", available_minor=0)))
    assert (poor.would_be_taken, poor.has_liquidity, poor.is_within_limits) == (False, False, True)
    capped = expected(ranked(candidate(terms=Terms(day_minor_max=0))))
    assert (capped.has_liquidity, capped.is_within_limits) == (True, False)
    too_much = expected(ranked(candidate(), payer=candidate("mpesa_ke", amount_minor=9**9)))
    assert not too_much.is_within_limits


def test_it_holds_what_arrives_and_the_most_that_its_payout_may_cost() -> None:
    ways = candidate(cost_minor=7), candidate("airtel_ug", cost_minor=30)
    assert expected(ranked(*ways)).holds == Money(1_030, "UGX")

import random
from typing import Any

import msgspec
import pytest

from engine.decisions import Decision
from engine.payments.breaker import Position
from engine.payments.health import MILLION, Belief, Tally, believe
from engine.payments.ranking import (
    EXPLORE_PPM_MIN,
    Refusal,
    RouteRules,
    Terms,
    replay,
)
from tests.unit.payments.candidates import candidate, ranked

POOR = believe([Tally(succeeded=50, unclear=50)])


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"cost_minor": None}, Refusal.CORRIDOR_CLOSED),
        ({"amount_minor": 499}, Refusal.AMOUNT_OUTSIDE),
        ({"amount_minor": 5_000_001}, Refusal.AMOUNT_OUTSIDE),
        ({"unit_minor": 3_000}, Refusal.AMOUNT_OUTSIDE),
        ({"breaker": Position.OPEN}, Refusal.BREAKER_OPEN),
        ({"breaker": Position.OPEN, "may_probe": True}, Refusal.BREAKER_OPEN),
        ({"breaker": Position.HALF_OPEN}, Refusal.BREAKER_PROBING),
        ({"breaker": Position.HALF_OPEN, "may_probe": True}, None),
        ({"available_minor": 28_299}, Refusal.NO_LIQUIDITY),
        ({"available_minor": 28_300}, None),
        ({"available_minor": 28_300, "in_flight_minor": 1}, Refusal.NO_LIQUIDITY),
        ({"available_minor": 28_400, "in_flight_minor": 1_000}, None),
        ({"available_minor": 28_399, "in_flight_minor": 1_000}, Refusal.NO_LIQUIDITY),
        ({"float_minor": 28_299}, Refusal.NO_FLOAT),
        ({"float_minor": 28_300}, None),
        ({"float_minor": None, "available_minor": None}, None),
        ({"terms": Terms(day_minor_max=30_000), "day_minor": 2_000}, None),
        ({"terms": Terms(day_minor_max=30_000), "day_minor": 2_001}, Refusal.CAP_DAY),
        (
            {"terms": Terms(day_minor_max=30_000), "day_minor": 2_000, "in_flight_minor": 1},
            Refusal.CAP_DAY,
        ),
        ({"terms": Terms(month_minor_max=30_000), "month_minor": 2_000}, None),
        ({"terms": Terms(month_minor_max=30_000), "month_minor": 2_001}, Refusal.CAP_MONTH),
    ],
)
def test_each_refusal_has_its_name(changes: dict[str, Any], why: Refusal | None) -> None:
    ranking = ranked(candidate(**changes))
    assert [refused.why for refused in ranking.refused] == ([why] if why else [])
    assert ranking.ways == (() if why else ("mtn_ug",))


def test_the_parts_of_a_score_are_whole_millionths_and_add_up() -> None:
    belief = Belief(good=900, bad=100, unclear=50)
    terms = Terms(month_minor_promised=1)
    (scored,) = ranked(candidate(belief=belief, available_minor=280_000, terms=terms)).scored
    assert scored.success_ppm == 900_000
    assert scored.margin_micro == 700 * MILLION
    assert scored.cost_micro == 300 * MILLION
    assert scored.unclear_micro == 28 * MILLION  # 5 % of 2 % of 28,000
    assert scored.shadow_micro == 14 * MILLION  # a tenth of the pool, so a tenth of 0.5 %
    assert scored.promise_micro == 56 * MILLION  # 0.2 % until the promise is kept
    assert scored.score_micro == (700 - 300 - 28 - 14 + 56) * 900_000


def test_the_cheaper_way_goes_first_while_both_work() -> None:
    assert ranked(candidate(), candidate("airtel_ug", cost_minor=250)).ways == (
        "airtel_ug",
        "mtn_ug",
    )


def test_a_way_that_fails_loses_to_a_dearer_one_that_works() -> None:
    ranking = ranked(candidate(), candidate("airtel_ug", cost_minor=250, belief=POOR))
    assert ranking.ways == ("mtn_ug", "airtel_ug")


def test_a_loss_does_not_shrink_by_failing_often() -> None:
    dear = [candidate("airtel_ug", cost_minor=5_000), candidate(cost_minor=5_000, belief=POOR)]
    assert ranked(*dear).ways == ("airtel_ug", "mtn_ug")
    assert all(scored.score_micro < 0 for scored in ranked(*dear).scored)


def test_scarce_float_makes_a_way_dearer() -> None:
    ranking = ranked(candidate(float_minor=30_000), candidate("airtel_ug"))
    assert ranking.ways == ("airtel_ug", "mtn_ug")


def test_a_promised_volume_is_preferred_until_it_is_reached() -> None:
    def ways(month_minor: int) -> tuple[str, ...]:
        terms = Terms(month_minor_promised=1_000_000)
        return ranked(
            candidate(), candidate("airtel_ug", terms=terms, month_minor=month_minor)
        ).ways

    assert ways(999_999) == ("airtel_ug", "mtn_ug")
    assert ways(1_000_000) == ("mtn_ug", "airtel_ug")


def test_on_a_tie_the_wallets_own_operator_goes_first_then_the_name() -> None:
    three = [candidate("zain_ug"), candidate(), candidate("airtel_ug")]
    assert ranked(*three).ways == ("mtn_ug", "airtel_ug", "zain_ug")


def test_two_of_a_hundred_payments_explore_and_never_the_best_way() -> None:
    draws = range(0, MILLION, 500)
    ways = [
        ranked(candidate(), candidate("airtel_ug"), candidate("zain_ug"), draw_ppm=d) for d in draws
    ]
    explored = [r for r in ways if r.lead == "explored"]
    assert len(explored) * 100 == len(ways) * 2
    assert {r.ways for r in explored} == {
        ("airtel_ug", "mtn_ug", "zain_ug"),
        ("zain_ug", "mtn_ug", "airtel_ug"),
    }
    assert {r.ways[0] for r in ways if r.lead == "best"} == {"mtn_ug"}


def test_less_exploration_than_two_of_a_hundred_is_refused() -> None:
    with pytest.raises(ValueError, match="explore_ppm"):
        RouteRules(explore_ppm=EXPLORE_PPM_MIN - 1)


def test_a_single_way_is_never_an_exploration() -> None:
    assert ranked(candidate(), draw_ppm=0).lead == "best"


def test_a_canary_gets_its_share_and_nothing_more() -> None:
    canary = candidate("airtel_ug", cost_minor=0, terms=Terms(canary_ppm=50_000))
    rankings = [ranked(candidate(), canary, draw_ppm=d) for d in range(0, MILLION, 1_000)]
    sung = [r for r in rankings if r.lead == "canary"]
    assert len(sung) == 50
    assert {r.ways for r in sung} == {("airtel_ug", "mtn_ug")}
    others = [r for r in rankings if r.lead != "canary"]
    assert {r.ways for r in others} == {("mtn_ug",)}
    assert {refused.why for r in others for refused in r.refused} == {Refusal.CANARY}


def test_where_nothing_is_proven_a_canary_serves_all() -> None:
    canary = candidate("airtel_ug", terms=Terms(canary_ppm=0))
    assert ranked(candidate(breaker=Position.OPEN), canary).ways == ("airtel_ug",)


def test_without_a_payer_who_can_be_collected_from_there_is_no_way() -> None:
    payer = candidate("mpesa_ke", breaker=Position.OPEN)
    ranking = ranked(candidate(), payer=payer)
    assert ranking.ways == ()
    assert ranking.payer_refused is Refusal.BREAKER_OPEN
    assert ranking.decision.outcome == "none"
    assert ranking.decision.reason == "none; collecting, mpesa_ke: breaker_open"


def test_a_quote_must_hold_the_dearest_of_its_ways() -> None:
    ranking = ranked(
        candidate(), candidate("airtel_ug", cost_minor=450), candidate("b_ug", cost_minor=None)
    )
    assert ranking.payout_cost_minor_max == 450
    assert (ranking.ways, ranking.way_costs) == (("mtn_ug", "airtel_ug"), (300, 450))


def test_ways_that_charge_the_same_need_no_cost_of_their_own() -> None:
    assert ranked(candidate(), candidate("airtel_ug")).way_costs == ()
    assert ranked(candidate(cost_minor=450)).way_costs == ()


def test_the_decision_names_ways_and_refusals_and_holds_no_number() -> None:
    decision = ranked(candidate(), candidate("airtel_ug", breaker=Position.OPEN)).decision
    assert decision.outcome == "mtn_ug"
    assert decision.reason == "best; airtel_ug: breaker_open"
    assert set(decision.inputs) == {"payer", "candidates", "margin_minor", "draw_ppm", "rules"}


def test_a_decision_that_went_through_json_is_made_again_exactly() -> None:
    ranking = ranked(
        candidate(belief=POOR),
        candidate("airtel_ug", terms=Terms(canary_ppm=5)),
        payer=candidate("mpesa_ke"),
        draw_ppm=random.Random(1).randrange(MILLION),
    )
    stored = msgspec.json.decode(msgspec.json.encode(ranking.decision), type=Decision)
    assert replay(stored) == ranking

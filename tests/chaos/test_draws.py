"""What a seed fixes is fixed, and a short run kills everybody."""

from itertools import islice
from random import Random

from simulator.faults import CATALOGUE
from tests.chaos.draws import (
    ANYWHERE,
    CLOCKS,
    EACH,
    FAULTS,
    FREEZES,
    LATE_FAULTS,
    OVERTAKES,
    TOGETHER,
    TROUBLES_IN_A_ROUND,
    Trouble,
    Victim,
    draw_blows,
    draw_both,
    draw_clocks,
    draw_freezes,
    draw_full_disks,
    draw_orders,
    draw_starvations,
    draw_troubles,
)
from tests.chaos.relay import Weather
from tests.chaos.troubles import BEGUN_OTHERWISE, LED_TO


def test_same_seed_draws_the_same_blows_and_orders() -> None:
    troubles = (draw_troubles, draw_both, draw_freezes, draw_clocks, draw_full_disks)
    for draw in (draw_blows, *troubles, draw_starvations, draw_orders):
        first, second, other = (list(islice(draw(Random(seed)), 50)) for seed in ("a", "a", "b"))
        assert first == second != other


def test_four_cycles_kill_each_once_and_the_fifth_is_another_blow() -> None:
    for seed in range(20):
        *alone, last = islice(draw_blows(Random(seed)), len(EACH) + 1)
        assert sorted(blow.victims for blow in alone) == sorted((victim,) for victim in EACH)
        assert last.victims in TOGETHER


def test_a_round_of_both_kills_each_and_brings_troubles_none_twice_before_all_came() -> None:
    rounds = -(-len(ANYWHERE) // TROUBLES_IN_A_ROUND)
    a_round = len(EACH) + 1 + TROUBLES_IN_A_ROUND
    blows = [*islice(draw_both(Random(1)), rounds * a_round)]
    troubles = [v for blow in blows for v in blow.victims if isinstance(v, Trouble)]
    killed = [v for blow in blows for v in blow.victims if isinstance(v, Victim)]
    assert sorted(troubles[: len(ANYWHERE)]) == sorted(ANYWHERE)
    assert {*killed} >= {*EACH}


def test_a_freeze_outlasts_who_waits_and_who_is_overtaken_sleeps_longer_than_a_lease() -> None:
    blows = [*islice(draw_freezes(Random(1)), 200)]
    assert {blow.victims[0] for blow in blows} == {*FREEZES}
    assert all(15 <= blow.down_seconds <= 90 and not blow.off_seconds for blow in blows)
    overtaken = [blow.down_seconds for blow in blows if blow.victims[0] in OVERTAKES]
    assert min(overtaken) > 60  # seconds, CAPP_LEASE_SECONDS where nobody says otherwise
    assert min(blow.down_seconds for blow in blows) < 20 < 80 < max(overtaken)


def test_a_clock_is_off_by_minutes_either_way() -> None:
    blows = [*islice(draw_clocks(Random(1)), 50)]
    assert {blow.victims[0] for blow in blows} == {*CLOCKS}
    assert all(60 <= blow.off_seconds <= 180 for blow in blows)


def test_every_trouble_is_known_to_who_brings_it() -> None:
    for trouble in Trouble:
        whom, what = trouble.split()
        is_weather = whom in LED_TO and what in {*Weather}
        assert is_weather is not (trouble in BEGUN_OTHERWISE), trouble


def test_orders_go_both_ways_and_few_meet_a_fault() -> None:
    orders = list(islice(draw_orders(Random(1)), 1000))
    assert {order.payer for order in orders} == {"KE", "UG"}
    assert 50 < sum(bool(order.faults) for order in orders) < 300


def test_every_fault_can_happen_to_its_call() -> None:
    assert [
        fault for fault in (*FAULTS, *LATE_FAULTS) if fault.name not in CATALOGUE[fault.on]
    ] == []

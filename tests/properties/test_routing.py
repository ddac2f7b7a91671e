"""What must hold for any operators, any lots and any order of what they tell."""

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.decisions import Decision
from engine.payments.breaker import (
    Breaker,
    BreakerRules,
    Inputs,
    Position,
    decide,
    move,
    run_of,
)
from engine.payments.breaker import replay as replay_breaker
from engine.payments.health import FAULT_POINTS, MILLION, Belief, Tally, Told, believe
from engine.payments.ranking import (
    EXPLORE_PPM_MIN,
    Candidate,
    RouteRules,
    Terms,
    rank,
    refusal,
    replay,
)
from engine.ports import Direction
from tests.unit.payments.candidates import candidate

minor = st.integers(0, 10**7)
counts = st.integers(0, 10**5)
told = st.sampled_from(Told)
tallies = st.builds(Tally, counts, counts, counts, counts, counts, counts, counts)
points = st.integers(1, 10**8)
beliefs = st.builds(Belief, points, points, st.integers(0, 10**8))
terms = st.builds(
    Terms,
    st.none() | minor,
    st.none() | minor,
    minor,
    st.none() | st.integers(0, MILLION),
)
rules = st.builds(
    RouteRules,
    st.integers(EXPLORE_PPM_MIN, 300_000),
    *[st.integers(0, 10_000)] * 4,
)
draws = st.integers(0, MILLION - 1)
GOOD = (Told.SUCCEEDED, Told.DECLINED)


@st.composite
def candidates_(draw: st.DrawFn, name: str = "") -> Candidate:
    return Candidate(
        name or draw(st.sampled_from(["mtn_ug", "airtel_ug", "lyca_ug", "utl_ug"])),
        is_own=draw(st.booleans()),
        amount_minor=draw(minor),
        amount_minor_min=draw(st.integers(0, 10**4)),
        amount_minor_max=draw(st.integers(10**4, 10**7)),
        unit_minor=draw(st.sampled_from([1, 1, 100])),
        cost_minor=draw(st.none() | st.integers(0, 10**5)),
        breaker=draw(st.sampled_from(Position)),
        may_probe=draw(st.booleans()),
        belief=draw(beliefs),
        available_minor=draw(st.none() | minor),
        float_minor=draw(st.none() | st.integers(-(10**4), 10**7)),
        in_flight_minor=draw(st.integers(0, 10**6)),
        day_minor=draw(minor),
        month_minor=draw(minor),
        terms=draw(terms),
    )


FEWER = settings(max_examples=40)  # each example is four operators with twenty facts each
several = st.lists(candidates_(), max_size=4, unique_by=lambda c: c.operator)
margins = st.integers(-(10**5), 10**6)


@FEWER
@given(several, draws, rules, margins, st.none() | candidates_(name="mpesa_ke"))
def test_a_stored_decision_gives_the_same_ranking_again(
    candidates: list[Candidate],
    draw_ppm: int,
    rules: RouteRules,
    margin: int,
    payer: Candidate | None,
) -> None:
    ranking = rank(candidates, draw_ppm, rules, margin_minor=margin, payer=payer)
    stored = msgspec.json.decode(msgspec.json.encode(ranking.decision), type=Decision)
    assert replay(stored) == ranking


@FEWER
@given(several, draws, rules, margins, st.randoms(use_true_random=False))
def test_the_order_of_the_candidates_does_not_matter(
    candidates: list[Candidate], draw_ppm: int, rules: RouteRules, margin: int, random: object
) -> None:
    shuffled = list(candidates)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    ranking = rank(candidates, draw_ppm, rules, margin_minor=margin)
    assert rank(shuffled, draw_ppm, rules, margin_minor=margin) == ranking


@FEWER
@given(several, candidates_(name="zain_ug"), draws, rules, margins)
def test_one_more_that_cannot_changes_nothing(
    candidates: list[Candidate], more: Candidate, draw_ppm: int, rules: RouteRules, margin: int
) -> None:
    unable = msgspec.structs.replace(more, cost_minor=None)
    ranking = rank(candidates, draw_ppm, rules, margin_minor=margin)
    wider = rank([*candidates, unable], draw_ppm, rules, margin_minor=margin)
    assert (wider.ways, wider.lead, wider.scored) == (ranking.ways, ranking.lead, ranking.scored)


@FEWER
@given(several, draws, rules, margins)
def test_every_candidate_is_a_way_or_has_a_reason(
    candidates: list[Candidate], draw_ppm: int, rules: RouteRules, margin: int
) -> None:
    ranking = rank(candidates, draw_ppm, rules, margin_minor=margin)
    refused = {r.operator for r in ranking.refused}
    assert sorted([*ranking.ways, *refused]) == sorted(c.operator for c in candidates)
    assert all(refusal(c, rules) is None for c in candidates if c.operator in ranking.ways)
    assert {s.operator for s in ranking.scored} == set(ranking.ways)


@given(candidates_(), counts.filter(bool), margins, rules)
def test_having_succeeded_more_often_never_lowers_a_score(
    one: Candidate, more: int, margin: int, rules: RouteRules
) -> None:
    able = msgspec.structs.replace(
        candidate(), belief=one.belief, terms=Terms(month_minor_promised=one.month_minor)
    )
    belief = Belief(one.belief.good + more * 1024, one.belief.bad, one.belief.unclear)
    better = msgspec.structs.replace(able, belief=belief)
    (before,) = rank([able], 0, rules, margin_minor=margin).scored
    (after,) = rank([better], 0, rules, margin_minor=margin).scored
    assert after.score_micro >= before.score_micro


@settings(max_examples=10)
@given(
    st.lists(beliefs, min_size=2, max_size=4), rules, st.integers(0, 999), st.integers(1999, 2009)
)
def test_what_is_explored_is_its_share_of_many_lots(
    beliefs: list[Belief], rules: RouteRules, start: int, step: int
) -> None:
    able = [candidate(f"{n}_ug", belief=b, is_own=False) for n, b in enumerate(beliefs)]
    rankings = [
        rank(able, draw_ppm, rules, margin_minor=700) for draw_ppm in range(start, MILLION, step)
    ]
    explored = [r for r in rankings if r.lead == "explored"]
    assert abs(len(explored) / len(rankings) - rules.explore_ppm / MILLION) < 0.003
    assert all(r.ways[0] != r.scored[0].operator for r in explored)
    assert all(r.ways[0] == r.scored[0].operator for r in rankings if r.lead == "best")


now = st.integers(10**12, 10**12 + 10**7)
breakers = st.builds(
    Breaker,
    st.sampled_from(Position),
    st.integers(0, 9),
    now,
    now,
    now,
    st.integers(0, 30),
)


@given(st.lists(st.lists(st.sampled_from(GOOD))), tallies, st.integers(0, 9), now)
def test_no_number_of_customers_mistakes_opens_a_closed_breaker(
    flushes: list[list[Told]], window: Tally, points: int, now_ms: int
) -> None:
    breaker = Breaker(points=points, fault_ms=now_ms)
    for told in flushes:
        breaker = move(breaker, run_of(told), window, now_ms, BreakerRules()).after
        assert breaker.position is Position.CLOSED


@given(st.integers(0, 9), st.lists(told), st.lists(told), now)
def test_how_the_outcomes_were_divided_into_flushes_does_not_matter(
    points: int, first: list[Told], second: list[Told], now_ms: int
) -> None:
    rules, breaker = BreakerRules(), Breaker(points=points, fault_ms=now_ms)

    def after(breaker: Breaker, told: list[Told]) -> Breaker:
        return move(breaker, run_of(told), Tally(), now_ms, rules).after

    assert run_of(first) + run_of(second) == run_of([*first, *second])
    halfway = after(breaker, first)
    whole = after(breaker, [*first, *second])
    if halfway.position is Position.CLOSED:
        assert after(halfway, second) == whole
    else:
        assert whole.position is Position.OPEN


@given(st.lists(told))
def test_a_run_is_what_one_would_count_by_hand(outcomes: list[Told]) -> None:
    streaks = [0]
    for one in outcomes:
        if one in GOOD:
            streaks.append(0)
        else:
            streaks[-1] += FAULT_POINTS[one]
    run = run_of(outcomes)
    assert (run.head, run.most, run.tail) == (streaks[0], max(streaks), streaks[-1])
    assert run.goods == len(streaks) - 1


@given(breakers, st.lists(told), tallies, now)
def test_a_breakers_move_is_made_again_from_what_was_kept(
    breaker: Breaker, outcomes: list[Told], window: Tally, now_ms: int
) -> None:
    run, rules = run_of(outcomes), BreakerRules()
    inputs = Inputs("mtn_ug", Direction.COLLECT, "UG", breaker, run, window, now_ms, rules)
    after, decision = decide(inputs)
    assert (decision is not None) == (after.position is not breaker.position)
    if decision is not None:
        stored = msgspec.json.decode(msgspec.json.encode(decision), type=Decision)
        again = replay_breaker(stored)
        assert again is not None
        assert (again.outcome, again.reason) == (decision.outcome, decision.reason)


@given(breakers, st.lists(told), now)
def test_an_open_breaker_waits_for_its_pause_whatever_is_told(
    breaker: Breaker, outcomes: list[Told], now_ms: int
) -> None:
    open_ = msgspec.structs.replace(breaker, position=Position.OPEN)
    after = move(open_, run_of(outcomes), Tally(), now_ms, BreakerRules()).after
    assert after.position is (Position.OPEN if now_ms < open_.until_ms else Position.HALF_OPEN)


@given(st.lists(tallies, max_size=8), tallies)
def test_beliefs_stay_probabilities_and_faults_never_raise_them(
    steps: list[Tally], more: Tally
) -> None:
    faults = msgspec.structs.replace(more, succeeded=0)
    before = believe(steps)
    after = believe([(steps[0] if steps else Tally()) + faults, *steps[1:]])
    assert 0 <= after.success_ppm <= before.success_ppm < MILLION
    assert 0 <= after.unclear_ppm <= MILLION

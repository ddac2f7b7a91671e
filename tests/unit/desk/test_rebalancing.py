"""What moves where, as a table a treasurer could read."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.decisions import Decision
from engine.decisions import Kind as DecisionKind
from engine.desk.rebalancing import (
    COVER_DAYS,
    Advice,
    FloatFacts,
    Move,
    Shortage,
    advise,
    forecast,
    is_short,
    replay,
    wanted_minor,
)


def a_float(
    operator: str, minor: int, use: int = 0, *, low: int = 0, target: int = 0, unit: int = 1,
    currency: str = "UGX",
) -> FloatFacts:  # fmt: skip
    return FloatFacts(operator, currency, minor, use, low, target, unit)


def told(advice: list[Advice]) -> list[str]:
    return [a.decision.outcome for a in advice]


CASES: list[tuple[str, list[FloatFacts], list[str]]] = [
    ("nothing is short", [a_float("a", 300, 100), a_float("b", 900, 100)], []),
    ("no float at all", [], []),
    ("below target but enough for now", [a_float("a", 150, 100), a_float("b", 9_000)], []),
    ("half of the days are gone", [a_float("a", 149, 100), a_float("b", 9_000)], ["b>a:151"]),
    ("below its mark", [a_float("a", 9, low=10, target=50), a_float("b", 99)], ["b>a:41"]),
    (
        "the giver keeps its own target",
        [a_float("a", 0, 100), a_float("b", 500, 100)],
        ["b>a:200 buy>a:100"],
    ),
    ("nobody can give", [a_float("a", 0, 100), a_float("b", 300, 100)], ["buy>a:300"]),
    (
        "the richest gives first, then the next",
        [a_float("a", 0, 100), a_float("b", 120), a_float("c", 200)],
        ["c>a:200 b>a:100"],
    ),
    (
        "the shortest is served first",
        [a_float("a", 0, 50), a_float("b", 0, 100), a_float("c", 320)],
        ["c>b:300 c>a:20 buy>a:130"],
    ),
    (
        "ties go by name",
        [a_float("b", 0, 10), a_float("a", 0, 10), a_float("d", 30), a_float("c", 30)],
        ["c>a:30 d>b:30"],
    ),
    (
        "whole units of both operators",
        [a_float("a", 0, 100, unit=100), a_float("b", 270, unit=1)],
        ["b>a:200 buy>a:100"],
    ),
    (
        "whole units of whoever gives as well",
        [a_float("a", 0, 100), a_float("b", 270, unit=100)],
        ["b>a:200 buy>a:100"],
    ),
    (
        "currencies are never mixed",
        [a_float("a", 0, 100), a_float("b", 9_999, currency="KES")],
        ["buy>a:300"],
    ),
    ("a float below zero needs that too", [a_float("a", -50, 100), a_float("b", 999)], ["b>a:350"]),
]  # fmt: skip


@pytest.mark.parametrize(("floats", "expected"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_floats_lead_to_moves(floats: list[FloatFacts], expected: list[str]) -> None:
    assert told(advise(floats)) == expected


def test_a_move_too_small_to_be_worth_it_is_bought_instead() -> None:
    floats = [a_float("a", 0, 100), a_float("b", 40)]
    assert told(advise(floats, move_minor_min=50)) == ["buy>a:300"]
    assert told(advise(floats, move_minor_min=41)) == ["buy>a:300"]
    assert told(advise(floats, move_minor_min=40)) == ["b>a:40 buy>a:260"]


def test_nobody_is_asked_to_move_nothing() -> None:
    floats = [a_float("a", 0, 100), a_float("b", 300, 100)]
    assert told(advise(floats, move_minor_min=0)) == ["buy>a:300"]


def test_the_parts_of_an_advice_and_its_decision() -> None:
    (advice,) = advise([a_float("a", 0, 100), a_float("b", 290)])
    assert advice.moves == (Move("UGX", "b", "a", 290),)
    assert advice.shortages == (Shortage("UGX", "a", 10),)
    assert advice.decision.kind is DecisionKind.LIQUIDITY
    assert advice.decision.reason == "below its mark or half of 3 days of use: a"


def test_a_decision_kept_as_json_leads_to_the_same_again() -> None:
    (advice,) = advise([a_float("a", 0, 100), a_float("b", 290)])
    kept = msgspec.json.decode(msgspec.json.encode(advice.decision), type=Decision)
    assert replay(kept) == kept
    kept.inputs["floats"][1]["minor"] = 900
    assert replay(kept).outcome == "b>a:300"


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        ([], 0),
        ([100], 100),
        ([100, 100, 100], 100),
        ([0, 0, 0, 0, 0, 0, 100], 30),
        ([100, 0], 70),
        ([1, 2], 1),
    ],
)
def test_newer_days_count_more(days: list[int], expected: int) -> None:
    assert forecast(days) == expected


FLOATS = st.lists(
    st.builds(
        FloatFacts,
        st.sampled_from("abcdefgh"),
        st.sampled_from(["KES", "UGX"]),
        st.integers(-1_000, 100_000),
        st.integers(0, 10_000),
        st.just(0),
        st.integers(0, 50_000),
        st.sampled_from([1, 100]),
    ),
    max_size=8,
    unique_by=lambda f: (f.operator, f.currency),
)


@given(FLOATS)
def test_moves_make_nothing_cross_no_currency_and_impoverish_nobody(
    floats: list[FloatFacts],
) -> None:
    left = {(f.operator, f.currency): f.minor for f in floats}
    by_key = {(f.operator, f.currency): f for f in floats}
    for advice in advise(floats):
        for move in advice.moves:
            assert move.minor > 0
            assert advice.currency == move.currency
            left[move.source, move.currency] -= move.minor
            left[move.target, move.currency] += move.minor
        givers = {move.source for move in advice.moves}
        takers = {move.target for move in advice.moves}
        assert not givers & takers
        for giver in givers:
            facts = by_key[giver, advice.currency]
            assert left[giver, advice.currency] >= wanted_minor(facts, COVER_DAYS)
        for taker in takers:
            facts = by_key[taker, advice.currency]
            assert is_short(facts, COVER_DAYS)
            assert left[taker, advice.currency] <= wanted_minor(facts, COVER_DAYS)
    assert sum(left.values()) == sum(f.minor for f in floats)

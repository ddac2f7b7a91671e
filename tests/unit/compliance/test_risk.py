import msgspec
import pytest

from engine.compliance.limits import Ceiling, LocalTime
from engine.compliance.policy import read_policy
from engine.compliance.risk import (
    Condition,
    History,
    Rule,
    Signals,
    apply_rules,
    is_watched,
    measure,
)
from engine.money import Money

RISK = read_policy().risk
CEILING = Ceiling(2_000_000, 4_000_000, 10_000_000)  # KES 20,000 a payment
NOON, NIGHT = LocalTime(20_000, 202611, 12), LocalTime(20_000, 202611, 3)
YEAR = 365 * 24 * 3600.0
QUIET = History()


def hits(
    history: History = QUIET,
    minor: int = 123_400,
    *,
    when: LocalTime = NOON,
    age_seconds: float | None = YEAR,
) -> dict[str, int]:
    signals = measure(history, Money(minor, "KES"), CEILING, when, age_seconds)
    return dict(apply_rules(RISK.rules, signals))


def test_an_ordinary_payment_gets_no_points() -> None:
    assert hits() == {}


@pytest.mark.parametrize(
    ("history", "minor", "rule"),
    [
        (History(sent_hour_count=5), 123_400, "many_in_an_hour"),
        (History(sent_hour_count=15), 123_400, "very_many_in_an_hour"),
        (History(payees_day_count=8), 123_400, "many_payees"),
        (History(near_limit_week_count=2), 1_990_000, "just_below_limit"),
        (History(received_recent_minor=130_000), 123_400, "passed_on"),
        (History(received_recent_minor=250_000, passed_on_minor=80_000), 123_400, "passed_on"),
        (History(received_recent_minor=130_000, passed_on_minor=900_000), 12_340, "passed_on"),
        (History(payers_day_count=5), 123_400, "collects_from_many"),
        (History(payee_payers_day_count=10), 123_400, "payee_of_many"),
        (QUIET, 1_000_000, "round_amount"),
    ],
)
def test_each_pattern_is_recognised(history: History, minor: int, rule: str) -> None:
    assert rule in hits(history, minor)


@pytest.mark.parametrize(
    ("history", "minor", "rule"),
    [
        (History(sent_hour_count=4), 123_400, "many_in_an_hour"),
        (History(payees_day_count=7), 123_400, "many_payees"),
        (History(near_limit_week_count=2), 1_000_000, "just_below_limit"),
        (History(near_limit_week_count=1), 1_990_000, "just_below_limit"),
        (History(received_recent_minor=1_000_000), 123_400, "passed_on"),  # a small part of it
        (History(received_recent_minor=1_000), 123_400, "passed_on"),  # has other money as well
        (History(received_recent_minor=250_000, passed_on_minor=70_000), 123_400, "passed_on"),
        (History(passed_on_minor=900_000), 123_400, "passed_on"),  # nothing came in
        (History(payers_day_count=4), 123_400, "collects_from_many"),
        (QUIET, 1_000_001, "round_amount"),
    ],
)
def test_what_is_just_short_of_a_pattern_is_none(history: History, minor: int, rule: str) -> None:
    assert rule not in hits(history, minor)


# The last figure by which each rule of the house still applies, and the first by which it does not.
EDGES = [
    ("many_in_an_hour", "sent_hour_count", 5, 4),
    ("very_many_in_an_hour", "sent_hour_count", 15, 14),
    ("many_payees", "payees_day_count", 8, 7),
    ("just_below_limit", "near_limit_week_count", 2, 1),
    ("just_below_limit", "limit_percent", 90, 89),
    ("passed_on", "passed_on_together_percent", 80, 79),
    ("passed_on", "passed_on_percent", 120, 121),
    ("collects_from_many", "payers_day_count", 5, 4),
    ("payee_of_many", "payee_payers_day_count", 10, 9),
    ("new_and_large", "account_age_hours", 24, 25),
    ("new_and_large", "limit_percent", 80, 79),
    ("round_amount", "is_round", 1, 0),
    ("round_amount", "limit_percent", 50, 49),
    ("night_burst", "is_night", 1, 0),
    ("night_burst", "sent_hour_count", 3, 2),
]


@pytest.mark.parametrize(("rule", "measured", "last", "beyond"), EDGES)
def test_each_figure_of_the_house_counts_from_its_edge_on(
    rule: str, measured: str, last: int, beyond: int
) -> None:
    nothing = Signals(*[0] * len(Signals.__struct_fields__))
    edge = {name: figure for of, name, figure, _ in EDGES if of == rule}
    at_edge = msgspec.structs.replace(nothing, **edge)
    past_it = msgspec.structs.replace(at_edge, **{measured: beyond})
    assert rule in dict(apply_rules(RISK.rules, at_edge))
    assert rule not in dict(apply_rules(RISK.rules, past_it))


def test_no_figure_of_the_house_is_without_its_edge() -> None:
    conditions = [(rule.id, told.measure) for rule in RISK.rules for told in rule.all]
    assert sorted(conditions) == sorted((rule, measured) for rule, measured, _, _ in EDGES)


@pytest.mark.parametrize(
    ("rules", "does"),
    [
        ("round_amount just_below_limit", "allow"),  # 45
        ("passed_on round_amount", "allow"),  # 55
        ("many_in_an_hour very_many_in_an_hour", "hold"),  # 60, to the point
        ("many_payees collects_from_many", "hold"),
        ("many_payees payee_of_many", "hold"),
        ("just_below_limit night_burst", "hold"),
        ("passed_on night_burst", "hold"),
        ("many_payees new_and_large round_amount", "hold"),
        ("very_many_in_an_hour passed_on new_and_large", "hold"),  # 115
        ("very_many_in_an_hour passed_on new_and_large round_amount", "refuse"),  # 120
    ],
)
def test_what_the_points_of_the_house_come_to(rules: str, does: str) -> None:
    worth = {rule.id: rule.points for rule in RISK.rules}
    points = sum(worth[rule] for rule in rules.split())
    if points >= RISK.refuse_points:
        assert does == "refuse"
    else:
        assert does == ("hold" if points >= RISK.hold_points else "allow")


@pytest.mark.parametrize(("hour", "is_night"), [(23, 0), (0, 1), (4, 1), (5, 0)])
def test_a_night_is_from_midnight_to_five(hour: int, is_night: int) -> None:
    when = LocalTime(20_000, 202611, hour)
    assert measure(QUIET, Money(1, "KES"), CEILING, when, YEAR).is_night == is_night


def test_a_new_account_that_sends_nearly_all_it_may() -> None:
    assert "new_and_large" in hits(minor=1_700_000, age_seconds=3600)
    assert "new_and_large" not in hits(minor=1_700_000, age_seconds=3 * 24 * 3600)
    assert "new_and_large" not in hits(minor=100_000, age_seconds=3600)
    assert "new_and_large" not in hits(minor=1_700_000, age_seconds=None)
    assert "new_and_large" in hits(minor=1_700_000, age_seconds=-5)  # a clock a little behind


def test_a_burst_counts_more_at_night() -> None:
    burst = History(sent_hour_count=3)
    assert "night_burst" in hits(burst, when=NIGHT)
    assert "night_burst" not in hits(burst, when=NOON)


def test_a_mule_is_held_and_one_busy_hour_is_not() -> None:
    mule = History(sent_hour_count=5, received_recent_minor=130_000, payers_day_count=6)
    assert sum(hits(mule).values()) >= RISK.hold_points
    busy = History(sent_hour_count=14, payees_day_count=7)
    assert sum(hits(busy).values()) < RISK.hold_points


def test_small_payments_are_not_watched() -> None:
    assert not is_watched(RISK, Money(39_999, "KES"), CEILING)
    assert is_watched(RISK, Money(40_000, "KES"), CEILING)


@pytest.mark.parametrize(
    "rule",
    [
        {"id": "a", "points": 1, "why": "", "all": []},
        {"id": "a", "points": 0, "why": "", "all": [{"measure": "is_night", "at_least": 1}]},
        {"id": "a", "points": 1, "why": "", "all": [{"measure": "moon", "at_least": 1}]},
        {"id": "a", "points": 1, "why": "", "all": [{"measure": "is_night"}]},
        {"id": "a", "points": 1, "why": "", "any": []},
    ],
)
def test_a_senseless_rule_is_refused(rule: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(rule, Rule)


@pytest.mark.parametrize(("hold", "refuse"), [(0, 10), (11, 10)])
def test_points_that_would_refuse_before_they_hold_are_refused(hold: int, refuse: int) -> None:
    with pytest.raises(ValueError, match="hold_points"):
        msgspec.structs.replace(RISK, hold_points=hold, refuse_points=refuse)


def test_both_bounds_of_a_condition_are_included() -> None:
    condition = Condition("passed_on_percent", at_least=80, at_most=120)
    signals = measure(QUIET, Money(1, "KES"), CEILING, NOON, YEAR)
    for value, holds in ((79, False), (80, True), (120, True), (121, False)):
        changed = msgspec.structs.replace(signals, passed_on_percent=value)
        assert condition.holds(changed) is holds

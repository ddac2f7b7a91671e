from pathlib import Path

import msgspec
import pytest

from engine.compliance.limits import read_zones
from engine.compliance.policy import (
    POLICY_FILE,
    LargeFrom,
    NamePolicy,
    SimPolicy,
    read_policy,
)
from engine.errors import NoWayNow
from engine.money import CURRENCIES


def changed(tmp_path: Path, old: str, new: str) -> Path:
    text = POLICY_FILE.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path = tmp_path / "policy.yaml"
    path.write_text(text.replace(old, new), encoding="utf-8")
    return path


def test_the_house_policy_is_whole() -> None:
    policy = read_policy()
    assert {threshold.currency for threshold in policy.large.values()} <= set(CURRENCIES)
    assert policy.screening.hold_min < policy.screening.refuse_min


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("hold_points: 60", "hold_points: 600", "hold_points"),
        ("refuse_min: 97", "refuse_min: 89", "hold_min <= refuse_min"),
        ("without_birth_max: 95", "without_birth_max: 97", "a name alone must not refuse"),
        ("refuse_min: 97", "refuse_min: 101", "refuse_min <= 100"),  # none would ever be refused
        ("list_expired_days: 30", "list_expired_days: 7", "the alarm comes first"),
        ("hold_hours: 72", "hold_hours: -1", "no number of hours"),
        ("minor: 36000000}", "minor: 0}", "no threshold: ZMW 0"),
        ("weak_alias: 5 ", "weak_alias: five ", "weak_alias"),
        ("- id: night_burst", "- id: many_payees", "two rules of one id"),
        ("measure: is_night", "measure: is_full_moon", "nothing measures 'is_full_moon'"),
        ("large:\n", "larger:\n", "larger"),
        ("currency: ZMW", "currency: ZWL", "no threshold: ZWL"),
        ("limits:\n", "limits: [\n", "policy.yaml"),
        ("asked_of: [payee, payer]", "asked_of: [payee, agent]", "asked_of"),
    ],
)
def test_a_senseless_figure_is_named(tmp_path: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=said):
        read_policy(changed(tmp_path, old, new))


def test_a_house_whose_file_knows_of_no_names_asks_as_the_house_does(tmp_path: Path) -> None:
    text = POLICY_FILE.read_text(encoding="utf-8")
    at, end = text.index("names:\n"), text.index("# Large transactions")
    path = tmp_path / "policy.yaml"
    path.write_text(text[:at] + text[end:], encoding="utf-8")
    assert read_policy(path).names == read_policy().names == NamePolicy()
    nobody = changed(tmp_path, "asked_of: [payee, payer]", "asked_of: []")
    assert read_policy(nobody).names.asked_of == ()


# What each tier may send, in parts of the most for one payment of tier 0.
PARTS = {0: (1, 2, 6), 1: (5, 10, 50), 2: (13, 26, 260)}


def test_no_figure_of_a_currency_is_a_digit_too_long_or_too_short() -> None:
    """All ceilings of a currency are the same shares of one sum, in two digits."""
    limits = read_policy().limits
    for currency in sorted(CURRENCIES):
        try:
            least = limits.of(0, currency).payment_minor_max
        except NoWayNow:
            continue
        for tier, parts in PARTS.items():
            ceiling = limits.of(tier, currency)
            figures = ceiling.payment_minor_max, ceiling.day_minor_max, ceiling.month_minor_max
            for figure, part in zip(figures, parts, strict=True):
                assert 0.85 < figure / (part * least) < 1.15, f"{currency}, tier {tier}: {figure}"
                assert not str(figure)[2:].strip("0"), f"{currency}, tier {tier}: {figure}"


def test_a_house_may_ask_nobody_of_sims_and_hold_a_payment_of_any_likeness(tmp_path: Path) -> None:
    assert read_policy(changed(tmp_path, "hold_hours: 72", "hold_hours: 0")).sim.hold_hours == 0
    assert read_policy(changed(tmp_path, "refuse_min: 97", "refuse_min: 100"))


def test_what_the_law_has_reported_is_reported_from_its_sum_on() -> None:
    assert read_policy().large == {
        "KE": LargeFrom("KES", 195_000_000),
        "UG": LargeFrom("UGX", 20_000_000),
        "ZM": LargeFrom("ZMW", 36_000_000),
    }


def test_the_house_holds_for_three_days_after_a_sim_was_changed_and_pays_where_nobody_tells() -> (
    None
):
    assert read_policy().sim == SimPolicy(hold_hours=72, unknown="pay")


def test_the_figures_that_hold_or_refuse_somebody_are_those_that_were_decided_on() -> None:
    screening = read_policy().screening
    assert (screening.reported_min, screening.hold_min, screening.refuse_min) == (80, 90, 97)
    assert (screening.without_birth_max, screening.weak_alias) == (95, 5)
    assert (screening.birth_agrees, screening.birth_differs) == (5, 15)
    assert (screening.list_smaller_percent_min, screening.list_stale_days) == (80, 7)
    assert screening.list_expired_days == 30
    risk = read_policy().risk
    assert (risk.hold_points, risk.refuse_points) == (60, 120)
    assert (risk.near_limit_percent, risk.watched_percent_min) == (90, 2)


def test_every_zone_is_whole_quarters_of_an_hour_from_utc() -> None:
    zones = read_zones()
    assert (zones["KE"], zones["UG"], zones["ZM"]) == (180, 180, 120)
    assert all(ahead % 15 == 0 and -720 <= ahead <= 840 for ahead in zones.values())

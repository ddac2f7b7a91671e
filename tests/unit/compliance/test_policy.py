from pathlib import Path

import msgspec
import pytest

from engine.compliance.limits import read_zones
from engine.compliance.policy import POLICY_FILE, NamePolicy, read_policy
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


def test_every_zone_is_whole_quarters_of_an_hour_from_utc() -> None:
    zones = read_zones()
    assert (zones["KE"], zones["UG"], zones["ZM"]) == (180, 180, 120)
    assert all(ahead % 15 == 0 and -720 <= ahead <= 840 for ahead in zones.values())

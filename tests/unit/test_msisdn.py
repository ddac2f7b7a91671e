from pathlib import Path

import pytest
import yaml

from channels.wiring import NUMBERING
from engine.errors import CustomerMistake
from engine.msisdn import LENGTH_MAX, Msisdn, Prefixes, country_of, parse_msisdn


@pytest.mark.parametrize(
    ("typed", "home", "expected"),
    [
        ("0712000001", "KE", "+254712000001"),
        ("0712 000 001", "KE", "+254712000001"),
        ("712000001", "KE", "+254712000001"),
        ("254712000001", "UG", "+254712000001"),
        ("+254712000001", "UG", "+254712000001"),
        ("00254712000001", "UG", "+254712000001"),
        ("000256772000001", "KE", "+256772000001"),
        ("0772000001", "UG", "+256772000001"),
        ("0110000001", "KE", "+254110000001"),
    ],
)
def test_numbers_are_read_as_people_type_them(typed: str, home: str, expected: str) -> None:
    assert parse_msisdn(typed, home) == expected


@pytest.mark.parametrize(
    ("typed", "key"),
    [
        ("", "mistake.number"),
        ("12", "mistake.number"),
        ("abc", "mistake.number"),
        ("07120000010", "mistake.number"),
        ("٠٧١٢٠٠٠٠٠١", "mistake.number"),
        ("0712000001" * 20, "mistake.number"),
        ("+" * 10, "mistake.number"),
        ("1*2", "mistake.number"),
        ("0202000001", "mistake.not_mobile"),
        ("0800720000", "mistake.not_mobile"),
    ],
)
def test_what_is_no_mobile_number_is_named(typed: str, key: str) -> None:
    with pytest.raises(CustomerMistake) as caught:
        parse_msisdn(typed, "KE")
    assert caught.value.text_key == key


def test_no_number_is_longer_than_the_limit() -> None:
    with pytest.raises(CustomerMistake):
        parse_msisdn("0" * (LENGTH_MAX + 1), "KE")


def test_a_masked_number_hides_its_middle() -> None:
    assert Msisdn("+254712345678").masked == "+2547*****678"
    assert Msisdn("+1234").masked == "+*****"


@pytest.mark.parametrize(("number", "country"), [("+254712000001", "KE"), ("+44712000001", None)])
def test_country_of_a_number(number: str, country: str | None) -> None:
    assert country_of(Msisdn(number)) == country


@pytest.fixture(scope="module")
def prefixes() -> Prefixes:
    return Prefixes(yaml.safe_load(Path(NUMBERING).read_text())["ranges"])


@pytest.mark.parametrize(
    ("number", "operator"),
    [
        ("+254712000001", "mpesa_ke"),
        ("+254768000001", "mpesa_ke"),  # 768 lies inside Airtel's 76
        ("+254761000001", "telkom_ke"),
        ("+254760000001", "airtel_ke"),
        ("+256772000001", "mtn_ug"),
        ("+256724100001", "mtn_ug"),
        ("+256724000001", "hamilton_ug"),
        ("+256701000001", "airtel_ug"),
        ("+255712000001", None),
    ],
)
def test_the_longest_prefix_decides(prefixes: Prefixes, number: str, operator: str | None) -> None:
    assert prefixes.operator_of(Msisdn(number)) == operator


def test_a_prefix_of_two_operators_is_refused() -> None:
    with pytest.raises(ValueError, match="two operators"):
        Prefixes({"KE": {"a": ["70"], "b": ["70"]}})

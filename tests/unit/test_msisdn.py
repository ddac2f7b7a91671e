from collections.abc import Callable
from pathlib import Path
from random import Random

import phonenumbers
import pytest
import yaml

from channels.numbering import NUMBERING
from channels.wiring import MENUS
from engine.errors import CustomerMistake
from engine.msisdn import (
    _DIALLING_CODES,
    LENGTH_MAX,
    Msisdn,
    Prefixes,
    country_of,
    parse_by_numbering_plan,
    parse_msisdn,
)
from engine.texts import Texts
from providers.registry import OPERATORS


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
        ("97000001", "BJ", "+2290197000001"),  # as it was until November 2024
        ("0197000001", "BJ", "+2290197000001"),
        ("229 97 00 00 01", "CI", "+2290197000001"),
        ("+22997000001", "BJ", "+2290197000001"),
        ("0022997000001", "KE", "+2290197000001"),
        ("+2290197000001", "BJ", "+2290197000001"),
        ("009254712000001", "NG", "+254712000001"),
        ("005254712000001", "UG", "+254712000001"),
        ("007 254 712 000 001", "UG", "+254712000001"),
        ("000254712000001", "TZ", "+254712000001"),
        ("005254712000001", "TZ", "+254712000001"),
        ("006254712000001", "TZ", "+254712000001"),
        ("00919812345678", "NG", "+919812345678"),  # India, whose code begins like Nigeria's prefix
        ("0078001234567", "KE", "mistake.not_mobile"),
        # Copied, with what contacts and pages put between the digits and around them.
        ("\u202d0712\u00a0000\u00a0001\u202c", "KE", "+254712000001"),
        ("\u2066+254\u2011712\u2011000\u2011001\u2069", "UG", "+254712000001"),
        ("\u200e0772\u202f000\u202f001\ufeff", "UG", "+256772000001"),
    ],
)
def test_numbers_are_read_as_people_type_them(typed: str, home: str, expected: str) -> None:
    assert read(parse_msisdn, typed, home) == expected
    assert read(parse_by_numbering_plan, typed, home) == expected


@pytest.mark.parametrize(
    ("typed", "home"),
    [
        ("690742065", "CM"),
        ("690483386", "CM"),
        ("687460414", "CM"),
        ("687759886", "CM"),
        ("681832148", "CM"),
        ("50067363", "BF"),
        ("68274598", "BF"),
        ("67767675", "BF"),
        ("98876269", "NE"),
        ("2781425", "SC"),
        ("2783506", "SC"),  # with a plus it would be one of South Africa
        ("623161149", "GN"),
        ("534991092", "GH"),
        ("954468890", "ZM"),
    ],
)
def test_a_whole_number_at_home_is_never_read_as_one_abroad(typed: str, home: str) -> None:
    expected = f"+{_DIALLING_CODES[home]}{typed}"
    assert read(parse_msisdn, typed, home) == expected
    assert read(parse_by_numbering_plan, typed, home) == expected


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
        ("+255712000001", "yas_tz"),
        ("+260955000001", "zamtel_zm"),
        ("+260977000001", "airtel_zm"),
        ("+260967000001", "mtn_zm"),
        ("+2250700000001", "orange_ci"),  # the zero belongs to the number
        ("+2250500000001", "mtn_ci"),
        ("+2290197000001", "mtn_bj"),
        ("+2290145000001", "moov_bj"),  # 0145 lies inside Celtiis's 014
        ("+27673000001", "vodacom_za"),  # 673 lies inside Telkom's 67
        ("+242061000001", "mtn_cg"),
        ("+211921000001", "mtn_ss"),
        ("+2347025000001", "mtn_ng"),
        ("+243997000001", "airtel_cd"),
        ("+2348190000001", None),  # Starcomms, which nobody lists
        ("+251912000001", None),
    ],
)
def test_the_longest_prefix_decides(prefixes: Prefixes, number: str, operator: str | None) -> None:
    assert prefixes.operator_of(Msisdn(number)) == operator


def test_a_prefix_of_two_operators_is_refused() -> None:
    with pytest.raises(ValueError, match="two operators"):
        Prefixes({"KE": {"a": ["70"], "b": ["70"]}})


@pytest.mark.parametrize("country", sorted(_DIALLING_CODES))
def test_the_short_way_says_what_the_numbering_plan_says(country: str) -> None:
    random = Random(country)
    example = phonenumbers.example_number_for_type(country, phonenumbers.PhoneNumberType.MOBILE)
    assert example is not None
    national = phonenumbers.national_significant_number(example)
    code = _DIALLING_CODES[country]
    assert country_of(parse_msisdn(f"+{code}{national}", "KE")) == country
    for kept in [len(national), *random.choices(range(4), k=40)]:
        length = len(national) - kept + random.choice((-1, 0, 0, 0, 1))
        number = national[:kept] + "".join(random.choices("0123456789", k=max(length, 0)))
        for typed in (number, f"0{number}", f"{code}{number}", f"+{code}{number}"):
            assert read(parse_msisdn, typed, country) == read(
                parse_by_numbering_plan, typed, country
            )


def read(parse: Callable[[str, str], Msisdn], typed: str, country: str) -> str:
    """The number, or why it is none."""
    try:
        return parse(typed, country)
    except CustomerMistake as mistake:
        return mistake.text_key


def test_every_operator_of_the_plan_has_a_name_in_every_language() -> None:
    plan = yaml.safe_load(Path(NUMBERING).read_text())
    named = {name for operators in plan["ranges"].values() for name in operators}
    assert set(plan["networks"].values()) <= named
    texts = Texts.load(MENUS / "texts")
    unnamed = [name for name in sorted(named) if not texts.has(f"operator.{name}")]
    assert unnamed == [], "customers would read these words: `operator:` in menus/texts"


def test_every_operator_we_can_call_has_ranges_in_its_country() -> None:
    ranges = yaml.safe_load(Path(NUMBERING).read_text())["ranges"]
    without = [name for name in OPERATORS if name not in ranges.get(name[-2:].upper(), {})]
    assert without == [], f"nobody's number is theirs: give them ranges in {NUMBERING}"

from datetime import UTC, date, datetime, timedelta

import pytest

from engine.clock import CustomerId
from engine.compliance.profiles import Profile, read_born, read_name, read_tier
from engine.msisdn import Msisdn

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("  Jane   Wanjiku Doe ", "Jane Wanjiku Doe"),
        ("Ngũgĩ wa Thiong’o", "Ngũgĩ wa Thiong’o"),
        ("Anne-Marie O'Brien Jr.", "Anne-Marie O'Brien Jr."),
        ("محمد قاسم", "محمد قاسم"),
        ("देवी", "देवी"),
    ],
)
def test_a_name_is_kept_as_people_write_it(typed: str, name: str) -> None:
    assert read_name(typed) == name


@pytest.mark.parametrize(
    "typed", ["", " ", "=cmd|' /C calc'!A0", "@SUM(A1)", "+254712000001", "-Jane", "Jane\x00Doe",
              "Jane <b>", "1234", "x" * 101],
)  # fmt: skip
def test_what_is_no_name_is_refused(typed: str) -> None:
    with pytest.raises(ValueError, match="a name"):
        read_name(typed)


def test_births_and_tiers_are_read_strictly() -> None:
    assert read_born("1990-05-31") == date(1990, 5, 31)
    for senseless in ("31/05/1990", "1890-01-01", "1990-02-30", ""):
        with pytest.raises(ValueError):
            read_born(senseless)
    assert [read_tier(tier) for tier in "012"] == [0, 1, 2]
    for senseless in ("3", "-1", "full", ""):
        with pytest.raises(ValueError, match="there are the tiers"):
            read_tier(senseless)


def test_a_paused_tier_is_the_lowest_until_its_moment() -> None:
    profile = Profile(
        CustomerId("01" * 16), Msisdn("+254712000001"), "KE", 2, None, None, NOON, NOON
    )
    assert profile.tier_at(NOON - timedelta(microseconds=1)) == 0
    assert profile.tier_at(NOON) == profile.tier == 2

from datetime import UTC, datetime

import pytest

from engine.compliance.limits import TIERS, Ceiling, Limits
from engine.compliance.policy import read_policy
from engine.errors import CustomerMistake, NoWayNow
from engine.money import ASSETS, CURRENCIES, Money

LOW, MIDDLE, HIGH = Ceiling(100, 200, 300), Ceiling(1_000, 2_000, 3_000), Ceiling(10, 20, 30)
LIMITS = Limits({"KES": {0: LOW, 1: MIDDLE, 2: MIDDLE}}, {"KE": 180, "CI": 0})


@pytest.mark.parametrize(
    ("tier", "ceiling"), [(-1, LOW), (0, LOW), (1, MIDDLE), (2, MIDDLE), (9, MIDDLE)]
)
def test_each_tier_has_its_ceiling(tier: int, ceiling: Ceiling) -> None:
    assert LIMITS.of(tier, "KES") == ceiling


def test_a_currency_without_limits_is_not_served() -> None:
    with pytest.raises(NoWayNow) as caught:
        LIMITS.of(0, "UGX")
    assert caught.value.text_key == "no_way.corridor"


def test_one_payment_may_reach_the_limit_and_not_pass_it() -> None:
    assert LIMITS.check_payment(0, Money(100, "KES")) == LOW
    with pytest.raises(CustomerMistake) as caught:
        LIMITS.check_payment(0, Money(101, "KES"))
    assert caught.value.text_key == "mistake.limit_payment"
    assert caught.value.variables == {"maximum": Money(100, "KES")}
    assert LIMITS.check_payment(1, Money(101, "KES")) == MIDDLE


@pytest.mark.parametrize(
    ("country", "moment", "day", "month", "hour"),
    [
        ("KE", datetime(1970, 1, 1, 0, 0, tzinfo=UTC), 0, 197001, 3),
        ("KE", datetime(2026, 10, 31, 20, 59, tzinfo=UTC), 20_757, 202610, 23),
        ("KE", datetime(2026, 10, 31, 21, 0, tzinfo=UTC), 20_758, 202611, 0),  # midnight there
        ("CI", datetime(2026, 10, 31, 21, 0, tzinfo=UTC), 20_757, 202610, 21),
        ("XX", datetime(2026, 12, 31, 23, 59, tzinfo=UTC), 20_818, 202612, 23),
    ],
)
def test_a_payment_counts_in_the_payers_own_day_and_month(
    country: str, moment: datetime, day: int, month: int, hour: int
) -> None:
    assert LIMITS.local_time(country, moment) == (day, month, hour)


@pytest.mark.parametrize(
    ("country", "moment", "ends"),
    [
        ("KE", datetime(2026, 10, 31, 20, 59, tzinfo=UTC), datetime(2026, 10, 31, 21, tzinfo=UTC)),
        ("KE", datetime(2026, 10, 31, 21, 0, tzinfo=UTC), datetime(2026, 11, 1, 21, tzinfo=UTC)),
        ("CI", datetime(2026, 10, 31, 21, 0, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)),
        ("XX", datetime(2026, 12, 31, 0, 0, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)),
    ],
)
def test_a_day_ends_at_midnight_there(country: str, moment: datetime, ends: datetime) -> None:
    assert LIMITS.day_ends(country, moment) == ends


def test_what_the_commit_is_to_count() -> None:
    when = LIMITS.local_time("KE", datetime(2026, 11, 1, tzinfo=UTC))
    allowance = LIMITS.allowance(MIDDLE, Money(70, "KES"), when)
    assert (allowance.day, allowance.month, allowance.minor) == (when.day, 202611, 70)
    assert (allowance.day_minor_max, allowance.month_minor_max) == (2_000, 3_000)


@pytest.mark.parametrize(
    ("ceilings", "said"),
    [
        ({"KES": {0: LOW, 1: MIDDLE, 2: HIGH}}, "tier 2 allows less"),
        ({"KES": {0: Ceiling(1, 2, 4), 1: Ceiling(1, 2, 3), 2: HIGH}}, "tier 1 allows less"),
        ({"KES": {0: Ceiling(1, 3, 3), 1: Ceiling(1, 2, 3), 2: HIGH}}, "tier 1 allows less"),
        ({"KES": {0: LOW, 1: MIDDLE}}, "must have the tiers"),
        ({"XXX": {0: LOW, 1: LOW, 2: LOW}}, "no such currency"),
    ],
)
def test_senseless_limits_are_refused(ceilings: dict[str, dict[int, Ceiling]], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Limits(ceilings, {})


@pytest.mark.parametrize("figures", [(200, 100, 300), (100, 300, 200), (-1, 2, 3)])
def test_a_ceiling_grows_from_payment_to_month(figures: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="must grow"):
        Ceiling(*figures)


@pytest.mark.parametrize("currency", sorted(CURRENCIES.keys() - ASSETS))
def test_the_house_limits_every_currency_it_knows(currency: str) -> None:
    limits = read_policy().limits
    tiers = [limits.of(tier, currency) for tier in TIERS]
    assert tiers[0].payment_minor_max < tiers[1].payment_minor_max < tiers[2].payment_minor_max

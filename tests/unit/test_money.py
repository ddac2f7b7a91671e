from decimal import Decimal

import pytest

from engine.money import MINOR_MAX, Money, from_decimal, plain, to_decimal


@pytest.mark.parametrize(
    ("money", "written"),
    [
        (Money(103050, "KES"), "KES 1,030.50"),
        (Money(103000, "KES"), "KES 1,030"),
        (Money(5, "KES"), "KES 0.05"),
        (Money(28023, "UGX"), "UGX 28,023"),
        (Money(-100, "KES"), "KES -1"),
        (Money(0, "UGX"), "UGX 0"),
    ],
)
def test_money_is_written_with_commas_and_only_the_decimals_it_has(
    money: Money, written: str
) -> None:
    assert str(money) == written


@pytest.mark.parametrize("minor", [1.0, "1", True, None, MINOR_MAX + 1, -MINOR_MAX - 1])
def test_only_whole_minor_units_that_a_bigint_holds_are_money(minor: object) -> None:
    with pytest.raises(ValueError, match="not an amount"):
        Money(minor, "KES")  # type: ignore[arg-type]


def test_a_currency_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="no such currency"):
        Money(1, "KSH")


def test_currencies_do_not_add() -> None:
    assert Money(1, "KES") + Money(2, "KES") == Money(3, "KES")
    assert Money(1, "KES") - Money(2, "KES") == Money(-1, "KES")
    with pytest.raises(ValueError, match="do not add"):
        Money(1, "KES") + Money(1, "UGX")


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [("1030.50", "KES", 103050), ("150.00", "KES", 15000), ("28023", "UGX", 28023)],
)
def test_decimals_become_minor_units_and_back(amount: str, currency: str, minor: int) -> None:
    money = from_decimal(Decimal(amount), currency)
    assert money == Money(minor, currency)
    assert to_decimal(money) == Decimal(amount)


@pytest.mark.parametrize(
    ("amount", "currency"),
    [("1.005", "KES"), ("0.5", "UGX"), ("NaN", "KES"), ("Infinity", "UGX"), ("1e999999999", "KES")],
)
def test_a_fraction_the_currency_lacks_is_refused(amount: str, currency: str) -> None:
    with pytest.raises(ValueError, match=r"no such fraction|not an amount"):
        from_decimal(Decimal(amount), currency)


def test_plain_leaves_the_currency_away() -> None:
    assert plain(123456789, "KES") == "1,234,567.89"

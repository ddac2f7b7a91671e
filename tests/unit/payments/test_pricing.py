from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import CustomerMistake
from engine.money import Money
from engine.payments.pricing import amount_for, arrives, price
from tests.unit.payments.examples import KE_UG, MPESA, MTN, UG_KE

MID = Decimal("28.45")


def test_the_price_of_a_thousand_shillings_to_the_last_unit() -> None:
    priced = price(Money(100_000, "KES"), MID, KE_UG, MPESA, MTN)
    assert priced.fee == Money(2_000, "KES")  # 10 + 1 % of 1,000
    assert priced.receives == Money(28_023, "UGX")  # 1,000 x 28.45 x 0.985 = 28,023.25, down
    assert priced.rate == "28.0232"
    assert priced.spread_minor == 1_500
    assert priced.value_at_mid_minor == 98_499  # 28,023 / 28.45 = 984.991..., down
    assert priced.rounding_minor == 1
    assert priced.collection_cost_minor == 510  # half a percent of 1,020


@pytest.mark.parametrize(
    ("mid", "shown"),
    [
        ("20", "20"),
        ("28.40", "28.4"),
        ("0.035149384", "0.0351494"),
        ("250000", "250000"),
        ("1234567.8", "1234568"),
    ],
)
def test_a_shown_rate_has_six_digits_and_loses_no_zero_that_counts(mid: str, shown: str) -> None:
    corridor = msgspec.structs.replace(KE_UG, spread_bp=0)
    payee = msgspec.structs.replace(MTN, disburse_minor_min=0, disburse_minor_max=10**12)
    assert price(Money(100_000, "KES"), Decimal(mid), corridor, MPESA, payee).rate == shown


def test_a_payout_in_whole_shillings_goes_down_to_the_shilling() -> None:
    priced = price(Money(50_000, "UGX"), Decimal("0.03515"), UG_KE, MTN, MPESA)
    assert priced.receives == Money(173_100, "KES")  # 1,731.1375 whole shillings down
    assert priced.receives.minor % MPESA.unit_minor == 0
    assert priced.fee == Money(1_000, "UGX")


def test_the_fee_goes_up_to_what_the_operator_can_collect() -> None:
    priced = price(Money(10_100, "KES"), MID, KE_UG, MPESA, MTN)
    assert priced.fee == Money(1_200, "KES")  # 10 + 1.01 = 11.01, up to 12


@pytest.mark.parametrize(
    ("minor", "key", "variables"),
    [
        (10_050, "mistake.amount_whole", {}),
        (9_900, "mistake.amount_min", {"minimum": Money(10_000, "KES")}),
        (0, "mistake.amount_min", {"minimum": Money(10_000, "KES")}),
        (-100, "mistake.amount_min", {"minimum": Money(10_000, "KES")}),
        (7_000_100, "mistake.amount_max", {"maximum": Money(7_000_000, "KES")}),
        (10**17, "mistake.amount_max", {"maximum": Money(7_000_000, "KES")}),
    ],
)
def test_an_amount_outside_the_limits_is_told_which(
    minor: int, key: str, variables: dict[str, Money]
) -> None:
    with pytest.raises(CustomerMistake) as caught:
        price(Money(minor, "KES"), MID, KE_UG, MPESA, MTN)
    assert (caught.value.text_key, caught.value.variables) == (key, variables)


def test_the_payees_operator_limits_count_too() -> None:
    with pytest.raises(CustomerMistake) as caught:
        price(Money(2_000_000, "UGX"), Decimal("0.2"), UG_KE, MTN, MPESA)
    assert caught.value.text_key == "mistake.amount_max"
    largest = caught.value.variables["maximum"]
    # The amount it names really can be sent.
    assert price(largest, Decimal("0.2"), UG_KE, MTN, MPESA).receives.minor <= 25_000_000
    with pytest.raises(CustomerMistake) as too_little:
        price(Money(2_000, "UGX"), Decimal("0.001"), UG_KE, MTN, MPESA)
    assert too_little.value.text_key == "mistake.amount_min"


def test_the_greatest_amount_leaves_room_for_its_fee() -> None:
    corridor = msgspec.structs.replace(KE_UG, amount_minor_max=25_000_000)
    mid = Decimal("0.28")
    for typed in (24_900_000, 25_000_000, 26_000_000):
        with pytest.raises(CustomerMistake) as caught:
            price(Money(typed, "KES"), mid, corridor, MPESA, MTN)
        assert caught.value.text_key == "mistake.amount_max"
        assert caught.value.variables == {"maximum": Money(24_751_400, "KES")}
    priced = price(Money(24_751_400, "KES"), mid, corridor, MPESA, MTN)
    assert priced.fee == Money(248_600, "KES")  # 10 + 2,475.14, up: 250,000 together


def test_too_little_for_the_payers_operator_is_not_called_too_much() -> None:
    payer = msgspec.structs.replace(MPESA, collect_minor_min=50_000)
    with pytest.raises(CustomerMistake) as caught:
        price(Money(20_000, "KES"), MID, KE_UG, payer, MTN)
    assert caught.value.text_key == "mistake.amount_min"
    least = caught.value.variables["minimum"]
    assert least == Money(48_500, "KES")  # its fee is 10 + 4.85, up: 500 together


@pytest.mark.parametrize(
    ("corridor", "payer", "payee", "typed", "named"),
    [
        ({"amount_minor_max": 6_999_950}, {}, {}, 7_000_000, 6_999_900),
        ({"amount_minor_min": 10_050}, {}, {}, 10_000, 10_100),
        # 494,000 and its fee of 6,000 are 500,000; a shilling more is 500,100.
        ({}, {"collect_minor_max": 500_050}, {}, 500_000, 494_000),
        # 48,500 and its fee of 1,500 are 50,000: a shilling too little.
        ({}, {"collect_minor_min": 50_050}, {}, 20_000, 48_600),
        # For a cent arrive 0.591 shillings: of 1,000,444 a whole 1,000,000, of a shilling more
        # 1,000,500.
        ({}, {}, {"disburse_minor_max": 1_000_200}, 2_000_000, 1_692_800),
        ({}, {}, {"disburse_minor_min": 20_200}, 20_000, 34_700),  # 20,507, down to 20,500
    ],
)
def test_a_bound_that_is_no_whole_unit_is_named_as_the_nearest_that_is_taken(
    corridor: dict[str, int], payer: dict[str, int], payee: dict[str, int], typed: int, named: int
) -> None:
    with pytest.raises(CustomerMistake) as caught:
        price(
            Money(typed, "KES"),
            Decimal("60"),
            msgspec.structs.replace(KE_UG, **corridor),
            msgspec.structs.replace(MPESA, **payer),
            msgspec.structs.replace(MTN, unit_minor=500, **payee),
        )
    assert [*caught.value.variables.values()] == [Money(named, "KES")]


UNITS = st.sampled_from([1, 100, 500])
MINIMA, MAXIMA = st.integers(0, 60_000), st.integers(500_000, 30_000_000)


@given(
    typed=st.integers(0, 400_000),
    mid=st.decimals("0.2", "60", places=4),
    corridor=st.tuples(MINIMA, MAXIMA, st.integers(0, 20_000), st.integers(0, 500)),
    payer=st.tuples(UNITS, MINIMA, MAXIMA),
    payee=st.tuples(UNITS, MINIMA, MAXIMA),
)
def test_the_amount_that_a_refusal_names_is_taken_and_none_beyond_it(
    typed: int,
    mid: Decimal,
    corridor: tuple[int, int, int, int],
    payer: tuple[int, int, int],
    payee: tuple[int, int, int],
) -> None:
    low, high, fee_minor, fee_bp = corridor
    terms = msgspec.structs.replace(
        KE_UG, amount_minor_min=low, amount_minor_max=high, fee_minor=fee_minor, fee_bp=fee_bp
    )
    collects = msgspec.structs.replace(
        MPESA, unit_minor=payer[0], collect_minor_min=payer[1], collect_minor_max=payer[2]
    )
    pays = msgspec.structs.replace(
        MTN, unit_minor=payee[0], disburse_minor_min=payee[1], disburse_minor_max=payee[2]
    )

    def refusal(minor: int) -> CustomerMistake | None:
        try:
            price(Money(minor, "KES"), mid, terms, collects, pays)
        except CustomerMistake as error:
            return error
        return None

    refused = refusal(typed * collects.unit_minor)
    if refused is None:
        return
    (bound,) = refused.variables.values()
    assert isinstance(bound, Money)
    again = refusal(bound.minor)
    if again is not None:  # then nothing at all can be sent
        assert again.text_key != refused.text_key
        return
    is_most = refused.text_key == "mistake.amount_max"
    assert (bound.minor < typed * collects.unit_minor) is is_most
    beyond = refusal(bound.minor + (collects.unit_minor if is_most else -collects.unit_minor))
    assert beyond is not None and beyond.text_key == refused.text_key


@given(
    shillings=st.integers(100, 70_000),
    mid=st.decimals("6", "60", places=6, allow_nan=False),
)
def test_every_part_of_the_amount_is_posted_and_none_is_negative(
    shillings: int, mid: Decimal
) -> None:
    amount = Money(shillings * 100, "KES")
    priced = price(amount, mid, KE_UG, MPESA, MTN)
    parts = (priced.spread_minor, priced.value_at_mid_minor, priced.rounding_minor)
    assert sum(parts) == amount.minor
    assert min(parts) >= 0
    # At most the value of one unit of the payee's currency, and two minor units, is left over.
    assert priced.rounding_minor <= 100 / mid + 2
    assert (amount + priced.fee).minor % MPESA.unit_minor == 0
    assert priced.receives.minor <= amount.minor * mid / 100


def test_the_smallest_amount_that_lets_a_sum_arrive_is_rounded_up_at_both_ends() -> None:
    asked = Money(28_001, "UGX")  # 28,001 / 28.45 / 0.985 = 999.2... shillings, up to 1,000
    assert amount_for(asked, MID, KE_UG, MPESA, MTN) == Money(100_000, "KES")
    odd = Money(173_050, "KES")  # M-PESA pays whole shillings: 1,731 of them
    amount = amount_for(odd, Decimal("0.03515"), UG_KE, MTN, MPESA)
    assert price(amount, Decimal("0.03515"), UG_KE, MTN, MPESA).receives == Money(173_100, "KES")


def test_less_than_the_corridor_takes_is_asked_as_the_least_that_it_takes() -> None:
    assert amount_for(Money(500, "UGX"), MID, KE_UG, MPESA, MTN) == Money(10_000, "KES")


@given(st.integers(3_500, 1_300_000), st.decimals("20", "35", places=4))
def test_no_smaller_amount_lets_as_much_arrive(minor: int, mid: Decimal) -> None:
    asked = Money(minor, "UGX")
    amount = amount_for(asked, mid, KE_UG, MPESA, MTN)
    assert price(amount, mid, KE_UG, MPESA, MTN).receives.minor >= minor
    smaller = amount - Money(MPESA.unit_minor, "KES")
    is_least = smaller.minor < KE_UG.amount_minor_min
    assert is_least or arrives(smaller, mid, KE_UG, MPESA, MTN).minor < minor


@given(st.integers(50_000, 6_900_000), st.decimals("0.03", "0.05", places=6))
def test_what_arrives_is_what_the_price_says(minor: int, mid: Decimal) -> None:
    amount = Money(minor * 2 // 10, "UGX")
    priced = price(amount, mid, UG_KE, MTN, MPESA)
    assert arrives(amount, mid, UG_KE, MTN, MPESA) == priced.receives

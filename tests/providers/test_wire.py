"""Values on their way to the wire."""

from decimal import Decimal
from urllib.parse import parse_qs, quote_plus

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import Rejected, Unreadable
from engine.money import Money
from engine.ports import Direction, OperatorFacts, Reason
from providers.wire import form_value, order_amount, read_amount
from tests.providers.subjects import order
from tests.unit.payments.examples import MPESA

SENTENCES = ["", "AB12CD34EF paid.", "a+b & c=d%", "+256772000002", "naïve ~ été\n", "KES 1,010"]


@pytest.mark.parametrize("text", SENTENCES)
def test_form_value_is_written_as_urllib_writes_it(text: str) -> None:
    assert form_value(text).decode() == quote_plus(text)


@given(st.text())
def test_form_value_is_read_back_as_it_was(text: str) -> None:
    body = b"text=" + form_value(text)
    assert parse_qs(body.decode(), keep_blank_values=True, strict_parsing=True) == {"text": [text]}


NARROW = msgspec.structs.replace(
    MPESA, collect_minor_max=1_000, disburse_minor_min=300, disburse_minor_max=500
)
BY_RECEIPT = msgspec.structs.replace(NARROW, refund_by_receipt=True)
PAYS_BACK = msgspec.structs.replace(NARROW, refund_is_payout=True)


@pytest.mark.parametrize(
    ("facts", "direction", "minor", "is_taken"),
    [
        (NARROW, Direction.COLLECT, 1_000, True),
        (NARROW, Direction.COLLECT, 1_100, False),
        (NARROW, Direction.DISBURSE, 200, False),
        (NARROW, Direction.DISBURSE, 300, True),
        (NARROW, Direction.DISBURSE, 500, True),
        (NARROW, Direction.DISBURSE, 600, False),
        # A collection is given back however little may be paid out, or collected today.
        (NARROW, Direction.REFUND, 100, True),
        (NARROW, Direction.REFUND, 1_100, True),
        (NARROW, Direction.REFUND, 0, False),
        (NARROW, Direction.REFUND, 150, False),  # no whole shilling
        (PAYS_BACK, Direction.REFUND, 500, True),
        (PAYS_BACK, Direction.REFUND, 600, False),
        (PAYS_BACK, Direction.REFUND, 200, False),
        # Nothing can be undone without a receipt: what is left is to pay it.
        (BY_RECEIPT, Direction.REFUND, 500, True),
        (BY_RECEIPT, Direction.REFUND, 200, False),
    ],
)
def test_limits_of_payouts_bound_what_is_paid_out(
    facts: OperatorFacts, direction: Direction, minor: int, is_taken: bool
) -> None:
    asked = order(direction, money=Money(minor, "KES"))
    if is_taken:
        assert order_amount(facts, asked) == Decimal(minor) / 100
        return
    with pytest.raises(Rejected) as caught:
        order_amount(facts, asked)
    assert caught.value.code == "amount"


def test_what_is_undone_by_its_receipt_is_bound_by_no_limit_of_payouts() -> None:
    asked = order(Direction.REFUND, money=Money(200, "KES"))
    undone = msgspec.structs.replace(asked, collected_receipt="RKL51ZDR4F")
    assert order_amount(BY_RECEIPT, undone) == 2


@pytest.mark.parametrize("direction", Direction)
def test_no_order_leaves_in_another_currency_than_its_operators(direction: Direction) -> None:
    with pytest.raises(Rejected) as caught:
        order_amount(MPESA, order(direction, money=Money(1_000, "UGX")))
    assert (caught.value.code, caught.value.reason) == ("amount", Reason.CONFIGURATION)


@pytest.mark.parametrize(
    ("value", "minor"),
    [("150", 15_000), (" 150.00 ", 15_000), (150, 15_000), (Decimal("150.50"), 15_050), ("0", 0)],
)
def test_an_amount_is_read_to_its_last_unit(value: object, minor: int) -> None:
    assert read_amount("acme", value, "KES") == Money(minor, "KES")


NO_AMOUNTS = [
    "", "soon", "1,000", "150.005", Decimal("0.001"), True, None, [150], {"amount": 150},
    "١٥٠", "１５０", "NaN", "Infinity", Decimal("NaN"), "1e999999999", "1e-999999999",
    "0" * 25, "9" * 25,
]  # fmt: skip


@pytest.mark.parametrize("value", NO_AMOUNTS)
def test_what_is_no_amount_is_never_read_as_one(value: object) -> None:
    with pytest.raises(Unreadable):
        read_amount("acme", value, "KES")


def test_an_amount_of_a_currency_nobody_knows_is_none() -> None:
    with pytest.raises(Unreadable):
        read_amount("acme", "150", "KSH")

"""Values on their way to the wire."""

from decimal import Decimal
from urllib.parse import parse_qs, quote_plus

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import Rejected
from engine.money import Money
from engine.ports import Direction, OperatorFacts
from providers.wire import form_value, order_amount
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

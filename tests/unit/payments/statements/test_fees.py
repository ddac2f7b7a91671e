"""Which fees of a day are not as agreed, what of them is left to book, and by which entry."""

import msgspec
import pytest

from engine.payments.statements.fees import DayFees, Fee, entry_of, read_fees, words_of
from engine.payments.statements.judged import AGREES, Class
from engine.payments.statements.lines import ONE_DAY
from tests.unit.payments.examples import MPESA
from tests.unit.payments.statements.examples import DAY, judge, ours, theirs

COST, FLOAT = "OPERATOR_COST:mpesa_ke:KES", "FLOAT:mpesa_ke:KES"


def day_fees(*fees: Fee, booked: int = 0, asked: int = 0) -> DayFees:
    return DayFees(MPESA, DAY, fees, booked, asked)


def test_a_fee_is_told_by_what_was_charged_and_agreed() -> None:
    one = ours(receipt="R1", booked_fee_minor=40)
    judged = judge([one], [theirs("R1", fee_minor=15)])
    assert read_fees(judged, DAY) == (Fee("R1", one.code, 40, 15),)
    assert read_fees(judged, DAY)[0].beyond_minor == -25
    assert read_fees(judged, DAY + ONE_DAY) == ()  # a line costs on its own day
    same = judge([one], [theirs("R1", fee_minor=40)])
    assert read_fees(same, DAY) == ()


def test_a_statement_that_lists_no_fee_at_all_says_nothing_of_them() -> None:
    """Else whoever is billed by the month would be called every day."""
    agreed, free = ours(receipt="R1", booked_fee_minor=40), ours(2, receipt="R2")
    lines = [theirs("R1"), theirs("R2")]
    assert read_fees(judge([agreed, free], lines), DAY) == ()
    charged = [theirs("R1"), theirs("R2", fee_minor=5)]
    assert [fee.beyond_minor for fee in read_fees(judge([agreed, free], charged), DAY)] == [-40, 5]


@pytest.mark.parametrize("kind", list(Class))
def test_what_people_hear_of_anyway_waits_for_them(kind: Class) -> None:
    (judged,) = judge([ours(receipt="R1")], [theirs("R1", fee_minor=15)])
    fees = read_fees([msgspec.structs.replace(judged, kind=kind)], DAY)
    assert bool(fees) == (kind in AGREES)


def test_what_belongs_to_no_payment_goes_by_its_receipt() -> None:
    (judged,) = judge([ours(receipt="R1")], [theirs("R1", fee_minor=15)])
    moved = msgspec.structs.replace(judged, kind=Class.MOVED, ours=None)
    assert read_fees([moved], DAY) == (Fee("R1", "", 0, 15),)
    assert words_of(day_fees(Fee("R1", "", 0, 15))).endswith(
        ": R1 cost KES 0.15, agreed were KES 0"
    )


@pytest.mark.parametrize(
    ("charged", "agreed", "booked", "asked", "debit", "credit", "minor"),
    [
        (15, 0, 0, 0, COST, FLOAT, 15),
        (15, 0, 10, 0, COST, FLOAT, 5),
        (15, 0, 10, 2, COST, FLOAT, 3),
        (15, 40, 0, 0, FLOAT, COST, 25),  # less than agreed: the float has more
        (15, 0, 20, 0, FLOAT, COST, 5),  # more was booked than was charged
        (15, 40, -20, 0, FLOAT, COST, 5),
    ],
)
def test_the_entry_books_what_nobody_has_booked_or_proposed(
    charged: int, agreed: int, booked: int, asked: int, debit: str, credit: str, minor: int
) -> None:
    fees = day_fees(Fee("R1", "", agreed, charged), booked=booked, asked=asked)
    assert entry_of(fees, 1) == {"debit": debit, "credit": credit, "minor": minor}


def test_nothing_is_left_where_all_is_booked_or_proposed() -> None:
    fee = Fee("R1", "", 0, 15)
    assert entry_of(day_fees(fee, booked=15), 1) is None
    assert entry_of(day_fees(fee, booked=10, asked=5), 1) is None
    assert entry_of(day_fees(fee, Fee("R2", "", 15, 0)), 1) is None  # one more, one less
    assert day_fees(fee, booked=10, asked=5).left_minor == 5  # proposed is not booked


def test_the_words_tell_the_sum_the_first_and_how_many_more() -> None:
    many = words_of(day_fees(*(Fee(f"R{n}", "7KQ2M4XW9D", 10, 5) for n in range(7))))
    assert many.startswith(
        f"mpesa_ke {DAY}: fees of KES 0.35 less than was agreed are in no book: "
    )
    assert many.count("(R") == 5 and many.endswith("; and 2 more")

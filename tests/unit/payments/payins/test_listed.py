"""Which lines of a statement are a pay-in's own, and which of them show that it went back."""

from datetime import date

import pytest

from engine.money import Money
from engine.payments.payins.judging import Stage
from engine.payments.payins.listed import Listed
from engine.payments.statements.judged import Theirs
from engine.payments.statements.lines import Line, PaidInLine, Side

ID = "a" * 32
HUNDRED = Money(100_00, "KES")


def line(
    line_id: str, side: Side, minor: int, *, receipt: str = "R1", fee: int = 0, ref: str = ""
) -> Theirs:
    amount, day = Money(minor, "KES"), date(2026, 11, 2)
    listed = Line("mpesa_ke", day, receipt, ref or None, side, amount, fee, None, 0, None, "")
    return Theirs(line_id, listed)


def known(
    *lines: Theirs, stage: Stage = Stage.SUSPENDED, back: str | None = None, calls: int = 1
) -> dict[str, PaidInLine]:
    found = Listed(lines).those_of(ID, "R1", HUNDRED, stage, return_receipt=back, calls=calls)
    return dict(found)


@pytest.mark.parametrize(
    ("minor", "fee", "expected"),
    [
        (100_00, 0, {"in": PaidInLine(True, 100_00)}),
        (98_00, 2_00, {"in": PaidInLine(False, 100_00)}),  # what was left: under another key
        (102_00, 2_00, {}),
        (100_01, 0, {}),
    ],
)
def test_what_came_is_known_to_the_unit_or_less_its_fee(
    minor: int, fee: int, expected: dict[str, PaidInLine]
) -> None:
    assert known(line("in", Side.IN, minor, fee=fee)) == expected
    assert known(line("in", Side.IN, minor, receipt="R2", fee=fee)) == {}


@pytest.mark.parametrize(
    ("minor", "fee", "is_its"),
    [(100_00, 0, True), (102_00, 2_00, True), (98_00, 2_00, False), (100_01, 0, False)],
)
@pytest.mark.parametrize(
    ("receipt", "ref", "back"), [("R9", "", "R9"), ("R9", "R1", None)], ids=["receipt", "reference"]
)
def test_a_way_back_is_known_to_the_unit_or_with_its_fee(
    receipt: str, ref: str, back: str | None, minor: int, fee: int, is_its: bool
) -> None:
    went = line("out", Side.OUT, minor, receipt=receipt, fee=fee, ref=ref)
    expected = {"out": PaidInLine(False, 100_00, ID)} if is_its else {}
    assert known(went, stage=Stage.RETURNING, back=back) == expected


def test_a_way_back_ends_only_a_return_that_was_ordered_and_is_not_over() -> None:
    went = line("out", Side.OUT, 100_00, receipt="R9", ref="R1")
    not_ordered = known(went, stage=Stage.RETURNING, calls=0)
    is_over = known(went, stage=Stage.RETURNED)
    assert not_ordered == is_over == {"out": PaidInLine(False, 100_00)}
    assert known(went, stage=Stage.SUSPENDED) == known(went, stage=Stage.ASSIGNING) == {}

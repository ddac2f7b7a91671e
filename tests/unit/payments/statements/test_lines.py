from uuid import UUID

from engine.payments.statements.lines import Side, breaks_of, closing_minor, line_id, named_id
from tests.unit.payments.statements.examples import NOON, line


def test_the_same_movement_listed_again_has_the_same_id_and_any_other_has_not() -> None:
    first = line()
    again = line(at_ms=NOON + 1, fee_minor=5, reference="x")  # late, or told more fully
    others = [
        line("R2"), line(side=Side.OUT), line(minor=102_001),
    ]  # fmt: skip
    assert line_id(1, first) == line_id(1, again)
    assert len({line_id(1, made) for made in [first, *others]} | {line_id(2, first)}) == 5


def test_an_id_by_name_is_never_taken_for_one_of_a_payment() -> None:
    ids = {UUID(named_id("x", n)) for n in range(200)}
    assert {found.version for found in ids} == {8}
    assert len(ids) == 200
    assert named_id("a", "b") != named_id("ab", "")


def test_what_a_line_does_to_our_wallet() -> None:
    assert line(minor=100, fee_minor=3).effect_minor == 97
    assert line(minor=100, fee_minor=3, side=Side.OUT).effect_minor == -103


def test_a_running_balance_that_does_not_follow_shows_what_is_not_listed() -> None:
    first = line("A", minor=100, balance_minor=1_100)
    second = line("B", minor=50, side=Side.OUT, fee_minor=1, balance_minor=1_049)
    untold = line("C", minor=7)
    third = line("D", minor=10, balance_minor=1_059)
    assert breaks_of([first, second, untold, third]) == ()
    (gap,) = breaks_of([first, third])
    assert (gap.line.receipt, gap.gap_minor) == ("D", -51)
    assert closing_minor([first, second, untold]) == 1_049
    assert closing_minor([untold]) is None

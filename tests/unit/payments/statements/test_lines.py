from datetime import date
from uuid import UUID

import msgspec
import pytest

from engine.payments.statements.lines import (
    Extent,
    Jump,
    Line,
    Side,
    breaks_of,
    closing_minor,
    jumps_of,
    line_id,
    named_id,
    oldest_first,
    opening_minor,
)
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
    assert opening_minor([untold, first, second]) == 1_000
    assert opening_minor([second]) == 1_100
    assert opening_minor([untold]) is None


def test_a_day_begins_with_what_the_one_before_it_ended_with() -> None:
    first, second, third, fourth = (date(2026, 11, n) for n in (20, 21, 22, 23))
    empty, untold = Extent(0, None, None), Extent(3, None, None)
    ended, begun = Extent(2, 90, 100), Extent(2, 107, 120)
    jump = Jump(first, second, 7)
    assert jumps_of({first: ended, second: begun}) == {second: jump}
    assert jumps_of({second: begun, first: ended, third: Extent(1, 120, 1)}) == {second: jump}
    assert jumps_of({first: ended, second: empty, third: empty, fourth: begun}) == {
        fourth: Jump(first, fourth, 7)
    }
    for between in (untold, Extent(1, 107, None)):
        assert fourth not in jumps_of({second: ended, third: between, fourth: begun})
    assert jumps_of({first: ended, third: begun}) == {}  # the day between is not there
    assert jumps_of({first: empty, second: begun}) == {}
    assert jumps_of({first: ended, second: Extent(1, 100, 90)}) == {}


def held(*movements: tuple[int, int], opening: int = 1_000) -> list[Line]:
    """Lines of (minutes after noon, effect), the oldest first."""
    lines = []
    for n, (minute, effect) in enumerate(movements):
        opening += effect
        side = Side.IN if effect > 0 else Side.OUT
        lines.append(
            line(
                f"R{n}", side=side, minor=abs(effect), balance_minor=opening,
                at_ms=NOON + 60_000 * minute,
            )
        )  # fmt: skip
    return lines


RISING = held((0, 100), (1, -30), (2, 50))
AT_ONCE = held((0, 100), (0, -30), (0, 50))
THERE_AND_BACK = held((0, 100), (1, -100))
THERE_AND_BACK_AT_ONCE = held((0, 100), (0, -100))
WITH_A_GAP = [*RISING, *held((3, 7), (4, 9), opening=2_000)]


@pytest.mark.parametrize("lines", [RISING, AT_ONCE, THERE_AND_BACK, WITH_A_GAP])
def test_a_file_that_lists_the_newest_first_is_turned_round(lines: list[Line]) -> None:
    assert oldest_first(lines) == lines
    assert oldest_first(lines[::-1]) == lines


def test_without_two_balances_the_order_means_nothing() -> None:
    lines = [line("A", at_ms=NOON + 1), line("B"), line("C", balance_minor=5)]
    assert oldest_first(lines) == lines
    assert oldest_first([]) == []


def test_a_file_with_lines_missing_stays_where_fewer_are_missing_so() -> None:
    """Its times are in no order and its balances in neither: it is judged by what it lacks."""
    moved = [msgspec.structs.replace(each, completed_ms=NOON) for each in WITH_A_GAP]
    assert oldest_first(moved) == moved
    assert oldest_first(moved[::-1]) is None


@pytest.mark.parametrize(
    "lines",
    [
        THERE_AND_BACK_AT_ONCE,
        [msgspec.structs.replace(each, completed_ms=NOON - n) for n, each in enumerate(RISING)],
    ],
)
def test_what_times_and_balances_do_not_say_alike_is_not_guessed(lines: list[Line]) -> None:
    assert oldest_first(lines) is None
    assert oldest_first(lines[::-1]) is None

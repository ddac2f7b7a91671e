from datetime import UTC, datetime, timedelta

import pytest

from simulator.phone.trail import TURNS_MAX, Seen, Trail, conceal
from simulator.ussd import PHONE_FAULT, Screen

AT = datetime(2026, 1, 1, 10, 0, tzinfo=UTC)
LATER = AT + timedelta(milliseconds=120)


@pytest.mark.parametrize(
    ("screen", "came", "complaint"),
    [
        (Screen("Hi", ends=False), "asks", None),
        (Screen("Bye", ends=True), "ends", None),
        (Screen("Hi", ends=False, flaws=("a", "b")), "asks", "a; b"),
        (Screen(PHONE_FAULT, ends=True, fault="HTTP status 500"), "failed", "HTTP status 500"),
    ],
)
def test_a_turn_is_kept_with_what_came_of_it(
    screen: Screen, came: str, complaint: str | None
) -> None:
    trail = Trail("payer")
    trail.add("1", screen, began_at=AT, ended_at=LATER)
    assert trail.turns == [Seen(AT, "payer", "1", came, 120, complaint)]


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("1", "1"),
        ("256772000002", "256772000002"),
        ("4826", "****"),
        ("123456", "****"),
        ("*384*96*1*4826#", "*384*96*1*****#"),
        ("Amina", "Amina"),
        ("", ""),
    ],
)
def test_what_may_be_a_pin_is_not_kept(typed: str, kept: str) -> None:
    assert conceal(typed) == kept


def test_only_the_latest_turns_are_kept() -> None:
    trail = Trail("payer")
    for number in range(TURNS_MAX + 5):
        trail.add(str(number), Screen("Hi", ends=False), began_at=AT, ended_at=AT)
    assert [turn.typed for turn in trail.turns][:1] == ["5"]
    assert len(trail.turns) == TURNS_MAX

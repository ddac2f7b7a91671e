import msgspec
import pytest

from engine.decisions import Kind
from engine.payments.breaker import (
    NOTHING,
    Breaker,
    BreakerRules,
    Inputs,
    Position,
    Run,
    as_seen,
    decide,
    held_until_max,
    move,
    replay,
    run_of,
)
from engine.payments.health import Tally, Told
from engine.ports import Direction

S, D = Told.SUCCEEDED, Told.DECLINED
U, T, R, C = Told.UNCLEAR, Told.THROTTLED, Told.UNREACHABLE, Told.MISCONFIGURED
RULES = BreakerRules()
NOW = 1_800_000_000_000
OPEN = Breaker(Position.OPEN, since_ms=NOW, until_ms=NOW + 30_000, pauses=1)
HALF = Breaker(Position.HALF_OPEN, since_ms=NOW + 30_000, until_ms=NOW + 30_000, pauses=1)


def after(breaker: Breaker, *told: Told, window: Tally = Tally(), at: int = NOW) -> Breaker:  # noqa: B008
    return move(breaker, run_of(told), window, at, RULES).after


@pytest.mark.parametrize(
    ("told", "position"),
    [
        ([U] * 4, Position.CLOSED),
        ([U] * 5, Position.OPEN),
        ([R] * 5, Position.OPEN),
        ([C] * 5, Position.OPEN),
        ([T] * 9, Position.CLOSED),
        ([T] * 10, Position.OPEN),
        ([U, R, C, T, T, U], Position.OPEN),
        ([U, U, U, U, S, U, U, U, U], Position.CLOSED),
        ([U, U, U, U, D, U, U, U, U], Position.CLOSED),
        ([S, U, U, U, U, U, S], Position.OPEN),
        ([D] * 100, Position.CLOSED),
    ],
)
def test_so_many_faults_in_a_row_open_it(told: list[Told], position: Position) -> None:
    assert after(Breaker(), *told).position is position


def test_a_streak_goes_on_over_many_flushes_and_ends_with_one_good_answer() -> None:
    four = after(after(Breaker(), U, U), U, U)
    assert four.points == 8
    assert after(four, U).position is Position.OPEN
    assert after(four, S) == Breaker(fault_ms=NOW)
    assert after(four, S, U).points == 2


def test_a_fault_long_after_the_last_begins_a_new_streak() -> None:
    four = after(Breaker(), U, U, U, U)
    later = NOW + RULES.streak_gap_seconds * 1000
    assert after(four, U, at=later).position is Position.OPEN
    assert after(four, U, at=later + 1) == Breaker(points=2, fault_ms=later + 1)


@pytest.mark.parametrize(
    ("window", "position"),
    [
        (Tally(succeeded=10, unclear=9), Position.CLOSED),  # too few to say
        (Tally(succeeded=10, unclear=10), Position.OPEN),
        (Tally(succeeded=11, unclear=10), Position.CLOSED),
        (Tally(succeeded=100, unclear=99), Position.CLOSED),
        (Tally(declined=11, unreachable=10), Position.CLOSED),
        (Tally(succeeded=10, throttled=19), Position.CLOSED),  # half faults
        (Tally(succeeded=10, throttled=20), Position.OPEN),
    ],
)
def test_too_large_a_share_of_faults_opens_it(window: Tally, position: Position) -> None:
    assert after(Breaker(), S, T, window=window).position is position


def test_a_share_of_faults_alone_opens_nothing_without_a_new_fault() -> None:
    assert after(Breaker(), S, window=Tally(unclear=1000)).position is Position.CLOSED


def test_while_it_is_open_only_time_moves_it() -> None:
    for told in ((S, S), (U, U), ()):
        assert after(OPEN, *told, at=OPEN.until_ms - 1) == OPEN
        half = after(OPEN, *told, at=OPEN.until_ms)
        assert (half.position, half.since_ms) == (Position.HALF_OPEN, OPEN.until_ms)


def test_a_probe_that_is_answered_closes_it_and_forgets_the_pauses() -> None:
    for told in (S, D):
        assert after(HALF, told, at=NOW + 40_000) == Breaker(since_ms=NOW + 40_000)
    assert after(HALF) == HALF


def test_one_fault_among_the_probes_opens_it_for_twice_as_long() -> None:
    again = after(HALF, S, U, S, at=NOW)
    assert (again.position, again.pauses, again.until_ms) == (Position.OPEN, 2, NOW + 60_000)


def test_pauses_grow_to_a_limit() -> None:
    pauses, breaker = [], after(Breaker(), *[U] * 5)
    for _ in range(8):
        pauses.append((breaker.until_ms - breaker.since_ms) // 1000)
        half = after(breaker, at=breaker.until_ms)
        breaker = after(half, U, at=half.since_ms)
    assert pauses == [30, 60, 120, 240, 480, 900, 900, 900]


def test_a_time_that_has_not_come_is_the_moment_at_which_it_was_first_seen() -> None:
    """And its pause is no longer for it; a time that has come stays as it is."""
    for seen_ms in (NOW, NOW + 1, NOW + 90_000):
        assert as_seen(OPEN, seen_ms) == OPEN
    early = msgspec.structs.replace(OPEN, since_ms=NOW - 180_000, until_ms=NOW - 150_000)
    assert as_seen(OPEN, NOW - 180_000) == early


def test_a_probe_is_waited_for_as_long_as_by_a_clock_ten_seconds_ahead_and_no_longer() -> None:
    assert held_until_max(NOW, RULES) == NOW + RULES.probe_seconds * 1000 + 10_000


def test_runs_add_like_their_parts() -> None:
    assert run_of([U, S, T, U, S, U]) == Run(head=2, most=3, tail=2, goods=2)
    assert run_of([]) == NOTHING
    assert run_of([S, S]) == Run(goods=2)
    assert run_of([U, T]) == Run(3, 3, 3, 0)


def test_a_move_is_kept_with_all_it_was_made_from_and_can_be_made_again() -> None:
    before = Breaker(points=4, fault_ms=NOW - 1_000)
    inputs = Inputs(
        "mtn_ug", Direction.DISBURSE, "UG", before, run_of([U] * 3), Tally(), NOW, RULES
    )
    moved, decision = decide(inputs)
    assert decision is not None
    assert (decision.kind, decision.outcome) == (Kind.BREAKER, "open")
    assert decision.reason == "too many faults in a row"
    stored = msgspec.json.decode(msgspec.json.encode(decision), type=type(decision))
    again = replay(stored)
    assert again is not None
    assert msgspec.json.encode(again) == msgspec.json.encode(decision)
    assert moved.position is Position.OPEN


def test_what_leaves_the_position_as_it_is_is_no_decision() -> None:
    inputs = Inputs("mtn_ug", Direction.COLLECT, "UG", Breaker(), run_of([U]), Tally(), NOW, RULES)
    moved, decision = decide(inputs)
    assert decision is None
    assert moved.points == 2

"""Pauses grow, are bounded, and end after a day."""

from itertools import pairwise

from engine.hooks.schedule import USUAL, next_try_ms

DAY_MS = 24 * 3_600_000


def tries(drawn: float) -> list[int]:
    """When a delivery that always fails at once is tried, in milliseconds from its beginning."""
    found, now_ms = [0], 0
    while (next_ms := next_try_ms(USUAL, begun_ms=0, now_ms=now_ms, drawn=drawn)) is not None:
        now_ms = next_ms
        found.append(now_ms)
    return found


def test_pauses_double_from_five_seconds_to_two_hours_for_a_day() -> None:
    found = tries(0.0)
    pauses = [(later - at) / 1000 for at, later in pairwise(found)]
    assert pauses[:5] == [5, 5, 10, 20, 40]
    assert pauses == sorted(pauses)
    assert max(pauses) == 7200
    assert DAY_MS - 7_200_000 <= found[-1] <= DAY_MS
    assert len(found) == 23


def test_a_day_is_over_behind_its_last_moment() -> None:
    begun_ms = 1_000
    last_ms = begun_ms + DAY_MS - 7_200_000
    assert next_try_ms(USUAL, begun_ms=begun_ms, now_ms=last_ms, drawn=0.0) == begun_ms + DAY_MS
    assert next_try_ms(USUAL, begun_ms=begun_ms, now_ms=last_ms + 1, drawn=0.0) is None


def test_three_days_pause_a_subscription_and_a_quarter_of_an_hour_holds_up_what_is_behind() -> None:
    assert (USUAL.failing_seconds_max, USUAL.order_seconds) == (3 * 86_400, 15 * 60)


def test_what_is_drawn_only_makes_pauses_longer() -> None:
    assert tries(0.99)[1] == 5990
    assert tries(0.99)[-1] <= DAY_MS
    assert len(tries(0.99)) < len(tries(0.0))


def test_a_target_that_asks_to_be_left_alone_is_for_no_longer_than_two_hours() -> None:
    def asked(seconds: float) -> int | None:
        return next_try_ms(USUAL, begun_ms=0, now_ms=0, drawn=0.0, asked_seconds=seconds)

    assert asked(60) == 60_000
    assert asked(1) == 5_000
    assert asked(10**9) == 7_200_000


def test_a_clock_that_was_set_back_only_shortens_the_pause() -> None:
    assert next_try_ms(USUAL, begun_ms=10_000, now_ms=0, drawn=0.0) == 5_000

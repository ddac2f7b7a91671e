from hypothesis import given
from hypothesis import strategies as st

from engine.payments.breaker import Lane, run_of
from engine.payments.counting import Bucket, Counting, Day, Volume, Watched
from engine.payments.health import Tally, Told
from engine.ports import Direction

LANE = Lane("mtn_ug", Direction.DISBURSE)
BUCKET = Bucket(7, *LANE, band=0)
TODAY = Day(20_000, *LANE)
NOW, LATER = Watched(LANE, 0), Watched(LANE, 5)


def test_what_is_taken_is_counted_once() -> None:
    counting = Counting()
    counting.count(BUCKET, Told.SUCCEEDED)
    counting.count(BUCKET, Told.UNCLEAR)
    counting.moved(TODAY, 28_000)
    counting.moved(TODAY, 2_000)
    assert counting.take() == (
        {BUCKET: Tally(succeeded=1, unclear=1)},
        {TODAY: Volume(2, 30_000)},
    )
    assert counting.take() == ({}, {})


def test_what_is_put_back_joins_what_came_meanwhile() -> None:
    counting = Counting()
    counting.count(BUCKET, Told.SUCCEEDED)
    counting.moved(TODAY, 1)
    taken = counting.take()
    counting.count(BUCKET, Told.SUCCEEDED)
    counting.moved(TODAY, 2)
    counting.put_back(*taken)
    assert counting.take() == ({BUCKET: Tally(succeeded=2)}, {TODAY: Volume(2, 3)})


def test_a_run_belongs_to_the_time_since_the_breaker_moved() -> None:
    counting = Counting()
    counting.extend(NOW, Told.UNCLEAR)
    counting.extend(LATER, Told.SUCCEEDED)
    assert counting.take_runs() == {
        NOW: run_of([Told.UNCLEAR]),
        LATER: run_of([Told.SUCCEEDED]),
    }


def test_a_run_that_is_put_back_came_first() -> None:
    counting = Counting()
    counting.extend(NOW, Told.UNCLEAR)
    ((watched, earlier),) = counting.take_runs().items()
    counting.extend(NOW, Told.SUCCEEDED)
    counting.put_back_run(watched, earlier)
    assert counting.take_runs() == {NOW: run_of([Told.UNCLEAR, Told.SUCCEEDED])}


@given(st.lists(st.sampled_from(Told)), st.lists(st.sampled_from(Told)))
def test_a_run_told_one_by_one_is_the_run_of_all(before: list[Told], after: list[Told]) -> None:
    counting = Counting()
    for one in before:
        counting.extend(NOW, one)
    for watched, run in counting.take_runs().items():
        counting.put_back_run(watched, run)
    for one in after:
        counting.extend(NOW, one)
    expected = {NOW: run_of([*before, *after])} if before or after else {}
    assert counting.take_runs() == expected

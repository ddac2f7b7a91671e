import msgspec
import pytest

from engine.payments.schedule import DAY, LOOKS, Schedule, Timetables, read_timetables
from engine.ports import Direction

COLLECT, DISBURSE, REFUND = Direction.COLLECT, Direction.DISBURSE, Direction.REFUND


def test_looks_become_rarer_and_never_stop() -> None:
    schedule = Schedule(looks=(30, 60, 600))
    assert [schedule.next_look(age) for age in (0, 29, 30, 59.5, 100)] == [30, 1, 30, 0.5, 500]
    assert schedule.next_look(8 * DAY) == schedule.next_look(100 * DAY) == DAY


def test_jitter_makes_a_look_late_and_never_early() -> None:
    schedule = Schedule(looks=(100,), jitter=0.2)
    looks = [schedule.next_look(0, draw) for draw in (0.0, 0.5, 1.0)]
    assert looks == pytest.approx([100, 110, 120])
    assert schedule.next_look(8 * DAY, 1.0) == DAY * 1.2


def test_no_look_is_so_rare_or_so_late_that_the_promise_passes() -> None:
    schedule = Schedule(looks=(100, 7_000), escalate_after=1_000, escalate_again=(3,), jitter=1)
    assert [schedule.next_look(age, 1.0) for age in (100, 950, 1_000, 2_999)] == [900, 50, 2_000, 1]


def test_a_person_is_called_at_the_promise_and_again_as_it_ages() -> None:
    schedule = Schedule(escalate_after=100, escalate_again=(3, 7))
    ages = (0, 99, 100, 299, 300, 699, 700, 10**6)
    assert [schedule.escalation(age) for age in ages] == [0, 0, 1, 1, 2, 2, 3, 3]


def test_an_operator_says_only_what_is_unusual() -> None:
    tables = read_timetables(
        {
            "usual": {"escalate_after": 7200},
            "operators": {"mpesa_ke": {"asks_at_once": 5, "looks": [15, 30, 60]}},
        }
    )
    mpesa, other = tables.of("mpesa_ke", COLLECT), tables.of("mtn_ug", COLLECT)
    assert (mpesa.asks_at_once, mpesa.looks, mpesa.escalate_after) == (5, (15, 30, 60), 7200)
    assert other == Schedule(escalate_after=7200)
    assert Schedule().of("anybody", COLLECT) == Schedule()


def test_the_installations_first_look_replaces_earlier_ones() -> None:
    tables = read_timetables({}, first_looks={COLLECT: 90, DISBURSE: 2})
    assert tables.of("mtn_ug", COLLECT).looks == (90, *(look for look in LOOKS if look > 90))
    assert tables.of("mtn_ug", DISBURSE).looks == (2, *LOOKS)
    assert tables.of("mtn_ug", REFUND).looks == LOOKS


def test_an_operator_that_asks_for_patience_is_asked_no_sooner_than_it_says() -> None:
    raw = {
        "operators": {
            "airtel_ke": {"collection": {"looks": [180, 300]}},
            "zamtel_zm": {"looks": [150]},
            "mpesa_ke": {"asks_at_once": 5},
        }
    }
    tables = read_timetables(raw, first_looks=dict.fromkeys(Direction, 30))
    assert tables.of("airtel_ke", COLLECT).looks == (180, 300)
    assert tables.of("airtel_ke", DISBURSE).looks == LOOKS
    assert {tables.of("zamtel_zm", d).looks for d in Direction} == {(150,)}
    assert tables.of("mpesa_ke", COLLECT).looks == LOOKS


def test_a_payout_may_be_asked_about_sooner_than_a_push() -> None:
    tables = read_timetables(
        {
            "usual": {"looks": [30, 300], "payout": {"looks": [10, 20, 300]}},
            "operators": {
                "zamtel_zm": {"looks": [150]},
                "mtn_ug": {"unclear_after": 90, "refund": {"unclear_after": 45}},
            },
        },
        first_looks={COLLECT: 30, DISBURSE: 5, REFUND: 30},
    )
    looks = {d: tables.of("mtn_ug", d).looks for d in Direction}
    assert looks == {COLLECT: (30, 300), DISBURSE: (5, 10, 20, 300), REFUND: (30, 300)}
    assert [tables.of("mtn_ug", d).unclear_after for d in Direction] == [90, 90, 45]
    assert tables.of("anybody", DISBURSE).looks == (5, 10, 20, 300)
    # What an operator says of itself goes before what is usual of payouts.
    assert {tables.of("zamtel_zm", d).looks for d in Direction} == {(150,)}


def test_schedules_by_lane_are_told_apart() -> None:
    fast, slow = Schedule(looks=(5,)), Schedule(looks=(50,))
    tables = Timetables(slow, {"mtn_ug": {COLLECT: slow, DISBURSE: fast, REFUND: slow}})
    assert [tables.of("mtn_ug", d) for d in Direction] == [slow, fast, slow]
    assert tables.of("mpesa_ke", DISBURSE) == slow


@pytest.mark.parametrize(
    "own",
    [
        {"looks": [60, 30]},
        {"looks": [30, 30]},
        {"looks": []},
        {"looks": [0, 30]},
        {"jitter": 1.5},
        {"jitter": -0.1},
        {"asks_at_once": 0},
        {"escalate_after": 0},
        {"escalate_again": [7, 3]},
        {"escalate_again": [1]},
        {"looks_seconds": [30]},
        {"payout": {"looks": [60, 30]}},
        {"payout": {"asks_at_once": 2}},
        {"payouts": {"looks": [30]}},
    ],
)
def test_a_senseless_schedule_is_refused(own: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        read_timetables({"operators": {"mpesa_ke": own}})


def test_a_word_that_is_none_of_the_files_is_refused() -> None:
    """Else everybody would be asked as usual, and nobody would know."""
    with pytest.raises(msgspec.ValidationError, match="operator"):
        read_timetables({"operator": {"mpesa_ke": {"looks": [180]}}})

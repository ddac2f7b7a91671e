from engine.payments.schedule import DAY, Schedule


def test_looks_become_rarer_and_never_stop() -> None:
    schedule = Schedule(looks=(30, 60, 600))
    assert [schedule.next_look(age) for age in (0, 29, 30, 59.5, 100)] == [30, 1, 30, 0.5, 500]
    assert schedule.next_look(600) == schedule.next_look(10**6) == DAY

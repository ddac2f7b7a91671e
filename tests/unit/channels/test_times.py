from channels.times import iso_of, minute_of, second_of, stamp_of

AT_MS = 1_795_260_309_250  # 2026-11-21, in the morning


def test_a_moment_is_told_in_utc_wherever_the_machine_stands() -> None:
    assert minute_of(AT_MS) == "2026-11-21 11:25"
    assert second_of(AT_MS) == "2026-11-21 11:25:09"
    assert stamp_of(AT_MS) == "2026-11-21T11:25:09Z"
    assert iso_of(AT_MS) == "2026-11-21T11:25:09.250000+00:00"

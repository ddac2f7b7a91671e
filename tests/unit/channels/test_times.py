from argparse import ArgumentTypeError
from datetime import UTC, datetime

import pytest

from channels.times import (
    iso_of,
    minute_of,
    minute_utc_of,
    read_moment,
    read_since,
    second_of,
    stamp_of,
    typed_since,
)
from engine.clock import Clock, ms_of

AT_MS = 1_795_260_309_250  # 2026-11-21, in the morning


def test_a_moment_is_told_in_utc_wherever_the_machine_stands() -> None:
    assert minute_of(AT_MS) == "2026-11-21 11:25"
    assert minute_utc_of(AT_MS) == "2026-11-21 11:25 UTC"
    assert second_of(AT_MS) == "2026-11-21 11:25:09"
    assert stamp_of(AT_MS) == "2026-11-21T11:25:09Z"
    assert iso_of(AT_MS) == "2026-11-21T11:25:09.250000+00:00"


def test_what_is_typed_is_utc_unless_it_says_otherwise() -> None:
    assert read_moment("2026-11-21T11:25:09") == read_moment("2026-11-21T14:25:09+03:00")
    assert stamp_of(ms_of(read_moment("2026-11-21T14:25:09+03:00"))) == "2026-11-21T11:25:09Z"
    with pytest.raises(ValueError, match="Invalid isoformat"):
        read_moment("yesterday")


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("30m", datetime(2026, 3, 1, 11, 30, tzinfo=UTC)),
        ("24h", datetime(2026, 2, 28, 12, tzinfo=UTC)),
        ("7d", datetime(2026, 2, 22, 12, tzinfo=UTC)),
        ("2026-02-01T10:00", datetime(2026, 2, 1, 10, tzinfo=UTC)),
        ("2026-02-01T10:00+03:00", datetime(2026, 2, 1, 7, tzinfo=UTC)),
    ],
)
def test_a_moment_is_so_long_ago_or_a_time(text: str, moment: datetime) -> None:
    assert read_since(text, datetime(2026, 3, 1, 12, tzinfo=UTC)) == moment


@pytest.mark.parametrize(
    "text", ["yesterday", "", "999999d", "0001-01-01", "0001-01-01T00:00+05:00", "9999-12-31"]
)
def test_what_is_no_moment_of_ours_is_none(text: str) -> None:
    with pytest.raises(ValueError):
        read_since(text, datetime(2026, 3, 1, 12, tzinfo=UTC))


class _Stopped(Clock):
    """Always the same moment."""

    def __init__(self, moment: datetime) -> None:
        self.moment = moment

    def epoch(self) -> float:
        return self.moment.timestamp()


def test_how_long_ago_may_be_typed_is_a_matter_of_the_clock_that_was_passed_in() -> None:
    """20,480 days are 56 years and some weeks: within our years from 2027 on."""
    later = typed_since(_Stopped(datetime(2027, 3, 1, tzinfo=UTC)))
    assert [later(text) for text in ("30m", "2026-02-01", "20480d")] == [
        "30m", "2026-02-01", "20480d",
    ]  # fmt: skip
    earlier = typed_since(_Stopped(datetime(2025, 12, 1, tzinfo=UTC)))
    assert earlier("30m") == "30m"
    for text in ("20480d", "yesterday"):
        with pytest.raises(ArgumentTypeError, match=f"'{text}' is no time like 30m"):
            earlier(text)

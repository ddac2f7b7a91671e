import logging

import pytest

from channels.web.seldom import QUIET_SECONDS, Seldom

log = logging.getLogger("tests.seldom")


def test_a_sentence_is_told_once_a_minute_with_how_often_it_was_meant(
    caplog: pytest.LogCaptureFixture,
) -> None:
    now = 5.0
    seldom = Seldom(log, monotonic=lambda: now)
    for _ in range(1000):
        seldom.warning("no HTTP")
    seldom.warning("something else")
    now += QUIET_SECONDS - 0.1
    seldom.warning("no HTTP")
    now += 0.1
    seldom.warning("no HTTP")
    now += QUIET_SECONDS
    seldom.warning("no HTTP")
    assert [record.getMessage() for record in caplog.records] == [
        "no HTTP",
        "something else",
        "no HTTP (and 1000 times since that was last told)",
        "no HTTP",
    ]

from datetime import date

from channels.commands.sessions import lines_of
from engine.ports import EndReason
from engine.session.drops import Ended
from tests.unit.session.rooms import NETWORKS

DAY = date(2026, 11, 21)


def test_ends_are_shown_by_network_and_screen_the_most_first() -> None:
    ended = [
        Ended("63902", "send_money.pin", EndReason.TIMED_OUT, 3),
        Ended("63902", "send_money.pin", EndReason.CANCELLED, 1),
        Ended("63903", "home.menu", EndReason.TIMED_OUT, 9),
        Ended("", "-", EndReason.UNKNOWN, 1),
    ]
    lines = lines_of(DAY, ended, NETWORKS)
    assert lines[0].split() == ["2026-11-21", "screen", "cancelled", "timed_out", "unknown"]
    assert [line.split() for line in lines[1:]] == [
        ["Airtel", "KE", "home.menu", "0", "9", "0"],
        ["Safaricom", "KE", "send_money.pin", "1", "3", "0"],
        ["not", "told", "-", "0", "0", "1"],
    ]


def test_a_day_without_ends_says_so() -> None:
    assert lines_of(DAY, [], NETWORKS) == ["2026-11-21: no gateway told of an end"]

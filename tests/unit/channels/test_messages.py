from datetime import UTC, date, datetime

from channels.commands.messages import lines_of
from engine.messages.watch import Tallied, Unclear

DAY = date(2026, 11, 21)
AT = datetime(2026, 11, 21, 9, 12, 3, tzinfo=UTC)


def test_a_day_is_shown_by_gateway_and_status_with_what_nobody_knows() -> None:
    tallied = [
        Tallied("", "quiet", 1, 1, 0),
        Tallied("africastalking", "sent", 12, 14, 0),
        Tallied("twilio", "sent", 2, 3, 3),
    ]
    unclear = [
        Unclear(AT, "receipt_payee", "twilio", "7KQ2M4XW9D"),
        Unclear(AT, "answer", "", ""),
    ]
    lines = lines_of(DAY, tallied, unclear)
    assert [line.split() for line in lines[:4]] == [
        ["2026-11-21", "status", "messages", "segments", "counted"],
        ["(nobody", "asked)", "quiet", "1", "1", "-"],
        ["africastalking", "sent", "12", "14", "-"],
        ["twilio", "sent", "2", "3", "3"],
    ]
    assert lines[4:] == [
        "unknown: 09:12:03 receipt_payee 7KQ2M4XW9D by twilio",
        "unknown: 09:12:03 answer by a process that died",
    ]


def test_a_day_without_messages_says_so() -> None:
    assert lines_of(DAY, [], []) == ["2026-11-21: no messages"]

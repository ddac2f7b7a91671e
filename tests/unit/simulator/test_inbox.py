"""The list of messages: what stands in a line, what counts as read, where one stands when one more
comes.
"""

from datetime import UTC, datetime

import pytest

from simulator.admin import Message
from simulator.phone.inbox import ROWS, WIDTH, Inbox

AT = datetime(2026, 1, 1, 10, 5, tzinfo=UTC)
LOCAL = AT.astimezone().strftime("%H:%M")


def message(n: int, text: str = "", sender: str | None = "CAPP") -> Message:
    return Message(n, text or f"text {n}", sender, AT)


def filled(count: int) -> Inbox:
    inbox = Inbox("Write one.")
    inbox.take([message(n) for n in range(1, count + 1)], is_open=False)
    inbox.open()
    return inbox


def test_line_tells_sender_time_first_words_and_what_is_unread() -> None:
    inbox = filled(2)
    inbox.enter()
    inbox.close()
    assert inbox.text == (f"▶  CAPP         {LOCAL}\n   text 2\n ● CAPP         {LOCAL}\n   text 1")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("UGX 13,600 from +2547***01.", "UGX 13,600 from +…"),
        ("1. Send\n2. Balance", "1. Send 2. Balance"),
        ("x" * 18, "x" * 18),
        ("x" * 19, "x" * 17 + "…"),
    ],
)
def test_first_words_stand_on_one_line(text: str, words: str) -> None:
    inbox = Inbox("")
    inbox.take([message(1, text, "A sender of many words")], is_open=False)
    head, body = inbox.text.split("\n")
    assert (head, body) == (f"▶● A sender of… {LOCAL}", f"   {words}")
    assert max(len(head), len(body)) <= WIDTH


def test_message_without_sender_and_time_has_a_line_too() -> None:
    inbox = Inbox("")
    inbox.take([Message(1, "Hi")], is_open=False)
    assert inbox.text == "▶● unknown\n   Hi"


def test_looking_at_the_list_reads_nothing_and_opening_reads_one() -> None:
    inbox = filled(3)
    inbox.browse(+1)
    assert inbox.unread == 3
    inbox.enter()
    assert (inbox.unread, inbox.text) == (2, "From CAPP\ntext 2")
    inbox.enter()
    assert (inbox.unread, inbox.text) == (1, "From CAPP\ntext 1")
    inbox.enter()
    assert (inbox.unread, inbox.text) == (0, "From CAPP\ntext 3")


def test_cursor_moves_over_pages_and_from_the_last_to_the_first() -> None:
    inbox = filled(ROWS + 1)
    assert inbox.text.count("CAPP") == ROWS
    inbox.browse(-1)
    assert (inbox.title, inbox.text.split("\n")[1:]) == (
        f"Inbox {ROWS + 1}/{ROWS + 1}",
        ["   text 1"],
    )
    inbox.browse(+1)
    assert inbox.text.startswith("▶● CAPP") and inbox.text.count("CAPP") == ROWS


def test_new_message_stands_on_top_and_the_cursor_stays_with_its_message() -> None:
    inbox = filled(2)
    inbox.browse(+1)
    inbox.take([message(3), message(4)], is_open=True)
    inbox.enter()
    assert (inbox.title, inbox.text) == ("SMS 4/4", "From CAPP\ntext 1")
    inbox.open()
    inbox.take([message(5)], is_open=True)
    assert inbox.text.startswith(f"▶● CAPP         {LOCAL}\n   text 5\n")
    assert inbox.unread == 4


def test_who_reads_the_newest_sees_the_answer_come() -> None:
    inbox = filled(1)
    inbox.enter()
    inbox.write("1")
    inbox.sent()
    assert inbox.text == "Sent. The answer comes here.\nFrom CAPP\ntext 1"
    inbox.take([message(2)], is_open=True)
    assert (inbox.text, inbox.unread) == ("From CAPP\ntext 2", 0)


def test_message_that_is_shown_because_one_was_sent_is_read() -> None:
    inbox = filled(1)
    inbox.take([message(2), message(3)], is_open=True)
    inbox.browse(+1)
    inbox.enter()
    inbox.sent()
    assert (inbox.title, inbox.unread) == ("SMS 1/3", 1)


def test_empty_list_says_what_to_do_and_opens_nothing() -> None:
    inbox = Inbox("Write one.")
    inbox.browse(+1)
    inbox.enter()
    assert (inbox.title, inbox.text) == ("Inbox", "No messages.\nWrite one.")

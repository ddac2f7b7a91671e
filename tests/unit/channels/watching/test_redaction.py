"""What never leaves in a line of a log, and what must stay readable."""

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.watching import redaction
from channels.watching.redaction import Redacting, redacted

SIGNS = "0123456789" * 3 + "+.:-=&aF \n_é٣"
PIECES = st.sampled_from(["+254712345678", "00256772000001", "0712345678", "1763715600123"])


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("turn of +254712345678", "turn of +254******678"),
        ("0722 is short, 0712345678 is not", "0722 is short, *******678 is not"),
        ("to 256772000002, from 00254712345678", "to 256******002, from 00254******678"),
        ("+2547*****678 was masked before", "+2547*****678 was masked before"),
        ("Authorization: Bearer abcdefgh12345678", "Authorization: ***"),
        ("key ed25519-priv-0x1f00aa", "key ***"),
        ("got eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl", "got ***"),
        ("postgres://capp:hunter2@db/capp", "postgres://***@db/capp"),
        ("pin=1234&amount=500", "pin=***&amount=500"),
        ('{"pin": "1234", "amount": 500}', '{"pin": "***", "amount": 500}'),
        ("api_key=abc password: x", "api_key=*** password: ***"),
        ("POST /ussd/hubtel/0123456789abcdef0123456789abcdef", "POST /ussd/hubtel/***"),
        (
            "/api/v1/webhooks/daraja/stk/1.AAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "/api/v1/webhooks/daraja/stk/***",
        ),
    ],
)
def test_what_is_somebodys_never_leaves(said: str, kept: str) -> None:
    assert redacted(said) == kept
    assert redacted(kept) == kept


@pytest.mark.parametrize(
    "said",
    [
        "payment 0197a2b4c5d67e8f9a0b1c2d3e4f5061 is PAID",
        "batch 0197a2b425471234567890123456789a",
        "KES 254,712 at 1732190000000 ms, 27 of 1000 in 0.254712345 s",
        "7KQ2M4XW9D: COLLECT_UNKNOWN",
        "2026-11-21T10:00:00.123 took 12345678 us",
        "hash 0x254712345678aabbccddeeff",
    ],
)
def test_what_is_ours_stays_readable(said: str) -> None:
    assert redacted(said) == said


def test_traces_and_arguments_are_redacted_too() -> None:
    formatter = Redacting(logging.Formatter("%(message)s"))
    try:
        raise ValueError("no such wallet: +254712345678")
    except ValueError as error:
        record = logging.LogRecord(
            "x", logging.ERROR, "f", 1, "of %s", ("+256772000002",),
            (type(error), error, error.__traceback__),
        )  # fmt: skip
    text = formatter.format(record)
    assert "+256******002" in text and "+254******678" in text
    assert "712345" not in text and "772000" not in text


@given(st.lists(PIECES | st.text(SIGNS, max_size=14), max_size=8).map("".join))
def test_a_line_that_is_passed_over_at_a_glance_holds_no_number(line: str) -> None:
    if not redaction._may_hold_number(line):
        assert redaction._NUMBER.search(line) is None
        assert redaction._NATIONAL.search(line) is None
    assert redacted(redacted(line)) == redacted(line)


def test_ids_are_passed_over_at_a_glance_and_numbers_are_not() -> None:
    assert not redaction._may_hold_number("payment=019f0cf0e2ab71234567890123456789 in 12 ms")
    assert redaction._may_hold_number("payer=254712345678")
    assert redaction._may_hold_number("é 254712345678")

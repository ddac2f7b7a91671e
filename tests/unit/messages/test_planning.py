from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import TextKey
from engine.messages.planning import Writer, as_it_is, may_be_cut
from engine.money import Money
from engine.msisdn import Msisdn
from engine.segments import Coding, coding_of, segments_of
from engine.texts import Texts

TEXTS = Texts.load(Path("menus/texts"))
WRITER = Writer(TEXTS)
PAYEE = Msisdn("+256772000002")
RECEIPT = {
    "code": "7KQ2M4XW9D",
    "amount": Money(100_000, "KES"),
    "receives": Money(28_023, "UGX"),
    "fee": Money(2_000, "KES"),
    "total": Money(102_000, "KES"),
    "time": datetime(2026, 11, 2, 12, 4, tzinfo=UTC),
    "payee": PAYEE,
    "payer": Msisdn("+254712000001"),
}


@pytest.mark.parametrize("language", TEXTS.languages)
def test_a_receipt_is_as_many_segments_as_its_template(language: str) -> None:
    planned = WRITER.write(language, "sms.receipt_payer", RECEIPT)
    assert planned.segments == segments_of(planned.text)
    assert planned.segments <= segments_of(TEXTS.widest(language, "sms.receipt_payer"))
    assert planned.text.startswith("7KQ2M4XW9D")


@given(st.text(max_size=200))
def test_a_name_never_makes_a_receipt_longer_nor_ucs2(name: str) -> None:
    planned = WRITER.write("en", "sms.receipt_payer", {**RECEIPT, "payee": name})
    assert planned.segments == 1
    assert coding_of(planned.text) is Coding.GSM7


def test_names_are_cut_before_amounts_and_codes() -> None:
    huge = Money(99_999_999_999_99, "KES")  # wider than any amount is declared
    written = {**RECEIPT, "payee": "Nakato Florence", "amount": huge, "total": huge, "fee": huge}
    planned = WRITER.write("en", "sms.receipt_payer", written)
    assert planned.text.count(str(huge)) == 3
    assert "7KQ2M4XW9D" in planned.text
    assert " to Nakato on " in planned.text
    assert planned.segments == 1


def test_a_name_is_cut_before_a_sentence_of_ours() -> None:
    status = {**RECEIPT, "payee": "Nakato " * 30, "state": TextKey("state.delayed")}
    planned = WRITER.write("en", "sms.in_status", status)
    assert planned.text.endswith(f". {TEXTS.write('en', 'state', status['state'])}.")


def test_where_amounts_alone_are_too_long_there_is_one_segment_more() -> None:
    huge = Money(9_999_999_999_999_99, "KES")
    written = {**RECEIPT, "payee": "N", "amount": huge, "total": huge, "fee": huge,
               "receives": huge}  # fmt: skip
    planned = WRITER.write("en", "sms.receipt_payer", written)
    assert (planned.segments, planned.text.count(str(huge))) == (2, 4)


@pytest.mark.parametrize(
    ("name", "value", "cuttable"),
    [
        ("payee", "Nakato", True),
        ("reason", TextKey("reason.other"), True),
        ("code", "7KQ2M4XW9D", False),
        ("payee_named", "Nakato +256772000002", False),
        ("payee", PAYEE, False),
        ("payee", "+256772000002", False),
        ("amount", Money(1, "KES"), False),
        ("rate", "28.0232", False),
    ],
)
def test_what_may_be_cut(name: str, value: object, cuttable: bool) -> None:
    assert may_be_cut(name, value) is cuttable


def test_a_finished_text_is_counted_as_it_is() -> None:
    assert as_it_is("ሀ" * 71) == ("ሀ" * 71, 2)
    assert as_it_is("{code}") == ("{code}", 1)

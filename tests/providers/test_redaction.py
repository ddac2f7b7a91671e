"""What is stored of an operator's message: fields vouched for, masked numbers, no names."""

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.redaction import STRANGER, Fields, mask_digits, printable

FIELDS = Fields(kept=frozenset({"receipt", "at"}), texts=frozenset({"note"}))

CASES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"receipt": "TKK7RT61SV"}, {"receipt": "TKK7RT61SV"}),
    ({"at": 20261120101534}, {"at": 20261120101534}),
    ({"note": "To 254712345678 today"}, {"note": "To 2547*****678 today"}),
    ({"note": "+254712345678"}, {"note": "+2547*****678"}),
    ({"name": "Jane Doe"}, {"name": "[8 characters]"}),
    ({"phone": 254712345678}, {"phone": "2547*****678"}),
    ({"phone": "254712345678"}, {"phone": "[12 characters]"}),
    ({"amount": 150, "fee": Decimal("1.50")}, {"amount": 150, "fee": "1.50"}),
    ({"ok": True, "none": None}, {"ok": True, "none": None}),
    ({"254712345678": 1}, {"2547*****678": 1}),
    ({"list": [{"receipt": "A"}, "Jane"]}, {"list": [{"receipt": "A"}, "[4 characters]"]}),
    ({"Name": "receipt", "Value": "A1"}, {"Name": "receipt", "Value": "A1"}),
    ({"Key": "FirstName", "Value": "Jane"}, {"Key": "FirstName", "Value": "[4 characters]"}),
    ({"Key": "Payer", "Value": 254712345678}, {"Key": "Payer", "Value": "2547*****678"}),
    ({"Value": "Jane"}, {"Value": "[4 characters]"}),
    ({"receipt": "a\x00b\x1b[2J"}, {"receipt": "a?b?[2J"}),
    ({"receipt": "x" * 300}, {"receipt": "x" * 256}),
    ({"receipt": 254712345678}, {"receipt": 254712345678}),
    ({"receipt": {"note": "254712345678"}}, {"receipt": {"note": "2547*****678"}}),
    ({"note": ["12345678", 123456789]}, {"note": ["12345678", "1234*****789"]}),
    ({"note\x00": "x"}, {"note?": "[1 characters]"}),
]


@pytest.mark.parametrize(("message", "shown"), CASES)
def test_message_is_shown_as(message: dict[str, Any], shown: dict[str, Any]) -> None:
    assert json.loads(FIELDS.redact(message)) == shown


def test_what_is_huge_or_deep_is_cut() -> None:
    deep: dict[str, Any] = {}
    for _ in range(500):
        deep = {"in": deep}
    huge = {"receipt": "x" * 10_000, "list": [1] * 10_000, **{f"f{n}": 1 for n in range(10_000)}}
    assert len(FIELDS.redact(deep)) < 200
    assert len(FIELDS.redact(huge)) < 2_000


@given(st.text(), st.integers(10**8, 10**15))
def test_no_run_of_nine_digits_survives_masking(text: str, number: int) -> None:
    masked = mask_digits(f"{text}{number}")
    assert str(number) not in masked


@given(st.dictionaries(st.text(), st.text() | st.integers(-(2**63), 2**63 - 1) | st.none()))
def test_result_is_always_json_a_database_can_hold(message: dict[str, Any]) -> None:
    shown = FIELDS.redact(message)
    msgspec.json.decode(shown)
    assert "\\u0000" not in shown
    shown.encode()


def test_printable_is_bounded() -> None:
    assert printable("a\nb\u202e" + "c" * 500, length_max=5) == "a?b?c"


OUTLINES: list[tuple[bytes, str]] = [
    (b"", ""),
    (b'{"receipt":"A1","pin":1234,"note":"to 254712345678"}',
     '{"receipt":"A1","pin":"[hidden]","note":"to 2547*****678"}'),
    (b'{"Password":"x","apiKey":77,"passcode":1.5,"OTP":1}',
     '{"Password":"[1 characters]","apiKey":"[hidden]","passcode":"[hidden]","OTP":"[hidden]"}'),
    (b'[{"receipt":"A1"}]', '[{"receipt":"A1"}]'),
    (b"pin=1234", '{"bytes":8}'),
    (b"<html>1234</html>", '{"bytes":17}'),
    (b'{"receipt":', '{"bytes":11}'),
    (b'{"receipt":NaN}', '{"bytes":15}'),
    (b'"1234"', '{"bytes":6}'),
    (b"\xff\xfe", '{"bytes":2}'),
    (b'{"a":' * 5000 + b"1" + b"}" * 5000, '{"bytes":30001}'),
    (b'{"receipt":"' + b"x" * 70_000 + b'"}', '{"bytes":70014}'),
]  # fmt: skip


@pytest.mark.parametrize(("body", "shown"), OUTLINES)
def test_any_body_has_an_outline_without_a_secret(body: bytes, shown: str) -> None:
    assert FIELDS.outline(body) == shown


def test_an_outline_is_bounded() -> None:
    wide = msgspec.json.encode([[{"receipt": "x" * 200}] * 60] * 4)
    assert FIELDS.outline(wide) == f'{{"bytes":{len(wide)}}}'


def test_of_a_stranger_only_the_shape_remains() -> None:
    body = b'{"receipt":"A1","n":12,"Name":"Jane","in":[1.5,true,null,{"Key":"pin","Value":1234}]}'
    assert json.loads(STRANGER.outline(body)) == {
        "receipt": "[2 characters]",
        "n": "[number]",
        "Name": "[4 characters]",
        "in": ["[number]", True, None, {"Key": "[3 characters]", "Value": "[number]"}],
    }


def test_no_sentence_remains_where_only_single_words_are_wanted() -> None:
    body = b'{"receipt":"A1","at":"it said: sesame","note":"bad key sesame"}'
    shown = '{"receipt":"A1","at":"[15 characters]","note":"[14 characters]"}'
    assert FIELDS.single_words().outline(body) == shown
    fewer = FIELDS.without("note").outline(b'{"note":"sesame","receipt":"A1"}')
    assert fewer == '{"note":"[6 characters]","receipt":"A1"}'
    assert FIELDS.more(kept=frozenset({"new"})).outline(b'{"new":"A1"}') == '{"new":"A1"}'


@pytest.mark.long("hundreds of words")
@given(st.recursive(st.text() | st.integers() | st.floats() | st.none(),
                    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))  # fmt: skip
def test_nothing_a_stranger_says_remains_but_names(value: Any) -> None:
    body = json.dumps({"said": "sesame open", "value": value}).encode()
    shown = STRANGER.outline(body)
    assert "sesame" not in shown
    assert len(shown) <= 5_000
    json.loads(shown)


def test_names_that_come_once_are_not_remembered_for_ever_and_mean_the_same() -> None:
    fields = Fields(kept=frozenset({"receipt"}), texts=frozenset())
    for number in range(2_000):
        fields.redact({f"name{number}": "x", "n" * 1_000 + str(number): "x"})
    assert len(fields._rules) <= 512
    assert max(map(len, fields._rules)) <= 40
    message = {"receipt": "A1", "pin": 1234, "name1999": "Jane", "n" * 1_000: 254712345678}
    fresh = Fields(kept=frozenset({"receipt"}), texts=frozenset())
    assert fields.redact(message) == fresh.redact(message)

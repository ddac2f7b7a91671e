"""Airtel's callbacks: whose they are, who made them, and how little they say (section 8)."""

import base64
import hmac
import json
from typing import Any

import pytest

from engine.clock import AttemptId
from engine.errors import Unreadable
from engine.ports import (
    FORGED,
    Acknowledgement,
    CallbackTrust,
    Finding,
    FixedAddressPort,
    Outcome,
    Reason,
)
from providers.airtel_money import MARKETS, AirtelMoney, CallbackHash
from tests.providers.airtel_subjects import airtel_settings
from tests.providers.conftest import HandClock
from tests.providers.subjects import ATTEMPT

KEY = "demo-callback-key"
# The reference's own test vector: one line, compact, in this order.
VECTOR = (
    b'{"transaction":{"id":"ord-20260101-0001","message":"Paid UGX 5,000 to DEMO SHOP LTD Charge'
    b' UGX 140, Trans ID MP260101.1234.A00001.","status_code":"TS",'
    b'"airtel_money_id":"MP260101.1234.A00001"}}'
)
OVER_TRANSACTION = "TXo1eNN1EpTauLrNkc0kq/HLgxqICagxBo/OfPjt2Mo="
OVER_BODY = "EpHIboGxO2yG3CoFCWVtI+d4dDroW4JztQuABuwetQY="
PAID = Finding(Outcome.SUCCEEDED, "TS", receipt="MP260101.1234.A00001")


def airtel(*, key: str = KEY, over: CallbackHash = CallbackHash.EITHER) -> AirtelMoney:
    settings = airtel_settings("http://127.0.0.1:1", callback_key=key, callback_hash=over)
    return AirtelMoney(MARKETS["KE"], settings, clock=HandClock())


def with_hash(told: str, body: bytes = VECTOR) -> bytes:
    return body[:-1] + b',"hash":"' + told.encode() + b'"}'


def signed(body: bytes) -> bytes:
    """Over the `transaction` of a compact body."""
    inner = body.removeprefix(b'{"transaction":').removesuffix(b"}")
    digest = hmac.digest(KEY.encode(), inner, "sha256")
    return with_hash(base64.b64encode(digest).decode(), body)


def callback(status: Any = "TS", **fields: Any) -> bytes:
    told = {"id": ATTEMPT, "status_code": status, "airtel_money_id": "MP1", **fields}
    return json.dumps({"transaction": told}, separators=(",", ":")).encode()


@pytest.mark.parametrize(
    ("over", "believed"),
    [
        (CallbackHash.EITHER, {OVER_TRANSACTION, OVER_BODY}),
        (CallbackHash.TRANSACTION, {OVER_TRANSACTION}),
        (CallbackHash.BODY, {OVER_BODY}),
        (CallbackHash.HEADER, set()),
    ],
)
def test_hash_is_that_of_the_references_vectors(over: CallbackHash, believed: set[str]) -> None:
    adapter = airtel(over=over)
    assert adapter.facts.callback is CallbackTrust.SIGNED
    for told in (OVER_TRANSACTION, OVER_BODY):
        if told in believed:
            assert adapter.read_callback("callback", with_hash(told)).finding == PAID
            continue
        with pytest.raises(Unreadable) as caught:
            adapter.read_callback("callback", with_hash(told))
        assert caught.value.code == FORGED


def test_hash_may_stand_first_and_beside_other_members() -> None:
    first = b'{"hash":"' + OVER_TRANSACTION.encode() + b'",' + VECTOR[1:]
    assert airtel().read_callback("callback", first).finding == PAID
    more = VECTOR[:-1] + b',"version":2}'
    digest = base64.b64encode(hmac.digest(KEY.encode(), more, "sha256")).decode()
    assert airtel().read_callback("callback", with_hash(digest, more)).finding == PAID


OTHER_KEY = base64.b64encode(hmac.digest(b"another key", VECTOR, "sha256")).decode()
SPOILT = [
    VECTOR,
    with_hash(""),
    with_hash(OTHER_KEY),
    with_hash(OVER_TRANSACTION[:-1]),
    with_hash(OVER_TRANSACTION.lower()),
    with_hash(OVER_TRANSACTION).replace(b"5,000", b"5,001"),
    with_hash(OVER_TRANSACTION).replace(b'"TS"', b'"TF"'),
    with_hash(OVER_BODY).replace(b'{"tr', b'{"x":1,"tr'),
    VECTOR[:-1] + b',"hash":null}',
    VECTOR[:-1] + b',"hash":["' + OVER_TRANSACTION.encode() + b'"]}',
    # The signed transaction, and behind it another one: whoever reads the message takes the last.
    with_hash(OVER_TRANSACTION)[:-1] + b"," + VECTOR.replace(b"TS", b"TF")[1:],
    VECTOR.replace(b"TS", b"TF")[:-1] + b',"hash":"' + OVER_TRANSACTION.encode() + b'"}',
]


@pytest.mark.parametrize("body", SPOILT)
def test_callback_that_airtel_did_not_make_is_forged(body: bytes) -> None:
    with pytest.raises(Unreadable) as caught:
        airtel().read_callback("callback", body)
    assert caught.value.code == FORGED
    assert "5,00" not in str(caught.value)


def test_signature_may_come_in_a_header_instead() -> None:
    adapter = airtel(over=CallbackHash.HEADER)
    body = callback().replace(b":", b": ")  # the raw bytes, however they were written
    digest = base64.b64encode(hmac.digest(KEY.encode(), body, "sha256")).decode()
    attempt_id, read = adapter.read_fixed_callback(body, {"x-airtel-signature": digest})
    assert (attempt_id, read.finding.outcome) == (ATTEMPT, Outcome.SUCCEEDED)
    for headers in ({}, {"x-airtel-signature": OTHER_KEY}, {"x-signature": digest}):
        with pytest.raises(Unreadable) as caught:
            adapter.read_fixed_callback(body, headers)
        assert caught.value.code == FORGED


def test_without_a_key_a_callback_is_a_hint_that_is_always_asked_about() -> None:
    adapter = airtel(key="")
    assert adapter.facts.callback is CallbackTrust.UNSIGNED
    assert adapter.facts.confirm_callback_above_minor == 0
    assert adapter.read_callback("callback", VECTOR).finding == PAID
    assert adapter.read_callback("status", with_hash("anything")).finding == PAID


STATUSES = [
    ("TS", Outcome.SUCCEEDED, None, "MP1"),
    ("TF", Outcome.FAILED, Reason.OTHER, None),
    # Documented in enquiries only: ignored here, and asked about.
    ("TE", Outcome.PENDING, None, None),
    ("TIP", Outcome.PENDING, None, None),
    ("TA", Outcome.PENDING, None, None),
    ("ts", Outcome.PENDING, None, None),
    ("TX", Outcome.PENDING, None, None),
]


@pytest.mark.parametrize(("status", "outcome", "reason", "receipt"), STATUSES)
def test_only_two_status_words_are_ends(
    status: str, outcome: Outcome, reason: Reason | None, receipt: str | None
) -> None:
    finding = airtel().read_callback("callback", signed(callback(status))).finding
    assert finding == Finding(outcome, status, reason=reason, receipt=receipt)
    assert (finding.amount, finding.msisdn) == (None, None)


def test_body_names_the_attempt_because_the_address_cannot() -> None:
    adapter = airtel()
    assert isinstance(adapter, FixedAddressPort)
    attempt_id, read = adapter.read_fixed_callback(signed(callback()), {})
    assert attempt_id == AttemptId(ATTEMPT)
    assert read.finding.receipt == "MP1"
    assert read.acknowledgement == Acknowledgement(200, b"")


@pytest.mark.parametrize(
    "other", ["", 7, False, None, ATTEMPT[:-1], ATTEMPT.upper(), f"{ATTEMPT}0", "ord-1", ["x"]]
)
def test_id_that_cannot_be_ours_is_unreadable(other: Any) -> None:
    with pytest.raises(Unreadable):
        airtel(key="").read_fixed_callback(callback(id=other), {})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"transaction":[]}',
        b'{"transaction":{"id":"x"}}',
        b'{"transaction":{"status_code":"TS"}}',
        callback(status=""),
        callback(status=None),
        callback(status={"x": 1}),
    ],
)
def test_body_without_id_or_status_is_unreadable(body: bytes) -> None:
    with pytest.raises(Unreadable):
        airtel(key="").read_callback("callback", body)
    with pytest.raises(Unreadable):
        airtel(key="").read_callback("stk", callback())


def test_what_is_stored_holds_no_prose_and_no_hash() -> None:
    body = signed(callback(message="Paid KES 150 by JANE DOE 254712345678", payer="712345678"))
    redacted = airtel().read_callback("callback", body).redacted
    assert json.loads(redacted) == {
        "transaction": {
            "id": ATTEMPT,
            "status_code": "TS",
            "airtel_money_id": "MP1",
            "message": "[37 characters]",
            "payer": "[9 characters]",
        },
        "hash": "[44 characters]",
    }

"""What resembles a listed answer and is none: nobody knows what it did, so it ends nothing.

A word that is taken for a refusal while the money moved is a payment made twice.
"""

from typing import Any

import httpx
import pytest

from engine.errors import OutcomeUnknown, Rejected, Throttled
from engine.ports import Outcome, Reason
from providers.airtel_money import answers as airtel
from providers.aptos.refusals import Status
from providers.mpesa import answers as mpesa
from providers.mtn_momo import answers as mtn


def mtn_answer(status: int, *, text: str = "", kind: str = "", **body: Any) -> mtn.Answer:
    if text:
        return mtn.read_answer(
            httpx.Response(status, content=text.encode(), headers={"content-type": kind})
        )
    return mtn.read_answer(httpx.Response(status, json=body))


def mpesa_answer(status: int, **body: Any) -> mpesa.Answer:
    return mpesa.read_answer(httpx.Response(status, json=body))


@pytest.mark.parametrize(
    ("code", "pays", "reason"),
    [
        ("SENDER_ACCOUNT_NOT_ACTIVE", False, Reason.NOT_REGISTERED),
        ("SENDER_ACCOUNT_NOT_ACTIVE", True, Reason.CONFIGURATION),
        ("TRANSACTION_CANCELED", False, Reason.DECLINED),
        ("TRANSACTION_CANCELED", True, Reason.OTHER),
    ],
)
def test_mtn_says_whose_trouble_it_is(code: str, pays: bool, reason: Reason) -> None:
    error = mtn.error_of("mtn_ug", mtn_answer(500, code=code), pays=pays)
    assert isinstance(error, Rejected)
    assert (error.code, error.reason) == (code, reason)
    told = {"status": "FAILED", "reason": code}
    assert mtn.finding_of("mtn_ug", told, pays=pays).reason is reason


@pytest.mark.parametrize("name", ["code", "error", "errorCode", "fault"])
def test_an_acceptance_of_mtn_that_names_an_error_is_none(name: str) -> None:
    assert mtn_answer(202).is_taken
    assert not mtn_answer(202, **{name: "X"}).is_taken


@pytest.mark.parametrize("status", [200, 400, 500, 503])
def test_mtn_knows_an_order_from_before_by_409_alone(status: int) -> None:
    code = "RESOURCE_ALREADY_EXIST"
    assert mtn_answer(409, code=code).is_taken
    assert not mtn_answer(status, code=code).is_taken


@pytest.mark.parametrize("status", [200, 202, 404])
def test_mtn_is_away_for_a_while_by_a_broken_server_alone(status: int) -> None:
    away = mtn.error_of("mtn_ug", mtn_answer(503, code="SERVICE_UNAVAILABLE"), pays=True)
    assert isinstance(away, Throttled)
    other = mtn.error_of("mtn_ug", mtn_answer(status, code="SERVICE_UNAVAILABLE"), pays=True)
    assert isinstance(other, OutcomeUnknown)


def test_mtns_firewall_is_known_by_its_page_alone() -> None:
    page = "<html>Request Rejected</html>"
    assert mtn_answer(200, text=page, kind="text/html").is_firewall_page
    assert not mtn_answer(200, text=page, kind="application/octet-stream").is_firewall_page
    said = '{"message": "Request Rejected"}'
    assert not mtn_answer(200, text=said, kind="text/html").is_firewall_page


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (403, {"errorCode": "403.001.01", "errorMessage": "Bad Request"}),
        (500, {"errorCode": "500.001.1002", "errorMessage": "Merchant does not exist"}),
        (500, {"errorCode": "500.002.1001", "errorMessage": "Wrong credentials"}),
        (500, {"errorMessage": "Invalid Access Token"}),
        (500, {"ResponseCode": "0"}),
    ],
)
def test_an_answer_of_mpesas_that_is_not_quite_a_listed_one_decides_nothing(
    status: int, body: dict[str, str]
) -> None:
    answer = mpesa_answer(status, **body)
    assert not answer.is_accepted
    assert isinstance(mpesa.error_of(answer), OutcomeUnknown)


def test_mpesa_knows_an_order_from_before_by_its_code_and_its_words() -> None:
    words = "Duplicate OriginatorConversationID"
    assert mpesa_answer(500, errorCode="500.002.1001", errorMessage=words).is_duplicate
    assert not mpesa_answer(500, errorCode="500.002.1002", errorMessage=words).is_duplicate
    assert not mpesa_answer(500, errorCode="500.002.1001", errorMessage="busy").is_duplicate


def test_a_subscriber_who_is_busy_says_nothing_of_mpesa() -> None:
    """Else one customer's second prompt would close the operator for everybody."""
    said = {"errorCode": "500.001.1001", "errorMessage": "Unable to lock subscriber"}
    busy = mpesa.error_of(mpesa_answer(500, **said))
    assert isinstance(busy, Throttled)
    assert busy.by_customer
    many = mpesa.error_of(mpesa_answer(429))
    assert isinstance(many, Throttled)
    assert not many.by_customer


@pytest.mark.parametrize("code", ["DP00900001017", "ESB000041", "DP00900001011", "ESB000045"])
def test_a_payout_of_airtels_that_failed_as_a_repeat_may_have_been_paid(code: str) -> None:
    body = {
        "status": {"response_code": code, "success": False},
        "data": {"transaction": {"id": "A1", "status": "TF"}},
    }
    answer = airtel.read_answer(httpx.Response(200, json=body))
    assert airtel.ending_of(answer) is None
    found = airtel.finding_of("airtel_ug", answer, "A1", pays=True)
    assert found.outcome is Outcome.PENDING


def test_the_number_of_an_abort_has_two_bytes() -> None:
    assert Status(code=0x30101).reason == 0x101

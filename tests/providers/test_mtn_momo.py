"""MTN MoMo: what is sent, to the letter, and what every documented answer and status means.

Bodies follow the samples of reference `mtn-momo.md`; identifiers in them are invented.
"""

import base64
import json
import uuid
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from engine.clock import AttemptId
from engine.errors import OutcomeUnknown, Rejected, Throttled, Unreadable
from engine.money import Money
from engine.ports import Accepted, Direction, Finding, Outcome, Reason, callback_at
from providers.mtn_momo import UGANDA, MtnMomo, reference_id
from tests.providers.company import HTML_OK, Answer, Company
from tests.providers.conftest import HandClock
from tests.providers.subjects import (
    ATTEMPT,
    CALLBACK_URL,
    CODE,
    MTN,
    REFERENCE,
    REFERENCE_COLLECTED,
    TOKEN,
    UGANDAN,
    mtn_settings,
    ugandan_order,
)

COLLECT, DISBURSE, REFUND = Direction.COLLECT, Direction.DISBURSE, Direction.REFUND
PATHS = {
    COLLECT: "/collection/v1_0/requesttopay",
    DISBURSE: "/disbursement/v1_0/transfer",
    REFUND: "/disbursement/v1_0/refund",
}
KEYS = {
    COLLECT: "collection-key-x7",
    DISBURSE: "disbursement-key-x8",
    REFUND: "disbursement-key-x8",
}


@pytest.fixture
async def mtn(company: Company, clock: HandClock) -> AsyncIterator[MtnMomo]:
    MTN.script_tokens(company)
    adapter = MtnMomo(UGANDA, mtn_settings(company.url), clock=clock)
    yield adapter
    await adapter.aclose()


async def create(mtn: MtnMomo, direction: Direction, **changes: Any) -> Accepted:
    call = {COLLECT: mtn.collect, DISBURSE: mtn.disburse, REFUND: mtn.refund}[direction]
    return await call(ugandan_order(direction, **changes))


def problem(status: int, code: str) -> Answer:
    return Answer(status, message={"code": code, "message": "Words that decide nothing."})


def test_reference_is_a_version_4_uuid_and_never_changes() -> None:
    # The values are part of the wire: another derivation would pay open attempts twice.
    assert reference_id(ATTEMPT) == REFERENCE == "106f53d2-fbef-4626-ab97-22bbfa77032b"
    assert reference_id(AttemptId(ATTEMPT[:-1] + "b")) != REFERENCE
    assert uuid.UUID(REFERENCE).version == 4
    assert uuid.UUID(REFERENCE).variant == uuid.RFC_4122


async def test_each_product_has_its_own_token(company: Company, mtn: MtnMomo) -> None:
    for direction, path in PATHS.items():
        company.on(path, Answer(202))
        await create(mtn, direction)
    tokens = [request for request in company.requests if request.path.endswith("/token/")]
    assert [request.path for request in tokens] == ["/collection/token/", "/disbursement/token/"]
    pair = base64.b64encode(b"api-user-x5:api-key-x6").decode()
    for request, key in zip(tokens, ("collection-key-x7", "disbursement-key-x8"), strict=True):
        assert request.method == "POST"
        assert request.body == b""
        assert request.headers["content-length"] == "0"
        assert request.headers["authorization"] == f"Basic {pair}"
        assert request.headers["ocp-apim-subscription-key"] == key
        assert "x-target-environment" not in request.headers


@pytest.mark.parametrize("direction", list(Direction))
async def test_creating_request(company: Company, mtn: MtnMomo, direction: Direction) -> None:
    company.on(PATHS[direction], Answer(202))
    assert await create(mtn, direction) == Accepted()
    request = company.received(PATHS[direction])[0]
    assert request.method == "POST"
    assert request.headers["authorization"] == f"Bearer {TOKEN}"
    assert request.headers["ocp-apim-subscription-key"] == KEYS[direction]
    assert request.headers["x-target-environment"] == "mtnuganda"
    assert request.headers["x-reference-id"] == REFERENCE
    product = PATHS[direction].split("/")[1]
    assert request.headers["x-callback-url"] == callback_at(CALLBACK_URL, product)
    assert request.headers["content-type"] == "application/json"
    party = {"partyIdType": "MSISDN", "partyId": "256772123456"}
    target: dict[Direction, dict[str, Any]] = {
        COLLECT: {"payer": party},
        DISBURSE: {"payee": party},
        REFUND: {"referenceIdToRefund": REFERENCE_COLLECTED},
    }
    assert request.json == {
        "amount": "13600",
        "currency": "UGX",
        "externalId": CODE,
        "payerMessage": f"Payment {CODE}",
        "payeeNote": f"Payment {CODE}",
        **target[direction],
    }


async def test_narration_holds_only_what_the_firewall_lets_pass(
    company: Company, mtn: MtnMomo
) -> None:
    company.on(PATHS[COLLECT], Answer(202))
    order = msgspec.structs.replace(ugandan_order(COLLECT), code="A&B(C)#D")
    await mtn.collect(order)
    message = company.received(PATHS[COLLECT])[0].json
    assert message["payerMessage"] == message["payeeNote"] == "Payment A B C  D"


async def test_decimals_are_sent_where_the_currency_has_them(
    company: Company, clock: HandClock
) -> None:
    MTN.script_tokens(company)
    company.on(PATHS[COLLECT], Answer(202))
    zambia = msgspec.structs.replace(
        UGANDA, name="mtn_zm", country="ZM", currency="ZMW", collect_minor_min=1
    )
    adapter = MtnMomo(zambia, mtn_settings(company.url), clock=clock)
    await adapter.collect(ugandan_order(COLLECT, money=Money(1_050, "ZMW")))
    await adapter.aclose()
    assert company.received(PATHS[COLLECT])[0].json["amount"] == "10.50"


async def test_refund_that_names_no_collection_is_never_sent(
    company: Company, mtn: MtnMomo
) -> None:
    with pytest.raises(Rejected):
        await create(mtn, REFUND, collected_attempt_id=None)
    assert company.requests == []


@pytest.mark.parametrize("direction", list(Direction))
async def test_used_reference_means_the_first_request_was_taken(
    company: Company, mtn: MtnMomo, direction: Direction
) -> None:
    company.on(PATHS[direction], problem(409, "RESOURCE_ALREADY_EXIST"))
    assert await create(mtn, direction) == Accepted()


REJECTED = [
    (problem(500, "NOT_ENOUGH_FUNDS"), Reason.INSUFFICIENT_FUNDS, Reason.CONFIGURATION),
    (problem(500, "PAYER_NOT_FOUND"), Reason.NOT_REGISTERED, Reason.CONFIGURATION),
    (problem(500, "PAYEE_NOT_FOUND"), Reason.CONFIGURATION, Reason.NOT_REGISTERED),
    (problem(500, "PAYER_LIMIT_REACHED"), Reason.LIMIT, Reason.CONFIGURATION),
    (
        problem(500, "PAYEE_NOT_ALLOWED_TO_RECEIVE"),
        Reason.CONFIGURATION,
        Reason.CANNOT_RECEIVE,
    ),
    (problem(500, "NOT_ALLOWED"), Reason.CONFIGURATION, Reason.CONFIGURATION),
    (problem(500, "INVALID_CURRENCY"), Reason.CONFIGURATION, Reason.CONFIGURATION),
    (problem(500, "INVALID_CALLBACK_URL_HOST"), Reason.CONFIGURATION, Reason.CONFIGURATION),
    (
        problem(500, "NOT_ALLOWED_TARGET_ENVIRONMENT"),
        Reason.CONFIGURATION,
        Reason.CONFIGURATION,
    ),
    (problem(500, "PAYMENT_NOT_APPROVED"), Reason.DECLINED, Reason.OTHER),
    (problem(400, "WHATEVER"), Reason.CONFIGURATION, Reason.CONFIGURATION),
    (Answer(400), Reason.CONFIGURATION, Reason.CONFIGURATION),
    (
        Answer(
            200,
            body=b"<html><title>Request Rejected</title></html>",
            content_type="text/html; charset=utf-8",
        ),
        Reason.CONFIGURATION,
        Reason.CONFIGURATION,
    ),
    (
        Answer(
            401,
            message={
                "statusCode": 401,
                "message": "Access denied due to invalid subscription key. Make sure ...",
            },
        ),
        Reason.CONFIGURATION,
        Reason.CONFIGURATION,
    ),
]


@pytest.mark.parametrize(("answer", "collecting", "paying"), REJECTED)
async def test_listed_refusal_is_final_and_blames_the_right_side(
    company: Company, mtn: MtnMomo, answer: Answer, collecting: Reason, paying: Reason
) -> None:
    for direction, reason in ((COLLECT, collecting), (DISBURSE, paying), (REFUND, paying)):
        company.on(PATHS[direction], answer)
        with pytest.raises(Rejected) as caught:
            await create(mtn, direction)
        assert caught.value.reason == reason
        assert len(company.received(PATHS[direction])) == 1


@pytest.mark.parametrize("status", [500, 503])
async def test_an_order_to_a_service_that_is_away_may_have_been_taken(
    company: Company, mtn: MtnMomo, status: int
) -> None:
    for direction in (DISBURSE, REFUND):
        company.on(PATHS[direction], problem(status, "SERVICE_UNAVAILABLE"))
        with pytest.raises(OutcomeUnknown) as caught:
            await create(mtn, direction)
        assert caught.value.code == "SERVICE_UNAVAILABLE"


async def test_a_prompt_is_tried_again_while_the_service_is_away(
    company: Company, mtn: MtnMomo
) -> None:
    """Unknown it would be sent again whenever the service is back, hours after its price."""
    company.on(PATHS[COLLECT], problem(503, "SERVICE_UNAVAILABLE"))
    with pytest.raises(Throttled):
        await create(mtn, COLLECT)


async def test_too_many_orders_are_none(company: Company, mtn: MtnMomo) -> None:
    company.on(PATHS[DISBURSE], Answer(429))
    with pytest.raises(Throttled):
        await create(mtn, DISBURSE)


UNKNOWN = [
    problem(500, "INTERNAL_PROCESSING_ERROR"),
    problem(409, "SOMETHING_ELSE"),
    problem(500, "TRANSFER_TYPE_UNKNOWN"),
    Answer(503),
    Answer(409),
    Answer(200, message={"status": "SUCCESSFUL"}),
    Answer(411, body=b"<html/>", content_type="text/html"),
    HTML_OK,
]


@pytest.mark.parametrize("answer", UNKNOWN)
async def test_other_answers_leave_it_unknown(
    company: Company, mtn: MtnMomo, answer: Answer
) -> None:
    company.on(PATHS[DISBURSE], answer)
    with pytest.raises(OutcomeUnknown):
        await create(mtn, DISBURSE)
    assert len(company.received(PATHS[DISBURSE])) == 1


def status_body(status: str, *, party: str = "payer", **changes: Any) -> dict[str, Any]:
    return {
        "amount": "13600",
        "currency": "UGX",
        "externalId": CODE,
        party: {"partyIdType": "MSISDN", "partyId": "256772123456"},
        "payerMessage": f"Payment {CODE}",
        "payeeNote": f"Payment {CODE}",
        "status": status,
        **changes,
    }


PAID = Finding(
    Outcome.SUCCEEDED,
    code="SUCCESSFUL",
    amount=Money(13_600, "UGX"),
    msisdn=UGANDAN,
    receipt="23503452",
)


@pytest.mark.parametrize("direction", list(Direction))
async def test_status_request_and_a_paid_answer(
    company: Company, mtn: MtnMomo, direction: Direction
) -> None:
    path = f"{PATHS[direction]}/{REFERENCE}"
    party = "payer" if direction is COLLECT else "payee"
    body = status_body("SUCCESSFUL", party=party, financialTransactionId="23503452")
    company.on(path, Answer(message=body))
    assert await mtn.query(ugandan_order(direction)) == PAID
    request = company.received(path)[0]
    assert (request.method, request.body) == ("GET", b"")
    assert request.headers["ocp-apim-subscription-key"] == KEYS[direction]
    assert request.headers["x-target-environment"] == "mtnuganda"
    assert "x-reference-id" not in request.headers
    assert "content-length" not in request.headers


STATUSES = [
    ("SUCCESSFUL", None, Outcome.SUCCEEDED, "SUCCESSFUL", None, None),
    ("PENDING", None, Outcome.PENDING, "PENDING", None, None),
    ("CREATED", None, Outcome.PENDING, "CREATED", None, None),
    ("ONGOING", None, Outcome.PENDING, "ONGOING", None, None),
    ("DELAYED", None, Outcome.PENDING, "DELAYED", None, None),
    ("FAILED", None, Outcome.FAILED, "FAILED", Reason.OTHER, Reason.OTHER),
    ("FAILED", "", Outcome.FAILED, "FAILED", Reason.OTHER, Reason.OTHER),
    (
        "FAILED",
        "APPROVAL_REJECTED",
        Outcome.FAILED,
        "APPROVAL_REJECTED",
        Reason.DECLINED,
        Reason.OTHER,
    ),
    (
        "FAILED",
        {"code": "NOT_ENOUGH_FUNDS", "message": "..."},
        Outcome.FAILED,
        "NOT_ENOUGH_FUNDS",
        Reason.INSUFFICIENT_FUNDS,
        Reason.CONFIGURATION,
    ),
    ("FAILED", "EXPIRED", Outcome.FAILED, "EXPIRED", Reason.NOT_REACHED, Reason.OTHER),
    (
        "FAILED",
        "COULD_NOT_PERFORM_TRANSACTION",
        Outcome.FAILED,
        "COULD_NOT_PERFORM_TRANSACTION",
        Reason.NOT_REACHED,
        Reason.OTHER,
    ),
    (
        "FAILED",
        "INTERNAL_PROCESSING_ERROR",
        Outcome.FAILED,
        "INTERNAL_PROCESSING_ERROR",
        Reason.OTHER,
        Reason.OTHER,
    ),
    ("FAILED", "NEVER_SEEN", Outcome.FAILED, "NEVER_SEEN", Reason.OTHER, Reason.OTHER),
]


@pytest.mark.parametrize(
    ("status", "reason", "outcome", "code", "collecting", "paying"),
    STATUSES,
)
async def test_status_means_the_same_asked_and_told(
    company: Company,
    mtn: MtnMomo,
    status: str,
    reason: Any,
    outcome: Outcome,
    code: str,
    collecting: Reason | None,
    paying: Reason | None,
) -> None:
    changes = {} if reason is None else {"reason": reason}
    for direction, expected in ((COLLECT, collecting), (DISBURSE, paying)):
        party = "payer" if direction is COLLECT else "payee"
        body = status_body(status, party=party, **changes)
        company.on(f"{PATHS[direction]}/{REFERENCE}", Answer(message=body))
        asked = await mtn.query(ugandan_order(direction))
        told = mtn.read_callback("collection", json.dumps(body).encode()).finding
        assert asked == told
        assert (told.outcome, told.code, told.reason) == (outcome, code, expected)


@pytest.mark.parametrize("reason", [{}, {"reason": "EXPIRED"}])
@pytest.mark.parametrize(
    ("status", "meant"),
    [
        ("REJECTED", Reason.DECLINED),
        ("CANCELLED", Reason.DECLINED),
        ("TIMEOUT", Reason.NOT_REACHED),
    ],
)
async def test_word_that_mtn_does_not_publish_ends_collections_alone(
    company: Company, mtn: MtnMomo, status: str, meant: Reason, reason: dict[str, str]
) -> None:
    for direction in (COLLECT, DISBURSE, REFUND):
        pays = direction is not COLLECT
        body = status_body(status, party="payee" if pays else "payer", **reason)
        company.on(f"{PATHS[direction]}/{REFERENCE}", Answer(message=body))
        asked = await mtn.query(ugandan_order(direction))
        assert asked == mtn.read_callback("collection", json.dumps(body).encode()).finding
        if pays:
            assert (asked.outcome, asked.code, asked.reason) == (Outcome.PENDING, status, None)
        else:
            assert asked.outcome is Outcome.FAILED
            assert asked.reason is (Reason.NOT_REACHED if reason else meant)


@pytest.mark.parametrize("direction", list(Direction))
@pytest.mark.parametrize(
    "body", [b"", b" \r\n", b"{}", b'{"status": "PENDING"}', b'{"statusCode": 202, "message": ""}']
)
async def test_an_acceptance_that_tells_of_no_error_is_one(
    company: Company, mtn: MtnMomo, direction: Direction, body: bytes
) -> None:
    """None has a body; a harmless one stops no market."""
    company.on(PATHS[direction], Answer(202, body=body))
    assert await create(mtn, direction) == Accepted()


@pytest.mark.parametrize("direction", list(Direction))
@pytest.mark.parametrize(
    "body",
    [
        status_body("FAILED", reason="NOT_ENOUGH_FUNDS"), status_body("REJECTED"),
        {"statusCode": 500, "message": "new"}, {"title": "new", "status": 400},
    ],
)  # fmt: skip
async def test_an_acceptance_that_ended_badly_is_asked_about(
    company: Company, mtn: MtnMomo, direction: Direction, body: dict[str, Any]
) -> None:
    company.on(PATHS[direction], Answer(202, message=body))
    with pytest.raises(OutcomeUnknown):
        await create(mtn, direction)
    assert len(company.received(PATHS[direction])) == 1


async def test_unknown_reference_is_not_found_and_no_failure(
    company: Company, mtn: MtnMomo
) -> None:
    company.on(f"{PATHS[DISBURSE]}/{REFERENCE}", problem(404, "RESOURCE_NOT_FOUND"))
    finding = await mtn.query(ugandan_order(DISBURSE))
    assert finding == Finding(Outcome.NOT_FOUND, code="RESOURCE_NOT_FOUND")


NO_EVIDENCE = [
    Answer(404, body=b"<html/>", content_type="text/html"),
    Answer(404, message={"statusCode": 404, "message": "Resource not found"}),
    problem(500, "NOT_ENOUGH_FUNDS"),
    Answer(400),
    Answer(202),
    Answer(message=status_body("SUCCESSFUL", amount="1e99")),
]


@pytest.mark.parametrize("answer", NO_EVIDENCE)
async def test_refused_or_senseless_query_is_no_evidence(
    company: Company, mtn: MtnMomo, answer: Answer
) -> None:
    company.on(f"{PATHS[DISBURSE]}/{REFERENCE}", answer)
    with pytest.raises(OutcomeUnknown):
        await mtn.query(ugandan_order(DISBURSE))


async def test_paid_callback_is_acknowledged_and_redacted(mtn: MtnMomo) -> None:
    body = status_body("SUCCESSFUL", financialTransactionId="23503452", payerName="JANE DOE")
    callback = mtn.read_callback("collection", json.dumps(body).encode())
    assert callback.finding == PAID
    assert callback.acknowledgement.status == 200
    assert json.loads(callback.redacted) == {
        **body,
        "payer": {"partyIdType": "MSISDN", "partyId": "2567*****456"},
        "payerName": "[8 characters]",
    }


SPARSE = [
    ({"status": "SUCCESSFUL"}, None, None),
    ({"status": "SUCCESSFUL", "amount": "100"}, None, None),
    ({"status": "SUCCESSFUL", "payer": {"partyIdType": "EMAIL", "partyId": "a@b"}}, None, None),
    (
        {"status": "SUCCESSFUL", "payer": {"partyIdType": "MSISDN", "partyId": "2567***"}},
        None,
        None,
    ),
    # Too short for a number with its country: whoever it is, is not told.
    (
        {"status": "SUCCESSFUL", "payer": {"partyIdType": "MSISDN", "partyId": "25677212"}},
        None,
        None,
    ),
    (
        {"status": "SUCCESSFUL", "payer": {"partyIdType": "MSISDN", "partyId": "256772123"}},
        None,
        "+256772123",
    ),
    (
        {"status": "SUCCESSFUL", "payee": {"partyIdType": "msisdn", "partyId": "256772123456"}},
        None,
        "+256772123456",
    ),
    ({"status": "SUCCESSFUL", "amount": "7", "currency": "EUR"}, Money(700, "EUR"), None),
]


@pytest.mark.parametrize(("body", "amount", "msisdn"), SPARSE)
async def test_what_was_not_sent_is_none(
    mtn: MtnMomo, body: dict[str, Any], amount: Money | None, msisdn: str | None
) -> None:
    finding = mtn.read_callback("collection", json.dumps(body).encode()).finding
    assert (finding.amount, finding.msisdn, finding.receipt) == (amount, msisdn, None)


@pytest.mark.parametrize(
    "changes",
    [{"amount": "12.5"}, {"amount": "x"}, {"currency": "XXX"}, {"amount": "1" * 400}],
)
async def test_callback_with_an_amount_that_is_none_is_unreadable(
    mtn: MtnMomo, changes: dict[str, Any]
) -> None:
    body = status_body("SUCCESSFUL", **changes)
    with pytest.raises(Unreadable):
        mtn.read_callback("collection", json.dumps(body).encode())

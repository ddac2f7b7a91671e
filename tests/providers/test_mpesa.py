"""M-PESA: what is sent, to the letter, and what every documented answer and callback means.

Bodies follow the samples of reference `mpesa.md`; identifiers in them are invented.
"""

import base64
import json
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

from engine.errors import OutcomeUnknown, ProviderError, Rejected, Throttled, Unreadable
from engine.money import Money
from engine.ports import Accepted, Callback, Direction, Finding, Outcome, Reason, callback_at
from providers.mpesa import Mpesa, MpesaSettings, security_credential
from providers.mpesa.callbacks import read_callback
from tests.providers.company import Answer, Company
from tests.providers.conftest import HandClock
from tests.providers.subjects import (
    ATTEMPT,
    CALLBACK_URL,
    CHECKOUT_ID,
    CODE,
    KENYAN,
    KENYAN_TOKEN_PATH,
    MPESA,
    PAYOUT_PATH,
    PUSH_PATH,
    PUSH_QUERY_PATH,
    PUSHED,
    STATUS_PATH,
    TAKEN,
    TOKEN,
    certificate_pem,
    mpesa_settings,
    order,
    safaricom_key,
)

COLLECT, DISBURSE, REFUND = Direction.COLLECT, Direction.DISBURSE, Direction.REFUND
CONVERSATION_ID = "AG_20261120_20106e9209f64bebd05b"


@pytest.fixture
async def mpesa(company: Company, clock: HandClock) -> AsyncIterator[Mpesa]:
    company.on(KENYAN_TOKEN_PATH, MPESA.token)
    adapter = Mpesa(mpesa_settings(company.url), clock=clock)
    yield adapter
    await adapter.aclose()


def refusal(code: str, message: str, *, status: int = 500) -> Answer:
    envelope = {"requestId": "1c5b-4ba8-1", "errorCode": code, "errorMessage": message}
    return Answer(status, message=envelope)


async def test_token_request(company: Company, mpesa: Mpesa) -> None:
    company.on(PUSH_PATH, PUSHED)
    await mpesa.collect(order(COLLECT))
    request = company.requests[0]
    assert request.method == "GET"
    assert request.target == "/oauth/v1/generate?grant_type=client_credentials"
    pair = base64.b64encode(b"consumer-key-x1:consumer-secret-x2").decode()
    assert request.headers["authorization"] == f"Basic {pair}"
    assert request.body == b""


async def test_token_lifetime_may_be_a_number(company: Company, mpesa: Mpesa) -> None:
    company.on(KENYAN_TOKEN_PATH, Answer(message={"access_token": TOKEN, "expires_in": 3599}))
    company.on(PUSH_PATH, PUSHED)
    await mpesa.collect(order(COLLECT))
    await mpesa.collect(order(COLLECT))
    assert len(company.received(KENYAN_TOKEN_PATH)) == 1


async def test_push_request_and_its_reference(company: Company, mpesa: Mpesa) -> None:
    company.on(PUSH_PATH, PUSHED)
    assert await mpesa.collect(order(COLLECT)) == Accepted(CHECKOUT_ID)
    request = company.requests[1]
    assert (request.method, request.target) == ("POST", PUSH_PATH)
    assert request.headers["authorization"] == f"Bearer {TOKEN}"
    assert request.headers["content-type"] == "application/json"
    assert request.json == {
        "BusinessShortCode": 174379,
        "Password": base64.b64encode(b"174379passkey-x320261121130000").decode(),
        "Timestamp": "20261121130000",  # Nairobi
        "TransactionType": "CustomerPayBillOnline",
        "Amount": 150,
        "PartyA": 254712345678,
        "PartyB": 174379,
        "PhoneNumber": 254712345678,
        "CallBackURL": callback_at(CALLBACK_URL, "stk-callback"),
        "AccountReference": CODE,
        "TransactionDesc": "Send money",
    }


@pytest.mark.parametrize("direction", [DISBURSE, REFUND])
async def test_payout_request_and_its_reference(
    company: Company, mpesa: Mpesa, direction: Direction
) -> None:
    company.on(PAYOUT_PATH, TAKEN)
    pay = mpesa.disburse if direction is DISBURSE else mpesa.refund
    assert await pay(order(direction)) == Accepted(CONVERSATION_ID)
    request = company.requests[1]
    assert (request.method, request.target) == ("POST", PAYOUT_PATH)
    assert request.headers["authorization"] == f"Bearer {TOKEN}"
    message = request.json
    assert opened(message.pop("SecurityCredential")) == b"initiator-password-x4"
    assert message == {
        "OriginatorConversationID": ATTEMPT,
        "InitiatorName": "testapi",
        "CommandID": "BusinessPayment",
        "Amount": 150,
        "PartyA": 600984,
        "PartyB": 254712345678,
        "Remarks": f"Payment {CODE}",
        "QueueTimeOutURL": callback_at(CALLBACK_URL, "timeout"),
        "ResultURL": callback_at(CALLBACK_URL, "b2c-result"),
        "Occassion": CODE,
    }


async def test_push_query_request(company: Company, mpesa: Mpesa) -> None:
    await MPESA.operations[3].call(_scripted(company, mpesa, PUSH_QUERY_PATH))
    request = company.requests[1]
    assert (request.method, request.target) == ("POST", PUSH_QUERY_PATH)
    assert request.json == {
        "BusinessShortCode": "174379",
        "Password": base64.b64encode(b"174379passkey-x320261121130000").decode(),
        "Timestamp": "20261121130000",
        "CheckoutRequestID": CHECKOUT_ID,
    }


def _scripted(company: Company, mpesa: Mpesa, path: str) -> Mpesa:
    company.on(path, MPESA.operations[3].success)
    return mpesa


@pytest.mark.parametrize("direction", [DISBURSE, REFUND])
async def test_status_query_request_is_answered_later(
    company: Company, mpesa: Mpesa, direction: Direction
) -> None:
    company.on(STATUS_PATH, TAKEN)
    finding = await mpesa.query(order(direction))
    assert finding == Finding(Outcome.ASKED, code="asked")
    message = company.requests[1].json
    assert opened(message.pop("SecurityCredential")) == b"initiator-password-x4"
    assert message == {
        "Initiator": "testapi",
        "CommandID": "TransactionStatusQuery",
        "OriginalConversationID": ATTEMPT,
        "PartyA": "600984",
        "IdentifierType": "4",
        "ResultURL": callback_at(CALLBACK_URL, "status-result"),
        "QueueTimeOutURL": callback_at(CALLBACK_URL, "timeout"),
        "Remarks": "Status check",
        "Occasion": CODE,
    }


def opened(credential: str) -> bytes:
    assert len(credential) == 344
    return safaricom_key().decrypt(base64.b64decode(credential), PKCS1v15())


def test_password_matches_the_portals_own_sample(clock: HandClock) -> None:
    passkey = "bfb279f9aa9bdbcf158e97dd71a467cd2e0c893059b10f78e6b72ada1ed2c919"
    settings = MpesaSettings(
        base_url="http://127.0.0.1:1",
        consumer_key="k",
        consumer_secret="s",
        shortcode="174379",
        passkey=passkey,
        b2c_shortcode="600984",
        initiator="testapi",
        initiator_password="p",
        certificate_pem=certificate_pem(),
    )
    clock.seconds = 1_624_861_448.0  # 2021-06-28 09:24:08 in Nairobi
    assert Mpesa(settings, clock=clock)._signature() == {
        "Password": "MTc0Mzc5YmZiMjc5ZjlhYTliZGJjZjE1OGU5N2RkNzFhNDY3Y2QyZTBjODkzMDU5YjEwZjc4ZTZi"
        "NzJhZGExZWQyYzkxOTIwMjEwNjI4MDkyNDA4",
        "Timestamp": "20210628092408",
    }


def test_credential_is_padded_at_random_and_a_wrong_certificate_is_refused() -> None:
    first = security_credential("secret", certificate_pem())
    assert opened(first) == b"secret"
    assert first != security_credential("secret", certificate_pem())
    with pytest.raises(ValueError):
        security_credential("secret", b"no certificate")


SYNC_REJECTED = [
    ("400.002.02", "Bad Request - Invalid CallBackURL", 400, Reason.CONFIGURATION),
    ("400.002.02", "Bad Request - Invalid PhoneNumber", 400, Reason.NOT_REGISTERED),
    ("400.002.02", "Bad Request - Invalid Amount", 400, Reason.LIMIT),
    ("400.002.05", "Invalid Request Payload", 400, Reason.CONFIGURATION),
    ("404.001.01", "Resource not found", 404, Reason.CONFIGURATION),
    ("404.001.04", "Invalid Authentication Header", 404, Reason.CONFIGURATION),
    ("405.001", "Method Not Allowed", 405, Reason.CONFIGURATION),
    ("500.001.1001", "Merchant does not exist", 500, Reason.CONFIGURATION),
    ("500.001.1001", "[MerchantValidate] - Wrong credentials", 500, Reason.CONFIGURATION),
]


@pytest.mark.parametrize(("code", "message", "status", "reason"), SYNC_REJECTED)
async def test_listed_refusal_is_final(
    company: Company, mpesa: Mpesa, code: str, message: str, status: int, reason: Reason
) -> None:
    for path, call in ((PUSH_PATH, mpesa.collect), (PAYOUT_PATH, mpesa.disburse)):
        company.on(path, refusal(code, message, status=status))
        with pytest.raises(Rejected) as caught:
            await call(order(COLLECT if path == PUSH_PATH else DISBURSE))
        assert (caught.value.code, caught.value.reason) == (code, reason)


FAULT = {
    "fault": {
        "faultstring": "Spike arrest violation. Allowed rate : MessageRate{...}",
        "detail": {"errorcode": "policies.ratelimit.SpikeArrestViolation"},
    }
}
SYNC_THROTTLED = [
    (Answer(429, message=FAULT), 15.0),
    (Answer(500, message=FAULT), 15.0),
    (refusal("500.003.02", "Error Occurred: Spike Arrest Violation"), 15.0),
    (refusal("500.003.03", "Quota Violation"), 15.0),
    (
        refusal(
            "500.001.1001",
            "Unable to lock subscriber, a transaction is already in process for the current "
            "subscriber",
        ),
        60.0,
    ),
]


@pytest.mark.parametrize(("answer", "seconds"), SYNC_THROTTLED)
async def test_refused_at_the_door_may_be_sent_again_later(
    company: Company, mpesa: Mpesa, answer: Answer, seconds: float
) -> None:
    company.on(PUSH_PATH, answer)
    with pytest.raises(Throttled) as caught:
        await mpesa.collect(order(COLLECT))
    assert caught.value.retry_after_seconds == seconds


SYNC_UNKNOWN = [
    refusal("500.003.02", "System is busy. Please try again in few minutes."),
    refusal("500.001.1001", "Internal Server Error"),
    refusal("500.003.1001", "Internal Server Error"),
    refusal("500.002.1001", "Service is busy"),
    Answer(400),  # an empty 400 is only documented for tokens
    Answer(message={**PUSHED.message, "ResponseCode": "1"}),
    Answer(message={"ResponseCode": "0"}),  # taken, but under no id
]


@pytest.mark.parametrize("answer", SYNC_UNKNOWN)
async def test_other_answers_to_a_push_leave_it_unknown(
    company: Company, mpesa: Mpesa, answer: Answer
) -> None:
    company.on(PUSH_PATH, answer)
    with pytest.raises(OutcomeUnknown):
        await mpesa.collect(order(COLLECT))
    assert len(company.received(PUSH_PATH)) == 1


AUTH = [
    refusal("404.001.03", "Invalid Access Token", status=404),
    refusal("400.003.01", "Invalid Access Token", status=400),
    refusal("401.002.01", f"Error Occurred - Invalid Access Token - {TOKEN}", status=401),
    refusal("401.003.01", "Error Occurred - Invalid Access Token - ...", status=401),
    refusal("499.000.00", "Invalid Access Token", status=499),
    *(refusal(code, "", status=400) for code in ("404.001.03", "400.003.01")),
    *(refusal(code, "", status=400) for code in ("401.002.01", "401.003.01")),
    Answer(401),
]


@pytest.mark.parametrize("answer", AUTH)
async def test_every_form_of_refused_token_is_renewed_once(
    company: Company, mpesa: Mpesa, answer: Answer
) -> None:
    company.on(PAYOUT_PATH, answer, TAKEN)
    assert await mpesa.disburse(order(DISBURSE)) == Accepted(CONVERSATION_ID)
    assert len(company.received(KENYAN_TOKEN_PATH)) == 2


async def test_duplicate_payout_means_the_first_was_taken(company: Company, mpesa: Mpesa) -> None:
    company.on(PAYOUT_PATH, refusal("500.002.1001", "Duplicate OriginatorConversationID."))
    assert await mpesa.disburse(order(DISBURSE)) == Accepted()
    assert await mpesa.refund(order(REFUND)) == Accepted()


BAD_ORDERS = [
    (Money(15_050, "KES"), Reason.CONFIGURATION),  # half a shilling
    (Money(15_000, "UGX"), Reason.CONFIGURATION),
    (Money(0, "KES"), Reason.LIMIT),
    (Money(-10_000, "KES"), Reason.LIMIT),
    (Money(25_000_100, "KES"), Reason.LIMIT),
]


@pytest.mark.parametrize(("money", "reason"), BAD_ORDERS, ids=lambda value: str(value))
async def test_amount_the_operator_does_not_take_is_never_sent(
    company: Company, mpesa: Mpesa, money: Money, reason: Reason
) -> None:
    for call in (mpesa.collect, mpesa.disburse):
        with pytest.raises(Rejected) as caught:
            await call(order(COLLECT if call == mpesa.collect else DISBURSE, money=money))
        assert caught.value.reason == reason
    assert company.requests == []


async def test_smallest_amounts_differ_by_direction(company: Company, mpesa: Mpesa) -> None:
    company.on(PUSH_PATH, PUSHED)
    await mpesa.collect(order(COLLECT, money=Money(100, "KES")))
    with pytest.raises(Rejected):
        await mpesa.disburse(order(DISBURSE, money=Money(900, "KES")))


@pytest.mark.parametrize("word", ["MPESA", "m-pesa", "safaricom", "exec", "cmd", "SQL", "query"])
async def test_callback_address_with_a_forbidden_word_is_never_sent(
    company: Company, mpesa: Mpesa, word: str
) -> None:
    url = f"https://pay.example.org/{word}/6f1c0f1e9b"
    for call in (mpesa.collect, mpesa.disburse):
        with pytest.raises(Rejected) as caught:
            await call(order(COLLECT if call == mpesa.collect else DISBURSE, callback_url=url))
        assert caught.value.code == "callback_url"
    assert company.requests == []


@pytest.mark.parametrize("host", ["x.NGROK.io", "mockbin.org", "a.requestbin.net"])
async def test_address_of_a_tunnel_is_never_sent(company: Company, mpesa: Mpesa, host: str) -> None:
    url = f"https://{host}/6f1c0f1e9b"
    assert mpesa.address_fault(url) is not None
    with pytest.raises(Rejected):
        await mpesa.disburse(order(DISBURSE, callback_url=url))
    assert company.requests == []
    # A random word behind the host may spell one; only hosts are blocked.
    assert mpesa.address_fault("https://pay.example.org/24.0ngrok1") is None


@pytest.mark.parametrize("shortcode", ["", "1234", "12345678", "17437x", "¹74379"])
def test_senseless_shortcode_is_refused_at_the_start(shortcode: str) -> None:
    good = mpesa_settings("http://127.0.0.1:1")
    with pytest.raises(ValueError, match="shortcode"):
        MpesaSettings(**{**vars(good), "shortcode": shortcode})


# STK results: callback and query share one table (section 5).

STK_RESULTS = [
    ("0", Outcome.SUCCEEDED, None),
    ("1", Outcome.FAILED, Reason.INSUFFICIENT_FUNDS),
    ("2", Outcome.FAILED, Reason.LIMIT),
    ("3", Outcome.FAILED, Reason.LIMIT),
    ("4", Outcome.FAILED, Reason.LIMIT),
    ("8", Outcome.FAILED, Reason.CONFIGURATION),
    ("17", Outcome.FAILED, Reason.LIMIT),
    ("26", Outcome.PENDING, None),
    ("1001", Outcome.PENDING, None),
    ("1019", Outcome.FAILED, Reason.NOT_REACHED),
    ("1025", Outcome.FAILED, Reason.OPERATOR_FAULT),
    ("1031", Outcome.FAILED, Reason.DECLINED),
    ("1032", Outcome.FAILED, Reason.DECLINED),
    ("1036", Outcome.FAILED, Reason.NOT_REACHED),
    ("1037", Outcome.FAILED, Reason.NOT_REACHED),
    ("2001", Outcome.FAILED, Reason.WRONG_PIN),
    ("2028", Outcome.FAILED, Reason.CONFIGURATION),
    ("4999", Outcome.PENDING, None),
    ("8006", Outcome.FAILED, Reason.WRONG_PIN),
    ("9999", Outcome.FAILED, Reason.OPERATOR_FAULT),
    ("SFC_IC0003", Outcome.FAILED, Reason.CONFIGURATION),
    ("E3008", Outcome.PENDING, None),
]


def stk_callback(code: Any, metadata: Any = None) -> dict[str, Any]:
    result = {
        "MerchantRequestID": "2654-4b64-97ff-b827b542881d3130",
        "CheckoutRequestID": CHECKOUT_ID,
        "ResultCode": code,
        "ResultDesc": "Text that decides nothing.",
    }
    if metadata is not None:
        result["CallbackMetadata"] = {"Item": metadata}
    return {"Body": {"stkCallback": result}}


def read(mpesa: Mpesa, kind: str, message: Any) -> Callback:
    return mpesa.read_callback(kind, json.dumps(message).encode())


@pytest.mark.parametrize(("code", "outcome", "reason"), STK_RESULTS)
async def test_stk_result_code_means(
    company: Company, mpesa: Mpesa, code: str, outcome: Outcome, reason: Reason | None
) -> None:
    answer = {"ResponseCode": "0", "CheckoutRequestID": CHECKOUT_ID, "ResultCode": code}
    company.on(PUSH_QUERY_PATH, Answer(message=answer))
    asked = await mpesa.query(order(COLLECT, provider_reference=CHECKOUT_ID))
    told = read(mpesa, "stk-callback", stk_callback(int(code) if code.isdigit() else code)).finding
    expected = Finding(outcome, code=code, reason=reason, provider_reference=CHECKOUT_ID)
    assert asked == told == expected


STK_QUERY_OPEN = [
    (refusal("500.001.1001", "The transaction is being processed"), Outcome.PENDING),
    (refusal("500.001.1001", ""), Outcome.PENDING),
    (
        Answer(200, message=refusal("500.001.1001", "The transaction is being processed").message),
        Outcome.PENDING,
    ),
    (refusal("500.001.1001", "The transaction does not Exist"), Outcome.NOT_FOUND),
]


@pytest.mark.parametrize(("answer", "outcome"), STK_QUERY_OPEN)
async def test_stk_query_without_a_result_is_never_a_failure(
    company: Company, mpesa: Mpesa, answer: Answer, outcome: Outcome
) -> None:
    company.on(PUSH_QUERY_PATH, answer)
    finding = await mpesa.query(order(COLLECT, provider_reference=CHECKOUT_ID))
    assert finding == Finding(outcome, code="500.001.1001")


@pytest.mark.parametrize("text", ["Wrong credentials", "Merchant does not exist"])
async def test_refused_query_is_no_evidence(company: Company, mpesa: Mpesa, text: str) -> None:
    company.on(PUSH_QUERY_PATH, refusal("500.001.1001", text))
    with pytest.raises(OutcomeUnknown):
        await mpesa.query(order(COLLECT, provider_reference=CHECKOUT_ID))


async def test_push_whose_answer_was_lost_cannot_be_asked_about(
    company: Company, mpesa: Mpesa
) -> None:
    assert (await mpesa.query(order(COLLECT))).outcome is Outcome.PENDING
    assert company.requests == []


PAID_ITEMS = [
    {"Name": "PhoneNumber", "Value": 254712345678},
    {"Name": "Balance"},
    {"Name": "TransactionDate", "Value": 20261120101534},
    {"Name": "MpesaReceiptNumber", "Value": "TKK7RT61SV"},
    {"Name": "Amount", "Value": 150.00},
]


async def test_paid_stk_callback(mpesa: Mpesa) -> None:
    callback = read(mpesa, "stk-callback", stk_callback(0, PAID_ITEMS))
    assert callback.finding == Finding(
        Outcome.SUCCEEDED,
        code="0",
        amount=Money(15_000, "KES"),
        msisdn=KENYAN,
        receipt="TKK7RT61SV",
        provider_reference=CHECKOUT_ID,
    )
    assert callback.acknowledgement.status == 200
    assert json.loads(callback.acknowledgement.body) == {"ResultCode": 0, "ResultDesc": "Success"}


async def test_paid_stk_callback_is_redacted(mpesa: Mpesa) -> None:
    redacted = json.loads(read(mpesa, "stk-callback", stk_callback(0, PAID_ITEMS)).redacted)
    result = redacted["Body"]["stkCallback"]
    assert result["CheckoutRequestID"] == "ws_CO_2011*****678"
    assert result["CallbackMetadata"]["Item"] == [
        {"Name": "PhoneNumber", "Value": "2547*****678"},
        {"Name": "Balance"},
        {"Name": "TransactionDate", "Value": 20261120101534},
        {"Name": "MpesaReceiptNumber", "Value": "TKK7RT61SV"},
        {"Name": "Amount", "Value": "150.0"},
    ]


MASKED = ["2547*****678", "254712***678", "0712345678", None, 2547123456789, "", {"a": 1}]


@pytest.mark.parametrize("number", MASKED)
async def test_number_that_is_not_whole_is_not_evidence(mpesa: Mpesa, number: Any) -> None:
    items = [{"Name": "PhoneNumber", "Value": number}]
    assert read(mpesa, "stk-callback", stk_callback(0, items)).finding.msisdn is None


AMOUNTS = [
    ("150", 15_000),
    ("150.00", 15_000),
    (Decimal("150.5"), 15_050),
    ("1e2", 10_000),
]


@pytest.mark.parametrize(("text", "minor"), AMOUNTS)
async def test_amounts_are_read_exactly(mpesa: Mpesa, text: Any, minor: int) -> None:
    body = json.dumps(stk_callback(0, [{"Name": "Amount", "Value": "@"}]))
    for value in (str(text), f'"{text}"'):
        finding = mpesa.read_callback("stk-callback", body.replace('"@"', value).encode()).finding
        assert finding.amount == Money(minor, "KES")


@pytest.mark.parametrize(
    "value", ["1e999999999", "-1e-999999999", "150.005", '"NaN"', "true", '"x"', "[]", '"١٥٠"']
)
async def test_amount_that_is_none_makes_the_callback_unreadable(mpesa: Mpesa, value: str) -> None:
    body = json.dumps(stk_callback(0, [{"Name": "Amount", "Value": "@"}])).replace('"@"', value)
    with pytest.raises(Unreadable):
        mpesa.read_callback("stk-callback", body.encode())


@pytest.mark.parametrize("missing", ["CheckoutRequestID", "ResultCode"])
async def test_stk_callback_without_its_ids_is_unreadable(mpesa: Mpesa, missing: str) -> None:
    message = stk_callback(0, PAID_ITEMS)
    del message["Body"]["stkCallback"][missing]
    with pytest.raises(Unreadable):
        read(mpesa, "stk-callback", message)


# B2C results (section 8).

B2C_RESULTS = [
    ("0", Outcome.SUCCEEDED, None),
    ("1", Outcome.FAILED, Reason.CONFIGURATION),
    ("2", Outcome.FAILED, Reason.LIMIT),
    ("3", Outcome.FAILED, Reason.LIMIT),
    ("4", Outcome.FAILED, Reason.CANNOT_RECEIVE),
    ("8", Outcome.FAILED, Reason.CANNOT_RECEIVE),
    ("11", Outcome.FAILED, Reason.CONFIGURATION),
    ("15", Outcome.PENDING, None),
    ("17", Outcome.PENDING, None),
    ("21", Outcome.FAILED, Reason.CONFIGURATION),
    ("26", Outcome.PENDING, None),
    ("2001", Outcome.FAILED, Reason.CONFIGURATION),
    ("2006", Outcome.FAILED, Reason.OTHER),
    ("2028", Outcome.FAILED, Reason.CONFIGURATION),
    ("2040", Outcome.FAILED, Reason.NOT_REGISTERED),
    ("8006", Outcome.FAILED, Reason.CONFIGURATION),
    ("SFC_IC0003", Outcome.FAILED, Reason.NOT_REGISTERED),
    ("100000002", Outcome.PENDING, None),
]


def result(code: Any, parameters: Any = None, **changes: Any) -> dict[str, Any]:
    body: dict[str, Any] = {
        "ResultType": 0,
        "ResultCode": code,
        "ResultDesc": "Text that decides nothing.",
        "OriginatorConversationID": ATTEMPT,
        "ConversationID": CONVERSATION_ID,
        "TransactionID": "TKK0000000",
        "ReferenceData": {
            "ReferenceItem": {"Key": "QueueTimeoutURL", "Value": "https://internal.example/1"}
        },
        **changes,
    }
    if parameters is not None:
        body["ResultParameters"] = {"ResultParameter": parameters}
    return {"Result": body}


@pytest.mark.parametrize(("code", "outcome", "reason"), B2C_RESULTS)
async def test_b2c_result_code_means(
    mpesa: Mpesa, code: str, outcome: Outcome, reason: Reason | None
) -> None:
    for sent in {code, int(code) if code.isdigit() else code}:
        finding = read(mpesa, "b2c-result", result(sent, TransactionID="")).finding
        assert finding == Finding(
            outcome, code=code, reason=reason, provider_reference=CONVERSATION_ID
        )


PAID_PARAMETERS = [
    {"Key": "TransactionAmount", "Value": 500},
    {"Key": "TransactionReceipt", "Value": "TKK632NMUA"},
    {"Key": "ReceiverPartyPublicName", "Value": "254712345678 - JANE DOE"},
    {"Key": "TransactionCompletedDateTime", "Value": "20.11.2026 10:48:52"},
    {"Key": "B2CUtilityAccountAvailableFunds", "Value": 8959269.60},
    {"Key": "B2CRecipientIsRegisteredCustomer", "Value": "Y"},
]


async def test_paid_b2c_result(mpesa: Mpesa) -> None:
    callback = read(mpesa, "b2c-result", result(0, PAID_PARAMETERS, TransactionID="TKK632NMUA"))
    assert callback.finding == Finding(
        Outcome.SUCCEEDED,
        code="0",
        amount=Money(50_000, "KES"),
        msisdn=KENYAN,
        receipt="TKK632NMUA",
        provider_reference=CONVERSATION_ID,
    )
    assert "JANE" not in callback.redacted
    assert "254712345678" not in callback.redacted
    assert "TKK632NMUA" in callback.redacted
    assert "20.11.2026 10:48:52" in callback.redacted


TOLERATED = [
    {"Key": "TransactionReceipt", "Value": "TKK632NMUA"},  # one object instead of a list
    [{"Key": "TransactionReceipt"}, {"Key": "TransactionReceipt", "Value": "TKK632NMUA"}],
    [{"Value": "x"}, "y", None, {"Key": "TransactionReceipt", "Value": "TKK632NMUA"}],
]


@pytest.mark.parametrize("parameters", TOLERATED)
async def test_shapes_seen_on_the_portal_are_tolerated(mpesa: Mpesa, parameters: Any) -> None:
    assert read(mpesa, "b2c-result", result("0", parameters)).finding.receipt == "TKK632NMUA"


async def test_receipt_on_a_failure_is_generic_and_left_out(mpesa: Mpesa) -> None:
    assert read(mpesa, "b2c-result", result(2001)).finding.receipt is None


@pytest.mark.parametrize(
    "body",
    [
        json.dumps(result(0, PAID_PARAMETERS)).encode(),
        json.dumps(result(1)).encode(),
        b"",
        b"ResultCode=1",
        b"\xff",
        b"[]",
    ],
)
async def test_queue_timeout_is_never_a_verdict(mpesa: Mpesa, body: bytes) -> None:
    callback = mpesa.read_callback("timeout", body)
    assert callback.finding == Finding(Outcome.PENDING, code="queue_timeout")
    assert "JANE" not in callback.redacted
    json.loads(callback.redacted)


# Transaction status (section 9.1).


def status_parameters(status: str) -> list[dict[str, Any]]:
    return [
        {"Key": "DebitPartyName", "Value": "600984 - CAPP"},
        {"Key": "CreditPartyName", "Value": "254712345678 - JANE DOE"},
        {"Key": "OriginatorConversationID", "Value": ATTEMPT},
        {"Key": "InitiatedTime", "Value": "20261120104850"},
        {"Key": "DebitPartyCharges", "Value": "Fee For B2C Payment|KES|22.40"},
        {"Key": "TransactionReason"},
        {"Key": "TransactionStatus", "Value": status},
        {"Key": "Amount", "Value": "500"},
        {"Key": "ConversationID", "Value": CONVERSATION_ID},
        {"Key": "ReceiptNo", "Value": "TKK632NMUA"},
    ]


STATUSES = [
    ("Completed", Outcome.SUCCEEDED, None),
    ("Cancelled", Outcome.FAILED, Reason.OTHER),
    ("Declined", Outcome.FAILED, Reason.OTHER),
    ("Expired", Outcome.FAILED, Reason.OTHER),
    ("Initiated", Outcome.PENDING, None),
    ("Authorized", Outcome.PENDING, None),
    ("Pending Authorized", Outcome.PENDING, None),
]


@pytest.mark.parametrize(("status", "outcome", "reason"), STATUSES)
async def test_transaction_status_means(
    mpesa: Mpesa, status: str, outcome: Outcome, reason: Reason | None
) -> None:
    # Around the parameters stand the ids of the query itself. Whose the one among them is section
    # 9.1 does not say: it must contradict nothing.
    message = result("0", status_parameters(status), ConversationID="AG_of_the_query")
    callback = read(mpesa, "status-result", message)
    assert callback.finding == Finding(
        outcome,
        code=status,
        reason=reason,
        amount=Money(50_000, "KES"),
        msisdn=KENYAN,
        receipt="TKK632NMUA",
    )
    assert "JANE" not in callback.redacted
    assert "254712345678" not in callback.redacted


@pytest.mark.parametrize("code", [25, "SFC_IC0003", 2001, 1])
async def test_failed_query_does_not_fail_the_payment(mpesa: Mpesa, code: Any) -> None:
    finding = read(mpesa, "status-result", result(code, status_parameters("Declined"))).finding
    assert finding == Finding(Outcome.PENDING, code=str(code))


async def test_unlisted_oauth_answers_are_told_apart(company: Company, mpesa: Mpesa) -> None:
    refused = refusal("400.008.01", "Invalid authentication type passed", status=400)
    company.on(KENYAN_TOKEN_PATH, refused)
    with pytest.raises(ProviderError, match=r"400\.008\.01"):
        await mpesa.collect(order(COLLECT))
    company.on(KENYAN_TOKEN_PATH, Answer(429))
    with pytest.raises(Throttled):
        await mpesa.collect(order(COLLECT))


@pytest.mark.parametrize(
    ("kind", "proof"),
    [("status-result", True), ("b2c-result", False), ("stk-callback", False)],
)
def test_only_the_answer_to_our_own_question_is_proof(kind: str, proof: bool) -> None:
    bodies = {
        "stk-callback": {
            "Body": {"stkCallback": {"CheckoutRequestID": "ws_CO_1", "ResultCode": 0}}
        },
        "b2c-result": {"Result": {"ResultCode": 0, "ConversationID": "AG_1"}},
        "status-result": {
            "Result": {
                "ResultCode": 0,
                "ConversationID": "AG_1",
                "ResultParameters": {
                    "ResultParameter": [{"Key": "TransactionStatus", "Value": "Completed"}]
                },
            }
        },
    }
    read = read_callback(kind, json.dumps(bodies[kind]).encode())
    assert read.answers_query is proof

"""M-PESA beside prompts and payouts: C2B, reversals, B2B, and both versions of B2C.

Bodies follow the samples of reference `mpesa.md`; identifiers in them are invented.
"""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from engine.errors import OutcomeUnknown, Rejected, Unreadable
from engine.money import Money
from engine.msisdn import Msisdn
from engine.ports import (
    PAY_IN_KINDS,
    PAY_IN_RETURN,
    PAY_IN_STATUS,
    PAY_IN_TIMEOUT,
    Accepted,
    Direction,
    Finding,
    Outcome,
    PaidIn,
    PayInPort,
    PayInRefusal,
    Reason,
)
from providers.mpesa import Mpesa, MpesaSettings
from providers.mpesa.api import allowed
from providers.mpesa.business import RESULT_KIND, BusinessOrder, Purpose
from tests.providers.company import Answer, Company
from tests.providers.conftest import HandClock
from tests.providers.subjects import (
    ATTEMPT,
    CALLBACK_URL,
    CODE,
    KENYAN,
    KENYAN_TOKEN_PATH,
    MPESA,
    PAYOUT_PATH,
    PUSH_PATH,
    PUSHED,
    SECRETS,
    STATUS_PATH,
    TAKEN,
    TOKEN,
    mpesa_settings,
    order,
)
from tests.providers.test_mpesa import opened

REVERSAL_PATH = "/mpesa/reversal/v1/request"
B2B_PATH = "/mpesa/b2b/v1/paymentrequest"
RECEIPT = "RKL51ZDR4F"
STEM, _, WORD = CALLBACK_URL.rpartition("/")
CONFIRMATION = {
    "TransactionType": "Pay Bill",
    "TransID": RECEIPT,
    "TransTime": "20261120121325",
    "TransAmount": "5.00",
    "BusinessShortCode": "174379",
    "BillRefNumber": "INV1001",
    "InvoiceNumber": "",
    "OrgAccountBalance": "25.00",
    "ThirdPartyTransID": "",
    "MSISDN": "2547 ***** 678",
    "FirstName": "JANE",
    "MiddleName": "",
    "LastName": "",
}
HASH = hashlib.sha256(KENYAN.digits.encode()).hexdigest()


def at(kind: str) -> str:
    return f"{STEM}/{kind}/{WORD}"


def settings_with(url: str, **changes: Any) -> MpesaSettings:
    base = mpesa_settings(url)
    return MpesaSettings(**{**{n: getattr(base, n) for n in base.__dataclass_fields__}, **changes})


@pytest.fixture
async def mpesa(company: Company, clock: HandClock) -> AsyncIterator[Mpesa]:
    company.on(KENYAN_TOKEN_PATH, MPESA.token)
    adapter = Mpesa(mpesa_settings(company.url), clock=clock)
    yield adapter
    await adapter.aclose()


def other(company: Company, clock: HandClock, **changes: Any) -> Mpesa:
    company.on(KENYAN_TOKEN_PATH, MPESA.token)
    return Mpesa(settings_with(company.url, **changes), clock=clock)


def confirmation(**changes: Any) -> bytes:
    told = {**CONFIRMATION, **changes}
    return json.dumps({k: v for k, v in told.items() if v is not ...}).encode()


# What customers pay in.


def test_it_is_one_of_those_that_announce_pay_ins(mpesa: Mpesa) -> None:
    assert isinstance(mpesa, PayInPort)


READ = [
    ({}, PaidIn(RECEIPT, Money(500, "KES"), "INV1001", "2547 ***** 678")),
    ({"TransAmount": "10"}, PaidIn(RECEIPT, Money(1000, "KES"), "INV1001", "2547 ***** 678")),
    ({"TransAmount": 10.5}, PaidIn(RECEIPT, Money(1050, "KES"), "INV1001", "2547 ***** 678")),
    ({"MSISDN": HASH.upper()}, PaidIn(RECEIPT, Money(500, "KES"), "INV1001", HASH)),
    ({"MSISDN": KENYAN.digits}, PaidIn(RECEIPT, Money(500, "KES"), "INV1001", "2547 ***** 678")),
    ({"MSISDN": ...}, PaidIn(RECEIPT, Money(500, "KES"), "INV1001", "")),
    ({"MSISDN": "JANE"}, PaidIn(RECEIPT, Money(500, "KES"), "INV1001", "")),
    (
        {"TransactionType": "Buy Goods", "BillRefNumber": None},
        PaidIn(RECEIPT, Money(500, "KES"), "", "2547 ***** 678"),
    ),
    (
        {"BillRefNumber": "a" * 30 + "\n"},
        PaidIn(RECEIPT, Money(500, "KES"), "a" * 20, "2547 ***** 678"),
    ),
    ({"BusinessShortCode": 600984, "FirstName": ..., "Extra": {}}, None),
]


@pytest.mark.parametrize(("changes", "paid"), READ)
def test_a_confirmation_is_read(mpesa: Mpesa, changes: dict[str, Any], paid: PaidIn | None) -> None:
    assert mpesa.read_pay_in(confirmation(**changes)) == (
        paid or PaidIn(RECEIPT, Money(500, "KES"), "INV1001", "2547 ***** 678")
    )


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"<html>",
        b'{"TransID": "RKL51ZDR4F"',
        confirmation(TransID=...),
        confirmation(TransID="short"),
        confirmation(TransID={"a": 1}),
        confirmation(BusinessShortCode="999999"),
        confirmation(BusinessShortCode=...),
        confirmation(TransAmount="much"),
        confirmation(TransAmount="0.00"),
        confirmation(TransAmount="-5.00"),
        confirmation(TransAmount="1e9999"),
        confirmation(TransAmount="5.001"),
    ],
)
def test_what_is_no_confirmation_of_ours_is_unreadable(mpesa: Mpesa, body: bytes) -> None:
    with pytest.raises(Unreadable) as caught:
        mpesa.read_pay_in(body)
    assert not [secret for secret in SECRETS if secret in str(caught.value)]


@pytest.mark.parametrize(
    ("told", "number", "agrees"),
    [
        ("2547 ***** 678", "+254712345678", True),
        ("2547*****678", "+254712345678", True),
        ("2547 ***** 126", "+254712345678", False),
        ("2541 ***** 678", "+254712345678", False),
        ("", "+254712345678", True),
        (HASH, "+254712345678", True),
        (HASH, "+254712345679", False),
        (hashlib.sha256(b"+254712345678").hexdigest(), "+254712345678", True),
        (hashlib.sha256(b"0712345678").hexdigest(), "+254712345678", True),
        (hashlib.sha256(b"254799999999").hexdigest(), "+254712345678", False),
    ],
)
def test_a_hidden_number_agrees_with_its_own_alone(
    mpesa: Mpesa, told: str, number: str, agrees: bool
) -> None:
    assert mpesa.is_payer(told, Msisdn(number)) is agrees


@pytest.mark.parametrize(
    ("refusal", "code"),
    [
        (None, "0"),
        (PayInRefusal.PAYER, "C2B00011"),
        (PayInRefusal.REFERENCE, "C2B00012"),
        (PayInRefusal.AMOUNT, "C2B00013"),
        (PayInRefusal.OTHER, "C2B00016"),
    ],
)
def test_a_validation_is_answered_by_the_documented_codes(
    mpesa: Mpesa, refusal: PayInRefusal | None, code: str
) -> None:
    answer = mpesa.answer_pay_in(refusal)
    text = "Accepted" if code == "0" else "Rejected"
    assert json.loads(answer.body) == {"ResultCode": code, "ResultDesc": text}
    assert (answer.status, answer.content_type) == (200, "application/json")


@pytest.mark.parametrize("spelling", ["OriginatorCoversationID", "OriginatorConversationID"])
@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_both_versions_register_and_either_spelling_is_taken(
    company: Company, clock: HandClock, version: str, spelling: str
) -> None:
    path = f"/mpesa/c2b/{version}/registerurl"
    taken = {spelling: "6e86-45dd-91ac", "ResponseCode": "0", "ResponseDescription": "success"}
    company.on(path, Answer(message=taken))
    adapter = other(company, clock, pay_in_version=version)
    await adapter.register_pay_ins(question_url=at("c2b-validation"), notice_url=at("c2b-confirm"))
    assert company.received(path)[0].json == {
        "ShortCode": "174379",
        "ResponseType": "Cancelled",
        "ConfirmationURL": at("c2b-confirm"),
        "ValidationURL": at("c2b-validation"),
    }
    await adapter.aclose()


@pytest.mark.parametrize(
    "message",
    [
        "Urls are already registered.",
        "Duplicate notification info, SP ID is 1, correlator is 2",
    ],
)
async def test_what_is_registered_already_says_where_to_delete_it(
    company: Company, mpesa: Mpesa, message: str
) -> None:
    envelope = {"requestId": "1", "errorCode": "500.003.1001", "errorMessage": message}
    company.on("/mpesa/c2b/v2/registerurl", Answer(500, message=envelope))
    with pytest.raises(Rejected, match="portal"):
        await mpesa.register_pay_ins(question_url=CALLBACK_URL, notice_url=CALLBACK_URL)


async def test_a_server_error_of_a_registration_is_no_refusal(
    company: Company, mpesa: Mpesa
) -> None:
    broken = {
        "requestId": "1",
        "errorCode": "500.003.1001",
        "errorMessage": "Internal Server Error",
    }
    company.on("/mpesa/c2b/v2/registerurl", Answer(500, message=broken))
    with pytest.raises(OutcomeUnknown):
        await mpesa.register_pay_ins(question_url=CALLBACK_URL, notice_url=CALLBACK_URL)


async def test_a_forbidden_word_in_an_address_is_refused_before_anything_is_sent(
    company: Company, mpesa: Mpesa
) -> None:
    for url in ("https://pay.example.org/MPESA/x", "https://pay.example.org/aexec1"):
        with pytest.raises(Rejected):
            await mpesa.register_pay_ins(question_url=CALLBACK_URL, notice_url=url)
    assert company.requests == []
    for kind in PAY_IN_KINDS:
        assert allowed(at(kind)) == at(kind)


async def test_a_pay_in_is_asked_about_by_its_receipt(company: Company, mpesa: Mpesa) -> None:
    company.on(STATUS_PATH, TAKEN)
    await mpesa.ask_pay_in(RECEIPT, CALLBACK_URL)
    message = company.requests[1].json
    assert opened(message.pop("SecurityCredential")) == b"initiator-password-x4"
    assert message == {
        "Initiator": "testapi",
        "CommandID": "TransactionStatusQuery",
        "TransactionID": RECEIPT,
        "PartyA": "174379",
        "IdentifierType": "4",
        "ResultURL": at(PAY_IN_STATUS),
        "QueueTimeOutURL": at(PAY_IN_TIMEOUT),
        "Remarks": "Status check",
        "Occasion": "pay-in",
    }


REVERSAL = {
    "Initiator": "testapi",
    "CommandID": "TransactionReversal",
    "TransactionID": RECEIPT,
    "Amount": "150",
    "ReceiverParty": "174379",
    "RecieverIdentifierType": "11",
    "Remarks": "Payment reversal",
}


async def test_a_pay_in_goes_back_by_a_reversal(company: Company, mpesa: Mpesa) -> None:
    company.on(REVERSAL_PATH, TAKEN)
    paid = PaidIn(RECEIPT, Money(15_000, "KES"), "INV1001", "")
    assert await mpesa.return_pay_in(paid, CALLBACK_URL) == Accepted(ATTEMPT)
    message = company.requests[1].json
    assert opened(message.pop("SecurityCredential")) == b"initiator-password-x4"
    urls = {"ResultURL": at(PAY_IN_RETURN), "QueueTimeOutURL": at(PAY_IN_TIMEOUT)}
    assert message == {**REVERSAL, **urls}


async def test_what_is_no_whole_shilling_is_not_given_back_in_part(
    company: Company, mpesa: Mpesa
) -> None:
    with pytest.raises(Rejected, match="whole shillings"):
        await mpesa.return_pay_in(PaidIn(RECEIPT, Money(15_050, "KES"), "", ""), CALLBACK_URL)
    assert company.requests == []


def result(code: object, parameters: object = None, **more: object) -> bytes:
    told: dict[str, object] = {
        "ResultType": 0,
        "ResultCode": code,
        "ResultDesc": "told",
        "OriginatorConversationID": "8521-4298025-1",
        "ConversationID": "AG_20261120_00004e48cf7e3533f581",
        "TransactionID": "TKK632NMUA",
        **more,
    }
    if parameters is not None:
        told["ResultParameters"] = {"ResultParameter": parameters}
    return json.dumps({"Result": told}).encode()


def entries(**values: object) -> list[dict[str, object]]:
    return [{"Key": key, "Value": value} for key, value in values.items()]


REVERSED = entries(
    DebitAccountBalance="Utility Account|KES|51661.00|51661.00|0.00|0.00",
    Amount=150,
    TransCompletedTime=20261120104852,
    OriginalTransactionID=RECEIPT,
    Charge=0,
    CreditPartyPublicName="254712345678 - JANE DOE",
    DebitPartyPublicName="600984 - CAPP",
)


@pytest.mark.parametrize("code", [0, "0"])
def test_a_reversal_that_was_done_says_what_went_back(mpesa: Mpesa, code: object) -> None:
    callback = mpesa.read_callback("reversal-result", result(code, REVERSED))
    assert callback.finding == Finding(
        Outcome.SUCCEEDED,
        code="0",
        amount=Money(15_000, "KES"),
        msisdn="+254712345678",
        receipt="TKK632NMUA",
        provider_reference="8521-4298025-1",
    )
    assert not [secret for secret in SECRETS if secret in callback.redacted]


def test_reversed_already_is_money_that_went_back(mpesa: Mpesa) -> None:
    finding = mpesa.read_callback("reversal-result", result("R000001")).finding
    assert (finding.outcome, finding.code, finding.receipt) == (Outcome.SUCCEEDED, "R000001", None)


@pytest.mark.parametrize("code", ["R000002", 1, "11", 21, 2001, "2006", 2028, 8006])
def test_only_a_listed_code_fails_a_reversal(mpesa: Mpesa, code: object) -> None:
    finding = mpesa.read_callback("reversal-result", result(code)).finding
    assert (finding.outcome, finding.code) == (Outcome.FAILED, str(code))


@pytest.mark.parametrize("code", [26, 17, "100000001", "SVC_7777", "R000003", 4999, 9999])
def test_an_unlisted_code_of_a_reversal_or_of_b2b_is_pending(mpesa: Mpesa, code: object) -> None:
    for kind in ("reversal-result", RESULT_KIND):
        assert mpesa.read_callback(kind, result(code)).finding.outcome is Outcome.PENDING


STATUS = entries(
    DebitPartyName="254712345678 - JANE DOE",
    CreditPartyName="600984 - CAPP",
    TransactionStatus="Completed",
    Amount="150",
    ReceiptNo=RECEIPT,
)


def test_the_status_of_a_pay_in_tells_its_payer(mpesa: Mpesa) -> None:
    answer = mpesa.read_pay_in_answer(PAY_IN_STATUS, result(0, STATUS))
    finding = answer.finding
    assert (finding.outcome, finding.receipt) == (Outcome.SUCCEEDED, RECEIPT)
    assert (finding.msisdn, finding.amount) == ("+254712345678", Money(15_000, "KES"))
    assert json.loads(answer.acknowledgement.body) == {"ResultCode": 0, "ResultDesc": "Success"}


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        (result("25"), Outcome.PENDING),
        (result(0, entries(TransactionStatus="Parked")), Outcome.PENDING),
        (result(0, entries(TransactionStatus="Initiated")), Outcome.PENDING),
        (result(0, {"Key": "TransactionStatus", "Value": "Declined"}), Outcome.FAILED),
    ],
)
def test_a_status_that_is_none_proves_nothing(mpesa: Mpesa, body: bytes, outcome: Outcome) -> None:
    assert mpesa.read_pay_in_answer(PAY_IN_STATUS, body).finding.outcome is outcome


def test_a_question_that_waited_too_long_says_nothing_whatever_it_says(mpesa: Mpesa) -> None:
    for body in (b"", b"anything", result("R000002"), result(0, STATUS)):
        answer = mpesa.read_pay_in_answer(PAY_IN_TIMEOUT, body)
        assert answer.finding.outcome is Outcome.PENDING


def test_other_answers_about_pay_ins_are_unreadable(mpesa: Mpesa) -> None:
    for kind, body in ((PAY_IN_STATUS, b"[]"), (PAY_IN_RETURN, b"{}"), ("c2b-x", result(0))):
        with pytest.raises(Unreadable):
            mpesa.read_pay_in_answer(kind, body)


# Refunds by a reversal.


async def test_a_refund_may_be_a_reversal_of_the_receipt(
    company: Company, clock: HandClock
) -> None:
    company.on(REVERSAL_PATH, TAKEN)
    adapter = other(company, clock, refund_by="reversal")
    asked = msgspec.structs.replace(order(Direction.REFUND), collected_receipt=RECEIPT)
    assert await adapter.refund(asked) == Accepted(ATTEMPT)
    message = company.requests[1].json
    message.pop("SecurityCredential")
    urls = {"ResultURL": at("reversal-result"), "QueueTimeOutURL": at("timeout")}
    assert message == {**REVERSAL, **urls}
    assert not adapter.facts.refund_is_payout
    await adapter.aclose()


async def test_without_a_receipt_or_a_wish_for_it_a_refund_is_a_payout(
    company: Company, clock: HandClock, mpesa: Mpesa
) -> None:
    company.on(PAYOUT_PATH, TAKEN)
    adapter = other(company, clock, refund_by="reversal")
    await adapter.refund(order(Direction.REFUND))
    await mpesa.refund(msgspec.structs.replace(order(Direction.REFUND), collected_receipt=RECEIPT))
    # A payout is one, even of an order that names a receipt.
    await adapter.disburse(msgspec.structs.replace(order(Direction.DISBURSE)))
    assert len(company.received(PAYOUT_PATH)) == 3
    assert company.received(REVERSAL_PATH) == []
    await adapter.aclose()


async def test_a_reversal_is_asked_about_by_the_id_of_its_own_request(
    company: Company, clock: HandClock
) -> None:
    company.on(STATUS_PATH, TAKEN)
    adapter = other(company, clock, refund_by="reversal")
    asked = msgspec.structs.replace(order(Direction.REFUND), collected_receipt=RECEIPT)
    lost = await adapter.query(asked)
    assert (lost.outcome, company.requests) == (Outcome.PENDING, [])
    known = msgspec.structs.replace(asked, provider_reference="8521-4298025-1")
    assert (await adapter.query(known)).outcome is Outcome.ASKED
    message = company.requests[1].json
    assert (message["OriginalConversationID"], message["PartyA"]) == ("8521-4298025-1", "174379")
    await adapter.aclose()


@pytest.mark.parametrize(
    ("changes", "kind", "is_told"),
    [
        ({}, "b2c-result", True),
        ({"refund_by": "reversal"}, "b2c-result", False),
        ({"refund_by": "reversal"}, "reversal-result", False),
        ({"payout_version": "v1"}, "b2c-result", False),
        ({}, "status-result", False),
        ({"payout_version": "v1"}, "status-result", False),
    ],
)
async def test_an_id_that_was_not_stored_with_the_order_contradicts_nothing(
    company: Company, clock: HandClock, changes: dict[str, str], kind: str, is_told: bool
) -> None:
    adapter = other(company, clock, **changes)
    told = entries(TransactionStatus="Completed", ConversationID="AG_20261120_1")
    finding = adapter.read_callback(kind, result(0, told)).finding
    assert (finding.provider_reference is not None) is is_told
    await adapter.aclose()


# B2C v1.


async def test_v1_has_no_id_of_ours_and_no_safe_repeat(company: Company, clock: HandClock) -> None:
    path = "/mpesa/b2c/v1/paymentrequest"
    company.on(path, TAKEN)
    company.on(STATUS_PATH, TAKEN)
    adapter = other(company, clock, payout_version="v1")
    assert await adapter.disburse(order(Direction.DISBURSE)) == Accepted(ATTEMPT)
    assert "OriginatorConversationID" not in company.received(path)[0].json
    assert not adapter.facts.disburse_repeat_is_safe
    assert not adapter.facts.refund_repeat_is_safe
    lost = await adapter.query(order(Direction.DISBURSE))
    assert (lost.outcome, lost.code) == (Outcome.PENDING, "no_conversation_id")
    await adapter.query(order(Direction.DISBURSE, provider_reference="8521-4298025-1"))
    assert company.received(STATUS_PATH)[0].json["OriginalConversationID"] == "8521-4298025-1"
    await adapter.aclose()


# A till.


async def test_a_till_is_paid_at_its_head_office(company: Company, clock: HandClock) -> None:
    company.on(PUSH_PATH, PUSHED)
    company.on(STATUS_PATH, TAKEN)
    adapter = other(company, clock, till="654321")
    await adapter.collect(order(Direction.COLLECT))
    push = company.received(PUSH_PATH)[0].json
    assert (push["BusinessShortCode"], push["PartyB"]) == (174379, 654321)
    assert push["TransactionType"] == "CustomerBuyGoodsOnline"
    assert adapter.read_pay_in(confirmation(BusinessShortCode="654321")).receipt == RECEIPT
    await adapter.ask_pay_in(RECEIPT, CALLBACK_URL)
    asked = company.received(STATUS_PATH)[0].json
    assert (asked["PartyA"], asked["IdentifierType"]) == ("654321", "2")
    path = "/mpesa/c2b/v2/registerurl"
    company.on(path, TAKEN)
    await adapter.register_pay_ins(question_url=at("c2b-validation"), notice_url=at("c2b-confirm"))
    assert company.received(path)[0].json["ShortCode"] == "654321"
    await adapter.aclose()


@pytest.mark.parametrize(
    "changes",
    [
        {"payout_version": "v2"},
        {"refund_by": "cheque"},
        {"pay_in_version": "v3"},
        {"pay_in_unanswered": "cancelled"},
        {"till": "12"},
    ],
)
def test_a_senseless_setting_is_refused(changes: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="mpesa_ke"):
        settings_with("http://127.0.0.1:1", **changes)


# B2B.

MOVE = BusinessOrder(
    Purpose.LOAD_PAYOUTS, Money(15_000, "KES"), "174379", "600984", CODE, CALLBACK_URL
)


@pytest.mark.parametrize("purpose", list(Purpose))
async def test_money_between_businesses(company: Company, mpesa: Mpesa, purpose: Purpose) -> None:
    company.on(B2B_PATH, TAKEN)
    assert await mpesa.move_between_businesses(MOVE._replace(purpose=purpose)) == Accepted(ATTEMPT)
    message = company.requests[1].json
    assert opened(message.pop("SecurityCredential")) == b"initiator-password-x4"
    assert message == {
        "Initiator": "testapi",
        "CommandID": str(purpose),
        "SenderIdentifierType": "4",
        "RecieverIdentifierType": "4",
        "Amount": "150",
        "PartyA": "174379",
        "PartyB": "600984",
        "AccountReference": CODE,
        "Remarks": f"Movement {CODE}",
        "QueueTimeOutURL": at("timeout"),
        "ResultURL": at(RESULT_KIND),
        "Occassion": CODE,
    }


@pytest.mark.parametrize(
    "amount", [Money(0, "KES"), Money(150, "KES"), Money(15_000, "UGX"), Money(25_000_100, "KES")]
)
async def test_what_b2b_cannot_send_is_refused_before_anything_is_sent(
    company: Company, mpesa: Mpesa, amount: Money
) -> None:
    with pytest.raises(Rejected):
        await mpesa.move_between_businesses(MOVE._replace(amount=amount))
    assert company.requests == []


def test_the_failure_sample_of_b2b_has_one_parameter_and_no_list(mpesa: Mpesa) -> None:
    lone = {"Key": "BOCompletedTime", "Value": 20200120164825}
    failed = mpesa.read_business_result(result(2001, lone)).finding
    assert (failed.outcome, failed.reason) == (Outcome.FAILED, Reason.CONFIGURATION)
    done = mpesa.read_business_result(result("0", entries(Amount="150.00"))).finding
    assert (done.outcome, done.amount) == (Outcome.SUCCEEDED, Money(15_000, "KES"))
    assert done.receipt == "TKK632NMUA"


# Whatever is asked.

CALLS = {
    "/mpesa/c2b/v2/registerurl": lambda a: a.register_pay_ins(
        question_url=CALLBACK_URL, notice_url=CALLBACK_URL
    ),
    STATUS_PATH: lambda a: a.ask_pay_in(RECEIPT, CALLBACK_URL),
    REVERSAL_PATH: lambda a: a.return_pay_in(
        PaidIn(RECEIPT, Money(15_000, "KES"), "", ""), CALLBACK_URL
    ),
    B2B_PATH: lambda a: a.move_between_businesses(MOVE),
}


@pytest.mark.parametrize("path", CALLS)
async def test_a_refused_token_is_renewed_once_and_an_odd_answer_is_unknown(
    company: Company, mpesa: Mpesa, path: str
) -> None:
    company.on(path, MPESA.token_refused, TAKEN)
    await CALLS[path](mpesa)
    assert len(company.received(path)) == 2
    for odd in (
        Answer(500),
        Answer(200, body=b"<html>"),
        Answer(200, message={"ResponseCode": "1"}),
        Answer(202, message={}),
    ):
        company.on(path, odd)
        with pytest.raises(OutcomeUnknown) as caught:
            await CALLS[path](mpesa)
        assert TOKEN not in str(caught.value)


async def test_a_hundred_callers_share_one_renewal_of_the_token(
    company: Company, mpesa: Mpesa, clock: HandClock
) -> None:
    company.on(PUSH_PATH, PUSHED)
    for round_ in (1, 2):
        await asyncio.gather(*[mpesa.collect(order(Direction.COLLECT)) for _ in range(100)])
        assert len(company.received(KENYAN_TOKEN_PATH)) == round_
        clock.seconds += 3600 - 100  # less than the margin before its end

"""Africa's Talking: the USSD dialect, SMS out and its reports.

Bodies follow the samples of reference `africas-talking.md`; identifiers in them are invented.
"""

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qsl, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import OutcomeUnknown, ProviderError, Rejected, Throttled, Unreadable
from engine.money import Money
from engine.msisdn import Msisdn
from engine.ports import (
    Acknowledgement,
    EndReason,
    Reason,
    Reply,
    SessionEnd,
    SmsAccepted,
    SmsCallback,
    SmsMessage,
    SmsReport,
    Turn,
)
from providers.africastalking import AfricasTalkingSms, AfricasTalkingUssd
from tests.providers.company import Answer, Company
from tests.providers.subjects import KENYAN, SENT, SMS, SMS_PATH, at_settings

BALANCE_PATH = "/version1/user"
PIN = "4711"


@pytest.fixture
async def gateway(company: Company) -> AsyncIterator[AfricasTalkingSms]:
    adapter = AfricasTalkingSms(at_settings(company.url))
    yield adapter
    await adapter.aclose()


def fields(**changes: str) -> dict[str, str]:
    return {
        "sessionId": "ATUid_demo1",
        "serviceCode": "*384*123#",
        "phoneNumber": "+254711000001",
        "networkCode": "63902",
        "text": "1*500",
        **changes,
    }


def encoded(form: dict[str, str]) -> bytes:
    return "&".join(f"{quote_plus(k)}={quote_plus(v)}" for k, v in form.items()).encode()


def test_turn_of_the_reference_is_read() -> None:
    raw = (
        b"sessionId=ATUid_demo1&serviceCode=%2A384%2A123%23&phoneNumber=%2B254711000001"
        b"&networkCode=63902&text=1%2A500"
    )
    assert AfricasTalkingUssd().read(raw) == Turn(
        session_id="ATUid_demo1",
        msisdn=Msisdn("+254711000001"),
        network="63902",
        shortcode="*384*123#",
        text="1*500",
        cumulative=True,
    )


@pytest.mark.parametrize("text", ["", "1*1", "1*O'Brien & Söhne +1", "*", "الف", "a=b%20c"])
def test_text_arrives_as_typed(text: str) -> None:
    assert AfricasTalkingUssd().read(encoded(fields(text=text))).text == text


def test_fields_nobody_asked_for_are_let_pass() -> None:
    turn = AfricasTalkingUssd().read(encoded({"newField": "x", **fields()}))
    assert turn.session_id == "ATUid_demo1"


BAD_TURNS = [
    *((f"{name} is missing", {name: None}) for name in fields()),
    *((f"{name} is empty", {name: ""}) for name in fields() if name != "text"),
    *((f"{name} is too long", {name: "1" * 5000}) for name in fields()),
    ("phoneNumber is malformed", {"phoneNumber": "254711000001"}),
    ("phoneNumber is malformed", {"phoneNumber": "+0711000001"}),
    ("phoneNumber is malformed", {"phoneNumber": "+٢٥٤٧١١٠٠٠٠٠١"}),
    ("phoneNumber is malformed", {"phoneNumber": "+254711000001\n"}),
    ("sessionId is malformed", {"sessionId": "a b"}),
    ("sessionId is malformed", {"sessionId": "x\x00"}),
    ("serviceCode is malformed", {"serviceCode": "*384*x#"}),
    ("networkCode is malformed", {"networkCode": "63 902"}),
]


@pytest.mark.parametrize(("complaint", "change"), BAD_TURNS)
def test_bad_turn_is_refused_by_the_name_of_its_field(
    complaint: str, change: dict[str, str | None]
) -> None:
    form = {name: value for name, value in {**fields(), **change}.items() if value is not None}
    with pytest.raises(Unreadable, match=complaint):
        AfricasTalkingUssd().read(encoded(form))


@pytest.mark.parametrize("name", fields())
def test_doubled_field_is_refused(name: str) -> None:
    body = encoded(fields()) + f"&{name}=1".encode()
    with pytest.raises(Unreadable, match=f"{name} is doubled"):
        AfricasTalkingUssd().read(body)


BAD_BYTES = {
    "is not UTF-8": encoded(fields(text="")) + b"%ff",
    "is not percent-encoded": encoded(fields(text="")) + b"%zz",
    "too long": encoded(fields()) + b"&x=" + b"1" * 20_000,
    "too many fields": encoded(fields()) + b"".join(b"&f%d=1" % n for n in range(100)),
    "no sensible name": encoded(fields()) + b"&" + b"n" * 100 + b"=1",
    "missing": b"",
}


@pytest.mark.parametrize(("complaint", "body"), BAD_BYTES.items())
def test_senseless_bytes_are_refused(complaint: str, body: bytes) -> None:
    with pytest.raises(Unreadable, match=complaint):
        AfricasTalkingUssd().read(body)


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_unreadable(body: bytes) -> None:
    for read in (AfricasTalkingUssd().read, AfricasTalkingUssd().read_end):
        try:
            read(body)
        except Unreadable:
            continue


@given(st.text(max_size=100))
def test_any_text_survives_its_encoding(text: str) -> None:
    if text.isprintable():
        assert AfricasTalkingUssd().read(encoded(fields(text=text))).text == text


PIN_LEAKS = [
    encoded(fields(text=f"1*{PIN}", phoneNumber=PIN)),
    encoded(fields(text=f"1*{PIN}")) + f"&text={PIN}".encode(),
    encoded(fields(text=f"1*{PIN}")) + b"%ff",
    encoded(fields(text=f"1*{PIN}")) + b"%z",
    encoded(fields(text=PIN * 2000)),
    encoded(fields()) + f"&{PIN}=1&{PIN}=2".encode(),
    PIN.encode(),
]


@pytest.mark.parametrize("body", PIN_LEAKS)
def test_error_about_a_turn_never_shows_what_was_typed(body: bytes) -> None:
    with pytest.raises(Unreadable) as caught:
        AfricasTalkingUssd().read(body)
    assert PIN not in f"{caught.value!r} {caught.value} {vars(caught.value)}"
    assert caught.value.__cause__ is None


def test_end_of_session_is_read() -> None:
    raw = encoded(
        {
            "date": "2026-01-01 10:00:00",
            "sessionId": "ATUid_demo1",
            "serviceCode": "*384*123#",
            "networkCode": "63902",
            "phoneNumber": "+254711000001",
            "status": "Incomplete",
            "cost": "KES 1.0000",
            "durationInMillis": "25000",
            "hopsCount": "4",
            "input": f"1*500*{PIN}",
            "lastAppResponse": "END Thank you",
        }
    )
    end = AfricasTalkingUssd().read_end(raw)
    assert end == SessionEnd(
        session_id="ATUid_demo1",
        status="Incomplete",
        reason=EndReason.UNFINISHED,
        msisdn=Msisdn("+254711000001"),
        network="63902",
        hops=4,
        duration_ms=25_000,
    )
    assert end.dropped
    assert end.acknowledgement == Acknowledgement(200, b"", "text/plain")


ENDS = [
    ("Success", EndReason.COMPLETED, False),
    ("Incomplete", EndReason.UNFINISHED, True),
    ("Failed", EndReason.FAILED, True),
    ("NewWord", EndReason.UNKNOWN, False),
]


@pytest.mark.parametrize(("status", "reason", "dropped"), ENDS)
def test_status_of_an_end_means(status: str, reason: EndReason, dropped: bool) -> None:
    end = AfricasTalkingUssd().read_end(encoded({"sessionId": "a", "status": status}))
    assert (end.reason, end.dropped, end.msisdn) == (reason, dropped, None)


@pytest.mark.parametrize(("code", "network"), [("63902", "63902"), ("sms", ""), ("MTN", "")])
def test_network_is_a_code_or_nothing(code: str, network: str) -> None:
    assert AfricasTalkingUssd().read(encoded(fields(networkCode=code))).network == network


@pytest.mark.parametrize(
    ("code", "network"), [("63902", "63902"), ("6|3", ""), ("", ""), ("٦٣٩٠٢", "")]
)
def test_network_of_an_end_is_a_code_or_nothing(code: str, network: str) -> None:
    body = encoded({"sessionId": "a", "status": "Success", "networkCode": code})
    assert AfricasTalkingUssd().read_end(body).network == network


def test_end_of_a_senseless_number_is_refused() -> None:
    body = encoded({"sessionId": "a", "status": "Success", "phoneNumber": "0711"})
    with pytest.raises(Unreadable, match="phoneNumber is malformed"):
        AfricasTalkingUssd().read_end(body)


@pytest.mark.parametrize("count", ["", "-1", "x", "²", "1" * 50])
def test_counts_that_are_none_are_left_out(count: str) -> None:
    body = encoded({"sessionId": "a", "status": "Success", "hopsCount": count})
    assert AfricasTalkingUssd().read_end(body).hops is None


REPLIES = [(False, b"CON 1. Send\n2. Back"), (True, b"END 1. Send\n2. Back")]


@pytest.mark.parametrize(("ends", "body"), REPLIES)
def test_reply_begins_with_its_verb(ends: bool, body: bytes) -> None:
    gateway = AfricasTalkingUssd()
    reply = gateway.write_reply(
        gateway.read(encoded(fields())), Reply("1. Send\n2. Back", ends=ends)
    )
    assert reply == Acknowledgement(200, body, "text/plain")


async def test_sms_request(company: Company, gateway: AfricasTalkingSms) -> None:
    company.on(SMS_PATH, SENT)
    assert await gateway.send(SMS) == SmsAccepted("ATXid_00000000000000000000000000000001")
    request = company.requests[0]
    assert (request.method, request.target) == ("POST", SMS_PATH)
    assert request.headers["apikey"] == "at-key-x9"
    assert request.headers["accept"] == "application/json"
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert dict(parse_qsl(request.body.decode(), strict_parsing=True)) == {
        "username": "capp",
        "to": KENYAN,
        "message": SMS.text,
        "from": "CAPP",
        "bulkSMSMode": "1",
    }


async def test_without_a_sender_the_gateway_chooses(company: Company) -> None:
    company.on(SMS_PATH, SENT)
    gateway = AfricasTalkingSms(at_settings(company.url, sender=""))
    await gateway.send(SMS)
    await gateway.aclose()
    assert b"from=" not in company.requests[0].body


@pytest.mark.parametrize(
    "content_type", ["application/json", "application/json; charset=utf-8", "text/plain"]
)
async def test_answer_is_read_whatever_its_type(
    company: Company, gateway: AfricasTalkingSms, content_type: str
) -> None:
    company.on(SMS_PATH, Answer(201, message=SENT.message, content_type=content_type))
    assert (await gateway.send(SMS)).message_id.startswith("ATXid_")


def recipient(code: Any, **changes: Any) -> dict[str, Any]:
    return {
        "statusCode": code,
        "number": str(KENYAN),
        "status": "Words",
        "cost": "0",
        "messageId": "None",
        **changes,
    }


def sent(*recipients: dict[str, Any], message: str = "Sent to 0/1") -> Answer:
    data = {"Message": message, "Recipients": list(recipients)}
    return Answer(201, message={"SMSMessageData": data})


RECIPIENT_CODES = [
    (401, Rejected, Reason.CONFIGURATION),
    (402, Rejected, Reason.CONFIGURATION),
    (403, Rejected, Reason.NOT_REGISTERED),
    (404, Rejected, Reason.NOT_REGISTERED),
    (405, Throttled, None),
    (406, Rejected, Reason.DECLINED),
    (407, Rejected, Reason.NOT_REACHED),
    (409, Rejected, Reason.DECLINED),
    (500, Throttled, None),
    (501, Throttled, None),
    (502, Rejected, Reason.OTHER),
    (999, OutcomeUnknown, None),
    (101, OutcomeUnknown, None),  # taken, but under no id
]


@pytest.mark.parametrize(("code", "error", "reason"), RECIPIENT_CODES)
async def test_recipient_code_means(
    company: Company,
    gateway: AfricasTalkingSms,
    code: int,
    error: type[ProviderError],
    reason: Reason | None,
) -> None:
    named = [] if code == 101 else [recipient(code, messageId="ATXid_7")]
    for answer in (recipient(code), recipient(str(code)), *named):  # a name says nothing of it
        company.on(SMS_PATH, sent(answer))
        with pytest.raises(error) as caught:
            await gateway.send(SMS)
        assert caught.value.code == str(code)
        assert getattr(caught.value, "reason", None) == reason


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        (sent(recipient(405)), 300.0),  # no credit: nobody tops up within a minute
        (sent(recipient(500)), 60.0),
        (Answer(429, body=b"slow down"), 10.0),
        (Answer(429, body=b"slow down", headers=(("Retry-After", "7"),)), 7.0),
    ],
)
async def test_what_is_not_taken_now_is_offered_again_in_time(
    company: Company, gateway: AfricasTalkingSms, answer: Answer, seconds: float
) -> None:
    company.on(SMS_PATH, answer)
    with pytest.raises(Throttled) as caught:
        await gateway.send(SMS)
    assert caught.value.retry_after_seconds == seconds


@pytest.mark.parametrize("code", [100, 101, 102])
async def test_recipient_is_found_by_number_not_by_place(
    company: Company, gateway: AfricasTalkingSms, code: int
) -> None:
    other = recipient(403, number="+254700000000")
    company.on(SMS_PATH, sent(other, recipient(code, messageId="ATXid_7")))
    assert await gateway.send(SMS) == SmsAccepted("ATXid_7")


REFUSED: list[tuple[Answer, type[ProviderError], Reason | None]] = [
    (sent(message="InvalidSenderId"), Rejected, Reason.CONFIGURATION),
    (
        Answer(401, body=b"The supplied authentication is invalid", content_type="text/plain"),
        Rejected,
        Reason.CONFIGURATION,
    ),
    (sent(), OutcomeUnknown, None),
    (sent(recipient(101, number="+254700000000", messageId="A")), OutcomeUnknown, None),
    (Answer(201, message={"SMSMessageData": []}), OutcomeUnknown, None),
    (Answer(201, message={"SMSMessageData": "Sent to 1/1"}), OutcomeUnknown, None),
    (Answer(201, message={"SMSMessageData": {"Recipients": 1}}), OutcomeUnknown, None),
    (Answer(201, message={"SMSMessageData": {"Recipients": ["x"]}}), OutcomeUnknown, None),
    (sent(recipient(101, messageId="")), OutcomeUnknown, None),
    (Answer(403, body=b"Forbidden"), OutcomeUnknown, None),  # a proxy may say so
    (Answer(400, body=b"Bad"), OutcomeUnknown, None),
]


@pytest.mark.parametrize(("answer", "error", "reason"), REFUSED)
async def test_answer_without_our_recipient(
    company: Company,
    gateway: AfricasTalkingSms,
    answer: Answer,
    error: type[ProviderError],
    reason: Reason | None,
) -> None:
    company.on(SMS_PATH, answer)
    with pytest.raises(error) as caught:
        await gateway.send(SMS)
    assert getattr(caught.value, "reason", None) == reason


@pytest.mark.parametrize("key", ["UserData", "userData"])
async def test_balance(company: Company, gateway: AfricasTalkingSms, key: str) -> None:
    company.on(BALANCE_PATH, Answer(message={key: {"balance": "KES 1785.5099"}}))
    assert await gateway.fetch_balance() == Money(178_550, "KES")
    request = company.requests[0]
    assert (request.method, request.target) == ("GET", "/version1/user?username=capp")
    assert request.headers["apikey"] == "at-key-x9"


@pytest.mark.parametrize("balance", ["", "KES", "KES x", "XYZ 1", "KES NaN", "KES 1e999999"])
async def test_balance_that_is_none(
    company: Company, gateway: AfricasTalkingSms, balance: str
) -> None:
    company.on(BALANCE_PATH, Answer(message={"UserData": {"balance": balance}}))
    with pytest.raises(Unreadable):
        await gateway.fetch_balance()


async def test_balance_with_a_wrong_key(company: Company, gateway: AfricasTalkingSms) -> None:
    company.on(BALANCE_PATH, Answer(401, body=b"The supplied authentication is invalid"))
    with pytest.raises(Rejected):
        await gateway.fetch_balance()


REPORTS = [
    ("Sent", None),
    ("Submitted", None),
    ("Buffered", None),
    ("NewWord", None),
    ("Success", True),
    ("Rejected", False),
    ("Failed", False),
    ("AbsentSubscriber", False),
    ("Expired", False),
]


@pytest.mark.parametrize(("status", "delivered"), REPORTS)
async def test_delivery_report_means(
    gateway: AfricasTalkingSms, status: str, delivered: bool | None
) -> None:
    form = {"id": "ATXid_7", "status": status, "phoneNumber": str(KENYAN), "networkCode": "63902"}
    assert gateway.read_report(SmsCallback(encoded(form))) == SmsReport(
        "ATXid_7", status, delivered
    )
    form["failureReason"] = "UserInBlackList"
    assert gateway.read_report(SmsCallback(encoded(form))).failure == "UserInBlackList"


def test_a_database_and_a_log_can_take_what_is_told(gateway: AfricasTalkingSms) -> None:
    """A zero byte is no text to Postgres: what it refuses would come again for hours."""
    odd, shown = "a\x00b\r\n", "a?b??"
    form = encoded({"id": odd, "status": odd, "failureReason": odd})
    assert gateway.read_report(SmsCallback(form)) == SmsReport(shown, shown, None, shown)
    assert read_message(id=odd).message_id == shown
    end = AfricasTalkingUssd().read_end(encoded({"sessionId": "a", "status": odd}))
    assert end.status == shown


@pytest.mark.parametrize("body", [b"", b"id=1", b"status=Success", b"id=1&id=2&status=Success"])
async def test_incomplete_delivery_report_is_unreadable(
    gateway: AfricasTalkingSms, body: bytes
) -> None:
    with pytest.raises(Unreadable):
        gateway.read_report(SmsCallback(body))


def inbound(**changes: str) -> dict[str, str]:
    return {
        "date": "2026-01-01 10:00:00",
        "from": str(KENYAN),
        "id": "ATXid_in_7",
        "linkId": "",
        "text": "SEND 500 0712345678",
        "to": "22384",
        "cost": "KES 0.0000",
        "networkCode": "63902",
        **changes,
    }


def read_message(**changes: str) -> SmsMessage:
    form = encoded(inbound(**changes))
    return AfricasTalkingSms(at_settings("http://127.0.0.1:1")).read_message(SmsCallback(form))


def test_message_from_a_phone_is_read() -> None:
    told = SmsMessage("ATXid_in_7", Msisdn(str(KENYAN)), "SEND 500 0712345678")
    assert read_message() == told
    assert told.acknowledgement == Acknowledgement(200, b"", "text/plain")


@pytest.mark.parametrize("sender", ["+2547123", "+254712345678901"])
def test_the_shortest_and_the_longest_numbers_are_phones(sender: str) -> None:
    assert read_message(**{"from": sender}).msisdn == sender


@pytest.mark.parametrize(
    "sender",
    [
        "Safaricom",
        "22384",
        "0712345678",
        "+254712",
        "+2547123456789012",
        "+0712345678",
        "+254712345678x",
    ],
)
def test_sender_that_is_no_phone_is_told_as_nobody(sender: str) -> None:
    assert read_message(**{"from": sender}).msisdn is None


def test_empty_and_endless_messages_are_read() -> None:
    assert read_message(text="").text == ""
    assert len(read_message(text="x" * 9_000).text) == 1_600


@pytest.mark.parametrize("name", ["id", "from"])
def test_message_without_what_tells_it_apart_is_refused(name: str) -> None:
    with pytest.raises(Unreadable, match=name):
        read_message(**{name: ""})


def test_text_of_a_message_is_in_no_repr_and_no_error() -> None:
    assert PIN not in repr(read_message(text=PIN))
    gateway = AfricasTalkingSms(at_settings("http://127.0.0.1:1"))
    cut_short = f"id=a&from=%2B254712345678&text={PIN}%z".encode()
    for body in (cut_short, f"text={PIN}&text={PIN}".encode()):
        with pytest.raises(Unreadable) as caught:
            gateway.read_message(SmsCallback(body))
        assert PIN not in f"{caught.value!r} {caught.value} {vars(caught.value)}"

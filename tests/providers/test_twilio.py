"""Twilio: what is sent, what each answer means, and that nothing unsigned is believed.

The contract of all adapters is in `test_contract.py`; the last part speaks to the sandbox.
"""

import asyncio
import base64
import hashlib
import hmac
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.clock import IntentId
from engine.errors import OutcomeUnknown, ProviderError, Rejected, Throttled, Unreadable
from engine.msisdn import Msisdn
from engine.ports import (
    FORGED,
    Acknowledgement,
    Reason,
    Sms,
    SmsAccepted,
    SmsCallback,
    SmsMessage,
    SmsReport,
)
from providers.twilio import TwilioSettings, TwilioSms, signature
from simulator.operators import credentials
from simulator.sandbox import Sandboxes, SandboxesSettings
from simulator.twilio import TwilioSandboxSettings
from tests.leap import leap
from tests.providers.company import Answer, Company
from tests.providers.sandbox_clients import Hands, Mailbox, mailbox, open_client
from tests.providers.subjects import (
    ACCOUNT_SID,
    CALLBACK_URL,
    KENYAN,
    SMS,
    TWILIO_PATH,
    TWILIO_SID,
    TWILIO_TAKEN,
    twilio_settings,
)

TOKEN = "twilio-token-x10"
REPORT_URL = f"{CALLBACK_URL}/report?message={SMS.intent_id}"
PIN = "4831"


@pytest.fixture
async def gateway(company: Company) -> AsyncIterator[TwilioSms]:
    adapter = TwilioSms(twilio_settings(company.url))
    yield adapter
    await adapter.aclose()


def offline() -> TwilioSms:
    return TwilioSms(twilio_settings("http://127.0.0.1:1"))


def signed(fields: dict[str, str], url: str = REPORT_URL, token: str = TOKEN) -> SmsCallback:
    body = urlencode(fields).encode()
    return SmsCallback(body, url, {"x-twilio-signature": signature(token, url, body)})


def test_message_with_empty_fields_and_accents_is_signed_over_all_of_them() -> None:
    """Put together by hand from the rule: what is not known of the sender comes as empty fields."""
    url = f"{CALLBACK_URL}/message"
    body = f"To=%2B15550100&FromZip=&Body=d%C3%A9j%C3%A0+vu&From={quote(KENYAN)}&FromCity="
    body += f"&MessageSid={TWILIO_SID}"
    said = f"{url}Bodydéjà vuFrom{KENYAN}FromCityFromZipMessageSid{TWILIO_SID}To+15550100"
    digest = hmac.digest(TOKEN.encode(), said.encode(), hashlib.sha1)
    headers = {"x-twilio-signature": base64.b64encode(digest).decode()}
    read = offline().read_message(SmsCallback(body.encode(), url, headers))
    assert (read.msisdn, read.text) == (KENYAN, "déjà vu")


def test_message_with_fifty_fields_is_read() -> None:
    """Geography and media make many; a form of others may have fewer."""
    more = {f"MediaUrl{number}": "https://example.org" for number in range(47)}
    fields = {"MessageSid": TWILIO_SID, "From": KENYAN, "Body": "YES", **more}
    assert offline().read_message(signed(fields)).text == "YES"


def test_signature_of_the_vendors_published_example() -> None:
    fields = {
        "CallSid": "CA1234567890ABCDE",
        "Caller": "+12349013030",
        "Digits": "1234",
        "From": "+12349013030",
        "To": "+18005551212",
    }
    url = "https://mycompany.com/myapp.php?foo=1&bar=2"
    for order in (fields, dict(reversed(fields.items()))):
        made = signature("12345", url, urlencode(order).encode())
        assert made == "0/KCTR6DLpKmkAf8muzZqo1nDgQ="


async def test_request(company: Company, gateway: TwilioSms) -> None:
    company.on(TWILIO_PATH, TWILIO_TAKEN)
    assert await gateway.send(SMS) == SmsAccepted(TWILIO_SID, 1)
    request = company.requests[0]
    assert (request.method, request.target) == ("POST", TWILIO_PATH)
    login = base64.b64encode(f"{ACCOUNT_SID}:{TOKEN}".encode()).decode()
    assert request.headers["authorization"] == f"Basic {login}"
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert dict(parse_qsl(request.body.decode(), strict_parsing=True)) == {
        "From": "+254700000000",
        "To": KENYAN,
        "Body": SMS.text,
        "StatusCallback": REPORT_URL,
    }


async def test_a_messaging_service_is_named_as_one_and_has_not_counted(company: Company) -> None:
    accepted = {"sid": TWILIO_SID, "status": "accepted", "num_segments": "0"}
    company.on(TWILIO_PATH, Answer(201, message=accepted))
    service = "MG00000000000000000000000000000001"
    gateway = TwilioSms(twilio_settings(company.url, sender=service))
    assert await gateway.send(SMS) == SmsAccepted(TWILIO_SID, None)
    await gateway.aclose()
    form = dict(parse_qsl(company.requests[0].body.decode()))
    assert form["MessagingServiceSid"] == service
    assert "From" not in form


@pytest.mark.parametrize("name", ["MGPAY", "MG Money", "MG0000000001"])
async def test_a_sender_whose_name_begins_as_a_services_id_is_a_sender(
    company: Company, name: str
) -> None:
    company.on(TWILIO_PATH, Answer(201, message={"sid": TWILIO_SID, "status": "queued"}))
    gateway = TwilioSms(twilio_settings(company.url, sender=name))
    await gateway.send(SMS)
    await gateway.aclose()
    form = dict(parse_qsl(company.requests[0].body.decode()))
    assert form["From"] == name
    assert "MessagingServiceSid" not in form


def refused(code: Any, status: int = 400) -> Answer:
    return Answer(status, message={"code": code, "message": "words", "status": status})


ERRORS = [
    (refused(20003, 401), Rejected, Reason.CONFIGURATION),
    (refused(20404, 404), Rejected, Reason.CONFIGURATION),
    (refused(21211), Rejected, Reason.NOT_REGISTERED),
    (refused("21211"), Rejected, Reason.NOT_REGISTERED),
    (refused(21214), Rejected, Reason.NOT_REGISTERED),
    (refused(21408, 403), Rejected, Reason.CONFIGURATION),
    (refused(21603), Rejected, Reason.CONFIGURATION),
    (refused(21606), Rejected, Reason.CONFIGURATION),
    (refused(21608), Rejected, Reason.CONFIGURATION),
    (refused(21610), Rejected, Reason.DECLINED),
    (refused(21612), Rejected, Reason.NOT_REACHED),
    (refused(21614), Rejected, Reason.NOT_REGISTERED),
    (refused(21617), Rejected, Reason.OTHER),
    (refused(21611), Throttled, None),
    (refused(30001), Throttled, None),
    (refused(20429, 429), Throttled, None),
    (Answer(429), Throttled, None),
    (refused(99999), OutcomeUnknown, None),
    (Answer(400), OutcomeUnknown, None),
    (Answer(500), OutcomeUnknown, None),
    (Answer(503), OutcomeUnknown, None),
    (Answer(201), OutcomeUnknown, None),
    (Answer(201, message={"sid": "", "status": "queued"}), OutcomeUnknown, None),
    (Answer(201, message={"sid": TWILIO_SID, "status": "parked"}), OutcomeUnknown, None),
    (
        Answer(201, message={"sid": TWILIO_SID, "status": "failed", "error_code": 21610}),
        Rejected,
        Reason.DECLINED,
    ),
    (
        Answer(201, message={"sid": TWILIO_SID, "status": "failed", "error_code": None}),
        OutcomeUnknown,
        None,
    ),
]


@pytest.mark.parametrize(("answer", "error", "reason"), ERRORS)
async def test_answer_means(
    company: Company,
    gateway: TwilioSms,
    answer: Answer,
    error: type[ProviderError],
    reason: Reason | None,
) -> None:
    company.on(TWILIO_PATH, answer)
    with pytest.raises(error) as caught:
        await gateway.send(SMS)
    assert type(caught.value) is error
    assert getattr(caught.value, "reason", None) == reason


@pytest.mark.parametrize("count", ["x", "-1", "", None, True, "12345"])
async def test_a_senseless_count_is_no_count(
    company: Company, gateway: TwilioSms, count: Any
) -> None:
    taken = {"sid": TWILIO_SID, "status": "queued", "num_segments": count}
    company.on(TWILIO_PATH, Answer(201, message=taken))
    assert (await gateway.send(SMS)).segments is None


async def test_how_the_account_stands_is_asked_and_senseless_answers_are_refused(
    company: Company, gateway: TwilioSms
) -> None:
    path = f"/2010-04-01/Accounts/{ACCOUNT_SID}.json"
    company.on(path, Answer(200, message={"sid": ACCOUNT_SID, "status": "suspended"}))
    assert await gateway.fetch_status() == "suspended"
    request = company.requests[0]
    assert (request.method, request.target) == ("GET", path)
    assert request.headers["authorization"].startswith("Basic ")
    for answer, error in (
        (refused(20003, 401), Rejected),
        (Answer(200), Unreadable),
        (Answer(200, message={"status": None}), Unreadable),
        (Answer(503), OutcomeUnknown),
    ):
        company.on(path, answer)
        with pytest.raises(error):
            await gateway.fetch_status()


STATUSES = [
    ("queued", None),
    ("sending", None),
    ("sent", None),
    ("delivered", True),
    ("read", True),
    ("undelivered", False),
    ("failed", False),
    ("canceled", False),
    ("some_new_word", None),
]


@pytest.mark.parametrize(("status", "delivered"), STATUSES)
def test_status_means(status: str, delivered: bool | None) -> None:
    form = {"MessageSid": TWILIO_SID, "MessageStatus": status, "AccountSid": ACCOUNT_SID}
    report = offline().read_report(signed(form))
    assert report == SmsReport(TWILIO_SID, status, delivered, "", SMS.intent_id)
    failed = offline().read_report(signed({**form, "ErrorCode": "30003"}))
    assert failed.failure == "30003"


@pytest.mark.parametrize("query", ["", "?message=", "?message=%27;drop", "?other=1"])
def test_report_without_our_own_id_is_read_too(query: str) -> None:
    form = {"MessageSid": TWILIO_SID, "MessageStatus": "delivered"}
    assert offline().read_report(signed(form, f"{CALLBACK_URL}/report{query}")).intent_id is None


def inbound(**changes: str) -> dict[str, str]:
    return {
        "ToCountry": "KE",
        "SmsMessageSid": TWILIO_SID,
        "NumMedia": "0",
        "Body": "SEND 500 0712345678",
        "MessageSid": TWILIO_SID,
        "AccountSid": ACCOUNT_SID,
        "From": str(KENYAN),
        "To": "+254700000000",
        **changes,
    }


def test_message_from_a_phone_is_read_and_answered_without_a_text() -> None:
    message = offline().read_message(signed(inbound()))
    assert (message.message_id, message.msisdn) == (TWILIO_SID, KENYAN)
    assert message.text == "SEND 500 0712345678"
    assert message.acknowledgement == Acknowledgement(200, b"<Response/>", "text/xml")


@pytest.mark.parametrize("text", ["", "Zoë & Söhne + 1=1", "ሰላም", "😀", "a\nb"])
def test_any_text_arrives_as_it_was_typed(text: str) -> None:
    assert offline().read_message(signed(inbound(Body=text))).text == text


def test_a_name_or_a_short_code_is_told_as_nobody() -> None:
    for sender in ("Safaricom", "22384"):
        assert offline().read_message(signed(inbound(From=sender))).msisdn is None


def tampered() -> list[SmsCallback]:
    good = signed(inbound())
    other = urlencode(inbound(Body="SEND 9000 0712345678")).encode()
    return [
        SmsCallback(good.body, good.url),  # not signed
        SmsCallback(good.body, good.url, {"x-twilio-signature": ""}),
        SmsCallback(good.body, good.url, {"x-twilio-signature": "ł"}),
        SmsCallback(other, good.url, good.headers),  # another amount
        SmsCallback(good.body + b"&Extra=1", good.url, good.headers),
        SmsCallback(good.body, good.url + "&x=1", good.headers),  # another address
        SmsCallback(good.body, good.url.replace("https", "http"), good.headers),
        signed(inbound(), token="another token"),
    ]


@pytest.mark.parametrize("callback", tampered())
def test_what_is_not_signed_by_them_is_not_believed(callback: SmsCallback) -> None:
    for read in (offline().read_message, offline().read_report):
        with pytest.raises(Unreadable) as caught:
            read(callback)
        assert caught.value.code == FORGED


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"MessageSid": ""}, "MessageSid is empty"),
        ({"MessageSid": "../../x"}, "MessageSid is malformed"),
        ({"From": ""}, "From is empty"),
    ],
)
def test_senseless_message_is_refused_by_the_name_of_its_field(
    change: dict[str, str], complaint: str
) -> None:
    with pytest.raises(Unreadable, match=complaint):
        offline().read_message(signed(inbound(**change)))


@given(st.binary(max_size=300), st.text(max_size=30))
def test_any_bytes_are_forged_or_unreadable(body: bytes, header: str) -> None:
    with pytest.raises(Unreadable) as caught:
        offline().read_message(SmsCallback(body, "http://x/", {"x-twilio-signature": header}))
    assert caught.value.__cause__ is None


def test_neither_token_nor_text_is_in_a_repr_or_an_error() -> None:
    assert TOKEN not in repr(twilio_settings("http://127.0.0.1:1"))
    assert PIN not in repr(offline().read_message(signed(inbound(Body=PIN))))
    with pytest.raises(Unreadable) as caught:
        offline().read_message(signed(inbound(Body=PIN, MessageSid="x")))
    assert PIN not in f"{caught.value!r} {vars(caught.value)}"


# Against the sandbox, which was written from the reference and not from the adapter.


@pytest.fixture
async def box() -> AsyncIterator[Mailbox]:
    async with mailbox() as opened:
        yield opened


@pytest.fixture
async def sandboxes(box: Mailbox) -> AsyncIterator[Sandboxes]:
    twilio = TwilioSandboxSettings(
        callback_delay_seconds=0.01, sms_in_url=f"{box.url}/message", error_codes={}
    )
    async with Sandboxes.start(SandboxesSettings(twilio=twilio)) as started:
        yield started


@pytest.fixture
async def live(sandboxes: Sandboxes, box: Mailbox) -> AsyncIterator[TwilioSms]:
    adapter = TwilioSms(
        TwilioSettings(
            sandboxes.twilio_url,
            credentials.TWILIO_SANDBOX_ACCOUNT_SID,
            credentials.TWILIO_SANDBOX_AUTH_TOKEN,
            credentials.TWILIO_SANDBOX_SENDER,
            f"{box.url}/report",
        )
    )
    yield adapter
    await adapter.aclose()


async def test_sent_message_reaches_the_phone_and_its_reports_are_signed(
    live: TwilioSms, sandboxes: Sandboxes, box: Mailbox
) -> None:
    text = "a" * 152 + "€" + "a" * 152
    accepted = await live.send(Sms(IntentId("a" * 32), KENYAN, text))
    assert accepted.segments == 3  # as the sandbox counts by itself
    async with open_client(sandboxes.twilio_url) as client:
        [shown] = (await Hands(client).get("sms", to=str(KENYAN)))["messages"]
    assert (shown["text"], shown["id"]) == (text, accepted.message_id)
    url = f"{box.url}/report?message={'a' * 32}"
    reports = [
        live.read_report(SmsCallback(letter.body, url, letter.headers))
        for letter in await box.wait(2)
    ]
    assert [(r.status, r.delivered) for r in reports] == [("sent", None), ("delivered", True)]
    assert {(r.message_id, r.intent_id) for r in reports} == {(accepted.message_id, "a" * 32)}


async def test_message_from_a_phone_is_passed_on_signed(
    live: TwilioSms, sandboxes: Sandboxes, box: Mailbox
) -> None:
    async with open_client(sandboxes.twilio_url) as client:
        sms_in = {"from": str(KENYAN), "to": "+254700000000", "text": "BAL + ñ"}
        assert (await client.post("/_sandbox/sms-in", json=sms_in)).status_code == 201
        [letter] = await box.wait()
        callback = SmsCallback(letter.body, f"{box.url}/message", letter.headers)
        message = live.read_message(callback)
        assert message == SmsMessage(
            message.message_id, Msisdn(str(KENYAN)), "BAL + ñ", message.acknowledgement
        )
        for way in ("wrong", "none"):
            await Hands(client).settings(signature=way)
            await client.post("/_sandbox/sms-in", json=sms_in)
    for letter in (await box.wait(3))[1:]:
        with pytest.raises(Unreadable) as caught:
            live.read_message(SmsCallback(letter.body, f"{box.url}/message", letter.headers))
        assert caught.value.code == FORGED


FAULTS = [
    ("sms_rejected", Rejected),
    ("throttle_429", Throttled),
    ("error_503", OutcomeUnknown),
    ("error_500_after", OutcomeUnknown),
    ("truncated_json", OutcomeUnknown),
    ("html_200", OutcomeUnknown),
]


@pytest.mark.parametrize(("fault", "error"), FAULTS)
async def test_faults_of_the_sandbox_are_told_apart(
    live: TwilioSms, sandboxes: Sandboxes, fault: str, error: type[ProviderError]
) -> None:
    async with open_client(sandboxes.twilio_url) as client:
        await Hands(client).fault("sms", fault)
        with pytest.raises(error):
            await live.send(SMS)


async def test_undelivered_message_is_reported_with_its_code(
    live: TwilioSms, sandboxes: Sandboxes, box: Mailbox
) -> None:
    async with open_client(sandboxes.twilio_url) as client:
        await Hands(client).fault("delivery_report", "delivery_failed")
    await live.send(SMS)
    letter = (await box.wait(2))[1]
    url = f"{box.url}/report?message={SMS.intent_id}"
    report = live.read_report(SmsCallback(letter.body, url, letter.headers))
    assert (report.delivered, report.failure) == (False, "30003")


@pytest.mark.parametrize(("fault", "copies"), [("sms_lost", 0), ("sms_twice", 2), ("sms_late", 1)])
async def test_accepted_sms_of_the_sandbox_is_lost_doubled_or_late(
    live: TwilioSms, sandboxes: Sandboxes, fault: str, copies: int
) -> None:
    async with open_client(sandboxes.twilio_url) as client:
        hands = Hands(client)
        await hands.fault("sms", fault, seconds=40)
        accepted = await live.send(SMS)
        at_once = (await hands.get("sms", to=str(SMS.to)))["messages"]
        assert len(at_once) == (0 if fault == "sms_late" else copies)
        leap(40)
        await asyncio.sleep(0.2)  # what is lost does not come
        for _ in range(600):
            inbox = (await hands.get("sms", to=str(SMS.to)))["messages"]
            if len(inbox) >= copies:
                break
            await asyncio.sleep(0.05)
        assert [sms["id"] for sms in inbox] == [accepted.message_id] * copies


async def test_wrong_credentials_are_refused_by_the_sandbox(sandboxes: Sandboxes) -> None:
    for sid, token in (
        (credentials.TWILIO_SANDBOX_ACCOUNT_SID, "wrong"),
        ("AC" + "9" * 32, credentials.TWILIO_SANDBOX_AUTH_TOKEN),
    ):
        gateway = TwilioSms(TwilioSettings(sandboxes.twilio_url, sid, token, "+15005550006"))
        with pytest.raises(Rejected) as caught:
            await gateway.send(SMS)
        assert caught.value.reason == Reason.CONFIGURATION
        await gateway.aclose()

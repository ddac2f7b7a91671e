"""The gateway sandbox against its reference, and with the gateway's own SDK as the client."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qsl

import africastalking
import httpx
import pytest

from simulator.gateway import GatewaySettings
from simulator.operators import credentials
from simulator.sandbox import Sandboxes, SandboxesSettings
from tests.leap import leap
from tests.providers.sandbox_clients import Hands, Mailbox, mailbox, matches, open_client

PHONE = "+254711000001"
API_KEY = credentials.GATEWAY_SANDBOX_API_KEY


class Gateway(Hands):
    """The classic form API with the sandbox's credentials."""

    async def send(
        self, *, to: str = PHONE, api_key: str = API_KEY, **fields: str
    ) -> httpx.Response:
        form = {"username": "sandbox", "to": to, "message": "Habari", **fields}
        return await self.client.post(
            "/version1/messaging",
            data={name: value for name, value in form.items() if value},
            headers={"apiKey": api_key, "Accept": "application/json"},
        )

    async def recipient(self, **fields: str) -> dict[str, Any]:
        response = await self.send(**fields)
        assert response.status_code == 201
        [recipient] = response.json()["SMSMessageData"]["Recipients"]
        assert isinstance(recipient, dict)
        return recipient

    async def inbox(self, to: str = PHONE, after: int = 0) -> list[dict[str, Any]]:
        messages: list[dict[str, Any]] = (await self.get("sms", to=to, after=str(after)))[
            "messages"
        ]
        return messages


@pytest.fixture
async def box() -> AsyncIterator[Mailbox]:
    async with mailbox() as opened:
        yield opened


@pytest.fixture
async def gateway(box: Mailbox) -> AsyncIterator[Gateway]:
    settings = SandboxesSettings(
        gateway=GatewaySettings(
            callback_delay_seconds=0.01,
            delivery_report_url=f"{box.url}/sms/4f0a11c2/report",
            sms_in_url=f"{box.url}/sms/4f0a11c2/in",
            sms_in_retry_seconds=0.01,
        )
    )
    async with (
        Sandboxes.start(settings) as sandboxes,
        open_client(sandboxes.gateway_url) as client,
    ):
        yield Gateway(client)


def form(body: bytes) -> dict[str, str]:
    return dict(parse_qsl(body.decode(), keep_blank_values=True))


async def test_sent_message_is_answered_as_published(gateway: Gateway) -> None:
    response = await gateway.send()
    assert response.status_code == 201
    # The SDK parses the body only when the type is exactly this.
    assert response.headers["content-type"] == "application/json"
    content = response.json()["SMSMessageData"]
    assert content["Message"] == "Sent to 1/1 Total Cost: KES 0.8000"
    [recipient] = content["Recipients"]
    assert matches("ATXid_[0-9a-f]{32}", recipient.pop("messageId"))
    assert recipient == {
        "statusCode": 101,
        "number": PHONE,
        "status": "Success",
        "cost": "KES 0.8000",
    }


async def test_inbox_keeps_each_phones_messages_in_order(gateway: Gateway) -> None:
    await gateway.send(message="one", **{"from": "CAPP"})
    await gateway.send(message="two", to="+254711000002")
    await gateway.send(message="three é")
    messages = await gateway.inbox()
    assert [(m["text"], m["from"]) for m in messages] == [
        ("one", "CAPP"),
        ("three é", "AFRICASTKNG"),
    ]
    assert [m["text"] for m in await gateway.inbox(after=messages[0]["n"])] == ["three é"]


async def test_several_recipients_are_judged_one_by_one(gateway: Gateway) -> None:
    content = (await gateway.send(to=f"{PHONE},0711,+254711000002")).json()["SMSMessageData"]
    codes = {r["number"]: (r["statusCode"], r["status"]) for r in content["Recipients"]}
    assert codes == {
        PHONE: (101, "Success"),
        "0711": (403, "InvalidPhoneNumber"),
        "+254711000002": (101, "Success"),
    }
    assert content["Message"] == "Sent to 2/3 Total Cost: KES 1.6000"


@pytest.mark.parametrize(
    ("settings", "code", "status"),
    [
        ({"recipient_codes": {PHONE: 406}}, 406, "UserInBlacklist"),
        ({"recipient_codes": {PHONE: 501}}, 501, "GatewayError"),
        ({"account_balance_units": 7_999}, 405, "InsufficientBalance"),
    ],
)
async def test_refused_recipient_gets_no_message(
    gateway: Gateway, settings: dict[str, object], code: int, status: str
) -> None:
    await gateway.settings(**settings)
    recipient = await gateway.recipient()
    assert (recipient["statusCode"], recipient["status"]) == (code, status)
    assert (recipient["cost"], recipient["messageId"]) == ("0", "None")
    assert await gateway.inbox() == []


async def test_unknown_sender_id_is_a_201_without_recipients(gateway: Gateway) -> None:
    await gateway.settings(sender_ids=["CAPP"])
    response = await gateway.send(**{"from": "OTHER"})
    assert response.status_code == 201
    assert response.json() == {"SMSMessageData": {"Message": "InvalidSenderId", "Recipients": []}}


@pytest.mark.parametrize("wrong", [{"api_key": "wrong"}, {"username": "someone"}])
async def test_wrong_access_is_a_401_in_plain_text(gateway: Gateway, wrong: dict[str, Any]) -> None:
    response = await gateway.send(**wrong)
    assert response.status_code == 401
    assert response.text == "The supplied authentication is invalid"
    assert response.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize("missing", ["to", "message"])
async def test_missing_field_is_a_400(gateway: Gateway, missing: str) -> None:
    assert (await gateway.send(**{missing: ""})).status_code == 400


async def test_balance_falls_with_every_message(gateway: Gateway) -> None:
    await gateway.settings(account_balance_units=17_855_000)
    await gateway.send()
    response = await gateway.client.get(
        "/version1/user", params={"username": "sandbox"}, headers={"apiKey": API_KEY}
    )
    assert response.json() == {"UserData": {"balance": "KES 1784.7000"}}


async def test_delivery_is_reported_by_form(gateway: Gateway, box: Mailbox) -> None:
    recipient = await gateway.recipient()
    [letter] = await box.wait()
    assert letter.path == "/sms/4f0a11c2/report"
    assert letter.headers["content-type"] == "application/x-www-form-urlencoded"
    assert form(letter.body) == {
        "id": recipient["messageId"],
        "status": "Success",
        "phoneNumber": PHONE,
        "networkCode": "99999",
    }
    assert (await gateway.inbox())[0]["status"] == "Success"


async def test_failed_delivery_gives_its_reason(gateway: Gateway, box: Mailbox) -> None:
    await gateway.fault("delivery_report", "delivery_failed", msisdn="254711000001")
    await gateway.send()
    report = form((await box.wait())[0].body)
    assert (report["status"], report["failureReason"]) == ("Failed", "DeliveryFailure")


@pytest.mark.parametrize(("fault", "status"), [("unknown_status", "Parked"), (None, "Success")])
async def test_report_word_can_be_unknown(
    gateway: Gateway, box: Mailbox, fault: str | None, status: str
) -> None:
    if fault:
        await gateway.fault("delivery_report", fault)
    await gateway.send()
    assert form((await box.wait())[0].body)["status"] == status


async def test_rejected_sms_fault_strikes_the_recipient(gateway: Gateway) -> None:
    await gateway.fault("sms", "sms_rejected")
    assert (await gateway.recipient())["statusCode"] == 403
    assert (await gateway.recipient())["statusCode"] == 101


@pytest.mark.parametrize(
    ("fault", "seconds", "copies", "later", "reports"),
    [("sms_lost", None, 0, 0, 0), ("sms_twice", None, 2, 2, 1), ("sms_late", 40, 0, 1, 1)],
)
async def test_accepted_sms_reaches_the_phone_as_the_air_lets_it(
    gateway: Gateway,
    box: Mailbox,
    fault: str,
    seconds: float | None,
    copies: int,
    later: int,
    reports: int,
) -> None:
    more = {} if seconds is None else {"seconds": seconds}
    await gateway.fault("sms", fault, **more)
    recipient = await gateway.recipient()
    assert recipient["statusCode"] == 101, "the gateway has taken it"
    assert len(await gateway.inbox()) == copies
    await gateway.recipient(message="the next one")
    if seconds is not None:
        await box.wait()  # the report of the next one
        assert len(await gateway.inbox()) == 1
        leap(seconds)
    await asyncio.sleep(0.2)  # what is lost does not come
    for _ in range(600):
        if len(inbox := await gateway.inbox()) > later:
            break
        await asyncio.sleep(0.05)
    assert [sms["id"] for sms in inbox].count(recipient["messageId"]) == later
    assert len({sms["n"] for sms in inbox}) == later + 1
    assert len(await box.wait(reports + 1)) == reports + 1
    if fault == "sms_late":
        assert [sms["text"] for sms in inbox] == ["the next one", "Habari"], "out of order"


@pytest.mark.parametrize(("fault", "kept"), [("error_500_before", 0), ("error_500_after", 1)])
async def test_error_tells_nothing_about_the_message(
    gateway: Gateway, fault: str, kept: int
) -> None:
    await gateway.fault("sms", fault)
    assert (await gateway.send()).status_code == 500
    assert len(await gateway.inbox()) == kept


async def test_incoming_sms_is_repeated_until_it_is_taken(gateway: Gateway, box: Mailbox) -> None:
    box.statuses = [500, 503]
    response = await gateway.client.post(
        "/_sandbox/sms-in", json={"from": PHONE, "to": "12345", "text": "BAL"}
    )
    assert response.status_code == 201
    letters = await box.wait(3)
    assert len({letter.body for letter in letters}) == 1
    fields = form(letters[0].body)
    assert set(fields) == {"date", "from", "id", "linkId", "text", "to", "cost", "networkCode"}
    assert (fields["from"], fields["to"], fields["text"]) == (PHONE, "12345", "BAL")
    assert await gateway.inbox() == []
    assert await gateway.get("sms") == {"messages": []}


def initialised_sdk(url: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # It warns of WhatsApp in the sandbox.
        africastalking.initialize("sandbox", API_KEY)
    # The SDK has no option for its address (reference, section 8).
    for service in (africastalking.SMS, africastalking.Application):
        service._baseUrl = f"{url}/version1"
    return africastalking


async def test_official_sdk_sends_fetches_and_reads_the_balance(gateway: Gateway) -> None:
    sdk = initialised_sdk(str(gateway.client.base_url).rstrip("/"))
    sent = await asyncio.to_thread(sdk.SMS.send, "Habari", [PHONE], "CAPP")
    assert sent["SMSMessageData"]["Recipients"][0]["statusCode"] == 101
    assert [m["text"] for m in await gateway.inbox()] == ["Habari"]
    await gateway.client.post(
        "/_sandbox/sms-in", json={"from": PHONE, "to": "12345", "text": "BAL"}
    )
    fetched = await asyncio.to_thread(sdk.SMS.fetch_messages, 0)
    [message] = fetched["SMSMessageData"]["Messages"]
    assert (message["from"], message["to"], message["text"]) == (PHONE, "12345", "BAL")
    account = await asyncio.to_thread(sdk.Application.fetch_application_data)
    assert account["UserData"]["balance"].startswith("KES ")


async def test_official_sdk_raises_for_a_wrong_key(gateway: Gateway) -> None:
    sdk = initialised_sdk(str(gateway.client.base_url).rstrip("/"))
    sdk.SMS._headers["apiKey"] = "wrong"
    with pytest.raises(Exception, match="The supplied authentication is invalid"):
        await asyncio.to_thread(sdk.SMS.send, "Habari", [PHONE])

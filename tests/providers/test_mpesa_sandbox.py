"""The M-PESA sandbox against its reference: shapes, refusals, money, and every fault."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from simulator.operators.mpesa import MpesaSettings
from simulator.operators.mpesa.access import stk_password
from simulator.operators.prompts import Declined, PinTyped, Prompt, Prompts
from simulator.sandbox import Sandboxes, SandboxesSettings
from tests.leap import leap
from tests.providers.sandbox_clients import (
    PAYER,
    Mailbox,
    MpesaClient,
    mailbox,
    matches,
    open_client,
)


@pytest.fixture
async def box() -> AsyncIterator[Mailbox]:
    async with mailbox() as opened:
        yield opened


@pytest.fixture
async def mpesa(box: Mailbox) -> AsyncIterator[MpesaClient]:
    settings = SandboxesSettings(
        mpesa=MpesaSettings(processing_seconds=0, callback_delay_seconds=0.01)
    )
    async with (
        Sandboxes.start(settings) as sandboxes,
        open_client(sandboxes.mpesa_url) as client,
    ):
        daraja = MpesaClient(client, box.url)
        await daraja.log_in()
        yield daraja


def parameters(letter_json: Any) -> dict[str, Any]:
    items = letter_json["Result"]["ResultParameters"]["ResultParameter"]
    return {item["Key"]: item.get("Value") for item in items}


def test_password_is_the_portals_own_example() -> None:
    assert stk_password(
        shortcode="174379",
        passkey="bfb279f9aa9bdbcf158e97dd71a467cd2e0c893059b10f78e6b72ada1ed2c919",
        timestamp="20210628092408",
    ) == (
        "MTc0Mzc5YmZiMjc5ZjlhYTliZGJjZjE1OGU5N2RkNzFhNDY3Y2QyZTBjODkzMDU5YjEwZjc4ZTZiNzJhZGEx"
        "ZWQyYzkxOTIwMjEwNjI4MDkyNDA4"
    )


async def test_token_has_28_characters_and_its_lifetime_is_text(mpesa: MpesaClient) -> None:
    assert len(mpesa.token) == 28
    response = await mpesa.client.get(
        "/oauth/v1/generate?grant_type=client_credentials",
        auth=("sandbox-consumer-key", "sandbox-consumer-secret"),
    )
    assert response.json()["expires_in"] == "3599"


async def test_wrong_secret_is_a_400_with_an_empty_body(mpesa: MpesaClient) -> None:
    response = await mpesa.client.get(
        "/oauth/v1/generate?grant_type=client_credentials", auth=("sandbox-consumer-key", "no")
    )
    assert (response.status_code, response.content) == (400, b"")


@pytest.mark.parametrize(
    ("query", "auth", "code"),
    [
        ("grant_type=client_credentials", None, "400.008.01"),
        ("grant_type=password", ("sandbox-consumer-key", "x"), "400.008.02"),
    ],
)
async def test_bad_token_request_names_its_fault(
    mpesa: MpesaClient, query: str, auth: tuple[str, str] | None, code: str
) -> None:
    response = await mpesa.client.get(f"/oauth/v1/generate?{query}", auth=auth)
    assert (response.status_code, response.json()["errorCode"]) == (400, code)


async def test_paid_push_calls_back_with_the_published_shape(
    mpesa: MpesaClient, box: Mailbox
) -> None:
    accepted = (await mpesa.push()).json()
    assert accepted["ResponseCode"] == "0"
    assert set(accepted) == {
        "MerchantRequestID",
        "CheckoutRequestID",
        "ResponseCode",
        "ResponseDescription",
        "CustomerMessage",
    }
    assert matches(r"ws_CO_\d{17}712345678", accepted["CheckoutRequestID"])

    [letter] = await box.wait()
    assert (letter.method, letter.path) == ("POST", "/cb/6f1c0f1e9b/stk")
    assert letter.headers["businessshortcode"] == "174379"
    callback = letter.json["Body"]["stkCallback"]
    assert callback["MerchantRequestID"] == accepted["MerchantRequestID"]
    assert callback["CheckoutRequestID"] == accepted["CheckoutRequestID"]
    assert callback["ResultCode"] == 0
    items = {i["Name"]: i.get("Value") for i in callback["CallbackMetadata"]["Item"]}
    assert items["Amount"] == 150.0
    assert items["PhoneNumber"] == 254712345678
    assert isinstance(items["TransactionDate"], int)
    assert len(str(items["TransactionDate"])) == 14
    assert matches(r"[A-Z0-9]{10}", items["MpesaReceiptNumber"])
    assert items["Balance"] is None

    [movement] = await mpesa.movements()
    assert movement["kind"] == "collection"
    assert movement["amount_minor"] == 15_000
    assert movement["receipt"] == items["MpesaReceiptNumber"]
    assert await mpesa.balance_minor(PAYER) == 5_000_000 - 15_000


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("Amount", 0, "Amount"),
        ("Amount", 250_001, "Amount"),
        ("Amount", 12.5, "Amount"),
        ("Amount", "150.00", "Amount"),
        ("Amount", True, "Amount"),
        ("PhoneNumber", "+254712345678", "PhoneNumber"),
        ("PhoneNumber", "0712345678", "PhoneNumber"),
        ("PartyA", "256772123456", "PartyA"),
        ("TransactionType", "PayBill", "TransactionType"),
        ("Timestamp", "20261399101500", "Timestamp"),
        ("BusinessShortCode", "12", "BusinessShortCode"),
        ("AccountReference", "longer-than-12", "AccountReference"),
        ("TransactionDesc", None, "Remarks"),
        ("CallBackURL", "ftp://pay.example.org/x", "CallBackURL"),
        ("CallBackURL", "https://pay.example.org/MPESA/x", "CallBackURL"),
        ("CallBackURL", "https://pay.example.org/aexec1", "CallBackURL"),
        ("CallBackURL", "https://x.ngrok.io/cb", "CallBackURL"),
        ("CallBackURL", "not a url", "CallBackURL"),
    ],
)
async def test_bad_field_is_refused_by_name(
    mpesa: MpesaClient, field: str, value: object, named: str
) -> None:
    response = await mpesa.push(**{field: value})
    assert response.status_code == 400
    assert response.json()["errorCode"] == "400.002.02"
    assert response.json()["errorMessage"] == f"Bad Request - Invalid {named}"
    assert await mpesa.movements() == []


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"Password": "d3Jvbmc="}, "[MerchantValidate] - Wrong credentials"),
        ({"BusinessShortCode": 999999}, "Merchant does not exist"),
    ],
)
async def test_wrong_password_and_shortcode_share_a_code(
    mpesa: MpesaClient, fields: dict[str, object], message: str
) -> None:
    response = await mpesa.push(**fields)
    assert response.status_code == 500
    assert response.json()["errorCode"] == "500.001.1001"
    assert response.json()["errorMessage"] == message


async def test_form_body_is_refused_as_a_bad_field(mpesa: MpesaClient) -> None:
    response = await mpesa.client.post(
        "/mpesa/stkpush/v1/processrequest",
        data={"Amount": "1"},
        headers={"Authorization": f"Bearer {mpesa.token}"},
    )
    assert response.json()["errorMessage"] == "Bad Request - Invalid BusinessShortCode"


@pytest.mark.parametrize(
    ("wallet", "answer", "code"),
    [
        ({"pin": "4321"}, {"pin": "4321"}, 0),
        ({"pin": "4321"}, {"pin": "1111"}, 2001),
        ({}, {"decline": True}, 1032),
        ({"balance_minor": 14_999, "pin": "4321"}, {"pin": "4321"}, 1),
        ({}, None, 1037),
    ],
)
async def test_payers_answer_decides(
    mpesa: MpesaClient,
    box: Mailbox,
    wallet: dict[str, object],
    answer: dict[str, object] | None,
    code: int,
) -> None:
    await mpesa.settings(approval="ask", approval_window_seconds=300 if answer else 0.05)
    await mpesa.wallet(PAYER, **wallet)
    await mpesa.push()
    if answer:
        prompt = await mpesa.prompt(PAYER)
        assert "Ksh150.00" in prompt["text"]
        assert (prompt["amount_minor"], prompt["currency"]) == (15_000, "KES")
        await mpesa.answer(PAYER, **answer)
    [letter] = await box.wait()
    callback = letter.json["Body"]["stkCallback"]
    assert callback["ResultCode"] == code
    assert ("CallbackMetadata" in callback) == (code == 0)
    assert len(await mpesa.movements()) == (1 if code == 0 else 0)


@pytest.mark.parametrize("silent", ["unregistered", "switched off"])
async def test_payer_who_is_not_there_cannot_be_reached(
    mpesa: MpesaClient, box: Mailbox, silent: str
) -> None:
    if silent == "unregistered":
        await mpesa.settings(auto_wallets=False)
    else:
        await mpesa.wallet(PAYER, active=False)
    await mpesa.push()
    [letter] = await box.wait()
    assert letter.json["Body"]["stkCallback"]["ResultCode"] == 1037


async def test_second_push_to_a_busy_subscriber_is_refused(mpesa: MpesaClient) -> None:
    await mpesa.settings(approval="ask")
    await mpesa.push()
    response = await mpesa.push()
    assert response.status_code == 500
    assert response.json()["errorMessage"].startswith("Unable to lock subscriber")
    other = await mpesa.push(PhoneNumber="254712345679")
    assert other.status_code == 200


async def test_subscriber_is_free_again_once_the_prompt_is_answered(
    mpesa: MpesaClient, box: Mailbox
) -> None:
    await mpesa.settings(approval="ask")
    await mpesa.push()
    await mpesa.answer(PAYER, decline=True)
    await box.wait()
    assert (await mpesa.push()).status_code == 200


async def test_query_says_processing_then_4999_then_the_result(
    mpesa: MpesaClient, box: Mailbox
) -> None:
    await mpesa.settings(approval="ask")
    checkout_id = (await mpesa.push()).json()["CheckoutRequestID"]
    first = await mpesa.push_query(checkout_id)
    assert first.status_code == 500
    assert first.json()["errorCode"] == "500.001.1001"
    assert first.json()["errorMessage"] == "The transaction is being processed"
    second = await mpesa.push_query(checkout_id)
    assert (second.status_code, second.json()["ResultCode"]) == (200, "4999")
    await mpesa.answer(PAYER, decline=True)
    await box.wait()
    final = (await mpesa.push_query(checkout_id)).json()
    assert (final["ResponseCode"], final["ResultCode"]) == ("0", "1032")
    assert "MpesaReceiptNumber" not in final


async def test_query_of_an_unknown_push_is_a_500(mpesa: MpesaClient) -> None:
    response = await mpesa.push_query("ws_CO_20112026101501123712345678")
    assert response.status_code == 500
    assert response.json()["errorMessage"] == "The transaction does not Exist"


async def test_payout_pays_and_reports_the_published_result(
    mpesa: MpesaClient, box: Mailbox
) -> None:
    await mpesa.wallet(PAYER, name="Jane Doe", balance_minor=0)
    accepted = (await mpesa.pay(OriginatorConversationID="po-17")).json()
    assert accepted["OriginatorConversationID"] == "po-17"
    assert matches(r"AG_\d{8}_[0-9a-f]{20}", accepted["ConversationID"])
    [letter] = await box.wait()
    assert letter.path == "/cb/6f1c0f1e9b/result"
    result = letter.json["Result"]
    assert (result["ResultType"], result["ResultCode"]) == (0, 0)
    assert result["ConversationID"] == accepted["ConversationID"]
    values = parameters(letter.json)
    assert values["TransactionAmount"] == 500
    assert values["TransactionReceipt"] == result["TransactionID"]
    assert values["ReceiverPartyPublicName"] == "254712345678 - JANE DOE"
    assert values["B2CRecipientIsRegisteredCustomer"] == "Y"
    assert matches(r"\d\d\.\d\d\.\d{4} \d\d:\d\d:\d\d", values["TransactionCompletedDateTime"])
    assert result["ReferenceData"]["ReferenceItem"]["Key"] == "QueueTimeoutURL"
    assert await mpesa.balance_minor(PAYER) == 50_000


async def test_result_can_carry_an_originator_id_of_the_gateway(
    mpesa: MpesaClient, box: Mailbox
) -> None:
    await mpesa.settings(echo_originator_id=False)
    accepted = (await mpesa.pay(OriginatorConversationID="po-18")).json()
    [letter] = await box.wait()
    assert letter.json["Result"]["OriginatorConversationID"] != "po-18"
    assert letter.json["Result"]["ConversationID"] == accepted["ConversationID"]


async def test_repeated_originator_id_is_refused_and_pays_once(
    mpesa: MpesaClient, box: Mailbox
) -> None:
    await mpesa.pay(OriginatorConversationID="po-19")
    again = await mpesa.pay(OriginatorConversationID="po-19")
    assert again.status_code == 500
    assert again.json()["errorCode"] == "500.002.1001"
    assert again.json()["errorMessage"] == "Duplicate OriginatorConversationID."
    await box.wait()
    assert len(await mpesa.movements()) == 1


async def test_version_one_has_no_protection(mpesa: MpesaClient, box: Mailbox) -> None:
    for _ in range(2):
        response = await mpesa.pay(version="v1", OriginatorConversationID=None)
        assert response.status_code == 200
    await box.wait(2)
    assert len(await mpesa.movements()) == 2


async def test_wrong_initiator_password_fails_later_not_at_once(
    mpesa: MpesaClient, box: Mailbox
) -> None:
    response = await mpesa.pay(SecurityCredential=await mpesa.encrypt("wrong"))
    assert response.json()["ResponseCode"] == "0"
    [letter] = await box.wait()
    result = letter.json["Result"]
    assert result["ResultCode"] == 2001
    assert "ResultParameters" not in result
    assert await mpesa.movements() == []


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"SecurityCredential": "not base64!"}, 2001),
        ({"InitiatorName": "someone"}, 2001),
        ({"PartyA": "600000"}, 2028),
    ],
)
async def test_wrong_initiator_is_told_in_the_result(
    mpesa: MpesaClient, box: Mailbox, fields: dict[str, Any], code: int
) -> None:
    await mpesa.pay(**fields)
    [letter] = await box.wait()
    assert letter.json["Result"]["ResultCode"] == code


@pytest.mark.parametrize(
    ("prepare", "code"),
    [
        ({"auto_wallets": False}, 2040),
        ({"wallet_balance_minor_max": 5_000_001}, 8),
    ],
)
async def test_recipient_who_cannot_receive_fails_the_payout(
    mpesa: MpesaClient, box: Mailbox, prepare: dict[str, object], code: int
) -> None:
    await mpesa.settings(**prepare)
    await mpesa.pay()
    [letter] = await box.wait()
    assert letter.json["Result"]["ResultCode"] == code
    assert await mpesa.movements() == []


async def test_payout_beyond_our_float_is_insufficient(box: Mailbox) -> None:
    async with (
        Sandboxes.start(SandboxesSettings(mpesa_float_minor=49_999)) as sandboxes,
        open_client(sandboxes.mpesa_url) as client,
    ):
        daraja = MpesaClient(client, box.url)
        await daraja.log_in()
        await daraja.pay()
        [letter] = await box.wait()
        assert letter.json["Result"]["ResultCode"] == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("Amount", 9),
        ("Amount", 250_001),
        ("CommandID", "Pay"),
        ("ResultURL", "https://pay.example.org/sql"),
        ("QueueTimeOutURL", None),
        ("Remarks", "x"),
        ("OriginatorConversationID", None),
        ("PartyB", "0712345678"),
    ],
)
async def test_bad_payout_field_is_refused_by_name(
    mpesa: MpesaClient, field: str, value: Any
) -> None:
    response = await mpesa.pay(**{field: value})
    assert response.status_code == 400
    assert response.json()["errorMessage"] == f"Bad Request - Invalid {field}"


async def test_status_query_finds_a_payout_by_either_id(mpesa: MpesaClient, box: Mailbox) -> None:
    await mpesa.pay(OriginatorConversationID="po-20")
    receipt = (await box.wait())[0].json["Result"]["TransactionID"]
    await mpesa.status(OriginalConversationID="po-20")
    await mpesa.status(TransactionID=receipt)
    for letter in (await box.wait(3))[1:]:
        assert letter.path == "/cb/6f1c0f1e9b/status"
        assert letter.json["Result"]["ResultCode"] == 0
        values = parameters(letter.json)
        assert values["TransactionStatus"] == "Completed"
        assert values["ReceiptNo"] == receipt
        assert values["Amount"] == "500"
        assert values["OriginatorConversationID"] == "po-20"
        assert values["TransactionReason"] is None


async def test_status_query_works_though_the_payout_failed(
    mpesa: MpesaClient, box: Mailbox
) -> None:
    await mpesa.fault("disburse", "recipient_rejected")
    await mpesa.pay(OriginatorConversationID="po-21")
    assert (await box.wait())[0].json["Result"]["ResultCode"] == 2040
    await mpesa.status(OriginalConversationID="po-21")
    letter = (await box.wait(2))[1]
    assert letter.json["Result"]["ResultCode"] == 0
    assert parameters(letter.json)["TransactionStatus"] == "Declined"


async def test_status_of_an_unknown_payout_decides_nothing(
    mpesa: MpesaClient, box: Mailbox
) -> None:
    await mpesa.status(OriginalConversationID="never-sent")
    [letter] = await box.wait()
    assert letter.json["Result"]["ResultCode"] == 25
    assert "ResultParameters" not in letter.json["Result"]


async def test_balance_lists_our_accounts_with_codes_as_text(
    mpesa: MpesaClient, box: Mailbox
) -> None:
    await mpesa.enquire("/mpesa/accountbalance/v1/query", CommandID="AccountBalance")
    [letter] = await box.wait()
    assert letter.json["Result"]["ResultCode"] == "0"
    listed = parameters(letter.json)["AccountBalance"]
    assert "Utility Account|KES|100000000.00|100000000.00|0.00|0.00" in listed.split("&")


async def test_reversal_gives_the_payer_their_money_once(mpesa: MpesaClient, box: Mailbox) -> None:
    await mpesa.push()
    items = (await box.wait())[0].json["Body"]["stkCallback"]["CallbackMetadata"]["Item"]
    receipt = items[1]["Value"]
    for count, code in ((2, 0), (3, "R000001")):
        await mpesa.enquire(
            "/mpesa/reversal/v1/request",
            CommandID="TransactionReversal",
            TransactionID=receipt,
            Amount="150",
            ReceiverParty="174379",
            RecieverIdentifierType="11",
        )
        assert (await box.wait(count))[-1].json["Result"]["ResultCode"] == code
    assert [m["kind"] for m in await mpesa.movements()] == ["collection", "refund"]
    assert await mpesa.balance_minor(PAYER) == 5_000_000


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/mpesa/stkpush/v1/processrequest", 404, "404.001.03"),
        ("/mpesa/transactionstatus/v1/query", 400, "400.003.01"),
        ("/mpesa/accountbalance/v1/query", 401, "401.002.01"),
    ],
)
async def test_each_api_has_its_own_code_for_a_bad_token(
    mpesa: MpesaClient, path: str, status: int, code: str
) -> None:
    mpesa.token = "stale"
    response = await mpesa.post(path, {})
    assert (response.status_code, response.json()["errorCode"]) == (status, code)
    assert "Invalid Access Token" in response.json()["errorMessage"]


async def test_token_runs_out(mpesa: MpesaClient) -> None:
    await mpesa.settings(token_seconds=0)
    await mpesa.log_in()
    assert (await mpesa.push()).json()["errorCode"] == "404.001.03"


async def test_get_where_post_is_needed_is_a_405(mpesa: MpesaClient) -> None:
    response = await mpesa.client.get("/mpesa/stkpush/v1/processrequest")
    assert (response.status_code, response.json()["errorCode"]) == (405, "405.001")


# Faults


@pytest.mark.parametrize(
    ("fault", "code"), [("insufficient_funds", 1), ("wrong_pin", 2001), ("decline", 1032)]
)
async def test_outcome_faults_move_nothing(
    mpesa: MpesaClient, box: Mailbox, fault: str, code: int
) -> None:
    await mpesa.fault("collect", fault, msisdn=PAYER)
    await mpesa.push()
    [letter] = await box.wait()
    assert letter.json["Body"]["stkCallback"]["ResultCode"] == code
    assert await mpesa.movements() == []


@pytest.mark.parametrize(
    ("fault", "status", "marker"),
    [
        ("error_500_before", 500, "500.003.1001"),
        ("error_503", 503, "503"),
        ("throttle_429", 429, "policies.ratelimit.SpikeArrestViolation"),
        ("html_200", 200, "<html>"),
    ],
)
async def test_faults_at_the_door_do_nothing_and_strike_once(
    mpesa: MpesaClient, box: Mailbox, fault: str, status: int, marker: str
) -> None:
    await mpesa.fault("collect", fault)
    response = await mpesa.push()
    assert response.status_code == status
    assert marker in response.text
    assert await mpesa.get("faults") == {"faults": []}
    assert (await mpesa.push()).status_code == 200
    await box.wait()
    assert len(await mpesa.movements()) == 1


async def test_error_500_after_has_paid(mpesa: MpesaClient, box: Mailbox) -> None:
    await mpesa.fault("disburse", "error_500_after")
    assert (await mpesa.pay()).status_code == 500
    [letter] = await box.wait()
    assert letter.json["Result"]["ResultCode"] == 0
    assert len(await mpesa.movements()) == 1


async def test_truncated_answer_is_no_json(mpesa: MpesaClient, box: Mailbox) -> None:
    await mpesa.fault("collect", "truncated_json")
    response = await mpesa.push()
    assert response.status_code == 200
    assert not response.text.endswith("}")
    await box.wait()


@pytest.mark.parametrize("fault", ["hang_before", "hang_after", "reset_after"])
async def test_silent_faults_close_without_a_byte(
    mpesa: MpesaClient, box: Mailbox, fault: str
) -> None:
    await mpesa.fault("collect", fault, seconds=0.1)
    with pytest.raises(httpx.RemoteProtocolError):
        await mpesa.push()
    if fault == "hang_before":
        assert await mpesa.movements() == []
    else:
        await box.wait()
        assert len(await mpesa.movements()) == 1


async def test_hanging_call_can_be_given_up(mpesa: MpesaClient) -> None:
    await mpesa.fault("collect", "hang_before", seconds=30)
    with pytest.raises(httpx.ReadTimeout):
        await mpesa.client.post("/mpesa/stkpush/v1/processrequest", json={}, timeout=10)


async def test_expired_token_fault_is_cured_by_a_new_token(mpesa: MpesaClient) -> None:
    await mpesa.fault("collect", "expired_token")
    assert (await mpesa.push()).json()["errorCode"] == "404.001.03"
    assert (await mpesa.push()).json()["errorCode"] == "404.001.03"
    await mpesa.log_in()
    assert (await mpesa.push()).status_code == 200


async def test_no_callback_leaves_only_the_query(mpesa: MpesaClient, box: Mailbox) -> None:
    await mpesa.fault("callback", "no_callback")
    checkout_id = (await mpesa.push()).json()["CheckoutRequestID"]
    await mpesa.push(PhoneNumber="254712345679")
    [letter] = await box.wait()
    assert letter.json["Body"]["stkCallback"]["CheckoutRequestID"] != checkout_id
    assert (await mpesa.push_query(checkout_id)).json()["ResultCode"] == "0"


async def test_callback_twice_is_the_same_twice(mpesa: MpesaClient, box: Mailbox) -> None:
    await mpesa.fault("collect", "callback_twice")
    await mpesa.push()
    first, second = await box.wait(2)
    assert first.body == second.body
    assert len(await mpesa.movements()) == 1


async def test_callback_can_come_before_the_answer(mpesa: MpesaClient, box: Mailbox) -> None:
    await mpesa.settings(callback_delay_seconds=0.2)
    await mpesa.fault("callback", "callback_before_answer")
    accepted = (await mpesa.push()).json()
    [letter] = box.letters
    callback = letter.json["Body"]["stkCallback"]
    assert callback["CheckoutRequestID"] == accepted["CheckoutRequestID"]


async def test_callback_with_a_wrong_amount_lies_about_the_books(
    mpesa: MpesaClient, box: Mailbox
) -> None:
    await mpesa.fault("callback", "callback_wrong_amount")
    await mpesa.push()
    [letter] = await box.wait()
    assert letter.json["Body"]["stkCallback"]["CallbackMetadata"]["Item"][0]["Value"] == 151.0
    assert (await mpesa.movements())[0]["amount_minor"] == 15_000


async def test_late_callback_comes_after_the_query_knows(mpesa: MpesaClient, box: Mailbox) -> None:
    await mpesa.fault("callback", "callback_late", seconds=40)
    checkout_id = (await mpesa.push()).json()["CheckoutRequestID"]
    while (await mpesa.push_query(checkout_id)).json().get("ResultCode") != "0":
        pass
    assert box.letters == []
    leap(40)
    await box.wait()


async def test_who_could_not_be_reached_may_pay_afterwards(
    mpesa: MpesaClient, box: Mailbox
) -> None:
    await mpesa.fault("collect", "paid_afterwards", seconds=40)
    checkout_id = (await mpesa.push()).json()["CheckoutRequestID"]
    [failed] = await box.wait()
    assert failed.json["Body"]["stkCallback"]["ResultCode"] == 1037
    assert (await mpesa.push_query(checkout_id)).json()["ResultCode"] == "1037"
    assert await mpesa.movements() == []
    assert await mpesa.at_work_for() == [PAYER]
    leap(40)
    _, paid = await box.wait(2)
    callback = paid.json["Body"]["stkCallback"]
    assert (callback["CheckoutRequestID"], callback["ResultCode"]) == (checkout_id, 0)
    assert (await mpesa.push_query(checkout_id)).json()["ResultCode"] == "0"
    assert len(await mpesa.movements()) == 1
    await mpesa.idle()


async def test_unknown_status_is_on_no_list(mpesa: MpesaClient, box: Mailbox) -> None:
    await mpesa.fault("callback", "unknown_status")
    checkout_id = (await mpesa.push()).json()["CheckoutRequestID"]
    [letter] = await box.wait()
    assert letter.json["Body"]["stkCallback"]["ResultCode"] == "SVC_7777"
    await mpesa.fault("query", "unknown_status")
    assert (await mpesa.push_query(checkout_id)).json()["ResultCode"] == "SVC_7777"


async def test_queue_timeout_comes_first_and_the_real_result_later(
    mpesa: MpesaClient, box: Mailbox
) -> None:
    await mpesa.fault("disburse", "queue_timeout", seconds=40)
    accepted = (await mpesa.pay(OriginatorConversationID="po-22")).json()
    [timeout] = await box.wait()
    assert timeout.path == "/cb/6f1c0f1e9b/timeout"
    assert timeout.json["Result"]["ConversationID"] == accepted["ConversationID"]
    assert await mpesa.movements() == []
    leap(40)
    result = (await box.wait(2))[1]
    assert (result.path, result.json["Result"]["ResultCode"]) == ("/cb/6f1c0f1e9b/result", 0)


async def test_fault_of_one_number_spares_the_others(mpesa: MpesaClient) -> None:
    await mpesa.fault("collect", "error_503", msisdn="+254712345679")
    assert (await mpesa.push()).status_code == 200
    assert (await mpesa.push(PhoneNumber="254712345679")).status_code == 503


# The admin door


@pytest.mark.parametrize(
    "body",
    [
        {"on": "collect", "fault": "sms_rejected"},
        {"on": "collect", "fault": "flood"},
        {"on": "everything", "fault": "error_503"},
        {"on": "collect", "fault": "error_503", "times": 0},
        {"on": "collect", "fault": "error_503", "seconds": -1},
        {"on": "collect", "fault": "error_503", "typo": 1},
    ],
)
async def test_fault_that_cannot_strike_is_refused(
    mpesa: MpesaClient, body: dict[str, object]
) -> None:
    response = await mpesa.client.post("/_sandbox/faults", json=body)
    assert response.status_code == 400
    assert response.json()["error"]
    assert await mpesa.get("faults") == {"faults": []}


@pytest.mark.parametrize(
    "change", [{"approval": "maybe"}, {"processing_seconds": -1}, {"unknown": 1}]
)
async def test_setting_that_makes_no_sense_is_refused(
    mpesa: MpesaClient, change: dict[str, object]
) -> None:
    before = await mpesa.get("settings")
    assert (await mpesa.client.put("/_sandbox/settings", json=change)).status_code == 400
    assert await mpesa.get("settings") == before


async def test_prompt_is_answered_once(mpesa: MpesaClient) -> None:
    await mpesa.settings(approval="ask", processing_seconds=0.2)
    await mpesa.push()
    prompt = await mpesa.prompt(PAYER)
    path = f"/_sandbox/prompts/{prompt['id']}"
    assert (await mpesa.client.post(path, json={})).status_code == 400
    assert (await mpesa.client.post(path, json={"pin": "1234"})).status_code == 200
    assert (await mpesa.client.post(path, json={"pin": "1234"})).status_code == 404
    assert (await mpesa.get("prompts"))["prompts"] == []


async def test_two_answers_at_the_same_moment_are_one_answer() -> None:
    prompts = Prompts()
    prompt = Prompt("p1", PAYER, "Enter PIN:", 100, "KES", datetime.now(UTC))
    asking = asyncio.create_task(prompts.ask(prompt, window_seconds=5))
    await asyncio.sleep(0)
    assert prompts.answer("p1", PinTyped("1234"))
    assert not prompts.answer("p1", Declined())
    assert await asking == PinTyped("1234")


async def test_deliveries_are_listed_without_their_secret_paths(
    mpesa: MpesaClient, box: Mailbox
) -> None:
    box.statuses = [503]
    await mpesa.push()
    await mpesa.push(PhoneNumber="254712345679", CallBackURL="http://127.0.0.1:9/cb/secret/stk")
    while len(deliveries := (await mpesa.get("callbacks"))["callbacks"]) < 2:
        pass
    by_error = {delivery["error"]: delivery for delivery in deliveries}
    assert by_error[None]["status"] == 503
    refused = by_error["ConnectionRefusedError"]
    assert refused["status"] is None
    assert refused["url"] == "http://127.0.0.1:9/…cret/stk"
    assert len(box.letters) == 1


# The command


async def start_command(*arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "simulator",
        "operators",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


@pytest.mark.long("starts programs")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_command_serves_on_its_own_loop_and_ends_on_a_signal(
    box: Mailbox, number: signal.Signals
) -> None:
    command = await start_command("--processing-seconds", "0", "--callback-delay-seconds", "0")
    try:
        assert command.stdout is not None
        urls: dict[str, str] = {}
        while not {"mpesa", "mtn", "gateway"} <= set(urls):
            name, url = (await command.stdout.readline()).decode().split()
            urls[name] = url
        async with open_client(urls["mpesa"]) as client:
            daraja = MpesaClient(client, box.url)
            await daraja.log_in()
            await daraja.push()
            [letter] = await box.wait()
            assert letter.json["Body"]["stkCallback"]["ResultCode"] == 0
            command.send_signal(number)
            _, errors = await asyncio.wait_for(command.communicate(), 120)
        assert (command.returncode, errors) == (0, b"")
    finally:
        if command.returncode is None:
            command.kill()


@pytest.mark.long("starts a program")
async def test_command_says_when_a_port_is_taken(mpesa: MpesaClient) -> None:
    command = await start_command("--mpesa-port", str(mpesa.client.base_url.port))
    output, errors = await asyncio.wait_for(command.communicate(), 120)
    assert command.returncode == 1
    assert b"cannot listen" in errors
    assert output == b""

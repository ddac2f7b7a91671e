"""The M-PESA sandbox: C2B, its reversal and its status, and B2B, against the reference."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import msgspec
import pytest
from starlette.requests import Request
from starlette.responses import Response

from simulator.operators import credentials
from simulator.operators.mpesa import MpesaSettings
from simulator.sandbox import Sandboxes, SandboxesSettings
from tests.leap import leap
from tests.providers.company import MOMENT_SECONDS
from tests.providers.sandbox_clients import (
    PAYER,
    Mailbox,
    MpesaClient,
    answering,
    mailbox,
    matches,
    open_client,
)
from tests.until import until

pytestmark = pytest.mark.long(
    "the sandbox by itself; test_mpesa_pay_ins.py reads what is announced"
)

SHORTCODE = credentials.MPESA_SANDBOX_SHORTCODE
PAYOUTS = credentials.MPESA_SANDBOX_B2C_SHORTCODE
KEYS = {
    "TransactionType", "TransID", "TransTime", "TransAmount", "BusinessShortCode",
    "BillRefNumber", "InvoiceNumber", "OrgAccountBalance", "ThirdPartyTransID", "MSISDN",
    "FirstName", "MiddleName", "LastName",
}  # fmt: skip


VALIDATION_SECONDS = 20  # which go by at once


@dataclass
class Validator:
    """A merchant that answers validations with the next of `answers`; None: not in time."""

    url: str = ""
    answers: list[bytes | None] = field(default_factory=list)
    asked: list[Any] = field(default_factory=list)
    is_outwaited: bool = False

    async def receive(self, request: Request) -> Response:
        self.asked.append(msgspec.json.decode(await request.body()))
        answer = self.answers.pop(0)
        if answer is None:
            await asyncio.sleep(MOMENT_SECONDS)
            leap(VALIDATION_SECONDS)
            self.is_outwaited = True
            await asyncio.sleep(0.5)
        return Response(answer or b"")


@asynccontextmanager
async def validating() -> AsyncIterator[Validator]:
    merchant = Validator()
    async with answering(merchant.receive) as merchant.url:
        yield merchant


@pytest.fixture
async def box() -> AsyncIterator[Mailbox]:
    async with mailbox() as opened:
        yield opened


@pytest.fixture
async def merchant() -> AsyncIterator[Validator]:
    async with validating() as opened:
        yield opened


@pytest.fixture
async def mpesa(box: Mailbox) -> AsyncIterator[MpesaClient]:
    settings = SandboxesSettings(
        mpesa=MpesaSettings(
            processing_seconds=0, callback_delay_seconds=0.01, validation_seconds=VALIDATION_SECONDS
        )
    )
    async with (
        Sandboxes.start(settings) as sandboxes,
        open_client(sandboxes.mpesa_url) as client,
    ):
        daraja = MpesaClient(client, box.url)
        await daraja.log_in()
        yield daraja


async def register(
    mpesa: MpesaClient, *, version: str = "v2", validation: str = "", **fields: Any
) -> httpx.Response:
    body = {
        "ShortCode": SHORTCODE,
        "ResponseType": "Completed",
        "ConfirmationURL": f"{mpesa.callback_url}/c2b/confirm/8d1f",
        "ValidationURL": f"{validation or mpesa.callback_url}/c2b/validate/8d1f",
    }
    return await mpesa.post(f"/mpesa/c2b/{version}/registerurl", {**body, **fields})


async def pay_in(mpesa: MpesaClient, *, version: str = "v2", **fields: Any) -> httpx.Response:
    body = {
        "ShortCode": int(SHORTCODE),
        "CommandID": "CustomerPayBillOnline",
        "Amount": 10,
        "Msisdn": int(PAYER),
        "BillRefNumber": "INV1001",
    }
    return await mpesa.post(f"/mpesa/c2b/{version}/simulate", {**body, **fields})


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_registration_answers_with_the_real_misspelling(
    mpesa: MpesaClient, version: str
) -> None:
    answer = (await register(mpesa, version=version)).json()
    assert matches(r"[0-9a-f]{4}-.*", answer.pop("OriginatorCoversationID"))
    assert answer == {"ResponseCode": "0", "ResponseDescription": "Success"}


@pytest.mark.parametrize(
    ("field_", "value", "code"),
    [
        ("ResponseType", "completed", "400.002.05"),
        ("ShortCode", "12", "400.002.05"),
        ("ConfirmationURL", "https://pay.example.org/mpesa/x", "400.002.02"),
        ("ValidationURL", "https://x.ngrok.io/v", "400.002.02"),
    ],
)
async def test_a_bad_registration_is_refused(
    mpesa: MpesaClient, field_: str, value: str, code: str
) -> None:
    response = await register(mpesa, **{field_: value})
    assert (response.status_code, response.json()["errorCode"]) == (400, code)


async def test_production_takes_a_registration_once_and_the_sandbox_any_number_of_times(
    mpesa: MpesaClient,
) -> None:
    for _ in range(2):
        assert (await register(mpesa)).status_code == 200
    await mpesa.settings(registers_once=True)
    response = await register(mpesa)
    assert response.status_code == 500
    assert response.json()["errorCode"] == "500.003.1001"
    assert response.json()["errorMessage"] == "Urls are already registered."


async def test_an_expired_token_has_this_apis_own_code(mpesa: MpesaClient) -> None:
    mpesa.token = "nobodys"
    for response in (await register(mpesa), await pay_in(mpesa)):
        assert (response.status_code, response.json()["errorCode"]) == (400, "400.003.01")


async def test_a_pay_in_moves_money_and_is_confirmed_by_the_published_shape(
    mpesa: MpesaClient, box: Mailbox
) -> None:
    await register(mpesa)
    taken = (await pay_in(mpesa)).json()
    assert taken["ResponseDescription"] == "Accept the service request successfully."
    [letter] = await box.wait()
    assert (letter.method, letter.path) == ("POST", "/c2b/confirm/8d1f")
    told = letter.json
    assert set(told) == KEYS
    assert all(isinstance(value, str) for value in told.values())
    assert (told["TransactionType"], told["TransAmount"]) == ("Pay Bill", "10.00")
    assert (told["BillRefNumber"], told["MSISDN"]) == ("INV1001", "2547 ***** 678")
    assert matches(r"[A-Z0-9]{10}", told["TransID"])
    assert matches(r"\d{14}", told["TransTime"])
    assert told["OrgAccountBalance"] != ""
    [movement] = await mpesa.movements()
    assert (movement["kind"], movement["amount_minor"]) == ("collection", 1_000)
    assert (movement["reference"], movement["receipt"]) == ("INV1001", told["TransID"])


async def test_v1_carries_a_hash_and_buy_goods_no_reference(
    mpesa: MpesaClient, box: Mailbox
) -> None:
    await register(mpesa, version="v1")
    await pay_in(mpesa, version="v1", CommandID="CustomerBuyGoodsOnline", BillRefNumber=None)
    [letter] = await box.wait()
    assert letter.json["MSISDN"] == hashlib.sha256(PAYER.encode()).hexdigest()
    assert (letter.json["TransactionType"], letter.json["BillRefNumber"]) == ("Buy Goods", "")


@pytest.mark.parametrize(
    ("fields", "wallet"),
    [
        ({}, {"balance_minor": 999}),
        ({}, {"active": False}),
        ({"ShortCode": 999999}, {}),
    ],
)
async def test_what_cannot_be_paid_moves_and_tells_nothing(
    mpesa: MpesaClient, box: Mailbox, fields: dict[str, Any], wallet: dict[str, object]
) -> None:
    await register(mpesa, ShortCode=str(fields.get("ShortCode", SHORTCODE)))
    await mpesa.wallet(PAYER, **wallet)
    assert (await pay_in(mpesa, **fields)).status_code == 200
    await asyncio.sleep(0.1)
    assert (await mpesa.movements(), box.letters) == ([], [])


ACCEPT = b'{"ResultCode": "0", "ResultDesc": "Accepted", "ThirdPartyTransID": "ours-1"}'
REJECT = b'{"ResultCode": "C2B00012", "ResultDesc": "Rejected"}'


@pytest.mark.parametrize(
    ("answer", "response_type", "moves"),
    [
        (ACCEPT, "Cancelled", True),
        (REJECT, "Completed", False),
        (None, "Completed", True),
        (None, "Cancelled", False),
        (b"<html>", "Completed", True),
        (b"<html>", "Cancelled", False),
        (b'{"ResultCode": "C2B00099"}', "Completed", True),
    ],
)
async def test_the_merchant_decides_or_else_the_response_type(
    mpesa: MpesaClient,
    box: Mailbox,
    merchant: Validator,
    answer: bytes | None,
    response_type: str,
    moves: bool,
) -> None:
    await mpesa.settings(validation=True)
    merchant.answers = [answer]
    await register(mpesa, validation=merchant.url, ResponseType=response_type)
    await pay_in(mpesa)
    if moves:
        [letter] = await box.wait()
        third = "ours-1" if answer == ACCEPT else ""
        assert letter.json["ThirdPartyTransID"] == third
    else:
        await until(lambda: merchant.is_outwaited if answer is None else merchant.asked)
        await asyncio.sleep(0.3)
        assert box.letters == []
    assert len(await mpesa.movements()) == int(moves)
    [asked] = merchant.asked
    assert set(asked) == KEYS
    assert asked["OrgAccountBalance"] == ""


async def test_validation_is_off_until_it_is_asked_for(
    mpesa: MpesaClient, box: Mailbox, merchant: Validator
) -> None:
    await register(mpesa, validation=merchant.url, ResponseType="Cancelled")
    await pay_in(mpesa)
    await box.wait()
    assert merchant.asked == []


@pytest.mark.parametrize(
    ("fault", "letters"),
    [("no_callback", 0), ("callback_twice", 2), ("callback_late", 1)],
)
async def test_a_confirmation_may_be_missing_doubled_or_late(
    mpesa: MpesaClient, box: Mailbox, fault: str, letters: int
) -> None:
    await register(mpesa)
    await mpesa.fault("collect", fault, seconds=0.05)
    await pay_in(mpesa)
    if letters:
        await box.wait(letters)
    await asyncio.sleep(0.3)  # no more of them come
    assert len(box.letters) == letters
    assert len(await mpesa.movements()) == 1


async def test_a_confirmation_may_lie_about_the_amount(mpesa: MpesaClient, box: Mailbox) -> None:
    await register(mpesa)
    await mpesa.fault("collect", "callback_wrong_amount")
    await pay_in(mpesa)
    [letter] = await box.wait()
    assert letter.json["TransAmount"] == "11.00"
    assert (await mpesa.movements())[0]["amount_minor"] == 1_000


async def paid_in(mpesa: MpesaClient, box: Mailbox) -> str:
    await register(mpesa)
    await pay_in(mpesa)
    [letter] = await box.wait()
    receipt: str = letter.json["TransID"]
    return receipt


async def result(box: Mailbox, count: int) -> Any:
    return (await box.wait(count))[-1].json["Result"]


def parameters(told: Any) -> dict[str, Any]:
    items = told["ResultParameters"]["ResultParameter"]
    return {item["Key"]: item.get("Value") for item in items}


async def test_the_status_of_a_receipt_tells_who_paid_what(
    mpesa: MpesaClient, box: Mailbox
) -> None:
    receipt = await paid_in(mpesa, box)
    await mpesa.status(TransactionID=receipt, PartyA=SHORTCODE)
    told = parameters(await result(box, 2))
    assert told["TransactionStatus"] == "Completed"
    assert (told["ReceiptNo"], told["Amount"]) == (receipt, "10")
    assert told["DebitPartyName"].startswith(PAYER)


async def reverse(mpesa: MpesaClient, receipt: str, **fields: Any) -> httpx.Response:
    body = {
        "CommandID": "TransactionReversal",
        "TransactionID": receipt,
        "Amount": "10",
        "ReceiverParty": SHORTCODE,
        "RecieverIdentifierType": "11",
    }
    return await mpesa.enquire("/mpesa/reversal/v1/request", **{**body, **fields})


async def test_a_pay_in_is_reversed_once_whole(mpesa: MpesaClient, box: Mailbox) -> None:
    receipt = await paid_in(mpesa, box)
    before = await mpesa.balance_minor(PAYER)
    await reverse(mpesa, receipt)
    told = await result(box, 2)
    assert (told["ResultCode"], parameters(told)["OriginalTransactionID"]) == (0, receipt)
    await reverse(mpesa, receipt)
    assert (await result(box, 3))["ResultCode"] == "R000001"
    await reverse(mpesa, "NOBODY0000")
    assert (await result(box, 4))["ResultCode"] == "R000002"
    assert await mpesa.balance_minor(PAYER) - before == 1_000


async def test_the_misspelt_field_of_a_reversal_is_the_one_that_counts(mpesa: MpesaClient) -> None:
    response = await reverse(
        mpesa, "RKL51ZDR4F", RecieverIdentifierType=None, ReceiverIdentifierType="11"
    )
    assert response.json()["errorMessage"] == "Bad Request - Invalid RecieverIdentifierType"


async def move(mpesa: MpesaClient, **fields: Any) -> httpx.Response:
    body = {
        "CommandID": "BusinessPayToBulk",
        "SenderIdentifierType": "4",
        "RecieverIdentifierType": "4",
        "Amount": "1000",
        "PartyA": SHORTCODE,
        "PartyB": PAYOUTS,
        "AccountReference": "load-1",
        "IdentifierType": None,
    }
    return await mpesa.enquire("/mpesa/b2b/v1/paymentrequest", **{**body, **fields})


async def collect(mpesa: MpesaClient, box: Mailbox) -> None:
    """Something to move."""
    await register(mpesa)
    await pay_in(mpesa, Amount=5000)
    await box.wait()


async def merchant_minor(mpesa: MpesaClient) -> tuple[int, int]:
    told = (await mpesa.get("ledger"))["merchant"]
    return told["collection_minor"], told["disbursement_minor"]


async def test_loading_the_payout_account_moves_our_own_money(
    mpesa: MpesaClient, box: Mailbox
) -> None:
    await collect(mpesa, box)
    collected, payouts = await merchant_minor(mpesa)
    await move(mpesa)
    told = await result(box, 2)
    assert told["ResultCode"] == 0
    assert set(parameters(told)) == {
        "DebitAccountBalance", "Amount", "DebitPartyAffectedAccountBalance",
        "TransCompletedTime", "DebitPartyCharges", "ReceiverPartyPublicName", "Currency",
        "InitiatorAccountCurrentBalance",
    }  # fmt: skip
    assert await merchant_minor(mpesa) == (collected - 100_000, payouts + 100_000)


@pytest.mark.parametrize("command", ["BusinessPayBill", "BusinessBuyGoods"])
async def test_what_another_business_gets_leaves_us(
    mpesa: MpesaClient, box: Mailbox, command: str
) -> None:
    await collect(mpesa, box)
    collected, payouts = await merchant_minor(mpesa)
    await move(mpesa, CommandID=command, PartyB="600999", RecieverIdentifierType="2")
    assert (await result(box, 2))["ResultCode"] == 0
    assert await merchant_minor(mpesa) == (collected - 100_000, payouts)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"PartyA": "600999"}, 2028),
        ({"PartyB": "600999"}, 2028),
        ({"SecurityCredential": "d3Jvbmc="}, 2001),
    ],
)
async def test_a_refused_movement_moves_nothing_and_its_parameter_is_no_list(
    mpesa: MpesaClient, box: Mailbox, fields: dict[str, str], code: int
) -> None:
    before = await merchant_minor(mpesa)
    await move(mpesa, **fields)
    told = await result(box, 1)
    assert told["ResultCode"] == code
    if code != 2001:
        assert told["ResultParameters"]["ResultParameter"]["Key"] == "BOCompletedTime"
    assert await merchant_minor(mpesa) == before


async def test_more_than_is_there_is_not_moved(mpesa: MpesaClient, box: Mailbox) -> None:
    before = await merchant_minor(mpesa)
    assert before[0] == 0
    await move(mpesa, Amount="1")
    assert (await result(box, 1))["ResultCode"] == 1
    assert await merchant_minor(mpesa) == before

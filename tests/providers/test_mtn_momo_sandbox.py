"""The MTN MoMo sandbox against its reference: headers, statuses, money, and every fault."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from simulator.operators import credentials
from simulator.operators.mtn_momo import MtnSettings
from simulator.sandbox import Sandboxes, SandboxesSettings
from tests.leap import leap
from tests.providers.sandbox_clients import (
    PAYEE,
    Mailbox,
    MtnClient,
    mailbox,
    matches,
    open_client,
)


@pytest.fixture
async def box() -> AsyncIterator[Mailbox]:
    async with mailbox() as opened:
        yield opened


@pytest.fixture
async def mtn(box: Mailbox) -> AsyncIterator[MtnClient]:
    settings = SandboxesSettings(
        mtn=MtnSettings(
            processing_seconds=0,
            callback_delay_seconds=0.01,
            ongoing_seconds=0.05,
            delayed_seconds=0.05,
        ),
        mtn_float_minor=100_000,
    )
    async with (
        Sandboxes.start(settings) as sandboxes,
        open_client(sandboxes.mtn_url) as client,
    ):
        momo = MtnClient(client, box.url)
        await momo.log_in()
        yield momo


async def collect(mtn: MtnClient, **fields: Any) -> str:
    """A collection that ended well: its reference id."""
    reference_id = str(uuid4())
    response = await mtn.create("requesttopay", reference_id=reference_id, **fields)
    assert response.status_code == 202, response.text
    assert (await mtn.final("requesttopay", reference_id))["status"] == "SUCCESSFUL"
    return reference_id


# Access


async def test_api_user_is_provisioned_and_logs_in(mtn: MtnClient) -> None:
    key = {"Ocp-Apim-Subscription-Key": mtn.KEYS["collection"]}
    user_id = str(uuid4())
    made = await mtn.client.post(
        "/v1_0/apiuser",
        headers={**key, "X-Reference-Id": user_id},
        json={"providerCallbackHost": "pay.example.org"},
    )
    assert (made.status_code, made.content) == (201, b"")
    shown = await mtn.client.get(f"/v1_0/apiuser/{user_id}", headers=key)
    assert shown.json()["providerCallbackHost"] == "pay.example.org"
    keyed = await mtn.client.post(f"/v1_0/apiuser/{user_id}/apikey", headers=key)
    assert keyed.status_code == 201
    assert matches(r"[0-9a-f]{32}", keyed.json()["apiKey"])
    token = await mtn.client.post(
        "/collection/token/", auth=(user_id, keyed.json()["apiKey"]), headers=key
    )
    assert token.json()["token_type"] == "access_token"
    assert token.json()["expires_in"] == 3600
    again = await mtn.client.post(
        "/v1_0/apiuser",
        headers={**key, "X-Reference-Id": user_id},
        json={"providerCallbackHost": "pay.example.org"},
    )
    assert (again.status_code, again.json()["code"]) == (409, "RESOURCE_ALREADY_EXIST")


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (None, "Access denied due to missing subscription key."),
        ("unknown", "Access denied due to invalid subscription key."),
        (credentials.MTN_SANDBOX_DISBURSEMENT_SUBSCRIPTION_KEY, "Access denied due to invalid"),
    ],
)
async def test_subscription_key_is_checked_by_the_gateway(
    mtn: MtnClient, key: str | None, message: str
) -> None:
    response = await mtn.create("requesttopay", headers={"Ocp-Apim-Subscription-Key": key})
    assert response.status_code == 401
    assert response.json()["statusCode"] == 401
    assert response.json()["message"].startswith(message)


@pytest.mark.parametrize(("as_500", "status"), [(False, 401), (True, 500)])
async def test_wrong_api_key_fails_to_log_in(mtn: MtnClient, as_500: bool, status: int) -> None:
    await mtn.settings(login_failed_as_500=as_500)
    response = await mtn.client.post(
        "/collection/token/",
        auth=(credentials.MTN_SANDBOX_API_USER, "wrong"),
        headers={"Ocp-Apim-Subscription-Key": mtn.KEYS["collection"]},
    )
    assert (response.status_code, response.json()) == (status, {"error": "login_failed"})


async def test_collection_token_cannot_disburse(mtn: MtnClient) -> None:
    mtn.tokens["disbursement"] = mtn.tokens["collection"]
    assert (await mtn.create("transfer")).status_code == 401


async def test_token_runs_out(mtn: MtnClient) -> None:
    await mtn.settings(token_seconds=0)
    await mtn.log_in()
    assert (await mtn.create("requesttopay")).status_code == 401


@pytest.mark.parametrize("kind", ["requesttopay", "transfer"])
@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"X-Reference-Id": "17"}, 400, None),
        ({"X-Reference-Id": str(UUID(int=0, version=1))}, 400, None),
        ({"X-Target-Environment": None}, 400, None),
        ({"X-Target-Environment": "mtnghana"}, 500, "NOT_ALLOWED_TARGET_ENVIRONMENT"),
        ({"X-Callback-Url": "http://elsewhere.example/x"}, 500, "INVALID_CALLBACK_URL_HOST"),
        ({"Authorization": "Bearer stale"}, 401, None),
        ({"Authorization": "Basic c3RhbGU6"}, 401, None),
    ],
)
async def test_bad_header_is_refused_and_nothing_is_stored(
    mtn: MtnClient,
    kind: str,
    headers: dict[str, str | None],
    status: int,
    code: str | None,
) -> None:
    reference_id = str(uuid4())
    response = await mtn.create(kind, headers={"X-Reference-Id": reference_id, **headers})
    assert response.status_code == status
    if code:
        assert response.json()["code"] == code
    product = "collection" if kind == "requesttopay" else "disbursement"
    assert (await mtn.ask(f"/{product}/v1_0/{kind}/{reference_id}")).status_code == 404


@pytest.mark.parametrize(
    "fields",
    [
        {"amount": 1500},
        {"amount": "15.00"},
        {"amount": "0"},
        {"amount": "1,500"},
        {"amount": "-1"},
        {"amount": None},
        {"currency": None},
        {"payer": None},
        {"payer": {"partyIdType": "MSISDN", "partyId": "+256772123456"}},
        {"payer": {"partyIdType": "MSISDN", "partyId": "0772123456"}},
        {"payer": {"partyIdType": "PHONE", "partyId": "256772123456"}},
        {"payerMessage": "A & B"},
        {"externalId": "INV 1001"},
    ],
)
async def test_bad_body_is_a_bare_400(mtn: MtnClient, fields: dict[str, Any]) -> None:
    response = await mtn.create("requesttopay", **fields)
    assert (response.status_code, response.content) == (400, b"")


async def test_broken_json_is_a_400(mtn: MtnClient) -> None:
    headers = {**mtn.headers("collection"), "X-Reference-Id": str(uuid4())}
    response = await mtn.client.post("/collection/v1_0/requesttopay", content=b"{", headers=headers)
    assert response.status_code == 400


@pytest.mark.parametrize("character", "()#")
async def test_firewall_answers_200_with_a_page(mtn: MtnClient, character: str) -> None:
    response = await mtn.create("requesttopay", payerMessage=f"fees {character}3")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/html")
    assert "Request Rejected" in response.text


async def test_wrong_currency_is_a_500_with_a_code(mtn: MtnClient) -> None:
    response = await mtn.create("requesttopay", currency="EUR", amount="15.00")
    assert (response.status_code, response.json()["code"]) == (500, "INVALID_CURRENCY")


async def test_post_without_content_length_is_a_411_page(mtn: MtnClient) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"{}"

    response = await mtn.client.post(
        "/collection/token/",
        content=chunks(),
        headers={"Ocp-Apim-Subscription-Key": mtn.KEYS["collection"]},
    )
    assert response.status_code == 411
    assert response.headers["content-type"].startswith("text/html")


# Payments


async def test_paid_collection_shows_and_calls_back_the_same_body(
    mtn: MtnClient, box: Mailbox
) -> None:
    reference_id = str(uuid4())
    response = await mtn.create("requesttopay", reference_id=reference_id)
    assert (response.status_code, response.content) == (202, b"")
    body = await mtn.final("requesttopay", reference_id)
    assert matches(r"\d{10}", body.pop("financialTransactionId"))
    assert body == {
        "amount": "1500",
        "currency": "UGX",
        "externalId": "INV-1001",
        "payer": {"partyIdType": "MSISDN", "partyId": PAYEE},
        "payerMessage": "School fees term 3",
        "payeeNote": "INV-1001",
        "status": "SUCCESSFUL",
    }
    [letter] = await box.wait()
    assert (letter.method, letter.path) == ("POST", "/cb/1e0f9a77c2/momo")
    assert letter.headers["content-type"] == "application/json; charset=utf-8"
    assert letter.json == await mtn.final("requesttopay", reference_id)
    assert reference_id not in letter.body.decode()
    [movement] = await mtn.movements()
    assert (movement["kind"], movement["amount_minor"]) == ("collection", 1500)
    assert movement["reference"] == reference_id
    assert await mtn.balance_minor(PAYEE) == 1_000_000 - 1500


async def test_callback_can_be_a_put(mtn: MtnClient, box: Mailbox) -> None:
    await mtn.settings(callback_method="PUT")
    await mtn.create("transfer")
    assert (await box.wait())[0].method == "PUT"


async def test_without_a_callback_url_there_is_no_callback(mtn: MtnClient, box: Mailbox) -> None:
    await collect(mtn, headers={"X-Callback-Url": None})
    await mtn.create("transfer", externalId="second")
    [letter] = await box.wait()
    assert letter.json["externalId"] == "second"
    assert len((await mtn.get("callbacks"))["callbacks"]) == 1


@pytest.mark.parametrize("kind", ["requesttopay", "transfer"])
async def test_repeated_reference_id_is_a_409_and_moves_once(
    mtn: MtnClient, box: Mailbox, kind: str
) -> None:
    reference_id = str(uuid4())
    await mtn.create(kind, reference_id=reference_id)
    again = await mtn.create(kind, reference_id=reference_id)
    assert (again.status_code, again.json()["code"]) == (409, "RESOURCE_ALREADY_EXIST")
    await box.wait()
    assert len(await mtn.movements()) == 1


@pytest.mark.parametrize(
    ("wallet", "answer", "reason"),
    [
        ({"pin": "4321"}, {"pin": "4321"}, None),
        ({"pin": "4321"}, {"pin": "1111"}, "PAYMENT_NOT_APPROVED"),
        ({}, {"decline": True}, "APPROVAL_REJECTED"),
        ({"pin": "4321", "balance_minor": 1499}, {"pin": "4321"}, "NOT_ENOUGH_FUNDS"),
        ({}, None, "EXPIRED"),
    ],
)
async def test_payers_answer_decides(
    mtn: MtnClient,
    wallet: dict[str, object],
    answer: dict[str, object] | None,
    reason: str | None,
) -> None:
    await mtn.settings(approval="ask", approval_window_seconds=40)
    await mtn.wallet(PAYEE, **wallet)
    reference_id = str(uuid4())
    await mtn.create("requesttopay", reference_id=reference_id)
    pending = (await mtn.ask(f"/collection/v1_0/requesttopay/{reference_id}")).json()
    assert pending["status"] == "PENDING"
    assert not {"reason", "financialTransactionId"} & set(pending)
    if answer:
        assert "UGX 1,500" in (await mtn.prompt(PAYEE))["text"]
        await mtn.answer(PAYEE, **answer)
    else:
        leap(40)
    body = await mtn.final("requesttopay", reference_id)
    assert body["status"] == ("FAILED" if reason else "SUCCESSFUL")
    assert body.get("reason") == reason
    assert len(await mtn.movements()) == (0 if reason else 1)


async def test_transfer_pays_from_our_float(mtn: MtnClient) -> None:
    reference_id = str(uuid4())
    await mtn.create("transfer", reference_id=reference_id, amount="20000")
    body = await mtn.final("transfer", reference_id)
    assert body["payee"] == {"partyIdType": "MSISDN", "partyId": PAYEE}
    balance = (await mtn.ask("/disbursement/v1_0/account/balance")).json()
    assert balance == {"availableBalance": "80000", "currency": "UGX"}


async def test_transfer_beyond_our_float_fails(mtn: MtnClient) -> None:
    reference_id = str(uuid4())
    await mtn.create("transfer", reference_id=reference_id, amount="100001")
    body = await mtn.final("transfer", reference_id)
    assert (body["status"], body["reason"]) == ("FAILED", "NOT_ENOUGH_FUNDS")


@pytest.mark.parametrize(
    ("kind", "prepare", "reason"),
    [
        ("requesttopay", {"auto_wallets": False}, "PAYER_NOT_FOUND"),
        ("transfer", {"auto_wallets": False}, "PAYEE_NOT_FOUND"),
    ],
)
async def test_unregistered_number_fails_later_or_at_once(
    mtn: MtnClient, kind: str, prepare: dict[str, object], reason: str
) -> None:
    await mtn.settings(**prepare)
    reference_id = str(uuid4())
    await mtn.create(kind, reference_id=reference_id)
    assert (await mtn.final(kind, reference_id))["reason"] == reason
    await mtn.settings(refuse_at_once=True)
    response = await mtn.create(kind)
    assert (response.status_code, response.json()["code"]) == (500, reason)


async def test_reason_can_be_an_object_as_published(mtn: MtnClient) -> None:
    await mtn.settings(approval="decline", reason_as_object=True)
    reference_id = str(uuid4())
    await mtn.create("requesttopay", reference_id=reference_id)
    assert (await mtn.final("requesttopay", reference_id))["reason"]["code"] == "APPROVAL_REJECTED"


async def test_refunds_never_exceed_the_collection(mtn: MtnClient) -> None:
    collected = await collect(mtn)
    for amount, status in (("1000", 202), ("501", 500), ("500", 202), ("1", 500)):
        reference_id = str(uuid4())
        response = await mtn.create(
            "refund", reference_id=reference_id, amount=amount, referenceIdToRefund=collected
        )
        assert response.status_code == status, amount
        if status == 202:
            body = await mtn.final("refund", reference_id)
            assert (body["status"], body["payee"]["partyId"]) == ("SUCCESSFUL", PAYEE)
        else:
            assert response.json()["code"] == "NOT_ALLOWED"
    kinds = [(m["kind"], m["amount_minor"]) for m in await mtn.movements()]
    assert kinds == [("collection", 1500), ("refund", 1000), ("refund", 500)]
    assert await mtn.balance_minor(PAYEE) == 1_000_000


async def test_failed_refund_can_be_asked_again(mtn: MtnClient) -> None:
    collected = await collect(mtn)
    await mtn.fault("refund", "recipient_rejected")
    reference_id = str(uuid4())
    await mtn.create("refund", reference_id=reference_id, referenceIdToRefund=collected)
    body = await mtn.final("refund", reference_id)
    assert (body["status"], body["reason"]) == ("FAILED", "PAYEE_NOT_ALLOWED_TO_RECEIVE")
    again = await mtn.create("refund", referenceIdToRefund=collected)
    assert again.status_code == 202


async def test_refund_of_something_else_is_not_found(mtn: MtnClient) -> None:
    response = await mtn.create("refund", referenceIdToRefund=str(uuid4()))
    assert (response.status_code, response.json()["code"]) == (404, "RESOURCE_NOT_FOUND")


async def test_reference_of_one_kind_is_unknown_to_another(mtn: MtnClient) -> None:
    collected = await collect(mtn)
    response = await mtn.ask(f"/disbursement/v1_0/transfer/{collected}")
    assert (response.status_code, response.json()) == (
        404,
        {"code": "RESOURCE_NOT_FOUND", "message": "Requested resource was not found."},
    )


async def test_sandbox_mode_has_euros_with_cents(mtn: MtnClient, box: Mailbox) -> None:
    await mtn.settings(target_environment="sandbox", currency="EUR")
    reference_id = str(uuid4())
    response = await mtn.create(
        "requesttopay",
        reference_id=reference_id,
        currency="EUR",
        amount="15.50",
        headers={"X-Target-Environment": "sandbox"},
    )
    assert response.status_code == 202
    await box.wait()
    [movement] = await mtn.movements()
    assert (movement["amount_minor"], movement["currency"]) == (1550, "EUR")
    assert movement["reference"] == reference_id


# Account holders


async def test_registered_number_is_active_and_has_a_name(mtn: MtnClient) -> None:
    await mtn.wallet(PAYEE, name="Grace Nakato")
    for spelling in ("msisdn", "MSISDN"):
        path = f"/disbursement/v1_0/accountholder/{spelling}/{PAYEE}"
        assert (await mtn.ask(f"{path}/active")).json() == {"result": True}
    info = (await mtn.ask(f"{path}/basicuserinfo")).json()
    assert (info["given_name"], info["family_name"]) == ("Grace", "Nakato")


async def test_unregistered_and_inactive_numbers_differ(mtn: MtnClient) -> None:
    await mtn.settings(auto_wallets=False)
    await mtn.wallet("256772000001", active=False)
    base = "/collection/v1_0/accountholder/msisdn"
    assert (await mtn.ask(f"{base}/256772000001/active")).json() == {"result": False}
    assert (await mtn.ask(f"{base}/256772000002/active")).status_code == 404


# The published numbers


@pytest.mark.parametrize(
    ("kind", "number", "status", "reason"),
    [
        ("requesttopay", "46733123450", "FAILED", "INTERNAL_PROCESSING_ERROR"),
        ("requesttopay", "46733123451", "FAILED", "APPROVAL_REJECTED"),
        ("requesttopay", "46733123452", "FAILED", "EXPIRED"),
        ("requesttopay", "46733123453", "FAILED", "EXPIRED"),
        ("requesttopay", "46733123454", "SUCCESSFUL", None),
        ("requesttopay", "46733123455", "FAILED", "PAYER_NOT_FOUND"),
        ("requesttopay", "46733123463", "FAILED", "COULD_NOT_PERFORM_TRANSACTION"),
        ("requesttopay", "56733123452", "SUCCESSFUL", None),
        ("transfer", "46733123455", "FAILED", "NOT_ENOUGH_FUNDS"),
        ("transfer", "46733123456", "FAILED", "PAYER_LIMIT_REACHED"),
        ("transfer", "46733123457", "FAILED", "PAYEE_NOT_FOUND"),
    ],
)
async def test_published_number_ends_as_published(
    mtn: MtnClient, kind: str, number: str, status: str, reason: str | None
) -> None:
    party = {"partyIdType": "MSISDN", "partyId": number}
    fields: dict[str, Any] = {"payer" if kind == "requesttopay" else "payee": party}
    reference_id = str(uuid4())
    await mtn.create(kind, reference_id=reference_id, **fields)
    body = await mtn.final(kind, reference_id)
    assert (body["status"], body.get("reason")) == (status, reason)


@pytest.mark.parametrize(
    ("number", "status", "code"),
    [
        ("46733123457", 500, "NOT_ALLOWED"),
        ("46733123461", 500, "INTERNAL_PROCESSING_ERROR"),
        ("46733123462", 503, "SERVICE_UNAVAILABLE"),
    ],
)
async def test_published_number_is_refused_as_published(
    mtn: MtnClient, number: str, status: int, code: str
) -> None:
    payer = {"partyIdType": "MSISDN", "partyId": number}
    response = await mtn.create("requesttopay", payer=payer)
    assert (response.status_code, response.json()["code"]) == (status, code)


# Faults


@pytest.mark.parametrize(
    ("on", "fault", "kind", "reason"),
    [
        ("collect", "insufficient_funds", "requesttopay", "NOT_ENOUGH_FUNDS"),
        ("collect", "wrong_pin", "requesttopay", "PAYMENT_NOT_APPROVED"),
        ("collect", "decline", "requesttopay", "APPROVAL_REJECTED"),
        ("disburse", "insufficient_funds", "transfer", "NOT_ENOUGH_FUNDS"),
        ("disburse", "recipient_rejected", "transfer", "PAYEE_NOT_ALLOWED_TO_RECEIVE"),
    ],
)
async def test_outcome_faults_move_nothing(
    mtn: MtnClient, on: str, fault: str, kind: str, reason: str
) -> None:
    await mtn.fault(on, fault, msisdn=PAYEE)
    reference_id = str(uuid4())
    await mtn.create(kind, reference_id=reference_id)
    assert (await mtn.final(kind, reference_id))["reason"] == reason
    assert await mtn.movements() == []


@pytest.mark.parametrize(
    ("fault", "status", "marker"),
    [
        ("error_500_before", 500, "Internal server error"),
        ("error_503", 503, "SERVICE_UNAVAILABLE"),
        ("throttle_429", 429, "Rate limit is exceeded"),
        ("html_200", 200, "Request Rejected"),
    ],
)
async def test_faults_at_the_door_store_nothing(
    mtn: MtnClient, fault: str, status: int, marker: str
) -> None:
    await mtn.fault("disburse", fault)
    reference_id = str(uuid4())
    response = await mtn.create("transfer", reference_id=reference_id)
    assert response.status_code == status
    assert marker in response.text
    assert (await mtn.create("transfer", reference_id=reference_id)).status_code == 202


@pytest.mark.parametrize("fault", ["error_500_after", "truncated_json"])
async def test_spoiled_answers_have_paid(mtn: MtnClient, fault: str) -> None:
    await mtn.fault("disburse", fault)
    reference_id = str(uuid4())
    response = await mtn.create("transfer", reference_id=reference_id)
    assert response.content
    assert (await mtn.final("transfer", reference_id))["status"] == "SUCCESSFUL"
    assert (await mtn.create("transfer", reference_id=reference_id)).status_code == 409


@pytest.mark.parametrize(
    ("fault", "stored"), [("hang_before", False), ("hang_after", True), ("reset_after", True)]
)
async def test_silent_faults_close_without_a_byte(mtn: MtnClient, fault: str, stored: bool) -> None:
    await mtn.fault("disburse", fault, seconds=0.1)
    reference_id = str(uuid4())
    with pytest.raises(httpx.RemoteProtocolError):
        await mtn.create("transfer", reference_id=reference_id)
    status = (await mtn.ask(f"/disbursement/v1_0/transfer/{reference_id}")).status_code
    assert status == (200 if stored else 404)


async def test_expired_token_fault_is_cured_by_a_new_token(mtn: MtnClient) -> None:
    await mtn.fault("disburse", "expired_token")
    assert (await mtn.create("transfer")).status_code == 401
    await mtn.log_in()
    assert (await mtn.create("transfer")).status_code == 202


async def test_callback_faults_strike_the_callback_only(mtn: MtnClient, box: Mailbox) -> None:
    await mtn.fault("callback", "no_callback")
    await mtn.fault("disburse", "callback_twice")
    silent = await collect(mtn)
    await mtn.create("transfer", externalId="twice")
    first, second = await box.wait(2)
    assert first.body == second.body
    assert first.json["externalId"] == "twice"
    status = await mtn.final("requesttopay", silent)
    assert status["status"] == "SUCCESSFUL"


async def test_what_has_expired_may_be_paid_afterwards(mtn: MtnClient, box: Mailbox) -> None:
    await mtn.fault("collect", "paid_afterwards", seconds=40)
    reference_id = str(uuid4())
    assert (await mtn.create("requesttopay", reference_id=reference_id)).status_code == 202
    [failed] = await box.wait()
    assert (failed.json["status"], failed.json["reason"]) == ("FAILED", "EXPIRED")
    assert (await mtn.final("requesttopay", reference_id))["status"] == "FAILED"
    assert await mtn.movements() == []
    assert len(await mtn.at_work_for()) == 1
    leap(40)
    _, paid = await box.wait(2)
    assert paid.json["status"] == "SUCCESSFUL" and "reason" not in paid.json
    assert (await mtn.final("requesttopay", reference_id))["status"] == "SUCCESSFUL"
    assert len(await mtn.movements()) == 1
    await mtn.idle()


async def test_callback_can_come_before_the_202(mtn: MtnClient, box: Mailbox) -> None:
    await mtn.settings(callback_delay_seconds=0.2)
    await mtn.fault("collect", "callback_before_answer")
    assert (await mtn.create("requesttopay")).status_code == 202
    assert [letter.json["status"] for letter in box.letters] == ["SUCCESSFUL"]


async def test_lying_callback_leaves_the_status_true(mtn: MtnClient, box: Mailbox) -> None:
    await mtn.fault("callback", "callback_wrong_amount")
    reference_id = await collect(mtn)
    assert (await box.wait())[0].json["amount"] == "1501"
    assert (await mtn.final("requesttopay", reference_id))["amount"] == "1500"


async def test_unknown_status_is_on_no_list(mtn: MtnClient, box: Mailbox) -> None:
    reference_id = await collect(mtn)
    await box.wait()
    await mtn.fault("query", "unknown_status")
    path = f"/collection/v1_0/requesttopay/{reference_id}"
    assert (await mtn.ask(path)).json()["status"] == "PARKED"
    assert (await mtn.ask(path)).json()["status"] == "SUCCESSFUL"
    await mtn.fault("callback", "unknown_status")
    await mtn.create("transfer")
    assert (await box.wait(2))[1].json["status"] == "PARKED"

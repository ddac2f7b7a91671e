"""What strangers and operators may post at the callback door, and how little it moves."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from simulator.inspect import Payment
from tests.e2e.city import City, Person, spoken, states_of

MEGABYTE = b"x" * 2**20
CALLBACK = 2  # the source of evidence, as stored


@pytest.fixture
async def asked(city: City) -> tuple[Person, Person, Payment]:
    """A payment whose payer in Kenya is being asked for the wallet's PIN: nothing has moved."""
    await city.set_approval("ask")
    payer, payee = city.newcomer("KE"), city.newcomer("UG")
    await city.pay(payer, payee, 500)
    await city.prompt(payer)
    return payer, payee, await city.reaches(payer, "COLLECTING")


@pytest.fixture
async def paid(city: City) -> tuple[Person, Person, Payment]:
    payer, payee = city.newcomer("KE"), city.newcomer("UG")
    await city.pay(payer, payee, 500)
    return payer, payee, await city.ends(payer, "PAID")


def push_result(payment: Payment, payer: Person, *, code: int = 0, more: int = 0) -> dict[str, Any]:
    """What M-PESA posts after a prompt; `more` falsifies the amount."""
    total_minor = payment.amount.minor + payment.fee.minor + more
    result: dict[str, Any] = {
        "MerchantRequestID": "29115-34620561-1",
        "CheckoutRequestID": "ws_CO_191220191020363925",
        "ResultCode": code,
        "ResultDesc": "The service request is processed successfully.",
    }
    if code == 0:
        result["CallbackMetadata"] = {
            "Item": [
                {"Name": "Amount", "Value": total_minor / 100},
                {"Name": "MpesaReceiptNumber", "Value": "NLJ7RT61SV"},
                {"Name": "TransactionDate", "Value": 20191219102115},
                {"Name": "PhoneNumber", "Value": int(payer.digits)},
            ]
        }
    return {"Body": {"stkCallback": result}}


async def snapshot(city: City, payer: Person) -> tuple[Payment | None, object]:
    """All that a callback could change about a payer's payment."""
    payment = await city.latest(payer)
    assert payment is not None
    return payment, (await city.evidence(payment), await city.cases(payment))


def forge(url: str) -> dict[str, str]:
    """Addresses like a real one that we never made."""
    stem, token, kind = url.rsplit("/", 2)
    attempt, mac = token[:32], token[32:]
    flip = {"0": "1"}.get(mac[0], "0")
    other = {"0": "1"}.get(attempt[-1], "0")
    server = stem.rsplit("/", 1)[0]
    return {
        "one digit of the mac": f"{stem}/{attempt}{flip}{mac[1:]}/{kind}",
        "another attempt": f"{stem}/{attempt[:-1]}{other}{mac}/{kind}",
        "no mac": f"{stem}/{attempt}/{kind}",
        "mac of nothing": f"{stem}/{attempt}{'0' * 32}/{kind}",
        "upper case": f"{stem}/{attempt}{mac.upper()}/{kind}",
        "another operator": f"{server}/2/{token}/{kind}",
        "an operator nobody knows": f"{server}/99/{token}/{kind}",
        "not hexadecimal": f"{stem}/{'%C3%A9' * 64}/{kind}",
        "a word for a number": f"{server}/mpesa/{token}/{kind}",
    }


async def test_forged_address_is_not_found_and_changes_nothing(
    city: City, asked: tuple[Person, Person, Payment]
) -> None:
    payer, _, payment = asked
    before = await snapshot(city, payer)
    for forgery, url in forge(city.callback_url(payment, "stk")).items():
        response = await city.client.post(url, json=push_result(payment, payer))
        # A mac of decimal digits only looks the same in upper case.
        if url != city.callback_url(payment, "stk"):
            assert response.status_code == 404, forgery
    assert await snapshot(city, payer) == before


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b'"text"', b"{}", b'{"Body": {}}', b"\xff\xfe", b"<html></html>"],
    ids=lambda body: body.decode("latin-1") or "empty",
)
async def test_body_that_is_no_result_is_a_bad_request(
    city: City, asked: tuple[Person, Person, Payment], body: bytes
) -> None:
    payer, _, payment = asked
    before = await snapshot(city, payer)
    response = await city.client.post(city.callback_url(payment, "stk"), content=body)
    assert response.status_code == 400
    assert await snapshot(city, payer) == before


@pytest.mark.parametrize("kind", ["nothing", "momo", "STK", "%00"])
async def test_unknown_kind_is_a_bad_request(
    city: City, asked: tuple[Person, Person, Payment], kind: str
) -> None:
    payer, _, payment = asked
    before = await snapshot(city, payer)
    url = city.callback_url(payment, kind)
    response = await city.client.post(url, json=push_result(payment, payer))
    assert response.status_code == 400
    assert await snapshot(city, payer) == before


async def _in_pieces() -> AsyncIterator[bytes]:
    for _ in range(16):
        yield MEGABYTE[: 2**16]


@pytest.mark.parametrize("content", [MEGABYTE, _in_pieces], ids=["announced", "in pieces"])
async def test_body_of_a_megabyte_is_too_large(
    city: City, asked: tuple[Person, Person, Payment], content: Any
) -> None:
    payer, _, payment = asked
    before = await snapshot(city, payer)
    body = content() if callable(content) else content
    response = await city.client.post(city.callback_url(payment, "stk"), content=body)
    assert response.status_code == 413
    assert await snapshot(city, payer) == before


async def test_another_amount_opens_a_case_and_moves_nothing(
    city: City, asked: tuple[Person, Person, Payment]
) -> None:
    payer, payee, payment = asked
    body = push_result(payment, payer, more=100)
    url = city.callback_url(payment, "stk")
    for _ in range(2):  # The same lie again is the same case.
        assert (await city.client.post(url, json=body)).status_code == 200
    now = await city.latest(payer)
    assert now is not None and states_of(now) == states_of(payment)
    assert await city.cases(payment) == ["CONFLICT"]
    assert await city.movements(payer) == await city.movements(payee) == []

    await city.approve(payer)
    await city.assert_moved_once(await city.ends(payer, "PAID", patience=40), payer, payee)


async def test_another_payers_number_opens_a_case_and_moves_nothing(
    city: City, asked: tuple[Person, Person, Payment]
) -> None:
    payer, _, payment = asked
    body = push_result(payment, city.newcomer("KE"))
    assert (await city.client.post(city.callback_url(payment, "stk"), json=body)).status_code == 200
    now = await city.latest(payer)
    assert now is not None and states_of(now) == states_of(payment)
    assert await city.cases(payment) == ["CONFLICT"]


async def test_same_callback_twenty_times_at_once_is_one_transition(city: City) -> None:
    payer, payee = city.newcomer("KE"), city.newcomer("UG")
    await city.arm(payer, "collect", "no_callback")
    await city.pay(payer, payee, 500)
    payment = await city.reaches(payer, "COLLECTING")
    collecting = payment.attempts[-1].attempt_id
    url, body = city.callback_url(payment, "stk"), push_result(payment, payer)

    answers = await asyncio.gather(*(city.client.post(url, json=body) for _ in range(20)))

    assert {answer.status_code for answer in answers} == {200}
    payment = await city.ends(payer, "PAID")
    assert states_of(payment).count("PAYING") == 1
    assert [attempt.direction for attempt in payment.attempts] == ["COLLECT", "DISBURSE"]
    assert (await city.evidence(payment))[collecting, CALLBACK] == 1
    await city.assert_moved_once(payment, payer, payee)
    await city.told(payee, f"You have received {spoken(payment.receives)}")


async def test_callback_for_an_ended_payment_is_acknowledged_and_changes_no_state(
    city: City, paid: tuple[Person, Person, Payment]
) -> None:
    payer, payee, payment = paid
    url = city.callback_url(payment, "stk", attempt=0)
    response = await city.client.post(url, json=push_result(payment, payer))
    assert response.status_code == 200
    assert await city.cases(payment) == []
    await city.assert_moved_once(await city.ends(payer, "PAID"), payer, payee)


async def test_failure_after_success_opens_a_case_and_changes_no_state(
    city: City, paid: tuple[Person, Person, Payment]
) -> None:
    payer, payee, payment = paid
    url = city.callback_url(payment, "stk", attempt=0)
    body = push_result(payment, payer, code=1032)
    assert (await city.client.post(url, json=body)).status_code == 200
    assert await city.cases(payment) == ["CONFLICT"]
    await city.assert_moved_once(await city.ends(payer, "PAID"), payer, payee)


async def test_large_success_is_asked_about_before_it_counts(city: City) -> None:
    await city.set_approval("ask")
    payer, payee = city.newcomer("UG"), city.newcomer("KE")
    await city.pay(payer, payee, 400_000)
    await city.prompt(payer)
    payment = await city.reaches(payer, "COLLECTING")
    # Whoever got hold of the address, from a log of the operator's, says that the money is there.
    body = {
        "amount": str(payment.amount.minor + payment.fee.minor),
        "currency": "UGX",
        "externalId": payment.code,
        "payer": {"partyIdType": "MSISDN", "partyId": payer.digits},
        "status": "SUCCESSFUL",
        "financialTransactionId": "363440463",
    }
    response = await city.client.post(city.callback_url(payment, "momo"), json=body)
    assert response.status_code == 200
    await _asked_back(city, payment)
    now = await city.latest(payer)
    assert now is not None and states_of(now) == states_of(payment)
    assert await city.movements(payee) == []


async def test_large_failure_of_a_payout_is_asked_about_before_a_refund(city: City) -> None:
    payer, payee = city.newcomer("KE"), city.newcomer("UG")
    await city.arm(payee, "disburse", "callback_late", seconds=3)
    await city.pay(payer, payee, 11_000)
    payment = await city.reaches(payer, "PAYING")
    body = {
        "amount": str(payment.receives.minor),
        "currency": "UGX",
        "externalId": payment.code,
        "payee": {"partyIdType": "MSISDN", "partyId": payee.digits},
        "status": "FAILED",
        "reason": "PAYEE_NOT_ALLOWED_TO_RECEIVE",
    }
    response = await city.client.post(city.callback_url(payment, "momo"), json=body)
    assert response.status_code == 200
    await city.assert_moved_once(await city.ends(payer, "PAID"), payer, payee)


async def _asked_back(city: City, payment: Payment) -> None:
    async def asked_back() -> bool | None:
        return sum((await city.evidence(payment)).values()) >= 2 or None

    await city.until(asked_back, "the operator was not asked")


async def test_callback_door_takes_no_other_method(
    city: City, paid: tuple[Person, Person, Payment]
) -> None:
    _, _, payment = paid
    for method in ("GET", "DELETE"):
        url = city.callback_url(payment, "stk", attempt=0)
        response: httpx.Response = await city.client.request(method, url)
        assert response.status_code == 405


async def test_unreadable_and_large_delivery_reports_are_refused(city: City) -> None:
    url = city.places.ussd_url.replace("/ussd/", "/sms/") + "/report"
    form = "application/x-www-form-urlencoded"
    for body, status in [(b"", 400), (b"id=1", 400), (b"\xff=\xff", 400), (MEGABYTE, 413)]:
        response = await city.client.post(url, content=body, headers={"content-type": form})
        assert response.status_code == status, body[:20]
    forged = url.replace("/report", "0/report")
    assert (await city.client.post(forged, content=b"id=1&status=Success")).status_code == 404
